//! Days and months are closed by two people, each of whom tries twice, as either may die over it.

use crate::accountants::refused;
use crate::life::Life;
use crate::process::live;
use crate::seen::Seen;
use crate::world::APPROVERS;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{self, Citizen, Id},
};
use chung::flow::{
    Error,
    close_period::{decide_closing, prepare_closing},
    export_journal::{open_journal, read_journal},
    inherit::Tree,
    long_closings::prepare_long_closing,
};
use chung::payment::closing::{Kind, Period};
use sqlx::Row;
use std::time::Duration;

impl Life<'_> {
    /// Every day of this life is closed, by two people, and the month that is over; each tries twice, and either may die
    /// over it.
    pub async fn close_days(&mut self, seen: &Seen, (first, last): (Day, Day)) {
        let of = self.chance.below(2);
        let mut day = first;
        let mut periods = Vec::new();
        while day < last {
            periods.push(Period::around(Kind::Day, day));
            day = day.plus_days(1);
        }
        periods.extend(Some(Period::around(Kind::Month, first)).filter(|month| month.last < last));
        for period in periods {
            self.close(seen, period, (APPROVERS[of], APPROVERS[1 - of])).await;
            seen.note(format!("{} closed", period.kind.as_str()));
        }
        self.say(&format!("days are closed at {}", self.clock.now()));
        if self.beside.percent(60) {
            self.correct_what_is_closed(seen, (first, last)).await;
        }
    }

    /// The bank takes back what it showed on a day that is closed, or shows it again: that is booked in the open time, and the
    /// closed one stays as it was. The journal has both days.
    async fn correct_what_is_closed(&mut self, seen: &Seen, (first, last): (Day, Day)) {
        let closed = format!(
            "select coalesce(md5(string_agg(p::text, '' order by p::text)), '') || ' ' || (
                 select coalesce(md5(string_agg(c::text, '' order by c.id)), '') from closing c)
             from posting p where p.booked_on < '{last}'"
        );
        let before: String = self.world.rows(&closed).await[0].get(0);
        for _ in 0..3 {
            self.clock.advance(Duration::from_secs(61));
            if let Some(day) = self.take_back(seen).await {
                self.match_day(day, None).await;
            }
            // What the bank shows no more is explained by hand, until it shows it again.
            self.match_by_hand(seen).await;
        }
        let mut day = first;
        while day < last {
            self.match_day(day, None).await;
            day = day.plus_days(1);
        }
        let after: String = self.world.rows(&closed).await[0].get(0);
        assert_eq!(after, before, "a closed time changed");
        let (agency, today) = (self.agencies[0], Day::of(self.clock.now()));
        let mut journal = open_journal(&self.app, (agency, Tree::Own), (today, today)).await.unwrap();
        while let Some(rows) = read_journal(&self.app, &mut journal).await.unwrap() {
            for row in rows.iter().filter(|row| row.kind == "corrected") {
                let bank_day = row.bank_day.unwrap_or_else(|| panic!("{} has no bank's day", row.entry));
                assert!(row.booked_on == today && bank_day < last, "{} of {bank_day}", row.entry);
                seen.note("closed day corrected in the open time");
            }
        }
    }

    async fn close(
        &mut self,
        seen: &Seen,
        period: Period,
        (accountant, approver): (Id<Citizen>, Id<Citizen>),
    ) {
        let agency = self.agencies[0];
        let death = self.death(seen);
        let prepare = async |app: chung::app::App| prepare_closing(&app, agency, accountant, period).await;
        let prepared = live(&self.app, death, prepare).await;
        let again = live(&self.app, None, prepare).await.unwrap();
        match (&prepared, &again) {
            (Some(Ok(_)), Err(Error::Conflict(refusal))) | (None, Err(Error::Conflict(refusal))) => {
                assert_eq!(refusal.code, "closing_exists");
            }
            (None, Ok(_)) => {}
            // What is too long to wait for is prepared beside: both are told the same.
            (Some(Ok(first)), Ok(second)) if first == second => {}
            other => panic!("{}: {other:?}", period.first),
        }
        self.prepare_beside(seen).await;
        let sql =
            format!("select id from closing where first_day = '{}' and state = 'prepared'", period.first);
        let closing: Id<id::Closing> = Id::from_uuid(self.world.rows(&sql).await[0].get("id"));
        let own = decide_closing(&self.app, accountant, closing, true).await;
        assert!(refused(&own), "nobody approves their own closing");
        let death = self.death(seen);
        let approve = async |app: chung::app::App| decide_closing(&app, approver, closing, true).await;
        live(&self.app, death, approve).await;
        match live(&self.app, None, approve).await.unwrap() {
            Ok(()) => {}
            Err(Error::Conflict(refusal)) => assert_eq!(refusal.code, "closing_decided"),
            Err(error) => panic!("{error:?}"),
        }
    }
    /// Whoever prepares what waits may die over it; another does, once the first counts as dead.
    async fn prepare_beside(&mut self, seen: &Seen) {
        let waiting = "select 1 from long_closing where state = 'waiting'";
        let act = async |app: chung::app::App| prepare_long_closing(&app).await;
        if self.world.rows(waiting).await.is_empty() {
            return;
        }
        let death = self.death(seen);
        if let Some(done) = live(&self.app, death, act).await {
            done.unwrap();
        }
        for _ in 0..3 {
            if self.world.rows(waiting).await.is_empty() {
                return seen.note("closing prepared beside");
            }
            self.clock.advance(Duration::from_secs(61));
            live(&self.app, None, act).await.unwrap().unwrap();
        }
    }
}

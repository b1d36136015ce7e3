//! Bills that may be paid after their due day, and what more they ask for then, as whoever pays works it out: the days, the
//! rate of the day by the version of the fees that is in force, and the standing still while nobody answers.

use crate::fees::late_rate;
use crate::life::Life;
use crate::seen::Seen;
use chung::base::{
    calendar::Day,
    clock::{Clock, Instant},
};
use serde_json::Value;
use sqlx::Row;
use std::time::Duration;
use uuid::Uuid;

/// What every late rule's code begins with.
pub const LATE: &str = "CHAM-";

/// What a bill is on a day.
#[derive(Debug, Clone, Copy)]
pub struct Owed {
    pub open: bool,
    /// Whether an attempt to pay is under way.
    pub live: bool,
    /// The last day on which it may be paid.
    pub last: Day,
    /// What it says now, and what of that is no interest.
    pub says: i64,
    pub principal: i64,
    /// The interest of that day, if it is paid late on it.
    interest: Option<i64>,
}

impl Owed {
    /// What must be paid: while money may be on its way, what it says stands.
    pub fn total(&self) -> i64 {
        match self.interest {
            Some(interest) if !self.live => self.principal + interest,
            Some(_) | None => self.says,
        }
    }

    /// Whether more is asked than before the due day.
    pub fn is_late(&self) -> bool {
        self.total() > self.principal
    }
}

/// A day, later by the days of each silence that began in time.
fn stands_still(day: Day, silences: &[(Day, Day)]) -> Day {
    silences.iter().fold(day, |day, (since, until)| {
        if *since <= day { day.plus_days(since.days_until(*until).max(0)) } else { day }
    })
}

/// The part of an answer's total that is no interest.
pub fn without_interest(lines: &Value) -> i64 {
    let amount = |line: &Value| line["amount"].as_i64().unwrap();
    let lines = lines.as_array().unwrap().iter();
    lines.filter(|line| !is_interest(line)).map(amount).sum()
}

pub fn is_interest(line: &Value) -> bool {
    line["fee"].as_str().is_some_and(|fee| fee.starts_with(LATE))
}

impl Life<'_> {
    /// What a bill asks for at that moment.
    pub async fn owed(&self, bill: usize, at: Instant) -> Owed {
        let id = self.bills[bill].id.uuid();
        let sql = format!(
            "select b.state = 'open' as open, b.due, coalesce(b.payable_until, b.due) as until, c.lines,
                 exists (select from live_attempt l where l.bill_id = b.id) as live
             from bill b join bill_content c on c.bill_id = b.id where b.id = '{id}'"
        );
        let silences = format!(
            "select s.since, coalesce(s.until, p.ended_at) as until from payment_silence s
             join payment p on p.id = s.payment_id where s.bill_id = '{id}' order by s.since"
        );
        let silences: Vec<(Day, Day)> = self
            .world
            .rows(&silences)
            .await
            .iter()
            .map(|row| {
                let until = row.get::<Option<Instant>, _>("until").unwrap_or(at);
                (Day::of(row.get::<Instant, _>("since")), Day::of(until))
            })
            .collect();
        let row = &self.world.rows(&sql).await[0];
        let day = |name: &str| stands_still(Day::from_date(row.get(name)), &silences);
        let (due, last, today) = (day("due"), day("until"), Day::of(at));
        let lines: Value = row.get("lines");
        let amount = |line: &Value| line["amount"].as_i64().unwrap();
        let says = lines.as_array().unwrap().iter().map(amount).sum();
        let late = row.get("open") && due < today && today <= last;
        let interest = late.then(|| interest(&lines, due.days_until(today) * late_rate(self.times())));
        let principal = without_interest(&lines);
        Owed { open: row.get("open"), live: row.get("live"), last, says, principal, interest }
    }

    /// Somebody pays a bill after its due day: from home, at a desk, or at one whose connection is gone.
    pub async fn pay_late(&mut self, seen: &Seen) {
        let today = Day::of(self.clock.now());
        let late = format!(
            "select b.id, b.due from bill b where b.state = 'open' and b.payable_until > b.due
                 and b.payable_until >= '{today}' and not exists (select from live_attempt l where l.bill_id = b.id)
             order by b.id"
        );
        let Some(row) = self.some_row(&late).await else { return };
        let (id, due): (Uuid, Day) = (row.get("id"), Day::from_date(row.get("due")));
        let Some(bill) = self.bills.iter().position(|promised| promised.id.uuid() == id) else { return };
        while Day::of(self.clock.now()) <= due {
            self.clock.advance(Duration::from_secs(24 * 3_600));
        }
        let (at, way) = (self.chance.below(2), self.chance.below(4));
        if way > 1 && self.desk.tills[at].shift.is_none() {
            self.open_till(at, seen).await;
        }
        match way {
            2 => drop(self.pay_here(at, (bill, None), seen).await),
            3 => {
                self.draw_blanks(at, seen).await;
                self.write_one_by_hand(at, bill, seen).await;
            }
            _ => self.start_one(bill, seen).await,
        }
    }
}

/// The interest of all days on the fees of these lines, at so many hundredths of a percent: of each kind and beneficiary by
/// itself, rounded once.
fn interest(lines: &Value, rate: i64) -> i64 {
    let lines = lines.as_array().unwrap();
    let of = |kind: &str| -> i64 {
        let those = lines.iter().filter(|line| line["kind"] == kind && !is_interest(line));
        those.map(|line| line["amount"].as_i64().unwrap()).sum()
    };
    ["phi", "le_phi"].map(|kind| (of(kind) * rate + 5_000) / 10_000).iter().sum()
}

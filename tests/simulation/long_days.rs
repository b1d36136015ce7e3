//! Days that are matched beside whoever asked for them: in some lives every import is too long to wait for, in others the bank
//! tells its days in several messages. The run may die in the middle, or be so slow that another one takes its day.

use crate::life::{BEGAN, Life, expect_or_refused};
use crate::process::{live, together};
use crate::seen::Seen;
use crate::world::{ACCOUNT, ACCOUNTANTS};
use chung::app::App;
use chung::base::{calendar::Day, clock::Clock};
use chung::flow::{Error, fetch_statement::fetch_as_officer, match_long_days::match_long_day};
use sqlx::Row;
use std::time::Duration;

impl Life<'_> {
    /// An accountant asks the bank for a day.
    pub async fn ask_for_a_day(&mut self, seen: &Seen) {
        let day = Day::of(self.clock.now()).plus_days(-1 - self.chance.below(2) as i64);
        let day = day.max(Day::of(BEGAN).plus_days(-1));
        let agency = self.agencies[0];
        self.say(&format!("an accountant asks the bank for {day}"));
        let act = async |app: App| fetch_as_officer(&app, ACCOUNTANTS[0], agency, ACCOUNT, day).await;
        match self.at_desk(seen, act).await.1 {
            Ok(Some(_)) => seen.note("day asked for, matched beside"),
            Ok(None) | Err(Error::Unavailable(_)) => {}
            Err(error) => seen.note(format!("day asked for: {}", error.code())),
        }
    }

    async fn waiting_days(&self) -> i64 {
        self.world.rows("select count(*) from long_day where state = 'waiting'").await[0].get(0)
    }

    /// Whoever matches the days that wait takes one up; sometimes so slowly that it counts as dead, and another one does.
    pub async fn match_beside(&mut self, seen: &Seen) {
        let waiting = self.waiting_days().await;
        if waiting == 0 {
            return;
        }
        self.say("a day is matched beside");
        if self.chance.percent(25) {
            self.fault(seen, "two at a day");
            let turns = self.turns();
            let other = async {
                self.clock.advance(Duration::from_secs(120));
                live(&self.nodes[1], None, async |app| match_long_day(&app).await).await
            };
            let slow = live(&self.nodes[0], None, async |app| match_long_day(&app).await);
            let (slow, other) = together(self.world, turns, slow, other).await;
            [slow, other].into_iter().flatten().for_each(|done| expect_or_refused(done.map(drop)));
        } else {
            let dies = self.chance.percent(30);
            let death = if dies { Some(self.dying(seen)) } else { self.death(seen) };
            match live(&self.app, death, async |app| match_long_day(&app).await).await {
                Some(done) => expect_or_refused(done.map(drop)),
                None if self.waiting_days().await == waiting => seen.note("died over a long day"),
                None => {}
            }
        }
        if self.waiting_days().await < waiting {
            seen.note("day matched beside");
        }
    }

    /// No day is left waiting once its run counts as dead.
    pub async fn match_all_beside(&self) {
        for _ in 0..20 {
            if self.waiting_days().await == 0 {
                return;
            }
            self.clock.advance(Duration::from_secs(61));
            live(&self.app, None, async |app| match_long_day(&app).await).await.unwrap().unwrap();
        }
    }
}

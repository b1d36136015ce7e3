//! Receipts that wait: an agency that has but a few numbers left gives no receipt for what is paid beyond them until it
//! registers more; then what waited is issued in bulk, of its own accord or because the agency asks.

use crate::life::{Life, expect_or_refused};
use crate::process::live;
use crate::seen::Seen;
use chung::app::App;
use chung::base::{
    calendar::Day,
    id::{Bill, Id},
};
use chung::flow::{
    adjust_receipts::adjust_due_receipts,
    issue_due_receipts::issue_due_receipts,
    issue_on_request::issue_on_request,
    receipt_series::{NewSeries, register_series},
};
use chung::payment::{blank::Medium, fee::FeeKind, receipt::Range};
use sqlx::Row;

impl Life<'_> {
    /// In some lives the first agency has but a few numbers.
    pub async fn begin_short(&mut self, seen: &Seen) {
        if self.chance.percent(40) {
            self.short = true;
            let last = [1, 2][self.chance.below(2)];
            self.register_numbers('A', last).await;
            seen.note("few numbers left");
        }
    }

    async fn register_numbers(&mut self, letter: char, last: i64) {
        for (kind, of) in [(FeeKind::Phi, 'P'), (FeeKind::LePhi, 'L')] {
            let new = NewSeries {
                kind,
                letters: format!("{letter}{of}").parse().unwrap(),
                form: None,
                medium: Medium::Electronic,
                range: Range::fresh(1, last).unwrap(),
                force: (Day::new(2026, 11, 1).unwrap(), Day::new(2026, 12, 31).unwrap()),
            };
            let key = self.act_key("numbers");
            register_series(&self.app, self.agencies[0], new, &key).await.unwrap();
        }
    }

    /// The agency registers more numbers, unless it is no more: its successor has its own.
    pub async fn register_more(&mut self, seen: &Seen) {
        if std::mem::take(&mut self.short) && self.agencies[0] == self.world.agencies[0] {
            self.say("more numbers are registered");
            self.register_numbers('C', 500).await;
            seen.note("more numbers registered");
        }
    }

    /// What waits for its number is issued, if there is one by now.
    pub async fn issue_waiting(&mut self, seen: &Seen) {
        match self.chance.below(13) {
            12 => self.change_issuer(seen).await,
            0 | 6 => {
                self.register_more(seen).await;
                self.ask_for_receipts(seen).await;
            }
            1 | 2 | 7 | 8 => self.ask_for_receipts(seen).await,
            _ => {
                let death = self.death(seen);
                self.say("waiting receipts are issued");
                let done = live(&self.app, death, async |app| issue_due_receipts(&app).await).await;
                done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
            }
        }
    }

    /// The agency asks for the receipts of many bills at once, of paid ones and others.
    async fn ask_for_receipts(&mut self, seen: &Seen) {
        let agency = self.agencies[0];
        let bills: Vec<Id<Bill>> = self.bills.iter().map(|promised| promised.id).take(40).collect();
        if bills.is_empty() {
            return;
        }
        let key = self.act_key("receipts");
        let act = async |app: App| issue_on_request(&app, agency, &bills, &key).await;
        if let Some(answer) = self.asked_until_answered(seen, ("receipts asked for", act)).await
            && answer["issued"] != 0
        {
            seen.note("receipts issued in bulk");
        }
    }

    /// Nothing waits once there are numbers for it.
    pub async fn issue_the_rest(&mut self, seen: &Seen) {
        self.register_more(seen).await;
        let waits = self.world.rows("select count(*) from receipt_due").await[0].get::<i64, _>(0);
        if self.chance.percent(50) {
            self.ask_for_receipts(seen).await;
        }
        live(&self.app, None, async |app| issue_due_receipts(&app).await).await.unwrap().unwrap();
        self.fetch_the_rest().await;
        live(&self.app, None, async |app| adjust_due_receipts(&app).await).await.unwrap().unwrap();
        let left = self.world.rows("select count(*) from receipt_due").await[0].get::<i64, _>(0);
        if left < waits {
            seen.note("waiting receipts issued");
        }
    }
}

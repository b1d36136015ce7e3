//! What the service does by itself, again and again: inquiries, money that goes back and on, statements that are matched;
//! and what the bank knows of what moved.

use crate::life::{BEGAN, Life, expect_or_refused};
use crate::listeners::tell_events;
use crate::process::live;
use crate::seen::Seen;
use crate::tellings::clearing_day;
use crate::world::ACCOUNT;
use chung::base::{calendar::Day, clock::Clock, id::Id, text::Line};
use chung::codec::iso20022::Direction;
use chung::flow::{
    Error, inquire_payment::inquire_due, pass_on::pass_on, platform::confirm_payments, recall::send_recalls,
    reconcile_statement::match_statement, return_second_money::return_second_money,
    send_refund::look_after_refunds,
};
use chung::store::account::CollectingAccount;
use sqlx::Row;
use std::time::Duration;

impl Life<'_> {
    /// What was collected goes on to whom it belongs.
    pub async fn pass_on(&mut self, seen: &Seen) {
        let death = self.death(seen);
        self.say("money goes on");
        let done = live(&self.app, death, async |app| pass_on(&app).await).await;
        done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// Second money goes back, and what is silent is asked about.
    pub async fn give_back(&mut self, seen: &Seen) {
        let death = self.death(seen);
        self.say("second money goes back");
        let done = live(&self.app, death, async |app| {
            return_second_money(&app).await?;
            send_recalls(&app).await?;
            look_after_refunds(&app).await
        })
        .await;
        done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// What waits to be given back goes while everything still fails: without this most of it would leave in the calm.
    pub async fn give_back_to_the_end(&mut self, seen: &Seen) {
        // What was taken is booked by then, and may go on.
        let booked = clearing_day(self.clock.now());
        while Day::of(self.clock.now()) <= booked {
            self.clock.advance(Duration::from_secs(12 * 3_600));
        }
        // Its statement may come before the notifications of it.
        self.reconcile(seen).await;
        for _ in 0..2 {
            self.go_through_the_post(seen).await;
            // By now the days that are told in several messages are over.
            if self.rails.pages.is_some() {
                self.ask_for_a_day(seen).await;
            }
            // What an agency's system was given may not hold any more when it asks again.
            if self.chance.percent(50) {
                self.take_receipt_back(seen).await;
                self.be_asked(seen).await;
            }
            self.deliver_all().await;
            self.change_its_mind(seen).await;
            if self.beside.percent(10) {
                self.deny_what_left(seen).await;
            }
            self.match_beside(seen).await;
            self.ask_the_issuer(seen).await;
            // Thrice between two deliveries: what is silent is asked about before the money is seen to leave.
            for _ in 0..3 {
                self.give_back(seen).await;
                self.inquire(seen).await;
                if self.chance.percent(60) {
                    self.reconcile(seen).await;
                }
                self.pass_on(seen).await;
                if self.chance.percent(60) {
                    self.look(seen).await;
                }
                self.clock.advance(Duration::from_secs(2 * 3_600));
            }
        }
        self.note_faults(seen);
        self.look(seen).await;
    }

    pub async fn inquire(&mut self, seen: &Seen) {
        let death = self.death(seen);
        let listens = self.listens;
        self.say("inquiries");
        let done = live(&self.app, death, async |app| {
            inquire_due(&app).await?;
            if listens {
                tell_events(&app).await?;
            }
            confirm_payments(&app).await
        })
        .await;
        done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// The accountant matches the days one after another, or yesterday at once.
    pub async fn reconcile(&mut self, seen: &Seen) {
        let yesterday = Day::of(self.clock.now()).plus_days(-1);
        let mut day = yesterday;
        if self.chance.percent(70) {
            let told = format!(
                "select s.day from statement s join collecting_account a on a.id = s.account_id
                 where a.number = '{ACCOUNT}'"
            );
            let told = self.world.rows(&told).await;
            let told: Vec<Day> = told.iter().map(|row| Day::from_date(row.get(0))).collect();
            day = Day::of(BEGAN).plus_days(-1);
            while day < yesterday && told.contains(&day) {
                day = day.plus_days(1);
            }
        }
        let death = self.death(seen);
        self.say(&format!("the statement of {day}"));
        self.match_day(day, death).await;
    }

    /// Matches a day of every account.
    pub async fn match_day(&self, day: Day, death: Option<u32>) {
        self.match_day_of(ACCOUNT, day, death).await;
        for account in &self.others {
            self.match_day_of(account, day, None).await;
        }
    }

    /// Matches a day; the answer, unless the process died or the account does not exist yet.
    pub async fn match_day_of(
        &self,
        account: &str,
        day: Day,
        death: Option<u32>,
    ) -> Option<serde_json::Value> {
        let known = format!(
            "select id, owner_id, coalesce(heir_id, owner_id) as heir_id, bank, number, holder
             from collecting_account where number = '{account}'"
        );
        let known = self.world.rows(&known).await;
        let row = known.first()?;
        let account = CollectingAccount {
            id: Id::from_uuid(row.get("id")),
            owner: Id::from_uuid(row.get("owner_id")),
            heir: Id::from_uuid(row.get("heir_id")),
            bank: row.get("bank"),
            number: row.get("number"),
            holder: Line::parse(row.get("holder")).unwrap(),
        };
        self.remember(format!("{} of {}", day, account.number));
        let done = live(&self.app, death, async |app| match_statement(&app, &account, day).await).await?;
        match done {
            Ok(answer) => Some(answer),
            Err(Error::Unavailable(_)) => None,
            Err(error) if error.code() == "no_receipt_series" => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    /// What came, as the bank knows it: each movement's reference and amount.
    pub fn moved(&self) -> Vec<(String, i64)> {
        self.movements(Direction::Credit)
    }

    /// What left, as the bank knows it.
    pub fn left(&self) -> Vec<(String, i64)> {
        self.movements(Direction::Debit)
    }

    fn movements(&self, direction: Direction) -> Vec<(String, i64)> {
        let truth = self.rails.truth.lock().unwrap();
        let those = truth.movements.iter().filter(|entry| entry.direction == direction);
        those.map(|entry| (entry.reference.to_string(), entry.amount.minor())).collect()
    }
}

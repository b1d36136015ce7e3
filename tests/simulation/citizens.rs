//! What citizens do: they pay by their bank's request, twice at once, look into their bank's application, and send money
//! that nobody asked for in this way.

use crate::late::is_interest;
use crate::life::{Life, expect_or_refused};
use crate::process::{live, together};
use crate::rails::{Asked, Decision};
use crate::seen::Seen;
use crate::world::{ACCOUNT, BANKS};
use chung::base::{calendar::Day, clock::Clock, money::Money, reference::Reference};
use chung::flow::{national::CHOICE, start_payment::start_payment};
use sqlx::Row;
use std::time::Duration;
use uuid::Uuid;

impl Life<'_> {
    pub fn some_bill(&mut self) -> Option<usize> {
        (!self.bills.is_empty()).then(|| self.chance.below(self.bills.len()))
    }

    /// A citizen pays, or two do at once.
    pub async fn start(&mut self, seen: &Seen) {
        if let Some(bill) = self.some_bill() {
            self.start_one(bill, seen).await;
        }
    }

    /// The same of that bill.
    pub async fn start_one(&mut self, bill: usize, seen: &Seen) {
        let reference: Reference = self.bills[bill].reference.parse().unwrap();
        let death = self.death(seen);
        let twice = self.chance.percent(10);
        let bank = if self.chance.percent(30) { CHOICE } else { BANKS[self.chance.below(BANKS.len())] };
        if twice {
            self.fault(seen, "two at once");
        }
        self.say(&format!("somebody pays {}", self.bills[bill].id));
        let owed = self.owed(bill, self.clock.now()).await;
        let turns = self.turns();
        let start = async |app| start_payment(&app, &reference, bank).await;
        let (first, second) = if twice {
            let [at, beside] = &self.nodes;
            together(self.world, turns, live(at, death, start), live(beside, None, start)).await
        } else {
            (live(&self.app, death, start).await, None)
        };
        for done in [first, second].into_iter().flatten() {
            match done {
                Ok(payment) => {
                    assert!(
                        owed.open && Day::of(self.clock.now()) <= owed.last,
                        "begun after its last day: {owed:?}"
                    );
                    assert_eq!(payment.amount.minor(), owed.total(), "what a bill asks for today: {owed:?}");
                    if owed.is_late() {
                        seen.note("begun with late interest");
                    }
                }
                Err(refused) if refused.code() == "bill_past_due" => {
                    assert!(Day::of(self.clock.now()) > owed.last, "its last day is not over: {owed:?}");
                    seen.note("not begun: bill_past_due");
                }
                Err(refused) => expect_or_refused(Err(refused)),
            }
        }
        self.clock.advance(Duration::from_millis(10));
    }

    /// The payer looks into the bank's application.
    pub fn decide(&mut self) {
        let now = self.clock.now();
        let waiting: Vec<Uuid> = {
            let truth = self.rails.truth.lock().unwrap();
            let open = |asked: &Asked| asked.decision == Decision::Waiting && asked.expires > now;
            truth.asked.iter().filter(|(_, asked)| open(asked)).map(|(id, _)| *id).collect()
        };
        if !waiting.is_empty() {
            let payment = waiting[self.chance.below(waiting.len())];
            let approve = self.chance.percent(80);
            self.say(&format!("the payer {} {payment}", if approve { "approves" } else { "refuses" }));
            self.rails.decide(payment, approve, now);
        }
    }

    /// Money that nobody asked for in this way.
    pub async fn stray_money(&mut self, seen: &Seen) {
        let now = self.clock.now();
        let asked: Vec<(Uuid, Asked)> = {
            let truth = self.rails.truth.lock().unwrap();
            truth.asked.iter().map(|(id, asked)| (*id, asked.clone())).collect()
        };
        let one = (!asked.is_empty()).then(|| asked[self.chance.below(asked.len())].clone());
        match (self.chance.below(6), one) {
            (4, _) => {
                let Some(bill) = self.some_bill() else { return };
                self.fault(seen, "transfer by reference");
                let text = format!("CT {} nop phi", self.bills[bill].reference.to_lowercase());
                let wrong = self.chance.percent(40);
                let amount = if wrong { 1_000 } else { self.owed(bill, now).await.total() };
                let account = self.account_of(bill).await;
                self.rails.transfer(&account, &text, Money::vnd(amount), now);
            }
            (0 | 5, Some((payment, asked))) if asked.decision == Decision::Approved => {
                self.fault(seen, "paid twice");
                let _reference = self.rails.money(Some(payment), asked.amount, now);
            }
            (1, Some((payment, asked))) if asked.decision == Decision::Refused => {
                self.fault(seen, "money after the end");
                let _reference = self.rails.money(Some(payment), asked.amount, now);
            }
            (2, Some((payment, asked))) => {
                self.fault(seen, "wrong amount");
                let _reference =
                    self.rails.money(Some(payment), asked.amount.minus(Money::vnd(5_000)).unwrap(), now);
            }
            _ => {
                self.fault(seen, "unknown reference");
                let _reference = self.rails.money(None, Money::vnd(70_000), now);
            }
        }
        self.say("money comes");
    }

    /// The account that a bill is to be paid into.
    async fn account_of(&self, bill: usize) -> String {
        if self.others.is_empty() {
            return ACCOUNT.to_owned();
        }
        let sql = format!(
            "select a.number from bill b join collecting_account a on a.id = b.account_id where b.id = '{}'",
            self.bills[bill].id.uuid()
        );
        self.world.rows(&sql).await[0].get("number")
    }

    /// What a bill asks for before its due day.
    pub fn total(&self, bill: usize) -> i64 {
        let answer: serde_json::Value = serde_json::from_str(&self.bills[bill].answer).unwrap();
        let amount = |of: &serde_json::Value| of["amount"].as_str().unwrap().parse::<i64>().unwrap();
        let interest = answer["lines"].as_array().into_iter().flatten().filter(|line| is_interest(line));
        amount(&answer["total"]) - interest.map(|line| amount(&line["amount"])).sum::<i64>()
    }
}

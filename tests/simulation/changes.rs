//! What becomes of bills between their issue and their money, and of the agency that asks: amendments, bills in the place
//! of others, bills opened again, instalments, checkpoints of the books, and a succession, each under the same faults.

use crate::fees::{Charge, LAND, SAVED};
use crate::life::{Life, Promised, expect_or_refused};
use crate::process::live;
use crate::seen::Seen;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{Agency, Id},
};
use chung::flow::{
    Error, Result,
    change_bill::{Amendment, amend_bill, replace_bill, revive_bill},
    idempotency::Idempotency,
    sequence_audit::sequence_audit,
    split_bill::{Split, split_bill},
    succeed_agency::effect_successions,
    trial_balance::checkpoint_balances,
};
use chung::payment::fee::Asked;
use chung::store::succession::{self, Succession};
use serde_json::Value;
use sqlx::Row;
use std::collections::BTreeMap;
use std::time::Duration;

impl Life<'_> {
    /// One change.
    pub async fn change(&mut self, seen: &Seen) {
        // What a till owes another agency is passed on with it.
        let once = !self.agencies.contains(&self.world.successor);
        if once && self.desk.owed > 0 && self.chance.percent(20) {
            return self.succeed(seen).await;
        }
        match self.chance.below(19) {
            0..=2 => self.amend(seen).await,
            3 | 4 => self.replace(seen).await,
            5..=7 => self.revive(seen).await,
            8 | 9 => self.split(seen).await,
            10 | 11 => self.checkpoint(seen).await,
            12..=14 => self.change_schedule(seen).await,
            15..=17 => self.revoke(seen).await,
            _ => self.succeed(seen).await,
        }
    }

    /// A key of its own for each act.
    pub fn act_key(&mut self, act: &str) -> Idempotency {
        self.keys += 1;
        let key = format!("{act}-{}", self.keys);
        Idempotency::new(self.world.client, &key, act, b"").unwrap()
    }

    /// An act that an agency asks for again until it is answered: whether the first process died before or after its
    /// commit, the answer is one.
    pub async fn asked_until_answered(
        &mut self,
        seen: &Seen,
        (what, act): (&'static str, impl AsyncFn(chung::app::App) -> Result<Value>),
    ) -> Option<Value> {
        let death = self.death(seen);
        self.say(what);
        let first = live(&self.app, death, async |app| act(app).await).await;
        loop {
            match live(&self.app, None, async |app| act(app).await).await.unwrap() {
                Ok(answer) => {
                    if let Some(Ok(first)) = first {
                        assert_eq!(first, answer, "{what}: the same request got two answers");
                    }
                    seen.note(what);
                    return Some(answer);
                }
                Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(Error::Internal(cause)) => panic!("{what}: {cause:?}"),
                Err(refused) => {
                    assert!(!matches!(first, Some(Ok(_))), "{what}: answered, then refused");
                    seen.note(format!("{what}: {}", refused.code()));
                    return None;
                }
            }
        }
    }

    /// A bill that came of another, with whose money it is.
    pub fn promise(&mut self, told: &Value, agency: Id<Agency>, owner: Id<Agency>) {
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        self.keys += 1;
        let key = format!("part {}", self.keys);
        let (id, reference) = (text("id").parse().unwrap(), text("reference"));
        let charge = Charge::default();
        self.bills.push(Promised { id, reference, agency, owner, key, answer: told.to_string(), charge });
    }

    /// The fees of a bill again, or of one with a longer day.
    async fn amend(&mut self, seen: &Seen) {
        let Some(bill) = self.some_bill() else { return };
        let anew = self.chance.percent(50);
        self.amend_one(bill, anew, seen).await;
    }

    /// The same of that one, its fees charged anew or not.
    pub async fn amend_one(&mut self, bill: usize, anew: bool, seen: &Seen) {
        let (agency, id) = (self.bills[bill].agency, self.bills[bill].id);
        let asked = |fee: &str| Asked { fee: fee.parse().unwrap(), count: 1, copies: 1, value: None };
        let before = self.bills[bill].charge;
        let before_said: Value = serde_json::from_str(&self.bills[bill].answer).unwrap();
        let (fees, charge) = if before.land {
            // Of the two fees of land only one may be left, which nothing reduces.
            let (first, times) = (self.chance.percent(50), self.times());
            let total = times * if first { LAND.iter().sum::<i64>() } else { LAND[1] };
            let saved = if first { times * SAVED } else { 0 };
            let fees = if first { vec![asked("DD-02"), asked("DD-01")] } else { vec![asked("DD-02")] };
            (fees, Charge { total, saved, ..before })
        } else {
            // Of a bill of one owner only one of the two may be left.
            let one = !before.apart && before.total > 0;
            let left: &[(&str, i64)] = match self.chance.below(if one { 4 } else { 2 }) {
                0 | 1 => &[("DKKD-02", 100_000), ("DKKD-01", 50_000)],
                2 => &[("DKKD-02", 100_000)],
                _ => &[("DKKD-01", 50_000)],
            };
            let total = left.iter().map(|fee| fee.1).sum::<i64>() * self.times() + before.beside;
            (left.iter().map(|fee| asked(fee.0)).collect(), Charge { total, ..before })
        };
        let amendment = Amendment {
            asked: anew.then_some(fees),
            services: None,
            due: Some(Day::of(self.clock.now()).plus_days(3)),
            payable_until: None,
            owners: BTreeMap::new(),
            collect: None,
        };
        let key = self.act_key("amend");
        let act = async |app: chung::app::App| amend_bill(&app, agency, id, &amendment, &key).await;
        if let Some(amended) = self.asked_until_answered(seen, ("bill amended", act)).await {
            assert_eq!(amended["reference"], *self.bills[bill].reference, "an amendment keeps the reference");
            if amendment.asked.is_some() {
                assert_eq!(amount(&amended), charge.total, "charged anew by the schedule in force");
                self.bills[bill].charge = charge;
                if amount(&amended) != amount(&before_said) {
                    seen.note("bill charged anew");
                }
            }
            self.bills[bill].answer = amended.to_string();
            // One that is divided by owner is divided again.
            let [one, other] = self.agencies;
            for part in amended["parts"].as_array().into_iter().flatten() {
                let owner = if part["lines"][0]["fee"] == "DKKD-02" { other } else { one };
                self.promise(part, one, owner);
            }
        }
    }

    async fn replace(&mut self, seen: &Seen) {
        let Some(bill) = self.some_bill() else { return };
        let (agency, id) = (self.bills[bill].agency, self.bills[bill].id);
        let key = self.act_key("replace");
        let draft = self.draft(key.key(), agency);
        let draft = chung::payment::issue::Draft { key: (key.key().to_owned(), *key.digest()), ..draft };
        let act = async |app: chung::app::App| replace_bill(&app, agency, id, (&draft, false), &key).await;
        if let Some(new) = self.asked_until_answered(seen, ("bill replaced", act)).await {
            self.promise(&new, agency, agency);
        }
    }

    /// A bill that was withdrawn, else any, is wanted after all.
    async fn revive(&mut self, seen: &Seen) {
        let withdrawn = self.world.rows("select id from bill where state = 'cancelled' order by id").await;
        let withdrawn: Vec<uuid::Uuid> = withdrawn.iter().map(|row| row.get(0)).collect();
        let wanted = self.bills.iter().position(|bill| withdrawn.contains(&bill.id.uuid()));
        let Some(bill) = wanted.or_else(|| self.some_bill()) else { return };
        let (agency, id) = (self.bills[bill].agency, self.bills[bill].id);
        let due = Day::of(self.clock.now()).plus_days(2);
        let key = self.act_key("revive");
        let act = async |app: chung::app::App| revive_bill(&app, agency, id, due, &key).await;
        let _revived = self.asked_until_answered(seen, ("bill revived", act)).await;
    }

    async fn split(&mut self, seen: &Seen) {
        let Some(bill) = self.some_bill() else { return };
        let (agency, owner, id) = (self.bills[bill].agency, self.bills[bill].owner, self.bills[bill].id);
        let today = Day::of(self.clock.now());
        let says = self.owed(bill, self.clock.now()).await.says;
        let plan = Split::Instalments(vec![(today.plus_days(1), 1), (today.plus_days(4), 2)]);
        let key = self.act_key("split");
        let act = async |app: chung::app::App| split_bill(&app, agency, id, &plan, &key).await;
        if let Some(parts) = self.asked_until_answered(seen, ("bill split", act)).await {
            let parts = parts["items"].as_array().unwrap();
            let sum: i64 = parts.iter().map(amount).sum();
            assert_eq!(sum, says, "instalments are the whole");
            for part in parts {
                self.promise(part, agency, owner);
            }
        }
    }

    /// The books are checkpointed wherever the log has come to.
    async fn checkpoint(&mut self, seen: &Seen) {
        let death = self.death(seen);
        self.say("a checkpoint");
        let done = live(&self.app, death, async |app| {
            sequence_audit(&app).await?;
            checkpoint_balances(&app, 1).await
        })
        .await;
        match done {
            Some(Ok(true)) => seen.note("checkpoint kept"),
            Some(done) => expect_or_refused(done.map(drop)),
            None => {}
        }
    }

    /// One of the agencies is merged into another, once in a life: from then on that one asks, and everything that moves is
    /// its, and what the tills of the other one owe.
    async fn succeed(&mut self, seen: &Seen) {
        let successor = self.world.successor;
        if self.agencies.contains(&successor) {
            return;
        }
        // Where a till owes the other agency, rather that one.
        let at = usize::from(self.chance.percent(if self.desk.owed > 0 { 60 } else { 10 }));
        let old = self.world.agencies[at];
        let now = self.clock.now();
        let one = Succession {
            agency: old,
            kind: "merge".to_owned(),
            from: Day::of(now),
            successors: vec![(successor, vec![])],
        };
        let by = Id::from_uuid(uuid::Uuid::from_u128(9));
        let mut tx = self.app.store.begin().await.unwrap();
        // An earlier try may have died after its decision.
        succession::insert(&mut tx, &one, by, now).await.unwrap();
        tx.commit().await.unwrap();
        let death = self.death(seen);
        self.say("the agency is succeeded");
        let tried = live(&self.app, death, async |app| effect_successions(&app).await).await;
        expect_or_refused(tried.unwrap_or(Ok(false)).map(drop));
        // Until the locks of a process that died are gone, nobody else may effect it.
        let waits = "select agency_id from agency_succession where effected_at is null";
        while !self.world.rows(waits).await.is_empty() {
            let done = live(&self.app, None, async |app| effect_successions(&app).await).await.unwrap();
            expect_or_refused(done.map(drop));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.agencies[at] = successor;
        // The tills go on where they stand.
        let shifts = self.desk.tills.iter_mut().filter_map(|till| till.shift.as_mut());
        for shift in shifts.filter(|shift| shift.agency == old) {
            shift.agency = successor;
            seen.note("shift passed on");
        }
        if at == 1 && self.desk.owed > 0 {
            seen.note("debt of a desk passed on");
        }
        for bill in &mut self.bills {
            // What was paid before stays in the books of whom it was paid to.
            if self.states.get(&format!("bill {}", bill.id.uuid())).is_some_and(|state| state == "paid") {
                self.paid_before.insert(bill.id.uuid(), (bill.agency, bill.owner));
            }
            for of in [&mut bill.agency, &mut bill.owner].into_iter().filter(|of| **of == old) {
                *of = successor;
            }
        }
        seen.note("agency succeeded");
    }
}

/// What a bill asks for.
pub fn amount(bill: &Value) -> i64 {
    bill["total"]["amount"].as_str().unwrap().parse().unwrap()
}

//! Receipts on paper: blanks printed for an outage and leaves of a book, written by hand, entered afterwards with their
//! time, or void before the shift ends.

use crate::cashiers::Paper;
use crate::life::Life;
use crate::seen::Seen;
use crate::world::ACCOUNTANTS;
use chung::app::App;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{self, Agency, Id, ReceiptBlock, ReceiptSeries},
    money::Money,
};
use chung::codec::receipt_content::Number;
use chung::flow::{
    blank_receipts::{Written, hand_out, print_block, void_leaves},
    desk::close_shift,
    receipt_series::{NewSeries, register_series},
};
use chung::payment::{
    blank::{Medium, Why},
    fee::FeeKind,
    receipt::Range,
};
use serde_json::{Value, json};
use sqlx::Row;
use std::time::Duration;
use uuid::Uuid;

/// A leaf that a cashier holds.
struct Held {
    number: Number,
    phi: bool,
}

impl Life<'_> {
    /// The series of an agency on that paper, one of each kind, registered when first needed.
    async fn paper_series(&mut self, agency: Id<Agency>, medium: Medium) -> [Id<ReceiptSeries>; 2] {
        if let Some(series) = self.desk.series.get(&(agency, medium.as_str())) {
            return *series;
        }
        let book = if medium == Medium::Printed { 'T' } else { 'B' };
        let mut made = Vec::new();
        for (kind, letter) in [(FeeKind::Phi, 'P'), (FeeKind::LePhi, 'L')] {
            let new = NewSeries {
                kind,
                letters: format!("{book}{letter}").parse().unwrap(),
                form: None,
                medium,
                range: Range::fresh(1, 500).unwrap(),
                force: (Day::new(2026, 11, 1).unwrap(), Day::new(2026, 12, 31).unwrap()),
            };
            let key = self.act_key("series");
            let told = register_series(&self.app, agency, new, &key).await.unwrap();
            made.push(told["id"].as_str().unwrap().parse().unwrap());
        }
        let series: [Id<ReceiptSeries>; 2] = made.try_into().unwrap();
        self.desk.series.insert((agency, medium.as_str()), series);
        series
    }

    /// The cashier prints blanks of each kind, or is handed a part of a book.
    pub async fn draw_blanks(&mut self, at: usize, seen: &Seen) {
        let (cashier, shift) = (self.desk.tills[at].cashier, self.desk.tills[at].shift.unwrap());
        if shift.agency != self.agencies[0] || self.free_leaves(at).await.len() > 4 {
            return;
        }
        let medium = if self.chance.percent(60) { Medium::Printed } else { Medium::Book };
        self.say(&format!("{medium} receipts are drawn"));
        for series in self.paper_series(shift.agency, medium).await {
            let leaves = 2 + self.chance.below(3) as i64;
            let death = self.death(seen);
            let draw = async |app: App| match medium {
                Medium::Book => hand_out(&app, ACCOUNTANTS[0], series, cashier, leaves).await,
                Medium::Printed | Medium::Electronic => print_block(&app, cashier, series, leaves).await,
            };
            // Whoever got no answer looks at what they have.
            if let Some(done) = crate::process::live(&self.app, death, draw).await {
                done.unwrap_or_else(|error| panic!("{error:?}"));
            }
        }
        seen.note(format!("leaves drawn: {medium}"));
    }

    /// The leaves that a cashier holds and has not written on.
    async fn free_leaves(&self, at: usize) -> Vec<Held> {
        let till = &self.desk.tills[at];
        let sql = format!(
            "select a.code || '-' || s.letters || lpad((s.year % 100)::text, 2, '0')
                 || case s.medium when 'printed' then 'T' else 'P' end || '-' || lpad(l.serial::text, 7, '0') as number, s.kind
             from receipt_block b join receipt_leaf l on l.block_id = b.id join receipt_series s on s.id = b.series_id
             join agency a on a.id = b.agency_id
             where b.owner_id = '{}' and b.agency_id = '{}' and l.state = 'held' order by s.medium desc, l.serial",
            till.cashier.uuid(),
            till.shift.unwrap().agency.uuid()
        );
        let rows = self.world.rows(&sql).await;
        let held = rows.iter().map(|row| Held {
            number: row.get::<String, _>("number").parse().unwrap(),
            phi: row.get::<String, _>("kind") == "phi",
        });
        let used =
            |held: &Held| till.written.iter().any(|paper| paper.written.numbers.contains(&held.number));
        held.filter(|held| !used(held)).collect()
    }

    /// Mostly a bill that the first agency asks for still, rather one that evidence reduces.
    async fn open_or_some_bill(&mut self) -> Option<usize> {
        let of = |which: &str| {
            format!(
                "select b.id from bill b where b.state = 'open' and b.agency_id = '{}' and b.phi + b.le_phi > 0
                     and not exists (select from live_attempt l where l.bill_id = b.id) {which} order by b.id",
                self.agencies[0].uuid()
            )
        };
        let reduced =
            of("and exists (select from fee_evidence e where e.bill_id = b.id and e.revoked_at is null)");
        let any = of("");
        let mut row = if self.chance.percent(35) { self.some_row(&reduced).await } else { None };
        if row.is_none() && self.chance.percent(60) {
            row = self.some_row(&any).await;
        }
        let Some(row) = row else { return self.some_bill() };
        let id: Uuid = row.get("id");
        self.bills.iter().position(|promised| promised.id.uuid() == id)
    }

    /// The connection is gone: somebody pays in cash, and gets receipts written by hand.
    pub async fn write_by_hand(&mut self, at: usize, seen: &Seen) {
        if self.free_leaves(at).await.is_empty() {
            self.draw_blanks(at, seen).await;
        }
        if let Some(bill) = self.open_or_some_bill().await {
            self.write_one_by_hand(at, bill, seen).await;
        }
    }

    /// The same of that bill.
    pub async fn write_one_by_hand(&mut self, at: usize, bill: usize, seen: &Seen) {
        let agency = self.desk.tills[at].shift.unwrap().agency;
        let promised = &self.bills[bill];
        let twice = self.desk.tills.iter().any(|till| till.written.iter().any(|paper| paper.bill == bill));
        if (promised.agency, promised.owner) != (agency, agency) || twice {
            return;
        }
        let id = promised.id.uuid();
        // What was charged less before may be charged more afterwards.
        if self.chance.percent(25) {
            self.amend_one(bill, true, seen).await;
        }
        let sql = format!("select phi > 0 as phi, le_phi > 0 as le_phi from bill where id = '{id}'");
        let kinds = self.world.rows(&sql).await;
        let free = self.free_leaves(at).await;
        let mut numbers = Vec::new();
        for (kind, phi) in [("phi", true), ("le_phi", false)] {
            if kinds[0].get::<bool, _>(kind) {
                let Some(leaf) = free.iter().find(|held| held.phi == phi) else { return };
                numbers.push(leaf.number.clone());
            }
        }
        let owed = self.owed(bill, self.clock.now()).await;
        // Whoever writes may not know that it is late.
        let knows = owed.says > owed.principal || self.chance.percent(70);
        let total = if knows { owed.total() } else { owed.says };
        if numbers.is_empty() {
            return;
        }
        self.say(&format!("{} is paid on paper", self.bills[bill].id));
        let written = Written { numbers, at: self.clock.now() };
        self.desk.tills[at].in_hand += total;
        let charge = self.bills[bill].charge;
        let interest = total - owed.principal;
        if interest > 0 {
            seen.note("receipt written by hand with late interest");
        }
        self.desk.tills[at].written.push(Paper { bill, total, interest, charge, written });
        self.clock.advance(Duration::from_secs(60));
        seen.note("receipt written by hand");
        // Whoever charges does not know of it.
        if self.chance.percent(60) {
            self.amend_one(bill, true, seen).await;
        }
    }

    /// What was paid on paper is what the paper says; where the bill was charged anew meanwhile, what was too much is owed
    /// back, and what more is asked is a bill of its own.
    pub async fn settle_up(&mut self, paper: &Paper, payment: Id<id::Payment>, seen: &Seen) {
        let (bill, asked) = (self.bills[paper.bill].id.uuid(), self.total(paper.bill));
        let sql = format!(
            "select b.paid_by = '{0}' as pays, b.phi + b.le_phi + b.tax as total, (select coalesce(sum(r.amount), 0)
                 from refund r where r.payment_id = '{0}' and r.rule is not null)::bigint as back,
                 (select coalesce(sum(e.saving), 0) from fee_evidence e
                 where e.bill_id = b.id and e.revoked_at is null)::bigint as kept
             from bill b where b.id = '{bill}'",
            payment.uuid()
        );
        let row = &self.world.rows(&sql).await[0];
        if row.get::<Option<bool>, _>("pays") != Some(true) {
            return;
        }
        assert_eq!(row.get::<i64, _>("total"), paper.total, "a bill is paid by what its paper says");
        let sql = format!(
            "select d.id, d.reference, d.phi + d.le_phi + d.tax as total, coalesce((select sum(e.saving) from fee_evidence e
                 where e.bill_id = d.id and e.revoked_at is null), 0)::bigint as saved
             from bill d join bill_link k on k.bill_id = d.id and k.relation = 'difference' where k.other_id = '{bill}'"
        );
        let mut more = 0;
        for row in self.world.rows(&sql).await {
            let (id, reference): (Uuid, String) = (row.get("id"), row.get("reference"));
            if self.bills.iter().any(|promised| promised.id.uuid() == id) {
                continue;
            }
            let total: i64 = row.get("total");
            let told = json!({ "id": Id::<id::Bill>::from_uuid(id).to_string(), "reference": reference,
                "total": { "amount": total.to_string() } });
            let (agency, owner) = (self.bills[paper.bill].agency, self.bills[paper.bill].owner);
            self.promise(&told, agency, owner);
            self.bills.last_mut().unwrap().charge.saved = row.get("saved");
            more += total;
        }
        let back: i64 = row.get("back");
        assert_eq!(
            paper.total - paper.interest - back + more,
            asked,
            "what was paid and what is still owed are what is asked"
        );
        if back > 0 {
            seen.note("paper charged anew: too much");
        }
        if more > 0 {
            seen.note("paper charged anew: too little");
        }
        let promised = &mut self.bills[paper.bill];
        let mut told: Value = serde_json::from_str(&promised.answer).unwrap();
        told["total"]["amount"] = paper.total.to_string().into();
        (promised.answer, promised.charge) = (told.to_string(), paper.charge);
        // Of what a line is asked by now no more than that rests on its fact.
        let kept: i64 = row.get("kept");
        assert!(kept <= paper.charge.saved.max(0), "{kept} of {:?} rests on a fact", paper.charge);
        promised.charge.saved = kept;
    }

    /// What was written is entered; what cannot be any more is given back.
    pub async fn enter_written(&mut self, at: usize, seen: &Seen) {
        for paper in std::mem::take(&mut self.desk.tills[at].written) {
            // The money lies there already: what is entered counts it.
            self.desk.tills[at].in_hand -= paper.total;
            let entered = self.pay_here(at, (paper.bill, Some(&paper)), seen).await;
            seen.note(if entered { "receipt on paper entered" } else { "receipt on paper given back" });
        }
    }

    /// Nothing that was printed outlives its shift.
    pub async fn try_to_close_with_leaves(&mut self, at: usize, seen: &Seen) {
        let till = &self.desk.tills[at];
        let cashier = till.cashier;
        if self.leaves_to_void(at).await.is_empty() || !self.chance.percent(40) {
            return;
        }
        let refused = close_shift(&self.app, cashier, Money::vnd(till.in_hand)).await;
        let code =
            refused.map_or_else(|error| error.code().to_owned(), |found| format!("closed with {found:?}"));
        assert_eq!(code, "leaves_held", "a shift does not end over a number that nobody accounts for");
        seen.note("shift not closed: leaves_held");
    }

    /// The leaves that stand in the way of the end of a shift: every printed one, and those of a book before a used one.
    async fn leaves_to_void(&self, at: usize) -> Vec<(Id<ReceiptBlock>, Vec<i64>)> {
        let till = &self.desk.tills[at];
        let sql = format!(
            "select b.id, array_agg(l.serial order by l.serial) as serials
             from receipt_block b join receipt_leaf l on l.block_id = b.id
             where b.owner_id = '{}' and l.state = 'held' and (b.medium = 'printed' or b.agency_id = '{}' and exists (
                 select from receipt_leaf u where u.block_id = b.id and u.serial > l.serial and u.state <> 'held'))
             group by b.id order by b.id",
            till.cashier.uuid(),
            till.shift.unwrap().agency.uuid()
        );
        let rows = self.world.rows(&sql).await;
        rows.iter().map(|row| (Id::from_uuid(row.get::<Uuid, _>("id")), row.get("serials"))).collect()
    }

    pub async fn void_leaves(&mut self, at: usize, seen: &Seen) {
        let cashier = self.desk.tills[at].cashier;
        for (block, serials) in self.leaves_to_void(at).await {
            let why = [Why::Unused, Why::Spoilt, Why::Lost][self.chance.below(3)];
            let act = async |app: App| void_leaves(&app, cashier, block, &serials, (why, None)).await;
            let (again, done) = self.at_desk(seen, act).await;
            if let Err(error) = done {
                assert!(again && error.code() == "leaf_used", "{error:?}");
            }
            seen.note("leaves void");
        }
    }
}

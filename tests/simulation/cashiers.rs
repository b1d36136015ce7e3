//! Cashiers at two tills, and what truly lies in each: shifts from count to count, payments in cash, by card and with a
//! transfer that came before, refunds paid out, cash carried to the bank. What is written on paper is in `paper`.

use crate::fees::Charge;
use crate::life::Life;
use crate::process::{live, together};
use crate::seen::Seen;
use crate::world::{BANKS, CASHIERS};
use chung::app::App;
use chung::base::{
    calendar::Day,
    clock::{Clock, Instant},
    id::{self, Agency, Citizen, Id, Payment},
    money::Money,
    reference::Reference,
    text::Line,
};
use chung::flow::{
    Error, Result,
    blank_receipts::Written,
    desk::{close_shift, open_shift, waiting_transfers},
    desk_payment::{Tender, pay_at_desk},
    start_payment::start_payment,
};
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// A till as its cashier knows it.
pub struct Till {
    pub cashier: Id<Citizen>,
    name: &'static str,
    /// What truly lies in it: change is given wrongly, and things vanish over night.
    pub in_hand: i64,
    /// What must lie in it.
    pub due: i64,
    pub shift: Option<Shift>,
    /// What was written on paper and is not entered yet.
    pub written: Vec<Paper>,
}

/// An open shift.
#[derive(Clone, Copy)]
pub struct Shift {
    pub agency: Id<Agency>,
    pub opened: Instant,
}

/// A payment that was taken during an outage.
pub struct Paper {
    pub bill: usize,
    pub total: i64,
    /// What of that is late interest of the day.
    pub interest: i64,
    /// What the bill asked for when it was written.
    pub charge: Charge,
    pub written: Written,
}

/// A slip of the bank for the cash of one shift or several.
pub struct Slip {
    pub name: Line<40>,
    pub carried: i64,
    pub shifts: BTreeSet<(usize, Instant)>,
    /// The credit that it turned out to be.
    pub credit: Option<String>,
    pub confirmed: bool,
}

/// The desk of the first agency.
pub struct Desk {
    pub tills: [Till; 2],
    /// What counts found too much, less what they found too little.
    pub found: i64,
    pub slips: Vec<Slip>,
    /// Card slips that no credit has paid yet.
    pub cards: Vec<(Id<Payment>, i64)>,
    /// What card companies paid and nobody has explained yet: the credit, its slips, and what was kept.
    pub company: Vec<(String, Vec<Id<Payment>>, i64)>,
    pub discount: i64,
    /// What the tills took for other agencies.
    pub owed: i64,
    /// The orders of it that have come to whom it is owed.
    pub passed_on: BTreeSet<Uuid>,
    pub series: BTreeMap<(Id<Agency>, &'static str), [Id<id::ReceiptSeries>; 2]>,
    entered: BTreeSet<Uuid>,
}

impl Default for Desk {
    fn default() -> Self {
        let till =
            |cashier, name| Till { cashier, name, in_hand: 0, due: 0, shift: None, written: Vec::new() };
        Self {
            tills: [till(CASHIERS[0], "Quầy 1"), till(CASHIERS[1], "Quầy 2")],
            found: 0,
            slips: Vec::new(),
            cards: Vec::new(),
            company: Vec::new(),
            discount: 0,
            owed: 0,
            passed_on: BTreeSet::new(),
            series: BTreeMap::new(),
            entered: BTreeSet::new(),
        }
    }
}

impl Life<'_> {
    /// Something at one of the tills.
    pub async fn serve(&mut self, seen: &Seen) {
        let at = self.chance.below(2);
        if self.desk.tills[at].shift.is_none() {
            self.open_till(at, seen).await;
        }
        match self.chance.below(20) {
            0..=7 => {
                let waits = self.bill_with_transfer().await;
                if let Some(bill) = waits.or_else(|| self.some_bill()) {
                    self.pay_here(at, (bill, None), seen).await;
                }
            }
            8..=10 => self.draw_blanks(at, seen).await,
            11..=13 => self.write_by_hand(at, seen).await,
            14 => self.enter_written(at, seen).await,
            15..=16 => self.carry(at, seen).await,
            17..=18 => self.pay_back(at, seen).await,
            _ => self.close_till(at, seen).await,
        }
    }

    /// Somebody transferred too little and comes to pay the rest.
    async fn bill_with_transfer(&mut self) -> Option<usize> {
        let sql = "select b.id from bill b join suspense s on s.bill_id = b.id
                   where b.state = 'open' and s.state = 'held' and s.amount < b.phi + b.le_phi + b.tax order by b.id limit 1";
        let rows = self.world.rows(sql).await;
        let bill: Uuid = rows.first()?.get("id");
        self.bills.iter().position(|promised| promised.id.uuid() == bill)
    }

    /// An act at a desk: whoever's process died over it tries again, and is done or told that it is done.
    pub async fn at_desk<T>(
        &mut self,
        seen: &Seen,
        act: impl AsyncFn(App) -> Result<T>,
    ) -> (bool, Result<T>) {
        let app = self.app.clone();
        self.at_desk_of(&app, seen, act).await
    }

    /// The same at that node.
    async fn at_desk_of<T>(
        &mut self,
        app: &App,
        seen: &Seen,
        act: impl AsyncFn(App) -> Result<T>,
    ) -> (bool, Result<T>) {
        let death = self.death(seen);
        let first = live(app, death, async |app| act(app).await).await;
        if let Some(done) = first
            && !matches!(done, Err(Error::Unavailable(_)))
        {
            return (false, told(done));
        }
        loop {
            match live(app, None, async |app| act(app).await).await.unwrap() {
                Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                done => return (true, told(done)),
            }
        }
    }

    pub async fn open_till(&mut self, at: usize, seen: &Seen) {
        let agency = self.agencies[0];
        if self.desk.tills[at].in_hand == 0 && self.chance.percent(70) {
            self.desk.tills[at].in_hand = 500_000;
        } else if self.chance.percent(15) {
            // Somebody helped themselves over night.
            self.desk.tills[at].in_hand = (self.desk.tills[at].in_hand - 2_000).max(0);
        }
        let (cashier, counted) = (self.desk.tills[at].cashier, self.desk.tills[at].in_hand);
        let name: Line<40> = Line::parse(self.desk.tills[at].name).unwrap();
        self.say("a shift opens");
        let act = async |app: App| open_shift(&app, cashier, agency, &name, Money::vnd(counted)).await;
        let (again, done) = self.at_desk(seen, act).await;
        match done {
            Ok(_) => {}
            Err(Error::Conflict(refusal)) => {
                assert!(again && refusal.code == "shift_open", "{}", refusal.code);
            }
            Err(error) => panic!("{error:?}"),
        }
        let opened = self.clock.now();
        self.desk.tills[at].shift = Some(Shift { agency, opened });
        self.count(at, seen);
        seen.note("shift opened");
    }

    /// What a count finds is posted, and is what must be there from then on.
    fn count(&mut self, at: usize, seen: &Seen) {
        let till = &mut self.desk.tills[at];
        self.desk.found += till.in_hand - till.due;
        match till.in_hand - till.due {
            0 => seen.note("count: right"),
            1.. => seen.note("count: over"),
            _ => seen.note("count: short"),
        }
        till.due = till.in_hand;
    }

    /// Somebody pays at a till; whether money was taken.
    pub async fn pay_here(&mut self, at: usize, (bill, paper): (usize, Option<&Paper>), seen: &Seen) -> bool {
        let (cashier, shift) = (self.desk.tills[at].cashier, self.desk.tills[at].shift.unwrap());
        let reference: Reference = self.bills[bill].reference.parse().unwrap();
        let owed = self.owed(bill, self.clock.now()).await;
        let total = paper.map_or_else(|| owed.total(), |paper| paper.total);
        let waits = match paper {
            None => waiting_transfers(&self.app, &reference).await.unwrap(),
            Some(_) => Vec::new(),
        };
        let transfer = waits.first().filter(|_| self.chance.percent(80)).copied();
        let rest = total - transfer.as_ref().map_or(0, |waits| waits.1.minor());
        let card = if paper.is_none() && self.chance.percent(35) {
            [rest, rest / 2][self.chance.below(2)]
        } else {
            0
        };
        let slip: Line<40> = Line::parse(&format!("T-{}", self.desk.entered.len())).unwrap();
        let tender = Tender {
            cash: Money::vnd(rest - card),
            card: (card > 0).then(|| (Money::vnd(card), slip)),
            transfer: transfer.as_ref().map(|waits| waits.0),
            warned: paper.is_some() || self.chance.percent(70),
            written: paper.map(|paper| paper.written.clone()),
        };
        let twice = paper.is_none() && self.chance.percent(15);
        let (bank, [node, beside]) = (BANKS[self.chance.below(BANKS.len())], self.nodes.clone());
        if twice {
            self.fault(seen, "two at once");
        }
        self.say(&format!("{} is paid at a desk", self.bills[bill].id));
        let start = async |app: App| start_payment(&app, &reference, bank).await.map(drop);
        let act = async |app: App| pay_at_desk(&app, cashier, &reference, &tender).await;
        let (world, turns) = (self.world, self.turns());
        let ((_, done), elsewhere) = if twice {
            let elsewhere = live(&beside, None, start);
            together(world, turns, self.at_desk_of(&node, seen, act), elsewhere).await
        } else {
            (self.at_desk(seen, act).await, None)
        };
        elsewhere.into_iter().for_each(crate::life::expect_or_refused);
        if let Err(refused) = &done {
            seen.note(format!("desk: {}", refused.code()));
            match refused.code() {
                "bill_past_due" => {
                    assert!(Day::of(self.clock.now()) > owed.last, "its last day is not over: {owed:?}");
                }
                // What is asked goes on while somebody else pays.
                "tender_differs" => assert!(twice, "what a bill asks for today: {owed:?}"),
                _ => {}
            }
            // What lies in the till is entered, unless its number is of an agency that is no more, or the try that died
            // had entered it.
            let may = ["leaf_unfit", "leaf_used"].contains(&refused.code());
            assert!(paper.is_none() || may, "money on paper is refused: {refused:?}");
        }
        if done.is_ok() && paper.is_none() && owed.is_late() {
            seen.note("paid at a desk with late interest");
        }
        let taken = self.take_in(at, (bill, shift), (&tender, done.ok()), seen).await;
        if let (Some(payment), Some(paper)) = (taken, paper) {
            self.settle_up(paper, payment, seen).await;
        }
        taken.is_some()
    }

    /// What of it is in the books is in the till, or on the way to it; which payment that is.
    async fn take_in(
        &mut self,
        at: usize,
        (bill, shift): (usize, Shift),
        (tender, told): (&Tender, Option<Id<Payment>>),
        seen: &Seen,
    ) -> Option<Id<Payment>> {
        let sql = format!(
            "select p.id, d.cash, d.card, d.transfer, s.agency_id, b.paid_by is distinct from p.id as unowed from payment p
             join bill b on b.id = p.bill_id
             join desk_payment d on d.payment_id = p.id left join suspense s on s.id = d.case_id
             where p.bill_id = '{}' and p.state = 'settled'",
            self.bills[bill].id.uuid()
        );
        let rows = self.world.rows(&sql).await;
        let new = rows.iter().find(|row| !self.desk.entered.contains(&row.get::<Uuid, _>("id")));
        let Some(row) = new else {
            assert!(told.is_none(), "a payment that was acknowledged at a desk is lost");
            return None;
        };
        let payment: Id<Payment> = Id::from_uuid(row.get("id"));
        assert!(told.is_none_or(|told| told == payment));
        let (cash, card, transfer): (i64, i64, i64) = (row.get("cash"), row.get("card"), row.get("transfer"));
        let asked = tender.card.as_ref().map_or(0, |card| card.0.minor());
        assert_eq!((cash, card), (tender.cash.minor(), asked), "what a desk took is what was given");
        self.desk.entered.insert(payment.uuid());
        let slip = if self.chance.percent(10) { [-1_000, 2_000][self.chance.below(2)] } else { 0 };
        let till = &mut self.desk.tills[at];
        till.in_hand = (till.in_hand + cash + slip).max(0);
        till.due += cash;
        if card > 0 {
            self.desk.cards.push((payment, card));
            seen.note("paid by card");
        }
        if transfer > 0 {
            seen.note("paid with a transfer");
        }
        if self.bills[bill].owner != shift.agency {
            let theirs = row.get::<Option<Uuid>, _>("agency_id").is_some_and(|id| id != shift.agency.uuid());
            self.desk.owed += cash + card + if theirs { 0 } else { transfer };
            seen.note("taken for another agency");
        }
        if row.get("unowed") {
            seen.note("taken on paper, owed by nobody");
        }
        seen.note("paid at a desk");
        Some(payment)
    }

    /// The shift ends: what was written is entered, what is left over is void, and the cash is counted.
    pub async fn close_till(&mut self, at: usize, seen: &Seen) {
        let cashier = self.desk.tills[at].cashier;
        self.try_to_close_with_leaves(at, seen).await;
        self.enter_written(at, seen).await;
        self.void_leaves(at, seen).await;
        let till = &self.desk.tills[at];
        let (counted, over) = (till.in_hand, till.in_hand - till.due);
        self.say("a shift closes");
        let (again, done) =
            self.at_desk(seen, async |app: App| close_shift(&app, cashier, Money::vnd(counted)).await).await;
        match done {
            Ok(found) => assert_eq!(found.minor(), over, "what a count finds"),
            Err(error) => assert!(again && error.code() == "no_shift_open", "{error:?}"),
        }
        self.count(at, seen);
        self.clock.advance(Duration::from_secs(1));
        self.desk.tills[at].shift = None;
        seen.note("shift closed");
    }
}

/// A flow may refuse; it may not fail.
fn told<T>(done: Result<T>) -> Result<T> {
    match done {
        Err(Error::Internal(cause)) => panic!("{cause:?}"),
        done => done,
    }
}

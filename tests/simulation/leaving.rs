//! Cash that leaves a till: carried to the bank, or back to whoever paid.

use crate::cashiers::Slip;
use crate::life::Life;
use crate::seen::Seen;
use chung::app::App;
use chung::base::{
    id::{Id, Refund},
    money::Money,
    text::Line,
};
use chung::flow::{
    cash::deposit_cash,
    desk::{Receiver, pay_out},
};
use sqlx::Row;
use std::collections::BTreeSet;

impl Life<'_> {
    /// Cash goes to the bank, on the slip that others may be filling.
    pub async fn carry(&mut self, at: usize, seen: &Seen) {
        let till = &self.desk.tills[at];
        let (cashier, shift) = (till.cashier, (at, till.shift.unwrap().opened));
        let most = till.in_hand.min(till.due);
        let amount = if self.chance.percent(50) { most } else { most / 2 };
        if amount == 0 {
            return;
        }
        let filled = |slip: &Slip| slip.credit.is_none() && !slip.shifts.contains(&shift);
        let place = self.desk.slips.iter().position(filled).unwrap_or_else(|| {
            let name = Line::parse(&format!("NT-{}", self.desk.slips.len())).unwrap();
            let (shifts, credit) = (BTreeSet::new(), None);
            self.desk.slips.push(Slip { name, carried: 0, shifts, credit, confirmed: false });
            self.desk.slips.len() - 1
        });
        let name = self.desk.slips[place].name.clone();
        self.say("cash is carried to the bank");
        let act = async |app: App| deposit_cash(&app, cashier, (Money::vnd(amount), &name), None).await;
        let (again, done) = self.at_desk(seen, act).await;
        if let Err(error) = done {
            // The try that died after its commit used the slip, and may have emptied the till.
            assert!(again && ["slip_used", "till_short"].contains(&error.code()), "{error:?}");
        }
        let slip = &mut self.desk.slips[place];
        slip.carried += amount;
        slip.shifts.insert(shift);
        if slip.shifts.len() > 1 {
            seen.note("a slip of several shifts");
        }
        let till = &mut self.desk.tills[at];
        (till.in_hand, till.due) = (till.in_hand - amount, till.due - amount);
        seen.note("cash carried");
    }

    /// A refund in cash is fetched.
    pub async fn pay_back(&mut self, at: usize, seen: &Seen) {
        let (cashier, shift) = (self.desk.tills[at].cashier, self.desk.tills[at].shift.unwrap());
        let sql = format!(
            "select id, amount from refund where state = 'at_desk' and agency_id = '{}' order by id",
            shift.agency.uuid()
        );
        let waits = self.world.rows(&sql).await;
        let Some(row) = waits.first() else { return };
        let (refund, amount): (Id<Refund>, i64) = (Id::from_uuid(row.get("id")), row.get("amount"));
        if self.desk.tills[at].in_hand < amount || self.desk.tills[at].due < amount {
            return;
        }
        let to = Receiver {
            name: Line::parse("Nguyễn Thị Hòa").unwrap(),
            document: Line::parse("001085000018").unwrap(),
            slip: Line::parse("PC-1").unwrap(),
        };
        self.say("a refund is paid out");
        let (again, done) =
            self.at_desk(seen, async |app: App| pay_out(&app, cashier, refund, &to).await).await;
        if let Err(error) = done {
            if error.code() == "no_receipt_series" {
                // What goes back has a receipt of its own, and there is no number for it.
                return seen.note("refund not paid out: no_receipt_series");
            }
            assert!(again && error.code() == "refund_decided", "{error:?}");
        }
        let till = &mut self.desk.tills[at];
        (till.in_hand, till.due) = (till.in_hand - amount, till.due - amount);
        seen.note("refund paid out");
    }
}

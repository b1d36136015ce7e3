//! Refunds of what was remitted: the Treasury orders those whose money came to it; what never left the account goes back from
//! there, though it was asked for while everybody believed that it had left.

use crate::life::Life;
use crate::seen::Seen;
use crate::world::APPROVERS;
use chung::app::App;
use chung::base::{clock::Clock, id::Id, money::Money, text::Line};
use chung::flow::request_refund::{NewRefund, Of, request_refund};
use chung::payment::refund::{Extent, Reason};
use sqlx::Row;
use uuid::Uuid;

impl Life<'_> {
    /// What was remitted goes back when the Treasury orders it; of what never came there it orders nothing.
    pub async fn order_by_treasury(&mut self) {
        let waits = "select r.id, r.amount, r.payout_id, a.number from refund r join payout o on o.id = r.payout_id
                     join collecting_account a on a.id = o.account_id where r.state = 'awaiting_treasury' order by r.id";
        for row in self.world.rows(waits).await {
            let came = self.rails.truth.lock().unwrap().orders.get(&row.get("payout_id")) == Some(&true);
            if came {
                let (refund, amount) = (row.get("id"), Money::vnd(row.get("amount")));
                self.rails.order_by_treasury(row.get("number"), refund, amount, self.clock.now());
            }
        }
    }

    /// A bill's money is to go back that an order was to remit: its bank did not carry it out, and nobody has heard of that yet.
    pub async fn ask_for_what_never_left(&mut self, seen: &Seen) {
        let refused: Vec<String> = {
            let truth = self.rails.truth.lock().unwrap();
            truth.orders.iter().filter(|(_, done)| !**done).map(|(id, _)| format!("'{id}'")).collect()
        };
        if refused.is_empty() {
            return;
        }
        let believed = format!(
            "select distinct b.id, b.agency_id from payout_item i
                 join payout o on o.id = i.payout_id and o.state in ('sent', 'unknown')
                 join bill b on b.paid_by = i.payment_id and b.state = 'paid'
             where o.id in ({}) order by b.id",
            refused.join(", ")
        );
        let Some(row) = self.some_row(&believed).await else { return };
        let (bill, agency): (Uuid, _) = (row.get("id"), Id::from_uuid(row.get("agency_id")));
        let new = NewRefund {
            of: Of::Bill(Id::from_uuid(bill)),
            extent: Extent::Whole,
            reason: Reason::AgencyError,
            words: Line::parse("Thu nhầm").unwrap(),
            in_cash: false,
            work_begun: false,
            officer: APPROVERS[0],
        };
        let key = self.act_key("refund");
        let act = async |app: App| request_refund(&app, agency, &new, Some(&key)).await;
        if self.asked_until_answered(seen, ("refund asked for", act)).await.is_none() {
            return;
        }
        let asked =
            format!("select id from refund where bill_id = '{bill}' and state = 'requested' order by id");
        for row in self.world.rows(&asked).await {
            self.decide_refund(seen, Id::from_uuid(row.get("id")), true).await;
        }
        self.look(seen).await;
    }
}

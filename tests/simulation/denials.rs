//! What banks say of money that leaves here, long after they took it: that it waits, that it went, that it does not go after
//! all; and money that went and comes back.

use crate::life::Life;
use crate::rails::{Letter, Rails, rejected};
use crate::seen::Seen;
use chung::base::clock::{Clock, Instant};
use chung::base::money::Money;
use chung::codec::iso20022::{
    AboutWhat, EndToEndId, Message, MessageId, PaymentStatus, TransactionStatus, write,
};
use sqlx::Row;
use uuid::Uuid;

impl Rails {
    /// A word on money that leaves, in the mail; one that is not acknowledged is sent again where nothing else tells it.
    fn word(&self, about: AboutWhat, of: Uuid, status: TransactionStatus, now: Instant) {
        let truth = &mut *self.truth.lock().unwrap();
        let carries_money = matches!(status, TransactionStatus::Rejected(_));
        let message = PaymentStatus {
            inquiry: None,
            about,
            original: MessageId(of),
            end_to_end_id: EndToEndId(of),
            uetr: None,
            status,
            accepted: None,
            clearing_reference: None,
        };
        let xml = write(&Self::header(truth, now), &Message::PaymentStatus(message));
        truth.mail.push(Letter { xml, carries_money });
    }

    /// Whether a bank that refuses takes it first and says so later.
    pub fn denies_late(&self, about: AboutWhat, of: Uuid, now: Instant) -> bool {
        let name =
            if about == AboutWhat::Return { "fault: return denied late" } else { "fault: order denied late" };
        let late = self.fault(40, name);
        if late {
            self.word(about, of, rejected("AC06"), now);
        }
        late
    }

    /// What a bank says meanwhile of what it carries out.
    pub fn says_meanwhile(&self, about: AboutWhat, of: Uuid, now: Instant) {
        if self.fault(10, "fault: what leaves waits at the bank") {
            self.word(about, of, TransactionStatus::Pending, now);
        }
        if self.fault(10, "fault: what left is told twice") {
            self.word(about, of, TransactionStatus::Settled, now);
        }
    }
}

impl Life<'_> {
    /// A bank says of money that it is seen to have left that it did not go: it comes back under no name of ours, and what is
    /// done stays done.
    pub async fn deny_what_left(&mut self, seen: &Seen) {
        let left = "select 'return' as what, r.id, r.amount, a.number from refund r join debit d on d.refund_id = r.id
                 join collecting_account a on a.id = d.account_id where r.state = 'done' and r.way = 'clearing'
             union all select 'order', o.id, o.amount, a.number from payout o join debit d on d.payout_id = o.id
                 join collecting_account a on a.id = d.account_id where o.state = 'done' order by 2";
        let Some(row) = self.some_row(left).await else { return };
        let (of, now): (Uuid, _) = (row.get("id"), self.clock.now());
        if !self.rails.truth.lock().unwrap().denied.insert(of) {
            return;
        }
        self.fault(seen, "what left is denied");
        let about =
            if row.get::<&str, _>("what") == "return" { AboutWhat::Return } else { AboutWhat::Transfer };
        self.rails.word(about, of, rejected("AC06"), now);
        self.rails.transfer(
            &row.get::<String, _>("number"),
            "tien bi tra lai",
            Money::vnd(row.get("amount")),
            now,
        );
    }

    /// What was done and denied afterwards is done.
    pub async fn check_denied(&self) {
        let denied: Vec<String> =
            self.rails.truth.lock().unwrap().denied.iter().map(|of| format!("'{of}'")).collect();
        if denied.is_empty() {
            return;
        }
        let list = denied.join(", ");
        let sql = format!(
            "select id from refund where state <> 'done' and id in ({list})
             union all select id from payout where state <> 'done' and id in ({list})"
        );
        assert!(self.world.rows(&sql).await.is_empty(), "what was seen to leave and was denied is not done");
    }
}

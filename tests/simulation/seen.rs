//! What occurred, and how often; what never did makes the run worthless.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// Counters of faults, states, transitions and cases.
#[derive(Default)]
pub struct Seen(Mutex<BTreeMap<String, u64>>);

/// What a run must have seen at least once.
const DEMANDED: [&str; 91] = [
    "bill by the raised fees",
    "fees raised",
    "agency succeeded",
    "bill amended",
    "bill cancelled → open",
    "bill open → superseded",
    "bill replaced",
    "bill replaced: payment_under_way",
    "bill revived",
    "bill split",
    "bill split: bill_split_already",
    "checkpoint kept",
    "suspense bill_superseded",
    "bill open → paid",
    "bill open → cancelled",
    "bill cannot be cancelled: payment_under_way",
    "bill cannot be cancelled: bill_already_paid",
    "case amount",
    "case duplicate",
    "case late",
    "case missing_here",
    "case unknown_reference",
    "case cleared",
    "day closed",
    "receipt replaced",
    "receipt void",
    "fault: answer lost",
    "fault: request lost",
    "fault: request not sent",
    "fault: request refused at once",
    "fault: inquiry unanswered",
    "fault: message lost",
    "fault: message late",
    "fault: message doubled",
    "fault: message out of order",
    "fault: message with other content",
    "fault: paid twice",
    "fault: wrong amount",
    "fault: unknown reference",
    "fault: money after the end",
    "fault: process died",
    "fault: message corrupted",
    "fault: partial settlement",
    "fault: order not sent",
    "fault: order lost",
    "fault: order refused",
    "fault: order unanswered",
    "fault: two nodes",
    "fault: two at once",
    "payout created → sent",
    "payout created → unknown",
    "payout created → bounced",
    "payout unknown → sent",
    "payout unknown → created",
    "payout sent → done",
    "payment created → submitted",
    "payment created → rejected",
    "payment created → unknown",
    "payment submitted → accepted",
    "payment submitted → rejected",
    "payment submitted → settled",
    "payment submitted → unknown",
    "payment accepted → settled",
    "payment accepted → unknown",
    "payment unknown → submitted",
    "payment unknown → accepted",
    "payment unknown → settled",
    "payment unknown → rejected",
    "rejected: not_sent",
    "rejected: never_received",
    "rejected: wrong_amount",
    "rejected: not_in_statement",
    "fault: transfer by reference",
    "fault: return not sent",
    "fault: return lost",
    "fault: return refused",
    "fault: return unanswered",
    "refund approved → sent",
    "refund sent → done",
    "refund approved → unknown",
    "refund unknown → approved",
    "refund approved → bounced",
    "refund approved → done",
    "refund unknown → sent",
    "refund unknown → bounced",
    "rejected: paid_otherwise",
    "suspense bill_cancelled",
    "suspense late_success",
    "suspense second_money",
    "suspense unmatched",
    "suspense wrong_amount",
];

impl Seen {
    /// Counts one occurrence.
    pub fn note(&self, what: impl Into<String>) {
        *self.0.lock().unwrap().entry(what.into()).or_default() += 1;
    }

    /// The table.
    #[expect(clippy::print_stdout, reason = "the run's result")]
    pub fn print(&self) {
        for (what, times) in &*self.0.lock().unwrap() {
            println!("{times:>9}  {what}");
        }
    }

    /// Fails if anything demanded never occurred.
    pub fn demand_everything(&self) {
        let seen = self.0.lock().unwrap();
        let missing: Vec<_> = DEMANDED.iter().filter(|what| !seen.contains_key(**what)).collect();
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

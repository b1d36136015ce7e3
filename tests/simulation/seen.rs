//! What occurred, and how often; what never did makes the run worthless.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// Counters of faults, states, transitions and cases.
#[derive(Default)]
pub struct Seen(Mutex<BTreeMap<String, u64>>);

/// What a few lives in five hundred meet: a long run must have seen it.
const RARE: [&str; 6] = [
    "debt of a desk passed on",
    "import withdrawn",
    "payment accepted → unknown",
    "payment unknown → submitted",
    "receipts issued in bulk",
    "waiting receipts issued",
];

/// What a run must have seen at least once.
const DEMANDED: [&str; 154] = [
    "a bank answers: no",
    "a bank answers: wait",
    "a bank answers: yes",
    "a slip of several shifts",
    "agency succeeded",
    "bill amended",
    "bill by the raised fees",
    "bill cancelled → open",
    "bill cannot be cancelled: bill_already_paid",
    "bill cannot be cancelled: payment_under_way",
    "bill issued to owners",
    "bill open → cancelled",
    "bill open → paid",
    "bill open → superseded",
    "bill replaced",
    "bill replaced: bill_split_already",
    "bill replaced: payment_under_way",
    "bill revived",
    "bill split",
    "bill split: bill_split_already",
    "card company pays",
    "cards settled",
    "case amount",
    "case cleared",
    "case duplicate",
    "case late",
    "case missing_here",
    "case missing_there",
    "case unknown_reference",
    "cash arrives at the bank",
    "cash carried",
    "checkpoint kept",
    "count: over",
    "count: right",
    "count: short",
    "day closed",
    "desk: bill_already_cancelled",
    "desk: bill_already_paid",
    "desk: bill_superseded",
    "desk: payment_under_way",
    "fault: answer lost",
    "fault: credit shown again",
    "fault: credit taken back",
    "fault: day told again",
    "fault: inquiry unanswered",
    "fault: line left out",
    "fault: line too many",
    "fault: message corrupted",
    "fault: message doubled",
    "fault: message late",
    "fault: message lost",
    "fault: message out of order",
    "fault: message with other content",
    "fault: money after the end",
    "fault: order lost",
    "fault: order not sent",
    "fault: order refused",
    "fault: order unanswered",
    "fault: paid twice",
    "fault: partial settlement",
    "fault: process died",
    "fault: recall",
    "fault: recall of nothing",
    "fault: recall's answer not sent",
    "fault: recall's answer unanswered",
    "fault: request for money back lost",
    "fault: request lost",
    "fault: request not sent",
    "fault: request refused at once",
    "fault: return lost",
    "fault: return not sent",
    "fault: return refused",
    "fault: return unanswered",
    "fault: transfer by reference",
    "fault: two at once",
    "fault: two nodes",
    "fault: unknown reference",
    "fault: wrong amount",
    "fees raised",
    "few numbers left",
    "import accepted",
    "leaves drawn: book",
    "leaves drawn: printed",
    "leaves void",
    "more numbers registered",
    "paid at a desk",
    "paid by card",
    "paid with a transfer",
    "payment accepted → settled",
    "payment created → rejected",
    "payment created → settled",
    "payment created → submitted",
    "payment created → unknown",
    "payment submitted → accepted",
    "payment submitted → rejected",
    "payment submitted → settled",
    "payment submitted → unknown",
    "payment unknown → accepted",
    "payment unknown → rejected",
    "payment unknown → settled",
    "payout created → bounced",
    "payout created → sent",
    "payout created → unknown",
    "payout sent → done",
    "payout unknown → created",
    "payout unknown → sent",
    "recall accepted",
    "recall in open → accepted",
    "recall in open → refused",
    "recall out open → accepted",
    "recall out open → refused",
    "recall refused",
    "receipt on paper entered",
    "receipt replaced",
    "receipt void",
    "receipt written by hand",
    "receipts asked for",
    "refund approved",
    "refund approved → bounced",
    "refund approved → done",
    "refund approved → sent",
    "refund approved → unknown",
    "refund asked back",
    "refund asked for",
    "refund asked for: refund_exceeds_receipt",
    "refund at_desk → done",
    "refund declined",
    "refund paid out",
    "refund requested → at_desk",
    "refund requested → declined",
    "refund requested → done",
    "refund sent → done",
    "refund unknown → approved",
    "refund unknown → bounced",
    "refund unknown → sent",
    "rejected: never_received",
    "rejected: not_in_statement",
    "rejected: not_sent",
    "rejected: paid_otherwise",
    "rejected: wrong_amount",
    "shift closed",
    "shift not closed: leaves_held",
    "shift opened",
    "shift passed on",
    "slip confirmed",
    "statement brought",
    "suspense bill_cancelled",
    "suspense bill_superseded",
    "suspense late_success",
    "suspense second_money",
    "suspense unmatched",
    "suspense wrong_amount",
    "taken for another agency",
    "taken on paper, owed by nobody",
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

    /// Fails if anything demanded never occurred; `long` demands what is rare as well.
    pub fn demand_everything(&self, long: bool) {
        let seen = self.0.lock().unwrap();
        let rare = RARE.iter().filter(|_| long);
        let missing: Vec<_> = DEMANDED.iter().chain(rare).filter(|what| !seen.contains_key(**what)).collect();
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

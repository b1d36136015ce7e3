//! What is owed, paid and returned.
//!
//! Owns the fee schedule and its reductions, the bill, the payment attempt, the settlement of incoming money, the
//! double-entry ledger, the bank's statement, and the cases that its differences open. Invariants: a bill's total is
//! the sum of its lines by construction; an entry that does not sum to zero cannot be built; money that arrives is
//! never refused, at worst it is held in suspense; a difference is never repaired silently.
//! Deliberately absent: I/O, serde, SQL, the clock, and everything about who a person is (`crate::identity`).

pub mod attachment;
pub mod bill;
pub mod blank;
pub mod case;
pub mod charged_anew;
pub mod closing;
pub mod code;
pub mod desk;
pub mod desk_match;
pub mod exemption;
pub mod fee;
pub mod fee_version;
pub mod formula;
pub mod invoice;
pub mod issue;
pub mod late;
pub mod ledger;
pub mod matching;
pub mod notice;
pub mod owner;
#[expect(
    clippy::module_inception,
    reason = "the room is named after its main noun, and so is the half of the house"
)]
pub mod payment;
pub mod payout;
pub mod proof;
pub mod receipt;
pub mod reconciliation;
pub mod record;
pub mod refund;
pub mod refund_share;
pub mod release;
pub mod revision;
pub mod session;
pub mod settlement;
pub mod statement;

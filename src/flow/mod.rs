//! The use cases: one function, one verb, one decision, named as the public API names it.
//!
//! Laws: an `Err` wrote nothing; no partner is called inside a transaction; the clock is read once; decide, then act;
//! state moves by compare-and-set; a lock or suspension holds in the transaction of the decision it forbids.

pub mod audit_leaf;
pub mod authenticate_client;
pub mod authorize;
pub mod bill_answer;
pub mod cancel_bill;
pub mod checkout;
mod claim;
pub mod confirm_code;
pub mod create_bill;
pub mod decide_consent;
pub mod deliver_messages;
pub mod disclosure;
pub mod end_session;
mod error;
pub mod event;
pub mod exchange_code;
pub mod explain;
pub mod facts;
pub mod fee_file;
pub mod idempotency;
pub mod identify;
pub mod import_fees;
pub mod import_population;
pub mod inquire_payment;
pub mod issue_receipts;
pub mod issue_token;
pub mod message;
pub mod move_payment;
pub mod open_account;
mod person_record;
pub mod population;
pub mod population_file;
pub mod prove_leaf;
pub mod quote_fees;
pub mod read_bills;
pub mod read_receipts;
pub mod readiness;
pub mod register_client;
pub mod render_receipt;
pub mod roles;
pub mod sequence_audit;
pub mod settle_payments;
pub mod sign_in;
pub mod standing;
pub mod start_payment;
pub mod take_message;
pub mod userinfo;
pub mod verify_audit;
pub mod verify_identity;

pub use error::{Cause, Error, Refusal, Result, Violation, undone};

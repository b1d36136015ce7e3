//! The use cases: one function, one verb, one decision, named as the public API names it.
//!
//! Laws: an `Err` wrote nothing; no partner is called inside a transaction; the clock is read once; decide, then act;
//! state moves by compare-and-set; a lock or suspension holds in the transaction of the decision it forbids.

pub mod audit_leaf;
mod error;
pub mod fee_file;
pub mod idempotency;
mod person_record;
pub mod import_population;
pub mod population;
pub mod population_file;
pub mod readiness;
pub mod standing;

pub use error::{Cause, Error, Refusal, Result, Violation, undone};

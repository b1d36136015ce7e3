//! The use cases: one function, one verb, one decision, named as the public API names it.

pub mod fee_file;

//! All SQL and nothing else: free functions over a transaction.

pub mod postgres;

//! The outside world: traits and their real adapters.

pub mod clearing;
pub mod signed_http;

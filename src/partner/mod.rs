//! The outside world: traits and their real adapters.

pub mod clearing;
pub mod messenger;
pub mod signed_http;
pub mod webhook;

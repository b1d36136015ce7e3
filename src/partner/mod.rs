//! The outside world: traits and their real adapters.

pub mod breaker;
pub mod clearing;
pub mod messenger;
pub mod national_id;
pub mod platform;
pub mod population;
pub mod receipt_issuer;
pub mod signed_http;
pub mod time_stamp;
pub mod webhook;

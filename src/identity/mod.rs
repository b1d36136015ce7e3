//! Who a person is and who may be told. Pure: no I/O, no serde, no clock.

pub mod assurance;
pub mod authenticator;
pub mod authorization;
pub mod claims;
pub mod client;
pub mod consent;
pub mod pseudonym;
pub mod request;
pub mod session;
pub mod token;

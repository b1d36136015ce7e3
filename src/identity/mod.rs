//! Who a person is and who may be told. Pure: no I/O, no serde, no clock.

pub mod assurance;
pub mod authenticator;
pub mod authorization;
pub mod birth_date;
pub mod card;
pub mod claims;
pub mod client;
pub mod consent;
pub mod endpoint;
pub mod kinship;
pub mod lock;
pub mod mandate;
pub mod name;
pub mod person;
pub mod personal_number;
pub mod province;
pub mod pseudonym;
pub mod question;
pub mod request;
pub mod role;
pub mod session;
pub mod subject_request;
pub mod token;
pub mod verification;

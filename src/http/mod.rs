//! The only user of axum in the service: parse, call one flow, show the answer.

pub mod api;
pub mod auth;
pub mod card_files;
pub mod clearing_inbox;
mod counted;
pub mod internal;
pub mod json;
mod legible;
pub mod listen;
pub mod messenger_inbox;
pub mod multipart;
pub mod oauth_error;
pub mod oidc;
mod pace;
pub mod pages;
pub mod payment_platform;
pub mod population_inbox;
pub mod problem;
pub mod query;
pub mod router;
pub mod sent;
pub mod session;
pub mod signed;
pub mod tree;

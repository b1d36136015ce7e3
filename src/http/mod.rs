//! The only user of axum in the service: parse, call one flow, show the answer.

pub mod api;
pub mod oidc;
pub mod pages;

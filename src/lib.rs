//! Chung: one service that answers *who is this citizen?* and *has this fee been paid?*, and lets an auditor prove
//! both answers later.

pub mod app;
pub mod audit;
pub mod base;
pub mod batch;
pub mod cli;
pub mod codec;
pub mod config;
pub mod crypto;
pub mod flow;
pub mod http;
pub mod identity;
pub mod partner;
pub mod payment;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod text;
pub mod work;

//! The vocabulary that every room shares: time, chance, names of things, money, dates, secrets, text.
//!
//! Nothing here reads or writes anything, and nothing here knows about citizens or payments. Types with private
//! fields are parsed once at the edge and stay true from then on.

pub mod address;
pub mod calendar;
pub mod clock;
pub mod entropy;
pub mod id;
pub mod money;
pub mod origin;
pub mod page;
pub mod reference;
pub mod secret;
pub mod text;

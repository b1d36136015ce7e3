//! The service as its users meet it: the real router and a real PostgreSQL per test, a clock that stands still until
//! it is told to move, seeded chance, and actors who speak HTTP only.

#[path = "../support/database.rs"]
mod database;

mod store;

//! The service as its users meet it: the real router and a real PostgreSQL per test, a clock that stands still until
//! it is told to move, seeded chance, and actors who speak HTTP only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

#[path = "../support/answered.rs"]
mod answered;
mod bills;
mod board;
mod board_pages;
mod books;
mod central_bank;
mod closings;
mod contract;
mod corrections;
#[path = "../support/database.rs"]
mod database;
mod deliveries;
mod desk;
mod desk_money;
mod desk_paper;
mod document;
mod drill_down;
mod office;
mod outside;
mod owners;
mod paper_charged_anew;
mod privacy;
mod refusal;
#[path = "../support/stamping.rs"]
mod stamping;
mod world;

mod administration;
mod clients;
mod conformance;
mod edge;
mod exemptions;
mod fees;
mod identity;
mod import_formats;
mod imports;
mod lines_booked;
mod lists;
mod national_platform;
mod oidc;
mod payers;
mod payments;
mod payouts;
mod platform;
mod proofs;
mod reachable;
mod receipt_documents;
mod receipt_paper;
mod receipt_series;
mod receipts;
mod receipts_elsewhere;
mod receipts_in_bulk;
mod refunds;
mod refunds_of_cases;
mod refunds_of_desks;
mod refunds_remitted;
mod statement_chunks;
mod statements;
mod store;
mod succession;
mod taxes_passed_on;
mod time_stamp_chains;
mod time_stamps;
#[path = "../support/tools.rs"]
mod tools;
mod transfers;
mod trees;
mod value_dates;
mod ways;
mod webhooks;
mod witnesses;
mod workbench;

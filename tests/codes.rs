//! What a whole `cargo test` has seen: every code that the contract lists was really answered to somebody over HTTP.

#[path = "support/answered.rs"]
mod answered;

use chung::http::problem::CODES;

/// Cargo runs test programs one after another by their names, so the tests of the API have noted what they were answered
/// with. Where they did not run in the same command, or run at the same time (nextest), there is nothing to judge.
#[test]
fn every_code_was_answered_to_somebody() {
    let folder = answered::folder();
    if !folder.is_dir() || std::env::var_os("NEXTEST").is_some() {
        return;
    }
    let codes = CODES.iter().map(|row| row.code);
    let never: Vec<&str> = codes.filter(|code| !folder.join(code).exists()).collect();
    let _ = std::fs::remove_dir_all(&folder);
    assert!(never.is_empty(), "nobody was answered with {never:?}");
}

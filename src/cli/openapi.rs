//! `chung openapi`: the contract as this version keeps it.

use super::out;

/// The document, kept by hand at the top of the repository; the tests hold the service to it.
const DOCUMENT: &str = include_str!("../../openapi.yaml");

/// Prints it.
pub fn print() {
    out::line(DOCUMENT.trim_end());
}

//! The `/v1` endpoints for agencies and administrators.

pub mod agencies;
pub mod batches;
pub mod bills;
pub mod card_checks;
pub mod cases;
pub mod client_care;
pub mod clients;
pub mod closings;
pub mod events;
pub mod exemptions;
pub mod fee_versions;
pub mod fees;
pub mod ledger;
pub mod mandates;
pub mod messages;
pub mod payments;
pub mod payouts;
pub mod policies;
pub mod receipts;
pub mod refunds;
pub mod retention;
pub mod roles;
pub mod signers;
pub mod statements;
pub mod verifications;

use crate::base::{
    id::{self, Id},
    page::PageRequest,
    text::{Line, NotALine},
};
use crate::flow::{Error, Refusal, inherit::Tree};
use crate::http::tree::InTree;
use std::str::FromStr;

/// Reads a member of a body; `field` is its JSON pointer. The value is not repeated: it may be personal.
fn read<T: FromStr>(field: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Refused(Refusal::new("invalid_body").violation(field, "shape", None)))
}

/// Reads a member of a body that is one printable line.
fn line<const MAX: usize>(field: &str, text: &str) -> Result<Line<MAX>, Error> {
    Line::parse(text).map_err(|why| {
        let rule = match why {
            NotALine::Empty => "empty",
            NotALine::TooLong(_) => "too_long",
            NotALine::Unprintable => "unprintable",
        };
        Error::Refused(Refusal::new("invalid_body").violation(field, rule, None))
    })
}

/// The refusal of a member of a body.
fn misshapen(field: &str, rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_body").violation(field, rule, None))
}

/// Reads a parameter of the query, if it is there.
fn parameter<T: FromStr>(name: &str, text: Option<&str>) -> Result<Option<T>, Error> {
    text.map(|text| text.parse().map_err(|_| bad_parameter(name, "shape"))).transpose()
}

fn bad_parameter(name: &str, rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_parameter").violation(name, rule, None))
}

/// Which rows of a list: in which state, on which page.
#[derive(serde::Deserialize)]
struct ListQuery {
    status: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// In which state, and of which tree.
type Wanted<'a> = (Option<&'a str>, Tree);

impl ListQuery {
    fn read<T: id::Kind>(&self, InTree(tree): InTree) -> Result<(Wanted<'_>, PageRequest<Id<T>>), Error> {
        let after: Option<Id<T>> = parameter("after", self.after.as_deref())?;
        let page = PageRequest::new(after, self.limit).ok_or_else(|| bad_parameter("limit", "range"))?;
        Ok(((self.status.as_deref(), tree), page))
    }
}

/// Reads the identifier in a path; what is none names nothing.
fn object<T: FromStr>(id: &str) -> Result<T, Error> {
    id.parse().map_err(|_| Error::not_found())
}

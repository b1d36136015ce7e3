//! The statement of a day (`camt.060`, `camt.053`): made once the day is over, and sometimes, on purpose, of another account or
//! day than was asked for.

use super::Sandbox;
use super::fault::Kind;
use crate::base::calendar::Day;
use crate::base::clock::Instant;
use crate::codec::iso20022::{AccountNumber, Message, StatementRequest};
use axum::http::StatusCode;

const CAMT_060: &str = "camt.060";

impl Sandbox {
    /// The statement that is asked for, or why there is none.
    pub(super) fn send_statement(
        &self,
        id: &str,
        request: &StatementRequest,
        now: Instant,
    ) -> (StatusCode, String) {
        let book = self.book();
        if request.day >= book.business_day(now) {
            return (
                StatusCode::CONFLICT,
                self.reject(id, "day_not_over", "the statement is made at the day's end"),
            );
        }
        let asked = (request.account.clone(), request.day);
        let (account, day) = self.answered_for(&asked);
        self.observed().statement(&asked, (&account, day));
        match book.statement(&account, day, request.page) {
            Ok(statement) => (StatusCode::OK, self.compose(&Message::Statement(statement))),
            Err(e) => {
                (StatusCode::INTERNAL_SERVER_ERROR, self.reject(id, "statement_failed", &e.to_string()))
            }
        }
    }

    /// The account and the day that a statement is answered for: those that were asked for, unless a fault strikes.
    fn answered_for(&self, (account, day): &(AccountNumber, Day)) -> (AccountNumber, Day) {
        let mut faults = self.faults();
        if faults.strike(Kind::AnotherAccount, CAMT_060, None).is_some() {
            return (another(account), *day);
        }
        let day =
            if faults.strike(Kind::AnotherDay, CAMT_060, None).is_some() { day.plus_days(-1) } else { *day };
        (account.clone(), day)
    }
}

/// An account that this one is not.
fn another(account: &AccountNumber) -> AccountNumber {
    let turned: String = account.as_str().chars().rev().collect();
    let other = if turned == account.as_str() { format!("0{turned}") } else { turned };
    other.chars().take(34).collect::<String>().parse().unwrap_or_else(|_| account.clone())
}

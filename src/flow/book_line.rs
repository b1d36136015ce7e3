//! Books a line of a signed statement as the credit that it is: its notification never came, one person proposed it and another
//! approved ([`super::match_cases`]). From here on it is a credit like any other, under its bank's reference: a notification
//! that comes after all is a repetition, and a later telling that leaves the line out takes the money back as from any credit.

use super::{Error, Refusal, Result, settle_payments::book};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Id},
    },
    payment::{
        reconciliation::Shown,
        settlement::{Credit, Origin, Outcome},
    },
    store::{
        Tx, account,
        booked_line::{self, Line},
        case::StoredCase,
        inbox, payout,
        statement::{self, StoredStatement},
    },
};

/// Refuses where the books hold money under the line's reference by now, or its bank takes the line back.
pub(super) async fn demand_unbooked(tx: &mut Tx, case: &StoredCase) -> Result<Line> {
    let line = case.difference.line.ok_or(Error::refused("line_unfit"))?;
    let told = booked_line::line(tx, line).await?.ok_or(Error::conflict("case_closed"))?;
    let before = inbox::credits(tx, &[(case.account, told.reference.clone())]).await?;
    if before.is_empty() { Ok(told) } else { Err(booked()) }
}

/// Books the line of a case in the transaction that ends the case. The caller has waited for whoever matches the account.
pub(super) async fn book_line(
    app: &App,
    tx: &mut Tx,
    (group, case): (Id<id::MatchGroup>, &StoredCase),
    now: Instant,
) -> Result<()> {
    let told = demand_unbooked(tx, case).await?;
    let statement = statement::of_day(tx, case.account, case.day).await?;
    let statement = statement.filter(|of| of.id == told.statement).ok_or(Error::internal(told.statement))?;
    let account = account::account(tx, case.account).await?.ok_or(Error::internal(case.account))?;
    let accounts = account::booked(tx, &[account.number.as_str()]).await?;
    let booked_on = accounts.get(&account.number).ok_or(Error::internal(case.account))?;
    let credit = credit(told, &statement);
    let outcomes = book(app, tx, &accounts, &[(booked_on, &credit)], now).await?;
    let outcome = outcomes.into_iter().next().flatten().ok_or_else(booked)?;
    show(tx, &statement, (case, &credit), outcome).await?;
    booked_line::let_go(tx, group.uuid()).await?;
    Ok(payout::mark_due(tx, case.account, case.day).await?)
}

/// The line shows its credit from now on, as the next matching would find; the day's sums say so.
async fn show(
    tx: &mut Tx,
    statement: &StoredStatement,
    (case, credit): (&StoredCase, &Credit),
    outcome: Outcome,
) -> Result<()> {
    let line = case.difference.line.ok_or(Error::internal(case.id))?;
    let reference = credit.servicer_reference.clone();
    statement::insert_shown(tx, statement, &[Shown { line, reference }]).await?;
    let of = (statement, credit.servicer_reference.as_str());
    booked_line::show_in_case(tx, of, (line, credit.amount)).await?;
    let settles = outcome == Outcome::Settles;
    Ok(booked_line::count_booked(tx, statement, credit.amount, settles).await?)
}

/// What the line says, as a notification would have told it. Nobody told what a bank kept on the way: such a sum waits like any
/// other that is not what was asked.
fn credit(line: Line, statement: &StoredStatement) -> Credit {
    Credit {
        servicer_reference: line.reference,
        amount: line.amount,
        charge: None,
        payment: line.named,
        booked_on: statement.day,
        value_on: line.value_on.unwrap_or(statement.day),
        references: Vec::new(),
        remittance: Vec::new(),
        origin: Origin { accepted_at: line.accepted_at, ..Origin::default() },
    }
}

fn booked() -> Error {
    Error::Conflict(Refusal::new("credit_known"))
}

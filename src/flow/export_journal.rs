//! Journals for the accountant's own system, and the way from a line of a statement to all that is behind it.

use super::{
    Error, Refusal, Result,
    inherit::{Tree, agencies_of},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Agency, Id},
};
use crate::codec::journal::{self, Row};
use crate::store::{
    journal::{self as books, JournalRow, TracedLine},
    statement,
};
use serde_json::{Value, json};

/// The most days of one export.
pub const DAYS_MAX: i64 = 366;
/// The most rows of one spreadsheet: what a spreadsheet can hold.
const ROWS_MAX: usize = 1_000_000;
/// How many postings are read at a time.
const AT_ONCE: i64 = 5_000;

/// A form of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values.
    Csv,
    /// A spreadsheet.
    Xlsx,
}

/// The journal of the agency's books, or by either tree, from one day to another, both included.
pub async fn export_journal(
    app: &App,
    (agency, tree): (Id<Agency>, Tree),
    (from, to): (Day, Day),
    form: Form,
) -> Result<Vec<u8>> {
    if from > to || from.plus_days(DAYS_MAX) < to {
        let refusal = Refusal::new("invalid_parameter").violation("to", "range", Some(to.to_string()));
        return Err(Error::Refused(refusal));
    }
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let mut csv = journal::csv_head();
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = books::journal(&mut tx, &agencies, (from, to), after, AT_ONCE).await?;
        let Some((last, account)) = page.last() else { break };
        after = Some((last.booked_on, last.entry, *account));
        let full = i64::try_from(page.len()).unwrap_or(AT_ONCE) == AT_ONCE;
        for (posted, _) in page {
            let row = row_of(posted);
            match form {
                Form::Csv => csv.push_str(&journal::csv_row(&row)),
                Form::Xlsx => rows.push(row),
            }
        }
        if rows.len() > ROWS_MAX {
            let refusal = Refusal::new("invalid_parameter").violation("to", "too_many_rows", None);
            return Err(Error::Refused(refusal));
        }
        if !full {
            break;
        }
    }
    match form {
        Form::Csv => Ok(csv.into_bytes()),
        Form::Xlsx => journal::xlsx(&rows).map_err(Error::internal),
    }
}

fn row_of(posted: JournalRow) -> Row {
    let entry: Id<id::Entry> = Id::from_uuid(posted.entry);
    Row {
        booked_on: posted.booked_on,
        bank_day: posted.bank_day,
        entry: entry.to_string(),
        kind: posted.kind,
        account: posted.chart,
        amount: posted.amount,
        dossier: posted.dossier.unwrap_or_default(),
    }
}

/// How many lines one page shows.
const LINES: i64 = 200;

/// The lines of a statement of the agency's accounts with what is behind each: payment, bill, fees with their legal
/// basis, receipts.
pub async fn trace_lines(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Statement>,
    after: Option<i32>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    statement::of_owner(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let agencies = agencies_of(&mut tx, agency, Tree::New).await?;
    let lines = books::traced(&mut tx, (&agencies, id), after.unwrap_or(0), LINES).await?;
    let full = i64::try_from(lines.len()).unwrap_or(0) == LINES;
    let next = lines.last().filter(|_| full).map(|line| line.number.to_string());
    Ok(json!({ "items": lines.iter().map(line_json).collect::<Vec<_>>(), "next": next }))
}

fn line_json(line: &TracedLine) -> Value {
    let payment = line.payment.map(|payment| Id::<id::Payment>::from_uuid(payment).to_string());
    let bill = line.bill.as_ref().map(|(id, dossier, reference)| {
        json!({
            "bill": Id::<id::Bill>::from_uuid(*id).to_string(),
            "dossier": dossier,
            "reference": reference,
        })
    });
    let fees = line.fees.as_ref().and_then(Value::as_array).map(|fees| {
        let told = fees.iter().map(|fee| {
            json!({
                "fee": fee["fee"],
                "kind": fee["kind"],
                "amount": { "amount": fee["amount"].to_string(), "currency": "VND" },
                "legal_basis": fee["basis"],
            })
        });
        told.collect::<Vec<_>>()
    });
    let receipts = line.receipts.iter().map(
        |(id, number)| json!({ "receipt": Id::<id::Receipt>::from_uuid(*id).to_string(), "number": number }),
    );
    json!({
        "line": line.line.to_string(),
        "number": line.number,
        "reference": line.reference,
        "amount": { "amount": line.amount.to_string(), "currency": "VND" },
        "left_out": line.left_out,
        "outcome": line.outcome,
        "payment": payment,
        "bill": bill,
        "fees": fees.unwrap_or_default(),
        "receipts": receipts.collect::<Vec<_>>(),
    })
}

/// Where the bank shows the money of one of the agency's receipts.
pub async fn trace_receipt(app: &App, agency: Id<Agency>, id: Id<id::Receipt>) -> Result<Value> {
    let receipt = super::read_receipts::read_receipt(app, agency, id).await?;
    let mut tx = app.store.begin().await?;
    let shown = books::shown_at(&mut tx, receipt.payment).await?;
    let shown = shown.map(|(statement, day, line, number)| {
        json!({
            "statement": Id::<id::Statement>::from_uuid(statement).to_string(),
            "day": day.to_string(),
            "line": Id::<id::StatementLine>::from_uuid(line).to_string(),
            "number": number,
        })
    });
    Ok(json!({
        "receipt": receipt.id.to_string(),
        "number": receipt.number,
        "bill": receipt.bill.to_string(),
        "payment": receipt.payment.to_string(),
        "shown": shown,
    }))
}

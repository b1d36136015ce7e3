//! Journals for the accountant's own system, and the way from a line of a statement to all that is behind it.

use super::{
    Error, Refusal, Result,
    inherit::{Tree, agencies_of},
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    id::{self, Agency, Id},
};
use crate::codec::{
    closing_report::NoSpreadsheet,
    journal::{Row, SHEET_ROWS, Sheets},
};
use crate::store::{
    Tx,
    behind_line::{self, Behind},
    journal::{self as books, JournalRow, TracedLine},
    statement,
};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{BufWriter, Seek},
};
use time::Duration;
use uuid::Uuid;

/// The most days of one export.
pub const DAYS_MAX: i64 = 366;
/// How many entries are read at a time.
const AT_ONCE: i64 = 2_000;
/// How much the name of an entry and the day of its booking may lie apart.
const SKEW: Duration = Duration::days(1);

/// A journal on its way out: where its reading stands.
pub struct Journal {
    agencies: Vec<Id<Agency>>,
    day: Day,
    to: Day,
    after: Option<Uuid>,
}

/// The journal of the agency's books, or by either tree, from one day to another, both included.
pub async fn open_journal(
    app: &App,
    (agency, tree): (Id<Agency>, Tree),
    (from, to): (Day, Day),
) -> Result<Journal> {
    if from > to || from.plus_days(DAYS_MAX) < to {
        let refusal = Refusal::new("invalid_parameter").violation("to", "range", Some(to.to_string()));
        return Err(Error::Refused(refusal));
    }
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    Ok(Journal { agencies, day: from, to, after: None })
}

/// Its next rows; nothing after the last. What is booked stays, so that each part has a transaction of its own and no reader,
/// however slow, holds one open.
pub async fn read_journal(app: &App, journal: &mut Journal) -> Result<Option<Vec<Row>>> {
    let mut tx = app.store.begin().await?;
    while journal.day <= journal.to {
        let day = journal.day;
        let name = |at| Id::<id::Entry>::before(at).uuid();
        let after = journal.after.unwrap_or_else(|| name(day.start() - SKEW));
        let entries = books::entries(&mut tx, day, (after, name(day.end() + SKEW)), AT_ONCE).await?;
        match entries.last() {
            None => (journal.day, journal.after) = (day.plus_days(1), None),
            Some(last) => {
                journal.after = Some(*last);
                let rows = books::journal(&mut tx, &journal.agencies, day, &entries).await?;
                if !rows.is_empty() {
                    return Ok(Some(rows.into_iter().map(row_of).collect()));
                }
            }
        }
    }
    Ok(None)
}

/// The journal as a spreadsheet: a file that is gone once it is read. It is made row by row beside the books, so that a journal of
/// any length needs the memory of one part, and the room of the whole where temporary files lie.
pub async fn journal_sheet(app: &App, mut journal: Journal) -> Result<File> {
    let mut sheets = Sheets::new(journal.to, SHEET_ROWS).map_err(Error::internal)?;
    while let Some(rows) = read_journal(app, &mut journal).await? {
        for row in &rows {
            sheets.add(row).map_err(Error::internal)?;
        }
    }
    let write = move || -> std::result::Result<File, NoSheet> {
        let mut file = tempfile::tempfile()?;
        sheets.finish(BufWriter::new(&mut file))?;
        file.rewind()?;
        Ok(file)
    };
    tokio::task::spawn_blocking(write).await.map_err(Error::internal)?.map_err(Error::internal)
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
enum NoSheet {
    #[error(transparent)]
    Book(#[from] NoSpreadsheet),
    #[error(transparent)]
    File(#[from] std::io::Error),
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

/// How many payments behind one line are told.
const BEHIND: i64 = 100;

/// The lines of a statement of the agency's accounts with what is behind each: payment, bill, fees with their legal
/// basis, receipts; and the same of every payment that belongs to a line without being named by it.
pub async fn trace_lines(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Statement>,
    after: Option<i32>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    statement::of_owner(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let agencies = agencies_of(&mut tx, agency, Tree::New).await?;
    let (lines, behind, next) = traced(&mut tx, &agencies, id, after).await?;
    let items = lines.iter().map(|line| line_json(line, &behind));
    let next = next.map(|next| next.to_string());
    Ok(json!({ "items": items.collect::<Vec<_>>(), "next": next }))
}

/// Lines of a statement after that number with what is behind them in the books of these agencies, and the number after which
/// others follow.
pub(super) async fn traced(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    id: Id<id::Statement>,
    after: Option<i32>,
) -> Result<(Vec<TracedLine>, Vec<Behind>, Option<i32>)> {
    let lines = books::traced(tx, (agencies, id), after.unwrap_or(0), LINES).await?;
    let full = i64::try_from(lines.len()).unwrap_or(0) == LINES;
    let next = lines.last().filter(|_| full).map(|line| line.number);
    let ids: Vec<Id<id::StatementLine>> = lines.iter().map(|line| line.line).collect();
    let behind = behind_line::payments(tx, agencies, &ids, BEHIND).await?;
    Ok((lines, behind, next))
}

fn line_json(line: &TracedLine, behind: &[Behind]) -> Value {
    let payment = line.payment.map(|payment| Id::<id::Payment>::from_uuid(payment).to_string());
    let behind: Vec<&Behind> = behind.iter().filter(|one| one.line == line.line).collect();
    let told = behind.iter().map(|one| {
        json!({
            "why": one.why,
            "payment": one.payment.to_string(),
            "bill": bill_json(one.bill.as_ref()),
            "fees": fees_json(one.fees.as_ref()),
            "receipts": receipts_json(&one.receipts),
            "elsewhere": one.elsewhere,
        })
    });
    json!({
        "line": line.line.to_string(),
        "number": line.number,
        "reference": line.reference,
        "amount": { "amount": line.amount.to_string(), "currency": "VND" },
        "accepted_at": line.accepted_at.map(rfc3339),
        "value_on": line.value_on.to_string(),
        "left_out": line.left_out,
        "outcome": line.outcome,
        "payment": payment,
        "bill": bill_json(line.bill.as_ref()),
        "fees": fees_json(line.fees.as_ref()),
        "receipts": receipts_json(&line.receipts),
        "elsewhere": line.elsewhere,
        "behind": { "count": behind.first().map_or(0, |one| one.of), "items": told.collect::<Vec<_>>() },
    })
}

fn bill_json(bill: Option<&(Uuid, String, String)>) -> Value {
    bill.map_or(Value::Null, |(id, dossier, reference)| {
        json!({
            "bill": Id::<id::Bill>::from_uuid(*id).to_string(),
            "dossier": dossier,
            "reference": reference,
        })
    })
}

fn fees_json(fees: Option<&Value>) -> Vec<Value> {
    let told = fees.and_then(Value::as_array).into_iter().flatten().map(|fee| {
        json!({
            "fee": fee["fee"],
            "kind": fee["kind"],
            "amount": { "amount": fee["amount"].to_string(), "currency": "VND" },
            "legal_basis": fee["basis"],
        })
    });
    told.collect()
}

fn receipts_json(receipts: &[(Uuid, String)]) -> Vec<Value> {
    let told = receipts.iter().map(
        |(id, number)| json!({ "receipt": Id::<id::Receipt>::from_uuid(*id).to_string(), "number": number }),
    );
    told.collect()
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

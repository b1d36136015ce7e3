//! A bill as it is answered, and the seals of what it holds about people.

use super::{Result, circumstances::Kept, explain, notify_exemption::invoice_json};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        id::{Bill as BillKind, Id},
        secret::Sealed,
    },
    crypto::seal::DataKey,
    payment::{
        bill::{Bill, BillLine, Parties, PartyName, State, status},
        fee::{Procedure, Step},
    },
    store::bill::Trace,
};
use serde_json::{Value, json};

/// In the place of the applicant's name, once a bill's retention is over and nobody is named any more.
const FORGOTTEN: &str = "—";

/// A bill with everything opened.
pub struct OpenBill<'a> {
    /// What was issued.
    pub bill: &'a Bill,
    /// What has become of it.
    pub state: &'a State,
    /// The procedure as it was named then.
    pub procedure: &'a Procedure,
    /// The parties.
    pub parties: &'a Parties,
    /// How each line came about.
    pub trace: &'a [Value],
    /// The last day to pay: the due day, later by every day on which nobody answered about an attempt.
    pub pay_until: Day,
}

/// The bill as `/v1` answers it on `today`.
pub fn bill_json(app: &App, open: &OpenBill<'_>, today: Day) -> Value {
    let OpenBill { bill, state, procedure, parties, trace, pay_until } = open;
    let lines: Vec<Value> =
        bill.lines.as_slice().iter().enumerate().map(|(i, line)| line_json(line, trace.get(i))).collect();
    let (paid_at, payment) = match state {
        State::Paid { payment, at } => (Some(rfc3339(*at)), Some(payment.to_string())),
        State::Open | State::Cancelled { .. } | State::Superseded { .. } => (None, None),
    };
    let (cancelled_at, superseded_at) = match state {
        State::Cancelled { at } => (Some(rfc3339(*at)), None),
        State::Superseded { at } => (None, Some(rfc3339(*at))),
        State::Open | State::Paid { .. } => (None, None),
    };
    json!({
        "id": bill.id.to_string(),
        "reference": bill.reference.to_string(),
        "agency": bill.agency.to_string(),
        "dossier": bill.dossier.to_string(),
        "procedure": {
            "code": procedure.code.to_string(),
            "name": { "vi": procedure.name.vi.as_str(), "en": procedure.name.en.as_str() },
        },
        "status": status(state, *pay_until, today).as_str(),
        "version": bill.version,
        "total": explain::money(bill.lines.total()),
        "due": bill.due.to_string(),
        "payable_until": bill.payable_until.to_string(),
        "pay_until": pay_until.to_string(),
        "lines": lines,
        "parties": parties_json(parties),
        "pay_url": app.origin.at(&format!("/pay/{}", bill.reference)),
        "issued_at": rfc3339(bill.issued_at),
        "paid_at": paid_at,
        "payment": payment,
        "receipts": null,
        "cancelled_at": cancelled_at,
        "superseded_at": superseded_at,
    })
}

/// The four people of a bill.
fn parties_json(parties: &Parties) -> Value {
    let party = |name: &Option<PartyName>| name.as_ref().map(|name| json!({ "name": name.as_str() }));
    json!({
        "applicant": { "name": parties.applicant.as_str() },
        "submitter": party(&parties.submitter),
        "payer": party(&parties.payer),
        "receipt_name": parties.receipt_name.as_ref().map(PartyName::as_str),
    })
}

fn line_json(line: &BillLine, trace: Option<&Value>) -> Value {
    json!({
        "fee": line.fee.as_str(),
        "kind": line.kind.as_str(),
        "name": { "vi": line.name.vi.as_str(), "en": line.name.en.as_str() },
        "count": line.count,
        "gross": explain::money(line.gross),
        "amount": explain::money(line.amount),
        "legal_basis": line.legal_basis.as_str(),
        "beneficiary": {
            "bank": line.beneficiary.bank,
            "number": line.beneficiary.number,
            "holder": line.beneficiary.holder.as_str(),
            "agency": line.beneficiary.agency.map(|agency| agency.to_string()),
        },
        "notice": line.notice.as_ref().map(|notice| json!({
            "number": notice.number.as_str(),
            "chapter": notice.chapter,
            "sub_item": notice.sub_item,
            "area": notice.area,
        })),
        "invoice": line.invoice.as_ref().map(invoice_json),
        "trace": trace.cloned().unwrap_or_else(|| json!([])),
    })
}

/// The steps of a line as a member of an answer.
pub fn trace_json(steps: &[Step]) -> Value {
    Value::Array(steps.iter().map(explain::step_json).collect())
}

/// Seals the parties for the bill's row.
pub fn seal_parties(app: &App, key: &DataKey, bill: Id<BillKind>, parties: &Parties) -> Sealed<Parties> {
    let name = |name: &Option<PartyName>| name.as_ref().map(|name| name.as_str().to_owned());
    let plain = json!([
        parties.applicant.as_str(),
        name(&parties.submitter),
        name(&parties.payer),
        name(&parties.receipt_name),
    ]);
    key.seal(&*app.entropy, &place(b"bill.parties", bill), plain.to_string().as_bytes())
}

/// Opens the parties; those that the retention job has destroyed are nobody.
pub fn open_parties(key: &DataKey, bill: Id<BillKind>, sealed: &Sealed<Parties>) -> Result<Parties> {
    if sealed.bytes().is_empty() {
        let applicant = PartyName::parse(FORGOTTEN).map_err(super::Error::internal)?;
        return Ok(Parties { applicant, submitter: None, payer: None, receipt_name: None });
    }
    let plain = key.open(&place(b"bill.parties", bill), sealed)?;
    let bad = |_| super::Error::internal(format!("the parties of {bill} do not parse"));
    let [applicant, submitter, payer, receipt_name]: [Option<String>; 4] =
        serde_json::from_slice(plain.expose()).map_err(|_| bad(()))?;
    let name =
        |text: Option<String>| text.map(|text| PartyName::parse(&text)).transpose().map_err(|_| bad(()));
    Ok(Parties {
        applicant: name(applicant)?.ok_or_else(|| bad(()))?,
        submitter: name(submitter)?,
        payer: name(payer)?,
        receipt_name: name(receipt_name)?,
    })
}

/// Seals the trace for the bill's row.
pub fn seal_trace(
    app: &App,
    key: &DataKey,
    bill: Id<BillKind>,
    trace: &[Value],
    kept: Option<&Kept>,
) -> Sealed<Trace> {
    let plain = serde_json::to_vec(&json!({ "lines": trace, "from": kept })).unwrap_or_default();
    key.seal(&*app.entropy, &place(b"bill.trace", bill), &plain)
}

/// Opens the trace: the steps of each line.
pub fn open_trace(key: &DataKey, bill: Id<BillKind>, sealed: &Sealed<Trace>) -> Result<Vec<Value>> {
    Ok(open_whole(key, bill, sealed)?.lines)
}

/// Opens what the bill was computed from; bills of before kept nothing of it.
pub fn open_kept(key: &DataKey, bill: Id<BillKind>, sealed: &Sealed<Trace>) -> Result<Option<Kept>> {
    Ok(open_whole(key, bill, sealed)?.from)
}

/// The trace as it is sealed.
#[derive(serde::Deserialize)]
struct Whole {
    lines: Vec<Value>,
    from: Option<Kept>,
}

fn open_whole(key: &DataKey, bill: Id<BillKind>, sealed: &Sealed<Trace>) -> Result<Whole> {
    if sealed.bytes().is_empty() {
        return Ok(Whole { lines: Vec::new(), from: None });
    }
    let plain = key.open(&place(b"bill.trace", bill), sealed)?;
    let bad = |_| super::Error::internal(format!("the trace of {bill} does not parse"));
    // Bills of before hold the lines alone.
    match serde_json::from_slice(plain.expose()).map_err(bad)? {
        Value::Array(lines) => Ok(Whole { lines, from: None }),
        whole => serde_json::from_value(whole).map_err(bad),
    }
}

pub(super) fn place(field: &[u8], bill: Id<BillKind>) -> Vec<u8> {
    [field, bill.uuid().as_bytes()].concat()
}

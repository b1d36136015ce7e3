//! Tells on paper that a dossier owes nothing, without a bill and without a number, because no money moves; and notes a
//! seller's invoice beside a bill, which is the only proof of a service's price.

use super::{
    Error, Refusal, Result,
    agency_key::agency_with_key,
    audit_leaf::{self, Concern},
    bill_answer, explain,
    idempotency::Idempotency,
    quote_fees,
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{Agency, Bill, ExemptionNotice, Id, SellerInvoice},
    money::{Currency, Money},
};
use crate::codec::receipt_content::{check_code, check_code_fits};
use crate::crypto::{digest::sha256, jwt, keyring::Purpose};
use crate::payment::{
    fee::{self, ChargedLine},
    invoice::Invoice,
    issue::Draft,
};
use crate::store::{
    StoreError, Tx, audit, bill as bills,
    exemption::{self, NewInvoice, StoredNotice},
    tariff,
};
use serde_json::{Value, json};

/// The `typ` of a signed notice.
pub const TYP: &str = "chung-exemption-notice+jwt";

/// Gives the notice that a dossier owes nothing; refused when anything is owed.
pub async fn notify_exemption(app: &App, draft: &Draft, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let schedule =
        tariff::in_force(&app.store, &mut tx, Day::of(now)).await?.ok_or(Error::refused("unknown_fee"))?;
    let charged = fee::charge(&schedule, &draft.procedure, &draft.asked, &draft.circumstances)
        .map_err(|refused| quote_fees::refuse(&refused))?;
    let total = fee::total(&charged).map_err(|refusal| Error::refused(refusal.code()))?;
    if total.is_positive() {
        return Err(Error::refused("something_owed"));
    }
    let gross = Money::sum(Currency::Vnd, charged.iter().map(|line| line.gross));
    let forgone = gross.map_err(|_| Error::refused("amount_too_large"))?;
    let (row, sealing) = agency_with_key(app, &mut tx, draft.agency).await?;
    let procedure = charged.first().map(|line| &line.item.procedure);
    let content = json!({
        "v": 1,
        "iss": app.origin.as_str(),
        "agency": { "code": row.code, "name": row.name_vi },
        "dossier": draft.dossier.to_string(),
        "procedure": {
            "code": draft.procedure.as_str(),
            "name": procedure.map(|procedure| procedure.name.vi.as_str()),
        },
        "applicant": draft.parties.applicant.as_str(),
        "lines": charged.iter().map(line_json).collect::<Vec<_>>(),
        "issued_at": rfc3339(now),
    });
    let signed = jwt::sign(app.keys.signing(Purpose::Record), TYP, &content);
    let id: Id<ExemptionNotice> = Id::new(now, &*app.entropy);
    let stored = StoredNotice {
        id,
        agency: draft.agency,
        client: draft.client,
        dossier: draft.dossier.to_string(),
        procedure: draft.procedure.as_str().to_owned(),
        forgone,
        digest: sha256(signed.as_bytes()),
        signed: sealing.seal(&*app.entropy, &place(id), signed.as_bytes()),
        issued_at: now,
    };
    exemption::insert(&mut tx, &stored).await?;
    let answer = notice_json(app, &stored);
    let concern = Concern { citizen: None, agency: Some(draft.agency), object: id.uuid() };
    let leaf = audit_leaf::leaf(app, now, "exemption.notified", concern, &sealing, &answer);
    audit::append(&mut tx, &[leaf]).await?;
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

fn line_json(line: &ChargedLine) -> Value {
    json!({
        "fee": line.item.code.as_str(),
        "kind": line.item.kind.as_str(),
        "name": line.item.name.vi.as_str(),
        "count": line.count,
        "gross": explain::money(line.gross),
        "amount": explain::money(line.amount),
        "legal_basis": line.item.legal_basis.as_str(),
        "trace": bill_answer::trace_json(&line.trace),
    })
}

/// The notice as `/v1` answers with it: nothing that names a person, which the signed text alone does.
fn notice_json(app: &App, stored: &StoredNotice) -> Value {
    let code = check_code(&stored.digest);
    json!({
        "id": stored.id.to_string(),
        "dossier": stored.dossier,
        "procedure": stored.procedure,
        "forgone": explain::money(stored.forgone),
        "content_sha256": hex::encode(stored.digest),
        "check_code": code,
        "page": app.origin.at(&format!("/exemptions/{}?code={code}", stored.id)),
        "issued_at": rfc3339(stored.issued_at),
    })
}

/// A notice that this agency gave, with its signed text.
pub async fn read_exemption(app: &App, agency: Id<Agency>, id: Id<ExemptionNotice>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let stored = exemption::find(&mut tx, id).await?.filter(|stored| stored.agency == agency);
    let stored = stored.ok_or(Error::not_found())?;
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let plain = sealing.open(&place(id), &stored.signed)?;
    let mut answer = notice_json(app, &stored);
    answer["signed"] = String::from_utf8_lossy(plain.expose()).into();
    Ok(answer)
}

/// What the page of a notice shows to whoever holds its check code.
pub struct Notice {
    /// What was signed.
    pub content: Value,
    /// The check code.
    pub code: String,
}

/// The notice of that identifier, for whoever knows its check code.
pub async fn open_exemption(app: &App, id: Id<ExemptionNotice>, code: &str) -> Result<Notice> {
    let mut tx = app.store.begin().await?;
    let stored = exemption::find(&mut tx, id).await?;
    let stored = stored.filter(|stored| check_code_fits(&stored.digest, code)).ok_or(Error::not_found())?;
    let (_, sealing) = agency_with_key(app, &mut tx, stored.agency).await?;
    let plain = sealing.open(&place(id), &stored.signed)?;
    let signed = String::from_utf8_lossy(plain.expose()).into_owned();
    let content = jwt::verify(&signed, TYP, app.keys.published(Purpose::Record)).map_err(Error::internal)?;
    Ok(Notice { content, code: check_code(&stored.digest) })
}

/// Notes a seller's invoice beside a bill of the agency.
pub async fn note_invoice(
    app: &App,
    agency: Id<Agency>,
    bill: Id<Bill>,
    invoice: &Invoice,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    bills::bill(&mut tx, bill)
        .await?
        .filter(|stored| stored.bill.agency == agency)
        .ok_or(Error::not_found())?;
    invoice.check(Day::of(now)).map_err(|unfit| {
        Error::Refused(Refusal::new("invoice_unfit").violation(unfit.field(), "shape", None))
    })?;
    let id: Id<SellerInvoice> = Id::new(now, &*app.entropy);
    exemption::take(&mut tx, &[NewInvoice { id, bill, agency, invoice }], false, now).await.map_err(known)?;
    let mut answer = invoice_json(invoice);
    answer["id"] = id.to_string().into();
    answer["bill"] = bill.to_string().into();
    let (_, sealing) = agency_with_key(app, &mut tx, agency).await?;
    let concern = Concern { citizen: None, agency: Some(agency), object: bill.uuid() };
    let leaf = audit_leaf::leaf(app, now, "invoice.noted", concern, &sealing, &answer);
    audit::append(&mut tx, &[leaf]).await?;
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// What it means that an invoice could not be taken.
pub(super) fn known(error: StoreError) -> Error {
    if error.violates("seller_invoice_claim_once") { Error::conflict("invoice_known") } else { error.into() }
}

/// Notes the invoices that bills charge from now on, and takes them for these bills.
pub(super) async fn charge_invoices(
    app: &App,
    tx: &mut Tx,
    invoices: &[(Id<Bill>, Id<Agency>, &Invoice)],
    now: Instant,
) -> Result<()> {
    let new = |&(bill, agency, invoice): &(Id<Bill>, Id<Agency>, _)| NewInvoice {
        id: Id::new(now, &*app.entropy),
        bill,
        agency,
        invoice,
    };
    let taken: Vec<NewInvoice<'_>> = invoices.iter().map(new).collect();
    exemption::take(tx, &taken, true, now).await.map_err(known)
}

/// A reference to an invoice.
pub(super) fn invoice_json(invoice: &Invoice) -> Value {
    json!({
        "number": invoice.number,
        "serial": invoice.serial,
        "date": invoice.issued_on.to_string(),
        "seller_tax_code": invoice.tax_code,
        "name": { "vi": invoice.name.vi.as_str(), "en": invoice.name.en.as_str() },
        "amount": explain::money(invoice.amount),
    })
}

fn place(id: Id<ExemptionNotice>) -> Vec<u8> {
    [b"exemption_notice.signed".as_slice(), id.uuid().as_bytes()].concat()
}

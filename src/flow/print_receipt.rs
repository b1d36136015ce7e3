//! Prints a receipt at a desk, for whoever has no e-mail or smartphone: the original once, then copies that say so.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    document_signer::sign_pdf,
    officer,
    read_receipts::read_receipt,
    render_receipt::{Format, receipt_content, render_receipt},
};
use crate::app::App;
use crate::base::{
    calendar::{Day, display_vi, rfc3339},
    id::{self, Agency, Citizen, Id},
    text::Lang,
};
use crate::codec::{receipt_content::Number, receipt_pdf, receipt_xml};
use crate::identity::role::Role;
use crate::store::{
    Tx, audit,
    blank::{self as rows, Printing},
    desk,
    receipt::{self, StoredReceipt},
};
use crate::text::Texts;
use serde_json::{Value, json};

/// A receipt for the printer, and which copy it is; 0 is the original.
pub type Printed = (Vec<u8>, i16);

/// Prints a receipt of the cashier's agency, or of a payment that its desk took. Each printing is counted and logged; the
/// first is the original, unless paper was given before the payment was entered.
pub async fn print_receipt(app: &App, cashier: Id<Citizen>, number: &Number) -> Result<Printed> {
    let now = app.clock.now();
    let found = receipt::find_by_number(&app.store, &number.to_string()).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    let at = desk_of(&mut tx, cashier, &found, Day::of(now)).await?;
    receipt::lock(&mut tx, found.id).await?;
    let before = rows::printings(&mut tx, found.id).await?;
    let copy = match before.last() {
        Some(last) => last.copy.saturating_add(1),
        None => i16::from(rows::was_on_paper(&mut tx, found.id).await?),
    };
    let printing = Printing { copy, by: cashier, at: now };
    rows::insert_printing(&mut tx, found.id, at, &printing).await?;
    let key = agency_key(app, &mut tx, found.agency).await?;
    let details = json!({ "receipt": found.number, "copy": copy, "by": cashier.to_string(), "at_desk_of": at.to_string() });
    let concern = Concern { citizen: None, agency: Some(found.agency), object: found.id.uuid() };
    let leaf = audit_leaf::leaf(app, now, "receipt.printed", concern, &key, &details);
    audit::append(&mut tx, &[leaf]).await?;
    tx.commit().await?;
    if copy == 0 {
        return Ok((render_receipt(app, &found, Format::Pdf).await?, copy));
    }
    let signed = render_receipt(app, &found, Format::Jws).await?;
    let signed = String::from_utf8(signed).map_err(Error::internal)?;
    let content = receipt_content(app, &found).await?;
    let told = [("copy", copy.to_string().into()), ("at", display_vi(now).into())];
    let mark = Texts::embedded().with(Lang::Vi, "receipt-copy", &told);
    let pdf = receipt_pdf::write_marked(&content, &found.digest, &signed, Some(&mark));
    let reason = format!("{} {}: {mark}", receipt_xml::title(content.kind), content.number);
    Ok((sign_pdf(app, (found.agency, &key), &pdf.map_err(Error::internal)?, &reason, now).await?, copy))
}

/// At whose desk the cashier prints this receipt: its own agency's, or that of the desk which took the payment.
async fn desk_of(
    tx: &mut Tx,
    cashier: Id<Citizen>,
    receipt: &StoredReceipt,
    today: Day,
) -> Result<Id<Agency>> {
    let seats = officer::seats(tx, cashier, today, &[Role::Cashier]).await?;
    if seats.is_empty() {
        return Err(Error::forbidden("cashier_needed"));
    }
    let took = desk::taken_by(tx, receipt.payment).await?;
    let here = |agency: &Id<Agency>| seats.iter().any(|seat| seat.id == *agency);
    Some(receipt.agency).filter(here).or_else(|| took.filter(here)).ok_or(Error::not_found())
}

/// Who printed a receipt, and when, for the agency's systems.
pub async fn list_printings(app: &App, agency: Id<Agency>, id: Id<id::Receipt>) -> Result<Value> {
    let receipt = read_receipt(app, agency, id).await?;
    let mut tx = app.store.begin().await?;
    let item = |printing: &Printing| json!({ "copy": printing.copy, "by": printing.by.to_string(), "at": rfc3339(printing.at) });
    let items: Vec<Value> = rows::printings(&mut tx, receipt.id).await?.iter().map(item).collect();
    Ok(json!({ "items": items, "next": null }))
}

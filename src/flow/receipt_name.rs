//! Whose name the receipts of a bill shall bear: given on the payment page by whoever holds the reference, corrected until
//! the receipts are issued or another issuer was asked for them; afterwards only a replacement bears another name.

use super::{Error, Refusal, Result, agency_key::agency_key};
use crate::app::App;
use crate::base::{
    id::{Bill, Id},
    reference::Reference,
    secret::Sealed,
};
use crate::crypto::seal::DataKey;
use crate::payment::{
    bill::{PartyName, State},
    receipt::{Address, ReceiptName, TaxCode},
};
use crate::store::{Tx, bill as bills, receipt_due};
use serde_json::json;
use std::collections::HashMap;

/// Sets the name for the receipts of a bill.
pub async fn name_receipt(app: &App, reference: &Reference, name: &ReceiptName) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let stored = bills::bill_of_reference(&mut tx, reference).await?.ok_or(Error::not_found())?;
    let (state, _) = bills::lock_bill(&mut tx, stored.bill.id).await?.ok_or(Error::not_found())?;
    match state {
        State::Open => (),
        State::Cancelled { .. } => return Err(Error::conflict("bill_already_cancelled")),
        State::Superseded { .. } => return Err(Error::conflict("bill_superseded")),
        // What is paid but not issued yet may still be corrected.
        State::Paid { .. } if may_rename(&mut tx, stored.bill.id).await? => (),
        State::Paid { .. } => return Err(Error::conflict("receipt_issued")),
    }
    let key = agency_key(app, &mut tx, stored.bill.agency).await?;
    let plain = json!([
        name.name.as_str(),
        name.tax_code.as_ref().map(TaxCode::as_str),
        name.address.as_ref().map(Address::as_str),
    ]);
    let place = place(stored.bill.id);
    let sealed: Sealed<ReceiptName> = key.seal(&*app.entropy, &place, plain.to_string().as_bytes());
    receipt_due::put_name(&mut tx, stored.bill.id, &sealed, now).await?;
    Ok(tx.commit().await?)
}

/// Whether receipts of a paid bill wait and nobody else was asked for one: an order that is told again says what it said. They
/// stay locked, so that none is ordered meanwhile.
async fn may_rename(tx: &mut Tx, bill: Id<Bill>) -> Result<bool> {
    let due = receipt_due::of_bills(tx, &[bill]).await?;
    let due = receipt_due::lock(tx, &due).await?;
    Ok(!due.is_empty() && due.iter().all(|due| due.reason != "issuer" || due.attempts == 0))
}

/// Reads a name as people type it; empty fields are none.
pub fn read_name(name: &str, tax_code: &str, address: &str) -> Result<ReceiptName> {
    let wrong =
        |field, rule| Error::Refused(Refusal::new("receipt_name_invalid").violation(field, rule, None));
    let name = PartyName::parse(name.trim()).map_err(|_| wrong("receipt_name", "shape"))?;
    let typed = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let tax_code = typed(tax_code).map(|code| code.parse::<TaxCode>()).transpose();
    let tax_code = tax_code.map_err(|_| wrong("tax_code", "shape"))?;
    let address = typed(address).map(|address| Address::parse(&address)).transpose();
    let address = address.map_err(|_| wrong("address", "shape"))?;
    ReceiptName::new(name, tax_code, address).map_err(|_| wrong("address", "missing"))
}

/// The names that were given for these bills; `key_of` gives the key of a bill's agency.
pub(super) async fn names_of<'k>(
    tx: &mut Tx,
    bills: &[Id<Bill>],
    key_of: impl Fn(Id<Bill>) -> Option<&'k DataKey>,
) -> Result<HashMap<Id<Bill>, ReceiptName>> {
    let found = receipt_due::names(tx, bills).await?;
    let open = |(bill, sealed): (Id<Bill>, Sealed<ReceiptName>)| {
        let key = key_of(bill).ok_or_else(|| bad_name(bill))?;
        Ok(open_name(key, bill, &sealed)?.map(|name| (bill, name)))
    };
    found.into_iter().filter_map(|found| open(found).transpose()).collect()
}

fn bad_name(bill: Id<Bill>) -> Error {
    Error::internal(format!("the receipt name of {bill}"))
}

/// A name that was given for a bill's receipts, where it still opens.
pub(super) fn open_name(
    key: &DataKey,
    bill: Id<Bill>,
    sealed: &Sealed<ReceiptName>,
) -> Result<Option<ReceiptName>> {
    let bad = || bad_name(bill);
    // What was sealed for the agency before a succession does not open here: the bill's own parties name the receipt,
    // and money never waits for a name.
    let Ok(plain) = key.open(&place(bill), sealed) else {
        tracing::warn!(%bill, "the name that was given for a receipt does not open");
        return Ok(None);
    };
    let (name, tax, address): (String, Option<String>, Option<String>) =
        serde_json::from_slice(plain.expose()).map_err(|_| bad())?;
    Ok(Some(ReceiptName {
        name: PartyName::parse(&name).map_err(|_| bad())?,
        tax_code: tax.map(|code| code.parse()).transpose().map_err(|_| bad())?,
        address: address.map(|address| Address::parse(&address)).transpose().map_err(|_| bad())?,
    }))
}

pub(super) fn place(bill: Id<Bill>) -> Vec<u8> {
    [b"receipt.name".as_slice(), bill.uuid().as_bytes()].concat()
}

//! Receipts as their agency sees them, and as whoever holds the paper may check them.

use super::{
    Error, Result,
    checkout::demand_bill,
    inherit::{Tree, agencies_of, demand_standing},
    prove_leaf::prove_as_sealed,
    render_receipt::{receipt_content, receipt_key, sign_receipts},
    void_receipt::read_void,
};
use crate::app::App;
use crate::audit::evidence::Evidence;
use crate::base::{
    calendar::rfc3339,
    id::{self, Agency, Bill, Id},
    page::PageRequest,
};
use crate::codec::{
    receipt_content::{self, Number, ReceiptContent},
    receipt_xml,
};
use crate::crypto::keyring::Purpose;
use crate::store::receipt::{self, StoredReceipt};
use serde_json::{Value, json};

/// A receipt that was looked up.
pub type Checked = StoredReceipt;

/// One receipt that the agency gave, or that others gave for lines of its bill; any other does not exist for it. Who has
/// taken an agency's place reads in its place.
pub async fn read_receipt(app: &App, agency: Id<Agency>, id: Id<id::Receipt>) -> Result<StoredReceipt> {
    let found = receipt::find(&app.store, id).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    if demand_standing(&mut tx, agency, found.agency, None).await.is_err() {
        demand_bill(&mut tx, agency, found.bill).await?;
    }
    Ok(found)
}

/// A receipt as `/v1` answers with it: the row, what it says, and its proof.
pub async fn describe_receipt(app: &App, receipt: &StoredReceipt) -> Result<Value> {
    let content = receipt_content(app, receipt).await?;
    let mut answer = summary(app, receipt);
    let lines = content.lines.iter().map(|(fee, name, count, amount)| {
        json!({"fee": fee, "name": name, "count": count, "amount": {"amount": amount.to_string(), "currency": "VND"}})
    });
    answer["dossier"] = json!(content.dossier);
    answer["reference"] = json!(content.reference);
    answer["payer"] = json!(content.payer);
    answer["payer_tax_code"] = json!(content.payer_tax);
    answer["payer_address"] = json!(content.payer_address);
    answer["form"] = json!(content.form());
    answer["series"] = json!(content.number.series());
    answer["paid_at"] = json!(content.paid_at().map(rfc3339));
    answer["replaces"] = json!(content.replaces.as_ref().map(|(number, _)| number.to_string()));
    answer["void"] = void_json(app, receipt).await?;
    answer["lines"] = lines.collect();
    answer["proof"] = json!(prove_receipt(app, receipt).await?);
    Ok(answer)
}

/// The notice that a receipt is void, if it is.
async fn void_json(app: &App, receipt: &StoredReceipt) -> Result<Value> {
    let key = receipt_key(app, receipt).await?;
    let notice = read_void(app, receipt, &key).await?;
    Ok(notice.map_or(Value::Null, |(notice, signed)| {
        json!({
            "at": notice.at,
            "reason": notice.reason,
            "replaced_by": notice.replaced_by.map(|number| number.to_string()),
            "signed": signed,
        })
    }))
}

/// The agency's signed receipts, the newest first, a page at a time: what a QR code holds, of many at once.
pub async fn list_signed(
    app: &App,
    agency: Id<Agency>,
    tree: Tree,
    page: &PageRequest<Id<id::Receipt>>,
) -> Result<Value> {
    let agencies = agencies_of(&mut app.store.begin().await?, agency, tree).await?;
    let found = receipt::of_agencies(&app.store, &agencies, None, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let signed = sign_receipts(app, &found.items).await?;
    let items: Vec<Value> = found
        .items
        .iter()
        .zip(signed)
        .map(|(receipt, signed)| json!({ "id": receipt.id.to_string(), "number": receipt.number, "signed": signed }))
        .collect();
    Ok(json!({ "items": items, "next": next }))
}

/// The agency's receipts, the newest first, of all bills or of one; for itself or by either tree.
/// Of its own bill it sees those that other owners gave as well.
pub async fn list_receipts(
    app: &App,
    agency: Id<Agency>,
    (bill, tree): (Option<Id<Bill>>, Tree),
    page: &PageRequest<Id<id::Receipt>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let mut agencies = agencies_of(&mut tx, agency, tree).await?;
    if let Some(bill) = bill
        && demand_bill(&mut tx, agency, bill).await.is_ok()
    {
        let given = receipt::of_bill(&app.store, bill).await?;
        agencies.extend(given.into_iter().map(|receipt| receipt.agency));
        agencies.sort_unstable();
        agencies.dedup();
    }
    drop(tx);
    let found = receipt::of_agencies(&app.store, &agencies, bill, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let items: Vec<Value> = found.items.iter().map(|receipt| summary(app, receipt)).collect();
    Ok(json!({ "items": items, "next": next }))
}

/// The proof that the audit log holds a receipt, as a file: it names the digest of the signed content.
pub async fn prove_receipt(app: &App, receipt: &StoredReceipt) -> Result<receipt_content::Proof<Evidence>> {
    // Its leaf is sealed for whom it concerns: the bill's agency, where another owner or a successor gave the receipt.
    let evidence = prove_as_sealed(app, receipt.leaf, receipt.agency).await?;
    Ok(receipt_content::Proof::new(&receipt.number, &receipt.digest, evidence))
}

/// The receipt of that number, for whoever knows its check code.
pub async fn open_receipt(app: &App, number: &Number, check_code: &str) -> Result<StoredReceipt> {
    let found = receipt::find_by_number(&app.store, &number.to_string()).await?;
    found
        .filter(|receipt| receipt_content::check_code_fits(&receipt.digest, check_code))
        .ok_or(Error::not_found())
}

/// The receipt that a QR text or an XML document is, if we signed it and the books hold it as it stands there.
pub async fn check_receipt(app: &App, text: &str) -> Result<(StoredReceipt, ReceiptContent)> {
    let refused = || Error::refused("receipt_not_believed");
    let keys = app.keys.published(Purpose::Record);
    let (content, digest) = receipt_xml::read_any(text.as_bytes(), keys).map_err(|_| refused())?;
    let found = receipt::find_by_number(&app.store, &content.number.to_string()).await?;
    let receipt = found.filter(|receipt| receipt.digest == digest).ok_or_else(refused)?;
    Ok((receipt, content))
}

/// Whether a receipt holds, in a word.
pub fn state_of(receipt: &StoredReceipt) -> &'static str {
    match &receipt.void {
        None => "issued",
        Some((_, None)) => "void",
        Some((_, Some(_))) => "replaced",
    }
}

fn summary(app: &App, receipt: &StoredReceipt) -> Value {
    let code = receipt_content::check_code(&receipt.digest);
    json!({
        "id": receipt.id.to_string(),
        "number": receipt.number,
        "kind": receipt.kind.as_str(),
        "state": state_of(receipt),
        "bill": receipt.bill.to_string(),
        "payment": receipt.payment.to_string(),
        "total": {"amount": receipt.amount.decimal(), "currency": receipt.amount.currency().code()},
        "issued_at": rfc3339(receipt.issued_at),
        "content_sha256": hex::encode(receipt.digest),
        "check_code": code,
        "check_url": app.origin.at(&format!("/receipts/{}?code={code}", receipt.number)),
        "files": {
            "pdf": format!("/v1/receipts/{}/pdf", receipt.id),
            "xml": format!("/v1/receipts/{}/xml", receipt.id),
            "proof": format!("/v1/receipts/{}/proof", receipt.id),
        },
    })
}

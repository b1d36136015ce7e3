//! The documents that prove a paid bill, line by line: receipts, slips of the budget, notices of exemption.

use super::{
    Error, Result,
    checkout::{Checkout, read_checkout},
    explain,
    notify_exemption::invoice_json,
};
use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        clock::Instant,
        id::{Agency, Bill, Id, Payment, SellerInvoice},
        reference::Reference,
    },
    payment::{
        bill::{Lines, State},
        invoice::Invoice,
        proof::{Document, proofs},
    },
    store::{
        bill as bills, exemption,
        receipt::{self, StoredReceipt},
    },
};
use serde_json::{Value, json};

/// The documents of a bill, none until it is paid; only its agency reads them here.
pub async fn read_documents(app: &App, agency: Id<Agency>, id: Id<Bill>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let stored = bills::bill(&mut tx, id).await?.filter(|b| b.bill.agency == agency);
    let stored = stored.ok_or(Error::not_found())?;
    let invoices = exemption::invoices(&mut tx, id).await?;
    drop(tx);
    let mut items = match stored.state {
        State::Paid { payment, at } => {
            let receipts = receipt::of_bill(&app.store, id).await?;
            documents(&stored.bill.lines, &receipts, (payment, at))?
        }
        _ => Vec::new(),
    };
    items.extend(beside(&stored.bill.lines, &invoices).map(of_seller));
    Ok(json!({ "bill": id.to_string(), "items": items }))
}

/// The invoices that stand beside a bill without being charged by it.
fn beside<'a>(
    lines: &'a Lines,
    noted: &'a [(Id<SellerInvoice>, Invoice)],
) -> impl Iterator<Item = &'a Invoice> {
    let charged = |invoice: &Invoice| {
        let same = |of: &Invoice| {
            (&of.number, &of.serial, &of.tax_code) == (&invoice.number, &invoice.serial, &invoice.tax_code)
        };
        lines.as_slice().iter().filter_map(|line| line.invoice.as_ref()).any(same)
    };
    noted.iter().map(|(_, invoice)| invoice).filter(move |invoice| !charged(invoice))
}

/// What a seller's invoice proves, by reference.
fn of_seller(invoice: &Invoice) -> Value {
    json!({
        "document": "seller_invoice",
        "kind": null,
        "numbers": [],
        "amount": explain::money(invoice.amount),
        "lines": [],
        "slip": null,
        "invoice": invoice_json(invoice),
        "payment": null,
        "paid_at": null,
    })
}

fn documents(
    lines: &Lines,
    receipts: &[StoredReceipt],
    (payment, at): (Id<Payment>, Instant),
) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    for proof in proofs(lines) {
        let told = proof.lines.iter().map(|(at, line)| {
            json!({
                "place": at + 1,
                "fee": line.fee.as_str(),
                "name": { "vi": line.name.vi.as_str(), "en": line.name.en.as_str() },
                "gross": explain::money(line.gross),
                "amount": explain::money(line.amount),
                "legal_basis": line.legal_basis.as_str(),
            })
        });
        let numbers: Vec<&str> = match proof.document {
            Document::Receipt(kind) => {
                let same = |r: &&StoredReceipt| (r.kind, r.payment) == (kind, payment) && r.void.is_none();
                let hold = receipts.iter().filter(same);
                hold.map(|receipt| receipt.number.as_str()).collect()
            }
            Document::BudgetSlip | Document::ExemptionNotice | Document::SellerInvoice => Vec::new(),
        };
        let invoice = proof.lines.first().and_then(|(_, line)| line.invoice.as_ref());
        let first =
            proof.lines.first().map(|(_, line)| *line).filter(|_| proof.document == Document::BudgetSlip);
        let slip = first.and_then(|line| Some((line, line.notice.as_ref()?))).map(|(line, notice)| {
            json!({
                "notice": notice.number.as_str(),
                "chapter": notice.chapter,
                "sub_item": notice.sub_item,
                "area": notice.area,
                "bank": line.beneficiary.bank,
                "number": line.beneficiary.number,
                "holder": line.beneficiary.holder.as_str(),
            })
        });
        items.push(json!({
            "document": proof.document.as_str(),
            "kind": match proof.document { Document::Receipt(kind) => Some(kind.as_str()), _ => None },
            "numbers": numbers,
            "amount": explain::money(proof.amount().map_err(Error::internal)?),
            "lines": told.collect::<Vec<_>>(),
            "slip": slip,
            "invoice": invoice.map(invoice_json),
            "payment": payment.to_string(),
            "paid_at": rfc3339(at),
        }));
    }
    Ok(items)
}

/// What whoever holds a paid bill's reference may print: its slips and its notice of exemption.
pub struct Sheets {
    /// What the reference shows to anybody.
    pub checkout: Checkout,
    /// When it was paid.
    pub paid_at: Instant,
    /// The documents, as [`read_documents`] tells them, without the receipts, which have pages of their own.
    pub items: Vec<Value>,
}

/// The sheets of a paid bill; a bill that is not paid, or has none, has no such page.
pub async fn read_sheets(app: &App, reference: &Reference) -> Result<Sheets> {
    let checkout = read_checkout(app, reference).await?;
    // What a sensitive procedure charges for is shown to nobody here; the agency hands its documents over.
    if !checkout.has_sheets() {
        return Err(Error::not_found());
    }
    let mut tx = app.store.begin().await?;
    let stored = bills::bill_of_reference(&mut tx, reference).await?.ok_or(Error::not_found())?;
    let State::Paid { payment, at } = stored.state else { return Err(Error::not_found()) };
    let mut items = documents(&stored.bill.lines, &[], (payment, at))?;
    items.retain(|item| item["document"] != "receipt");
    let invoices = exemption::invoices(&mut tx, stored.bill.id).await?;
    items.extend(beside(&stored.bill.lines, &invoices).map(of_seller));
    Ok(Sheets { checkout, paid_at: at, items })
}

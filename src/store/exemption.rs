//! Notices that a dossier owes nothing, and references to sellers' invoices.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Bill, Client, ExemptionNotice, Id, SellerInvoice},
    money::Money,
    secret::Sealed,
    text::Line,
};
use crate::crypto::digest::Digest;
use crate::payment::{fee::Bilingual, invoice::Invoice};

/// A notice as it was signed, under the agency's key.
pub enum Signed {}

/// A notice as its row holds it.
pub struct StoredNotice {
    /// Its identifier.
    pub id: Id<ExemptionNotice>,
    /// Whose dossier.
    pub agency: Id<Agency>,
    /// The system that asked for it.
    pub client: Id<Client>,
    /// The dossier.
    pub dossier: String,
    /// Its procedure.
    pub procedure: String,
    /// What the fees come to without the exemption.
    pub forgone: Money,
    /// Of the signed notice.
    pub digest: Digest,
    /// The notice as it was signed.
    pub signed: Sealed<Signed>,
    /// When.
    pub issued_at: Instant,
}

/// Adds a notice.
pub async fn insert(tx: &mut Tx, notice: &StoredNotice) -> Result<()> {
    sqlx::query!(
        "insert into exemption_notice (id, agency_id, client_id, dossier, procedure, forgone, digest, signed, key, issued_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        notice.id.uuid(),
        notice.agency.uuid(),
        notice.client.uuid(),
        notice.dossier,
        notice.procedure,
        notice.forgone.minor(),
        notice.digest.as_slice(),
        notice.signed.bytes(),
        notice.signed.key().cast_signed(),
        notice.issued_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A notice, whoever asks.
pub async fn find(tx: &mut Tx, id: Id<ExemptionNotice>) -> Result<Option<StoredNotice>> {
    let row = sqlx::query!(
        "select agency_id, client_id, dossier, procedure, forgone, digest, signed, key, issued_at
         from exemption_notice where id = $1",
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let corrupt = |_| super::StoreError::corrupt("exemption_notice", "digest", id);
    Ok(Some(StoredNotice {
        id,
        agency: Id::from_uuid(row.agency_id),
        client: Id::from_uuid(row.client_id),
        dossier: row.dossier,
        procedure: row.procedure,
        forgone: Money::vnd(row.forgone),
        digest: row.digest.try_into().map_err(corrupt)?,
        signed: Sealed::new(row.signed, row.key.cast_unsigned()),
        issued_at: row.issued_at,
    }))
}

/// Notes an invoice beside a bill; the same invoice twice violates `seller_invoice_once`.
pub async fn insert_invoice(
    tx: &mut Tx,
    (id, bill, agency): (Id<SellerInvoice>, Id<Bill>, Id<Agency>),
    invoice: &Invoice,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into seller_invoice (id, bill_id, agency_id, number, serial, issued_on, tax_code, name_vi, name_en,
             amount, noted_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        id.uuid(),
        bill.uuid(),
        agency.uuid(),
        invoice.number,
        invoice.serial,
        invoice.issued_on.date(),
        invoice.tax_code,
        invoice.name.vi.as_str(),
        invoice.name.en.as_str(),
        invoice.amount.minor(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The invoices that are noted beside a bill, in the order in which they were.
pub async fn invoices(tx: &mut Tx, bill: Id<Bill>) -> Result<Vec<(Id<SellerInvoice>, Invoice)>> {
    let rows = sqlx::query!(
        "select id, number, serial, issued_on, tax_code, name_vi, name_en, amount from seller_invoice
         where bill_id = $1 order by id limit 100",
        bill.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = Id::from_uuid(row.id);
            let text = |text: &str| {
                Line::parse(text).map_err(|_| super::StoreError::corrupt("seller_invoice", "name_vi", id))
            };
            let invoice = Invoice {
                number: row.number,
                serial: row.serial,
                issued_on: Day::from_date(row.issued_on),
                tax_code: row.tax_code,
                name: Bilingual { vi: text(&row.name_vi)?, en: text(&row.name_en)? },
                amount: Money::vnd(row.amount),
            };
            Ok((id, invoice))
        })
        .collect()
}

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
use crate::payment::{
    fee::Bilingual,
    invoice::{Invoice, Name},
};
use std::collections::BTreeSet;

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

/// An invoice on its way into a bill's record.
pub struct NewInvoice<'a> {
    /// Its identifier here.
    pub id: Id<SellerInvoice>,
    /// The bill.
    pub bill: Id<Bill>,
    /// Whose bill.
    pub agency: Id<Agency>,
    /// The reference.
    pub invoice: &'a Invoice,
}

/// The names of invoices as arrays: tax codes, serials, numbers.
fn names(invoices: &[&Invoice]) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut names: Vec<Name> = invoices.iter().map(|invoice| invoice.known_by()).collect();
    // In one order, so that two that take the same do not wait for each other in a circle.
    names.sort_unstable();
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for (tax_code, serial, number) in names {
        columns.0.push(tax_code);
        columns.1.push(serial);
        columns.2.push(number);
    }
    columns
}

/// Which of these invoices a bill charges or has beside it.
pub async fn known(tx: &mut Tx, invoices: &[&Invoice]) -> Result<BTreeSet<Name>> {
    let (tax_codes, serials, numbers) = names(invoices);
    if numbers.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = sqlx::query!(
        "select c.tax_code, c.serial, c.number from seller_invoice_claim c
         join unnest($1::text[], $2::text[], $3::text[]) as i (tax_code, serial, number)
             on (c.tax_code, c.serial, c.number) = (i.tax_code, i.serial, i.number)",
        &tax_codes,
        &serials,
        &numbers,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.tax_code, row.serial, row.number)).collect())
}

/// Takes invoices for bills, charged by them or noted beside them; one that is taken violates
/// `seller_invoice_claim_once`.
pub async fn take(tx: &mut Tx, taken: &[NewInvoice<'_>], charged: bool, at: Instant) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let of = |text: fn(&Invoice) -> &str| -> Vec<String> {
        taken.iter().map(|new| text(new.invoice).to_owned()).collect()
    };
    sqlx::query!(
        "with i as (
             select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::date[], $7::text[],
                 $8::text[], $9::text[], $10::bigint[])
                 as i (id, bill_id, agency_id, number, serial, issued_on, tax_code, name_vi, name_en, amount)
         ), claimed as (
             insert into seller_invoice_claim (tax_code, serial, number, bill_id, charged)
             select i.tax_code, i.serial, i.number, i.bill_id, $12 from i order by 1, 2, 3
         )
         insert into seller_invoice (id, bill_id, agency_id, number, serial, issued_on, tax_code, name_vi, name_en,
             amount, noted_at)
         select i.id, i.bill_id, i.agency_id, i.number, i.serial, i.issued_on, i.tax_code, i.name_vi, i.name_en,
             i.amount, $11 from i",
        &taken.iter().map(|new| new.id.uuid()).collect::<Vec<_>>(),
        &taken.iter().map(|new| new.bill.uuid()).collect::<Vec<_>>(),
        &taken.iter().map(|new| new.agency.uuid()).collect::<Vec<_>>(),
        &of(|invoice| &invoice.number),
        &of(|invoice| &invoice.serial),
        &taken.iter().map(|new| new.invoice.issued_on.date()).collect::<Vec<_>>(),
        &of(|invoice| &invoice.tax_code),
        &of(|invoice| invoice.name.vi.as_str()),
        &of(|invoice| invoice.name.en.as_str()),
        &taken.iter().map(|new| new.invoice.amount.minor()).collect::<Vec<_>>(),
        at,
        charged,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets a bill that is opened again charge what it charged before; one that is taken meanwhile violates
/// `seller_invoice_claim_once`.
pub async fn take_again(tx: &mut Tx, bill: Id<Bill>, invoices: &[&Invoice]) -> Result<()> {
    let (tax_codes, serials, numbers) = names(invoices);
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into seller_invoice_claim (tax_code, serial, number, bill_id, charged)
         select i.tax_code, i.serial, i.number, $1, true
         from unnest($2::text[], $3::text[], $4::text[]) as i (tax_code, serial, number)",
        bill.uuid(),
        &tax_codes,
        &serials,
        &numbers,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets go of invoices that a bill no longer charges; those that are only noted stay.
pub async fn let_go(tx: &mut Tx, bill: Id<Bill>, invoices: &[&Invoice]) -> Result<()> {
    let (tax_codes, serials, numbers) = names(invoices);
    if numbers.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "delete from seller_invoice_claim c
         using unnest($2::text[], $3::text[], $4::text[]) as i (tax_code, serial, number)
         where (c.tax_code, c.serial, c.number) = (i.tax_code, i.serial, i.number) and c.bill_id = $1 and c.charged",
        bill.uuid(),
        &tax_codes,
        &serials,
        &numbers,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The invoices that a bill charges or that are noted beside it, in the order in which they were.
pub async fn invoices(tx: &mut Tx, bill: Id<Bill>) -> Result<Vec<(Id<SellerInvoice>, Invoice)>> {
    let rows = sqlx::query!(
        "select i.id, i.number, i.serial, i.issued_on, i.tax_code, i.name_vi, i.name_en, i.amount from seller_invoice i
         join seller_invoice_claim c on (c.tax_code, c.serial, c.number) = (i.tax_code, i.serial, i.number)
             and c.bill_id = i.bill_id
         where i.bill_id = $1 and not exists (
             select from seller_invoice n where n.bill_id = i.bill_id and n.id > i.id
                 and (n.tax_code, n.serial, n.number) = (i.tax_code, i.serial, i.number))
         order by i.id limit 100",
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

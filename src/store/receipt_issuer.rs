//! Other issuers of receipts, and the receipts that they made.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Bill, Client, Id, Leaf, Payment},
    money::Money,
    secret::{Sealed, Secret},
};
use crate::payment::fee::FeeKind;
use std::collections::HashSet;
use uuid::Uuid;

/// Where an agency's receipts come from.
pub struct StoredIssuer {
    /// The address.
    pub url: String,
    /// What we present there, sealed.
    pub token: Sealed<Secret<Vec<u8>>>,
}

/// Sets the issuer of an agency's receipts.
pub async fn put(
    tx: &mut Tx,
    agency: Id<Agency>,
    issuer: &StoredIssuer,
    (client, at): (Id<Client>, Instant),
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO receipt_issuer (agency_id, url, token, key, since, client_id) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT receipt_issuer_once DO UPDATE
             SET url = excluded.url, token = excluded.token, key = excluded.key, since = excluded.since,
                 client_id = excluded.client_id",
        agency.uuid(),
        issuer.url,
        issuer.token.bytes(),
        issuer.token.key().cast_signed(),
        at,
        client.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An agency's receipts come from here again.
pub async fn remove(tx: &mut Tx, agency: Id<Agency>) -> Result<()> {
    sqlx::query!("DELETE FROM receipt_issuer WHERE agency_id = $1", agency.uuid()).execute(tx.conn()).await?;
    Ok(())
}

/// The issuer of an agency's receipts, if it is another.
pub async fn of_agency(tx: &mut Tx, agency: Id<Agency>) -> Result<Option<StoredIssuer>> {
    let row = sqlx::query!("SELECT url, token, key FROM receipt_issuer WHERE agency_id = $1", agency.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| StoredIssuer { url: row.url, token: Sealed::new(row.token, row.key.cast_unsigned()) }))
}

/// Which of these agencies have their receipts from another issuer.
pub async fn with_other(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<HashSet<Id<Agency>>> {
    let ids: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_scalar!("SELECT agency_id FROM receipt_issuer WHERE agency_id = any($1)", &ids)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}

/// A receipt that another issuer made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProvided {
    /// The bill.
    pub bill: Id<Bill>,
    /// Of which kind.
    pub kind: FeeKind,
    /// The payment.
    pub payment: Id<Payment>,
    /// The agency.
    pub agency: Id<Agency>,
    /// Its total.
    pub amount: Money,
    /// Form, series and number.
    pub named: (String, String, String),
    /// Where it may be looked up.
    pub lookup: String,
    /// When it was made, as the issuer says.
    pub issued_at: Instant,
    /// The leaf that records it.
    pub leaf: Id<Leaf>,
}

/// Keeps a receipt that another issuer made.
pub async fn insert_provided(tx: &mut Tx, provided: &StoredProvided, at: Instant) -> Result<()> {
    sqlx::query!(
        "INSERT INTO provided_receipt (bill_id, kind, payment_id, agency_id, amount, form, series, number, lookup,
                                       issued_at, recorded_at, leaf_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        provided.bill.uuid(),
        provided.kind.as_str(),
        provided.payment.uuid(),
        provided.agency.uuid(),
        provided.amount.minor(),
        provided.named.0,
        provided.named.1,
        provided.named.2,
        provided.lookup,
        provided.issued_at,
        at,
        provided.leaf.uuid()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A receipt of another issuer as answers name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvidedName {
    /// The bill.
    pub bill: Id<Bill>,
    /// Of which kind.
    pub kind: String,
    /// The form's number.
    pub form: String,
    /// The series.
    pub series: String,
    /// The number.
    pub number: String,
    /// Where it may be looked up.
    pub lookup: String,
}

/// The receipts that other issuers made for these bills.
pub async fn provided(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<Vec<ProvidedName>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT bill_id, kind, form, series, number, lookup FROM provided_receipt
         WHERE bill_id = any($1) ORDER BY kind DESC",
        &bills
    )
    .fetch_all(tx.conn())
    .await?;
    let named = rows.into_iter().map(|row| ProvidedName {
        bill: Id::from_uuid(row.bill_id),
        kind: row.kind,
        form: row.form,
        series: row.series,
        number: row.number,
        lookup: row.lookup,
    });
    Ok(named.collect())
}

//! Other issuers of receipts, and the receipts that they made.

use super::{Result, StoreError, Tx};
use crate::base::{
    clock::Instant,
    id::{Agency, Bill, Client, Id, Leaf, Payment, ReceiptIssuer},
    money::Money,
    secret::{Sealed, Secret},
};
use crate::payment::fee::FeeKind;
use std::collections::HashMap;
use uuid::Uuid;

/// Where an agency's receipts come from, or once came from.
pub struct StoredIssuer {
    /// The issuer.
    pub id: Id<ReceiptIssuer>,
    /// Whose receipts it makes.
    pub agency: Id<Agency>,
    /// The address.
    pub url: String,
    /// What we present there, sealed.
    pub token: Sealed<Secret<Vec<u8>>>,
}

/// An agency leaves every other issuer than the one at that address.
pub async fn leave(tx: &mut Tx, agency: Id<Agency>, but: Option<&str>, at: Instant) -> Result<()> {
    sqlx::query!(
        "UPDATE receipt_issuer SET ended_at = $3
         WHERE agency_id = $1 AND ended_at IS NULL AND url IS DISTINCT FROM $2",
        agency.uuid(),
        but,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Sets the issuer of an agency's receipts, which has left every other; one that it comes back to is the same.
pub async fn put(tx: &mut Tx, issuer: &StoredIssuer, (client, at): (Id<Client>, Instant)) -> Result<()> {
    sqlx::query!(
        "INSERT INTO receipt_issuer (id, agency_id, url, token, key, since, client_id) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ON CONSTRAINT receipt_issuer_once DO UPDATE
             SET token = excluded.token, key = excluded.key, since = excluded.since, ended_at = NULL,
                 client_id = excluded.client_id",
        issuer.id.uuid(),
        issuer.agency.uuid(),
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

/// An issuer by its identifier, or without one that of an agency's receipts now.
pub async fn find(
    tx: &mut Tx,
    id: Option<Id<ReceiptIssuer>>,
    agency: Id<Agency>,
) -> Result<Option<StoredIssuer>> {
    let row = sqlx::query!(
        "SELECT id, agency_id, url, token, key FROM receipt_issuer
         WHERE id = $1 OR ($1 IS NULL AND agency_id = $2 AND ended_at IS NULL)",
        id.map(Id::uuid),
        agency.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| StoredIssuer {
        id: Id::from_uuid(row.id),
        agency: Id::from_uuid(row.agency_id),
        url: row.url,
        token: Sealed::new(row.token, row.key.cast_unsigned()),
    }))
}

/// Which of these agencies have their receipts from another issuer, and from which.
pub async fn with_other(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
) -> Result<HashMap<Id<Agency>, Id<ReceiptIssuer>>> {
    let ids: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT agency_id, id FROM receipt_issuer WHERE agency_id = any($1) AND ended_at IS NULL",
        &ids
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.agency_id), Id::from_uuid(row.id))).collect())
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
    /// Who answers for it.
    pub agency: Id<Agency>,
    /// Whose charge was paid, as of the payment.
    pub owner: Id<Agency>,
    /// Who made it.
    pub issuer: Option<Id<ReceiptIssuer>>,
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
                                       issued_at, recorded_at, leaf_id, owner_id, issuer_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
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
        provided.leaf.uuid(),
        provided.owner.uuid(),
        provided.issuer.map(Id::uuid)
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
         WHERE bill_id = any($1) ORDER BY bill_id, kind DESC, owner_id",
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

/// A receipt of another issuer that may have to be adjusted.
pub struct Adjustable {
    /// Whose charge was paid.
    pub owner: Id<Agency>,
    /// Of which kind.
    pub kind: FeeKind,
    /// Who made it.
    pub issuer: Option<Id<ReceiptIssuer>>,
    /// Form, series and number.
    pub named: (String, String, String),
}

/// The receipts that other issuers made for a payment.
pub async fn of_payment(tx: &mut Tx, payment: Id<Payment>) -> Result<Vec<Adjustable>> {
    let rows = sqlx::query!(
        "SELECT owner_id, kind, issuer_id, form, series, number FROM provided_receipt WHERE payment_id = $1
         ORDER BY owner_id, kind",
        payment.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    let made = rows.into_iter().map(|row| {
        Ok(Adjustable {
            owner: Id::from_uuid(row.owner_id),
            kind: row.kind.parse().map_err(|_| StoreError::corrupt("provided_receipt", "kind", payment))?,
            issuer: row.issuer_id.map(Id::from_uuid),
            named: (row.form, row.series, row.number),
        })
    });
    made.collect()
}

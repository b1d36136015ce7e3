//! Which consents have had their one delivery.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Client, Consent, Id},
};

/// Notes a delivery; the second one of a consent violates `kyc_delivery_pkey`.
pub async fn insert(tx: &mut Tx, consent: Id<Consent>, client: Id<Client>, at: Instant) -> Result<()> {
    sqlx::query!(
        "INSERT INTO kyc_delivery (consent_id, client_id, at) VALUES ($1, $2, $3)",
        consent.uuid(),
        client.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

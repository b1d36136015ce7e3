//! Where citizens are reached beside the register. Both columns are sealed; only a flow opens them.

use super::{Result, Tx};
use crate::base::{
    clock::Instant,
    id::{Citizen, Id},
    secret::Sealed,
};
use crate::identity::notice::What;

/// Another phone.
pub enum SealedPhone {}
/// A mailbox.
pub enum SealedMail {}

/// A citizen's row.
#[derive(Debug, Clone, Default)]
pub struct StoredContact {
    /// The phone that stands before the register's.
    pub phone: Option<Sealed<SealedPhone>>,
    /// The mailbox for notices.
    pub mail: Option<Sealed<SealedMail>>,
}

/// Where a citizen is reached; nothing where they never said.
pub async fn find(tx: &mut Tx, citizen: Id<Citizen>) -> Result<StoredContact> {
    let row = sqlx::query!(
        "SELECT sealed_phone, sealed_mail, generation FROM contact WHERE citizen_id = $1",
        citizen.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map_or_else(StoredContact::default, |row| {
        let generation = row.generation.cast_unsigned();
        StoredContact {
            phone: row.sealed_phone.map(|bytes| Sealed::new(bytes, generation)),
            mail: row.sealed_mail.map(|bytes| Sealed::new(bytes, generation)),
        }
    }))
}

/// Puts another phone before the register's, or goes back to that.
pub async fn put_phone(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    phone: Option<&Sealed<SealedPhone>>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO contact (citizen_id, sealed_phone, phone_since, generation)
           VALUES ($1, $2, CASE WHEN $2::bytea IS NULL THEN NULL ELSE $3::timestamptz END, $4)
           ON CONFLICT (citizen_id) DO UPDATE SET sealed_phone = EXCLUDED.sealed_phone,
               phone_since = EXCLUDED.phone_since, generation = EXCLUDED.generation"#,
        citizen.uuid(),
        phone.map(Sealed::bytes),
        at,
        phone.map_or(0, |sealed| sealed.key().cast_signed())
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Whether the phone that stands before the register's was put there by a recovery at a counter, which told of itself at
/// the same moment.
pub async fn is_recovered(tx: &mut Tx, citizen: Id<Citizen>) -> Result<bool> {
    let recovered = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM contact c JOIN notice n ON n.citizen_id = c.citizen_id AND n.at = c.phone_since
                          WHERE c.citizen_id = $1 AND n.what = $2) AS "recovered!""#,
        citizen.uuid(),
        What::Recovered.word()
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(recovered)
}

/// Sets or forgets the mailbox.
pub async fn put_mail(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    mail: Option<&Sealed<SealedMail>>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO contact (citizen_id, sealed_mail, mail_since, generation)
           VALUES ($1, $2, CASE WHEN $2::bytea IS NULL THEN NULL ELSE $3::timestamptz END, $4)
           ON CONFLICT (citizen_id) DO UPDATE SET sealed_mail = EXCLUDED.sealed_mail,
               mail_since = EXCLUDED.mail_since, generation = EXCLUDED.generation"#,
        citizen.uuid(),
        mail.map(Sealed::bytes),
        at,
        mail.map_or(0, |sealed| sealed.key().cast_signed())
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

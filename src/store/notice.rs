//! What citizens were told about their identity, and what they disowned.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Citizen, Id},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::identity::notice::What;
use uuid::Uuid;

/// Which portal, which way: JSON under the citizen's key.
pub enum Details {}

/// A notice as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredNotice {
    /// Its identifier.
    pub id: Id<id::Notice>,
    /// Who was told.
    pub citizen: Id<Citizen>,
    /// What happened.
    pub what: What,
    /// When.
    pub at: Instant,
    /// The details.
    pub details: Sealed<Details>,
    /// The way that it is about.
    pub way: Option<Id<id::Authenticator>>,
    /// When it was disowned.
    pub disowned_at: Option<Instant>,
}

/// Keeps a notice with the digest of its code, and of the phone that an SMS goes to.
pub async fn insert(tx: &mut Tx, notice: &StoredNotice, code: &Digest, phone: Option<&Digest>) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO notice (id, citizen_id, what, at, sealed, generation, code_digest, phone_hash, authenticator_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        notice.id.uuid(),
        notice.citizen.uuid(),
        notice.what.word(),
        notice.at,
        notice.details.bytes(),
        notice.details.key().cast_signed(),
        code.as_slice(),
        phone.map(Digest::as_slice),
        notice.way.map(Id::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The newest notices of a citizen.
pub async fn of_citizen(tx: &mut Tx, citizen: Id<Citizen>, most: i64) -> Result<Vec<StoredNotice>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, what, at, sealed, generation, authenticator_id, disowned_at
           FROM notice WHERE citizen_id = $1 ORDER BY id DESC LIMIT $2"#,
        citizen.uuid(),
        most
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The notice of that code, told since then and not disowned yet; `phone`, where it came by SMS, must be the one that it
/// was sent to.
pub async fn find_by_code(
    tx: &mut Tx,
    code: &Digest,
    phone: Option<&Digest>,
    since: Instant,
) -> Result<Option<StoredNotice>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, what, at, sealed, generation, authenticator_id, disowned_at
           FROM notice WHERE code_digest = $1 AND coalesce(phone_hash = $2, $2::bytea IS NULL)
               AND at >= $3 AND disowned_at IS NULL FOR UPDATE"#,
        code.as_slice(),
        phone.map(Digest::as_slice),
        since
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The notice of a citizen.
pub async fn find(tx: &mut Tx, citizen: Id<Citizen>, id: Id<id::Notice>) -> Result<Option<StoredNotice>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, what, at, sealed, generation, authenticator_id, disowned_at
           FROM notice WHERE id = $1 AND citizen_id = $2 FOR UPDATE"#,
        id.uuid(),
        citizen.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// What was told by SMS to a phone since then and is not disowned, the newest of each citizen.
pub async fn told_to(tx: &mut Tx, phone: &Digest, since: Instant) -> Result<Vec<StoredNotice>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT DISTINCT ON (citizen_id) id, citizen_id, what, at, sealed, generation, authenticator_id, disowned_at
           FROM notice WHERE phone_hash = $1 AND at >= $2 AND disowned_at IS NULL
           ORDER BY citizen_id, at DESC, id DESC"#,
        phone.as_slice(),
        since
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Marks a notice as disowned; false when it was before.
pub async fn disown(tx: &mut Tx, id: Id<id::Notice>, via: &'static str, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE notice SET disowned_at = $2, disowned_via = $3 WHERE id = $1 AND disowned_at IS NULL",
        id.uuid(),
        at,
        via
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

struct Raw {
    id: Uuid,
    citizen_id: Uuid,
    what: String,
    at: Instant,
    sealed: Vec<u8>,
    generation: i32,
    authenticator_id: Option<Uuid>,
    disowned_at: Option<Instant>,
}

impl TryFrom<Raw> for StoredNotice {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id = Id::from_uuid(raw.id);
        let what = What::ALL.into_iter().find(|what| what.word() == raw.what);
        Ok(Self {
            id,
            citizen: Id::from_uuid(raw.citizen_id),
            what: what.ok_or_else(|| StoreError::corrupt("notice", "what", id))?,
            at: raw.at,
            details: Sealed::new(raw.sealed, raw.generation.cast_unsigned()),
            way: raw.authenticator_id.map(Id::from_uuid),
            disowned_at: raw.disowned_at,
        })
    }
}

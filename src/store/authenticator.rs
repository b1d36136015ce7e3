//! What citizens enrolled to sign in with. Names, credentials and secrets are sealed; only a flow opens them.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Citizen, Id},
    secret::Sealed,
};
use crate::crypto::digest::Digest;
use crate::identity::authenticator::Kind;
use uuid::Uuid;

/// What the citizen calls it.
pub enum Name {}
/// The credential of a passkey, or the secret of an app.
pub enum Material {}

/// An authenticator as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredAuthenticator {
    /// Its identifier.
    pub id: Id<id::Authenticator>,
    /// Whose it is.
    pub citizen: Id<Citizen>,
    /// What it is.
    pub kind: Kind,
    /// What the citizen calls it.
    pub name: Sealed<Name>,
    /// The credential or the secret.
    pub material: Sealed<Material>,
    /// By what a passkey's answer finds it.
    pub credential_hash: Option<Digest>,
    /// The last step of an app whose code was used.
    pub last_step: Option<i64>,
    /// When it was enrolled.
    pub enrolled_at: Instant,
    /// By what kind of session, or at a counter.
    pub enrolled_by: String,
    /// From when on it has its full strength.
    pub trusted_from: Instant,
    /// When somebody last signed in with it.
    pub last_used_at: Option<Instant>,
}

/// Keeps a new one; false when that passkey is enrolled already.
pub async fn insert(tx: &mut Tx, new: &StoredAuthenticator) -> Result<bool> {
    let done = sqlx::query!(
        r#"INSERT INTO authenticator (id, citizen_id, kind, sealed_name, sealed, generation, credential_hash, last_step,
               enrolled_at, enrolled_by, trusted_from)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
           ON CONFLICT (credential_hash) DO NOTHING"#,
        new.id.uuid(),
        new.citizen.uuid(),
        new.kind.word(),
        new.name.bytes(),
        new.material.bytes(),
        new.material.key().cast_signed(),
        new.credential_hash.as_ref().map(Digest::as_slice),
        new.last_step,
        new.enrolled_at,
        new.enrolled_by,
        new.trusted_from
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// What a citizen can sign in with, the oldest first.
pub async fn of_citizen(tx: &mut Tx, citizen: Id<Citizen>) -> Result<Vec<StoredAuthenticator>> {
    let rows = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, kind, sealed_name, sealed, generation, credential_hash, last_step, enrolled_at,
                  enrolled_by, trusted_from, last_used_at
           FROM authenticator WHERE citizen_id = $1 AND removed_at IS NULL ORDER BY id"#,
        citizen.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The passkey that names itself so; nobody else uses it before this transaction ends.
pub async fn find_passkey(tx: &mut Tx, credential_hash: &Digest) -> Result<Option<StoredAuthenticator>> {
    let row = sqlx::query_as!(
        Raw,
        r#"SELECT id, citizen_id, kind, sealed_name, sealed, generation, credential_hash, last_step, enrolled_at,
                  enrolled_by, trusted_from, last_used_at
           FROM authenticator WHERE credential_hash = $1 AND removed_at IS NULL FOR UPDATE"#,
        credential_hash.as_slice()
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Records a use of a passkey, with its credential as it is now; false when it was removed meanwhile.
pub async fn use_passkey(
    tx: &mut Tx,
    id: Id<id::Authenticator>,
    material: &Sealed<Material>,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE authenticator SET sealed = $2, generation = $3, last_used_at = $4
         WHERE id = $1 AND removed_at IS NULL",
        id.uuid(),
        material.bytes(),
        material.key().cast_signed(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Records the use of an app's step; false when that step or a later one was used before, or the app was removed.
pub async fn use_step(tx: &mut Tx, id: Id<id::Authenticator>, step: i64, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE authenticator SET last_step = $2, last_used_at = $3
         WHERE id = $1 AND removed_at IS NULL AND coalesce(last_step < $2, true)",
        id.uuid(),
        step,
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Gives it another name; false when it is not this citizen's, or removed.
pub async fn rename(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    id: Id<id::Authenticator>,
    name: &Sealed<Name>,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE authenticator SET sealed_name = $3 WHERE id = $1 AND citizen_id = $2 AND removed_at IS NULL",
        id.uuid(),
        citizen.uuid(),
        name.bytes()
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Ends it; false when it is not this citizen's, or was ended before.
pub async fn remove(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    id: Id<id::Authenticator>,
    by: &'static str,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE authenticator SET removed_at = $3, removed_by = $4
         WHERE id = $1 AND citizen_id = $2 AND removed_at IS NULL",
        id.uuid(),
        citizen.uuid(),
        at,
        by
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Ends every one of a citizen; answers how many.
pub async fn remove_all(tx: &mut Tx, citizen: Id<Citizen>, by: &'static str, at: Instant) -> Result<u64> {
    let done = sqlx::query!(
        "UPDATE authenticator SET removed_at = $2, removed_by = $3 WHERE citizen_id = $1 AND removed_at IS NULL",
        citizen.uuid(),
        at,
        by
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Brings every one of a citizen to its full strength.
pub async fn trust_all(tx: &mut Tx, citizen: Id<Citizen>, at: Instant) -> Result<u64> {
    let done = sqlx::query!(
        "UPDATE authenticator SET trusted_from = $2
         WHERE citizen_id = $1 AND removed_at IS NULL AND trusted_from > $2",
        citizen.uuid(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

struct Raw {
    id: Uuid,
    citizen_id: Uuid,
    kind: String,
    sealed_name: Vec<u8>,
    sealed: Vec<u8>,
    generation: i32,
    credential_hash: Option<Vec<u8>>,
    last_step: Option<i64>,
    enrolled_at: Instant,
    enrolled_by: String,
    trusted_from: Instant,
    last_used_at: Option<Instant>,
}

impl TryFrom<Raw> for StoredAuthenticator {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("authenticator", column, id);
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == raw.kind);
        let hash = raw.credential_hash.map(Digest::try_from).transpose();
        let generation = raw.generation.cast_unsigned();
        Ok(Self {
            id,
            citizen: Id::from_uuid(raw.citizen_id),
            kind: kind.ok_or_else(|| corrupt("kind"))?,
            name: Sealed::new(raw.sealed_name, generation),
            material: Sealed::new(raw.sealed, generation),
            credential_hash: hash.map_err(|_| corrupt("credential_hash"))?,
            last_step: raw.last_step,
            enrolled_at: raw.enrolled_at,
            enrolled_by: raw.enrolled_by,
            trusted_from: raw.trusted_from,
            last_used_at: raw.last_used_at,
        })
    }
}

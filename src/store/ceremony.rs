//! What was begun and awaits its other half.

use super::{Result, Tx};
use crate::base::clock::Instant;
use uuid::Uuid;

/// What a ceremony is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A passkey that signs somebody in.
    SignIn,
    /// A new passkey.
    Passkey,
    /// A new app.
    App,
    /// Another phone.
    Phone,
    /// Another mailbox.
    Mail,
}

impl Purpose {
    /// Its name in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Passkey => "passkey",
            Self::App => "app",
            Self::Phone => "phone",
            Self::Mail => "mail",
        }
    }
}

/// A ceremony that awaits its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceremony {
    /// What the answer is held against.
    pub state: Vec<u8>,
    /// The generation of its seal; 0 where there is none.
    pub generation: u32,
    /// How many wrong answers it bears.
    pub tries_left: u8,
    /// When it is worthless.
    pub expires_at: Instant,
}

/// Begins a ceremony, in place of one of the same purpose.
pub async fn begin(tx: &mut Tx, owner: Uuid, purpose: Purpose, ceremony: &Ceremony) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO ceremony (owner, purpose, state, generation, tries_left, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (owner, purpose) DO UPDATE SET state = EXCLUDED.state, generation = EXCLUDED.generation,
               tries_left = EXCLUDED.tries_left, expires_at = EXCLUDED.expires_at"#,
        owner,
        purpose.word(),
        ceremony.state,
        ceremony.generation.cast_signed(),
        i16::from(ceremony.tries_left),
        ceremony.expires_at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The ceremony of that owner and purpose, if it still holds; nobody else answers it before this transaction ends.
pub async fn find(tx: &mut Tx, owner: Uuid, purpose: Purpose, now: Instant) -> Result<Option<Ceremony>> {
    let row = sqlx::query!(
        r#"SELECT state, generation, tries_left, expires_at FROM ceremony
           WHERE owner = $1 AND purpose = $2 AND expires_at > $3 AND tries_left > 0 FOR UPDATE"#,
        owner,
        purpose.word(),
        now
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| Ceremony {
        state: row.state,
        generation: row.generation.cast_unsigned(),
        tries_left: u8::try_from(row.tries_left).unwrap_or(0),
        expires_at: row.expires_at,
    }))
}

/// One wrong answer.
pub async fn miss(tx: &mut Tx, owner: Uuid, purpose: Purpose) -> Result<()> {
    sqlx::query!(
        "UPDATE ceremony SET tries_left = tries_left - 1 WHERE owner = $1 AND purpose = $2 AND tries_left > 0",
        owner,
        purpose.word()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends a ceremony: it is answered.
pub async fn end(tx: &mut Tx, owner: Uuid, purpose: Purpose) -> Result<()> {
    sqlx::query!("DELETE FROM ceremony WHERE owner = $1 AND purpose = $2", owner, purpose.word())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Forgets ceremonies whose time ended before `before`.
pub async fn forget(tx: &mut Tx, before: Instant) -> Result<u64> {
    let done = sqlx::query!("DELETE FROM ceremony WHERE expires_at < $1", before).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

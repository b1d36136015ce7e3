//! What clients do wrong, what is about to end, and the map from a predecessor's subjects to its successor's.

use super::{Result, Store, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::identity::pseudonym::{Sector, Subject};
use uuid::Uuid;

/// The last refusal of a step.
pub struct Refused {
    /// The step.
    pub step: String,
    /// When.
    pub refused_at: Instant,
    /// The error code.
    pub code: String,
    /// The reason that was told.
    pub reason: String,
}

/// Notes a refusal, unless one of that step was noted within the second.
pub async fn note_refusal(
    store: &Store,
    client: Id<id::Client>,
    step: &str,
    (code, reason): (&str, &str),
    now: Instant,
) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO client_refusal (client_id, step, refused_at, code, reason)
           SELECT id, $2, $3, $4, $5 FROM client WHERE id = $1
           ON CONFLICT (client_id, step) DO UPDATE SET refused_at = EXCLUDED.refused_at, code = EXCLUDED.code,
               reason = EXCLUDED.reason, count = client_refusal.count + 1
           WHERE client_refusal.refused_at <= $6"#,
        client.uuid(),
        step,
        now,
        code,
        reason,
        now - time::Duration::SECOND
    )
    .execute(&store.pool)
    .await?;
    Ok(())
}

/// The last refusal of each step of a client.
pub async fn refusals(tx: &mut Tx, client: Id<id::Client>) -> Result<Vec<Refused>> {
    let rows = sqlx::query_as!(
        Refused,
        "SELECT step, refused_at, code, reason FROM client_refusal WHERE client_id = $1 ORDER BY step",
        client.uuid()
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// When a client last got tokens about a citizen.
pub async fn last_exchange(tx: &mut Tx, client: Id<id::Client>) -> Result<Option<Instant>> {
    let at = sqlx::query_scalar!(
        r#"SELECT exchanged_at FROM "authorization" WHERE client_id = $1 AND exchanged_at IS NOT NULL
           ORDER BY exchanged_at DESC LIMIT 1"#,
        client.uuid()
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(at.flatten())
}

/// A registration or a key that ends.
pub struct Ending {
    /// The client.
    pub client: Id<id::Client>,
    /// Its agency.
    pub agency: Id<id::Agency>,
    /// The key; `None` for the registration.
    pub kid: Option<String>,
    /// When it ends.
    pub ends_at: Instant,
}

/// Registrations and keys of active clients that end between these moments.
pub async fn ending(tx: &mut Tx, from: Instant, to: Instant) -> Result<Vec<Ending>> {
    let rows = sqlx::query!(
        r#"SELECT c.id AS "id!", c.agency_id AS "agency!", NULL::text AS kid, c.expires_at AS "ends_at!"
           FROM client c WHERE c.state = 'active' AND c.expires_at > $1 AND c.expires_at <= $2
           UNION ALL
           SELECT c.id, c.agency_id, k.kid, k.expires_at
           FROM client_key k JOIN client c ON c.id = k.client_id
           WHERE c.state = 'active' AND k.revoked_at IS NULL AND k.expires_at > $1 AND k.expires_at <= $2"#,
        from,
        to
    )
    .fetch_all(tx.conn())
    .await?;
    let ending = rows.into_iter().map(|row| Ending {
        client: Id::from_uuid(row.id),
        agency: Id::from_uuid(row.agency),
        kid: row.kid,
        ends_at: row.ends_at,
    });
    Ok(ending.collect())
}

/// Notes that a warning was given; false when it was before.
pub async fn note_warning(tx: &mut Tx, ending: &Ending, days: i16, now: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO client_warning (client_id, kid, ends_at, days, told_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        ending.client.uuid(),
        ending.kid.as_deref().unwrap_or_default(),
        ending.ends_at,
        days,
        now
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// A citizen by a predecessor's name, and by the successor's if it has one already.
pub struct Renamed {
    /// The citizen.
    pub citizen: Id<id::Citizen>,
    /// The old name.
    pub old: Subject,
    /// The new name.
    pub new: Option<Subject>,
}

/// Whoever agreed to sign in at a predecessor, by the names of both sectors; at most so many.
pub async fn renamed(
    tx: &mut Tx,
    predecessor: Id<id::Client>,
    from: &Sector,
    to: &Sector,
    most: i64,
) -> Result<Vec<Renamed>> {
    let rows = sqlx::query!(
        r#"SELECT o.citizen_id, o.subject AS old, n.subject AS "new?"
           FROM pseudonym o LEFT JOIN pseudonym n ON n.citizen_id = o.citizen_id AND n.sector = $3
           WHERE o.sector = $2
             AND EXISTS (SELECT 1 FROM consent c WHERE c.citizen_id = o.citizen_id AND c.client_id = $1)
           ORDER BY o.subject LIMIT $4"#,
        predecessor.uuid(),
        from.as_str(),
        to.as_str(),
        most
    )
    .fetch_all(tx.conn())
    .await?;
    let read = |text: &str, citizen: Uuid| {
        text.parse::<Subject>().map_err(|_| StoreError::corrupt("pseudonym", "subject", citizen))
    };
    let all = rows.into_iter().map(|row| {
        Ok(Renamed {
            citizen: Id::from_uuid(row.citizen_id),
            old: read(&row.old, row.citizen_id)?,
            new: row.new.as_deref().map(|text| read(text, row.citizen_id)).transpose()?,
        })
    });
    all.collect()
}

/// Gives citizens names in a sector where they had none.
pub async fn name_all(
    tx: &mut Tx,
    sector: &Sector,
    names: &[(Id<id::Citizen>, &Subject)],
    at: Instant,
) -> Result<()> {
    let citizens: Vec<Uuid> = names.iter().map(|(citizen, _)| citizen.uuid()).collect();
    let subjects: Vec<&str> = names.iter().map(|(_, subject)| subject.as_str()).collect();
    sqlx::query!(
        r#"INSERT INTO pseudonym (citizen_id, sector, subject, drawn_at)
           SELECT t.citizen, $3, t.subject, $4 FROM unnest($1::uuid[], $2::text[]) AS t (citizen, subject)"#,
        &citizens,
        &subjects as &[&str],
        sector.as_str(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a map was handed out; false when it was before.
pub async fn note_map(
    tx: &mut Tx,
    successor: Id<id::Client>,
    predecessor: Id<id::Client>,
    subjects: i64,
    at: Instant,
) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO subject_map (successor, predecessor, made_at, subjects) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        successor.uuid(),
        predecessor.uuid(),
        at,
        subjects
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

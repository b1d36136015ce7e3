//! Sign-ins at a counter: the rest of their row, what waits for a citizen, and what an officer started.

use super::{
    Result, StoreError, Tx,
    authorization::{self, Bound},
    moved_one,
};
use crate::base::{
    clock::Instant,
    id::{self, Id},
    text::Line,
};
use crate::crypto::digest::Digest;
use crate::identity::{authorization::Errand, client::Wording, counter::Progress, profile::Resource};

/// What else stands in the row of a sign-in at a counter.
pub struct AtDesk<'a> {
    /// The digest of the name by which its client asks for it.
    pub poll: &'a Digest,
    /// Whether the citizen's phone is asked.
    pub asks_phone: bool,
    /// The officer who started it on a page.
    pub officer: Option<Id<id::Citizen>>,
}

/// Begins a sign-in at a counter.
pub async fn insert_counter(tx: &mut Tx, bound: &Bound, desk: &AtDesk<'_>) -> Result<()> {
    let authorization = &bound.authorization;
    let Errand::Counter { client, request } = &authorization.errand else {
        return authorization::insert(tx, bound, None).await;
    };
    let scopes: Vec<&str> = request.scopes.iter().map(|s| s.word()).collect();
    let claims: Vec<&str> = request.asked.iter().map(|c| c.name()).collect();
    sqlx::query!(
        r#"INSERT INTO "authorization" (id, client_id, scopes, claims, acr_least, acr_aim, browser_digest, started_at,
               expires_at, state, resource, poll_digest, binding_message, expects_citizen, asks_phone, officer_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"#,
        authorization.id.uuid(),
        client.uuid(),
        &scopes as &[&str],
        &claims as &[&str],
        request.demand.least.acr(),
        request.demand.aim.acr(),
        bound.browser.as_slice(),
        authorization.started_at,
        authorization.expires_at,
        authorization.state.word(),
        request.resource.as_ref().map(Resource::as_str),
        desk.poll.as_slice(),
        request.message.as_str(),
        request.citizen.map(Id::uuid),
        desk.asks_phone,
        desk.officer.map(Id::uuid)
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Notes that a client asked; false when it had asked after `since`.
pub async fn polled(tx: &mut Tx, id: Id<id::Authorization>, now: Instant, since: Instant) -> Result<bool> {
    let done = sqlx::query!(
        r#"UPDATE "authorization" SET polled_at = $2 WHERE id = $1 AND coalesce(polled_at <= $3, true)"#,
        id.uuid(),
        now,
        since
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Ties a sign-in at a counter to the browser of the citizen who takes it up.
pub async fn take_up(tx: &mut Tx, id: Id<id::Authorization>, browser: &Digest) -> Result<()> {
    sqlx::query!(
        r#"UPDATE "authorization" SET browser_digest = $2 WHERE id = $1"#,
        id.uuid(),
        browser.as_slice()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A request from a counter that waits for its citizen.
pub struct AtCounter {
    /// Which sign-in.
    pub authorization: Id<id::Authorization>,
    /// Whose system asks.
    pub portal: Wording,
    /// What it signs citizens in for.
    pub purpose: Wording,
    /// What officer and citizen both see.
    pub message: Line<60>,
    /// Until when it waits.
    pub expires_at: Instant,
}

/// What waits for a citizen, the oldest first: on their own page what their phone was asked, at an agency's counter
/// everything that was started there.
pub async fn waiting_for(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    counter: Option<Id<id::Agency>>,
    now: Instant,
) -> Result<Vec<AtCounter>> {
    let rows = sqlx::query!(
        r#"SELECT a.id, a.binding_message AS "message!", a.expires_at, c.name_vi, c.name_en,
                  coalesce(c.purpose_vi, c.name_vi) AS "purpose_vi!", coalesce(c.purpose_en, c.name_en) AS "purpose_en!"
           FROM "authorization" a JOIN client c ON c.id = a.client_id JOIN agency g ON g.id = c.agency_id
           WHERE a.expects_citizen = $1 AND a.state IN ('started', 'confirmed') AND a.expires_at > $2
             AND c.state = 'active' AND g.state = 'active'
             AND CASE WHEN $3::uuid IS NULL THEN a.asks_phone ELSE c.agency_id = $3 END
           ORDER BY a.started_at, a.id LIMIT 50"#,
        citizen.uuid(),
        now,
        counter.map(Id::uuid)
    )
    .fetch_all(tx.conn())
    .await?;
    let read = |id, message: &str, expires_at, [name, purpose]: [(&str, &str); 2]| {
        Some(AtCounter {
            authorization: Id::from_uuid(id),
            portal: wording(name)?,
            purpose: wording(purpose)?,
            message: Line::parse(message).ok()?,
            expires_at,
        })
    };
    let all = rows.into_iter().map(|row| {
        let texts = [(&*row.name_vi, &*row.name_en), (&*row.purpose_vi, &*row.purpose_en)];
        read(row.id, &row.message, row.expires_at, texts)
            .ok_or_else(|| StoreError::corrupt("authorization", "binding_message", row.id))
    });
    all.collect()
}

fn wording((vi, en): (&str, &str)) -> Option<Wording> {
    Some(Wording { vi: Line::parse(vi).ok()?, en: Line::parse(en).ok()? })
}

/// A sign-in that an officer started on a page.
pub struct Started {
    /// The portal that it is for.
    pub portal: Wording,
    /// What officer and citizen both see.
    pub message: Line<60>,
    /// When.
    pub at: Instant,
    /// How far it is.
    pub progress: Progress,
}

/// The sign-ins that an officer started on a page, the newest first.
pub async fn started_by(
    tx: &mut Tx,
    officer: Id<id::Citizen>,
    most: i64,
    now: Instant,
) -> Result<Vec<Started>> {
    let rows = sqlx::query!(
        r#"SELECT a.id, a.binding_message AS "message!", a.started_at, a.state, (a.expires_at <= $3) AS "late!",
                  c.name_vi, c.name_en
           FROM "authorization" a JOIN client c ON c.id = a.client_id
           WHERE a.officer_id = $1 ORDER BY a.started_at DESC, a.id DESC LIMIT $2"#,
        officer.uuid(),
        most,
        now
    )
    .fetch_all(tx.conn())
    .await?;
    let all = rows.into_iter().map(|row| {
        let read = || {
            Some(Started {
                portal: wording((&row.name_vi, &row.name_en))?,
                message: Line::parse(&row.message).ok()?,
                at: row.started_at,
                progress: Progress::of(&row.state, row.late),
            })
        };
        read().ok_or_else(|| StoreError::corrupt("authorization", "binding_message", row.id))
    });
    all.collect()
}

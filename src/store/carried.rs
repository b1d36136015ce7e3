//! Sign-ins without a page: what decides on many of them at once, and the rows of those whose codes are exchanged.

use super::{Result, Store, StoreError, Tx, consent, register::RegisterRow, session};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::{digest::Digest, seal::WrappedKey};
use crate::identity::{
    carried::{Redemption, Silent},
    consent::Consent,
    profile::Resource,
    pseudonym::Subject,
    session::Session,
};
use std::collections::HashSet;
use uuid::Uuid;

/// Whoever is at a browser, as a portal's request finds them.
pub struct Present {
    /// The session, ended or not.
    pub session: Session,
    /// Whether client and agency are active.
    pub active: bool,
    /// The person's row in the register.
    pub holder: Option<RegisterRow>,
    /// The name by which the portal's sector knows them.
    pub subject: Option<Subject>,
    /// Their latest decision about the portal, made in person.
    pub consent: Option<Consent>,
}

/// Who is there for each request, in order: one statement for all who wait.
pub async fn present(store: &Store, asked: &[Silent], now: Instant) -> Result<Vec<Option<Present>>> {
    let cookies: Vec<&[u8]> = asked.iter().map(|silent| silent.cookie.as_slice()).collect();
    let clients: Vec<Uuid> = asked.iter().map(|silent| silent.client.id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT a.place AS "place!", s.id AS "session_id!", s.citizen_id AS "citizen_id!", s.method AS "method!",
                  s.reached AS "reached!", s.authenticated_at AS "authenticated_at!", s.expires_at AS "expires_at!",
                  s.ended_at AS "ended_at?", c.active AS "active?", p.subject AS "subject?",
                  r.wrapped_key AS "wrapped_key?", r.key_generation AS "key_generation?", r.sealed AS "sealed?",
                  r.record_hash AS "record_hash?", r.copied_at AS "copied_at?", r.has_locks AS "has_locks?",
                  k.id AS "consent_id?", k.notified AS "notified?", k.allowed AS "allowed?", k.given_at AS "given_at?",
                  k.withdrawn_at AS "withdrawn_at?"
           FROM unnest($1::bytea[], $2::uuid[]) WITH ORDINALITY AS a (cookie, client_id, place)
           JOIN LATERAL (
               SELECT id, citizen_id, method, reached, authenticated_at, expires_at, ended_at
               FROM session WHERE digest = a.cookie LIMIT 1) s ON true
           LEFT JOIN LATERAL (
               SELECT (c.state = 'active' AND g.state = 'active' AND coalesce(c.expires_at > $3, true)) AS active,
                      ARRAY[c.sector] || c.inherits AS sectors
               FROM client c JOIN agency g ON g.id = c.agency_id WHERE c.id = a.client_id LIMIT 1) c ON true
           LEFT JOIN LATERAL (
               SELECT wrapped_key, key_generation, sealed, record_hash, copied_at,
                      EXISTS (SELECT FROM citizen_lock l WHERE l.citizen_id = s.citizen_id AND l.lifted_at IS NULL)
                          AS has_locks
               FROM register_person WHERE citizen_id = s.citizen_id LIMIT 1) r ON true
           LEFT JOIN LATERAL (
               SELECT subject FROM pseudonym WHERE citizen_id = s.citizen_id AND sector = ANY (c.sectors)
               ORDER BY array_position(c.sectors, sector) LIMIT 1) p ON true
           LEFT JOIN LATERAL (
               SELECT id, notified, allowed, given_at, withdrawn_at FROM consent
               WHERE citizen_id = s.citizen_id AND client_id = a.client_id AND actor_id IS NULL
               ORDER BY given_at DESC, id DESC LIMIT 1) k ON true"#,
        &cookies as &[&[u8]],
        &clients,
        now
    )
    .fetch_all(&store.pool)
    .await?;
    let mut found: Vec<Option<Present>> = asked.iter().map(|_| None).collect();
    for row in rows {
        let at = place(row.place).filter(|at| *at < found.len());
        let at = at.ok_or_else(|| StoreError::corrupt("session", "place", row.session_id))?;
        let session = session::Raw {
            id: row.session_id,
            citizen_id: row.citizen_id,
            method: row.method,
            reached: row.reached,
            authenticated_at: row.authenticated_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
        };
        let holder = Registered {
            wrapped_key: row.wrapped_key,
            key_generation: row.key_generation,
            sealed: row.sealed,
            record_hash: row.record_hash,
            copied_at: row.copied_at,
            has_locks: row.has_locks,
        };
        let consent = match (row.consent_id, row.notified, row.allowed, row.given_at) {
            (Some(id), Some(notified), Some(allowed), Some(given_at)) => Some(
                consent::Raw {
                    id,
                    citizen_id: row.citizen_id,
                    client_id: clients[at],
                    notified,
                    allowed,
                    given_at,
                    withdrawn_at: row.withdrawn_at,
                }
                .try_into()?,
            ),
            _ => None,
        };
        found[at] = Some(Present {
            active: row.active.unwrap_or(false),
            holder: holder.row(row.citizen_id)?,
            subject: subject(row.subject, row.citizen_id)?,
            consent,
            session: session.try_into()?,
        });
    }
    Ok(found)
}

/// What may have ended since a code was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// The person, the session and the consent are there.
    pub whole: bool,
    /// The session has ended, or else the newest of those that the same person put in its place.
    pub signed_out: bool,
    /// The consent was taken back.
    pub withdrawn: bool,
}

/// Keeps new locks, the end of sessions and the withdrawal of consents off until this transaction ends, and tells how
/// each stands. The citizens come in ascending order, so that two writers never wait for each other.
pub async fn hold(
    tx: &mut Tx,
    of: impl Iterator<Item = (Id<id::Citizen>, Id<id::Session>, Id<id::Consent>)> + Clone,
) -> Result<Vec<Held>> {
    let citizens: Vec<Uuid> = of.clone().map(|(citizen, ..)| citizen.uuid()).collect();
    let sessions: Vec<Uuid> = of.clone().map(|(_, session, _)| session.uuid()).collect();
    let consents: Vec<Uuid> = of.map(|(.., consent)| consent.uuid()).collect();
    let rows = sqlx::query_as!(
        Held,
        r#"SELECT (c.id IS NOT NULL AND s.id IS NOT NULL AND k.id IS NOT NULL) AS "whole!",
                  (s.ended_at IS NOT NULL AND s.replaced_by IS NULL) AS "signed_out!",
                  (k.withdrawn_at IS NOT NULL) AS "withdrawn!"
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) WITH ORDINALITY
                AS a (citizen_id, session_id, consent_id, place)
           LEFT JOIN LATERAL (SELECT id FROM citizen WHERE id = a.citizen_id FOR SHARE) c ON true
           LEFT JOIN LATERAL (
               SELECT id, ended_at, replaced_by FROM session WHERE id = (
                   WITH RECURSIVE line (id, replaced_by) AS (
                       SELECT id, replaced_by FROM session WHERE id = a.session_id
                       UNION ALL
                       SELECT n.id, n.replaced_by FROM line JOIN LATERAL (
                           SELECT id, replaced_by FROM session WHERE id = line.replaced_by LIMIT 1) n ON true)
                   SELECT id FROM line WHERE replaced_by IS NULL) FOR SHARE) s ON true
           LEFT JOIN LATERAL (
               SELECT id, withdrawn_at FROM consent WHERE id = a.consent_id FOR SHARE) k ON true
           ORDER BY a.place"#,
        &citizens,
        &sessions,
        &consents
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// How client and person of a grant stand.
pub struct Standing {
    /// Whether client and agency are active.
    pub active: bool,
    /// The person's row in the register.
    pub holder: Option<RegisterRow>,
    /// The name by which the portal's sector knows them.
    pub subject: Option<Subject>,
}

/// How client and person of each grant stand, in order: one statement.
pub async fn standings(
    tx: &mut Tx,
    of: impl Iterator<Item = (Id<id::Citizen>, Id<id::Client>)> + Clone,
    now: Instant,
) -> Result<Vec<Standing>> {
    let citizens: Vec<Uuid> = of.clone().map(|(citizen, _)| citizen.uuid()).collect();
    let clients: Vec<Uuid> = of.map(|(_, client)| client.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT a.citizen_id AS "citizen_id!", c.active AS "active?", p.subject AS "subject?",
                  r.wrapped_key AS "wrapped_key?", r.key_generation AS "key_generation?", r.sealed AS "sealed?",
                  r.record_hash AS "record_hash?", r.copied_at AS "copied_at?", r.has_locks AS "has_locks?"
           FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS a (citizen_id, client_id, place)
           LEFT JOIN LATERAL (
               SELECT (c.state = 'active' AND g.state = 'active' AND coalesce(c.expires_at > $3, true)) AS active,
                      ARRAY[c.sector] || c.inherits AS sectors
               FROM client c JOIN agency g ON g.id = c.agency_id WHERE c.id = a.client_id LIMIT 1) c ON true
           LEFT JOIN LATERAL (
               SELECT wrapped_key, key_generation, sealed, record_hash, copied_at,
                      EXISTS (SELECT FROM citizen_lock l WHERE l.citizen_id = a.citizen_id AND l.lifted_at IS NULL)
                          AS has_locks
               FROM register_person WHERE citizen_id = a.citizen_id LIMIT 1) r ON true
           LEFT JOIN LATERAL (
               SELECT subject FROM pseudonym WHERE citizen_id = a.citizen_id AND sector = ANY (c.sectors)
               ORDER BY array_position(c.sectors, sector) LIMIT 1) p ON true
           ORDER BY a.place"#,
        &citizens,
        &clients,
        now
    )
    .fetch_all(tx.conn())
    .await?;
    let standing = rows.into_iter().map(|row| {
        let holder = Registered {
            wrapped_key: row.wrapped_key,
            key_generation: row.key_generation,
            sealed: row.sealed,
            record_hash: row.record_hash,
            copied_at: row.copied_at,
            has_locks: row.has_locks,
        };
        Ok(Standing {
            active: row.active.unwrap_or(false),
            holder: holder.row(row.citizen_id)?,
            subject: subject(row.subject, row.citizen_id)?,
        })
    });
    standing.collect()
}

/// Writes the sign-ins of these codes as exchanged, and names those that nobody had written before.
pub async fn insert_exchanged(
    tx: &mut Tx,
    codes: &[&Redemption],
    now: Instant,
) -> Result<HashSet<Id<id::Authorization>>> {
    let ids: Vec<Uuid> = codes.iter().map(|code| code.authorization.uuid()).collect();
    let clients: Vec<Uuid> = codes.iter().map(|code| code.client.uuid()).collect();
    let citizens: Vec<Uuid> = codes.iter().map(|code| code.confirmation.citizen.uuid()).collect();
    let sessions: Vec<Uuid> = codes.iter().map(|code| code.confirmation.session.uuid()).collect();
    let consents: Vec<Uuid> = codes.iter().map(|code| code.consent.uuid()).collect();
    let digests: Vec<&[u8]> = codes.iter().map(|code| code.code.as_slice()).collect();
    let [started, ends, code_ends] =
        [0, 1, 2].map(|which| codes.iter().map(|code| code.times[which]).collect::<Vec<Instant>>());
    let request = codes.iter().map(|code| &code.request);
    let addresses: Vec<&str> = request.clone().map(|r| r.address.redirect_uri.as_str()).collect();
    let nonces: Vec<Option<&str>> = request.clone().map(|r| r.nonce.as_deref()).collect();
    let challenges: Vec<&[u8]> = request.clone().map(|r| r.challenge.0.as_slice()).collect();
    let scopes: Vec<String> = request.clone().map(|r| joined(r.scopes.iter().map(|s| s.word()))).collect();
    let claims: Vec<String> = request.clone().map(|r| joined(r.asked.iter().map(|c| c.name()))).collect();
    let least: Vec<&str> = request.clone().map(|r| r.demand.least.acr()).collect();
    let aims: Vec<&str> = request.clone().map(|r| r.demand.aim.acr()).collect();
    let prompts: Vec<String> = request.clone().map(|r| joined(r.prompt.iter().map(|p| p.word()))).collect();
    let ages: Vec<Option<i64>> = request.clone().map(|r| r.max_age_s.map(i64::from)).collect();
    let langs: Vec<Option<&str>> = request.clone().map(|r| r.lang.map(|l| l.tag())).collect();
    let keys: Vec<Option<&str>> = request.clone().map(|r| r.dpop_jkt.as_deref()).collect();
    let resources: Vec<Option<&str>> = request.map(|r| r.resource.as_ref().map(Resource::as_str)).collect();
    // No page of it was shown, so no browser holds its cookie: the digest that no cookie has is that of the code.
    let written = sqlx::query_scalar!(
        r#"INSERT INTO "authorization" (id, client_id, citizen_id, session_id, consent_id, browser_digest, started_at,
               expires_at, redirect_uri, nonce, code_challenge, scopes, claims, acr_least, acr_aim, prompt, max_age_s,
               lang, dpop_jkt, resource, state, code_expires_at, exchanged_at)
           SELECT id, client_id, citizen_id, session_id, consent_id, digest, started_at, expires_at, redirect_uri, nonce,
                  challenge, string_to_array(scopes, ' '), string_to_array(claims, ' '), least, aim,
                  string_to_array(prompt, ' '), max_age_s, lang, dpop_jkt, resource, 'exchanged', code_ends, $22
           FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bytea[], $7::timestamptz[],
                       $8::timestamptz[], $9::text[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::text[],
                       $15::text[], $16::text[], $17::bigint[], $18::text[], $19::text[], $20::text[], $21::timestamptz[])
                AS n (id, client_id, citizen_id, session_id, consent_id, digest, started_at, expires_at, redirect_uri,
                      nonce, challenge, scopes, claims, least, aim, prompt, max_age_s, lang, dpop_jkt, resource,
                      code_ends)
           ON CONFLICT (id) DO NOTHING RETURNING id"#,
        &ids,
        &clients,
        &citizens,
        &sessions,
        &consents,
        &digests as &[&[u8]],
        &started,
        &ends,
        &addresses as &[&str],
        &nonces as &[Option<&str>],
        &challenges as &[&[u8]],
        &scopes,
        &claims,
        &least as &[&str],
        &aims as &[&str],
        &prompts,
        &ages as &[Option<i64>],
        &langs as &[Option<&str>],
        &keys as &[Option<&str>],
        &resources as &[Option<&str>],
        &code_ends,
        now
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(written.into_iter().map(Id::from_uuid).collect())
}

/// Uses up pushed requests that are answered now, and names those that nobody had used before.
pub async fn use_up_pushed(store: &Store, pushed: &[Digest], now: Instant) -> Result<HashSet<Digest>> {
    let digests: Vec<&[u8]> = pushed.iter().map(Digest::as_slice).collect();
    let first = sqlx::query_scalar!(
        "UPDATE pushed_request SET used_at = $2 WHERE digest = ANY($1) AND used_at IS NULL RETURNING digest",
        &digests as &[&[u8]],
        now
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(first.into_iter().filter_map(|digest| digest.try_into().ok()).collect())
}

struct Registered {
    wrapped_key: Option<Vec<u8>>,
    key_generation: Option<i32>,
    sealed: Option<Vec<u8>>,
    record_hash: Option<Vec<u8>>,
    copied_at: Option<Instant>,
    has_locks: Option<bool>,
}

impl Registered {
    fn row(self, citizen: Uuid) -> Result<Option<RegisterRow>> {
        let (Some(bytes), Some(generation), Some(sealed), Some(record_hash)) =
            (self.wrapped_key, self.key_generation, self.sealed, self.record_hash)
        else {
            return Ok(None);
        };
        let citizen = Id::from_uuid(citizen);
        let generation = u32::try_from(generation)
            .map_err(|_| StoreError::corrupt("register_person", "key_generation", citizen))?;
        Ok(Some(RegisterRow {
            citizen,
            key: WrappedKey { bytes, generation },
            sealed: crate::base::secret::Sealed::new(sealed, generation),
            record_hash,
            copied_at: self.copied_at,
            former_until: None,
            has_locks: self.has_locks.unwrap_or(false),
        }))
    }
}

fn subject(text: Option<String>, citizen: Uuid) -> Result<Option<Subject>> {
    let read = |text: String| text.parse().map_err(|_| StoreError::corrupt("pseudonym", "subject", citizen));
    text.map(read).transpose()
}

fn place(ordinality: i64) -> Option<usize> {
    usize::try_from(ordinality).ok()?.checked_sub(1)
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

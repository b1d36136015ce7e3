//! Sign-ins on their way. Rows fold into [`Authorization`] in one place; a state moves only from the state it was
//! read in.

use super::{Result, Store, StoreError, Tx, moved_one};
use crate::base::{
    clock::Instant,
    id::{self, Id},
    text::Line,
};
use crate::crypto::digest::Digest;
use crate::identity::{
    assurance::Demand,
    authenticator::{Challenge, Method},
    authorization::{Authorization, Cause, Confirmation, Errand, Revocation, State},
    claims::{Claim, SignInScope},
    counter::CounterRequest,
    profile::Resource,
    pseudonym::Subject,
    request::{Address, AuthorizationRequest, CodeChallenge, Prompt},
};
use std::str::FromStr;
use uuid::Uuid;

/// A sign-in with the digest of the cookie that ties it to one browser.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The sign-in.
    pub authorization: Authorization,
    /// The digest of the browser's cookie.
    pub browser: Digest,
    /// The number that the portal expects, sealed.
    pub number_hint: Option<Vec<u8>>,
}

/// Begins a sign-in for a browser, by one statement; `pushed` is the digest of the request that it came from.
pub async fn begin(store: &Store, bound: &Bound, pushed: Option<&Digest>) -> Result<()> {
    write(&store.pool, bound, pushed).await
}

/// The same in a transaction that goes on.
pub async fn insert(tx: &mut Tx, bound: &Bound, pushed: Option<&Digest>) -> Result<()> {
    write(tx.conn(), bound, pushed).await
}

async fn write(executor: impl sqlx::PgExecutor<'_>, bound: &Bound, pushed: Option<&Digest>) -> Result<()> {
    let authorization = &bound.authorization;
    let (client, request, return_to) = match &authorization.errand {
        Errand::Portal { client, request } => (Some(client.uuid()), Some(request.as_ref()), None),
        Errand::Counter { client, .. } => (Some(client.uuid()), None, None),
        Errand::Page { return_to, .. } => (None, None, Some(return_to.as_str())),
    };
    let forced = [Prompt::Login].iter().filter(|_| request.is_none() && authorization.wanted().forced);
    let demand = authorization.wanted().demand;
    let confirmation = Facts::of(&authorization.state).confirmation;
    let scopes: Vec<&str> = request.iter().flat_map(|r| &r.scopes).map(|s| s.word()).collect();
    let claims: Vec<&str> = request.iter().flat_map(|r| &r.asked).map(|c| c.name()).collect();
    let prompt: Vec<&str> = request.iter().flat_map(|r| &r.prompt).chain(forced).map(|p| p.word()).collect();
    sqlx::query!(
        r#"INSERT INTO "authorization" (id, client_id, return_to, redirect_uri, request_state, nonce, code_challenge,
               scopes, claims, acr_least, acr_aim, prompt, max_age_s, lang, browser_digest, started_at, expires_at, state,
               dpop_jkt, resource, hint_subject, number_hint, pushed_digest, citizen_id, session_id)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
                   $24, $25)"#,
        authorization.id.uuid(),
        client,
        return_to,
        request.map(|r| r.address.redirect_uri.as_str()),
        request.and_then(|r| r.address.state.as_deref()),
        request.and_then(|r| r.nonce.as_deref()),
        request.map(|r| r.challenge.0.as_slice()),
        &scopes as &[&str],
        &claims as &[&str],
        demand.least.acr(),
        demand.aim.acr(),
        &prompt as &[&str],
        request.and_then(|r| r.max_age_s).map(i64::from),
        request.and_then(|r| r.lang).map(|l| l.tag()),
        bound.browser.as_slice(),
        authorization.started_at,
        authorization.expires_at,
        authorization.state.word(),
        request.and_then(|r| r.dpop_jkt.as_deref()),
        request.and_then(|r| r.resource.as_ref()).map(Resource::as_str),
        request.and_then(|r| r.hint_subject.as_ref()).map(Subject::as_str),
        bound.number_hint.as_deref(),
        pushed.map(|digest| digest.as_slice()),
        confirmation.map(|c| c.citizen.uuid()),
        confirmation.map(|c| c.session.uuid())
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// A sign-in with its session and its challenge, as far as `$which` says: one list of columns.
macro_rules! bound {
    ($which:tt, $($argument:expr),+) => {
        sqlx::query_as!(
            Raw,
            r#"SELECT a.id, a.client_id, a.return_to, a.redirect_uri, a.request_state, a.nonce, a.code_challenge, a.scopes,
                      a.claims, a.acr_least, a.acr_aim, a.prompt, a.max_age_s, a.lang, a.browser_digest, a.started_at,
                      a.expires_at, a.state, a.citizen_id, a.session_id, a.consent_id, a.code_expires_at, a.exchanged_at,
                      a.cause, a.ended_at, a.dpop_jkt, a.resource, a.hint_subject, a.number_hint, a.binding_message,
                      a.expects_citizen, s.method AS "method?", s.reached AS "reached?",
                      s.authenticated_at AS "authenticated_at?", c.method AS "challenge_method?", c.number_hash AS "number_hash?", c.citizen_id AS challenged_id, c.digest AS "challenge_digest?",
                      c.sent_at AS "sent_at?", c.expires_at AS "challenge_expires_at?", c.tries_left AS "tries_left?",
                      c.sends AS "sends?"
               FROM "authorization" a LEFT JOIN session s ON s.id = a.session_id
               LEFT JOIN challenge c ON c.authorization_id = a.id
               "#
                + $which,
            $($argument),+
        )
    };
}

/// The sign-in of that identifier, as it stands now; for pages.
pub async fn find(store: &Store, id: Id<id::Authorization>) -> Result<Option<Bound>> {
    read(&store.pool, id).await
}

/// The sign-in of that identifier in this transaction's view, not locked.
pub async fn find_in(tx: &mut Tx, id: Id<id::Authorization>) -> Result<Option<Bound>> {
    read(tx.conn(), id).await
}

async fn read(executor: impl sqlx::PgExecutor<'_>, id: Id<id::Authorization>) -> Result<Option<Bound>> {
    let row = bound!(r#"WHERE a.id = $1"#, id.uuid()).fetch_optional(executor).await?;
    row.map(TryInto::try_into).transpose()
}

/// The sign-in of that identifier; nobody else decides on it before this transaction ends.
pub async fn find_and_lock(tx: &mut Tx, id: Id<id::Authorization>) -> Result<Option<Bound>> {
    Ok(lock_all(tx, &[id]).await?.pop())
}

/// The sign-ins of these identifiers, in ascending order; locked like [`find_and_lock`].
pub async fn lock_all(tx: &mut Tx, ids: &[Id<id::Authorization>]) -> Result<Vec<Bound>> {
    lock(tx, ids, None, None).await
}

async fn lock(
    tx: &mut Tx,
    ids: &[Id<id::Authorization>],
    code: Option<&Digest>,
    poll: Option<&Digest>,
) -> Result<Vec<Bound>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = bound!(
        r#"WHERE a.id = ANY ($1 || ARRAY(SELECT id FROM "authorization" WHERE code_digest = $2)
                             || ARRAY(SELECT id FROM "authorization" WHERE poll_digest = $3))
           ORDER BY a.id FOR UPDATE OF a"#,
        &ids,
        code.map(|digest| digest.as_slice()),
        poll.map(|digest| digest.as_slice())
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The sign-in that issued the code of that digest; locked like [`find_and_lock`].
pub async fn find_by_code(tx: &mut Tx, code: &Digest) -> Result<Option<Bound>> {
    Ok(lock(tx, &[], Some(code), None).await?.pop())
}

/// The sign-in at a counter of that name; locked like [`find_and_lock`].
pub async fn find_by_poll(tx: &mut Tx, poll: &Digest) -> Result<Option<Bound>> {
    Ok(lock(tx, &[], None, Some(poll)).await?.pop())
}

/// Moves a sign-in from the state it was read in; false when somebody else moved it first. `code` is the digest of a
/// code issued by this step. What ended keeps the facts of the state before as evidence.
pub async fn advance(
    tx: &mut Tx,
    id: Id<id::Authorization>,
    from: &State,
    to: &State,
    code: Option<&Digest>,
) -> Result<bool> {
    let facts = Facts::of(to);
    let done = sqlx::query!(
        r#"UPDATE "authorization" SET state = $3,
               citizen_id = CASE WHEN $3 IN ('refused', 'revoked', 'expired') THEN citizen_id ELSE $4 END,
               session_id = CASE WHEN $3 IN ('refused', 'revoked', 'expired') THEN session_id ELSE $5 END,
               consent_id = coalesce($6, consent_id), code_digest = coalesce($7, code_digest),
               code_expires_at = coalesce($8, code_expires_at), exchanged_at = coalesce($9, exchanged_at),
               cause = $10, ended_at = $11
           WHERE id = $1 AND state = $2"#,
        id.uuid(),
        from.word(),
        to.word(),
        facts.confirmation.map(|c| c.citizen.uuid()),
        facts.confirmation.map(|c| c.session.uuid()),
        facts.consent.map(|c| c.uuid()),
        code.map(|c| c.as_slice()),
        facts.code_expires_at,
        facts.exchanged_at,
        facts.cause,
        facts.ended_at
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Puts the code that a sign-in awaits, in place of the one before.
pub async fn put_challenge(tx: &mut Tx, id: Id<id::Authorization>, challenge: &Challenge) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO challenge (authorization_id, number_hash, citizen_id, digest, sent_at, expires_at, tries_left, sends,
               method)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT (authorization_id) DO UPDATE SET method = EXCLUDED.method, number_hash = EXCLUDED.number_hash,
               citizen_id = EXCLUDED.citizen_id, digest = EXCLUDED.digest, sent_at = EXCLUDED.sent_at,
               expires_at = EXCLUDED.expires_at, tries_left = EXCLUDED.tries_left, sends = EXCLUDED.sends"#,
        id.uuid(),
        challenge.number_hash.as_slice(),
        challenge.citizen.map(|c| c.uuid()),
        challenge.digest.as_slice(),
        challenge.sent_at,
        challenge.expires_at,
        i16::from(challenge.tries_left),
        i16::from(challenge.sends),
        challenge.method.word()
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Revokes what every exchanged sign-in of a session, or of one that it replaced, gave: its tokens stop working with this
/// transaction. What was granted beyond the session (a refresh token) outlives signing out, and nothing else.
pub async fn revoke_of_session(
    tx: &mut Tx,
    session: Id<id::Session>,
    cause: Revocation,
    at: Instant,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"WITH RECURSIVE line (id) AS (
               SELECT $1::uuid UNION SELECT s.id FROM session s JOIN line ON s.replaced_by = line.id)
           UPDATE "authorization" SET state = 'revoked', cause = $2, ended_at = $3
           WHERE session_id IN (SELECT id FROM line) AND state = 'exchanged' AND ($2 <> 'signed_out' OR NOT EXISTS (
               SELECT 1 FROM refresh_token r WHERE r.authorization_id = "authorization".id AND r.expires_at > $3))"#,
        session.uuid(),
        cause.word(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Revokes what the exchanged sign-ins of a citizen gave, at every portal or at one.
pub async fn revoke_of_citizen(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    client: Option<Id<id::Client>>,
    cause: Revocation,
    at: Instant,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"UPDATE "authorization" SET state = 'revoked', cause = $3, ended_at = $4
           WHERE citizen_id = $1 AND state = 'exchanged' AND coalesce(client_id = $2, true)"#,
        citizen.uuid(),
        client.map(Id::uuid),
        cause.word(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

/// Revokes what the exchanged sign-ins of a citizen by one method gave, whether their sessions stand or were replaced.
pub async fn revoke_of_method(
    tx: &mut Tx,
    citizen: Id<id::Citizen>,
    method: Method,
    cause: Revocation,
    at: Instant,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"UPDATE "authorization" SET state = 'revoked', cause = $3, ended_at = $4
           WHERE citizen_id = $1 AND state = 'exchanged'
             AND session_id IN (SELECT id FROM session WHERE citizen_id = $1 AND method = $2)"#,
        citizen.uuid(),
        method.word(),
        cause.word(),
        at
    )
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected())
}

#[derive(Default)]
struct Facts {
    confirmation: Option<Confirmation>,
    consent: Option<Id<id::Consent>>,
    code_expires_at: Option<Instant>,
    exchanged_at: Option<Instant>,
    cause: Option<&'static str>,
    ended_at: Option<Instant>,
}

impl Facts {
    fn of(state: &State) -> Self {
        let none = Self::default();
        match state {
            State::Started | State::Challenged(_) | State::Expired => none,
            State::Confirmed(confirmation) | State::Entered { confirmation } => {
                Self { confirmation: Some(*confirmation), ..none }
            }
            State::CodeIssued { confirmation, consent, code_expires_at } => Self {
                confirmation: Some(*confirmation),
                consent: Some(*consent),
                code_expires_at: Some(*code_expires_at),
                ..none
            },
            State::Exchanged { confirmation, consent, exchanged_at } => Self {
                confirmation: Some(*confirmation),
                consent: Some(*consent),
                exchanged_at: Some(*exchanged_at),
                ..none
            },
            State::Revoked { cause, revoked_at } => {
                Self { cause: Some(cause.word()), ended_at: Some(*revoked_at), ..none }
            }
            State::Refused { cause, refused_at } => {
                Self { cause: Some(cause.word()), ended_at: Some(*refused_at), ..none }
            }
        }
    }
}

struct Raw {
    id: Uuid,
    client_id: Option<Uuid>,
    return_to: Option<String>,
    redirect_uri: Option<String>,
    request_state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<Vec<u8>>,
    scopes: Vec<String>,
    claims: Vec<String>,
    acr_least: String,
    acr_aim: String,
    prompt: Vec<String>,
    max_age_s: Option<i64>,
    lang: Option<String>,
    browser_digest: Vec<u8>,
    started_at: Instant,
    expires_at: Instant,
    state: String,
    citizen_id: Option<Uuid>,
    session_id: Option<Uuid>,
    consent_id: Option<Uuid>,
    code_expires_at: Option<Instant>,
    exchanged_at: Option<Instant>,
    cause: Option<String>,
    ended_at: Option<Instant>,
    dpop_jkt: Option<String>,
    resource: Option<String>,
    hint_subject: Option<String>,
    number_hint: Option<Vec<u8>>,
    binding_message: Option<String>,
    expects_citizen: Option<Uuid>,
    method: Option<String>,
    reached: Option<String>,
    authenticated_at: Option<Instant>,
    challenge_method: Option<String>,
    number_hash: Option<Vec<u8>>,
    challenged_id: Option<Uuid>,
    challenge_digest: Option<Vec<u8>>,
    sent_at: Option<Instant>,
    challenge_expires_at: Option<Instant>,
    tries_left: Option<i16>,
    sends: Option<i16>,
}

impl TryFrom<Raw> for Bound {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::Authorization> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("authorization", column, id);
        let number_hint = raw.number_hint.clone();
        let browser = raw.browser_digest.clone().try_into().map_err(|_| corrupt("browser_digest"))?;
        let errand = match (raw.client_id, &raw.return_to) {
            (Some(client), None) if raw.binding_message.is_some() => Errand::Counter {
                client: Id::from_uuid(client),
                request: Box::new(raw.counter().ok_or_else(|| corrupt("binding_message or claims"))?),
            },
            (Some(client), None) => Errand::Portal {
                client: Id::from_uuid(client),
                request: Box::new(
                    raw.request().ok_or_else(|| corrupt("redirect_uri, code_challenge or claims"))?,
                ),
            },
            (None, Some(path)) => Errand::Page {
                return_to: path.parse().map_err(|_| corrupt("return_to"))?,
                least: raw.acr_least.parse().map_err(|_| corrupt("acr_least"))?,
                afresh: raw.prompt.iter().any(|word| word == Prompt::Login.word()),
            },
            _ => return Err(corrupt("client_id")),
        };
        let state = raw.state().ok_or_else(|| corrupt("state"))?;
        let authorization =
            Authorization { id, errand, started_at: raw.started_at, expires_at: raw.expires_at, state };
        Ok(Self { authorization, browser, number_hint })
    }
}

impl Raw {
    fn counter(&self) -> Option<CounterRequest> {
        Some(CounterRequest {
            citizen: self.expects_citizen.map(Id::from_uuid),
            scopes: self.scopes.iter().map(|w| SignInScope::from_str(w).ok()).collect::<Option<_>>()?,
            asked: self.claims.iter().map(|w| Claim::from_str(w).ok()).collect::<Option<_>>()?,
            demand: Demand { least: self.acr_least.parse().ok()?, aim: self.acr_aim.parse().ok()? },
            message: Line::parse(self.binding_message.as_deref()?).ok()?,
            resource: self.resource.as_deref().map(str::parse).transpose().ok()?,
        })
    }

    fn request(&self) -> Option<AuthorizationRequest> {
        let address = Address {
            redirect_uri: self.redirect_uri.as_deref()?.parse().ok()?,
            state: self.request_state.clone(),
        };
        let prompt = |word: &String| Prompt::ALL.into_iter().find(|p| p.word() == word);
        let max_age_s = self.max_age_s.map(u32::try_from).transpose().ok()?;
        Some(AuthorizationRequest {
            address,
            nonce: self.nonce.clone(),
            challenge: CodeChallenge(self.code_challenge.clone()?.try_into().ok()?),
            scopes: self.scopes.iter().map(|w| SignInScope::from_str(w).ok()).collect::<Option<_>>()?,
            asked: self.claims.iter().map(|w| Claim::from_str(w).ok()).collect::<Option<_>>()?,
            demand: Demand { least: self.acr_least.parse().ok()?, aim: self.acr_aim.parse().ok()? },
            prompt: self.prompt.iter().map(prompt).collect::<Option<_>>()?,
            max_age_s,
            lang: self.lang.as_deref().and_then(|tag| tag.parse().ok()),
            resource: self.resource.as_deref().map(str::parse).transpose().ok()?,
            dpop_jkt: self.dpop_jkt.clone(),
            hint_subject: self.hint_subject.as_deref().map(str::parse).transpose().ok()?,
        })
    }

    fn state(&self) -> Option<State> {
        Some(match self.state.as_str() {
            "started" => State::Started,
            "challenged" => State::Challenged(self.challenge()?),
            "confirmed" => State::Confirmed(self.confirmation()?),
            "entered" => State::Entered { confirmation: self.confirmation()? },
            "code_issued" => State::CodeIssued {
                confirmation: self.confirmation()?,
                consent: self.consent_id.map(Id::from_uuid)?,
                code_expires_at: self.code_expires_at?,
            },
            "exchanged" => State::Exchanged {
                confirmation: self.confirmation()?,
                consent: self.consent_id.map(Id::from_uuid)?,
                exchanged_at: self.exchanged_at?,
            },
            "revoked" => {
                let all = [
                    Revocation::Replayed,
                    Revocation::SignedOut,
                    Revocation::GivenBack,
                    Revocation::Locked,
                    Revocation::MandateEnded,
                    Revocation::ConsentWithdrawn,
                    Revocation::Recovered,
                    Revocation::Erased,
                ];
                let cause = all.into_iter().find(|c| Some(c.word()) == self.cause.as_deref())?;
                State::Revoked { cause, revoked_at: self.ended_at? }
            }
            "refused" => {
                let all = [Cause::Citizen, Cause::PageNeeded, Cause::Barred];
                let cause = all.into_iter().find(|c| Some(c.word()) == self.cause.as_deref())?;
                State::Refused { cause, refused_at: self.ended_at? }
            }
            "expired" => State::Expired,
            _ => return None,
        })
    }

    fn challenge(&self) -> Option<Challenge> {
        Some(Challenge {
            method: self.challenge_method.as_deref()?.parse().ok()?,
            number_hash: self.number_hash.clone()?.try_into().ok()?,
            citizen: self.challenged_id.map(Id::from_uuid),
            digest: self.challenge_digest.clone()?.try_into().ok()?,
            sent_at: self.sent_at?,
            expires_at: self.challenge_expires_at?,
            tries_left: u8::try_from(self.tries_left?).ok()?,
            sends: u8::try_from(self.sends?).ok()?,
        })
    }

    fn confirmation(&self) -> Option<Confirmation> {
        Some(Confirmation {
            citizen: self.citizen_id.map(Id::from_uuid)?,
            session: self.session_id.map(Id::from_uuid)?,
            method: self.method.as_deref()?.parse().ok()?,
            reached: self.reached.as_deref()?.parse().ok()?,
            authenticated_at: self.authenticated_at?,
        })
    }
}

//! A registered client is changed: its addresses, policies and terms, and its keys one by one. Its sector and its
//! profile stay, because the one names its citizens and the other is what it was examined for.

use super::{
    Error, Refusal, Result,
    admin_answer::client_json,
    idempotency::Idempotency,
    register_client::{By, read_keys, record_client},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::crypto::jwt;
use crate::crypto::keyring::Purpose;
use crate::identity::{
    assurance::Assurance,
    claims::ClaimsPolicy,
    client::{Client, Credential, RedirectUri, Wording},
    endpoint::EndpointUrl,
    profile::Resource,
    pseudonym::Subject,
    token::{Access, ApiScope, ApiScopes, Noun},
};
use crate::store::{Tx, client_care, portal};
use serde_json::{Map, Value, json};
use time::Duration;

/// What is to be changed; what is absent stays.
#[derive(Default)]
pub struct Changes {
    /// What citizens read.
    pub name: Option<Wording>,
    /// What it signs citizens in for.
    pub purpose: Option<Wording>,
    /// Where answers go.
    pub redirect_uris: Option<Vec<RedirectUri>>,
    /// Where browsers go after logout.
    pub post_logout_redirect_uris: Option<Vec<RedirectUri>>,
    /// The weakest sign-in that it accepts.
    pub acr_min: Option<Assurance>,
    /// Which claims it may ask for.
    pub policy: Option<ClaimsPolicy>,
    /// What it may do at the API.
    pub scopes: Option<ApiScopes>,
    /// Where it is told that a session ended.
    pub logout_told_at: Option<EndpointUrl>,
    /// The protected resources that it serves.
    pub resources: Option<Vec<Resource>>,
    /// When its registration ends.
    pub until: Option<Instant>,
}

/// The weaker of the scopes that are handed out from the command line only.
const ADMIN: ApiScope = ApiScope { noun: Noun::Admin, access: Access::Read };

/// Changes a client, from the next request on.
pub async fn change_client_once(
    app: &App,
    id: Id<id::Client>,
    changes: Changes,
    key: &Idempotency,
) -> Result<Value> {
    act(app, id, key, "client.changed", async |tx, client, now| {
        if changes.until.is_some_and(|until| until <= now) {
            return Err(wrong("/expires_at", "in_the_past"));
        }
        if changes.scopes.as_ref().is_some_and(|scopes| scopes.allows(ADMIN)) {
            return Err(wrong("/scopes", "not_over_the_api"));
        }
        let told_at = changes.logout_told_at.or(client.terms.logout_told_at);
        if told_at.as_ref().is_some_and(|uri| app.webhooks.accepts(uri).is_err()) {
            return Err(wrong("/backchannel_logout_uri", "not_a_public_https_address"));
        }
        let changed = Client {
            name: changes.name.unwrap_or(client.name),
            purpose: changes.purpose.unwrap_or(client.purpose),
            redirect_uris: changes.redirect_uris.unwrap_or(client.redirect_uris),
            post_logout_redirect_uris: changes
                .post_logout_redirect_uris
                .unwrap_or(client.post_logout_redirect_uris),
            acr_min: changes.acr_min.unwrap_or(client.acr_min),
            policy: changes.policy.unwrap_or(client.policy),
            scopes: changes.scopes.unwrap_or(client.scopes),
            terms: crate::identity::profile::Terms {
                logout_told_at: told_at,
                resources: changes.resources.unwrap_or(client.terms.resources),
                ..client.terms
            },
            ..client
        };
        portal::change(tx, &changed, changes.until).await?;
        Ok(None)
    })
    .await
}

/// Adds a key, beside those that are there: replace one by adding the next before the old one ends.
pub async fn add_key_once(
    app: &App,
    id: Id<id::Client>,
    jwk: &str,
    until: Option<Instant>,
    key: &Idempotency,
) -> Result<Value> {
    act(app, id, key, "client.key_added", async |tx, client, now| {
        refuse_administering(&client)?;
        put_key(tx, &client, jwk, until, now).await.map(|()| None)
    })
    .await
}

/// The same from the command line.
pub async fn add_key(app: &App, id: Id<id::Client>, jwk: &str, until: Option<Instant>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let client = portal::find_in(&mut tx, id).await?.ok_or(Error::not_found())?;
    put_key(&mut tx, &client, jwk, until, now).await?;
    record_client(app, &mut tx, &client, ("client.key_added", By::Operator), now).await?;
    Ok(tx.commit().await?)
}

async fn put_key(
    tx: &mut Tx,
    client: &Client,
    jwk: &str,
    until: Option<Instant>,
    now: Instant,
) -> Result<()> {
    if !matches!(client.credential, Credential::PrivateKeyJwt { .. }) {
        return Err(wrong("/jwk", "the_client_has_a_secret"));
    }
    let mut keys = read_keys(&format!(r#"{{"keys":[{jwk}]}}"#), "/jwk")?;
    for key in &mut keys {
        // A key never outlives its certificate.
        key.until = until.into_iter().chain(key.until).min();
        if key.until.is_some_and(|until| until <= now) {
            return Err(wrong("/expires_at", "in_the_past"));
        }
    }
    match portal::put_keys(tx, client.id, &keys, now).await {
        Err(e) if e.violates("client_key_pkey") => Err(Error::conflict("key_exists")),
        done => Ok(done?),
    }
}

/// Takes a key back: what it signed is refused from the next request on, with that reason.
pub async fn revoke_key_once(app: &App, id: Id<id::Client>, kid: &str, key: &Idempotency) -> Result<Value> {
    act(app, id, key, "client.key_revoked", async |tx, client, now| {
        refuse_administering(&client)?;
        if portal::revoke_key(tx, client.id, kid, now).await? { Ok(None) } else { Err(Error::not_found()) }
    })
    .await
}

/// The same from the command line.
pub async fn revoke_key(app: &App, id: Id<id::Client>, kid: &str) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let client = portal::find_in(&mut tx, id).await?.ok_or(Error::not_found())?;
    if !portal::revoke_key(&mut tx, id, kid, now).await? {
        return Err(Error::not_found());
    }
    record_client(app, &mut tx, &client, ("client.key_revoked", By::Operator), now).await?;
    Ok(tx.commit().await?)
}

/// The longest that a replaced secret goes on proving its client.
pub const SECRET_OVERLAP_MAX: Duration = Duration::days(30);

/// Draws a client another secret; the one before proves it for `overlap` longer. The answer holds the new one this once:
/// a replay has none.
pub async fn rotate_secret_once(
    app: &App,
    id: Id<id::Client>,
    overlap: Duration,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let (client, secret) = rotate(app, &mut tx, (id, overlap), By::Client(key.client), now).await?;
    let mut answer = client_json(&client);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    answer["secret"] = json!(secret.expose());
    Ok(answer)
}

/// The same from the command line.
pub async fn rotate_secret(app: &App, id: Id<id::Client>, overlap: Duration) -> Result<Token> {
    let mut tx = app.store.begin().await?;
    let (_, secret) = rotate(app, &mut tx, (id, overlap), By::Operator, app.clock.now()).await?;
    tx.commit().await?;
    Ok(secret)
}

async fn rotate(
    app: &App,
    tx: &mut Tx,
    (id, overlap): (Id<id::Client>, Duration),
    by: By,
    now: Instant,
) -> Result<(Client, Token)> {
    if overlap.is_negative() || overlap > SECRET_OVERLAP_MAX {
        return Err(wrong("/overlap_hours", "range"));
    }
    let client = portal::find_in(tx, id).await?.ok_or(Error::not_found())?;
    if let By::Client(_) = by {
        refuse_administering(&client)?;
    }
    let secret = Token::new(TokenKind::ClientSecret, &*app.entropy);
    if !portal::put_secret(tx, id, &sha256(secret.expose().as_bytes()), now + overlap).await? {
        return Err(Error::refused("client_has_keys"));
    }
    let client = portal::find_in(tx, id).await?.ok_or(Error::not_found())?;
    record_client(app, tx, &client, ("client.secret_rotated", by), now).await?;
    Ok((client, secret))
}

/// The most citizens that one map names.
const SUBJECTS_MAX: i64 = 100_000;

/// Hands out the map from a predecessor's subjects to those of its successor: signed, once, and never kept. It names
/// those who agreed to sign in at the predecessor, and nobody else of the sector.
pub async fn map_subjects_once(
    app: &App,
    id: Id<id::Client>,
    predecessor: &str,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let client = portal::find_in(&mut tx, id).await?.ok_or(Error::not_found())?;
    let unfit = || Error::refused("subject_map_unfit");
    let of: Id<id::Client> = predecessor.parse().map_err(|_| unfit())?;
    if !client.terms.predecessors.contains(&of) || !client.terms.inherits.is_empty() {
        return Err(unfit());
    }
    let before = portal::find_in(&mut tx, of).await?.ok_or_else(unfit)?;
    let mut all = client_care::renamed(&mut tx, of, &before.sector, &client.sector, SUBJECTS_MAX + 1).await?;
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    if count > SUBJECTS_MAX {
        return Err(unfit());
    }
    if !client_care::note_map(&mut tx, id, of, count, now).await? {
        return Err(Error::conflict("subject_map_taken"));
    }
    for renamed in all.iter_mut().filter(|_| before.sector == client.sector) {
        renamed.new = Some(renamed.old.clone());
    }
    let drawn: Vec<(Id<id::Citizen>, Subject)> = all
        .iter_mut()
        .filter(|renamed| renamed.new.is_none())
        .map(|renamed| {
            let subject = Subject::new(&*app.entropy);
            renamed.new = Some(subject.clone());
            (renamed.citizen, subject)
        })
        .collect();
    let names: Vec<(Id<id::Citizen>, &Subject)> =
        drawn.iter().map(|(citizen, subject)| (*citizen, subject)).collect();
    client_care::name_all(&mut tx, &client.sector, &names, now).await?;
    let subjects: Map<String, Value> = all
        .iter()
        .filter_map(|renamed| Some((renamed.old.to_string(), json!(renamed.new.as_ref()?.as_str()))))
        .collect();
    let mut answer = json!({
        "client": id.to_string(),
        "predecessor": of.to_string(),
        "subjects": count,
        "map": null,
    });
    record_client(app, &mut tx, &client, ("subjects.mapped", By::Client(key.client)), now).await?;
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    let claims = json!({
        "iss": app.origin.as_str(),
        "aud": id.to_string(),
        "iat": jwt::numeric_date(now),
        "predecessor": of.to_string(),
        "subjects": subjects,
    });
    answer["map"] = json!(jwt::sign(app.keys.signing(Purpose::Record), "subject-map+jwt", &claims));
    Ok(answer)
}

/// Whoever administers gets its keys and secrets where it got its scope, at the command line: a token that leaks neither
/// makes itself permanent nor shuts the others out.
fn refuse_administering(client: &Client) -> Result<()> {
    if client.scopes.allows(ADMIN) { Err(Error::forbidden("client_administers")) } else { Ok(()) }
}

fn wrong(field: &str, rule: &'static str) -> Error {
    Error::Refused(Refusal::new("invalid_body").violation(field, rule, None))
}

/// One change of a client under an idempotency key, with its leaf; the client as it then is.
async fn act(
    app: &App,
    id: Id<id::Client>,
    key: &Idempotency,
    kind: &'static str,
    change: impl AsyncFnOnce(&mut Tx, Client, Instant) -> Result<Option<Value>>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let client = portal::find_in(&mut tx, id).await?.ok_or(Error::not_found())?;
    change(&mut tx, client, now).await?;
    let client = portal::find_in(&mut tx, id).await?.ok_or(Error::not_found())?;
    record_client(app, &mut tx, &client, (kind, By::Client(key.client)), now).await?;
    let answer = client_json(&client);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

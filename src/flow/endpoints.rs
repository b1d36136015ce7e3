//! Where an agency's systems want to be told of events: registered, suspended, told again.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    event,
    idempotency::{Idempotency, lock_name},
};
use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        clock::Instant,
        entropy::random,
        id::{Agency, Client, Endpoint, Id},
        page::PageRequest,
        secret::Secret,
    },
    crypto::seal::DataKey,
    identity::endpoint::EndpointUrl,
    partner::webhook::Unfit,
    store::{
        Tx, audit, delivery,
        endpoint::{self, StoredEndpoint},
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use time::Duration;

/// How many endpoints an agency may have.
pub const ENDPOINTS_MAX: i64 = 16;

/// How long a replaced signing key signs beside the new one.
const OVERLAP: Duration = Duration::days(1);

/// The length of a signing key: Standard Webhooks asks for 24 to 64 bytes.
const KEY_BYTES: usize = 32;

/// Registers an endpoint of the client's agency. The answer holds the signing key, this once: a replay has none.
pub async fn register_endpoint(
    app: &App,
    agency: Id<Agency>,
    client: Id<Client>,
    (url, types): (EndpointUrl, Vec<String>),
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    fits(app, &url)?;
    known(&types)?;
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    tx.lock(lock_name(Id::from_uuid(agency.uuid()), "endpoints")).await?;
    if endpoint::count(&mut tx, agency).await? >= ENDPOINTS_MAX {
        return Err(Error::conflict("endpoints_too_many"));
    }
    let sealing = agency_key(app, &mut tx, agency).await?;
    let id: Id<Endpoint> = Id::new(now, &*app.entropy);
    let secret = Secret::new(random::<KEY_BYTES>(&*app.entropy));
    let stored = StoredEndpoint {
        id,
        agency,
        client,
        url,
        types,
        secret: sealing.seal(&*app.entropy, &secret_place(id), secret.expose()),
        before_until: None,
        active: true,
        failures: 0,
        rest_until: None,
        outcome: None,
        created_at: now,
    };
    match endpoint::insert(&mut tx, &stored).await {
        Err(e) if e.violates("endpoint_url_once") => return Err(Error::conflict("endpoint_exists")),
        done => done?,
    }
    record(app, &mut tx, &stored, ("endpoint.registered", client), &sealing, now).await?;
    let mut answer = endpoint_json(&stored, (0, 0), now);
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    answer["secret"] = printed(&secret).into();
    Ok(answer)
}

/// Suspends an endpoint, or lets it hear again; harmless when it is so already. What happens in between is read at
/// `/v1/events`; what was on its way before goes on.
pub async fn set_endpoint_active(
    app: &App,
    agency: Id<Agency>,
    id: Id<Endpoint>,
    active: bool,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let before = endpoint::of_agency(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let moved = endpoint::set_active(&mut tx, id, active).await?;
    let after = endpoint::of_agency(&mut tx, agency, id).await?.unwrap_or(before);
    if moved {
        let sealing = agency_key(app, &mut tx, agency).await?;
        let kind = if active { "endpoint.resumed" } else { "endpoint.suspended" };
        record(app, &mut tx, &after, (kind, key.client), &sealing, now).await?;
    }
    let answer = described(&mut tx, after, now).await?;
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Gives an endpoint a new signing key. The answer holds it, this once; the old key signs beside it for a day, so that
/// no delivery is refused while the listener changes. A further change within that day ends the oldest key at once.
pub async fn rotate_secret(
    app: &App,
    agency: Id<Agency>,
    id: Id<Endpoint>,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let stored = endpoint::of_agency(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    let secret = Secret::new(random::<KEY_BYTES>(&*app.entropy));
    let sealed = sealing.seal(&*app.entropy, &secret_place(id), secret.expose());
    endpoint::change_secret(&mut tx, id, &sealed, now + OVERLAP).await?;
    record(app, &mut tx, &stored, ("endpoint.secret_changed", key.client), &sealing, now).await?;
    let after = StoredEndpoint { before_until: Some(now + OVERLAP), ..stored };
    let mut answer = described(&mut tx, after, now).await?;
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    answer["secret"] = printed(&secret).into();
    Ok(answer)
}

/// One endpoint of the agency.
pub async fn read_endpoint(app: &App, agency: Id<Agency>, id: Id<Endpoint>) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let stored = endpoint::of_agency(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
    described(&mut tx, stored, now).await
}

/// The agency's endpoints, the newest first, a page at a time.
pub async fn list_endpoints(
    app: &App,
    agency: Id<Agency>,
    page: &PageRequest<Id<Endpoint>>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let found = endpoint::page(&mut tx, agency, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    Ok(json!({ "items": with_tally(&mut tx, &found.items, now).await?, "next": next }))
}

/// The place that a sealed signing key is bound to.
pub(super) fn secret_place(endpoint: Id<Endpoint>) -> Vec<u8> {
    [b"endpoint.secret".as_slice(), endpoint.uuid().as_bytes()].concat()
}

fn fits(app: &App, url: &EndpointUrl) -> Result<()> {
    app.webhooks.accepts(url).map_err(|unfit| {
        let rule = match unfit {
            Unfit::NotSecure => "not_secure",
            Unfit::Private => "private_address",
        };
        Error::Refused(Refusal::new("endpoint_unfit").violation("/url", rule, None))
    })
}

fn known(types: &[String]) -> Result<()> {
    match types.iter().position(|name| !event::TYPES.contains(&name.as_str())) {
        None => Ok(()),
        Some(place) => Err(Error::Refused(Refusal::new("invalid_body").violation(
            format!("/types/{place}"),
            "unknown",
            None,
        ))),
    }
}

fn printed(secret: &Secret<[u8; KEY_BYTES]>) -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(secret.expose()))
}

/// One endpoint as answers have it.
pub(super) async fn described(tx: &mut Tx, endpoint: StoredEndpoint, now: Instant) -> Result<Value> {
    with_tally(tx, &[endpoint], now).await?.pop().ok_or(Error::not_found())
}

async fn with_tally(tx: &mut Tx, endpoints: &[StoredEndpoint], now: Instant) -> Result<Vec<Value>> {
    let ids: Vec<Id<Endpoint>> = endpoints.iter().map(|e| e.id).collect();
    let tally = delivery::tally(tx, &ids).await?;
    let of = |id| tally.iter().find(|t| t.0 == id).map_or((0, 0), |t| (t.1, t.2));
    Ok(endpoints.iter().map(|e| endpoint_json(e, of(e.id), now)).collect())
}

/// How an endpoint is doing, in a word.
pub(super) fn health(endpoint: &StoredEndpoint) -> &'static str {
    match endpoint {
        StoredEndpoint { active: false, .. } => "suspended",
        StoredEndpoint { outcome: None, .. } => "untried",
        StoredEndpoint { failures: 0, .. } => "well",
        _ => "failing",
    }
}

fn endpoint_json(endpoint: &StoredEndpoint, (waiting, dead): (i64, i64), now: Instant) -> Value {
    json!({
        "id": endpoint.id.to_string(),
        "client": endpoint.client.to_string(),
        "url": endpoint.url.to_string(),
        "types": endpoint.types,
        "state": if endpoint.active { "active" } else { "suspended" },
        "health": health(endpoint),
        "failures": endpoint.failures,
        "rest_until": endpoint.rest_until.map(rfc3339),
        "last_outcome": endpoint.outcome,
        "waiting": waiting,
        "dead": dead,
        "old_secret_until": endpoint.before_until.filter(|until| *until > now).map(rfc3339),
        "created_at": rfc3339(endpoint.created_at),
        "secret": null,
    })
}

pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    endpoint: &StoredEndpoint,
    (kind, by): (&'static str, Id<Client>),
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(endpoint.agency), object: endpoint.id.uuid() };
    let details = json!({
        "endpoint": endpoint.id.to_string(),
        "url": endpoint.url.to_string(),
        "by": by.to_string(),
    });
    let leaf = audit_leaf::leaf(app, now, kind, concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}

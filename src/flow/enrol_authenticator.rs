//! A signed-in citizen enrols a passkey or an app. What is begun waits under the session; what is proved is kept.
//!
//! Behind a code alone the new authenticator is on trial: worth no more than the code until its holder had time to
//! read the notice and object.

use super::{
    Error, Result,
    authenticators::{NAME_MAX, holder, place, record},
    notify::{Told, notify},
    population::OnRecord,
    sign_in_by_passkey::{CEREMONY_LIFE, handle, party},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::Sealed,
    text::Line,
};
use crate::crypto::{digest::sha256, totp::TotpSecret};
use crate::identity::{
    authenticator::{AUTHENTICATORS_MAX, Kind, OneTimeCode, trusted_from},
    notice::What,
    session::Session,
};
use crate::store::{
    Tx,
    authenticator::{self, StoredAuthenticator},
    ceremony::{self, Ceremony, Purpose},
};
use serde_json::json;
use time::Duration;

/// How long a person has to set up an app.
const APP_LIFE: Duration = Duration::minutes(15);
/// How many wrong first codes a new app bears.
const TRIES_MAX: u8 = 5;

/// The sealed state of a ceremony.
enum Waiting {}

/// What an app must be told.
pub struct AppOffer {
    /// To type by hand.
    pub secret: String,
    /// For the QR code.
    pub address: String,
}

/// What became of the other half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// It is kept.
    Kept(Id<id::Authenticator>),
    /// The answer or the code proves nothing.
    NotAccepted,
    /// Nothing was begun, or too long ago.
    Over,
    /// That passkey is somebody's already.
    Known,
}

/// Begins a passkey; gives what the page's script asks the browser.
pub async fn begin_passkey(app: &App, session: &Session) -> Result<String> {
    let party = party(app)?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, session.citizen).await?;
    let known = room(&mut tx, session).await?;
    let known = known.iter().filter(|stored| stored.kind == Kind::Passkey);
    let id_of = |stored: &StoredAuthenticator| -> Result<Vec<u8>> {
        let credential = holder.key.open(&place("material", stored.id), &stored.material)?;
        party.id_of(credential.expose()).map_err(Error::internal)
    };
    let ids = known.map(id_of).collect::<Result<_>>()?;
    let name = holder.person.name.as_str();
    let begun = party.begin_enrolment(handle(app, session.citizen), name, ids).map_err(Error::internal)?;
    wait(app, &mut tx, session, &holder, (Purpose::Passkey, &begun.state, now + CEREMONY_LIFE)).await?;
    tx.commit().await?;
    Ok(begun.options)
}

/// Takes the browser's answer and keeps the passkey under this name.
pub async fn finish_passkey(
    app: &App,
    session: &Session,
    answer: &str,
    name: &Line<NAME_MAX>,
) -> Result<Enrolled> {
    let party = party(app)?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, session.citizen).await?;
    let Some(state) = awaited(&mut tx, session, &holder, Purpose::Passkey, now).await? else {
        return Ok(Enrolled::Over);
    };
    ceremony::end(&mut tx, session.id.uuid(), Purpose::Passkey).await?;
    let new = match party.finish_enrolment(&state, answer) {
        Ok(new) => new,
        Err(reason) => {
            tracing::info!(%reason, "a new passkey was not accepted");
            tx.commit().await?;
            return Ok(Enrolled::NotAccepted);
        }
    };
    let id = Id::new(now, &*app.entropy);
    let stored = StoredAuthenticator {
        credential_hash: Some(sha256(&new.id)),
        material: holder.key.seal(&*app.entropy, &place("material", id), &new.credential),
        ..fresh(app, session, &holder, (id, Kind::Passkey, name), now)
    };
    keep(app, tx, &holder, stored, name, now).await
}

/// The offer of a new app; the same while it waits, so that a page may be loaded twice.
pub async fn offer_app(app: &App, session: &Session) -> Result<AppOffer> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, session.citizen).await?;
    room(&mut tx, session).await?;
    let waiting = awaited(&mut tx, session, &holder, Purpose::App, now).await?;
    let secret = match waiting.as_deref().and_then(TotpSecret::of) {
        Some(secret) => secret,
        None => {
            let secret = TotpSecret::new(&*app.entropy);
            wait(app, &mut tx, session, &holder, (Purpose::App, secret.expose(), now + APP_LIFE)).await?;
            secret
        }
    };
    tx.commit().await?;
    let label = holder.person.name.as_str().replace(':', " ");
    Ok(AppOffer { secret: secret.base32(), address: secret.address("Chung", &label) })
}

/// Takes the first code of a new app and keeps the app under this name; that step is used up by it.
pub async fn finish_app(
    app: &App,
    session: &Session,
    code: &OneTimeCode,
    name: &Line<NAME_MAX>,
) -> Result<Enrolled> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = holder(app, &mut tx, session.citizen).await?;
    let waiting = awaited(&mut tx, session, &holder, Purpose::App, now).await?;
    let Some(secret) = waiting.as_deref().and_then(TotpSecret::of) else { return Ok(Enrolled::Over) };
    let Some(step) = secret.step_of(code.expose(), now) else {
        ceremony::miss(&mut tx, session.id.uuid(), Purpose::App).await?;
        tx.commit().await?;
        return Ok(Enrolled::NotAccepted);
    };
    ceremony::end(&mut tx, session.id.uuid(), Purpose::App).await?;
    let id = Id::new(now, &*app.entropy);
    let stored = StoredAuthenticator {
        last_step: Some(step),
        material: holder.key.seal(&*app.entropy, &place("material", id), secret.expose()),
        ..fresh(app, session, &holder, (id, Kind::App, name), now)
    };
    keep(app, tx, &holder, stored, name, now).await
}

/// What the citizen has; refuses one more than the most.
async fn room(tx: &mut Tx, session: &Session) -> Result<Vec<StoredAuthenticator>> {
    let all = authenticator::of_citizen(tx, session.citizen).await?;
    if all.len() >= AUTHENTICATORS_MAX { Err(Error::conflict("authenticators_too_many")) } else { Ok(all) }
}

fn fresh(
    app: &App,
    session: &Session,
    holder: &OnRecord,
    (id, kind, name): (Id<id::Authenticator>, Kind, &Line<NAME_MAX>),
    now: Instant,
) -> StoredAuthenticator {
    StoredAuthenticator {
        id,
        citizen: session.citizen,
        kind,
        name: holder.key.seal(&*app.entropy, &place("name", id), name.as_str().as_bytes()),
        material: Sealed::new(Vec::new(), 0),
        credential_hash: None,
        last_step: None,
        enrolled_at: now,
        enrolled_by: session.method.word().to_owned(),
        trusted_from: trusted_from(session.assurance(now), now),
        last_used_at: None,
    }
}

async fn keep(
    app: &App,
    mut tx: Tx,
    holder: &OnRecord,
    stored: StoredAuthenticator,
    name: &Line<NAME_MAX>,
    now: Instant,
) -> Result<Enrolled> {
    if !authenticator::insert(&mut tx, &stored).await? {
        return Ok(Enrolled::Known);
    }
    let about = ("way.enrolled", stored.kind, name.as_str());
    record(app, &mut tx, holder, about, stored.id.uuid(), now).await?;
    let details = json!({ "way": stored.kind.word(), "name": name.as_str() });
    let told = Told { what: What::WayEnrolled, details, way: Some(stored.id), quiet: false };
    notify(app, &mut tx, holder, told, now).await?;
    tx.commit().await?;
    Ok(Enrolled::Kept(stored.id))
}

async fn wait(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    holder: &OnRecord,
    (purpose, state, until): (Purpose, &[u8], Instant),
) -> Result<()> {
    let sealed: Sealed<Waiting> = holder.key.seal(&*app.entropy, &waiting_place(session, purpose), state);
    let ceremony = Ceremony {
        state: sealed.bytes().to_vec(),
        generation: sealed.key(),
        tries_left: TRIES_MAX,
        expires_at: until,
    };
    Ok(ceremony::begin(tx, session.id.uuid(), purpose, &ceremony).await?)
}

async fn awaited(
    tx: &mut Tx,
    session: &Session,
    holder: &OnRecord,
    purpose: Purpose,
    now: Instant,
) -> Result<Option<Vec<u8>>> {
    let Some(found) = ceremony::find(tx, session.id.uuid(), purpose, now).await? else { return Ok(None) };
    let sealed: Sealed<Waiting> = Sealed::new(found.state, found.generation);
    Ok(Some(holder.key.open(&waiting_place(session, purpose), &sealed)?.expose().clone()))
}

fn waiting_place(session: &Session, purpose: Purpose) -> Vec<u8> {
    [b"ceremony.", purpose.word().as_bytes(), session.id.uuid().as_bytes()].concat()
}

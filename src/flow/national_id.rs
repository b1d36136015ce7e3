//! Signing in with the national e-ID: a browser goes there and comes back with a code; what the code stands for is
//! asked from the upstream itself, outside any transaction, and believed only for the sign-in that it was begun for.
//!
//! Replay and mix-up: the state is random, kept as its digest, good once, for ten minutes, and only in the browser
//! whose sign-in it belongs to; the answer names its issuer (RFC 9207); the token is bound by a nonce and the code by a
//! verifier, both derived from the state. An account belongs to one citizen for ever. When the upstream is down nothing
//! else is tried: the person is told so, and where the counter is.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    limit_attempts::Visitor,
    open_session::{Proof, SignedIn, open_session},
    population::{self, OnRecord},
    sign_in::{Step, lock, portal_in, unfit},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Sealed, Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    assurance::Reported,
    authorization::{Authorization, Event, State},
    national_id::{Account, Words},
    session::Session,
};
use crate::partner::national_id::{Errand, NationalId, NoAccount, UpstreamAccount};
use crate::store::{Tx, agency, audit, national_id};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::json;
use std::sync::Arc;
use time::Duration;
use url::Url;

/// How long a person may stay at the national e-ID.
const TRIP_LIFE: Duration = Duration::minutes(10);
/// Where it sends people back.
pub const CALLBACK: &str = "/sign-in/national-id/callback";

/// Where to send the browser.
pub enum Departure {
    /// To the national e-ID.
    To(Box<Url>),
    /// Nowhere: it does not answer.
    Down,
}

/// What the browser brought back.
pub struct Returned<'a> {
    /// The state.
    pub state: &'a Token,
    /// The code; absent when the person turned back there.
    pub code: Option<&'a str>,
    /// Who says so.
    pub issuer: Option<&'a str>,
}

/// What became of it.
pub enum Arrival {
    /// The person is known.
    SignedIn(SignedIn),
    /// They turned back at the national e-ID.
    TurnedBack,
    /// The national e-ID does not answer.
    Down,
    /// What came back is not believed, was used before, or is for somebody else.
    Refused,
    /// The national e-ID and the register do not speak of the same person.
    Differs,
    /// The sign-in there was weaker than what is demanded here.
    TooWeak,
    /// The person may not sign in.
    Barred,
}

/// The upstream, if one is configured.
fn upstream(app: &App) -> Result<&Arc<dyn NationalId>> {
    app.national_id.as_ref().ok_or(Error::not_found())
}

/// Sends a browser to the national e-ID, if it is there.
pub async fn depart(app: &App, step: &Step) -> Result<Departure> {
    let upstream = upstream(app)?;
    if !upstream.is_up().await {
        return Ok(Departure::Down);
    }
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    if !matches!(authorization.state, State::Started | State::Challenged(_)) {
        // An event that never fits these states says why.
        return Err(authorization
            .after(Event::Enter, now)
            .err()
            .map_or(Error::conflict("sign_in_moved"), unfit));
    }
    let state = Token::new(TokenKind::Form, &*app.entropy);
    let expires_at = authorization.expires_at.min(now + TRIP_LIFE);
    national_id::begin_trip(&mut tx, &digest(&state), authorization.id, now, expires_at).await?;
    tx.commit().await?;
    let secrets = Secrets::of(app, &state);
    Ok(Departure::To(Box::new(upstream.authorize_url(&secrets.errand(&state)))))
}

/// The sign-in that a returning browser's state belongs to.
pub async fn trip_of(app: &App, state: &Token) -> Result<Option<Id<id::Authorization>>> {
    Ok(national_id::find_trip(&app.store, &digest(state)).await?)
}

/// Takes what a browser brought back.
pub async fn arrive(
    app: &App,
    step: &Step,
    returned: &Returned<'_>,
    (visitor, cookie): (&Visitor, Option<&Session>),
) -> Result<Arrival> {
    let upstream = upstream(app)?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let first = national_id::end_trip(&mut tx, &digest(returned.state), authorization.id, now).await?;
    tx.commit().await?;
    if !first || returned.issuer != Some(upstream.issuer()) {
        tracing::warn!(authorization = %authorization.id, first, "an answer of the national e-ID came twice or from elsewhere");
        return Ok(Arrival::Refused);
    }
    let Some(code) = returned.code else { return Ok(Arrival::TurnedBack) };
    let secrets = Secrets::of(app, returned.state);
    let said = match upstream.account(&secrets.errand(returned.state), code, now).await {
        Ok(said) => said,
        Err(NoAccount::Down) => return Ok(Arrival::Down),
        Err(refused @ (NoAccount::Refused | NoAccount::Unbelieved(_))) => {
            tracing::warn!(authorization = %authorization.id, %refused, "the national e-ID");
            return Ok(Arrival::Refused);
        }
    };
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    match recognise(app, &mut tx, &said, now).await? {
        Recognised::Unreadable => Ok(Arrival::Refused),
        Recognised::Nobody => Ok(Arrival::Differs),
        Recognised::Another(holder) => {
            let concern =
                Concern { citizen: Some(holder.citizen), agency: None, object: authorization.id.uuid() };
            let details = json!({ "authorization": authorization.id.to_string() });
            let refused = leaf(app, now, "national_id.refused", concern, &holder.key, &details);
            audit::append(&mut tx, &[refused]).await?;
            tx.commit().await?;
            Ok(Arrival::Differs)
        }
        Recognised::Holder(holder, account) => {
            let who = Who { holder: &holder, account: &account, said: &said };
            enter(app, tx, &authorization, &who, (visitor, cookie), now).await
        }
    }
}

/// Whose account it is.
enum Recognised {
    Unreadable,
    Nobody,
    Another(Box<OnRecord>),
    Holder(Box<OnRecord>, Box<Account>),
}

async fn recognise(app: &App, tx: &mut Tx, said: &UpstreamAccount, now: Instant) -> Result<Recognised> {
    let words = Words {
        number: &said.number,
        name: &said.name,
        birth_date: &said.birth_date,
        account_level: &said.account_level,
        assurance: &said.assurance,
        kind: &said.kind,
    };
    let Some(account) = Account::read(&words) else { return Ok(Recognised::Unreadable) };
    let Some(holder) = population::look_up(app, tx, account.number).await?.on_record else {
        return Ok(Recognised::Nobody);
    };
    if !account.is_of(&holder.person) {
        return Ok(Recognised::Another(holder));
    }
    population::meet(app, tx, &holder, now).await?;
    let name = app.keys.lookup("national_id_account", said.tech_id.as_bytes());
    let owner = national_id::link(tx, &name, holder.citizen, now).await?;
    Ok(if owner == holder.citizen {
        Recognised::Holder(holder, Box::new(account))
    } else {
        Recognised::Another(holder)
    })
}

struct Who<'a> {
    holder: &'a OnRecord,
    account: &'a Account,
    said: &'a UpstreamAccount,
}

async fn enter(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    who: &Who<'_>,
    (visitor, cookie): (&Visitor, Option<&Session>),
    now: Instant,
) -> Result<Arrival> {
    let Who { holder, account, said } = who;
    let id: Id<id::Event> = Id::new(now, &*app.entropy);
    let id = id.uuid();
    let evidence: Sealed<national_id::Evidence> =
        holder.key.seal(&*app.entropy, &place(id), said.evidence.as_bytes());
    let reported = Reported { level: account.level, at: now };
    national_id::insert_report(&mut tx, id, holder.citizen, &reported, &evidence).await?;
    let concern = Concern { citizen: Some(holder.citizen), agency: None, object: id };
    let details = json!({ "account_level": account.level.number(), "source": "national_id" });
    let told = leaf(app, now, "account_level.reported", concern, &holder.key, &details);
    audit::append(&mut tx, &[told]).await?;
    if !authorization.wanted().demand.met_by(account.assurance()) {
        // The report stands; the sign-in waits for a stronger one.
        tx.commit().await?;
        return Ok(Arrival::TooWeak);
    }
    let proof = Proof { method: account.method, reached: account.assurance(), with: None };
    let signed_in = open_session(app, tx, authorization, holder, proof, (visitor, cookie), now).await?;
    Ok(signed_in.map_or(Arrival::Barred, Arrival::SignedIn))
}

fn place(report: uuid::Uuid) -> Vec<u8> {
    [b"account_level_report.sealed".as_slice(), report.as_bytes()].concat()
}

fn digest(state: &Token) -> crate::crypto::digest::Digest {
    sha256(state.expose().as_bytes())
}

/// What binds token and code to the state; derived, so that nothing secret is kept.
struct Secrets {
    nonce: String,
    verifier: String,
    redirect_uri: String,
}

impl Secrets {
    fn of(app: &App, state: &Token) -> Self {
        let derived = |label| BASE64URL.encode(app.keys.lookup(label, state.expose().as_bytes()));
        Self {
            nonce: derived("national_id_nonce"),
            verifier: derived("national_id_verifier"),
            redirect_uri: app.origin.at(CALLBACK),
        }
    }

    fn errand<'a>(&'a self, state: &'a Token) -> Errand<'a> {
        Errand {
            state: state.expose(),
            nonce: &self.nonce,
            verifier: &self.verifier,
            redirect_uri: &self.redirect_uri,
        }
    }
}

/// Whose counter helps: the agency of the portal that asked, in Vietnamese and English.
pub async fn counter_of(app: &App, step: &Step) -> Result<Option<(String, String)>> {
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let Some(client) = portal_in(&mut tx, &authorization).await? else { return Ok(None) };
    let agency = agency::find_all(&mut tx, &[client.agency]).await?.pop();
    Ok(agency.map(|agency| (agency.name_vi, agency.name_en)))
}

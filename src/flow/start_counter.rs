//! An officer's system starts a sign-in for the citizen at its counter. The citizen is told by a message to the phone on
//! record, and finds the request on a page of their own; a number of nobody costs the same and waits as long.
//!
//! Nobody's phone is flooded: past the limit of a number the request stands but asks no phone, and a signed sheet alone
//! answers it ([`super::sheet_for_request`]). So a bombed number, like a citizen without a phone, is still served.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
    contact::{Contact, contact_of},
    disclosure,
    limit_attempts::{self, Attempt, Visitor},
    locks, officer, population,
    short_message::{self, ShortMessage, written},
    vouch_sign_in,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::codec::gsm7::plain;
use crate::crypto::digest::sha256;
use crate::identity::{
    authenticator::Method,
    authorization::{Authorization, Errand, State},
    client::Client,
    counter::Asked,
    limit::Act,
    lock::Use,
    request::Parameters,
};
use crate::store::{
    Tx,
    at_counter::{self, AtDesk},
    audit, authorization, contact, portal,
};
use serde_json::json;
use std::net::IpAddr;
use time::Duration;

/// A sign-in that waits for its citizen.
pub struct Waiting {
    /// Its name, `auth_req_id`.
    pub name: Token,
    /// How long it waits.
    pub life: Duration,
    /// Whether a message went out, as it does for nobody too: not past the limit of the number or the agency's cap.
    pub told: bool,
}

/// Who starts a sign-in.
#[derive(Clone, Copy)]
pub(super) struct Starter {
    /// From which network address.
    pub from: IpAddr,
    /// The officer, where it is done on a page.
    pub officer: Option<Id<id::Citizen>>,
}

/// Starts a sign-in for an authenticated client.
pub async fn start_counter(
    app: &App,
    client: &Client,
    parameters: &Parameters,
    from: IpAddr,
) -> Result<Waiting> {
    if !client.terms.counter {
        return Err(refused("unauthorized_client", "client", "not_registered_for_the_counter"));
    }
    let asked = Asked::parse(client, parameters, vouch_sign_in::reachable(app))
        .map_err(|r| refused(r.code, r.field, r.rule))?;
    if let Some(resource) = &asked.request.resource
        && !portal::serves(&app.store, client.agency, resource).await?
    {
        return Err(refused("invalid_target", "resource", "not_served_by_this_agency"));
    }
    begin(app, client, asked, Starter { from, officer: None }).await
}

/// Begins what was asked, and asks the citizen's phone as far as the limits allow.
pub(super) async fn begin(app: &App, client: &Client, asked: Asked, starter: Starter) -> Result<Waiting> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(officer) = starter.officer {
        officer::demand_counter(&mut tx, officer, client.agency, Day::of(now)).await?;
    }
    let looked = population::look_up(app, &mut tx, asked.number).await?;
    // Asking about nobody's locks takes the same time.
    let sought =
        looked.on_record.as_ref().map_or_else(|| Id::new(now, &*app.entropy), |holder| holder.citizen);
    let what = Use::Portal(client.id, Method::SmsCode);
    let locked = locks::forbids(&mut tx, sought, what, now).await?;
    let holder = looked.on_record.filter(|holder| !locked && disclosure::is_open(&holder.person));
    let mut request = asked.request;
    request.citizen = holder.as_ref().map(|holder| holder.citizen);
    let text = sms(request.message.as_str(), holder.as_ref().map(|h| h.person.name.as_str()), client);
    let authorization = Authorization {
        id: Id::new(now, &*app.entropy),
        errand: Errand::Counter { client: client.id, request: Box::new(request) },
        started_at: now,
        expires_at: now + asked.life,
        state: State::Started,
    };
    let hash = population::number_hash(app, &asked.number);
    let visitor = Visitor { address: starter.from, browser: None };
    let attempt = |acts| Attempt { acts, number_hash: &hash, client: Some(client.id), visitor: &visitor };
    if limit_attempts::count(app, &mut tx, attempt(&[Act::Start]), now).await?.is_some() {
        tx.commit().await?;
        return Err(refused("access_denied", "client", "started_too_often"));
    }
    let asks_phone = limit_attempts::count(app, &mut tx, attempt(&[Act::Push]), now).await?.is_none();
    let told = asks_phone && short_message::within_cap(app, &mut tx, client.agency, now).await?;
    let name = Token::new(TokenKind::Counter, &*app.entropy);
    // No browser holds the sign-in until the citizen takes it up.
    let nobody = sha256(Token::new(TokenKind::Form, &*app.entropy).expose().as_bytes());
    let digest = sha256(name.expose().as_bytes());
    let id = authorization.id;
    let bound = authorization::Bound { authorization, browser: nobody, number_hint: None };
    let desk = AtDesk { poll: &digest, asks_phone, officer: starter.officer };
    at_counter::insert_counter(&mut tx, &bound, &desk).await?;
    let contact = match &holder {
        Some(holder) => contact_of(&mut tx, holder).await?,
        None => {
            contact::find(&mut tx, Id::new(now, &*app.entropy)).await?;
            Contact::default()
        }
    };
    let sms = ShortMessage {
        name: "counter.started",
        object: id.uuid(),
        to: contact.phone.as_ref(),
        agency: Some(client.agency),
        text,
    };
    if told {
        short_message::send(app, &mut tx, sms, now).await?;
    }
    record(app, &mut tx, client, holder.as_deref(), id, now).await?;
    tx.commit().await?;
    Ok(Waiting { name, life: asked.life, told })
}

fn refused(code: &'static str, field: &str, rule: &'static str) -> Error {
    Error::Refused(Refusal::new(code).violation(field, rule, None))
}

async fn record(
    app: &App,
    tx: &mut Tx,
    client: &Client,
    holder: Option<&population::OnRecord>,
    id: Id<id::Authorization>,
    now: Instant,
) -> Result<()> {
    let concern =
        Concern { citizen: holder.map(|h| h.citizen), agency: Some(client.agency), object: id.uuid() };
    let details = json!({"authorization": id.to_string(), "client": client.id.to_string()});
    let (nobodys, _) = app.keys.new_data_key(&*app.entropy, id.uuid().as_bytes());
    let key = holder.map_or(&nobodys, |h| &h.key);
    Ok(audit::append(tx, &[leaf(app, now, "counter.started", concern, key, &details)]).await?)
}

/// One plain segment that names the person and the portal, shortened, and the message that both see.
fn sms(about: &str, name: Option<&str>, client: &Client) -> String {
    let about = plain(about);
    written("counter-sms", name.unwrap_or("Nguyen Van A"), client.name.vi.as_str(), &[("about", &about)])
}

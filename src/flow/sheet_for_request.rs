//! A sheet that answers a sign-in at a counter: for whoever has no phone, or whose phone is not asked any more.
//!
//! What the consent page would show stands on the paper: who asks, what for, what the law lets them be told, and what
//! the citizen may allow, nothing ticked beforehand. The card was read before it was printed, by the officer before whom
//! it is signed, at the agency whose system asks; so the sign-in is the strongest there is. No browser gets a session.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    decide_consent,
    notify::{Told, notify},
    population::{self, OnRecord},
    serve_at_counter::{self, Served},
    sign_in::unfit,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, CardCheck, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    assurance::Assurance,
    authenticator::Method,
    authorization::{Authorization, Confirmation, Errand, Event, Refusal, State},
    claims::{Claim, Claims},
    client::Client,
    consent::{self, Consent, Decision},
    notice::What,
    session::Session,
};
use crate::store::{self, Tx, audit, authorization, counter::StoredSheet, portal, session};
use serde_json::json;
use time::Duration;

/// How long the session behind a sheet stands: as long as the reading of the card is worth anything.
const SESSION_LIFE: Duration = Duration::hours(1);

/// Prints the sheet for a request that waits for the citizen whose card was read.
pub async fn print_request_sheet(
    app: &App,
    officer: &Session,
    check: Id<CardCheck>,
    request: Id<id::Authorization>,
) -> Result<Id<id::Sheet>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let served = serve_at_counter::served(app, &mut tx, officer, check, now).await?;
    let (authorization, client) = waiting(&mut tx, request, &served, now).await?;
    let Errand::Counter { request: asked, .. } = &authorization.errand else {
        return Err(Error::not_found());
    };
    let offer = client.policy.offer(&asked.asked);
    let by_law: Vec<_> =
        offer.by_law.iter().map(|(claim, basis)| json!([claim.name(), basis.as_str()])).collect();
    let says = json!({
        "portal": client.name.vi.as_str(),
        "act": client.purpose.vi.as_str(),
        "dossier": asked.message.as_str(),
        "by_law": by_law,
        "by_consent": offer.by_consent.iter().copied().map(Claim::name).collect::<Vec<_>>(),
    });
    let sheet =
        serve_at_counter::print(app, &mut tx, officer, &served, (says, Some(request.uuid())), now).await?;
    tx.commit().await?;
    Ok(sheet)
}

/// A request that waits for this citizen, asked by a system of this counter's agency; locked.
async fn waiting(
    tx: &mut Tx,
    request: Id<id::Authorization>,
    served: &Served,
    now: Instant,
) -> Result<(Authorization, Client)> {
    let bound = authorization::find_and_lock(tx, request).await?.ok_or(Error::not_found())?;
    let authorization = bound.authorization;
    let Errand::Counter { client, request } = &authorization.errand else { return Err(Error::not_found()) };
    let client = portal::find_in(tx, *client).await?.ok_or(Error::not_found())?;
    if request.citizen != Some(served.holder.citizen) || client.agency != served.agency {
        return Err(Error::not_found());
    }
    // Whatever a browser has done with it meanwhile, paper may still answer; once answered it is over.
    authorization.after(Event::StartOver, now).map_err(unfit)?;
    Ok((authorization, client))
}

/// The citizen has signed: the request is answered with what is ticked on the paper.
pub(super) async fn agree(
    app: &App,
    tx: &mut Tx,
    sheet: &StoredSheet,
    (request, ticked): (Id<id::Authorization>, Claims),
    holder: &OnRecord,
    now: Instant,
) -> Result<()> {
    let bound = authorization::find_and_lock(tx, request).await?.ok_or(Error::not_found())?;
    let before = bound.authorization;
    let client = before.client().ok_or(Error::not_found())?;
    let client = portal::find_in(tx, client).await?.ok_or(Error::not_found())?;
    let confirmation = confirm(app, tx, sheet, holder, now).await?;
    let started =
        Authorization { state: before.after(Event::StartOver, now).map_err(unfit)?, ..before.clone() };
    let state = started.after(Event::Confirm(confirmation), now).map_err(unfit)?;
    let confirmed = Authorization { state, ..started };
    if !authorization::advance(tx, request, &before.state, &confirmed.state, None).await? {
        return Err(Error::conflict("sign_in_moved"));
    }
    // Register, locks, client and agency are asked now, as on the page.
    let party = decide_consent::allowed(app, tx, &confirmed, &client, &confirmation, now).await?;
    if party.is_none() {
        return Err(unfit(Refusal::Unfit));
    }
    let asked = confirmed.asked().ok_or_else(|| unfit(Refusal::Unfit))?;
    let decision = consent::decide(&client.policy.offer(asked), consent::Answer::Allow(ticked))
        .map_err(|_| Error::refused("claim_not_offered"))?;
    let Decision::GoOn { notified, allowed } = decision else { return Err(unfit(Refusal::Unfit)) };
    let consent = Consent {
        id: Id::new(now, &*app.entropy),
        citizen: holder.citizen,
        client: client.id,
        notified,
        allowed,
        given_at: now,
        withdrawn_at: None,
    };
    store::consent::insert(tx, &consent, None).await?;
    record(app, tx, (sheet, &consent, &client), &confirmed, holder, now).await?;
    decide_consent::issue_in(app, tx, &confirmed, &client, &consent, now).await?;
    let details = json!({ "portal": client.name.vi.as_str(), "method": Method::ChipCard.word() });
    let told = Told { what: What::SignedIn, details, way: None, quiet: false };
    notify(app, tx, holder, told, now).await
}

/// The session that stands for the reading of the card. No cookie opens it.
async fn confirm(
    app: &App,
    tx: &mut Tx,
    sheet: &StoredSheet,
    holder: &OnRecord,
    now: Instant,
) -> Result<Confirmation> {
    population::meet(app, tx, holder, now).await?;
    let session = Session {
        id: Id::new(now, &*app.entropy),
        citizen: holder.citizen,
        method: Method::ChipCard,
        reached: Assurance::InPerson,
        authenticated_at: sheet.printed_at,
        expires_at: now + SESSION_LIFE,
        ended_at: None,
    };
    let nobodys = Token::new(TokenKind::Session, &*app.entropy);
    session::insert(tx, &session, None, &sha256(nobodys.expose().as_bytes())).await?;
    Ok(Confirmation {
        citizen: holder.citizen,
        session: session.id,
        method: session.method,
        reached: session.reached,
        authenticated_at: session.authenticated_at,
    })
}

async fn record(
    app: &App,
    tx: &mut Tx,
    (sheet, consent, client): (&StoredSheet, &Consent, &Client),
    authorization: &Authorization,
    holder: &OnRecord,
    now: Instant,
) -> Result<()> {
    let concern = |object| Concern { citizen: Some(holder.citizen), agency: Some(client.agency), object };
    let State::Confirmed(confirmation) = &authorization.state else {
        return Err(unfit(Refusal::NotConfirmed));
    };
    let names = |claims: &Claims| claims.iter().copied().map(Claim::name).collect::<Vec<_>>();
    let signed_in = json!({
        "authorization": authorization.id.to_string(),
        "client": client.id.to_string(),
        "method": confirmation.method.word(),
        "acr": confirmation.reached.acr(),
    });
    let agreed = json!({
        "authorization": authorization.id.to_string(),
        "client": client.id.to_string(),
        "purpose": client.purpose.vi.as_str(),
        "notified": names(&consent.notified),
        "allowed": names(&consent.allowed),
        "acting": null,
        "sheet": sheet.number,
    });
    let leaves = [
        leaf(app, now, "sign_in.confirmed", concern(authorization.id.uuid()), &holder.key, &signed_in),
        leaf(app, now, "consent.given", concern(consent.id.uuid()), &holder.key, &agreed),
    ];
    Ok(audit::append(tx, &leaves).await?)
}

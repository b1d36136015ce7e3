//! What the steps of a sign-in share: finding it for the right browser, moving it on, and answering the portal.

use super::{
    Error, Result,
    acting::{self, Principal},
    asking_client::asking_client,
    disclosure, locks, population,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::Token,
    text::Lang,
};
use crate::crypto::digest::{equal, sha256};
use crate::identity::{
    assurance::Assurance,
    authenticator::Method,
    authorization::{Authorization, Cause, Confirmation, Errand, Event, LocalPath, Refusal, State},
    claims::Claim,
    client::{Client, Wording},
    request::{Address, ErrorCode},
    session::Session,
};
use crate::store::{Tx, authorization, consent, portal, pseudonym, pushed_request, session};

/// Names the sign-in that a page is about, and proves that the browser is the one that began it.
pub struct Step {
    /// Which sign-in.
    pub authorization: Id<id::Authorization>,
    /// The browser's token for it.
    pub browser: Token,
}

/// An answer to the portal: the address to send the browser to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The full address.
    pub location: String,
}

impl Answer {
    /// An answer that says no. Every answer names its issuer (RFC 9207).
    pub fn refusal(app: &App, address: &Address, code: ErrorCode, description: &str) -> Self {
        Self::new(app, address, &[("error", code.code()), ("error_description", description)])
    }

    /// An answer to the citizen's own page: the portal asks for its own.
    pub fn here(allowed: bool) -> Self {
        let word = if allowed { "allowed" } else { "refused" };
        Self { location: format!("/approve?answer={word}") }
    }

    /// An answer that carries a code.
    pub fn code(app: &App, address: &Address, code: &Token) -> Self {
        Self::new(app, address, &[("code", code.expose())])
    }

    fn new(app: &App, address: &Address, parameters: &[(&str, &str)]) -> Self {
        let state = address.state.as_deref().map(|state| ("state", state));
        let all: Vec<(&str, &str)> =
            parameters.iter().copied().chain(state).chain([("iss", app.origin.as_str())]).collect();
        Self { location: address.redirect_uri.with(&all) }
    }
}

/// What the person at the browser should see now.
pub enum View {
    /// The page that asks for the number.
    Number(Asking),
    /// The page that asks for the code: one that was sent, or the app's.
    Code(Asking, Method),
    /// The page that asks in whose name the person goes on.
    Whom(Box<Choosing>),
    /// The page that asks for consent.
    Consent(Box<Consenting>),
    /// The portal is answered; nothing to see here.
    Answered(Answer),
    /// The page of ours that was asked for.
    Enter(LocalPath),
    /// It is over, or belongs to another browser.
    Over,
}

/// Who asks the person to sign in.
pub struct Asking {
    /// The portal's name; `None` for a page of ours.
    pub portal: Option<Wording>,
    /// What it is for.
    pub purpose: Option<Wording>,
    /// Where the answer will lead, for the page's policy.
    pub redirect_origin: Option<String>,
    /// How sure they must be.
    pub least: Assurance,
    /// The number that the portal expects, for the form.
    pub number_hint: Option<String>,
    /// What an officer and the citizen both see, where the sign-in was started at a counter.
    pub message: Option<String>,
}

/// What the page shows that asks in whose name.
pub struct Choosing {
    /// Who asks.
    pub asking: Asking,
    /// Who sits there.
    pub person: String,
    /// In whose names they may go on.
    pub principals: Vec<Principal>,
}

/// What the consent page shows.
pub struct Consenting {
    /// Who asks.
    pub asking: Asking,
    /// Who sits there.
    pub person: String,
    /// In whose name they act, if not in their own: the name.
    pub on_behalf: Option<String>,
    /// What the page that asks in whose name would show.
    pub choosing: Choosing,
    /// What the law requires: claim, value, basis.
    pub by_law: Vec<(Claim, Option<String>, String)>,
    /// What the person decides on: claim and value.
    pub by_consent: Vec<(Claim, Option<String>)>,
}

/// Where a sign-in stands and what to show. A session that answers the request takes it on by itself.
pub async fn view(app: &App, step: &Step, present: Option<&Session>, lang: Lang) -> Result<View> {
    let now = app.clock.now();
    let Some((authorization, hint)) = open_in(app, step, now).await? else {
        return Ok(View::Over);
    };
    let client = portal_of(app, &authorization).await?;
    match &authorization.state {
        State::Started => match present {
            Some(session) if session.answers(&authorization.wanted(), now) => {
                let mut tx = app.store.begin().await?;
                let confirm = Event::Confirm(session.confirms());
                let state = advance(&mut tx, &authorization, confirm, now).await?;
                let confirmed = Authorization { state, ..authorization };
                arrived(app, tx, &confirmed, client.as_ref(), (lang, now)).await
            }
            Some(_) | None if forbids_pages(&authorization) => {
                let tx = app.store.begin().await?;
                refuse(app, tx, &authorization, ErrorCode::LoginRequired, now).await
            }
            Some(_) | None => {
                let hint = super::authorize::number_hint(app, authorization.id.uuid(), hint.as_deref())?;
                Ok(View::Number(Asking { number_hint: hint, ..asking(&authorization, client.as_ref()) }))
            }
        },
        State::Challenged(challenge) => {
            Ok(View::Code(asking(&authorization, client.as_ref()), challenge.method))
        }
        State::Confirmed(_) => {
            let tx = app.store.begin().await?;
            arrived(app, tx, &authorization, client.as_ref(), (lang, now)).await
        }
        State::Entered { .. } => match &authorization.errand {
            Errand::Page { return_to, .. } => Ok(View::Enter(return_to.clone())),
            Errand::Portal { .. } | Errand::Counter { .. } => Ok(View::Over),
        },
        State::CodeIssued { .. }
        | State::Exchanged { .. }
        | State::Revoked { .. }
        | State::Refused { .. }
        | State::Expired => Ok(View::Over),
    }
}

/// The session behind a cookie, if it is live and no lock of its citizen stops it.
pub async fn session_of(app: &App, cookie: Option<&Token>, now: Instant) -> Result<Option<Session>> {
    let Some(cookie) = cookie else { return Ok(None) };
    let found = session::find(&app.store, &sha256(cookie.expose().as_bytes())).await?;
    let Some((session, has_locks)) = found.filter(|(session, _)| session.is_live(now)) else {
        return Ok(None);
    };
    Ok(if has_locks && locks::stops_session(app, &session, now).await? { None } else { Some(session) })
}

/// The sign-in of a step, locked, if it is this browser's.
pub(super) async fn lock(tx: &mut Tx, step: &Step) -> Result<Authorization> {
    let bound = authorization::find_and_lock(tx, step.authorization).await?;
    bound.filter(|b| is_browser(b, step)).map(|b| b.authorization).ok_or(Error::not_found())
}

/// Refuses a step for somebody who signed out since they were confirmed: the pages of their sign-in begin anew. Whoever
/// signs out while this goes on is heard where the code is exchanged.
pub(super) async fn demand_present(tx: &mut Tx, confirmation: &Confirmation) -> Result<()> {
    if session::has_ended(tx, confirmation.session).await? {
        return Err(Error::conflict("sign_in_moved"));
    }
    Ok(())
}

/// Moves a sign-in on and stores it against the state it was read in.
pub(super) async fn advance(
    tx: &mut Tx,
    authorization: &Authorization,
    event: Event,
    now: Instant,
) -> Result<State> {
    let next = authorization.after(event, now).map_err(unfit)?;
    if let State::Challenged(challenge) = &next {
        authorization::put_challenge(tx, authorization.id, challenge).await?;
    }
    if authorization::advance(tx, authorization.id, &authorization.state, &next, None).await? {
        Ok(next)
    } else {
        Err(Error::conflict("sign_in_moved"))
    }
}

/// What a refusal of the aggregate means for the person.
pub(super) const fn unfit(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Expired | Refusal::AlreadyOver => Error::refused("sign_in_over"),
        Refusal::NotChallenged | Refusal::NotConfirmed | Refusal::AlreadyConfirmed => {
            Error::conflict("sign_in_moved")
        }
        Refusal::Unfit => Error::forbidden("sign_in_unfit"),
    }
}

/// The portal of a sign-in that a portal asked for.
async fn portal_of(app: &App, authorization: &Authorization) -> Result<Option<Client>> {
    match asker(authorization) {
        Some(client) => asking_client(app, client).await,
        None => Ok(None),
    }
}

/// The same in a transaction that goes on: whoever holds one connection waits for no second.
pub(super) async fn portal_in(tx: &mut Tx, authorization: &Authorization) -> Result<Option<Client>> {
    match asker(authorization) {
        Some(client) => Ok(portal::find_in(tx, client).await?),
        None => Ok(None),
    }
}

fn asker(authorization: &Authorization) -> Option<Id<id::Client>> {
    match &authorization.errand {
        Errand::Portal { client, .. } | Errand::Counter { client, .. } => Some(*client),
        Errand::Page { .. } => None,
    }
}

/// The name of whoever a session stands for, as the register has it.
pub async fn name_of(app: &App, session: &Session) -> Result<Option<String>> {
    let mut tx = app.store.begin().await?;
    let looked = population::look_up_citizen(app, &mut tx, session.citizen).await?;
    Ok(looked.on_record.map(|holder| holder.person.name.as_str().to_owned()))
}

async fn open_in(app: &App, step: &Step, now: Instant) -> Result<Option<(Authorization, Option<Vec<u8>>)>> {
    let bound = authorization::find(&app.store, step.authorization).await?;
    let ours = bound.filter(|b| is_browser(b, step) && now < b.authorization.expires_at);
    Ok(ours.map(|b| (b.authorization, b.number_hint)))
}

fn is_browser(bound: &authorization::Bound, step: &Step) -> bool {
    equal(&bound.browser, &sha256(step.browser.expose().as_bytes()))
}

fn asking(authorization: &Authorization, client: Option<&Client>) -> Asking {
    let (redirect_origin, message) = match &authorization.errand {
        Errand::Portal { request, .. } => (Some(request.address.redirect_uri.origin()), None),
        Errand::Counter { request, .. } => (None, Some(request.message.to_string())),
        Errand::Page { .. } => (None, None),
    };
    Asking {
        portal: client.map(|c| c.name.clone()),
        purpose: client.map(|c| c.purpose.clone()),
        redirect_origin,
        least: authorization.wanted().demand.least,
        number_hint: None,
        message,
    }
}

fn forbids_pages(authorization: &Authorization) -> bool {
    match &authorization.errand {
        Errand::Portal { request, .. } => !request.may_show_pages(),
        Errand::Counter { .. } | Errand::Page { .. } => false,
    }
}

/// Somebody is confirmed: on to the page of ours, or to the consent page; or, where pages are forbidden, back to the
/// portal. What this takes is one transaction with the confirmation.
async fn arrived(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    client: Option<&Client>,
    (lang, now): (Lang, Instant),
) -> Result<View> {
    let State::Confirmed(confirmation) = &authorization.state else { return Ok(View::Over) };
    let (asked, client) = match (&authorization.errand, client) {
        (Errand::Page { return_to, .. }, _) => {
            advance(&mut tx, authorization, Event::Enter, now).await?;
            tx.commit().await?;
            return Ok(View::Enter(return_to.clone()));
        }
        // Whoever was named at the counter approves, and nobody else who sits here.
        (Errand::Counter { request, .. }, Some(_)) if request.citizen != Some(confirmation.citizen) => {
            return refuse(app, tx, authorization, ErrorCode::AccessDenied, now).await;
        }
        (Errand::Portal { request, .. }, Some(client)) => (&request.asked, client),
        (Errand::Counter { request, .. }, Some(client)) => (&request.asked, client),
        (Errand::Portal { .. } | Errand::Counter { .. }, None) => return Ok(View::Over),
    };
    let party = acting::party(app, &mut tx, authorization, confirmation, client.agency, now).await?;
    let Some(party) = party else {
        return refuse(app, tx, authorization, ErrorCode::AccessDenied, now).await;
    };
    if session::has_ended(&mut tx, confirmation.session).await? {
        // Whoever it was signed out since: it is the turn of whoever sits here now.
        advance(&mut tx, authorization, Event::StartOver, now).await?;
        tx.commit().await?;
        return Ok(View::Number(asking(authorization, Some(client))));
    }
    if let Errand::Portal { request, .. } = &authorization.errand
        && request.hint_subject.is_some()
        && pseudonym::find(&mut tx, party.holder.citizen, &client.sectors()).await? != request.hint_subject
    {
        return refuse(app, tx, authorization, ErrorCode::LoginRequired, now).await;
    }
    let offer = client.policy.offer(asked);
    if forbids_pages(authorization) {
        let before = consent::latest(&mut tx, confirmation.citizen, client.id).await?;
        return match before.filter(|before| before.covers(&offer)) {
            Some(before) => {
                let answer =
                    super::decide_consent::renew(app, tx, authorization, client, &before, now).await?;
                Ok(View::Answered(answer))
            }
            None => refuse(app, tx, authorization, ErrorCode::ConsentRequired, now).await,
        };
    }
    let chosen = acting::is_chosen(&mut tx, authorization.id).await?;
    // At a counter everybody approves for themselves: the officer has named the person.
    let principals = if party.actor.is_none() && matches!(authorization.errand, Errand::Portal { .. }) {
        acting::principals(app, &mut tx, &party.holder, client.agency, now).await?
    } else {
        Vec::new()
    };
    tx.commit().await?;
    let choosing = Choosing {
        asking: asking(authorization, Some(client)),
        person: party.present().person.name.as_str().to_owned(),
        principals,
    };
    if !chosen && !choosing.principals.is_empty() {
        return Ok(View::Whom(Box::new(choosing)));
    }
    let holder = &party.holder;
    let value = |claim| disclosure::shown(&holder.person, claim, lang);
    Ok(View::Consent(Box::new(Consenting {
        asking: asking(authorization, Some(client)),
        person: choosing.person.clone(),
        on_behalf: party.actor.as_ref().map(|_| holder.person.name.as_str().to_owned()),
        choosing,
        by_law: offer.by_law.iter().map(|(c, basis)| (*c, value(*c), basis.as_str().to_owned())).collect(),
        by_consent: offer.by_consent.iter().map(|c| (*c, value(*c))).collect(),
    })))
}

async fn refuse(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    code: ErrorCode,
    now: Instant,
) -> Result<View> {
    let may_show = !forbids_pages(authorization);
    let cause = match code {
        ErrorCode::AccessDenied => Cause::Barred,
        _ => Cause::PageNeeded,
    };
    advance(&mut tx, authorization, Event::Refuse(cause), now).await?;
    if !pushed_request::use_up(&mut tx, authorization.id, now).await? {
        return Ok(View::Over);
    }
    tx.commit().await?;
    let description = match cause {
        Cause::Barred => "this person may not sign in at present",
        Cause::Citizen | Cause::PageNeeded => match code {
            ErrorCode::LoginRequired if may_show => "the person whom id_token_hint names is not the one here",
            _ => "a page is needed, and prompt=none forbids it",
        },
    };
    Ok(match &authorization.errand {
        Errand::Portal { request, .. } => {
            View::Answered(Answer::refusal(app, &request.address, code, description))
        }
        Errand::Counter { .. } => View::Answered(Answer::here(false)),
        Errand::Page { .. } => View::Over,
    })
}

//! A portal sends a citizen here; or a page of ours asks who is there.

use super::{
    Error, Result,
    asking_client::asking_client,
    carried_code,
    check_client::{Answered, note_refusal},
    end_session, envelope, push_request,
    sign_in::Answer,
    vouch_sign_in,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
    text::Lang,
};
use crate::crypto::digest::{Digest, sha256};
use crate::identity::{
    assurance::Assurance,
    authorization::{AUTHORIZATION_LIFE, Authorization, Errand, LocalPath, State},
    carried::{self, Silent},
    client::Client,
    personal_number::PersonalNumber,
    request::{
        Address, AuthorizationRequest, ClaimsParameter, ErrorCode, Misaddressed, Parameters, RequestRefusal,
    },
};
use crate::store::{authorization, portal};
use std::sync::Arc;
use uuid::Uuid;

/// What becomes of a request.
pub enum Authorized {
    /// The citizen goes on to the pages.
    Begun(Begun),
    /// The portal is told that it cannot be.
    Answered(Answer),
    /// Nobody can be redirected; the person is told.
    Misaddressed(Misaddressed),
}

/// A sign-in that has begun.
pub struct Begun {
    /// Which.
    pub authorization: Id<id::Authorization>,
    /// What ties its pages to this browser.
    pub browser: Token,
    /// The language that the portal suggests.
    pub lang: Option<Lang>,
}

const HINT_PLACE: &[u8] = b"authorization.number_hint";

/// Takes a portal's request, pushed before or sent with the browser; `cookie` is the one of the session that the browser
/// has, if it has one. `read_claims` gives the JSON of the `claims` parameter its meaning.
pub async fn authorize(
    app: &App,
    sent: &Parameters,
    cookie: Option<&Token>,
    read_claims: fn(&str) -> Option<ClaimsParameter>,
) -> Result<Authorized> {
    let now = app.clock.now();
    let id = sent.one("client_id").ok().flatten().and_then(|text| text.parse().ok());
    let client = match id {
        Some(id) => asking_client(app, id).await?,
        None => None,
    };
    let Some(client) = client else {
        return Ok(Authorized::Misaddressed(Misaddressed::UnknownClient));
    };
    let pushed = match sent.one("request_uri") {
        Ok(Some(name)) if name.starts_with(push_request::NAME_START) => {
            let Some(brought) = push_request::bring(app, &client, name, now).await? else {
                return Ok(Authorized::Misaddressed(Misaddressed::UnknownRequest));
            };
            Some(brought)
        }
        _ => None,
    };
    let (parameters, key) = match &pushed {
        Some(brought) => (&brought.parameters, brought.key.clone()),
        None => (sent, None),
    };
    let address = match Address::settle(&client, parameters) {
        Ok(address) => address,
        Err(misaddressed) => {
            let told = Answered { code: "redirect_uri", reason: &misaddressed.to_string() };
            note_refusal(app, client.id, "authorize", &told).await;
            return Ok(Authorized::Misaddressed(misaddressed));
        }
    };
    let answer = async |code: ErrorCode, description: &str| {
        let told = Answered { code: code.code(), reason: description };
        note_refusal(app, client.id, "authorize", &told).await;
        Ok(Authorized::Answered(Answer::refusal(app, &address, code, description)))
    };
    if let Err(barred) = client.may_act(now) {
        tracing::info!(client = %client.id, reason = %barred, "an authorization request is refused");
        return answer(ErrorCode::UnauthorizedClient, &barred.to_string()).await;
    }
    if client.is_fapi2() && pushed.is_none() {
        let first = "a client of the profile fapi2 pushes its requests first";
        return answer(ErrorCode::InvalidRequest, first).await;
    }
    match read(app, &client, parameters, address.clone(), read_claims).await? {
        Err(refusal) => answer(refusal.code, refusal.description).await,
        Ok(mut request) => {
            request.dpop_jkt = key.or(request.dpop_jkt);
            // A number never stands in an address: only a pushed hint is heard.
            let hint = pushed.as_ref().and_then(|pushed| pushed.parameters.one("login_hint").ok().flatten());
            let hint = hint.and_then(|text| text.parse::<PersonalNumber>().ok());
            let pushed = pushed.map(|pushed| pushed.digest);
            let brought = Brought { lang: request.lang, hint, pushed };
            if let Some(cookie) = cookie.filter(|_| !request.may_show_pages()) {
                let silent = Silent {
                    client: Arc::new(client),
                    request: Arc::new(request),
                    cookie: sha256(cookie.expose().as_bytes()),
                    pushed,
                };
                return unseen(app, silent, brought, now).await;
            }
            let errand = Errand::Portal { client: client.id, request: Box::new(request) };
            Ok(Authorized::Begun(begin(app, now, errand, brought).await?))
        }
    }
}

/// Answers a portal that forbids pages out of the session that the browser has; without one the sign-in begins, and its
/// first page says no.
async fn unseen(app: &App, silent: Silent, brought: Brought, now: Instant) -> Result<Authorized> {
    let (client, request) = (Arc::clone(&silent.client), Arc::clone(&silent.request));
    let answer = match app.batches.silent.submit(silent).await?? {
        carried::Answered::Nobody => {
            let errand = Errand::Portal { client: client.id, request: Box::new((*request).clone()) };
            return Ok(Authorized::Begun(begin(app, now, errand, brought).await?));
        }
        carried::Answered::Over => return Err(Error::refused("sign_in_over")),
        carried::Answered::Refused(code, description) => {
            Answer::refusal(app, &request.address, code, description)
        }
        carried::Answered::Agreed { confirmation, consent } => {
            let code = carried_code::seal(app, (&client, &request), &confirmation, consent, now)?;
            Answer::code(app, &request.address, &code)
        }
    };
    Ok(Authorized::Answered(answer))
}

/// Reads everything but the address, and what only our own keys and rows can tell: who is meant, and whether the
/// resource is one that this client may have a token for.
pub(super) async fn read(
    app: &App,
    client: &Client,
    parameters: &Parameters,
    address: Address,
    read_claims: fn(&str) -> Option<ClaimsParameter>,
) -> Result<std::result::Result<AuthorizationRequest, RequestRefusal>> {
    let refuse = |code, description| Ok(Err(RequestRefusal { code, description }));
    let reachable = vouch_sign_in::reachable(app);
    let parsed = AuthorizationRequest::parse(client, parameters, address, reachable, read_claims);
    let mut request = match parsed {
        Ok(request) => request,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Ok(Some(hint)) = parameters.one("id_token_hint") {
        match end_session::hinted(app, hint).filter(|hint| hint.aud == client.id.to_string()) {
            Some(hint) => request.hint_subject = hint.sub.parse().ok(),
            None => {
                return refuse(ErrorCode::InvalidRequest, "id_token_hint is not an ID token of this client");
            }
        }
    }
    if let Some(resource) = &request.resource {
        let userinfo = resource.as_str() == super::issue_token::userinfo_audience(app);
        if !userinfo && !portal::serves(&app.store, client.agency, resource).await? {
            return refuse(ErrorCode::InvalidTarget, "no client of this agency serves that resource");
        }
    }
    Ok(Ok(request))
}

/// Begins a sign-in for a page of ours, which may demand more than a code, or a proof done afresh.
pub async fn enter_page(app: &App, return_to: LocalPath, least: Assurance, afresh: bool) -> Result<Begun> {
    begin(app, app.clock.now(), Errand::Page { return_to, least, afresh }, Brought::default()).await
}

/// What a request brings besides its errand.
#[derive(Default)]
struct Brought {
    lang: Option<Lang>,
    hint: Option<PersonalNumber>,
    pushed: Option<Digest>,
}

async fn begin(app: &App, now: Instant, errand: Errand, brought: Brought) -> Result<Begun> {
    let (bound, browser) = drawn(app, now, errand, brought.hint)?;
    let authorization = bound.authorization.id;
    authorization::begin(&app.store, &bound, brought.pushed.as_ref()).await?;
    Ok(Begun { authorization, browser, lang: brought.lang })
}

/// A new sign-in, and what ties its pages to a browser.
fn drawn(
    app: &App,
    now: Instant,
    errand: Errand,
    hint: Option<PersonalNumber>,
) -> Result<(authorization::Bound, Token)> {
    let id = Id::new(now, &*app.entropy);
    let browser = Token::new(TokenKind::Form, &*app.entropy);
    let authorization = Authorization {
        id,
        errand,
        started_at: now,
        expires_at: now + AUTHORIZATION_LIFE,
        state: State::Started,
    };
    let hint = hint.map(|number| envelope::seal(app, id.uuid(), HINT_PLACE, number.digits().as_bytes()));
    let digest = sha256(browser.expose().as_bytes());
    let bound = authorization::Bound { authorization, browser: digest, number_hint: hint.transpose()? };
    Ok((bound, browser))
}

/// The number that the portal expects, for the form of the browser that it sent.
pub(super) fn number_hint(app: &App, authorization: Uuid, sealed: Option<&[u8]>) -> Result<Option<String>> {
    let Some(sealed) = sealed else { return Ok(None) };
    let plain = envelope::open(app, authorization, HINT_PLACE, sealed)?;
    String::from_utf8(plain.expose().clone()).map(Some).map_err(Error::internal)
}

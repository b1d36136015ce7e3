//! A portal sends a citizen here; or a page of ours asks who is there.

use super::{Result, sign_in::Answer};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
    text::Lang,
};
use crate::crypto::digest::sha256;
use crate::identity::{
    assurance::Assurance,
    authenticator::Method,
    authorization::{AUTHORIZATION_LIFE, Authorization, Errand, LocalPath, State},
    client::Client,
    request::{Address, AuthorizationRequest, ClaimsParameter, ErrorCode, Misaddressed, Parameters},
};
use crate::store::{authorization, portal};

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

/// Takes a portal's request. `read_claims` gives the JSON of the `claims` parameter its meaning.
pub async fn authorize(
    app: &App,
    parameters: &Parameters,
    read_claims: fn(&str) -> Option<ClaimsParameter>,
) -> Result<Authorized> {
    let now = app.clock.now();
    let Some(client) = asking_client(app, parameters).await? else {
        return Ok(Authorized::Misaddressed(Misaddressed::UnknownClient));
    };
    let address = match Address::settle(&client, parameters) {
        Ok(address) => address,
        Err(misaddressed) => return Ok(Authorized::Misaddressed(misaddressed)),
    };
    if let Err(barred) = client.may_act(now) {
        tracing::info!(client = %client.id, reason = %barred, "an authorization request is refused");
        return Ok(Authorized::Answered(Answer::refusal(
            app,
            &address,
            ErrorCode::UnauthorizedClient,
            "the client may not sign anybody in at present",
        )));
    }
    let parsed = AuthorizationRequest::parse(
        &client,
        parameters,
        address.clone(),
        Method::strongest(app.national_id.is_some()),
        read_claims,
    );
    match parsed {
        Err(refusal) => {
            Ok(Authorized::Answered(Answer::refusal(app, &address, refusal.code, refusal.description)))
        }
        Ok(request) => {
            let lang = request.lang;
            let errand = Errand::Portal { client: client.id, request: Box::new(request) };
            Ok(Authorized::Begun(begin(app, now, errand, lang).await?))
        }
    }
}

/// Begins a sign-in for a page of ours, which may demand more than a code, or a proof done afresh.
pub async fn enter_page(app: &App, return_to: LocalPath, least: Assurance, afresh: bool) -> Result<Begun> {
    begin(app, app.clock.now(), Errand::Page { return_to, least, afresh }, None).await
}

async fn asking_client(app: &App, parameters: &Parameters) -> Result<Option<Client>> {
    let id = parameters.one("client_id").ok().flatten().and_then(|text| text.parse().ok());
    match id {
        Some(id) => Ok(portal::find(&app.store, id).await?),
        None => Ok(None),
    }
}

async fn begin(app: &App, now: Instant, errand: Errand, lang: Option<Lang>) -> Result<Begun> {
    let id = Id::new(now, &*app.entropy);
    let browser = Token::new(TokenKind::Form, &*app.entropy);
    let authorization = Authorization {
        id,
        errand,
        started_at: now,
        expires_at: now + AUTHORIZATION_LIFE,
        state: State::Started,
    };
    let bound = authorization::Bound { authorization, browser: sha256(browser.expose().as_bytes()) };
    let mut tx = app.store.begin().await?;
    authorization::insert(&mut tx, &bound).await?;
    tx.commit().await?;
    Ok(Begun { authorization: id, browser, lang })
}

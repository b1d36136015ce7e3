//! A code that carries its sign-in: sealed for this service, under a key of its own, until it is exchanged within its
//! minute. The form is ours alone.

use crate::app::App;
use crate::base::{
    clock::Instant,
    id::Id,
    secret::{Sealed, Token, TokenKind},
};
use crate::identity::{
    assurance::Demand,
    authorization::{AUTHORIZATION_LIFE, Authorization, CODE_LIFE, Confirmation, Errand, State},
    client::Client,
    profile::Resource,
    request::{Address, AuthorizationRequest, CodeChallenge, Prompt},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeSet, str::FromStr};
use time::OffsetDateTime;
use uuid::Uuid;

const PLACE: &[u8] = b"authorization.code";
/// Four identifiers and the challenge.
const FIXED: usize = 4 * 16 + 32;

/// Short names: it stands in an address.
#[derive(Serialize, Deserialize)]
struct Record<'a> {
    /// Client, citizen, session, consent and challenge.
    #[serde(rename = "i")]
    fixed: Cow<'a, str>,
    #[serde(rename = "t")]
    issued_us: i64,
    #[serde(rename = "h")]
    authenticated_us: i64,
    /// Method and what it reached.
    #[serde(rename = "w")]
    way: Cow<'a, str>,
    #[serde(rename = "u")]
    redirect_uri: Cow<'a, str>,
    #[serde(rename = "s")]
    scopes: Cow<'a, str>,
    #[serde(rename = "c", default, skip_serializing_if = "str::is_empty")]
    claims: Cow<'a, str>,
    /// Least and aim.
    #[serde(rename = "d")]
    demand: Cow<'a, str>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Cow<'a, str>>,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    max_age_s: Option<u32>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    lang: Option<Cow<'a, str>>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    resource: Option<Cow<'a, str>>,
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    dpop_jkt: Option<Cow<'a, str>>,
}

/// A new code for what a session has answered.
pub(super) fn seal(
    app: &App,
    (client, request): (&Client, &AuthorizationRequest),
    confirmation: &Confirmation,
    consent: Id<crate::base::id::Consent>,
    now: Instant,
) -> crate::flow::Result<Token> {
    let ids = [client.id.uuid(), confirmation.citizen.uuid(), confirmation.session.uuid(), consent.uuid()];
    let fixed = [ids.map(Uuid::into_bytes).concat().as_slice(), &request.challenge.0].concat();
    let words = |words: Vec<&'static str>| Cow::from(words.join(" "));
    let record = Record {
        fixed: BASE64_URL_SAFE_NO_PAD.encode(fixed).into(),
        issued_us: micros(now),
        authenticated_us: micros(confirmation.authenticated_at),
        way: words(vec![confirmation.method.word(), confirmation.reached.acr()]),
        redirect_uri: request.address.redirect_uri.as_str().into(),
        scopes: words(request.scopes.iter().map(|scope| scope.word()).collect()),
        claims: words(request.asked.iter().map(|claim| claim.name()).collect()),
        demand: words(vec![request.demand.least.acr(), request.demand.aim.acr()]),
        nonce: request.nonce.as_deref().map(Cow::from),
        max_age_s: request.max_age_s,
        lang: request.lang.map(|lang| lang.tag().into()),
        resource: request.resource.as_ref().map(|resource| resource.as_str().into()),
        dpop_jkt: request.dpop_jkt.as_deref().map(Cow::from),
    };
    let plain = serde_json::to_vec(&record).map_err(crate::flow::Error::internal)?;
    let id: Id<crate::base::id::Authorization> = Id::new(now, &*app.entropy);
    let id = id.uuid().into_bytes();
    let sealed = app.keys.code_key(&id).seal::<Record<'_>>(&*app.entropy, PLACE, &plain);
    Ok(Token::carrying(TokenKind::Code, &[id.as_slice(), sealed.bytes()].concat()))
}

/// The sign-in that a code carries; `None` for whatever we did not seal.
pub(super) fn open(app: &App, text: &str) -> Option<Authorization> {
    let bytes = Token::carried(TokenKind::Code, text)?;
    let (id, sealed) = bytes.split_at_checked(16)?;
    let sealed = Sealed::<Record<'_>>::new(sealed.to_vec(), 0);
    let plain = app.keys.code_key(id).open(PLACE, &sealed).ok()?;
    let record: Record<'_> = serde_json::from_slice(plain.expose()).ok()?;
    record.authorization(Uuid::from_slice(id).ok()?)
}

impl Record<'_> {
    fn authorization(&self, id: Uuid) -> Option<Authorization> {
        let fixed = BASE64_URL_SAFE_NO_PAD.decode(self.fixed.as_bytes()).ok()?;
        let fixed: [u8; FIXED] = fixed.try_into().ok()?;
        let uuid = |place: usize| Uuid::from_slice(&fixed[16 * place..16 * (place + 1)]).ok();
        let issued_at = instant(self.issued_us)?;
        let (method, reached) = self.way.split_once(' ')?;
        let confirmation = Confirmation {
            citizen: Id::from_uuid(uuid(1)?),
            session: Id::from_uuid(uuid(2)?),
            method: method.parse().ok()?,
            reached: reached.parse().ok()?,
            authenticated_at: instant(self.authenticated_us)?,
        };
        let challenge = CodeChallenge(fixed[FIXED - 32..].try_into().ok()?);
        Some(Authorization {
            id: Id::from_uuid(id),
            errand: Errand::Portal {
                client: Id::from_uuid(uuid(0)?),
                request: Box::new(self.request(challenge)?),
            },
            started_at: issued_at,
            expires_at: issued_at + AUTHORIZATION_LIFE,
            state: State::CodeIssued {
                confirmation,
                consent: Id::from_uuid(uuid(3)?),
                code_expires_at: issued_at + CODE_LIFE,
            },
        })
    }

    /// The request, without what its answer has brought back already.
    fn request(&self, challenge: CodeChallenge) -> Option<AuthorizationRequest> {
        let (least, aim) = self.demand.split_once(' ')?;
        let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        Some(AuthorizationRequest {
            address: Address { redirect_uri: self.redirect_uri.parse().ok()?, state: None },
            nonce: owned(&self.nonce),
            challenge,
            scopes: all(&self.scopes)?,
            asked: all(&self.claims)?,
            demand: Demand { least: least.parse().ok()?, aim: aim.parse().ok()? },
            prompt: BTreeSet::from([Prompt::None]),
            max_age_s: self.max_age_s,
            lang: self.lang.as_deref().and_then(|tag| tag.parse().ok()),
            resource: self.resource.as_deref().map(str::parse::<Resource>).transpose().ok()?,
            dpop_jkt: owned(&self.dpop_jkt),
            hint_subject: None,
        })
    }
}

fn all<T: FromStr + Ord>(words: &str) -> Option<BTreeSet<T>> {
    words.split(' ').filter(|word| !word.is_empty()).map(|word| word.parse().ok()).collect()
}

fn micros(instant: Instant) -> i64 {
    i64::try_from(instant.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn instant(micros: i64) -> Option<Instant> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}

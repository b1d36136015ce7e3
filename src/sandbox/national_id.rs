//! The national e-ID as the service meets it: accounts of people who do not exist, one page to choose whose turn it
//! is, and the words of the variant that portals meet (`SoDinhDanh`, `HoVaTen`, `NgayThangNamSinh`, `TechID`, `IAL`,
//! `loAs`).
//!
//! | who | endpoint | what |
//! |---|---|---|
//! | the service | `GET /national-id/.well-known/openid-configuration` | that it is there |
//! | people | `GET /national-id/authorize`, `POST` | who signs in, at which level |
//! | the service | `POST /national-id/token`, `GET /national-id/userinfo` | the code's exchange; the account |
//! | scripts | `POST /script/national-id/accounts` | an account: `{"number", "name", "birth_date", "level"}` |
//! | scripts | `POST /script/national-id/fault` | `{"fault": null \| "down" \| "wrong_nonce" \| "wrong_audience" \| "wrong_issuer" \| "stranger_key" \| "other_subject" \| "expired"}` |
//!
//! A code is good once, for a minute, for the client that asked, with its verifier. Nobody proves anything here.

use super::page;
use crate::base::clock::Clock;
use crate::base::entropy::{Entropy, random};
use crate::crypto::digest::sha256;
use crate::crypto::signing::{Signer as _, SigningKey};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_extra::extract::Form;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

/// How long a code and an access token are good, in seconds.
const LIFE_S: i64 = 60;

/// How one upstream is set up.
pub struct Registered {
    /// Its issuer, as callers write it: `http://127.0.0.1:8090/national-id`.
    pub issuer: String,
    /// The service's name here.
    pub client_id: String,
    /// The service's secret here.
    pub client_secret: String,
    /// Where it may send people.
    pub redirect_uri: String,
}

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Twelve digits.
    pub number: String,
    /// The full name.
    pub name: String,
    /// `dd/mm/yyyy`.
    pub birth_date: String,
    /// The account's level, 1 or 2.
    pub level: u8,
    /// Its stable name; made of the number unless given.
    #[serde(default)]
    pub tech_id: Option<String>,
}

impl Account {
    fn tech_id(&self) -> String {
        let made = || hex::encode(&sha256(self.number.as_bytes())[..12]);
        self.tech_id.clone().unwrap_or_else(made)
    }
}

struct Issued {
    account: Account,
    loa: u8,
    nonce: String,
    challenge: String,
    until: i64,
}

#[derive(Default)]
struct Kept {
    accounts: BTreeMap<String, Account>,
    codes: BTreeMap<String, Issued>,
    tokens: BTreeMap<String, (Account, i64)>,
    fault: Option<String>,
}

/// The upstream.
pub struct Upstream {
    registered: Registered,
    key: SigningKey,
    stranger: SigningKey,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    kept: Mutex<Kept>,
}

impl Upstream {
    /// An upstream with these accounts, which signs with that key.
    pub fn new(
        registered: Registered,
        key: SigningKey,
        accounts: impl IntoIterator<Item = Account>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Arc<Self> {
        let accounts = accounts.into_iter().map(|account| (account.number.clone(), account)).collect();
        let kept = Mutex::new(Kept { accounts, ..Kept::default() });
        Arc::new(Self { registered, key, stranger: SigningKey::generate(), clock, entropy, kept })
    }

    /// Makes something go wrong from now on, or nothing any more.
    pub fn set_fault(&self, fault: Option<&str>) {
        self.kept().fault = fault.map(str::to_owned);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fails(&self, fault: &str) -> bool {
        self.kept().fault.as_deref() == Some(fault)
    }

    fn now(&self) -> i64 {
        self.clock.now().unix_timestamp()
    }

    fn fresh(&self) -> String {
        BASE64URL.encode(random::<24>(&*self.entropy))
    }

    /// The claims that are signed for the service.
    fn id_token(&self, issued: &Issued) -> String {
        let (account, now) = (&issued.account, self.now());
        let wrong = |fault, wrong: &str, right: &str| {
            if self.fails(fault) { wrong.to_owned() } else { right.to_owned() }
        };
        let claims = json!({
            "iss": wrong("wrong_issuer", "https://elsewhere.example", &self.registered.issuer),
            "sub": account.tech_id(),
            "aud": wrong("wrong_audience", "somebody-else", &self.registered.client_id),
            "nonce": wrong("wrong_nonce", "another", &issued.nonce),
            "iat": now,
            "exp": if self.fails("expired") { now - 1 } else { now + 300 },
            "TechID": account.tech_id(),
            "IAL": account.level.to_string(),
            "loAs": issued.loa.to_string(),
        });
        let key = if self.fails("stranger_key") { &self.stranger } else { &self.key };
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": self.key.kid() });
        let signed = [header, claims].map(|part| BASE64URL.encode(part.to_string())).join(".");
        let signature = BASE64URL.encode(key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// Every route of the upstream.
pub fn router(upstream: Arc<Upstream>) -> Router {
    Router::new()
        .route("/national-id/.well-known/openid-configuration", get(metadata))
        .route("/national-id/authorize", get(choose).post(sign_in))
        .route("/national-id/token", post(token))
        .route("/national-id/userinfo", get(userinfo))
        .route("/script/national-id/accounts", post(add_account))
        .route("/script/national-id/fault", post(fault))
        .with_state(upstream)
}

async fn metadata(State(upstream): State<Arc<Upstream>>) -> Response {
    if upstream.fails("down") {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let at = |path: &str| format!("{}/{path}", upstream.registered.issuer);
    Json(json!({
        "issuer": upstream.registered.issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "userinfo_endpoint": at("userinfo"),
    }))
    .into_response()
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Asked {
    client_id: String,
    redirect_uri: String,
    state: String,
    nonce: String,
    code_challenge: String,
}

#[derive(Template)]
#[template(path = "national_id.html")]
struct Choice {
    asked: Asked,
    accounts: Vec<Account>,
    known: bool,
}

async fn choose(State(upstream): State<Arc<Upstream>>, Query(asked): Query<Asked>) -> Response {
    let known = asked.client_id == upstream.registered.client_id
        && asked.redirect_uri == upstream.registered.redirect_uri;
    let accounts = upstream.kept().accounts.values().take(20).cloned().collect();
    let back = Url::parse(&upstream.registered.redirect_uri).ok();
    let back = back.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let mut response = page(Choice { asked, accounts, known }.render());
    // The form's answer leads back to the service, and Chromium holds redirects to `form-action` too.
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {back}; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = policy.parse() {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[derive(Deserialize)]
struct Chosen {
    number: String,
    loa: u8,
    state: String,
    nonce: String,
    code_challenge: String,
    #[serde(default)]
    refuse: bool,
}

async fn sign_in(State(upstream): State<Arc<Upstream>>, Form(chosen): Form<Chosen>) -> Response {
    let Ok(mut back) = Url::parse(&upstream.registered.redirect_uri) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let account = upstream.kept().accounts.get(&chosen.number).cloned();
    let answer = match account {
        Some(account) if !chosen.refuse => {
            let code = upstream.fresh();
            let issued = Issued {
                account,
                loa: chosen.loa,
                nonce: chosen.nonce,
                challenge: chosen.code_challenge,
                until: upstream.now() + LIFE_S,
            };
            upstream.kept().codes.insert(code.clone(), issued);
            ("code", code)
        }
        _ => ("error", "access_denied".to_owned()),
    };
    back.query_pairs_mut()
        .append_pair(answer.0, &answer.1)
        .append_pair("state", &chosen.state)
        .append_pair("iss", &upstream.registered.issuer);
    Redirect::to(back.as_str()).into_response()
}

#[derive(Deserialize)]
struct Exchange {
    grant_type: String,
    code: String,
    redirect_uri: String,
    client_id: String,
    client_secret: String,
    code_verifier: String,
}

async fn token(State(upstream): State<Arc<Upstream>>, Form(asked): Form<Exchange>) -> Response {
    if upstream.fails("down") {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let registered = &upstream.registered;
    let issued = upstream.kept().codes.remove(&asked.code);
    let challenge = BASE64URL.encode(sha256(asked.code_verifier.as_bytes()));
    let good = asked.grant_type == "authorization_code"
        && asked.redirect_uri == registered.redirect_uri
        && asked.client_id == registered.client_id
        && asked.client_secret == registered.client_secret;
    let now = upstream.now();
    match issued {
        Some(issued) if good && issued.challenge == challenge && now < issued.until => {
            let id_token = upstream.id_token(&issued);
            let access_token = upstream.fresh();
            upstream.kept().tokens.insert(access_token.clone(), (issued.account, now + LIFE_S));
            Json(json!({ "token_type": "Bearer", "access_token": access_token, "id_token": id_token }))
                .into_response()
        }
        _ => (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response(),
    }
}

async fn userinfo(State(upstream): State<Arc<Upstream>>, headers: HeaderMap) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let bearer = bearer.and_then(|h| h.strip_prefix("Bearer ")).unwrap_or_default();
    let found = upstream.kept().tokens.get(bearer).cloned();
    let Some((account, _)) = found.filter(|(_, until)| upstream.now() < *until) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let sub = if upstream.fails("other_subject") { "somebody-else".to_owned() } else { account.tech_id() };
    let answer: Value = json!({
        "sub": sub,
        "LoaiTaiKhoan": "1",
        "SoDinhDanh": account.number,
        "HoVaTen": account.name,
        "NgayThangNamSinh": account.birth_date,
        "TechID": account.tech_id(),
        "IAL": account.level.to_string(),
    });
    Json(answer).into_response()
}

async fn add_account(State(upstream): State<Arc<Upstream>>, Json(account): Json<Account>) -> StatusCode {
    upstream.kept().accounts.insert(account.number.clone(), account);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Wrong {
    fault: Option<String>,
}

async fn fault(State(upstream): State<Arc<Upstream>>, Json(wrong): Json<Wrong>) -> StatusCode {
    upstream.set_fault(wrong.fault.as_deref());
    StatusCode::NO_CONTENT
}

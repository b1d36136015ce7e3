//! A second demo portal, of the profile `fapi2`: it pushes its requests, proves itself by a key and binds its tokens to
//! another. It shows what it was told and signs out; dossiers are the first portal's.
//!
//! | who | endpoint | what |
//! |---|---|---|
//! | people | `GET /strict` | the front page, or what the signed-in citizen agreed to tell |
//! | people | `GET /strict/sign-in`, `GET /strict/callback` | to the service and back |
//! | people | `GET /strict/sign-out` | out here and there |

use super::page;
use crate::base::clock::Clock;
use crate::base::entropy::{Entropy, random};
use crate::crypto::{
    digest::sha256,
    jwt,
    signing::{KeyList, Signer, SigningKey},
};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

const COOKIE: &str = "sandbox_strict";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How the portal is known to the service.
#[derive(Clone)]
pub struct StrictClient {
    /// The `client_id`.
    pub id: String,
    /// The key that it proves itself with.
    pub key: Arc<SigningKey>,
}

/// The portal.
pub struct Strict {
    issuer: String,
    origin: String,
    client: StrictClient,
    /// The key that its tokens are bound to; it lives as long as the process.
    dpop: SigningKey,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    http: reqwest::Client,
    nonce: Mutex<Option<String>>,
    browsers: Mutex<HashMap<String, Browser>>,
}

#[derive(Default, Clone)]
struct Browser {
    state: String,
    nonce: String,
    verifier: String,
    id_token: Option<String>,
    claims: Value,
}

type Failed = String;

impl Strict {
    /// A portal that has seen nobody yet.
    pub fn new(
        (issuer, origin): (String, String),
        client: StrictClient,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        http: reqwest::Client,
    ) -> Arc<Self> {
        let dpop = SigningKey::generate();
        let (nonce, browsers) = (Mutex::default(), Mutex::default());
        Arc::new(Self { issuer, origin, client, dpop, clock, entropy, http, nonce, browsers })
    }

    fn chance(&self) -> String {
        let bytes: [u8; 32] = random(&*self.entropy);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    fn callback(&self) -> String {
        format!("{}/strict/callback", self.origin)
    }

    fn browser(&self, jar: &CookieJar) -> Option<(String, Browser)> {
        let key = jar.get(COOKIE)?.value().to_owned();
        let browser = self.browsers.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()?;
        Some((key, browser))
    }

    fn keep(&self, key: String, browser: Browser) {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner).insert(key, browser);
    }

    fn assertion(&self) -> String {
        let now = jwt::numeric_date(self.clock.now());
        let header = json!({ "typ": "JWT", "alg": "ES256", "kid": self.client.key.kid() });
        let claims = json!({
            "iss": self.client.id, "sub": self.client.id, "aud": self.issuer, "iat": now, "exp": now + 60,
            "jti": self.chance(),
        });
        signed(&self.client.key, &header, &claims)
    }

    fn proof(&self, method: &str, url: &str, token: Option<&str>) -> String {
        let (x, y) = self.dpop.verifying_key().coordinates();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
        let now = jwt::numeric_date(self.clock.now());
        let mut claims = json!({ "jti": self.chance(), "htm": method, "htu": url, "iat": now });
        if let Some(token) = token {
            claims["ath"] = json!(BASE64_URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())));
        }
        if let Some(nonce) = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).as_deref() {
            claims["nonce"] = json!(nonce);
        }
        signed(&self.dpop, &header, &claims)
    }

    /// Sends what `request` makes of a proof; once more where the service wants its own fresh nonce in it.
    async fn proved(
        &self,
        (method, path, token): (&str, &str, Option<&str>),
        request: impl Fn(&str) -> reqwest::RequestBuilder,
    ) -> Result<Value, Failed> {
        let url = self.at(path);
        let mut last = String::new();
        for _ in 0..2 {
            let answer = request(&url).header("DPoP", self.proof(method, &url, token)).send().await;
            let answer = answer.map_err(|e| e.to_string())?;
            let status = answer.status();
            if let Some(nonce) = answer.headers().get("dpop-nonce").and_then(|h| h.to_str().ok()) {
                *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
            }
            let body: Value = answer.json().await.map_err(|e| e.to_string())?;
            if status.is_success() {
                return Ok(body);
            }
            last = format!("{status}: {}", body["error"].as_str().unwrap_or("?"));
            if body["error"] != "use_dpop_nonce" {
                break;
            }
        }
        Err(last)
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, Failed> {
        self.proved(("POST", path, None), |url| {
            let assertion = self.assertion();
            let mut form = form.to_vec();
            form.extend([("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())]);
            self.http.post(url).form(&form)
        })
        .await
    }

    /// Pushes the request, and gives back where to send the browser.
    async fn push(&self, browser: &Browser) -> Result<Url, Failed> {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(browser.verifier.as_bytes()));
        let callback = self.callback();
        let form = [
            ("client_id", self.client.id.as_str()),
            ("redirect_uri", callback.as_str()),
            ("response_type", "code"),
            ("scope", "openid profile phone personal_number"),
            ("state", &browser.state),
            ("nonce", &browser.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let pushed = self.post("/oidc/par", &form).await?;
        let name = pushed["request_uri"].as_str().ok_or("no request_uri")?;
        let query = [("client_id", self.client.id.as_str()), ("request_uri", name)];
        Url::parse_with_params(&self.at("/oidc/authorize"), query).map_err(|e| e.to_string())
    }

    async fn finish(&self, browser: &Browser, code: &str) -> Result<(String, Value), Failed> {
        let callback = self.callback();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback.as_str()),
            ("code_verifier", browser.verifier.as_str()),
        ];
        let tokens = self.post("/oidc/token", &form).await?;
        if tokens["token_type"] != "DPoP" {
            return Err("the token is not bound".to_owned());
        }
        let id_token = tokens["id_token"].as_str().ok_or("no id_token")?.to_owned();
        let keys = self.http.get(self.at("/oidc/jwks")).send().await.map_err(|e| e.to_string())?;
        let keys = keys.text().await.map_err(|e| e.to_string())?;
        let keys = KeyList::from_jwks(&keys).map_err(|e| e.to_string())?;
        let said: Value = jwt::verify(&id_token, "JWT", &keys).map_err(|e| e.to_string())?;
        if said["iss"] != self.issuer || said["aud"] != self.client.id || said["nonce"] != browser.nonce {
            return Err("the ID token is not for this sign-in".to_owned());
        }
        let access = tokens["access_token"].as_str().ok_or("no access_token")?;
        let claims = self
            .proved(("GET", "/oidc/userinfo", Some(access)), |url| {
                self.http.get(url).header("authorization", format!("DPoP {access}"))
            })
            .await?;
        Ok((id_token, claims))
    }
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

/// The routes of the portal.
pub fn router(portal: Arc<Strict>) -> Router {
    Router::new()
        .route("/strict", get(front))
        .route("/strict/sign-in", get(sign_in))
        .route("/strict/callback", get(callback))
        .route("/strict/sign-out", get(sign_out))
        .with_state(portal)
}

#[derive(Template)]
#[template(path = "strict.html")]
struct Front {
    claims: Option<Vec<(String, String)>>,
    notice: Option<String>,
}

async fn front(State(portal): State<Arc<Strict>>, jar: CookieJar) -> Response {
    let browser = portal.browser(&jar).filter(|(_, browser)| browser.id_token.is_some());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let claims = browser.map(|(_, browser)| {
        let all = browser.claims.as_object().into_iter().flatten();
        all.map(|(name, value)| (name.clone(), text(value))).collect()
    });
    page(Front { claims, notice: None }.render())
}

fn noticed(notice: String) -> Response {
    page(Front { claims: None, notice: Some(notice) }.render())
}

async fn sign_in(State(portal): State<Arc<Strict>>) -> Response {
    let browser = Browser {
        state: portal.chance(),
        nonce: portal.chance(),
        verifier: portal.chance(),
        ..Browser::default()
    };
    match portal.push(&browser).await {
        Ok(address) => {
            let key = portal.chance();
            portal.keep(key.clone(), browser);
            let cookie = Cookie::build((COOKIE, key)).path("/strict").http_only(true);
            let jar = CookieJar::new().add(cookie.same_site(SameSite::Lax).build());
            (jar, Redirect::to(address.as_str())).into_response()
        }
        Err(why) => noticed(format!("Không đăng nhập được: {why}")),
    }
}

#[derive(Deserialize)]
struct Answer {
    state: Option<String>,
    iss: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

async fn callback(
    State(portal): State<Arc<Strict>>,
    jar: CookieJar,
    Query(answer): Query<Answer>,
) -> Response {
    let Some((key, browser)) = portal.browser(&jar) else {
        return noticed("Trình duyệt này chưa bắt đầu đăng nhập.".to_owned());
    };
    let ours = answer.iss.as_deref() == Some(&portal.issuer);
    if !ours || answer.state.as_deref() != Some(&browser.state) {
        return noticed("Câu trả lời không thuộc lần đăng nhập này.".to_owned());
    }
    let Some(code) = answer.code else {
        return noticed(format!("Không đăng nhập ({}).", answer.error.unwrap_or_default()));
    };
    match portal.finish(&browser, &code).await {
        Ok((id_token, claims)) => {
            portal.keep(key, Browser { id_token: Some(id_token), claims, ..browser });
            Redirect::to("/strict").into_response()
        }
        Err(why) => noticed(format!("Không đăng nhập được: {why}")),
    }
}

async fn sign_out(State(portal): State<Arc<Strict>>, jar: CookieJar) -> Response {
    let gone = portal
        .browser(&jar)
        .and_then(|(key, _)| portal.browsers.lock().unwrap_or_else(PoisonError::into_inner).remove(&key));
    let back = format!("{}/strict", portal.origin);
    let Some(hint) = gone.and_then(|browser| browser.id_token) else {
        return Redirect::to("/strict").into_response();
    };
    let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", &back)];
    match Url::parse_with_params(&portal.at("/oidc/logout"), query) {
        Ok(address) => Redirect::to(address.as_str()).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! A demo portal: signs citizens in with Chung as any relying party would, files a dossier, asks an agency's system
//! for its bill and sends the citizen to the checkout. It knows the service by its HTTP interfaces only.
//!
//! | who | endpoint | what |
//! |---|---|---|
//! | people | `GET /portal` | the front page, or what the signed-in citizen sees |
//! | people | `GET /portal/sign-in`, `GET /portal/callback` | to the service and back |
//! | people | `POST /portal/dossiers` | files a dossier, verifies its applicant and bills it |
//! | people | `GET /portal/sign-out` | out here and there |
//!
//! Everything is in memory and gone with the process.

use super::{
    page,
    strict::{self, Strict, StrictClient},
};
use crate::base::calendar::Day;
use crate::base::clock::Clock;
use crate::base::entropy::{Entropy, random};
use crate::crypto::{digest, jwt, signing::KeyList};
use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use url::Url;

const COOKIE: &str = "sandbox_portal";

/// What a portal is told when it is set up.
pub struct PortalSettings {
    /// The service's public origin and issuer, without a slash at the end.
    pub issuer: String,
    /// The portal's own origin, without a slash at the end; its callback is `{origin}/portal/callback`.
    pub origin: String,
    /// The portal's credentials for signing citizens in.
    pub client: Credentials,
    /// The agency system's credentials for billing.
    pub agency: Credentials,
    /// The procedure and the fees of the dossiers that it files.
    pub procedure: String,
    /// The fee codes.
    pub fees: Vec<String>,
    /// What dossier codes begin with, e.g. `H29.14`.
    pub dossier_prefix: String,
    /// A second portal, of the profile `fapi2`, if there is one.
    pub strict: Option<StrictClient>,
}

/// A client id and its secret.
pub struct Credentials {
    /// The `client_id`.
    pub id: String,
    /// The secret.
    pub secret: String,
}

/// The portal.
pub struct Portal {
    settings: PortalSettings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    http: reqwest::Client,
    browsers: Mutex<HashMap<String, Browser>>,
    strict: Option<Arc<Strict>>,
}

/// What the portal remembers of one browser.
#[derive(Default, Clone)]
struct Browser {
    state: String,
    nonce: String,
    verifier: String,
    id_token: Option<String>,
    claims: Value,
    dossiers: Vec<Dossier>,
}

#[derive(Clone)]
struct Dossier {
    code: String,
    bill: String,
    pay: String,
    state: String,
}

/// Why a step did not work, for the page.
type Failed = String;

impl Portal {
    /// A portal that has seen nobody yet.
    pub fn new(
        settings: PortalSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let strict = settings.strict.clone().map(|client| {
            let addresses = (settings.issuer.clone(), settings.origin.clone());
            Strict::new(addresses, client, clock.clone(), entropy.clone(), http.clone())
        });
        Ok(Arc::new(Self { settings, clock, entropy, http, browsers: Mutex::default(), strict }))
    }

    fn browsers(&self) -> MutexGuard<'_, HashMap<String, Browser>> {
        self.browsers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn browser(&self, jar: &CookieJar) -> Option<(String, Browser)> {
        let key = jar.get(COOKIE)?.value().to_owned();
        let browser = self.browsers().get(&key).cloned()?;
        Some((key, browser))
    }

    fn chance(&self) -> String {
        let bytes: [u8; 32] = random(&*self.entropy);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn callback(&self) -> String {
        format!("{}/portal/callback", self.settings.origin)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.settings.issuer)
    }

    async fn token(&self, client: &Credentials, form: &[(&str, &str)]) -> Result<Value, Failed> {
        let request = self.http.post(self.at("/oidc/token"));
        json_of(request.basic_auth(&client.id, Some(&client.secret)).form(form)).await
    }

    /// Exchanges the code, checks the ID token and reads the claims.
    async fn finish(&self, browser: &Browser, code: &str) -> Result<(String, Value), Failed> {
        let callback = self.callback();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback.as_str()),
            ("code_verifier", browser.verifier.as_str()),
        ];
        let tokens = self.token(&self.settings.client, &form).await?;
        let id_token = tokens["id_token"].as_str().ok_or("no id_token")?.to_owned();
        let keys = json_of(self.http.get(self.at("/oidc/jwks"))).await?;
        let keys = KeyList::from_jwks(&keys.to_string()).map_err(|e| e.to_string())?;
        let said: Value = jwt::verify(&id_token, "JWT", &keys).map_err(|e| e.to_string())?;
        let ours = said["iss"] == self.settings.issuer && said["aud"] == self.settings.client.id;
        if !ours || said["nonce"] != browser.nonce {
            return Err("the ID token is not for this sign-in".to_owned());
        }
        let access = tokens["access_token"].as_str().ok_or("no access_token")?;
        let claims = json_of(self.http.get(self.at("/oidc/userinfo")).bearer_auth(access)).await?;
        if claims["sub"] != said["sub"] {
            return Err("userinfo speaks of somebody else".to_owned());
        }
        Ok((id_token, claims))
    }

    async fn system_token(&self, scope: &str) -> Result<String, Failed> {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let answer = self.token(&self.settings.agency, &form).await?;
        answer["access_token"].as_str().map(str::to_owned).ok_or_else(|| "no access_token".to_owned())
    }

    /// Files a dossier: the agency's system bills it.
    async fn file(&self, browser: &Browser) -> Result<Dossier, Failed> {
        let number = u16::from_be_bytes(random(&*self.entropy)) % 10_000;
        let today = Day::of(self.clock.now());
        let day = today.to_string().replace('-', "").split_off(2);
        let code = format!("{}-{day}-{number:04}", self.settings.dossier_prefix);
        let lines: Vec<Value> = self.settings.fees.iter().map(|fee| json!({ "fee": fee })).collect();
        let name = browser.claims["name"].as_str().unwrap_or("Người nộp hồ sơ");
        let body = json!({
            "dossier": code,
            "procedure": self.settings.procedure,
            "lines": lines,
            "channel": "online",
            "due": today.plus_days(7).to_string(),
            "applicant": { "name": name },
        });
        let token = self.system_token("bill verification").await?;
        let mut body = body;
        if let Some(verification) = self.verified(browser, &token, &code).await? {
            body["applicant"]["verification"] = json!(verification);
        }
        let request = self.http.post(self.at("/v1/bills")).bearer_auth(token);
        let bill = json_of(request.header("idempotency-key", self.chance()).json(&body)).await?;
        let text = |name: &str| bill[name].as_str().unwrap_or_default().to_owned();
        let pay = self.at(&format!("/pay/{}", text("reference")));
        Ok(Dossier { code, bill: text("id"), pay, state: text("status") })
    }

    /// Asks whether the applicant is who the dossier says; the answer's facts decide about reductions.
    async fn verified(
        &self,
        browser: &Browser,
        token: &str,
        dossier: &str,
    ) -> Result<Option<String>, Failed> {
        let Some(number) = browser.claims["personal_number"].as_str() else { return Ok(None) };
        let body = json!({
            "number": number,
            "attributes": { "name": browser.claims["name"] },
            "purpose": "Tính phí, lệ phí của hồ sơ",
            "procedure": self.settings.procedure,
            "dossier": dossier,
            "officer": "portal",
        });
        let request = self.http.post(self.at("/v1/verifications")).bearer_auth(token);
        let answer = json_of(request.header("idempotency-key", self.chance()).json(&body)).await?;
        Ok(answer["id"].as_str().filter(|_| answer["state"] == "match").map(str::to_owned))
    }

    /// How the bills of a browser stand now.
    async fn refreshed(&self, mut dossiers: Vec<Dossier>) -> Vec<Dossier> {
        if dossiers.is_empty() {
            return dossiers;
        }
        let Ok(token) = self.system_token("bill.read").await else { return dossiers };
        for dossier in &mut dossiers {
            let path = format!("/v1/bills/{}", dossier.bill);
            if let Ok(bill) = json_of(self.http.get(self.at(&path)).bearer_auth(&token)).await {
                bill["status"].as_str().unwrap_or_default().clone_into(&mut dossier.state);
            }
        }
        dossiers
    }
}

/// The routes of the portal.
pub fn router(portal: Arc<Portal>) -> Router {
    let strict = portal.strict.clone().map(strict::router).unwrap_or_default();
    Router::new()
        .route("/portal", get(front))
        .route("/portal/sign-in", get(sign_in))
        .route("/portal/callback", get(callback))
        .route("/portal/dossiers", post(file))
        .route("/portal/sign-out", get(sign_out))
        .with_state(portal)
        .merge(strict)
}

#[derive(Template)]
#[template(path = "portal.html")]
struct Front {
    signed_in: bool,
    claims: Vec<(String, String)>,
    dossiers: Vec<Dossier>,
    notice: Option<String>,
}

async fn front(State(portal): State<Arc<Portal>>, jar: CookieJar) -> Response {
    let Some((_, browser)) = portal.browser(&jar).filter(|(_, b)| b.id_token.is_some()) else {
        return shown(None);
    };
    let dossiers = portal.refreshed(browser.dossiers).await;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let claims = browser.claims.as_object().into_iter().flatten();
    let claims = claims.map(|(name, value)| (name.clone(), text(value))).collect();
    page(Front { signed_in: true, claims, dossiers, notice: None }.render())
}

fn shown(notice: Option<String>) -> Response {
    page(Front { signed_in: false, claims: Vec::new(), dossiers: Vec::new(), notice }.render())
}

async fn sign_in(State(portal): State<Arc<Portal>>) -> Response {
    let browser = Browser {
        state: portal.chance(),
        nonce: portal.chance(),
        verifier: portal.chance(),
        ..Browser::default()
    };
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest::sha256(browser.verifier.as_bytes()));
    let callback = portal.callback();
    let query = [
        ("client_id", portal.settings.client.id.as_str()),
        ("redirect_uri", &callback),
        ("response_type", "code"),
        ("scope", "openid profile phone personal_number"),
        ("state", &browser.state),
        ("nonce", &browser.nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let Ok(address) = Url::parse_with_params(&portal.at("/oidc/authorize"), query) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let key = portal.chance();
    portal.browsers().insert(key.clone(), browser);
    let cookie =
        Cookie::build((COOKIE, key)).path("/portal").http_only(true).same_site(SameSite::Lax).build();
    (CookieJar::new().add(cookie), Redirect::to(address.as_str())).into_response()
}

#[derive(Deserialize)]
struct Answer {
    state: Option<String>,
    iss: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

async fn callback(
    State(portal): State<Arc<Portal>>,
    jar: CookieJar,
    Query(answer): Query<Answer>,
) -> Response {
    let Some((key, browser)) = portal.browser(&jar) else {
        return shown(Some("Trình duyệt này chưa bắt đầu đăng nhập.".to_owned()));
    };
    // Another issuer's answer is not for us (RFC 9207), nor is one to a question that this browser did not ask.
    let ours = answer.iss.as_deref() == Some(&portal.settings.issuer);
    if !ours || answer.state.as_deref() != Some(&browser.state) {
        return shown(Some("Câu trả lời không thuộc lần đăng nhập này.".to_owned()));
    }
    let Some(code) = answer.code else {
        let why = answer.error.unwrap_or_default();
        let notice = match why.as_str() {
            "access_denied" => {
                "Ông/bà đã chọn không tiếp tục; không thông tin nào được gửi. Có thể đăng nhập lại, \
                                hoặc nộp hồ sơ tại bộ phận một cửa."
                    .to_owned()
            }
            _ => format!("Không đăng nhập được ({why}). Xin thử lại."),
        };
        return shown(Some(notice));
    };
    match portal.finish(&browser, &code).await {
        Ok((id_token, claims)) => {
            let known = Browser { id_token: Some(id_token), claims, ..browser };
            portal.browsers().insert(key, known);
            Redirect::to("/portal").into_response()
        }
        Err(why) => shown(Some(format!("Không đăng nhập được: {why}"))),
    }
}

async fn file(State(portal): State<Arc<Portal>>, jar: CookieJar) -> Response {
    let Some((key, browser)) = portal.browser(&jar).filter(|(_, b)| b.id_token.is_some()) else {
        return Redirect::to("/portal").into_response();
    };
    match portal.file(&browser).await {
        Ok(dossier) => {
            if let Some(known) = portal.browsers().get_mut(&key) {
                known.dossiers.push(dossier);
            }
            Redirect::to("/portal").into_response()
        }
        Err(why) => shown(Some(format!("Không lập được hồ sơ: {why}"))),
    }
}

async fn sign_out(State(portal): State<Arc<Portal>>, jar: CookieJar) -> Response {
    let gone = portal.browser(&jar).and_then(|(key, _)| portal.browsers().remove(&key));
    let back = format!("{}/portal", portal.settings.origin);
    match gone.and_then(|browser| browser.id_token) {
        Some(hint) => {
            let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", &back)];
            match Url::parse_with_params(&portal.at("/oidc/logout"), query) {
                Ok(address) => Redirect::to(address.as_str()).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
        None => Redirect::to("/portal").into_response(),
    }
}

async fn json_of(request: reqwest::RequestBuilder) -> Result<Value, Failed> {
    let answer = request.send().await.map_err(|e| e.to_string())?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(|e| e.to_string())?;
    if status.is_success() {
        return Ok(body);
    }
    let code = body["code"].as_str().or(body["error"].as_str()).unwrap_or("?");
    Err(format!("{status}: {code}"))
}

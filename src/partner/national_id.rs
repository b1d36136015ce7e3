//! The national e-ID as an upstream provider: the variant that portals meet, OpenID Connect with Vietnamese names.
//!
//! The adapter speaks the upstream's words and nothing of ours: an authorization address, a form-encoded token call
//! (`client_secret_post`, PKCE), userinfo by bearer token. What it gives back was signed by a pinned key for us, for
//! this very sign-in, now; userinfo must be of the same subject. Whose account that is and what it is worth is decided
//! by a flow. Deliberately absent: discovery of keys or addresses from the upstream itself.

use crate::base::clock::Instant;
use crate::base::secret::Secret;
use crate::crypto::{digest::equal, jwt, signing::KeyList};
use futures_util::future::BoxFuture;
use reqwest::redirect::Policy;
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long the upstream gets to show that it is there, before a person is sent to it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// By how many seconds the upstream's clock may differ from ours.
const SKEW_S: i64 = 60;

/// What ties one sign-in at the upstream to one sign-in here.
pub struct Errand<'a> {
    /// Comes back in the browser.
    pub state: &'a str,
    /// Comes back inside the signed token.
    pub nonce: &'a str,
    /// The secret behind the code challenge (RFC 7636).
    pub verifier: &'a str,
    /// Where the upstream sends the browser.
    pub redirect_uri: &'a str,
}

/// What the upstream said about an account, in its own words, checked for signature, audience and time.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamAccount {
    /// `TechID`: the account's stable name towards us.
    pub tech_id: String,
    /// `SoDinhDanh`.
    pub number: String,
    /// `HoVaTen`.
    pub name: String,
    /// `NgayThangNamSinh`.
    pub birth_date: String,
    /// `IAL`: the level of the account.
    pub account_level: String,
    /// `loAs`: how surely this sign-in was proved there.
    pub assurance: String,
    /// `LoaiTaiKhoan`: 1 for a citizen's.
    pub kind: String,
    /// The signed token, as evidence.
    pub evidence: String,
}

impl std::fmt::Debug for UpstreamAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("upstream account(***)")
    }
}

/// Why there is no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAccount {
    /// The upstream cannot be reached, or says that it cannot answer.
    #[error("the national e-ID does not answer")]
    Down,
    /// It does not accept the code: used before, expired, or of somebody else.
    #[error("the national e-ID does not accept the code")]
    Refused,
    /// What it answered is not for us, not for this sign-in, or not signed by its key.
    #[error("the answer of the national e-ID is not believed: {0}")]
    Unbelieved(&'static str),
}

/// The national e-ID.
pub trait NationalId: Send + Sync {
    /// Its name in answers (RFC 9207).
    fn issuer(&self) -> &str;
    /// The origin to which a form of ours may lead.
    fn origin(&self) -> &Url;
    /// Where to send a person.
    fn authorize_url(&self, errand: &Errand<'_>) -> Url;
    /// Whether it is there at all, within two seconds.
    fn is_up(&self) -> BoxFuture<'_, bool>;
    /// Exchanges a code for what the upstream says about its account.
    fn account<'a>(
        &'a self,
        errand: &'a Errand<'a>,
        code: &'a str,
        now: Instant,
    ) -> BoxFuture<'a, Result<UpstreamAccount, NoAccount>>;
}

/// How the upstream knows us, and we it.
pub struct Registration {
    /// Its issuer; the addresses stand below it.
    pub issuer: Url,
    /// Our name there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret<String>,
    /// Its pinned public keys.
    pub keys: KeyList,
}

/// The upstream over HTTP.
pub struct RemoteNationalId {
    http: reqwest::Client,
    registration: Registration,
    issuer: String,
}

impl RemoteNationalId {
    /// The upstream of that registration.
    pub fn new(registration: Registration, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(timeout).redirect(Policy::none()).no_proxy().build()?;
        let issuer = registration.issuer.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, registration, issuer })
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.issuer)
    }

    async fn exchange(
        &self,
        errand: &Errand<'_>,
        code: &str,
        now: Instant,
    ) -> Result<UpstreamAccount, NoAccount> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", errand.redirect_uri),
            ("client_id", &self.registration.client_id),
            ("client_secret", self.registration.client_secret.expose()),
            ("code_verifier", errand.verifier),
        ];
        let answer = self.http.post(self.at("token")).form(&form).send().await;
        let tokens: Tokens = read(answer.map_err(|_| NoAccount::Down)?).await?;
        let signed: IdToken = jwt::verify(&tokens.id_token, "JWT", &self.registration.keys)
            .map_err(|_| NoAccount::Unbelieved("signature"))?;
        self.check(&signed, errand, now)?;
        let answer = self.http.get(self.at("userinfo")).bearer_auth(&tokens.access_token).send().await;
        let person: AboutAccount = read(answer.map_err(|_| NoAccount::Down)?).await?;
        if person.sub != signed.sub || person.tech_id != signed.tech_id {
            return Err(NoAccount::Unbelieved("subject"));
        }
        Ok(UpstreamAccount {
            tech_id: person.tech_id,
            number: person.number,
            name: person.name,
            birth_date: person.birth_date,
            account_level: signed.account_level,
            assurance: signed.assurance,
            kind: person.kind,
            evidence: tokens.id_token,
        })
    }

    fn check(&self, signed: &IdToken, errand: &Errand<'_>, now: Instant) -> Result<(), NoAccount> {
        let now = jwt::numeric_date(now);
        if signed.iss != self.issuer {
            return Err(NoAccount::Unbelieved("issuer"));
        }
        if signed.aud != self.registration.client_id {
            return Err(NoAccount::Unbelieved("audience"));
        }
        if !equal(signed.nonce.as_bytes(), errand.nonce.as_bytes()) {
            return Err(NoAccount::Unbelieved("nonce"));
        }
        if signed.exp <= now || now + SKEW_S < signed.iat {
            return Err(NoAccount::Unbelieved("time"));
        }
        Ok(())
    }
}

impl NationalId for RemoteNationalId {
    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn origin(&self) -> &Url {
        &self.registration.issuer
    }

    fn authorize_url(&self, errand: &Errand<'_>) -> Url {
        let mut url = self.registration.issuer.clone();
        url.set_path(&format!("{}/authorize", url.path().trim_end_matches('/')));
        let challenge = crate::crypto::digest::sha256(errand.verifier.as_bytes());
        let challenge = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, challenge);
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.registration.client_id)
            .append_pair("redirect_uri", errand.redirect_uri)
            .append_pair("scope", "openid profile")
            .append_pair("acr_values", "loa2 loa1")
            .append_pair("state", errand.state)
            .append_pair("nonce", errand.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    fn is_up(&self) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let asked = self.http.get(self.at(".well-known/openid-configuration")).timeout(PROBE_TIMEOUT);
            asked.send().await.is_ok_and(|answer| answer.status().is_success())
        })
    }

    fn account<'a>(
        &'a self,
        errand: &'a Errand<'a>,
        code: &'a str,
        now: Instant,
    ) -> BoxFuture<'a, Result<UpstreamAccount, NoAccount>> {
        Box::pin(self.exchange(errand, code, now))
    }
}

/// A JSON answer of bounded size. A refusal of the request is one thing, a service that is not there another.
async fn read<T: serde::de::DeserializeOwned>(mut answer: reqwest::Response) -> Result<T, NoAccount> {
    match answer.status().as_u16() {
        200 => {}
        400..=499 => return Err(NoAccount::Refused),
        _ => return Err(NoAccount::Down),
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| NoAccount::Down)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(NoAccount::Unbelieved("size"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| NoAccount::Unbelieved("shape"))
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: String,
}

#[derive(Deserialize)]
struct IdToken {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    nonce: String,
    #[serde(rename = "TechID")]
    tech_id: String,
    #[serde(rename = "IAL")]
    account_level: String,
    #[serde(rename = "loAs")]
    assurance: String,
}

#[derive(Deserialize)]
struct AboutAccount {
    sub: String,
    #[serde(rename = "TechID")]
    tech_id: String,
    #[serde(rename = "LoaiTaiKhoan")]
    kind: String,
    #[serde(rename = "SoDinhDanh")]
    number: String,
    #[serde(rename = "HoVaTen")]
    name: String,
    #[serde(rename = "NgayThangNamSinh")]
    birth_date: String,
}

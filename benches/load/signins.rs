//! Sign-ins and introspections. A full sign-in is all that a portal and a browser do for one citizen whose session is
//! there: under `fapi2` pushed request, authorization, code, token bound by a proof, userinfo; under `basic` the code
//! flow alone, on the steps that a peer can be measured on (`benches/peer`).

use super::client::{Connection, post};
use super::measure::Meter;
use super::report::{Rate, Record, trio};
use super::tokens::signatures;
use super::world::World;
use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::base::clock::{Clock, SystemClock};
use chung::base::entropy::{self, SystemEntropy};
use chung::base::id::{self, Id};
use chung::base::secret::{Token, TokenKind};
use chung::base::text::Line;
use chung::crypto::{
    digest::sha256,
    jwt,
    signing::{Signer, SigningKey},
};
use chung::flow::population::{look_up, meet};
use chung::flow::register_client::{NewClient, register_client};
use chung::identity::{
    assurance::Assurance,
    authenticator::Method,
    claims::{Claim, Claims, ClaimsPolicy, Ground, Rule},
    client::Wording,
    consent::Consent,
    profile::Terms,
    session::Session,
    token::ApiScopes,
};
use chung::store::{consent, session};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Browsers at once.
const BROWSERS: usize = 16;
pub const CALLBACK: &str = "https://portal.example/callback";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// A portal as its own program knows it.
struct Portal {
    id: String,
    secret: Option<String>,
    key: SigningKey,
    dpop: SigningKey,
    issuer: String,
    nonce: std::sync::Mutex<String>,
}

/// Measures both profiles and introspection.
pub async fn measure(world: &mut World) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for (name, strict) in [("full sign-ins, fapi2", true), ("code flows, basic", false)] {
        let ready = prepare(world, strict).await?;
        let trio =
            trio(world, async |world| signatures(world).await, async |world| rate(world, &ready).await)
                .await?;
        let requests = if strict { 4 } else { 2 };
        let mut record = Record::of(name, "ES256 signatures of raw ring", None, &trio);
        record.note = format!("{}; one is {requests} requests", record.note);
        if strict {
            let times = trio.ours.per_cpu_s / SIGN_INS_PEER;
            record.note =
                format!("{}; {times:.0} times {SIGN_INS_PEER} of eSignet 2.0 per vCPU", record.note);
        }
        records.push(record);
    }
    records.push(introspections(world).await?);
    Ok(records)
}

/// What eSignet 2.0 publishes: sign-ins per second and vCPU.
const SIGN_INS_PEER: f64 = 13.5;

/// A portal, and browsers whose people are signed in and have agreed.
pub struct Ready {
    portal: Arc<Portal>,
    cookies: Arc<Vec<String>>,
    strict: bool,
}

/// Sets them up.
pub async fn prepare(world: &World, strict: bool) -> Result<Ready> {
    let portal = Arc::new(portal(world, strict).await?);
    let cookies = Arc::new(browsers(world, &portal).await?);
    Ok(Ready { portal, cookies, strict })
}

/// Sign-ins per CPU-second, after a quarter of the time to get warm.
pub async fn rate(world: &World, ready: &Ready) -> Result<Rate> {
    run(world, ready, world.seconds / 4).await?;
    let meter = Meter::start(&world.payers(), &world.url()).await?;
    let done = run(world, ready, world.seconds).await?;
    Ok(Rate::of(done, meter.stop().await?))
}

async fn portal(world: &World, strict: bool) -> Result<Portal> {
    let refused = |e| anyhow::anyhow!("{e:?}");
    let (key, dpop) = (SigningKey::generate(), SigningKey::generate());
    let jwks = json!({ "keys": [key.verifying_key().jwk(key.kid())] }).to_string();
    let wording =
        || -> Result<Wording> { Ok(Wording { vi: Line::parse("Cổng")?, en: Line::parse("Portal")? }) };
    let law = Ground::Law(Line::parse("Nghị định 118/2025/NĐ-CP")?);
    let new = NewClient {
        agency: world.agency,
        name: wording()?,
        purpose: wording()?,
        jwks: strict.then_some(jwks),
        redirect_uris: vec![CALLBACK.parse()?],
        post_logout_redirect_uris: vec![],
        acr_min: Assurance::Low,
        sector: "load".parse()?,
        policy: ClaimsPolicy::new(vec![Rule { claim: Claim::Name, ground: law }])?,
        scopes: ApiScopes::default(),
        terms: if strict { Terms::default() } else { Terms::basic() },
        until: None,
    };
    let registered = register_client(&world.app, &new).await.map_err(refused)?;
    Ok(Portal {
        id: registered.client.to_string(),
        secret: registered.secret.map(|secret| secret.expose().to_owned()),
        key,
        dpop,
        issuer: world.app.origin.as_str().to_owned(),
        nonce: std::sync::Mutex::default(),
    })
}

/// Cookies of people who are signed in and have agreed before.
async fn browsers(world: &World, portal: &Portal) -> Result<Vec<String>> {
    let (app, now) = (&world.app, SystemClock.now());
    let refused = |e| anyhow::anyhow!("{e:?}");
    let mut cookies = Vec::new();
    for place in 0..BROWSERS {
        let mut tx = app.store.begin().await?;
        let looked = look_up(app, &mut tx, world.citizen(place).number.parse()?).await.map_err(refused)?;
        let holder = looked.on_record.context("a citizen")?;
        meet(app, &mut tx, &holder, now).await.map_err(refused)?;
        let token = Token::new(TokenKind::Session, &*app.entropy);
        let known = Session {
            id: Id::<id::Session>::new(now, &*app.entropy),
            citizen: holder.citizen,
            method: Method::SmsCode,
            reached: Assurance::Low,
            authenticated_at: now,
            expires_at: now + time::Duration::hours(8),
            ended_at: None,
        };
        session::insert(&mut tx, &known, None, &sha256(token.expose().as_bytes())).await?;
        let agreed = Consent {
            id: Id::new(now, &*app.entropy),
            citizen: holder.citizen,
            client: portal.id.parse()?,
            notified: Claims::from([Claim::Name]),
            allowed: Claims::new(),
            given_at: now,
            withdrawn_at: None,
        };
        consent::insert(&mut tx, &agreed, None).await?;
        tx.commit().await?;
        cookies.push(format!("{}={}", app.origin.cookie("chung_session"), token.expose()));
    }
    Ok(cookies)
}

async fn run(world: &World, ready: &Ready, time: Duration) -> Result<usize> {
    let (at, began, strict) = (world.address, Instant::now(), ready.strict);
    let mut running = JoinSet::new();
    for place in 0..BROWSERS {
        let (portal, cookies) = (Arc::clone(&ready.portal), Arc::clone(&ready.cookies));
        running.spawn(async move {
            let mut connection = Connection::open(at).await?;
            let mut done = 0;
            while began.elapsed() < time {
                sign_in(&mut connection, &portal, &cookies[place], strict).await?;
                done += 1;
            }
            anyhow::Ok(done)
        });
    }
    let mut all = 0;
    while let Some(done) = running.join_next().await {
        all += done??;
    }
    Ok(all)
}

async fn sign_in(connection: &mut Connection, portal: &Portal, cookie: &str, strict: bool) -> Result<()> {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
    let asked = [
        ("client_id", portal.id.as_str()),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("prompt", "none"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = if strict {
        let pushed = portal.post(connection, "/oidc/par", &asked).await?;
        form(&[("client_id", &portal.id), ("request_uri", pushed["request_uri"].as_str().context("a name")?)])
    } else {
        form(&asked)
    };
    let answered = get(connection, &format!("/oidc/authorize?{query}"), &[("cookie", cookie)]).await?;
    let back = url::Url::parse(answered.header("location"))?;
    let code = back.query_pairs().find(|(name, _)| name == "code").context("a code")?.1.into_owned();
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = portal.post(connection, "/oidc/token", &exchange).await?;
    if strict {
        let access = tokens["access_token"].as_str().context("a token")?;
        let authorization = format!("DPoP {access}");
        let proof = portal.proof("GET", "/oidc/userinfo", Some(access));
        let headers = [("authorization", authorization.as_str()), ("dpop", proof.as_str())];
        let told = get(connection, "/oidc/userinfo", &headers).await?;
        if told.status != 200 {
            bail!("userinfo answered {}: {}", told.status, told.head);
        }
    }
    Ok(())
}

impl Portal {
    fn assertion(&self) -> String {
        let now = jwt::numeric_date(SystemClock.now());
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": self.issuer, "exp": now + 60, "jti": random(),
        });
        signed(&self.key, &json!({ "alg": "ES256", "kid": self.key.kid() }), &claims)
    }

    fn proof(&self, method: &str, path: &str, token: Option<&str>) -> String {
        let (x, y) = self.dpop.verifying_key().coordinates();
        let header = json!({
            "typ": "dpop+jwt", "alg": "ES256", "jwk": { "kty": "EC", "crv": "P-256", "x": x, "y": y },
        });
        let mut claims = json!({
            "jti": random(), "htm": method, "htu": format!("{}{path}", self.issuer),
            "iat": jwt::numeric_date(SystemClock.now()),
            "nonce": self.nonce.lock().map(|nonce| nonce.clone()).unwrap_or_default(),
        });
        if let Some(token) = token {
            claims["ath"] = json!(BASE64_URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())));
        }
        signed(&self.dpop, &header, &claims)
    }

    /// Posts as this portal; once more where the service wants its own fresh nonce in the proof.
    async fn post(&self, connection: &mut Connection, path: &str, pairs: &[(&str, &str)]) -> Result<Value> {
        for _ in 0..2 {
            let (assertion, proof) = (self.assertion(), self.proof("POST", path, None));
            let basic = self
                .secret
                .as_ref()
                .map(|secret| format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{secret}", self.id))));
            let (headers, body) = match &basic {
                Some(basic) => (vec![FORM, ("authorization", basic.as_str())], form(pairs)),
                None => {
                    let mut pairs = pairs.to_vec();
                    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                    pairs.extend([("client_assertion_type", kind), ("client_assertion", &assertion)]);
                    (vec![FORM, ("dpop", proof.as_str())], form(&pairs))
                }
            };
            let answer = connection.ask(&post(path, &headers, body.as_bytes())).await?;
            if let Some(nonce) = answer.find("dpop-nonce")
                && let Ok(mut kept) = self.nonce.lock()
            {
                nonce.clone_into(&mut kept);
            }
            let said: Value = serde_json::from_slice(&answer.body)?;
            if answer.status < 300 {
                return Ok(said);
            }
            if said["error"] != "use_dpop_nonce" {
                bail!("{path} answered {}: {said}", answer.status);
            }
        }
        bail!("{path} wants another nonce each time")
    }
}

async fn introspections(world: &mut World) -> Result<Record> {
    let token = world.token("verification").await?;
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", world.client, world.secret));
    let headers = [FORM, ("authorization", &format!("Basic {credentials}"))];
    let bytes = post("/oidc/introspect", &headers, form(&[("token", &token)]).as_bytes());
    let requests: super::client::Requests = Arc::new(move |_| Some(bytes.clone()));
    let trio = trio(
        world,
        async |world| signatures(world).await,
        async |world| {
            let pace = super::client::Pace::Closed(world.seconds);
            let meter = Meter::start(&world.payers(), &world.url()).await?;
            let done = super::client::load(world.address, BROWSERS, pace, 200, &requests).await?;
            Ok(Rate::of(done.answered, meter.stop().await?))
        },
    )
    .await?;
    Ok(Record::of("introspections", "ES256 signatures of raw ring", None, &trio))
}

pub async fn get(
    connection: &mut Connection,
    path: &str,
    headers: &[(&str, &str)],
) -> Result<super::client::Answer> {
    let mut text = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    connection.ask(text.as_bytes()).await
}

pub fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn random() -> String {
    let bytes: [u8; 16] = entropy::random(&SystemEntropy::new());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

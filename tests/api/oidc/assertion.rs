//! A portal proves itself by a signed assertion (RFC 7523, `private_key_jwt`), and every forgery is refused.

use super::{CALLBACK, Portal, registered};
use crate::world::{Answer, TestApp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::base::clock::Clock;
use chung::crypto::jwt::numeric_date;
use chung::crypto::signing::{Signer, SigningKey};
use chung::identity::assurance::Assurance;
use serde_json::{Value, json};
use std::time::Duration;

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Keyed {
    world: TestApp,
    id: String,
    key: SigningKey,
}

impl Keyed {
    async fn set() -> Self {
        let world = TestApp::start().await;
        let key = SigningKey::generate();
        let jwks = json!({ "keys": [key.verifying_key().jwk(key.kid())] }).to_string();
        let uris = [CALLBACK, "https://portal.example/bye"];
        let portal = registered(&world, "hcmc", Assurance::Low, uris, Some(jwks)).await;
        assert!(portal.secret.is_none(), "a client with a key has no secret");
        Self { id: portal.client.to_string(), world, key }
    }

    /// The claims that are right now, each time with another `jti`.
    fn claims(&self, jti: &str) -> Value {
        let now = numeric_date(self.world.clock.now());
        let (aud, exp) = (self.world.app.origin.as_str(), now + 60);
        json!({ "iss": self.id, "sub": self.id, "aud": aud, "iat": now, "exp": exp, "jti": jti })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.key.sign(text.as_bytes()));
        format!("{text}.{signature}")
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "kid": self.key.kid(), "typ": "JWT" })
    }

    async fn token(&self, assertion: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        let program = self.world.stranger();
        program.send(program.request(reqwest::Method::POST, "/oidc/token").form(&form)).await
    }

    async fn refused(&self, why: &str, assertion: &str) {
        let answer = self.token(assertion).await;
        let code = answer.json()["error"].as_str().map(str::to_owned);
        assert_eq!(
            (answer.status, code.as_deref()),
            (401, Some("invalid_client")),
            "{why}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn an_assertion_proves_its_portal_once() {
    let portal = Keyed::set().await;
    let assertion = portal.sign(&portal.header(), &portal.claims("one"));
    assert_eq!(portal.token(&assertion).await.expect(200).json()["token_type"], "Bearer");
    portal.refused("used twice", &assertion).await;
    let mut to_the_endpoint = portal.claims("two");
    to_the_endpoint["aud"] = json!(portal.world.at("/oidc/token"));
    portal.token(&portal.sign(&portal.header(), &to_the_endpoint)).await.expect(200);
    let late = portal.sign(&portal.header(), &portal.claims("three"));
    portal.world.later(Duration::from_secs(91));
    portal.refused("over", &late).await;
}

#[tokio::test]
async fn every_forged_or_borrowed_assertion_is_refused() {
    let portal = Keyed::set().await;
    let changes: [(&str, &str, Value); 9] = [
        ("without a subject", "sub", Value::Null),
        ("for another audience", "aud", json!("https://elsewhere.example")),
        (
            "for several audiences",
            "aud",
            json!([portal.world.app.origin.as_str(), "https://elsewhere.example"]),
        ),
        ("of another subject", "sub", json!("client_00000000000000000000000000000000")),
        ("of another issuer", "iss", json!("client_00000000000000000000000000000000")),
        ("that lives too long", "exp", json!(numeric_date(portal.world.clock.now()) + 3_600)),
        ("dated ahead", "iat", json!(numeric_date(portal.world.clock.now()) + 600)),
        ("without an identifier", "jti", json!("")),
        ("with a huge identifier", "jti", json!("x".repeat(300))),
    ];
    for (why, name, value) in changes {
        let mut claims = portal.claims(why);
        claims[name] = value;
        portal.refused(why, &portal.sign(&portal.header(), &claims)).await;
    }
    let good = portal.claims("good");
    for (why, header) in [
        ("unsigned", json!({ "alg": "none" })),
        ("signed with its public key as a secret", json!({ "alg": "HS256", "kid": portal.key.kid() })),
        ("of another type", json!({ "alg": "ES256", "kid": portal.key.kid(), "typ": "at+jwt" })),
        ("under an unknown key", json!({ "alg": "ES256", "kid": "nobody" })),
        (
            "that demands an extension",
            json!({ "alg": "ES256", "kid": portal.key.kid(), "crit": ["b64"], "b64": false }),
        ),
    ] {
        portal.refused(why, &portal.sign(&header, &good)).await;
    }
    let other = Keyed { key: SigningKey::generate(), id: portal.id.clone(), world: TestApp::start().await };
    portal.refused("signed by somebody else", &other.sign(&portal.header(), &good)).await;
    portal.refused("not a token", "a.b").await;

    // Whoever is registered for one way is not let in by another.
    let secret = Portal { id: portal.id.clone(), secret: "chk_nobody".to_owned() };
    secret.token(&portal.world, &[("grant_type", "client_credentials")]).await.expect(401);
    portal.token(&portal.sign(&portal.header(), &good)).await.expect(200);
}

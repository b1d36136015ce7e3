//! A portal of the profile `fapi2`: it pushes its requests, proves itself by its key, and binds its tokens to another.

use super::{CALLBACK, VERIFIER, action, follow, registered_with, told, value};
use crate::world::{Actor, Answer, TestApp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::base::clock::Clock;
use chung::crypto::digest::sha256;
use chung::crypto::jwt::numeric_date;
use chung::crypto::signing::{Signer, SigningKey};
use chung::identity::profile::Terms;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

pub const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A portal with a key, and the key that its tokens are bound to.
pub struct Keyed {
    pub id: String,
    pub key: SigningKey,
    pub dpop: SigningKey,
    nonce: Mutex<Option<String>>,
}

/// Another identifier each time.
pub fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("id-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A compact JWS of that header and those claims.
pub fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()));
    format!("{text}.{signature}")
}

impl Keyed {
    /// Registers such a portal in a sector of its own.
    pub async fn register(world: &TestApp, sector: &str, terms: Terms) -> Self {
        let key = SigningKey::generate();
        let jwks = json!({ "keys": [key.verifying_key().jwk(key.kid())] }).to_string();
        let registered = registered_with(world, sector, Some(jwks), terms).await;
        assert!(registered.secret.is_none(), "whoever has a key has no secret");
        let id = registered.client.to_string();
        Self { id, key, dpop: SigningKey::generate(), nonce: Mutex::default() }
    }

    /// An assertion that is right now, with these claims changed.
    pub fn assertion(&self, world: &TestApp, changes: &[(&str, Value)]) -> String {
        let now = numeric_date(world.clock.now());
        let mut claims = json!({
            "iss": self.id, "sub": self.id, "aud": world.app.origin.as_str(), "iat": now, "exp": now + 60, "jti": fresh(),
        });
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        signed(&self.key, &json!({ "alg": "ES256", "kid": self.key.kid(), "typ": "JWT" }), &claims)
    }

    /// A proof of possession for a request, with these claims changed.
    pub fn proof(
        &self,
        world: &TestApp,
        method: &str,
        path: &str,
        token: Option<&str>,
        changes: &[(&str, Value)],
    ) -> String {
        let mut claims = json!({
            "jti": fresh(), "htm": method, "htu": world.at(path), "iat": numeric_date(world.clock.now()),
        });
        if let Some(token) = token {
            claims["ath"] = json!(BASE64_URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())));
        }
        if let Some(nonce) = self.nonce.lock().unwrap().as_deref() {
            claims["nonce"] = json!(nonce);
        }
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        signed(&self.dpop, &self.proof_header(), &claims)
    }

    /// The header of its proofs.
    pub fn proof_header(&self) -> Value {
        let mut jwk = self.dpop.verifying_key().jwk("x");
        for name in ["kid", "use", "alg"] {
            jwk.as_object_mut().unwrap().remove(name);
        }
        json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk })
    }

    /// Remembers the nonce that an answer brought.
    pub fn learn(&self, answer: &Answer) {
        if let Some(nonce) = answer.headers.get("dpop-nonce") {
            *self.nonce.lock().unwrap() = Some(nonce.to_str().unwrap().to_owned());
        }
    }

    /// Posts a form to an endpoint for clients, proving itself and its key; comes again with a nonce when told to.
    pub async fn post(&self, world: &TestApp, path: &str, form: &[(&str, &str)]) -> Answer {
        loop {
            let proof = self.proof(world, "POST", path, None, &[]);
            let answer = self.post_with(world, path, form, Some(&proof)).await;
            self.learn(&answer);
            let again = answer.status == 400 && answer.json()["error"] == "use_dpop_nonce";
            if !again {
                return answer;
            }
        }
    }

    /// The same, once, with this proof or none.
    pub async fn post_with(
        &self,
        world: &TestApp,
        path: &str,
        form: &[(&str, &str)],
        proof: Option<&str>,
    ) -> Answer {
        let assertion = self.assertion(world, &[]);
        let mut form = form.to_vec();
        form.extend([("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())]);
        let program = world.stranger();
        let mut request = program.request(reqwest::Method::POST, path).form(&form);
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        program.send(request).await
    }

    /// The parameters of its request, with some changed.
    pub fn request(&self, changes: &[(&'static str, Option<&str>)]) -> Vec<(&'static str, String)> {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
        let mut pairs = vec![
            ("client_id", self.id.clone()),
            ("redirect_uri", CALLBACK.to_owned()),
            ("response_type", "code".to_owned()),
            ("scope", "openid profile phone personal_number".to_owned()),
            ("state", "s-1".to_owned()),
            ("nonce", "n-1".to_owned()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        for (name, value) in changes {
            pairs.retain(|(n, _)| n != name);
            pairs.extend(value.map(|value| (*name, value.to_owned())));
        }
        pairs
    }

    /// Pushes its request.
    pub async fn push(&self, world: &TestApp, changes: &[(&'static str, Option<&str>)]) -> Answer {
        let pairs = self.request(changes);
        let form: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.post(world, "/oidc/par", &form).await
    }

    /// Where it sends the citizen with a pushed request.
    pub fn address(&self, pushed: &Answer) -> String {
        let name = pushed.json()["request_uri"].as_str().unwrap().to_owned();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("client_id", self.id.as_str()), ("request_uri", name.as_str())])
            .finish();
        format!("/oidc/authorize?{query}")
    }

    /// The code for a citizen who is signed in at this browser already.
    pub async fn code_for(
        &self,
        world: &TestApp,
        citizen: &Actor,
        changes: &[(&'static str, Option<&str>)],
    ) -> String {
        let pushed = self.push(world, changes).await.expect(201);
        let page = follow(citizen, &self.address(&pushed)).await.expect(200);
        let token = page.form_field("form_token");
        let mut form = vec![("form_token", token.as_str()), ("answer", "allow")];
        if page.text().contains("value=\"phone_number\"") {
            form.push(("claim", "phone_number"));
        }
        let answer = citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303);
        value(&told(&answer.location()), "code")
    }

    /// Exchanges a code.
    pub async fn exchange(&self, world: &TestApp, code: &str) -> Answer {
        let form = exchange_form(code);
        self.post(world, "/oidc/token", &form).await
    }

    /// Asks a resource with a bound token; comes again with a nonce when told to.
    pub async fn get(&self, world: &TestApp, path: &str, token: &str) -> Answer {
        loop {
            let proof = self.proof(world, "GET", path, Some(token), &[]);
            let answer = self.get_with(world, path, token, &proof).await;
            self.learn(&answer);
            let told = answer.headers.get("www-authenticate").and_then(|h| h.to_str().ok());
            if !told.is_some_and(|told| told.contains("use_dpop_nonce")) {
                return answer;
            }
        }
    }

    /// The same, once, with this proof.
    pub async fn get_with(&self, world: &TestApp, path: &str, token: &str, proof: &str) -> Answer {
        let program = world.stranger();
        let request = program.request(reqwest::Method::GET, path);
        program.send(request.header("authorization", format!("DPoP {token}")).header("dpop", proof)).await
    }
}

/// The form of an exchange.
pub fn exchange_form(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

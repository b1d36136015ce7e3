//! Portals as clients: onboarded, cared for, warned, refused with the true reason, succeeded.

use crate::office::Office;
use crate::world::{Actor, Answer, TestApp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::base::{clock::Clock, text::Line};
use chung::crypto::{jwt, keyring::Purpose, signing::Signer, signing::SigningKey};
use chung::flow::change_client::{add_key, revoke_key, rotate_secret};
use chung::flow::register_client::{NewClient, Registered, register_client};
use chung::flow::warn_expiry::warn_expiry;
use chung::identity::{
    assurance::Assurance, claims::ClaimsPolicy, client::Wording, profile::Terms, token::ApiScopes,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// An administrators' system, and a portal with a key that it has registered.
struct Scene {
    world: TestApp,
    office: Office,
    system: Actor,
    key: SigningKey,
    client: Value,
}

fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("care-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn jwk(key: &SigningKey) -> Value {
    key.verifying_key().jwk(key.kid())
}

impl Scene {
    async fn set() -> Self {
        let world = TestApp::start().await;
        let office = Office::open(&world, "H29.14").await;
        let system = office.system(&world, "admin event");
        let key = SigningKey::generate();
        let mut scene = Self { world, office, system, key, client: Value::Null };
        let keys = json!({ "keys": [jwk(&scene.key)] });
        scene.client = scene.register(json!({ "jwks": keys })).await.expect(201).json();
        scene
    }

    /// Registers a portal that may also read bills, with these members changed.
    async fn register(&self, changes: Value) -> Answer {
        let mut body = json!({
            "agency": self.office.agency.to_string(),
            "name": { "vi": "Cổng đất đai", "en": "Land portal" },
            "purpose": { "vi": "nộp hồ sơ", "en": "file dossiers" },
            "redirect_uris": ["https://land.example/callback"],
            "sector": "land",
            "scopes": ["bill.read"],
        });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.system.post_once("/v1/clients", &fresh(), &body).await
    }

    fn id(&self) -> &str {
        self.client["id"].as_str().unwrap()
    }

    async fn care(&self, what: &str, body: &Value) -> Answer {
        let path = format!("/v1/clients/{}/{what}", self.id());
        self.system.post_once(&path, &fresh(), body).await
    }

    /// The portal asks for its self-test with an assertion of that key.
    async fn self_test(&self, key: &SigningKey) -> Answer {
        let now = jwt::numeric_date(self.world.clock.now());
        let claims = json!({
            "iss": self.id(), "sub": self.id(), "aud": self.world.app.origin.as_str(), "exp": now + 60, "jti": fresh(),
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": key.kid() })), part(&claims));
        let assertion = format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes())));
        let form = [
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        self.world.stranger().post_form("/oidc/self-test", &form).await
    }

    /// The state and reason of a check.
    async fn check(&self, name: &str) -> (String, String) {
        let path = format!("/v1/clients/{}/checks", self.id());
        let report = self.system.get(&path).await.expect(200).json();
        let found = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == name).cloned();
        let found = found.unwrap_or_else(|| panic!("no {name} in {report}"));
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }
}

#[tokio::test]
async fn a_portal_is_onboarded_strict_by_default_and_weaker_only_by_name() {
    let scene = Scene::set().await;
    assert_eq!(
        (&scene.client["profile"], &scene.client["auth_method"]),
        (&json!("fapi2"), &json!("private_key_jwt"))
    );
    assert_eq!(scene.client["keys"][0]["kid"], scene.key.kid());
    assert!(scene.client["secret"].is_null());
    scene.register(json!({})).await.expect_refusal(400, "invalid_body");
    for jwks in [
        json!({ "keys": [] }),
        json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0", "kid": "a" }] }),
        json!({ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a" }] }),
        json!({ "keys": [jwk(&scene.key), jwk(&scene.key)] }),
    ] {
        scene.register(json!({ "jwks": jwks })).await.expect_refusal(400, "invalid_body");
    }
    for wrong in [
        json!({ "profile": "none" }),
        json!({ "profile": "basic", "id_token_alg": "RS256" }),
        json!({ "profile": "basic", "resources": ["records"] }),
        json!({ "profile": "basic", "backchannel_logout_uri": "ftp://land.example/" }),
        json!({ "profile": "basic", "predecessors": ["client_019ab3c0c0ff7091a2b3c4d5e6f70819"] }),
        json!({ "profile": "basic", "subjects": "sell" }),
    ] {
        scene.register(wrong).await.expect_refusal(400, "invalid_body");
    }
    let weaker = scene.register(json!({ "profile": "basic", "sector": "sea" })).await.expect(201).json();
    assert!(weaker["secret"].as_str().unwrap().starts_with("chk_"));
}

#[tokio::test]
async fn the_self_test_says_what_is_still_wrong() {
    let scene = Scene::set().await;
    let report = scene.self_test(&scene.key).await.expect(200).json();
    assert_eq!((&report["ready"], &report["profile"]), (&json!(false), &json!("fapi2")));
    assert_eq!(scene.check("sign_in").await.0, "open");
    assert_eq!(scene.check("logout").await.0, "warning");
    // The developer sends a citizen without pushing, then to a wrong address.
    let stranger = scene.world.stranger();
    let address =
        |uri: &str| format!("/oidc/authorize?client_id={}&response_type=code&redirect_uri={uri}", scene.id());
    stranger.get(&address("https://land.example/callback")).await.expect(303);
    let (state, reason) = scene.check("authorize").await;
    assert!(state == "failed" && reason.contains("pushes its requests first"), "{reason}");
    scene.world.later(Duration::from_secs(2));
    stranger.get(&address("https://land.example/other")).await.expect(400);
    assert!(scene.check("authorize").await.1.contains("not registered"));
    // A key that nobody knows.
    scene.self_test(&SigningKey::generate()).await.expect(401);
    assert!(scene.check("authenticate").await.1.contains("unknown key"));
    // Advice is there in both languages, and nobody else reads it.
    let report = scene.self_test(&scene.key).await.expect(200).json();
    let failed =
        report["checks"].as_array().unwrap().iter().find(|c| c["check"] == "authenticate").unwrap().clone();
    assert!(failed["next"]["vi"].is_string() && failed["title"]["en"].is_string());
    assert!(!failed["title"]["en"].as_str().unwrap().starts_with("check-"));
    stranger.post_form("/oidc/self-test", &[]).await.expect(401);
}

#[tokio::test]
async fn keys_are_replaced_one_by_one_and_refused_with_their_reason() {
    let scene = Scene::set().await;
    let next = SigningKey::generate();
    let added = json!({ "jwk": jwk(&next), "expires_at": "2027-11-24T00:00:00Z" });
    let client = scene.care("keys", &added).await.expect(200).json();
    assert_eq!(client["keys"].as_array().unwrap().len(), 2);
    scene.care("keys", &added).await.expect_refusal(409, "key_exists");
    scene.self_test(&next).await.expect(200);
    scene.self_test(&scene.key).await.expect(200);
    scene.care("keys/revoke", &json!({ "kid": scene.key.kid() })).await.expect(200);
    scene.care("keys/revoke", &json!({ "kid": scene.key.kid() })).await.expect_refusal(404, "not_found");
    let refused = scene.self_test(&scene.key).await.expect(401).json();
    assert!(refused["error_description"].as_str().unwrap().contains("key revoked"), "{refused}");
    scene.world.later(Duration::from_secs(366 * 86_400));
    let refused = scene.self_test(&next).await.expect(401).json();
    assert!(refused["error_description"].as_str().unwrap().contains("key expired"), "{refused}");
    for wrong in [
        json!({ "jwk": "text" }),
        json!({ "jwk": { "kty": "EC" } }),
        json!({ "jwk": jwk(&SigningKey::generate()), "expires_at": "2020-01-01T00:00:00Z" }),
    ] {
        let system = scene.office.system(&scene.world, "admin");
        let path = format!("/v1/clients/{}/keys", scene.id());
        system.post_once(&path, &fresh(), &wrong).await.expect_refusal(400, "invalid_body");
    }
}

#[tokio::test]
async fn a_secret_is_replaced_with_overlap_and_no_request_fails() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let portal = scene.register(json!({ "profile": "basic", "sector": "sea" })).await.expect(201).json();
    let id = portal["id"].as_str().unwrap();
    let rotate = async |hours: Value| {
        let path = format!("/v1/clients/{id}/secret");
        scene.system.post_once(&path, &fresh(), &json!({ "overlap_hours": hours })).await
    };
    let works = async |secret: &Value| {
        let program = world.stranger();
        let request = program.request(reqwest::Method::POST, "/oidc/token");
        let request = request.basic_auth(id, secret.as_str()).form(&[("grant_type", "client_credentials")]);
        let answer = program.send(request).await;
        if answer.status == 200 { String::new() } else { answer.text() }
    };
    let first = &portal["secret"];
    let rotated = rotate(json!(24)).await.expect(200).json();
    let second = &rotated["secret"];
    assert!(first != second && rotated["former_secret_until"].is_string());
    assert_eq!((works(first).await, works(second).await), (String::new(), String::new()));
    world.later(Duration::from_secs(24 * 3600));
    let late = works(first).await;
    assert!(late.contains("invalid_client") && late.contains("expired"), "the true reason: {late}");
    assert_eq!(works(second).await, "");
    // Without overlap the former one ends at once, and one before it never comes back.
    let system = scene.office.system(world, "admin");
    let path = format!("/v1/clients/{id}/secret");
    let third = system.post_once(&path, "third", &json!({ "overlap_hours": 0 })).await.expect(200).json();
    assert!(works(second).await.contains("expired") && works(first).await.contains("wrong"));
    assert_eq!(works(&third["secret"]).await, "");
    let again = system.post_once(&path, "third", &json!({ "overlap_hours": 0 })).await.expect(200).json();
    assert!(again["secret"].is_null(), "a replay has none");
    let printed = rotate_secret(&world.app, id.parse().unwrap(), time::Duration::hours(1));
    let fourth = json!(printed.await.unwrap().expose());
    assert_eq!((works(&third["secret"]).await, works(&fourth).await), (String::new(), String::new()));
    let secrets = [first, second, &third["secret"], &fourth];
    for table in ["client", "idempotency_key", "audit_detail"] {
        let rows = world.dump(table).await;
        assert!(secrets.iter().all(|secret| !rows.contains(secret.as_str().unwrap())), "{table}");
    }
    assert_eq!(world.count("audit_leaf where kind = 'client.secret_rotated'").await, 3);
    // A client with keys has none; no overlap is longer than a month; nobody without the scope does it.
    system
        .post_once(&path, &fresh(), &json!({ "overlap_hours": 721 }))
        .await
        .expect_refusal(400, "invalid_body");
    let keyed = format!("/v1/clients/{}/secret", scene.id());
    system.post_once(&keyed, &fresh(), &json!({})).await.expect_refusal(422, "client_has_keys");
    let reader = scene.office.system(world, "admin.read");
    reader.post_once(&path, &fresh(), &json!({})).await.expect_refusal(403, "scope_missing");
}

#[tokio::test]
async fn what_proves_an_administrators_system_is_changed_at_the_command_line_only() {
    let scene = Scene::set().await;
    let app = &scene.world.app;
    let next = SigningKey::generate();
    let refused = async |client: &Registered, what: &str, body: &Value| {
        let path = format!("/v1/clients/{}/{what}", client.client);
        let answer = scene.system.post_once(&path, &fresh(), body).await;
        answer.expect_refusal(403, "client_administers");
    };
    let keys = json!({ "keys": [jwk(&scene.key)] });
    for scopes in ["admin", "admin.read bill"] {
        let secret = administering(&scene, scopes, None).await;
        let keyed = administering(&scene, scopes, Some(&keys)).await;
        refused(&secret, "secret", &json!({ "overlap_hours": 0 })).await;
        refused(&keyed, "secret", &json!({})).await;
        refused(&keyed, "keys", &json!({ "jwk": jwk(&next) })).await;
        refused(&keyed, "keys/revoke", &json!({ "kid": scene.key.kid() })).await;
    }
    assert_eq!(scene.world.count("client where former_secret_digest is not null").await, 0);
    assert_eq!(scene.world.count("client_key where revoked_at is not null").await, 0);
    // An operator does all of it.
    let secret = administering(&scene, "admin", None).await;
    let keyed = administering(&scene, "admin", Some(&keys)).await;
    rotate_secret(app, secret.client, time::Duration::ZERO).await.unwrap();
    add_key(app, keyed.client, &jwk(&next).to_string(), None).await.unwrap();
    revoke_key(app, keyed.client, scene.key.kid()).await.unwrap();
    assert!(revoke_key(app, keyed.client, "none").await.is_err());
    for kind in ["client.secret_rotated", "client.key_added", "client.key_revoked"] {
        assert_eq!(scene.world.count(&format!("audit_leaf where kind = '{kind}'")).await, 1, "{kind}");
    }
    // A portal's are the administrators' system's to change.
    let portal = scene.register(json!({ "profile": "basic", "sector": "sea" })).await.expect(201).json();
    let path = format!("/v1/clients/{}/secret", portal["id"].as_str().unwrap());
    scene.system.post_once(&path, &fresh(), &json!({ "overlap_hours": 0 })).await.expect(200);
    scene.care("keys", &json!({ "jwk": jwk(&next) })).await.expect(200);
    scene.care("keys/revoke", &json!({ "kid": scene.key.kid() })).await.expect(200);
}

/// A system with these scopes, registered as at the command line.
async fn administering(scene: &Scene, scopes: &str, jwks: Option<&Value>) -> Registered {
    let name =
        Wording { vi: Line::parse("Quản trị").unwrap(), en: Line::parse("Administration").unwrap() };
    let new = NewClient {
        agency: scene.office.agency,
        name: name.clone(),
        purpose: name,
        jwks: jwks.map(Value::to_string),
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        acr_min: Assurance::Low,
        sector: "justice".parse().unwrap(),
        policy: ClaimsPolicy::default(),
        scopes: ApiScopes::parse(scopes).unwrap(),
        terms: Terms::basic(),
        until: None,
    };
    register_client(&scene.world.app, &new).await.unwrap()
}

#[tokio::test]
async fn a_client_is_changed_from_the_next_request_on() {
    let scene = Scene::set().await;
    let change = json!({ "redirect_uris": ["https://land.example/new"], "acr_min": "urn:chung:acr:low" });
    let client = scene.care("change", &change).await.expect(200).json();
    assert_eq!(client["redirect_uris"], json!(["https://land.example/new"]));
    assert_eq!(client["name"], scene.client["name"], "what is absent stays");
    let stranger = scene.world.stranger();
    let old = format!("/oidc/authorize?client_id={}&redirect_uri=https://land.example/callback", scene.id());
    stranger.get(&old).await.expect(400);
    for wrong in [
        json!({ "sector": "sea" }),
        json!({ "profile": "basic" }),
        json!({ "scopes": ["admin"] }),
        json!({ "expires_at": "2020-01-01T00:00:00Z" }),
        json!({ "redirect_uris": ["http://land.example/"] }),
        json!({ "backchannel_logout_uri": "file:///etc/passwd" }),
    ] {
        scene.care("change", &wrong).await.expect_refusal(400, "invalid_body");
    }
}

#[tokio::test]
async fn what_ends_is_warned_of_at_sixty_thirty_and_seven_days_and_then_refused() {
    let scene = Scene::set().await;
    let world = &scene.world;
    scene.care("change", &json!({ "expires_at": "2027-02-22T02:00:00Z" })).await.expect(200);
    assert_eq!(warn_expiry(&world.app).await.unwrap(), 0, "ninety days ahead");
    let mut days = Vec::new();
    for ahead in [30, 1, 29, 1, 22, 1] {
        world.later(Duration::from_secs(ahead * 86_400));
        warn_expiry(&world.app).await.unwrap();
    }
    let system = scene.office.system(world, "event admin");
    let events = system.get("/v1/events").await.expect(200).json();
    for event in events["items"].as_array().unwrap() {
        if event["type"] == "client.expiring" {
            assert_eq!(event["data"]["client"], scene.id());
            days.push(event["data"]["days"].as_i64().unwrap());
        }
    }
    assert_eq!(days, [7, 30, 60], "each once, the newest first");
    assert_eq!(scene.check_with(&system, "standing").await.0, "warning");
    // Its end: every door says why.
    world.later(Duration::from_secs(8 * 86_400));
    let refused = scene.self_test(&scene.key).await.expect(401).json();
    assert!(refused["error_description"].as_str().unwrap().contains("expired"), "{refused}");
    let mut claims = json!({
        "iss": world.app.origin.as_str(), "aud": world.at("/v1"), "exp": jwt::numeric_date(world.clock.now()) + 60,
        "scope": "bill.read", "client_id": scene.id(),
    });
    let token = |claims: &Value| jwt::sign(world.app.keys.signing(Purpose::Token), "at+jwt", claims);
    world.stranger().with_bearer(token(&claims)).get("/v1/bills").await.expect_refusal(403, "client_expired");
    claims["client_id"] = json!(scene.office.client.to_string());
    world.sql("update agency set state = 'suspended'").await.unwrap();
    world
        .stranger()
        .with_bearer(token(&claims))
        .get("/v1/bills")
        .await
        .expect_refusal(403, "agency_suspended");
}

impl Scene {
    async fn check_with(&self, system: &Actor, name: &str) -> (String, String) {
        let path = format!("/v1/clients/{}/checks", self.id());
        let report = system.get(&path).await.expect(200).json();
        let found = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == name).unwrap();
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }
}

#[tokio::test]
async fn no_secret_stands_in_an_address() {
    let scene = Scene::set().await;
    let weaker = scene.register(json!({ "profile": "basic", "sector": "sea" })).await.expect(201).json();
    let (id, secret) = (weaker["id"].as_str().unwrap(), weaker["secret"].as_str().unwrap());
    let program = scene.world.stranger();
    let form = [("grant_type", "client_credentials")];
    let path = format!("/oidc/token?client_id={id}&client_secret={secret}");
    program.post_form(&path, &form).await.expect(401);
    let request =
        program.request(reqwest::Method::POST, "/oidc/token").basic_auth(id, Some(secret)).form(&form);
    let token = program.send(request).await.expect(200).json();
    let token = token["access_token"].as_str().unwrap();
    program.get(&format!("/v1/bills?access_token={token}")).await.expect_refusal(401, "token_missing");
    program.get(&format!("/oidc/userinfo?access_token={token}")).await.expect(401);
}

#[tokio::test]
async fn a_key_that_came_with_a_certificate_ends_with_it() {
    let scene = Scene::set().await;
    let text = |name: &str| {
        let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    };
    let pkcs8 = base64::prelude::BASE64_STANDARD.decode(text("portal_key.txt")).unwrap();
    let key = SigningKey::from_pkcs8(&pkcs8).unwrap();
    let with = |key: &SigningKey| {
        let mut certified = jwk(key);
        certified["x5c"] = json!([text("portal_certificate.txt")]);
        json!({ "jwk": certified })
    };
    let stranger = SigningKey::generate();
    scene.care("keys", &with(&stranger)).await.expect_refusal(400, "invalid_body");
    let client = scene.care("keys", &with(&key)).await.expect(200).json();
    let added = client["keys"].as_array().unwrap().iter().find(|known| known["kid"] == key.kid()).unwrap();
    assert_eq!(added["expires_at"], "2027-02-01T00:00:00Z");
    scene.self_test(&key).await.expect(200);
    scene.world.later(Duration::from_secs(70 * 86_400));
    let refused = scene.self_test(&key).await.expect(401).json();
    assert!(refused["error_description"].as_str().unwrap().contains("certificate expired"), "{refused}");
    scene.self_test(&scene.key).await.expect(200);
}

//! Step-up: a portal asks for more, and gets at least that, by whatever way the citizen has (`acr_values`, RFC 9470).

use super::apps::add_app;
use super::passkeys::{add_passkey, by_passkey};
use super::*;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::base::text::Line;
use chung::crypto::digest::sha256;
use chung::flow::register_client::{NewAgency, NewClient, register_agency, register_client};
use chung::identity::{
    assurance::Assurance,
    claims::{Claim, ClaimsPolicy, Ground, Rule},
    client::Wording,
    profile::Terms,
    token::ApiScopes,
};
use serde_json::{Value, json};

const CALLBACK: &str = "https://portal.example/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const LOW: &str = "urn:chung:acr:low";
const SUBSTANTIAL: &str = "urn:chung:acr:substantial";

struct Portal {
    id: String,
    secret: String,
}

impl Portal {
    async fn register(world: &TestApp) -> Self {
        let wording = |text: &str| Wording { vi: Line::parse(text).unwrap(), en: Line::parse(text).unwrap() };
        let agency =
            NewAgency { code: "H29.20".into(), name: wording("Sở"), tax_code: None, address_vi: None };
        let agency = register_agency(&world.app, &agency).await.unwrap();
        let law = Ground::Law(Line::parse("Nghị định 118/2025/NĐ-CP").unwrap());
        let new = NewClient {
            agency,
            name: wording("Cổng"),
            purpose: wording("nộp hồ sơ"),
            jwks: None,
            redirect_uris: vec![CALLBACK.parse().unwrap()],
            post_logout_redirect_uris: vec![],
            acr_min: Assurance::Low,
            sector: "step".parse().unwrap(),
            policy: ClaimsPolicy::new(vec![Rule { claim: Claim::Name, ground: law }]).unwrap(),
            scopes: ApiScopes::default(),
            terms: Terms::basic(),
            until: None,
        };
        let registered = register_client(&world.app, &new).await.unwrap();
        Self { id: registered.client.to_string(), secret: registered.secret.unwrap().expose().to_owned() }
    }

    /// Where it sends the citizen, asking for these levels.
    fn asks(&self, acr_values: &str) -> String {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", self.id.as_str()),
                ("redirect_uri", CALLBACK),
                ("response_type", "code"),
                ("scope", "openid profile"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
                ("acr_values", acr_values),
            ])
            .finish();
        format!("/oidc/authorize?{query}")
    }

    /// The citizen agrees on this page; the portal's tokens.
    async fn tokens(&self, world: &TestApp, citizen: &Actor, consent: &Answer) -> Value {
        let code = self.code(citizen, consent).await;
        self.exchange(world, &code).await.expect(200).json()
    }

    /// The citizen agrees on this page; the portal's code.
    async fn code(&self, citizen: &Actor, consent: &Answer) -> String {
        let token = consent.form_field("form_token");
        let form = [("form_token", token.as_str()), ("answer", "allow")];
        let back = citizen.post_form(&action(consent, "/consent/"), &form).await.expect(303).location();
        let back = url::Url::parse(&back).unwrap();
        back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
    }

    /// It exchanges a code.
    async fn exchange(&self, world: &TestApp, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let program = world.stranger();
        let request = program.request(reqwest::Method::POST, "/oidc/token");
        program.send(request.basic_auth(&self.id, Some(&self.secret)).form(&form)).await
    }
}

fn claims(tokens: &Value, which: &str) -> Value {
    let token = tokens[which].as_str().unwrap();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test]
async fn a_portal_that_asks_for_more_gets_at_least_that_by_app_or_passkey() {
    let world = world().await;
    let portal = Portal::register(&world).await;
    let hoa = signed_in(&world, HOA).await;
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    let mut device = add_passkey(&world, &hoa, "Máy tính").await;
    world.later(PAST_TRIAL);
    // A code is enough for whoever asks for nothing, and says so.
    let hoa = signed_in(&world, HOA).await;
    let page = follow(&hoa, &portal.asks("")).await.expect(200);
    let said = claims(&portal.tokens(&world, &hoa, &page).await, "id_token");
    assert_eq!((&said["acr"], &said["amr"]), (&json!(LOW), &json!(["otp", "sms"])));
    // For more it is not: the same browser signs in again, and a code by SMS is not offered.
    let page = follow(&hoa, &portal.asks(SUBSTANTIAL)).await.expect(200);
    assert!(page.text().contains("name=\"number\"") && !page.text().contains("Gửi mã xác nhận"));
    let asked = send(&hoa, &page, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    let page = send(&hoa, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(200);
    let said = claims(&portal.tokens(&world, &hoa, &page).await, "id_token");
    assert_eq!((&said["acr"], &said["amr"]), (&json!(SUBSTANTIAL), &json!(["otp"])));
    // The stronger session serves whoever asks for less, for any of several, or for nothing.
    for asked in [LOW, "", "urn:chung:acr:low urn:chung:acr:high", "urn:elsewhere:gold"] {
        let page = follow(&hoa, &portal.asks(asked)).await.expect(200);
        let said = claims(&portal.tokens(&world, &hoa, &page).await, "id_token");
        assert_eq!(said["acr"], SUBSTANTIAL, "{asked}");
    }
    // A passkey in another browser serves as well.
    let elsewhere = world.stranger();
    let page = by_passkey(&elsewhere, &mut device, &portal.asks(SUBSTANTIAL)).await.expect(200);
    let said = claims(&portal.tokens(&world, &elsewhere, &page).await, "id_token");
    assert_eq!((&said["acr"], &said["amr"]), (&json!(SUBSTANTIAL), &json!(["pop", "user", "mfa"])));
    // What only a counter reaches is asked for there, and no weaker way is offered.
    let page = follow(&hoa, &portal.asks("urn:chung:acr:high")).await.expect(200);
    assert!(page.text().contains("Tại quầy, bằng thẻ căn cước"), "{}", page.text());
    assert!(!page.text().contains("name=\"number\""), "{}", page.text());
}

#[tokio::test]
async fn a_way_on_trial_is_no_step_up() {
    let world = world().await;
    let portal = Portal::register(&world).await;
    let hoa = signed_in(&world, HOA).await;
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    let mut device = add_passkey(&world, &hoa, "Máy tính").await;
    world.later(Duration::from_secs(60));
    let page = follow(&hoa, &portal.asks(SUBSTANTIAL)).await.expect(200);
    let asked = send(&hoa, &page, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    send(&hoa, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(403);
    by_passkey(&world.stranger(), &mut device, &portal.asks(SUBSTANTIAL)).await.expect(403);
}

#[tokio::test]
async fn a_challenge_for_more_is_met_by_a_stronger_sign_in() {
    let world = world().await;
    let portal = Portal::register(&world).await;
    let hoa = signed_in(&world, HOA).await;
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    let hoa = signed_in(&world, HOA).await;
    let page = follow(&hoa, &portal.asks("")).await.expect(200);
    let tokens = portal.tokens(&world, &hoa, &page).await;
    let weak = world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    weak.get("/oidc/userinfo").await.expect(200);
    world.sql(&format!("update client set acr_min = '{SUBSTANTIAL}' where sector = 'step'")).await.unwrap();
    let refused = weak.get("/oidc/userinfo").await.expect(401);
    let challenge = refused.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    // The portal takes the levels out of the challenge and asks for them.
    let asked = between(challenge, "acr_values=\"", "\"");
    let page = follow(&hoa, &portal.asks(asked)).await.expect(200);
    let number = send(&hoa, &page, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    let page = send(&hoa, &number, "/code", &[("code", &phone.code(&world))]).await.expect(200);
    let tokens = portal.tokens(&world, &hoa, &page).await;
    let said = claims(&tokens, "access_token");
    assert!(said["acr"] == SUBSTANTIAL && said["auth_time"].is_i64(), "{said}");
    let strong = world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    strong.get("/oidc/userinfo").await.expect(200);
    weak.get("/oidc/userinfo").await.expect(401);
}

#[tokio::test]
async fn signing_out_after_a_step_up_ends_what_the_sign_ins_before_it_gave() {
    let world = world().await;
    let portal = Portal::register(&world).await;
    let hoa = signed_in(&world, HOA).await;
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    let hoa = signed_in(&world, HOA).await;
    let page = follow(&hoa, &portal.asks("")).await.expect(200);
    let tokens = portal.tokens(&world, &hoa, &page).await;
    let weak = world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    // A code of the session before the step-up, which the portal has not exchanged yet.
    let page = follow(&hoa, &portal.asks("")).await.expect(200);
    let code = portal.code(&hoa, &page).await;
    let page = follow(&hoa, &portal.asks(SUBSTANTIAL)).await.expect(200);
    let asked = send(&hoa, &page, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    let page = send(&hoa, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(200);
    let tokens = portal.tokens(&world, &hoa, &page).await;
    let strong = world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    weak.get("/oidc/userinfo").await.expect(200);
    strong.get("/oidc/userinfo").await.expect(200);
    let me = hoa.get("/me").await.expect(200);
    send(&hoa, &me, "/sign-out", &[]).await.expect(200);
    weak.get("/oidc/userinfo").await.expect(401);
    strong.get("/oidc/userinfo").await.expect(401);
    let refused = portal.exchange(&world, &code).await.expect(400);
    assert_eq!(refused.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_lock_on_a_method_ends_what_it_gave_before_a_step_up() {
    let world = world().await;
    let portal = Portal::register(&world).await;
    let hoa = signed_in(&world, HOA).await;
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    let hoa = signed_in(&world, HOA).await;
    let page = follow(&hoa, &portal.asks("")).await.expect(200);
    portal.tokens(&world, &hoa, &page).await;
    let page = follow(&hoa, &portal.asks(SUBSTANTIAL)).await.expect(200);
    let asked = send(&hoa, &page, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    let page = send(&hoa, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(200);
    let tokens = portal.tokens(&world, &hoa, &page).await;
    let token = hoa.get("/me/locks").await.expect(200).form_field("form_token");
    let form = [("form_token", &*token), ("scope", "method-sms_code"), ("portal", ""), ("last_day", "")];
    hoa.post_form("/me/locks", &form).await.expect(303);
    let strong = world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    strong.get("/oidc/userinfo").await.expect(200);
    assert_eq!(world.count("\"authorization\" where state = 'revoked' and cause = 'locked'").await, 1);
}

//! The attacks that RFC 9700 (security of OAuth 2.0) and RFC 8725 (security of JSON Web Tokens) list, one test for each
//! that no other story tells. `RFC9700` and `RFC8725` say where each is told.

use super::keyed::{ASSERTION, Keyed, exchange_form, signed};
use super::*;
use chung::base::clock::Clock;
use chung::crypto::jwt::numeric_date;
use chung::crypto::signing::{Signer, SigningKey};
use chung::identity::profile::Terms;
use serde_json::json;

/// Section 4 of RFC 9700: the attack, and the test that makes it.
const RFC9700: &[(&str, &str)] = &[
    ("4.1 insufficient redirect URI validation", "nobody_is_sent_to_an_address_that_is_not_registered"),
    ("4.2 credential leakage via Referer headers", "no_page_tells_the_next_one_where_the_citizen_was"),
    ("4.3 credential leakage via browser history", "no_secret_stands_in_an_address"),
    ("4.4 mix-up attacks", "every_answer_names_its_issuer"),
    ("4.5 authorization code injection", "a_stolen_code_is_worth_nothing_in_another_session"),
    ("4.6 access token injection", "an_id_token_vouches_for_its_access_token"),
    ("4.7 cross-site request forgery", "forms_of_other_pages_and_browsers_do_nothing"),
    ("4.8 PKCE downgrade", "a_defect_is_told_to_the_portal_by_its_code"),
    ("4.9 access token leakage at the resource server", "a_token_is_for_the_resource_it_was_asked_for"),
    ("4.10 misuse of stolen access tokens", "a_bound_token_is_worth_nothing_in_other_hands"),
    ("4.11 open redirection", "nobody_is_sent_elsewhere_after_signing_in_or_out"),
    ("4.12 307 redirect", "what_a_citizen_typed_is_not_sent_on"),
    ("4.13 TLS terminating reverse proxies", "headers_of_a_stranger_change_no_address"),
    ("4.14 refresh token protection", "a_refresh_token_is_rotated_and_an_old_one_ends_its_family"),
    ("4.15 client impersonating resource owner", "no_client_passes_for_a_citizen"),
    ("4.16 clickjacking", "no_page_is_framed"),
    ("4.17 attacks on in-browser communication flows", "no_answer_travels_by_script_or_fragment"),
];

/// Sections 2 and 3 of RFC 8725.
const RFC8725: &[(&str, &str)] = &[
    ("2.1 weak signatures and insufficient validation", "every_forged_or_borrowed_assertion_is_refused"),
    ("2.2 weak symmetric keys", "no_symmetric_key_is_taken"),
    ("2.3 incorrect composition of encryption and signature", "nothing_encrypted_is_opened"),
    ("2.4 plaintext leakage by the length of ciphertext", "nothing_encrypted_is_opened"),
    ("2.5 insecure use of elliptic curves", "a_point_off_the_curve_proves_nothing"),
    ("2.6 multiplicity of JSON encodings", "a_token_is_read_one_way_only"),
    ("2.7 substitution attacks", "a_token_of_one_kind_never_passes_for_another"),
    ("2.8 cross-JWT confusion", "a_token_of_one_kind_never_passes_for_another"),
    ("2.9 indirect attacks on the server", "a_name_in_a_header_fetches_and_runs_nothing"),
    ("3.11 explicit typing", "a_token_of_one_kind_never_passes_for_another"),
];

#[test]
fn every_listed_attack_is_made_by_a_test() {
    let sources = super::plans::sources();
    for (attack, test) in RFC9700.iter().chain(RFC8725) {
        assert!(sources.contains(&format!("fn {test}(")), "{attack}: no test {test}");
    }
}

#[tokio::test]
async fn no_page_tells_the_next_one_where_the_citizen_was() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = follow(&citizen, &scene.request(&[])).await.expect(200);
    assert_eq!(page.headers["referrer-policy"], "same-origin");
    let consent = scene.to_consent(&citizen).await.expect(200);
    assert_eq!(consent.headers["referrer-policy"], "same-origin");
    assert!(consent.headers["cache-control"].to_str().unwrap().contains("no-store"));
}

#[tokio::test]
async fn every_answer_names_its_issuer() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = scene.to_consent(&citizen).await;
    for answer in [
        told(&citizen.get(&scene.request(&[("scope", None)])).await.location()),
        scene.consent(&citizen, &page, "allow", &[]).await,
    ] {
        assert_eq!(value(&answer, "iss"), scene.world.app.origin.as_str());
    }
    let document = citizen.get("/.well-known/openid-configuration").await.expect(200).json();
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
}

#[tokio::test]
async fn a_stolen_code_is_worth_nothing_in_another_session() {
    let scene = Scene::set().await;
    let stolen = scene.signed_in(&scene.world.stranger()).await;
    // The attacker's own session at the portal has another verifier.
    let other = "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let refused = scene.exchange(&stolen, &[("code_verifier", other)]).await.expect(400);
    assert_eq!(refused.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn an_id_token_vouches_for_its_access_token() {
    let scene = Scene::set().await;
    let code = scene.signed_in(&scene.world.stranger()).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let digest = sha256(tokens["access_token"].as_str().unwrap().as_bytes());
    let at_hash = BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]);
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["at_hash"], at_hash);
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_signing_in_or_out() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"] {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", elsewhere).finish();
        assert!(
            citizen.get(&format!("/sign-in?{query}")).await.headers.get("location").is_none(),
            "{elsewhere}"
        );
    }
    let path =
        format!("/oidc/logout?client_id={}&post_logout_redirect_uri=https://evil.example/", scene.portal.id);
    assert!(citizen.get(&path).await.expect(200).headers.get("location").is_none());
}

#[tokio::test]
async fn what_a_citizen_typed_is_not_sent_on() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let page = scene.to_consent(&citizen).await;
    let token = page.form_field("form_token");
    let form = [("form_token", token.as_str()), ("answer", "allow")];
    // 303, never 307: the browser comes to the portal by GET and without the form.
    citizen.post_form(&action(&page, "/consent/"), &form).await.expect(303);
}

#[tokio::test]
async fn headers_of_a_stranger_change_no_address() {
    let scene = Scene::set().await;
    let stranger = scene.world.stranger();
    let request = stranger.request(reqwest::Method::GET, "/.well-known/openid-configuration");
    let forged = request
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example;proto=https")
        .header("x-forwarded-proto", "https");
    let document = stranger.send(forged).await.expect(200).json();
    assert_eq!(document["issuer"], scene.world.app.origin.as_str());
    assert!(!document.to_string().contains("evil.example"));
}

#[tokio::test]
async fn no_client_passes_for_a_citizen() {
    let scene = Scene::set().await;
    let form = [("grant_type", "client_credentials")];
    let tokens = scene.portal.token(&scene.world, &form).await.expect(200).json();
    let access = tokens["access_token"].as_str().unwrap();
    let said = claims(access);
    assert!(said["sub"] == scene.portal.id.as_str() && said.get("acr").is_none());
    scene.world.stranger().with_bearer(access).get("/oidc/userinfo").await.expect(401);
}

#[tokio::test]
async fn no_page_is_framed() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    for page in [follow(&citizen, &scene.request(&[])).await, scene.to_consent(&citizen).await] {
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn no_answer_travels_by_script_or_fragment() {
    let scene = Scene::set().await;
    let stranger = scene.world.stranger();
    for mode in ["fragment", "form_post", "web_message"] {
        let answer = stranger.get(&scene.request(&[("response_mode", Some(mode))])).await.expect(303);
        assert!(!answer.location().contains('#'));
        assert_eq!(value(&told(&answer.location()), "error"), "invalid_request");
    }
    for kind in ["token", "id_token", "code token", "code id_token"] {
        let answer = stranger.get(&scene.request(&[("response_type", Some(kind))])).await.expect(303);
        assert_eq!(value(&told(&answer.location()), "error"), "unsupported_response_type");
    }
}

/// A strict portal and a good assertion's parts.
async fn strict() -> (TestApp, Keyed) {
    let world = TestApp::start().await;
    let portal = Keyed::register(&world, "land", Terms::default()).await;
    (world, portal)
}

async fn refused(world: &TestApp, why: &str, assertion: &str) {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION),
        ("client_assertion", assertion),
    ];
    let answer = world.stranger().post_form("/oidc/token", &form).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")), "{why}");
}

fn good(world: &TestApp, portal: &Keyed) -> Value {
    let now = numeric_date(world.clock.now());
    json!({"iss": portal.id, "sub": portal.id, "aud": world.app.origin.as_str(), "exp": now + 60, "jti": "j"})
}

#[tokio::test]
async fn no_symmetric_key_is_taken() {
    let (world, portal) = strict().await;
    for algorithm in ["HS256", "HS384", "HS512", "none", "None", "RS256", "ES384"] {
        let header = json!({ "alg": algorithm, "kid": portal.key.kid() });
        refused(&world, algorithm, &signed(&portal.key, &header, &good(&world, &portal))).await;
    }
    assert!(chung::crypto::public_jwk::PublicJwk::parse(r#"{"kty":"oct","k":"AAAA"}"#).is_err());
}

#[tokio::test]
async fn nothing_encrypted_is_opened() {
    let (world, portal) = strict().await;
    refused(&world, "five parts", "eyJhbGciOiJSU0EtT0FFUCJ9.AA.AA.AA.AA").await;
    let header = json!({ "alg": "ES256", "kid": portal.key.kid(), "zip": "DEF" });
    refused(&world, "compressed", &signed(&portal.key, &header, &good(&world, &portal))).await;
}

#[tokio::test]
async fn a_point_off_the_curve_proves_nothing() {
    let (world, portal) = strict().await;
    let mut header = portal.proof_header();
    header["jwk"]["y"] = header["jwk"]["x"].clone();
    let claims = json!({"jti": "p", "htm": "POST", "htu": world.at("/oidc/token"), "iat": numeric_date(world.clock.now())});
    let proof = signed(&portal.dpop, &header, &claims);
    let form = [("grant_type", "client_credentials")];
    let answer = portal.post_with(&world, "/oidc/token", &form, Some(&proof)).await.expect(400);
    assert_eq!(answer.json()["error"], "invalid_dpop_proof");
}

#[tokio::test]
async fn a_token_is_read_one_way_only() {
    let (world, portal) = strict().await;
    let header = json!({ "alg": "ES256", "kid": portal.key.kid() });
    let good = signed(&portal.key, &header, &good(&world, &portal));
    let parts: Vec<&str> = good.split('.').collect();
    // Not UTF-8, padded, with white space, with a byte order mark.
    let latin = BASE64_URL_SAFE_NO_PAD.encode([0x7b, 0xff, 0x7d]);
    for (why, text) in [
        ("another encoding", format!("{latin}.{}.{}", parts[1], parts[2])),
        ("padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("a space", format!("{} .{}.{}", parts[0], parts[1], parts[2])),
        ("one part more", format!("{good}.")),
        (
            "a byte order mark",
            format!("{}.{}.{}", BASE64_URL_SAFE_NO_PAD.encode("\u{feff}{}"), parts[1], parts[2]),
        ),
    ] {
        refused(&world, why, &text).await;
    }
}

#[tokio::test]
async fn a_token_of_one_kind_never_passes_for_another() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let (id_token, access) = (tokens["id_token"].as_str().unwrap(), tokens["access_token"].as_str().unwrap());
    let bearer = |token: &str| scene.world.stranger().with_bearer(token);
    bearer(id_token).get("/oidc/userinfo").await.expect(401);
    bearer(id_token).get("/v1/bills").await.expect_refusal(401, "token_invalid");
    bearer(access).get("/v1/bills").await.expect_refusal(401, "token_invalid");
    let hinted = citizen.get(&scene.request(&[("id_token_hint", Some(access))])).await;
    assert_eq!(value(&told(&hinted.location()), "error"), "invalid_request");
    // Our own tokens prove no client.
    for token in [id_token, access] {
        refused(&scene.world, "not an assertion", token).await;
    }
}

#[tokio::test]
async fn a_name_in_a_header_fetches_and_runs_nothing() {
    let (world, portal) = strict().await;
    let claims = good(&world, &portal);
    let own = SigningKey::generate();
    let offered = own.verifying_key().jwk(portal.key.kid());
    for header in [
        json!({ "alg": "ES256", "kid": "../../etc/passwd" }),
        json!({ "alg": "ES256", "kid": "x' OR '1'='1" }),
        json!({ "alg": "ES256", "kid": portal.key.kid(), "jku": "https://evil.example/keys" }),
        json!({ "alg": "ES256", "kid": portal.key.kid(), "x5u": "http://169.254.169.254/" }),
        json!({ "alg": "ES256", "kid": portal.key.kid(), "jwk": offered }),
    ] {
        refused(&world, &header.to_string(), &signed(&own, &header, &claims)).await;
    }
    // The code of one portal is nothing to another, whatever is said about it.
    let _ = exchange_form("chc_x");
}

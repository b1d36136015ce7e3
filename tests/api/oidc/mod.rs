//! Citizens sign in at portals: the whole way over HTTP, and every misuse refused.

mod acting;
mod assertion;
mod attacks;
mod counter;
mod fapi2;
mod history;
mod keyed;
mod keys;
mod kyc;
mod locks;
mod logout;
mod mandates;
mod misuse;
mod my_page;
mod national_id;
mod plans;
mod relying_party;
mod request;
mod same_work;
mod silent;
mod sms;
mod stock;
mod successor;
mod tokens;
mod vouched;
mod way;

use crate::world::{Actor, Answer, TestApp};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::crypto::digest::sha256;
use chung::flow::register_client::{NewAgency, NewClient, Registered, register_agency, register_client};
use chung::identity::{
    assurance::Assurance,
    claims::{Claim, ClaimsPolicy, Ground, Rule},
    client::Wording,
    profile::Terms,
    token::ApiScopes,
};
use serde_json::Value;
use url::Url;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "https://portal.example/callback";
const HOA: &str = "079185000456";
const HOA_PHONE: &str = "+84912345218";
const LOCKED: &str = "079085000457";
const NOBODY: &str = "079085000999";

/// A world with two citizens (one locked) and a portal with a secret.
struct Scene {
    world: TestApp,
    portal: Portal,
}

struct Portal {
    id: String,
    secret: String,
}

impl Scene {
    async fn set() -> Self {
        let world = TestApp::start().await;
        world
            .register(&[
                "079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
                "079085000457,,Trần Văn Khóa,1985,male,0912345219,79,locked,,1,",
            ])
            .await;
        let portal = portal(&world, "hcmc", Assurance::Low).await;
        Self { world, portal }
    }

    /// The address to which the portal sends a citizen, with some parameters changed.
    fn request(&self, changes: &[(&str, Option<&str>)]) -> String {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
        let mut pairs = vec![
            ("client_id", self.portal.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", "openid profile phone personal_number"),
            ("state", "s-1"),
            ("nonce", "n-1"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        for (name, value) in changes {
            pairs.retain(|(n, _)| n != name);
            pairs.extend(value.map(|value| (*name, value)));
        }
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/oidc/authorize?{query}")
    }

    /// Walks a browser to the consent page.
    async fn to_consent(&self, citizen: &Actor) -> Answer {
        let page = follow(citizen, &self.request(&[])).await;
        let code_page = self.number(citizen, &page, HOA).await;
        let text = self.world.last_text(HOA_PHONE).await.unwrap();
        self.code(citizen, &code_page, &text[..6]).await
    }

    /// Types a number on the page that asks for it.
    async fn number(&self, citizen: &Actor, page: &Answer, number: &str) -> Answer {
        let form = [("form_token", page.form_field("form_token")), ("number", number.to_owned())];
        submit(citizen, page, "", &form).await
    }

    /// Types a code on the page that asks for it.
    async fn code(&self, citizen: &Actor, page: &Answer, code: &str) -> Answer {
        let form = [("form_token", page.form_field("form_token")), ("code", code.to_owned())];
        submit(citizen, page, "/code", &form).await
    }

    /// Answers the consent page, and gives back what the portal is told.
    async fn consent(
        &self,
        citizen: &Actor,
        page: &Answer,
        answer: &str,
        claims: &[&str],
    ) -> Vec<(String, String)> {
        let token = page.form_field("form_token");
        let mut form = vec![("form_token", token.as_str()), ("answer", answer)];
        form.extend(claims.iter().map(|claim| ("claim", *claim)));
        let action = action(page, "/consent/");
        told(&citizen.post_form(&action, &form).await.expect(303).location())
    }

    /// Signs the citizen in and gives back the code.
    async fn signed_in(&self, citizen: &Actor) -> String {
        let page = self.to_consent(citizen).await;
        value(&self.consent(citizen, &page, "allow", &["phone_number"]).await, "code")
    }

    /// The portal exchanges a code.
    async fn exchange(&self, code: &str, changes: &[(&str, &str)]) -> Answer {
        self.portal.redeem(&self.world, code, changes).await
    }
}

impl Portal {
    /// Exchanges a code.
    async fn redeem(&self, world: &TestApp, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in changes {
            form.retain(|(n, _)| n != name);
            form.push((name, value));
        }
        self.token(world, &form).await
    }
}

impl Portal {
    async fn token(&self, world: &TestApp, form: &[(&str, &str)]) -> Answer {
        let program = world.stranger();
        let request = program.request(reqwest::Method::POST, "/oidc/token");
        program.send(request.basic_auth(&self.id, Some(&self.secret)).form(form)).await
    }
}

/// A portal of an agency of its own.
async fn portal(world: &TestApp, sector: &str, acr_min: Assurance) -> Portal {
    portal_at(world, sector, acr_min, CALLBACK, "https://portal.example/bye").await
}

async fn portal_at(world: &TestApp, sector: &str, acr_min: Assurance, callback: &str, bye: &str) -> Portal {
    let registered = registered(world, sector, acr_min, [callback, bye], None).await;
    Portal { id: registered.client.to_string(), secret: registered.secret.unwrap().expose().to_owned() }
}

/// A portal with a secret, or with these keys.
async fn registered(
    world: &TestApp,
    sector: &str,
    acr_min: Assurance,
    [callback, bye]: [&str; 2],
    jwks: Option<String>,
) -> Registered {
    let new = new_portal(world, sector, acr_min, [callback, bye], jwks, Terms::basic()).await;
    register_client(&world.app, &new).await.unwrap()
}

/// A portal on these terms.
async fn registered_with(world: &TestApp, sector: &str, jwks: Option<String>, terms: Terms) -> Registered {
    let uris = [CALLBACK, "https://portal.example/bye"];
    let new = new_portal(world, sector, Assurance::Low, uris, jwks, terms).await;
    register_client(&world.app, &new).await.unwrap()
}

/// A portal to register, of an agency of its own.
async fn new_portal(
    world: &TestApp,
    sector: &str,
    acr_min: Assurance,
    [callback, bye]: [&str; 2],
    jwks: Option<String>,
    terms: Terms,
) -> NewClient {
    let wording = |vi: &str, en: &str| Wording { vi: vi.parse_line(), en: en.parse_line() };
    let agency = NewAgency {
        code: format!("H29.{sector}"),
        name: wording("Sở Tư pháp", "Department of Justice"),
        tax_code: None,
        address_vi: None,
    };
    let agency = register_agency(&world.app, &agency).await.unwrap();
    let law = || Ground::Law("Nghị định 118/2025/NĐ-CP".parse_line());
    let rules = vec![
        Rule { claim: Claim::Name, ground: law() },
        Rule { claim: Claim::PersonalNumber, ground: law() },
        Rule { claim: Claim::PhoneNumber, ground: Ground::Consent },
    ];
    NewClient {
        agency,
        name: wording("Cổng dịch vụ công Thành phố", "City service portal"),
        purpose: wording("nộp hồ sơ", "file a dossier"),
        jwks,
        redirect_uris: vec![callback.parse().unwrap()],
        post_logout_redirect_uris: vec![bye.parse().unwrap()],
        acr_min,
        sector: sector.parse().unwrap(),
        policy: ClaimsPolicy::new(rules).unwrap(),
        scopes: ApiScopes::parse("bill receipt.read").unwrap(),
        terms,
        until: None,
    }
}

trait ParseLine {
    fn parse_line<const MAX: usize>(&self) -> chung::base::text::Line<MAX>;
}

impl ParseLine for str {
    fn parse_line<const MAX: usize>(&self) -> chung::base::text::Line<MAX> {
        chung::base::text::Line::parse(self).unwrap()
    }
}

/// Opens an address and goes where it leads, as long as that is on the service.
async fn follow(browser: &Actor, path: &str) -> Answer {
    let mut answer = browser.get(path).await;
    while answer.status == 303 && answer.location().starts_with('/') {
        answer = browser.get(&answer.location()).await;
    }
    answer
}

/// Sends the form of a page whose address ends like this, and goes where it leads.
async fn submit(browser: &Actor, page: &Answer, ending: &str, form: &[(&str, String)]) -> Answer {
    let action = format!("{}{ending}", sign_in_of(page));
    let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let answer = browser.post_form(&action, &form).await;
    if answer.status == 303 { follow(browser, &answer.location()).await } else { answer }
}

/// `/sign-in/authz_…` of a page of that sign-in.
fn sign_in_of(page: &Answer) -> String {
    let text = page.text();
    let at = text.find("/sign-in/authz_").unwrap_or_else(|| panic!("no sign-in in {text}"));
    text[at..at + "/sign-in/authz_".len() + 32].to_owned()
}

fn action(page: &Answer, start: &str) -> String {
    let text = page.text();
    let at = text.find(&format!("action=\"{start}")).unwrap_or_else(|| panic!("no {start} in {text}"));
    text[at + 8..].split('"').next().unwrap().to_owned()
}

/// The parameters of an answer to the portal.
fn told(location: &str) -> Vec<(String, String)> {
    assert!(location.starts_with(CALLBACK), "{location}");
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

fn value(pairs: &[(String, String)], name: &str) -> String {
    let found = pairs.iter().find(|(n, _)| n == name);
    found.unwrap_or_else(|| panic!("no {name} in {pairs:?}")).1.clone()
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

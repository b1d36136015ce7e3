//! Sign-ins at a counter from the officer's page: approved on the phone, or on paper by whoever has none or whose phone
//! is not asked any more.

use super::desk::{card, hoas, read_card, set};
use super::*;
use crate::office::Office;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chung::base::id::{Agency, Id};
use chung::base::text::Line;
use chung::flow::register_client::{NewClient, register_client};
use chung::identity::{
    assurance::Assurance,
    claims::{Claim, ClaimsPolicy, Ground, Rule},
    client::Wording,
    profile::Terms,
    token::ApiScopes,
};
use serde_json::Value;

/// Somebody without a telephone.
const ONG: Person = Person { number: "079050000470", phone: "" };
const NOBODY: &str = "079085000999";

/// A system of an agency that may start sign-ins at its counter.
struct Counter {
    id: String,
    secret: String,
}

async fn counter(world: &TestApp, agency: Id<Agency>, sector: &str) -> Counter {
    world.register(&["079050000470,,Trương Văn Ông,1950-02-03,male,,79,active,,1,"]).await;
    let wording = |vi: &str, en: &str| Wording { vi: Line::parse(vi).unwrap(), en: Line::parse(en).unwrap() };
    let law = || Ground::Law(Line::parse("Nghị định 118/2025/NĐ-CP").unwrap());
    let rules = vec![
        Rule { claim: Claim::Name, ground: law() },
        Rule { claim: Claim::PersonalNumber, ground: law() },
        Rule { claim: Claim::Address, ground: Ground::Consent },
    ];
    let new = NewClient {
        agency,
        name: wording("Hệ thống một cửa", "Counter system"),
        purpose: wording("nộp hồ sơ", "file a dossier"),
        jwks: None,
        redirect_uris: vec![],
        post_logout_redirect_uris: vec![],
        acr_min: Assurance::Low,
        sector: sector.parse().unwrap(),
        policy: ClaimsPolicy::new(rules).unwrap(),
        scopes: ApiScopes::default(),
        terms: Terms { counter: true, offline: true, ..Terms::basic() },
        until: None,
    };
    let registered = register_client(&world.app, &new).await.unwrap();
    Counter { id: registered.client.to_string(), secret: registered.secret.unwrap().expose().to_owned() }
}

impl Counter {
    async fn post(&self, world: &TestApp, path: &str, form: &[(&str, &str)]) -> Answer {
        let program = world.stranger();
        let request = program.request(reqwest::Method::POST, path);
        program.send(request.basic_auth(&self.id, Some(&self.secret)).form(form)).await
    }

    async fn start(&self, world: &TestApp, number: &str) -> Answer {
        let form = [
            ("scope", "openid profile personal_number address offline_access"),
            ("login_hint", number),
            ("binding_message", "Quầy 3, hồ sơ 0001"),
        ];
        self.post(world, "/oidc/ciba", &form).await
    }

    /// Asks by name, after the pause that it owes.
    async fn poll(&self, world: &TestApp, name: &str) -> Answer {
        world.later(Duration::from_secs(5));
        let form = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", name)];
        self.post(world, "/oidc/token", &form).await
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn error(answer: &Answer) -> String {
    text(&answer.json(), "error")
}

fn claims(token: &str) -> Value {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn ongs() -> String {
    card(ONG, "Trương Văn Ông", "03/02/1950", "Nam")
}

/// The officer starts a sign-in on the page.
async fn start_on_page(officer: &Actor, portal: &str, number: &str, message: &str) -> Answer {
    let page = officer.get("/desk/sign-ins").await.expect(200);
    let token = page.form_field("form_token");
    let form = [("form_token", &*token), ("portal", portal), ("number", number), ("message", message)];
    officer.post_form("/desk/sign-ins", &form).await
}

#[tokio::test]
async fn an_officer_starts_on_a_page_and_watches_the_citizen_approve() {
    let (world, office, officer) = set().await;
    let system = counter(&world, office.agency, "justice").await;
    let hoa = signed_in(&world, HOA).await;
    let begun = start_on_page(&officer, &system.id, HOA.number, "Quầy 3, hồ sơ 0001").await.expect(200);
    let told = world.last_text(HOA.phone).await.unwrap();
    assert!(told.contains("Quay 3, ho so 0001") && told.contains("Hoa N.T."), "{told}");
    let name = format!("chq_{}", between(&begun.text(), "chq_", "<"));
    assert!(begun.text().contains("đang chờ") && !begun.text().contains("Nguyễn Thị Hòa"));
    // A number of nobody looks the same.
    let nobodys = start_on_page(&officer, &system.id, NOBODY, "Quầy 3, hồ sơ 0002").await.expect(200);
    assert!(nobodys.text().contains("Đã gửi.") && nobodys.text().contains("hồ sơ 0002"));
    assert_eq!(error(&system.poll(&world, &name).await.expect(400)), "authorization_pending");
    // What cannot be is said at its field; the name is shown once, to nobody else, and no officer of elsewhere starts.
    start_on_page(&officer, &system.id, "Hòa", "Quầy 3").await.expect(422);
    start_on_page(&officer, &system.id, HOA.number, "").await.expect(422);
    assert!(!officer.get("/desk/sign-ins").await.expect(200).text().contains("chq_"));
    hoa.get("/desk/sign-ins").await.expect(403);
    let elsewhere = Office::open(&world, "H29.15").await;
    let foreign = counter(&world, elsewhere.agency, "land").await;
    start_on_page(&officer, &foreign.id, HOA.number, "Quầy 3").await.expect(404);
    let forged =
        [("form_token", "0"), ("portal", &*system.id), ("number", HOA.number), ("message", "Quầy 3")];
    officer.post_form("/desk/sign-ins", &forged).await.expect(400);
    // The citizen looks and agrees; the officer sees it, and the portal fetches what the law lets it have.
    let page = hoa.get("/approve").await.expect(200);
    let consent = send(&hoa, &page, "/approve/", &[]).await.expect(200);
    assert!(!consent.text().contains("value=\"address\""), "nothing is asked beyond the law");
    send(&hoa, &consent, "/consent/", &[("answer", "allow")]).await.expect(200);
    assert!(officer.get("/desk/sign-ins").await.expect(200).text().contains("đã đồng ý"));
    let tokens = system.poll(&world, &name).await.expect(200).json();
    assert_eq!(claims(&text(&tokens, "id_token"))["acr"], "urn:chung:acr:low");
    assert!(officer.get("/desk/sign-ins").await.expect(200).text().contains("cổng đã nhận kết quả"));
    world.later(Duration::from_secs(600));
    assert!(officer.get("/desk/sign-ins").await.expect(200).text().contains("hết hạn"));
    // Who serves no more starts nothing and sees nothing.
    world.sql("update role_grant set revoked_at = now()").await.unwrap();
    officer.get("/desk/sign-ins").await.expect(403);
}

#[tokio::test]
async fn whoever_has_no_phone_answers_a_request_on_a_signed_sheet() {
    let (world, office, officer) = set().await;
    let system = counter(&world, office.agency, "justice").await;
    let started = system.start(&world, ONG.number).await.expect(200).json();
    assert_eq!(started["phone"], "asked", "who has no phone is not told from anybody else");
    let name = text(&started, "auth_req_id");
    assert_eq!(error(&system.poll(&world, &name).await.expect(400)), "authorization_pending");
    let page = read_card(&officer, &office, &ongs()).await.expect(200);
    assert!(page.text().contains("Quầy 3, hồ sơ 0001"), "{}", page.text());
    let request = page.form_field("request");
    // Only whom the system named, with their card. The newest reading stands first.
    world.later(Duration::from_secs(1));
    let hers = read_card(&officer, &office, &hoas()).await.expect(200);
    assert!(!hers.text().contains("Quầy 3, hồ sơ 0001"));
    send(&officer, &hers, "/sheet", &[("request", &request)]).await.expect(422);
    let path = action(&hers, "/sheet").replace("/sheet", "/request");
    let token = hers.form_field("form_token");
    officer.post_form(&path, &[("form_token", &token), ("request", &request)]).await.expect(404);
    // The paper says all that the consent page would, with nothing ticked.
    let sheet = send(&officer, &page, "/request", &[("request", &request)]).await.expect(200);
    for shown in
        ["Trương Văn Ông", "Hệ thống một cửa", "nộp hồ sơ", "Quầy 3, hồ sơ 0001", "Nghị định 118/2025"]
    {
        assert!(sheet.text().contains(shown), "{shown} in {}", sheet.text());
    }
    assert!(sheet.text().contains("☐") && !sheet.text().contains("checked"));
    assert_eq!(error(&system.poll(&world, &name).await.expect(400)), "authorization_pending");
    let not_offered = [("answer", "signed"), ("claim", "phone_number")];
    send(&officer, &sheet, "/desk/sheets/", &not_offered).await.expect(400);
    assert_eq!(world.count("sheet where state = 'printed'").await, 1, "a refusal writes nothing");
    let ticked = [("answer", "signed"), ("claim", "address")];
    let signed = send(&officer, &sheet, "/desk/sheets/", &ticked).await.expect(200);
    assert!(signed.text().contains("đã ký"));
    let tokens = system.poll(&world, &name).await.expect(200).json();
    let said = claims(&text(&tokens, "id_token"));
    assert_eq!(said["acr"], "urn:chung:acr:in_person");
    assert_eq!(said["amr"], serde_json::json!(["urn:chung:amr:chip_card", "urn:chung:amr:officer"]));
    let portal = world.stranger().with_bearer(text(&tokens, "access_token"));
    let told = portal.get("/oidc/userinfo").await.expect(200).json();
    assert!(told["personal_number"] == ONG.number && told["address"].is_object(), "{told}");
    assert_eq!(error(&system.poll(&world, &name).await.expect(400)), "invalid_grant", "once");
    // It stands in the history, with the number of the paper; the citizen is told without an SMS.
    assert_eq!(world.count("audit_leaf where kind in ('sheet.signed', 'consent.given')").await, 2);
    assert_eq!(world.count("notice where what = 'signed_in' and phone_hash is null").await, 2);
    assert_eq!(world.count("session where method = 'chip_card'").await, 1);
}

#[tokio::test]
async fn a_sheet_answers_nothing_when_it_is_not_signed_late_or_locked() {
    let (world, office, officer) = set().await;
    let system = counter(&world, office.agency, "justice").await;
    let printed = async || {
        let name = text(&system.start(&world, ONG.number).await.expect(200).json(), "auth_req_id");
        let page = read_card(&officer, &office, &ongs()).await.expect(200);
        let request = page.form_field("request");
        (name, send(&officer, &page, "/request", &[("request", &request)]).await.expect(200))
    };
    let (name, sheet) = printed().await;
    send(&officer, &sheet, "/desk/sheets/", &[("answer", "void")]).await.expect(200);
    assert_eq!(error(&system.poll(&world, &name).await.expect(400)), "authorization_pending");
    world.later(Duration::from_secs(600));
    let (name, sheet) = printed().await;
    world.later(Duration::from_secs(600));
    let late = send(&officer, &sheet, "/desk/sheets/", &[("answer", "signed")]).await.expect(409);
    assert!(late.text().contains("đã hết hạn"), "{}", late.text());
    assert_eq!(error(&system.poll(&world, &name).await.expect(400)), "expired_token");
    // A lock is asked about when the paper is signed, not when it was printed.
    let (name, sheet) = printed().await;
    world.later(Duration::from_secs(1));
    let page = read_card(&officer, &office, &ongs()).await.expect(200);
    send(&officer, &page, "/lock", &[]).await.expect(200);
    send(&officer, &sheet, "/desk/sheets/", &[("answer", "signed")]).await.expect(409);
    assert_eq!(error(&system.poll(&world, &name).await.expect(400)), "authorization_pending");
    assert_eq!(world.count("session where method = 'chip_card'").await, 0);
}

#[tokio::test]
async fn past_the_limit_of_a_number_no_phone_is_asked_and_paper_still_serves() {
    let (world, office, officer) = set().await;
    let system = counter(&world, office.agency, "justice").await;
    let hoa = signed_in(&world, HOA).await;
    for number in [HOA.number, NOBODY] {
        for place in 1..=6 {
            let started = system.start(&world, number).await.expect(200).json();
            let asked = if place <= 5 { "asked" } else { "not_asked" };
            assert_eq!(started["phone"], asked, "known or not: {number} {place}");
        }
    }
    let sent =
        "(select sum(segments) as sent from sms_count where kind = 'counter.started') t where sent = 5";
    assert_eq!(world.count(sent).await, 1, "no sixth message goes out");
    let waiting = hoa.get("/approve").await.expect(200);
    assert_eq!(
        waiting.text().matches("Quầy 3, hồ sơ 0001").count(),
        5,
        "what asks no phone is not shown there"
    );
    // Her codes are not used up, and the page of the officer says what to do.
    world.last_text(HOA.phone).await;
    let inside = by_sms(&world, &world.stranger(), HOA).await;
    assert!(inside.text().contains("Nguyễn Thị Hòa"));
    let begun = start_on_page(&officer, &system.id, HOA.number, "Quầy 4, hồ sơ 0009").await.expect(200);
    assert!(begun.text().contains("Đọc thẻ của công dân rồi in phiếu"), "{}", begun.text());
    let name = format!("chq_{}", between(&begun.text(), "chq_", "<"));
    let page = read_card(&officer, &office, &hoas()).await.expect(200);
    let at = page.text().find("Quầy 4, hồ sơ 0009").unwrap();
    let request = between(&page.text()[at..], "name=\"request\" value=\"", "\"").to_owned();
    let sheet = send(&officer, &page, "/request", &[("request", &request)]).await.expect(200);
    send(&officer, &sheet, "/desk/sheets/", &[("answer", "signed")]).await.expect(200);
    system.poll(&world, &name).await.expect(200);
    // The next hour asks again; a portal that starts without end is refused whole.
    world.later(Duration::from_secs(3600));
    assert_eq!(system.start(&world, HOA.number).await.expect(200).json()["phone"], "asked");
    for rule in ["push_portal", "push_address"] {
        world.sql(&format!("update code_counter set count = 10000 where counter = '{rule}'")).await.unwrap();
        let refused = system.start(&world, ONG.number).await.expect(400);
        assert_eq!(error(&refused), "access_denied");
        world.sql(&format!("update code_counter set count = 1 where counter = '{rule}'")).await.unwrap();
    }
    let capped = "insert into sms_cap select agency_id, 0, now() from client where counter limit 1";
    world.sql(capped).await.unwrap();
    assert_eq!(system.start(&world, ONG.number).await.expect(200).json()["phone"], "not_asked");
}

#[tokio::test]
async fn a_recovery_ends_every_session_and_all_that_portals_got() {
    let (world, office, officer) = set().await;
    let system = counter(&world, office.agency, "justice").await;
    let hoa = signed_in(&world, HOA).await;
    let name = text(&system.start(&world, HOA.number).await.expect(200).json(), "auth_req_id");
    let page = hoa.get("/approve").await.expect(200);
    let consent = send(&hoa, &page, "/approve/", &[]).await.expect(200);
    send(&hoa, &consent, "/consent/", &[("answer", "allow")]).await.expect(200);
    let tokens = system.poll(&world, &name).await.expect(200).json();
    let portal = world.stranger().with_bearer(text(&tokens, "access_token"));
    portal.get("/oidc/userinfo").await.expect(200);
    let page = read_card(&officer, &office, &hoas()).await.expect(200);
    send(&officer, &page, "/recover", &[("phone", "0912999888")]).await.expect(200);
    portal.get("/oidc/userinfo").await.expect(401);
    let refresh = text(&tokens, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    assert_eq!(error(&system.post(&world, "/oidc/token", &form).await.expect(400)), "invalid_grant");
    hoa.get("/me").await.expect(303);
    assert_eq!(world.count("\"authorization\" where cause = 'recovered'").await, 1);
}

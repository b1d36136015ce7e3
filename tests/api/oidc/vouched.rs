//! The highest level in a browser: an officer reads the card, sees the person, and vouches for the sign-in.

use super::*;
use crate::board;
use crate::identity::cards::{grant, holder};
use crate::office::Office;
use chung::identity::role::Role;
use chung::sandbox::card::issue;
use std::time::Duration;

const OFFICER: (&str, &str) = ("079085000458", "+84912345220");
const IN_PERSON: &str = "urn:chung:acr:in_person";

/// A portal, and a counter of another agency with an officer.
struct Counter {
    scene: Scene,
    office: Office,
    officer: Actor,
}

impl Counter {
    async fn set() -> Self {
        let scene = Scene::set().await;
        scene.world.register(&["079085000458,,Lê Văn Cường,1985-05-01,male,0912345220,79,active,,2,"]).await;
        let office = Office::open(&scene.world, "H29.14").await;
        grant(&scene.world, OFFICER.0, Role::Officer).await;
        let officer = board::signed_in(&scene.world, OFFICER, "/desk/card-checks").await;
        Self { scene, office, officer }
    }

    /// The officer reads a card, and follows to what may be done for its holder.
    async fn read_card(&self, card: &str) -> String {
        let page = self.officer.get("/desk/card-checks").await.expect(200);
        let (token, agency) = (page.form_field("form_token"), self.office.agency.to_string());
        let form = [("form_token", &*token), ("agency", &*agency), ("number", ""), ("card", card)];
        self.officer.post_form("/desk/card-checks", &form).await.expect(303);
        let text = self.officer.get("/desk/card-checks").await.expect(200).text();
        let at = text.find("/desk/citizens/").expect("a card that passed");
        text[at..].split('"').next().unwrap().to_owned()
    }

    async fn hoas_card(&self) -> String {
        let card = issue(&holder(HOA, "Nguyễn Thị Hòa", "15/03/1985", "Nữ")).unwrap().text();
        self.read_card(&card).await
    }

    /// The officer types a code, looking only or being sure.
    async fn type_code(&self, citizen: &str, code: &str, sure: bool) -> Answer {
        let page = self.officer.get("/desk/card-checks").await.expect(200);
        let token = page.form_field("form_token");
        let mut form = vec![("form_token", &*token), ("code", code)];
        form.extend(sure.then_some(("sure", "true")));
        self.officer.post_form(&format!("{citizen}/sign-in"), &form).await
    }

    /// A browser at the page that asks for an officer.
    async fn asked(&self, browser: &Actor) -> Answer {
        let page = follow(browser, &self.scene.request(&[("acr_values", Some(IN_PERSON))])).await.expect(200);
        assert!(page.text().contains("Tại quầy, bằng thẻ căn cước"), "{}", page.text());
        assert!(!page.text().contains("name=\"number\""), "no weaker way: {}", page.text());
        page
    }
}

/// Presses a button of the citizen's page.
async fn press(browser: &Actor, page: &Answer, ending: &str) -> Answer {
    let token = page.form_field("form_token");
    browser.post_form(&format!("{}{ending}", sign_in_of(page)), &[("form_token", &*token)]).await
}

fn code(page: &Answer) -> String {
    let text = page.text();
    let at = text.find("<dd class=\"code\">").expect("a code") + "<dd class=\"code\">".len();
    text[at..].split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_officer_with_the_card_raises_a_browser_to_the_highest_level_for_an_hour() {
    let counter = Counter::set().await;
    let (scene, browser) = (&counter.scene, counter.scene.world.stranger());
    let known = scene.world.stranger().get("/.well-known/openid-configuration").await.expect(200).json();
    assert!(known["acr_values_supported"].as_array().unwrap().contains(&IN_PERSON.into()));
    let page = counter.asked(&browser).await;
    let first = press(&browser, &page, "/counter").await.expect(200);
    let early = press(&browser, &first, "/counter/go-on").await.expect(409);
    let (old, new) = (code(&first), code(&early));
    assert_ne!(old, new);
    let citizen = counter.hoas_card().await;
    counter.type_code(&citizen, &old, false).await.expect(422);
    let shown = counter.type_code(&citizen, &new.to_lowercase(), false).await.expect(200).text();
    for said in ["Cổng dịch vụ công Thành phố", "Nguyễn Thị Hòa"] {
        assert!(shown.contains(said), "{said} in {shown}");
    }
    assert_eq!(scene.world.count("card_check where used_at is not null").await, 0, "looking uses nothing up");
    counter.type_code(&citizen, &new, true).await.expect(200);
    assert_eq!(scene.world.count("card_check where used_for = 'sign_in'").await, 1);
    counter.type_code(&citizen, &new, true).await.expect(404);
    let on = press(&browser, &early, "/counter/go-on").await.expect(303);
    let consent = follow(&browser, &on.location()).await.expect(200);
    let told = scene.consent(&browser, &consent, "allow", &[]).await;
    let tokens = scene.exchange(&value(&told, "code"), &[]).await.expect(200).json();
    let said = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(said["acr"], IN_PERSON);
    assert_eq!(said["amr"], serde_json::json!(["urn:chung:amr:chip_card", "urn:chung:amr:officer"]));
    let history = browser.get("/me").await.expect(200).text();
    assert!(history.contains("Cán bộ xác nhận lần đăng nhập của ông/bà tại quầy"), "{history}");

    // The session answers for an hour, and then for the lowest level only.
    scene.world.later(Duration::from_secs(59 * 60));
    let again = follow(&browser, &scene.request(&[("acr_values", Some(IN_PERSON))])).await.expect(200);
    assert!(again.text().contains("/consent/"), "{}", again.text());
    scene.world.later(Duration::from_secs(60));
    counter.asked(&browser).await;
    let low = follow(&browser, &scene.request(&[])).await.expect(200);
    assert!(low.text().contains("/consent/"), "{}", low.text());
}

#[tokio::test]
async fn a_session_by_sms_is_raised_for_a_page_and_replaced() {
    let counter = Counter::set().await;
    let world = &counter.scene.world;
    let browser = board::signed_in(world, (HOA, HOA_PHONE), "/me").await;
    let page =
        follow(&browser, "/sign-in?return_to=/me/locks&least=urn:chung:acr:in_person").await.expect(200);
    let shown = press(&browser, &page, "/counter").await.expect(200);
    let citizen = counter.hoas_card().await;
    let preview = counter.type_code(&citizen, &code(&shown), false).await.expect(200);
    assert!(preview.text().contains("Trang của Chung"), "{}", preview.text());
    counter.type_code(&citizen, &code(&shown), true).await.expect(200);
    let on = press(&browser, &shown, "/counter/go-on").await.expect(303);
    let page = follow(&browser, &on.location()).await.expect(200);
    assert!(page.text().contains("Đang đăng nhập: Nguyễn Thị Hòa"), "{}", page.text());
    let raised =
        "session where method = 'chip_card' and reached = 'urn:chung:acr:in_person' and ended_at is null";
    assert_eq!(world.count(raised).await, 1);
    assert_eq!(world.count("session where replaced_by is not null and ended_at is not null").await, 1);
    press(&browser, &shown, "/counter/go-on").await.expect(303);
    assert_eq!(world.count(raised).await, 1, "once");
}

#[tokio::test]
async fn a_code_alone_a_card_alone_or_another_browser_gets_nowhere() {
    let counter = Counter::set().await;
    let world = &counter.scene.world;
    let browser = world.stranger();
    let page = counter.asked(&browser).await;
    let shown = press(&browser, &page, "/counter").await.expect(200);
    let path = sign_in_of(&shown);
    let forged = [("form_token", "0")];
    browser.post_form(&format!("{path}/counter/go-on"), &forged).await.expect(410);
    let token = shown.form_field("form_token");
    world
        .stranger()
        .post_form(&format!("{path}/counter/go-on"), &[("form_token", &*token)])
        .await
        .expect(410);
    let citizen = counter.hoas_card().await;
    counter.type_code(&citizen, "nonsense", false).await.expect(422);
    counter.type_code(&citizen, "2222-2222", true).await.expect(422);
    counter.type_code("/desk/citizens/cardcheck_0", &code(&shown), true).await.expect(404);
    // Another officer cannot use this one's reading, and nobody vouches for themselves.
    let other = board::signed_in(world, (HOA, HOA_PHONE), "/me").await;
    let own = other.get("/me/locks").await.expect(200).form_field("form_token");
    let form = [("form_token", own.as_str()), ("code", &*code(&shown)), ("sure", "true")];
    other.post_form(&format!("{citizen}/sign-in"), &form).await.expect(404);
    world.later(Duration::from_secs(1));
    let card = issue(&holder(OFFICER.0, "Lê Văn Cường", "01/05/1985", "Nam")).unwrap().text();
    let self_served = counter.read_card(&card).await;
    counter.type_code(&self_served, &code(&shown), true).await.expect(403);
    assert_eq!(world.count("vouched_sign_in where vouched_at is not null").await, 0);
    // What was vouched for is worth nothing after its time.
    counter.type_code(&citizen, &code(&shown), true).await.expect(200);
    world.later(Duration::from_secs(601));
    press(&browser, &shown, "/counter/go-on").await.expect(409);
    assert_eq!(world.count("session where method = 'chip_card'").await, 0);
}

#[tokio::test]
async fn a_request_that_demands_it_is_approved_at_that_level() {
    let counter = Counter::set().await;
    let world = &counter.scene.world;
    let terms = Terms { counter: true, ..Terms::basic() };
    let registered = registered_with(world, "counter", None, terms).await;
    let secret = registered.secret.unwrap().expose().to_owned();
    let portal = Portal { id: registered.client.to_string(), secret };
    let citizen = board::signed_in(world, (HOA, HOA_PHONE), "/approve").await;
    let form = [
        ("scope", "openid profile"),
        ("login_hint", HOA),
        ("binding_message", "Quầy 3, hồ sơ 0001"),
        ("acr_values", IN_PERSON),
    ];
    let program = world.stranger();
    let request = program.request(reqwest::Method::POST, "/oidc/ciba");
    let started = program
        .send(request.basic_auth(&portal.id, Some(&portal.secret)).form(&form))
        .await
        .expect(200)
        .json();
    let page = citizen.get("/approve").await.expect(200);
    let token = page.form_field("form_token");
    let opened = citizen.post_form(&action(&page, "/approve/"), &[("form_token", &*token)]).await.expect(303);
    let page = follow(&citizen, &opened.location()).await.expect(200);
    assert!(!page.text().contains("/consent/"), "a code by SMS is not enough: {}", page.text());
    let shown = press(&citizen, &page, "/counter").await.expect(200);
    let hoa = counter.hoas_card().await;
    counter.type_code(&hoa, &code(&shown), true).await.expect(200);
    let on = press(&citizen, &shown, "/counter/go-on").await.expect(303);
    let page = follow(&citizen, &on.location()).await.expect(200);
    let token = page.form_field("form_token");
    let answer = [("form_token", token.as_str()), ("answer", "allow")];
    citizen.post_form(&action(&page, "/consent/"), &answer).await.expect(303);
    let poll = [
        ("grant_type", "urn:openid:params:grant-type:ciba"),
        ("auth_req_id", started["auth_req_id"].as_str().unwrap()),
    ];
    let tokens = portal.token(world, &poll).await.expect(200).json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["acr"], IN_PERSON);
}

//! Acting for somebody: mandates given, accepted, used and ended; kinship; and what each side sees of it.

use super::*;
use crate::office::Office;
use crate::world::GATEWAY_TOKEN;
use chung::base::id::Agency;
use chung::codec::gsm7::segments;
use chung::flow::delegation_rules::{SAMPLE, import_rules};
use chung::flow::roles::{Granting, grant_role};
use chung::identity::role::Role;
use serde_json::json;

pub(super) const FATHER: &str = "079060000111";
pub(super) const FATHER_NAME: &str = "Nguyễn Văn Cha";
pub(super) const SON: &str = "079088000222";
pub(super) const SON_NAME: &str = "Nguyễn Văn Con";
pub(super) const CLERK: &str = "079091000333";
pub(super) const CHILD: &str = "079320000444";
pub(super) const FATHER_PHONE: &str = "+84912345300";
pub(super) const SON_PHONE: &str = "+84912345301";

/// A family, a clerk of a post office, and an office whose system records mandates.
pub(super) async fn family() -> (Scene, Office) {
    let scene = Scene::set().await;
    scene
        .world
        .register_under(
            "number,old_number,name,birth_date,sex,phone,province,status,died_on,account_level,standings,parents",
            &[
                "079060000111,,Nguyễn Văn Cha,1960-05-01,male,0912345300,79,active,,2,,",
                "079088000222,,Nguyễn Văn Con,1988-05-01,male,0912345301,79,active,,2,,079060000111",
                "079091000333,,Lê Văn Bưu,1991,male,0912345302,79,active,,2,,",
                "079320000444,,Trần Thị Bé,2020-05-01,female,,79,active,,,,079185000456 079060000111",
            ],
        )
        .await;
    import_rules(&scene.world.app, SAMPLE).await.unwrap();
    let office = Office::open(&scene.world, "H29.77").await;
    grant(&scene, CLERK, "H29.77").await;
    (scene, office)
}

async fn grant(scene: &Scene, number: &str, agency: &str) {
    let granting = Granting {
        number: number.parse().unwrap(),
        role: Role::Officer,
        agency_code: agency.to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&scene.world.app, &granting).await.unwrap();
}

pub(super) fn paper(delegate: &Value) -> Value {
    json!({
        "principal": { "number": FATHER, "name": FATHER_NAME },
        "delegate": delegate,
        "acts": ["apply", "receive"],
        "procedures": ["2.000488", "2.000635"],
        "valid_to": "2026-12-31",
        "paper": { "certifier": "UBND phường Bến Nghé", "number": "123/2026", "certified_on": "2026-11-20" },
        "officer": CLERK,
    })
}

pub(super) fn to_son() -> Value {
    json!({ "person": { "number": SON, "name": SON_NAME } })
}

/// Signs somebody in at the portal and leaves them where the sign-in stands then.
pub(super) async fn sign_in(scene: &Scene, number: &str, phone: &str) -> (Actor, Answer) {
    let browser = scene.world.stranger();
    let page = follow(&browser, &scene.request(&[])).await;
    let code_page = scene.number(&browser, &page, number).await;
    let text = scene.world.last_text(phone).await.unwrap();
    let page = scene.code(&browser, &code_page, &text[..6]).await;
    (browser, page)
}

/// The same, and for themselves where they are asked for whom.
pub(super) async fn for_oneself(scene: &Scene, number: &str, phone: &str) -> (Actor, Answer) {
    let (browser, page) = sign_in(scene, number, phone).await;
    let page =
        if page.text().contains("name=\"whom\"") { choose(&browser, &page, "self", "").await } else { page };
    (browser, page)
}

/// Answers "for yourself or for …".
pub(super) async fn choose(browser: &Actor, page: &Answer, whom: &str, number: &str) -> Answer {
    let action = format!("{}/for", sign_in_of(page));
    let token = page.form_field("form_token");
    let form = [("form_token", token.as_str()), ("whom", whom), ("number", number)];
    let answer = browser.post_form(&action, &form).await;
    if answer.status == 303 { follow(browser, &answer.location()).await } else { answer }
}

pub(super) async fn record(scene: &Scene, office: &Office, key: &str, body: &Value) -> Answer {
    office.system(&scene.world, "mandate").post_once("/v1/mandates", key, body).await
}

/// The son accepts at his page.
pub(super) async fn accept(browser: &Actor, mandate: &str, answer: &str) -> Answer {
    let token = browser.get("/me/mandates").await.expect(200).form_field("form_token");
    browser.post_form(&format!("/me/mandates/{mandate}/{answer}"), &[("form_token", &token)]).await
}

#[tokio::test]
async fn a_son_acts_for_his_father_until_the_mandate_is_taken_back() {
    let (scene, office) = family().await;
    let given = record(&scene, &office, "give", &paper(&to_son())).await.expect(201).json();
    assert_eq!(given["status"], "offered");
    let mandate = given["id"].as_str().unwrap().to_owned();

    let (son, page) = sign_in(&scene, SON, SON_PHONE).await;
    assert!(page.text().contains("name=\"answer\""), "an unaccepted mandate asks nothing: {}", page.text());
    accept(&son, &mandate, "accept").await.expect(303);
    let (son, page) = sign_in(&scene, SON, SON_PHONE).await;
    assert!(page.text().contains("Cho chính ông/bà hay thay cho ai?"), "{}", page.text());
    choose(&son, &page, "number", HOA).await.expect(422);
    choose(&son, &page, "number", "079085000999").await.expect(422);
    let consent = choose(&son, &page, &mandate, "").await.expect(200);
    for shown in [FATHER_NAME, SON_NAME, "Thay cho"] {
        assert!(consent.text().contains(shown), "{shown} in {}", consent.text());
    }
    let code = value(&scene.consent(&son, &consent, "allow", &["phone_number"]).await, "code");
    let tokens = scene.exchange(&code, &[]).await.expect(200).json();
    let said = claims(tokens["id_token"].as_str().unwrap());
    let actor = &said["act"];
    assert!(actor["sub"].is_string() && actor["sub"] != said["sub"], "{said}");
    assert_eq!((&actor["right"], &actor["mandate"]), (&json!("mandate"), &json!(mandate)));
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    let told = portal.get("/oidc/userinfo").await.expect(200).json();
    assert_eq!((&told["sub"], &told["name"]), (&said["sub"], &json!(FATHER_NAME)));

    // The father signs in for himself under the same name, and sees every use.
    let (father, page) = for_oneself(&scene, FATHER, FATHER_PHONE).await;
    let code = value(&scene.consent(&father, &page, "allow", &[]).await, "code");
    let own = claims(scene.exchange(&code, &[]).await.expect(200).json()["id_token"].as_str().unwrap());
    assert_eq!(own["sub"], said["sub"]);
    assert!(own.get("act").is_none());
    let history = father.get("/me").await.expect(200).text();
    assert!(history.contains(SON_NAME) && history.contains("Nhân danh ông/bà"), "{history}");

    accept(&father, &mandate, "revoke").await.expect(303);
    portal.get("/oidc/userinfo").await.expect(401);
    accept(&son, &mandate, "accept").await.expect(409);
    let (_, page) = sign_in(&scene, SON, SON_PHONE).await;
    assert!(page.text().contains("name=\"answer\""), "nobody is left to act for");
    let read = office.system(&scene.world, "mandate.read").get(&format!("/v1/mandates/{mandate}")).await;
    assert_eq!(read.expect(200).json()["ended_by"], "revoked_by_principal");
}

#[tokio::test]
async fn whose_mandate_an_officer_records_is_told_and_locks_with_the_code() {
    let (scene, office) = family().await;
    record(&scene, &office, "paper", &paper(&to_son())).await.expect(201);
    let text = scene.world.last_text(FATHER_PHONE).await.unwrap();
    assert!(text.starts_with("Cha N.V.: can bo vua ghi nhan ong/ba uy quyen cho nguoi khac"), "{text}");
    assert_eq!(segments(&text), Some(1), "{text}");
    // The same key again tells nobody again; what is taken at the counter is told as well.
    record(&scene, &office, "paper", &paper(&to_son())).await.expect(201);
    assert_eq!(scene.world.count("notice where what = 'mandate_recorded'").await, 1);
    let mut counter = paper(&json!({ "agency": "H29.77" }));
    counter.as_object_mut().unwrap().remove("paper");
    passed_card(&scene, FATHER, CLERK, office.agency).await;
    record(&scene, &office, "card", &counter).await.expect(201);
    assert_eq!(scene.world.count("notice where what = 'mandate_recorded'").await, 2);

    let code = text.split("KHOA ").nth(1).unwrap().split(' ').next().unwrap();
    let gateway = scene.world.stranger().with_bearer(GATEWAY_TOKEN);
    let answer = json!({ "from": FATHER_PHONE, "text": format!("KHOA {code}") });
    gateway.post_json("/messenger/inbox", &answer).await.expect(204);
    let locked = "citizen_lock where scope = 'everything' and set_by = 'report' and lifted_at is null";
    assert_eq!(scene.world.count(locked).await, 1);
}

#[tokio::test]
async fn a_verification_says_by_what_right_somebody_acts() {
    let (scene, office) = family().await;
    let given = record(&scene, &office, "give", &paper(&to_son())).await.expect(201).json();
    let mandate = given["id"].as_str().unwrap().to_owned();
    let (son, _) = sign_in(&scene, SON, SON_PHONE).await;
    accept(&son, &mandate, "accept").await.expect(303);
    let system = office.system(&scene.world, "verification bill");
    let ask = |number: &str, name: &str, procedure: &str, actor: &str, actor_name: &str| {
        json!({
            "number": number, "attributes": { "name": name }, "purpose": "Cấp bản sao trích lục",
            "procedure": procedure, "dossier": "H29.77-261124-0001", "officer": "buu.lv",
            "acting": { "number": actor, "name": actor_name },
        })
    };
    let table = [
        (ask(FATHER, FATHER_NAME, "2.000635", SON, SON_NAME), "mandate", ""),
        (ask(FATHER, FATHER_NAME, "1.002796", SON, SON_NAME), "", "mandate_not_covering"),
        (ask(FATHER, FATHER_NAME, "2.000635", HOA, "Nguyễn Thị Hòa"), "", "no_right_to_act"),
        (ask(FATHER, FATHER_NAME, "2.000635", SON, "Nguyễn Văn Khác"), "", "person_unknown"),
        (ask(CHILD, "Trần Thị Bé", "2.000635", HOA, "Nguyễn Thị Hòa"), "parent", ""),
        (ask(CHILD, "Trần Thị Bé", "1.012535", HOA, "Nguyễn Thị Hòa"), "", "delegate_not_taken"),
        (ask(CHILD, "Trần Thị Bé", "2.000635", SON, SON_NAME), "", "no_right_to_act"),
    ];
    for (i, (body, right, refused)) in table.iter().enumerate() {
        let answer = system.post_once("/v1/verifications", &i.to_string(), body).await.expect(201).json();
        let acting = &answer["acting"];
        let said = (acting["right"].as_str().unwrap_or(""), acting["refused"].as_str().unwrap_or(""));
        assert_eq!((answer["state"].as_str(), said), (Some("match"), (*right, *refused)), "{body}");
    }
    let alone = json!({
        "number": FATHER, "attributes": { "name": FATHER_NAME }, "purpose": "Cấp bản sao trích lục",
        "procedure": "2.000635", "dossier": "H29.77-261124-0001", "officer": "buu.lv",
    });
    let answer = system.post_once("/v1/verifications", "alone", &alone).await.expect(201).json();
    assert_eq!(answer["acting"], Value::Null);
    let (father, _) = sign_in(&scene, FATHER, FATHER_PHONE).await;
    let history = father.get("/me").await.expect(200).text();
    assert!(history.contains(SON_NAME) && history.contains("ủy quyền"), "{history}");
    let son_sees = son.get("/me").await.expect(200).text();
    assert!(son_sees.contains("Ông/bà làm thay cho người khác"), "{son_sees}");
}

#[tokio::test]
async fn a_mother_signs_in_for_her_child_and_nobody_else_does() {
    let (scene, _) = family().await;
    let (mother, whom) = sign_in(&scene, HOA, HOA_PHONE).await;
    let consent = choose(&mother, &whom, "number", CHILD).await.expect(200);
    assert!(consent.text().contains("Làm thay người khác"), "{}", consent.text());
    assert!(consent.text().contains("Trần Thị Bé"), "{}", consent.text());
    let code = value(&scene.consent(&mother, &consent, "allow", &[]).await, "code");
    let said = claims(scene.exchange(&code, &[]).await.expect(200).json()["id_token"].as_str().unwrap());
    assert_eq!((&said["act"]["right"], &said["act"]["mandate"]), (&json!("parent"), &Value::Null));
    let (son, page) = sign_in(&scene, SON, SON_PHONE).await;
    let whom = son.get(&format!("{}/for", sign_in_of(&page))).await.expect(200);
    choose(&son, &whom, "number", CHILD).await.expect(422);
    choose(&son, &whom, "nobody", "").await.expect(422);
    // Twelve years later the child is of age.
    let old = scene.world.stranger();
    scene.world.clock.advance(std::time::Duration::from_secs(12 * 366 * 86_400));
    let page = follow(&old, &scene.request(&[])).await;
    let code_page = scene.number(&old, &page, HOA).await;
    let text = scene.world.last_text(HOA_PHONE).await.unwrap();
    let page = scene.code(&old, &code_page, &text[..6]).await;
    let whom = old.get(&format!("{}/for", sign_in_of(&page))).await.expect(200);
    choose(&old, &whom, "number", CHILD).await.expect(422);
}

#[tokio::test]
async fn an_organisation_acts_through_its_officers_with_a_mandate_taken_at_the_counter() {
    let (scene, office) = family().await;
    let mut body = paper(&json!({ "agency": "H29.77" }));
    body.as_object_mut().unwrap().remove("paper");
    record(&scene, &office, "no-card", &body).await.expect_refusal(422, "card_check_needed");
    passed_card(&scene, FATHER, CLERK, office.agency).await;
    let given = record(&scene, &office, "card", &body).await.expect(201).json();
    assert_eq!((&given["status"], &given["form"]), (&json!("accepted"), &json!("counter")));
    record(&scene, &office, "used-up", &body).await.expect_refusal(422, "card_check_needed");

    let (clerk, page) = sign_in(&scene, CLERK, "+84912345302").await;
    let whom = clerk.get(&format!("{}/for", sign_in_of(&page))).await.expect(200);
    let consent = choose(&clerk, &whom, "number", FATHER).await.expect(200);
    assert!(consent.text().contains(FATHER_NAME));
    let slip = clerk.get(&format!("/desk/mandates/{}/slip", given["id"].as_str().unwrap())).await.expect(200);
    assert!(slip.text().contains(FATHER_NAME) && slip.text().contains("2.000635"), "{}", slip.text());
    let (son, _) = sign_in(&scene, SON, SON_PHONE).await;
    son.get(&format!("/desk/mandates/{}/slip", given["id"].as_str().unwrap())).await.expect(403);
}

/// What an officer's reader left behind.
pub(super) async fn passed_card(
    scene: &Scene,
    number: &str,
    officer: &str,
    agency: chung::base::id::Id<Agency>,
) {
    let hash = |number: &str| {
        let number = number.parse().unwrap();
        hex::encode(chung::flow::population::number_hash(&scene.world.app, &number))
    };
    let person = |number: &str| {
        format!(
            "(select citizen_id from register_person where number_hash = decode('{}', 'hex'))",
            hash(number)
        )
    };
    let sql = format!(
        "insert into card_check (id, at, agency_id, officer_id, citizen_id, verdict, sealed, generation)
         values (gen_random_uuid(), '2026-11-24 01:59:00Z', '{}', {}, {}, 'passed', '', 1)",
        agency.uuid(),
        person(officer),
        person(number)
    );
    scene.world.sql(&sql).await.unwrap();
}

#[tokio::test]
async fn what_no_rule_allows_is_refused_and_leaves_nothing() {
    let (scene, office) = family().await;
    let mut mandates = Vec::new();
    let mut refuse = |change: &dyn Fn(&mut Value), status: u16, code: &'static str| {
        let mut body = paper(&to_son());
        change(&mut body);
        mandates.push((body, status, code));
    };
    refuse(&|b| b["acts"] = json!([]), 422, "mandate_extent");
    refuse(&|b| b["procedures"] = json!([]), 422, "mandate_extent");
    refuse(&|b| b["valid_to"] = json!("2026-11-23"), 422, "mandate_days");
    refuse(&|b| b["valid_to"] = json!("2046-11-23"), 422, "mandate_days");
    refuse(
        &|b| b["delegate"] = json!({ "person": { "number": FATHER, "name": FATHER_NAME } }),
        422,
        "mandate_for_oneself",
    );
    refuse(
        &|b| b["delegate"] = json!({ "person": { "number": CHILD, "name": "Trần Thị Bé" } }),
        422,
        "party_unfit",
    );
    refuse(
        &|b| b["delegate"] = json!({ "person": { "number": SON, "name": "Ai Đó" } }),
        422,
        "person_unknown",
    );
    refuse(&|b| b["delegate"] = json!({}), 400, "invalid_body");
    refuse(&|b| b["agencies"] = json!(["H99.99"]), 400, "invalid_body");
    refuse(&|b| b["principal"]["name"] = json!("Ai Đó"), 422, "person_unknown");
    refuse(&|b| b["officer"] = json!(SON), 403, "officer_needed");
    refuse(&|b| b["principal"] = json!({ "number": CLERK, "name": "Lê Văn Bưu" }), 403, "own_act");
    refuse(
        &|b| b["delegate"] = json!({ "person": { "number": CLERK, "name": "Lê Văn Bưu" } }),
        403,
        "own_act",
    );
    for (i, (body, status, code)) in mandates.iter().enumerate() {
        record(&scene, &office, &i.to_string(), body).await.expect_refusal(*status, code);
    }
    assert_eq!((scene.world.count("mandate").await, scene.world.count("notice").await), (0, 0));
    let given = record(&scene, &office, "good", &paper(&to_son())).await.expect(201).json();
    let id = given["id"].as_str().unwrap();
    // A stranger to the mandate finds nothing; a code by SMS gives none.
    let (hoa, _) = sign_in(&scene, HOA, HOA_PHONE).await;
    accept(&hoa, id, "accept").await.expect(404);
    accept(&hoa, id, "revoke").await.expect(404);
    assert!(hoa.get("/me/mandates").await.expect(200).text().contains("Chỉ mã SMS thì chưa đủ"));
    let token = hoa.get("/me/mandates").await.form_field("form_token");
    let form = [
        ("form_token", token.as_str()),
        ("delegate_number", SON),
        ("delegate_name", SON_NAME),
        ("act", "apply"),
        ("procedures", "2.000635"),
        ("last_day", "2026-12-31"),
    ];
    hoa.post_form("/me/mandates", &form).await.expect(403);
    scene.world.sql("update session set reached = 'urn:chung:acr:high'").await.unwrap();
    hoa.post_form("/me/mandates", &form).await.expect(303);
    let to_office = [
        ("form_token", token.as_str()),
        ("organisation", "H29.77"),
        ("act", "apply"),
        ("procedures", "2.000635"),
        ("last_day", "2026-12-31"),
    ];
    hoa.post_form("/me/mandates", &to_office).await.expect(303);
    let (clerk, _) = sign_in(&scene, CLERK, "+84912345302").await;
    let desk = clerk.get("/desk/mandates").await.expect(200);
    assert!(desk.text().contains("Nguyễn Thị Hòa"), "{}", desk.text());
    let text = desk.text();
    let at = text.find("/me/mandates/mandate_").unwrap();
    let accept_path = text[at..].split('"').next().unwrap().to_owned();
    let token = desk.form_field("form_token");
    clerk.post_form(&accept_path, &[("form_token", &token)]).await.expect(303);
    assert!(clerk.get("/desk/mandates").await.expect(200).text().contains("Không có ủy quyền nào chờ"));
    let (son, _) = sign_in(&scene, SON, SON_PHONE).await;
    assert!(son.get("/me/mandates").await.expect(200).text().contains("Thay cho Nguyễn Thị Hòa"));
    let revoke = format!("/v1/mandates/{id}/revoke");
    let system = office.system(&scene.world, "mandate");
    system.post_once(&revoke, "r", &json!({ "officer": SON })).await.expect_refusal(403, "officer_needed");
    let ended = system.post_once(&revoke, "s", &json!({ "officer": CLERK })).await.expect(200).json();
    assert_eq!(ended["status"], "ended");
    system.post_once(&revoke, "t", &json!({ "officer": CLERK })).await.expect_refusal(409, "mandate_ended");
    let rules =
        office.system(&scene.world, "mandate.read").get("/v1/mandates/rules?procedure=1.012535").await;
    assert_eq!(rules.expect(200).json()["items"][0]["allowed"], "none");
}

#[tokio::test]
async fn a_death_ends_a_mandate_by_itself() {
    let (scene, office) = family().await;
    let given = record(&scene, &office, "give", &paper(&to_son())).await.expect(201).json();
    let (son, _) = sign_in(&scene, SON, SON_PHONE).await;
    accept(&son, given["id"].as_str().unwrap(), "accept").await.expect(303);
    scene
        .world
        .register(&["079060000111,,Nguyễn Văn Cha,1960-05-01,male,0912345300,79,deceased,2026-11-23,2,"])
        .await;
    let (_, page) = sign_in(&scene, SON, SON_PHONE).await;
    assert!(page.text().contains("name=\"answer\""), "there is nobody to act for: {}", page.text());
    assert!(son.get("/me/mandates").await.expect(200).text().contains("chấm dứt do có người mất"));
    let read = office.system(&scene.world, "mandate.read").get("/v1/mandates").await.expect(200).json();
    assert_eq!(
        (&read["items"][0]["status"], &read["items"][0]["ended_by"]),
        (&json!("ended"), &json!("death"))
    );
}

#[tokio::test]
async fn of_a_revocation_and_a_use_at_once_the_revocation_holds() {
    let (scene, office) = family().await;
    let given = record(&scene, &office, "give", &paper(&to_son())).await.expect(201).json();
    let mandate = given["id"].as_str().unwrap().to_owned();
    let (son, _) = sign_in(&scene, SON, SON_PHONE).await;
    accept(&son, &mandate, "accept").await.expect(303);
    let (son, page) = sign_in(&scene, SON, SON_PHONE).await;
    let consent = choose(&son, &page, &mandate, "").await.expect(200);
    let code = value(&scene.consent(&son, &consent, "allow", &[]).await, "code");
    let (exchanged, revoked) = tokio::join!(scene.exchange(&code, &[]), accept(&son, &mandate, "revoke"));
    revoked.expect(303);
    if exchanged.status == 200 {
        let token = exchanged.json()["access_token"].as_str().unwrap().to_owned();
        scene.world.stranger().with_bearer(token).get("/oidc/userinfo").await.expect(401);
    }
}

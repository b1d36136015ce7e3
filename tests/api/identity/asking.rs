//! What a portal may ask, how much, and what the citizen takes home: policies, predicates, budgets, probing, slips.

use super::verifications::{hoa, question, start};
use super::{PEOPLE, import};
use crate::office::Office;
use crate::world::TestApp;
use chung::config::Limits;
use chung::flow::population::look_up;
use serde_json::{Value, json};
use std::time::Duration;

fn policy(changes: &Value) -> Value {
    let mut policy = json!({
        "attributes": ["name", "birth_date", "sex"], "predicates": ["age_at_least"], "name_rule": "standard-1",
    });
    for (member, value) in changes.as_object().unwrap() {
        policy[member] = value.clone();
    }
    policy
}

/// An officer of this office has checked the card of the holder of that number.
async fn seen(world: &TestApp, office: &Office, number: &str) {
    let mut tx = world.app.store.begin().await.unwrap();
    let looked = look_up(&world.app, &mut tx, number.parse().unwrap()).await.unwrap();
    let citizen = looked.on_record.unwrap().citizen.uuid();
    let officer = "00000000-0000-0000-0000-00000000000f";
    let (agency, at) = (office.agency.uuid(), world.app.clock.now());
    let sql = format!(
        "insert into citizen (id, number_hash, since) values ('{officer}', '\\x00', '{at}') on conflict do nothing;
         insert into card_check (id, at, agency_id, officer_id, citizen_id, verdict, sealed, generation)
         values (gen_random_uuid(), '{at}', '{agency}', '{officer}', '{citizen}', 'passed', '\\x00', 1)"
    );
    world.sql(&sql).await.unwrap();
}

#[tokio::test]
async fn a_policy_is_tried_set_and_holds_at_once() {
    let (world, office, system) = start().await;
    let admin = office.system(&world, "admin");
    let path = format!("/v1/clients/{}/policy", office.client);
    let unwritten = admin.get(&path).await.expect(200).json();
    assert_eq!((&unwritten["version"], &unwritten["tells_which"]), (&json!(0), &json!(false)));
    let mut phone = hoa();
    phone["attributes"]["phone"] = json!("0912345678");
    system.post_once("/v1/verifications", "a", &phone).await.expect(201);
    system.post_once("/v1/verifications", "b", &hoa()).await.expect(201);

    // The claim of the phone would be refused, and the equivalent spelling would no longer count.
    let strict = policy(&json!({ "name_rule": "exact-1", "daily_quota": 1 }));
    let trial = admin.post_json(&format!("{path}/try"), &strict).await.expect(200).json();
    assert_eq!(trial["tried"], 2);
    assert_eq!(trial["forbidden"], json!({ "attribute phone": 1 }));
    assert_eq!(trial["changed"], json!({ "match>no_match": 1 }));
    assert_eq!(trial["days_over_quota"], 1);
    assert_eq!(admin.get(&path).await.json()["version"], 0, "a trial writes nothing");

    let set = admin
        .post_once(&path, "set", &policy(&json!({ "purposes": ["Cấp hộ chiếu"] })))
        .await
        .expect(201)
        .json();
    assert_eq!(set["version"], 1);
    let mut asked = phone.clone();
    asked["policy"] = json!("near-1");
    asked["predicates"] = json!([{ "resident_of": "79" }]);
    let refused =
        system.post_once("/v1/verifications", "c", &asked).await.expect_refusal(403, "policy_forbids");
    let named: Vec<Value> =
        refused.json()["violations"].as_array().unwrap().iter().map(|v| v["field"].clone()).collect();
    assert_eq!(named, ["/attributes/phone", "/predicates/resident_of", "/policy", "/purpose"]);
    let mut allowed = hoa();
    allowed["purpose"] = json!("Cấp hộ chiếu");
    let answer = system.post_once("/v1/verifications", "d", &allowed).await.expect(201).json();
    assert_eq!((&answer["state"], &answer["portal_policy"]), (&json!("match"), &json!(1)));

    // Nobody but an administrator, and no policy of nobody.
    office.system(&world, "verification").get(&path).await.expect_refusal(403, "scope_missing");
    let wrong = policy(&json!({ "attributes": ["religion"], "stale_max_hours": 1000 }));
    admin.post_once(&path, "wrong", &wrong).await.expect_refusal(400, "invalid_body");
    assert_eq!(world.count("audit_leaf where kind = 'policy.set'").await, 1);
}

#[tokio::test]
async fn two_administrators_at_once_do_not_overwrite_each_other() {
    let (world, office, _) = start().await;
    let path = format!("/v1/clients/{}/policy", office.client);
    let sets = (0..4).map(|i| {
        let (admin, path) = (office.system(&world, "admin"), path.clone());
        async move { admin.post_once(&path, &format!("k{i}"), &policy(&json!({ "daily_quota": i }))).await }
    });
    // Nobody writes before two have read.
    let mut gate = world.connection().await;
    sqlx::raw_sql("begin; lock table portal_policy in share mode").execute(&mut gate).await.unwrap();
    let opened = async {
        world.waiting(2).await;
        sqlx::raw_sql("commit").execute(&mut gate).await.unwrap();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(sets), opened);
    let set = answers.iter().filter(|answer| answer.status == 201).count();
    assert!((1..4).contains(&set));
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.expect_refusal(409, "policy_moved");
    }
    assert_eq!(usize::try_from(world.count("portal_policy").await).unwrap(), set);
}

#[tokio::test]
async fn predicates_are_answered_without_a_value_and_only_to_whom_the_claims_match() {
    let (world, _, system) = start().await;
    import(&world, "079060000009,,Lý Sáu,1960,male,,79,active,,,\n").await.unwrap();
    let predicates = json!([
        { "age_at_least": 18, "on": "2026-11-24" }, { "age_at_least": 66, "on": "2026-06-01" },
        { "birth_date_known_to": "month" }, { "resident_of": "074" }, { "resident_of": "01" },
    ]);
    let ask = |name: &str| {
        let mut body = question("079060000009", &json!({ "name": name }));
        body["predicates"] = predicates.clone();
        body
    };
    let answer = system.post_once("/v1/verifications", "a", &ask("Lý Sáu")).await.expect(201).json();
    let told = |answer: &Value| -> Vec<Value> {
        answer["predicates"].as_array().unwrap().iter().map(|one| one["answer"].clone()).collect()
    };
    assert_eq!(told(&answer), ["yes", "unknown", "no", "yes", "no"]);
    assert_eq!(answer["predicates"][3]["province"], "79", "Bình Dương lies in Hồ Chí Minh now");
    assert!(!answer.to_string().contains("1960"));
    let stranger = system.post_once("/v1/verifications", "b", &ask("Lê Lai")).await.expect(201).json();
    assert_eq!((told(&stranger), &stranger["state"]), (vec![Value::Null; 5], &json!("no_match")));
    for wrong in [json!({ "age_at_least": 18 }), json!({ "resident_of": "74" }), json!({})] {
        let mut body = ask("Lý Sáu");
        body["predicates"] = json!([wrong]);
        system.post_once("/v1/verifications", "c", &body).await.expect_refusal(400, "invalid_body");
    }
}

#[tokio::test]
async fn a_failure_tells_nothing_but_itself_and_gives_the_citizen_a_slip() {
    let (world, _, system) = start().await;
    let wrong = question("079185000001", &json!({ "name": "Nguyễn Thị Hòa", "birth_date": "1990" }));
    let answer = system.post_once("/v1/verifications", "a", &wrong).await.expect(201).json();
    assert_eq!(answer["state"], "no_match");
    for attribute in ["name", "birth_date"] {
        assert_eq!(answer["attributes"][attribute], json!({ "grade": null }));
    }
    let reference = answer["slip"]["reference"].as_str().unwrap();
    let page = world.stranger().get(&format!("/slips/{reference}")).await.expect(200).text();
    for said in ["không phải là căn cứ để từ chối", "Công an cấp xã", "H29.14-261124-0001", "Sở Tư pháp"]
    {
        assert!(page.contains(said), "{said}");
    }
    for hidden in ["079185000001", "Hòa", "1985", "1990"] {
        assert!(!page.contains(hidden), "{hidden}");
    }
    let english = world.stranger().get(&format!("/slips/{reference}?lang=en")).await.expect(200).text();
    assert!(english.contains("by itself no ground to refuse a dossier"));
    world.stranger().get("/slips/00000000000000000000").await.expect(404);
    world.stranger().get("/slips/nonsense").await.expect(404);
    assert!(!world.dump("slip").await.contains("H29.14-261124-0001"));

    let right = system.post_once("/v1/verifications", "b", &hoa()).await.expect(201).json();
    assert_eq!(right["slip"], Value::Null);
    for (key, number, name) in [
        ("c", "001150000002", "Trần Văn Khỏe"),
        ("d", "046199000003", "H'Hen Niê"),
        ("e", "079185000099", "Nguyễn Thị Hòa"),
    ] {
        let body = question(number, &json!({ "name": name }));
        let answer = system.post_once("/v1/verifications", key, &body).await.expect(201).json();
        let reference = answer["slip"]["reference"].as_str().unwrap().to_owned();
        world.stranger().get(&format!("/slips/{reference}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_number_has_a_budget_that_never_refuses_the_person_or_an_accepted_dossier() {
    let limits = Limits { number_asks_portal_max: 2, number_asks_max: 3, ..Limits::default() };
    let world = TestApp::start_with(limits).await;
    import(&world, PEOPLE).await.unwrap();
    let (office, other) = (Office::open(&world, "H29.14").await, Office::open(&world, "H29.15").await);
    let (one, two) = (office.system(&world, "verification"), other.system(&world, "verification"));
    let body = |occasion: &str, dossier: &str| {
        let mut body = hoa();
        body["occasion"] = json!(occasion);
        body["dossier"] = json!(dossier);
        body
    };
    let (first, second) = ("H29.14-261124-0001", "H29.14-261124-0002");
    let asked = async |system: &crate::world::Actor, key: &str, body: &Value| {
        system.post_once("/v1/verifications", key, body).await
    };
    asked(&one, "1", &body("unattended", first)).await.expect(201);
    asked(&one, "2", &body("unattended", first)).await.expect(201);
    let refused =
        asked(&one, "3", &body("unattended", first)).await.expect_refusal(429, "number_asked_too_often");
    assert!(refused.headers.contains_key("retry-after"));
    asked(&two, "1", &body("unattended", first)).await.expect(201);
    asked(&two, "2", &body("unattended", first)).await.expect_refusal(429, "number_asked_too_often");
    // Presence is not believed without a card that was checked here.
    asked(&one, "p", &body("in_person", first)).await.expect_refusal(429, "number_asked_too_often");
    seen(&world, &office, "079185000001").await;
    asked(&two, "p", &body("in_person", first)).await.expect_refusal(429, "number_asked_too_often");
    // The person at the counter, and the first look-up of an accepted dossier.
    for i in 0..5 {
        asked(&one, &format!("p{i}"), &body("in_person", first)).await.expect(201);
    }
    let dossier = asked(&one, "d1", &body("dossier_accepted", first)).await.expect(201).json();
    assert_eq!(dossier["occasion"], "dossier_accepted");
    asked(&one, "d2", &body("dossier_accepted", first)).await.expect_refusal(429, "number_asked_too_often");
    asked(&one, "d3", &body("dossier_accepted", second)).await.expect(201);
    // A refusal writes nothing and frees its key; the next day begins anew.
    world.later(Duration::from_secs(16 * 3600));
    asked(&one, "3", &body("unattended", first)).await.expect(201);
}

#[tokio::test]
async fn a_day_has_a_quota_and_the_person_at_the_counter_is_served_beyond_it() {
    let (world, office, system) = start().await;
    let path = format!("/v1/clients/{}/policy", office.client);
    let admin = office.system(&world, "admin");
    admin.post_once(&path, "q", &policy(&json!({ "daily_quota": 2 }))).await.expect(201);
    system.post_once("/v1/verifications", "1", &hoa()).await.expect(201);
    system.post_once("/v1/verifications", "2", &hoa()).await.expect(201);
    system.post_once("/v1/verifications", "3", &hoa()).await.expect_refusal(429, "quota_spent");
    let mut present = hoa();
    present["occasion"] = json!("in_person");
    seen(&world, &office, "079185000001").await;
    system.post_once("/v1/verifications", "4", &present).await.expect(201);
}

#[tokio::test]
async fn a_portal_that_tries_out_numbers_raises_an_alert_and_is_slowed_down() {
    let world = TestApp::start_with(Limits { misses_max: 3, ..Limits::default() }).await;
    import(&world, PEOPLE).await.unwrap();
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "verification");
    for i in 0..3 {
        let body = question(&format!("07918500001{i}"), &json!({ "name": "Nguyễn Thị Hòa" }));
        system.post_once("/v1/verifications", &format!("m{i}"), &body).await.expect(201);
    }
    system.post_once("/v1/verifications", "s", &hoa()).await.expect_refusal(429, "portal_slowed");
    let mut present = hoa();
    present["occasion"] = json!("in_person");
    seen(&world, &office, "079185000001").await;
    system.post_once("/v1/verifications", "p", &present).await.expect(201);
    world.later(Duration::from_secs(6));
    system.post_once("/v1/verifications", "s", &hoa()).await.expect(201);

    let admin = office.system(&world, "admin.read event.read");
    let alerts = admin.get("/v1/alerts").await.expect(200).json();
    assert_eq!((&alerts["items"][0]["misses"], &alerts["next"]), (&json!(3), &Value::Null));
    assert_eq!(alerts["items"][0]["client"], office.client.to_string());
    let told = admin.get("/v1/events").await.expect(200).json();
    assert_eq!(told["items"][0]["type"], "verification.probing");
    let other = Office::open(&world, "H29.15").await.system(&world, "verification");
    other.post_once("/v1/verifications", "o", &hoa()).await.expect(201);
    other.get("/v1/alerts").await.expect_refusal(403, "scope_missing");
}

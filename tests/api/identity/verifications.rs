//! Agencies ask about people: every state and grade, who may ask, what is proved later, and what never leaks.

use super::{PEOPLE, import};
use crate::office::{Office, new_bill};
use crate::world::{Actor, TestApp};
use chung::codec::verification_statement::{Salt, verify};
use chung::config::Limits;
use chung::crypto::{keyring::Purpose, signing::KeyList};
use serde_json::{Value, json};

pub(super) async fn start() -> (TestApp, Office, Actor) {
    let world = TestApp::start().await;
    import(&world, PEOPLE).await.unwrap();
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "verification");
    (world, office, system)
}

/// An agency whose policy lets a failure tell which attribute failed.
async fn start_telling() -> (TestApp, Office, Actor) {
    let (world, office, system) = start().await;
    let policy = json!({
        "attributes": ["name", "birth_date", "sex", "old_number", "phone", "province"],
        "predicates": [], "name_rule": "unaccented-1", "tells_which": true,
    });
    let path = format!("/v1/clients/{}/policy", office.client);
    office.system(&world, "admin").post_once(&path, "telling", &policy).await.expect(201);
    (world, office, system)
}

pub(super) fn question(number: &str, attributes: &Value) -> Value {
    json!({
        "number": number,
        "attributes": attributes,
        "purpose": "Cấp Phiếu lý lịch tư pháp",
        "procedure": "2.000488",
        "dossier": "H29.14-261124-0001",
        "officer": "hoa.nt",
    })
}

pub(super) fn hoa() -> Value {
    question("079185000001", &json!({"name": "NGUYỄN THỊ HOÀ", "birth_date": "1985-03", "sex": "female"}))
}

#[tokio::test]
async fn each_claim_is_graded_and_the_whole_has_a_state() {
    let (_world, _, system) = start_telling().await;
    let table = [
        ("079185000001", json!({"name": "Nguyễn Thị Hòa", "birth_date": "1985-03-15"}), "match", "exact"),
        ("079185000001", json!({"name": "Nguyễn Thị Hoà"}), "match", "equivalent"),
        ("079185000001", json!({"name": "NGUYEN THI HOA"}), "match", "unaccented"),
        ("079185000001", json!({"name": "Nguyễn Thị Hóa"}), "no_match", "near"),
        ("079185000001", json!({"name": "Nguyễn Hòa"}), "no_match", "different"),
        ("079185000001", json!({"name": "Nguy?n Th? Hòa"}), "no_match", "unreadable"),
        ("079185000001", json!({"name": "Nguyễn Thị Hòa", "birth_date": "1985-03-16"}), "no_match", "exact"),
        ("079185000001", json!({"name": "Nguyễn Thị Hòa", "province": "01"}), "match", "exact"),
        (
            "001150000002",
            json!({"name": "Trần Văn Khoẻ", "birth_date": "1950-06-01"}),
            "deceased",
            "equivalent",
        ),
        ("001150000002", json!({"name": "Trần Văn Mạnh"}), "no_match", "different"),
        ("046199000003", json!({"name": "H’Hen Niê"}), "locked", "exact"),
    ];
    for (i, (number, attributes, state, grade)) in table.iter().enumerate() {
        let body = question(number, attributes);
        let answer = system.post_once("/v1/verifications", &i.to_string(), &body).await.expect(201).json();
        assert_eq!(
            (&answer["state"], &answer["attributes"]["name"]["grade"]),
            (&json!(state), &json!(grade)),
            "{body}"
        );
    }
    let body = question("001150000002", &json!({"name": "Trần Văn Khỏe", "birth_date": "1950-06-01"}));
    let answer = system.post_once("/v1/verifications", "precision", &body).await.expect(201).json();
    assert_eq!(answer["attributes"]["birth_date"], json!({"grade": "exact", "precision": "year"}));
    let mut body = question("079185000001", &json!({"name": "NGUYEN THI HOA"}));
    body["policy"] = json!("unaccented-1");
    let answer = system.post_once("/v1/verifications", "policy", &body).await.expect(201).json();
    assert_eq!((&answer["state"], &answer["policy"]), (&json!("match"), &json!("unaccented-1")));
    let body = question("003185000009", &json!({"birth_date": "1958"}));
    let answer = system.post_once("/v1/verifications", "nobody", &body).await.expect(201).json();
    assert_eq!(
        (&answer["state"], &answer["attributes"]["birth_date"]),
        (&json!("not_on_record"), &json!({"grade": null}))
    );
    assert_eq!(answer["findings"], json!(["unknown_place", "birth_year_differs_from_number"]));
}

#[tokio::test]
async fn the_statement_proves_the_answer_offline_and_tells_no_value() {
    let (world, office, system) = start().await;
    let answer = system.post_once("/v1/verifications", "one", &hoa()).await.expect(201).json();
    let jwks = world.app.keys.jwks(Purpose::Record).to_string();
    let signed = answer["statement"].as_str().unwrap();
    let said = verify(signed, &KeyList::from_jwks(&jwks).unwrap()).unwrap();
    assert_eq!((said.state.as_str(), said.jti.as_str()), ("match", answer["id"].as_str().unwrap()));
    assert_eq!(said.agency, office.agency.to_string());
    assert_eq!((said.officer.as_str(), said.dossier.as_str()), ("hoa.nt", "H29.14-261124-0001"));
    assert_eq!(said.as_of.as_deref(), Some("2026-11-24T02:00:00Z"));
    let salt = Salt::parse(answer["statement_salt"].as_str().unwrap()).unwrap();
    assert!(salt.opens(&said.number, "number", "079185000001"));
    assert!(salt.opens(&said.attributes["birth_date"].claimed, "birth_date", "1985-03"));
    // Wrong claims must not be answered with the right values.
    let wrong =
        question("079185000001", &json!({"name": "Lê Lai", "birth_date": "1990", "phone": "0900000000"}));
    let wrong = system.post_once("/v1/verifications", "wrong", &wrong).await.expect(201);
    let said =
        verify(wrong.json()["statement"].as_str().unwrap(), &KeyList::from_jwks(&jwks).unwrap()).unwrap();
    let text = format!("{}{}", wrong.text(), serde_json::to_string(&said).unwrap());
    for value in ["Hòa", "1985", "0912345678", "079185000001", "024123456", "student"] {
        assert!(!text.contains(value), "{value} in {text}");
    }
    for table in ["verification", "audit_detail", "idempotency_key"] {
        let dump = world.dump(table).await;
        assert!(
            !dump.contains("079185000001") && !dump.contains("Hòa") && !dump.contains("hoa.nt"),
            "{table}"
        );
    }
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_another_body_is_refused() {
    let (_world, _, system) = start().await;
    let first = system.post_once("/v1/verifications", "k", &hoa()).await.expect(201);
    let again = system.post_once("/v1/verifications", "k", &hoa()).await.expect(201);
    assert_eq!(first.json(), again.json());
    let other = question("079185000001", &json!({"name": "Lê Lai"}));
    let refused = system
        .post_once("/v1/verifications", "k", &other)
        .await
        .expect_refusal(409, "idempotency_key_reused");
    assert_eq!(refused.json()["about"], first.json()["id"]);
    let read =
        system.get(&format!("/v1/verifications/{}", first.json()["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(read.json(), first.json());
    system.post_json("/v1/verifications", &hoa()).await.expect_refusal(400, "idempotency_key_missing");
}

#[tokio::test]
async fn many_at_once_are_each_answered_once() {
    let world = TestApp::start_with(Limits { number_asks_portal_max: 100, ..Limits::default() }).await;
    import(&world, PEOPLE).await.unwrap();
    let system = Office::open(&world, "H29.14").await.system(&world, "verification");
    let questions = (0..60).map(|i| {
        let (system, key) = (&system, format!("key-{}", i % 40));
        async move { system.post_once("/v1/verifications", &key, &hoa()).await }
    });
    let answers = futures_util::future::join_all(questions).await;
    let mut ids = std::collections::BTreeMap::new();
    for (i, answer) in answers.into_iter().enumerate() {
        if answer.status == 425 {
            continue;
        }
        let answer = answer.expect(201).json();
        let id = ids.entry(i % 40).or_insert_with(|| answer["id"].clone());
        assert_eq!(*id, answer["id"]);
    }
    assert_eq!(ids.len(), 40);
    assert_eq!(world.count("verification").await, 40);
    assert_eq!(world.count("audit_leaf where kind = 'verification.answered'").await, 40);
}

#[tokio::test]
async fn only_the_agencys_own_systems_see_it_and_a_suspension_holds_at_once() {
    let (world, office, system) = start().await;
    let id = system.post_once("/v1/verifications", "k", &hoa()).await.expect(201).json()["id"].clone();
    let path = format!("/v1/verifications/{}", id.as_str().unwrap());
    let other = Office::open(&world, "H01.02").await.system(&world, "verification");
    other.get(&path).await.expect_refusal(404, "not_found");
    office.system(&world, "bill").get(&path).await.expect_refusal(403, "scope_missing");
    office.system(&world, "verification.read").get(&path).await.expect(200);
    let reader = office.system(&world, "verification.read");
    reader.post_once("/v1/verifications", "r", &hoa()).await.expect_refusal(403, "scope_missing");
    world.stranger().post_once("/v1/verifications", "s", &hoa()).await.expect_refusal(401, "token_missing");
    world.sql("update agency set state = 'suspended' where code = 'H29.14'").await.unwrap();
    system.post_once("/v1/verifications", "k2", &hoa()).await.expect_refusal(403, "agency_suspended");
    assert_eq!(world.count("verification").await, 1);
}

#[tokio::test]
async fn everything_wrong_is_named_and_no_value_is_repeated() {
    let (world, _, system) = start().await;
    let body = json!({
        "number": "07918500000",
        "attributes": {"name": "A\u{202e}n", "birth_date": "31/12/1985", "sex": "x", "province": "079", "phone": "1"},
        "purpose": " ",
        "procedure": "x",
        "dossier": "1",
        "officer": "o".repeat(101),
        "policy": "lax",
    });
    let refused = system.post_once("/v1/verifications", "k", &body).await.expect_refusal(400, "invalid_body");
    let violations = refused.json()["violations"].as_array().unwrap().clone();
    let named: Vec<(&str, &str)> =
        violations.iter().map(|v| (v["field"].as_str().unwrap(), v["rule"].as_str().unwrap())).collect();
    let expected = [
        ("/number", "shape"),
        ("/attributes/name", "unprintable"),
        ("/attributes/birth_date", "shape"),
        ("/attributes/sex", "shape"),
        ("/attributes/phone", "shape"),
        ("/attributes/province", "shape"),
        ("/procedure", "shape"),
        ("/dossier", "shape"),
        ("/policy", "shape"),
        ("/purpose", "empty"),
        ("/officer", "too_long"),
    ];
    assert_eq!(named, expected);
    assert!(!refused.text().contains("07918500000"));
    let nothing = question("079185000001", &json!({"sex": "female"}));
    let refused =
        system.post_once("/v1/verifications", "k", &nothing).await.expect_refusal(400, "invalid_body");
    assert_eq!(refused.json()["violations"][0]["rule"], "name_or_birth_date_needed");
    let unknown = question("079185000001", &json!({"name": "An", "religion": "none"}));
    system.post_once("/v1/verifications", "k", &unknown).await.expect_refusal(400, "invalid_body");
    assert_eq!(world.count("verification").await, 0);
}

#[tokio::test]
async fn a_bill_is_reduced_by_what_was_verified() {
    let (world, office, system) = start().await;
    let ask = |number: &str, name: &str| question(number, &json!({"name": name}));
    let student = ask("079185000001", "Nguyễn Thị Hòa");
    let verified = system.post_once("/v1/verifications", "a", &student).await.expect(201).json();
    let stranger = ask("079185000001", "Lê Lai");
    let unverified = system.post_once("/v1/verifications", "b", &stranger).await.expect(201).json();
    let cashdesk = office.system(&world, "bill");
    let mut bill = new_bill();
    bill["applicant"]["verification"] = verified["id"].clone();
    let reduced = cashdesk.post_once("/v1/bills", "bill-a", &bill).await.expect(201).json();
    assert_eq!(reduced["total"]["amount"], "105000");
    bill["applicant"]["verification"] = unverified["id"].clone();
    cashdesk.post_once("/v1/bills", "bill-b", &bill).await.expect_refusal(422, "verification_unknown");
}

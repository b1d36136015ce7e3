//! An officer reads chip cards at the counter: only a genuine, living, matching person passes, and a pass is used once.

use crate::office::Office;
use crate::world::{Actor, TestApp};
use chung::base::id::{self, Id};
use chung::flow::card_check::consume;
use chung::flow::roles::{Granting, grant_role, revoke_role};
use chung::identity::card::Need;
use chung::identity::role::Role;
use chung::sandbox::card::{Card, Holder, issue};
use serde_json::{Value, json};
use std::time::Duration;

const PEOPLE: [&str; 4] = [
    "079185000001,,Nguyễn Thị Hòa,1985-03-15,female,0912345217,79,active,,2,",
    "079085000456,,Trần Văn Tiếp,1985-04-01,male,0912345218,79,active,,2,",
    "079085000457,,Lê Văn Khóa,1985-05-01,male,0912345219,79,locked,,2,",
    "079085000458,,Phạm Văn Mất,1985-06-01,male,0912345220,79,deceased,2026-01-01,2,",
];
const OFFICER: &str = "079085000456";

pub fn holder(number: &str, name: &str, born: &str, sex: &str) -> Holder {
    let text = |text: &str| text.to_owned();
    Holder {
        number: text(number),
        name: text(name),
        born: text(born),
        sex: text(sex),
        expires: text("15/03/2045"),
    }
}

pub fn hoa() -> Holder {
    holder("079185000001", "Nguyễn Thị Hòa", "15/03/1985", "Nữ")
}

pub fn files(card: &Card) -> Value {
    serde_json::from_str(&card.text()).unwrap()
}

pub async fn grant(world: &TestApp, number: &str, role: Role) -> Id<id::RoleGrant> {
    let granting = Granting {
        number: number.parse().unwrap(),
        role,
        agency_code: "H29.14".to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&world.app, &granting).await.unwrap()
}

async fn set() -> (TestApp, Office, Actor) {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, OFFICER, Role::Officer).await;
    let system = office.system(&world, "verification verification.read");
    (world, office, system)
}

async fn checked(system: &Actor, key: &str, card: &Card, number: Option<&str>) -> Value {
    let mut body = json!({ "officer": OFFICER, "card": files(card) });
    if let Some(number) = number {
        body["number"] = json!(number);
    }
    system.post_once("/v1/card-checks", key, &body).await.expect(201).json()
}

#[tokio::test]
async fn a_genuine_card_of_the_person_passes_and_is_signed_and_told_to_its_holder() {
    let (world, _, system) = set().await;
    let card = issue(&hoa()).unwrap();
    let answer = checked(&system, "a", &card, Some("079185000001")).await;
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("passed"), &Value::Null), "{answer}");
    assert_eq!(answer["usable_until"], "2026-11-24T02:30:00Z");
    let again = checked(&system, "a", &card, Some("079185000001")).await;
    assert_eq!(again, answer, "the same key is the same act");
    assert_eq!(world.count("card_check").await, 1);

    let id = answer["id"].as_str().unwrap();
    let read = system.get(&format!("/v1/card-checks/{id}")).await.expect(200).json();
    let keys = world.app.keys.published(chung::crypto::keyring::Purpose::Record);
    let signed: Value =
        chung::crypto::jwt::verify(read["statement"].as_str().unwrap(), "chung-card-check+jwt", keys)
            .unwrap();
    assert_eq!((&signed["verdict"], &signed["groups"]), (&json!("passed"), &json!([1, 2, 13])));
    let salt = chung::codec::verification_statement::Salt::parse(read["statement_salt"].as_str().unwrap());
    assert!(salt.unwrap().opens(signed["number"].as_str().unwrap(), "number", "079185000001"));

    // Nothing of the card stands in the clear, and the portrait stands nowhere.
    for table in ["card_check", "audit_detail", "idempotency_key", "outbox"] {
        let rows = world.dump(table).await;
        for secret in ["079185000001", "Hòa", "no portrait", &hex::encode("no portrait")] {
            assert!(!rows.contains(secret), "{table} holds {secret}");
        }
    }
    assert_eq!(world.count("audit_leaf where kind = 'card.checked'").await, 1);
    assert_eq!(world.count("audit_detail d join audit_leaf l on l.id = d.leaf_id where l.kind = 'card.checked' and d.citizen_id is not null").await, 1);
}

#[tokio::test]
async fn every_other_card_gets_its_verdict_and_never_a_pass() {
    let (world, _, system) = set().await;
    let stranger_made = |change: &dyn Fn(&mut Card)| {
        let mut card = issue(&hoa()).unwrap();
        change(&mut card);
        card
    };
    let only = |numbers: &'static [u8]| {
        stranger_made(&move |c: &mut Card| c.groups.retain(|n, _| numbers.contains(n)))
    };
    let of = |number, name, born, sex| issue(&holder(number, name, born, sex)).unwrap();
    let old = issue(&Holder { expires: "23/11/2026".into(), ..hoa() }).unwrap();
    let cases: Vec<(Card, &str, Value, Value)> = vec![
        (only(&[]), "not_genuine", json!("no_groups"), json!([])),
        (only(&[1]), "not_genuine", json!("group_missing"), json!([])),
        (only(&[13]), "not_genuine", json!("group_missing"), json!([])),
        (
            stranger_made(&|c| {
                c.groups.insert(14, vec![1]);
            }),
            "not_genuine",
            json!("group_not_listed"),
            json!([]),
        ),
        (
            stranger_made(&|c| *c.groups.get_mut(&13).unwrap().last_mut().unwrap() ^= 1),
            "not_genuine",
            json!("group_altered"),
            json!([]),
        ),
        (stranger_made(&|c| c.sod.truncate(9)), "unreadable", json!("unreadable"), json!([])),
        (old, "expired", Value::Null, json!([])),
        (of("079185000009", "Ai Đó", "15/03/1985", "Nữ"), "not_on_record", Value::Null, json!([])),
        (
            of("079185000001", "Nguyễn Thị Hoa", "16/03/1985", "Nữ"),
            "differs",
            Value::Null,
            json!(["name", "birth_date"]),
        ),
        (of("079085000458", "Phạm Văn Mất", "01/06/1985", "Nam"), "deceased", Value::Null, json!([])),
        (of("079085000457", "Lê Văn Khóa", "01/05/1985", "Nam"), "passed", Value::Null, json!([])),
    ];
    for (at, (card, verdict, reason, differences)) in cases.iter().enumerate() {
        let answer = checked(&system, &format!("k{at}"), card, None).await;
        assert_eq!(
            (&answer["verdict"], &answer["reason"], &answer["differences"]),
            (&json!(verdict), reason, differences),
            "{answer}"
        );
        assert_eq!(answer["usable_until"].is_null(), *verdict != "passed");
    }
    let answer = checked(&system, "other", &issue(&hoa()).unwrap(), Some("079085000457")).await;
    assert_eq!(answer["verdict"], "another_person");
    assert_eq!(world.count("audit_leaf where kind = 'card.checked'").await, 12);
}

#[tokio::test]
async fn only_an_officer_of_the_agency_checks_and_only_readable_files_are_judged() {
    let (world, _, system) = set().await;
    let other = Office::open(&world, "H29.15").await.system(&world, "verification verification.read");
    let body = |officer: &str, card: Value| json!({ "officer": officer, "card": card });
    let card = files(&issue(&hoa()).unwrap());
    for (asker, officer) in [(&system, "079185000001"), (&system, "079185000099"), (&other, OFFICER)] {
        let refused = asker.post_once("/v1/card-checks", "x", &body(officer, card.clone())).await;
        refused.expect_refusal(403, "officer_needed");
    }
    for bad in [
        json!({ "sod": "?", "groups": {} }),
        json!({ "sod": "", "groups": { "0": "" } }),
        json!({ "sod": "", "groups": { "x": "" } }),
        json!({ "sod": "" }),
    ] {
        let refused = system.post_once("/v1/card-checks", "x", &body(OFFICER, bad)).await;
        refused.expect_refusal(400, "invalid_body");
    }
    assert_eq!(world.count("card_check").await, 0);
    let id = checked(&system, "y", &issue(&hoa()).unwrap(), None).await["id"].as_str().unwrap().to_owned();
    other.get(&format!("/v1/card-checks/{id}")).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn a_passed_check_is_used_once_soon_and_only_by_its_officer_there() {
    let (world, office, system) = set().await;
    let answer = checked(&system, "a", &issue(&hoa()).unwrap(), None).await;
    let citizen: Id<id::Citizen> = answer["citizen"].as_str().unwrap().parse().unwrap();
    let officer: Id<id::Citizen> = answer["officer"].as_str().unwrap().parse().unwrap();
    let right = Need { citizen, officer, agency: office.agency };
    let use_up = async |need: Need| {
        let mut tx = world.app.store.begin().await.unwrap();
        let used = consume(&mut tx, &need, "test.decided", citizen.uuid(), world.app.clock.now()).await;
        if used.is_ok() {
            tx.commit().await.unwrap();
        }
        used.map_err(|error| error.code())
    };
    let elsewhere = Office::open(&world, "H29.15").await.agency;
    for wrong in [
        Need { citizen: officer, ..right },
        Need { officer: citizen, ..right },
        Need { agency: elsewhere, ..right },
    ] {
        assert_eq!(use_up(wrong).await, Err("card_check_needed"));
    }
    let id = answer["id"].as_str().unwrap();
    let (first, second) = tokio::join!(use_up(right), use_up(right));
    assert!([&first, &second].contains(&&Ok(id.parse().unwrap())), "{first:?} {second:?}");
    assert!([&first, &second].contains(&&Err("card_check_needed")), "{first:?} {second:?}");
    let read = system.get(&format!("/v1/card-checks/{id}")).await.expect(200).json();
    assert_eq!((&read["used_for"], read["used_at"].is_string()), (&json!("test.decided"), true));
    assert!(
        world.sql("update card_check set used_at = null, used_for = null, used_by = null").await.is_err()
    );

    checked(&system, "b", &issue(&hoa()).unwrap(), None).await;
    world.later(Duration::from_secs(30 * 60));
    assert_eq!(use_up(right).await, Err("card_check_needed"));
}

#[tokio::test]
async fn an_officer_reads_a_card_on_the_page_of_the_desk() {
    let (world, office, _) = set().await;
    let desk = crate::board::signed_in(&world, (OFFICER, "+84912345218"), "/desk/card-checks").await;
    let page = desk.get("/desk/card-checks").await.expect(200);
    let token = page.form_field("form_token");
    let agency = office.agency.to_string();
    let code = "079185000001||Nguyễn Thị Hòa|15031985|Nữ|12 Nguyễn Huệ|25042021";
    let filled = desk
        .post_form("/desk/card-checks/printed-code", &[("form_token", &token), ("code", code)])
        .await
        .expect(200);
    assert_eq!(filled.form_field("number"), "079185000001");
    assert!(filled.text().contains("chưa được chứng minh"));
    assert_eq!(world.count("card_check").await, 0, "the printed code proves nothing");
    let wrong = [("form_token", &*token), ("code", "https://example.com")];
    desk.post_form("/desk/card-checks/printed-code", &wrong).await.expect(400);

    let text = issue(&hoa()).unwrap().text();
    let form = |token: &str, number: &str, card: &str| {
        [("form_token", token), ("agency", &agency), ("number", number), ("card", card)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |form: [(String, String); 4]| {
        let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        desk.post_form("/desk/card-checks", &form).await
    };
    send(form("0", "", &text)).await.expect(400);
    send(form(&token, "12", &text)).await.expect(400);
    send(form(&token, "", "nothing")).await.expect(400);
    send(form(&token, "079185000001", &text)).await.expect(303);
    let page = desk.get("/desk/card-checks").await.expect(200).text();
    for shown in ["Đạt", "Nguyễn Thị Hòa", "dùng được một lần, đến 09:30:00 24/11/2026"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let mut altered = issue(&hoa()).unwrap();
    altered.groups.insert(1, altered.groups[&13].clone());
    send(form(&token, "", &altered.text())).await.expect(303);
    let english = desk.get("/desk/card-checks?lang=en").await.expect(200).text();
    assert!(english.contains("data on the card was altered") && english.contains("usable once"), "{english}");

    // A role that is taken back holds from the next request on; who has none sees nothing.
    let stranger =
        crate::board::signed_in(&world, ("079185000001", "+84912345217"), "/desk/card-checks").await;
    stranger.get("/desk/card-checks").await.expect(403);
    let token = desk.get("/desk/card-checks").await.form_field("form_token");
    let grant = world.dump("role_grant").await;
    let granted: Id<id::RoleGrant> = Id::from_uuid(grant[1..37].parse().unwrap());
    revoke_role(&world.app, granted).await.unwrap();
    send(form(&token, "", &text)).await.expect(403);
    assert_eq!(world.count("card_check").await, 2);
}

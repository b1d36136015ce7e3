//! Every code that the contract lists is answered to somebody in these tests; the ones that no other story meets are
//! met here.

use crate::answered::folder;
use crate::office::{ACCOUNT, Office, new_bill};
use crate::payments::start;
use crate::world::TestApp;
use chung::config::Limits;
use chung::flow::idempotency::lock_name;
use chung::http::problem::CODES;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::time::Duration;

/// Notes the code of a refusal, for whoever judges the whole run (`tests/codes.rs`).
pub fn note_code(body: &[u8]) {
    if std::env::var_os("NEXTEST").is_some() {
        return; // nobody judges there
    }
    let Ok(problem) = serde_json::from_slice::<Value>(body) else { return };
    let known = CODES.iter().find(|row| problem["code"] == row.code && problem["type"].is_string());
    if let Some(row) = known {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(folder().join(row.code), "").unwrap();
    }
}

/// The tests' own sources, which is quick: a code that stands in none of them is one that nobody was ever answered. Whether
/// somebody really was, a whole run tells.
#[test]
fn every_code_stands_in_some_test() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api");
    let mut sources = String::new();
    let mut open = vec![std::path::PathBuf::from(folder)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            sources += &std::fs::read_to_string(path).unwrap();
        }
    }
    let never: Vec<_> =
        CODES.iter().map(|row| row.code).filter(|code| !sources.contains(&format!("\"{code}\""))).collect();
    assert!(never.is_empty(), "no test is answered with {never:?}");
}

/// A transaction of somebody else that holds what the service needs, until it is let go.
pub async fn hold(world: &TestApp, sql: &str) -> PgConnection {
    let mut other = world.connection().await;
    sqlx::raw_sql(AssertSqlSafe(format!("begin; {sql}"))).execute(&mut other).await.unwrap();
    other
}

pub async fn let_go(other: PgConnection) {
    let mut other = other;
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn bills_that_cannot_be() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill verification");
    let mut early = new_bill();
    early["submitted_on"] = json!("2016-12-31");
    system.post_once("/v1/bills", "a", &early).await.expect_refusal(422, "fee_not_in_force");

    world
        .register(&["079185000001,,Nguyễn Thị Hòa,1985-03-15,female,0901234567,79,active,,2,poor_household"])
        .await;
    let question = json!({
        "number": "079185000001", "attributes": { "name": "Nguyễn Thị Hòa" }, "purpose": "Tính phí",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
    });
    let known = system.post_once("/v1/verifications", "q", &question).await.expect(201).json();
    let mut poor = new_bill();
    poor["applicant"]["verification"] = known["id"].clone();
    system.post_once("/v1/bills", "b", &poor).await.expect_refusal(422, "nothing_to_pay");

    let bill = office.bill(&world, "c").await;
    let cancel = format!("/v1/bills/{}/cancel", bill["id"].as_str().unwrap());
    let withdrawn = system.post_once(&cancel, "d", &Value::Null).await.expect(200).json();
    let again = system.post_once(&cancel, "d", &Value::Null).await.expect(200).json();
    assert_eq!(again, withdrawn, "the names too, though no key keeps them in the clear");
    let name = withdrawn["parties"]["applicant"]["name"].as_str().unwrap();
    let kept = world.dump("idempotency_key").await;
    assert!(!kept.contains(name) && !kept.contains("trace"), "{kept}");
    system.post_once(&cancel, "e", &Value::Null).await.expect_refusal(409, "bill_already_cancelled");

    let dear = "00000000-0000-0000-0000-00000000000d";
    let of = format!(r#"'{{"schedule_id": "{dear}", "unit_amount": 9223372036854775807}}'"#);
    let another = format!(
        "insert into fee_schedule (id, digest, imported_at) select '{dear}', sha256('dear'), imported_at + '1 s' from fee_schedule;
         insert into fee_procedure select (jsonb_populate_record(p, {of})).* from fee_procedure p;
         insert into fee_item select (jsonb_populate_record(i, {of})).* from fee_item i;"
    );
    world.sql(&another).await.unwrap();
    system.post_once("/v1/bills", "f", &new_bill()).await.expect_refusal(422, "amount_too_large");
    let poorest = Office::open(&world, "H29.15").await;
    world.sql("delete from agency_collection; delete from agency_account").await.unwrap();
    world
        .sql("update fee_schedule set discontinued_from = '2026-01-01' where digest = sha256('dear')")
        .await
        .unwrap();
    let system = poorest.system(&world, "bill");
    let mut theirs = new_bill();
    theirs["dossier"] = json!("H29.15-261124-0001");
    system.post_once("/v1/bills", "g", &theirs).await.expect_refusal(422, "agency_account_missing");
}

#[tokio::test]
async fn a_case_in_other_hands() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    for (message, reference) in [(1, "R1"), (2, "R2")] {
        let told = world.credit(message, reference, 205_000, &payment);
        world.tell(&told).await.expect(200);
    }
    let found = office.system(&world, "case.read").get("/v1/cases").await.expect(200).json();
    let resolve = format!("/v1/cases/{}/resolve", found["items"][0]["id"].as_str().unwrap());
    let ended = json!({ "resolution": "explained", "words": "Đã rõ." });
    let taken = "update \"case\" set state = 'assigned', owner_id = '00000000-0000-0000-0000-000000000001'";
    let other = hold(&world, taken).await;
    let system = office.system(&world, "case");
    let (answer, ()) = tokio::join!(system.post_once(&resolve, "a", &ended), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let_go(other).await;
    });
    answer.expect_refusal(409, "case_moved");
    system.post_once(&resolve, "a", &ended).await.expect_refusal(409, "case_held_by_another");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_told_to_come_again() {
    let world = TestApp::start_with(Limits { request_timeout_ms: 1_500, ..Limits::default() }).await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let other = hold(&world, "lock table bill in access exclusive mode").await;
    let answer = system.post_once("/v1/bills", "slow", &new_bill()).await;
    assert!(answer.headers.contains_key("retry-after"));
    answer.expect_refusal(503, "try_again");
    let_go(other).await;
    let issued = system.post_once("/v1/bills", "slow", &new_bill()).await.expect(201).json();
    assert_eq!(world.count("bill").await, 1, "{issued}");
}

#[tokio::test]
async fn a_key_that_another_node_claims_is_waited_for() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let claim = |key: &str| {
        format!(
            "insert into idempotency_key (client_id, key, digest, object, answer, at)
             values ('{}', '{key}', sha256('another body'), gen_random_uuid(), 'null', now())",
            office.client.uuid()
        )
    };
    let body = new_bill();
    let asked = async |key: &str, undone: bool| {
        let mut other = hold(&world, &claim(key)).await;
        let (answer, ()) = tokio::join!(system.post_once("/v1/bills", key, &body), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if undone {
                sqlx::raw_sql("rollback; begin").execute(&mut other).await.unwrap();
            }
            let_go(other).await;
        });
        answer
    };
    asked("undone", true).await.expect(201);
    asked("done", false).await.expect_refusal(409, "idempotency_key_reused");
    assert_eq!(world.count("bill").await, 1);

    // A refusal gives its key back, also where the batch writes something else.
    let mut early = new_bill();
    early["submitted_on"] = json!("2016-12-31");
    let (refused, issued) = tokio::join!(
        system.post_once("/v1/bills", "again", &early),
        system.post_once("/v1/bills", "beside", &body)
    );
    refused.expect_refusal(422, "fee_not_in_force");
    issued.expect(201);
    assert_eq!(world.count("idempotency_key where key = 'again'").await, 0);
    system.post_once("/v1/bills", "again", &body).await.expect(201);
}

#[tokio::test]
async fn a_service_that_cannot_just_now() {
    let world = TestApp::start_with(Limits { queue_max: 1, batch_max: 1, ..Limits::default() }).await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "first").await;
    let system = office.system(&world, "bill");
    let cancel = format!("/v1/bills/{}/cancel", bill["id"].as_str().unwrap());
    let name = lock_name(office.client, "busy");
    let other = hold(&world, &format!("select pg_advisory_xact_lock({name})")).await;
    let again = system.post_once(&cancel, "busy", &Value::Null).await;
    assert!(again.headers.contains_key("retry-after"));
    again.expect_refusal(425, "request_in_progress");
    let_go(other).await;

    // Whoever writes bills waits for somebody else; one may queue behind, the next is sent away.
    let other = hold(&world, "lock table bill in access exclusive mode").await;
    let ask = |key: &'static str| {
        let (system, body) = (office.system(&world, "bill"), new_bill());
        async move { system.post_once("/v1/bills", key, &body).await }
    };
    let (one, two, three, four, ()) = tokio::join!(ask("1"), ask("2"), ask("3"), ask("4"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let_go(other).await;
    });
    let sent_away = [one, two, three, four].into_iter().filter(|answer| answer.status == 503);
    let mut sent_away = sent_away.map(|answer| answer.expect_refusal(503, "too_busy")).collect::<Vec<_>>();
    assert!(sent_away.pop().is_some());

    let others = "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and pid <> pg_backend_pid()";
    world.sql(others).await.unwrap();
    let read = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let reader = office.system(&world, "bill.read");
    reader.get(&read).await.expect_refusal(503, "try_again");

    let mut answer = reader.get(&read).await;
    while answer.status == 503 {
        answer = reader.get(&read).await;
    }
    answer.expect(200);
    world.sql("update bill_content set lines = '{}'").await.unwrap();
    let broken = reader.get(&read).await.expect_refusal(500, "internal");
    assert!(!broken.text().contains("bill_content"), "what went wrong inside never shows");
    assert!(!broken.text().contains(ACCOUNT));
}

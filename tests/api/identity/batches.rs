//! Many questions in one file: uploaded in parts, resumed, answered chunk by chunk, given back signed.

use super::{PEOPLE, import};
use crate::office::Office;
use crate::world::{Actor, Answer, TestApp, slowly};
use chung::codec::batch_result::verify;
use chung::config::Limits;
use chung::crypto::{digest::sha256, keyring::Purpose, signing::KeyList};
use chung::flow::{retention::retain, run_batches::run_batches};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn start(limits: Limits) -> (TestApp, Office, Actor) {
    let world = TestApp::start_with(limits).await;
    import(&world, PEOPLE).await.unwrap();
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "verification event.read");
    (world, office, system)
}

fn new_batch(format: &str) -> Value {
    json!({ "purpose": "Rà soát đối tượng hưởng trợ cấp", "procedure": "2.000488", "officer": "hoa.nt", "format": format })
}

async fn open(system: &Actor, key: &str, format: &str) -> String {
    let batch =
        system.post_once("/v1/verifications/batches", key, &new_batch(format)).await.expect(201).json();
    format!("/v1/verifications/batches/{}", batch["id"].as_str().unwrap())
}

async fn upload(system: &Actor, path: &str, offset: usize, part: &[u8], complete: bool) -> Answer {
    let request = system
        .request(Method::PATCH, &format!("{path}/rows"))
        .header("upload-offset", offset.to_string())
        .header("upload-complete", if complete { "?1" } else { "?0" })
        .header("content-type", "application/octet-stream")
        .body(part.to_vec());
    system.send(request).await
}

async fn run(world: &TestApp) {
    while run_batches(&world.app).await.unwrap() {}
}

/// The lines of a result, and whether the last one signs the others.
async fn result(world: &TestApp, system: &Actor, path: &str) -> (Vec<Value>, Value) {
    let text = system.get(&format!("{path}/result")).await.expect(200).text();
    let (lines, last) = text.trim_end().rsplit_once('\n').unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    let keys = KeyList::from_jwks(&world.app.keys.jwks(Purpose::Record).to_string()).unwrap();
    let digest = sha256(format!("{lines}\n").as_bytes());
    let said = verify(last["signed"].as_str().unwrap(), &digest, &keys).unwrap();
    assert!(verify(last["signed"].as_str().unwrap(), &sha256(lines.as_bytes()), &keys).is_err());
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, serde_json::to_value(said).unwrap())
}

#[tokio::test]
async fn a_part_may_come_slowly_and_one_that_stalls_is_refused_by_name_and_gone_on_from() {
    let limits = Limits {
        request_timeout_ms: 2_500,
        upload_window_ms: 1_000,
        upload_window_bytes_min: 60,
        ..Limits::default()
    };
    let (_world, _, system) = start(limits).await;
    let path = open(&system, "b", "csv").await;
    let file = format!("number,name\n{}", "079185000001,Nguyen Thi Hoa\n".repeat(40));
    let slow = async |offset: usize, at_once: usize, ends: bool| {
        let request = system
            .request(Method::PATCH, &format!("{path}/rows"))
            .header("upload-offset", offset.to_string())
            .header("content-type", "application/octet-stream")
            .body(slowly(&file.as_bytes()[offset..], at_once, std::time::Duration::from_millis(200), ends));
        system.send(request).await
    };
    slow(0, 400, false).await.expect_refusal(408, "upload_stalled");
    let kept = system.get(&path).await.expect(200).json()["bytes"].as_u64().unwrap();
    let kept = usize::try_from(kept).unwrap();
    slow(kept, (file.len() - kept) / 20, true).await.expect(200);
    let whole = system.get(&path).await.expect(200).json();
    assert_eq!(whole["rows_received"], 40, "{whole}");
}

#[tokio::test]
async fn a_file_is_uploaded_in_parts_goes_on_where_it_broke_off_and_comes_back_signed() {
    let limits = Limits { number_asks_portal_max: 10_000, number_asks_max: 10_000, ..Limits::default() };
    let (world, office, system) = start(limits).await;
    let path = open(&system, "b", "csv").await;
    let mut file = "number,name,birth_date,ref\n".to_owned();
    for i in 0..2_400 {
        let (number, name) =
            if i % 3 == 0 { ("079085000004", "Lê Lai") } else { ("079185000001", "Nguyễn Thị Hòa") };
        file += &format!("{number},{name},,r{i}\n");
    }
    let file = file.trim_end().as_bytes();
    // The first part ends in the middle of a line; what is kept ends with a whole one.
    let cut = 40_000;
    let kept = upload(&system, &path, 0, &file[..cut], false).await.expect(200).json();
    let offset = usize::try_from(kept["bytes"].as_u64().unwrap()).unwrap();
    assert!(offset <= cut && file[offset - 1] == b'\n', "{kept}");
    let refused =
        upload(&system, &path, 7, &file[7..], true).await.expect_refusal(409, "upload_offset_wrong");
    assert_eq!(refused.json()["about"], offset.to_string());
    system.get(&format!("{path}/result")).await.expect_refusal(409, "batch_not_finished");
    assert!(!run_batches(&world.app).await.unwrap(), "nothing runs before the file is whole");
    let whole = upload(&system, &path, offset, &file[offset..], true).await.expect(200).json();
    assert_eq!((&whole["state"], &whole["rows_received"]), (&json!("running"), &json!(2_400)));
    upload(&system, &path, file.len(), b"", true).await.expect_refusal(409, "batch_closed");

    assert!(run_batches(&world.app).await.unwrap());
    let halfway = system.get(&path).await.expect(200).json();
    let done = halfway["rows_done"].as_i64().unwrap();
    assert!(done > 0 && done < 2_400 && halfway["result_url"].is_null(), "{halfway}");
    run(&world).await;
    let finished = system.get(&path).await.expect(200).json();
    assert_eq!((&finished["state"], &finished["rows_done"]), (&json!("finished"), &json!(2_400)));
    let (lines, said) = result(&world, &system, &path).await;
    assert_eq!(lines.len(), 2_400);
    for (i, line) in lines.iter().enumerate() {
        let state = if i % 3 == 0 { "no_match" } else { "match" };
        assert_eq!(
            (&line["row"], &line["ref"], &line["state"]),
            (&json!(i + 1), &json!(format!("r{i}")), &json!(state))
        );
        assert_eq!(
            line["attributes"]["name"].is_null(),
            i % 3 == 0,
            "a failure does not tell which attribute failed"
        );
    }
    assert_eq!(said["outcomes"], json!({ "match": 1_600, "no_match": 800 }));
    assert_eq!((&said["agency"], &said["rows"]), (&json!(office.agency.to_string()), &json!(2_400)));
    // Each row stands in the history of the person it was about.
    assert_eq!(world.count("audit_detail where citizen_id is not null").await, 2_400);
    for table in ["verification_batch", "verification_batch_chunk", "slip"] {
        let dump = world.dump(table).await;
        assert!(!dump.contains("079185000001") && !dump.contains(&hex::encode("079185000001")), "{table}");
    }
    let told = system.get("/v1/events").await.expect(200).json();
    assert_eq!(told["items"][0]["type"], "batch.finished");
    let slip = lines[0]["slip"].as_str().unwrap();
    let page = world.stranger().get(&format!("/slips/{slip}")).await.expect(200).text();
    assert!(page.contains("Rà soát đối tượng hưởng trợ cấp"));
    let other = Office::open(&world, "H29.15").await.system(&world, "verification");
    other.get(&path).await.expect_refusal(404, "not_found");
    other.get(&format!("{path}/result")).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn bad_rows_and_numbers_asked_too_often_are_answered_by_why() {
    let (world, _, system) = start(Limits { number_asks_portal_max: 2, ..Limits::default() }).await;
    let path = open(&system, "b", "jsonl").await;
    let hoa = json!({ "number": "079185000001", "name": "Nguyễn Thị Hòa" });
    let rows = [
        hoa.to_string(),
        "{broken".to_owned(),
        json!({ "ref": "x", "number": "1", "name": "An" }).to_string(),
        json!({ "number": "079185000001", "sex": "female" }).to_string(),
        String::new(),
        hoa.to_string(),
        hoa.to_string(),
        json!({ "number": "079185000077", "name": "An" }).to_string(),
    ];
    upload(&system, &path, 0, rows.join("\n").as_bytes(), true).await.expect(200);
    run(&world).await;
    let (lines, said) = result(&world, &system, &path).await;
    let told: Vec<&str> = lines
        .iter()
        .map(|line| ["state", "wrong", "held"].iter().find_map(|member| line[*member].as_str()).unwrap())
        .collect();
    let expected = [
        "match",
        "shape",
        "number",
        "name_or_birth_date_needed",
        "match",
        "number_asked_too_often",
        "not_on_record",
    ];
    assert_eq!(told, expected);
    assert_eq!((&lines[2]["ref"], &said["outcomes"]["unreadable"]), (&json!("x"), &json!(3)));
}

#[tokio::test]
async fn a_batch_keeps_to_the_policy_the_quota_and_the_bounds() {
    let (world, office, system) = start(Limits { batch_rows_max: 3, ..Limits::default() }).await;
    let path = open(&system, "a", "csv").await;
    upload(&system, &path, 0, b"number,religion\n", false).await.expect_refusal(400, "invalid_body");
    let rows = |count: usize| format!("number,name\n{}", "079185000001,An\n".repeat(count));
    upload(&system, &path, 0, rows(4).as_bytes(), true).await.expect_refusal(422, "batch_too_large");
    let long = format!("number,name\n079185000001,{}", "x".repeat(9_000));
    let kept = system.get(&path).await.json()["bytes"].as_u64().unwrap();
    let offset = usize::try_from(kept).unwrap();
    upload(&system, &path, offset, &long.as_bytes()[offset..], true)
        .await
        .expect_refusal(400, "invalid_body");
    for (name, value) in [("upload-offset", "x"), ("upload-complete", "yes")] {
        let request = system.request(Method::PATCH, &format!("{path}/rows")).header("upload-offset", "0");
        let request = if name == "upload-offset" {
            system.request(Method::PATCH, &format!("{path}/rows"))
        } else {
            request
        };
        system.send(request.header(name, value)).await.expect_refusal(400, "invalid_parameter");
    }

    let policy = json!({
        "attributes": ["birth_date"], "predicates": [], "name_rule": "standard-1", "daily_quota": 2,
        "purposes": ["Rà soát đối tượng hưởng trợ cấp"],
    });
    let admin = office.system(&world, "admin");
    admin.post_once(&format!("/v1/clients/{}/policy", office.client), "p", &policy).await.expect(201);
    let mut foreign = new_batch("csv");
    foreign["purpose"] = json!("Tò mò");
    system.post_once("/v1/verifications/batches", "f", &foreign).await.expect_refusal(403, "policy_forbids");
    let path = open(&system, "b", "csv").await;
    upload(&system, &path, 0, rows(3).as_bytes(), true).await.expect_refusal(429, "quota_spent");
    assert_eq!(system.get(&path).await.json()["state"], "receiving");
    let path = open(&system, "c", "csv").await;
    upload(&system, &path, 0, rows(2).as_bytes(), true).await.expect(200);
    run(&world).await;
    let (lines, _) = result(&world, &system, &path).await;
    assert_eq!(lines[0]["held"], "policy_forbids");
    office
        .system(&world, "verification.read")
        .post_once("/v1/verifications/batches", "r", &new_batch("csv"))
        .await
        .expect_refusal(403, "scope_missing");
}

#[tokio::test]
async fn blank_lines_are_passed_over_and_bound_like_all_else() {
    let (world, _office, system) = start(Limits { batch_rows_max: 200, ..Limits::default() }).await;
    let path = open(&system, "a", "csv").await;
    let blank = " \n".repeat(1 << 18);
    let file = format!("number,name\n079185000001,An\n{blank}079185000001,Hòa");
    upload(&system, &path, 0, file.as_bytes(), true).await.expect(200);
    let kept = system.get(&path).await.json();
    assert_eq!((&kept["bytes"], &kept["rows_received"]), (&json!(file.len()), &json!(2)));
    assert_eq!(world.count("verification_batch_chunk where length(lines) < 1000").await, 1);
    run(&world).await;
    let (lines, _) = result(&world, &system, &path).await;
    assert_eq!(lines.iter().map(|line| &line["row"]).collect::<Vec<_>>(), [1, 2]);

    // Blank lines alone move an upload on, and end where rows would.
    let path = open(&system, "b", "jsonl").await;
    let part = upload(&system, &path, 0, blank.as_bytes(), false).await.expect(200).json();
    assert_eq!((&part["bytes"], &part["rows_received"]), (&json!(blank.len()), &json!(0)));
    let rest = "\n".repeat(200 * (8 << 10));
    upload(&system, &path, blank.len(), rest.as_bytes(), true).await.expect_refusal(422, "batch_too_large");
}

#[tokio::test]
async fn a_file_that_does_not_come_to_its_end_is_forgotten_and_few_may_wait() {
    let (world, office, system) = start(Limits::default()).await;
    let mut paths = Vec::new();
    for n in 0..16 {
        paths.push(open(&system, &format!("k{n}"), "csv").await);
    }
    system
        .post_once("/v1/verifications/batches", "more", &new_batch("csv"))
        .await
        .expect_refusal(409, "batches_too_many");
    let file = "number,name\n079185000001,An\n";
    upload(&system, &paths[0], 0, file.as_bytes(), false).await.expect(200);
    upload(&system, &paths[1], 0, file.as_bytes(), true).await.expect(200);
    world.later(Duration::from_secs(8 * 86_400));
    while retain(&world.app).await.unwrap() > 0 {}
    assert_eq!(
        (world.count("verification_batch").await, world.count("verification_batch_chunk").await),
        (1, 1)
    );
    let system = office.system(&world, "verification event.read");
    upload(&system, &paths[0], file.len(), b"x", true).await.expect_refusal(404, "not_found");
    run(&world).await;
    assert_eq!(result(&world, &system, &paths[1]).await.0.len(), 1);
    open(&system, "again", "csv").await;

    // Whole batches go as single answers do.
    world.later(Duration::from_secs(4_100 * 86_400));
    while retain(&world.app).await.unwrap() > 0 {}
    assert_eq!(
        (world.count("verification_batch").await, world.count("verification_batch_chunk").await),
        (0, 0)
    );
}

#[tokio::test]
async fn rows_ask_without_values_and_a_law_on_the_list_passes_a_lock() {
    let (world, office, system) = start(Limits::default()).await;
    let law = "Luật Bảo hiểm xã hội 41/2024/QH15, Điều 9";
    let mut lawful = new_batch("csv");
    lawful["legal_basis"] = json!(law);
    system
        .post_once("/v1/verifications/batches", "l", &lawful)
        .await
        .expect_refusal(422, "legal_basis_unknown");
    let mut empty = lawful.clone();
    empty["legal_basis"] = json!("");
    system.post_once("/v1/verifications/batches", "e", &empty).await.expect_refusal(400, "invalid_body");
    let admin = office.system(&world, "admin");
    let list = format!("/v1/clients/{}/legal_bases", office.client);
    admin.post_once(&list, "list", &json!({ "basis": law, "valid_from": "2026-01-01" })).await.expect(201);
    let browser = crate::board::signed_in(&world, ("079185000001", "+84912345678"), "/me/locks").await;
    let token = browser.get("/me/locks").await.expect(200).form_field("form_token");
    let lock = [("form_token", token.as_str()), ("scope", "verifications"), ("portal", ""), ("last_day", "")];
    browser.post_form("/me/locks", &lock).await.expect(303);

    let file = "number,name,age_at_least,on,birth_date_known_to,resident_of\n\
        079185000001,Nguyễn Thị Hòa,41,2026-11-24,day,79\n\
        079185000001,Lê Lai,18,2026-11-24,,\n\
        079085000004,Đỗ Văn Được,,,,01\n\
        079085000004,Đỗ Văn Được,18,someday,,\n";
    let answers = async |key: &str, body: &Value, withdrawn: bool| {
        let batch = system.post_once("/v1/verifications/batches", key, body).await.expect(201).json();
        let path = format!("/v1/verifications/batches/{}", batch["id"].as_str().unwrap());
        upload(&system, &path, 0, file.as_bytes(), true).await.expect(200);
        if withdrawn {
            let over = json!({ "basis": law, "valid_from": "2026-01-01", "valid_to": "2026-11-23" });
            admin.post_once(&list, "over", &over).await.expect(201);
        }
        run(&world).await;
        result(&world, &system, &path).await
    };
    let (lines, said) = answers("a", &lawful, false).await;
    assert_eq!((&said["legal_basis"], &lines[0]["state"]), (&json!(law), &json!("match")));
    let told = |line: &Value| -> Vec<Value> {
        line["predicates"].as_array().unwrap().iter().map(|one| one["answer"].clone()).collect()
    };
    let mut first = told(&lines[0]);
    first.sort_by_key(Value::to_string);
    assert_eq!(first, [json!("yes"), json!("yes"), json!("yes")], "{}", lines[0]);
    assert_eq!((&lines[1]["state"], told(&lines[1])), (&json!("no_match"), vec![Value::Null]));
    assert_eq!(
        (&lines[2]["predicates"][0]["resident_of"], told(&lines[2])),
        (&json!("01"), vec![json!("no")])
    );
    assert_eq!(lines[3]["wrong"], "predicates");
    assert!(lines.iter().all(|line| !line.to_string().contains("1985")));
    // Without the law the lock holds; the law withdrawn while the file waits holds every row.
    let (lines, said) = answers("b", &new_batch("csv"), false).await;
    assert_eq!((&lines[0]["state"], &said["legal_basis"]), (&json!("locked"), &Value::Null));
    let (lines, said) = answers("c", &lawful, true).await;
    assert_eq!(lines[0]["held"], "legal_basis_unknown");
    assert_eq!(said["outcomes"], json!({ "legal_basis_unknown": 3, "unreadable": 1 }));
    assert!(browser.get("/me").await.expect(200).text().contains(law));

    // The portal's policy holds for predicates, row by row.
    let narrow = json!({ "attributes": ["name"], "predicates": ["age_at_least"], "name_rule": "standard-1" });
    admin.post_once(&format!("/v1/clients/{}/policy", office.client), "p", &narrow).await.expect(201);
    let (lines, _) = answers("d", &new_batch("csv"), false).await;
    assert_eq!((&lines[0]["held"], &lines[1]["state"]), (&json!("policy_forbids"), &json!("no_match")));
}

#[tokio::test]
async fn a_batch_of_a_suspended_portal_waits() {
    let (world, office, system) = start(Limits::default()).await;
    let path = open(&system, "b", "csv").await;
    upload(&system, &path, 0, "number,name\n079185000001,Nguyễn Thị Hòa\n".as_bytes(), true)
        .await
        .expect(200);
    let client = office.client.uuid();
    world.sql(&format!("update client set state = 'suspended' where id = '{client}'")).await.unwrap();
    assert!(run_batches(&world.app).await.unwrap());
    assert!(!run_batches(&world.app).await.unwrap(), "it is left alone for a while");
    assert_eq!(world.count("audit_leaf where kind = 'verification.answered'").await, 0);
    world.sql(&format!("update client set state = 'active' where id = '{client}'")).await.unwrap();
    world.later(std::time::Duration::from_secs(600));
    run(&world).await;
    assert_eq!(system.get(&path).await.json()["state"], "finished");
}

#[tokio::test]
async fn two_workers_answer_each_chunk_once() {
    let limits = Limits { number_asks_portal_max: 10_000, number_asks_max: 10_000, ..Limits::default() };
    let (world, _, system) = start(limits).await;
    let path = open(&system, "b", "csv").await;
    let file = format!("number,name\n{}", "079185000001,Nguyễn Thị Hòa\n".repeat(3_000));
    upload(&system, &path, 0, file.as_bytes(), true).await.expect(200);
    tokio::join!(run(&world), run(&world));
    assert_eq!(system.get(&path).await.json()["rows_done"], 3_000);
    assert_eq!(world.count("audit_leaf where kind = 'verification.answered'").await, 3_000);
}

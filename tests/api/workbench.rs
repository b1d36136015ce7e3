//! The reconciliation workbench: lines and credits put together by hand, by one person or by two, and days that a bank
//! tells again.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::central_bank::entry;
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::world::{Actor, Answer, TestApp};
use chung::base::clock::Clock;
use chung::flow::{pass_on::pass_on, verify_books::verify_books};
use chung::identity::role::Role;
use serde_json::{Value, json};

/// An office with an accountant and an approver, and two bills that were paid.
async fn set() -> (TestApp, Office, Vec<String>) {
    let world = TestApp::start().await;
    people(&world).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, AUDITOR.0, Role::Approver).await;
    let mut payments = Vec::new();
    for n in 1..=2_u128 {
        let bill = office.bill(&world, &format!("k{n}")).await;
        let payment = start(&world, &office, &bill).await;
        world.tell(&world.credit(n, &format!("R{n}"), 205_000, &payment)).await.expect(200);
        payments.push(payment);
    }
    (world, office, payments)
}

/// What the bank's statement of the day says, and nothing else.
pub fn told(world: &TestApp, lines: &[(&str, i64, Option<&String>)]) {
    let now = world.clock.now();
    let entries =
        lines.iter().map(|(reference, dong, named)| entry(reference, *dong, named.map(|p| uuid(p)), now));
    *world.bank.movements.lock().unwrap() = entries.collect();
}

pub async fn fetch(world: &TestApp, office: &Office, key: &str) -> Value {
    let body = json!({ "account": ACCOUNT, "day": "2026-11-24" });
    office.system(world, "statement").post_once("/v1/statements", key, &body).await.expect(200).json()
}

pub async fn cases(world: &TestApp, office: &Office, query: &str) -> Vec<Value> {
    let found = office.system(world, "case.read").get(&format!("/v1/cases{query}")).await;
    found.expect(200).json()["items"].as_array().unwrap().clone()
}

pub async fn put_together(browser: &Actor, office: &Office, cases: &[Value], reason: &str) -> Answer {
    let token = browser.get("/board/matches").await.expect(200).form_field("form_token");
    let agency = office.agency.to_string();
    let mut form = vec![
        ("form_token", &*token),
        ("agency", &agency),
        ("reason", reason),
        ("words", "Ngân hàng ghi gộp."),
    ];
    form.extend(cases.iter().map(|case| ("case", case["id"].as_str().unwrap())));
    browser.post_form("/board/matches", &form).await
}

pub async fn tolerate(world: &TestApp, office: &Office, amount: &str) {
    let set = format!("/v1/agencies/{}/match-tolerance", office.agency);
    let body = json!({ "account": ACCOUNT, "amount": amount });
    office.system(world, "admin").post_once(&set, "tolerance", &body).await.expect(200);
}

pub async fn decide(browser: &Actor, outcome: &str) -> Answer {
    let page = browser.get("/board/matches").await.expect(200);
    let token = page.form_field("form_token");
    let text = page.text();
    let action = text.split("action=\"").map(|rest| rest.split('"').next().unwrap());
    let action = { action }.find(|address| address.ends_with("/decide")).unwrap();
    browser.post_form(action, &[("form_token", &*token), ("outcome", outcome)]).await
}

#[tokio::test]
async fn one_line_that_collects_two_credits_is_suggested_and_matched_by_one_person() {
    let (world, office, _) = set().await;
    told(&world, &[("B1", 410_000, None)]);
    let before = fetch(&world, &office, "a").await;
    assert_eq!(before["reconciliation"]["differing"], 1);
    let open = cases(&world, &office, "?pending=true").await;
    assert_eq!(open.len(), 3);
    let accountant = at_board(&world, ACCOUNTANT).await;
    let page = accountant.get("/board/matches").await.expect(200).text();
    for shown in ["410.000", "205.000\u{a0}đ + 205.000\u{a0}đ", "Thuộc về nhau", "B1"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    put_together(&accountant, &office, &open, "collected").await.expect(303);
    assert!(cases(&world, &office, "?pending=true").await.is_empty());
    let ended = cases(&world, &office, "").await;
    assert!(ended.iter().all(|case| case["resolution"] == "matched"), "{ended:?}");
    put_together(&accountant, &office, &open, "collected").await.expect(409);

    let after = fetch(&world, &office, "b").await;
    let found = &after["reconciliation"];
    assert_eq!((&found["matched"], &found["differing"]), (&json!(1), &json!(0)));
    assert_eq!(found["unexplained"]["amount"], "0");
    assert!(cases(&world, &office, "?pending=true").await.is_empty(), "matching again opens nothing");
    // The one line leads to both dossiers, their fees and receipts; each receipt leads back to it.
    let reading = office.system(&world, "statement.read receipt.read");
    let lines = format!("/v1/statements/{}/lines", after["id"].as_str().unwrap());
    let line = reading.get(&lines).await.expect(200).json()["items"][0].clone();
    assert_eq!((&line["reference"], &line["behind"]["count"]), (&json!("B1"), &json!(2)));
    for one in line["behind"]["items"].as_array().unwrap() {
        assert_eq!((&one["why"], &one["bill"]["dossier"]), (&json!("matched"), &json!("H29.14-261124-0001")));
        assert_eq!(
            (&one["fees"][0]["fee"], &one["fees"][1]["amount"]["amount"]),
            (&json!("LLTP-01"), &json!("5000"))
        );
        assert!(one["fees"][0]["legal_basis"].as_str().unwrap().contains("Circular"), "{one}");
        let receipt = one["receipts"][0]["receipt"].as_str().unwrap();
        let back = reading.get(&format!("/v1/receipts/{receipt}/trace")).await.expect(200).json();
        assert_eq!(back["shown"]["line"], line["line"], "{back}");
    }
    assert_eq!(world.count("audit_leaf where kind = 'case.matched'").await, 1);
    assert!(!world.dump("match_group").await.contains("gộp"), "the words are sealed");
    let path = format!("/v1/cases/{}", ended[0]["id"].as_str().unwrap());
    let noted = office.system(&world, "case.read").get(&path).await.expect(200).json();
    assert_eq!(
        (&noted["notes"][0]["act"], &noted["notes"][0]["words"]),
        (&json!("matched"), &json!("Ngân hàng ghi gộp."))
    );
    let by_hand = json!({ "resolution": "matched", "words": "x" });
    let system = office.system(&world, "case");
    system.post_once(&format!("{path}/resolve"), "r", &by_hand).await.expect_refusal(400, "invalid_body");
}

#[tokio::test]
async fn what_people_found_on_one_line_is_passed_on_while_their_match_holds() {
    let (world, office, _) = set().await;
    let rules = format!("/v1/agencies/{}/payout-rules", office.agency);
    let rule = crate::payouts::rule("phi", "37110001", "2026-11-24");
    office.system(&world, "admin").post_once(&rules, "phi", &rule).await.expect(200);
    told(&world, &[("B1", 410_000, None)]);
    fetch(&world, &office, "a").await;
    pass_on(&world.app).await.unwrap();
    let sent = || world.bank.orders.lock().unwrap().len();
    assert_eq!(sent(), 0, "no line shows either");

    // The match falls with its line before anything goes on.
    let accountant = at_board(&world, ACCOUNTANT).await;
    let open = cases(&world, &office, "?pending=true").await;
    put_together(&accountant, &office, &open, "collected").await.expect(303);
    world.later(std::time::Duration::from_secs(1));
    told(&world, &[]);
    fetch(&world, &office, "b").await;
    assert_eq!(world.count("match_group where state = 'withdrawn'").await, 1);
    pass_on(&world.app).await.unwrap();
    assert_eq!(sent(), 0);

    // Told again and matched again, both go on.
    world.later(std::time::Duration::from_secs(1));
    told(&world, &[("B1", 410_000, None)]);
    fetch(&world, &office, "c").await;
    pass_on(&world.app).await.unwrap();
    assert_eq!(sent(), 0);
    let mut open = cases(&world, &office, "?pending=true").await;
    open.retain(|case| case["kind"] == "missing_there" || !case["stated"].is_null());
    assert_eq!(open.len(), 3, "{open:?}");
    put_together(&accountant, &office, &open, "collected").await.expect(303);
    pass_on(&world.app).await.unwrap();
    assert_eq!(sent(), 1, "one order of the day");
    let passed = "(select distinct payment_id from payout_item where kind = 'phi') as p";
    assert_eq!(world.count(passed).await, 2);
    pass_on(&world.app).await.unwrap();
    assert_eq!(sent(), 1, "and once");
}

#[tokio::test]
async fn many_lines_and_many_credits_are_one_matter_when_they_come_to_the_same() {
    let (world, office, _) = set().await;
    told(&world, &[("B1", 300_000, None), ("B2", 110_000, None)]);
    fetch(&world, &office, "a").await;
    let open = cases(&world, &office, "?pending=true").await;
    assert_eq!(open.len(), 4, "two lines that nobody knows, two credits that no line shows");
    let accountant = at_board(&world, ACCOUNTANT).await;
    put_together(&accountant, &office, &open, "other").await.expect(303);
    assert_eq!(
        world.count("match_group where state = 'matched' and stated = 410000 and held = 410000").await,
        1
    );
    assert_eq!(world.count("match_member where living").await, 4);
    let after = fetch(&world, &office, "b").await;
    let found = &after["reconciliation"];
    assert_eq!((&found["matched"], &found["differing"]), (&json!(2), &json!(0)));
    assert_eq!(found["unexplained"]["amount"], "0");
    assert!(cases(&world, &office, "?pending=true").await.is_empty(), "matching again opens nothing");
}

#[tokio::test]
async fn what_leaves_more_open_than_one_person_may_say_takes_a_second_one() {
    let (world, office, _) = set().await;
    told(&world, &[("B1", 405_000, None)]);
    fetch(&world, &office, "a").await;
    let open = cases(&world, &office, "?pending=true").await;
    let (accountant, approver) = (at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await);
    put_together(&accountant, &office, &[], "bank_fee").await.expect(422);
    put_together(&accountant, &office, &open, "magic").await.expect(400);
    put_together(&approver, &office, &open, "bank_fee").await.expect(403);
    put_together(&accountant, &office, &open, "bank_fee").await.expect(303);
    assert_eq!(cases(&world, &office, "?pending=true").await.len(), 3, "a proposal settles nothing");
    put_together(&accountant, &office, &open, "bank_fee").await.expect(409);
    decide(&accountant, "approve").await.expect(403);
    decide(&accountant, "withdraw").await.expect(303);

    // Within the tolerance one person suffices; the administrators say how much that is.
    let set = format!("/v1/agencies/{}/match-tolerance", office.agency);
    let admin = office.system(&world, "admin");
    let body = |amount: &str| json!({ "account": ACCOUNT, "amount": amount });
    admin.post_once(&set, "x", &body("-1")).await.expect_refusal(400, "invalid_body");
    admin
        .post_once(&set, "y", &json!({ "account": "9", "amount": "1" }))
        .await
        .expect_refusal(404, "not_found");
    office.system(&world, "case").post_once(&set, "z", &body("1")).await.expect(403);
    let stands = admin.post_once(&set, "t", &body("4999")).await.expect(200).json();
    assert_eq!(stands["amount"]["amount"], "4999");
    put_together(&accountant, &office, &open, "bank_fee").await.expect(303);
    assert_eq!(world.count("match_group where state = 'proposed'").await, 1);
    decide(&approver, "approve").await.expect(303);
    assert!(cases(&world, &office, "?pending=true").await.is_empty());
    let shown = accountant.get("/board/matches?lang=en").await.expect(200).text();
    assert!(shown.contains("-5.000") || shown.contains("−5.000"), "{shown}");
    let after = fetch(&world, &office, "b").await;
    assert_eq!(after["reconciliation"]["unexplained"]["amount"], "0");
    let nobody = at_board(&world, NOBODY).await;
    nobody.get("/board/matches").await.expect(403);
    world.stranger().get("/board/matches").await.expect(303);

    // The books keep the rule even against a row that says otherwise.
    world
        .sql("update match_group set decided_by = proposed_by where state = 'matched'")
        .await
        .expect_err("one person alone");
}

#[tokio::test]
async fn a_case_that_leaves_its_sum_open_is_ended_by_two_people_alone() {
    let (world, office, payments) = set().await;
    let all =
        [("R1", 205_000, Some(&payments[0])), ("R2", 195_000, Some(&payments[1])), ("R9", 70_000, None)];
    told(&world, &all);
    fetch(&world, &office, "a").await;
    let open = cases(&world, &office, "?pending=true").await;
    let of = |kind: &str| open.iter().find(|case| case["kind"] == kind).unwrap().clone();
    let (unknown, differs) = (of("unknown_reference"), of("amount"));
    let system = office.system(&world, "case");
    let ended = json!({ "resolution": "explained", "words": "Đã rõ." });
    let accountant = at_board(&world, ACCOUNTANT).await;
    for (n, case) in [&unknown, &differs].into_iter().enumerate() {
        let path = format!("/v1/cases/{}", case["id"].as_str().unwrap());
        let resolve = format!("{path}/resolve");
        system.post_once(&resolve, &format!("r{n}"), &ended).await.expect_refusal(409, "case_needs_second");
        let page = format!("/board/cases/{}", case["id"].as_str().unwrap());
        let shown = accountant.get(&page).await.expect(200);
        assert!(
            shown.text().contains("người thứ hai duyệt") && !shown.text().contains("value=\"explained\"")
        );
        let form =
            [("form_token", &*shown.form_field("form_token")), ("outcome", "explained"), ("words", "Đã rõ.")];
        accountant.post_form(&format!("{page}/settle"), &form).await.expect(409);
        assert_eq!(system.get(&path).await.expect(200).json()["state"], "open");
    }
    // Alone it is a match of one, and waits for somebody else.
    put_together(&accountant, &office, std::slice::from_ref(&unknown), "other").await.expect(303);
    put_together(&accountant, &office, std::slice::from_ref(&differs), "bank_fee").await.expect(303);
    assert_eq!(cases(&world, &office, "?pending=true").await.len(), 2);
    let approver = at_board(&world, AUDITOR).await;
    decide(&approver, "approve").await.expect(303);
    decide(&approver, "approve").await.expect(303);
    assert!(cases(&world, &office, "?pending=true").await.is_empty());
    let after = fetch(&world, &office, "b").await;
    let found = &after["reconciliation"];
    assert_eq!((&found["matched"], &found["differing"]), (&json!(3), &json!(0)));
    assert_eq!(found["unexplained"]["amount"], "0");
    assert!(cases(&world, &office, "?pending=true").await.is_empty(), "matching again opens nothing");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);

    // Within what one person may say it needs nobody else.
    world.later(std::time::Duration::from_secs(1));
    tolerate(&world, &office, "70000").await;
    told(&world, &[all[0], all[1], all[2], ("R10", 70_000, None), ("R11", 70_001, None)]);
    fetch(&world, &office, "c").await;
    let waiting = cases(&world, &office, "?pending=true").await;
    for case in &waiting {
        let resolve = format!("/v1/cases/{}/resolve", case["id"].as_str().unwrap());
        let answer = system.post_once(&resolve, resolve.as_str(), &ended).await;
        if case["stated"]["amount"] == "70000" {
            answer.expect(200);
        } else {
            answer.expect_refusal(409, "case_needs_second");
        }
    }
    assert_eq!(cases(&world, &office, "?pending=true").await.len(), 1);
}

#[tokio::test]
async fn what_people_said_of_a_line_holds_until_its_own_credit_comes() {
    let (world, office, payments) = set().await;
    let all =
        [("R1", 205_000, Some(&payments[0])), ("R2", 205_000, Some(&payments[1])), ("R9", 70_000, None)];
    told(&world, &all);
    fetch(&world, &office, "a").await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let unknown = cases(&world, &office, "?pending=true").await;
    put_together(&accountant, &office, &unknown, "other").await.expect(303);
    decide(&at_board(&world, AUDITOR).await, "approve").await.expect(303);
    let path = format!("/v1/cases/{}", unknown[0]["id"].as_str().unwrap());
    let system = office.system(&world, "case.read");
    assert_eq!(system.get(&path).await.expect(200).json()["resolution"], "matched");

    // The bank's notification was late: now the money is in suspense, under the very reference.
    let late = crate::central_bank::credit(9, ACCOUNT, "R9", 70_000, None, world.clock.now());
    world.tell(&late).await.expect(200);
    let again = fetch(&world, &office, "b").await;
    assert_eq!(again["reconciliation"]["unexplained"]["amount"], "0");
    let case = system.get(&path).await.expect(200).json();
    assert_eq!((&case["state"], &case["resolution"]), (&json!("cleared"), &Value::Null));
    assert_eq!(case["notes"].as_array().unwrap().last().unwrap()["act"], "reopened");
    let waiting = cases(&world, &office, "?pending=true").await;
    assert_eq!(waiting.len(), 1, "the money in suspense is what is left to settle: {waiting:?}");
    assert_eq!(world.count("match_group where state = 'withdrawn'").await, 1);
}

#[tokio::test]
async fn a_day_told_again_is_kept_beside_the_first_and_reversed_until_it_is_shown_again() {
    let (world, office, payments) = set().await;
    told(
        &world,
        &[("R1", 205_000, Some(&payments[0])), ("R2", 205_000, Some(&payments[1])), ("R9", 70_000, None)],
    );
    let first = fetch(&world, &office, "a").await;
    assert_eq!((&first["version"], &first["lines"]), (&json!(1), &json!(3)));
    tolerate(&world, &office, "70000").await;
    let unknown = cases(&world, &office, "?pending=true").await.remove(0);
    let path = format!("/v1/cases/{}", unknown["id"].as_str().unwrap());
    let ended = json!({ "resolution": "explained", "words": "Đã rõ." });
    office.system(&world, "case").post_once(&format!("{path}/resolve"), "r", &ended).await.expect(200);
    let posted = world.count("posting").await;

    world.later(std::time::Duration::from_secs(1));
    told(&world, &[("R2", 205_000, Some(&payments[1])), ("R8", 30_000, None)]);
    let second = fetch(&world, &office, "b").await;
    assert_eq!((&second["id"], &second["version"]), (&first["id"], &json!(2)));
    assert_eq!((&second["lines"], &second["closing"]["amount"]), (&json!(2), &json!("1235000")));
    assert_eq!(second["reconciliation"]["unexplained"]["amount"], "0");
    let again = office.system(&world, "case.read").get(&path).await.expect(200).json();
    assert_eq!((&again["state"], &again["resolution"]), (&json!("open"), &Value::Null));
    assert_eq!(again["stated"], Value::Null, "the bank says nothing of it any more");
    let last = again["notes"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["act"], &last["by"]), (&json!("reopened"), &Value::Null));
    let mut kinds: Vec<String> = Vec::new();
    for case in cases(&world, &office, "?pending=true").await {
        kinds.push(case["kind"].as_str().unwrap().to_owned());
    }
    kinds.sort();
    assert_eq!(kinds, ["missing_there", "unknown_reference", "unknown_reference"]);
    let balance = async |kind: &str| {
        let found = world.balances().await.into_iter().filter(|(of, _)| of == kind);
        found.map(|(_, sum)| sum).sum::<i64>()
    };
    assert_eq!((balance("clearing").await, balance("bank_claim").await), (205_000, 205_000));
    // Nothing that stood was changed.
    assert_eq!(world.count("posting").await, posted + 2);
    assert_eq!((world.count("statement_line").await, world.count("withdrawn_line").await), (4, 2));
    assert_eq!(world.count("statement where lines = 3").await, 1);
    assert_eq!(world.count("receipt").await, 2);

    let reading = office.system(&world, "statement.read");
    let revisions = format!("/v1/statements/{}/revisions", first["id"].as_str().unwrap());
    let told_twice = reading.get(&revisions).await.expect(200).json();
    let (left_out, added) = (&told_twice["items"][1]["left_out"], &told_twice["items"][1]["added"]);
    let references = |lines: &Value| -> Vec<String> {
        lines.as_array().unwrap().iter().map(|line| line["reference"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (references(left_out), references(added)),
        (vec!["R1".into(), "R9".into()], vec!["R8".into()])
    );
    let other = Office::open(&world, "H29.15").await;
    other.system(&world, "statement.read").get(&revisions).await.expect_refusal(404, "not_found");
    let traced = reading.get(&revisions.replace("revisions", "lines")).await.expect(200).json();
    assert_eq!(
        (&traced["items"][0]["left_out"], &traced["items"][1]["left_out"]),
        (&json!(true), &json!(false))
    );
    let accountant = at_board(&world, ACCOUNTANT).await;
    assert!(accountant.get("/board").await.expect(200).text().contains("bản 2"));
    let page = format!("/board/statements/{}", first["id"].as_str().unwrap());
    let shown = accountant.get(&page).await.expect(200).text();
    for part in ["Bản 1", "Bản 2", "R9", "bỏ", "R8", "thêm"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    at_board(&world, NOBODY).await.get(&page).await.expect(404);

    // A third telling shows the money again: the reversal is taken back, and the case about it is gone.
    told(
        &world,
        &[("R1", 205_000, Some(&payments[0])), ("R2", 205_000, Some(&payments[1])), ("R8", 30_000, None)],
    );
    let third = fetch(&world, &office, "c").await;
    assert_eq!(
        (&third["version"], &third["reconciliation"]["unexplained"]["amount"]),
        (&json!(3), &json!("0"))
    );
    assert_eq!((balance("clearing").await, balance("bank_claim").await), (410_000, 0));
    assert_eq!(world.count("\"case\" where kind = 'missing_there' and state = 'cleared'").await, 1);
    let leaves = world.count("audit_leaf").await;
    assert_eq!(fetch(&world, &office, "d").await, third);
    assert_eq!(world.count("audit_leaf").await, leaves, "the same telling again changes nothing");
    assert_eq!(world.count("audit_leaf where kind = 'statement.revised'").await, 2);
    assert!(verify_books(&world.app.store, |_| ()).await.unwrap().finding.is_none());
}

#[tokio::test]
async fn money_that_the_next_day_showed_and_then_did_not_is_claimed_until_it_is_shown_again() {
    let (world, office, payments) = set().await;
    let fetch_of = async |day: &str, key: &str| {
        let system = office.system(&world, "statement");
        let body = json!({ "account": ACCOUNT, "day": day });
        let told = system.post_once("/v1/statements", key, &body).await.expect(200).json();
        assert_eq!(told["reconciliation"]["unexplained"]["amount"], "0", "{told}");
    };
    let waiting = async || -> Vec<Value> {
        let found = cases(&world, &office, "?pending=true").await;
        found.into_iter().map(|case| case["kind"].clone()).collect()
    };
    let balance = async |kind: &str| {
        let found = world.balances().await.into_iter().filter(|(of, _)| of == kind);
        found.map(|(_, sum)| sum).sum::<i64>()
    };
    // Booked on the first day, and told on the second.
    told(&world, &[("R2", 205_000, Some(&payments[1]))]);
    fetch_of("2026-11-24", "a").await;
    assert_eq!(waiting().await, ["missing_there"]);
    world.later(std::time::Duration::from_secs(86_400));
    let late = [("R1", 205_000, Some(&payments[0]))];
    told(&world, &late);
    fetch_of("2026-11-25", "b").await;
    assert!(waiting().await.is_empty());
    assert_eq!(balance("bank_claim").await, 0);

    world.later(std::time::Duration::from_secs(1));
    told(&world, &[]);
    fetch_of("2026-11-25", "c").await;
    assert_eq!(waiting().await, ["missing_there"]);
    assert_eq!((balance("clearing").await, balance("bank_claim").await), (205_000, 205_000));

    world.later(std::time::Duration::from_secs(1));
    told(&world, &late);
    fetch_of("2026-11-25", "d").await;
    assert!(waiting().await.is_empty());
    assert_eq!((balance("clearing").await, balance("bank_claim").await), (410_000, 0));
    assert!(verify_books(&world.app.store, |_| ()).await.unwrap().finding.is_none());
}

//! Days, months and years are closed by two people, with a signed report; the journals leave in the prescribed accounts;
//! and from a line of a statement everything behind it is found, and back.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::central_bank::entry;
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::reachable::{hold, let_go};
use crate::receipt_documents::judged;
use crate::refunds::Scene;
use crate::webhooks::{Receiver, register, tell};
use crate::world::{Actor, TestApp};
use chung::audit::head::TreeHead;
use chung::base::clock::Clock;
use chung::codec::closing_report::{ClosingContent, TYP};
use chung::config::Limits;
use chung::crypto::{jwt, signing::KeyList};
use chung::flow::{long_closings::prepare_long_closing, roles::revoke_role, sequence_audit::sequence_audit};
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;

/// An office in which one bill was paid and the day is over; an accountant and an approver keep its books.
pub async fn set() -> (TestApp, Office, Value) {
    set_within(Limits::default()).await
}

/// The same within other limits.
async fn set_within(limits: Limits) -> (TestApp, Office, Value) {
    let world = TestApp::start_with(limits).await;
    people(&world).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, AUDITOR.0, Role::Approver).await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    let movement = entry("R1", 205_000, Some(uuid(&payment)), world.clock.now());
    world.bank.movements.lock().unwrap().push(movement);
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    sequence_audit(&world.app).await.unwrap();
    world.later(Duration::from_secs(86_400));
    (world, office, bill)
}

pub async fn match_day(world: &TestApp, office: &Office) -> Value {
    let body = json!({ "account": ACCOUNT, "day": "2026-11-24" });
    office.system(world, "statement").post_once("/v1/statements", "s", &body).await.expect(200).json()
}

pub async fn prepare(browser: &Actor, office: &Office, kind: &str, day: &str) -> crate::world::Answer {
    let token = browser.get("/board/closings").await.expect(200).form_field("form_token");
    let agency = office.agency.to_string();
    let form = [("form_token", &*token), ("agency", &*agency), ("kind", kind), ("day", day)];
    browser.post_form("/board/closings", &form).await
}

pub async fn decide(browser: &Actor, closing: &str, outcome: &str) -> crate::world::Answer {
    let token = browser.get(closing).await.expect(200).form_field("form_token");
    browser.post_form(&format!("{closing}/decide"), &[("form_token", &*token), ("outcome", outcome)]).await
}

/// Tries to send back what is approved, with a token of the list; the status.
async fn decide_again(browser: &Actor, closing: &str) -> u16 {
    let token = browser.get(closing).await.expect(200).form_field("form_token");
    let form = [("form_token", &*token), ("outcome", "withdraw")];
    browser.post_form(&format!("{closing}/decide"), &form).await.status
}

#[tokio::test]
async fn a_day_is_closed_by_two_people_with_a_signed_report() {
    let (world, office, _) = set().await;
    let receiver = Receiver::start().await;
    register(&world, &office, &receiver.url, &["closing.approved"]).await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let approver = at_board(&world, AUDITOR).await;
    let early = prepare(&accountant, &office, "day", "2026-11-24").await.expect(409).text();
    assert!(early.contains("chưa có sao kê") && early.contains("2026-11-24"), "{early}");
    prepare(&accountant, &office, "day", "2026-11-25").await.expect(409);
    match_day(&world, &office).await;
    let closing = prepare(&accountant, &office, "day", "2026-11-24").await.expect(303).location();
    prepare(&accountant, &office, "day", "2026-11-24").await.expect(409);

    let page = accountant.get(&closing).await.expect(200).text();
    for shown in ["chờ duyệt", ACCOUNT, "205.000", "H29.14-AP26E-0000001", "Nguyễn Thị Hòa"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("value=\"approve\""), "nobody approves what they prepared");
    decide(&accountant, &closing, "approve").await.expect(403);
    accountant.get(&format!("{closing}/pdf")).await.expect(409);
    decide(&approver, &closing, "approve").await.expect(303);
    assert_eq!(decide_again(&approver, &closing).await, 409);
    let page = accountant.get(&closing).await.expect(200).text();
    assert!(page.contains("đã duyệt") && page.contains("Trần Văn Khỏe"), "{page}");

    let pdf = accountant.get(&format!("{closing}/pdf")).await.expect(200).body;
    assert!(judged(&pdf, "closing").is_none_or(|said| said.contains("Signature is Valid")));
    assert!(accountant.get(&format!("{closing}/xlsx")).await.expect(200).body.starts_with(b"PK"));

    let system = office.system(&world, "statement.read");
    let listed = system.get("/v1/closings").await.expect(200).json();
    assert_eq!((&listed["items"][0]["state"], &listed["next"]), (&json!("approved"), &Value::Null));
    let file = |part: &str| format!("/v1/closings/{}/{part}", listed["items"][0]["id"].as_str().unwrap());
    let again = system.get(&file("pdf")).await.expect(200).body;
    assert_eq!(again, pdf, "it is kept as it was first made");
    system.get(&file("xlsx")).await.expect(200);
    let keys = KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    let signed = system.get(&file("signed")).await.expect(200).text();
    let content: ClosingContent = serde_json::from_value(jwt::verify(&signed, TYP, &keys).unwrap()).unwrap();
    assert_eq!((content.statements[0].matched, content.statements[0].unexplained()), (1, 0));
    let (_, head) = content.head.unwrap();
    assert!(TreeHead::verify(&head, &keys).unwrap().0.size >= 3);

    // The head goes to whoever listens outside.
    tell(&world.app).await;
    assert_eq!(receiver.heard()[0].json()["data"]["tree_head"], json!(head));
    let other = Office::open(&world, "H29.150").await.system(&world, "statement.read");
    other.get(&file("pdf")).await.expect_refusal(404, "not_found");
    at_board(&world, NOBODY).await.get("/board/closings").await.expect(403);
    at_board(&world, NOBODY).await.get(&closing).await.expect(404);
}

/// The same office, where nobody waits for a single line, with its day matched.
async fn long() -> (TestApp, Office, [Actor; 2]) {
    let (world, office, _) = set_within(Limits { lines_waited_for: 0, ..Limits::default() }).await;
    match_day(&world, &office).await;
    let people = [at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await];
    (world, office, people)
}

const HELD_UP: &str = "lock table receipt in access exclusive mode";

#[tokio::test]
async fn a_long_time_is_closed_beside_and_its_page_says_how_far_it_is() {
    let (world, office, [accountant, approver]) = long().await;
    let closing = prepare(&accountant, &office, "day", "2026-11-24").await.expect(303).location();
    assert_eq!(world.count("closing").await, 0, "nobody waited for it");
    let page = approver.get(&closing).await.expect(200).text();
    for shown in ["Đang chờ đến lượt", "http-equiv=\"refresh\"", "24/11/2026", "Báo cáo khóa sổ ngày"]
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // A second press leads to the same work.
    assert_eq!(prepare(&accountant, &office, "day", "2026-11-24").await.expect(303).location(), closing);
    let list = approver.get("/board/closings").await.expect(200).text();
    assert!(list.contains("đang lập") && list.contains(&closing), "{list}");
    accountant.get(&format!("{closing}/pdf")).await.expect(404);
    let token = approver.get("/board/closings").await.expect(200).form_field("form_token");
    let early = [("form_token", &*token), ("outcome", "approve")];
    approver.post_form(&format!("{closing}/decide"), &early).await.expect(404);
    at_board(&world, NOBODY).await.get(&closing).await.expect(404);
    world.stranger().get(&closing).await.expect(303);

    // While it is worked at, whoever looks sees how far it is.
    let other = hold(&world, HELD_UP).await;
    let (worked, ()) = tokio::join!(prepare_long_closing(&world.app), async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let page = accountant.get(&format!("{closing}?lang=en")).await.expect(200).text();
        let shown = ["The ledger of 1 of 1 months is summed", "<progress max=\"1\" value=\"1\""];
        assert!(shown.iter().all(|shown| page.contains(shown)), "{page}");
        assert!(!prepare_long_closing(&world.app).await.unwrap(), "one works at it");
        let_go(other).await;
    });
    assert!(worked.unwrap());
    let page = accountant.get(&format!("{closing}?lang=vi")).await.expect(200).text();
    for shown in ["chờ duyệt", ACCOUNT, "205.000", "H29.14-AP26E-0000001", "Nguyễn Thị Hòa"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("http-equiv=\"refresh\""), "{page}");
    prepare(&accountant, &office, "day", "2026-11-24").await.expect(409);
    decide(&accountant, &closing, "approve").await.expect(403);
    decide(&approver, &closing, "approve").await.expect(303);
    assert!(accountant.get(&format!("{closing}/pdf")).await.expect(200).body.starts_with(b"%PDF"));
    assert!(!prepare_long_closing(&world.app).await.unwrap(), "and it is over");
    // What is short to read is what is long to read.
    world.later(Duration::from_secs(10 * 86_400));
    let accountant = at_board(&world, ACCOUNTANT).await;
    let month = prepare(&accountant, &office, "month", "2026-11-10").await.expect(303).location();
    assert!(prepare_long_closing(&world.app).await.unwrap());
    let page = accountant.get(&month).await.expect(200).text();
    assert!(page.contains("01/11/2026 – 30/11/2026") && page.contains("H29.14-AP26E-0000001"), "{page}");
}

#[tokio::test]
async fn a_closing_whose_run_died_is_taken_up_again_and_prepared_once() {
    let (world, office, [accountant, _]) = long().await;
    let closing = prepare(&accountant, &office, "day", "2026-11-24").await.expect(303).location();
    let other = hold(&world, HELD_UP).await;
    let died = tokio::time::timeout(Duration::from_millis(700), prepare_long_closing(&world.app)).await;
    assert!(died.is_err());
    let_go(other).await;
    assert!(!prepare_long_closing(&world.app).await.unwrap(), "it might live");
    world.later(Duration::from_secs(61));

    // The second run is held up for so long that a third takes its place: only one of them can prepare it.
    let other = hold(&world, HELD_UP).await;
    let (second, third, ()) = tokio::join!(
        prepare_long_closing(&world.app),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            world.later(Duration::from_secs(61));
            prepare_long_closing(&world.app).await
        },
        async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let page = accountant.get(&closing).await.expect(200).text();
            assert!(page.contains("Lần thứ 3"), "{page}");
            let_go(other).await;
        }
    );
    assert!(second.unwrap() && third.unwrap());
    assert_eq!(world.count("closing where state = 'prepared'").await, 1);
    assert_eq!(world.count("audit_leaf where kind = 'closing.prepared'").await, 1);
    assert_eq!(world.count("long_closing where state = 'done'").await, 1);
}

#[tokio::test]
async fn a_long_closing_is_prepared_for_nobody_who_may_not_any_more() {
    let (world, office, _) = set_within(Limits { lines_waited_for: 0, ..Limits::default() }).await;
    match_day(&world, &office).await;
    let granted = grant(&world, NOBODY.0, Role::Accountant).await;
    let (leaves, stays) = (at_board(&world, NOBODY).await, at_board(&world, ACCOUNTANT).await);
    let closing = prepare(&leaves, &office, "day", "2026-11-24").await.expect(303).location();
    revoke_role(&world.app, granted).await.unwrap();
    assert!(prepare_long_closing(&world.app).await.unwrap());
    assert_eq!(world.count("closing").await, 0);
    leaves.get(&closing).await.expect(404);
    let page = stays.get(&closing).await.expect(200).text();
    assert!(page.contains("Không lập được") && !page.contains("http-equiv=\"refresh\""), "{page}");
    assert!(stays.get("/board/closings").await.expect(200).text().contains("không lập được"));
    let again = prepare(&stays, &office, "day", "2026-11-24").await.expect(303).location();
    assert_ne!(again, closing);
    assert!(prepare_long_closing(&world.app).await.unwrap());
    assert!(stays.get(&again).await.expect(200).text().contains("chờ duyệt"));
    assert!(!stays.get("/board/closings").await.expect(200).text().contains("không lập được"));
}

#[tokio::test]
async fn a_month_needs_its_days_and_what_is_sent_back_is_prepared_again() {
    let (world, office, _) = set().await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let approver = at_board(&world, AUDITOR).await;
    match_day(&world, &office).await;
    let first = prepare(&accountant, &office, "day", "2026-11-24").await.expect(303).location();
    decide(&approver, &first, "withdraw").await.expect(303);
    let id = first.rsplit('/').next().unwrap();
    office
        .system(&world, "statement.read")
        .get(&format!("/v1/closings/{id}/pdf"))
        .await
        .expect_refusal(409, "closing_not_approved");
    world.later(Duration::from_secs(10 * 86_400));
    let accountant = at_board(&world, ACCOUNTANT).await;
    let approver = at_board(&world, AUDITOR).await;
    let open = prepare(&accountant, &office, "month", "2026-11-10").await.expect(409).text();
    assert!(open.contains("chưa khóa") && open.contains("2026-11-24"), "{open}");
    let second = prepare(&accountant, &office, "day", "2026-11-24").await.expect(303).location();
    decide(&approver, &second, "approve").await.expect(303);
    let month = prepare(&accountant, &office, "month", "2026-11-10").await.expect(303).location();
    decide(&approver, &month, "approve").await.expect(303);
    let page = accountant.get(&month).await.expect(200).text();
    assert!(page.contains("01/11/2026 – 30/11/2026"), "{page}");
    assert_eq!(world.count("audit_leaf where kind = 'closing.approved'").await, 2);
    world.sql("update closing set state = 'approved', decided_by = prepared_by").await.unwrap_err();
}

#[tokio::test]
async fn a_day_on_which_money_only_left_needs_its_statement_too() {
    let scene = Scene::set(Limits::default()).await;
    let (world, office) = (&scene.world, &scene.office);
    let asked = scene.ask("r", json!({})).await.expect(201).json();
    let refund = asked["id"].as_str().unwrap();
    scene.press(&at_board(world, AUDITOR).await, refund, "approve").await.expect(303);
    world.later(Duration::from_secs(86_400));
    let left = scene.debit("D1", 205_000, refund);
    world.bank.movements.lock().unwrap().push(left.clone());
    scene.debited(7, left).await;
    world.later(Duration::from_secs(86_400));
    let accountant = at_board(world, ACCOUNTANT).await;
    let early = prepare(&accountant, office, "day", "2026-11-25").await.expect(409).text();
    assert!(early.contains("chưa có sao kê") && early.contains("2026-11-25"), "{early}");
    let body = json!({ "account": ACCOUNT, "day": "2026-11-25" });
    office.system(world, "statement").post_once("/v1/statements", "s", &body).await.expect(200);
    prepare(&accountant, office, "day", "2026-11-25").await.expect(303);
}

#[tokio::test]
async fn a_year_needs_the_months_in_which_money_moved() {
    let (world, office, _) = set().await;
    match_day(&world, &office).await;
    world.later(Duration::from_secs(40 * 86_400));
    let accountant = at_board(&world, ACCOUNTANT).await;
    let approver = at_board(&world, AUDITOR).await;
    let open = prepare(&accountant, &office, "year", "2026-06-30").await.expect(409).text();
    assert!(open.contains("chưa khóa") && open.contains("2026-11"), "{open}");
    prepare(&accountant, &office, "year", "2027-01-01").await.expect(409);
    let mut last = String::new();
    for (kind, day) in [("day", "2026-11-24"), ("month", "2026-11-10"), ("year", "2026-06-30")] {
        last = prepare(&accountant, &office, kind, day).await.expect(303).location();
        decide(&approver, &last, "approve").await.expect(303);
    }
    let page = accountant.get(&last).await.expect(200).text();
    assert!(page.contains("01/01/2026 – 31/12/2026") && page.contains("205.000"), "{page}");
    prepare(&accountant, &office, "year", "2026-01-01").await.expect(409);
}

#[tokio::test]
async fn the_journal_is_in_the_prescribed_accounts_with_both_dates() {
    let (world, office, _) = set().await;
    let system = office.system(&world, "statement.read");
    let days = "from=2026-11-01&to=2026-11-30";
    let csv = system.get(&format!("/v1/journals/csv?{days}")).await.expect(200).text();
    let lines: Vec<&str> = csv.trim_start_matches('\u{feff}').lines().collect();
    assert!(lines[0].starts_with("booked_on,bank_day,entry"), "{csv}");
    let debit = lines.iter().find(|line| line.contains(",112,")).unwrap();
    assert!(debit.starts_with("2026-11-24,2026-11-24,") && debit.contains(",205000,"), "{debit}");
    assert!(lines.iter().any(|line| line.contains(",3332,")), "{csv}");
    let sum = |column: usize| -> i64 {
        let rows = lines[1..].iter().map(|line| {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            reader.records().next().unwrap().unwrap()[column].parse::<i64>().unwrap_or(0)
        });
        rows.sum()
    };
    assert_eq!(sum(6), sum(7), "debits are credits");
    assert!(system.get(&format!("/v1/journals/xlsx?{days}")).await.expect(200).body.starts_with(b"PK"));
    // Another regime from a day on leaves what was booked before as it was.
    world
        .sql("insert into chart_mapping values ('clearing', '2026-11-25', '1121', 'Tiền', 'Money', 'x')")
        .await
        .unwrap();
    let again = system.get(&format!("/v1/journals/csv?{days}")).await.expect(200).text();
    assert_eq!(again, csv);
    for wrong in
        ["from=2026-11-30&to=2026-11-01", "from=2020-01-01&to=2026-11-30", "from=2026-11-01", "from=x&to=y"]
    {
        system.get(&format!("/v1/journals/csv?{wrong}")).await.expect_refusal(400, "invalid_parameter");
    }
    let other = Office::open(&world, "H29.150").await.system(&world, "statement.read");
    assert_eq!(other.get(&format!("/v1/journals/csv?{days}")).await.expect(200).text().lines().count(), 1);
}

#[tokio::test]
async fn a_journal_of_many_parts_leaves_whole_and_in_order() {
    let (world, office, _) = set().await;
    let at = (world.clock.now() - Duration::from_secs(86_400)).unix_timestamp() * 1_000;
    let many = format!(
        "with e as (
             insert into ledger_entry (id, booked_on, kind, subject, leaf_id, at)
             select ('{at:012x}70008000' || lpad(to_hex(n), 12, '0'))::uuid, '2026-11-24', 'settled', gen_random_uuid(),
                 gen_random_uuid(), '2026-11-24T02:00:00Z' from generate_series(1, 4500) as n returning id, booked_on)
         insert into posting (entry_id, account_id, amount, booked_on)
         select e.id, l.id, case l.kind when 'clearing' then 7 else -7 end, e.booked_on
         from e cross join ledger_account l where l.kind in ('clearing', 'fee_phi')"
    );
    let system = office.system(&world, "statement.read");
    let days = "/v1/journals/csv?from=2026-11-01&to=2026-11-30";
    let few = system.get(days).await.expect(200).text().lines().count();
    world.sql(&many).await.unwrap();
    let csv = system.get(days).await.expect(200).text();
    assert_eq!(csv.lines().count(), few + 9_000);
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect();
    assert!(rows.is_sorted_by_key(|row| row[2].to_owned()), "in the order of booking");
    let sum = |place: usize| -> i64 { rows.iter().filter_map(|row| row[place].parse::<i64>().ok()).sum() };
    assert_eq!(sum(6), sum(7), "each entry leaves whole");
    let sheet = "/v1/journals/xlsx?from=2026-11-01&to=2026-11-30";
    let sheet = system.get(sheet).await.expect(200).body;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(sheet)).unwrap();
    let mut first = String::new();
    archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut first).unwrap();
    assert_eq!(first.matches("<row ").count(), csv.lines().count(), "the same rows below the same headings");
    for row in [&rows[0], &rows[rows.len() - 1]] {
        assert!(first.contains(&row[2]), "{} stands in it", &row[2]);
    }
    let bad = "/v1/journals/xlsx?from=2026-11-30&to=2026-11-01";
    system.get(bad).await.expect_refusal(400, "invalid_parameter");
}

#[tokio::test]
async fn a_line_leads_to_everything_behind_it_and_a_receipt_leads_back() {
    let (world, office, bill) = set().await;
    let receipts = format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap());
    let system = office.system(&world, "statement.read receipt.read");
    let receipt = system.get(&receipts).await.expect(200).json()["items"][0].clone();
    let trace = format!("/v1/receipts/{}/trace", receipt["id"].as_str().unwrap());
    assert_eq!(system.get(&trace).await.expect(200).json()["shown"], Value::Null);
    let statement = match_day(&world, &office).await;
    let id = statement["id"].as_str().unwrap();
    let lines = system.get(&format!("/v1/statements/{id}/lines")).await.expect(200).json();
    let line = &lines["items"][0];
    assert_eq!((&line["bill"]["bill"], &line["outcome"]), (&bill["id"], &json!("settled")));
    assert_eq!(line["receipts"][0]["number"], receipt["number"]);
    assert_eq!(
        (&line["fees"][0]["fee"], &line["fees"][0]["amount"]["amount"]),
        (&json!("LLTP-01"), &json!("200000"))
    );
    assert!(line["fees"][0]["legal_basis"].as_str().is_some_and(|basis| !basis.is_empty()));
    let back = system.get(&trace).await.expect(200).json();
    assert_eq!((&back["shown"]["line"], &back["shown"]["statement"]), (&line["line"], &statement["id"]));
    let after = system.get(&format!("/v1/statements/{id}/lines?after=1")).await.expect(200).json();
    assert_eq!(after["items"], json!([]));
    system.get(&format!("/v1/statements/{id}/lines?after=x")).await.expect_refusal(400, "invalid_parameter");
    let other = Office::open(&world, "H29.150").await.system(&world, "statement.read receipt.read");
    other.get(&format!("/v1/statements/{id}/lines")).await.expect_refusal(404, "not_found");
    other.get(&trace).await.expect_refusal(404, "not_found");
}

//! Once an agency succeeds another, every report is read by the new tree or by the old one: all of them, whoever adds one.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::books::officer;
use crate::central_bank::entry;
use crate::closings::{decide, match_day, prepare};
use crate::document::{Operation, document};
use crate::office::{Office, uuid};
use crate::payments::start;
use crate::receipt_documents::judged;
use crate::world::{Actor, TestApp};
use chung::base::clock::Clock;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

/// Lists that are no report of an agency, and why.
const NO_REPORT: [(&str, &str); 12] = [
    ("/v1/payments", "the attempts of one bill, which follows its agency"),
    ("/v1/fees", "the schedule, which is everybody's"),
    ("/v1/fees/versions", "the schedule, which is everybody's"),
    ("/v1/fees/evidence", "the evidence of one bill, which follows its agency"),
    ("/v1/mandates", "of one person"),
    ("/v1/mandates/rules", "of the service"),
    ("/v1/events/endpoints", "where a system listens now"),
    ("/v1/agencies", "the agencies themselves"),
    ("/v1/clients", "the clients themselves"),
    ("/v1/roles", "who may act now"),
    ("/v1/keys", "of the service"),
    ("/v1/retention", "of the service"),
];

fn takes_tree(operation: &Operation) -> bool {
    operation.parameters().iter().any(|parameter| parameter["name"] == "tree")
}

#[test]
fn every_report_takes_the_tree() {
    for operation in document().operations().iter().filter(|o| o.method == "GET" && !o.path.contains('{')) {
        let listed = NO_REPORT.iter().any(|(path, _)| *path == operation.path);
        assert!(
            takes_tree(operation) != listed,
            "{}: a report takes `tree`, by `http::tree::InTree`; what is none stands in NO_REPORT",
            operation.path
        );
    }
}

/// Old and new agency, the first closed and succeeded by the second, and a third that has nothing to do with them.
struct Set {
    world: TestApp,
    old: Office,
    new: Office,
    third: Office,
    accountant: Actor,
}

async fn paid(world: &TestApp, office: &Office, account: &str, n: u128) {
    let bill = office.bill(world, &format!("paid-{n}")).await;
    let payment = start(world, office, &bill).await;
    let reference = format!("R{n}");
    let movement = entry(&reference, 205_000, Some(uuid(&payment)), world.clock.now());
    world.bank.movements.lock().unwrap().push(movement);
    let now = world.clock.now();
    let told = crate::central_bank::credit(n, account, &reference, 205_000, Some(uuid(&payment)), now);
    world.tell(&told).await.expect(200);
}

async fn set() -> Set {
    let world = TestApp::start().await;
    people(&world).await;
    let old = Office::open(&world, "H29.14").await;
    let new = Office::open(&world, "H29.15").await;
    let third = Office::open(&world, "H29.150").await;
    let admin = Office::open(&world, "H29").await;
    world
        .sql("update agency set name_vi = 'Sở Cũ', name_en = 'Old Department' where code = 'H29.14'")
        .await
        .unwrap();
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, AUDITOR.0, Role::Approver).await;
    let administrator = officer(&world, NOBODY.0, Role::Administrator, "H29").await;
    paid(&world, &old, crate::office::ACCOUNT, 1).await;
    paid(&world, &new, "699", 2).await;
    old.bill(&world, "open").await;
    world.later(Duration::from_secs(86_400));
    match_day(&world, &old).await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let approver = at_board(&world, AUDITOR).await;
    let closing = prepare(&accountant, &old, "day", "2026-11-24").await.expect(303).location();
    decide(&approver, &closing, "approve").await.expect(303);
    let body = json!({ "kind": "merge", "from": "2026-11-25", "administrator": administrator,
        "successors": [{ "agency": new.agency.to_string() }] });
    let path = format!("/v1/agencies/{}/succeed", old.agency);
    admin.system(&world, "admin").post_once(&path, "s", &body).await.expect(200);
    Set { world, old, new, third, accountant }
}

/// How many rows an answer has: of the list that it is about, or lines of a table.
fn rows(answer: &crate::world::Answer) -> usize {
    let Ok(told) = serde_json::from_slice::<Value>(&answer.body) else {
        return if answer.body.starts_with(b"PK") { 0 } else { answer.text().lines().count() - 1 };
    };
    let list =
        ["items", "accounts", "fees", "tills", "kinds", "named"].into_iter().find_map(|m| told[m].as_array());
    list.unwrap_or_else(|| panic!("no list in {told}")).len()
}

/// The address of a report with what it demands, about the new agency where it names one.
fn address(set: &Set, operation: &Operation, version: &str) -> String {
    let agency = set.new.agency.to_string();
    let path = match operation.path.as_str() {
        path if path.starts_with("/v1/agencies/") => path.replace("{id}", &agency),
        path => path.replace("{id}", version),
    };
    let demanded = match operation.path.as_str() {
        "/v1/receipts/use" => "quarter=2026-Q4&".to_owned(),
        "/v1/fees/declaration" => "period=2026-11&".to_owned(),
        "/v1/journals/csv" | "/v1/journals/xlsx" => "from=2026-11-01&to=2026-11-30&".to_owned(),
        "/v1/fees/versions/{id}/trial" => "month=2026-11&".to_owned(),
        "/v1/alerts" => format!("agency={agency}&"),
        _ => String::new(),
    };
    format!("{path}?{demanded}")
}

/// Reports of which the old agency has something here.
const FILLED: [&str; 12] = [
    "/v1/bills",
    "/v1/receipts",
    "/v1/receipts/signed",
    "/v1/receipts/series",
    "/v1/receipts/use",
    "/v1/statements",
    "/v1/closings",
    "/v1/journals/csv",
    "/v1/events",
    "/v1/ledger/balances",
    "/v1/ledger/proofs",
    "/v1/fees/declaration",
];

#[tokio::test]
async fn each_report_is_read_by_the_old_and_by_the_new_tree() {
    let set = set().await;
    let scopes = "bill.read receipt.read refund.read statement.read case.read ledger.read event.read fee.read admin.read";
    let reads = set.new.system(&set.world, scopes);
    let versions = reads.get("/v1/fees/versions").await.expect(200).json();
    let version = versions["items"][0]["id"].as_str().unwrap().to_owned();
    let reports: Vec<&Operation> = document().operations().iter().filter(|o| takes_tree(o)).collect();
    assert!(reports.len() >= 22, "{}", reports.len());
    let mut filled = 0;
    for report in reports {
        let path = address(&set, report, &version);
        let of = async |tree: &str| reads.get(&format!("{path}tree={tree}")).await;
        let own = rows(&of("own").await.expect(200));
        assert_eq!(
            own,
            rows(&reads.get(&path).await.expect(200)),
            "{path}: its own is what it reads without a word"
        );
        let old = rows(&of(&set.old.agency.to_string()).await.expect(200));
        let new = rows(&of("new").await.expect(200));
        assert!(new >= own && new >= old, "{path}: {own}, {old} and {new}");
        if FILLED.contains(&report.path.as_str()) {
            filled += 1;
            assert!(old > 0, "{path}: nothing by the old tree");
        }
        of("all").await.expect_refusal(400, "invalid_parameter");
        of(&set.third.agency.to_string()).await.expect_refusal(404, "not_found");
        reads.get(&format!("{path}tree=new&tree=own")).await.expect_refusal(400, "invalid_parameter");
    }
    assert_eq!(filled, FILLED.len());
    reads.get("/v1/alerts?tree=new").await.expect_refusal(400, "invalid_parameter");
    // What the lists name is read as well.
    let closing = reads.get("/v1/closings?tree=new").await.expect(200).json();
    assert_eq!(closing["items"][0]["agency"], json!(set.old.agency.to_string()));
    let file = format!("/v1/closings/{}/pdf", closing["items"][0]["id"].as_str().unwrap());
    reads.get(&file).await.expect(200);
    let strangers = set.third.system(&set.world, "statement.read receipt.read");
    strangers.get(&file).await.expect_refusal(404, "not_found");
    let use_of = reads.get("/v1/receipts/use?quarter=2026-Q4&tree=new").await.expect(200).json();
    let mut whose: Vec<&str> =
        use_of["items"].as_array().unwrap().iter().map(|item| item["agency"].as_str().unwrap()).collect();
    whose.sort_unstable();
    let (old, new) = (set.old.agency.to_string(), set.new.agency.to_string());
    let mut expected = [old.as_str(), new.as_str()];
    expected.sort_unstable();
    assert_eq!(whose, expected, "the series of each are counted apart: {use_of}");
}

#[tokio::test]
async fn a_successor_voids_what_the_old_agency_gave_and_nobody_else_does() {
    let set = set().await;
    let heirs = set.new.system(&set.world, "receipt event.read");
    let given = heirs.get(&format!("/v1/receipts?tree={}", set.old.agency)).await.expect(200).json();
    let path = format!("/v1/receipts/{}", given["items"][0]["id"].as_str().unwrap());
    let body = json!({ "reason": "Lập sai tên người nộp" });
    let strange =
        set.third.system(&set.world, "receipt").post_once(&format!("{path}/void"), "v", &body).await;
    strange.expect_refusal(404, "not_found");
    let done = heirs.post_once(&format!("{path}/void"), "v", &body).await.expect(200).json();
    assert_eq!((&done["state"], &done["void"]["reason"]), (&json!("void"), &json!("Lập sai tên người nộp")));
    assert_eq!(
        heirs.post_once(&format!("{path}/void"), "v", &body).await.expect(200).json()["id"],
        done["id"]
    );
    heirs.post_once(&format!("{path}/void"), "w", &body).await.expect_refusal(409, "receipt_void_already");
    let events = heirs.get("/v1/events").await.expect(200).text();
    assert!(events.contains("receipt.voided"), "its successor is told: {events}");
}

#[tokio::test]
async fn a_successor_replaces_what_the_old_agency_gave_by_a_receipt_of_its_own() {
    let set = set().await;
    let heirs = set.new.system(&set.world, "receipt event.read");
    let given = heirs.get(&format!("/v1/receipts?tree={}", set.old.agency)).await.expect(200).json();
    let old = &given["items"][0];
    let path = format!("/v1/receipts/{}", old["id"].as_str().unwrap());
    let replace = format!("{path}/replace");
    let other = json!({ "reason": "Sai tên", "name": "Công ty Mẫu" });
    let strange = set.third.system(&set.world, "receipt").post_once(&replace, "r", &other).await;
    strange.expect_refusal(404, "not_found");
    let new = heirs.post_once(&replace, "r", &other).await.expect(201).json();
    assert_eq!(heirs.post_once(&replace, "r", &other).await.expect(201).json()["id"], new["id"]);
    heirs.post_once(&replace, "s", &other).await.expect_refusal(409, "receipt_void_already");
    assert!(new["number"].as_str().unwrap().starts_with("H29.15-"), "of its own series: {new}");
    assert_eq!((&new["replaces"], &new["total"]), (&old["number"], &old["total"]));
    let read = heirs.get(&path).await.expect(200).json();
    assert_eq!((&read["state"], &read["void"]["replaced_by"]), (&json!("replaced"), &new["number"]));

    // It is signed as the successor's, and whoever holds it checks it offline; the old one says what stands in its place.
    let mine = format!("/v1/receipts/{}", new["id"].as_str().unwrap());
    let pdf = heirs.get(&format!("{mine}/pdf")).await.expect(200).body;
    if let Some(said) = judged(&pdf, "heir") {
        assert!(said.contains("Signature is Valid") && said.contains("CN=Sở Xây dựng"), "{said}");
    }
    let xml = heirs.get(&format!("{mine}/xml")).await.expect(200).text();
    assert!(xml.contains("H29.15") && xml.contains("H29.14-AP26E-0000001"), "{xml}");
    chung::flow::sequence_audit::sequence_audit(&set.world.app).await.unwrap();
    heirs.get(&format!("{mine}/proof")).await.expect(200);
    let events = heirs.get("/v1/events").await.expect(200).text();
    assert!(events.contains("receipt.replaced"), "{events}");
    let use_of = heirs.get("/v1/receipts/use?quarter=2026-Q4&tree=new").await.expect(200).json();
    let replaced: i64 =
        use_of["items"].as_array().unwrap().iter().filter_map(|one| one["replaced"].as_i64()).sum();
    assert_eq!(replaced, 1, "{use_of}");
    let books = chung::flow::verify_books::verify_books(&set.world.app.store, |_| {}).await.unwrap();
    assert_eq!(books.finding, None);
}

#[tokio::test]
async fn pages_are_read_by_either_tree_and_nothing_is_made_for_who_was_succeeded_but_its_closings() {
    let set = set().await;
    let (old, new) = (set.old.agency.to_string(), set.new.agency.to_string());
    for page in ["/board", "/board/books", "/board/messages", "/board/payouts", "/board/closings"] {
        let own = set.accountant.get(&format!("{page}?agency={new}")).await.expect(200).text();
        assert!(
            own.contains(&format!("{page}?agency={new}&#38;tree=new"))
                || own.contains(&format!("{page}?agency={new}&amp;tree=new")),
            "{own}"
        );
        assert!(own.contains(&format!("{page}?agency={old}")) && own.contains("Sở Cũ"), "{own}");
        let whole = set.accountant.get(&format!("{page}?agency={new}&tree=new")).await.expect(200).text();
        assert!(whole.contains("cùng các cơ quan mà cơ quan này kế thừa</strong>"), "{whole}");
        let english =
            set.accountant.get(&format!("{page}?agency={new}&tree=new&lang=en")).await.expect(200).text();
        assert!(english.contains("Read the books of:") && english.contains("Old Department"), "{english}");
        set.accountant.get(&format!("{page}?agency={old}&lang=vi")).await.expect(200);
        set.accountant.get(&format!("{page}?agency={new}&tree=all")).await.expect(404);
        let strange = set.accountant.get(&format!("{page}?agency={}", set.third.agency)).await.status;
        assert!([403, 404].contains(&strange), "{page}: {strange}");
    }
    let closings =
        async |query: &str| set.accountant.get(&format!("/board/closings?{query}")).await.expect(200).text();
    let row = "/board/closings/closing_";
    assert!(!closings(&format!("agency={new}")).await.contains(row));
    assert!(closings(&format!("agency={new}&tree=new")).await.contains(row));
    let theirs = closings(&format!("agency={old}")).await;
    assert!(theirs.contains(row) && theirs.contains("name=\"kind\""), "what is open is closed: {theirs}");
    prepare(&set.accountant, &set.old, "day", "2026-11-25").await.expect(409);
    prepare(&set.accountant, &set.third, "day", "2026-11-24").await.expect(403);
    let theirs = set.accountant.get(&format!("/board?agency={old}")).await.expect(200).text();
    assert!(!theirs.contains("name=\"account\""), "nothing else is done there: {theirs}");
    // The days and cases of each tree: what ended before the succession stays where it was.
    let ended = format!(
        "insert into \"case\" (id, agency_id, account_id, day, kind, servicer_reference, state, opened_at, ended_at)
         select '{}', owner_id, id, '2026-11-24', 'late', 'U1', 'cleared', '2026-11-24T03:00Z', '2026-11-24T04:00Z'
         from collecting_account where owner_id = '{}'",
        uuid::Uuid::from_u128(7),
        set.old.agency.uuid()
    );
    set.world.sql(&ended).await.unwrap();
    let board = async |query: &str| set.accountant.get(&format!("/board?{query}")).await.expect(200).text();
    let (day, case) = ("/board/statements/stmt_", "/board/cases/case_00000000000000000000000000000007");
    assert!(!board(&format!("agency={new}&show=all")).await.contains(case));
    let whole = board(&format!("agency={new}&tree=new&show=all")).await;
    assert!(whole.contains(day) && whole.contains(case), "{whole}");
    let pending = format!("/board?agency={new}&tree=new\"");
    assert!(
        whole.contains(&pending.replace('&', "&#38;")) || whole.contains(&pending.replace('&', "&amp;")),
        "it stays the tree's: {whole}"
    );
    let theirs = board(&format!("agency={old}&show=all")).await;
    assert!(theirs.contains(day) && theirs.contains(case), "{theirs}");
    // The books of each tree.
    let sums = |page: &str| page.matches("205.000").count();
    let books = async |query: &str| {
        set.accountant.get(&format!("/board/books?period=2026-11&{query}")).await.expect(200).text()
    };
    let whole = books(&format!("agency={new}&tree=new")).await;
    assert!(whole.contains("410.000"), "{whole}");
    assert!(sums(&books(&format!("agency={old}")).await) > 0);
}

//! Privacy at rest: the master key rotates under a running service, a citizen is erased and told what stayed, and every
//! class of data has its time.

use crate::board::signed_in;
use crate::office::Office;
use crate::world::{Actor, TestApp};
use chung::app::App;
use chung::base::entropy::SystemEntropy;
use chung::crypto::keyring::KeyRing;
use chung::flow::retention::{report_retention, retain};
use chung::flow::rotate_keys::{REWRAPPED_MAX, rotate_keys};
use chung::flow::sequence_audit::sequence_audit;
use chung::flow::tidy::tidy;
use chung::flow::verify_audit::verify_audit;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const HOA: (&str, &str) = ("079185000001", "+84912345217");
const PEOPLE: [&str; 2] = [
    "079185000001,,Nguyễn Thị Hòa,1985-03-15,female,0912345217,79,active,,2,",
    "079085000456,,Trần Văn Tiếp,1985-04-01,male,0912345218,79,active,,2,",
];

async fn set() -> (TestApp, Office) {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let office = Office::open(&world, "H29.14").await;
    (world, office)
}

fn question() -> Value {
    json!({
        "number": HOA.0, "attributes": { "name": "Nguyễn Thị Hòa" }, "purpose": "Tính phí",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
    })
}

async fn ask(world: &TestApp, office: &Office, key: &str) -> Value {
    let system = office.system(world, "verification");
    system.post_once("/v1/verifications", key, &question()).await.expect(201).json()
}

/// The same service with a key ring that has one more master key.
fn rotated(world: &TestApp) -> App {
    let mut ring = KeyRing::from_toml(&world.app.keys.to_toml()).unwrap();
    ring.add_master(&SystemEntropy::new());
    world.app.with(|parts| parts.keys = Arc::new(ring))
}

#[tokio::test]
async fn every_data_key_is_wrapped_anew_however_often_the_work_is_stopped() {
    let (world, office) = set().await;
    let many: Vec<String> = (0..REWRAPPED_MAX)
        .map(|n| format!("0790{:02}{n:06},,Nguyễn Văn An,1985-01-01,male,,79,active,,2,", 85))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    world.register(&many).await;
    ask(&world, &office, "before").await;
    chung::flow::national::join(&world.app, "http://platform.example/", "CHUNG", "NATIONAL").await.unwrap();
    let app = rotated(&world);
    let people = world.count("register_person where key_generation = 1").await;
    // The first tick takes its share; what is committed stays, and the work goes on elsewhere.
    assert_eq!(rotate_keys(&app).await.unwrap(), REWRAPPED_MAX as u64 + 2);
    assert_eq!(world.count("register_person where key_generation = 1").await, people - REWRAPPED_MAX);
    assert_eq!(world.count("key_rotation where finished_at is null").await, 1);
    let (one, other) = tokio::join!(rotate_keys(&app), rotate_keys(&app));
    assert_eq!(one.unwrap() + other.unwrap(), (people - REWRAPPED_MAX).cast_unsigned());
    assert_eq!(rotate_keys(&app).await.unwrap(), 0);
    assert_eq!(world.count("register_person where key_generation = 1").await, 0);
    assert_eq!(world.count("agency where key_generation = 1").await, 0);
    assert_eq!(world.count("platform_membership where generation = 1").await, 0);
    assert_eq!(world.count("key_rotation where finished_at is not null and generation = 2").await, 1);

    // Everything opens without the old key, and nothing without the new one.
    let mut ring = KeyRing::from_toml(&app.keys.to_toml()).unwrap();
    assert!(ring.remove_master(1));
    let app = app.with(|parts| parts.keys = Arc::new(ring));
    let report = report_retention(&app).await.unwrap();
    assert_eq!(report["master_keys"], json!([{ "generation": 2, "data_keys": people + 2 }]));
    let read = chung::flow::population::number_hash(&app, &HOA.0.parse().unwrap());
    assert_eq!(read, chung::flow::population::number_hash(&world.app, &HOA.0.parse().unwrap()));
    let mut tx = app.store.begin().await.unwrap();
    let looked = chung::flow::population::look_up(&app, &mut tx, HOA.0.parse().unwrap()).await.unwrap();
    assert_eq!(looked.on_record.unwrap().person.name.as_str(), "Nguyễn Thị Hòa");
    let with_old = chung::flow::population::look_up(&world.app, &mut tx, HOA.0.parse().unwrap()).await;
    assert!(with_old.is_err());
}

async fn page_of(browser: &Actor) -> (String, String) {
    let page = browser.get("/me/erasure").await.expect(200);
    (page.form_field("form_token"), page.text())
}

/// Every session is as strong as after a way that a code alone does not open.
async fn strengthen(world: &TestApp) {
    world.sql("update session set reached = 'urn:chung:acr:substantial'").await.unwrap();
}

#[tokio::test]
async fn a_citizen_is_erased_and_told_what_stayed_and_why() {
    let (world, office) = set().await;
    ask(&world, &office, "a").await;
    let bill = office.bill(&world, "b").await;
    let payment = crate::payments::start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    let browser = signed_in(&world, HOA, "/me").await;
    let (token, page) = page_of(&browser).await;
    let reference = bill["reference"].as_str().unwrap();
    for shown in [
        "H29.14-AP26E-0000001",
        "Sở Tư pháp",
        "31/12/2036",
        "Luật Kế toán 88/2015",
        reference,
        "31/12/2037",
        "Giấy báo nộp tiền: các bên",
    ] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // Not by accident, not by another site, not by a code alone, not in a session that stood open.
    browser.post_form("/me/erasure", &[("form_token", "0"), ("sure", "true")]).await.expect(400);
    browser.post_form("/me/erasure", &[("form_token", &token)]).await.expect(400);
    let sure = [("form_token", &*token), ("sure", "true")];
    let weak = browser.post_form("/me/erasure", &sure).await.expect(403).text();
    assert!(weak.contains("không làm được chỉ với mã tin nhắn"), "{weak}");
    assert!(weak.contains("/sign-in?return_to=/me/erasure"), "it leads to a stronger way: {weak}");
    strengthen(&world).await;
    world.later(Duration::from_secs(16 * 60));
    let late = browser.post_form("/me/erasure", &sure).await.expect(403);
    assert!(late.text().contains("trong 15 phút vừa qua"), "{}", late.text());
    assert_eq!(world.count("erasure").await, 0);

    let browser = signed_in(&world, HOA, "/me").await;
    strengthen(&world).await;
    let (token, _) = page_of(&browser).await;
    let done =
        browser.post_form("/me/erasure", &[("form_token", &token), ("sure", "true")]).await.expect(200);
    assert!(
        done.text().contains("H29.14-AP26E-0000001") && done.text().contains("31/12/2036"),
        "{}",
        done.text()
    );
    assert!(!done.text().contains("Đang đăng nhập") && !done.text().contains("Nguyễn Thị Hòa"));
    browser.get("/me").await.expect(303);

    // Nothing leads to the citizen any more.
    assert_eq!(world.count("audit_detail where citizen_id is not null").await, 0);
    assert_eq!(world.count("session where ended_at is null").await, 0);
    assert_eq!(world.count("pseudonym").await, 0);
    assert_eq!(world.count("register_person").await, 1);
    assert_eq!(world.count("erasure").await, 1);
    let answer = ask(&world, &office, "after").await;
    assert_eq!(answer["state"], "not_on_record");
    // The receipt is still its agency's, and reads.
    let system = office.system(&world, "receipt.read");
    let receipts = system.get("/v1/receipts").await.expect(200).json();
    assert_eq!(receipts["items"][0]["number"], "H29.14-AP26E-0000001", "{receipts}");
    // The log still verifies, and says how much of it was erased.
    while sequence_audit(&world.app).await.unwrap() > 0 {}
    let report = verify_audit(&world.app.store, &world.app.keys, None, |_| {}).await.unwrap();
    assert!(report.finding.is_none(), "{:?}", report.finding);
    assert!(report.erased >= 2, "{} erased", report.erased);

    // Whoever is on the register comes back as somebody new.
    world.register(&PEOPLE[..1]).await;
    signed_in(&world, HOA, "/me").await.get("/me").await.expect(200);
    assert_eq!(world.count("citizen").await, 2);
}

#[tokio::test]
async fn ways_mailboxes_locks_requests_and_mandates_go_with_the_citizen() {
    const TIEP: (&str, &str) = ("079085000456", "+84912345218");
    let (world, office) = set().await;
    ask(&world, &office, "a").await;
    let browser = signed_in(&world, HOA, "/me").await;
    let form = |path: &'static str, fields: Vec<(&'static str, &'static str)>| {
        let browser = &browser;
        async move {
            let token = browser.get(path).await.expect(200).form_field("form_token");
            let mut all = vec![("form_token", token.as_str())];
            all.extend(fields);
            browser.post_form(path, &all).await.expect(303)
        }
    };
    form("/me/locks", vec![("scope", "verifications")]).await;
    form("/me/requests", vec![("kind", "access"), ("words", "Đang lưu gì về tôi?")]).await;
    strengthen(&world).await;
    let to_tiep = vec![
        ("delegate_number", TIEP.0),
        ("delegate_name", "Trần Văn Tiếp"),
        ("act", "apply"),
        ("procedures", "2.000635"),
        ("last_day", "2026-12-31"),
    ];
    form("/me/mandates", to_tiep).await;
    let delegate = signed_in(&world, TIEP, "/me/mandates").await;
    assert!(delegate.get("/me/mandates").await.expect(200).text().contains("Nguyễn Thị Hòa"));
    // What takes a phone or a card to set up, as its rows stand afterwards.
    let hash = hex::encode(chung::flow::population::number_hash(&world.app, &HOA.0.parse().unwrap()));
    let citizen =
        format!("(select citizen_id from register_person where number_hash = decode('{hash}', 'hex'))");
    for row in [
        format!(
            "insert into authenticator (id, citizen_id, kind, sealed_name, sealed, generation, enrolled_at,
                 enrolled_by, trusted_from)
             values (gen_random_uuid(), {citizen}, 'app', '', '', 1, '2026-11-24Z', 'sms_code', '2026-11-24Z')"
        ),
        format!("insert into contact values ({citizen}, null, null, null, null, 1) on conflict do nothing"),
        format!("update session set authenticator_id = (select id from authenticator) where citizen_id = {citizen}"),
        format!("insert into register_former_number values (decode(repeat('07', 32), 'hex'), {citizen}, '2026-01-01')"),
    ] {
        world.sql(&row).await.unwrap();
    }
    let mine =
        ["authenticator", "contact", "notice", "citizen_lock", "subject_request", "register_former_number"];
    for table in mine {
        assert!(world.count(&format!("{table} where citizen_id = {citizen}")).await > 0, "{table}");
    }

    let (token, page) = page_of(&browser).await;
    assert!(page.contains("các cách đăng nhập"), "{page}");
    browser.post_form("/me/erasure", &[("form_token", &token), ("sure", "true")]).await.expect(200);
    for table in mine {
        assert_eq!(
            world.count(&format!("{table} t join erasure e on e.citizen_id = t.citizen_id")).await,
            0,
            "{table}"
        );
    }
    assert_eq!(world.count("familiar_browser").await, 1, "the delegate's stays");
    assert_eq!(world.count("mandate where state = 'ended' and ended_by = 'erasure'").await, 1);
    let told = delegate.get("/me/mandates").await.expect(200).text();
    assert!(told.contains("một bên đã xóa dữ liệu") && !told.contains("Nguyễn Thị Hòa"), "{told}");
    let history = delegate.get("/me").await.expect(200).text();
    assert!(history.contains("Một ủy quyền kết thúc"), "{history}");
    let read = delegate.get("/me/mandates").await.expect(200).form_field("form_token");
    let accept = format!(
        "/me/mandates/mandate_{}/accept",
        world.dump("(select id from mandate)").await[1..37].replace('-', "")
    );
    delegate.post_form(&accept, &[("form_token", &read)]).await.expect(409);
}

#[tokio::test]
async fn whoever_holds_a_role_is_not_erased() {
    let (world, _) = set().await;
    crate::identity::cards::grant(&world, HOA.0, chung::identity::role::Role::Officer).await;
    let browser = signed_in(&world, HOA, "/me").await;
    strengthen(&world).await;
    let (token, _) = page_of(&browser).await;
    let refused =
        browser.post_form("/me/erasure", &[("form_token", &token), ("sure", "true")]).await.expect(409);
    assert!(refused.text().contains("vai trò"), "{}", refused.text());
    assert_eq!((world.count("erasure").await, world.count("register_person").await), (0, 2));
    world.stranger().get("/me/erasure").await.expect(303);
}

#[tokio::test]
async fn what_is_over_is_removed_and_the_report_says_so() {
    let (world, office) = set().await;
    ask(&world, &office, "a").await;
    let bill = office.bill(&world, "b").await;
    let payment = crate::payments::start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    signed_in(&world, HOA, "/me").await;
    let system = office.system(&world, "receipt.read admin.read");
    let id =
        system.get("/v1/receipts").await.expect(200).json()["items"][0]["id"].as_str().unwrap().to_owned();
    system.get(&format!("/v1/receipts/{id}/pdf")).await.expect(200);
    assert_eq!(retain(&world.app).await.unwrap(), 0);
    let of = |report: &Value, class: &str| {
        let classes = report["classes"].as_array().unwrap();
        classes.iter().find(|c| c["class"] == class).unwrap().clone()
    };
    let report = system.get("/v1/retention").await.expect(200).json();
    assert_eq!(
        (&of(&report, "vouchers")["rows"], &of(&report, "vouchers")["kept_for"]),
        (&json!(1), &json!("10y"))
    );

    // A quarter later the number that was typed is gone; the voucher stays.
    world.later(Duration::from_secs(91 * 86_400));
    let removed = retain(&world.app).await.unwrap();
    assert!(removed >= 2, "{removed}");
    assert_eq!(world.count("challenge").await, 0);
    assert_eq!(world.count("outbox where topic = 'message' and state <> 'pending'").await, 0);
    assert_eq!(world.count("receipt where length(content) > 0").await, 1);

    // Ten years after the year of its issue the voucher's content is destroyed; number, sum and digest stay.
    world.later(Duration::from_secs(3_660 * 86_400));
    let report = report_retention(&world.app).await.unwrap();
    assert_eq!(of(&report, "vouchers")["overdue"], 1);
    while retain(&world.app).await.unwrap() > 0 {}
    assert_eq!(world.count("receipt where length(content) > 0").await, 0);
    assert_eq!((world.count("receipt").await, world.count("receipt_file").await), (1, 0));
    assert_eq!(world.count("verification").await, 0);
    let report = report_retention(&world.app).await.unwrap();
    assert_eq!(
        (&of(&report, "vouchers")["overdue"], &of(&report, "vouchers")["removed_in_all"]),
        (&json!(0), &json!(1))
    );
    // Months are opened ahead, so that those of years to come are dropped whole, too.
    tidy(&world.app).await.unwrap();
    tidy(&world.app).await.unwrap();
    ask(&world, &office, "later").await;
    assert_eq!(world.count("verification_203703").await, 1);
    // A year later the bill itself names nobody any more, and nothing of what was asked in its name is kept.
    assert_eq!(of(&report, "bills")["rows"], 1);
    let kept = world.dump("bill_content").await;
    world.later(Duration::from_secs(366 * 86_400));
    assert_eq!(of(&report_retention(&world.app).await.unwrap(), "bills")["overdue"], 1);
    while retain(&world.app).await.unwrap() > 0 {}
    assert_ne!(world.dump("bill_content").await, kept);
    assert_eq!(world.count("bill_content where length(parties) + length(trace) > 0").await, 0);
    assert_eq!(world.count("idempotency_key").await, 1, "the last one");
    let report = report_retention(&world.app).await.unwrap();
    assert_eq!(
        (&of(&report, "bills")["overdue"], &of(&report, "bills")["removed_in_all"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(retain(&world.app).await.unwrap(), 0, "nothing is emptied twice");
    let system = office.system(&world, "bill.read payment.read");
    let read = system.get(&format!("/v1/bills/{}", bill["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&read["parties"]["applicant"]["name"], &read["total"]), (&json!("—"), &bill["total"]));
    assert_eq!((&read["lines"][0]["trace"], &read["status"]), (&json!([]), &json!("paid")));
    let shown =
        world.stranger().get(&format!("/pay/{}", bill["reference"].as_str().unwrap())).await.expect(200);
    assert!(!shown.text().contains("N••"), "{}", shown.text());
    let books = chung::flow::verify_books::verify_books(&world.app.store, |_| {}).await.unwrap();
    assert_eq!(books.finding, None);
    // Nothing else of a receipt can be changed, and no file removed before its time.
    assert!(world.sql("update receipt set amount = 1").await.is_err());
    assert!(world.sql("delete from receipt").await.is_err());
}

//! Receipts on paper: blanks that a desk prints for an outage, books that cashiers hold, and copies that say so.

use crate::board::{grant, signed_in};
use crate::desk::{ACCOUNTANT, APPROVER, Scene, reference};
use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::receipt_paper::text_of;
use crate::world::{Actor, Answer, TestApp};
use chung::base::{calendar::VIETNAM, clock::Clock};
use chung::codec::leaf_void;
use chung::crypto::keyring::Purpose;
use chung::flow::roles::{Granting, grant_role};
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: (&str, &str) = ("079185000471", "+84912345231");

/// A series on paper, registered by the agency's system.
pub async fn series(scene: &Scene, letters: &str, medium: &str) -> Value {
    let body = json!({ "kind": "phi", "letters": letters, "form": "02BLP", "medium": medium, "first": 1, "last": 200,
        "valid_from": "2026-11-01", "valid_to": "2026-12-31" });
    let system = scene.office.system(&scene.world, "receipt");
    let answer = system.post_once("/v1/receipts/series", letters, &body).await.expect(201).json();
    assert_eq!(answer["medium"], medium);
    answer
}

/// The time on a paper, as the field for it sends it.
pub fn written(world: &TestApp, minutes_ago: u64) -> String {
    let at = (world.clock.now() - Duration::from_secs(60 * minutes_ago)).to_offset(VIETNAM);
    let (date, time) = (at.date(), at.time());
    format!("{date}T{:02}:{:02}", time.hour(), time.minute())
}

async fn blanks(scene: &Scene) -> Value {
    let system = scene.office.system(&scene.world, "receipt.read");
    system.get("/v1/receipts/blanks").await.expect(200).json()
}

pub async fn receipt_of(scene: &Scene, bill: &Value) -> Value {
    let path = format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap());
    let list = scene.office.system(&scene.world, "receipt.read").get(&path).await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    list["items"][0].clone()
}

#[tokio::test]
async fn blanks_for_an_outage_are_entered_once_or_void_before_the_shift_closes() {
    let scene = Scene::set().await;
    let of = series(&scene, "TP", "printed").await;
    let (series, page) = (of["id"].as_str().unwrap(), "/desk/blanks");
    let print = |leaves| [("act", "print"), ("series", series), ("leaves", leaves)];
    for wrong in ["0", "101", "x"] {
        scene.send(page, &print(wrong)).await.expect(422);
    }
    let sheet = scene.send(page, &print("5")).await.expect(303).location();
    let paper = scene.cashier.get(&sheet).await.expect(200).text();
    for number in 1..=5 {
        assert!(paper.contains(&format!("H29.14-TP26T-000000{number}")), "{paper}");
    }
    let block = sheet.rsplit('/').next().unwrap().to_owned();

    // The connection is gone: two receipts are written by hand, and entered afterwards.
    scene.world.later(Duration::from_secs(600));
    let (one, two) =
        (scene.office.bill(&scene.world, "k1").await, scene.office.bill(&scene.world, "k2").await);
    let (early, before) = (written(&scene.world, 5), written(&scene.world, 15));
    let enter = |bill: &'static str, number: &'static str, at: String| {
        let reference = reference(if bill == "one" { &one } else { &two }).to_owned();
        let scene = &scene;
        async move {
            let form = [
                ("reference", reference.as_str()),
                ("cash", "205000"),
                ("numbers", number),
                ("written_at", &at),
            ];
            scene.send("/desk/bill", &form).await.status
        }
    };
    for (number, at, status) in [
        ("H29.14-TP26T-0000002", &before, 422),
        ("H29.14-TP26T-0000002", &"".to_owned(), 422),
        ("H29.14-TP26T-0000009", &early, 422),
        ("H29.14-TP26E-0000002", &early, 422),
        ("H29.15-TP26T-0000002", &early, 422),
        ("H29.14-TP26T-0000001, H29.14-TP26T-0000002", &early, 422),
        ("2", &early, 422),
    ] {
        assert_eq!(enter("one", number, at.clone()).await, status, "{number} {at}");
    }
    assert_eq!(scene.status(&one).await, "open");
    assert_eq!(enter("one", "h29.14-tp26t-0000002", early.clone()).await, 303);
    assert_eq!(enter("two", "H29.14-TP26T-0000002", early.clone()).await, 409);
    let receipt = receipt_of(&scene, &one).await;
    assert_eq!(receipt["number"], "H29.14-TP26T-0000002");
    assert_eq!(receipt["issued_at"], "2026-11-24T02:05:00Z", "the time of the paper");
    let path = format!("/v1/receipts/{}", receipt["id"].as_str().unwrap());
    let read = scene.office.system(&scene.world, "receipt.read").get(&path).await.expect(200).json();
    assert_eq!((&read["form"], &read["series"]), (&json!("02BLP"), &json!("TP-26T")));

    // The shift does not end while a number is open, not even past the code.
    scene.send("/desk/close", &[("counted", "705000")]).await.expect(409);
    let close = "update shift set closed_at = now(), expected = 0, counted = 0";
    assert!(scene.world.sql(close).await.unwrap_err().contains("leaves are held"));
    let void = |leaves, why| [("act", "void"), ("block", block.as_str()), ("leaves", leaves), ("why", why)];
    scene.send(page, &void("1-2", "unused")).await.expect(409);
    scene.send(page, &void("6", "unused")).await.expect(422);
    scene.send(page, &void("3", "sold")).await.expect(422);
    scene.send(page, &void("1", "spoilt")).await.expect(303);
    scene.world.later(Duration::from_secs(1));
    scene.send(page, &void("3-5", "unused")).await.expect(303);
    scene.send(page, &void("3", "unused")).await.expect(409);
    for change in [
        "update receipt_leaf set state = 'held', void_id = null, entered_at = null where serial = 3",
        "delete from receipt_leaf where serial = 3",
        "update leaf_void set reason = 'lost'",
    ] {
        assert!(scene.world.sql(change).await.is_err(), "{change}");
    }
    let item = blanks(&scene).await["items"][0].clone();
    assert_eq!(
        (&item["held"], &item["issued"], &item["voided"], &item["medium"]),
        (&json!([]), &json!(1), &json!(4), &json!("printed"))
    );

    // What voids them is a signed document.
    let shown = scene.cashier.get(page).await.expect(200).text();
    let document = shown.split("/desk/blanks/voids/").nth(1).unwrap().split('"').next().unwrap();
    let document = format!("/desk/blanks/voids/{document}");
    let signed = scene.cashier.get(&document).await.expect(200).text();
    let notice = leaf_void::verify(&signed, scene.world.app.keys.published(Purpose::Record)).unwrap();
    let numbers: Vec<String> = notice.numbers.iter().map(ToString::to_string).collect();
    assert_eq!(
        (numbers, notice.reason.as_str()),
        ((3..=5).map(|n| format!("H29.14-TP26T-000000{n}")).collect(), "unused")
    );
    scene.world.stranger().get(&document).await.expect(303);
    signed_in(&scene.world, APPROVER, "/board").await.get(&document).await.expect(404);
    assert_eq!(scene.world.count("audit_leaf where kind in ('blank.drawn', 'blank.voided')").await, 3);

    scene.send("/desk/close", &[("counted", "705000")]).await.expect(200);
    scene.send(page, &print("5")).await.expect(409);
    let reads = scene.office.system(&scene.world, "receipt.read");
    let report = reads.get("/v1/receipts/use?quarter=2026-Q4").await.expect(200).json();
    let used = report["items"].as_array().unwrap().iter().find(|item| item["series"] == "TP-26T").unwrap();
    assert_eq!(
        (&used["issued"]["count"], &used["voided"], &used["closing"]["count"]),
        (&json!(5), &json!(4), &json!(195))
    );
}

#[tokio::test]
async fn series_on_paper_never_serve_what_settles_by_itself() {
    let scene = Scene::set().await;
    series(&scene, "TP", "printed").await;
    let body = json!({ "kind": "phi", "letters": "AP", "medium": "book", "first": 1, "last": 200,
        "valid_from": "2026-11-01", "valid_to": "2026-12-31" });
    let system = scene.office.system(&scene.world, "receipt");
    system.post_once("/v1/receipts/series", "a", &body).await.expect_refusal(400, "invalid_body");
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    assert_eq!(receipt_of(&scene, &bill).await["number"], "H29.14-AP26E-0000001");
}

async fn hand_out(accountant: &Actor, series: &str, leaves: &str) -> u16 {
    let page = accountant.get("/desk/blanks").await.expect(200);
    let form = [
        ("form_token", page.form_field("form_token")),
        ("act", "hand_out".to_owned()),
        ("series", series.to_owned()),
        ("cashier", cashiers(&page.text())[0].0.clone()),
        ("leaves", leaves.to_owned()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    accountant.post_form("/desk/blanks", &form).await.status
}

/// The cashiers whom the page offers: identifier and name.
fn cashiers(page: &str) -> Vec<(String, String)> {
    let options = page.split("<option value=\"citizen_").skip(1).map(|rest| {
        let (id, rest) = rest.split_once('"').unwrap();
        (format!("citizen_{id}"), rest[1..].split('<').next().unwrap().to_owned())
    });
    let mut found: Vec<_> = options.collect();
    found.sort_by_key(|(_, name)| name != "Nguyễn Thị Hòa");
    found.dedup();
    found
}

#[tokio::test]
async fn a_book_is_its_cashiers_stock_and_no_leaf_is_skipped() {
    let scene = Scene::set().await;
    scene.world.register(&["079185000471,,Phạm Thị Mai,1985-06-01,female,0912345231,79,active,,2,"]).await;
    grant(&scene.world, SECOND.0, Role::Cashier).await;
    let of = series(&scene, "SP", "book").await;
    let series = of["id"].as_str().unwrap();
    let accountant = signed_in(&scene.world, ACCOUNTANT, "/board").await;
    assert_eq!(hand_out(&accountant, series, "10").await, 303);
    // A cashier takes none alone, neither as a book nor as blanks.
    let own = [("act", "hand_out"), ("series", series), ("leaves", "5"), ("cashier", "citizen_0")];
    scene.send("/desk/blanks", &own).await.expect(404);
    scene.send("/desk/blanks", &[("act", "print"), ("series", series), ("leaves", "5")]).await.expect(404);

    let block = blanks(&scene).await["items"][0]["id"].as_str().unwrap().to_owned();
    let bill = scene.office.bill(&scene.world, "k").await;
    let at = written(&scene.world, 0);
    let form = [
        ("reference", reference(&bill)),
        ("cash", "205000"),
        ("numbers", "H29.14-SP26P-0000003"),
        ("written_at", &at),
    ];
    scene.send("/desk/bill", &form).await.expect(303);
    // Two leaves before it are unexplained.
    scene.send("/desk/close", &[("counted", "705000")]).await.expect(409);
    let pass_on = |page: &str, to: &str| {
        let cashier = cashiers(page).into_iter().find(|(_, name)| name == to).unwrap().0;
        [("act", "pass_on".to_owned()), ("block", block.clone()), ("cashier", cashier)]
    };
    let page = accountant.get("/desk/blanks").await.expect(200);
    let token = page.form_field("form_token");
    let pass = pass_on(&page.text(), "Phạm Thị Mai");
    let mut to: Vec<(&str, &str)> = pass.iter().map(|(name, value)| (*name, value.as_str())).collect();
    to.push(("form_token", &token));
    accountant.post_form("/desk/blanks", &to).await.expect(409);
    let void = [("act", "void"), ("block", &block), ("leaves", "1-2"), ("why", "spoilt"), ("words", "Rách")];
    scene.send("/desk/blanks", &void).await.expect(303);
    // The unused rest stays with its owner, over the shift and into other hands.
    scene.send("/desk/close", &[("counted", "705000")]).await.expect(200);
    assert_eq!(blanks(&scene).await["items"][0]["held"], json!([4, 5, 6, 7, 8, 9, 10]));
    accountant.post_form("/desk/blanks", &to).await.expect(303);
    let shown = accountant.get("/desk/blanks").await.expect(200).text();
    assert!(shown.contains("Phạm Thị Mai") && shown.contains("4-10"));
    let void = [("act", "void"), ("block", block.as_str()), ("leaves", "4"), ("why", "lost")];
    scene.send("/desk/blanks", &void).await.expect(403);
    assert_eq!(scene.world.count("audit_leaf where kind = 'blank.passed_on'").await, 1);
    assert_eq!(
        scene
            .world
            .count("receipt_leaf where state = 'held' and block_id not in (select id from receipt_block)")
            .await,
        0
    );
}

#[tokio::test]
async fn a_receipt_is_printed_once_and_copies_say_so() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    let receipt = receipt_of(&scene, &bill).await;
    let (number, id) = (receipt["number"].as_str().unwrap(), receipt["id"].as_str().unwrap());
    let path = format!("/desk/receipts/{number}");
    let name = |answer: &Answer| answer.headers["content-disposition"].to_str().unwrap().to_owned();
    let original = scene.send(&path, &[]).await.expect(200);
    assert!(original.body.starts_with(b"%PDF") && name(&original).contains(&format!("{number}.pdf")));
    let kept = scene.office.system(&scene.world, "receipt.read");
    let kept_pdf = kept.get(&format!("/v1/receipts/{id}/pdf")).await.expect(200);
    assert_eq!(original.body, kept_pdf.body, "the original, byte for byte");
    let copy = scene.send(&path, &[]).await.expect(200);
    assert!(name(&copy).contains("copy1") && copy.body.starts_with(b"%PDF"));
    assert_ne!(copy.body, original.body);
    let second = scene.send(&path, &[]).await.expect(200);
    for (printed, mark) in [(&original, None), (&copy, Some("BẢN SAO SỐ 1")), (&second, Some("BẢN SAO SỐ 2"))]
    {
        let Some(text) = text_of(&printed.body) else { break };
        let marked = text.lines().find(|line| line.contains("BẢN SAO"));
        assert!(
            marked.map(str::trim).map(|line| line.split(',').next().unwrap()) == mark,
            "{mark:?}: {text}"
        );
        assert!(text.contains(number), "{text}");
    }
    let printings = kept.get(&format!("/v1/receipts/{id}/printings")).await.expect(200).json();
    let copies: Vec<i64> =
        printings["items"].as_array().unwrap().iter().map(|item| item["copy"].as_i64().unwrap()).collect();
    assert_eq!(copies, [0, 1, 2]);
    assert_eq!(scene.world.count("audit_leaf where kind = 'receipt.printed'").await, 3);

    scene.cashier.post_form(&path, &[("form_token", "0")]).await.expect(400);
    scene.send("/desk/receipts/H29.14-AP26E-0009999", &[]).await.expect(404);
    let accountant = signed_in(&scene.world, ACCOUNTANT, "/board").await;
    let token = accountant.get("/board").await.expect(200).form_field("form_token");
    accountant.post_form(&path, &[("form_token", &token)]).await.expect(403);
    // A desk elsewhere, which did not take the money, prints nothing of it.
    let other = Office::open(&scene.world, "H29.150").await;
    scene.world.register(&["079185000471,,Phạm Thị Mai,1985-06-01,female,0912345231,79,active,,2,"]).await;
    let granting = Granting {
        number: SECOND.0.parse().unwrap(),
        role: Role::Cashier,
        agency_code: "H29.150".to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&scene.world.app, &granting).await.unwrap();
    let elsewhere = signed_in(&scene.world, SECOND, "/desk").await;
    let token = elsewhere.get("/desk").await.expect(200).form_field("form_token");
    elsewhere.post_form(&path, &[("form_token", &token)]).await.expect(404);
    let foreign = other.system(&scene.world, "receipt.read");
    foreign.get(&format!("/v1/receipts/{id}/printings")).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn what_was_taken_on_paper_for_a_bill_that_was_paid_elsewhere_is_entered_and_owed_back() {
    let scene = Scene::set().await;
    let of = series(&scene, "TP", "printed").await;
    let (series, page) = (of["id"].as_str().unwrap(), "/desk/blanks");
    scene.send(page, &[("act", "print"), ("series", series), ("leaves", "2")]).await.expect(303);
    scene.world.later(Duration::from_secs(600));
    let bill = scene.office.bill(&scene.world, "k1").await;
    let at = written(&scene.world, 5);
    // The connection is gone at the desk, and the payer's family pays by transfer meanwhile.
    let payment = start(&scene.world, &scene.office, &bill).await;
    scene.world.tell(&scene.world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    assert_eq!(scene.status(&bill).await, "paid");
    let enter = |number: &'static str, cash: &'static str| {
        let (scene, reference, at) = (&scene, reference(&bill).to_owned(), at.clone());
        async move {
            let form = [("reference", &*reference), ("cash", cash), ("numbers", number), ("written_at", &at)];
            scene.send("/desk/bill", &form).await
        }
    };
    enter("H29.14-TP26T-0000001", "205001").await.expect(422);
    enter("H29.14-TP26T-0000009", "205000").await.expect(422);
    assert_eq!(scene.balance("cash_drawer").await, 500_000, "a refusal books nothing");
    enter("H29.14-TP26T-0000001", "205000").await.expect(303);
    enter("H29.14-TP26T-0000001", "205000").await.expect(409);
    // Without paper a paid bill takes no more money.
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(409);

    let read = scene.office.system(&scene.world, "bill.read refund.read receipt.read");
    let id = bill["id"].as_str().unwrap();
    let paid = read.get(&format!("/v1/bills/{id}")).await.expect(200).json();
    assert_eq!((&paid["status"], &paid["payment"]), (&json!("paid"), &json!(payment)), "it is paid once");
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (705_000, -205_000));
    let receipts = read.get(&format!("/v1/receipts?bill={id}")).await.expect(200).json();
    let numbers: Vec<&str> =
        receipts["items"].as_array().unwrap().iter().map(|r| r["number"].as_str().unwrap()).collect();
    assert!(numbers.contains(&"H29.14-TP26T-0000001") && numbers.len() == 2, "{numbers:?}");
    let waiting = "refund where reason = 'paid_twice' and state = 'at_desk' and amount = 205000";
    assert_eq!(scene.world.count(waiting).await, 1, "nobody had to ask");
    let books = verify_books(&scene.world.app.store, |_| {}).await.unwrap();
    assert_eq!(books.finding, None);

    // The payer fetches it; the receipt of paper is adjusted, the first one stands.
    let refund = scene.world.dump("(select id from refund)").await;
    let refund: uuid::Uuid = refund.trim_matches(['(', ')']).parse().unwrap();
    let refund = chung::base::id::Id::<chung::base::id::Refund>::from_uuid(refund).to_string();
    assert!(scene.cashier.get("/desk").await.expect(200).text().contains(&refund));
    let to = [("name", "Nguyễn Thị Hòa"), ("document", "079185000123"), ("slip", "PC-1")];
    scene.send(&format!("/desk/refunds/{refund}"), &to).await.expect(303);
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (500_000, 0));
    let receipts = read.get(&format!("/v1/receipts?bill={id}")).await.expect(200).json();
    assert_eq!(receipts["items"].as_array().unwrap().len(), 3);
    assert_eq!(scene.world.count("receipt where refund_id is not null and amount = 205000").await, 1);
    scene
        .send(
            page,
            &[("act", "void"), ("block", &*block_of(&scene).await), ("leaves", "2"), ("why", "unused")],
        )
        .await
        .expect(303);
    scene.send("/desk/close", &[("counted", "500000")]).await.expect(200);
}

/// Enters what a paper says: its number, its time, and the cash.
pub async fn enter(scene: &Scene, bill: &Value, [number, at, cash]: [&str; 3]) -> Answer {
    let form = [("reference", reference(bill)), ("cash", cash), ("numbers", number), ("written_at", at)];
    scene.send("/desk/bill", &form).await
}

#[tokio::test]
async fn what_was_taken_on_paper_for_a_bill_that_asks_for_nothing_any_more_is_entered_and_owed_back() {
    let mut scene = Scene::set().await;
    let of = series(&scene, "TP", "printed").await;
    let (series, page) = (of["id"].as_str().unwrap(), "/desk/blanks");
    scene.send(page, &[("act", "print"), ("series", series), ("leaves", "3")]).await.expect(303);
    scene.world.later(Duration::from_secs(600));
    let mut bills =
        vec![scene.office.bill(&scene.world, "k1").await, scene.office.bill(&scene.world, "k2").await];
    let mut today = new_bill();
    today["due"] = json!("2026-11-24");
    let create = scene.office.system(&scene.world, "bill");
    bills.push(create.post_once("/v1/bills", "k3", &today).await.expect(201).json());
    let (early, id) = (written(&scene.world, 5), |at: usize| bills[at]["id"].as_str().unwrap().to_owned());
    // While the desk has no connection, one is withdrawn, one replaced, and the third runs past its last day.
    let system = scene.office.system(&scene.world, "bill bill.read refund.read receipt.read");
    system.post_once(&format!("/v1/bills/{}/cancel", id(0)), "c", &Value::Null).await.expect(200);
    system.post_once(&format!("/v1/bills/{}/replace", id(1)), "r", &new_bill()).await.expect(201);
    // The page of such a bill offers to enter it, and takes nothing else.
    let shown =
        scene.cashier.get(&format!("/desk/bill?reference={}", reference(&bills[0]))).await.expect(200);
    assert!(shown.text().contains("name=\"numbers\"") && shown.text().contains("không ai phải nộp"));
    scene.send("/desk/bill", &[("reference", reference(&bills[0])), ("cash", "205000")]).await.expect(409);
    enter(&scene, &bills[0], ["H29.14-TP26T-0000001", &early, "205001"]).await.expect(422);
    enter(&scene, &bills[0], ["H29.14-TP26T-0000009", &early, "205000"]).await.expect(422);
    assert_eq!(scene.balance("cash_drawer").await, 500_000, "a refusal books nothing");
    enter(&scene, &bills[0], ["H29.14-TP26T-0000001", &early, "205000"]).await.expect(303);
    enter(&scene, &bills[0], ["H29.14-TP26T-0000001", &early, "205000"]).await.expect(409);
    enter(&scene, &bills[1], ["H29.14-TP26T-0000002", &early, "205000"]).await.expect(303);
    scene.world.later(Duration::from_secs(86_400));
    scene.cashier = signed_in(&scene.world, crate::desk::CASHIER, "/desk").await;
    scene.token = scene.cashier.get("/desk").await.expect(200).form_field("form_token");
    assert_eq!(scene.status(&bills[2]).await, "expired");
    let late = written(&scene.world, 5);
    enter(&scene, &bills[2], ["H29.14-TP26T-0000003", &late, "205000"]).await.expect(303);
    let system = scene.office.system(&scene.world, "bill bill.read refund.read receipt.read");

    // Each is booked with the number and the time of its paper, and owed back; the bills are what they were.
    for (at, status) in ["cancelled", "superseded", "expired"].into_iter().enumerate() {
        assert_eq!(scene.status(&bills[at]).await, status);
        let receipts = system.get(&format!("/v1/receipts?bill={}", id(at))).await.expect(200).json();
        assert_eq!(receipts["items"][0]["number"], format!("H29.14-TP26T-000000{}", at + 1));
        let path = format!("/pay/{}", reference(&bills[at]));
        let citizens = scene.world.stranger().get(&path).await.expect(200).text();
        assert!(citizens.contains("205.000") && citizens.contains("quầy của cơ quan"), "{citizens}");
    }
    let first = system.get(&format!("/v1/receipts?bill={}", id(0))).await.expect(200).json();
    assert_eq!(first["items"][0]["issued_at"], "2026-11-24T02:05:00Z", "the time of the paper");
    assert_eq!(
        (scene.balance("cash_drawer").await, scene.balance("refund_due").await),
        (1_115_000, -615_000)
    );
    let waiting = "refund where reason = 'late_money' and state = 'at_desk' and rule = 'unowed_money'";
    assert_eq!(scene.world.count(waiting).await, 3, "nobody had to ask");
    let refunds = system.get("/v1/refunds").await.expect(200).json();
    let item = &refunds["items"][0];
    assert_eq!(
        (&item["automatic"], &item["reason"], &item["holder"]),
        (&json!(true), &json!("late_money"), &json!("desk"))
    );
    // It is no money of the bill's that an officer could give back once more.
    let again =
        json!({ "bill": id(0), "reason": "agency_error", "words": "Lần nữa.", "officer": ACCOUNTANT.0 });
    let refund = scene.office.system(&scene.world, "refund");
    refund.post_once("/v1/refunds", "again", &again).await.expect(409);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);

    // The payer fetches it, and the receipt of paper is adjusted.
    let id = item["id"].as_str().unwrap();
    let to = [("name", "Nguyễn Thị Hòa"), ("document", "079185000123"), ("slip", "PC-1")];
    scene.send(&format!("/desk/refunds/{id}"), &to).await.expect(303);
    scene.send(&format!("/desk/refunds/{id}"), &to).await.expect(409);
    assert_eq!(scene.world.count("receipt where refund_id is not null and amount = 205000").await, 1);
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (910_000, -410_000));
}

async fn block_of(scene: &Scene) -> String {
    blanks(scene).await["items"][0]["id"].as_str().unwrap().to_owned()
}

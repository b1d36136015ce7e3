//! Bills that were charged anew while their money was taken on paper: what the paper says was paid, and the rest is a matter of
//! its own, whoever holds the bill by then.

use crate::bills::{late_by, late_rule};
use crate::books::officer;
use crate::desk::{Scene, late, reference};
use crate::desk_money::merge;
use crate::desk_paper::{enter, receipt_of, series, written};
use crate::office::{Office, new_bill};
use crate::transfers::{arrives, transfer};
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

/// A scene with three blanks, and bills of 205,000 đ whose receipts were written on them five minutes ago.
async fn on_paper(bills: usize) -> (Scene, Vec<Value>, String) {
    let scene = Scene::set().await;
    let of = series(&scene, "TP", "printed").await;
    let series = of["id"].as_str().unwrap();
    scene.send("/desk/blanks", &[("act", "print"), ("series", series), ("leaves", "3")]).await.expect(303);
    let mut made = Vec::new();
    for nth in 0..bills {
        made.push(scene.office.bill(&scene.world, &format!("k{nth}")).await);
    }
    scene.world.later(Duration::from_secs(600));
    let early = written(&scene.world, 5);
    (scene, made, early)
}

async fn amend(scene: &Scene, bill: &Value, lines: Value) -> Value {
    let path = format!("/v1/bills/{}/amend", bill["id"].as_str().unwrap());
    let system = scene.office.system(&scene.world, "bill");
    system.post_once(&path, &lines.to_string(), &json!({ "lines": lines })).await.expect(200).json()
}

async fn family(scene: &Scene, bill: &Value) -> Value {
    let path = format!("/v1/bills/{}/family", bill["id"].as_str().unwrap());
    scene.office.system(&scene.world, "bill.read").get(&path).await.expect(200).json()
}

#[tokio::test]
async fn a_bill_that_became_less_while_it_was_paid_on_paper_is_paid_and_the_rest_is_owed_back() {
    let (scene, bills, early) = on_paper(1).await;
    let bill = &bills[0];
    let less = amend(&scene, bill, json!([{ "fee": "LLTP-01" }])).await;
    assert_eq!(less["total"]["amount"], "200000");
    // What the paper says, and nothing else.
    enter(&scene, bill, ["H29.14-TP26T-0000001", &early, "204999"]).await.expect(422);
    scene.send("/desk/bill", &[("reference", reference(bill)), ("cash", "205000")]).await.expect(422);
    assert_eq!(scene.balance("cash_drawer").await, 500_000, "a refusal books nothing");
    enter(&scene, bill, ["H29.14-TP26T-0000001", &early, "205000"]).await.expect(303);
    enter(&scene, bill, ["H29.14-TP26T-0000001", &early, "205000"]).await.expect(409);
    assert_eq!(scene.status(bill).await, "paid");
    let receipt = receipt_of(&scene, bill).await;
    assert_eq!(
        (&receipt["number"], &receipt["total"]["amount"], &receipt["issued_at"]),
        (&json!("H29.14-TP26T-0000001"), &json!("205000"), &json!("2026-11-24T02:05:00Z"))
    );
    let system = scene.office.system(&scene.world, "bill.read refund.read");
    let read = system.get(&format!("/v1/bills/{}", bill["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&read["total"]["amount"], &read["version"]), (&json!("205000"), &json!(3)), "as it was paid");

    // The difference is a refund with a state and an owner that nobody asked for; it is fetched, and the receipt adjusted.
    let refunds = system.get("/v1/refunds").await.expect(200).json();
    let refund = &refunds["items"][0];
    assert_eq!(
        (&refund["amount"]["amount"], &refund["status"], &refund["holder"], &refund["automatic"]),
        (&json!("5000"), &json!("at_desk"), &json!("desk"), &json!(true))
    );
    assert_eq!(refund["reason"], "wrong_amount");
    let to = [("name", "Nguyễn Thị Hòa"), ("document", "079185000123"), ("slip", "PC-1")];
    scene.send(&format!("/desk/refunds/{}", refund["id"].as_str().unwrap()), &to).await.expect(303);
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (700_000, 0));
    assert_eq!(scene.world.count("receipt where refund_id is not null and amount = 5000").await, 1);
    assert_eq!(family(&scene, bill).await["items"], json!([]), "nothing more is asked");
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_bill_that_became_more_while_it_was_paid_on_paper_is_paid_and_the_rest_is_another_bill() {
    let (scene, bills, early) = on_paper(1).await;
    let bill = &bills[0];
    let more = amend(&scene, bill, json!([{ "fee": "LLTP-01" }, { "fee": "LLTP-02", "count": 3 }])).await;
    assert_eq!(more["total"]["amount"], "215000");
    enter(&scene, bill, ["H29.14-TP26T-0000001", &early, "205000"]).await.expect(303);
    assert_eq!(scene.status(bill).await, "paid");
    assert_eq!(receipt_of(&scene, bill).await["total"]["amount"], "205000");
    let links = family(&scene, bill).await;
    let link = &links["items"][0];
    assert_eq!((&link["relation"], &link["later"]), (&json!("difference"), &json!(true)));
    let path = format!("/v1/bills/{}", link["bill"].as_str().unwrap());
    let system = scene.office.system(&scene.world, "bill.read");
    let rest = system.get(&path).await.expect(200).json();
    assert_eq!(
        (&rest["total"]["amount"], &rest["status"], &rest["due"], &rest["dossier"]),
        (&json!("10000"), &json!("open"), &json!("2026-12-24"), &bill["dossier"])
    );
    let step = &rest["lines"][0]["trace"][0];
    assert_eq!((&step["step"], &step["of"]), (&json!("anew"), &bill["id"]));
    assert_eq!(scene.world.count("refund").await, 0);
    // What the paper was of is what was collected.
    let fees = scene.office.system(&scene.world, "fee.read");
    let declared = async || fees.get("/v1/fees/declaration?period=2026-11").await.expect(200).json();
    let of_paper = declared().await;
    assert_eq!(of_paper["collected"]["amount"], "205000", "{of_paper}");
    assert_eq!(of_paper["agrees_with_books"], true);
    // It is paid like any other.
    scene.send("/desk/bill", &[("reference", reference(&rest)), ("cash", "10000")]).await.expect(303);
    assert_eq!(scene.balance("cash_drawer").await, 715_000);
    let of_both = declared().await;
    assert_eq!(of_both["collected"]["amount"], "215000", "{of_both}");
    assert_eq!(of_both["agrees_with_books"], true);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_bill_that_was_charged_anew_and_withdrawn_is_entered_with_what_its_paper_says() {
    let (scene, bills, early) = on_paper(1).await;
    let bill = &bills[0];
    amend(&scene, bill, json!([{ "fee": "LLTP-01" }])).await;
    let path = format!("/v1/bills/{}/cancel", bill["id"].as_str().unwrap());
    scene.office.system(&scene.world, "bill").post_once(&path, "c", &Value::Null).await.expect(200);
    enter(&scene, bill, ["H29.14-TP26T-0000001", &early, "204999"]).await.expect(422);
    enter(&scene, bill, ["H29.14-TP26T-0000001", &early, "205000"]).await.expect(303);
    assert_eq!(scene.status(bill).await, "cancelled");
    assert_eq!(receipt_of(&scene, bill).await["total"]["amount"], "205000");
    assert_eq!(scene.balance("refund_due").await, -205_000);
    let system = scene.office.system(&scene.world, "refund.read");
    let refund = system.get("/v1/refunds").await.expect(200).json()["items"][0].clone();
    assert_eq!((&refund["amount"]["amount"], &refund["status"]), (&json!("205000"), &json!("at_desk")));
    let to = [("name", "Nguyễn Thị Hòa"), ("document", "079185000123"), ("slip", "PC-1")];
    scene.send(&format!("/desk/refunds/{}", refund["id"].as_str().unwrap()), &to).await.expect(303);
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (500_000, 0));
    assert_eq!(scene.world.count("receipt where refund_id is not null and amount = 205000").await, 1);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_was_taken_on_paper_late_bears_the_interest_of_its_own_day() {
    let mut scene = Scene::set().await;
    let bills = late(&mut scene, 2).await;
    let of = series(&scene, "TP", "printed").await;
    let print = [("act", "print"), ("series", of["id"].as_str().unwrap()), ("leaves", "3")];
    scene.send("/desk/blanks", &print).await.expect(303);
    // Written ten days late, and entered on the eleventh.
    scene.world.later(Duration::from_secs(600));
    let at = written(&scene.world, 5);
    scene.world.later(Duration::from_secs(86_400));
    scene.again().await;
    enter(&scene, &bills[0], ["H29.14-TP26T-0000001", &at, "205677"]).await.expect(422);
    enter(&scene, &bills[0], ["H29.14-TP26T-0000001", &at, "205615"]).await.expect(303);
    // What was taken without interest is what was taken.
    enter(&scene, &bills[1], ["H29.14-TP26T-0000002", &at, "205000"]).await.expect(303);
    let system = scene.office.system(&scene.world, "bill.read");
    for (bill, total) in bills.iter().zip(["205615", "205000"]) {
        let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
        let read = system.get(&path).await.expect(200).json();
        assert_eq!((&read["status"], &read["total"]["amount"]), (&json!("paid"), &json!(total)));
    }
    assert_eq!(scene.balance("cash_drawer").await, 500_000 + 205_615 + 205_000);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn paper_of_a_day_on_which_another_rate_begins_or_ends_was_paid_by_the_rule_of_its_own_time() {
    let mut scene = Scene::set().await;
    let officers = late_rule(&scene.world, &scene.office).await;
    let mut charging = new_bill();
    charging["payable_until"] = json!("2026-12-31");
    let system = scene.office.system(&scene.world, "bill fee");
    let mut bills = Vec::new();
    for nth in 0..6 {
        let made = system.post_once("/v1/bills", &format!("late-{nth}"), &charging).await;
        bills.push(made.expect(201).json());
    }
    scene.world.later(Duration::from_secs(17 * 86_400));
    scene.again().await;
    let of = series(&scene, "TP", "printed").await;
    let print = [("act", "print"), ("series", of["id"].as_str().unwrap()), ("leaves", "5")];
    scene.send("/desk/blanks", &print).await.expect(303);
    // Ten days late: by 0,03 % in the early morning, by 0,05 % from the approval at a quarter past nine, and by the first again once
    // that is ended at half past.
    scene.world.later(Duration::from_secs(600));
    let early = written(&scene.world, 5);
    scene.world.later(Duration::from_secs(300));
    let another = late_by(&scene.world, &scene.office, &officers, "0.05").await;
    scene.world.later(Duration::from_secs(600));
    let between = written(&scene.world, 5);
    let leaf = |nth: u32| format!("H29.14-TP26T-000000{nth}");
    enter(&scene, &bills[0], [&leaf(1), &early, "206677"]).await.expect(422);
    enter(&scene, &bills[0], [&leaf(1), &early, "205615"]).await.expect(303);
    // What came into force in the course of the day is in force from its morning on: who asked by it asked rightly.
    enter(&scene, &bills[1], [&leaf(2), &early, "206025"]).await.expect(303);
    enter(&scene, &bills[2], [&leaf(3), &between, "205615"]).await.expect(422);
    // A transfer of what the day asked when it began pays too.
    let paid = transfer(&scene.world, "R1", 205_615, reference(&bills[5]));
    arrives(&scene.world, 1, vec![paid]).await;
    assert_eq!(scene.status(&bills[5]).await, "paid");
    scene.world.later(Duration::from_secs(300));
    let ends = json!({ "officer": officers[1], "from": "2026-12-11" });
    let system = scene.office.system(&scene.world, "bill fee");
    system.post_once(&format!("{another}/discontinue"), "ends", &ends).await.expect(200);
    // Entered the day after, when that day's paper asks for more, whichever rule holds.
    scene.world.later(Duration::from_secs(86_400));
    scene.again().await;
    enter(&scene, &bills[2], [&leaf(3), &between, "205677"]).await.expect(422);
    enter(&scene, &bills[2], [&leaf(3), &between, "206025"]).await.expect(303);
    enter(&scene, &bills[3], [&leaf(4), &between, "205615"]).await.expect(303);
    enter(&scene, &bills[4], [&leaf(5), &early, "205000"]).await.expect(303);
    let totals = ["205615", "206025", "206025", "205615", "205000", "205615"];
    for (bill, total) in bills.iter().zip(totals) {
        let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
        let read = scene.office.system(&scene.world, "bill.read").get(&path).await.expect(200).json();
        assert_eq!((&read["status"], &read["total"]["amount"]), (&json!("paid"), &json!(total)));
        let interest = read["lines"].as_array().unwrap().iter().find(|line| line["fee"] == "CHAM-NOP");
        assert_eq!(interest.is_some(), total != "205000", "{read}");
    }
    let receipt = receipt_of(&scene, &bills[2]).await;
    assert_eq!((&receipt["number"], &receipt["total"]["amount"]), (&json!(leaf(3)), &json!("206025")));
    assert_eq!(scene.balance("cash_drawer").await, 500_000 + 2 * 205_615 + 2 * 206_025 + 205_000);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_sellers_had_invoiced_is_owed_back_where_another_bill_may_charge_it_by_now() {
    let scene = Scene::set().await;
    let of = series(&scene, "TP", "printed").await;
    let print = [("act", "print"), ("series", of["id"].as_str().unwrap()), ("leaves", "3")];
    scene.send("/desk/blanks", &print).await.expect(303);
    let mut charging = new_bill();
    charging["services"] = json!([crate::proofs::service("10")]);
    charging["collect"] = json!("together");
    let system = scene.office.system(&scene.world, "bill refund.read receipt.read");
    let bill = system.post_once("/v1/bills", "with", &charging).await.expect(201).json();
    assert_eq!(bill["total"]["amount"], "1405000");
    scene.world.later(Duration::from_secs(600));
    let early = written(&scene.world, 5);
    // While its paper lies at the desk the bill charges the invoice no more, and another one does.
    let path = format!("/v1/bills/{}/amend", bill["id"].as_str().unwrap());
    let less = system.post_once(&path, "less", &json!({ "services": [] })).await.expect(200).json();
    assert_eq!(less["total"]["amount"], "205000");
    let other = system.post_once("/v1/bills", "other", &charging).await.expect(201).json();

    enter(&scene, &bill, ["H29.14-TP26T-0000001", &early, "1404999"]).await.expect(422);
    enter(&scene, &bill, ["H29.14-TP26T-0000001", &early, "1405000"]).await.expect(303);
    enter(&scene, &bill, ["H29.14-TP26T-0000001", &early, "1405000"]).await.expect(409);
    assert_eq!(
        (scene.status(&bill).await, scene.status(&other).await),
        ("open".to_owned(), "open".to_owned())
    );
    assert_eq!(receipt_of(&scene, &bill).await["number"], "H29.14-TP26T-0000001");
    assert_eq!(
        (scene.balance("cash_drawer").await, scene.balance("refund_due").await),
        (1_905_000, -1_405_000)
    );
    let refund = system.get("/v1/refunds").await.expect(200).json()["items"][0].clone();
    assert_eq!(
        (&refund["amount"]["amount"], &refund["status"], &refund["reason"], &refund["automatic"]),
        (&json!("1405000"), &json!("at_desk"), &json!("wrong_amount"), &json!(true))
    );
    assert_eq!(scene.balance("fee_service").await, 0, "its seller is owed by the bill that charges it now");
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);

    // The payer fetches it, and both bills are paid for what they say now.
    let to = [("name", "Nguyễn Thị Hòa"), ("document", "079185000123"), ("slip", "PC-1")];
    scene.send(&format!("/desk/refunds/{}", refund["id"].as_str().unwrap()), &to).await.expect(303);
    assert_eq!((scene.balance("cash_drawer").await, scene.balance("refund_due").await), (500_000, 0));
    for (bill, cash) in [(&bill, "205000"), (&other, "1405000")] {
        scene.send("/desk/bill", &[("reference", reference(bill)), ("cash", cash)]).await.expect(303);
        assert_eq!(scene.status(bill).await, "paid");
    }
    assert_eq!(scene.balance("fee_service").await, -1_200_000);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_a_reduction_rests_on_goes_back_with_the_bill_and_on_with_the_difference() {
    let (scene, _, _) = on_paper(0).await;
    let student = "079185000001,,Nguyễn Thị Sinh,2005-03-15,female,0901234567,79,active,,2,student";
    let another = "079085000009,,Phạm Văn Sổ,1980-02-01,male,0901234560,79,active,,2,";
    scene.world.register(&[student, another]).await;
    let system = scene.office.system(&scene.world, "fee bill verification");
    let accountant = officer(&scene.world, "079085000009", Role::Accountant, "H29.14").await;
    let question = json!({
        "number": "079185000001", "attributes": { "name": "Nguyễn Thị Sinh" }, "purpose": "Tính phí",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
    });
    let known = system.post_once("/v1/verifications", "v", &question).await.expect(201).json();
    let student = json!({ "name": "Nguyễn Thị Sinh", "verification": known["id"] });
    let evidence = async |bill: &Value| {
        let path = format!("/v1/fees/evidence?bill={}", bill["id"].as_str().unwrap());
        system.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
    };
    let revoke = async |evidence: &Value| {
        let path = format!("/v1/fees/evidence/{}/revoke", evidence["id"].as_str().unwrap());
        let body = json!({ "officer": accountant, "reason": "Giấy xác nhận hết hạn", "due": "2026-12-31" });
        system.post_once(&path, &path, &body).await
    };
    let mut bill = new_bill();
    bill["applicant"] = student;
    let reduced = system.post_once("/v1/bills", "reduced", &bill).await.expect(201).json();
    bill["lines"] = json!([{ "fee": "LLTP-02", "count": 1 }]);
    let plain = system.post_once("/v1/bills", "plain", &bill).await.expect(201).json();
    assert_eq!((&reduced["total"]["amount"], &plain["total"]["amount"]), (&json!("105000"), &json!("5000")));
    scene.world.later(Duration::from_secs(600));
    let early = written(&scene.world, 5);

    // Charged anew without what was reduced, and back to it.
    amend(&scene, &reduced, json!([{ "fee": "LLTP-02", "count": 1 }])).await;
    assert_eq!(evidence(&reduced).await, Vec::<Value>::new());
    enter(&scene, &reduced, ["H29.14-TP26T-0000001", &early, "105000"]).await.expect(303);
    let standing = evidence(&reduced).await;
    assert_eq!((standing.len(), &standing[0]["line"]), (1, &json!(0)));
    // The money of that line goes back as a whole: nothing more is owed of it.
    revoke(&standing[0]).await.expect_refusal(409, "line_went_back");

    // Charged anew with it: it is the difference that rests on it.
    let both = amend(&scene, &plain, json!([{ "fee": "LLTP-02", "count": 1 }, { "fee": "LLTP-01" }])).await;
    assert_eq!(both["total"]["amount"], "105000");
    enter(&scene, &plain, ["H29.14-TP26T-0000002", &early, "5000"]).await.expect(303);
    assert_eq!(evidence(&plain).await, Vec::<Value>::new());
    let links = family(&scene, &plain).await;
    let rest = json!({ "id": links["items"][0]["bill"] });
    let standing = evidence(&rest).await;
    assert_eq!(
        (&standing[0]["line"], &standing[0]["saving"]["amount"], &standing[0]["verification"]),
        (&json!(0), &json!("100000"), &known["id"])
    );
    let revoked = revoke(&standing[0]).await.expect(200).json();
    assert_eq!(revoked["bill"]["total"]["amount"], "100000");
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_a_bill_said_before_passes_on_with_it_and_paper_of_an_agency_that_is_no_more_is_refused() {
    let (scene, bills, early) = on_paper(1).await;
    let bill = &bills[0];
    amend(&scene, bill, json!([{ "fee": "LLTP-01" }])).await;
    let heir = Office::open(&scene.world, "H29.151").await;
    heir.bill(&scene.world, "opens-its-account").await;
    let account = || scene.world.dump("(select lines -> 0 ->> 'number' from bill_version)");
    let old = account().await;
    merge(&scene, scene.office.agency, heir.agency).await;
    // Its receipt would be that agency's, its money the successor's: whoever took it gives it back.
    let page = enter(&scene, bill, ["H29.14-TP26T-0000001", &early, "205000"]).await.expect(422);
    assert!(page.text().contains("Số biên lai giấy không đúng"), "{}", page.text());
    assert_eq!(scene.balance("cash_drawer").await, 500_000, "a refusal books nothing");
    let asked =
        "(select c.lines -> 0 ->> 'number' from bill_version v join bill_content c on c.bill_id = v.bill_id)";
    assert_eq!(
        account().await,
        scene.world.dump(asked).await,
        "the version of before names the successor's account"
    );
    assert_ne!(account().await, old);
    scene.send("/desk/bill", &[("reference", reference(bill)), ("cash", "200000")]).await.expect(303);
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let read = heir.system(&scene.world, "bill.read").get(&path).await.expect(200).json();
    assert_eq!((&read["total"]["amount"], &read["status"]), (&json!("200000"), &json!("paid")));
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

//! Money goes back from where it lies: what still lies in the collecting account from there, what was remitted by the Treasury's
//! order, and what lies with somebody else by nobody here.

use crate::board::{ACCOUNTANT, NOBODY, at_board, grant};
use crate::central_bank::{entry, notification};
use crate::office::{ACCOUNT, Office};
use crate::payouts::{Scene, new_bill, rejected, survey};
use crate::refunds::{vnd, with_mail};
use crate::world::{Actor, Answer};
use chung::base::{calendar::Day, clock::Clock, money::Money};
use chung::codec::iso20022::{AboutWhat, Direction, Entry};
use chung::flow::{pass_on::pass_on, send_refund::look_after_refunds};
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const MORE: [&str; 2] = [
    "079085000459,,Phạm Thị Duyệt,1985-06-01,female,0912345221,79,active,,2,",
    "079085000461,,Vũ Văn Nộp,1985-07-01,male,0912345223,79,active,,2,",
];
const APPLICANT: (&str, &str) = ("079085000459", "+84912345221");
const PAYER: (&str, &str) = ("079085000461", "+84912345223");

/// Asks for money back of the scene's bill.
async fn ask(scene: &Scene, key: &str, more: Value) -> Answer {
    let mut body =
        json!({ "bill": scene.bill["id"], "reason": "agency_error", "words": "x", "officer": ACCOUNTANT.0 });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    scene.office.system(&scene.world, "refund").post_once("/v1/refunds", key, &body).await
}

fn of_line(line: u32, dong: i64) -> Value {
    json!({ "lines": [{ "line": line, "amount": vnd(dong) }] })
}

async fn read(scene: &Scene, id: &str) -> Value {
    let system = scene.office.system(&scene.world, "refund.read");
    system.get(&format!("/v1/refunds/{id}")).await.expect(200).json()
}

async fn press(officer: &Actor, id: &str, act: &str) -> Answer {
    let page = format!("/board/refunds/{id}");
    let token = officer.get(&page).await.expect(200).form_field("form_token");
    officer.post_form(&page, &[("form_token", &*token), ("act", act)]).await
}

async fn approver(scene: &Scene) -> Actor {
    grant(&scene.world, NOBODY.0, Role::Approver).await;
    at_board(&scene.world, NOBODY).await
}

/// The movement that carries a refund out.
fn debit(scene: &Scene, reference: &str, dong: i64, refund: &str) -> Entry {
    let named: Uuid = refund.strip_prefix("refund_").unwrap().parse().unwrap();
    let mut entry = entry(reference, dong, Some(named), scene.world.clock.now());
    entry.direction = Direction::Debit;
    entry
}

/// Every order is made and seen to leave.
async fn remit(scene: &Scene) {
    pass_on(&scene.world.app).await.unwrap();
    let left: Vec<Entry> =
        scene.orders().iter().zip(1..).map(|(order, n)| scene.debit(&format!("P{n}"), order)).collect();
    scene.world.bank.movements.lock().unwrap().extend(left.clone());
    let xml = notification(70, ACCOUNT, left, scene.world.clock.now());
    scene.world.tell(&xml).await.expect(200);
}

#[tokio::test]
async fn what_lies_here_goes_back_from_here_though_another_kind_went_on() {
    let scene = Scene::set().await;
    scene.rules(&[("le_phi", "7111")]).await;
    scene.pay_and_match().await;
    remit(&scene).await;
    // The phí has no rule and lies here; the lệ phí went on.
    let of_phi = ask(&scene, "phi", of_line(1, 40_000)).await.expect(201).json();
    assert_eq!((&of_phi["way"], &of_phi["apart"]), (&json!("clearing"), &json!([])));
    // All the rest lies in two places: a refund for each.
    let rest = ask(&scene, "rest", json!({})).await.expect(201).json();
    assert_eq!((&rest["way"], &rest["amount"]), (&json!("clearing"), &vnd(60_000)));
    assert_eq!(rest["lines"], json!([{ "line": 1, "amount": vnd(60_000) }]));
    let [apart] = rest["apart"].as_array().unwrap().as_slice() else { panic!("{rest}") };
    let at_treasury = read(&scene, apart.as_str().unwrap()).await;
    assert_eq!((&at_treasury["way"], &at_treasury["amount"]), (&json!("treasury"), &vnd(50_000)));
    assert_eq!(at_treasury["lines"], json!([{ "line": 0, "amount": vnd(50_000) }]));
    assert_eq!(ask(&scene, "rest", json!({})).await.expect(201).json(), rest, "once per key");
    ask(&scene, "more", of_line(0, 1)).await.expect_refusal(409, "refund_exceeds_receipt");
    ask(&scene, "any", json!({})).await.expect_refusal(409, "refund_exceeds_receipt");

    let approver = approver(&scene).await;
    press(&approver, of_phi["id"].as_str().unwrap(), "approve").await.expect(303);
    let sent = scene.world.bank.returns.lock().unwrap().clone();
    assert_eq!(sent.iter().map(|sent| sent.amount).collect::<Vec<_>>(), [Money::vnd(40_000)]);
    press(&approver, apart.as_str().unwrap(), "approve").await.expect(303);
    assert_eq!(read(&scene, apart.as_str().unwrap()).await["status"], "awaiting_treasury");
    assert_eq!(
        scene.world.bank.returns.lock().unwrap().len(),
        1,
        "what was remitted is not returned from here"
    );
}

#[tokio::test]
async fn the_kept_part_of_a_charge_goes_back_from_here_while_the_rest_was_remitted() {
    let scene = Scene::set().await;
    scene.rules(&[("phi", "37110001")]).await;
    scene.pay_and_match().await;
    remit(&scene).await;
    let asked = ask(&scene, "1", of_line(1, 100_000)).await.expect(201).json();
    assert_eq!((&asked["way"], &asked["amount"]), (&json!("clearing"), &vnd(75_000)));
    let apart = asked["apart"][0].as_str().unwrap().to_owned();
    assert_eq!(read(&scene, &apart).await["amount"], vnd(25_000));
    // Each is decided by itself; what is declined is asked for again where it lies.
    let approver = approver(&scene).await;
    press(&approver, &apart, "decline").await.expect(303);
    ask(&scene, "2", of_line(1, 25_001)).await.expect_refusal(409, "refund_exceeds_receipt");
    let again = ask(&scene, "3", of_line(1, 25_000)).await.expect(201).json();
    assert_eq!((&again["way"], &again["apart"]), (&json!("treasury"), &json!([])));
    let id = asked["id"].as_str().unwrap();
    press(&approver, id, "approve").await.expect(303);
    let left = debit(&scene, "D1", 75_000, id);
    scene.world.tell(&notification(71, ACCOUNT, vec![left], scene.world.clock.now())).await.expect(200);
    assert_eq!(read(&scene, id).await["status"], "done");
    // The kept part is back to the last đồng; the lệ phí alone is still in the account.
    assert_eq!((scene.balance("fee_phi_retained").await, scene.balance("fee_phi").await), (0, 0));
    assert_eq!(scene.balance("clearing").await, 50_000);
}

#[tokio::test]
async fn a_price_that_was_paid_to_its_seller_is_the_sellers_to_give_back() {
    let mut scene = Scene::set().await;
    let mut with_service = new_bill();
    with_service["services"] = json!([survey("1", "0101243150", "19001234567", 1_200_000)]);
    with_service["collect"] = json!("together");
    let system = scene.office.system(&scene.world, "bill");
    scene.bill = system.post_once("/v1/bills", "with", &with_service).await.expect(201).json();
    let day = Day::of(scene.world.clock.now()).to_string();
    let services = json!({ "kind": "service", "valid_from": day, "bank": "970405", "number": "19009999",
        "holder": "SO TU PHAP", "legal_basis": "Hợp đồng 12/2026" });
    let path = format!("/v1/agencies/{}/payout-rules", scene.office.agency);
    let admin = scene.office.system(&scene.world, "admin");
    admin.post_once(&path, "services", &services).await.expect(200);
    scene.pay_and_match().await;
    remit(&scene).await;
    ask(&scene, "all", json!({})).await.expect_refusal(409, "refund_lies_elsewhere");
    ask(&scene, "price", of_line(2, 1)).await.expect_refusal(409, "refund_lies_elsewhere");
    // Nothing of the refused requests counts, and the others are asked for by name.
    let lines =
        json!({ "lines": [{ "line": 0, "amount": vnd(50_000) }, { "line": 1, "amount": vnd(100_000) }] });
    let asked = ask(&scene, "fees", lines).await.expect(201).json();
    assert_eq!((&asked["way"], &asked["amount"]), (&json!("clearing"), &vnd(150_000)));
    assert_eq!(asked["apart"], json!([]));
}

#[tokio::test]
async fn what_was_never_remitted_after_all_goes_back_from_here_by_what_was_decided() {
    let scene = Scene::set().await;
    scene.rules(&[("le_phi", "7111")]).await;
    let day = scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    let decided = ask(&scene, "1", of_line(0, 20_000)).await.expect(201).json();
    let decided = decided["id"].as_str().unwrap();
    let waiting = ask(&scene, "2", of_line(0, 5_000)).await.expect(201).json();
    let waiting = waiting["id"].as_str().unwrap();
    let approver = approver(&scene).await;
    press(&approver, decided, "approve").await.expect(303);
    let told = read(&scene, decided).await;
    assert_eq!(
        (&told["status"], &told["treasury_order"]["remitted"]),
        (&json!("awaiting_treasury"), &json!(false))
    );
    assert_eq!(scene.balance("refund_due").await, 0);

    // The clearing system rejects the order late: the money never left.
    let order = scene.orders()[0].clone();
    let xml = scene.word(51, AboutWhat::Transfer, order.id.0, rejected("AC04"));
    scene.world.tell(&xml).await.expect(200);
    let told = read(&scene, decided).await;
    assert_eq!(
        (&told["status"], &told["way"], &told["holder"]),
        (&json!("approved"), &json!("clearing"), &json!("bank"))
    );
    assert_eq!(told["treasury_order"], Value::Null);
    assert_eq!(scene.balance("refund_due").await, -20_000);
    // What nobody has decided is still undecided, and goes the other way if it is.
    let told = read(&scene, waiting).await;
    assert_eq!((&told["status"], &told["way"]), (&json!("requested"), &json!("clearing")));
    look_after_refunds(&scene.world.app).await.unwrap();
    assert_eq!(read(&scene, decided).await["status"], "sent");
    let sent = scene.world.bank.returns.lock().unwrap().clone();
    assert_eq!(sent.iter().map(|sent| sent.amount).collect::<Vec<_>>(), [Money::vnd(20_000)]);
    // Told again, the rejection changes nothing.
    scene.world.tell(&xml).await.expect(200);
    assert_eq!(
        (read(&scene, decided).await["status"].clone(), scene.balance("refund_due").await),
        (json!("sent"), -20_000)
    );

    let left = debit(&scene, "D1", 20_000, decided);
    scene.world.tell(&notification(72, ACCOUNT, vec![left], scene.world.clock.now())).await.expect(200);
    assert_eq!(read(&scene, decided).await["status"], "done");
    press(&approver, waiting, "decline").await.expect(303);
    // Nothing is stuck: what is left is ordered again.
    let bounced = scene.listed("?status=bounced").await;
    let page = format!("/board/payouts/{}", bounced[0]["id"].as_str().unwrap());
    let accountant = at_board(&scene.world, ACCOUNTANT).await;
    let token = accountant.get(&page).await.expect(200).form_field("form_token");
    accountant.post_form(&page, &[("form_token", &token)]).await.expect(303);
    scene.match_day(day).await;
    pass_on(&scene.world.app).await.unwrap();
    let again = scene.orders().last().cloned().unwrap();
    assert_eq!((scene.orders().len(), again.amount), (2, Money::vnd(30_000)));
    let events = scene.office.system(&scene.world, "event.read").get("/v1/events").await.expect(200).text();
    assert_eq!(events.matches("\"refund.approved\"").count(), 2, "decided, and sent another way: {events}");
    assert_eq!(scene.world.count("refund where way = 'treasury'").await, 0);
}

/// The bill of somebody with a mailbox, paid by somebody else with one while signed in.
async fn paid_by_another(scene: &Scene) -> Day {
    scene.world.register(&MORE).await;
    with_mail(&scene.world, APPLICANT, "duyet@example.vn").await;
    let bill = scene.bill["id"].as_str().unwrap().strip_prefix("bill_").unwrap();
    let applicant = format!(
        "insert into bill_citizen (bill_id, citizen_id) select '{bill}', citizen_id from session limit 1"
    );
    scene.world.sql(&applicant).await.unwrap();
    let payer = with_mail(&scene.world, PAYER, "nop@example.vn").await;
    let page = format!("/pay/{}", scene.bill["reference"].as_str().unwrap());
    let bank = payer.get(&page).await.expect(200).form_field("bank");
    payer.post_form(&page, &[("bank", &bank)]).await.expect(303);
    scene.world.later(Duration::from_secs(1));
    let path = format!("/v1/payments?bill={}", scene.bill["id"].as_str().unwrap());
    let paid = scene.office.system(&scene.world, "payment.read").get(&path).await.expect(200).json();
    scene.settle_and_match(paid["items"][0]["id"].as_str().unwrap()).await
}

#[tokio::test]
async fn what_was_remitted_goes_back_by_the_treasurys_order_and_is_over_by_its_statement_line() {
    let scene = Scene::set().await;
    scene.rules(&[("phi", "37110001"), ("retained", "37140001"), ("le_phi", "7111")]).await;
    paid_by_another(&scene).await;
    remit(&scene).await;
    let slip =
        scene.listed("?status=done").await.into_iter().find(|order| order["kind"] == "le_phi").unwrap();
    let asked = ask(&scene, "1", of_line(0, 20_000)).await.expect(201).json();
    let id = asked["id"].as_str().unwrap().to_owned();
    assert_eq!((&asked["way"], &asked["status"]), (&json!("treasury"), &json!("requested")));
    let approver = approver(&scene).await;
    press(&approver, &id, "approve").await.expect(303);

    // Everything that the Treasury's order needs, as the slip had it.
    let told = read(&scene, &id).await;
    assert_eq!((&told["status"], &told["holder"]), (&json!("awaiting_treasury"), &json!("treasury")));
    let order = &told["treasury_order"];
    assert_eq!(
        (&order["payout"], &order["slip_number"], &order["remitted"]),
        (&slip["id"], &slip["slip_number"], &json!(true))
    );
    assert_eq!((&order["slip_total"], &order["total"]), (&vnd(50_000), &vnd(20_000)));
    assert_eq!(
        (&order["debit"]["number"], &order["remitted_from"]["number"]),
        (&json!("7111"), &json!(ACCOUNT))
    );
    assert_eq!((&order["treasury_office"], &order["authority"]["code"]), (&json!("0061"), &json!("1056789")));
    assert_eq!(
        (&order["total_in_words"], &order["reason"]),
        (&json!("Hai mươi nghìn đồng"), &json!("agency_error"))
    );
    assert!(order["legal_basis"].as_str().unwrap().contains("38/2019/QH14"), "{order}");
    assert!(order["payer"]["name"].as_str().unwrap().contains("Vũ Văn Nộp"), "{order}");
    assert!(order["payer"]["end_to_end_id"].is_string() && order["payer"]["bank"].is_string(), "{order}");
    let [line] = order["lines"].as_array().unwrap().as_slice() else { panic!("{order}") };
    assert_eq!(
        (&line["dossier"], &line["chapter"], &line["sub_item"], &line["area"]),
        (&json!("H29.14-261124-0007"), &json!("414"), &json!("2750"), &json!("79001"))
    );
    assert_eq!((&line["remitted"], &line["amount"]), (&vnd(50_000), &vnd(20_000)));
    let page = approver.get(&format!("/board/refunds/{id}")).await.expect(200).text();
    let number = slip["slip_number"].as_str().unwrap();
    for shown in
        ["lệnh hoàn trả", number, "7111", "0061", "2750", "79001", "Hai mươi nghìn đồng", "Vũ Văn Nộp"]
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    for mail in ["duyet@example.vn", "nop@example.vn"] {
        let letter = scene.world.last_letter(mail).await.unwrap();
        assert!(letter.text.contains("chờ Kho bạc"), "{}", letter.text);
    }
    let citizens = format!("/pay/{}", scene.bill["reference"].as_str().unwrap());
    let seen = scene.world.stranger().get(&citizens).await.expect(200).text();
    assert!(
        seen.contains("chờ Kho bạc") && seen.contains("không hứa ngày") && !seen.contains(number),
        "{seen}"
    );

    // A notification closes nothing, nor does a line of another amount, nor one in another account.
    let today = Day::of(scene.world.clock.now());
    let line = debit(&scene, "T1", 20_000, &id);
    let xml = notification(73, ACCOUNT, vec![line], scene.world.clock.now());
    scene.world.tell(&xml).await.expect(200);
    scene.world.bank.movements.lock().unwrap().push(debit(&scene, "T0", 19_999, &id));
    scene.world.later(Duration::from_secs(86_400));
    scene.match_day(today).await;
    let other = Office::open(&scene.world, "H29.15").await;
    other.bill(&scene.world, "other").await;
    let elsewhere = Day::of(scene.world.clock.now());
    scene.world.bank.movements.lock().unwrap().push(debit(&scene, "T2", 20_000, &id));
    scene.world.later(Duration::from_secs(86_400));
    scene.match_day_of("699", elsewhere).await;
    assert_eq!(read(&scene, &id).await["status"], "awaiting_treasury");
    assert_eq!(scene.world.count("debit where refund_id is not null").await, 0);
    assert_eq!(scene.balance("refund_due").await, 0);

    // Its line in the statement of the account from which it was remitted, the Treasury's own being none of ours.
    let matched = scene.match_day(elsewhere).await;
    assert_eq!(matched["reconciliation"]["matched"], json!(1), "{matched}");
    let done = read(&scene, &id).await;
    assert_eq!((&done["status"], &done["holder"]), (&json!("done"), &json!("nobody")));
    assert_eq!((scene.balance("fee_le_phi").await, scene.balance("refund_due").await), (20_000, 0));
    let receipts =
        scene.office.system(&scene.world, "receipt.read").get("/v1/receipts").await.expect(200).json();
    let adjusting = receipts["items"].as_array().unwrap().iter().find(|r| r["total"] == vnd(20_000)).unwrap();
    let path = format!("/v1/receipts/{}/xml", adjusting["id"].as_str().unwrap());
    let xml = scene.office.system(&scene.world, "receipt.read").get(&path).await.expect(200).text();
    assert!(xml.contains("Điều chỉnh giảm") && xml.contains("Điều 60"), "{xml}");
    for mail in ["duyet@example.vn", "nop@example.vn"] {
        assert!(scene.world.last_letter(mail).await.unwrap().text.contains("đã hoàn"), "{mail}");
    }
    // Told again, it is the same movement.
    scene.match_day(elsewhere).await;
    assert_eq!(scene.world.count("debit where refund_id is not null").await, 1);
    // No bank carried out a return of ours: none can be asked for it.
    let accountant = at_board(&scene.world, ACCOUNTANT).await;
    let page = accountant.get(&format!("/board/refunds/{id}")).await.expect(200).text();
    assert!(!page.contains("value=\"recall\""), "{page}");
    press(&accountant, &id, "recall").await.expect(409);
    assert!(scene.world.bank.asked_back.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_the_treasurys_account_is_known_here_its_own_statement_decides() {
    let scene = Scene::set().await;
    // The account that gets the lệ phí is one of ours: its statements come here.
    let theirs = Office::open(&scene.world, "H29.15").await;
    theirs.bill(&scene.world, "theirs").await;
    scene.rules(&[("le_phi", "699")]).await;
    scene.pay_and_match().await;
    remit(&scene).await;
    let asked = ask(&scene, "1", of_line(0, 20_000)).await.expect(201).json();
    let id = asked["id"].as_str().unwrap().to_owned();
    let approver = approver(&scene).await;
    press(&approver, &id, "approve").await.expect(303);
    let day = Day::of(scene.world.clock.now());
    scene.world.bank.movements.lock().unwrap().push(debit(&scene, "T1", 20_000, &id));
    scene.world.later(Duration::from_secs(86_400));
    scene.match_day(day).await;
    assert_eq!(read(&scene, &id).await["status"], "awaiting_treasury", "not from the account it left");
    scene.match_day_of("699", day).await;
    assert_eq!(read(&scene, &id).await["status"], "done");
}

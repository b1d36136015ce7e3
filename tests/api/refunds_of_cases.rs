//! Money in suspense that goes back: an officer asks for it by its case, another one approves, and the debit ends it.

use crate::board::signed_in;
use crate::central_bank::{entry, notification};
use crate::office::{ACCOUNT, Office};
use crate::payments::start;
use crate::refunds::{APPROVER, ASKER, Scene, vnd};
use crate::world::Answer;
use chung::base::{clock::Clock, text::Line};
use chung::codec::iso20022::{Agent, Entry};
use chung::config::Limits;
use chung::flow::verify_books::verify_books;
use serde_json::{Value, json};
use std::time::Duration;

impl Scene {
    /// Money comes as a bank tells of it, and waits: its case, and what the bank said.
    async fn waits(&self, nth: u128, dong: i64, payment: Option<&str>) -> (Value, Entry) {
        let named = payment.map(crate::office::uuid);
        let mut came = entry(&format!("W{nth}"), dong, named, self.world.clock.now());
        came.clearing_reference = Line::parse(&format!("SBV{nth}")).ok();
        came.counterparty_agent = Some(Agent::Member("970436".parse().unwrap()));
        came.counterparty = Line::parse("CONG TY KHAC").ok();
        let xml = notification(900 + nth, ACCOUNT, vec![came.clone()], self.world.clock.now());
        self.world.tell(&xml).await.expect(200);
        let cases = self.office.system(&self.world, "case.read").get("/v1/cases").await.expect(200).json();
        let of = |case: &&Value| case["servicer_reference"] == json!(format!("W{nth}"));
        (cases["items"].as_array().unwrap().iter().find(of).unwrap().clone(), came)
    }

    async fn ask_for(&self, case: &Value, key: &str, more: Value) -> Answer {
        let mut body = json!({ "bill": null, "case": case["id"], "reason": "unexplained" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask(key, body).await
    }
}

#[tokio::test]
async fn money_that_waits_goes_back_to_whoever_sent_it() {
    let scene = Scene::set(Limits::default()).await;
    let (world, office) = (&scene.world, &scene.office);
    let (other, late) = (office.bill(world, "other").await, office.bill(world, "late").await);
    let payment = start(world, office, &other).await;
    let wrong = scene.waits(1, 200_000, Some(&payment)).await;
    let payment = start(world, office, &late).await;
    world
        .bank
        .reports
        .lock()
        .unwrap()
        .push(chung::payment::payment::Report::Rejected("AB05".parse().unwrap()));
    world.later(Duration::from_secs(1_000));
    chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    let late = scene.waits(2, 205_000, Some(&payment)).await;
    let nobodys = scene.waits(3, 77_000, None).await;

    let approver = signed_in(world, APPROVER, "/board").await;
    for (nth, ((case, came), held, reason)) in [
        (wrong, "wrong_amount", "wrong_amount"),
        (late, "late_success", "late_money"),
        (nobodys, "unmatched", "unexplained"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(case["suspense"]["reason"], held);
        let (waited, cash) = (scene.balance("suspense").await, scene.balance("clearing").await);
        let asked = scene.ask_for(&case, held, json!({ "reason": reason })).await.expect(201).json();
        let id = asked["id"].as_str().unwrap();
        assert_eq!(
            (&asked["status"], &asked["reason"], &asked["amount"], &asked["way"]),
            (&json!("requested"), &json!(reason), &vnd(came.amount.minor()), &json!("clearing"))
        );
        assert_eq!(scene.balance("suspense").await, waited, "asking moves nothing");
        scene.press(&approver, id, "approve").await.expect(303);
        let sent = world.bank.returns.lock().unwrap().last().cloned().unwrap();
        assert_eq!((sent.amount, sent.original_amount), (came.amount, came.amount));
        assert_eq!(sent.original.clearing_reference, came.clearing_reference);
        assert_eq!(sent.account.as_str(), ACCOUNT);
        assert_eq!(
            scene.balance("refund_due").await,
            -came.amount.minor(),
            "it is owed, and waits no longer"
        );
        assert_eq!(scene.balance("suspense").await, waited + came.amount.minor());
        let debit = scene.debit(&format!("D{nth}"), came.amount.minor(), id);
        scene.debited(950 + nth as u128, debit).await;
        let done = scene.read(id).await;
        assert_eq!((&done["status"], &done["holder"]), (&json!("done"), &json!("nobody")), "{done}");
        assert_eq!(scene.balance("refund_due").await, 0);
        assert_eq!(scene.balance("clearing").await, cash - came.amount.minor());
        let path = format!("/v1/cases/{}", case["id"].as_str().unwrap());
        let read = office.system(world, "case.read").get(&path).await.expect(200).json();
        assert_eq!(read["suspense"]["held"], false, "{read}");
        let again = scene.ask_for(&case, &format!("{held}-again"), json!({ "reason": reason })).await;
        again.expect_refusal(409, "refund_exceeds_receipt");
    }
    assert_eq!(scene.balance("suspense").await, 0);
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_waits_is_given_back_whole_once_and_by_its_own_agency() {
    let scene = Scene::set(Limits::default()).await;
    let world = &scene.world;
    let (case, _) = scene.waits(1, 77_000, None).await;
    let unknown = json!({ "id": format!("case_{}", "0".repeat(32)) });
    scene.ask_for(&unknown, "1", json!({})).await.expect_refusal(404, "not_found");
    scene.ask_for(&case, "2", json!({ "bill": scene.bill["id"] })).await.expect_refusal(400, "invalid_body");
    scene.ask_for(&case, "3", json!({ "case": null })).await.expect_refusal(400, "invalid_body");
    let part = json!({ "amount": vnd(5_000) });
    scene.ask_for(&case, "4", part).await.expect_refusal(409, "refund_exceeds_receipt");
    let lines = json!({ "lines": [{ "line": 0, "amount": vnd(77_000) }] });
    scene.ask_for(&case, "5", lines).await.expect_refusal(409, "refund_exceeds_receipt");
    for reason in ["agency_error", "dossier_withdrawn"] {
        let unfit = scene.ask_for(&case, reason, json!({ "reason": reason })).await;
        unfit.expect_refusal(422, "refund_reason_unfit");
    }
    scene
        .ask_for(&case, "6", json!({ "officer": "079085000458" }))
        .await
        .expect_refusal(403, "officer_needed");
    let other = Office::open(world, "H29.150").await;
    let body =
        json!({ "case": case["id"], "reason": "unexplained", "words": "Trả lại.", "officer": ASKER.0 });
    let theirs = other.system(world, "refund").post_once("/v1/refunds", "7", &body).await;
    assert!([403, 404].contains(&theirs.status), "{}", theirs.text());
    assert_eq!(world.count("refund").await, 0, "a refusal leaves nothing");

    // Declined, it waits as before and may be asked for again; two who ask at once get one refund.
    let asked = scene.ask_for(&case, "8", json!({})).await.expect(201).json();
    scene.ask_for(&case, "9", json!({})).await.expect_refusal(409, "refund_exceeds_receipt");
    let approver = signed_in(world, APPROVER, "/board").await;
    scene.press(&approver, asked["id"].as_str().unwrap(), "decline").await.expect(303);
    let (a, b) = tokio::join!(scene.ask_for(&case, "10", json!({})), scene.ask_for(&case, "11", json!({})));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", a.text(), b.text());
    assert_eq!(scene.balance("suspense").await, -77_000);
}

//! Agencies whose receipts another issuer makes: what goes back is adjusted there, once, whoever asks and whenever; what was in
//! doubt stays the same order; and paper can be entered all the same.

use crate::board::signed_in;
use crate::desk::{self, reference};
use crate::desk_paper::{enter, series, written};
use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::refunds::{APPROVER, ASKER, Scene, vnd};
use crate::world::TestApp;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing::post};
use chung::base::{calendar::Day, clock::Clock, id::Id};
use chung::config::Limits;
use chung::flow::{
    adjust_receipts::adjust_due_receipts, issue_due_receipts::issue_due_receipts,
    succeed_agency::effect_successions,
};
use chung::store::succession;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

/// How an issuer behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behaving {
    /// It makes what it is asked for, and says so.
    Good,
    /// It makes it, and its answer is lost.
    Lost,
    /// It refuses.
    Refusing,
    /// It answers without a number.
    Odd,
    /// It answers without end, as good as.
    Long,
}

/// An issuer that makes one receipt for a name, and takes no other order under a name that it knows.
struct Issuer {
    orders: Mutex<Vec<(String, Value)>>,
    day: Mutex<Behaving>,
    url: String,
    _running: JoinSet<()>,
}

#[derive(Clone)]
struct Door(Arc<Mutex<Option<Arc<Issuer>>>>);

async fn take(
    State(door): State<Door>,
    headers: HeaderMap,
    Json(order): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let issuer = door.0.lock().unwrap().clone().unwrap();
    assert_eq!(headers["authorization"], "Bearer a-secret-of-theirs");
    let day = *issuer.day.lock().unwrap();
    if day == Behaving::Refusing {
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({})));
    }
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let mut orders = issuer.orders.lock().unwrap();
    let place = orders.iter().position(|(known, _)| *known == key);
    if place.is_some_and(|place| orders[place].1 != order) {
        return (StatusCode::CONFLICT, Json(json!({})));
    }
    let place = place.unwrap_or_else(|| {
        orders.push((key, order));
        orders.len() - 1
    });
    if day == Behaving::Lost {
        return (StatusCode::BAD_GATEWAY, Json(json!({})));
    }
    let number = if day == Behaving::Odd { String::new() } else { format!("{:07}", place + 1) };
    let made = json!({
        "form": "1/001", "series": "C26TMB", "number": number, "issued_at": "2026-11-24T02:05:00Z",
        "lookup": "https://bienlai.example/tra-cuu?ma=ABC",
        "more": " ".repeat(if day == Behaving::Long { 100_000 } else { 0 }),
    });
    (StatusCode::OK, Json(made))
}

impl Issuer {
    async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/orders", listener.local_addr().unwrap());
        let door = Door(Arc::default());
        let router = Router::new().route("/orders", post(take)).with_state(door.clone());
        let mut running = JoinSet::new();
        running.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let issuer = Arc::new(Self {
            orders: Mutex::default(),
            day: Mutex::new(Behaving::Good),
            url,
            _running: running,
        });
        *door.0.lock().unwrap() = Some(issuer.clone());
        issuer
    }

    fn has(&self, day: Behaving) {
        *self.day.lock().unwrap() = day;
    }

    fn orders(&self) -> Vec<(String, Value)> {
        self.orders.lock().unwrap().clone()
    }

    /// An agency has its receipts from here; or from its own again.
    async fn serves(&self, world: &TestApp, office: &Office, key: &str, serves: bool) {
        let body = match serves {
            true => json!({ "issuer": "other", "url": self.url, "token": "a-secret-of-theirs" }),
            false => json!({ "issuer": "chung" }),
        };
        let path = format!("/v1/agencies/{}/receipt-issuer", office.agency);
        office.system(world, "admin").post_once(&path, key, &body).await.expect(200);
    }
}

/// A bill that was paid at an agency whose receipts another issuer makes.
async fn paid(scene: &Scene, key: &str, message: u128) -> Value {
    let bill = scene.office.bill(&scene.world, key).await;
    let payment = start(&scene.world, &scene.office, &bill).await;
    scene.world.tell(&scene.world.credit(message, key, 205_000, &payment)).await.expect(200);
    bill
}

/// So much of it goes back; the refund.
async fn gone_back(scene: &Scene, bill: &Value, dong: i64) -> String {
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    let key = format!("{}-{dong}", bill["id"].as_str().unwrap());
    let asked = scene.ask(&key, json!({ "bill": bill["id"], "amount": vnd(dong) })).await.expect(201).json();
    let id = asked["id"].as_str().unwrap().to_owned();
    scene.press(&approver, &id, "approve").await.expect(303);
    let message = u128::try_from(dong).unwrap();
    scene.debited(message, scene.debit(&format!("D{dong}"), dong, &id)).await;
    assert_eq!(scene.read(&id).await["status"], "done", "money waits for no paper");
    id
}

#[tokio::test]
async fn money_that_goes_back_is_told_to_whoever_made_its_receipt_and_once() {
    let scene = Scene::set(Limits::default()).await;
    let issuer = Issuer::start().await;
    issuer.serves(&scene.world, &scene.office, "a", true).await;
    let bill = paid(&scene, "k2", 2).await;
    issue_due_receipts(&scene.world.app).await.unwrap();
    assert_eq!(issuer.orders().len(), 1);
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 0, "nothing went back");

    // It is told, and its answer is lost.
    issuer.has(Behaving::Lost);
    let id = gone_back(&scene, &bill, 5_000).await;
    assert_eq!(scene.read(&id).await["receipt_pending"], true);
    let reads = scene.office.system(&scene.world, "receipt.read event.read");
    let due = reads.get("/v1/receipts/due").await.expect(200).json();
    assert_eq!(
        (&due["items"][0]["refund"], &due["items"][0]["reason"], &due["items"][0]["attempts"]),
        (&json!(id), &json!("issuer"), &json!(0))
    );
    let accountant = signed_in(&scene.world, ASKER, "/board").await;
    for page in ["/board/receipts".to_owned(), format!("/board/refunds/{id}")] {
        let shown = accountant.get(&page).await.expect(200).text();
        assert!(
            shown.contains("chờ bên lập khác điều chỉnh") || shown.contains("Biên lai điều chỉnh"),
            "{shown}"
        );
    }
    let kept = scene.world.dump("adjustment_order").await;
    assert!(!kept.contains(&hex::encode("Nguyễn Thị Hòa")) && !kept.contains("Hòa"), "the order is sealed");
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 0, "it rests for a while");
    let due = reads.get("/v1/receipts/due").await.expect(200).json();
    assert_eq!(due["items"][0]["last_outcome"], "silence");
    let (key, order) = issuer.orders()[1].clone();
    assert_eq!(key, format!("{id}-phi-H29.14"));
    assert_eq!(
        (&order["adjusts"]["number"], &order["adjusts"]["series"], &order["total"], &order["name"]),
        (&json!("0000001"), &json!("C26TMB"), &json!(5_000), &json!("Nguyễn Thị Hòa"))
    );
    assert!(order["adjusts"]["legal_basis"].as_str().unwrap().contains("Điều 60"), "{order}");
    let sum: i64 = order["lines"].as_array().unwrap().iter().map(|line| line[3].as_i64().unwrap()).sum();
    assert_eq!(sum, 5_000, "{order}");

    // The agency leaves that issuer: it alone can adjust what it made, and is asked under the same name.
    issuer.serves(&scene.world, &scene.office, "b", false).await;
    issuer.has(Behaving::Good);
    scene.world.later(Duration::from_secs(60));
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 0);
    assert_eq!(issuer.orders().len(), 2, "the same order again");
    let done = scene.read(&id).await;
    assert_eq!(done["receipt_pending"], false);
    assert_eq!(
        done["elsewhere"],
        json!([{ "kind": "phi", "form": "1/001", "series": "C26TMB", "number": "0000002",
            "lookup": "https://bienlai.example/tra-cuu?ma=ABC" }])
    );
    let shown = accountant.get(&format!("/board/refunds/{id}")).await.expect(200).text();
    assert!(shown.contains("1/001 C26TMB 0000002"), "{shown}");
    assert_eq!(reads.get("/v1/receipts/due").await.expect(200).json()["items"], json!([]));
    let events = reads.get("/v1/events").await.expect(200).text();
    assert!(events.contains("1/001 C26TMB 0000002"), "{events}");
    assert_eq!(scene.world.count("receipt where refund_id is not null").await, 0, "never both");
    for change in ["update provided_adjustment set amount = 1", "delete from provided_adjustment"] {
        assert!(scene.world.sql(change).await.is_err(), "{change}");
    }

    // The rest goes back as well: another order, about the same receipt.
    let rest = gone_back(&scene, &bill, 200_000).await;
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    let order = issuer.orders()[2].1.clone();
    assert_eq!((&order["adjusts"]["number"], &order["total"]), (&json!("0000001"), &json!(200_000)));
    assert_eq!(scene.read(&rest).await["elsewhere"][0]["number"], "0000003");
}

#[tokio::test]
async fn an_issuer_that_does_not_adjust_is_asked_again_and_nobody_else_is() {
    let scene = Scene::set(Limits::default()).await;
    let issuer = Issuer::start().await;
    issuer.serves(&scene.world, &scene.office, "a", true).await;
    let bill = paid(&scene, "k2", 2).await;
    // The money goes back before the issuer has made its receipt.
    issuer.has(Behaving::Refusing);
    issue_due_receipts(&scene.world.app).await.unwrap();
    let id = gone_back(&scene, &bill, 5_000).await;
    assert_eq!(scene.read(&id).await["receipt_pending"], true);
    assert_eq!(scene.world.count("adjustment_order").await, 0, "there is nothing to adjust yet");
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    issuer.has(Behaving::Good);
    scene.world.later(Duration::from_secs(60));
    issue_due_receipts(&scene.world.app).await.unwrap();

    let outcome = async || {
        let system = scene.office.system(&scene.world, "receipt.read");
        let due = system.get("/v1/receipts/due").await.expect(200).json();
        due["items"][0]["last_outcome"].clone()
    };
    for (day, told) in
        [(Behaving::Refusing, "http_422"), (Behaving::Odd, "silence"), (Behaving::Long, "silence")]
    {
        issuer.has(day);
        scene.world.later(Duration::from_secs(1_800));
        assert!(adjust_due_receipts(&scene.world.app).await.unwrap() > 0);
        assert_eq!(outcome().await, told);
        assert_eq!(scene.world.count("provided_adjustment").await, 0);
        assert_eq!(scene.read(&id).await["receipt_pending"], true);
    }
    // Others see nothing of it, and no series of ours ends it.
    let other = Office::open(&scene.world, "H29.15").await;
    let due = other.system(&scene.world, "receipt.read").get("/v1/receipts/due").await.expect(200).json();
    assert_eq!(due["items"], json!([]));
    other.system(&scene.world, "bill").get("/v1/receipts/due").await.expect_refusal(403, "scope_missing");
    other
        .system(&scene.world, "refund.read")
        .get(&format!("/v1/refunds/{id}"))
        .await
        .expect_refusal(404, "not_found");

    issuer.has(Behaving::Good);
    scene.world.later(Duration::from_secs(1_800));
    assert_eq!(adjust_due_receipts(&scene.world.app).await.unwrap(), 1);
    assert_eq!(scene.read(&id).await["receipt_pending"], false);
    assert_eq!(issuer.orders().len(), 2);
    assert_eq!(scene.world.count("receipt where refund_id is not null").await, 0);
}

#[tokio::test]
async fn what_was_in_doubt_when_its_agency_was_succeeded_is_the_same_order() {
    let scene = Scene::set(Limits::default()).await;
    let (world, office) = (&scene.world, &scene.office);
    let (other, heir) = (Office::open(world, "H29.15").await, Office::open(world, "H29.160").await);
    other.bill(world, "opens-its-account").await;
    heir.bill(world, "opens-its-account").await;
    let issuer = Issuer::start().await;
    issuer.serves(world, office, "a", true).await;
    issuer.serves(world, &other, "b", true).await;
    let mut shared = new_bill();
    shared["lines"][1]["beneficiary"] = json!(other.agency.to_string());
    shared["collect"] = json!("together");
    let bill = office.system(world, "bill").post_once("/v1/bills", "t", &shared).await.expect(201).json();
    let payment = start(world, office, &bill).await;
    world.tell(&world.credit(2, "R2", 205_000, &payment)).await.expect(200);
    // Both are made, and neither is heard of.
    issuer.has(Behaving::Lost);
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 2);
    let mut keys: Vec<String> = issuer.orders().into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [format!("{payment}-phi-H29.14"), format!("{payment}-phi-H29.15")]);

    let now = world.clock.now();
    let one = succession::Succession {
        agency: other.agency,
        kind: "merge".to_owned(),
        from: Day::of(now),
        successors: vec![(heir.agency, vec![])],
    };
    let mut tx = world.app.store.begin().await.unwrap();
    succession::insert(&mut tx, &one, Id::from_uuid(Uuid::from_u128(9)), now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(effect_successions(&world.app).await.unwrap());

    // The heir has its receipts from here; what was ordered elsewhere is fetched from there, word for word as before.
    issuer.has(Behaving::Good);
    world.later(Duration::from_secs(60));
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 2);
    assert_eq!(issuer.orders().len(), 2, "nothing is made twice");
    assert_eq!(world.count("receipt_due").await, 0);
    let passed = format!(
        "provided_receipt where owner_id = '{}' and agency_id = '{}' and amount = 5000",
        other.agency.uuid(),
        heir.agency.uuid()
    );
    assert_eq!(world.count(&passed).await, 1);

    // And what goes back of it is adjusted there, as that of its owner then.
    let approver = signed_in(world, APPROVER, "/board").await;
    let lines = json!({ "bill": bill["id"], "lines": [{ "line": 1, "amount": vnd(5_000) }] });
    let id = scene.ask("r", lines).await.expect(201).json()["id"].as_str().unwrap().to_owned();
    scene.press(&approver, &id, "approve").await.expect(303);
    scene.debited(9, scene.debit("D9", 5_000, &id)).await;
    adjust_due_receipts(&world.app).await.unwrap();
    let (key, order) = issuer.orders()[2].clone();
    assert_eq!((key, &order["agency"]), (format!("{id}-phi-H29.15"), &json!("H29.15")));
    assert_eq!(order["total"], 5_000);
    assert_eq!(scene.read(&id).await["receipt_pending"], false);
}

#[tokio::test]
async fn an_agency_that_changes_its_issuer_in_doubt_has_no_receipt_twice() {
    let scene = Scene::set(Limits::default()).await;
    let (first, second) = (Issuer::start().await, Issuer::start().await);
    first.serves(&scene.world, &scene.office, "a", true).await;
    first.has(Behaving::Lost);
    paid(&scene, "k2", 2).await;
    issue_due_receipts(&scene.world.app).await.unwrap();
    assert_eq!(first.orders().len(), 1);
    // Another one serves it from now on: what is paid from now on is ordered there, and nothing else.
    second.serves(&scene.world, &scene.office, "b", true).await;
    paid(&scene, "k3", 3).await;
    first.has(Behaving::Good);
    scene.world.later(Duration::from_secs(60));
    assert_eq!(issue_due_receipts(&scene.world.app).await.unwrap(), 2);
    assert_eq!((first.orders().len(), second.orders().len()), (1, 1));
    assert_ne!(first.orders()[0].0, second.orders()[0].0);
    assert_eq!(scene.world.count("provided_receipt").await, 2);
    // Coming back to the first is the same issuer again.
    first.serves(&scene.world, &scene.office, "c", true).await;
    assert_eq!(scene.world.count("receipt_issuer").await, 2);
    assert_eq!(scene.world.count("receipt_issuer where ended_at is null").await, 1);
}

#[tokio::test]
async fn a_desk_says_where_the_receipt_is_and_enters_paper_all_the_same() {
    let scene = desk::Scene::set().await;
    let of = series(&scene, "TP", "printed").await;
    let series = of["id"].as_str().unwrap();
    scene.send("/desk/blanks", &[("act", "print"), ("series", series), ("leaves", "2")]).await.expect(303);
    let issuer = Issuer::start().await;
    issuer.serves(&scene.world, &scene.office, "a", true).await;
    scene.world.later(Duration::from_secs(600));
    let bills =
        [scene.office.bill(&scene.world, "paper").await, scene.office.bill(&scene.world, "cash").await];
    let at = written(&scene.world, 5);
    enter(&scene, &bills[0], ["H29.14-TP26T-0000001", &at, "205000"]).await.expect(303);
    enter(&scene, &bills[0], ["H29.14-TP26T-0000001", &at, "205000"]).await.expect(409);
    let reads = scene.office.system(&scene.world, "receipt.read");
    let list = reads.get("/v1/receipts").await.expect(200).json();
    assert_eq!(list["items"][0]["number"], "H29.14-TP26T-0000001", "what was written stands");
    assert_eq!(reads.get("/v1/receipts/due").await.expect(200).json()["items"], json!([]));
    assert_eq!(issue_due_receipts(&scene.world.app).await.unwrap(), 0);
    assert_eq!(issuer.orders(), [], "nobody is asked for what was written by hand");

    // What is taken with a connection comes from the issuer; until then there is nothing to print.
    scene.send("/desk/bill", &[("reference", reference(&bills[1])), ("cash", "205000")]).await.expect(303);
    let page = async |bill: &Value| {
        let path = format!("/desk/bill?reference={}", reference(bill));
        scene.cashier.get(&path).await.expect(200).text()
    };
    let shown = page(&bills[1]).await;
    assert!(shown.contains("biên lai đang được lập") && !shown.contains("In biên lai"), "{shown}");
    assert_eq!(issue_due_receipts(&scene.world.app).await.unwrap(), 1);
    let shown = page(&bills[1]).await;
    assert!(shown.contains("do tổ chức khác lập") && shown.contains("1/001 C26TMB 0000001"), "{shown}");
    assert!(!shown.contains("In biên lai"), "{shown}");
    assert!(page(&bills[0]).await.contains("In biên lai H29.14-TP26T-0000001"));
}

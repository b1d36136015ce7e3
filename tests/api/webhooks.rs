//! Endpoints that are told of events, over real HTTP: what they hear, in what order, how often, and who is never called.

use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::world::TestApp;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use chung::app::App;
use chung::base::clock::Clock;
use chung::base::id::{Client, Id};
use chung::config::Limits;
use chung::flow::deliver_events::{Lane, deliver_events, route_events, tend_deliveries};
use chung::flow::endpoints::ENDPOINTS_MAX;
use chung::flow::register_client::set_client_active;
use chung::partner::webhook::RemoteWebhooks;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How long an answer that never comes is awaited by nobody.
const NEVER: Duration = Duration::from_secs(60);

/// One request as an agency's system got it.
#[derive(Clone)]
pub struct Heard {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Heard {
    pub fn header(&self, name: &str) -> String {
        self.headers[name].to_str().unwrap().to_owned()
    }

    pub fn id(&self) -> String {
        self.header("webhook-id")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks the signature as the standard says, with nothing of ours.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
        let signed =
            [format!("{}.{}.", self.id(), self.header("webhook-timestamp")).as_bytes(), &self.body].concat();
        self.header("webhook-signature").split(' ').any(|signature| {
            let tag = BASE64_STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
            ring::hmac::verify(&key, &signed, &tag).is_ok()
        })
    }
}

/// How an agency's system answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Takes,
    Fails,
    Redirects,
    Stalls,
}

/// An agency's system that listens.
pub struct Receiver {
    pub url: String,
    state: Arc<Listening>,
    _running: JoinSet<()>,
}

struct Listening {
    heard: Mutex<Vec<Heard>>,
    mood: Mutex<Mood>,
    called: Notify,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let state = Arc::new(Listening {
            heard: Mutex::default(),
            mood: Mutex::new(Mood::Takes),
            called: Notify::new(),
        });
        let router = Router::new().fallback(hear).with_state(state.clone());
        let mut running = JoinSet::new();
        running.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url, state, _running: running }
    }

    pub fn feels(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.state.heard.lock().unwrap().clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.heard().iter().map(Heard::id).collect()
    }
}

async fn hear(State(state): State<Arc<Listening>>, headers: HeaderMap, body: Bytes) -> Response {
    state.heard.lock().unwrap().push(Heard { headers, body: body.to_vec() });
    state.called.notify_one();
    let mood = *state.mood.lock().unwrap();
    match mood {
        Mood::Takes => StatusCode::NO_CONTENT.into_response(),
        Mood::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Redirects => (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]).into_response(),
        Mood::Stalls => {
            tokio::time::sleep(NEVER).await;
            StatusCode::OK.into_response()
        }
    }
}

/// Registers an endpoint over HTTP; the first answer.
pub async fn register(world: &TestApp, office: &Office, url: &str, types: &[&str]) -> Value {
    let system = office.system(world, "event");
    let body = json!({ "url": url, "types": types });
    system.post_once("/v1/events/endpoints", url, &body).await.expect(201).json()
}

pub async fn endpoint(world: &TestApp, office: &Office, id: &Value) -> Value {
    let path = format!("/v1/events/endpoints/{}", id.as_str().unwrap());
    office.system(world, "event.read").get(&path).await.expect(200).json()
}

/// Everything that is due goes out.
pub async fn tell(app: &App) {
    while route_events(app).await.unwrap() > 0 {}
    loop {
        let well = deliver_events(app, Lane::Well).await.unwrap();
        if well + deliver_events(app, Lane::Failing).await.unwrap() == 0 {
            return;
        }
    }
}

/// Issues a bill and withdraws it: one event, `bill.cancelled`; the bill.
pub async fn cancelled(world: &TestApp, office: &Office, key: &str) -> String {
    let bill = office.bill(world, key).await["id"].as_str().unwrap().to_owned();
    let cancel = format!("/v1/bills/{bill}/cancel");
    office.system(world, "bill").post_once(&cancel, &format!("cancel-{key}"), &json!({})).await.expect(200);
    bill
}

#[tokio::test]
async fn a_paid_bill_is_told_signed_and_once() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    let secret = register(&world, &office, &all.url, &[]).await["secret"].as_str().unwrap().to_owned();
    register(&world, &office, &some.url, &["bill.cancelled"]).await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    tell(&world.app).await;
    world.later(Duration::from_secs(86_400));
    tell(&world.app).await;

    let heard = all.heard();
    assert_eq!((heard.len(), some.heard().len()), (1, 0));
    assert!(heard[0].is_signed_with(&secret));
    assert!(!heard[0].is_signed_with("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"));
    assert_eq!(heard[0].header("content-type"), "application/json");
    let told = heard[0].json();
    assert_eq!((&told["type"], &told["data"]["bill"]), (&json!("bill.paid"), &bill["id"]));
    assert_eq!(told["data"]["payment"], json!(payment));
    assert!(!heard[0].body.windows(4).any(|w| w == "Hòa".as_bytes()), "a personal value travels");

    // Whoever reads instead of listening learns the same.
    let system = office.system(&world, "event.read");
    let mut listed = system.get("/v1/events").await.expect(200).json()["items"][0].clone();
    assert_eq!(listed["id"], json!(heard[0].id()));
    let one = system.get(&format!("/v1/events/{}", heard[0].id())).await.expect(200).json();
    assert_eq!(one, listed);
    listed.as_object_mut().unwrap().remove("id");
    assert_eq!(listed, told);
    assert_eq!(world.count("delivery").await, 1);
    let other = Office::open(&world, "H29.150").await.system(&world, "event.read");
    other.get(&format!("/v1/events/{}", heard[0].id())).await.expect_refusal(404, "not_found");
    assert_eq!(other.get("/v1/events").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn what_happened_before_anybody_listened_is_read_and_not_told() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    cancelled(&world, &office, "before").await;
    assert_eq!(world.count("outbox where topic = 'event' and state = 'pending'").await, 0);
    let receiver = Receiver::start().await;
    register(&world, &office, &receiver.url, &[]).await;
    let after = cancelled(&world, &office, "after").await;
    tell(&world.app).await;
    let heard = receiver.heard();
    assert_eq!((heard.len(), &heard[0].json()["data"]["bill"]), (1, &json!(after)));
    let listed = office.system(&world, "event.read").get("/v1/events").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_signing_key_is_shown_once_and_kept_sealed() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "event");
    let body = json!({ "url": "https://agency.example/events" });
    let first = system.post_once("/v1/events/endpoints", "k", &body).await.expect(201).json();
    let secret = first["secret"].as_str().unwrap();
    let again = system.post_once("/v1/events/endpoints", "k", &body).await.expect(201).json();
    assert_eq!((&again["id"], &again["secret"]), (&first["id"], &Value::Null));
    assert_eq!(endpoint(&world, &office, &first["id"]).await["secret"], Value::Null);
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    for table in ["endpoint", "idempotency_key", "audit_detail"] {
        let rows = world.dump(table).await;
        assert!(!rows.contains(&hex::encode(&key)) && !rows.contains(secret), "{table} shows the key");
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_for_a_day_hears_everything_in_the_end_and_holds_up_nobody() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    let failing = register(&world, &office, &bad.url, &[]).await;
    register(&world, &office, &good.url, &[]).await;
    bad.feels(Mood::Fails);
    let mut bills = Vec::new();
    for hour in 0..24 {
        bills.push(cancelled(&world, &office, &format!("{hour}")).await);
        tell(&world.app).await;
        assert_eq!(good.heard().len(), hour + 1, "the other one suffers");
        world.later(Duration::from_secs(3_600));
    }
    let seen = endpoint(&world, &office, &failing["id"]).await;
    assert_eq!(
        (&seen["last_outcome"], &seen["waiting"], &seen["dead"]),
        (&json!("http_500"), &json!(24), &json!(0))
    );
    assert!(seen["failures"].as_i64().unwrap() >= 24);
    assert_eq!(seen["health"], "failing");
    let tried = bad.heard().len();
    assert!((24..24 * 9).contains(&tried), "{tried} attempts in a day are no backoff");

    bad.feels(Mood::Takes);
    for _ in 0..12 {
        world.later(Duration::from_secs(3_600));
        tell(&world.app).await;
    }
    let seen = endpoint(&world, &office, &failing["id"]).await;
    let healthy = (json!("delivered"), json!(0), json!(0));
    assert_eq!((seen["last_outcome"].clone(), seen["waiting"].clone(), seen["failures"].clone()), healthy);
    assert_eq!(bad.heard().len(), tried + 24, "each event was taken once");
    let mut late: Vec<String> = bad.ids()[tried..].to_vec();
    late.sort();
    assert_eq!(late, good.ids());
    // Every attempt carries the moment that it was made at, and the same body.
    let first = bad.heard().iter().filter(|h| h.id() == late[0]).cloned().collect::<Vec<_>>();
    assert!(first.len() > 3 && first.iter().all(|h| h.body == first[0].body));
    assert!(first.windows(2).all(|w| w[0].header("webhook-timestamp") < w[1].header("webhook-timestamp")));
    assert_eq!(first[0].json()["data"]["bill"], json!(bills[0]));
}

#[tokio::test]
async fn after_three_days_an_event_is_given_up() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bad = Receiver::start().await;
    let failing = register(&world, &office, &bad.url, &[]).await;
    bad.feels(Mood::Fails);
    cancelled(&world, &office, "k").await;
    let mut pauses = Vec::new();
    for _ in 0..(84 * 6) {
        let before = bad.heard().len();
        tell(&world.app).await;
        tend_deliveries(&world.app).await.unwrap();
        if bad.heard().len() > before {
            pauses.push(world.clock.now());
        }
        world.later(Duration::from_secs(600));
    }
    let seen = endpoint(&world, &office, &failing["id"]).await;
    assert_eq!((&seen["waiting"], &seen["dead"]), (&json!(0), &json!(1)));
    assert!((12..40).contains(&pauses.len()), "{} attempts", pauses.len());
    let tried = *pauses.last().unwrap() - pauses[0];
    let three_days = time::Duration::hours(60)..=time::Duration::hours(72) + time::Duration::minutes(10);
    assert!(three_days.contains(&tried), "it was tried for {tried}");
    let gaps: Vec<_> = pauses.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(
        gaps.iter().all(|gap| *gap <= time::Duration::hours(6) + time::Duration::minutes(10)),
        "{gaps:?}"
    );
    assert!(gaps.last().unwrap() > gaps.first().unwrap(), "pauses grow");
    // What ended is forgotten a month later.
    world.later(Duration::from_secs(32 * 86_400));
    assert_eq!(tend_deliveries(&world.app).await.unwrap(), 1);
    assert_eq!(world.count("delivery").await, 0);
}

#[tokio::test]
async fn what_was_sent_but_not_recorded_is_sent_again_under_the_same_name() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    register(&world, &office, &receiver.url, &[]).await;
    cancelled(&world, &office, "k").await;
    while route_events(&world.app).await.unwrap() > 0 {}
    receiver.feels(Mood::Stalls);
    // The service dies while the endpoint is working on it.
    tokio::select! {
        done = deliver_events(&world.app, Lane::Well) => panic!("an answer came: {done:?}"),
        () = receiver.state.called.notified() => {}
    }
    receiver.feels(Mood::Takes);
    tell(&world.app).await;
    assert_eq!(receiver.heard().len(), 1, "its lease still holds");
    world.later(Duration::from_secs(60));
    tell(&world.app).await;
    let ids = receiver.ids();
    assert_eq!((ids.len(), ids[0] == ids[1]), (2, true));
    assert_eq!(world.count("delivery where state = 'done' and attempts = 2").await, 1);
}

#[tokio::test]
async fn one_bill_is_told_in_order_even_when_the_first_telling_fails() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    register(&world, &office, &receiver.url, &[]).await;
    let bill = office.bill(&world, "k").await;
    world.bank.answers.lock().unwrap().push(chung::payment::payment::Event::NoAnswer);
    let payment = start(&world, &office, &bill).await;
    receiver.feels(Mood::Fails);
    tell(&world.app).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    receiver.feels(Mood::Takes);
    for _ in 0..4 {
        tell(&world.app).await;
        world.later(Duration::from_secs(10));
    }
    let told: Vec<Value> = receiver.heard().iter().map(|h| h.json()["type"].clone()).collect();
    assert_eq!(told, [json!("payment.unknown"), json!("payment.unknown"), json!("bill.paid")]);
}

#[tokio::test]
async fn only_success_is_success() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (redirecting, stalling) = (Receiver::start().await, Receiver::start().await);
    redirecting.feels(Mood::Redirects);
    stalling.feels(Mood::Stalls);
    let mut expected = Vec::new();
    for (url, outcome) in [
        (redirecting.url.clone(), "http_302"),
        (stalling.url.clone(), "too_slow"),
        (format!("http://{closed}/"), "unreachable"),
    ] {
        expected.push((register(&world, &office, &url, &[]).await["id"].clone(), outcome));
    }
    cancelled(&world, &office, "k").await;
    tell(&world.app).await;
    for (id, outcome) in expected {
        assert_eq!(endpoint(&world, &office, &id).await["last_outcome"], outcome);
    }
    assert_eq!(redirecting.heard().len(), 1, "the redirect was followed");
}

/// The service's parts with a deliverer that keeps to the public internet.
fn guarded(world: &TestApp) -> App {
    let webhooks = RemoteWebhooks::new(false, Duration::from_secs(2)).unwrap();
    world.app.with(|parts| parts.webhooks = Arc::new(webhooks))
}

#[tokio::test]
async fn nobody_inside_the_network_is_ever_called() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    let port = receiver.url.split(':').nth(2).unwrap().to_owned();
    let mut expected = Vec::new();
    for (url, outcome) in [
        (format!("https://127.0.0.1:{port}"), "private_address"),
        // A name is looked up at the attempt, whatever it meant at the registration.
        (format!("https://localhost:{port}"), "private_address"),
        (receiver.url.clone(), "not_secure"),
    ] {
        expected.push((register(&world, &office, &url, &[]).await["id"].clone(), outcome));
    }
    cancelled(&world, &office, "k").await;
    tell(&guarded(&world)).await;
    for (id, outcome) in expected {
        assert_eq!(endpoint(&world, &office, &id).await["last_outcome"], outcome);
    }
    assert!(receiver.heard().is_empty());
}

#[tokio::test]
async fn an_unfit_address_is_not_registered() {
    crate::world::install();
    let outside_only = RemoteWebhooks::new(false, Duration::from_secs(2)).unwrap();
    let world =
        TestApp::start_as(Limits::default(), |parts, _| parts.webhooks = Arc::new(outside_only)).await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "event");
    for url in ["http://agency.example/", "https://10.0.0.1/", "https://[fd00::1]/", "https://0x7f.1/"] {
        let unfit = system.post_once("/v1/events/endpoints", "k", &json!({ "url": url })).await;
        unfit.expect_refusal(422, "endpoint_unfit");
    }
    assert_eq!(world.count("endpoint").await, 0);
    for body in [
        json!({ "url": "ftp://agency.example/" }),
        json!({ "url": "https://user:word@agency.example/" }),
        json!({ "url": "https://agency.example/", "types": ["bill.eaten"] }),
        json!({ "url": "https://agency.example/", "secret": "mine" }),
    ] {
        system.post_once("/v1/events/endpoints", "k", &body).await.expect_refusal(400, "invalid_body");
    }
    let body = json!({ "url": "https://agency.example/0" });
    system.post_once("/v1/events/endpoints", "0", &body).await.expect(201);
    system.post_once("/v1/events/endpoints", "b", &body).await.expect_refusal(409, "endpoint_exists");
    for i in 1..ENDPOINTS_MAX {
        let body = json!({ "url": format!("https://agency.example/{i}") });
        system.post_once("/v1/events/endpoints", &format!("k{i}"), &body).await.expect(201);
    }
    let body = json!({ "url": "https://agency.example/more" });
    system.post_once("/v1/events/endpoints", "more", &body).await.expect_refusal(409, "endpoints_too_many");
}

#[tokio::test]
async fn whoever_is_suspended_hears_nothing() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let other = Office::open(&world, "H29.150").await;
    let receiver = Receiver::start().await;
    let id = register(&world, &office, &receiver.url, &[]).await["id"].as_str().unwrap().to_owned();
    let system = office.system(&world, "event");
    let act = |verb: &str| format!("/v1/events/endpoints/{id}/{verb}");
    let stranger = other.system(&world, "event");
    stranger.post_once(&act("suspend"), "s", &json!({})).await.expect_refusal(404, "not_found");

    // On its way when the endpoint is suspended: it waits.
    cancelled(&world, &office, "before").await;
    while route_events(&world.app).await.unwrap() > 0 {}
    let suspended = system.post_once(&act("suspend"), "s", &json!({})).await.expect(200).json();
    assert_eq!((&suspended["state"], &suspended["waiting"]), (&json!("suspended"), &json!(1)));
    cancelled(&world, &office, "meanwhile").await;
    tell(&world.app).await;
    assert!(receiver.heard().is_empty());
    system.post_once(&act("resume"), "r", &json!({})).await.expect(200);

    let client: Id<Client> = office.client;
    set_client_active(&world.app, client, false).await.unwrap();
    tell(&world.app).await;
    assert!(receiver.heard().is_empty());
    set_client_active(&world.app, client, true).await.unwrap();
    tell(&world.app).await;
    assert_eq!(receiver.heard().len(), 1, "what happened while it was suspended is read, not told");
    let listed = office.system(&world, "event.read").get("/v1/events").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(world.dump("audit_leaf").await.contains("endpoint.suspended"));
}

#[tokio::test]
async fn two_nodes_tell_each_event_once() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    register(&world, &office, &receiver.url, &[]).await;
    let system = office.system(&world, "bill");
    for i in 0..12 {
        let mut body = new_bill();
        body["dossier"] = json!(format!("H29.14-261124-{i:04}"));
        let bill = system.post_once("/v1/bills", &format!("{i}"), &body).await.expect(201).json();
        let cancel = format!("/v1/bills/{}/cancel", bill["id"].as_str().unwrap());
        system.post_once(&cancel, &format!("c{i}"), &json!({})).await.expect(200);
    }
    tokio::join!(tell(&world.app), tell(&world.app), tell(&world.app));
    let mut ids = receiver.ids();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), receiver.heard().len()), (12, 12));
}

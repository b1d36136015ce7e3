//! Every operation of the document refuses whoever may not ask and whatever cannot be read: deny by default.

use crate::document::{Operation, document};
use crate::office::Office;
use crate::world::{Actor, Answer, TestApp};
use reqwest::Method;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

const NOUNS: [&str; 12] = [
    "admin",
    "bill",
    "case",
    "event",
    "fee",
    "ledger",
    "mandate",
    "payment",
    "receipt",
    "refund",
    "statement",
    "verification",
];

fn operations() -> impl Iterator<Item = &'static Operation> {
    document().operations().iter()
}

fn request(actor: &Actor, operation: &Operation, address: &str) -> reqwest::RequestBuilder {
    let method: Method = operation.method.parse().expect("a method");
    let request = actor.request(method, address);
    // What is refused frees its key a moment after the answer, so each request has one of its own.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let key = format!("refusal-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    if operation.takes_key() { request.header("idempotency-key", key) } else { request }
}

/// Asks as the document's example does.
async fn ask(actor: &Actor, operation: &Operation, address: &str) -> Answer {
    let request = request(actor, operation, address);
    match operation.request_example() {
        Some(body) => actor.send(request.json(body)).await,
        None => actor.send(request).await,
    }
}

/// Sends text as the body of an operation.
async fn tell(actor: &Actor, operation: &Operation, media: &str, body: impl Into<String>) -> Answer {
    let request = request(actor, operation, &operation.example_address());
    actor.send(request.header("content-type", media).body(body.into())).await
}

#[tokio::test]
async fn nobody_without_a_token_and_no_false_token_gets_in() {
    let world = TestApp::start().await;
    for operation in operations() {
        let address = operation.example_address();
        ask(&world.stranger(), operation, &address).await.expect_refusal(401, "token_missing");
        let forged = world.stranger().with_bearer("eyJhbGciOiJub25lIn0.e30.");
        ask(&forged, operation, &address).await.expect_refusal(401, "token_invalid");
    }
}

#[tokio::test]
async fn every_other_scope_together_opens_nothing() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    for operation in operations() {
        let noun = operation.scope.split('.').next().unwrap_or_default();
        let mut scopes: Vec<String> = NOUNS.iter().filter(|n| **n != noun).map(ToString::to_string).collect();
        if operation.scope == noun {
            scopes.push(format!("{noun}.read"));
        }
        let system = office.system(&world, &scopes.join(" "));
        ask(&system, operation, &operation.example_address()).await.expect_refusal(403, "scope_missing");
    }
}

#[tokio::test]
async fn what_belongs_to_another_agency_or_to_nobody_is_not_there() {
    let world = TestApp::start().await;
    let owner = Office::open(&world, "H29.14").await;
    let other = Office::open(&world, "H29.15").await;
    let bill = owner.bill(&world, "theirs").await["id"].as_str().unwrap().to_owned();
    for operation in operations().filter(|o| o.path.contains('{')) {
        let system = other.system(&world, &operation.scope);
        ask(&system, operation, &operation.example_address()).await.expect_refusal(404, "not_found");
        let garbled = operation.path.replace("{id}", "bill_1");
        ask(&system, operation, &garbled).await.expect_refusal(404, "not_found");
        if operation.path.starts_with("/v1/bills/") {
            let theirs = operation.path.replace("{id}", &bill);
            ask(&system, operation, &theirs).await.expect_refusal(404, "not_found");
        }
    }
    let system = other.system(&world, "payment.read bill.read");
    system.get(&format!("/v1/payments?bill={bill}")).await.expect_refusal(404, "not_found");
    assert_eq!(system.get("/v1/bills").await.expect(200).json(), json!({ "items": [], "next": null }));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let too_much = " ".repeat(world.app.limits.body_bytes_max + 1);
    let far_too_much = " ".repeat(chung::http::api::bills::BULK_BYTES_MAX + 1);
    for operation in operations().filter(|o| o.takes_body()) {
        let system = office.system(&world, &operation.scope);
        // Those that take many rows or a file.
        let large = ["createBills", "draftFeeVersion", "attachFeeInstrument"];
        let too_much = if large.contains(&operation.id.as_str()) { &far_too_much } else { &too_much };
        let json = "application/json";
        for body in ["", "{\"a\":", "[]", "null", "{\"nobody_knows_this\": 1}"] {
            tell(&system, operation, json, body).await.expect_refusal(400, "invalid_body");
        }
        tell(&system, operation, "text/plain", "{}").await.expect_refusal(415, "unsupported_media_type");
        tell(&system, operation, json, too_much.as_str()).await.expect_refusal(413, "body_too_large");
    }
}

#[tokio::test]
async fn an_act_needs_a_key_and_a_list_a_sensible_page() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, &NOUNS.join(" "));
    for operation in operations().filter(|o| o.takes_key()) {
        let method: Method = operation.method.parse().expect("a method");
        let bare = system.request(method, &operation.example_address());
        let bare = operation.request_example().map_or(bare.try_clone().expect("no stream"), |b| bare.json(b));
        system.send(bare).await.expect_refusal(400, "idempotency_key_missing");
    }
    for query in ["limit=0", "limit=201", "limit=x", "after=x"] {
        system.get(&format!("/v1/bills?{query}")).await.expect_refusal(400, "invalid_parameter");
    }
    system.get("/v1/payments").await.expect_refusal(400, "invalid_parameter");
    let wrong_method = system.request(Method::DELETE, "/v1/bills");
    system.send(wrong_method).await.expect_refusal(405, "method_not_allowed");
}

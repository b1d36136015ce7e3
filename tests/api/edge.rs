//! What every stranger meets: unknown paths, missing tokens, the stylesheet.

use crate::office::Office;
use crate::world::TestApp;
use chung::flow::tidy::tidy;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_stranger_finds_nothing_unlisted_and_nothing_of_others() {
    let world = TestApp::start().await;
    let stranger = world.stranger();
    stranger.get("/nowhere").await.expect_refusal(404, "not_found");
    assert_eq!(stranger.get("/v1/nowhere").await.status, 404);
    stranger.get("/chung.css").await;
    assert!(stranger.cookies().is_empty());
    let answer = stranger.post_json("/v1/bills", &json!({})).await;
    assert!([401, 404].contains(&answer.status), "{}", answer.text());
}

#[tokio::test]
async fn parameters_are_read_strictly() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "fee.read payment.read bill.read");
    for path in ["/v1/fees?procedure=2.000488&procedure=1", "/v1/payments?bill=a&bill=b", "/v1/bills?limit=x"]
    {
        system.get(path).await.expect_refusal(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn what_is_over_is_forgotten_and_the_coming_month_is_open() {
    let world = TestApp::start().await;
    world
        .sql(
            "insert into code_counter (counter, key, window_start, shard, count)
             values ('send_number', '\\x00', '2026-11-24T02:00Z', 0, 1)",
        )
        .await
        .unwrap();
    tidy(&world.app).await.unwrap();
    assert_eq!(world.count("code_counter").await, 1, "its window is not over");
    world.later(Duration::from_secs(400 * 86_400));
    tidy(&world.app).await.unwrap();
    assert_eq!(world.count("code_counter").await, 0);
    assert_eq!(world.count("pg_class where relname in ('posting_202712', 'posting_202801')").await, 2);
}

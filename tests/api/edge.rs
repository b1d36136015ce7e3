//! What every stranger meets: unknown paths, missing tokens, the stylesheet.

use crate::world::TestApp;
use serde_json::json;

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

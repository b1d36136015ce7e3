//! What every stranger meets: unknown paths, missing tokens, the stylesheet.

use crate::office::Office;
use crate::world::{Actor, TestApp};
use chung::config::Limits;
use chung::flow::tidy::tidy;
use reqwest::Method;
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
async fn whoever_reads_pages_gets_a_page_whatever_went_wrong() {
    let world = TestApp::start().await;
    let browser = world.stranger();
    let ask = async |method: Method, path: &str, form: Option<(&str, String)>| {
        let mut request =
            browser.request(method, path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        if let Some((kind, body)) = form {
            request = request.header("content-type", kind).body(body);
        }
        browser.send(request).await
    };
    let form = "application/x-www-form-urlencoded";
    let large = "x=".to_owned() + &"a".repeat(world.app.limits.body_bytes_max);
    for (method, path, sent, status) in [
        (Method::GET, "/nowhere", None, 404),
        (Method::DELETE, "/receipts", None, 405),
        (Method::POST, "/oidc/authorize", Some(("text/plain", "a=b".to_owned())), 415),
        (Method::POST, "/oidc/authorize", Some((form, large.clone())), 413),
        (Method::POST, "/oidc/logout", Some((form, large.clone())), 413),
        (Method::POST, "/language", Some((form, large)), 404),
    ] {
        let answer = ask(method, path, sent).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
        assert!(answer.text().contains("<main"), "{path}: {}", answer.text());
        assert!(answer.headers.contains_key("content-security-policy"), "{path}");
    }
    // A system hears what a system needs, whatever it accepts.
    let answer = ask(Method::GET, "/v1/nowhere", None).await;
    assert_eq!(answer.headers["content-type"], "application/problem+json");
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

#[tokio::test]
async fn under_https_every_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
    let mut listens = None;
    let world = TestApp::start_as(Limits::default(), |parts, _| {
        listens = Some(std::mem::replace(&mut parts.origin, "https://chung.example".parse().unwrap()));
    })
    .await;
    assert!(world.app.origin.is_production());
    let browser_origin = listens.unwrap();
    let browser = Actor::new(browser_origin.clone());
    let mut address = "/board".to_owned();
    let mut set: Vec<String> = Vec::new();
    for _ in 0..4 {
        let answer = browser.get(&address).await;
        let cookies = answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap().to_owned());
        set.extend(cookies);
        if answer.status != 303 {
            break;
        }
        address = answer.location().trim_start_matches("https://chung.example").to_owned();
    }
    assert!(!set.is_empty(), "a sign-in begins with a cookie");
    let chosen = browser.get("/receipts?lang=en").await.expect(200);
    set.push(chosen.headers["set-cookie"].to_str().unwrap().to_owned());
    assert!(browser.get("/receipts").await.expect(200).text().contains("<html lang=\"en\">"), "it is kept");
    let elsewhere = browser.request(Method::GET, "/receipts").header("cookie", "chung_lang=en");
    let shown = Actor::new(browser_origin.clone()).send(elsewhere).await.expect(200).text();
    assert!(shown.contains("<html lang=\"vi\">"), "a cookie that another host may have set says nothing");
    for cookie in &set {
        let mut parts = cookie.split("; ");
        assert!(parts.next().unwrap().starts_with("__Host-chung_"), "{cookie}");
        let attributes: Vec<&str> = parts.collect();
        for demanded in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(attributes.contains(&demanded), "{demanded} in {cookie}");
        }
        assert!(!attributes.iter().any(|attribute| attribute.starts_with("Domain")), "{cookie}");
    }
}

//! Strangers who type, send and guess are stopped, per number, address and portal; the holder is never shut out.

use super::apps::add_app;
use super::*;

/// A stranger at another network address cannot be told apart from one at ours here: only the number is bounded.
async fn guess_app(world: &TestApp, times: usize) -> Answer {
    let mut last = None;
    let mut left = 0;
    let mut page = None;
    let browser = world.stranger();
    for _ in 0..times {
        if left == 0 {
            page = Some(type_number(&browser, HOA, "app").await.expect(200));
            left = 5;
        }
        left -= 1;
        last = Some(send(&browser, page.as_ref().unwrap(), "/code", &[("code", "000000")]).await);
    }
    last.unwrap()
}

#[tokio::test]
async fn guesses_at_an_app_are_bounded_and_every_other_way_stays_open() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(Duration::from_secs(60));
    guess_app(&world, 10).await.expect(422);
    let limited = guess_app(&world, 1).await.expect(429);
    assert!(limited.text().contains("quá nhiều mã sai"), "{}", limited.text());
    // Even the right code is not looked at from an unknown browser...
    let stranger = world.stranger();
    let asked = type_number(&stranger, HOA, "app").await.expect(200);
    send(&stranger, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(429);
    // ...the holder's own browser still takes it, and a code by SMS serves everywhere.
    let asked = type_number(&hoa, HOA, "app").await.expect(200);
    let inside = send(&hoa, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(200);
    assert!(inside.text().contains("Nguyễn Thị Hòa"));
    let inside = by_sms(&world, &world.stranger(), HOA).await;
    assert!(inside.text().contains("Nguyễn Thị Hòa"));
    // With the next hour the way opens again.
    world.later(Duration::from_secs(3600));
    let stranger = world.stranger();
    let asked = type_number(&stranger, HOA, "app").await.expect(200);
    send(&stranger, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(200);
}

#[tokio::test]
async fn codes_sent_to_a_number_by_strangers_do_not_use_up_those_of_a_familiar_browser() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let page = hoa.get("/me").await;
    send(&hoa, &page, "/sign-out", &[]).await;
    for _ in 0..5 {
        type_number(&world.stranger(), HOA, "sms").await.expect(200);
    }
    let limited = type_number(&world.stranger(), HOA, "sms").await.expect(429);
    assert!(limited.text().contains("Dùng khóa truy cập"), "a passkey is still offered: {}", limited.text());
    world.last_text(HOA.phone).await;
    let inside = by_sms(&world, &hoa, HOA).await;
    assert!(inside.text().contains("Nguyễn Thị Hòa"));
    // Somebody else's number is not touched, and the day is bounded too.
    type_number(&world.stranger(), CUONG, "sms").await.expect(200);
    for _ in 0..3 {
        world.later(Duration::from_secs(3600));
        for _ in 0..6 {
            type_number(&world.stranger(), HOA, "sms").await;
        }
    }
    world.later(Duration::from_secs(3600));
    type_number(&world.stranger(), HOA, "sms").await.expect(429);
}

#[tokio::test]
async fn numbers_typed_from_one_address_are_bounded_known_or_not() {
    let limits = chung::config::Limits { codes_per_address_max: 3, ..chung::config::Limits::default() };
    let world = TestApp::start_with(limits).await;
    world.register(&PEOPLE).await;
    let nobody = Person { number: "079085000999", phone: "" };
    let first = type_number(&world.stranger(), HOA, "app").await.expect(200).text();
    assert!(first.contains("name=\"code\""));
    type_number(&world.stranger(), nobody, "app").await.expect(200);
    type_number(&world.stranger(), nobody, "sms").await.expect(200);
    for person in [HOA, nobody] {
        for way in ["sms", "app"] {
            type_number(&world.stranger(), person, way).await.expect(429);
        }
    }
}

/// Types a number behind a proxy that says from which address; 303 where a code is awaited.
async fn typed_from(world: &TestApp, address: &str, number: &str) -> Answer {
    let browser = world.stranger();
    let page = number_page(&browser).await;
    let token = page.form_field("form_token");
    let form = [("form_token", &*token), ("number", number), ("way", "app")];
    let request = browser.request(reqwest::Method::POST, &action(&page, "/sign-in/"));
    let request = request.header("origin", world.app.origin.as_str()).header("x-forwarded-for", address);
    browser.send(request.form(&form)).await
}

#[tokio::test]
async fn addresses_of_one_network_count_as_one() {
    let limits = chung::config::Limits { codes_per_address_max: 3, ..chung::config::Limits::default() };
    let world = TestApp::start_as(limits, |parts, _| {
        parts.proxies = [std::net::IpAddr::from([127, 0, 0, 1])].into();
    })
    .await;
    world.register(&PEOPLE).await;
    let numbers = [HOA.number, LAN.number, CUONG.number, "079085000999"];
    let of_one = ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:ffff::"];
    let mapped = ["203.0.113.9", "::ffff:203.0.113.9", "203.0.113.9", "::ffff:cb00:7109"];
    for addresses in [of_one, mapped] {
        for (place, (address, number)) in addresses.into_iter().zip(numbers).enumerate() {
            let expected = if place < 3 { 303 } else { 429 };
            typed_from(&world, address, number).await.expect(expected);
        }
    }
    typed_from(&world, "2001:db8:1:3::1", HOA.number).await.expect(303);
    // Guesses at the codes of notices come under the same rule.
    for host in 0..21 {
        let stranger = world.stranger();
        let request = stranger.request(reqwest::Method::POST, "/not-me");
        let request = request.header("x-forwarded-for", format!("2001:db8:1:2::{host}"));
        let expected = if host < 20 { 422 } else { 429 };
        stranger.send(request.form(&[("code", "22222222")])).await.expect(expected);
    }
}

#[tokio::test]
async fn pages_of_ours_are_bounded_like_a_portal() {
    let limits = chung::config::Limits { codes_per_portal_max: 2, ..chung::config::Limits::default() };
    let world = TestApp::start_with(limits).await;
    world.register(&PEOPLE).await;
    type_number(&world.stranger(), HOA, "sms").await.expect(200);
    type_number(&world.stranger(), CUONG, "sms").await.expect(200);
    type_number(&world.stranger(), LAN, "sms").await.expect(429);
}

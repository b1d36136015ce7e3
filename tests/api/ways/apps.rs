//! An authenticator app: enrolled with its first code, each step used once, on trial behind a code by SMS.

use super::*;
use chung::base::clock::Clock;
use chung::crypto::totp::TotpSecret;

/// An app on somebody's phone.
pub struct Phone(TotpSecret);

impl Phone {
    /// Reads the secret that a page shows, as a person types it.
    pub fn set_up(page: &Answer) -> Self {
        let text = page.text();
        let typed = between(&text, "<dd class=\"code\">", "<").replace(' ', "");
        let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u64, 0);
        for letter in typed.bytes() {
            let value = if letter.is_ascii_uppercase() { letter - b'A' } else { letter - b'2' + 26 };
            held = held << 5 | u64::from(value);
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push((held >> bits & 255) as u8);
            }
        }
        Self(TotpSecret::of(&bytes).unwrap())
    }

    /// The code that it shows now.
    pub fn code(&self, world: &TestApp) -> String {
        self.0.code(world.clock.now()).unwrap()
    }
}

/// Adds an app in a signed-in browser.
pub async fn add_app(world: &TestApp, browser: &Actor, name: &str) -> Phone {
    let page = browser.get("/me/ways/app").await.expect(200);
    let phone = Phone::set_up(&page);
    let kept = send(browser, &page, "/me/ways/app", &[("name", name), ("code", &phone.code(world))]).await;
    assert!(kept.expect(200).text().contains(name));
    phone
}

/// Signs Hòa in anew with her app, for that page of ours.
pub async fn by_app(world: &TestApp, browser: &Actor, app: &Phone, return_to: &str) -> Answer {
    let path = format!("/sign-in?return_to={return_to}&afresh=true&least=urn:chung:acr:substantial");
    let asked = follow(browser, &path).await.expect(200);
    let asked =
        send(browser, &asked, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    send(browser, &asked, "/code", &[("code", &app.code(world))]).await
}

#[tokio::test]
async fn an_app_signs_its_holder_in_and_each_step_serves_once() {
    let world = world().await;
    let browser = signed_in(&world, HOA).await;
    let page = browser.get("/me/ways/app").await.expect(200);
    let again = browser.get("/me/ways/app").await.expect(200);
    let (phone, same) = (Phone::set_up(&page), Phone::set_up(&again));
    assert_eq!(phone.code(&world), same.code(&world), "a page may be loaded twice");
    assert!(page.text().contains("<svg") && !page.text().contains("<script"), "no script is needed");
    let wrong = send(&browser, &page, "/me/ways/app", &[("name", "Máy"), ("code", "000000")]).await;
    assert!(wrong.expect(422).text().contains("Mã không đúng"));
    let form = [("name", "Điện thoại của Hòa"), ("code", &*phone.code(&world))];
    let kept = send(&browser, &page, "/me/ways/app", &form).await.expect(200);
    assert!(kept.text().contains("Điện thoại của Hòa"), "{}", kept.text());
    let rows = world.dump("authenticator").await;
    assert!(!rows.contains("Hòa"), "names stand sealed: {rows}");

    // The first code is used up; the next step signs in, once.
    let other = world.stranger();
    let asked = type_number(&other, HOA, "app").await.expect(200);
    assert!(asked.text().contains("Nhập mã trong ứng dụng"));
    let before = world.last_text(HOA.phone).await;
    let spent = phone.code(&world);
    let refused = send(&other, &asked, "/code", &[("code", &spent)]).await.expect(422);
    world.later(Duration::from_secs(30));
    let code = phone.code(&world);
    let inside = send(&other, &refused, "/code", &[("code", &code)]).await.expect(200);
    assert!(inside.text().contains("Đang đăng nhập: Nguyễn Thị Hòa"));
    let replay = world.stranger();
    let asked = type_number(&replay, HOA, "app").await.expect(200);
    send(&replay, &asked, "/code", &[("code", &code)]).await.expect(422);
    assert_eq!(world.last_text(HOA.phone).await, before, "no SMS goes out for an app's code");
    let on_trial = "session where method = 'app_code' and reached = 'urn:chung:acr:low'";
    assert_eq!(world.count(on_trial).await, 1, "on trial it is worth no more than a code");
}

#[tokio::test]
async fn an_app_of_one_is_none_of_another_and_a_removed_one_is_none() {
    let world = world().await;
    let (hoa, lan) = (signed_in(&world, HOA).await, signed_in(&world, LAN).await);
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(Duration::from_secs(30));
    let asked = type_number(&world.stranger(), LAN, "app").await.expect(200);
    drop(asked);
    let somebody = world.stranger();
    let asked = type_number(&somebody, LAN, "app").await.expect(200);
    send(&somebody, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(422);
    // Nobody removes or renames what is somebody else's.
    let way = action(&hoa.get("/me/ways").await, "/remove");
    let token = lan.get("/me/ways").await.form_field("form_token");
    lan.post_form(&way, &[("form_token", &token)]).await.expect(404);
    let renamed = way.replace("/remove", "/rename");
    lan.post_form(&renamed, &[("form_token", &token), ("name", "Của tôi")]).await.expect(404);
    let page = hoa.get("/me/ways").await;
    let page = send(&hoa, &page, "/rename", &[("name", "Máy cũ")]).await.expect(200);
    assert!(page.text().contains("Máy cũ") && !page.text().contains("Máy của Hòa"));
    send(&hoa, &page, "/rename", &[("name", " ")]).await.expect(422);
    // On trial a code's session removes it again.
    let page = send(&hoa, &page, "/remove", &[]).await.expect(200);
    assert!(!page.text().contains("Máy cũ"));
    let somebody = world.stranger();
    let asked = type_number(&somebody, HOA, "app").await.expect(200);
    send(&somebody, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(422);
    let told = hoa.get("/me").await.expect(200).text();
    assert!(told.contains("thêm một cách đăng nhập") && told.contains("được gỡ"), "{told}");
}

#[tokio::test]
async fn a_code_alone_removes_nothing_of_full_strength() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let phone = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    // A thief with the telephone number signs in by SMS.
    let thief = signed_in(&world, HOA).await;
    let page = thief.get("/me/ways").await.expect(200);
    let refused = send(&thief, &page, "/remove", &[]).await.expect(403);
    assert!(refused.text().contains("không làm được chỉ với mã tin nhắn"), "{}", refused.text());
    // The holder, with the app: first a fresh sign-in, then it goes.
    let stronger = between(&refused.text(), "href=\"/sign-in?", "\"").replace("&#38;", "&");
    let asked = follow(&hoa, &format!("/sign-in?{stronger}")).await.expect(200);
    assert!(!asked.text().contains("Gửi mã xác nhận"), "a code by SMS is not offered where it is not enough");
    let asked = send(&hoa, &asked, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    let inside = send(&hoa, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(200);
    world.later(Duration::from_secs(16 * 60));
    let stale = send(&hoa, &inside, "/remove", &[]).await.expect(403);
    assert!(stale.text().contains("15 phút"));
    let asked = follow(&hoa, &format!("/sign-in?{stronger}")).await.expect(200);
    let asked = send(&hoa, &asked, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    let inside = send(&hoa, &asked, "/code", &[("code", &phone.code(&world))]).await.expect(200);
    let gone = send(&hoa, &inside, "/remove", &[]).await.expect(200);
    assert!(!gone.text().contains("Máy của Hòa"));
}

#[tokio::test]
async fn a_page_that_demands_more_than_a_code_takes_none() {
    let world = world().await;
    let browser = world.stranger();
    let path = "/sign-in?return_to=/me/ways&least=urn:chung:acr:substantial";
    let page = follow(&browser, path).await.expect(200);
    let page =
        send(&browser, &page, "/sign-in/", &[("number", HOA.number), ("way", "sms")]).await.expect(200);
    let code = world.last_text(HOA.phone).await.unwrap()[..6].to_owned();
    let refused = send(&browser, &page, "/code", &[("code", &code)]).await.expect(403);
    assert!(refused.text().contains("sign_in_unfit"), "{}", refused.text());
    browser.get("/me/ways").await.expect(303);
}

//! What happened is told on the page, by e-mail, and by SMS where it is dangerous; whoever was not behind it locks.

use super::apps::{add_app, by_app};
use super::desk::{hoas, read_card};
use super::*;
use crate::world::GATEWAY_TOKEN;
use chung::codec::gsm7::segments;
use serde_json::json;

/// Sets a mailbox in a signed-in browser.
async fn set_mail(world: &TestApp, browser: &Actor, mail: &str) -> Answer {
    let page = browser.get("/me/ways/mail").await.expect(200);
    let page = send(browser, &page, "/me/ways/mail", &[("value", mail)]).await;
    if page.status != 200 {
        return page;
    }
    let letter = world.last_letter(mail).await.unwrap();
    let kept = send(browser, &page, "/mail/code", &[("code", &letter.text[..6])]).await;
    world.last_text(HOA.phone).await;
    kept
}

/// What a gateway brings.
pub async fn reply(world: &TestApp, token: &str, from: &str, text: &str) -> Answer {
    let gateway = world.stranger().with_bearer(token);
    gateway.post_json("/messenger/inbox", &json!({ "from": from, "text": text })).await
}

/// The code at the end of an SMS: `... KHOA ABCD2345 de khoa ngay.`
pub fn code_of(text: &str) -> &str {
    text.split("KHOA ").nth(1).unwrap().split(' ').next().unwrap()
}

async fn is_locked(world: &TestApp, person: Person) -> bool {
    let page = type_number(&world.stranger(), person, "sms").await.expect(200);
    assert!(page.text().contains("name=\"code\""), "a stranger sees no difference");
    world.last_text(person.phone).await;
    world.count("citizen_lock where scope = 'everything' and set_by = 'report' and lifted_at is null").await
        > 0
}

#[tokio::test]
async fn a_new_way_is_told_by_sms_and_an_answer_locks_at_once() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let before = world.telephones.0.lock().unwrap().len();
    assert_eq!(before, 1, "a sign-in is told by no SMS but its code");
    add_app(&world, &hoa, "Máy lạ").await;
    let text = world.last_text(HOA.phone).await.unwrap();
    assert!(text.starts_with("Hoa N.T.: vua them cach dang nhap") && !text.contains("http"), "{text}");
    assert_eq!(segments(&text), Some(1), "{text}");
    let code = code_of(&text).to_owned();
    // Not from another phone, not without the gateway's token, not with another code, not for another word.
    reply(&world, "another token", HOA.phone, &format!("KHOA {code}")).await.expect(401);
    reply(&world, GATEWAY_TOKEN, CUONG.phone, &format!("KHOA {code}")).await.expect(204);
    reply(&world, GATEWAY_TOKEN, HOA.phone, "KHOA 22222222").await.expect(204);
    reply(&world, GATEWAY_TOKEN, HOA.phone, "ok cam on").await.expect(204);
    reply(&world, GATEWAY_TOKEN, "VIETTEL", "KHOA").await.expect(204);
    hoa.get("/me").await.expect(200);
    assert!(!is_locked(&world, HOA).await);
    reply(&world, GATEWAY_TOKEN, HOA.phone, &format!("khoa {code}")).await.expect(204);
    hoa.get("/me").await.expect(303);
    assert!(is_locked(&world, HOA).await);
    assert_eq!(world.count("authenticator where removed_by = 'report'").await, 1, "the new way is gone");
    let told = world.last_text(HOA.phone).await.unwrap();
    assert!(told.starts_with("Da khoa dinh danh cua Hoa N.T."), "{told}");
    assert_eq!(segments(&told), Some(1));
    // No code goes out any more, and none of a former sign-in works.
    assert_eq!(world.count("audit_leaf where kind = 'identity.reported'").await, 1);
}

#[tokio::test]
async fn on_a_family_phone_an_answer_without_a_code_locks_nobody_unless_one_is_meant() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    add_app(&world, &hoa, "Máy của Hòa").await;
    let lan = signed_in(&world, LAN).await;
    add_app(&world, &lan, "Máy của Lan").await;
    world.last_text(LAN.phone).await;
    reply(&world, GATEWAY_TOKEN, HOA.phone, "KHOA").await.expect(204);
    let told = world.last_text(HOA.phone).await.unwrap();
    assert!(told.contains("nhieu nguoi dung chung so nay") && segments(&told) == Some(1), "{told}");
    hoa.get("/me").await.expect(200);
    lan.get("/me").await.expect(200);
    let sent = world.telephones.0.lock().unwrap().clone();
    let lans = sent.iter().rev().find(|(_, text)| text.starts_with("Lan T.T.: ")).unwrap().1.clone();
    reply(&world, GATEWAY_TOKEN, LAN.phone, &format!("KHOA {}", code_of(&lans))).await.expect(204);
    lan.get("/me").await.expect(303);
    hoa.get("/me").await.expect(200);
    // The one who is left is the one who is meant.
    reply(&world, GATEWAY_TOKEN, HOA.phone, "KHOA").await.expect(204);
    hoa.get("/me").await.expect(303);
}

#[tokio::test]
async fn a_sign_in_is_told_on_the_page_and_by_mail_and_its_code_locks_without_a_sign_in() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let kept = set_mail(&world, &hoa, "hoa@example.vn").await.expect(200);
    assert!(kept.text().contains("h***@example.vn") && !kept.text().contains("hoa@"), "{}", kept.text());
    assert!(!world.dump("contact").await.contains("hoa@"), "it stands sealed");
    // A familiar browser is only on the page; an unfamiliar one writes a letter.
    let letters = || world.telephones.1.lock().unwrap().len();
    by_sms(&world, &hoa, HOA).await;
    world.last_text(HOA.phone).await;
    let before = letters();
    world.later(Duration::from_secs(31));
    let thief = signed_in(&world, HOA).await;
    let letter = world.last_letter("hoa@example.vn").await.unwrap();
    assert_eq!(letters(), before + 1);
    for shown in ["Nguyễn Thị Hòa", "có người đăng nhập", "somebody signed in", "/not-me"] {
        assert!(letter.text.contains(shown), "{shown} in {}", letter.text);
    }
    let page = hoa.get("/me/notices").await.expect(200);
    assert!(page.text().contains("Không phải tôi") && page.text().contains("có người đăng nhập"));
    let code = between(&letter.text, "nhập mã ", ".").to_owned();
    assert!(!letter.text.contains(&format!("?{code}")) && !letter.text.contains(&format!("/{code}")));
    // The page takes the code from anybody who has it, and bounds guesses.
    let somebody = world.stranger();
    somebody.post_form("/not-me", &[("code", "22222222")]).await.expect(422);
    let done = somebody.post_form("/not-me", &[("code", &code.to_lowercase())]).await.expect(200);
    assert!(done.text().contains("đã khóa"), "{}", done.text());
    thief.get("/me").await.expect(303);
    hoa.get("/me").await.expect(303);
    for _ in 0..18 {
        somebody.post_form("/not-me", &[("code", "x")]).await.expect(422);
    }
    somebody.post_form("/not-me", &[("code", &code)]).await.expect(429);
    let foreign = somebody.request(reqwest::Method::POST, "/not-me").header("origin", "https://evil.example");
    somebody.send(foreign.form(&[("code", &code)])).await.expect(400);
}

#[tokio::test]
async fn the_page_locks_with_one_button_and_only_the_holder_has_it() {
    let world = world().await;
    let (hoa, cuong) = (signed_in(&world, HOA).await, signed_in(&world, CUONG).await);
    let page = hoa.get("/me/notices").await.expect(200);
    let path = action(&page, "/not-me");
    let token = cuong.get("/me/notices").await.form_field("form_token");
    cuong.post_form(&path, &[("form_token", &token)]).await.expect(404);
    hoa.post_form(&path, &[("form_token", "0")]).await.expect(400);
    hoa.get("/me").await.expect(200);
    let done = send(&hoa, &page, "/not-me", &[]).await.expect(200);
    assert!(done.text().contains("đã khóa") && !done.text().contains("Đang đăng nhập"));
    hoa.get("/me").await.expect(303);
    cuong.get("/me").await.expect(200);
}

#[tokio::test]
async fn a_code_alone_changes_no_phone_and_no_mailbox_that_is_set() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let page = hoa.get("/me/ways/phone").await.expect(200);
    let refused = send(&hoa, &page, "/me/ways/phone", &[("value", "0912999888")]).await.expect(403);
    assert!(refused.text().contains("không làm được chỉ với mã tin nhắn"));
    set_mail(&world, &hoa, "hoa@example.vn").await.expect(200);
    set_mail(&world, &hoa, "thief@example.vn").await.expect(403);
    send(&hoa, &page, "/me/ways/phone", &[("value", "12")]).await.expect(422);
    assert_eq!(world.count("contact where sealed_phone is not null").await, 0);

    // With an app at full strength it goes, after a code to the new phone; the former one is told.
    let app = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    let page = by_app(&world, &hoa, &app, "/me/ways/phone").await.expect(200);
    let page = send(&hoa, &page, "/me/ways/phone", &[("value", "0912999888")]).await.expect(200);
    let text = world.last_text("+84912999888").await.unwrap();
    assert!(text.contains("doi so dien thoai cua Hoa N.T.") && segments(&text) == Some(1), "{text}");
    send(&hoa, &page, "/phone/code", &[("code", "000000")]).await.expect(422);
    let kept = send(&hoa, &page, "/phone/code", &[("code", &text[..6])]).await.expect(200);
    assert!(kept.text().contains("******9888"), "{}", kept.text());
    let told = world.last_text(HOA.phone).await.unwrap();
    assert!(told.contains("vua chuyen sang so khac"), "{told}");
    by_sms(&world, &world.stranger(), Person { phone: "+84912999888", ..HOA }).await;
    // The holder answers from the former phone: it locks, and the former phone is back.
    reply(&world, GATEWAY_TOKEN, HOA.phone, &format!("KHOA {}", code_of(&told))).await.expect(204);
    assert_eq!(world.count("contact where sealed_phone is not null").await, 0);
    hoa.get("/me").await.expect(303);
}

#[tokio::test]
async fn a_phone_set_at_a_counter_outlives_what_was_told_before() {
    let (world, office, officer) = super::desk::set().await;
    let hoa = signed_in(&world, HOA).await;
    let app = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    let path = "/sign-in?return_to=/me/ways/phone&afresh=true&least=urn:chung:acr:substantial";
    let asked = follow(&hoa, path).await.expect(200);
    let asked = send(&hoa, &asked, "/sign-in/", &[("number", HOA.number), ("way", "app")]).await.expect(200);
    let page = send(&hoa, &asked, "/code", &[("code", &app.code(&world))]).await.expect(200);
    let page = send(&hoa, &page, "/me/ways/phone", &[("value", "0912999777")]).await.expect(200);
    let text = world.last_text("+84912999777").await.unwrap();
    send(&hoa, &page, "/phone/code", &[("code", &text[..6])]).await.expect(200);
    let told = world.last_text(HOA.phone).await.unwrap();
    assert!(told.contains("vua chuyen sang so khac"), "{told}");
    world.later(Duration::from_secs(60));
    by_sms(&world, &officer, CUONG).await;
    let page = read_card(&officer, &office, &hoas()).await.expect(200);
    send(&officer, &page, "/recover", &[("phone", "0912999888")]).await.expect(200);
    reply(&world, GATEWAY_TOKEN, HOA.phone, &format!("KHOA {}", code_of(&told))).await.expect(204);
    assert!(is_locked(&world, HOA).await);
    assert_eq!(world.count("contact where sealed_phone is not null").await, 1);
}

#[tokio::test]
async fn a_code_is_taken_for_thirty_days() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    add_app(&world, &hoa, "Máy của Hòa").await;
    let told = world.last_text(HOA.phone).await.unwrap();
    world.later(Duration::from_secs(30 * 86_400 + 1));
    reply(&world, GATEWAY_TOKEN, HOA.phone, &format!("KHOA {}", code_of(&told))).await.expect(204);
    world.stranger().post_form("/not-me", &[("code", code_of(&told))]).await.expect(422);
    assert_eq!(world.count("citizen_lock").await, 0);
}

#[tokio::test]
async fn an_app_erases_its_holder_and_phone_and_mailbox_are_told() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    set_mail(&world, &hoa, "hoa@example.vn").await.expect(200);
    let app = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    by_sms(&world, &hoa, HOA).await;
    let page = hoa.get("/me/erasure").await.expect(200);
    let before = (world.last_text(HOA.phone).await, world.last_letter("hoa@example.vn").await.unwrap().text);
    send(&hoa, &page, "/me/erasure", &[("sure", "true")]).await.expect(403);
    let after = (world.last_text(HOA.phone).await, world.last_letter("hoa@example.vn").await.unwrap().text);
    assert_eq!((world.count("erasure").await, after), (0, before), "a code alone erases nobody");

    let page = by_app(&world, &hoa, &app, "/me/erasure").await.expect(200);
    send(&hoa, &page, "/me/erasure", &[("sure", "true")]).await.expect(200);
    assert_eq!((world.count("erasure").await, world.count("notice").await), (1, 0));
    let text = world.last_text(HOA.phone).await.unwrap();
    assert!(text.starts_with("Hoa N.T.: du lieu tai Chung vua bi xoa vinh vien"), "{text}");
    assert!(segments(&text) == Some(1) && !text.contains("KHOA"), "{text}");
    let letter = world.last_letter("hoa@example.vn").await.unwrap().text;
    for shown in ["Nguyễn Thị Hòa", "xóa vĩnh viễn", "erased for good"] {
        assert!(letter.contains(shown), "{shown} in {letter}");
    }
}

#[tokio::test]
async fn a_mandate_and_the_end_of_a_lock_take_a_sign_in_of_the_last_minutes() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let app = add_app(&world, &hoa, "Máy của Hòa").await;
    world.later(PAST_TRIAL);
    let page = by_app(&world, &hoa, &app, "/me/locks").await.expect(200);
    send(&hoa, &page, "/me/locks", &[("scope", "verifications")]).await.expect(200);
    let to_cuong = [
        ("delegate_number", CUONG.number),
        ("delegate_name", "Lê Văn Cường"),
        ("act", "apply"),
        ("procedures", "2.000635"),
        ("last_day", "2026-12-31"),
    ];
    // Whoever finds the browser open does neither.
    world.later(Duration::from_secs(16 * 60));
    let (locks, mandates) = (hoa.get("/me/locks").await, hoa.get("/me/mandates").await);
    let lifted = send(&hoa, &locks, "/lift", &[]).await.expect(403).text();
    let given = send(&hoa, &mandates, "/me/mandates", &to_cuong).await.expect(403).text();
    for (refused, page) in [(lifted, "/me/locks"), (given, "/me/mandates")] {
        let again = format!("/sign-in?return_to={page}");
        assert!(refused.contains("trong 15 phút vừa qua") && refused.contains(&again), "{refused}");
    }
    let locked = "citizen_lock where lifted_at is null";
    assert_eq!((world.count(locked).await, world.count("mandate").await), (1, 0));

    let mandates = by_app(&world, &hoa, &app, "/me/mandates").await.expect(200);
    send(&hoa, &mandates, "/me/mandates", &to_cuong).await.expect(200);
    let locks = hoa.get("/me/locks").await;
    send(&hoa, &locks, "/lift", &[]).await.expect(200);
    assert_eq!((world.count(locked).await, world.count("mandate").await), (0, 1));
}

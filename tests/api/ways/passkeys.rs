//! Passkeys, with a software authenticator that speaks WebAuthn over the pages' own forms.

use super::*;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use passkey::types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use url::Url;

/// A finger on the sensor.
struct Finger;

impl UserValidationMethod for Finger {
    type PasskeyItem = passkey::types::Passkey;

    fn check_user<'a, 'life0, 'async_trait>(
        &'life0 self,
        _: UiHint<'a, Self::PasskeyItem>,
        presence: bool,
        verification: bool,
    ) -> Pin<Box<dyn Future<Output = Result<UserCheck, Ctap2Error>> + Send + 'async_trait>>
    where
        'a: 'async_trait,
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move { Ok(UserCheck { presence, verification }) })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

/// A device with one passkey.
pub struct Device {
    kept: Option<passkey::types::Passkey>,
    origin: Url,
}

macro_rules! browser {
    ($device:expr) => {
        Client::new(Authenticator::new(Aaguid::new_empty(), $device.kept.take(), Finger, RustCryptoBackend))
            .allows_insecure_localhost(true)
    };
}

impl Device {
    pub fn new(origin: &str) -> Self {
        Self { kept: None, origin: Url::parse(origin).unwrap() }
    }

    /// Makes a passkey as the page asks.
    pub async fn make(&mut self, page: &Answer) -> String {
        let options: CredentialCreationOptions = serde_json::from_str(&asked(page)).unwrap();
        let mut browser = browser!(self);
        let made = browser.register(&self.origin, options, DefaultClientData).await.unwrap();
        self.kept.clone_from(browser.authenticator().store());
        as_browsers_write(serde_json::to_value(&made).unwrap()).to_string()
    }

    /// Answers as the page asks.
    pub async fn answer(&mut self, page: &Answer) -> String {
        let options: CredentialRequestOptions = serde_json::from_str(&asked(page)).unwrap();
        let mut browser = browser!(self);
        let answer = browser.authenticate(&self.origin, options, DefaultClientData).await.unwrap();
        self.kept.clone_from(browser.authenticator().store());
        as_browsers_write(serde_json::to_value(&answer).unwrap()).to_string()
    }
}

/// Bytes as base64url, as browsers write them.
fn as_browsers_write(value: Value) -> Value {
    let byte = |value: &Value| value.as_u64().and_then(|number| u8::try_from(number).ok());
    match value {
        Value::Array(list) if !list.is_empty() && list.iter().all(|item| byte(item).is_some()) => {
            BASE64_URL_SAFE_NO_PAD.encode(list.iter().filter_map(byte).collect::<Vec<u8>>()).into()
        }
        Value::Object(members) => members.into_iter().map(|(k, v)| (k, as_browsers_write(v))).collect(),
        other => other,
    }
}

/// What the page asks of the browser.
fn asked(page: &Answer) -> String {
    unescaped(between(&page.text(), "data-options=\"", "\""))
}

/// Adds a passkey in a signed-in browser.
pub async fn add_passkey(world: &TestApp, browser: &Actor, name: &str) -> Device {
    let mut device = Device::new(world.app.origin.as_str());
    let page = browser.get("/me/ways").await.expect(200);
    let page = send(browser, &page, "/me/ways/passkey", &[]).await.expect(200);
    let credential = device.make(&page).await;
    let form = [("credential", &*credential), ("name", name)];
    let kept = send(browser, &page, "/passkey/answer", &form).await.expect(200);
    assert!(kept.text().contains(name), "{}", kept.text());
    device
}

/// Signs in with a passkey, no number typed.
pub async fn by_passkey(browser: &Actor, device: &mut Device, path: &str) -> Answer {
    let page = follow(browser, path).await.expect(200);
    let page = send(browser, &page, "/passkey", &[]).await.expect(200);
    let credential = device.answer(&page).await;
    send(browser, &page, "/passkey/answer", &[("credential", &credential)]).await
}

const WAYS: &str = "/sign-in?return_to=/me/ways";

#[tokio::test]
async fn a_passkey_signs_its_holder_in_without_a_number() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let mut device = add_passkey(&world, &hoa, "Máy tính ở nhà").await;
    let elsewhere = world.stranger();
    let inside = by_passkey(&elsewhere, &mut device, WAYS).await.expect(200);
    assert!(inside.text().contains("Đang đăng nhập: Nguyễn Thị Hòa"), "{}", inside.text());
    let on_trial = "session where method = 'passkey' and reached = 'urn:chung:acr:low'";
    assert_eq!(world.count(on_trial).await, 1);
    world.later(PAST_TRIAL);
    let stronger = format!("{WAYS}&least=urn:chung:acr:substantial");
    let inside = by_passkey(&world.stranger(), &mut device, &stronger).await.expect(200);
    assert!(inside.text().contains("Nguyễn Thị Hòa"), "after its trial it is enough");
    assert_eq!(world.count("session where reached = 'urn:chung:acr:substantial'").await, 1);
    let rows = world.dump("authenticator").await;
    assert!(!rows.contains("Máy tính"), "{rows}");
}

#[tokio::test]
async fn only_the_pages_that_speak_with_a_passkey_have_a_script_and_each_names_a_way_without() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let policy = |page: &Answer| page.headers["content-security-policy"].to_str().unwrap().to_owned();
    let ways = hoa.get("/me/ways").await.expect(200);
    let enrol = send(&hoa, &ways, "/me/ways/passkey", &[]).await.expect(200);
    let stranger = world.stranger();
    let number = number_page(&stranger).await;
    let sign_in = send(&stranger, &number, "/passkey", &[]).await.expect(200);
    for (page, other) in [(&enrol, "href=\"/me/ways/app\""), (&sign_in, "href=\"/sign-in/")] {
        assert!(policy(page).contains("script-src 'self';") && page.text().contains("hidden>"));
        assert!(page.text().contains(other) && page.text().contains("data-without"), "{}", page.text());
        let script = between(&page.text(), "<script src=\"", "\"").to_owned();
        let script = stranger.get(&script).await.expect(200);
        assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    }
    for page in [&ways, &number] {
        assert!(!policy(page).contains("script") && !page.text().contains("<script"));
    }
    // The other way leads back to the number.
    let back = between(&sign_in.text(), "href=\"/sign-in/", "\"").to_owned();
    assert!(follow(&stranger, &format!("/sign-in/{back}")).await.text().contains("name=\"number\""));
}

#[tokio::test]
async fn an_answer_serves_its_own_sign_in_once_and_its_own_site() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let mut device = add_passkey(&world, &hoa, "Máy tính").await;
    let (one, two) = (world.stranger(), world.stranger());
    let page_one = number_page(&one).await;
    let page_one = send(&one, &page_one, "/passkey", &[]).await;
    let page_two = number_page(&two).await;
    let page_two = send(&two, &page_two, "/passkey", &[]).await;
    let answer = device.answer(&page_one).await;
    // Another sign-in's challenge; garbage; a forged signature; an unknown passkey.
    let refused = send(&two, &page_two, "/passkey/answer", &[("credential", &answer)]).await.expect(422);
    assert!(refused.text().contains("không dùng được ở đây"));
    let fresh = device.answer(&refused).await;
    let mut forged: serde_json::Value = serde_json::from_str(&fresh).unwrap();
    forged["response"]["signature"] =
        serde_json::from_str::<serde_json::Value>(&answer).unwrap()["response"]["signature"].clone();
    for bad in ["", "{}", &forged.to_string()] {
        let page = send(&two, &refused, "/passkey/answer", &[("credential", bad)]).await;
        page.expect(422);
    }
    let mut stranger = Device::new(world.app.origin.as_str());
    let somebody = signed_in(&world, CUONG).await;
    let ways = somebody.get("/me/ways").await;
    let enrol = send(&somebody, &ways, "/me/ways/passkey", &[]).await;
    stranger.make(&enrol).await;
    let page = number_page(&two).await;
    let page = send(&two, &page, "/passkey", &[]).await;
    let unknown = stranger.answer(&page).await;
    send(&two, &page, "/passkey/answer", &[("credential", &unknown)]).await.expect(422);
    // The right one, once.
    let inside = send(&one, &page_one, "/passkey/answer", &[("credential", &answer)]).await.expect(200);
    assert!(inside.text().contains("Nguyễn Thị Hòa"));
    let token = page_one.form_field("form_token");
    let replay = [("form_token", &*token), ("credential", &*answer)];
    let after = one.post_form(&action(&page_one, "/passkey/answer"), &replay).await;
    assert_ne!(after.status, 200);
    assert_eq!(world.count("session where method = 'passkey'").await, 1);
}

#[tokio::test]
async fn a_removed_passkey_signs_nobody_in() {
    let world = world().await;
    let hoa = signed_in(&world, HOA).await;
    let mut device = add_passkey(&world, &hoa, "Máy cũ").await;
    let page = hoa.get("/me/ways").await;
    send(&hoa, &page, "/remove", &[]).await.expect(200);
    by_passkey(&world.stranger(), &mut device, WAYS).await.expect(422);
}

#[tokio::test]
async fn what_was_not_begun_here_is_not_kept() {
    let world = world().await;
    let (hoa, cuong) = (signed_in(&world, HOA).await, signed_in(&world, CUONG).await);
    let mut device = Device::new(world.app.origin.as_str());
    let page = hoa.get("/me/ways").await;
    let page = send(&hoa, &page, "/me/ways/passkey", &[]).await;
    let credential = device.make(&page).await;
    // Somebody else's session presents it.
    let token = cuong.get("/me/ways").await.form_field("form_token");
    let form = [("form_token", &*token), ("credential", &*credential), ("name", "Của tôi")];
    cuong.post_form("/me/ways/passkey/answer", &form).await.expect(410);
    // A form without our proof, and a proof from another session.
    let foreign = [("form_token", &*token), ("credential", &*credential), ("name", "Của tôi")];
    hoa.post_form("/me/ways/passkey/answer", &foreign).await.expect(400);
    // Too late.
    world.later(Duration::from_secs(301));
    let token = hoa.get("/me/ways").await.form_field("form_token");
    let late = [("form_token", &*token), ("credential", &*credential), ("name", "Của tôi")];
    hoa.post_form("/me/ways/passkey/answer", &late).await.expect(410);
    assert_eq!(world.count("authenticator").await, 0);
    world.stranger().get("/me/ways").await.expect(303);
}

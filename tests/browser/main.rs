//! A citizen with a real browser: Chromium with scripts switched off walks from the portal through sign-in, consent,
//! checkout and the bank to the receipt, by keyboard, and every page on the way is held to the rules of all pages. With
//! scripts on, the one script makes a passkey and signs in with it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

mod chromium;
mod running;

use chromium::Chromium;
use running::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_walks_from_the_portal_to_the_receipt_by_keyboard_and_without_scripts() {
    if !chromium::is_here() {
        return;
    }
    let demo = Running::start("dossier");
    let browser = Chromium::start().await;
    let person = &demo.installed["people"][1];
    let text = |name: &str| person[name].as_str().unwrap().to_owned();

    browser.open(&format!("{}/portal", demo.sandbox)).await;
    browser.follow("/portal/sign-in").await;
    browser.look("sign-in").await;
    browser.write("number", "12345").await;
    browser.press("form:has([name=number]) .actions button").await;
    browser.look("sign-in refused").await;
    assert!(browser.has("main [role=alert]").await, "the mistake is told");
    browser.write("number", &text("number")).await;
    browser.press("form:has([name=number]) .actions button").await;
    browser.look("code").await;
    let code = demo.code(&text("phone")).await;
    browser.write("code", &code).await;
    browser.press("form[action$='/code'] button").await;
    browser.look("for whom").await;
    // A parent is asked; the first choice is oneself.
    browser.tick("whom").await;
    browser.press("form:has([name=whom]) .actions button").await;
    browser.look("consent").await;
    assert!(browser.shows(&text("name")).await, "the page says whose session it is");
    assert!(!browser.has("input:checked").await, "nothing is ticked beforehand");
    browser.tick("claim").await;
    browser.press("button[value=allow]").await;
    assert_eq!(browser.address().await, format!("{}/portal", demo.sandbox));
    assert!(browser.shows(&text("number")).await, "the portal learnt what the law lets it know");

    browser.press("form[action='/portal/dossiers'] button").await;
    browser.follow("/pay/").await;
    browser.look("checkout").await;
    // The payer is signed in and sees their own name; as the applicant's it would stand there twice.
    assert_eq!(browser.tells(&text("name")).await, 1, "a reference alone does not tell the applicant's name");
    browser.tick("bank").await;
    browser.press("main form button").await;
    browser.look("waiting").await;
    let page = browser.address().await;
    browser.open(&demo.request_at_the_bank().await).await;
    browser.press("button[value=approve]").await;
    browser.follow("/pay/").await;
    for _ in 0..100 {
        if browser.shows("/receipts/H29").await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        browser.open(&page).await;
    }
    browser.look("paid").await;
    assert!(browser.shows("/receipts/H29").await, "the paid page names its receipt");
    browser.open(&format!("{}/receipts", demo.service)).await;
    browser.look("receipt check").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_citizen_makes_a_passkey_and_signs_in_with_it_in_a_real_browser() {
    if !chromium::is_here() {
        return;
    }
    let demo = Running::start("passkey");
    let browser = Chromium::start_with(true).await;
    let person = &demo.installed["people"][2];
    let text = |name: &str| person[name].as_str().unwrap().to_owned();
    browser.plug_in_authenticator().await;

    browser.open(&format!("{}/sign-in?return_to=/me/ways", demo.service)).await;
    browser.write("number", &text("number")).await;
    browser.press("form:has([name=number]) .actions button").await;
    let code = demo.code(&text("phone")).await;
    browser.write("code", &code).await;
    browser.press("form[action$='/code'] button").await;
    browser.arrive("/me/ways").await;
    browser.look("ways").await;
    browser.press("form[action='/me/ways/passkey'] button").await;
    browser.look_with("add passkey", 1).await;
    browser.write("name", "Chromium").await;
    browser.press("#passkey").await;
    for _ in 0..100 {
        if browser.shows("Chromium</h3>").await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(browser.shows("Chromium</h3>").await, "the passkey is kept");

    browser.press("form[action='/another-person'] button").await;
    browser.look("number with passkey").await;
    browser.press("form[action$='/passkey'] button").await;
    browser.look_with("passkey", 1).await;
    browser.press("#passkey").await;
    browser.arrive("/me").await;
    assert!(browser.shows(&text("name")).await, "whose passkey it was, with no number typed");
    for (path, name) in [
        ("/me/notices", "notices"),
        ("/me/ways/app", "app"),
        ("/me/ways/phone", "phone"),
        ("/not-me", "not me"),
    ] {
        browser.open(&format!("{}{path}", demo.service)).await;
        browser.look(name).await;
    }
    browser.close().await;
}

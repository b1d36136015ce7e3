//! Ways to prove who you are: passkeys, apps and codes over HTTP, what may be done with each, and every misuse.

mod apps;
mod desk;
mod limits;
mod notices;
mod paper;
mod passkeys;
mod step_up;

use crate::world::{Actor, Answer, TestApp};
use chung::identity::role::Role;
use std::time::Duration;

/// One household: mother and daughter share a telephone.
const PEOPLE: [&str; 3] = [
    "079185000456,024123456,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079308000457,,Trần Thu Lan,2008-05-01,female,0912345218,79,active,,2,",
    "079085000458,,Lê Văn Cường,1985-05-01,male,0912345220,79,active,,2,",
];
pub const HOA: Person = Person { number: "079185000456", phone: "+84912345218" };
pub const LAN: Person = Person { number: "079308000457", phone: "+84912345218" };
pub const CUONG: Person = Person { number: "079085000458", phone: "+84912345220" };

/// Somebody of the register, with a telephone in reach.
#[derive(Clone, Copy)]
pub struct Person {
    pub number: &'static str,
    pub phone: &'static str,
}

pub async fn world() -> TestApp {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    world
}

/// Opens an address and goes where it leads, as long as that is on the service.
pub async fn follow(browser: &Actor, path: &str) -> Answer {
    let mut answer = browser.get(path).await;
    while answer.status == 303 && answer.location().starts_with('/') {
        answer = browser.get(&answer.location()).await;
    }
    answer
}

/// The address of the first form of a page that holds `part`.
#[track_caller]
pub fn action(page: &Answer, part: &str) -> String {
    let text = page.text();
    let found = text.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    { found }.find(|address| address.contains(part)).unwrap_or_else(|| panic!("no form to {part} in {text}"))
}

/// Sends the first form of a page whose address holds `part`, and goes where it leads.
pub async fn send(browser: &Actor, page: &Answer, part: &str, fields: &[(&str, &str)]) -> Answer {
    let token = page.form_field("form_token");
    let mut form = vec![("form_token", &*token)];
    form.extend_from_slice(fields);
    let answer = browser.post_form(&action(page, part), &form).await;
    if answer.status == 303 { follow(browser, &answer.location()).await } else { answer }
}

/// The page that asks for the number, for `/me`.
pub async fn number_page(browser: &Actor) -> Answer {
    follow(browser, "/sign-in?return_to=/me/ways&afresh=true").await.expect(200)
}

/// Types the number and asks for that way; the page that asks for the code.
pub async fn type_number(browser: &Actor, person: Person, way: &str) -> Answer {
    let page = number_page(browser).await;
    send(browser, &page, "/sign-in/", &[("number", person.number), ("way", way)]).await
}

/// Signs in with a code by SMS; the page `/me/ways`.
pub async fn by_sms(world: &TestApp, browser: &Actor, person: Person) -> Answer {
    let page = type_number(browser, person, "sms").await.expect(200);
    let code = world.last_text(person.phone).await.unwrap()[..6].to_owned();
    send(browser, &page, "/code", &[("code", &code)]).await.expect(200)
}

/// A browser in which this person is signed in by SMS.
pub async fn signed_in(world: &TestApp, person: Person) -> Actor {
    let browser = world.stranger();
    by_sms(world, &browser, person).await;
    browser
}

/// The text between two marks.
#[track_caller]
pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("no {start} in {text}")) + start.len();
    text[from..].split(end).next().unwrap()
}

/// What `unescaped` HTML says.
pub fn unescaped(html: &str) -> String {
    html.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
}

/// Past the trial of what a code enrolled.
pub const PAST_TRIAL: Duration = Duration::from_secs(73 * 3600);

#[tokio::test]
async fn every_page_says_whose_session_it_is_and_hands_over_with_one_tap() {
    let world = world().await;
    let browser = signed_in(&world, HOA).await;
    for path in ["/me", "/me/ways", "/receipts", "/me/ways/app"] {
        let page = browser.get(path).await.expect(200);
        assert!(page.text().contains("Đang đăng nhập: Nguyễn Thị Hòa"), "{path}: {}", page.text());
        assert!(page.text().contains("action=\"/another-person\""), "{path}");
    }
    let lost = browser.get("/me/history/leaf_1/proof").await.expect(404);
    assert!(lost.text().contains("Đang đăng nhập: Nguyễn Thị Hòa"), "an error page too");
    let page = browser.get("/me").await;
    let forged = browser.post_form("/another-person", &[("form_token", "0")]).await;
    forged.expect(400);
    let next = send(&browser, &page, "/another-person", &[]).await.expect(200);
    assert!(next.text().contains("name=\"number\"") && !next.text().contains("Nguyễn Thị Hòa"));
    browser.get("/me").await.expect(303);
    let page = send(&browser, &next, "/sign-in/", &[("number", LAN.number)]).await.expect(200);
    let text = world.last_text(LAN.phone).await.unwrap();
    assert!(text.contains("Lan T.T."), "the SMS says whose code came to the family's phone: {text}");
    let page = send(&browser, &page, "/code", &[("code", &text[..6])]).await.expect(200);
    assert!(page.text().contains("Đang đăng nhập: Trần Thu Lan"), "{}", page.text());
    let out = send(&browser, &page, "/sign-out", &[]).await.expect(200);
    assert!(!out.text().contains("Đang đăng nhập"), "{}", out.text());
}

/// A role for tests of counters.
pub async fn grant(world: &TestApp, person: Person, role: Role, agency: &str) {
    let granting = chung::flow::roles::Granting {
        number: person.number.parse().unwrap(),
        role,
        agency_code: agency.to_owned(),
        from: None,
        to: None,
        by: None,
    };
    chung::flow::roles::grant_role(&world.app, &granting).await.unwrap();
}

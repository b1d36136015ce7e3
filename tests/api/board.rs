//! The accountant's board: an officer signs in like everybody, sees the books of the own agency, and settles cases;
//! the auditor only reads, and nobody else sees anything.

use crate::central_bank::entry;
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::world::{Actor, Answer, TestApp};
use chung::base::clock::Clock;
use chung::base::id::{self, Id};
use chung::flow::roles::{Granting, grant_role, revoke_role};
use chung::identity::role::Role;

const PEOPLE: [&str; 3] = [
    "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079085000457,,Trần Văn Khỏe,1985-04-01,male,0912345219,79,active,,2,",
    "079085000458,,Lê Văn Lạ,1985-05-01,male,0912345220,79,active,,2,",
];
pub const ACCOUNTANT: (&str, &str) = ("079185000456", "+84912345218");
pub const AUDITOR: (&str, &str) = ("079085000457", "+84912345219");
pub const NOBODY: (&str, &str) = ("079085000458", "+84912345220");

/// The people of these stories are on the register.
pub async fn people(world: &TestApp) {
    world.register(&PEOPLE).await;
}

/// Follows redirects on the service.
pub async fn follow(browser: &Actor, path: &str) -> Answer {
    let mut answer = browser.get(path).await;
    while answer.status == 303 && answer.location().starts_with('/') {
        answer = browser.get(&answer.location()).await;
    }
    answer
}

/// The address of the first form of a page that holds `part`.
pub fn action(page: &Answer, part: &str) -> String {
    let text = page.text();
    let found = text.split("action=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    { found }.find(|address| address.contains(part)).unwrap_or_else(|| panic!("no form to {part} in {text}"))
}

/// A browser in which this person is signed in.
pub async fn signed_in(world: &TestApp, (number, phone): (&str, &str), path: &str) -> Actor {
    let browser = world.stranger();
    let page = follow(&browser, path).await.expect(200);
    let path = action(&page, "/sign-in/");
    let form = [("form_token", &*page.form_field("form_token")), ("number", number)];
    let sent = browser.post_form(&path, &form).await.expect(303);
    let page = follow(&browser, &sent.location()).await.expect(200);
    let code = world.last_text(phone).await.unwrap()[..6].to_owned();
    let form = [("form_token", &*page.form_field("form_token")), ("code", &*code)];
    let done = browser.post_form(&action(&page, "/code"), &form).await.expect(303);
    follow(&browser, &done.location()).await;
    browser
}

/// The same, who begins at the board.
pub async fn at_board(world: &TestApp, who: (&str, &str)) -> Actor {
    signed_in(world, who, "/board").await
}

pub async fn grant(world: &TestApp, number: &str, role: Role) -> Id<id::RoleGrant> {
    let granting = Granting {
        number: number.parse().unwrap(),
        role,
        agency_code: "H29.14".to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&world.app, &granting).await.unwrap()
}

/// An office with an accountant and an auditor, and money that came twice for one bill.
async fn set() -> (TestApp, Office, Id<id::RoleGrant>) {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let office = Office::open(&world, "H29.14").await;
    let granted = grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, AUDITOR.0, Role::Auditor).await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    for (message, reference) in [(1, "R1"), (2, "R2")] {
        let movement = entry(reference, 205_000, Some(uuid(&payment)), world.clock.now());
        world.bank.movements.lock().unwrap().push(movement);
        let told = world.credit(message, reference, 205_000, &payment);
        world.tell(&told).await.expect(200);
    }
    (world, office, granted)
}

#[tokio::test]
async fn the_books_are_read_by_those_who_keep_or_audit_them() {
    let (world, ..) = set().await;
    for reader in [ACCOUNTANT, AUDITOR] {
        let shown = signed_in(&world, reader, "/board").await.get("/board/books").await.expect(200).text();
        for part in ["Sổ cái cân", ACCOUNT, "Phí được để lại", "LLTP-01", "153.750", "51.250", "414 / 2250"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
    let accountant = signed_in(&world, ACCOUNTANT, "/board").await;
    let before = accountant.get("/board/books?period=2026-10").await.expect(200).text();
    assert!(!before.contains("LLTP-01"));
    accountant.get("/board/books?period=soon").await.expect(404);
    signed_in(&world, NOBODY, "/board").await.get("/board/books").await.expect(404);
}

#[tokio::test]
async fn an_accountant_fetches_a_day_and_settles_what_differs() {
    let (world, office, granted) = set().await;
    let accountant = signed_in(&world, ACCOUNTANT, "/board").await;
    let board = accountant.get("/board").await.expect(200);
    for shown in ["Kế toán", "Nguyễn Thị Hòa", "Nộp hai lần", "H29.14-261124-0001", "chưa nhận"]
    {
        assert!(board.text().contains(shown), "{shown} in {}", board.text());
    }
    let token = board.form_field("form_token");
    let agency = office.agency.to_string();
    let form = [("form_token", &*token), ("agency", &*agency), ("account", ACCOUNT), ("day", "2026-11-24")];
    accountant.post_form("/board/statements", &form).await.expect(303);
    let board = accountant.get("/board").await.expect(200).text();
    assert!(board.contains("24/11/2026") && board.contains("410.000"), "{board}");

    let case =
        format!("/board/cases/{}", board.split("/board/cases/").nth(1).unwrap().split('"').next().unwrap());
    let page = accountant.get(&case).await.expect(200);
    assert!(page.text().contains("Chưa ai làm gì"));
    let act = async |path: &str, outcome: &str, words: &str| {
        let form = [("form_token", &*token), ("outcome", outcome), ("words", words)];
        accountant.post_form(&format!("{case}/{path}"), &form).await
    };
    act("take", "", "").await.expect(303);
    // Who holds it, and how old it is.
    world.later(std::time::Duration::from_secs(5 * 3_600));
    let board = accountant.get("/board").await.expect(200).text();
    assert!(board.contains("Tuổi") && board.contains("5 giờ"), "{board}");
    act("settle", "note", "").await.expect(400);
    act("settle", "note", "Đã gọi ngân hàng.").await.expect(303);
    act("settle", "refund_proposed", "Nộp hai lần.").await.expect(303);
    act("settle", "explained", "Lần nữa.").await.expect(409);
    let page = accountant.get(&case).await.expect(200).text();
    for shown in ["đề nghị hoàn", "Đã gọi ngân hàng.", "nhận vụ việc", "Nguyễn Thị Hòa"]
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert_eq!(world.count("audit_leaf where kind like 'case.%'").await, 3);

    // A role that is taken back holds from the next request on.
    revoke_role(&world.app, granted).await.unwrap();
    accountant.get(&case).await.expect(404);
    accountant.get("/board").await.expect(403);
}

#[tokio::test]
async fn an_auditor_reads_and_cannot_act_and_nobody_else_sees_anything() {
    let (world, office, _) = set().await;
    let auditor = signed_in(&world, AUDITOR, "/board").await;
    let board = auditor.get("/board").await.expect(200);
    assert!(board.text().contains("Kiểm toán") && !board.text().contains("/board/statements"));
    let token = board.form_field("form_token");
    let case = format!(
        "/board/cases/{}",
        board.text().split("/board/cases/").nth(1).unwrap().split('"').next().unwrap()
    );
    let page = auditor.get(&case).await.expect(200).text();
    assert!(!page.contains("/take") && !page.contains("/settle"));
    auditor.post_form(&format!("{case}/take"), &[("form_token", &*token)]).await.expect(403);
    let agency = office.agency.to_string();
    let form = [("form_token", &*token), ("agency", &*agency), ("account", ACCOUNT), ("day", "2026-11-24")];
    auditor.post_form("/board/statements", &form).await.expect(403);
    assert_eq!((world.count("statement").await, world.count("case_note").await), (0, 0));

    let forged = [("form_token", "0"), ("agency", &*agency), ("account", ACCOUNT), ("day", "2026-11-24")];
    auditor.post_form("/board/statements", &forged).await.expect(400);
    world.stranger().get("/board").await.expect(303);
    world.stranger().get(&case).await.expect(303);
    let somebody = signed_in(&world, NOBODY, "/board").await;
    somebody.get("/board").await.expect(403);
    somebody.get(&case).await.expect(404);
    assert_eq!(world.count("case_note").await, 0);
}

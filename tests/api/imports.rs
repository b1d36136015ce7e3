//! Statements that people bring as files: one brings, another confirms; bad rows are set aside, and nothing is lost.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board, grant, people};
use crate::central_bank::entry;
use crate::office::{ACCOUNT, Office, uuid};
use crate::payments::start;
use crate::reachable::{hold, let_go};
use crate::world::{Actor, Answer, TestApp, slowly};
use chung::base::{calendar::Day, clock::Clock, id::Id};
use chung::config::Limits;
use chung::flow::{
    match_long_days::match_long_day,
    roles::{Granting, grant_role},
    succeed_agency::effect_successions,
};
use chung::identity::role::Role;
use chung::store::succession;
use reqwest::Method;
use std::time::Duration;
use uuid::Uuid;

const DAY: time::Duration = time::Duration::DAY;

/// An office in which one bill was paid and the day is over; the file that its bank would give.
pub async fn set() -> (TestApp, Office, String) {
    set_within(Limits::default()).await
}

/// The same within other limits.
async fn set_within(limits: Limits) -> (TestApp, Office, String) {
    let world = TestApp::start_with(limits).await;
    people(&world).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, AUDITOR.0, Role::Approver).await;
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    world.later(Duration::from_secs(86_400));
    let reference = uuid(&payment).simple().to_string();
    let file = format!(
        ":20:S\r\n:25:{ACCOUNT}\r\n:28C:1/1\r\n:60F:C261123VND0,\r\n\
         :61:2611241124C205000,NTRF{reference}//R1\r\n:86:Nop phi\r\n\
         :61:261124?unreadable\r\n:62F:C261124VND215000,\r\n-"
    );
    (world, office, file)
}

pub async fn bring(browser: &Actor, office: &Office, file: &str) -> Answer {
    let token = browser.get("/board/imports").await.expect(200).form_field("form_token");
    bring_with(browser, office, file, &token).await
}

pub async fn bring_with(browser: &Actor, office: &Office, file: &str, token: &str) -> Answer {
    let agency = office.agency.to_string();
    let mut body = String::new();
    for (name, value) in [("form_token", token), ("agency", &agency), ("account", ACCOUNT), ("file", file)] {
        body += &format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--x--\r\n";
    let request = browser
        .request(Method::POST, "/board/imports")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(body);
    browser.send(request).await
}

/// A form with a file that comes slowly, so many bytes at once; with `cut` nothing comes after so many altogether.
async fn bring_slowly(
    browser: &Actor,
    office: &Office,
    file: &str,
    (at_once, cut): (usize, Option<usize>),
) -> Answer {
    let token = browser.get("/board/imports").await.expect(200).form_field("form_token");
    let agency = office.agency.to_string();
    let mut body = String::new();
    for (name, value) in [("form_token", &*token), ("agency", &agency), ("account", ACCOUNT), ("file", file)]
    {
        body += &format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--x--\r\n";
    let body = &body.as_bytes()[..cut.map_or(body.len(), |cut| cut.min(body.len() - 20))];
    let request = browser
        .request(Method::POST, "/board/imports")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(slowly(body, at_once, Duration::from_millis(200), cut.is_none()));
    browser.send(request).await
}

#[tokio::test]
async fn a_file_may_come_slowly_as_long_as_it_comes_and_one_that_stalls_is_refused_by_name() {
    let limits = Limits {
        request_timeout_ms: 2_500,
        upload_window_ms: 1_000,
        upload_window_bytes_min: 60,
        ..Limits::default()
    };
    let (world, office, file) = set_within(limits).await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    // Twenty pieces of 200 ms each are 4 s: more than a request has.
    let length = file.len() + 500;
    bring_slowly(&accountant, &office, &file, (length / 20, None)).await.expect(303);
    assert_eq!(world.count("statement_import where state = 'waiting'").await, 1);
    let page = accountant.get("/board/imports").await.expect(200).text();
    decide(&accountant, &page, "withdraw").await.expect(303);

    // Its end never comes; too little comes; and it stalls before the file itself begins.
    for slowness in [(2_000, Some(length - 100)), (4, None), (30, Some(60))] {
        let answer = bring_slowly(&accountant, &office, &file, slowness).await;
        assert_eq!(answer.status, 408, "{}", answer.text());
        assert!(answer.text().contains("upload_stalled") || answer.text().contains("Tệp ngừng được gửi"));
    }
    assert_eq!(world.count("statement_import").await, 1);
    assert_eq!(
        world.count("statement_import_piece p where not exists (select from statement_import i where i.id = p.import_id)").await,
        0,
        "nothing is left of them"
    );
    // Everything else has its deadline as before.
    let form = "form_token=0&agency=".to_owned() + &"x".repeat(400);
    let slow = accountant
        .request(Method::POST, "/board/receipts")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(slowly(form.as_bytes(), 20, Duration::from_millis(200), true));
    accountant.send(slow).await.expect(503);
}

pub async fn decide(browser: &Actor, page: &str, outcome: &str) -> Answer {
    let token = browser.get("/board/imports").await.expect(200).form_field("form_token");
    let action = page.split("action=\"").map(|rest| rest.split('"').next().unwrap());
    let action = { action }.find(|address| address.ends_with("/decide")).unwrap();
    browser.post_form(action, &[("form_token", &*token), ("outcome", outcome)]).await
}

#[tokio::test]
async fn a_file_is_matched_when_a_second_person_confirms_and_its_bad_row_becomes_a_case() {
    let (world, office, file) = set().await;
    let (accountant, approver) = (at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await);
    bring(&accountant, &office, &file).await.expect(303);
    let page = accountant.get("/board/imports").await.expect(200).text();
    for shown in ["chờ người thứ hai", "mt940", "Dòng 2: không đọc được", "215.000", "Nguyễn Thị Hòa"]
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("value=\"accept\""), "nobody confirms what they brought");
    assert_eq!(world.count("statement").await, 0, "one person's file is not believed");
    decide(&accountant, &page, "accept").await.expect(403);
    bring(&accountant, &office, &file).await.expect(409);
    assert!(!world.dump("statement_import").await.contains("Nop phi"), "the file is sealed");

    let seen = approver.get("/board/imports").await.expect(200).text();
    assert!(seen.contains("value=\"accept\""));
    decide(&approver, &seen, "accept").await.expect(303);
    // Pressed again it changes nothing; nobody takes back what was confirmed.
    decide(&approver, &seen, "accept").await.expect(303);
    decide(&accountant, &seen, "withdraw").await.expect(409);
    assert_eq!(world.count("statement where lines = 2 and matched = 1").await, 1);
    assert_eq!(
        world.count("\"case\" where kind = 'unknown_reference'").await,
        1,
        "the unread money has a case"
    );
    assert_eq!(world.count("audit_leaf where kind like 'statement.%'").await, 3);
    let page = accountant.get("/board/imports?lang=en").await.expect(200).text();
    assert!(page.contains("confirmed and matched"), "{page}");
}

#[tokio::test]
async fn the_same_file_from_a_second_person_confirms_it_and_another_does_not() {
    let (world, office, file) = set().await;
    grant(&world, NOBODY.0, Role::Accountant).await;
    let (first, second) = (at_board(&world, ACCOUNTANT).await, at_board(&world, NOBODY).await);
    bring(&first, &office, &file).await.expect(303);
    let other = file.replace("215000", "225000");
    bring(&second, &office, &other).await.expect(409);
    assert_eq!(world.count("statement").await, 0);
    bring(&second, &office, &file).await.expect(303);
    assert_eq!(world.count("statement where matched = 1").await, 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_is_refused_and_nobody_else_brings_one() {
    let (world, office, file) = set().await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    for (wrong, says) in [
        ("chào".to_owned(), "không thuộc định dạng"),
        (file.replace(ACCOUNT, "999"), "tài khoản khác"),
        (file.replace(":61:261124?unreadable\r\n", ""), "không cân"),
        (file.replace("C261124VND", "C261125VND").replace("1124C", "1125C"), "problem-day_not_over"),
        (file.replace("1124C", "1123C"), "một ngày"),
        (":60F:nothing".to_owned(), "cấu trúc"),
    ] {
        let page = bring(&accountant, &office, &wrong).await;
        assert!([422, 409].contains(&page.status), "{}", page.status);
        let text = page.text();
        assert!(says.starts_with("problem") || text.contains(says), "{says} in {text}");
    }
    bring_with(&accountant, &office, &file, "0").await.expect(400);
    let nobody = at_board(&world, NOBODY).await;
    nobody.get("/board/imports").await.expect(403);
    let approver = at_board(&world, AUDITOR).await;
    bring(&approver, &office, &file).await.expect(403);
    assert_eq!(world.count("statement_import").await, 0);
    bring(&accountant, &office, &file).await.expect(303);
    let page = accountant.get("/board/imports").await.expect(200).text();
    decide(&accountant, &page, "withdraw").await.expect(303);
    bring(&accountant, &office, &file).await.expect(303);
    world.stranger().get("/board/imports").await.expect(303);
}

/// The line of one credit that stays.
const L5: &str = "(select * from statement_line where servicer_reference = 'L5')";

/// A file of so many more credits than the first, one of them of another amount; the sum follows.
fn longer(file: &str, more: usize, odd: i64) -> String {
    let line = |n: usize| {
        let amount = if n == 3 { odd } else { 1_000 };
        format!(":61:2611241124C{amount},NTRFNONREF//L{n}\r\n:86:Khoan {n}\r\n")
    };
    let lines: String = (1..=more).map(line).collect();
    let sum = 215_000 + 1_000 * i64::try_from(more - 1).unwrap() + odd;
    file.replace(":62F:", &format!("{lines}:62F:")).replace("VND215000", &format!("VND{sum}"))
}

#[tokio::test]
async fn a_file_of_more_rows_than_are_in_memory_is_matched_and_told_again_differently() {
    let (world, office, file) = set_within(Limits { import_rows_at_once: 2, ..Limits::default() }).await;
    let (accountant, approver) = (at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await);
    let confirm = async || {
        let seen = approver.get("/board/imports").await.expect(200).text();
        decide(&approver, &seen, "accept").await.expect(303);
    };
    let first = longer(&file, 6, 1_000);
    bring(&accountant, &office, &first).await.expect(303);
    assert_eq!(world.count("statement_import where rows = 7 and bad_rows = 1 and unread = 10000").await, 1);
    assert_eq!(world.count("statement_import_part").await, 4, "two rows at a time");
    assert!(world.count("statement_import_piece").await > 0, "the file is kept as it was brought");
    for sealed in ["statement_import_piece", "statement_import_part"] {
        let dumped = world.dump(sealed).await;
        assert!(!dumped.contains(&hex::encode("Khoan 1")), "{sealed} is sealed");
    }
    confirm().await;
    // Seven rows, and the line that stands for the one that could not be read.
    assert_eq!(world.count("statement where lines = 8 and matched = 1").await, 1);
    assert_eq!(world.count("statement_line where servicer_reference like 'L%'").await, 6);

    // The bank tells the day again: one amount differs, one line is new, and what stays keeps its line.
    let kept = world.dump(L5).await;
    let second = longer(&file, 7, 2_000);
    bring(&accountant, &office, &second).await.expect(303);
    confirm().await;
    assert_eq!(world.count("statement_revision where version = 2 and lines = 9").await, 1);
    assert_eq!(world.count("withdrawn_line").await, 1, "the line of the other amount");
    assert_eq!(world.count("statement_line where servicer_reference = 'L3'").await, 2);
    assert_eq!(world.count("statement_line").await, 10);
    assert_eq!(world.dump(L5).await, kept);
    assert_eq!(world.count("told_again").await, 0);
}

#[tokio::test]
async fn what_is_too_large_or_interrupted_leaves_nothing_behind() {
    let (world, office, file) = set_within(Limits { import_bytes_max: 500, ..Limits::default() }).await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    bring(&accountant, &office, &longer(&file, 20, 1_000)).await.expect(413);
    let token = accountant.get("/board/imports").await.expect(200).form_field("form_token");
    let cut = format!(
        "--x\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n--x\r\n\
         Content-Disposition: form-data; name=\"agency\"\r\n\r\n{}\r\n--x\r\n\
         Content-Disposition: form-data; name=\"account\"\r\n\r\n{ACCOUNT}\r\n--x\r\n\
         Content-Disposition: form-data; name=\"file\"\r\n\r\n:20:S",
        office.agency
    );
    let request = accountant
        .request(Method::POST, "/board/imports")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(cut);
    let page = accountant.send(request).await.expect(422).text();
    assert!(page.contains("cấu trúc"), "{page}");
    assert_eq!((world.count("statement_import_piece").await, world.count("statement_import").await), (0, 0));
    bring(&accountant, &office, &file).await.expect(303);
}

#[tokio::test]
async fn a_long_statement_has_more_time_than_other_requests_and_no_more_than_its_own() {
    let limits = Limits { request_timeout_ms: 2_500, import_timeout_ms: 6_000, ..Limits::default() };
    let (world, office, file) = set_within(limits).await;
    let (accountant, approver) = (at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await);
    let held = async |table: &str, millis: u64| {
        let other = hold(&world, &format!("lock table {table} in access exclusive mode")).await;
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let_go(other).await;
    };
    let (brought, ()) = tokio::join!(bring(&accountant, &office, &file), async {
        held("statement_import_part", 3_500).await;
    });
    brought.expect(303);
    let page = approver.get("/board/imports").await.expect(200).text();
    // Too long for this as well: no line of it stays.
    let (late, ()) = tokio::join!(decide(&approver, &page, "accept"), held("statement_line", 7_000));
    late.expect(503);
    assert_eq!(world.count("statement_import where state = 'confirmed'").await, 1);
    assert_eq!((world.count("statement").await, world.count("statement_line").await), (0, 0));
    // It is confirmed all the same, and is taken up once nobody holds it.
    assert!(!match_long_day(&world.app).await.unwrap());
    world.later(Duration::from_secs(61));
    assert!(match_long_day(&world.app).await.unwrap());
    assert_eq!(world.count("statement where lines = 2").await, 1);
    assert_eq!(world.count("statement_import where state = 'accepted'").await, 1);
}

#[tokio::test]
async fn an_import_that_waits_when_its_agency_becomes_another_is_the_successors_to_confirm() {
    let (world, office, file) = set().await;
    let heir = Office::open(&world, "H29.15").await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    bring(&accountant, &office, &file).await.expect(303);
    let granting = Granting {
        number: NOBODY.0.parse().unwrap(),
        role: Role::Approver,
        agency_code: "H29.15".to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&world.app, &granting).await.unwrap();
    let theirs = at_board(&world, NOBODY).await;
    assert!(!theirs.get("/board/imports").await.expect(200).text().contains("mt940"), "not theirs before");
    let (now, successors) = (world.clock.now(), vec![(heir.agency, vec![])]);
    let one = succession::Succession {
        agency: office.agency,
        kind: "merge".to_owned(),
        from: Day::of(now),
        successors,
    };
    let mut tx = world.app.store.begin().await.unwrap();
    succession::insert(&mut tx, &one, Id::from_uuid(Uuid::from_u128(9)), now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(effect_successions(&world.app).await.unwrap());

    let page = theirs.get("/board/imports").await.expect(200).text();
    assert!(page.contains("mt940") && page.contains("value=\"accept\""), "{page}");
    let token = theirs.get("/board/imports").await.expect(200).form_field("form_token");
    let action = page.split("action=\"").map(|rest| rest.split('"').next().unwrap());
    let action = { action }.find(|address| address.ends_with("/decide")).unwrap();
    theirs.post_form(action, &[("form_token", &*token), ("outcome", "accept")]).await.expect(303);
    assert_eq!(world.count("statement where lines = 2 and matched = 1").await, 1);
    assert_eq!(world.count("statement_import where state = 'accepted'").await, 1);
    let leaf = format!(
        "audit_detail d join audit_leaf l on l.id = d.leaf_id
         where l.kind = 'statement.import_accepted' and d.agency_id = '{}'",
        heir.agency.uuid()
    );
    assert_eq!(world.count(&leaf).await, 1);
}

/// An office in which one file of eight lines was brought, where nobody waits for more than two.
async fn long() -> (TestApp, Office, [Actor; 2], String) {
    let limits = Limits { import_rows_at_once: 2, lines_waited_for: 2, ..Limits::default() };
    let (world, office, file) = set_within(limits).await;
    let (accountant, approver) = (at_board(&world, ACCOUNTANT).await, at_board(&world, AUDITOR).await);
    let file = longer(&file, 6, 1_000);
    bring(&accountant, &office, &file).await.expect(303);
    (world, office, [accountant, approver], file)
}

#[tokio::test]
async fn a_long_import_is_matched_beside_and_its_page_says_how_far_it_is() {
    let (world, office, [accountant, approver], file) = long().await;
    let list = approver.get("/board/imports").await.expect(200).text();
    let day = decide(&approver, &list, "accept").await.expect(303).location();
    assert!(day.starts_with("/board/days/longday_"), "{day}");
    assert_eq!(world.count("statement").await, 0, "nobody waited for it");
    let page = approver.get(&day).await.expect(200).text();
    for shown in ["Đang chờ đến lượt", "http-equiv=\"refresh\"", "24/11/2026", ACCOUNT] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // A second press leads to the same work; the day is spoken for.
    assert_eq!(decide(&approver, &list, "accept").await.expect(303).location(), day);
    decide(&accountant, &list, "withdraw").await.expect(409);
    bring(&accountant, &office, &file).await.expect(409);
    assert_eq!(world.count("long_day").await, 1);
    assert!(accountant.get("/board/imports").await.expect(200).text().contains(&day));

    // While it is worked at, whoever looks sees how far it is.
    let other = hold(&world, "lock table \"case\" in access exclusive mode").await;
    let (worked, ()) = tokio::join!(match_long_day(&world.app), async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let page = accountant.get(&format!("{day}?lang=en")).await.expect(200).text();
        assert!(
            page.contains("All 8 lines are kept") && page.contains("<progress max=\"8\" value=\"8\""),
            "{page}"
        );
        assert!(!match_long_day(&world.app).await.unwrap(), "one works at it");
        let_go(other).await;
    });
    assert!(worked.unwrap());
    assert_eq!(world.count("statement where lines = 8 and matched = 1").await, 1);
    assert_eq!(world.count("statement_import where state = 'accepted'").await, 1);
    let page = accountant.get(&format!("{day}?lang=vi")).await.expect(200).text();
    assert!(
        page.contains("Đã đối soát: 1 trên 8 dòng khớp") && !page.contains("http-equiv=\"refresh\""),
        "{page}"
    );
    assert!(!match_long_day(&world.app).await.unwrap(), "and it is over");
    assert_eq!(decide(&approver, &list, "accept").await.expect(303).location(), day);

    // Not for who keeps no books there.
    at_board(&world, NOBODY).await.get(&day).await.expect(404);
    world.stranger().get(&day).await.expect(303);
    accountant.get("/board/days/longday_0").await.expect(404);
}

#[tokio::test]
async fn a_run_that_died_is_followed_by_another_and_no_line_is_kept_twice() {
    let (world, _, [_, approver], _) = long().await;
    let list = approver.get("/board/imports").await.expect(200).text();
    let day = decide(&approver, &list, "accept").await.expect(303).location();
    let other = hold(&world, "lock table \"case\" in access exclusive mode").await;
    let died = tokio::time::timeout(Duration::from_millis(1_500), match_long_day(&world.app)).await;
    assert!(died.is_err());
    let_go(other).await;
    assert_eq!(world.count("statement_line").await, 0, "nothing of it stays");
    assert!(!match_long_day(&world.app).await.unwrap(), "it might live");
    world.later(Duration::from_secs(61));

    // The second run is held up for so long that a third takes its place: only one of them can keep the day.
    let other = hold(&world, "lock table \"case\" in access exclusive mode").await;
    let (second, third, ()) = tokio::join!(
        match_long_day(&world.app),
        async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            world.later(Duration::from_secs(61));
            match_long_day(&world.app).await
        },
        async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            let page = approver.get(&day).await.expect(200).text();
            assert!(page.contains("Lần thứ 3"), "{page}");
            tokio::time::sleep(Duration::from_millis(300)).await;
            let_go(other).await;
        }
    );
    assert!(second.unwrap() && third.unwrap());
    assert_eq!(world.count("statement_line").await, 8);
    assert_eq!(world.count("statement where lines = 8 and matched = 1").await, 1);
    assert_eq!(world.count("long_day where state = 'done'").await, 1);
    assert_eq!(world.count("statement_revision").await, 0);
}

#[tokio::test]
async fn a_long_day_of_the_bank_is_fetched_beside_and_ends_with_its_result_or_why_not() {
    let (world, office, _) = set().await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let movements = (0..5).map(|n| entry(&format!("L{n}"), 1_000, None, world.clock.now() - DAY));
    world.bank.movements.lock().unwrap().extend(movements);
    *world.bank.page_room.lock().unwrap() = 2;
    let agency = office.agency.to_string();
    let ask = async || {
        let token = accountant.get("/board").await.expect(200).form_field("form_token");
        let form =
            [("form_token", &*token), ("agency", &agency), ("account", ACCOUNT), ("day", "2026-11-24")];
        accountant.post_form("/board/statements", &form).await.expect(303).location()
    };
    let day = ask().await;
    assert_eq!(ask().await, day, "it is asked for once");
    world.bank.lost_pages.lock().unwrap().push(2);
    assert!(match_long_day(&world.app).await.unwrap());
    let page = accountant.get(&day).await.expect(200).text();
    assert!(page.contains("Không đối soát được") && !page.contains("http-equiv=\"refresh\""), "{page}");
    assert_eq!(world.count("statement").await, 0);

    let again = ask().await;
    assert_ne!(again, day);
    assert!(match_long_day(&world.app).await.unwrap());
    assert!(accountant.get(&again).await.expect(200).text().contains("Đã đối soát: 0 trên 5 dòng khớp"));
    // A short day is there at once.
    *world.bank.page_room.lock().unwrap() = 10;
    assert_eq!(ask().await, format!("/board?agency={agency}"));
}

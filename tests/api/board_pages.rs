//! The pages of those who keep, approve and administer: a fee schedule, money in suspense, a succession, each by forms alone.

use crate::board::{grant, signed_in};
use crate::office::{ACCOUNT, Office};
use crate::payments::start;
use crate::world::{Actor, Answer, TestApp};
use chung::base::clock::Clock;
use chung::flow::fee_file::{SAMPLE_ADJUSTMENTS, SAMPLE_ITEMS};
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const PEOPLE: [&str; 3] = [
    "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079085000457,,Trần Văn Khỏe,1985-04-01,male,0912345219,79,active,,2,",
    "079085000458,,Lê Văn Lạ,1985-05-01,male,0912345220,79,active,,2,",
];
const ACCOUNTANT: (&str, &str) = ("079185000456", "+84912345218");
const APPROVER: (&str, &str) = ("079085000457", "+84912345219");
const NOBODY: (&str, &str) = ("079085000458", "+84912345220");

async fn set() -> (TestApp, Office) {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, ACCOUNTANT.0, Role::Accountant).await;
    grant(&world, APPROVER.0, Role::Approver).await;
    (world, office)
}

/// Sends a form of the page at `path`.
async fn send(browser: &Actor, path: &str, fields: &[(&str, &str)]) -> Answer {
    let token = browser.get(path).await.expect(200).form_field("form_token");
    let mut form = vec![("form_token", &*token)];
    form.extend_from_slice(fields);
    browser.post_form(path, &form).await
}

#[tokio::test]
async fn a_version_is_drafted_submitted_and_approved_on_pages() {
    let (world, office) = set().await;
    let agency = office.agency.to_string();
    let accountant = signed_in(&world, ACCOUNTANT, "/board/fees").await;
    let approver = signed_in(&world, APPROVER, "/board/fees").await;
    let listed = accountant.get("/board/fees").await.expect(200).text();
    assert!(listed.contains("Quản trị hệ thống") && listed.contains("đang áp dụng"), "{listed}");
    assert!(!approver.get("/board/fees").await.expect(200).text().contains("name=\"items\""));
    let items = SAMPLE_ITEMS.replace("tư pháp,Record search fee,200000", "tư pháp,Record search fee,250000");
    // As browsers send text.
    let items = items.replace('\n', "\r\n");
    let bad = items.replace(",250000,", ",-1,");
    let fields = |items: &'static str| ("items", items);
    let (items, bad): (&'static str, &'static str) = (items.leak(), bad.leak());
    let draft = [
        ("agency", &*agency),
        ("adjustments", SAMPLE_ADJUSTMENTS),
        ("instrument", "Thông tư 63/2023/TT-BTC (minh họa)"),
        ("text", "Điều 4. Mức thu phí."),
    ];
    let mut wrong = draft.to_vec();
    wrong.push(fields(bad));
    let refused = send(&accountant, "/board/fees", &wrong).await.expect(422).text();
    assert!(refused.contains("amount_vnd") && refused.contains("Thông tư 63/2023"), "{refused}");
    let mut good = draft.to_vec();
    good.push(fields(items));
    let version = send(&accountant, "/board/fees", &good).await.expect(303).location();
    let shown = accountant.get(&version).await.expect(200).text();
    for part in ["bản nháp", "LLTP-01", "200000 → 250000", "đã đính kèm", "Nguyễn Thị Hòa"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    // The text as a file: in the place of what was typed, by an accountant, and read by whoever reads versions.
    let token = accountant.get(&version).await.expect(200).form_field("form_token");
    let instrument = format!("{version}/instrument");
    let attach = |token: &str, file: &str| {
        let parts = [("form_token", token), ("title", ""), ("file", file)];
        let part = |(name, value): (&str, &str)| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        format!("{}--x--\r\n", parts.map(part).concat())
    };
    let send_file = async |browser: &Actor, body: String| {
        let request = browser.request(Method::POST, &instrument);
        browser.send(request.header("content-type", "multipart/form-data; boundary=x").body(body)).await
    };
    let odd = send_file(&accountant, attach(&token, "\u{1}")).await.expect(422).text();
    assert!(odd.contains("Tệp đính kèm không dùng được"), "{odd}");
    send_file(&accountant, attach("0", "%PDF-1.7")).await.expect(400);
    let theirs = approver.get(&version).await.expect(200).form_field("form_token");
    send_file(&approver, attach(&theirs, "%PDF-1.7")).await.expect(403);
    send_file(&accountant, attach(&token, "%PDF-1.7 Điều 4")).await.expect(303);
    let shown = approver.get(&version).await.expect(200).text();
    assert!(shown.contains(&instrument) && shown.contains("SHA-256"), "{shown}");
    assert_eq!(approver.get(&instrument).await.expect(200).body, "%PDF-1.7 Điều 4".as_bytes());
    signed_in(&world, NOBODY, "/board").await.get(&instrument).await.expect(403);
    office.bill(&world, "k").await;
    let tried = accountant.get(&format!("{version}?month=2026-11")).await.expect(200).text();
    assert!(tried.contains("Tính thử") && tried.contains("205.000") && tried.contains("255.000"), "{tried}");
    accountant.get(&format!("{version}?month=soon")).await.expect(404);

    let early = send(&approver, &version, &[("act", "approve"), ("day", "2026-12-01")]).await;
    assert!(early.expect(409).text().contains("không ở trạng thái chờ phê duyệt"));
    send(&approver, &version, &[("act", "submit")]).await.expect(403);
    send(&accountant, &version, &[("act", "submit")]).await.expect(303);
    let budget = json!({
        "area": "79001", "unit_code": "1054321", "treasury_office": "0061", "valid_from": "2026-01-01",
        "retained_account": "3714.0.1054321", "remitted_account": "3511.0.1054321",
    });
    let path = format!("/v1/agencies/{}/budget", office.agency);
    office.system(&world, "admin").post_once(&path, "b", &budget).await.expect(200);
    send(&accountant, &version, &[("act", "approve"), ("day", "2026-12-01")]).await.expect(403);
    send(&approver, &version, &[("act", "approve"), ("day", "2026-11-23")]).await.expect(422);
    send(&approver, &version, &[("act", "approve"), ("day", "2026-11-24")]).await.expect(303);
    let shown = approver.get(&version).await.expect(200).text();
    assert!(shown.contains("đang áp dụng") && shown.contains("Trần Văn Khỏe"), "{shown}");
    send(&approver, &version, &[("act", "discontinue"), ("day", "2026-12-31")]).await.expect(303);
    assert!(approver.get(&version).await.expect(200).text().contains("thôi áp dụng"));

    approver.post_form(&version, &[("form_token", "0"), ("act", "submit")]).await.expect(400);
    signed_in(&world, NOBODY, "/board").await.get("/board/fees").await.expect(403);
    world.stranger().get(&version).await.expect(303);
}

#[tokio::test]
async fn money_leaves_suspense_on_a_page_by_two_people() {
    let (world, office) = set().await;
    let bill = office.bill(&world, "asked").await;
    let told = crate::central_bank::credit(3, ACCOUNT, "U1", 205_000, None, world.clock.now());
    world.tell(&told).await.expect(200);
    let accountant = signed_in(&world, ACCOUNTANT, "/board/suspense").await;
    let approver = signed_in(&world, APPROVER, "/board/suspense").await;
    let listed = accountant.get("/board/suspense").await.expect(200).text();
    assert!(listed.contains("205.000") && listed.contains("Không khớp"), "{listed}");
    assert!(listed.contains("Hạn xử lý") && listed.contains("Hỏi cơ quan để xác định khoản"), "{listed}");
    let path = listed.split("/board/suspense/").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/board/suspense/{path}");
    let reference = bill["reference"].as_str().unwrap();
    let propose = [
        ("act", "propose"),
        ("toward", "bill"),
        ("legal_basis", "Luật 97/2015 (minh họa)"),
        ("words", "Người nộp quên ghi mã"),
    ];
    let mut unknown = propose.to_vec();
    unknown.push(("reference", "00000000000000000000"));
    send(&accountant, &path, &unknown).await.expect(404);
    let mut named = propose.to_vec();
    named.push(("reference", reference));
    send(&approver, &path, &named).await.expect(403);
    send(&accountant, &path, &named).await.expect(303);
    send(&accountant, &path, &[("act", "approve")]).await.expect(403);
    let shown = approver.get(&path).await.expect(200).text();
    for part in ["Người nộp quên ghi mã", reference, "Nguyễn Thị Hòa", "chờ duyệt"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    send(&approver, &path, &[("act", "approve")]).await.expect(303);
    let shown = accountant.get(&path).await.expect(200).text();
    assert!(shown.contains("đã giải chi") && shown.contains("Trần Văn Khỏe"), "{shown}");
    send(&approver, &path, &[("act", "approve")]).await.expect(409);
    let page = world.stranger().get(&format!("/pay/{reference}")).await.expect(200).text();
    assert!(page.contains("Khoản nộp đã được ghi nhận"), "{page}");
    signed_in(&world, NOBODY, "/board").await.get(&path).await.expect(403);
    world.stranger().get("/board/suspense").await.expect(303);

    // What nobody explains may be asked back on its page as well; somebody else approves that.
    let told = crate::central_bank::credit(4, ACCOUNT, "U2", 70_000, None, world.clock.now());
    world.tell(&told).await.expect(200);
    let listed = accountant.get("/board/suspense").await.expect(200).text();
    let row = listed.split("<tr>").find(|row| row.contains("70.000")).unwrap();
    let path = format!(
        "/board/suspense/{}",
        row.split("/board/suspense/").nth(1).unwrap().split('"').next().unwrap()
    );
    let page = accountant.get(&path).await.expect(200);
    let (token, agency, case) =
        (page.form_field("form_token"), page.form_field("agency"), page.form_field("case"));
    let ask = [
        ("form_token", &*token),
        ("agency", &*agency),
        ("case", &*case),
        ("reason", "unexplained"),
        ("words", "Không rõ nội dung"),
    ];
    let unfit = [ask[0], ask[1], ask[2], ("reason", "agency_error"), ask[4]];
    accountant.post_form("/board/refunds", &unfit).await.expect(422);
    let asked = accountant.post_form("/board/refunds", &ask).await.expect(303).location();
    let shown = accountant.get(&asked).await.expect(200).text();
    assert!(shown.contains("70.000") && shown.contains("chờ duyệt"), "{shown}");
    accountant.post_form("/board/refunds", &ask).await.expect(409);
}

/// The bill that somebody proposed is paid otherwise meanwhile: the proposal goes, and the money pays another.
#[tokio::test]
async fn a_proposal_about_money_in_suspense_is_dropped_and_made_anew() {
    let (world, office) = set().await;
    let (first, second) = (office.bill(&world, "first").await, office.bill(&world, "second").await);
    let told = crate::central_bank::credit(3, ACCOUNT, "U1", 205_000, None, world.clock.now());
    world.tell(&told).await.expect(200);
    let accountant = signed_in(&world, ACCOUNTANT, "/board/suspense").await;
    let approver = signed_in(&world, APPROVER, "/board/suspense").await;
    let listed = accountant.get("/board/suspense").await.expect(200).text();
    let case = listed.split("/board/suspense/").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/board/suspense/{case}");
    let toward = |bill: &Value| {
        let reference = bill["reference"].as_str().unwrap().to_owned();
        [
            ("act", "propose".to_owned()),
            ("toward", "bill".to_owned()),
            ("legal_basis", "Luật 97/2015 (minh họa)".to_owned()),
            ("words", "Người nộp quên ghi mã".to_owned()),
            ("reference", reference),
        ]
    };
    let propose = async |bill: &Value| {
        let fields = toward(bill);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        // One proposal is told from the next by its moment.
        world.later(Duration::from_secs(1));
        send(&accountant, &path, &fields).await
    };
    send(&approver, &path, &[("act", "drop")]).await.expect(409);
    propose(&first).await.expect(303);
    let seen = approver.get(&path).await.expect(200).form_field("seen");
    let payment = start(&world, &office, &first).await;
    world.tell(&world.credit(4, "R1", 205_000, &payment)).await.expect(200);
    send(&approver, &path, &[("act", "approve"), ("seen", &seen)]).await.expect(409);
    propose(&second).await.expect(409);
    assert!(!accountant.get(&path).await.expect(200).text().contains("Không duyệt"));
    grant(&world, NOBODY.0, Role::Auditor).await;
    let auditor = signed_in(&world, NOBODY, "/board/suspense").await;
    send(&auditor, &path, &[("act", "drop")]).await.expect(403);
    assert!(approver.get(&path).await.expect(200).text().contains("Không duyệt"));
    send(&approver, &path, &[("act", "drop")]).await.expect(303);
    assert!(accountant.get(&path).await.expect(200).text().contains("đang giữ"));

    // Whoever proposed takes it back as well, and whoever saw one proposal approves no other.
    propose(&second).await.expect(303);
    assert!(accountant.get(&path).await.expect(200).text().contains("Rút lại"));
    send(&accountant, &path, &[("act", "drop")]).await.expect(303);
    propose(&second).await.expect(303);
    let stale = send(&approver, &path, &[("act", "approve"), ("seen", &seen)]).await.expect(409);
    assert!(stale.text().contains("không có đề xuất giải chi như vậy"));
    let seen = approver.get(&path).await.expect(200).form_field("seen");
    send(&approver, &path, &[("act", "approve"), ("seen", &seen)]).await.expect(303);
    send(&approver, &path, &[("act", "drop")]).await.expect(409);
    let read = format!("/v1/bills/{}", second["id"].as_str().unwrap());
    assert_eq!(office.system(&world, "bill.read").get(&read).await.expect(200).json()["status"], "paid");
    assert_eq!(verify_books(&world.app.store, |_| {}).await.unwrap().finding, None);
}

/// A system that repeats a proposal which was dropped since hears so, and nothing of another one.
#[tokio::test]
async fn a_dropped_proposal_is_not_told_again() {
    let (world, office) = set().await;
    // The first bill makes the account known.
    office.bill(&world, "b").await;
    let told = crate::central_bank::credit(3, ACCOUNT, "U1", 205_000, None, world.clock.now());
    world.tell(&told).await.expect(200);
    let person = crate::books::officer(&world, ACCOUNTANT.0, Role::Auditor, "H29.14").await;
    let accountant = signed_in(&world, ACCOUNTANT, "/board/suspense").await;
    let listed = accountant.get("/board/suspense").await.expect(200).text();
    let case = listed.split("/board/suspense/").nth(1).unwrap().split('"').next().unwrap();
    let system = office.system(&world, "case");
    let release = format!("/v1/cases/{case}/release");
    let proposal = |toward: &str| {
        json!({ "toward": toward, "legal_basis": "Law 97/2015 (illustrative)", "words": "Không ai nhận",
                "officer": person })
    };
    system.post_once(&release, "p1", &proposal("refund_due")).await.expect(200);
    send(&accountant, &format!("/board/suspense/{case}"), &[("act", "drop")]).await.expect(303);
    system
        .post_once(&release, "p1", &proposal("refund_due"))
        .await
        .expect_refusal(409, "release_not_proposed");
    world.later(Duration::from_secs(1));
    let other = system.post_once(&release, "p2", &proposal("unclaimed")).await.expect(200).json();
    system
        .post_once(&release, "p1", &proposal("refund_due"))
        .await
        .expect_refusal(409, "release_not_proposed");
    let again = system.post_once(&release, "p2", &proposal("unclaimed")).await.expect(200).json();
    assert_eq!(again, other);
}

#[tokio::test]
async fn a_succession_is_decided_and_followed_on_a_page() {
    let (world, office) = set().await;
    Office::open(&world, "H29.15").await;
    Office::open(&world, "H29").await;
    crate::books::officer(&world, NOBODY.0, Role::Administrator, "H29").await;
    office.bill(&world, "open").await;
    let administrator = signed_in(&world, NOBODY, "/board/successions").await;
    let shown = administrator.get("/board/successions").await.expect(200).text();
    assert!(shown.contains("Chưa có quyết định nào"), "{shown}");
    let form = |from: &'static str, heirs: &'static str| {
        [("agency", "H29.14"), ("kind", "merge"), ("from", from), ("successors", heirs)]
    };
    let unknown = send(&administrator, "/board/successions", &form("2026-11-24", "H29.99")).await.expect(404);
    assert!(unknown.text().contains("Không có cơ quan mang mã đó") && unknown.text().contains("H29.99"));
    send(&administrator, "/board/successions", &form("2026-11-23", "H29.15")).await.expect(422);
    send(&administrator, "/board/successions", &form("2026-11-24", "H29.15: x y")).await.expect(422);
    send(&administrator, "/board/successions", &form("2026-11-24", "H29.15")).await.expect(303);
    let shown = administrator.get("/board/successions").await.expect(200).text();
    for part in ["sáp nhập", "H29.15", "24/11/2026", "1 khoản chuyển sang"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    send(&administrator, "/board/successions", &form("2026-11-24", "H29.15")).await.expect(409);
    let english = administrator.get("/board/successions?lang=en").await.expect(200).text();
    assert!(english.contains("1 bills passed on"), "{english}");
    signed_in(&world, ACCOUNTANT, "/board").await.get("/board/successions").await.expect(403);
    world.stranger().get("/board/successions").await.expect(303);
}

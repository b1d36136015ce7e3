//! From a line of a statement to every dossier, fee, legal basis and receipt behind it, and from a receipt back, on pages; and the
//! receipt's page, where whoever keeps the books takes it back.

use crate::board::{ACCOUNTANT, AUDITOR, NOBODY, at_board};
use crate::closings::{match_day, set};
use crate::office::Office;
use crate::world::{Actor, Answer, TestApp};
use serde_json::Value;

/// The first address on a page that begins so.
fn link(page: &str, begins: &str) -> String {
    let found = page.split("href=\"").find(|rest| rest.starts_with(begins));
    let found = found.unwrap_or_else(|| panic!("no link to {begins} in {page}"));
    found.split('"').next().unwrap().to_owned()
}

async fn press(browser: &Actor, path: &str, fields: &[(&str, &str)]) -> Answer {
    let token = browser.get(path).await.expect(200).form_field("form_token");
    let mut form = vec![("form_token", &*token)];
    form.extend_from_slice(fields);
    browser.post_form(path, &form).await
}

/// The receipt of a bill, as its agency's system reads it, and its page.
async fn receipt(world: &TestApp, office: &Office, bill: &Value) -> (Value, String) {
    let system = office.system(world, "receipt.read");
    let path = format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap());
    let receipt = system.get(&path).await.expect(200).json()["items"][0].clone();
    let page = format!("/board/receipts/{}", receipt["id"].as_str().unwrap());
    (receipt, page)
}

#[tokio::test]
async fn a_page_leads_from_a_line_to_everything_behind_it_and_a_receipts_page_back() {
    let (world, office, bill) = set().await;
    let (receipt, page) = receipt(&world, &office, &bill).await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let before = accountant.get(&page).await.expect(200).text();
    assert!(before.contains("Chưa có dòng sao kê nào"), "{before}");
    let statement = match_day(&world, &office).await;
    let id = statement["id"].as_str().unwrap();
    let tellings = link(&accountant.get("/board").await.expect(200).text(), "/board/statements/");
    assert_eq!(tellings, format!("/board/statements/{id}"));
    let lines = link(&accountant.get(&tellings).await.expect(200).text(), "/board/statements/");
    let shown = accountant.get(&lines).await.expect(200).text();
    let number = receipt["number"].as_str().unwrap();
    for part in [
        "24/11/2026",
        "R1",
        "205.000",
        "đã ghi thu",
        "H29.14-261124-0001",
        "LLTP-01",
        "200.000",
        "LLTP-02",
        number,
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let basis = "Circular";
    assert!(shown.contains(basis), "the legal basis of each fee: {shown}");
    assert_eq!(link(&shown, "/board/receipts/"), page);
    // And back: the receipt's page names the line, and its link leads to it.
    let file = accountant.get(&page).await.expect(200).text();
    for part in
        [number, "Nguyễn Thị Hòa", "H29.14-261124-0001", "Sao kê ngày 24/11/2026, dòng 1", "có hiệu lực"]
    {
        assert!(file.contains(part), "{part} in {file}");
    }
    let back = link(&file, "/board/statements/");
    assert_eq!(back, format!("{lines}?after=0#line-1"));
    let again = accountant.get(back.split('#').next().unwrap()).await.expect(200).text();
    assert!(again.contains("id=\"line-1\""), "{again}");
    accountant.get(&link(&file, "/receipts/").replace("&#38;", "&")).await.expect(200);
    let english = accountant.get(&format!("{lines}?lang=en")).await.expect(200).text();
    assert!(
        english.contains("Lines of the statement of 24/11/2026") && english.contains("booked as paid"),
        "{english}"
    );
    assert!(
        accountant
            .get(&format!("{lines}?lang=vi&after=1"))
            .await
            .expect(200)
            .text()
            .contains("Không có dòng nào")
    );

    // For whoever keeps or audits these books, and for nobody else.
    let nobody = at_board(&world, NOBODY).await;
    for path in [&lines, &page] {
        nobody.get(path).await.expect(404);
        world.stranger().get(path).await.expect(303);
    }
    for unreadable in
        [format!("{lines}?after=x"), "/board/statements/1/lines".to_owned(), "/board/receipts/1".to_owned()]
    {
        accountant.get(&unreadable).await.expect(404);
    }
}

#[tokio::test]
async fn an_accountant_puts_another_receipt_in_the_place_of_one_and_voids_it_at_its_page() {
    let (world, office, bill) = set().await;
    let (old, page) = receipt(&world, &office, &bill).await;
    let accountant = at_board(&world, ACCOUNTANT).await;
    let list = accountant.get("/board/receipts").await.expect(200).text();
    assert_eq!(link(&list, "/board/receipts/receipt_"), page);
    let named = |tax: &'static str, address: &'static str| {
        [
            ("act", "replace"),
            ("receipt_name", "Hộ kinh doanh Hòa"),
            ("tax_code", tax),
            ("address", address),
            ("reason", "Ghi tên hộ kinh doanh"),
        ]
    };
    // What cannot be is said beside its field, and changes nothing.
    for (form, says) in [
        (named("12", "1 Pasteur"), "Mã số thuế có 10 hoặc 13 chữ số"),
        (named("079185000456", ""), "kèm theo mã số thuế"),
    ] {
        let refused = press(&accountant, &page, &form).await.expect(422).text();
        assert!(refused.contains(says), "{says} in {refused}");
    }
    press(&accountant, &page, &[("act", "void"), ("reason", " ")]).await.expect(422);
    press(&accountant, &page, &[("act", "eat"), ("reason", "x")]).await.expect(400);
    let approver = at_board(&world, AUDITOR).await;
    approver.get(&page).await.expect(404);
    let token = approver.get("/board/closings").await.expect(200).form_field("form_token");
    let form = [("form_token", &*token), ("act", "void"), ("reason", "x")];
    approver.post_form(&page, &form).await.expect(404);
    accountant.post_form(&page, &[("form_token", "0"), ("act", "void"), ("reason", "x")]).await.expect(400);
    world.stranger().post_form(&page, &form).await.expect(303);
    assert_eq!((world.count("receipt").await, world.count("receipt_void").await), (1, 0));

    // A household by its personal number.
    let new = press(&accountant, &page, &named("079185000456", "1 Pasteur")).await.expect(303).location();
    assert_ne!(new, page);
    let shown = accountant.get(&new).await.expect(200).text();
    for part in
        ["H29.14-AP26E-0000002", "Hộ kinh doanh Hòa", "079185000456", "1 Pasteur", "H29.14-AP26E-0000001"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let gone = accountant.get(&page).await.expect(200).text();
    assert!(
        gone.contains("thay bằng H29.14-AP26E-0000002") && gone.contains("Ghi tên hộ kinh doanh"),
        "{gone}"
    );
    assert!(!gone.contains("value=\"replace\""), "{gone}");
    // Whoever still holds the old one learns it, and pressing again changes nothing.
    let check =
        format!("/receipts/{}?code={}", old["number"].as_str().unwrap(), old["check_code"].as_str().unwrap());
    assert!(world.stranger().get(&check).await.expect(200).text().contains("đã bị hủy"));
    let form = [
        ("form_token", &*accountant.get(&new).await.expect(200).form_field("form_token")),
        ("act", "void"),
        ("reason", "x"),
    ]
    .map(|(name, value)| (name, value.to_owned()));
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    accountant.post_form(&page, &form).await.expect(409);
    accountant.post_form(&new, &form).await.expect(303);
    accountant.post_form(&new, &form).await.expect(409);
    assert!(accountant.get(&new).await.expect(200).text().contains("đã hủy"));
    assert_eq!(world.count("receipt_void where officer_id is not null and client_id is null").await, 2);
    assert_eq!(world.count("audit_leaf where kind in ('receipt.replaced', 'receipt.voided')").await, 2);
    world.sql("insert into receipt_void select * from receipt_void").await.unwrap_err();
    let somebody = "alter table receipt_void disable trigger user; update receipt_void set officer_id = null";
    assert!(world.sql(somebody).await.unwrap_err().contains("receipt_void_by_one"));
}

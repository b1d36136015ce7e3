//! The kind of each line decides which document proves it.

use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::world::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn a_fee_has_a_receipt_a_tax_a_budget_slip_and_nothing_owed_a_notice_without_a_number() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let notice = json!({
        "notice": "0012345678901234", "chapter": "757", "sub_item": "2802", "area": "79001",
        "name": { "vi": "Lệ phí trước bạ nhà đất", "en": "Registration tax on land" },
        "legal_basis": "Decree 10/2022 (illustrative)", "amount": { "amount": "5000000", "currency": "VND" },
        "account": { "bank": "970405", "number": "7111.1.1054321", "holder": "CHI CUC THUE KHU VUC II" },
    });
    // A procedure whose name may be shown: the page keeps silent about the others.
    let mut both = new_bill();
    both["procedure"] = json!("1.001610");
    both["lines"] = json!([{ "fee": "DKKD-01" }, { "fee": "DKKD-02" }]);
    both["obligations"] = json!([notice]);
    both["collect"] = json!("together");
    let system = office.system(&world, "bill");
    let bill = system.post_once("/v1/bills", "k", &both).await.expect(201).json();
    let path = format!("/v1/bills/{}/documents", bill["id"].as_str().unwrap());
    let page = format!("/pay/{}/documents", bill["reference"].as_str().unwrap());
    let reading = office.system(&world, "bill.read");
    assert_eq!(reading.get(&path).await.expect(200).json()["items"], json!([]), "nothing was paid yet");
    world.stranger().get(&page).await.expect(404);
    let total: i64 = bill["total"]["amount"].as_str().unwrap().parse().unwrap();
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", total, &payment)).await.expect(200);

    let found = reading.get(&path).await.expect(200).json();
    let of = |word: &str| -> Vec<Value> {
        let items = found["items"].as_array().unwrap().iter();
        items.filter(|item| item["document"] == word).cloned().collect()
    };
    let receipts = of("receipt");
    assert!(
        !receipts.is_empty() && receipts.iter().all(|item| item["numbers"].as_array().unwrap().len() == 1)
    );
    let slips = of("budget_slip");
    assert_eq!(slips.len(), 1);
    assert_eq!((&slips[0]["numbers"], &slips[0]["amount"]["amount"]), (&json!([]), &json!("5000000")));
    assert_eq!(
        (&slips[0]["slip"]["notice"], &slips[0]["slip"]["sub_item"], &slips[0]["slip"]["holder"]),
        (&json!("0012345678901234"), &json!("2802"), &json!("CHI CUC THUE KHU VUC II"))
    );
    assert_eq!(world.count("receipt").await, i64::try_from(receipts.len()).unwrap(), "a tax has no receipt");
    let shown = world.stranger().get(&page).await.expect(200).text();
    for part in
        ["Giấy nộp tiền vào ngân sách nhà nước", "0012345678901234", "757 / 2802 / 79001", "5.000.000"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("Nguyễn Thị Hòa"), "the name is masked");
    let paid = world.stranger().get(&page.replace("/documents", "")).await.expect(200).text();
    let link = paid.split("href=\"").find_map(|rest| rest.split('"').next()?.strip_suffix("/documents"));
    let link = format!("{}/documents", link.unwrap_or_else(|| panic!("no link in {paid}")));
    world.stranger().get(&link).await.expect(200);

    let other = Office::open(&world, "H29.15").await;
    other.system(&world, "bill.read").get(&path).await.expect_refusal(404, "not_found");
    world.stranger().get("/pay/nothing/documents").await.expect(404);
}

fn invoice(number: &str) -> Value {
    json!({
        "number": number, "serial": "1K26TAA", "date": "2026-11-24", "seller_tax_code": "0101243150-001",
        "name": { "vi": "Trích đo địa chính", "en": "Cadastral survey" },
        "amount": { "amount": "1200000", "currency": "VND" },
    })
}

fn service(number: &str) -> Value {
    json!({
        "invoice": invoice(number), "legal_basis": "Hợp đồng 12/2026",
        "account": { "bank": "970405", "number": "19001234567", "holder": "CONG TY TNHH DO DAC MAU" },
    })
}

#[tokio::test]
async fn the_price_of_a_service_is_collected_for_its_seller_and_proved_by_the_invoice_and_no_receipt() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let mut both = new_bill();
    both["procedure"] = json!("1.001610");
    both["lines"] = json!([{ "fee": "DKKD-01" }, { "fee": "DKKD-02" }]);
    both["services"] = json!([service("00000123")]);
    let system = office.system(&world, "bill");
    system.post_once("/v1/bills", "apart", &both).await.expect_refusal(422, "several_owners");
    both["collect"] = json!("together");
    let bill = system.post_once("/v1/bills", "k", &both).await.expect(201).json();
    let again = system.post_once("/v1/bills", "k", &both).await.expect(201).json();
    assert_eq!(again, bill, "once per key");
    let line = bill["lines"].as_array().unwrap().last().unwrap();
    assert_eq!((&line["kind"], &line["amount"]["amount"]), (&json!("service"), &json!("1200000")));
    assert_eq!(line["invoice"], invoice("00000123"));
    assert_eq!(line["beneficiary"]["holder"], "CONG TY TNHH DO DAC MAU");
    // An invoice is charged once, by whatever bill; and noting it beside another is the same.
    system.post_once("/v1/bills", "twice", &both).await.expect_refusal(409, "invoice_known");
    let only = office.bill(&world, "only").await;
    let noted = format!("/v1/bills/{}/invoices", only["id"].as_str().unwrap());
    system.post_once(&noted, "n", &invoice("00000123")).await.expect_refusal(409, "invoice_known");
    assert_eq!(world.count("bill").await, 2, "a refusal writes nothing");

    let total: i64 = bill["total"]["amount"].as_str().unwrap().parse().unwrap();
    let page = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let shown = world.stranger().get(&page).await.expect(200).text();
    assert!(shown.contains("Trích đo địa chính") && shown.contains("1.200.000"), "{shown}");
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", total, &payment)).await.expect(200);
    let read = office.system(&world, "bill.read");
    let paid = read.get(&format!("/v1/bills/{}", bill["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&paid["status"], &paid["receipts"]["state"]), (&json!("paid"), &json!("issued")));
    let owed = ("fee_service".to_owned(), -1_200_000);
    assert!(world.balances().await.contains(&owed), "it is owed to the seller");
    let of_service = "receipt where amount >= 1200000";
    assert_eq!(world.count(of_service).await, 0, "the price of a service has no receipt");
    assert_eq!(world.count("receipt_due").await, 0);

    let path = format!("/v1/bills/{}/documents", bill["id"].as_str().unwrap());
    let found = read.get(&path).await.expect(200).json();
    let items = found["items"].as_array().unwrap();
    let sellers: Vec<&Value> = items.iter().filter(|item| item["document"] == "seller_invoice").collect();
    assert_eq!(sellers.len(), 1);
    assert_eq!((&sellers[0]["numbers"], &sellers[0]["invoice"]), (&json!([]), &invoice("00000123")));
    assert_eq!((&sellers[0]["payment"], &sellers[0]["lines"][0]["place"]), (&paid["payment"], &json!(3)));
    let sheets = world.stranger().get(&format!("{page}/documents")).await.expect(200).text();
    for part in ["Hóa đơn của bên bán", "00000123 · 1K26TAA", "không phải là biên lai", "1.200.000"]
    {
        assert!(sheets.contains(part), "{part} in {sheets}");
    }
}

#[tokio::test]
async fn what_is_no_invoice_or_not_here_is_refused() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let bill = |service: Value| {
        let mut bill = new_bill();
        bill["services"] = json!([service]);
        bill["collect"] = json!("together");
        bill
    };
    let mut wrong = service("0");
    let refused =
        system.post_once("/v1/bills", "a", &bill(wrong.clone())).await.expect_refusal(422, "invoice_unfit");
    assert_eq!(refused.json()["violations"][0]["field"], "/services/0/invoice/number");
    wrong = service("1");
    wrong["invoice"]["amount"]["amount"] = json!("0");
    system.post_once("/v1/bills", "b", &bill(wrong.clone())).await.expect_refusal(400, "invalid_body");
    wrong["account"]["holder"] = json!("");
    wrong["invoice"]["amount"]["amount"] = json!("1");
    system.post_once("/v1/bills", "c", &bill(wrong)).await.expect_refusal(400, "invalid_body");
    let many = json!({ "bills": [bill(service("2"))] });
    let told = system.post_once("/v1/bills/bulk", "d", &many).await.expect(200).json();
    assert_eq!((&told["refused"], &told["rows"][0]["code"]), (&json!(1), &json!("invalid_body")));
    let open = office.bill(&world, "open").await;
    let replace = format!("/v1/bills/{}/replace", open["id"].as_str().unwrap());
    system.post_once(&replace, "e", &bill(service("3"))).await.expect_refusal(400, "invalid_body");
    assert_eq!(world.count("seller_invoice").await, 0);
    // By owner the seller's part is a bill of its own, into the seller's account.
    let mut apart = bill(service("4"));
    apart["collect"] = json!("by_owner");
    let divided = system.post_once("/v1/bills", "f", &apart).await.expect(201).json();
    let parts = divided["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2);
    assert!(parts.iter().any(|part| part["total"]["amount"] == "1200000"));
    assert_eq!(world.count("seller_invoice").await, 1);
}

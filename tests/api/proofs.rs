//! The kind of each line decides which document proves it.

use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::reachable::{hold, let_go};
use crate::world::TestApp;
use chung::base::id::{Bill, Id};
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
    // Phí and lệ phí apart, each from a series of its own.
    let mut given: Vec<(Value, Value)> =
        receipts.iter().map(|item| (item["numbers"].clone(), item["amount"]["amount"].clone())).collect();
    given.sort_by_key(|(numbers, _)| numbers.to_string());
    assert_eq!(
        given,
        [
            (json!(["H29.14-AL26E-0000001"]), json!("50000")),
            (json!(["H29.14-AP26E-0000001"]), json!("100000")),
        ]
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

pub fn service(number: &str) -> Value {
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
    assert_eq!(line["invoice"], invoice("123"), "in one spelling");
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
    assert_eq!((&sellers[0]["numbers"], &sellers[0]["invoice"]), (&json!([]), &invoice("123")));
    assert_eq!((&sellers[0]["payment"], &sellers[0]["lines"][0]["place"]), (&paid["payment"], &json!(3)));
    let sheets = world.stranger().get(&format!("{page}/documents")).await.expect(200).text();
    for part in ["Hóa đơn của bên bán", "123 · 1K26TAA", "không phải là biên lai", "1.200.000"] {
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
    // In bulk a row is refused alone; in an amendment and in a replacement nothing is changed.
    let mut unfit = service("2");
    unfit["invoice"]["serial"] = json!("k");
    let many = json!({ "bills": [bill(unfit.clone())] });
    let told = system.post_once("/v1/bills/bulk", "d", &many).await.expect(200).json();
    assert_eq!((&told["refused"], &told["rows"][0]["code"]), (&json!(1), &json!("invoice_unfit")));
    let open = office.bill(&world, "open").await;
    let at = |act: &str| format!("/v1/bills/{}/{act}", open["id"].as_str().unwrap());
    system.post_once(&at("replace"), "e", &bill(unfit.clone())).await.expect_refusal(422, "invoice_unfit");
    let amended = json!({ "services": [unfit], "collect": "together" });
    system.post_once(&at("amend"), "e", &amended).await.expect_refusal(422, "invoice_unfit");
    let mixed = json!({ "services": [service("2")] });
    system.post_once(&at("amend"), "g", &mixed).await.expect_refusal(422, "several_owners");
    let many: Vec<Value> = (0..51).map(|n| service(&format!("{}", n + 100))).collect();
    let many = json!({ "services": many, "collect": "together" });
    system.post_once(&at("amend"), "h", &many).await.expect_refusal(400, "invalid_body");
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

/// A bill for one invoice, beside its fees.
fn charging(number: &str) -> Value {
    let mut bill = new_bill();
    bill["services"] = json!([service(number)]);
    bill["collect"] = json!("together");
    bill
}

#[tokio::test]
async fn prices_of_services_are_charged_in_bulk_each_row_on_its_own() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill bill.read");
    system.post_once("/v1/bills", "before", &charging("9")).await.expect(201);
    let mut apart = charging("3");
    apart["collect"] = json!("by_owner");
    let mut twice = charging("4");
    twice["services"] = json!([service("4"), service("4")]);
    let rows = [charging("2"), charging("2"), new_bill(), apart, twice, charging("9"), charging("5")];
    let many = json!({ "bills": rows });
    let told = system.post_once("/v1/bills/bulk", "many", &many).await.expect(200).json();
    let outcomes: Vec<&str> =
        told["rows"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["issued", "refused", "issued", "issued", "refused", "refused", "issued"]);
    for row in [1, 4, 5] {
        assert_eq!(told["rows"][row]["code"], "invoice_known", "{row}");
    }
    assert_eq!(told["rows"][3]["parts"].as_array().unwrap().len(), 2);
    assert_eq!(told["rows"][0]["total"]["amount"], "1405000");
    assert_eq!(world.count("seller_invoice_claim").await, 4);
    // Sent again, rows that were issued are told as they were.
    let again = system.post_once("/v1/bills/bulk", "many", &many).await.expect(200).json();
    assert_eq!((&again["existed"], &again["refused"]), (&json!(4), &json!(3)));
    assert_eq!(again["rows"][0]["bill"], told["rows"][0]["bill"]);
    let path = format!("/v1/bills/{}", told["rows"][6]["bill"].as_str().unwrap());
    let one = system.get(&path).await.expect(200).json();
    assert_eq!(one["lines"][2]["invoice"], invoice("5"));
    // Two at the same moment: one has it.
    let race = charging("6");
    let (a, b) = tokio::join!(
        system.post_once("/v1/bills", "race-a", &race),
        system.post_once("/v1/bills", "race-b", &race)
    );
    let mut status = [a.status, b.status];
    status.sort_unstable();
    assert_eq!(status, [201, 409]);
}

#[tokio::test]
async fn a_bill_that_is_withdrawn_while_it_is_amended_lets_go_of_what_it_charges_by_then() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let bill = system.post_once("/v1/bills", "one", &charging("20")).await.expect(201).json();
    let at = |act: &str| format!("/v1/bills/{}/{act}", bill["id"].as_str().unwrap());
    // Both wait for the bill, the amendment first.
    let holder = hold(&world, "select id from bill for no key update").await;
    let (amend, cancel, other) =
        (at("amend"), at("cancel"), json!({ "services": [service("21")], "collect": "together" }));
    let amend = system.post_once(&amend, "a", &other);
    let cancel = async {
        world.waiting(1).await;
        system.post_once(&cancel, "c", &Value::Null).await
    };
    let release = async {
        world.waiting(2).await;
        let_go(holder).await;
    };
    let (amended, cancelled, ()) = tokio::join!(amend, cancel, release);
    amended.expect(200);
    let cancelled = cancelled.expect(200).json();
    assert_eq!((&cancelled["version"], &cancelled["lines"][2]["invoice"]), (&json!(2), &invoice("21")));
    assert_eq!(world.count("seller_invoice_claim").await, 0);
    system.post_once("/v1/bills", "two", &charging("21")).await.expect(201);
}

#[tokio::test]
async fn what_a_part_charges_stays_taken_by_its_whole() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill");
    let at = |bill: &Value, act: &str| format!("/v1/bills/{}/{act}", bill["id"].as_str().unwrap());
    let mut apart = charging("30");
    apart["collect"] = json!("by_owner");
    let whole = system.post_once("/v1/bills", "one", &apart).await.expect(201).json();
    let part = whole["parts"].as_array().unwrap().iter().find(|part| part["total"]["amount"] == "1200000");
    let part = part.unwrap();
    system.post_once(&at(part, "cancel"), "a", &Value::Null).await.expect(200);
    let other = system.post_once("/v1/bills", "two", &charging("30")).await.expect(201).json();
    let due = json!({ "due": "2026-12-01" });
    system.post_once(&at(part, "revive"), "b", &due).await.expect_refusal(409, "invoice_known");
    system.post_once(&at(&other, "cancel"), "c", &Value::Null).await.expect(200);
    system.post_once(&at(part, "revive"), "d", &due).await.expect(200);
    let id: Id<Bill> = whole["id"].as_str().unwrap().parse().unwrap();
    let taken = format!("seller_invoice_claim where bill_id = '{}'", id.uuid());
    assert_eq!(world.count(&taken).await, 1);
    // Charged anew the whole lets go of it.
    system.post_once(&at(&whole, "amend"), "e", &json!({ "services": [] })).await.expect(200);
    assert_eq!(world.count("seller_invoice_claim").await, 0);
}

#[tokio::test]
async fn a_bill_that_is_changed_lets_go_of_its_invoices_and_takes_others() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "bill bill.read");
    let at = |bill: &Value, act: &str| format!("/v1/bills/{}/{act}", bill["id"].as_str().unwrap());
    let bill = system.post_once("/v1/bills", "one", &charging("10")).await.expect(201).json();
    system.post_once("/v1/bills", "b", &charging("10")).await.expect_refusal(409, "invoice_known");

    let other = json!({ "services": [service("11")], "collect": "together" });
    let amended = system.post_once(&at(&bill, "amend"), "c", &other).await.expect(200).json();
    assert_eq!((&amended["version"], &amended["total"]["amount"]), (&json!(2), &json!("1405000")));
    assert_eq!(
        (&amended["lines"][0]["fee"], &amended["lines"][2]["invoice"]),
        (&json!("LLTP-01"), &invoice("11"))
    );
    let freed = system.post_once("/v1/bills", "d", &charging("10")).await.expect(201).json();
    // Fees alone leave the prices of services as they stand.
    let fees = json!({ "lines": [{ "fee": "LLTP-01" }] });
    let amended = system.post_once(&at(&bill, "amend"), "e", &fees).await.expect(200).json();
    assert_eq!(amended["lines"].as_array().unwrap().len(), 2);
    assert_eq!(amended["lines"][1]["invoice"], invoice("11"));
    system.post_once("/v1/bills", "f", &charging("11")).await.expect_refusal(409, "invoice_known");
    let taken = json!({ "services": [service("10")], "collect": "together" });
    system.post_once(&at(&bill, "amend"), "g", &taken).await.expect_refusal(409, "invoice_known");
    let documents = system.get(&at(&freed, "documents")).await.expect(200).json();
    assert_eq!(documents["items"], json!([]), "what a line charges does not stand beside the bill");

    // Another bill in its place may charge the same, and more; what is asked for no more is free.
    let mut both = charging("11");
    both["services"] = json!([service("11"), service("12")]);
    let new = system.post_once(&at(&bill, "replace"), "h", &both).await.expect(201).json();
    assert_eq!(new["total"]["amount"], "2605000");
    system.post_once(&at(&bill, "replace"), "i", &both).await.expect_refusal(409, "bill_superseded");
    let none = json!({ "services": [] });
    let bare = system.post_once(&at(&freed, "amend"), "j", &none).await.expect(200).json();
    assert_eq!(bare["total"]["amount"], "205000");
    let mut apart = charging("10");
    apart["collect"] = json!("by_owner");
    let divided = system.post_once(&at(&freed, "replace"), "k", &apart).await.expect(201).json();
    assert_eq!(divided["parts"].as_array().unwrap().len(), 2);

    // Withdrawn it lets go of all; opened again it needs them.
    system.post_once(&at(&new, "cancel"), "l", &Value::Null).await.expect(200);
    let last = system.post_once("/v1/bills", "m", &charging("12")).await.expect(201).json();
    let due = json!({ "due": "2026-12-01" });
    system.post_once(&at(&new, "revive"), "n", &due).await.expect_refusal(409, "invoice_known");
    system.post_once(&at(&last, "cancel"), "o", &Value::Null).await.expect(200);
    let revived = system.post_once(&at(&new, "revive"), "p", &due).await.expect(200).json();
    assert_eq!(revived["total"]["amount"], "2605000");
    system.post_once("/v1/bills", "q", &charging("12")).await.expect_refusal(409, "invoice_known");

    // Instalments share what their whole charges: withdrawing one frees nothing.
    let plan =
        json!({ "by": "instalments", "instalments": [{ "due": "2026-12-01" }, { "due": "2027-01-01" }] });
    let parts = system.post_once(&at(&new, "split"), "r", &plan).await.expect(201).json();
    let first = &parts["items"][0];
    system.post_once(&at(first, "cancel"), "s", &Value::Null).await.expect(200);
    system.post_once("/v1/bills", "t", &charging("12")).await.expect_refusal(409, "invoice_known");
    system.post_once(&at(first, "revive"), "u", &due).await.expect(200);
    // A part that is paid says so before it says that it is a part.
    let payment = start(&world, &office, first).await;
    let total: i64 = first["total"]["amount"].as_str().unwrap().parse().unwrap();
    world.tell(&world.credit(1, "R1", total, &payment)).await.expect(200);
    system.post_once(&at(first, "replace"), "v", &new_bill()).await.expect_refusal(409, "bill_already_paid");
    // Whoever began to pay by instalments goes on so, even where the whole were open again.
    let id = new["id"].as_str().unwrap().trim_start_matches("bill_");
    world.sql(&format!("update bill set state = 'open', ended_at = null where id = '{id}'")).await.unwrap();
    system.post_once(&at(&new, "cancel"), "w", &Value::Null).await.expect_refusal(409, "other_way_chosen");
}

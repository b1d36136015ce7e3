//! What proves a dossier where no receipt can: a notice that nothing is owed, and the seller's own invoice.

use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::world::TestApp;
use chung::crypto::{jwt, signing::KeyList};
use chung::flow::notify_exemption::TYP;
use serde_json::{Value, json};

/// A dossier of somebody whom the law exempts wholly.
async fn exempt(world: &TestApp, office: &Office) -> Value {
    world
        .register(&["079185000001,,Nguyễn Thị Hòa,1985-03-15,female,0901234567,79,active,,2,poor_household"])
        .await;
    let question = json!({
        "number": "079185000001", "attributes": { "name": "Nguyễn Thị Hòa" }, "purpose": "Tính phí",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
    });
    let system = office.system(world, "verification");
    let known = system.post_once("/v1/verifications", "q", &question).await.expect(201).json();
    let mut dossier = new_bill();
    dossier["applicant"]["verification"] = known["id"].clone();
    dossier.as_object_mut().unwrap().remove("due");
    dossier
}

#[tokio::test]
async fn a_dossier_of_nothing_has_a_notice_without_a_number_and_without_a_bill() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let dossier = exempt(&world, &office).await;
    let system = office.system(&world, "bill");
    let notice = system.post_once("/v1/exemptions", "k", &dossier).await.expect(201).json();
    assert_eq!(system.post_once("/v1/exemptions", "k", &dossier).await.expect(201).json(), notice);
    assert_eq!(world.count("exemption_notice").await, 1);
    assert_eq!(notice["forgone"], json!({ "amount": "205000", "currency": "VND" }));
    assert_eq!((world.count("bill").await, world.count("receipt").await), (0, 0));
    for table in ["exemption_notice", "idempotency_key", "audit_leaf"] {
        assert!(!world.dump(table).await.contains("Hòa"), "{table} names nobody in the clear");
    }

    let path = format!("/v1/exemptions/{}", notice["id"].as_str().unwrap());
    let read = office.system(&world, "bill.read").get(&path).await.expect(200).json();
    let keys = KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    let signed: Value = jwt::verify(read["signed"].as_str().unwrap(), TYP, &keys).unwrap();
    assert_eq!(signed["applicant"], "Nguyễn Thị Hòa");
    assert!(signed["lines"].as_array().unwrap().iter().all(|line| line["amount"]["amount"] == "0"));
    assert!(signed.get("number").is_none(), "no money moved, so nothing is numbered");

    let page = notice["page"].as_str().unwrap().strip_prefix(world.app.origin.as_str()).unwrap().to_owned();
    let shown = world.stranger().get(&page).await.expect(200).text();
    for part in ["Thông báo miễn phí, lệ phí", "Nguyễn Thị Hòa", "H29.14-261124-0001", "→ 0"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let guessed = page.split_once("code=").unwrap().0.to_owned() + "code=AAAA-AAAA-AAAA-AAAA";
    world.stranger().get(&guessed).await.expect(404);
    world.stranger().get("/exemptions/nothing").await.expect(404);
    let other = Office::open(&world, "H29.15").await;
    other.system(&world, "bill.read").get(&path).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn whoever_owes_something_gets_no_notice() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let mut dossier = new_bill();
    dossier.as_object_mut().unwrap().remove("due");
    let system = office.system(&world, "bill");
    system.post_once("/v1/exemptions", "k", &dossier).await.expect_refusal(422, "something_owed");
    dossier["lines"] = json!([{ "fee": "NOTHING-1" }]);
    system.post_once("/v1/exemptions", "k", &dossier).await.expect_refusal(422, "unknown_fee");
    assert_eq!(world.count("exemption_notice").await, 0);
}

#[tokio::test]
async fn a_service_price_is_a_reference_to_the_sellers_invoice_and_never_a_receipt() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let invoice = json!({
        "number": "00000123", "serial": "1K26TAA", "date": "2026-11-24", "seller_tax_code": "0101243150-001",
        "name": { "vi": "Trích đo địa chính", "en": "Cadastral survey" },
        "amount": { "amount": "1200000", "currency": "VND" },
    });
    let system = office.system(&world, "bill");
    let invoices = format!("{path}/invoices");
    let noted = system.post_once(&invoices, "i", &invoice).await.expect(201).json();
    assert_eq!(system.post_once(&invoices, "i", &invoice).await.expect(201).json(), noted);
    system.post_once(&invoices, "j", &invoice).await.expect_refusal(409, "invoice_known");
    for (field, value) in [("number", "123"), ("seller_tax_code", "0101243150001")] {
        let mut other = invoice.clone();
        other[field] = json!(value);
        system.post_once(&invoices, value, &other).await.expect_refusal(409, "invoice_known");
    }
    for (field, value) in
        [("number", "0"), ("serial", "AA/26"), ("seller_tax_code", "123"), ("date", "2026-11-25")]
    {
        let mut unfit = invoice.clone();
        unfit[field] = json!(value);
        let refused =
            system.post_once(&invoices, field, &unfit).await.expect_refusal(422, "invoice_unfit").json();
        assert_eq!(refused["violations"][0]["field"], format!("/{field}"));
    }
    let reading = office.system(&world, "bill.read");
    let documents = format!("{path}/documents");
    let before = reading.get(&documents).await.expect(200).json();
    assert_eq!(before["items"].as_array().unwrap().len(), 1, "its proof does not wait for the bill");
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    let after = reading.get(&documents).await.expect(200).json();
    let items = after["items"].as_array().unwrap();
    let of_seller: Vec<_> = items.iter().filter(|item| item["document"] == "seller_invoice").collect();
    assert_eq!(of_seller.len(), 1);
    assert_eq!(
        (&of_seller[0]["invoice"]["seller_tax_code"], &of_seller[0]["numbers"], &of_seller[0]["payment"]),
        (&json!("0101243150-001"), &json!([]), &Value::Null)
    );
    let dump = world.dump("receipt").await;
    assert!(!dump.contains("1200000") && !dump.contains("1K26TAA"), "a price has no receipt: {dump}");
    let other = Office::open(&world, "H29.15").await;
    let mut theirs = invoice.clone();
    theirs["number"] = json!("7");
    other.system(&world, "bill").post_once(&invoices, "x", &theirs).await.expect_refusal(404, "not_found");
}

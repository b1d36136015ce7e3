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

//! Taxes that were collected with fees go on to the authority that collects them, under the codes of their notices.

use crate::board::{ACCOUNTANT, at_board};
use crate::central_bank::notification;
use crate::office::ACCOUNT;
use crate::payouts::{Scene, new_bill, rule};
use chung::base::{calendar::Day, clock::Clock, money::Money};
use chung::flow::pass_on::pass_on;
use serde_json::{Value, json};

/// A tax authority's notice that is paid with the fees.
fn notice(number: &str, chapter: &str, amount: i64) -> Value {
    json!({
        "notice": number, "chapter": chapter, "sub_item": "2802", "area": "79760",
        "name": { "vi": "Lệ phí trước bạ nhà đất", "en": "Registration tax on land" },
        "legal_basis": "Nghị định 10/2022/NĐ-CP", "amount": { "amount": amount.to_string(), "currency": "VND" },
        "account": { "bank": "970405", "number": "71111054321", "holder": "CHI CUC THUE KHU VUC II" },
    })
}

#[tokio::test]
async fn a_tax_goes_to_the_authority_that_collects_it_under_the_codes_of_its_notice() {
    let mut scene = Scene::set().await;
    let mut with_taxes = new_bill();
    with_taxes["obligations"] =
        json!([notice("0012345678901234", "757", 5_000_000), notice("0012345678905678", "754", 2_000_000)]);
    with_taxes["collect"] = json!("together");
    let system = scene.office.system(&scene.world, "bill");
    scene.bill = system.post_once("/v1/bills", "with", &with_taxes).await.expect(201).json();
    // Money for the budget is never sent without the authority that it is for.
    let day = Day::of(scene.world.clock.now()).to_string();
    let mut bare = rule("tax", "71111054321", &day);
    bare.as_object_mut().unwrap().remove("authority");
    scene.say("bare", &bare).await.expect_refusal(422, "payout_rule_incomplete");
    scene.rules(&[("tax", "71111054321")]).await;
    scene.pay_and_match().await;
    pass_on(&scene.world.app).await.unwrap();
    pass_on(&scene.world.app).await.unwrap();
    assert_eq!(scene.orders().len(), 1, "once");
    let sent = scene.orders().into_iter().find(|o| o.creditor_account.as_str() == "71111054321").unwrap();
    assert_eq!((sent.amount, sent.debtor_account.as_str()), (Money::vnd(7_000_000), ACCOUNT));

    let order = scene.listed("?status=sent").await.into_iter().find(|one| one["kind"] == "tax").unwrap();
    let slip = &order["slip"];
    assert_eq!(
        (&slip["form"], &slip["total_in_words"], &slip["treasury_office"]),
        (&json!("02"), &json!("Bảy triệu đồng"), &json!("0061"))
    );
    assert_eq!(
        slip["authority"],
        json!({ "code": "1056789", "name": "Thuế Thành phố Hồ Chí Minh" }),
        "the authority that collects it"
    );
    let path = format!("/v1/payouts/{}", order["id"].as_str().unwrap());
    let system = scene.office.system(&scene.world, "statement.read");
    let whole = system.get(&path).await.expect(200).json();
    let lines: Vec<[&Value; 6]> = whole["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| ["notice", "chapter", "sub_item", "area", "content", "dossier"].map(|field| &line[field]))
        .collect();
    let line = |number: &'static str, chapter: &'static str| {
        [number, chapter, "2802", "79760", "Lệ phí trước bạ nhà đất", "H29.14-261124-0007"].map(Value::from)
    };
    let (one, two) = (line("0012345678901234", "757"), line("0012345678905678", "754"));
    assert_eq!(lines, [one.each_ref(), two.each_ref()], "{whole}");
    let page = at_board(&scene.world, ACCOUNTANT).await;
    let page =
        page.get(&format!("/board/payouts/{}", order["id"].as_str().unwrap())).await.expect(200).text();
    for shown in ["Mẫu số 02", "0012345678905678", "2802", "79760", "754", "1056789", "Bảy triệu đồng"]
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // It is over when the money was seen to leave, and once.
    let debit = scene.debit("D1", &sent);
    for message in [7, 8] {
        let xml = notification(message, ACCOUNT, vec![debit.clone()], scene.world.clock.now());
        scene.world.tell(&xml).await.expect(200);
    }
    assert_eq!(system.get(&path).await.expect(200).json()["status"], "done");
    assert_eq!((scene.balance("fee_tax").await, scene.balance("clearing").await), (0, 150_000));
}

//! Money at a desk on its way to the statement: transfers as a part of a payment, one slip for many shifts, card slips
//! until the card company pays, and what a desk owes another agency.

use crate::board::signed_in;
use crate::central_bank::{entry, notification};
use crate::desk::{ACCOUNTANT, APPROVER, CASHIER, Scene, reference};
use crate::office::{ACCOUNT, Office, new_bill};
use crate::reachable::{hold, let_go};
use crate::receipt_paper::text_of;
use crate::world::{Actor, Answer};
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{Agency, Bill, Case, Citizen, Id},
    text::Line,
};
use chung::codec::iso20022::Direction;
use chung::flow::{
    cash::warn_kept_cash,
    pass_on::pass_on,
    reconcile_statement::match_statement,
    roles::{Granting, grant_role},
    succeed_agency::effect_successions,
    verify_books::verify_books,
};
use chung::identity::role::Role;
use chung::payment::refund::Answer::Refused;
use chung::store::account::account_of_number;
use chung::store::succession;
use serde_json::{Value, json};
use std::time::Duration;

/// Money that arrives in an account with a text of its own.
pub async fn arrives(scene: &Scene, message: u128, account: &str, dong: i64, text: &str) {
    let mut entry = entry(&format!("R{message}"), dong, None, scene.world.clock.now());
    entry.end_to_end = Some(Line::parse("NOTPROVIDED").unwrap());
    entry.remittance = vec![Line::parse(text).unwrap()];
    let told = notification(message, account, vec![entry], scene.world.clock.now());
    scene.world.tell(&told).await.expect(200);
}

/// An officer at the page of cash.
pub struct AtCash {
    actor: Actor,
    token: String,
}

impl AtCash {
    pub async fn open(scene: &Scene, who: (&str, &str)) -> Self {
        let actor = signed_in(&scene.world, who, "/board/cash").await;
        let token = actor.get("/board/cash").await.expect(200).form_field("form_token");
        Self { actor, token }
    }

    pub async fn send(&self, fields: &[(&str, &str)]) -> Answer {
        let mut form = vec![("form_token", self.token.as_str())];
        form.extend_from_slice(fields);
        self.actor.post_form("/board/cash", &form).await
    }
}

/// The case of money that waits, by its amount.
pub async fn case_of(scene: &Scene, dong: i64) -> String {
    let found = sqlx::query_scalar::<_, uuid::Uuid>("select id from suspense where amount = $1")
        .bind(dong)
        .fetch_one(&mut scene.world.connection().await)
        .await
        .unwrap();
    Id::<Case>::from_uuid(found).to_string()
}

async fn cash(scene: &Scene, office: &Office) -> Value {
    office.system(&scene.world, "ledger.read").get("/v1/ledger/cash").await.expect(200).json()
}

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_transfer_with_too_little_is_made_up_for_at_the_desk() {
    let scene = Scene::set().await;
    let (bill, other) =
        (scene.office.bill(&scene.world, "k1").await, scene.office.bill(&scene.world, "k2").await);
    arrives(&scene, 1, ACCOUNT, 100_000, reference(&bill)).await;
    assert_eq!((scene.status(&bill).await, scene.balance("suspense").await), ("open".to_owned(), -100_000));
    let case = case_of(&scene, 100_000).await;
    let page =
        scene.cashier.get(&format!("/desk/bill?reference={}", reference(&bill))).await.expect(200).text();
    assert!(page.contains("Đã chuyển khoản một phần") && page.contains(&case), "{page}");
    let pay = |bill, cash, card| {
        [
            ("reference", reference(bill)),
            ("cash", cash),
            ("card", card),
            ("slip", "T-1"),
            ("transfer", case.as_str()),
        ]
    };
    scene.send("/desk/bill", &pay(&other, "5000", "100000")).await.expect(422);
    scene.send("/desk/bill", &pay(&bill, "5000", "99999")).await.expect(422);
    scene.send("/desk/bill", &pay(&bill, "205000", "0")).await.expect(422);
    scene.send("/desk/bill", &pay(&bill, "5000", "100000")).await.expect(303);
    scene.send("/desk/bill", &pay(&bill, "5000", "100000")).await.expect(409);
    scene.send("/desk/bill", &pay(&other, "105000", "0")).await.expect(422);
    let balances = [
        scene.balance("suspense").await,
        scene.balance("clearing").await,
        scene.balance("cash_drawer").await,
        scene.balance("card_receivable").await,
    ];
    assert_eq!(balances, [0, 100_000, 505_000, 100_000]);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
    let path = format!("/v1/payments?bill={}", id(&bill));
    let payment = scene.office.system(&scene.world, "payment.read").get(&path).await.expect(200).json();
    assert_eq!(payment["items"][0]["bank"], "CASH+CARD+TRANSFER");
    assert!(scene.desk().await.contains("100.000"));
    // Nothing else lets the money go.
    arrives(&scene, 2, ACCOUNT, 100_000, reference(&other)).await;
    let free = "update suspense set state = 'released' where state = 'held'";
    assert!(scene.world.sql(free).await.unwrap_err().contains("by a decision only"));
}

/// Closes the shift with that count and opens the next one.
async fn next_shift(scene: &Scene, counted: &str) {
    let agency = scene.office.agency.to_string();
    scene.send("/desk/close", &[("counted", counted)]).await.expect(200);
    let form = [("agency", agency.as_str()), ("till", "Quầy 1"), ("counted", counted)];
    scene.send("/desk/open", &form).await.expect(303);
}

#[tokio::test]
async fn one_slip_of_many_shifts_is_one_line_of_the_statement() {
    let scene = Scene::set().await;
    for (key, counted) in [("k1", "500000"), ("k2", "500000")] {
        let bill = scene.office.bill(&scene.world, key).await;
        scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
        scene.send("/desk/deposits", &[("amount", "205000"), ("slip", "NT-1")]).await.expect(303);
        scene.send("/desk/deposits", &[("amount", "1"), ("slip", "NT-1")]).await.expect(409);
        next_shift(&scene, counted).await;
    }
    let seen = cash(&scene, &scene.office).await;
    assert_eq!(
        (&seen["slips"][0]["amount"]["amount"], &seen["slips"][0]["shifts"], &seen["slips"][0]["case"]),
        (&json!("410000"), &json!(2), &Value::Null)
    );
    arrives(&scene, 1, ACCOUNT, 409_000, "NOP TIEN").await;
    arrives(&scene, 2, ACCOUNT, 410_000, "NOP TIEN NT-1").await;
    let (wrong, right) = (case_of(&scene, 409_000).await, case_of(&scene, 410_000).await);
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let slip = |case| [("act", "slip"), ("slip", "NT-1"), ("case", case)];
    accountant.send(&slip(&wrong)).await.expect(422);
    accountant.send(&[("act", "slip"), ("slip", "NT-2"), ("case", &right)]).await.expect(409);
    let approver = signed_in(&scene.world, APPROVER, "/board").await;
    approver.get("/board/cash").await.expect(403);
    accountant.send(&slip(&right)).await.expect(303);
    accountant.send(&slip(&wrong)).await.expect(409);
    assert_eq!((scene.balance("cash_in_transit").await, scene.balance("suspense").await), (0, -409_000));
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
    // A slip that was found is closed.
    scene.send("/desk/deposits", &[("amount", "1"), ("slip", "NT-1")]).await.expect(409);
    assert_eq!(cash(&scene, &scene.office).await["slips"][0]["case"], json!(right));
}

#[tokio::test]
async fn a_till_goes_on_when_its_agency_becomes_another() {
    let scene = Scene::set().await;
    let heir = Office::open(&scene.world, "H29.15").await;
    heir.bill(&scene.world, "opens-its-account").await;
    let bill = scene.office.bill(&scene.world, "k1").await;
    let paid = [("reference", reference(&bill)), ("cash", "105000"), ("card", "100000"), ("slip", "T-1")];
    scene.send("/desk/bill", &paid).await.expect(303);
    scene.send("/desk/deposits", &[("amount", "100000"), ("slip", "NT-1")]).await.expect(303);
    merge(&scene, scene.office.agency, heir.agency).await;

    // The cash in the till, the cash on its way and the card slip are the successor's; the shift goes on.
    let seen = cash(&scene, &heir).await;
    let (till, slip, card) = (&seen["tills"][0], &seen["slips"][0], &seen["cards"][0]);
    assert_eq!((&till["name"], &till["expected"]["amount"]), (&json!("Quầy 1"), &json!("505000")));
    assert_eq!((&slip["slip"], &card["slip"]), (&json!("NT-1"), &json!("T-1")));
    let kinds = ["cash_drawer", "cash_in_transit", "card_receivable", "cash_difference"];
    let mut held = Vec::new();
    for kind in kinds {
        held.push(scene.balance(kind).await);
    }
    assert_eq!(held, [505_000, 100_000, 100_000, -500_000]);
    scene.send("/desk/close", &[("counted", "505000")]).await.expect(200);
    let agency = heir.agency.to_string();
    let form = [("agency", agency.as_str()), ("till", "Quầy 1"), ("counted", "505000")];
    scene.send("/desk/open", &form).await.expect(303);
    assert_eq!(scene.balance("cash_difference").await, -500_000, "nothing was found or missed");
    arrives(&scene, 1, ACCOUNT, 100_000, "NOP TIEN NT-1").await;
    let case = case_of(&scene, 100_000).await;
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    accountant.send(&[("act", "slip"), ("slip", "NT-1"), ("case", &case)]).await.expect(303);
    assert_eq!((scene.balance("cash_in_transit").await, scene.balance("suspense").await), (0, 0));
}

pub async fn merge(scene: &Scene, agency: Id<Agency>, heir: Id<Agency>) {
    let (now, successors) = (scene.world.clock.now(), vec![(heir, vec![])]);
    let one = succession::Succession { agency, kind: "merge".to_owned(), from: Day::of(now), successors };
    let mut tx = scene.world.app.store.begin().await.unwrap();
    succession::insert(&mut tx, &one, Id::from_uuid(uuid::Uuid::from_u128(9)), now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(effect_successions(&scene.world.app).await.unwrap());
}

#[tokio::test]
async fn what_a_desk_owes_another_agency_it_owes_that_agencys_successor() {
    let scene = Scene::set().await;
    let (other, heir) =
        (Office::open(&scene.world, "H29.150").await, Office::open(&scene.world, "H29.151").await);
    heir.bill(&scene.world, "opens-its-account").await;
    let mut theirs = new_bill();
    theirs["dossier"] = json!("H29.150-261124-0001");
    let system = other.system(&scene.world, "bill");
    let bill = system.post_once("/v1/bills", "k", &theirs).await.expect(201).json();
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    let carry = |amount, slip, to| [("amount", amount), ("slip", slip), ("to", to)];
    let (old, new) = (other.agency.to_string(), heir.agency.to_string());
    scene.send("/desk/deposits", &carry("5000", "NT-1", &old)).await.expect(303);
    merge(&scene, other.agency, heir.agency).await;

    // The debt is the successor's, in the books of both, and on the pages.
    let of = |office: Id<Agency>, kind: &'static str| {
        let sql = format!("(select coalesce(sum(p.amount), 0)::bigint from posting p join ledger_account a on a.id = p.account_id
            where a.kind = '{kind}' and '{}' in (a.agency_id, a.counterpart_id))", office.uuid());
        let world = &scene.world;
        async move { world.dump(&sql).await }
    };
    for (office, kind, sum) in [
        (other.agency, "desk_owes", "(0)"),
        (other.agency, "owed_by_desk", "(0)"),
        (heir.agency, "desk_owes", "(-200000)"),
        (heir.agency, "owed_by_desk", "(200000)"),
    ] {
        assert_eq!(of(office, kind).await, sum, "{office} {kind}");
    }
    let till = cash(&scene, &scene.office).await["tills"][0].clone();
    assert_eq!(till["owes"], json!([{ "to": new, "amount": { "amount": "200000", "currency": "VND" } }]));
    // Nothing is carried any more to whoever is no more, nor more than is owed.
    scene.send("/desk/deposits", &carry("200000", "NT-2", &old)).await.expect(404);
    scene.send("/desk/deposits", &carry("200001", "NT-2", &new)).await.expect(422);
    scene.send("/desk/deposits", &carry("200000", "NT-2", &new)).await.expect(303);
    assert_eq!((scene.balance("desk_owes").await, scene.balance("owed_by_desk").await), (0, 0));
    assert_eq!(cash(&scene, &scene.office).await["tills"][0]["owes"], json!([]));
    for change in ["update desk_collection set amount = 1", "delete from desk_collection"] {
        assert!(scene.world.sql(change).await.is_err(), "{change}");
    }
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn a_desk_owes_nothing_any_more_to_an_agency_that_became_its_own() {
    let scene = Scene::set().await;
    let other = Office::open(&scene.world, "H29.150").await;
    scene.office.bill(&scene.world, "opens-its-account").await;
    let mut theirs = new_bill();
    theirs["dossier"] = json!("H29.150-261124-0001");
    let system = other.system(&scene.world, "bill");
    let bill = system.post_once("/v1/bills", "k", &theirs).await.expect(201).json();
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    merge(&scene, other.agency, scene.office.agency).await;
    assert_eq!((scene.balance("desk_owes").await, scene.balance("owed_by_desk").await), (0, 0));
    assert_eq!(cash(&scene, &scene.office).await["tills"][0]["owes"], json!([]));
    // It is cash of the till like any other.
    scene.send("/desk/deposits", &[("amount", "205000"), ("slip", "NT-1")]).await.expect(303);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn cash_that_is_kept_is_told_once_a_day_and_a_small_deposit_silences_nobody() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    scene.send("/desk/deposits", &[("amount", "1000"), ("slip", "NT-1")]).await.expect(303);
    assert_eq!(warn_kept_cash(&scene.world.app).await.unwrap(), 0);
    scene.world.later(Duration::from_secs(2 * 86_400));
    assert_eq!(warn_kept_cash(&scene.world.app).await.unwrap(), 1);
    assert_eq!(warn_kept_cash(&scene.world.app).await.unwrap(), 0);
    let events = scene.office.system(&scene.world, "event.read").get("/v1/events").await.expect(200).json();
    let kept = events["items"].as_array().unwrap().iter().find(|e| e["type"] == "cash.kept").unwrap();
    assert_eq!(kept["data"]["tills"], json!(["Quầy 1"]));
    assert_eq!(cash(&scene, &scene.office).await["tills"][0]["late"], true);
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let page = accountant.actor.get("/board/cash").await.expect(200).text();
    assert!(page.contains("quá hạn nộp"), "{page}");
}

#[tokio::test]
async fn a_card_company_pays_many_slips_by_one_credit_and_its_discount_is_a_line_of_its_own() {
    let scene = Scene::set().await;
    for (key, slip) in [("k1", "T-1"), ("k2", "T-2"), ("k3", "T-3")] {
        let bill = scene.office.bill(&scene.world, key).await;
        let form = [("reference", reference(&bill)), ("cash", ""), ("card", "205000"), ("slip", slip)];
        scene.send("/desk/bill", &form).await.expect(303);
        scene.world.later(Duration::from_secs(1));
    }
    assert_eq!(scene.balance("card_receivable").await, 615_000);
    let open = cash(&scene, &scene.office).await["cards"].as_array().unwrap().clone();
    let payments: Vec<&str> = open.iter().map(|slip| slip["payment"].as_str().unwrap()).collect();
    arrives(&scene, 1, ACCOUNT, 405_900, "THANH TOAN THE").await;
    arrives(&scene, 2, ACCOUNT, 180_000, "THANH TOAN THE").await;
    let (two, little) = (case_of(&scene, 405_900).await, case_of(&scene, 180_000).await);
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let settle = |case, slips: &[&'static str]| {
        let mut form = vec![("act", "cards"), ("case", case)];
        form.extend(slips.iter().map(|slip| ("payment", *slip)));
        form
    };
    let leaked: Vec<&'static str> =
        payments.iter().map(|p| &*Box::leak(p.to_string().into_boxed_str())).collect();
    accountant.send(&settle(two.as_str(), &[])).await.expect(409);
    accountant.send(&settle(two.as_str(), &leaked[..1])).await.expect(422);
    accountant.send(&settle(two.as_str(), &leaked)).await.expect(422);
    accountant.send(&settle(two.as_str(), &leaked[..2])).await.expect(303);
    accountant.send(&settle(two.as_str(), &leaked[2..])).await.expect(409);
    accountant.send(&settle(little.as_str(), &leaked[1..2])).await.expect(409);
    accountant.send(&settle(little.as_str(), &leaked[2..])).await.expect(422);
    let balances = [
        scene.balance("card_receivable").await,
        scene.balance("card_discount").await,
        scene.balance("suspense").await,
        scene.balance("clearing").await,
    ];
    assert_eq!(balances, [205_000, 4_100, -180_000, 585_900]);
    let seen = cash(&scene, &scene.office).await;
    assert_eq!(
        (&seen["settlements"][0]["discount"]["amount"], &seen["settlements"][0]["slips"]),
        (&json!("4100"), &json!(2))
    );
    assert_eq!(seen["cards"].as_array().unwrap().len(), 1);
    let page = accountant.actor.get("/board/cash").await.expect(200).text();
    assert!(page.contains("4.100") && page.contains(">T-3<") && !page.contains(">T-1<"), "{page}");

    // The line of the statement leads to what each slip paid, and the receipts lead back to it.
    let now = scene.world.clock.now();
    let came = [("R1", 405_900), ("R2", 180_000)].map(|(name, dong)| entry(name, dong, None, now));
    scene.world.bank.movements.lock().unwrap().extend(came);
    scene.world.later(Duration::from_secs(86_400));
    let system = scene.office.system(&scene.world, "statement statement.read receipt.read");
    let asked = json!({ "account": ACCOUNT, "day": "2026-11-24" });
    let statement = system.post_once("/v1/statements", "s", &asked).await.expect(200).json();
    let lines = format!("/v1/statements/{}/lines", statement["id"].as_str().unwrap());
    let lines = system.get(&lines).await.expect(200).json();
    let line = lines["items"].as_array().unwrap().iter().find(|line| line["reference"] == "R1").unwrap();
    let behind = line["behind"]["items"].as_array().unwrap();
    let mut paid: Vec<&str> = behind.iter().map(|one| one["payment"].as_str().unwrap()).collect();
    let mut slips = payments[..2].to_vec();
    paid.sort_unstable();
    slips.sort_unstable();
    assert_eq!((paid, &behind[0]["why"]), (slips, &json!("card")));
    let receipt = behind[0]["receipts"][0]["receipt"].as_str().unwrap();
    let back = system.get(&format!("/v1/receipts/{receipt}/trace")).await.expect(200).json();
    assert_eq!(back["shown"]["line"], line["line"], "{back}");
}

#[tokio::test]
async fn what_exactly_one_thing_fits_is_proposed_and_confirmed_by_one_button() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k0").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    scene.send("/desk/deposits", &[("amount", "205000"), ("slip", "NT-7")]).await.expect(303);
    for (key, slip) in [("k1", "T-1"), ("k2", "T-2")] {
        let bill = scene.office.bill(&scene.world, key).await;
        let form = [("reference", reference(&bill)), ("cash", ""), ("card", "205000"), ("slip", slip)];
        scene.send("/desk/bill", &form).await.expect(303);
    }
    assert_eq!(cash(&scene, &scene.office).await["proposals"], json!([]));
    arrives(&scene, 1, ACCOUNT, 205_000, "NOP TIEN NT-7").await;
    arrives(&scene, 2, ACCOUNT, 405_900, "THANH TOAN THE").await;
    arrives(&scene, 3, ACCOUNT, 333_000, "KHAC").await;
    let seen = cash(&scene, &scene.office).await;
    let proposals = seen["proposals"].as_array().unwrap();
    assert_eq!(proposals.len(), 2);
    let (slip, cards) = (case_of(&scene, 205_000).await, case_of(&scene, 405_900).await);
    let of = |case: &str| proposals.iter().find(|one| one["case"] == case).unwrap();
    assert_eq!((&of(&slip)["slip"], &of(&slip)["payments"]), (&json!("NT-7"), &json!([])));
    assert_eq!(of(&cards)["payments"].as_array().unwrap().len(), 2);
    assert_eq!(of(&cards)["discount"]["amount"], "4100");
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let page = accountant.actor.get("/board/cash").await.expect(200).text();
    for shown in ["Giấy nộp tiền NT-7", "2 hóa đơn thẻ của một ngày, chiết khấu 4.100", "Xác nhận đề xuất"]
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    // The buttons send what the page proposes.
    accountant.send(&[("act", "slip"), ("slip", "NT-7"), ("case", &slip)]).await.expect(303);
    let payments: Vec<String> =
        of(&cards)["payments"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned()).collect();
    let mut form = vec![("act", "cards"), ("case", cards.as_str())];
    form.extend(payments.iter().map(|payment| ("payment", payment.as_str())));
    accountant.send(&form).await.expect(303);
    let balances = [
        scene.balance("cash_in_transit").await,
        scene.balance("card_receivable").await,
        scene.balance("suspense").await,
    ];
    assert_eq!(balances, [0, 0, -333_000]);
    assert_eq!(cash(&scene, &scene.office).await["proposals"], json!([]));

    // Where two credits fit one slip nothing is proposed, and a person chooses.
    let bill = scene.office.bill(&scene.world, "k3").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    scene.send("/desk/deposits", &[("amount", "100000"), ("slip", "NT-8")]).await.expect(303);
    arrives(&scene, 4, ACCOUNT, 100_000, "NOP TIEN").await;
    arrives(&scene, 5, ACCOUNT, 100_000, "NOP TIEN").await;
    assert_eq!(cash(&scene, &scene.office).await["proposals"], json!([]));
    let page = accountant.actor.get("/board/cash").await.expect(200).text();
    assert!(!page.contains("Xác nhận đề xuất") && page.contains("Đúng khoản này"), "{page}");
}

#[tokio::test]
async fn a_desk_owes_the_agency_that_it_collects_for_until_the_cash_is_in_its_account() {
    let scene = Scene::set().await;
    let other = Office::open(&scene.world, "H29.150").await;
    let granting = Granting {
        number: ACCOUNTANT.0.parse().unwrap(),
        role: Role::Accountant,
        agency_code: "H29.150".to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&scene.world.app, &granting).await.unwrap();
    let mut theirs = new_bill();
    theirs["dossier"] = json!("H29.150-261124-0001");
    let system = other.system(&scene.world, "bill");
    let bill = system.post_once("/v1/bills", "k", &theirs).await.expect(201).json();
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    let receipts = other.system(&scene.world, "receipt.read").get("/v1/receipts").await.expect(200).json();
    assert!(receipts["items"][0]["number"].as_str().unwrap().starts_with("H29.150-AP26E-"));
    // The receipt is the other agency's by its name as well, in the document and on paper.
    let files = &receipts["items"][0]["files"];
    let theirs_too = other.system(&scene.world, "receipt.read");
    let xml = theirs_too.get(files["xml"].as_str().unwrap()).await.expect(200).text();
    assert!(xml.contains("<MCQuan>H29.150</MCQuan>\n<Ten>Văn phòng H29.150</Ten>"), "{xml}");
    let pdf = theirs_too.get(files["pdf"].as_str().unwrap()).await.expect(200).body;
    if let Some(text) = text_of(&pdf) {
        assert!(text.starts_with("Văn phòng H29.150") && !text.contains("Sở Tư pháp"), "{text}");
    }
    assert_eq!((scene.balance("desk_owes").await, scene.balance("owed_by_desk").await), (-205_000, 205_000));
    let till = cash(&scene, &scene.office).await["tills"][0].clone();
    assert_eq!(
        till["owes"][0],
        json!({ "to": other.agency.to_string(), "amount": { "amount": "205000", "currency": "VND" } })
    );
    // The books of each agency balance for themselves.
    for office in [&scene.office, &other] {
        let books =
            office.system(&scene.world, "ledger.read").get("/v1/ledger/balances").await.expect(200).json();
        let sum: i64 = books["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| account["balance"]["amount"].as_str().unwrap().parse::<i64>().unwrap())
            .sum();
        assert_eq!(sum, 0, "{books}");
    }

    // It is carried to that agency's account, never more than is owed, and to nobody to whom nothing is.
    let to = other.agency.to_string();
    let carry = |amount, to| [("amount", amount), ("slip", "NT-7"), ("to", to)];
    scene.send("/desk/deposits", &carry("205001", &to)).await.expect(422);
    let nobody = "agency_019a9e10c0007d2e8f3a4b5c6d7e8f90";
    scene.send("/desk/deposits", &carry("1", nobody)).await.expect(404);
    assert!(scene.desk().await.contains("Văn phòng H29.150: 205.000"));
    scene.send("/desk/deposits", &carry("205000", &to)).await.expect(303);
    scene.send("/desk/deposits", &[("amount", "1"), ("slip", "NT-8"), ("to", &to)]).await.expect(404);
    assert_eq!((scene.balance("desk_owes").await, scene.balance("owed_by_desk").await), (0, 0));
    arrives(&scene, 1, "799", 205_000, "NOP TIEN NT-7").await;
    let case = case_of(&scene, 205_000).await;
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    accountant.send(&[("act", "slip"), ("slip", "NT-7"), ("case", &case)]).await.expect(303);
    let balances = [scene.balance("cash_in_transit").await, scene.balance("suspense").await];
    assert_eq!(balances, [0, 0]);
    assert_eq!(cash(&scene, &other).await["slips"][0]["case"], json!(case));
    assert_eq!(cash(&scene, &scene.office).await["slips"], json!([]));
}

/// Says where what an agency collects goes, from today on.
pub async fn rules(scene: &Scene, office: &Office, kinds: &[(&str, &str)]) {
    let day = Day::of(scene.world.clock.now()).to_string();
    let path = format!("/v1/agencies/{}/payout-rules", office.agency);
    for (kind, number) in kinds {
        let rule = json!({ "kind": kind, "valid_from": day, "bank": "970405", "number": number, "holder": "Kho bạc",
            "treasury_office": "0061", "legal_basis": "Luật Phí và lệ phí" });
        office.system(&scene.world, "admin").post_once(&path, kind, &rule).await.expect(200);
    }
}

/// Matches a day of an account, whose statement shows what arrived then, and passes on what may go.
pub async fn match_and_pass_on(scene: &Scene, account: &str, day: Day) -> i64 {
    let mut tx = scene.world.app.store.begin().await.unwrap();
    let account = account_of_number(&mut tx, account).await.unwrap().unwrap();
    drop(tx);
    match_statement(&scene.world.app, &account, day).await.unwrap();
    let before = passed_on(scene);
    while pass_on(&scene.world.app).await.unwrap() > 0 {}
    passed_on(scene) - before
}

fn passed_on(scene: &Scene) -> i64 {
    scene.world.bank.orders.lock().unwrap().iter().map(|order| order.amount.minor()).sum()
}

/// Money that arrives with a text and stands on the statement of the day.
pub async fn stands(scene: &Scene, message: u128, account: &str, dong: i64, text: &str) {
    let mut shown = entry(&format!("R{message}"), dong, None, scene.world.clock.now());
    shown.end_to_end = Some(Line::parse("NOTPROVIDED").unwrap());
    shown.remittance = vec![Line::parse(text).unwrap()];
    scene.world.bank.movements.lock().unwrap().push(shown);
    arrives(scene, message, account, dong, text).await;
}

#[tokio::test]
async fn what_a_desk_took_goes_on_once_it_has_reached_the_account() {
    let scene = Scene::set().await;
    rules(&scene, &scene.office, &[("phi", "37110001"), ("retained", "37140001")]).await;
    // Three bills: two in cash, one by card; the slip carries the first and a part of the second.
    let mut bills = Vec::new();
    for (key, cash, card) in [("k1", "205000", ""), ("k2", "205000", ""), ("k3", "", "205000")] {
        let bill = scene.office.bill(&scene.world, key).await;
        let form = [("reference", reference(&bill)), ("cash", cash), ("card", card), ("slip", "T-1")];
        scene.send("/desk/bill", &form).await.expect(303);
        scene.world.later(Duration::from_secs(1));
        bills.push(bill);
    }
    scene.send("/desk/deposits", &[("amount", "300000"), ("slip", "NT-1")]).await.expect(303);
    let day = Day::of(scene.world.clock.now());
    stands(&scene, 1, ACCOUNT, 300_000, "NOP TIEN NT-1").await;
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, day).await, 0, "nobody has said what the credit is");
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let case = case_of(&scene, 300_000).await;
    accountant.send(&[("act", "slip"), ("slip", "NT-1"), ("case", &case)]).await.expect(303);
    assert_eq!(scene.world.count("payout_waiting").await, 1);
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, day).await, 205_000, "the first bill, whole");
    // The rest of the cash, and the card slip less what the card company keeps: each line leaves whole, once.
    let next = day.plus_days(1);
    let desk = signed_in(&scene.world, CASHIER, "/desk").await;
    let token = desk.get("/desk").await.expect(200).form_field("form_token");
    let form = [("form_token", token.as_str()), ("amount", "110000"), ("slip", "NT-2")];
    desk.post_form("/desk/deposits", &form).await.expect(303);
    stands(&scene, 2, ACCOUNT, 110_000, "NOP TIEN NT-2").await;
    stands(&scene, 3, ACCOUNT, 203_000, "THANH TOAN THE").await;
    let (slip, card) = (case_of(&scene, 110_000).await, case_of(&scene, 203_000).await);
    accountant.send(&[("act", "slip"), ("slip", "NT-2"), ("case", &slip)]).await.expect(303);
    let open = cash(&scene, &scene.office).await["cards"][0]["payment"].as_str().unwrap().to_owned();
    accountant.send(&[("act", "cards"), ("case", &card), ("payment", &open)]).await.expect(303);
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, next).await, 410_000);
    for again in [day, next] {
        assert_eq!(match_and_pass_on(&scene, ACCOUNT, again).await, 0, "nothing goes twice");
    }
    assert_eq!(scene.world.count("payout_waiting").await, 0);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_a_desk_took_is_ordered_again_though_only_one_of_its_orders_bounced() {
    let scene = Scene::set().await;
    rules(&scene, &scene.office, &[("phi", "37110001"), ("retained", "37140001")]).await;
    let bill = scene.office.bill(&scene.world, "k").await;
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    scene.send("/desk/deposits", &[("amount", "205000"), ("slip", "NT-1")]).await.expect(303);
    let day = Day::of(scene.world.clock.now());
    stands(&scene, 1, ACCOUNT, 205_000, "NOP TIEN NT-1").await;
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let case = case_of(&scene, 205_000).await;
    accountant.send(&[("act", "slip"), ("slip", "NT-1"), ("case", &case)]).await.expect(303);
    scene.world.later(Duration::from_secs(86_400));
    scene.world.bank.order_answers.lock().unwrap().push(Refused("AC04".parse().unwrap()));
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, day).await, 205_000);
    let orders = async |status: &str| {
        let system = scene.office.system(&scene.world, "statement.read");
        let listed = system.get(&format!("/v1/payouts?status={status}")).await.expect(200).json();
        listed["items"].as_array().unwrap().clone()
    };
    let dong = |order: &Value| order["amount"]["amount"].as_str().unwrap().parse::<i64>().unwrap();
    let bounced = orders("bounced").await;
    assert_eq!((bounced.len(), orders("sent").await.len()), (1, 1));
    let page = format!("/board/payouts/{}", id(&bounced[0]));
    let officer = signed_in(&scene.world, ACCOUNTANT, "/board").await;
    let token = officer.get(&page).await.expect(200).form_field("form_token");
    officer.post_form(&page, &[("form_token", &token)]).await.expect(303);
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, day.plus_days(1)).await, dong(&bounced[0]));
    let sent = orders("sent").await;
    assert_eq!((sent.len(), sent.iter().map(dong).sum::<i64>()), (2, 205_000));
    assert!(sent.iter().any(|order| order["replaces"] == bounced[0]["id"]));
    assert_eq!(scene.world.count("payout_waiting").await, 0);
}

#[tokio::test]
async fn what_a_till_took_before_its_agency_became_another_goes_on_all_the_same() {
    let scene = Scene::set().await;
    let heir = Office::open(&scene.world, "H29.15").await;
    heir.bill(&scene.world, "opens-its-account").await;
    rules(&scene, &scene.office, &[("phi", "37110001"), ("retained", "37140001")]).await;
    // One bill is paid in a shift that closes before, one in a shift that is still open then.
    for (key, slip) in [("k1", "NT-1"), ("k2", "NT-2")] {
        let bill = scene.office.bill(&scene.world, key).await;
        let form = [("reference", reference(&bill)), ("cash", "205000")];
        scene.send("/desk/bill", &form).await.expect(303);
        scene.send("/desk/deposits", &[("amount", "205000"), ("slip", slip)]).await.expect(303);
        scene.world.later(Duration::from_secs(1));
        if key == "k1" {
            scene.send("/desk/close", &[("counted", "500000")]).await.expect(200);
            let agency = scene.office.agency.to_string();
            let form = [("agency", agency.as_str()), ("till", "Quầy 1"), ("counted", "500000")];
            scene.send("/desk/open", &form).await.expect(303);
        }
    }
    merge(&scene, scene.office.agency, heir.agency).await;
    let day = Day::of(scene.world.clock.now());
    stands(&scene, 1, ACCOUNT, 205_000, "NOP TIEN NT-1").await;
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let case = case_of(&scene, 205_000).await;
    accountant.send(&[("act", "slip"), ("slip", "NT-1"), ("case", &case)]).await.expect(303);
    let waits = format!("payout_waiting where agency_id = '{}'", scene.office.agency.uuid());
    assert_eq!(scene.world.count(&waits).await, 1, "the first bill; the other one's slip did not arrive");
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, day).await, 205_000);
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, day).await, 0, "nothing goes twice");

    let next = day.plus_days(1);
    stands(&scene, 2, ACCOUNT, 205_000, "NOP TIEN NT-2").await;
    let held = "select id from suspense where state = 'held'";
    let held: uuid::Uuid =
        sqlx::query_scalar(held).fetch_one(&mut scene.world.connection().await).await.unwrap();
    let case = Id::<Case>::from_uuid(held).to_string();
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    accountant.send(&[("act", "slip"), ("slip", "NT-2"), ("case", &case)]).await.expect(303);
    assert_eq!(scene.world.count(&waits).await, 1);
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(match_and_pass_on(&scene, ACCOUNT, next).await, 205_000);
    assert_eq!(scene.world.count("payout_waiting").await, 0);
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_a_desk_owes_another_agency_goes_there_by_transfer_as_well() {
    let scene = Scene::set().await;
    let other = Office::open(&scene.world, "H29.150").await;
    let granting = Granting {
        number: APPROVER.0.parse().unwrap(),
        role: Role::Accountant,
        agency_code: "H29.150".to_owned(),
        from: None,
        to: None,
        by: None,
    };
    grant_role(&scene.world.app, &granting).await.unwrap();
    rules(&scene, &other, &[("phi", "37110001"), ("retained", "37140001")]).await;
    scene.office.bill(&scene.world, "opens-its-account").await;
    let mut theirs = new_bill();
    theirs["dossier"] = json!("H29.150-261124-0001");
    let system = other.system(&scene.world, "bill");
    let bill = system.post_once("/v1/bills", "k", &theirs).await.expect(201).json();
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    // All cash of the till is carried to the desk's own account.
    scene.send("/desk/deposits", &[("amount", "205000"), ("slip", "NT-1")]).await.expect(303);
    let till = cash(&scene, &scene.office).await["tills"][0].clone();
    let to = other.agency.to_string();
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    let page = accountant.actor.get("/board/cash").await.expect(200).text();
    assert!(page.contains("Chuyển khoản 205.000"), "{page}");
    let order = |amount, to| [("act", "transfer"), ("till", id(&till)), ("to", to), ("amount", amount)];
    accountant.send(&order("205001", &to)).await.expect(422);
    accountant.send(&order("0", &to)).await.expect(422);
    accountant.send(&order("1", "agency_019a9e10c0007d2e8f3a4b5c6d7e8f90")).await.expect(404);
    let stranger = AtCash::open(&scene, APPROVER).await;
    stranger.send(&order("1000", &to)).await.expect(403);
    // What the bank does not take is owed again.
    scene.world.bank.order_answers.lock().unwrap().push(Refused("AC04".parse().unwrap()));
    accountant.send(&order("205000", &to)).await.expect(303);
    accountant.send(&order("1", &to)).await.expect(404);
    while pass_on(&scene.world.app).await.unwrap() > 0 {}
    assert_eq!(cash(&scene, &scene.office).await["tills"][0]["owes"][0]["amount"]["amount"], "205000");
    assert_eq!(cash(&scene, &other).await["slips"], json!([]));
    accountant.send(&order("205000", &to)).await.expect(303);
    while pass_on(&scene.world.app).await.unwrap() > 0 {}
    let sent = scene.world.bank.orders.lock().unwrap().last().cloned().unwrap();
    assert_eq!((sent.debtor_account.as_str(), sent.creditor_account.as_str()), (ACCOUNT, "799"));
    let listed =
        scene.office.system(&scene.world, "statement.read").get("/v1/payouts").await.expect(200).json();
    let of = |status: &str| {
        let mut all = listed["items"].as_array().unwrap().iter();
        all.find(|order| order["status"] == status).cloned().unwrap()
    };
    let (gone, bounced) = (of("sent"), of("bounced"));
    assert_eq!(
        (&gone["kind"], &gone["counterpart"], &bounced["counterpart"]),
        (&json!("collected"), &json!(to), &json!(to))
    );
    let page = accountant.actor.get(&format!("/board/payouts/{}", id(&gone))).await.expect(200).text();
    assert!(page.contains("Tiền thu hộ cơ quan khác"), "{page}");
    // The debit is seen: the desk owes nothing any more; the other agency's accountant finds the credit.
    assert_eq!((scene.balance("desk_owes").await, scene.balance("owed_by_desk").await), (-205_000, 205_000));
    let mut left = entry("D1", 205_000, Some(sent.id.0), scene.world.clock.now());
    left.direction = Direction::Debit;
    let told = notification(31, ACCOUNT, vec![left], scene.world.clock.now());
    scene.world.tell(&told).await.expect(200);
    assert_eq!((scene.balance("desk_owes").await, scene.balance("owed_by_desk").await), (0, 0));
    let day = Day::of(scene.world.clock.now());
    stands(&scene, 32, "799", 205_000, "NSNN THU HO").await;
    let slips = cash(&scene, &other).await["slips"].clone();
    assert_eq!((&slips[0]["slip"], &slips[0]["shifts"]), (&gone["slip_number"], &json!(0)));
    let case = case_of(&scene, 205_000).await;
    let slip = slips[0]["slip"].as_str().unwrap();
    stranger.send(&[("act", "slip"), ("slip", slip), ("case", &case)]).await.expect(303);
    assert_eq!((scene.balance("cash_in_transit").await, scene.balance("suspense").await), (205_000, 0));
    // And from there it goes on by the other agency's rules.
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(match_and_pass_on(&scene, "799", day).await, 205_000);
    for office in [&scene.office, &other] {
        let books =
            office.system(&scene.world, "ledger.read").get("/v1/ledger/balances").await.expect(200).json();
        let sums = books["accounts"].as_array().unwrap().iter();
        let sum: i64 = sums.map(|a| a["balance"]["amount"].as_str().unwrap().parse::<i64>().unwrap()).sum();
        assert_eq!(sum, 0, "{books}");
    }
    assert_eq!(verify_books(&scene.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_a_till_owes_is_carried_or_transferred_and_never_both() {
    let scene = Scene::set().await;
    let other = Office::open(&scene.world, "H29.150").await;
    scene.office.bill(&scene.world, "opens-its-account").await;
    let mut theirs = new_bill();
    theirs["dossier"] = json!("H29.150-261124-0001");
    let system = other.system(&scene.world, "bill");
    let bill = system.post_once("/v1/bills", "k", &theirs).await.expect(201).json();
    scene.send("/desk/bill", &[("reference", reference(&bill)), ("cash", "205000")]).await.expect(303);
    let (till, to) = (cash(&scene, &scene.office).await["tills"][0].clone(), other.agency.to_string());
    let accountant = AtCash::open(&scene, ACCOUNTANT).await;
    // The order has found what is owed, and waits to be written; meanwhile the cashier leaves for the bank.
    let holder = hold(&scene.world, "lock table payout in share mode").await;
    let form = [("act", "transfer"), ("till", id(&till)), ("to", &to), ("amount", "205000")];
    let order = accountant.send(&form);
    let carry = async {
        scene.world.waiting(1).await;
        scene.send("/desk/deposits", &[("amount", "205000"), ("slip", "NT-1"), ("to", &to)]).await
    };
    let release = async {
        scene.world.waiting(2).await;
        let_go(holder).await;
    };
    let (ordered, carried, ()) = tokio::join!(order, carry, release);
    ordered.expect(303);
    carried.expect(404);
    assert_eq!(scene.world.count("cash_deposit").await, 1);
}

#[tokio::test]
async fn a_desk_and_a_decision_lock_bill_and_money_in_one_order() {
    let scene = Scene::set().await;
    let bill = scene.office.bill(&scene.world, "k").await;
    arrives(&scene, 1, ACCOUNT, 205_000, "CHUYEN TIEN").await;
    let case = case_of(&scene, 205_000).await;
    let citizen = async |role: &str| {
        let found: uuid::Uuid = sqlx::query_scalar("select citizen_id from role_grant where role = $1")
            .bind(role)
            .fetch_one(&mut scene.world.connection().await)
            .await
            .unwrap();
        Id::<Citizen>::from_uuid(found).to_string()
    };
    let system = scene.office.system(&scene.world, "case");
    let proposal = json!({ "toward": "bill", "bill": bill["id"], "legal_basis": "Điều 9", "words": "Đúng khoản này",
        "officer": citizen("accountant").await });
    system.post_once(&format!("/v1/cases/{case}/release"), "p", &proposal).await.expect(200);
    // Somebody holds the bill, as a desk does that is about to take the money: who approves waits for the bill, and has
    // not locked the money meanwhile.
    let mut holder = scene.world.connection().await;
    let held: uuid::Uuid = id(&bill).parse::<Id<Bill>>().unwrap().uuid();
    sqlx::raw_sql("begin").execute(&mut holder).await.unwrap();
    sqlx::query("select id from bill where id = $1 for update")
        .bind(held)
        .execute(&mut holder)
        .await
        .unwrap();
    let approval = json!({ "officer": citizen("approver").await });
    let path = format!("/v1/cases/{case}/release/approve");
    let approve = system.post_once(&path, "a", &approval);
    let watch = async {
        scene.world.waiting(1).await;
        let money = "select id from suspense for update nowait";
        sqlx::query(money)
            .execute(&mut holder)
            .await
            .expect("the money is free while the bill is waited for");
        sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    };
    let (approved, ()) = tokio::join!(approve, watch);
    approved.expect(200);
    assert_eq!(scene.status(&bill).await, "paid");
}

//! The fee schedule: how a version comes into force, what it charges, what reductions rest on, and what is declared.

use crate::books::officer;
use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::world::{Actor, TestApp};
use base64::{Engine, engine::general_purpose::STANDARD};
use chung::flow::fee_file::{SAMPLE_ADJUSTMENTS, SAMPLE_ITEMS};
use chung::flow::verify_books::verify_books;
use chung::identity::role::Role;
use serde_json::{Value, json};
use std::time::Duration;

const PEOPLE: [&str; 4] = [
    "079185000456,,Nguyễn Thị Hòa,1985-03-15,female,0912345218,79,active,,2,",
    "079085000457,,Trần Văn Khỏe,1985-04-01,male,0912345219,79,active,,2,",
    "079085000458,,Lê Văn Lạ,1985-05-01,male,0912345220,79,active,,2,",
    "079185000001,,Nguyễn Thị Sinh,2005-03-15,female,0901234567,79,active,,2,student",
];

/// An office whose accountant and approver are known.
struct Set {
    world: TestApp,
    office: Office,
    accountant: String,
    approver: String,
    system: Actor,
}

async fn set() -> Set {
    charging(SAMPLE_ITEMS).await
}

/// The same under another schedule.
async fn charging(items: &str) -> Set {
    let world = TestApp::start().await;
    world.register(&PEOPLE).await;
    let office = Office::charging(&world, "H29.14", items).await;
    let accountant = officer(&world, "079185000456", Role::Accountant, "H29.14").await;
    let approver = officer(&world, "079085000457", Role::Approver, "H29.14").await;
    let system = office.system(&world, "fee bill verification admin");
    Set { world, office, accountant, approver, system }
}

impl Set {
    async fn act(&self, path: &str, body: Value) -> crate::world::Answer {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let key = format!("act-{}", NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        self.system.post_once(path, &key, &body).await
    }

    /// A verification, and a bill that was reduced by it.
    async fn reduced(&self) -> (Value, Value) {
        let question = json!({
            "number": "079185000001", "attributes": { "name": "Nguyễn Thị Sinh" }, "purpose": "Tính phí",
            "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
        });
        let known = self.act("/v1/verifications", question).await.expect(201).json();
        let mut reduced = new_bill();
        reduced["applicant"] = json!({ "name": "Nguyễn Thị Sinh", "verification": known["id"] });
        let bill = self.act("/v1/bills", reduced).await.expect(201).json();
        (known, bill)
    }

    fn draft(&self, items: &str, instrument: bool) -> Value {
        let mut draft =
            json!({ "items": items, "adjustments": SAMPLE_ADJUSTMENTS, "officer": self.accountant });
        if instrument {
            draft["instrument"] = json!({
                "title": "Thông tư 63/2023/TT-BTC (minh họa)",
                "file": { "media": "application/pdf", "base64": "JVBERi0=" },
            });
        }
        draft
    }

    async fn budget(&self) {
        let budget = json!({
            "area": "79001", "unit_code": "1054321", "treasury_office": "0061", "valid_from": "2026-01-01",
            "retained_account": "3714.0.1054321", "remitted_account": "3511.0.1054321",
        });
        let path = format!("/v1/agencies/{}/budget", self.office.agency);
        self.act(&path, budget).await.expect(200);
    }

    /// What a criminal record costs now.
    async fn price(&self) -> String {
        let asked = json!({ "procedure": "2.000488", "lines": [{ "fee": "LLTP-01" }], "channel": "counter" });
        let quote = self.system.post_json("/v1/fees/quote", &asked).await.expect(200).json();
        quote["total"]["amount"].as_str().unwrap().to_owned()
    }
}

fn dearer() -> String {
    SAMPLE_ITEMS.replace("tư pháp,Record search fee,200000", "tư pháp,Record search fee,250000")
}

#[tokio::test]
async fn a_version_comes_into_force_by_two_people_on_its_day() {
    let set = set().await;
    let bad = set.draft(&dearer().replace(",250000,", ",-1,"), true);
    let refused = set.act("/v1/fees/versions", bad).await.expect_refusal(422, "fee_schedule_invalid");
    assert!(refused.text().contains("amount_vnd"), "{}", refused.text());
    let mut by_approver = set.draft(&dearer(), true);
    by_approver["officer"] = json!(set.approver);
    set.act("/v1/fees/versions", by_approver).await.expect_refusal(403, "accountant_needed");
    let same = set.act("/v1/fees/versions", set.draft(SAMPLE_ITEMS, true)).await;
    same.expect_refusal(409, "fee_version_exists");

    let bare =
        set.act("/v1/fees/versions", set.draft(&dearer().replace("2017-01-01,,75", "2017-01-01,,70"), false));
    let bare = bare.await.expect(201).json();
    let at =
        |version: &Value, act: &str| format!("/v1/fees/versions/{}/{act}", version["id"].as_str().unwrap());
    let by = |who: &str| json!({ "officer": who });
    let from = |who: &str, day: &str| json!({ "officer": who, "from": day });
    set.act(&at(&bare, "submit"), by(&set.accountant)).await.expect_refusal(422, "fee_instrument_missing");

    let draft = set.act("/v1/fees/versions", set.draft(&dearer(), true)).await.expect(201).json();
    assert_eq!((&draft["state"], &draft["attached"]), (&json!("draft"), &json!(true)));
    let approve = at(&draft, "approve");
    set.act(&approve, from(&set.approver, "2026-12-01"))
        .await
        .expect_refusal(409, "fee_version_not_submitted");
    set.act(&at(&draft, "submit"), by(&set.accountant)).await.expect(200);
    set.act(&at(&draft, "submit"), by(&set.accountant)).await.expect_refusal(409, "fee_version_not_draft");
    set.act(&approve, from(&set.accountant, "2026-12-01")).await.expect_refusal(403, "own_act");
    set.act(&approve, from(&set.approver, "2026-11-23")).await.expect_refusal(422, "day_in_the_past");
    set.act(&approve, from(&set.approver, "2026-12-01")).await.expect_refusal(422, "agency_budget_missing");
    set.budget().await;
    let approved = set.act(&approve, from(&set.approver, "2026-12-01")).await.expect(200).json();
    assert_eq!((&approved["state"], &approved["approved_by"]), (&json!("approved"), &json!(set.approver)));

    assert_eq!(set.price().await, "200000", "it is not in force yet");
    set.world.later(Duration::from_secs(7 * 86_400));
    let set = Set { system: set.office.system(&set.world, "fee admin"), ..set };
    assert_eq!(set.price().await, "250000");
    let listed = set.system.get("/v1/fees/versions").await.expect(200).json();
    let in_force = listed["items"].as_array().unwrap().iter().find(|v| v["in_force"] == true).unwrap();
    assert_eq!(in_force["id"], draft["id"]);
    let end = at(&draft, "discontinue");
    set.act(&end, from(&set.approver, "2026-11-24")).await.expect_refusal(422, "day_in_the_past");
    set.act(&end, from(&set.approver, "2026-12-01")).await.expect(200);
    set.act(&end, from(&set.approver, "2026-12-01")).await.expect_refusal(409, "fee_version_not_in_force");
    assert_eq!(set.price().await, "200000");
}

#[tokio::test]
async fn a_fee_whose_kept_part_rests_on_no_law_is_not_approved() {
    let set = set().await;
    set.budget().await;
    let items = dearer().replace(",Decree 82/2023 (illustrative)", ",");
    let draft = set.act("/v1/fees/versions", set.draft(&items, true)).await.expect(201).json();
    let at = |act: &str| format!("/v1/fees/versions/{}/{act}", draft["id"].as_str().unwrap());
    set.act(&at("submit"), json!({ "officer": set.accountant })).await.expect(200);
    let body = json!({ "officer": set.approver, "from": "2026-12-01" });
    let refused = set.act(&at("approve"), body).await.expect_refusal(422, "fee_version_unfit").json();
    let first = &refused["violations"][0];
    assert_eq!(first["rule"], "retained_basis_missing");
    let other = Office::open(&set.world, "H29.15").await.system(&set.world, "fee");
    let foreign = json!({ "officer": set.accountant });
    other.post_once(&at("submit"), "x", &foreign).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn the_text_of_the_instrument_is_kept_and_given_out_as_it_is() {
    let set = set().await;
    let bare = set.act("/v1/fees/versions", set.draft(&dearer(), false)).await.expect(201).json();
    assert_eq!((&bare["attached"], &bare["attachment"]), (&json!(false), &Value::Null));
    let at = |act: &str| format!("/v1/fees/versions/{}/{act}", bare["id"].as_str().unwrap());
    set.system.get(&at("instrument")).await.expect_refusal(404, "not_found");
    let text = "%PDF-1.7 Điều 4. Mức thu phí.";
    let file = |media: &str, bytes: &[u8]| json!({ "officer": set.accountant, "file": { "media": media, "base64": STANDARD.encode(bytes) } });
    let rule = async |media: &str, bytes: &[u8]| {
        let refused = set.act(&at("instrument"), file(media, bytes)).await;
        let refused = refused.expect_refusal(422, "fee_instrument_unfit").json();
        refused["violations"][0]["rule"].as_str().unwrap().to_owned()
    };
    assert_eq!(rule("application/pdf", b"").await, "empty");
    assert_eq!(rule("application/pdf", b"MZ\x90\x00\xff").await, "kind");
    assert_eq!(rule("application/pdf", b"only words").await, "other_kind");
    assert_eq!(rule("image/png", text.as_bytes()).await, "other_kind");
    assert_eq!(rule("text/plain", &vec![b'a'; (10 << 20) + 1]).await, "too_large");
    let mut by_approver = file("application/pdf", text.as_bytes());
    by_approver["officer"] = json!(set.approver);
    set.act(&at("instrument"), by_approver).await.expect_refusal(403, "accountant_needed");
    let torn = json!({ "officer": set.accountant, "file": { "media": "application/pdf", "base64": "*" } });
    set.act(&at("instrument"), torn).await.expect_refusal(400, "invalid_body");
    set.act(&at("instrument"), file("text/plain", "Bản nháp".as_bytes())).await.expect(200);
    // Named by its file alone it is still nameless.
    set.act(&at("submit"), json!({ "officer": set.accountant }))
        .await
        .expect_refusal(422, "fee_instrument_missing");
    let mut titled = file("application/pdf", text.as_bytes());
    titled["title"] = json!("Thông tư 63/2023/TT-BTC (minh họa)");
    let attached = set.act(&at("instrument"), titled).await.expect(200).json();
    let sha256 = hex::encode(chung::crypto::digest::sha256(text.as_bytes()));
    assert_eq!(
        attached["attachment"],
        json!({ "media": "application/pdf", "bytes": text.len(), "sha256": sha256 })
    );
    // Its digest stands in the log under the agency's key, and whoever reads versions has the same bytes.
    assert_eq!(set.world.count("audit_leaf where kind = 'fee.instrument_attached'").await, 2);
    let given = set.system.get(&at("instrument")).await.expect(200);
    assert_eq!(given.body, text.as_bytes());
    let digest = STANDARD.encode(chung::crypto::digest::sha256(text.as_bytes()));
    assert_eq!(given.headers["content-digest"].to_str().unwrap(), format!("sha-256=:{digest}:"));
    assert!(given.headers["content-disposition"].to_str().unwrap().ends_with(".pdf\""));
    let other = Office::open(&set.world, "H29.15").await.system(&set.world, "fee");
    assert_eq!(other.get(&at("instrument")).await.expect(200).body, text.as_bytes());
    let foreign = other.post_once(&at("instrument"), "x", &file("text/plain", b"a")).await;
    foreign.expect_refusal(404, "not_found");
    // Once it is submitted nothing takes its place, not even in the database.
    set.act(&at("submit"), json!({ "officer": set.accountant })).await.expect(200);
    let late = set.act(&at("instrument"), file("text/plain", b"other")).await;
    late.expect_refusal(409, "fee_version_not_draft");
    let quietly = "update fee_schedule set instrument_file = 'x', instrument_sha256 = sha256('x') where state = 'submitted'";
    assert!(set.world.sql(quietly).await.unwrap_err().contains("is kept"));
    let torn = "update fee_schedule set instrument_file = 'x' where state = 'submitted'";
    assert!(set.world.sql(torn).await.is_err());
}

#[tokio::test]
async fn a_version_is_compared_and_tried_on_the_bills_of_a_month() {
    let set = set().await;
    set.office.bill(&set.world, "k").await;
    let mut licence = new_bill();
    licence["procedure"] = json!("1.002796");
    licence["lines"] = json!([{ "fee": "GPLX-01" }]);
    set.act("/v1/bills", licence).await.expect(201);
    let items = dearer().replace("CC-02,1.012536", "CC-03,1.012536");
    let draft = set.act("/v1/fees/versions", set.draft(&items, true)).await.expect(201).json();
    let at = |what: &str| format!("/v1/fees/versions/{}/{what}", draft["id"].as_str().unwrap());
    let diff = set.system.get(&at("diff")).await.expect(200).json();
    let told: Vec<(&str, &str)> = diff["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["code"].as_str().unwrap(), change["how"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("CC-02", "removed"), ("LLTP-01", "changed"), ("CC-03", "added")]);
    let member = &diff["changes"][1]["members"][0];
    assert_eq!(*member, json!({ "member": "amount_vnd", "before": "200000", "after": "250000" }));

    let trial = set.system.get(&at("trial?month=2026-11")).await.expect(200).json();
    assert_eq!((&trial["bills"], &trial["changed"], &trial["unchanged"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&trial["before"]["amount"], &trial["after"]["amount"]), (&json!("320000"), &json!("370000")));
    let before = set.system.get(&at("trial")).await.expect(200).json();
    assert_eq!((&before["from"], &before["bills"]), (&json!("2026-10-01"), &json!(0)));
    set.system.get(&at("trial?month=2026")).await.expect_refusal(400, "invalid_parameter");
}

#[tokio::test]
async fn pages_of_copies_are_charged_by_tiers_and_explained() {
    let set = set().await;
    let asked = |line: Value| json!({ "procedure": "2.000815", "lines": [line], "channel": "assisted" });
    let copies = asked(json!({ "fee": "CT-01", "count": 5, "copies": 3 }));
    let quote = set.system.post_json("/v1/fees/quote", &copies).await.expect(200).json();
    assert_eq!(quote["total"]["amount"], "21000");
    let step = &quote["lines"][0]["trace"][0];
    let said = step["text"]["vi"].as_str().unwrap();
    for part in ["2 trang × 2.000", "+ 3 trang × 1.000", "× 3 bản", "21.000", "24/11/2026"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let capped = asked(json!({ "fee": "CT-01", "count": 400 }));
    let quote = set.system.post_json("/v1/fees/quote", &capped).await.expect(200).json();
    assert_eq!(quote["total"]["amount"], "200000");
    assert!(quote["lines"][0]["trace"][0]["text"]["vi"].as_str().unwrap().contains("tối đa 200.000"));
    let value = json!({ "amount": "5", "currency": "VND" });
    let valued = asked(json!({ "fee": "CT-01", "count": 4, "value": value }));
    set.system.post_json("/v1/fees/quote", &valued).await.expect_refusal(422, "fee_value_unfit");
}

#[tokio::test]
async fn a_share_of_the_declared_value_has_a_floor_and_a_cap_and_bands_step() {
    let set = set().await;
    set.budget().await;
    let items = SAMPLE_ITEMS
        .replace(
            "2019-09-20,,75,414,2250,no,,",
            "2019-09-20,,75,414,2250,no,percent 0.5 floor 100000 cap 5000000,",
        )
        .replace("2019-09-20,,0,414,2750,no,,", "2019-09-20,,0,414,2750,no,bands 0:50000 1000000001:100000,");
    let torn = items.replace("percent 0.5 floor 100000 cap 5000000", "percent 0.5 floor 9 cap 8");
    let refused = set.act("/v1/fees/versions", set.draft(&torn, true)).await;
    assert!(refused.expect_refusal(422, "fee_schedule_invalid").text().contains("formula"));
    let draft = set.act("/v1/fees/versions", set.draft(&items, true)).await.expect(201).json();
    let at = |act: &str| format!("/v1/fees/versions/{}/{act}", draft["id"].as_str().unwrap());
    set.act(&at("submit"), json!({ "officer": set.accountant })).await.expect(200);
    let approval = json!({ "officer": set.approver, "from": "2026-11-24" });
    set.act(&at("approve"), approval).await.expect(200);
    let asked = |fee: &str, dong: Option<i64>| {
        let mut line = json!({ "fee": fee });
        if let Some(dong) = dong {
            line["value"] = json!({ "amount": dong.to_string(), "currency": "VND" });
        }
        json!({ "procedure": "1.001610", "lines": [line], "channel": "counter" })
    };
    for (fee, value, owed, said) in [
        ("DKKD-02", 10_000_000, "100000", "không thấp hơn 100.000"),
        ("DKKD-02", 100_000_000, "500000", "0,5 %"),
        ("DKKD-02", 9_000_000_000, "5000000", "5.000.000"),
        ("DKKD-01", 1_000_000_000, "50000", "50.000"),
        ("DKKD-01", 1_000_000_001, "100000", "1.000.000.001"),
    ] {
        let quote = set.system.post_json("/v1/fees/quote", &asked(fee, Some(value))).await.expect(200).json();
        assert_eq!(quote["total"]["amount"], owed, "{fee} of {value}");
        let text = quote["lines"][0]["trace"][0]["text"]["vi"].as_str().unwrap();
        assert!(text.contains(said), "{said} in {text}");
    }
    set.system
        .post_json("/v1/fees/quote", &asked("DKKD-02", None))
        .await
        .expect_refusal(422, "fee_value_unfit");
}

#[tokio::test]
async fn revoked_evidence_makes_a_new_bill_and_touches_no_receipt() {
    let set = set().await;
    let (known, bill) = set.reduced().await;
    assert_eq!(bill["total"]["amount"], "105000");
    let payment = start(&set.world, &set.office, &bill).await;
    set.world.tell(&set.world.credit(1, "R1", 105_000, &payment)).await.expect(200);
    let receipts = set.world.dump("receipt").await;

    let path = format!("/v1/fees/evidence?bill={}", bill["id"].as_str().unwrap());
    let found = set.system.get(&path).await.expect(200).json();
    let evidence = &found["items"][0];
    assert_eq!((&evidence["adjustment"], &evidence["verification"]), (&json!("STUDENT-LLTP"), &known["id"]));
    let revoke = format!("/v1/fees/evidence/{}/revoke", evidence["id"].as_str().unwrap());
    let body =
        |who: &str, due: &str| json!({ "officer": who, "reason": "Giấy xác nhận hết hạn", "due": due });
    set.act(&revoke, body(&set.approver, "2026-12-31")).await.expect_refusal(403, "accountant_needed");
    set.act(&revoke, body(&set.accountant, "2026-11-01")).await.expect_refusal(422, "due_in_the_past");
    let revoked = set.act(&revoke, body(&set.accountant, "2026-12-31")).await.expect(200).json();
    let difference = &revoked["bill"];
    assert_eq!((&difference["total"]["amount"], &difference["status"]), (&json!("100000"), &json!("open")));
    assert_eq!(
        (&revoked["evidence"]["difference"], &difference["dossier"]),
        (&difference["id"], &bill["dossier"])
    );
    assert_ne!(difference["reference"], bill["reference"]);
    let said = difference["lines"][0]["trace"][0]["text"]["vi"].as_str().unwrap();
    assert!(said.contains("STUDENT-LLTP") && said.contains("100.000"), "{said}");
    set.act(&revoke, body(&set.accountant, "2026-12-31")).await.expect_refusal(409, "evidence_revoked");
    assert_eq!(set.world.dump("receipt").await, receipts, "no receipt changes");
    let other = Office::open(&set.world, "H29.15").await.system(&set.world, "fee");
    other.get(&path).await.expect_refusal(404, "not_found");

    let payment = start(&set.world, &set.office, difference).await;
    set.world.tell(&set.world.credit(2, "R2", 100_000, &payment)).await.expect(200);
    let paid =
        set.system.get(&format!("/v1/bills/{}", difference["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(paid["status"], "paid");
}

#[tokio::test]
async fn of_a_difference_is_kept_what_the_law_of_the_dossiers_day_lets_keep() {
    let row = SAMPLE_ITEMS.lines().find(|line| line.starts_with("LLTP-01,")).unwrap();
    let until = row.replace("2017-01-01,,75", "2017-01-01,2026-06-30,75");
    let from = row.replace("2017-01-01,,75", "2026-07-01,,60");
    let set = charging(&SAMPLE_ITEMS.replace(row, &format!("{until}\n{from}"))).await;
    let (_, bill) = set.reduced().await;
    let path = format!("/v1/fees/evidence?bill={}", bill["id"].as_str().unwrap());
    let found = set.system.get(&path).await.expect(200).json();
    let path = format!("/v1/fees/evidence/{}/revoke", found["items"][0]["id"].as_str().unwrap());
    let body = json!({ "officer": set.accountant, "reason": "Giấy xác nhận hết hạn", "due": "2026-12-31" });
    let difference = set.act(&path, body).await.expect(200).json()["bill"].clone();
    let payment = start(&set.world, &set.office, &difference).await;
    set.world.tell(&set.world.credit(1, "R1", 100_000, &payment)).await.expect(200);
    let kept = ("fee_phi_retained".to_owned(), -60_000);
    let balances = set.world.balances().await;
    assert!(balances.contains(&kept), "{balances:?}");
}

#[tokio::test]
async fn what_a_bill_rests_on_is_charged_anew_with_it_and_nothing_is_owed_of_one_that_was_withdrawn() {
    let set = set().await;
    let (known, bill) = set.reduced().await;
    let id = bill["id"].as_str().unwrap();
    let evidence = async || {
        let found = set.system.get(&format!("/v1/fees/evidence?bill={id}")).await.expect(200).json();
        found["items"].as_array().unwrap().clone()
    };
    let revoke = async |evidence: &Value| {
        let path = format!("/v1/fees/evidence/{}/revoke", evidence["id"].as_str().unwrap());
        let due = "2026-12-31";
        set.act(&path, json!({ "officer": set.accountant, "reason": "Giấy xác nhận hết hạn", "due": due }))
            .await
    };
    let amend = format!("/v1/bills/{id}/amend");
    // Only the fee that nothing reduces is left: there is nothing to charge the difference of.
    let first = evidence().await;
    let plain = json!({ "lines": [{ "fee": "LLTP-02", "count": 1 }] });
    assert_eq!(set.act(&amend, plain).await.expect(200).json()["total"]["amount"], "5000");
    assert_eq!(evidence().await, Vec::<Value>::new());
    revoke(&first[0]).await.expect_refusal(404, "not_found");
    // The other way round, in another place: the reduction rests on the same answer of the register.
    let both = json!({ "lines": [{ "fee": "LLTP-02", "count": 1 }, { "fee": "LLTP-01" }] });
    let amended = set.act(&amend, both.clone()).await.expect(200).json();
    let standing = evidence().await;
    assert_eq!(amended["total"]["amount"], "105000");
    assert_eq!((&standing[0]["line"], &standing[0]["verification"]), (&json!(1), &known["id"]));
    let path = format!("/v1/bills/{id}/cancel");
    set.act(&path, Value::Null).await.expect(200);
    revoke(&standing[0]).await.expect_refusal(409, "bill_already_cancelled");
    set.act(&format!("/v1/bills/{id}/revive"), json!({ "due": "2026-12-15" })).await.expect(200);
    let revoked = revoke(&standing[0]).await.expect(200).json();
    assert_eq!(revoked["bill"]["total"]["amount"], "100000");
    set.act(&amend, both).await.expect_refusal(409, "bill_not_amendable");
}

#[tokio::test]
async fn of_a_line_whose_money_goes_back_as_a_whole_no_difference_is_charged() {
    let set = set().await;
    let (_, bill) = set.reduced().await;
    let payment = start(&set.world, &set.office, &bill).await;
    set.world.tell(&set.world.credit(1, "R1", 105_000, &payment)).await.expect(200);
    let found = format!("/v1/fees/evidence?bill={}", bill["id"].as_str().unwrap());
    let found = set.system.get(&found).await.expect(200).json();
    let path = format!("/v1/fees/evidence/{}/revoke", found["items"][0]["id"].as_str().unwrap());
    let revoke = async || {
        let body =
            json!({ "officer": set.accountant, "reason": "Giấy xác nhận hết hạn", "due": "2026-12-31" });
        set.act(&path, body).await
    };
    let refunds = set.office.system(&set.world, "refund");
    let give_back = async |key: &str, line: i64, dong: i64| {
        let amount = json!({ "amount": dong.to_string(), "currency": "VND" });
        let body = json!({
            "bill": bill["id"], "lines": [{ "line": line, "amount": amount }], "reason": "agency_error",
            "words": "Tính thừa.", "officer": "079185000456",
        });
        refunds.post_once("/v1/refunds", key, &body).await.expect(201).json()
    };
    // All of the reduced line, in two steps; the other line has nothing to do with it.
    give_back("other", 1, 5_000).await;
    give_back("part", 0, 40_000).await;
    give_back("rest", 0, 60_000).await;
    revoke().await.expect_refusal(409, "line_went_back");
    assert_eq!(set.world.count("fee_evidence where revoked_at is not null").await, 0);
    assert_eq!(set.world.count("bill").await, 1, "nothing is charged");
    // Declined, it is owed again.
    let approver = crate::board::signed_in(&set.world, ("079085000457", "+84912345219"), "/board").await;
    let listed = set.office.system(&set.world, "refund.read").get("/v1/refunds").await.expect(200).json();
    let rest = listed["items"].as_array().unwrap().iter().find(|one| one["amount"]["amount"] == "60000");
    let page = format!("/board/refunds/{}", rest.unwrap()["id"].as_str().unwrap());
    let token = approver.get(&page).await.expect(200).form_field("form_token");
    approver.post_form(&page, &[("form_token", &*token), ("act", "decline")]).await.expect(303);
    assert_eq!(revoke().await.expect(200).json()["bill"]["total"]["amount"], "100000");
}

#[tokio::test]
async fn a_difference_goes_with_the_bill_that_it_is_of_and_comes_back_with_it() {
    let set = set().await;
    let (_, bill) = set.reduced().await;
    let at = |bill: &Value, act: &str| format!("/v1/bills/{}{act}", bill["id"].as_str().unwrap());
    let path = format!("/v1/fees/evidence?bill={}", bill["id"].as_str().unwrap());
    let found = set.system.get(&path).await.expect(200).json();
    let path = format!("/v1/fees/evidence/{}/revoke", found["items"][0]["id"].as_str().unwrap());
    let body = json!({ "officer": set.accountant, "reason": "Giấy xác nhận hết hạn", "due": "2026-12-31" });
    let difference = set.act(&path, body).await.expect(200).json()["bill"].clone();
    let status = async |bill: &Value| {
        let read = set.system.get(&at(bill, "")).await.expect(200).json();
        (read["status"].as_str().unwrap().to_owned(), read["due"].as_str().unwrap().to_owned())
    };
    set.act(&at(&bill, "/cancel"), Value::Null).await.expect(200);
    assert_eq!(status(&difference).await.0, "cancelled");
    let page = format!("/pay/{}", difference["reference"].as_str().unwrap());
    assert!(
        !set.world.stranger().get(&page).await.text().contains("name=\"bank\""),
        "nobody is asked for it"
    );
    let events = set.office.system(&set.world, "event.read").get("/v1/events").await.expect(200).json();
    let told: Vec<&Value> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "bill.cancelled")
        .collect();
    assert_eq!(told.len(), 2, "{events}");
    let of = told.iter().find(|event| event["data"]["bill"] == difference["id"]).unwrap();
    assert_eq!(of["data"]["difference_of"], bill["id"]);
    assert_eq!(set.world.count("audit_leaf where kind = 'bill.cancelled'").await, 2);

    set.act(&at(&bill, "/revive"), json!({ "due": "2026-12-15" })).await.expect(200);
    assert_eq!(status(&difference).await, ("open".to_owned(), "2026-12-15".to_owned()));
    assert_eq!(set.world.count("audit_leaf where kind = 'bill.revived'").await, 2);
    // While somebody pays the rest, neither goes.
    let payment = start(&set.world, &set.office, &difference).await;
    set.act(&at(&bill, "/cancel"), Value::Null).await.expect_refusal(409, "payment_under_way");
    set.act(&at(&bill, "/replace"), new_bill()).await.expect_refusal(409, "payment_under_way");
    assert_eq!(set.world.count("bill where state = 'open'").await, 2);
    set.world.tell(&set.world.credit(1, "R1", 100_000, &payment)).await.expect(200);
    // What was paid stays paid.
    set.act(&at(&bill, "/cancel"), Value::Null).await.expect(200);
    assert_eq!(status(&difference).await.0, "paid");
    set.act(&at(&bill, "/revive"), json!({ "due": "2026-12-15" })).await.expect(200);
    assert_eq!(status(&difference).await.0, "paid");
}

#[tokio::test]
async fn a_difference_is_not_asked_for_beside_the_bill_that_took_the_place_of_its_own() {
    let set = set().await;
    let (_, bill) = set.reduced().await;
    let path = format!("/v1/fees/evidence?bill={}", bill["id"].as_str().unwrap());
    let found = set.system.get(&path).await.expect(200).json();
    let path = format!("/v1/fees/evidence/{}/revoke", found["items"][0]["id"].as_str().unwrap());
    let body = json!({ "officer": set.accountant, "reason": "Giấy xác nhận hết hạn", "due": "2026-12-31" });
    let difference = set.act(&path, body).await.expect(200).json()["bill"].clone();
    let replace = format!("/v1/bills/{}/replace", bill["id"].as_str().unwrap());
    let whole = set.act(&replace, new_bill()).await.expect(201).json();
    assert_eq!(whole["total"]["amount"], "205000");
    let read = format!("/v1/bills/{}", difference["id"].as_str().unwrap());
    assert_eq!(set.system.get(&read).await.expect(200).json()["status"], "cancelled");
    // Money that comes for it all the same waits, and is never refused.
    assert_eq!(set.world.count("bill where state = 'open'").await, 1);
}

#[tokio::test]
async fn a_successor_reads_and_revokes_what_a_paid_bill_of_the_old_agency_rested_on() {
    let set = set().await;
    let (_, bill) = set.reduced().await;
    let payment = start(&set.world, &set.office, &bill).await;
    set.world.tell(&set.world.credit(1, "R1", 105_000, &payment)).await.expect(200);
    let heir = Office::open(&set.world, "H29.15").await;
    let third = Office::open(&set.world, "H29.150").await;
    let admin = Office::open(&set.world, "H29").await;
    let administrator = officer(&set.world, "079085000458", Role::Administrator, "H29").await;
    let merger = json!({ "kind": "merge", "from": "2026-11-24", "administrator": administrator,
        "successors": [{ "agency": heir.agency.to_string() }] });
    let succeed = format!("/v1/agencies/{}/succeed", set.office.agency);
    admin.system(&set.world, "admin").post_once(&succeed, "s", &merger).await.expect(200);

    let path = format!("/v1/fees/evidence?bill={}", bill["id"].as_str().unwrap());
    let heirs = heir.system(&set.world, "fee bill receipt.read");
    let found = heirs.get(&path).await.expect(200).json();
    let evidence = found["items"][0]["id"].as_str().unwrap().to_owned();
    let revoke = format!("/v1/fees/evidence/{evidence}/revoke");
    let body = |who: &str| json!({ "officer": who, "reason": "Giấy xác nhận hết hạn", "due": "2026-12-31" });
    let strangers = third.system(&set.world, "fee");
    strangers.get(&path).await.expect_refusal(404, "not_found");
    strangers.post_once(&revoke, "x", &body(&set.accountant)).await.expect_refusal(404, "not_found");
    heirs.post_once(&revoke, "a", &body(&set.approver)).await.expect_refusal(403, "accountant_needed");
    let revoked = heirs.post_once(&revoke, "r", &body(&set.accountant)).await.expect(200).json();
    assert_eq!(heirs.post_once(&revoke, "r", &body(&set.accountant)).await.expect(200).json(), revoked);
    heirs.post_once(&revoke, "b", &body(&set.accountant)).await.expect_refusal(409, "evidence_revoked");
    let difference = &revoked["bill"];
    assert_eq!(
        (&difference["total"]["amount"], &difference["parties"]),
        (&json!("100000"), &bill["parties"])
    );
    assert!(heirs.get(&path).await.expect(200).json()["items"][0]["revoked_at"].is_string());

    // It is the successor's: its money comes to its account, and its receipt is in its name.
    let payment = start(&set.world, &heir, difference).await;
    let now = chung::base::clock::Clock::now(&*set.world.clock);
    let named = Some(crate::office::uuid(&payment));
    let told = crate::central_bank::credit(2, "699", "R2", 100_000, named, now);
    set.world.tell(&told).await.expect(200);
    let read = format!("/v1/bills/{}", difference["id"].as_str().unwrap());
    let heirs = heir.system(&set.world, "bill.read receipt.read");
    assert_eq!(heirs.get(&read).await.expect(200).json()["status"], "paid");
    let receipts = format!("/v1/receipts?bill={}", difference["id"].as_str().unwrap());
    let receipts = heirs.get(&receipts).await.expect(200).json();
    assert!(receipts["items"][0]["number"].as_str().unwrap().starts_with("H29.15-"), "{receipts}");
    assert_eq!(verify_books(&set.world.app.store, |_| {}).await.unwrap().finding, None);
}

#[tokio::test]
async fn what_was_collected_is_declared_per_fee_and_agrees_with_the_books() {
    let set = set().await;
    set.budget().await;
    let bill = set.office.bill(&set.world, "k").await;
    let payment = start(&set.world, &set.office, &bill).await;
    set.world.tell(&set.world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    for period in ["2026-11", "2026"] {
        let path = format!("/v1/fees/declaration?period={period}");
        let told = set.system.get(&path).await.expect(200).json();
        let fee = &told["fees"][0];
        let sums =
            [&fee["collected"], &fee["retained"], &fee["remitted"]].map(|m| m["amount"].as_str().unwrap());
        assert_eq!((fee["fee"].as_str().unwrap(), sums), ("LLTP-01", ["200000", "150000", "50000"]));
        assert_eq!(
            (&fee["chapter"], &fee["retained_basis"]),
            (&json!("414"), &json!("Decree 82/2023 (illustrative)"))
        );
        assert_eq!(
            (&told["retained"]["amount"], &told["remitted"]["amount"]),
            (&json!("153750"), &json!("51250"))
        );
        assert_eq!(
            (&told["agrees_with_books"], &told["budget"]["unit_code"]),
            (&json!(true), &json!("1054321"))
        );
    }
    let before = set.system.get("/v1/fees/declaration?period=2026-10").await.expect(200).json();
    assert_eq!((&before["fees"], &before["agrees_with_books"]), (&json!([]), &json!(true)));
    set.system.get("/v1/fees/declaration?period=26").await.expect_refusal(400, "invalid_parameter");
}

#[tokio::test]
async fn what_the_budget_knows_an_agency_by_is_a_dated_history() {
    let set = set().await;
    set.budget().await;
    let path = format!("/v1/agencies/{}/budget", set.office.agency);
    let moved = json!({
        "area": "79002", "unit_code": "1054321", "treasury_office": "0062", "valid_from": "2026-12-01",
        "retained_account": "3714.0.2054321", "remitted_account": "3511.0.2054321",
    });
    set.act(&path, moved.clone()).await.expect(200);
    set.act(&path, moved.clone()).await.expect(200);
    let mut other = moved.clone();
    other["area"] = json!("79003");
    set.act(&path, other).await.expect_refusal(409, "agency_budget_differs");
    let admin = set.office.system(&set.world, "admin.read fee.read");
    let told = admin.get(&path).await.expect(200).json();
    let days: Vec<&str> =
        told["items"].as_array().unwrap().iter().map(|b| b["valid_from"].as_str().unwrap()).collect();
    assert_eq!(days, ["2026-12-01", "2026-01-01"]);
    // A month is declared by what held in it, whenever it is printed.
    let area = async |month: &str| {
        let path = format!("/v1/fees/declaration?period={month}");
        admin.get(&path).await.expect(200).json()["budget"]["area"].as_str().unwrap().to_owned()
    };
    assert_eq!((area("2026-11").await.as_str(), area("2026-12").await.as_str()), ("79001", "79002"));
    for change in ["update agency_budget set area = '00000'", "delete from agency_budget"] {
        assert!(set.world.sql(change).await.unwrap_err().contains("append-only"), "{change}");
    }
    let nobody = format!(
        "/v1/agencies/{}/budget",
        chung::base::id::Id::<chung::base::id::Agency>::from_uuid(uuid::Uuid::nil())
    );
    admin.get(&nobody).await.expect_refusal(404, "not_found");
}

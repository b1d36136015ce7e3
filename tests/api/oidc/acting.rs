//! Acting for somebody, further: who is listed as kin, both names on everything, what ends a right, and the histories
//! that tell of the money.

use super::mandates::{
    CHILD, CLERK, FATHER, FATHER_NAME, FATHER_PHONE, SON, SON_NAME, SON_PHONE, accept, choose, family,
    for_oneself, paper, record, sign_in, to_son,
};
use super::*;
use crate::board;
use crate::central_bank::{entry, notification};
use crate::identity::cards::{files, holder};
use crate::office::{ACCOUNT, BANK, Office};
use chung::audit::evidence::Evidence;
use chung::base::clock::Clock;
use chung::codec::{iso20022::Direction, population::Notice, receipt_xml};
use chung::crypto::{keyring::Purpose, signing::KeyList};
use chung::flow::{
    send_refund::look_after_refunds, sequence_audit::sequence_audit, take_notice::take_notice,
};
use chung::identity::role::Role;
use chung::sandbox::card::issue;
use serde_json::json;

const GUARDIAN: &str = "079080000555";
const GUARDIAN_PHONE: &str = "+84912345303";
const WARD: &str = "079090000666";
const WARD_NAME: &str = "Phạm Văn Lú";
const HEADER: &str =
    "number,name,birth_date,sex,phone,province,status,died_on,account_level,guardians,capacity_lost_on";

/// A guardian, and a ward of age who lost capacity.
async fn with_ward(scene: &Scene) {
    let people = [
        "079080000555,Phạm Văn Giám,1980-01-01,male,0912345303,79,active,,2,,",
        "079090000666,Phạm Văn Lú,1990-01-01,male,,79,active,,,079080000555,2020-01-01",
    ];
    scene.world.register_under(HEADER, &people).await;
}

/// Records that somebody lost capacity, as the register's next file says it.
async fn loses_capacity(scene: &Scene, line: &str) {
    scene.world.register_under(HEADER, &[line]).await;
}

/// The value of the choice that names this person.
fn listed(page: &Answer, name: &str) -> String {
    let text = page.text();
    let at = text.find(name).unwrap_or_else(|| panic!("{name} is not listed: {text}"));
    let value = text[..at].rsplit("value=\"").next().unwrap();
    value.split('"').next().unwrap().to_owned()
}

/// The register tells that a person has another number now.
async fn renumbered(scene: &Scene, id: &str, number: &str, new: &str) {
    let notice = json!({
        "MaThongBao": id, "SoDinhDanh": number, "Loai": "new_number", "GiaTri": new, "HieuLucTuNgay": "2026-11-20",
    });
    let text = notice.to_string();
    let notice: Notice = serde_json::from_str(&text).unwrap();
    take_notice(&scene.world.app, "REGISTER", &notice, text.as_bytes()).await.unwrap();
}

/// Asks about somebody for whom somebody acts; the answer's `acting`.
async fn asked(scene: &Scene, office: &Office, key: &str, of: (&str, &str), actor: (&str, &str)) -> Value {
    let body = json!({
        "number": of.0, "attributes": { "name": of.1 }, "purpose": "Cấp bản sao trích lục",
        "procedure": "2.000635", "dossier": "H29.77-261124-0001", "officer": "buu.lv",
        "acting": { "number": actor.0, "name": actor.1 },
    });
    let system = office.system(&scene.world, "verification");
    system.post_once("/v1/verifications", key, &body).await.expect(201).json()
}

/// A mandate of the father's that the son has accepted.
async fn accepted(scene: &Scene, office: &Office) -> (String, Actor) {
    let given = record(scene, office, "give", &paper(&to_son())).await.expect(201).json();
    let mandate = given["id"].as_str().unwrap().to_owned();
    let (son, _) = sign_in(scene, SON, SON_PHONE).await;
    accept(&son, &mandate, "accept").await.expect(303);
    (mandate, son)
}

#[tokio::test]
async fn children_are_listed_by_name_and_nobody_is_chosen_who_is_not_ones_own() {
    let (scene, _) = family().await;
    let (mother, page) = sign_in(&scene, HOA, HOA_PHONE).await;
    let text = page.text();
    assert!(text.contains("Trần Thị Bé") && text.contains("con chưa đủ 18 tuổi"), "{text}");
    assert!(!text.contains(CHILD), "the number is not needed: {text}");
    let child = listed(&page, "Trần Thị Bé");
    // Somebody else's identifier in its place gives nothing.
    let everybody = scene.world.dump("(select citizen_id from register_person)").await;
    for row in everybody.lines() {
        let other = format!("citizen_{}", row.trim_matches(|c| c == '(' || c == ')').replace('-', ""));
        if other != child {
            choose(&mother, &page, &other, "").await.expect(422);
        }
    }
    let consent = choose(&mother, &page, &child, "").await.expect(200);
    assert!(consent.text().contains("Trần Thị Bé") && consent.text().contains("Nguyễn Thị Hòa"));
    let code = value(&scene.consent(&mother, &consent, "allow", &[]).await, "code");
    let said = claims(scene.exchange(&code, &[]).await.expect(200).json()["id_token"].as_str().unwrap());
    assert_eq!(said["act"]["right"], "parent");
    // The son is nobody's parent, and is asked nothing.
    let (_, page) = sign_in(&scene, SON, SON_PHONE).await;
    assert!(page.text().contains("name=\"answer\""), "{}", page.text());
    // Twelve years later the child acts alone, and is listed no more.
    scene.world.clock.advance(std::time::Duration::from_secs(12 * 366 * 86_400));
    let (_, page) = sign_in(&scene, HOA, HOA_PHONE).await;
    assert!(page.text().contains("name=\"answer\"") && !page.text().contains("Trần Thị Bé"));
}

#[tokio::test]
async fn a_guardian_acts_for_a_ward_and_a_number_that_changed_still_names_them() {
    let (scene, office) = family().await;
    with_ward(&scene).await;
    let ward = (WARD, WARD_NAME);
    let (guardian, page) = sign_in(&scene, GUARDIAN, GUARDIAN_PHONE).await;
    assert!(page.text().contains("người được giám hộ"), "{}", page.text());
    let consent = choose(&guardian, &page, &listed(&page, WARD_NAME), "").await.expect(200);
    let code = value(&scene.consent(&guardian, &consent, "allow", &[]).await, "code");
    let said = claims(scene.exchange(&code, &[]).await.expect(200).json()["id_token"].as_str().unwrap());
    assert_eq!((&said["act"]["right"], &said["act"]["mandate"]), (&json!("guardian"), &Value::Null));
    let may = asked(&scene, &office, "g", ward, (GUARDIAN, "Phạm Văn Giám")).await;
    assert_eq!((&may["acting"]["right"], &may["acting"]["refused"]), (&json!("guardian"), &Value::Null));
    let stranger = asked(&scene, &office, "s", ward, (SON, SON_NAME)).await;
    assert_eq!(
        (&stranger["acting"]["right"], &stranger["acting"]["refused"]),
        (&Value::Null, &json!("party_unfit"))
    );
    // Whoever has lost capacity gives nobody a mandate and takes none.
    let mut body = paper(&to_son());
    body["principal"] = json!({ "number": WARD, "name": WARD_NAME });
    record(&scene, &office, "from-ward", &body).await.expect_refusal(422, "party_unfit");
    let to_ward = json!({ "person": { "number": WARD, "name": WARD_NAME } });
    record(&scene, &office, "to-ward", &paper(&to_ward)).await.expect_refusal(422, "party_unfit");

    renumbered(&scene, "n1", GUARDIAN, "079080000556").await;
    let may = asked(&scene, &office, "g2", ward, ("079080000556", "Phạm Văn Giám")).await;
    assert_eq!(may["acting"]["right"], "guardian", "{may}");
    let (_, page) = sign_in(&scene, "079080000556", GUARDIAN_PHONE).await;
    assert!(page.text().contains(WARD_NAME), "{}", page.text());
}

#[tokio::test]
async fn a_mandate_ends_when_its_delegate_dies() {
    let (scene, office) = family().await;
    let (mandate, _) = accepted(&scene, &office).await;
    let before = asked(&scene, &office, "before", (FATHER, FATHER_NAME), (SON, SON_NAME)).await;
    assert_eq!(before["acting"]["mandate"], json!(mandate));
    scene
        .world
        .register(&["079088000222,,Nguyễn Văn Con,1988-05-01,male,0912345301,79,deceased,2026-11-23,2,"])
        .await;
    let after = asked(&scene, &office, "after", (FATHER, FATHER_NAME), (SON, SON_NAME)).await;
    assert_eq!(after["acting"]["refused"], "party_unfit", "{after}");
    let (father, _) = sign_in(&scene, FATHER, FATHER_PHONE).await;
    let page = father.get("/me/mandates").await.expect(200).text();
    assert!(page.contains("chấm dứt do có người mất"), "{page}");
}

#[tokio::test]
async fn lost_capacity_of_either_side_ends_a_mandate_and_what_it_gave() {
    let lines = [
        (FATHER, "079060000111,Nguyễn Văn Cha,1960-05-01,male,0912345300,79,active,,2,,2026-11-23"),
        (SON, "079088000222,Nguyễn Văn Con,1988-05-01,male,0912345301,79,active,,2,,2026-11-23"),
    ];
    for (side, line) in lines {
        let (scene, office) = family().await;
        let (mandate, _) = accepted(&scene, &office).await;
        let (son, page) = sign_in(&scene, SON, SON_PHONE).await;
        let consent = choose(&son, &page, &mandate, "").await.expect(200);
        let code = value(&scene.consent(&son, &consent, "allow", &[]).await, "code");
        let tokens = scene.exchange(&code, &[]).await.expect(200).json();
        let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
        portal.get("/oidc/userinfo").await.expect(200);
        loses_capacity(&scene, line).await;
        portal.get("/oidc/userinfo").await.expect(401);
        let after = asked(&scene, &office, side, (FATHER, FATHER_NAME), (SON, SON_NAME)).await;
        assert_eq!(after["acting"]["refused"], "party_unfit", "{side}: {after}");
        let read = office.system(&scene.world, "mandate.read").get(&format!("/v1/mandates/{mandate}")).await;
        let read = read.expect(200).json();
        assert_eq!((&read["status"], &read["ended_by"]), (&json!("ended"), &json!("incapacity")), "{side}");
        assert!(son.get("/me/mandates").await.expect(200).text().contains("mất năng lực hành vi"));
        // A corrected record corrects it.
        loses_capacity(&scene, &line.replace("2026-11-23", "")).await;
        let again =
            asked(&scene, &office, &format!("{side}-again"), (FATHER, FATHER_NAME), (SON, SON_NAME)).await;
        assert_eq!(again["acting"]["mandate"], json!(mandate), "{side}");
    }
}

/// A bill for the father's dossier that the son filed, and its verification.
async fn filed_by_son(scene: &Scene, justice: &Office) -> (Value, Value) {
    let body = json!({
        "number": FATHER, "attributes": { "name": FATHER_NAME }, "purpose": "Cấp Phiếu lý lịch tư pháp",
        "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
        "acting": { "number": SON, "name": SON_NAME },
    });
    let system = justice.system(&scene.world, "verification bill");
    let verified = system.post_once("/v1/verifications", "filed", &body).await.expect(201).json();
    assert_eq!(verified["acting"]["right"], "mandate", "{verified}");
    let bill = json!({
        "dossier": "H29.14-261124-0001", "procedure": "2.000488",
        "lines": [{ "fee": "LLTP-01" }, { "fee": "LLTP-02", "count": 1 }], "channel": "online",
        "due": "2026-12-01", "applicant": { "name": FATHER_NAME, "verification": verified["id"] },
    });
    (system.post_once("/v1/bills", "filed-bill", &bill).await.expect(201).json(), verified)
}

/// Pays at the page as whoever this browser is signed in as; the attempt.
async fn paid(scene: &Scene, justice: &Office, bill: &Value, payer: &Actor, message: u128) -> Value {
    let page = format!("/pay/{}", bill["reference"].as_str().unwrap());
    payer.post_form(&page, &[("bank", BANK)]).await.expect(303);
    let path = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    let read = justice.system(&scene.world, "payment.read");
    let attempt = read.get(&path).await.expect(200).json()["items"][0].clone();
    let sum: i64 = attempt["amount"]["amount"].as_str().unwrap().parse().unwrap();
    let credit = scene.world.credit(message, &format!("R{message}"), sum, attempt["id"].as_str().unwrap());
    scene.world.tell(&credit).await.expect(200);
    attempt
}

#[tokio::test]
async fn both_names_stand_on_consent_verification_bill_payment_and_receipt() {
    let (scene, office) = family().await;
    let justice = Office::open(&scene.world, "H29.14").await;
    let (mandate, _) = accepted(&scene, &office).await;

    // Consent: on the page before it is given, and where the father reads it.
    let (son, page) = sign_in(&scene, SON, SON_PHONE).await;
    let consent = choose(&son, &page, &mandate, "").await.expect(200);
    assert!(consent.text().contains(FATHER_NAME) && consent.text().contains(SON_NAME));
    scene.consent(&son, &consent, "allow", &[]).await;
    let (father, _) = sign_in(&scene, FATHER, FATHER_PHONE).await;
    let sharing = father.get("/me/sharing").await.expect(200).text();
    assert!(sharing.contains(SON_NAME) && sharing.contains(FATHER_NAME), "{sharing}");

    // Verification: where the agency reads it again; a name that it did not know is not told.
    let (bill, verified) = filed_by_son(&scene, &justice).await;
    let system = justice.system(&scene.world, "verification bill.read payment.read receipt.read");
    let path = format!("/v1/verifications/{}", verified["id"].as_str().unwrap());
    let read = system.get(&path).await.expect(200).json();
    assert_eq!(
        (&read["acting"]["actor"], &read["acting"]["principal"]),
        (&json!(SON_NAME), &json!(FATHER_NAME))
    );
    let blind = json!({
        "number": FATHER, "attributes": { "birth_date": "1960-05-01" }, "purpose": "Cấp Phiếu lý lịch tư pháp",
        "procedure": "2.000488", "dossier": "H29.14-261124-0002", "officer": "hoa.nt",
        "acting": { "number": SON, "name": SON_NAME },
    });
    let blind = system.post_once("/v1/verifications", "blind", &blind).await.expect(201).json();
    let read =
        system.get(&format!("/v1/verifications/{}", blind["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&read["acting"]["actor"], &read["acting"]["principal"]), (&json!(SON_NAME), &Value::Null));

    // Bill: at the API, and masked on its page.
    let path = format!("/v1/bills/{}", bill["id"].as_str().unwrap());
    let parties = system.get(&path).await.expect(200).json()["parties"].clone();
    assert_eq!(
        (&parties["applicant"]["name"], &parties["submitter"]["name"]),
        (&json!(FATHER_NAME), &json!(SON_NAME))
    );
    let pay = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let masked = "N•• V•• C••";
    let open = scene.world.stranger().get(&pay).await.expect(200).text();
    assert_eq!(open.matches(masked).count(), 2, "applicant and submitter, masked: {open}");
    assert!(!open.contains(SON_NAME) && !open.contains(FATHER_NAME));
    assert!(son.get(&pay).await.expect(200).text().contains(SON_NAME), "the payer sees their own name");

    // Payment and receipt.
    paid(&scene, &justice, &bill, &son, 1).await;
    let both = format!("{SON_NAME} (nộp thay {FATHER_NAME})");
    let attempts = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    let attempt = system.get(&attempts).await.expect(200).json()["items"][0].clone();
    assert_eq!(attempt["payer"], json!(both));
    let one =
        system.get(&format!("/v1/payments/{}", attempt["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(one["payer"], json!(both));
    let shown = scene.world.stranger().get(&pay).await.expect(200).text();
    assert!(shown.contains("Đã nộp") && shown.matches(masked).count() == 3, "with the payer: {shown}");
    let listed =
        system.get(&format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap())).await.expect(200).json();
    let receipt = format!("/v1/receipts/{}", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(system.get(&receipt).await.expect(200).json()["payer"], json!(both));
    let xml = system.get(&format!("{receipt}/xml")).await.expect(200).text();
    let keys =
        KeyList::from_jwks(&scene.world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    assert_eq!(receipt_xml::read(&xml, &keys).unwrap().0.payer, both);
    let pdf = system.get(&format!("{receipt}/pdf")).await.expect(200);
    assert_eq!(receipt_xml::find(&pdf.body[..]), Some(xml.as_str()), "the PDF carries the same");

    // Who pays without signing in is named nowhere.
    let other = justice.bill(&scene.world, "anonymous").await;
    let attempt = paid(&scene, &justice, &other, &scene.world.stranger(), 2).await;
    assert_eq!(attempt["payer"], Value::Null);
    let one =
        system.get(&format!("/v1/payments/{}", attempt["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&one["status"], &one["payer"]), (&json!("settled"), &Value::Null));
}

/// The proofs that a history page links to.
fn proofs(page: &Answer) -> Vec<String> {
    let text = page.text();
    text.split('"').filter(|part| part.starts_with("/me/history/")).map(str::to_owned).collect()
}

#[tokio::test]
async fn money_goes_on_under_a_lock_and_both_sides_read_every_step_with_its_proof() {
    let (scene, office) = family().await;
    let justice = Office::open(&scene.world, "H29.14").await;
    accepted(&scene, &office).await;
    let (bill, _) = filed_by_son(&scene, &justice).await;
    let (father, _) = sign_in(&scene, FATHER, FATHER_PHONE).await;
    let token = father.get("/me/locks").await.expect(200).form_field("form_token");
    father.post_form("/me/locks", &[("form_token", &token), ("scope", "everything")]).await.expect(200);
    father.get("/me").await.expect(303);

    // Paying, the receipt and the refund need nobody's consent.
    let (son, _) = sign_in(&scene, SON, SON_PHONE).await;
    paid(&scene, &justice, &bill, &son, 1).await;
    board::grant(&scene.world, CLERK, Role::Accountant).await;
    board::grant(&scene.world, HOA, Role::Approver).await;
    let ask =
        json!({ "bill": bill["id"], "reason": "agency_error", "words": "Tính thừa.", "officer": CLERK });
    let refund =
        justice.system(&scene.world, "refund").post_once("/v1/refunds", "r", &ask).await.expect(201).json();
    let approver = board::signed_in(&scene.world, (HOA, HOA_PHONE), "/board").await;
    let page = format!("/board/refunds/{}", refund["id"].as_str().unwrap());
    let token = approver.get(&page).await.expect(200).form_field("form_token");
    approver.post_form(&page, &[("form_token", &token), ("act", "approve")]).await.expect(303);
    look_after_refunds(&scene.world.app).await.unwrap();
    let mut entry = entry("B1", 205_000, Some(uuid_of(&refund)), scene.world.clock.now());
    entry.direction = Direction::Debit;
    let told = notification(9, ACCOUNT, vec![entry], scene.world.clock.now());
    scene.world.tell(&told).await.expect(200);

    // So does a check with the card in person, and with it a counter lifts the lock; without it none does.
    let agency = office.agency.to_string();
    let (clerk, _) = sign_in(&scene, CLERK, "+84912345302").await;
    let token = clerk.get("/desk/mandates").await.expect(200).form_field("form_token");
    let lift = [("form_token", token.as_str()), ("agency", agency.as_str()), ("number", FATHER)];
    clerk.post_form("/desk/locks", &lift).await.expect(422);
    let card = issue(&holder(FATHER, FATHER_NAME, "01/05/1960", "Nam")).unwrap();
    let body = json!({ "officer": CLERK, "number": FATHER, "card": files(&card) });
    let system = office.system(&scene.world, "verification");
    let check = system.post_once("/v1/card-checks", "card", &body).await.expect(201).json();
    assert_eq!(check["verdict"], "passed", "{check}");
    clerk.post_form("/desk/locks", &lift).await.expect(200);

    while sequence_audit(&scene.world.app).await.unwrap() > 0 {}
    // The notice of the lock's end goes out before the code.
    scene.world.last_text(FATHER_PHONE).await;
    scene.world.later(std::time::Duration::from_secs(1));
    let (father, _) = sign_in(&scene, FATHER, FATHER_PHONE).await;
    let keys = scene.world.app.keys.published(Purpose::Record);
    for reader in [&father, &son] {
        let page = reader.get("/me").await.expect(200);
        let text = page.text();
        for shown in [
            "Tiền nộp đã đến",
            "Biên lai được lập",
            "Khoản hoàn tiền có bước mới",
            "Biên lai điều chỉnh vì đã hoàn tiền",
            "chờ duyệt",
            "đã hoàn",
            "H29.14-AP26E-0000001",
            "205.000",
        ] {
            assert!(text.contains(shown), "{shown} in {text}");
        }
        let receipt = text.split('"').find(|part| part.starts_with("/receipts/H29.14-")).unwrap();
        let receipt = scene.world.stranger().get(receipt).await.expect(200).text();
        assert!(receipt.contains(SON_NAME) && receipt.contains(FATHER_NAME), "{receipt}");
        let mut kinds = Vec::new();
        for proof in proofs(&page) {
            let file = reader.get(&proof).await.expect(200).json();
            if file["status"] == "included" {
                let evidence: Evidence = serde_json::from_value(file["evidence"].clone()).unwrap();
                evidence.verify(keys).unwrap();
                kinds.push(evidence.kind.clone());
            }
        }
        for kind in ["payment.received", "receipt.issued", "refund.moved", "receipt.adjusted"] {
            assert!(kinds.iter().any(|k| k == kind), "{kind} in {kinds:?}");
        }
    }
    // Nobody keeps the proof of somebody else's money.
    let others = proofs(&father.get("/me").await.expect(200)).pop().unwrap();
    son.get(&others).await.expect(404);
    assert!(!approver.get("/me").await.expect(200).text().contains("Tiền nộp đã đến"));
}

fn uuid_of(refund: &Value) -> uuid::Uuid {
    refund["id"].as_str().unwrap().strip_prefix("refund_").unwrap().parse().unwrap()
}

#[tokio::test]
async fn subject_mandates_bills_and_history_follow_a_person_to_another_number() {
    const NEW: &str = "079060000112";
    let (scene, office) = family().await;
    let justice = Office::open(&scene.world, "H29.14").await;
    let (mandate, _) = accepted(&scene, &office).await;
    let (bill, _) = filed_by_son(&scene, &justice).await;
    let subject = async |number: &str| {
        let (father, page) = for_oneself(&scene, number, FATHER_PHONE).await;
        let code = value(&scene.consent(&father, &page, "allow", &[]).await, "code");
        let tokens = scene.exchange(&code, &[]).await.expect(200).json();
        (claims(tokens["id_token"].as_str().unwrap())["sub"].clone(), father)
    };
    let (before, _) = subject(FATHER).await;
    renumbered(&scene, "n1", FATHER, NEW).await;
    let (after, father) = subject(NEW).await;
    assert_eq!(before, after);

    let page = father.get("/me").await.expect(200).text();
    assert!(page.contains(SON_NAME) && page.contains("H29.14-261124-0001"), "{page}");
    assert!(page.contains("Cơ sở dữ liệu dân cư báo có thay đổi"), "{page}");
    let mandates = father.get("/me/mandates").await.expect(200).text();
    assert!(mandates.contains(SON_NAME) && mandates.contains(&mandate), "{mandates}");
    let file = father.get("/me/export").await.expect(200).json();
    assert_eq!((&file["record"]["number"], &file["bills"]), (&json!(NEW), &json!([bill["id"]])));
    // The son acts for him as before, under the number of today; the money of the old bill is told to him.
    let may = asked(&scene, &office, "new", (NEW, FATHER_NAME), (SON, SON_NAME)).await;
    assert_eq!(may["acting"]["mandate"], json!(mandate), "{may}");
    paid(&scene, &justice, &bill, &scene.world.stranger(), 1).await;
    assert!(father.get("/me").await.expect(200).text().contains("Tiền nộp đã đến"));
}

//! Receipts and the audit log, as agency, citizen and auditor see them.

use crate::office::Office;
use crate::payments::start;
use crate::world::TestApp;
use chung::audit::{evidence::Evidence, head::TreeHead};
use chung::base::clock::Clock;
use chung::codec::{
    receipt_content::{self, Proof, leaf_names},
    receipt_xml,
};
use chung::crypto::{
    keyring::{KeyRing, Purpose},
    signing::{KeyList, Signer},
};
use chung::flow::{
    sequence_audit::sequence_audit,
    verify_audit::{Finding, Report, verify_audit},
};
use chung::store::audit_tree;
use serde_json::{Value, json};

/// A paid bill's receipt, as the list names it.
async fn paid(world: &TestApp, office: &Office) -> Value {
    let bill = office.bill(world, "k").await;
    let payment = start(world, office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    let path = format!("/v1/receipts?bill={}", bill["id"].as_str().unwrap());
    let listed = office.system(world, "receipt.read").get(&path).await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    listed["items"][0].clone()
}

async fn keys(world: &TestApp) -> KeyList {
    KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap()
}

async fn audit(world: &TestApp, kept: Option<&str>) -> Report {
    verify_audit(&world.app.store, &world.app.keys, kept, |_| {}).await.unwrap()
}

async fn newest_head(world: &TestApp) -> String {
    let mut tx = world.app.store.begin().await.unwrap();
    audit_tree::last_head(&mut tx).await.unwrap().unwrap().signed
}

fn path_of(receipt: &Value, part: &str) -> String {
    format!("/v1/receipts/{}{part}", receipt["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_receipt_is_numbered_signed_kept_and_seen_by_its_agency_alone() {
    let world = TestApp::start().await;
    let (office, other) = (Office::open(&world, "H29.14").await, Office::open(&world, "H29.150").await);
    let receipt = paid(&world, &office).await;
    assert_eq!(receipt["number"], "H29.14-AP26E-0000001");
    assert_eq!(receipt["total"], json!({"amount": "205000", "currency": "VND"}));
    let system = office.system(&world, "receipt.read");
    let read = system.get(&path_of(&receipt, "")).await.expect(200).json();
    assert_eq!((&read["payer"], &read["dossier"]), (&json!("Nguyễn Thị Hòa"), &json!("H29.14-261124-0001")));
    assert_eq!(read["proof"]["status"], "pending");

    let pdf = system.get(&path_of(&receipt, "/pdf")).await.expect(200);
    let again = system.get(&path_of(&receipt, "/pdf")).await.expect(200);
    assert!(pdf.body.starts_with(b"%PDF-") && pdf.body == again.body);
    let xml = system.get(&path_of(&receipt, "/xml")).await.expect(200).text();
    assert_eq!(receipt_xml::find(&pdf.body[..]), Some(xml.as_str()));
    let (content, digest) = receipt_xml::read(&xml, &keys(&world).await).unwrap();
    assert_eq!(json!(hex::encode(digest)), receipt["content_sha256"]);
    assert_eq!((content.payer.as_str(), content.total), ("Nguyễn Thị Hòa", 205_000));

    let stranger = other.system(&world, "receipt.read");
    for part in ["", "/pdf", "/xml", "/proof"] {
        stranger.get(&path_of(&receipt, part)).await.expect_refusal(404, "not_found");
        office
            .system(&world, "bill")
            .get(&path_of(&receipt, part))
            .await
            .expect_refusal(403, "scope_missing");
    }
    let listed = stranger.get("/v1/receipts").await.expect(200).json();
    assert_eq!(listed, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn whoever_holds_a_receipt_checks_it_and_a_number_alone_opens_nothing() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receipt = paid(&world, &office).await;
    let (number, code) = (receipt["number"].as_str().unwrap(), receipt["check_code"].as_str().unwrap());
    let citizen = world.stranger();
    let closed = citizen.get(&format!("/receipts/{number}")).await.expect(200).text();
    assert!(closed.contains(number) && !closed.contains("Hòa") && !closed.contains("205.000"));
    citizen.get(&format!("/receipts/{number}?code=0000000000000000")).await.expect(404);
    citizen.get(&format!("/receipts/{number}/pdf?code=")).await.expect(404);
    let typed = [("number", number), ("code", &code.to_lowercase())];
    let page = citizen.post_form("/receipts", &typed).await.expect(303).location();
    let shown = citizen.get(&page).await.expect(200).text();
    assert!(shown.contains("Biên lai thật") && shown.contains("Nguyễn Thị Hòa") && shown.contains("205.000"));
    let xml = citizen.get(&format!("/receipts/{number}/xml?code={code}")).await.expect(200).text();
    let (_, signed) = xml.split_once("<NDKy>").unwrap();
    let signed = signed.split_once("</NDKy>").unwrap().0;
    let english = citizen.post_form("/receipts?lang=en", &[("content", signed)]).await.expect(200).text();
    assert!(english.contains("This receipt is genuine"));
    for pasted in
        [xml.replace("205000", "305000"), signed[..signed.len() - 3].to_owned(), "xin chào".to_owned()]
    {
        let refused = citizen.post_form("/receipts", &[("content", &pasted)]).await.expect(422).text();
        assert!(refused.contains("receipt_not_believed"), "{refused}");
    }
    citizen.post_form("/receipts", &[("content", " ")]).await.expect(422);
}

#[tokio::test]
async fn what_was_signed_verifies_years_later_against_the_published_list_alone() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let old = paid(&world, &office).await;
    let system = office.system(&world, "receipt.read");
    let signed = system.get("/v1/receipts/signed").await.expect(200).json()["items"][0]["signed"].clone();
    let code =
        format!("/receipts/{}?code={}", old["number"].as_str().unwrap(), old["check_code"].as_str().unwrap());
    let first = world.app.keys.signing(Purpose::Record).kid().to_owned();
    // Another key signs from now on, and six years go by.
    let (now, ahead) = (world.clock.now(), time::Duration::minutes(10));
    let rotated = KeyRing::rotated(&world.app.keys.to_toml(), Purpose::Record, now, ahead, None).unwrap();
    assert!(world.app.keys.adopt(&rotated, now).unwrap());
    world.later(std::time::Duration::from_secs(6 * 365 * 86_400));
    world.app.keys.turn(world.clock.now());
    assert_ne!(world.app.keys.signing(Purpose::Record).kid(), first);
    let list = keys(&world).await;
    let (content, digest) = receipt_content::verify(signed.as_str().unwrap(), &list).unwrap();
    assert_eq!(content.number.to_string(), old["number"].as_str().unwrap());
    assert_eq!(json!(hex::encode(digest)), old["content_sha256"]);
    let citizen = world.stranger();
    assert!(citizen.get(&code).await.expect(200).text().contains("Biên lai thật"));
    let pasted = [("content", signed.as_str().unwrap())];
    assert!(citizen.post_form("/receipts", &pasted).await.expect(200).text().contains("Biên lai thật"));
    // A list without the key that signed it believes nothing.
    let other = KeyList::from_jwks(r#"{"keys":[]}"#);
    assert!(other.is_err() || receipt_content::verify(signed.as_str().unwrap(), &other.unwrap()).is_err());
}

#[tokio::test]
async fn every_decision_gets_a_place_and_its_proof_holds_offline() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receipt = paid(&world, &office).await;
    let waiting = audit(&world, None).await;
    assert!(waiting.waiting >= 3 && waiting.leaves == 0 && waiting.finding.is_none(), "{waiting:?}");
    let placed = sequence_audit(&world.app).await.unwrap();
    assert_eq!((placed as u64, sequence_audit(&world.app).await.unwrap()), (waiting.waiting, 0));
    let proof = office.system(&world, "receipt.read").get(&path_of(&receipt, "/proof")).await.expect(200);
    let proof: Proof<Evidence> = serde_json::from_str(&proof.text()).unwrap();
    let (keys, evidence) = (keys(&world).await, proof.evidence.unwrap());
    let (head, log) = evidence.verify(&keys).unwrap();
    assert_eq!((head.size, log), (waiting.waiting, world.app.origin.to_string()));
    let digest = hex::decode(receipt["content_sha256"].as_str().unwrap()).unwrap().try_into().unwrap();
    let details: Value = serde_json::from_str(&evidence.details).unwrap();
    assert!(leaf_names(&details, "H29.14-AP26E-0000001", &digest), "{details}");
    assert!(
        !leaf_names(&details, "H29.14-AP26E-0000002", &digest),
        "a proof holds for its own receipt alone"
    );

    office.bill(&world, "another").await;
    sequence_audit(&world.app).await.unwrap();
    let report = audit(&world, Some(&evidence.head)).await;
    assert_eq!((report.finding, report.heads, report.waiting, report.erased), (None, 2, 0, 0));
    assert_eq!(report.opened, report.leaves);
    let newest = newest_head(&world).await;
    assert_eq!(TreeHead::verify(&newest, &keys).unwrap().0.size, report.leaves);
}

#[tokio::test]
async fn a_changed_log_is_found_at_its_first_wrong_leaf_and_erasure_is_no_change() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    paid(&world, &office).await;
    sequence_audit(&world.app).await.unwrap();
    let kept = newest_head(&world).await;
    let second = "(select leaf_id from audit_place where place = 1)";
    world.sql("update audit_leaf set kind = 'x'").await.expect_err("the log is append-only");
    world.sql(&format!("delete from audit_detail where leaf_id = {second}")).await.unwrap();
    let report = audit(&world, Some(&kept)).await;
    assert_eq!((report.finding, report.erased), (None, 1));

    world.sql("alter table audit_leaf disable trigger user").await.unwrap();
    world
        .sql(&format!("update audit_leaf set at = at + interval '1 second' where id = {second}"))
        .await
        .unwrap();
    let found = audit(&world, None).await.finding.unwrap();
    assert!(matches!(found, Finding::Leaf(1, _)), "{found}");
    world
        .sql(&format!("update audit_leaf set at = at - interval '1 second' where id = {second}"))
        .await
        .unwrap();

    world.sql("alter table audit_node disable trigger user").await.unwrap();
    world
        .sql("update audit_node set hash = decode(repeat('00', 32), 'hex') where level = 1 and idx = 0")
        .await
        .unwrap();
    assert_eq!(audit(&world, None).await.finding, Some(Finding::Node(1)));
    world
        .sql("alter table audit_place disable trigger user; delete from audit_place where place = 2")
        .await
        .unwrap();
    assert_eq!(audit(&world, None).await.finding, Some(Finding::Missing(2)));
    world
        .sql("alter table tree_head disable trigger user; truncate audit_place, audit_node, tree_head, head_stamp")
        .await
        .unwrap();
    assert_eq!(
        audit(&world, Some(&kept)).await.finding,
        Some(Finding::KeptHeadBeyond(TreeHead::verify(&kept, &keys(&world).await).unwrap().0.size))
    );
    assert_eq!(audit(&world, Some("a.b.c")).await.finding, Some(Finding::KeptHeadUnsigned));
}

//! Receipts as documents: signed by the agency itself, numbered from registered series, void, replaced, waiting, and made
//! by somebody else.

use crate::office::Office;
use crate::payments::start;
use crate::tools::said;
use crate::webhooks::{Receiver, register, tell};
use crate::world::TestApp;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router, routing::post};
use chung::codec::{asn1, receipt_content, receipt_void, receipt_xml, signer_certificate};
use chung::crypto::signing::{KeyList, Signer, SigningKey};
use chung::flow::issue_due_receipts::issue_due_receipts;
use der::{Decode, Encode};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A bill under that key, paid under that reference of the bank; the bill's identifier.
async fn paid(world: &TestApp, office: &Office, key: &str) -> String {
    let bill = office.bill(world, key).await;
    let payment = start(world, office, &bill).await;
    let number = u128::from(key.bytes().fold(0_u8, u8::wrapping_add)) + 10;
    world.tell(&world.credit(number, key, 205_000, &payment)).await.expect(200);
    bill["id"].as_str().unwrap().to_owned()
}

async fn receipts(world: &TestApp, office: &Office, bill: &str) -> Vec<Value> {
    let system = office.system(world, "receipt.read");
    let listed = system.get(&format!("/v1/receipts?bill={bill}")).await.expect(200).json();
    listed["items"].as_array().unwrap().clone()
}

fn path(receipt: &Value, part: &str) -> String {
    format!("/v1/receipts/{}{part}", receipt["id"].as_str().unwrap())
}

/// What poppler's pdfsig says of a file, where it is installed.
pub fn judged(file: &[u8], name: &str) -> Option<String> {
    let path = std::env::temp_dir().join(format!("chung-api-{}-{name}.pdf", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let said = said(Command::new("pdfsig").arg(&path));
    std::fs::remove_file(&path).unwrap();
    said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned())
}

#[tokio::test]
async fn a_receipt_is_signed_by_its_agency_and_an_independent_tool_accepts_it() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = paid(&world, &office, "k").await;
    let receipt = receipts(&world, &office, &bill).await.remove(0);
    let system = office.system(&world, "receipt.read");
    let pdf = system.get(&path(&receipt, "/pdf")).await.expect(200).body;
    if let Some(said) = judged(&pdf, "agency") {
        for expected in ["Signature is Valid", "ETSI.CAdES.detached", "Sở Tư pháp", "Total document signed"]
        {
            assert!(said.contains(expected), "{expected} in {said}");
        }
    }
    assert!(pdf.windows(8).any(|w| w == b"pdfaid:p"), "it is still PDF/A");
    let signers = format!("/v1/agencies/{}/signers", office.agency);
    let listed = office.system(&world, "admin.read").get(&signers).await.expect(200).json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["own"]), (1, &json!(true)));
    assert!(!world.dump("document_signer").await.contains("308187020100"), "the key is sealed");
}

#[tokio::test]
async fn an_authority_certifies_the_agencys_key_and_no_other() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let admin = office.system(&world, "admin admin.read");
    let signers = format!("/v1/agencies/{}/signers", office.agency);
    let asked = admin.post_once(&signers, "a", &json!({})).await.expect(201).json();
    let request =
        asn1::from_pem("CERTIFICATE REQUEST", asked["request"].as_str().unwrap()).unwrap().remove(0);
    let read = x509_cert::request::CertReq::from_der(&request).unwrap();
    let point: [u8; 65] = read.info.public_key.subject_public_key.raw_bytes().try_into().unwrap();
    let signature = read.signature.raw_bytes();
    assert!(!signature.is_empty() && read.info.to_der().is_ok());

    // The authority of this story certifies what the request names.
    let authority = SigningKey::generate();
    let certify = |point: &[u8; 65], days: i64| {
        let from = world.app.clock.now();
        let subject = signer_certificate::Subject { name: "Sở Tư pháp", tax_code: None };
        let unsigned =
            signer_certificate::own(subject, point, [3; 16], (from, from + time::Duration::days(days)));
        let signature = authority.sign(unsigned.message());
        asn1::pem("CERTIFICATE", &unsigned.finish(&signature))
    };
    let install = format!("/v1/signers/{}/certificate", asked["id"].as_str().unwrap());
    let body = |pem: &str| json!({ "certificates": pem });
    for (key, pem) in [
        ("b", "nothing".to_owned()),
        ("c", certify(authority.verifying_key().point(), 365)),
        ("d", certify(&point, -1)),
    ] {
        admin.post_once(&install, key, &body(&pem)).await.expect_refusal(422, "certificate_unfit");
    }
    let good = certify(&point, 365);
    let installed = admin.post_once(&install, "e", &body(&good)).await.expect(200).json();
    assert_eq!((&installed["own"], &installed["certificate"]), (&json!(false), &json!(good)));
    admin.post_once(&install, "f", &body(&good)).await.expect_refusal(409, "certificate_exists");
    let bill = paid(&world, &office, "k").await;
    let receipt = receipts(&world, &office, &bill).await.remove(0);
    let pdf = office.system(&world, "receipt.read").get(&path(&receipt, "/pdf")).await.expect(200).body;
    let der = asn1::from_pem("CERTIFICATE", &good).unwrap().remove(0);
    let hex = hex::encode(der);
    assert!(pdf.windows(hex.len()).any(|w| w == hex.as_bytes()), "the authority's certificate signs");
    office
        .system(&world, "receipt")
        .post_once(&signers, "g", &json!({}))
        .await
        .expect_refusal(403, "scope_missing");
}

#[tokio::test]
async fn a_receipt_is_replaced_by_another_and_both_tell() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let receiver = Receiver::start().await;
    register(&world, &office, &receiver.url, &["receipt.replaced"]).await;
    let bill = paid(&world, &office, "k").await;
    let old = receipts(&world, &office, &bill).await.remove(0);
    let system = office.system(&world, "receipt receipt.read");
    world.later(Duration::from_secs(3_600));
    let wanted = json!({
        "reason": "Ghi tên công ty", "name": "Công ty TNHH Mẫu", "tax_code": "0301234567-001",
        "address": "1 Pasteur, Thành phố Hồ Chí Minh",
    });
    let replace = path(&old, "/replace");
    let new = system.post_once(&replace, "r", &wanted).await.expect(201).json();
    assert_eq!(new["number"], "H29.14-AP26E-0000002");
    assert_eq!((&new["replaces"], &new["payer_tax_code"]), (&old["number"], &json!("0301234567-001")));
    assert_eq!((&new["paid_at"], &new["total"]), (&old["issued_at"], &old["total"]));
    let again = system.post_once(&replace, "r", &wanted).await.expect(201).json();
    assert_eq!(again["number"], new["number"]);
    system.post_once(&replace, "s", &wanted).await.expect_refusal(409, "receipt_void_already");

    let read = system.get(&path(&old, "")).await.expect(200).json();
    assert_eq!((&read["state"], &read["void"]["replaced_by"]), (&json!("replaced"), &new["number"]));
    let keys = world.stranger().get("/receipts/keys").await.expect(200).text();
    let keys = KeyList::from_jwks(&keys).unwrap();
    let notice = receipt_void::verify(read["void"]["signed"].as_str().unwrap(), &keys).unwrap();
    assert_eq!(json!(notice.content_sha256), old["content_sha256"]);
    let xml = system.get(&path(&new, "/xml")).await.expect(200).text();
    let (content, _) = receipt_xml::read(&xml, &keys).unwrap();
    assert_eq!(content.payer_address.as_deref(), Some("1 Pasteur, Thành phố Hồ Chí Minh"));
    assert!(xml.contains("<MST>0301234567-001</MST>") && xml.contains("H29.14-AP26E-0000001"));

    // Whoever still holds the old one learns it at the check page.
    let checked =
        format!("/receipts/{}?code={}", old["number"].as_str().unwrap(), old["check_code"].as_str().unwrap());
    let page = world.stranger().get(&checked).await.expect(200).text();
    assert!(page.contains("đã bị hủy") && page.contains("H29.14-AP26E-0000002"), "{page}");
    tell(&world.app).await;
    assert_eq!(receiver.heard()[0].json()["data"]["replaced_by_number"], new["number"]);
    assert_eq!(world.count("audit_leaf where kind = 'receipt.replaced'").await, 1);
    for (key, body) in [
        ("x", json!({ "reason": "x", "name": "Công ty", "tax_code": "0301234567" })),
        ("y", json!({ "reason": "x", "name": "Công ty", "tax_code": "12", "address": "x" })),
        ("z", json!({ "reason": "", "name": "Công ty" })),
    ] {
        system.post_once(&path(&new, "/replace"), key, &body).await.expect_refusal(400, "invalid_body");
    }
    let other = Office::open(&world, "H29.150").await.system(&world, "receipt");
    other.post_once(&path(&new, "/replace"), "o", &wanted).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn two_who_take_one_receipt_back_at_once_do_it_once() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = paid(&world, &office, "k").await;
    let receipt = receipts(&world, &office, &bill).await.remove(0);
    let system = office.system(&world, "receipt");
    let (void, replace) = (path(&receipt, "/void"), path(&receipt, "/replace"));
    let reason = json!({ "reason": "Lập trùng" });
    let other = json!({ "reason": "Sai tên", "name": "Ai khác" });
    let (one, two) =
        tokio::join!(system.post_once(&void, "a", &reason), system.post_once(&replace, "b", &other));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses == [200, 409] || statuses == [201, 409], "{statuses:?}");
    assert_eq!(world.count("receipt_void").await, 1);
    let read = office.system(&world, "receipt.read").get(&path(&receipt, "")).await.expect(200).json();
    assert_ne!(read["state"], "issued");
}

#[tokio::test]
async fn numbers_go_on_in_the_next_series_and_wait_when_there_is_none() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "receipt receipt.read");
    let series = |letters: &str, last: i64| {
        json!({
            "kind": "phi", "letters": letters, "form": "01BLP0-001", "first": 1, "last": last,
            "valid_from": "2026-11-01", "valid_to": "2026-12-31",
        })
    };
    let first = system.post_once("/v1/receipts/series", "a", &series("AP", 1)).await.expect(201).json();
    assert_eq!((&first["series"], &first["left"]), (&json!("AP-26E"), &json!(1)));
    system.post_once("/v1/receipts/series", "b", &series("AP", 9)).await.expect_refusal(409, "series_exists");
    for (key, wrong) in [("c", series("AL", 9)), ("d", series("ZZ", 9)), ("e", series("CP", 0))] {
        system.post_once("/v1/receipts/series", key, &wrong).await.expect_refusal(400, "invalid_body");
    }
    let mut numbers = Vec::new();
    for key in ["k1", "k2"] {
        let bill = paid(&world, &office, key).await;
        numbers.push((bill.clone(), receipts(&world, &office, &bill).await));
    }
    assert_eq!(numbers[0].1[0]["number"], "H29.14-AP26E-0000001");
    assert!(numbers[1].1.is_empty(), "no number was left");
    let waiting = office.system(&world, "bill.read");
    let bill = waiting.get(&format!("/v1/bills/{}", numbers[1].0)).await.expect(200).json();
    assert_eq!((&bill["status"], &bill["receipts"]["state"]), (&json!("paid"), &json!("pending")));
    let page = world.stranger().get(&format!("/pay/{}", bill["reference"].as_str().unwrap())).await;
    assert!(page.expect(200).text().contains("biên lai đang được lập"));
    let due = system.get("/v1/receipts/due").await.expect(200).json();
    assert_eq!((&due["items"][0]["bill"], &due["items"][0]["reason"]), (&bill["id"], &json!("no_series")));
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1);
    let replace = path(&numbers[0].1[0], "/replace");
    let other = json!({ "reason": "Sai tên", "name": "Ai khác" });
    system.post_once(&replace, "r", &other).await.expect_refusal(409, "no_receipt_series");

    world.later(Duration::from_secs(60));
    system.post_once("/v1/receipts/series", "f", &series("BP", 500)).await.expect(201);
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 1);
    let issued = receipts(&world, &office, &numbers[1].0).await.remove(0);
    assert_eq!(issued["number"], "H29.14-BP26E-0000001");
    let read = system.get(&path(&issued, "")).await.expect(200).json();
    assert_eq!((&read["form"], &read["paid_at"]), (&json!("01BLP0-001"), &bill["paid_at"]));
    assert_eq!(world.count("receipt_due").await, 0);
    let events = office.system(&world, "event.read").get("/v1/events").await.expect(200).json();
    assert_eq!(events["items"][0]["type"], "receipt.issued");

    let void = path(&issued, "/void");
    system.post_once(&void, "v", &json!({ "reason": "Lập trùng" })).await.expect(200);
    let used = system.get("/v1/receipts/use?quarter=2026-Q4").await.expect(200).json();
    let of = |letters: &str| {
        used["items"].as_array().unwrap().iter().find(|row| row["series"] == letters).unwrap().clone()
    };
    assert_eq!((&of("AP-26E")["issued"]["count"], &of("AP-26E")["closing"]["count"]), (&json!(1), &json!(0)));
    let second = of("BP-26E");
    assert_eq!((&second["issued"]["to"], &second["voided"]), (&json!("0000001"), &json!(1)));
    assert_eq!(second["closing"], json!({ "from": "0000002", "to": "0000500", "count": 499 }));
    for wrong in ["/v1/receipts/use", "/v1/receipts/use?quarter=2026-Q5", "/v1/receipts/use?quarter=x"] {
        system.get(wrong).await.expect_refusal(400, "invalid_parameter");
    }
    let next_year = system.get("/v1/receipts/use?quarter=2027-Q1").await.expect(200).json();
    assert_eq!(next_year["items"], json!([]));
}

#[tokio::test]
async fn settling_at_once_leaves_no_gap_in_the_numbers() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let mut told = Vec::new();
    for i in 0..12_u128 {
        let bill = office.bill(&world, &format!("b{i}")).await;
        let payment = start(&world, &office, &bill).await;
        told.push(world.credit(100 + i, &format!("R{i}"), 205_000, &payment));
    }
    let settled = futures_util::future::join_all(told.iter().map(|credit| world.tell(credit))).await;
    assert!(settled.iter().all(|answer| answer.status == 200));
    let count = "receipt r where number = 'H29.14-AP26E-' || lpad((select count(*) from receipt o
                 where o.id <= r.id)::text, 7, '0') or true";
    assert_eq!(world.count(count).await, 12);
    let gaps = "generate_series(1, 12) n where not exists (select from receipt
                where number = 'H29.14-AP26E-' || lpad(n::text, 7, '0'))";
    assert_eq!(world.count(gaps).await, 0);
    let signed =
        office.system(&world, "receipt.read").get("/v1/receipts/signed?limit=5").await.expect(200).json();
    let keys = KeyList::from_jwks(&world.stranger().get("/receipts/keys").await.expect(200).text()).unwrap();
    assert_eq!(signed["items"].as_array().unwrap().len(), 5);
    for item in signed["items"].as_array().unwrap() {
        let (content, _) = receipt_content::verify(item["signed"].as_str().unwrap(), &keys).unwrap();
        assert_eq!(json!(content.number.to_string()), item["number"]);
    }
    let again =
        office.system(&world, "receipt.read").get("/v1/receipts/signed?limit=5").await.expect(200).json();
    assert_eq!(again, signed, "they are kept as they were first made");
}

#[tokio::test]
async fn the_payer_names_a_company_until_the_receipt_is_issued() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let address = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let form = format!("{address}/receipt-name");
    let payer = world.stranger();
    let wrong = [("receipt_name", "Công ty"), ("tax_code", "123"), ("address", "")];
    let page = payer.post_form(&form, &wrong).await.expect(422).text();
    assert!(page.contains("Mã số thuế có 10 hoặc 13 chữ số"), "{page}");
    let homeless = [("receipt_name", "Công ty"), ("tax_code", "0301234567"), ("address", "")];
    assert!(payer.post_form(&form, &homeless).await.expect(422).text().contains("kèm theo mã số thuế"));
    let named = [("receipt_name", "Công ty TNHH Sai"), ("tax_code", "0301234567"), ("address", "1 Pasteur")];
    payer.post_form(&form, &named).await.expect(303);
    let named = [("receipt_name", "Công ty TNHH Mẫu"), ("tax_code", "0301234567"), ("address", "1 Pasteur")];
    payer.post_form(&form, &named).await.expect(303);
    let shown = payer.get(&address).await.expect(200).text();
    assert!(
        shown.contains("Biên lai sẽ ghi") && !shown.contains("0301234567") && !shown.contains("TNHH Mẫu")
    );

    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    let receipt = receipts(&world, &office, bill["id"].as_str().unwrap()).await.remove(0);
    let read = office.system(&world, "receipt.read").get(&path(&receipt, "")).await.expect(200).json();
    assert_eq!((&read["payer"], &read["payer_tax_code"]), (&json!("Công ty TNHH Mẫu"), &json!("0301234567")));
    payer.post_form(&form, &named).await.expect(409);
    assert!(!world.dump("receipt_name").await.contains("Mẫu"), "the name is sealed");
    let foreign = payer
        .request(reqwest::Method::POST, &form)
        .header("origin", "https://elsewhere.example")
        .form(&named);
    payer.send(foreign).await.expect(403);
}

#[tokio::test]
async fn a_name_that_the_fonts_lack_stops_no_receipt() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let bill = office.bill(&world, "k").await;
    let form = format!("/pay/{}/receipt-name", bill["reference"].as_str().unwrap());
    let named = [("receipt_name", "李明 €"), ("tax_code", ""), ("address", "")];
    world.stranger().post_form(&form, &named).await.expect(303);
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    let receipt = receipts(&world, &office, bill["id"].as_str().unwrap()).await.remove(0);
    let system = office.system(&world, "receipt.read");
    assert!(system.get(&path(&receipt, "/pdf")).await.expect(200).body.starts_with(b"%PDF-1.7"));
    assert!(system.get(&path(&receipt, "/xml")).await.expect(200).text().contains("李明 €"));
}

/// Another issuer of receipts, with a memory of its orders and with bad days.
#[derive(Default)]
struct OtherIssuer {
    orders: Mutex<Vec<(String, Value)>>,
    down: Mutex<bool>,
}

async fn take(
    State(issuer): State<Arc<OtherIssuer>>,
    headers: HeaderMap,
    Json(order): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let mut orders = issuer.orders.lock().unwrap();
    let place = orders.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
        orders.push((key, order));
        orders.len() - 1
    });
    if *issuer.down.lock().unwrap() || headers["authorization"] != "Bearer a-secret-of-theirs" {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({})));
    }
    let made = json!({
        "form": "1/001", "series": "C26TMB", "number": format!("{:07}", place + 1),
        "issued_at": "2026-11-24T02:05:00Z", "lookup": "https://bienlai.example/tra-cuu?ma=ABC",
    });
    (StatusCode::OK, Json(made))
}

#[tokio::test]
async fn another_issuer_makes_the_receipts_once_whatever_happens_to_its_answers() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/orders", listener.local_addr().unwrap());
    let issuer = Arc::new(OtherIssuer::default());
    let router = Router::new().route("/orders", post(take)).with_state(issuer.clone());
    let mut running = JoinSet::new();
    running.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    let admin = office.system(&world, "admin");
    let set = format!("/v1/agencies/{}/receipt-issuer", office.agency);
    let body = json!({ "issuer": "other", "url": url, "token": "a-secret-of-theirs" });
    let answer = admin.post_once(&set, "a", &body).await.expect(200).json();
    assert_eq!((&answer["issuer"], answer.get("token")), (&json!("other"), None));
    assert!(!world.dump("receipt_issuer").await.contains("a-secret-of-theirs"));
    let half = json!({ "issuer": "other", "url": url });
    admin.post_once(&set, "b", &half).await.expect_refusal(400, "invalid_body");

    *issuer.down.lock().unwrap() = true;
    let bill = paid(&world, &office, "k").await;
    let read = async || {
        let path = format!("/v1/bills/{bill}");
        office.system(&world, "bill.read").get(&path).await.expect(200).json()["receipts"].clone()
    };
    assert_eq!(read().await["state"], "pending");
    issue_due_receipts(&world.app).await.unwrap();
    assert_eq!(issuer.orders.lock().unwrap().len(), 1, "it was made, but nobody heard of it");
    assert_eq!(read().await["state"], "pending");
    let due = office.system(&world, "receipt.read").get("/v1/receipts/due").await.expect(200).json();
    assert_eq!(due["items"][0]["last_outcome"], "silence");
    assert_eq!(issue_due_receipts(&world.app).await.unwrap(), 0, "it rests for a while");
    let asked = office.system(&world, "bill.read").get(&format!("/v1/bills/{bill}")).await.expect(200).json();
    let form = format!("/pay/{}/receipt-name", asked["reference"].as_str().unwrap());
    let named = [("receipt_name", "Công ty TNHH Mẫu"), ("tax_code", ""), ("address", "")];
    world.stranger().post_form(&form, &named).await.expect(409);

    *issuer.down.lock().unwrap() = false;
    world.later(Duration::from_secs(60));
    issue_due_receipts(&world.app).await.unwrap();
    let receipts_of = read().await;
    assert_eq!(receipts_of["state"], "issued");
    assert_eq!(receipts_of["elsewhere"][0]["number"], "0000001");
    assert_eq!(issuer.orders.lock().unwrap().len(), 1, "the same order again");
    let order = issuer.orders.lock().unwrap()[0].1.clone();
    assert_eq!((&order["total"], &order["name"]), (&json!(205_000), &json!("Nguyễn Thị Hòa")));
    assert_eq!(world.count("receipt").await, 0, "never both");

    admin.post_once(&set, "c", &json!({ "issuer": "chung" })).await.expect(200);
    let ours = paid(&world, &office, "l").await;
    let given = receipts(&world, &office, &ours).await;
    assert_eq!(given.len(), 1);
    // Nor does one of ours stand in the place of another while somebody else makes them.
    admin.post_once(&set, "d", &body).await.expect(200);
    let system = office.system(&world, "receipt");
    let wanted = json!({ "reason": "Sai tên", "name": "Công ty Mẫu" });
    let refused = system.post_once(&path(&given[0], "/replace"), "r", &wanted).await;
    refused.expect_refusal(409, "receipts_elsewhere");
    assert_eq!((world.count("receipt").await, world.count("receipt_void").await), (1, 0));
    drop(running);
}

//! An agency system that speaks the payment platform's protocol and only changed the address; and what live systems do
//! wrong.

use crate::document::document;
use crate::office::{ACCOUNT, Office};
use crate::world::{Actor, TestApp};
use chung::base::{calendar::Day, clock::Clock, id::Id, text::Line};
use chung::codec::payment_platform::{self as wire, Confirm, Reply, checksum, is_genuine, stamp};
use chung::flow::fee_file::SAMPLE_ITEMS;
use chung::flow::platform::{confirm_payments, register_partner, tolerate};
use chung::flow::succeed_agency::effect_successions;
use chung::partner::platform::{Platform, RemotePlatform, Unsent};
use chung::store::succession::{self, Succession};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECRET: &str = "SECRET";
const CODE: &str = "DT01";

/// The partner's end, which understands when it is told to.
#[derive(Default)]
pub struct Partners {
    pub told: Mutex<Vec<(String, Confirm)>>,
    pub deaf: Mutex<bool>,
    /// Addresses where nobody answers.
    pub silent: Mutex<Vec<String>>,
    pub forges: Mutex<bool>,
    pub state: Mutex<String>,
    pub asked: Mutex<Vec<Value>>,
}

impl Platform for Partners {
    fn post<'a>(&'a self, url: &'a str, body: Vec<u8>) -> BoxFuture<'a, Result<Vec<u8>, Unsent>> {
        if let Some(answer) = self.national(&body) {
            return Box::pin(async move { answer });
        }
        let confirm: Confirm = serde_json::from_slice(&body).unwrap();
        let silent = self.silent.lock().unwrap().iter().any(|silent| silent == url);
        let answer = if silent || *self.deaf.lock().unwrap() {
            Err(Unsent::NoAnswer)
        } else {
            let reply = Reply {
                ma_loi: "00".to_owned(),
                ma_doi_tac: confirm.ma_doi_tac.clone(),
                ma_tham_chieu: confirm.ma_tham_chieu.clone(),
                ..Reply::default()
            };
            Ok(serde_json::to_vec(&reply).unwrap())
        };
        self.told.lock().unwrap().push((url.to_owned(), confirm));
        Box::pin(async move { answer })
    }
}

impl Partners {
    /// The national platform's answer to what we send there.
    fn national(&self, body: &[u8]) -> Option<Result<Vec<u8>, Unsent>> {
        let asked: Value = serde_json::from_slice(body).unwrap();
        if asked["MaDoiTac"] != "CHUNG" {
            return None;
        }
        self.asked.lock().unwrap().push(asked.clone());
        if *self.deaf.lock().unwrap() {
            return Some(Err(Unsent::NoAnswer));
        }
        let reply = Reply {
            ma_loi: "00".to_owned(),
            ma_doi_tac: "CHUNG".to_owned(),
            ma_tham_chieu: asked["MaThamChieu"].as_str().unwrap().to_owned(),
            url_thanh_toan: "http://platform.example/pay".to_owned(),
            trang_thai_gd: self.state.lock().unwrap().clone(),
            bien_lai: "JVBERg==".to_owned(),
            ..Reply::default()
        };
        let secret = if *self.forges.lock().unwrap() { "FORGED" } else { "NATIONAL" };
        Some(Ok(serde_json::to_vec(&reply.signed(secret)).unwrap()))
    }
}

/// What the document says of the protocol holds of every answer, and of every message that is taken.
fn hold_to_contract(body: &Value, answer: &Value) {
    let at =
        |place: &str| document().root().pointer(&format!("/paths/~1payment-platform/post/{place}")).unwrap();
    let taken = at("requestBody/content/application~1json/schema");
    let given = at("responses/200/content/application~1json/schema");
    assert!(document().validator(given).is_valid(answer), "{answer}");
    if answer["MaLoi"] == "00" {
        assert!(document().validator(taken).is_valid(body), "{body}");
    }
    let described = at("description").as_str().unwrap();
    for code in [wire::OK, wire::NOT_GENUINE, wire::REUSED, wire::UNKNOWN, wire::AMOUNT, wire::BENEFICIARY]
        .into_iter()
        .chain([wire::TIME, wire::CONTENT, wire::OTHER])
    {
        assert!(described.contains(&format!("`{code}` ")), "{code}");
    }
}

struct Scene {
    world: TestApp,
    office: Office,
    system: Actor,
}

impl Scene {
    async fn set() -> Self {
        Self::charging(SAMPLE_ITEMS).await
    }

    async fn charging(items: &str) -> Self {
        let world = TestApp::start().await;
        let office = Office::charging(&world, "H29.14", items).await;
        let code = Line::parse(CODE).unwrap();
        let confirm = "http://agency.example/confirm";
        register_partner(&world.app, office.agency, office.client, (&code, SECRET), confirm).await.unwrap();
        let system = world.stranger();
        Self { world, office, system }
    }

    fn now(&self) -> String {
        stamp(self.world.clock.now())
    }

    /// An INIT that is right, but for what is changed before it is signed.
    fn init(&self, reference: &str, change: &[(&str, Value)]) -> Value {
        let mut init = json!({
            "LoaiBanTin": "INIT", "PhienBan": "1.0.6", "MaDoiTac": CODE, "MaThamChieu": reference, "SoTien": "205000",
            "LoaiHinhThanhToan": "PAY", "MaKenhThanhToan": 1, "MaThietBi": "1", "NgonNgu": "vi-VN",
            "MaTienTe": "VND", "MaNganHang": "PAYMENT", "ThongTinGiaoDich": "THANH TOAN HO SO H29.14-261124-0001",
            "ThoiGianGD": self.now(), "Ip": "10.0.0.1", "MaXacThuc": "",
            "ThongTinBienLai": {
                "MaDichVu": "2", "MaTTHC": "2.000488", "MaHoSo": "H29.14-261124-0001", "TKThuHuong": ACCOUNT,
                "MaNHThuHuong": "970405", "HoTenNguoiNop": "Nguyễn Thị Hòa", "SoCMNDNguoiNop": "079185000456",
                "PhiLePhi": [
                    { "LoaiPhiLePhi": "1", "MaPhiLePhi": "LLTP-01", "TenPhiLePhi": "Phí", "SoTien": "200000" },
                    { "LoaiPhiLePhi": "1", "MaPhiLePhi": "LLTP-02", "TenPhiLePhi": "Bản", "SoTien": 5000 },
                ],
                "DSKhoanNop": [{ "NoiDung": "Phí", "SoTien": "205000" }],
            },
        });
        for (pointer, value) in change {
            *init.pointer_mut(pointer).unwrap() = value.clone();
        }
        let fields = [
            "LoaiBanTin",
            "PhienBan",
            "MaDoiTac",
            "MaThamChieu",
            "SoTien",
            "LoaiHinhThanhToan",
            "MaKenhThanhToan",
            "MaThietBi",
            "NgonNgu",
            "MaTienTe",
            "MaNganHang",
            "ThongTinGiaoDich",
            "ThoiGianGD",
            "Ip",
        ];
        init["MaXacThuc"] = json!(signed(&init, &fields));
        init
    }

    fn question(&self, kind: &str, reference: &str) -> Value {
        let mut question = json!({
            "LoaiBanTin": kind, "PhienBan": "1.0.6", "MaDoiTac": CODE, "MaThamChieu": reference,
            "ThoiGianGD": self.now(), "MaXacThuc": "",
        });
        let fields = ["LoaiBanTin", "PhienBan", "MaDoiTac", "MaThamChieu", "ThoiGianGD"];
        question["MaXacThuc"] = json!(signed(&question, &fields));
        question
    }

    /// Sends a message; the answer, whose checksum must fit.
    async fn send(&self, body: &Value) -> Reply {
        let answer = self.system.post_json("/payment-platform", body).await.expect(200);
        hold_to_contract(body, &answer.json());
        let reply: Reply = serde_json::from_slice(&answer.body).unwrap();
        assert!(is_genuine(&reply.covered(), SECRET, &reply.ma_xac_thuc), "{reply:?}");
        reply
    }
}

fn signed(message: &Value, fields: &[&str]) -> String {
    let text = |name: &&str| match &message[*name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let texts: Vec<String> = fields.iter().map(text).collect();
    checksum(&texts.iter().map(String::as_str).collect::<Vec<_>>(), SECRET)
}

#[test]
fn the_documents_examples_carry_their_checksums() {
    let at =
        |place: &str| document().root().pointer(&format!("/paths/~1payment-platform/post/{place}")).unwrap();
    let asked = at("requestBody/content/application~1json/examples/query/value").clone();
    let asked: wire::Question = serde_json::from_value(asked).unwrap();
    assert!(is_genuine(&asked.covered(), "EXAMPLE", &asked.ma_xac_thuc));
    let told = at("responses/200/content/application~1json/example").clone();
    let told: Reply = serde_json::from_value(told).unwrap();
    assert!(is_genuine(&told.covered(), "EXAMPLE", &told.ma_xac_thuc));
}

#[tokio::test]
async fn a_system_that_only_changed_the_address_is_served_from_init_to_receipt() {
    let scene = Scene::set().await;
    let init = scene.init("REF1", &[]);
    let begun = scene.send(&init).await;
    assert_eq!((begun.ma_loi.as_str(), begun.ma_tham_chieu.as_str()), ("00", "REF1"));
    assert_eq!(scene.send(&init).await.url_thanh_toan, begun.url_thanh_toan);
    scene.world.later(Duration::from_secs(60));
    let again = scene.send(&scene.init("REF1", &[])).await;
    assert_eq!(
        again.url_thanh_toan, begun.url_thanh_toan,
        "the same payment at another time is the same payment"
    );
    assert_eq!(scene.world.count("bill").await, 1);
    assert_eq!(scene.send(&scene.question("QUERY", "REF1")).await.trang_thai_gd, "0");
    assert_eq!(scene.send(&scene.question("GET_BILL", "REF1")).await.ma_loi, "03");
    assert_eq!(scene.send(&scene.question("QUERY", "REF9")).await.ma_loi, "03");

    // The payer pays on the page that the address leads to.
    let path = begun.url_thanh_toan.strip_prefix(scene.world.app.origin.as_str()).unwrap().to_owned();
    let payer = scene.world.stranger();
    let bank = payer.get(&path).await.expect(200).form_field("bank");
    payer.post_form(&path, &[("bank", &bank)]).await.expect(303);
    scene.world.later(Duration::from_secs(1));
    let bills = scene.office.system(&scene.world, "bill.read").get("/v1/bills").await.expect(200).json();
    let of = format!("/v1/payments?bill={}", bills["items"][0]["id"].as_str().unwrap());
    let paid = scene.office.system(&scene.world, "payment.read").get(&of).await.expect(200).json();
    let payment = paid["items"][0]["id"].as_str().unwrap();
    scene.world.tell(&scene.world.credit(1, "R1", 205_000, payment)).await.expect(200);

    assert_eq!(scene.send(&scene.question("QUERY", "REF1")).await.trang_thai_gd, "1");
    let receipt = scene.send(&scene.question("GET_BILL", "REF1")).await;
    let same = scene.send(&scene.question("GET_BILL", "REF1")).await;
    assert!(receipt.bien_lai.len() > 1_000 && receipt.bien_lai == same.bien_lai);
    // A receipt that is void is given to nobody; the one in its place is.
    let clerk = scene.office.system(&scene.world, "receipt receipt.read");
    let first =
        clerk.get("/v1/receipts").await.expect(200).json()["items"][0]["id"].as_str().unwrap().to_owned();
    let name = json!({ "reason": "Sai tên", "name": "Công ty Hòa Bình" });
    let replaced =
        clerk.post_once(&format!("/v1/receipts/{first}/replace"), "again", &name).await.expect(201);
    let other = scene.send(&scene.question("GET_BILL", "REF1")).await;
    assert!(other.ma_loi == "00" && other.bien_lai.len() > 1_000 && other.bien_lai != receipt.bien_lai);
    let second = replaced.json()["id"].as_str().unwrap().to_owned();
    clerk
        .post_once(&format!("/v1/receipts/{second}/void"), "void", &json!({ "reason": "Thu nhầm" }))
        .await
        .expect(200);
    assert_eq!(scene.send(&scene.question("GET_BILL", "REF1")).await.ma_loi, "03");

    // The partner is told until it has understood, and then no more.
    *scene.world.partners.deaf.lock().unwrap() = true;
    assert_eq!(confirm_payments(&scene.world.app).await.unwrap(), 1);
    assert_eq!(confirm_payments(&scene.world.app).await.unwrap(), 0);
    *scene.world.partners.deaf.lock().unwrap() = false;
    scene.world.later(Duration::from_secs(3_600));
    assert_eq!(confirm_payments(&scene.world.app).await.unwrap(), 1);
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(confirm_payments(&scene.world.app).await.unwrap(), 0);
    let told = scene.world.partners.told.lock().unwrap();
    let (url, confirm) = told.last().unwrap();
    assert_eq!((url.as_str(), told.len()), ("http://agency.example/confirm", 2));
    assert_eq!(
        (confirm.so_tien.as_str(), confirm.ma_tham_chieu.as_str(), confirm.ma_loi.as_str()),
        ("205000", "REF1", "00")
    );
    assert!(is_genuine(&confirm.covered(), SECRET, &confirm.ma_xac_thuc));
}

#[tokio::test]
async fn a_partner_that_is_silent_keeps_no_other_waiting_and_one_that_may_do_nothing_is_told_nothing() {
    let scene = Scene::set().await;
    let (world, office) = (&scene.world, &scene.office);
    let begun = scene.send(&scene.init("REF1", &[])).await;
    let reference = begun.url_thanh_toan.rsplit('/').next().unwrap().to_owned();
    let bills = office.system(world, "bill.read").get("/v1/bills").await.expect(200).json();
    assert_eq!(bills["items"][0]["reference"], json!(reference));
    let payment = crate::payments::start(world, office, &bills["items"][0]).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);

    // Another one is silent about payments that are older, more than one look tells of.
    let (code, confirm) = (Line::parse("DT00").unwrap(), "http://silent.example/confirm");
    register_partner(&world.app, office.agency, office.client, (&code, SECRET), confirm).await.unwrap();
    world.partners.silent.lock().unwrap().push(confirm.to_owned());
    let older = "insert into platform_order (partner_code, reference, digest, bill_id, text, created_at)
         select 'DT00', 'OLD' || n, digest, bill_id, text, created_at - n * interval '1 minute'
         from platform_order, generate_series(1, 20) n";
    world.sql(older).await.unwrap();
    let told = |at: &str| world.partners.told.lock().unwrap().iter().filter(|(url, _)| url == at).count();
    confirm_payments(&world.app).await.unwrap();
    assert_eq!(told("http://agency.example/confirm"), 1);
    // While one of its payments rests, it is told of one other at a time.
    let before = told(confirm);
    assert!(confirm_payments(&world.app).await.unwrap() == 1 && told(confirm) == before + 1);

    // The silent one comes back, but not while its client may do nothing.
    world.partners.silent.lock().unwrap().clear();
    world.later(Duration::from_secs(3_600));
    let set = async |state: &str| {
        world.sql(&format!("update client set state = '{state}' where id = '{}'", office.client.uuid())).await
    };
    set("suspended").await.unwrap();
    assert_eq!(confirm_payments(&world.app).await.unwrap(), 0);
    set("active").await.unwrap();
    while confirm_payments(&world.app).await.unwrap() > 0 {}
    assert_eq!(world.count("platform_order where confirmed_at is null").await, 0);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    crate::world::install();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}/", listener.local_addr().unwrap());
    let floods = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert_ne!(socket.read(&mut [0; 1_024]).await.unwrap(), 0);
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        for _ in 0..80 {
            if socket.write_all(&[b' '; 65_536]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let platform = RemotePlatform::new(Duration::from_secs(60)).unwrap();
    let asked = tokio::time::timeout(Duration::from_secs(20), platform.post(&at, Vec::new()));
    let answer = tokio::select! { answer = asked => answer, () = floods => unreachable!() };
    assert_eq!(answer.expect("it gives up before"), Err(Unsent::NoAnswer));
}

#[tokio::test]
async fn an_amount_beyond_thirty_two_bits_is_taken_paid_and_confirmed() {
    let large = SAMPLE_ITEMS.replacen(",200000,dossier,", ",3000000000,dossier,", 1);
    let scene = Scene::charging(&large).await;
    let world = &scene.world;
    let init = scene.init(
        "REF1",
        &[
            ("/SoTien", json!(3_000_005_000_u64)),
            ("/ThongTinBienLai/PhiLePhi/0/SoTien", json!(3_000_000_000_u64)),
            ("/ThongTinBienLai/DSKhoanNop/0/SoTien", json!("3000005000")),
        ],
    );
    let begun = scene.send(&init).await;
    assert_eq!((begun.ma_loi.as_str(), begun.mo_ta_loi.as_str()), ("00", "Thành công"));
    let path = begun.url_thanh_toan.strip_prefix(world.app.origin.as_str()).unwrap().to_owned();
    let payer = world.stranger();
    let page = payer.get(&path).await.expect(200);
    assert!(page.text().contains("3.000.005.000"), "{}", page.text());
    payer.post_form(&path, &[("bank", &page.form_field("bank"))]).await.expect(303);
    world.later(Duration::from_secs(1));
    assert_eq!(world.bank.requests.lock().unwrap()[0].amount.minor(), 3_000_005_000);
    let bills = scene.office.system(world, "bill.read").get("/v1/bills").await.expect(200).json();
    assert_eq!(bills["items"][0]["total"]["amount"], "3000005000");
    let of = format!("/v1/payments?bill={}", bills["items"][0]["id"].as_str().unwrap());
    let paid = scene.office.system(world, "payment.read").get(&of).await.expect(200).json();
    let payment = paid["items"][0]["id"].as_str().unwrap();
    world.tell(&world.credit(1, "R1", 3_000_005_000, payment)).await.expect(200);
    assert_eq!(scene.send(&scene.question("QUERY", "REF1")).await.trang_thai_gd, "1");
    assert_eq!(confirm_payments(&world.app).await.unwrap(), 1);
    assert_eq!(world.partners.told.lock().unwrap()[0].1.so_tien, "3000005000");
    assert!(world.balances().await.contains(&("clearing".to_owned(), 3_000_005_000)));
    assert_eq!(world.held().await, []);
}

#[tokio::test]
async fn what_a_system_begins_after_a_succession_is_the_successors() {
    let scene = Scene::set().await;
    let heir = Office::open(&scene.world, "H29.15").await;
    let before = scene.send(&scene.init("BEFORE", &[])).await;
    let one = Succession {
        agency: scene.office.agency,
        kind: "merge".to_owned(),
        from: Day::of(scene.world.clock.now()),
        successors: vec![(heir.agency, vec![])],
    };
    let mut tx = scene.world.app.store.begin().await.unwrap();
    let by = Id::from_uuid(uuid::Uuid::from_u128(9));
    succession::insert(&mut tx, &one, by, scene.world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(effect_successions(&scene.world.app).await.unwrap());
    assert_eq!(scene.send(&scene.init("AFTER", &[])).await.ma_loi, "05", "the account is another by now");
    let account = [("/ThongTinBienLai/TKThuHuong", json!("699"))];
    let begun = scene.send(&scene.init("AFTER", &account)).await;
    assert_eq!(begun.ma_loi, "00", "{begun:?}");
    assert_eq!(scene.send(&scene.init("BEFORE", &[])).await.url_thanh_toan, before.url_thanh_toan);
    let theirs = format!("bill where state = 'open' and agency_id = '{}'", heir.agency.uuid());
    assert_eq!(scene.world.count(&theirs).await, 2);
}

#[tokio::test]
async fn a_system_whose_client_or_agency_may_do_nothing_is_nobody() {
    let scene = Scene::set().await;
    let (world, office) = (&scene.world, &scene.office);
    let administrator = Office::open(world, "H29.15").await.system(world, "admin");
    assert_eq!(scene.send(&scene.init("A", &[])).await.ma_loi, "00");
    for path in [format!("/v1/clients/{}", office.client), format!("/v1/agencies/{}", office.agency)] {
        let set = async |verb: &str| {
            let at = format!("{path}/{verb}");
            administrator.post_once(&at, &at, &json!({})).await.expect(200);
        };
        set("suspend").await;
        for message in [scene.init("B", &[]), scene.question("QUERY", "A"), scene.question("GET_BILL", "A")] {
            scene.system.post_json("/payment-platform", &message).await.expect(401);
        }
        set("resume").await;
        assert_eq!(scene.send(&scene.question("QUERY", "A")).await.ma_loi, "00");
    }
    assert_eq!(world.count("bill").await, 1);
    let end = scene.world.clock.now() + Duration::from_secs(60);
    let end = chung::base::calendar::rfc3339(end);
    world
        .sql(&format!("update client set expires_at = '{end}' where id = '{}'", office.client.uuid()))
        .await
        .unwrap();
    assert_eq!(scene.send(&scene.question("QUERY", "A")).await.ma_loi, "00");
    world.later(Duration::from_secs(60));
    scene.system.post_json("/payment-platform", &scene.question("QUERY", "A")).await.expect(401);
}

#[tokio::test]
async fn a_successor_that_is_suspended_is_charged_for_by_nobody() {
    let scene = Scene::set().await;
    let heir = Office::open(&scene.world, "H29.15").await;
    let other = Office::open(&scene.world, "H29.160").await;
    let successors = vec![(other.agency, vec![]), (heir.agency, vec!["2.000488".to_owned()])];
    let from = Day::of(scene.world.clock.now());
    let split = Succession { agency: scene.office.agency, kind: "split".to_owned(), from, successors };
    let mut tx = scene.world.app.store.begin().await.unwrap();
    let by = Id::from_uuid(uuid::Uuid::from_u128(9));
    succession::insert(&mut tx, &split, by, scene.world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(effect_successions(&scene.world.app).await.unwrap());
    let account = [("/ThongTinBienLai/TKThuHuong", json!("699"))];
    assert_eq!(scene.send(&scene.init("A", &account)).await.ma_loi, "00");
    let suspend = format!("/v1/agencies/{}/suspend", heir.agency);
    let administrator = other.system(&scene.world, "admin");
    administrator.post_once(&suspend, "s", &json!({})).await.expect(200);
    assert_eq!(scene.send(&scene.init("B", &account)).await.ma_loi, "05");
}

#[tokio::test]
async fn a_question_is_answered_in_its_time() {
    let scene = Scene::set().await;
    assert_eq!(scene.send(&scene.init("A", &[])).await.ma_loi, "00");
    let recorded = [scene.question("QUERY", "A"), scene.question("GET_BILL", "A")];
    assert_eq!(scene.send(&recorded[0]).await.ma_loi, "00");
    scene.world.later(Duration::from_secs(16 * 60));
    for question in &recorded {
        assert_eq!(scene.send(question).await.ma_loi, "06");
    }
    assert_eq!(scene.send(&scene.question("QUERY", "A")).await.ma_loi, "00");
}

#[tokio::test]
async fn checksum_amount_and_account_are_never_taken_on_trust() {
    let scene = Scene::set().await;
    let refused = async |body: &Value| scene.send(body).await.ma_loi;
    let mut forged = scene.init("A", &[]);
    forged["SoTien"] = json!("1000");
    assert_eq!(refused(&forged).await, "01");
    let mut forged = scene.init("A", &[]);
    forged["MaXacThuc"] = json!("0".repeat(64));
    assert_eq!(refused(&forged).await, "01");
    let mut question = scene.question("QUERY", "A");
    question["MaThamChieu"] = json!("B");
    assert_eq!(refused(&question).await, "01");
    // What the checksum does not cover.
    for (pointer, value, code) in [
        ("/ThongTinBienLai/PhiLePhi/0/SoTien", json!("199999"), "04"),
        ("/ThongTinBienLai/DSKhoanNop/0/SoTien", json!("1"), "04"),
        ("/ThongTinBienLai/TKThuHuong", json!("999"), "05"),
        ("/ThongTinBienLai/MaNHThuHuong", json!("970436"), "05"),
        ("/ThongTinBienLai/PhiLePhi/0/MaPhiLePhi", json!("NO-01"), "07"),
        ("/ThongTinBienLai/PhiLePhi/0/LoaiPhiLePhi", json!("2"), "04"),
        ("/ThongTinBienLai/MaTTHC", json!("x"), "07"),
        ("/ThongTinBienLai/HoTenNguoiNop", json!(""), "07"),
        ("/ThongTinBienLai/PhiLePhi", json!([]), "04"),
        ("/MaTienTe", json!("USD"), "04"),
        ("/SoTien", json!("3000000000"), "04"),
    ] {
        assert_eq!(refused(&scene.init("A", &[(pointer, value.clone())])).await, code, "{pointer} {value}");
    }
    // Sums that agree with each other, but not with the schedule; beyond 32 bits.
    let large = [
        ("/SoTien", json!(3_000_000_000_u64)),
        ("/ThongTinBienLai/PhiLePhi/0/SoTien", json!(2_999_995_000_u64)),
        ("/ThongTinBienLai/DSKhoanNop/0/SoTien", json!("3000000000")),
    ];
    let reply = scene.send(&scene.init("A", &large)).await;
    assert_eq!(
        (reply.ma_loi.as_str(), reply.mo_ta_loi.as_str()),
        ("04", "Số tiền một khoản không đúng biểu phí")
    );
    assert_eq!(scene.world.count("bill").await, 0);
    scene.system.post_json("/payment-platform", &json!({ "LoaiBanTin": "INIT" })).await.expect(401);
    let nobody = scene.init("A", &[("/MaDoiTac", json!("DT99"))]);
    scene.system.post_json("/payment-platform", &nobody).await.expect(401);
    assert_eq!(refused(&scene.question("CONFIRM", "A")).await, "99");
    // The same name for another payment.
    assert_eq!(refused(&scene.init("A", &[])).await, "00");
    assert_eq!(refused(&scene.init("A", &[("/ThongTinGiaoDich", json!("KHAC"))])).await, "02");
}

#[tokio::test]
async fn harmless_deviations_are_taken_when_listed_and_until_their_day() {
    let scene = Scene::set().await;
    // It is 9:00 in Vietnam; in the afternoon a clock of twelve hours says 02:00 for 14:00.
    scene.world.later(Duration::from_secs(5 * 3_600));
    let afternoon = scene.now().replace("14000", "02000");
    let twelve = |reference: &str| scene.init(reference, &[("/ThoiGianGD", json!(afternoon))]);
    assert_eq!(scene.send(&twelve("A")).await.ma_loi, "06");
    assert!(
        tolerate(&scene.world.app, CODE, "wrong_checksum", Day::new(2026, 12, 31).unwrap()).await.is_err()
    );
    let today = Day::of(scene.world.clock.now());
    tolerate(&scene.world.app, CODE, "twelve_hour_time", today).await.unwrap();
    assert_eq!(scene.send(&twelve("A")).await.ma_loi, "00");
    let hours_off = scene.init("B", &[("/ThoiGianGD", json!(scene.now().replace("14000", "11000")))]);
    assert_eq!(scene.send(&hours_off).await.ma_loi, "06");

    let nobody = [("/ThongTinBienLai/SoCMNDNguoiNop", json!("000000000"))];
    assert_eq!(scene.send(&scene.init("C", &nobody)).await.ma_loi, "07");
    tolerate(&scene.world.app, CODE, "placeholder_payer_id", today).await.unwrap();
    assert_eq!(scene.send(&scene.init("C", &nobody)).await.ma_loi, "00");
    assert_eq!(scene.world.count("platform_tolerance where seen = 1").await, 2);
    scene.world.later(Duration::from_secs(86_400));
    assert_eq!(scene.send(&scene.init("D", &nobody)).await.ma_loi, "07");
}

/// A confirmation of the national platform.
fn confirmed(payment: &str, amount: &str, secret: &str) -> Value {
    let mut confirm = Confirm {
        loai_ban_tin: "CONFIRM".to_owned(),
        ma_loi: "00".to_owned(),
        ma_doi_tac: "CHUNG".to_owned(),
        ma_tham_chieu: payment.strip_prefix("pay_").unwrap().to_owned(),
        so_tien: amount.to_owned(),
        ma_tien_te: "VND".to_owned(),
        ma_giao_dich: "GD1".to_owned(),
        ma_ngan_hang: "970436".to_owned(),
        thoi_gian_gd: "20261124090000".to_owned(),
        thong_tin_giao_dich: "x".to_owned(),
        ma_xac_thuc: String::new(),
    };
    confirm.ma_xac_thuc = checksum(&confirm.covered(), secret);
    serde_json::to_value(confirm).unwrap()
}

#[tokio::test]
async fn money_paid_at_the_national_platform_settles_a_bill_here() {
    let scene = Scene::set().await;
    let world = &scene.world;
    let bill = scene.office.bill(world, "k").await;
    let path = format!("/pay/{}", bill["reference"].as_str().unwrap());
    let payer = world.stranger();
    payer.post_form(&path, &[("bank", "platform")]).await.expect(422);
    chung::flow::national::join(&world.app, "http://platform.example/", "CHUNG", "NATIONAL").await.unwrap();
    assert!(payer.get(&path).await.expect(200).text().contains("Nền tảng thanh toán quốc gia"));
    payer.post_form(&path, &[("bank", "platform")]).await.expect(303);
    world.later(Duration::from_secs(1));
    let waiting = payer.get(&path).await.expect(200).text();
    assert!(waiting.contains("http://platform.example/pay"), "{waiting}");
    let init = world.partners.asked.lock().unwrap()[0].clone();
    assert_eq!((&init["LoaiBanTin"], &init["SoTien"]), (&json!("INIT"), &json!("205000")));
    assert_eq!(init["ThongTinBienLai"]["TKThuHuong"], ACCOUNT);
    let of = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    let latest = async || {
        scene.office.system(world, "payment.read").get(&of).await.expect(200).json()["items"][0].clone()
    };
    let attempt = latest().await;
    assert_eq!((&attempt["way"], &attempt["status"]), (&json!("platform"), &json!("submitted")));
    let id = attempt["id"].as_str().unwrap();

    // A confirmation is believed by its checksum and amount, and is no money.
    let code = async |confirm: Value| {
        let answer = scene.system.post_json("/payment-platform", &confirm).await.expect(200);
        let reply: Reply = serde_json::from_slice(&answer.body).unwrap();
        assert!(is_genuine(&reply.covered(), "NATIONAL", &reply.ma_xac_thuc));
        reply.ma_loi
    };
    assert_eq!(code(confirmed(id, "205000", "FORGED")).await, "01");
    assert_eq!(code(confirmed(id, "1000", "NATIONAL")).await, "04");
    let nobody = format!("pay_{}", "0".repeat(32));
    assert_eq!(code(confirmed(&nobody, "205000", "NATIONAL")).await, "03");
    assert_eq!(latest().await["status"], "submitted");
    assert_eq!(code(confirmed(id, "205000", "NATIONAL")).await, "00");
    assert_eq!(code(confirmed(id, "205000", "NATIONAL")).await, "00");
    assert_eq!(latest().await["status"], "accepted");
    world.tell(&world.credit(1, "R1", 205_000, id)).await.expect(200);
    assert_eq!(latest().await["status"], "settled");
    // The platform's own document is there for whoever compares, and for nobody else.
    let document = format!("/v1/payments/{id}/platform-document");
    let system = scene.office.system(world, "payment.read");
    let file = system.get(&document).await.expect(200);
    assert!(file.body.starts_with(b"%PDF") && file.headers["content-type"] == "application/pdf");
    let stranger = Office::open(world, "H30.1").await;
    stranger.system(world, "payment.read").get(&document).await.expect_refusal(404, "not_found");
    *world.partners.forges.lock().unwrap() = true;
    system.get(&document).await.expect_refusal(503, "try_again");
    let other = scene.office.bill(world, "other").await;
    let other = crate::payments::start(world, &scene.office, &other).await;
    let document = format!("/v1/payments/{other}/platform-document");
    system.get(&document).await.expect_refusal(404, "not_found");
}

#[tokio::test]
async fn an_answer_of_the_platform_that_is_not_genuine_is_silence_and_is_asked_about() {
    let scene = Scene::set().await;
    let world = &scene.world;
    chung::flow::national::join(&world.app, "http://platform.example/", "CHUNG", "NATIONAL").await.unwrap();
    let bill = scene.office.bill(world, "k").await;
    let path = format!("/pay/{}", bill["reference"].as_str().unwrap());
    *world.partners.forges.lock().unwrap() = true;
    world.stranger().post_form(&path, &[("bank", "platform")]).await.expect(303);
    let of = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
    let status = async || {
        let read = scene.office.system(world, "payment.read").get(&of).await.expect(200).json();
        read["items"][0]["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status().await, "unknown");
    world.later(Duration::from_secs(91));
    chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    assert_eq!(status().await, "unknown");
    *world.partners.forges.lock().unwrap() = false;
    *world.partners.state.lock().unwrap() = "1".to_owned();
    world.later(Duration::from_secs(30 * 60));
    chung::flow::inquire_payment::inquire_due(&world.app).await.unwrap();
    assert_eq!(status().await, "accepted");
    let asked = world.partners.asked.lock().unwrap().last().cloned().unwrap();
    assert_eq!(asked["LoaiBanTin"], "QUERY");
}

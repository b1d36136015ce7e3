//! The payment platform's protocol, both sides of it: the national platform, where payers may pay our bills and which
//! confirms when it likes; and an agency's system that begins payments here and is told of them until it has understood.

use crate::assessed::LINES;
use crate::fees::Charge;
use crate::life::{Life, Promised};
use crate::process::live;
use crate::rails::{Asked, Decision, Rails};
use crate::seen::Seen;
use crate::world::ACCOUNT;
use base64::{Engine, engine::general_purpose::STANDARD};
use chung::app::App;
use chung::base::clock::{Clock, Instant};
use chung::base::id::Id;
use chung::codec::payment_platform::{
    self as wire, AMOUNT, BENEFICIARY, Confirm, Fee, Init, Item, Kind, NOT_GENUINE, OK, OTHER, Question,
    REUSED, Reply, Slip, UNKNOWN,
};
use chung::flow::{
    Error,
    national::fetch_bill,
    platform::{answer_platform, confirm_payments},
    render_receipt::{Format, render_receipt},
};
use chung::partner::platform::{Platform, Unsent};
use chung::store::receipt;
use futures_util::future::BoxFuture;
use serde_json::json;
use sqlx::Row;
use std::sync::Arc;
use uuid::Uuid;

/// Our name at the national platform and the secret shared with it, and those of the agency's system here.
pub const NATIONAL: (&str, &str) = ("CHUNG", "NATIONAL");
pub const SYSTEM: (&str, &str) = ("DT01", "SYSTEM");

/// Who carries messages to the other side.
pub struct Carrier(pub Arc<Rails>);

impl Platform for Carrier {
    fn post<'a>(&'a self, _: &'a str, body: Vec<u8>) -> BoxFuture<'a, Result<Vec<u8>, Unsent>> {
        let head: wire::Head = serde_json::from_slice(&body).unwrap();
        let answer = match Kind::named(&head.loai_ban_tin) {
            Some(Kind::Init) => self.begun(&serde_json::from_slice(&body).unwrap()),
            Some(Kind::Query) => self.told(&serde_json::from_slice(&body).unwrap()),
            Some(Kind::Confirm) => self.confirmed(&serde_json::from_slice(&body).unwrap()),
            Some(Kind::GetBill) => self.document(&serde_json::from_slice(&body).unwrap()),
            None => Err(Unsent::NoAnswer),
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer.map(|reply| serde_json::to_vec(&reply).unwrap())
        })
    }
}

impl Carrier {
    fn reply(reference: &str, code: &str) -> Reply {
        Reply {
            ma_loi: code.to_owned(),
            ma_doi_tac: NATIONAL.0.to_owned(),
            ma_tham_chieu: reference.to_owned(),
            ..Reply::default()
        }
    }

    /// The answer, unless it gets lost or somebody else writes it, who says something else.
    fn answered(&self, mut reply: Reply) -> Result<Reply, Unsent> {
        if self.0.fault(15, "fault: platform's answer lost") {
            return Err(Unsent::NoAnswer);
        }
        if !self.0.fault(15, "fault: platform's answer forged") {
            return Ok(reply.signed(NATIONAL.1));
        }
        if !reply.bien_lai.is_empty() {
            reply.bien_lai = STANDARD.encode("forged");
        }
        Ok(reply.signed("FORGED"))
    }

    /// The platform's own document of a payment that was paid there.
    fn document(&self, question: &Question) -> Result<Reply, Unsent> {
        assert!(wire::is_genuine(&question.covered(), NATIONAL.1, &question.ma_xac_thuc));
        let id = Uuid::parse_str(&question.ma_tham_chieu).unwrap();
        if !self.0.was_approved(id) {
            return self.answered(Self::reply(&question.ma_tham_chieu, UNKNOWN));
        }
        let reply = Self::reply(&question.ma_tham_chieu, OK);
        self.answered(Reply { bien_lai: STANDARD.encode(document_of(id)), ..reply })
    }

    /// A payment of ours begins there.
    fn begun(&self, init: &Init) -> Result<Reply, Unsent> {
        assert!(
            wire::is_genuine(&init.covered(), NATIONAL.1, &init.ma_xac_thuc) && init.adds_up(),
            "{init:?}"
        );
        if self.0.fault(8, "fault: request not sent") {
            return Err(Unsent::NotSent);
        }
        if self.0.fault(8, "fault: request lost") {
            return Err(Unsent::NoAnswer);
        }
        let refused = self.0.fault(6, "fault: platform refuses");
        let asked = Asked {
            amount: wire::amount(&init.so_tien).unwrap(),
            expires: wire::instant(&init.thoi_gian_gd).unwrap() + time::Duration::minutes(15),
            decision: if refused { Decision::Refused } else { Decision::Waiting },
            by_platform: true,
            account: init.thong_tin_bien_lai.tk_thu_huong.clone(),
        };
        self.0.truth.lock().unwrap().asked.insert(Uuid::parse_str(&init.ma_tham_chieu).unwrap(), asked);
        let reply = Self::reply(&init.ma_tham_chieu, if refused { OTHER } else { OK });
        self.answered(Reply { url_thanh_toan: "http://platform.example/pay".to_owned(), ..reply })
    }

    fn told(&self, question: &Question) -> Result<Reply, Unsent> {
        assert!(wire::is_genuine(&question.covered(), NATIONAL.1, &question.ma_xac_thuc));
        if self.0.deaf || self.0.fault(50, "fault: inquiry unanswered") {
            return Err(Unsent::NoAnswer);
        }
        let now = wire::instant(&question.thoi_gian_gd).unwrap();
        let id = Uuid::parse_str(&question.ma_tham_chieu).unwrap();
        let known = self.0.truth.lock().unwrap().asked.get(&id).map(|asked| match asked.decision {
            Decision::Approved => "1",
            Decision::Refused => "2",
            Decision::Waiting if asked.expires <= now => "2",
            Decision::Waiting => "0",
        });
        let Some(state) = known else {
            return self.answered(Self::reply(&question.ma_tham_chieu, UNKNOWN));
        };
        let reply = Self::reply(&question.ma_tham_chieu, OK);
        self.answered(Reply { trang_thai_gd: state.to_owned(), ..reply })
    }

    /// The agency's system hears that something was paid.
    fn confirmed(&self, confirm: &Confirm) -> Result<Reply, Unsent> {
        assert!(wire::is_genuine(&confirm.covered(), SYSTEM.1, &confirm.ma_xac_thuc) && confirm.ma_loi == OK);
        if self.0.fault(40, "fault: confirmation lost") {
            return Err(Unsent::NoAnswer);
        }
        let amount = wire::amount(&confirm.so_tien).unwrap().minor();
        let mut truth = self.0.truth.lock().unwrap();
        truth.confirmed.entry(confirm.ma_tham_chieu.clone()).or_default().push(amount);
        drop(truth);
        if self.0.fault(40, "fault: confirmation unanswered") {
            return Err(Unsent::NoAnswer);
        }
        Ok(Reply { ma_doi_tac: SYSTEM.0.to_owned(), ..Self::reply(&confirm.ma_tham_chieu, OK) })
    }
}

/// The document that the national platform makes of a payment.
fn document_of(payment: Uuid) -> Vec<u8> {
    format!("%PDF-1.7 {payment}").into_bytes()
}

/// What the national platform says of a payment of ours.
pub fn confirmation(payment: Uuid, amount: i64, paid: bool, now: Instant) -> Confirm {
    let confirm = Confirm {
        loai_ban_tin: Kind::Confirm.as_str().to_owned(),
        ma_loi: if paid { OK } else { OTHER }.to_owned(),
        ma_doi_tac: NATIONAL.0.to_owned(),
        ma_tham_chieu: payment.simple().to_string(),
        so_tien: amount.to_string(),
        ma_tien_te: "VND".to_owned(),
        ma_giao_dich: "GD1".to_owned(),
        ma_ngan_hang: "970436".to_owned(),
        thoi_gian_gd: wire::stamp(now),
        thong_tin_giao_dich: "Nop phi".to_owned(),
        ma_xac_thuc: String::new(),
    };
    signed(confirm, NATIONAL.1)
}

fn signed(mut confirm: Confirm, secret: &str) -> Confirm {
    confirm.ma_xac_thuc = wire::checksum(&confirm.covered(), secret);
    confirm
}

impl Life<'_> {
    async fn say_to_platform(&self, message: &impl serde::Serialize, death: Option<u32>) -> Option<Reply> {
        let body = serde_json::to_vec(message).unwrap();
        let done = live(&self.app, death, async |app: App| answer_platform(&app, &body).await).await?;
        match done {
            Ok(reply) => reply,
            Err(Error::Internal(cause)) => panic!("{cause:?}"),
            Err(_) => None,
        }
    }

    /// The national platform confirms a payment, or fails to.
    pub async fn hear_platform(&mut self, seen: &Seen) {
        let waiting = self.rails.truth.lock().unwrap().confirms.len();
        let at = self.chance.below(waiting);
        let confirm = self.rails.truth.lock().unwrap().confirms[at].clone();
        match self.chance.below(8) {
            0 => return self.fault(seen, "confirmation late"),
            1 => {
                self.fault(seen, "confirmation never sent");
                self.rails.truth.lock().unwrap().confirms.remove(at);
                return;
            }
            2 => {
                self.fault(seen, "confirmation forged");
                return self.not_believed(&signed(confirm, "FORGED"), NOT_GENUINE).await;
            }
            3 => {
                self.fault(seen, "confirmation of another amount");
                let more = wire::amount(&confirm.so_tien).unwrap().minor() + 1_000;
                let other = Confirm { so_tien: more.to_string(), ..confirm };
                return self.not_believed(&signed(other, NATIONAL.1), AMOUNT).await;
            }
            4 => {
                self.fault(seen, "confirmation doubled");
                let one = async || self.say_to_platform(&confirm, None).await.map(|reply| reply.ma_loi);
                let (first, second) = tokio::join!(one(), one());
                assert!(
                    [first, second].iter().flatten().all(|code| code == OK),
                    "a confirmation is taken twice"
                );
                return;
            }
            _ => {}
        }
        let death = self.death(seen);
        self.say("the platform confirms");
        if let Some(reply) = self.say_to_platform(&confirm, death).await {
            assert!(reply.ma_loi == OK && wire::is_genuine(&reply.covered(), NATIONAL.1, &reply.ma_xac_thuc));
            self.rails.truth.lock().unwrap().confirms.remove(at);
            seen.note("platform confirmed");
        }
    }

    /// A confirmation that is refused changes nothing.
    async fn not_believed(&self, confirm: &Confirm, code: &str) {
        let id = Uuid::parse_str(&confirm.ma_tham_chieu).unwrap();
        let state = async || {
            let rows = self.world.rows(&format!("select state from payment where id = '{id}'")).await;
            rows[0].get::<String, _>("state")
        };
        let before = state().await;
        let reply = self.say_to_platform(confirm, None).await.unwrap();
        assert_eq!((reply.ma_loi.as_str(), state().await), (code, before), "{confirm:?}");
    }

    /// What is left to confirm is confirmed.
    pub async fn confirm_all(&self) {
        loop {
            let Some(confirm) = self.rails.truth.lock().unwrap().confirms.first().cloned() else { return };
            if self.say_to_platform(&confirm, None).await.is_some() {
                self.rails.truth.lock().unwrap().confirms.remove(0);
            }
        }
    }

    /// An agency's system begins a payment here, and again when it heard nothing; what is not as it must be is refused.
    pub async fn begin_by_system(&mut self, seen: &Seen) {
        let init = self.init();
        let wrong = |change: &dyn Fn(&mut Init)| {
            let mut other = init.clone();
            other.ma_tham_chieu.push('X');
            change(&mut other);
            other.ma_xac_thuc = wire::checksum(&other.covered(), SYSTEM.1);
            other
        };
        let bad = [
            (wrong(&|init| init.thong_tin_bien_lai.tk_thu_huong = "999".to_owned()), BENEFICIARY),
            (wrong(&|init| init.thong_tin_bien_lai.phi_le_phi[0].so_tien = "1".to_owned()), AMOUNT),
            (wrong(&|init| init.so_tien = "1".to_owned()), AMOUNT),
            (Init { ma_xac_thuc: "0".repeat(64), ..init.clone() }, NOT_GENUINE),
        ];
        let (bad, code) = &bad[self.chance.below(4)];
        let death = self.death(seen);
        self.say("an agency's system begins a payment");
        let reply = self.say_to_platform(bad, None).await.unwrap();
        assert_eq!(reply.ma_loi, *code, "{}", reply.mo_ta_loi);
        let first = self.say_to_platform(&init, death).await;
        let told = loop {
            match self.say_to_platform(&init, None).await {
                Some(reply) => break reply,
                None => tokio::time::sleep(std::time::Duration::from_millis(1)).await,
            }
        };
        assert_eq!(told.ma_loi, OK, "{}", told.mo_ta_loi);
        assert!(
            first.is_none_or(|first| first.url_thanh_toan == told.url_thanh_toan),
            "one payment, one bill"
        );
        let mut other = init.clone();
        other.thong_tin_giao_dich.push('X');
        other.ma_xac_thuc = wire::checksum(&other.covered(), SYSTEM.1);
        let reply = self.say_to_platform(&other, None).await.unwrap();
        assert_eq!(reply.ma_loi, REUSED, "a name stands for one payment");
        let reference = told.url_thanh_toan.rsplit('/').next().unwrap().to_owned();
        let sql = format!("select id, agency_id from bill where reference = '{reference}'");
        let row = &self.world.rows(&sql).await[0];
        let agency = Id::from_uuid(row.get("agency_id"));
        assert_eq!(agency, self.agencies[0], "a bill is the agency's that asks today");
        let total: i64 = init.so_tien.parse().unwrap();
        self.bills.push(Promised {
            id: Id::from_uuid(row.get("id")),
            answer: json!({ "reference": reference, "total": { "amount": init.so_tien } }).to_string(),
            reference,
            agency,
            owner: agency,
            key: init.ma_tham_chieu,
            charge: Charge { total, ..Charge::default() },
        });
        seen.note("begun by an agency's system");
    }

    fn init(&mut self) -> Init {
        self.keys += 1;
        let times = self.times();
        let fee = |(code, kind, amount): (&str, &str, i64)| Fee {
            loai_phi_le_phi: kind.to_owned(),
            ma_phi_le_phi: code.to_owned(),
            ten_phi_le_phi: "Khoan".to_owned(),
            so_tien: (amount * times).to_string(),
        };
        let total = self.price().to_string();
        let text = |text: &str| text.to_owned();
        let mut init = Init {
            loai_ban_tin: text("INIT"),
            phien_ban: text(wire::VERSION),
            ma_doi_tac: text(SYSTEM.0),
            ma_tham_chieu: format!("HS{}", self.keys),
            so_tien: total.clone(),
            loai_hinh_thanh_toan: text("PAY"),
            ma_kenh_thanh_toan: text("1"),
            ma_thiet_bi: text("1"),
            ngon_ngu: text("vi-VN"),
            ma_tien_te: text("VND"),
            ma_ngan_hang: text("PAYMENT"),
            thong_tin_giao_dich: text("Nop phi"),
            thoi_gian_gd: wire::stamp(self.clock.now()),
            ip: text("10.0.0.1"),
            ma_xac_thuc: String::new(),
            thong_tin_bien_lai: Slip {
                ma_dich_vu: text("2"),
                ma_tthc: text("1.001610"),
                ma_ho_so: format!("H29.14-261124-{}", self.keys + 1_000),
                tk_thu_huong: text(ACCOUNT),
                ma_nh_thu_huong: text("970405"),
                ho_ten_nguoi_nop: text("Nguyễn Thị Hòa"),
                so_cmnd_nguoi_nop: text("079185000456"),
                phi_le_phi: LINES.map(fee).into(),
                ds_khoan_nop: vec![Item { noi_dung: text("Nop phi"), so_tien: total }],
            },
        };
        init.ma_xac_thuc = wire::checksum(&init.covered(), SYSTEM.1);
        init
    }

    /// Somebody compares: we ask the platform for its document of a payment, or the system that began one asks us.
    pub async fn ask_for_documents(&mut self, seen: &Seen) {
        if self.chance.percent(50) {
            self.fetch_document(seen).await;
        } else {
            self.be_asked(seen).await;
        }
    }

    /// The platform's document is had as it is there, or not at all.
    async fn fetch_document(&mut self, seen: &Seen) {
        let of = "select id from payment where way = 'platform' order by id";
        let Some(row) = self.some_row(of).await else { return };
        let payment: Uuid = row.get("id");
        let death = self.death(seen);
        self.say("the platform is asked for its document");
        let act = async |app: App| fetch_bill(&app, Id::from_uuid(payment)).await;
        let paid = self.rails.was_approved(payment);
        match live(&self.app, death, act).await {
            Some(Ok(pdf)) => {
                assert!(paid && pdf == document_of(payment), "a document that the platform never gave");
                seen.note("document of the platform fetched");
            }
            Some(Err(Error::Unavailable(_))) => seen.note("document of the platform not fetched"),
            Some(Err(error)) => assert!(error.code() == "not_found" && !paid, "{error:?}"),
            None => {}
        }
    }

    /// A system that began a payment here asks how it stands, and for its receipt: the one that holds.
    async fn be_asked(&mut self, seen: &Seen) {
        let of = "select o.reference, o.bill_id, b.state, b.paid_by from platform_order o join bill b on b.id = o.bill_id";
        // Rather one whose receipt did not hold.
        let void = "where exists (select from receipt r join receipt_void v on v.receipt_id = r.id where r.bill_id = b.id)";
        let wanted = if self.chance.percent(60) { void } else { "" };
        let Some(row) = self.some_row(&format!("{of} {wanted} order by o.reference")).await else { return };
        let reference: String = row.get("reference");
        let question = |kind: Kind, reference: &str, secret: &str| {
            let mut question = Question {
                loai_ban_tin: kind.as_str().to_owned(),
                phien_ban: wire::VERSION.to_owned(),
                ma_doi_tac: SYSTEM.0.to_owned(),
                ma_tham_chieu: reference.to_owned(),
                thoi_gian_gd: wire::stamp(self.clock.now()),
                ma_xac_thuc: String::new(),
            };
            question.ma_xac_thuc = wire::checksum(&question.covered(), secret);
            question
        };
        let kind = [Kind::Query, Kind::GetBill][usize::from(row.get::<&str, _>("state") == "paid")];
        let [forged, unknown, asked] = [
            question(kind, &reference, "FORGED"),
            question(kind, &format!("{reference}X"), SYSTEM.1),
            question(kind, &reference, SYSTEM.1),
        ];
        for (wrong, code) in [(forged, NOT_GENUINE), (unknown, UNKNOWN)] {
            let reply = self.say_to_platform(&wrong, None).await.unwrap();
            assert_eq!((reply.ma_loi.as_str(), reply.bien_lai.as_str()), (code, ""));
        }
        let death = self.death(seen);
        let Some(reply) = self.say_to_platform(&asked, death).await else { return };
        assert!(wire::is_genuine(&reply.covered(), SYSTEM.1, &reply.ma_xac_thuc));
        let Some(paid_by) = row.get::<Option<Uuid>, _>("paid_by") else {
            let state = if row.get::<&str, _>("state") == "open" { "0" } else { "2" };
            assert_eq!((reply.ma_loi.as_str(), reply.trang_thai_gd.as_str()), (OK, state));
            return;
        };
        let (bill, payment) = (Id::from_uuid(row.get("bill_id")), Id::from_uuid(paid_by));
        let given = receipt::of_bill(&self.app.store, bill).await.unwrap();
        let mut standing = Vec::new();
        for one in given.iter().filter(|one| one.payment == payment && one.refund.is_none()) {
            if one.void.is_some() {
                seen.note("receipt of a system's payment void");
                continue;
            }
            standing.push(STANDARD.encode(render_receipt(&self.app, one, Format::Pdf).await.unwrap()));
        }
        let code = if standing.is_empty() { UNKNOWN } else { OK };
        let right = standing.is_empty() && reply.bien_lai.is_empty() || standing.contains(&reply.bien_lai);
        assert!(reply.ma_loi == code && right, "the receipt of {reference} is not one that holds");
        if code == OK {
            seen.note("receipt fetched by an agency's system");
        }
    }

    /// Every system hears of each payment that it began and that was paid, and of nothing else.
    pub async fn check_confirmed(&self) {
        let sql = "select o.reference, b.state, b.phi + b.le_phi + b.tax as total from platform_order o
                   join bill b on b.id = o.bill_id";
        let rows = self.world.rows(sql).await;
        let truth = self.rails.truth.lock().unwrap();
        for row in &rows {
            let (name, total): (String, i64) = (row.get("reference"), row.get("total"));
            let heard = truth.confirmed.get(&name).map_or(&[][..], Vec::as_slice);
            let fits = match row.get("state") {
                "paid" => !heard.is_empty() && heard.iter().all(|amount| *amount == total),
                _ => heard.is_empty(),
            };
            assert!(fits, "{name} is {} of {total}, its system heard {heard:?}", row.get::<&str, _>("state"));
        }
    }

    /// Systems are told of what is paid, as far as they answer.
    pub async fn confirm_to_systems(&self) {
        while live(&self.app, None, async |app| confirm_payments(&app).await).await.unwrap().unwrap() > 0 {}
    }
}

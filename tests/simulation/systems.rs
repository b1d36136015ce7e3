//! An agency's system that begins payments here by the payment platform's protocol, is told of them until it has understood,
//! and asks for their receipts.

use crate::assessed::LINES;
use crate::fees::Charge;
use crate::life::{Life, Promised};
use crate::platform::Carrier;
use crate::process::live;
use crate::seen::Seen;
use crate::world::ACCOUNT;
use base64::{Engine, engine::general_purpose::STANDARD};
use chung::app::App;
use chung::base::clock::Clock;
use chung::base::id::Id;
use chung::codec::payment_platform::{
    self as wire, AMOUNT, BENEFICIARY, Confirm, Fee, Init, Item, Kind, NOT_GENUINE, OK, Question, REUSED,
    Reply, Slip, UNKNOWN,
};
use chung::flow::{
    Error,
    platform::{answer_platform, confirm_payments},
    render_receipt::{Format, render_receipt},
};
use chung::partner::platform::Unsent;
use chung::store::receipt;
use serde_json::json;
use sqlx::Row;
use uuid::Uuid;

/// The system's name here and the secret shared with it.
pub const SYSTEM: (&str, &str) = ("DT01", "SYSTEM");

impl Carrier {
    /// The agency's system hears that something was paid.
    pub fn confirmed(&self, confirm: &Confirm) -> Result<Reply, Unsent> {
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

impl Life<'_> {
    /// An agency's system begins a payment here, and again when it heard nothing; what is not as it must be is refused.
    pub async fn begin_by_system(&mut self, seen: &Seen) {
        let init = self.init();
        let init = self.deviating(init, seen).await;
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

    /// A system that began a payment here asks how it stands, and for its receipt: the one that holds.
    pub async fn be_asked(&mut self, seen: &Seen) {
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

    /// What the service answers to a message of the protocol; nothing when its process died or it had no answer.
    pub async fn say_to_platform(
        &self,
        message: &impl serde::Serialize,
        death: Option<u32>,
    ) -> Option<Reply> {
        say_to_platform(&self.app, message, death).await
    }
}

/// The same at that node.
pub async fn say_to_platform(
    node: &App,
    message: &impl serde::Serialize,
    death: Option<u32>,
) -> Option<Reply> {
    let body = serde_json::to_vec(message).unwrap();
    let done = live(node, death, async |app: App| answer_platform(&app, &body).await).await?;
    match done {
        Ok(reply) => reply,
        Err(Error::Internal(cause)) => panic!("{cause:?}"),
        Err(_) => None,
    }
}

//! The payment platform's protocol, both sides of it: the national platform, where payers may pay our bills and which
//! confirms when it likes; and an agency's system that begins payments here and is told of them until it has understood.

use crate::assessed::LINES;
use crate::fees::Charge;
use crate::life::{Life, Promised};
use crate::process::live;
use crate::rails::{Asked, Decision, Rails};
use crate::seen::Seen;
use crate::world::ACCOUNT;
use chung::app::App;
use chung::base::clock::{Clock, Instant};
use chung::codec::payment_platform::{
    self as wire, AMOUNT, BENEFICIARY, Confirm, Fee, Init, Item, Kind, NOT_GENUINE, OK, OTHER, Question,
    REUSED, Reply, Slip, UNKNOWN,
};
use chung::flow::platform::{answer_platform, confirm_payments};
use chung::partner::platform::{Platform, Unsent};
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
            Some(Kind::GetBill) | None => Err(Unsent::NoAnswer),
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

    /// The answer, unless it gets lost or somebody else writes it.
    fn answered(&self, reply: Reply) -> Result<Reply, Unsent> {
        if self.0.fault(15, "fault: platform's answer lost") {
            return Err(Unsent::NoAnswer);
        }
        let forged = self.0.fault(15, "fault: platform's answer forged");
        Ok(reply.signed(if forged { "FORGED" } else { NATIONAL.1 }))
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
            Err(chung::flow::Error::Internal(cause)) => panic!("{cause:?}"),
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
        let agency = chung::base::id::Id::from_uuid(row.get("agency_id"));
        assert_eq!(agency, self.agencies[0], "a bill is the agency's that asks today");
        let total: i64 = init.so_tien.parse().unwrap();
        self.bills.push(Promised {
            id: chung::base::id::Id::from_uuid(row.get("id")),
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

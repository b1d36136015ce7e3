//! The national platform, where payers may pay our bills by the payment platform's protocol and which confirms when it likes.

use crate::life::Life;
use crate::process::{live, together};
use crate::rails::{Asked, Decision, Rails};
use crate::seen::Seen;
use crate::systems::say_to_platform;
use base64::{Engine, engine::general_purpose::STANDARD};
use chung::app::App;
use chung::base::clock::Instant;
use chung::base::id::Id;
use chung::codec::payment_platform::{
    self as wire, AMOUNT, Confirm, Init, Kind, NOT_GENUINE, OK, OTHER, Question, Reply, UNKNOWN,
};
use chung::flow::{Error, national::fetch_bill};
use chung::partner::platform::{Platform, Unsent};
use futures_util::future::BoxFuture;
use sqlx::Row;
use std::sync::Arc;
use uuid::Uuid;

/// Our name at the national platform and the secret shared with it.
pub const NATIONAL: (&str, &str) = ("CHUNG", "NATIONAL");

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
    pub fn reply(reference: &str, code: &str) -> Reply {
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
                let turns = self.turns();
                let one = async |node| say_to_platform(node, &confirm, None).await.map(|reply| reply.ma_loi);
                let [at, beside] = &self.nodes;
                let (first, second) = together(self.world, turns, one(at), one(beside)).await;
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
        // Rather one that was paid there.
        let of = if self.chance.percent(60) { "= 'settled'" } else { "is not null" };
        let of = format!("select id from payment where way = 'platform' and state {of} order by id");
        let Some(row) = self.some_row(&of).await else { return };
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
}

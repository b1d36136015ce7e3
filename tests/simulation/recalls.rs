//! Money that is asked back between banks: a bank asks us, and we ask one; each answer may get lost, and is repeated.

use crate::life::Life;
use crate::rails::{Letter, Rails};
use crate::seen::Seen;
use crate::tellings::words;
use crate::world::ACCOUNT;
use chung::base::{calendar::Day, clock::Clock, clock::Instant, money::Money, text::Line};
use chung::codec::iso20022::{
    CancellationRequest, Direction, EndToEndId, Message, MessageId, OriginalTransfer, Resolution,
    ResolutionAnswer, write,
};
use chung::payment::refund::Answer;
use sqlx::Row;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is true about money that was asked back.
#[derive(Default)]
pub struct Recalls {
    /// What banks asked us, and the answers that they got.
    pub asked: BTreeMap<Uuid, Vec<ResolutionAnswer>>,
    /// What we asked banks: how much, and whether they have answered.
    pub by_us: BTreeMap<Uuid, (MessageId, Money, bool)>,
}

impl Rails {
    /// A bank hears our answer, unless it gets lost.
    pub fn hear_answer(&self, told: &Resolution) -> Answer {
        if self.fault(15, "fault: recall's answer not sent") {
            return Answer::NeverGot;
        }
        let mut truth = self.truth.lock().unwrap();
        let heard = truth.recalls.asked.entry(told.request.0).or_default();
        heard.push(told.answer.clone());
        drop(truth);
        if self.fault(15, "fault: recall's answer unanswered") { Answer::None } else { Answer::Taken }
    }

    /// A bank hears that we want money back.
    pub fn hear_request(&self, message: MessageId, asked: &CancellationRequest) -> Answer {
        if self.fault(15, "fault: request for money back lost") {
            return Answer::None;
        }
        let mut truth = self.truth.lock().unwrap();
        truth.recalls.by_us.entry(asked.id.0).or_insert((message, asked.amount, false));
        Answer::Taken
    }

    fn send(&self, message: &Message, now: Instant) {
        let truth = &mut *self.truth.lock().unwrap();
        let xml = write(&Self::header(truth, now), message);
        truth.mail.push(Letter { xml, carries_money: false });
    }
}

impl Life<'_> {
    /// A bank asks money back, answers us, or takes back a credit that it has shown.
    pub async fn ask_back(&mut self, seen: &Seen) {
        match self.chance.below(7) {
            0 | 1 => self.bank_asks(seen),
            2..=4 => self.bank_answers(seen),
            5 => self.credit_desk_money(seen),
            _ => drop(self.take_back(seen).await),
        }
    }

    /// Somebody told their bank that they had paid by mistake; or the bank asks again, as it heard nothing.
    fn bank_asks(&mut self, seen: &Seen) {
        let now = self.clock.now();
        let came: Vec<_> = {
            let truth = self.rails.truth.lock().unwrap();
            truth.movements.iter().filter(|entry| entry.direction == Direction::Credit).cloned().collect()
        };
        if came.is_empty() {
            return;
        }
        let at = self.chance.below(came.len());
        let entry = &came[at];
        let known = self.chance.percent(85);
        let id = Uuid::from_u128(0xca11_0000 + at as u128 + if known { 0 } else { 0x1_0000 });
        let amount = if known { entry.amount } else { entry.amount.plus(Money::vnd(1)).unwrap() };
        let asked = CancellationRequest {
            id: EndToEndId(id),
            original: OriginalTransfer {
                end_to_end: entry.end_to_end.clone(),
                uetr: None,
                clearing_reference: entry.clearing_reference.clone(),
            },
            amount,
            settled: Day::of(now),
            reason: Line::parse("CUST").unwrap(),
            text: Some(Line::parse("Khách chuyển nhầm").unwrap()),
        };
        self.say(&format!("a bank asks {} back", entry.reference));
        self.fault(seen, if known { "recall" } else { "recall of nothing" });
        self.rails.truth.lock().unwrap().recalls.asked.entry(id).or_default();
        self.rails.send(&Message::CancellationRequest(asked), now);
    }

    /// A bank says whether our money comes back; if so, it comes.
    fn bank_answers(&mut self, seen: &Seen) {
        let waits = {
            let truth = self.rails.truth.lock().unwrap();
            truth.recalls.by_us.iter().find(|(_, (.., answered))| !answered).map(|(id, asked)| (*id, *asked))
        };
        let Some((id, (original, amount, _))) = waits else { return };
        let answer = match self.chance.below(3) {
            0 => ResolutionAnswer::Pending,
            1 => ResolutionAnswer::Rejected(Line::parse("NOAS").unwrap()),
            _ => ResolutionAnswer::Accepted,
        };
        let now = self.clock.now();
        if answer == ResolutionAnswer::Accepted {
            self.rails.transfer(ACCOUNT, "hoan tra", amount, now);
        }
        seen.note(format!("a bank answers: {}", word(&answer)));
        if answer != ResolutionAnswer::Pending {
            self.rails.truth.lock().unwrap().recalls.by_us.insert(id, (original, amount, true));
        }
        let told = Resolution { request: EndToEndId(id), original, answer, text: None };
        self.rails.send(&Message::Resolution(told), now);
    }

    /// Every bank that asked hears one answer, and where it is yes the money has gone back.
    pub async fn check_recalls(&self) {
        let sql = "select r.id, r.state, coalesce(f.state, '') as refund from recall r
                   left join refund f on f.id = r.refund_id where r.direction = 'in'";
        let rows = self.world.rows(sql).await;
        let truth = self.rails.truth.lock().unwrap();
        for (id, heard) in &truth.recalls.asked {
            let stands = rows.iter().find(|row| row.get::<Uuid, _>("id") == *id);
            let no = heard.iter().all(|answer| matches!(answer, ResolutionAnswer::Rejected(_)));
            let Some(row) = stands else {
                assert!(no, "a request that nobody knows was answered {heard:?}");
                continue;
            };
            // A request that overtook the notification of its money was answered before anybody knew that money.
            let too_early = ResolutionAnswer::Rejected(Line::parse("NOOR").unwrap());
            let heard: Vec<&ResolutionAnswer> = heard.iter().filter(|answer| **answer != too_early).collect();
            let yes = heard.iter().all(|answer| **answer == ResolutionAnswer::Accepted);
            let (state, refund): (&str, &str) = (row.get("state"), row.get("refund"));
            let fits = match state {
                "accepted" => yes && matches!(refund, "done" | "bounced"),
                "refused" => no,
                _ => false,
            };
            assert!(
                fits && !heard.is_empty(),
                "recall {id} is {state}, its refund {refund}, its bank heard {heard:?}"
            );
        }
    }
}

fn word(answer: &ResolutionAnswer) -> &'static str {
    match answer {
        ResolutionAnswer::Accepted => "yes",
        ResolutionAnswer::Pending => "wait",
        ResolutionAnswer::Rejected(_) => "no",
    }
}

/// The clearing system's own name of a movement that names nothing of ours.
pub fn clearing_reference(nth: usize) -> Line<35> {
    words(&format!("C{nth:06}"))
}

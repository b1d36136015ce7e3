//! The clearing system as it truly is: what was asked, what the payer decided, what moved. What it tells the service
//! goes through the real messages; what gets lost on the way is decided here.

use crate::issuers::{AdjustedThere, Made};
use crate::platform::confirmation;
use crate::recalls::{Recalls, clearing_reference};
use crate::stamps::Stamped;
use crate::tellings::{Telling, clearing_day};
use crate::world::Chance;
use chung::base::{calendar::Day, clock::Instant, id::Id, money::Money, text::Line};
use chung::codec::iso20022::{
    CancellationRequest, Charged, CreditNotification, CreditTransfer, Direction, EndToEndId, Entry, Header,
    Message, MessageId, PaymentReturn, PaymentStatus, Reason, RequestToPay, Resolution, StatementRequest,
    StatusInquiry, TransactionStatus, write,
};
use chung::codec::payment_platform::Confirm;
use chung::partner::clearing::{Clearing, FetchedStatement, NoStatement};
use chung::payment::{
    payment::{Event, Report},
    refund::Answer,
};
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use uuid::Uuid;

/// Where a request stands at the payer's bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Waiting,
    Approved,
    Refused,
}

/// A request that truly arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    pub amount: Money,
    pub expires: Instant,
    pub decision: Decision,
    /// Whether the national platform asks the payer.
    pub by_platform: bool,
    /// Which account is to be paid.
    pub account: String,
}

/// A message on its way to the service.
#[derive(Debug, Clone)]
pub struct Letter {
    pub xml: String,
    pub carries_money: bool,
}

/// What is true.
#[derive(Default)]
pub struct Truth {
    pub asked: BTreeMap<Uuid, Asked>,
    pub movements: Vec<Entry>,
    /// The account of each movement that is not the agencies' own.
    pub elsewhere: BTreeMap<String, String>,
    /// What banks kept of what came.
    pub kept: BTreeMap<String, i64>,
    pub mail: Vec<Letter>,
    pub faults: Vec<&'static str>,
    /// The returns that arrived, and whether each was carried out.
    pub returns: BTreeMap<Uuid, bool>,
    /// The orders to pass money on that arrived, and whether each was carried out.
    pub orders: BTreeMap<Uuid, bool>,
    /// The refunds that the Treasury has ordered.
    pub by_treasury: BTreeSet<Uuid>,
    /// What was asked back, in either direction.
    pub recalls: Recalls,
    /// How each day was told last, and the credits that the bank has taken back.
    pub tellings: BTreeMap<Day, Telling>,
    pub withdrawn: BTreeSet<String>,
    /// Whether it ever left out what it knew.
    pub doubtful: bool,
    /// What the national platform has to confirm, and what an agency's system has heard.
    pub confirms: Vec<Confirm>,
    pub confirmed: BTreeMap<String, Vec<i64>>,
    /// The events that an agency's endpoint has heard.
    pub heard: BTreeMap<String, serde_json::Value>,
    /// What an issuer of receipts elsewhere made, and the stamps that an authority gave.
    pub made_elsewhere: Made,
    /// And adjusted.
    pub adjusted_elsewhere: AdjustedThere,
    pub stamps: Vec<Stamped>,
    messages: u128,
}

/// The rails.
pub struct Rails {
    pub account: String,
    pub truth: Mutex<Truth>,
    pub chance: Mutex<Chance>,
    pub calm: Mutex<bool>,
    /// A bank that answers no inquiry, ever: the statement alone decides.
    pub deaf: bool,
    /// A bank that tells a day in messages of so many lines.
    pub pages: Option<usize>,
}

impl Rails {
    pub fn fault(&self, percent: u64, name: &'static str) -> bool {
        let strikes = !*self.calm.lock().unwrap() && self.chance.lock().unwrap().percent(percent);
        if strikes {
            self.truth.lock().unwrap().faults.push(name);
        }
        strikes
    }

    pub fn header(truth: &mut Truth, now: Instant) -> Header {
        truth.messages += 1;
        Header {
            from: "SBV01".parse().unwrap(),
            to: "CHUNG".parse().unwrap(),
            id: MessageId(Uuid::from_u128(truth.messages)),
            created: now,
            possible_duplicate: false,
        }
    }

    /// Whether the payer said yes to a request.
    pub fn was_approved(&self, payment: Uuid) -> bool {
        let truth = self.truth.lock().unwrap();
        truth.asked.get(&payment).is_some_and(|asked| asked.decision == Decision::Approved)
    }

    /// A credit of that reference.
    pub fn entry(reference: &str, named: Option<Uuid>, amount: Money, now: Instant) -> Entry {
        Entry {
            reference: Line::parse(reference).unwrap(),
            amount,
            direction: Direction::Credit,
            reversal: false,
            booked: clearing_day(now),
            value: clearing_day(now),
            end_to_end: named.map(|id| Line::parse(&EndToEndId(id).to_string()).unwrap()),
            uetr: None,
            clearing_reference: None,
            counterparty: None,
            counterparty_agent: None,
            remittance: vec![],
            accepted: Some(now),
            charged: None,
        }
    }

    /// Money moves: it is on the account that was asked for, and a notification of it is in the mail; the movement's
    /// reference.
    pub fn money(&self, named: Option<Uuid>, amount: Money, now: Instant) -> String {
        let asked = named.and_then(|id| Some(self.truth.lock().unwrap().asked.get(&id)?.account.clone()));
        self.money_at(asked.as_ref().unwrap_or(&self.account), named, amount, now)
    }

    fn money_at(&self, account: &str, named: Option<Uuid>, amount: Money, now: Instant) -> String {
        let truth = &mut *self.truth.lock().unwrap();
        let nth = truth.movements.len();
        let mut entry = Self::entry(&format!("R{nth:06}"), named, amount, now);
        entry.clearing_reference = named.is_none().then(|| clearing_reference(nth));
        truth.movements.push(entry.clone());
        let reference = entry.reference.to_string();
        if account != self.account {
            truth.elsewhere.insert(reference.clone(), account.to_owned());
        }
        let message = CreditNotification { account: account.parse().unwrap(), entries: vec![entry] };
        let xml = write(&Self::header(truth, now), &Message::CreditNotification(message));
        truth.mail.push(Letter { xml, carries_money: true });
        reference
    }

    /// Money comes to an account with a text and nothing else.
    pub fn transfer(&self, account: &str, text: &str, amount: Money, now: Instant) {
        let _reference = self.money_at(account, None, amount, now);
        self.retell(|entry| entry.remittance = vec![Line::parse(text).unwrap()], true, now);
    }

    /// Money leaves: it is gone from the account, and a notification of it is in the mail, unless that gets lost.
    pub fn leave(&self, account: &str, named: Uuid, amount: Money, now: Instant) {
        let _reference = self.money_at(account, Some(named), amount, now);
        let debit = |entry: &mut Entry| {
            (entry.direction, entry.clearing_reference) = (Direction::Debit, None);
        };
        self.retell(debit, false, now);
    }

    /// Money comes less what a bank keeps for its service.
    fn money_less(&self, named: Uuid, amount: Money, kept: Money, now: Instant) {
        let reference = self.money(Some(named), amount.minus(kept).unwrap(), now);
        self.retell(|entry| entry.charged = Some(Charged { amount: kept, card: false }), true, now);
        self.truth.lock().unwrap().kept.insert(reference, kept.minor());
    }

    /// What has just moved, and what the mail says of it, is otherwise.
    fn retell(&self, change: impl FnOnce(&mut Entry), carries_money: bool, now: Instant) {
        let truth = &mut *self.truth.lock().unwrap();
        let (Some(entry), Some(_)) = (truth.movements.last_mut(), truth.mail.pop()) else { return };
        change(entry);
        let entry = entry.clone();
        let account = truth.elsewhere.get(entry.reference.as_str()).unwrap_or(&self.account);
        let message = CreditNotification { account: account.parse().unwrap(), entries: vec![entry] };
        let xml = write(&Self::header(truth, now), &Message::CreditNotification(message));
        truth.mail.push(Letter { xml, carries_money });
    }

    /// The payer decides about a waiting request; a bank without liquidity, or over its limit, fails its customer.
    pub fn decide(&self, payment: Uuid, approve: bool, now: Instant) {
        let fails = approve && self.fault(6, "fault: bank cannot pay");
        let amount = {
            let truth = &mut *self.truth.lock().unwrap();
            let asked = truth.asked.get_mut(&payment).unwrap();
            let pays = approve && !fails;
            asked.decision = if pays { Decision::Approved } else { Decision::Refused };
            let (amount, by_platform) = (asked.amount, asked.by_platform);
            let yes = approve.then_some(TransactionStatus::Accepted);
            let no = (!pays).then(|| rejected(if fails { "AM04" } else { "CUST" }));
            for status in [yes, no].into_iter().flatten() {
                if by_platform {
                    let paid = status == TransactionStatus::Accepted;
                    truth.confirms.push(confirmation(payment, amount.minor(), paid, now));
                } else {
                    Self::report(truth, payment, status, now);
                }
            }
            amount
        };
        if !approve || fails {
            return;
        }
        if self.fault(5, "fault: partial settlement") {
            let half = Money::vnd(amount.minor() / 2);
            let _halves =
                [half, amount.minus(half).unwrap()].map(|part| self.money(Some(payment), part, now));
        } else if self.fault(6, "fault: bank keeps a charge") {
            self.money_less(payment, amount, Money::vnd(1_100), now);
        } else {
            let _reference = self.money(Some(payment), amount, now);
        }
    }

    fn report(truth: &mut Truth, payment: Uuid, status: TransactionStatus, now: Instant) {
        let message = PaymentStatus {
            inquiry: None,
            about: chung::codec::iso20022::AboutWhat::Request,
            original: MessageId(payment),
            end_to_end_id: EndToEndId(payment),
            uetr: None,
            status,
            accepted: None,
            clearing_reference: None,
        };
        let xml = write(&Self::header(truth, now), &Message::PaymentStatus(message));
        truth.mail.push(Letter { xml, carries_money: false });
    }
}

fn rejected(code: &str) -> TransactionStatus {
    TransactionStatus::Rejected(Reason { code: Line::parse(code).unwrap(), text: None })
}

impl Clearing for Rails {
    fn request_to_pay<'a>(
        &'a self,
        id: MessageId,
        request: &'a RequestToPay,
        _now: Instant,
    ) -> BoxFuture<'a, Event> {
        if self.fault(8, "fault: request not sent") {
            return Box::pin(async { Event::NotSent });
        }
        if self.fault(8, "fault: request lost") {
            return Box::pin(async { Event::NoAnswer });
        }
        let refused = self.fault(6, "fault: request refused at once");
        let decision = if refused { Decision::Refused } else { Decision::Waiting };
        let account = request.creditor_account.to_string();
        let asked =
            Asked { amount: request.amount, expires: request.expires, decision, by_platform: false, account };
        self.truth.lock().unwrap().asked.insert(id.0, asked);
        let event = if self.fault(12, "fault: answer lost") {
            Event::NoAnswer
        } else if refused {
            Event::Reported(Report::Rejected("AC04".parse().unwrap()))
        } else {
            Event::Handed
        };
        Box::pin(async move {
            // Somebody may kill the process while it waits for the answer.
            tokio::task::yield_now().await;
            event
        })
    }

    fn inquire(&self, _: MessageId, inquiry: StatusInquiry, now: Instant) -> BoxFuture<'_, Option<Report>> {
        if self.deaf || self.fault(50, "fault: inquiry unanswered") {
            return Box::pin(async { None });
        }
        let truth = self.truth.lock().unwrap();
        let report = match truth.asked.get(&inquiry.original.0) {
            None => Report::NotFound,
            Some(Asked { decision: Decision::Approved, .. }) => Report::Accepted,
            Some(Asked { decision: Decision::Refused, .. }) => Report::Rejected("CUST".parse().unwrap()),
            Some(asked) if asked.expires <= now => Report::Rejected("AB05".parse().unwrap()),
            Some(_) => Report::Pending,
        };
        Box::pin(async move { Some(report) })
    }

    fn return_payment<'a>(
        &'a self,
        _: MessageId,
        back: &'a PaymentReturn,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        if self.fault(10, "fault: return not sent") {
            return Box::pin(async { Answer::NeverGot });
        }
        if self.fault(20, "fault: return lost") {
            return Box::pin(async { Answer::None });
        }
        let refused = self.fault(15, "fault: return refused");
        let done = *self.truth.lock().unwrap().returns.entry(back.id.0).or_insert_with(|| !refused);
        let known = self
            .truth
            .lock()
            .unwrap()
            .movements
            .iter()
            .any(|entry| entry.direction == Direction::Debit && named(entry) == Some(back.id.0));
        if done && !known {
            self.leave(&back.account.to_string(), back.id.0, back.amount, now);
        }
        let answer = match (done, self.fault(30, "fault: return unanswered")) {
            (_, true) => Answer::None,
            (true, false) => Answer::Taken,
            (false, false) => Answer::Refused("AC04".parse().unwrap()),
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn inquire_return(&self, _: MessageId, inquiry: StatusInquiry, _: Instant) -> BoxFuture<'_, Answer> {
        if self.deaf || self.fault(40, "fault: inquiry unanswered") {
            return Box::pin(async { Answer::None });
        }
        let answer = match self.truth.lock().unwrap().returns.get(&inquiry.original.0) {
            None => Answer::NeverGot,
            Some(true) => Answer::Taken,
            Some(false) => Answer::Refused("AC04".parse().unwrap()),
        };
        Box::pin(async move { answer })
    }

    fn pass_on<'a>(
        &'a self,
        id: MessageId,
        order: &'a CreditTransfer,
        _made: Instant,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        assert_eq!(id.0, order.id.0, "an order goes by one name");
        if self.fault(10, "fault: order not sent") {
            return Box::pin(async { Answer::NeverGot });
        }
        if self.fault(15, "fault: order lost") {
            return Box::pin(async { Answer::None });
        }
        let refused = self.fault(10, "fault: order refused");
        let done = *self.truth.lock().unwrap().orders.entry(id.0).or_insert_with(|| !refused);
        let known = {
            let truth = self.truth.lock().unwrap();
            truth.movements.iter().any(|e| e.direction == Direction::Debit && named(e) == Some(id.0))
        };
        if done && !known {
            self.leave(&order.debtor_account.to_string(), id.0, order.amount, now);
        }
        let answer = match (done, self.fault(25, "fault: order unanswered")) {
            (_, true) => Answer::None,
            (true, false) => Answer::Taken,
            (false, false) => Answer::Refused("AC04".parse().unwrap()),
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn ask_back<'a>(
        &'a self,
        id: MessageId,
        asked: &'a CancellationRequest,
        _: Instant,
    ) -> BoxFuture<'a, Answer> {
        let answer = self.hear_request(id, asked);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn answer_recall<'a>(&'a self, _: MessageId, told: &'a Resolution, _: Instant) -> BoxFuture<'a, Answer> {
        let answer = self.hear_answer(told);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn statement<'a>(
        &'a self,
        id: MessageId,
        request: &'a StatementRequest,
        now: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        let day = request.day;
        let told = if day >= Day::of(now) {
            Err(NoStatement::Refused(Line::parse("NOST").unwrap()))
        } else {
            Ok(FetchedStatement {
                message: id,
                digest: [0; 32],
                statement: self.told_in_parts(&request.account.to_string(), day, request.page, now),
            })
        };
        Box::pin(async move { told })
    }
}

/// The identifier that a movement names.
pub fn named(entry: &Entry) -> Option<Uuid> {
    entry.end_to_end_id().map(|id| Id::<chung::base::id::Payment>::from_uuid(id.0).uuid())
}

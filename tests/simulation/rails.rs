//! The clearing system as it truly is: what was asked, what the payer decided, what moved. What it tells the service
//! goes through the real messages; what gets lost on the way is decided here.

use crate::issuers::{AdjustedThere, Made};
use crate::platform::confirmation;
use crate::recalls::{Recalls, clearing_reference};
use crate::stamps::Stamps;
use crate::tellings::{Telling, clearing_day};
use crate::world::Chance;
use chung::base::{calendar::Day, clock::Instant, id::Id, money::Money, text::Line};
use chung::codec::iso20022::{
    Charged, CreditNotification, Direction, EndToEndId, Entry, Header, Message, MessageId, PaymentStatus,
    Reason, TransactionStatus, write,
};
use chung::codec::payment_platform::Confirm;
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
    /// Of whose payers their banks asked for more.
    pub more_asked: BTreeSet<Uuid>,
    /// What payers agreed to and their banks cannot settle yet.
    pub queued: BTreeSet<Uuid>,
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
    /// The orders that brought money from one agency's account to another's: the credit there, and how much.
    pub arrived: BTreeMap<Uuid, (String, Money)>,
    /// The refunds that the Treasury has ordered.
    pub by_treasury: BTreeSet<Uuid>,
    /// What was asked back, in either direction.
    pub recalls: Recalls,
    /// How each day was told last, and the credits that the bank has taken back.
    pub tellings: BTreeMap<Day, Telling>,
    pub withdrawn: BTreeSet<String>,
    /// What left and was denied afterwards.
    pub denied: BTreeSet<Uuid>,
    /// Whether it ever left out what it knew.
    pub doubtful: bool,
    /// What the national platform has to confirm, and what an agency's system has heard.
    pub confirms: Vec<Confirm>,
    pub confirmed: BTreeMap<String, Vec<i64>>,
    /// The events that an agency's endpoint has heard.
    pub heard: BTreeMap<String, serde_json::Value>,
    /// When its key changed last.
    pub key_changed: Option<Instant>,
    /// What an issuer of receipts elsewhere made and adjusted, and what is true about stamps.
    pub made_elsewhere: Made,
    pub adjusted_elsewhere: AdjustedThere,
    pub stamps: Stamps,
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

    /// Money comes to an account with a text and nothing else; the movement's reference.
    pub fn transfer(&self, account: &str, text: &str, amount: Money, now: Instant) -> String {
        let reference = self.money_at(account, None, amount, now);
        self.retell(|entry| entry.remittance = vec![Line::parse(text).unwrap()], true, now);
        reference
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
        let queued = self.truth.lock().unwrap().queued.remove(&payment);
        let approve = approve || queued;
        if !queued && (self.asks_for_more(payment, now) || approve && self.queues(payment, now)) {
            return;
        }
        let why = if queued && self.fault(40, "fault: bank without liquidity to the end") {
            Some("AM23")
        } else if approve && self.fault(5, "fault: beyond the bank's limit") {
            Some("AM14")
        } else {
            (approve && self.fault(6, "fault: bank cannot pay")).then_some("AM04")
        };
        let fails = why.is_some();
        let amount = {
            let truth = &mut *self.truth.lock().unwrap();
            let asked = truth.asked.get_mut(&payment).unwrap();
            let pays = approve && !fails;
            asked.decision = if pays { Decision::Approved } else { Decision::Refused };
            let (amount, by_platform) = (asked.amount, asked.by_platform);
            let yes = approve.then_some(TransactionStatus::Accepted);
            let no = (!pays).then(|| rejected(why.unwrap_or("CUST")));
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

    /// The bank wants its customer to prove once more who they are, before anything is decided.
    fn asks_for_more(&self, payment: Uuid, now: Instant) -> bool {
        if self.truth.lock().unwrap().asked[&payment].by_platform
            || !self.fault(20, "fault: bank asks for more")
        {
            return false;
        }
        let truth = &mut *self.truth.lock().unwrap();
        truth.more_asked.insert(payment);
        Self::report(truth, payment, TransactionStatus::StepUp, now);
        true
    }

    /// The payer agrees, and the bank waits for liquidity.
    fn queues(&self, payment: Uuid, now: Instant) -> bool {
        if self.truth.lock().unwrap().asked[&payment].by_platform
            || !self.fault(10, "fault: bank waits for liquidity")
        {
            return false;
        }
        let truth = &mut *self.truth.lock().unwrap();
        truth.queued.insert(payment);
        Self::report(truth, payment, TransactionStatus::Pending, now);
        true
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

pub fn rejected(code: &str) -> TransactionStatus {
    TransactionStatus::Rejected(Reason { code: Line::parse(code).unwrap(), text: None })
}

/// The identifier that a movement names.
pub fn named(entry: &Entry) -> Option<Uuid> {
    entry.end_to_end_id().map(|id| Id::<chung::base::id::Payment>::from_uuid(id.0).uuid())
}

//! What the central bank and its members know: requests to pay, movements on treasury accounts, closed days and
//! messages on their way. Pure: the book is the fold of its [`Fact`]s, which a journal can keep.

use crate::base::calendar::{Day, rfc3339};
use crate::base::clock::Instant;
use crate::base::money::{Currency, Money, MoneyError};
use crate::codec::iso20022::{
    AboutWhat, AccountNumber, CancellationRequest, CreditNotification, CreditTransfer, Direction, EndToEndId,
    Entry, Message, MessageId, Part, PaymentReturn, RequestToPay, Resolution, Statement, TransactionStatus,
    read,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use time::format_description::well_known::Rfc3339;

/// The largest message that the sandbox reads, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// How many lines a page of a statement has at most.
const PAGE_LINES: usize = 10_000;

/// Something that happened. Messages stand in it as the XML that was received or will be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A request to pay arrived (`pain.013`), and this is its answer.
    Requested {
        /// The request.
        xml: String,
        /// The answer, which a repetition gets again.
        answer: String,
    },
    /// The payer decided, or the request lapsed; without a code the payer agreed.
    Decided {
        /// The payment.
        end_to_end_id: String,
        /// Why not.
        code: Option<String>,
        /// When.
        at: String,
    },
    /// Money moved (a `camt.054` that tells the truth).
    Moved {
        /// The notification.
        xml: String,
    },
    /// The service returned money (`pacs.004`), and this is its answer.
    Returned {
        /// The return.
        xml: String,
        /// The answer, which a repetition gets again.
        answer: String,
    },
    /// The service passed money on (`pacs.008`), and this is the answer.
    Ordered {
        /// The order.
        xml: String,
        /// The answer, which a repetition gets again.
        answer: String,
    },
    /// What became of a return or an order, told later than its answer (`pacs.002`).
    Reported {
        /// The report.
        xml: String,
    },
    /// The service asked money back (`camt.056`).
    AskedBack {
        /// The request.
        xml: String,
    },
    /// The service answered a bank (`camt.029`).
    Answered {
        /// The answer.
        xml: String,
    },
    /// A message waits to be sent.
    Queued {
        /// Its number in the queue.
        number: u64,
        /// The message.
        xml: String,
        /// Not before.
        due: String,
        /// Whether a byte of its first sending flips.
        corrupt: bool,
    },
    /// A message needs no more sending.
    Finished {
        /// Its number in the queue.
        number: u64,
        /// Acknowledged, or the code of its refusal.
        outcome: String,
    },
    /// A business day ended.
    Closed {
        /// The day.
        day: String,
    },
}

/// A fact that does not fit: a damaged journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fact of the journal cannot be read")]
pub struct BadFact;

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The payer has not decided.
    Waiting,
    /// The payer agreed.
    Approved(Instant),
    /// The payer or the bank said no, or too much time passed.
    Refused(String),
}

/// A request to pay at the payer's bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The message that brought it.
    pub message: MessageId,
    /// What it asks.
    pub request: RequestToPay,
    /// Where it stands.
    pub decision: Decision,
}

/// A message on its way to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number in the queue.
    pub number: u64,
    /// The bytes.
    pub xml: String,
    /// Not before.
    pub due: Instant,
    /// Whether a byte of the next sending flips.
    pub corrupt: bool,
    /// Whether a byte of the first one did.
    pub was_corrupt: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// How it ended.
    pub outcome: Option<String>,
}

/// The memory of the central bank.
#[derive(Default)]
pub struct Book {
    requests: BTreeMap<EndToEndId, Asked>,
    answers: HashMap<MessageId, ([u8; 32], String)>,
    movements: Vec<(AccountNumber, Entry)>,
    outgoing: Vec<Outgoing>,
    closed: Option<Day>,
    returns: BTreeMap<EndToEndId, (PaymentReturn, TransactionStatus)>,
    orders: BTreeMap<EndToEndId, (CreditTransfer, TransactionStatus)>,
    recalls: BTreeMap<EndToEndId, (MessageId, CancellationRequest)>,
    resolutions: BTreeMap<EndToEndId, Resolution>,
}

impl Book {
    /// Takes in a fact.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), BadFact> {
        match fact {
            Fact::Requested { xml, answer } => self.requested(xml, answer),
            Fact::Decided { end_to_end_id, code, at } => {
                let id = end_to_end_id.parse().map_err(|_| BadFact)?;
                let at = instant(at)?;
                let decision = code.clone().map_or(Decision::Approved(at), Decision::Refused);
                self.requests.get_mut(&id).ok_or(BadFact)?.decision = decision;
                Ok(())
            }
            Fact::Moved { xml } => {
                let Message::CreditNotification(moved) = parse(xml)?.message else { return Err(BadFact) };
                self.movements.extend(moved.entries.into_iter().map(|entry| (moved.account.clone(), entry)));
                Ok(())
            }
            Fact::Returned { xml, answer } => {
                let received = parse(xml)?;
                let Message::PaymentReturn(back) = received.message else { return Err(BadFact) };
                let Message::PaymentStatus(status) = parse(answer)?.message else { return Err(BadFact) };
                self.answers.insert(received.header.id, (received.digest, answer.clone()));
                self.returns.insert(back.id, (back, status.status));
                Ok(())
            }
            Fact::Ordered { xml, answer } => {
                let received = parse(xml)?;
                let Message::CreditTransfer(order) = received.message else { return Err(BadFact) };
                let Message::PaymentStatus(status) = parse(answer)?.message else { return Err(BadFact) };
                self.answers.insert(received.header.id, (received.digest, answer.clone()));
                self.orders.insert(order.id, (order, status.status));
                Ok(())
            }
            Fact::Reported { xml } => {
                let Message::PaymentStatus(told) = parse(xml)?.message else { return Err(BadFact) };
                let known = match told.about {
                    AboutWhat::Request => None,
                    AboutWhat::Return => self.returns.get_mut(&told.end_to_end_id).map(|one| &mut one.1),
                    AboutWhat::Transfer => self.orders.get_mut(&told.end_to_end_id).map(|one| &mut one.1),
                };
                *known.ok_or(BadFact)? = told.status;
                Ok(())
            }
            Fact::AskedBack { xml } => {
                let received = parse(xml)?;
                let Message::CancellationRequest(asked) = received.message else { return Err(BadFact) };
                self.recalls.insert(asked.id, (received.header.id, asked));
                Ok(())
            }
            Fact::Answered { xml } => {
                let Message::Resolution(told) = parse(xml)?.message else { return Err(BadFact) };
                self.resolutions.insert(told.request, told);
                Ok(())
            }
            Fact::Queued { number, xml, due, corrupt } => {
                let (due, corrupt) = (instant(due)?, *corrupt);
                let message = Outgoing {
                    number: *number,
                    xml: xml.clone(),
                    due,
                    corrupt,
                    was_corrupt: corrupt,
                    attempts: 0,
                    outcome: None,
                };
                self.outgoing.push(message);
                Ok(())
            }
            Fact::Finished { number, outcome } => {
                let message = self.outgoing.iter_mut().find(|m| m.number == *number).ok_or(BadFact)?;
                message.outcome = Some(outcome.clone());
                Ok(())
            }
            Fact::Closed { day } => {
                self.closed = Some(day.parse().map_err(|_| BadFact)?);
                Ok(())
            }
        }
    }

    fn requested(&mut self, xml: &str, answer: &str) -> Result<(), BadFact> {
        let received = parse(xml)?;
        let Message::RequestToPay(request) = received.message else { return Err(BadFact) };
        let Message::RequestStatus(status) = parse(answer)?.message else { return Err(BadFact) };
        let decision = match status.status {
            TransactionStatus::Rejected(reason) => Decision::Refused(reason.code.to_string()),
            _ => Decision::Waiting,
        };
        let message = received.header.id;
        self.answers.insert(message, (received.digest, answer.to_owned()));
        self.requests.insert(request.end_to_end_id, Asked { message, request, decision });
        Ok(())
    }

    /// The request of a payment.
    pub fn request(&self, id: EndToEndId) -> Option<&Asked> {
        self.requests.get(&id)
    }

    /// Every request, in the order of their identifiers.
    pub fn requests(&self) -> impl Iterator<Item = &Asked> {
        self.requests.values()
    }

    /// The answer that a message was given before, and the digest of what it said.
    pub fn answer(&self, message: MessageId) -> Option<&([u8; 32], String)> {
        self.answers.get(&message)
    }

    /// What became of a return.
    pub fn returned(&self, id: EndToEndId) -> Option<&TransactionStatus> {
        self.returns.get(&id).map(|(_, status)| status)
    }

    /// Every return, with what became of it.
    pub fn returns(&self) -> impl Iterator<Item = &(PaymentReturn, TransactionStatus)> {
        self.returns.values()
    }

    /// Every order to pass money on, with what became of it.
    pub fn orders(&self) -> impl Iterator<Item = &(CreditTransfer, TransactionStatus)> {
        self.orders.values()
    }

    /// What lies in an account, in đồng.
    pub fn balance(&self, account: &AccountNumber) -> i64 {
        let of_account = self.movements.iter().filter(|(a, _)| a == account);
        let moved = of_account.map(|(_, entry)| match entry.direction {
            Direction::Credit => entry.amount.minor(),
            Direction::Debit => -entry.amount.minor(),
        });
        moved.sum()
    }

    /// What the service asked back under that name.
    pub fn recall(&self, id: EndToEndId) -> Option<&(MessageId, CancellationRequest)> {
        self.recalls.get(&id)
    }

    /// Everything that the service asked back.
    pub fn recalls(&self) -> impl Iterator<Item = &(MessageId, CancellationRequest)> {
        self.recalls.values()
    }

    /// Every answer of the service to a bank.
    pub fn resolutions(&self) -> impl Iterator<Item = &Resolution> {
        self.resolutions.values()
    }

    /// The movement that the bank calls so.
    pub fn movement(&self, servicer_reference: &str) -> Option<&Entry> {
        self.movements.iter().map(|(_, entry)| entry).find(|e| e.reference.as_str() == servicer_reference)
    }

    /// The debit that bears that reference, with its account.
    pub fn debit_of(&self, end_to_end: &str) -> Option<&(AccountNumber, Entry)> {
        self.movements.iter().find(|(_, entry)| {
            entry.direction == Direction::Debit
                && entry.end_to_end.as_ref().is_some_and(|id| id.as_str() == end_to_end)
        })
    }

    /// Why a return cannot be carried out: nobody knows the transfer, or more goes back than came.
    pub fn unreturnable(&self, back: &PaymentReturn) -> Option<String> {
        let names = |entry: &Entry| {
            let known = |one: bool, other: bool| one && other;
            known(back.original.uetr.is_some(), entry.uetr == back.original.uetr)
                || known(
                    back.original.clearing_reference.is_some(),
                    entry.clearing_reference == back.original.clearing_reference,
                )
                || known(back.original.end_to_end.is_some(), entry.end_to_end == back.original.end_to_end)
        };
        let came = |(account, entry): &&(AccountNumber, Entry)| {
            *account == back.account && entry.direction == Direction::Credit && names(entry)
        };
        let Some((_, came)) = self.movements.iter().find(came) else { return Some("AG01".to_owned()) };
        let same = |other: &&(PaymentReturn, TransactionStatus)| {
            other.0.original == back.original && other.1 == TransactionStatus::Settled
        };
        let gone: i64 = self.returns.values().filter(same).map(|(other, _)| other.amount.minor()).sum();
        (gone + back.amount.minor() > came.amount.minor()).then(|| "AM09".to_owned())
    }

    /// How many movements there are: the next reference counts on.
    pub fn movement_count(&self) -> usize {
        self.movements.len()
    }

    /// Messages sent and to be sent.
    pub fn outgoing(&self) -> &[Outgoing] {
        &self.outgoing
    }

    /// The message that is due first.
    pub fn next_due(&self, now: Instant) -> Option<&Outgoing> {
        let waiting = self.outgoing.iter().filter(|m| m.outcome.is_none() && m.due <= now);
        waiting.min_by_key(|m| (m.due, m.number))
    }

    /// Notes an unsuccessful attempt; it is tried again at `due`.
    pub fn tried(&mut self, number: u64, due: Instant) {
        if let Some(message) = self.outgoing.iter_mut().find(|m| m.number == number) {
            message.attempts += 1;
            message.corrupt = false;
            message.due = due;
        }
    }

    /// The day on which money is booked now.
    pub fn business_day(&self, now: Instant) -> Day {
        let today = Day::of(now);
        self.closed.map_or(today, |closed| today.max(closed.plus_days(1)))
    }

    /// The statement of a day.
    pub fn statement(&self, account: &AccountNumber, day: Day, page: u32) -> Result<Statement, MoneyError> {
        let of_account = || self.movements.iter().filter(|(a, _)| a == account).map(|(_, entry)| entry);
        let signed = |entry: &Entry| match entry.direction {
            Direction::Credit => Ok(entry.amount),
            Direction::Debit => entry.amount.negated(),
        };
        let sum_until = |end: Day| {
            let mut sum = Money::zero(Currency::Vnd);
            for entry in of_account().filter(|entry| entry.booked < end) {
                sum = sum.plus(signed(entry)?)?;
            }
            Ok(sum)
        };
        let of_day = || of_account().filter(|entry| entry.booked == day);
        let before = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(PAGE_LINES);
        let entries: Vec<Entry> = of_day().skip(before).take(PAGE_LINES).cloned().collect();
        let last = of_day().count() <= before.saturating_add(PAGE_LINES);
        let (opening, closing) = (sum_until(day)?, sum_until(day.plus_days(1))?);
        let part = Part { number: page, last };
        Ok(Statement { account: account.clone(), day, opening, closing, entries, part })
    }
}

/// The notification inside a message that is known to hold one.
pub fn notification(xml: &str) -> Option<CreditNotification> {
    match parse(xml).ok()?.message {
        Message::CreditNotification(notification) => Some(notification),
        _ => None,
    }
}

/// The time of a fact, as text.
pub fn moment(at: Instant) -> String {
    rfc3339(at)
}

fn instant(text: &str) -> Result<Instant, BadFact> {
    Instant::parse(text, &Rfc3339).map_err(|_| BadFact)
}

fn parse(xml: &str) -> Result<crate::codec::iso20022::Received, BadFact> {
    read(xml.as_bytes(), MESSAGE_BYTES_MAX).map_err(|_| BadFact)
}

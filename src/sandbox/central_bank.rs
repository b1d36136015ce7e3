//! The clearing system: takes signed messages, keeps the book, tells the service what happens.

use super::Sandbox;
use super::book::{Book, Decision, Fact, MESSAGE_BYTES_MAX, moment};
use super::delivery::Letter;
use super::fault::Kind;
use super::member_bank;
use crate::base::calendar::Day;
use crate::base::clock::Instant;
use crate::base::money::Money;
use crate::base::text::{Line, unaccented};
use crate::codec::http_signature::{self, Answer, Headers, Request, Signed, sign_answer, verify_request};
use crate::codec::iso20022::{
    AboutWhat, AccountNumber, Agent, CONTENT_TYPE as XML, CreditNotification, Direction, EndToEndId, Entry,
    MemberId, Message, MessageReject, NEVER_RECEIVED, PaymentStatus, Reason, Received, RequestStatus,
    RequestToPay, StatusInquiry, TransactionStatus, Uetr, read,
};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::Arc;
use std::time::Duration;

/// Why a payer's decision is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// No such request at this bank.
    #[error("there is no such request at this bank")]
    NotFound,
    /// It was decided before, or has lapsed.
    #[error("the request is no longer open")]
    NotOpen,
}

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/clearing", post(take).layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX)))
}

/// A transfer that somebody makes at a bank, with whatever text.
pub struct Transfer {
    /// The account to be credited.
    pub account: AccountNumber,
    /// How much.
    pub amount: Money,
    /// The remittance text.
    pub remittance: Line<140>,
    /// Who pays.
    pub payer: Line<140>,
    /// At which bank.
    pub bank: MemberId,
    /// The payer's reference, when it names something of ours.
    pub names: Option<Line<35>>,
}

async fn take(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, body: Bytes) -> Response {
    let now = sandbox.now();
    let signed = match sandbox.verified(&headers, &body, now) {
        Ok(signed) => signed,
        Err(refusal) => return (StatusCode::UNAUTHORIZED, refusal.code()).into_response(),
    };
    let (received, name, payment) = match read(&body, MESSAGE_BYTES_MAX) {
        Ok(received) => {
            let (name, payment) = (received.message.definition(), payment_of(&received.message));
            (received, name, payment)
        }
        Err(refusal) => {
            let reject = sandbox.reject("unknown", refusal.code(), &refusal.to_string());
            return sandbox.answer(StatusCode::BAD_REQUEST, &reject, &signed, false);
        }
    };
    if sandbox.faults().strike(Kind::DropRequest, name, payment).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let xml = String::from_utf8_lossy(&body).into_owned();
    let (status, answer) = sandbox.act(received, xml, now);
    let delay = sandbox.faults().strike(Kind::Delay, name, payment);
    if let Some(fault) = delay {
        tokio::time::sleep(Duration::from_millis(fault.delay_ms.into())).await;
    }
    if sandbox.faults().strike(Kind::DropAnswer, name, payment).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let corrupt = sandbox.faults().strike(Kind::Corrupt, name, payment).is_some();
    sandbox.answer(status, &answer, &signed, corrupt)
}

impl Sandbox {
    /// The payer's decision at a bank: `None` agrees, a code refuses.
    pub fn decide(&self, bank: &MemberId, id: EndToEndId, refusal: Option<String>) -> Result<(), NotDecided> {
        let now = self.now();
        self.expire(now);
        let mut book = self.book();
        let asked = book.request(id).ok_or(NotDecided::NotFound)?;
        if asked.request.debtor_agent != Agent::Member(bank.clone()) {
            return Err(NotDecided::NotFound);
        }
        if asked.decision != Decision::Waiting {
            return Err(NotDecided::NotOpen);
        }
        if refusal.is_none() {
            drop(book);
            return self.agree(bank, id, now);
        }
        self.decided(&mut book, id, refusal, now);
        drop(book);
        self.wake.notify_one();
        Ok(())
    }

    /// A transfer that nobody asked for.
    pub fn transfer(&self, transfer: Transfer) {
        let now = self.now();
        let mut book = self.book();
        let mut entry = self.entry(&book, transfer.amount, now);
        entry.end_to_end = transfer.names;
        entry.counterparty = Some(transfer.payer);
        entry.counterparty_agent = Some(Agent::Member(transfer.bank));
        entry.remittance = vec![transfer.remittance];
        let credit = self.moved(&mut book, transfer.account, entry);
        self.queue(&mut book, vec![Letter { xml: credit, kind: "camt.054", payment: None }], now);
        drop(book);
        self.wake.notify_one();
    }

    /// Requests whose time is over are refused.
    pub fn expire(&self, now: Instant) {
        let mut book = self.book();
        let open = |asked: &&super::book::Asked| asked.decision == Decision::Waiting;
        let lapsed: Vec<EndToEndId> = book
            .requests()
            .filter(open)
            .filter(|asked| asked.request.expires <= now)
            .map(|asked| asked.request.end_to_end_id)
            .collect();
        for id in lapsed {
            // Timeout at the instructed agent.
            self.decided(&mut book, id, Some(String::from("AB06")), now);
        }
    }

    /// Ends the business day and names it.
    pub fn close_day(&self) -> Day {
        self.give_up_waiting(self.now());
        let mut book = self.book();
        let day = book.business_day(self.now());
        self.record(&mut book, &Fact::Closed { day: day.to_string() });
        day
    }

    pub(super) fn decided(&self, book: &mut Book, id: EndToEndId, refusal: Option<String>, now: Instant) {
        let Some(asked) = book.request(id).cloned() else { return };
        let decided = Fact::Decided { end_to_end_id: id.to_string(), code: refusal.clone(), at: moment(now) };
        self.record(book, &decided);
        let status = match refusal {
            None => TransactionStatus::Settled,
            Some(code) => TransactionStatus::Rejected(reason(&code)),
        };
        let settled = status == TransactionStatus::Settled;
        let report = Message::PaymentStatus(PaymentStatus {
            inquiry: None,
            about: AboutWhat::Request,
            original: asked.message,
            end_to_end_id: id,
            uetr: Some(asked.request.uetr),
            status,
            accepted: settled.then_some(now),
            clearing_reference: None,
        });
        let mut letters = vec![Letter { xml: self.compose(&report), kind: "pacs.002", payment: Some(id) }];
        if settled {
            for xml in self.pay(book, &asked.request, now) {
                letters.push(Letter { xml, kind: "camt.054", payment: Some(id) });
            }
        }
        self.queue(book, letters, now);
    }

    /// Moves the money of an approved request and writes the notifications of it.
    fn pay(&self, book: &mut Book, request: &RequestToPay, now: Instant) -> Vec<String> {
        let id = Some(request.end_to_end_id);
        let mut amount = request.amount;
        if let Some(fault) = self.faults().strike(Kind::WrongAmount, "camt.054", id) {
            let other = amount.plus(Money::vnd(fault.amount)).ok().filter(|other| other.is_positive());
            amount = other.unwrap_or(amount);
        }
        let half = Money::vnd(amount.minor() / 2);
        if half.is_positive() && self.faults().strike(Kind::Partial, "camt.054", id).is_some() {
            let rest = Money::vnd(amount.minor() - half.minor());
            return [half, rest].map(|part| self.pay_part(book, request, part, now)).into();
        }
        vec![self.pay_part(book, request, amount, now)]
    }

    fn pay_part(&self, book: &mut Book, request: &RequestToPay, amount: Money, now: Instant) -> String {
        let id = Some(request.end_to_end_id);
        let mut entry = self.entry(book, amount, now);
        entry.counterparty = Some(payer_of(request));
        entry.counterparty_agent = Some(request.debtor_agent.clone());
        if self.faults().strike(Kind::UnknownReference, "camt.054", id).is_some() {
            entry.end_to_end = Line::parse("NOTPROVIDED").ok();
            entry.uetr = Some(Uetr::new(self.header().id.0));
            entry.remittance = Line::parse("chuyen tien").ok().into_iter().collect();
        } else {
            entry.end_to_end = Line::parse(&request.end_to_end_id.to_string()).ok();
            entry.uetr = Some(request.uetr);
            entry.remittance = vec![request.remittance.clone()];
        }
        self.moved(book, request.creditor_account.clone(), entry)
    }

    #[expect(clippy::expect_used, reason = "a reference of digits is a line")]
    pub(super) fn entry(&self, book: &Book, amount: Money, now: Instant) -> Entry {
        let day = book.business_day(now);
        let number = book.movement_count() + 1;
        let compact = day.to_string().replace('-', "");
        Entry {
            reference: Line::parse(&format!("FT{compact}{number:09}")).expect("digits"),
            amount,
            direction: Direction::Credit,
            reversal: false,
            booked: day,
            value: day,
            end_to_end: None,
            uetr: None,
            clearing_reference: Line::parse(&format!("SBV{number:012}")).ok(),
            counterparty: None,
            counterparty_agent: None,
            remittance: Vec::new(),
            accepted: Some(now),
            charged: None,
        }
    }

    pub(super) fn moved(&self, book: &mut Book, account: AccountNumber, entry: Entry) -> String {
        let credit = CreditNotification { account, entries: vec![entry] };
        let xml = self.compose(&Message::CreditNotification(credit));
        self.record(book, &Fact::Moved { xml: xml.clone() });
        xml
    }

    fn verified(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Instant,
    ) -> Result<Signed, http_signature::Refusal> {
        let one = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next().and_then(|v| v.to_str().ok()).filter(|_| values.next().is_none());
            value.ok_or(http_signature::Refusal::Malformed)
        };
        let target_uri = format!("{}clearing", self.settings.origin);
        let content_type = one("content-type")?;
        let request = Request { method: "POST", target_uri: &target_uri, content_type, body };
        let headers = Headers {
            content_digest: one("content-digest")?.to_owned(),
            signature_input: one("signature-input")?.to_owned(),
            signature: one("signature")?.to_owned(),
        };
        verify_request(&request, &headers, &self.settings.service_keys, now)
    }

    /// What a message brings about, and the answer.
    fn act(&self, received: Received, xml: String, now: Instant) -> (StatusCode, String) {
        let id = received.header.id.to_string();
        let wrong = |code: &str, why: &str| (StatusCode::BAD_REQUEST, self.reject(&id, code, why));
        if received.header.from != self.settings.service || received.header.to != self.settings.central_bank {
            return wrong("wrong_member", "the header names another sender or receiver");
        }
        match &received.message {
            Message::StatusInquiry(inquiry) => {
                self.observed().inquiries.insert(inquiry.end_to_end_id);
            }
            Message::StatementRequest(_) => self.observed().statements += 1,
            _ => {}
        }
        match received.message {
            Message::RequestToPay(ref request) => self.take_request(&received, request, xml),
            Message::StatusInquiry(inquiry) if inquiry.about == AboutWhat::Return => {
                (StatusCode::OK, self.tell_return(&received, inquiry))
            }
            Message::StatusInquiry(inquiry) => (StatusCode::OK, self.tell_status(&received, inquiry, now)),
            Message::PaymentReturn(ref back) => self.take_return(&received, back, xml, now),
            Message::CreditTransfer(ref order) => self.take_order(&received, order, xml, now),
            Message::CancellationRequest(ref asked) => self.take_cancellation(&received, asked, xml),
            Message::Resolution(_) => self.take_resolution(xml),
            Message::StatementRequest(ref request) => self.send_statement(&id, request, now),
            other => wrong("unexpected_message", other.definition()),
        }
    }

    /// The answer to a message that came before: the same again, or the refusal of another one under its identifier.
    pub(super) fn answered(&self, book: &Book, received: &Received) -> Option<(StatusCode, String)> {
        let id = received.header.id;
        let (digest, answer) = book.answer(id)?;
        Some(if *digest == received.digest {
            (StatusCode::OK, answer.clone())
        } else {
            let why = "another message came under this identifier";
            (StatusCode::CONFLICT, self.reject(&id.to_string(), "identifier_reused", why))
        })
    }

    fn take_request(&self, received: &Received, request: &RequestToPay, xml: String) -> (StatusCode, String) {
        let (original, end_to_end_id, uetr) = (received.header.id, request.end_to_end_id, Some(request.uetr));
        let mut book = self.book();
        if let Some(again) = self.answered(&book, received) {
            return again;
        }
        let known_bank = matches!(&request.debtor_agent, Agent::Member(m) if member_bank::name(m).is_some());
        let duplicate = book.request(end_to_end_id).is_some();
        let refused =
            self.faults().strike(Kind::Reject, "pain.013", Some(end_to_end_id)).map(|fault| fault.code);
        let status = match (duplicate, known_bank, refused) {
            // Duplicate end-to-end identification; bank identifier incorrect.
            (true, _, _) => TransactionStatus::Rejected(reason("DU04")),
            (false, false, _) => TransactionStatus::Rejected(reason("RC01")),
            (false, true, Some(code)) => TransactionStatus::Rejected(reason(&code)),
            (false, true, None)
                if self.faults().strike(Kind::StepUp, "pain.013", Some(end_to_end_id)).is_some() =>
            {
                TransactionStatus::StepUp
            }
            (false, true, None) => TransactionStatus::Pending,
        };
        let answer = RequestStatus { original, end_to_end_id, uetr, status };
        let answer = self.compose(&Message::RequestStatus(answer));
        if !duplicate {
            self.record(&mut book, &Fact::Requested { xml, answer: answer.clone() });
        }
        (StatusCode::OK, answer)
    }

    fn tell_status(&self, received: &Received, inquiry: StatusInquiry, now: Instant) -> String {
        self.expire(now);
        let book = self.book();
        let asked = book.request(inquiry.end_to_end_id).filter(|asked| asked.message == inquiry.original);
        let (status, accepted) = match asked.map(|asked| &asked.decision) {
            None => (TransactionStatus::Rejected(reason(NEVER_RECEIVED)), None),
            Some(Decision::Waiting) => (TransactionStatus::Pending, None),
            Some(Decision::Approved(at)) => (TransactionStatus::Settled, Some(*at)),
            Some(Decision::Refused(code)) => (TransactionStatus::Rejected(reason(code)), None),
        };
        self.compose(&Message::PaymentStatus(PaymentStatus {
            inquiry: Some(received.header.id),
            about: inquiry.about,
            original: inquiry.original,
            end_to_end_id: inquiry.end_to_end_id,
            uetr: inquiry.uetr,
            status,
            accepted,
            clearing_reference: None,
        }))
    }

    #[expect(clippy::expect_used, reason = "codes and identifiers of ours are lines")]
    pub(super) fn reject(&self, refused: &str, code: &str, why: &str) -> String {
        self.compose(&Message::MessageReject(MessageReject {
            refused: Line::parse(refused).expect("an identifier"),
            code: Line::parse(code).expect("a code"),
            at: self.now(),
            description: Line::cleaned(why).ok(),
        }))
    }

    fn answer(&self, status: StatusCode, xml: &str, to: &Signed, corrupt: bool) -> Response {
        let answer = Answer { status: status.as_u16(), body: xml.as_bytes() };
        let headers = sign_answer(&answer, &to.signature, &*self.settings.key, self.now());
        let body = if corrupt { xml.replacen("Document", "Dokument", 1) } else { xml.to_owned() };
        let response = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, XML)
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature)
            .body(Body::from(body));
        response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

fn payment_of(message: &Message) -> Option<EndToEndId> {
    match message {
        Message::RequestToPay(request) => Some(request.end_to_end_id),
        Message::StatusInquiry(inquiry) => Some(inquiry.end_to_end_id),
        Message::PaymentReturn(back) => Some(back.id),
        Message::CreditTransfer(order) => Some(order.id),
        Message::CancellationRequest(asked) => Some(asked.id),
        Message::Resolution(told) => Some(told.request),
        _ => None,
    }
}

#[expect(clippy::expect_used, reason = "NARR is a line")]
pub(super) fn reason(code: &str) -> Reason {
    Reason { code: Line::parse(code).unwrap_or_else(|_| Line::parse("NARR").expect("NARR")), text: None }
}

/// The payer as banks print people: upper case, no marks.
#[expect(clippy::expect_used, reason = "a constant is a line")]
fn payer_of(request: &RequestToPay) -> Line<140> {
    let name = request.debtor.as_ref().map(|name| unaccented(name.as_str()).to_uppercase());
    let printed = name.and_then(|name| Line::parse(&name).ok());
    printed.unwrap_or_else(|| Line::parse("KHACH HANG").expect("a constant"))
}

//! The clearing system as a double in this process: it answers requests to pay as it is told to, keeps what it was
//! asked, and sends signed messages to the service's inbox over HTTP.

use crate::world::{self, Actor};
use chung::base::{calendar::Day, clock::Instant, money::Money, origin::Origin, text::Line};
use chung::codec::http_signature::{Request, sign_request};
use chung::codec::iso20022::{
    AboutWhat, CancellationRequest, CreditNotification, CreditTransfer, Direction, EndToEndId, Entry, Header,
    Message, MessageId, Part, PaymentReturn, PaymentStatus, RequestToPay, Resolution, Statement,
    StatementRequest, StatusInquiry, TransactionStatus, write,
};
use chung::crypto::signing::{KeyList, Signer, SigningKey};
use chung::partner::clearing::{Clearing, FetchedStatement, NoStatement};
use chung::payment::{
    payment::{Event, Report},
    refund::Answer,
};
use futures_util::future::BoxFuture;
use std::sync::Mutex;
use uuid::Uuid;

/// The double.
pub struct CentralBank {
    key: SigningKey,
    /// What it answers to the next requests to pay; `Handed` when nothing is scripted.
    pub answers: Mutex<Vec<Event>>,
    /// What it answers to inquiries; silence when nothing is scripted.
    pub reports: Mutex<Vec<Report>>,
    /// What it answers to the next returns; `Taken` when nothing is scripted.
    pub return_answers: Mutex<Vec<Answer>>,
    /// What it answers to inquiries about returns; silence when nothing is scripted.
    pub return_reports: Mutex<Vec<Answer>>,
    /// The returns that it was handed.
    pub returns: Mutex<Vec<PaymentReturn>>,
    /// The orders to pass money on that it was handed.
    pub orders: Mutex<Vec<CreditTransfer>>,
    /// What it answers to the next of them; `Taken` when nothing is scripted.
    pub order_answers: Mutex<Vec<Answer>>,
    /// What we asked back.
    pub asked_back: Mutex<Vec<CancellationRequest>>,
    /// What we answered to banks that asked money back.
    pub resolutions: Mutex<Vec<Resolution>>,
    /// The requests that it was asked.
    pub requests: Mutex<Vec<RequestToPay>>,
    /// How many inquiries came.
    pub inquiries: Mutex<u32>,
    /// The movements that its statements show, whatever it has told of them.
    pub movements: Mutex<Vec<Entry>>,
    /// Why it sends no statement; it sends one when nothing is scripted.
    pub no_statements: Mutex<Vec<NoStatement>>,
    /// How many movements a page of a statement has room for.
    pub page_room: Mutex<usize>,
    /// Pages that it sends empty, once each.
    pub lost_pages: Mutex<Vec<u32>>,
}

impl CentralBank {
    /// One that takes every request.
    pub fn new() -> Self {
        Self {
            key: SigningKey::generate(),
            answers: Mutex::default(),
            reports: Mutex::default(),
            return_answers: Mutex::default(),
            return_reports: Mutex::default(),
            returns: Mutex::default(),
            asked_back: Mutex::default(),
            resolutions: Mutex::default(),
            orders: Mutex::default(),
            order_answers: Mutex::default(),
            requests: Mutex::default(),
            inquiries: Mutex::default(),
            movements: Mutex::default(),
            no_statements: Mutex::default(),
            page_room: Mutex::new(10_000),
            lost_pages: Mutex::default(),
        }
    }

    /// The keys it is pinned to.
    pub fn keys(&self) -> KeyList {
        KeyList::new([(self.key.kid().to_owned(), self.key.verifying_key().clone())])
    }

    /// Sends a message to the inbox, signed now.
    pub async fn send(&self, origin: &Origin, xml: &str, now: Instant) -> world::Answer {
        self.send_as(origin, (xml, "application/xml"), now).await
    }

    /// The same, signed as content of that type.
    pub async fn send_as(
        &self,
        origin: &Origin,
        (xml, content_type): (&str, &str),
        now: Instant,
    ) -> world::Answer {
        let target = origin.at("/clearing/inbox");
        let request = Request { method: "POST", target_uri: &target, content_type, body: xml.as_bytes() };
        let (headers, _) = sign_request(&request, &self.key, now);
        let actor = Actor::new(origin.clone());
        let request = actor
            .request(reqwest::Method::POST, "/clearing/inbox")
            .header("content-type", content_type)
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature)
            .body(xml.to_owned());
        actor.send(request).await
    }
}

impl Clearing for CentralBank {
    fn request_to_pay<'a>(
        &'a self,
        _id: MessageId,
        request: &'a RequestToPay,
        _now: Instant,
    ) -> BoxFuture<'a, Event> {
        self.requests.lock().unwrap().push(request.clone());
        let answer = self.answers.lock().unwrap().pop().unwrap_or(Event::Handed);
        Box::pin(async move { answer })
    }

    fn inquire(
        &self,
        _id: MessageId,
        _inquiry: StatusInquiry,
        _now: Instant,
    ) -> BoxFuture<'_, Option<Report>> {
        *self.inquiries.lock().unwrap() += 1;
        let report = self.reports.lock().unwrap().pop();
        Box::pin(async move { report })
    }

    fn return_payment<'a>(
        &'a self,
        _id: MessageId,
        back: &'a PaymentReturn,
        _now: Instant,
    ) -> BoxFuture<'a, Answer> {
        self.returns.lock().unwrap().push(back.clone());
        let answer = self.return_answers.lock().unwrap().pop().unwrap_or(Answer::Taken);
        Box::pin(async move { answer })
    }

    fn inquire_return(
        &self,
        _id: MessageId,
        _inquiry: StatusInquiry,
        _now: Instant,
    ) -> BoxFuture<'_, Answer> {
        let answer = self.return_reports.lock().unwrap().pop().unwrap_or(Answer::None);
        Box::pin(async move { answer })
    }

    fn pass_on<'a>(
        &'a self,
        _id: MessageId,
        order: &'a CreditTransfer,
        _made: Instant,
        _now: Instant,
    ) -> BoxFuture<'a, Answer> {
        self.orders.lock().unwrap().push(order.clone());
        let answer = self.order_answers.lock().unwrap().pop().unwrap_or(Answer::Taken);
        Box::pin(async move { answer })
    }

    fn ask_back<'a>(
        &'a self,
        _id: MessageId,
        asked: &'a CancellationRequest,
        _now: Instant,
    ) -> BoxFuture<'a, Answer> {
        self.asked_back.lock().unwrap().push(asked.clone());
        Box::pin(async { Answer::Taken })
    }

    fn answer_recall<'a>(
        &'a self,
        _id: MessageId,
        answer: &'a Resolution,
        _now: Instant,
    ) -> BoxFuture<'a, Answer> {
        self.resolutions.lock().unwrap().push(answer.clone());
        Box::pin(async { Answer::Taken })
    }

    fn statement<'a>(
        &'a self,
        id: MessageId,
        request: &'a StatementRequest,
        _now: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        let StatementRequest { account, day, page, .. } = request.clone();
        let entries: Vec<Entry> =
            self.movements.lock().unwrap().iter().filter(|entry| entry.booked == day).cloned().collect();
        let signed = |entry: &Entry| match entry.direction {
            Direction::Credit => entry.amount,
            Direction::Debit => entry.amount.negated().unwrap(),
        };
        let opening = Money::vnd(1_000_000);
        let closing = entries.iter().fold(opening, |sum, entry| sum.plus(signed(entry)).unwrap());
        let room = *self.page_room.lock().unwrap();
        let pages = entries.len().div_ceil(room).max(1);
        let place = page as usize - 1;
        let part = Part { number: page, last: place + 1 == pages };
        let mut entries = entries.chunks(room).nth(place).unwrap_or_default().to_vec();
        let mut lost = self.lost_pages.lock().unwrap();
        if let Some(at) = lost.iter().position(|lost| *lost == page) {
            lost.remove(at);
            entries.clear();
        }
        let statement = Statement { account, day, opening, closing, entries, part };
        let refusal = self.no_statements.lock().unwrap().pop();
        let fetched = FetchedStatement { message: id, digest: [0; 32], statement };
        Box::pin(async move { refusal.map_or(Ok(fetched), Err) })
    }
}

fn header(id: u128, now: Instant) -> Header {
    Header {
        from: "SBV01".parse().unwrap(),
        to: "CHUNG".parse().unwrap(),
        id: MessageId(Uuid::from_u128(id)),
        created: now,
        possible_duplicate: false,
    }
}

/// Money that came, booked today.
pub fn entry(reference: &str, dong: i64, names: Option<Uuid>, now: Instant) -> Entry {
    Entry {
        reference: Line::parse(reference).unwrap(),
        amount: Money::vnd(dong),
        direction: Direction::Credit,
        reversal: false,
        booked: Day::of(now),
        value: Day::of(now),
        end_to_end: names.map(|id| Line::parse(&EndToEndId(id).to_string()).unwrap()),
        uetr: None,
        clearing_reference: None,
        counterparty: None,
        counterparty_agent: None,
        remittance: vec![],
        accepted: None,
        charged: None,
    }
}

/// A `camt.054` of one credit.
pub fn credit(
    id: u128,
    account: &str,
    reference: &str,
    dong: i64,
    names: Option<Uuid>,
    now: Instant,
) -> String {
    let entries = vec![entry(reference, dong, names, now)];
    let message = CreditNotification { account: account.parse().unwrap(), entries };
    write(&header(id, now), &Message::CreditNotification(message))
}

/// A `camt.054` of these movements.
pub fn notification(id: u128, account: &str, entries: Vec<Entry>, now: Instant) -> String {
    let message = CreditNotification { account: account.parse().unwrap(), entries };
    write(&header(id, now), &Message::CreditNotification(message))
}

/// Any message, from the clearing system.
pub fn told(id: u128, message: &Message, now: Instant) -> String {
    write(&header(id, now), message)
}

/// A `pacs.002` about one payment.
pub fn status(id: u128, payment: Uuid, status: TransactionStatus, now: Instant) -> String {
    let message = PaymentStatus {
        inquiry: None,
        about: AboutWhat::Request,
        original: MessageId(payment),
        end_to_end_id: EndToEndId(payment),
        uetr: None,
        status,
        accepted: None,
        clearing_reference: None,
    };
    write(&header(id, now), &Message::PaymentStatus(message))
}

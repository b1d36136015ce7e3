//! Money that goes back, on the central bank's side: returns (`pacs.004`) are carried out against the transfer that
//! they name, requests for money back (`camt.056`) go both ways and are answered (`camt.029`).

use super::Sandbox;
use super::book::{Book, Fact};
use super::central_bank::reason;
use super::delivery::Letter;
use crate::base::clock::Instant;
use crate::base::money::Money;
use crate::base::text::Line;
use crate::codec::iso20022::{
    AboutWhat, CancellationRequest, Direction, EndToEndId, Entry, Message, OriginalTransfer, PaymentReturn,
    PaymentStatus, Received, Resolution, ResolutionAnswer, StatusInquiry, TransactionStatus, Uetr,
};
use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/script/returns", get(returns))
        .route("/script/recalls", get(recalls).post(ask_back))
        .route("/script/recalls/{id}/{answer}", post(decide))
}

impl Sandbox {
    /// Carries out a return, once: the account is debited, the payer's bank credited.
    pub(super) fn take_return(
        &self,
        received: &Received,
        back: &PaymentReturn,
        xml: String,
        now: Instant,
    ) -> (StatusCode, String) {
        let mut book = self.book();
        if let Some(again) = self.answered(&book, received) {
            return again;
        }
        let course = self.course(PACS_004, back.id, book.unreturnable(back));
        let told = PaymentStatus {
            inquiry: None,
            about: AboutWhat::Return,
            original: received.header.id,
            end_to_end_id: back.id,
            uetr: back.original.uetr,
            status: course.answer.clone(),
            accepted: course.settles().then_some(now),
            clearing_reference: None,
        };
        let answer = self.compose(&Message::PaymentStatus(told.clone()));
        self.record(&mut book, &Fact::Returned { xml, answer: answer.clone() });
        let mut letters = self.report_later(&mut book, &told, &course);
        if course.settles() {
            let entry = self.debit(&book, back, now);
            let debit = self.moved(&mut book, back.account.clone(), entry);
            letters.push(Letter { xml: debit, kind: "camt.054", payment: Some(back.id) });
        }
        if !letters.is_empty() {
            self.queue(&mut book, letters, now);
            self.wake.notify_one();
        }
        (StatusCode::OK, answer)
    }

    fn debit(&self, book: &Book, back: &PaymentReturn, now: Instant) -> Entry {
        let mut entry = self.entry(book, back.amount, now);
        entry.direction = Direction::Debit;
        entry.end_to_end = Line::parse(&back.id.to_string()).ok();
        entry.uetr = Some(Uetr::new(Uuid::from_bytes(crate::base::entropy::random(&*self.entropy))));
        entry.counterparty_agent = Some(back.payer_agent.clone());
        entry.remittance = Line::parse(back.text.as_str()).ok().into_iter().collect();
        entry
    }

    /// What became of a return.
    pub(super) fn tell_return(&self, received: &Received, inquiry: StatusInquiry) -> String {
        let book = self.book();
        let status = match book.returned(inquiry.end_to_end_id) {
            None => TransactionStatus::Rejected(reason(crate::codec::iso20022::NEVER_RECEIVED)),
            Some(status) => status.clone(),
        };
        self.compose(&Message::PaymentStatus(PaymentStatus {
            inquiry: Some(received.header.id),
            about: AboutWhat::Return,
            original: inquiry.original,
            end_to_end_id: inquiry.end_to_end_id,
            uetr: None,
            status,
            accepted: None,
            clearing_reference: None,
        }))
    }

    /// Takes the service's request for money back; the receiving bank decides later.
    pub(super) fn take_cancellation(
        &self,
        received: &Received,
        asked: &CancellationRequest,
        xml: String,
    ) -> (StatusCode, String) {
        let mut book = self.book();
        if book.recall(asked.id).is_none() {
            self.record(&mut book, &Fact::AskedBack { xml });
        }
        let pending = Resolution {
            request: asked.id,
            original: received.header.id,
            answer: ResolutionAnswer::Pending,
            text: None,
        };
        (StatusCode::OK, self.compose(&Message::Resolution(pending)))
    }

    /// Takes the service's answer to a bank's request.
    pub(super) fn take_resolution(&self, xml: String) -> (StatusCode, String) {
        let mut book = self.book();
        self.record(&mut book, &Fact::Answered { xml });
        (StatusCode::OK, "recorded".to_owned())
    }
}

const PACS_004: &str = "pacs.004";

/// What became of money that was to leave, as scripts read it.
pub(super) fn outcome(status: &TransactionStatus) -> (&'static str, Option<String>) {
    match status {
        TransactionStatus::Rejected(reason) => ("rejected", Some(reason.code.to_string())),
        _ => ("settled", None),
    }
}

async fn returns(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let book = sandbox.book();
    let shown = book.returns().map(|(back, status)| {
        let (state, code) = outcome(status);
        json!({
            "id": back.id.to_string(), "amount": back.amount.decimal(), "reason": back.reason.as_str(),
            "text": back.text.as_str(), "state": state, "code": code,
        })
    });
    Json(json!({"returns": shown.collect::<Vec<_>>()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskText {
    /// The bank's reference of the movement, as notifications and statements have it.
    servicer_reference: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

/// A payer's bank asks the service for the money of a transfer.
async fn ask_back(State(sandbox): State<Arc<Sandbox>>, Json(asked): Json<AskText>) -> Response {
    let now = sandbox.now();
    let mut book = sandbox.book();
    let Some(entry) = book.movement(&asked.servicer_reference).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(reason) = Line::parse(asked.reason.as_deref().unwrap_or("CUST")) else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let id = EndToEndId(Uuid::from_bytes(crate::base::entropy::random(&*sandbox.entropy)));
    let request = CancellationRequest {
        id,
        original: OriginalTransfer {
            end_to_end: entry.end_to_end.clone(),
            uetr: entry.uetr,
            clearing_reference: entry.clearing_reference.clone(),
        },
        amount: entry.amount,
        settled: entry.booked,
        reason,
        text: asked.text.as_deref().and_then(|text| Line::parse(text).ok()),
    };
    let xml = sandbox.compose(&Message::CancellationRequest(request));
    sandbox.observed().asked_back.insert(id);
    sandbox.queue(&mut book, vec![Letter { xml, kind: "camt.056", payment: Some(id) }], now);
    drop(book);
    sandbox.wake.notify_one();
    Json(json!({"id": id.to_string()})).into_response()
}

async fn recalls(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let book = sandbox.book();
    let asked = book.recalls().map(|(message, asked)| {
        json!({"id": asked.id.to_string(), "message": message.to_string(), "amount": asked.amount.decimal(),
            "reason": asked.reason.as_str()})
    });
    let answers = book.resolutions().map(|told| {
        let (answer, code) = match &told.answer {
            ResolutionAnswer::Accepted => ("accepted", None),
            ResolutionAnswer::Pending => ("pending", None),
            ResolutionAnswer::Rejected(code) => ("refused", Some(code.to_string())),
        };
        json!({"request": told.request.to_string(), "answer": answer, "code": code})
    });
    Json(json!({"asked": asked.collect::<Vec<_>>(), "answers": answers.collect::<Vec<_>>()}))
}

/// The receiving bank's answer to the service's request: `accept`, or a code of refusal. Accepted money comes back as
/// a transfer that names the request.
async fn decide(State(sandbox): State<Arc<Sandbox>>, Path((id, answer)): Path<(String, String)>) -> Response {
    let now = sandbox.now();
    let mut book = sandbox.book();
    let found = id.parse::<EndToEndId>().ok().and_then(|id| book.recall(id).cloned());
    let Some((message, asked)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let told = match (answer.as_str(), Line::parse(&answer)) {
        ("accept", _) => ResolutionAnswer::Accepted,
        (_, Ok(code)) => ResolutionAnswer::Rejected(code),
        _ => return StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    };
    let accepted = told == ResolutionAnswer::Accepted;
    let resolution = Resolution { request: asked.id, original: message, answer: told, text: None };
    let xml = sandbox.compose(&Message::Resolution(resolution));
    let mut letters = vec![Letter { xml, kind: "camt.029", payment: Some(asked.id) }];
    let original = asked.original.end_to_end.as_ref().map(|line| line.as_str().to_owned());
    let debited = original.and_then(|original| book.debit_of(&original).cloned());
    if let (true, Some((account, sent))) = (accepted, debited) {
        let mut entry = sandbox.entry(&book, Money::vnd(asked.amount.minor()), now);
        entry.end_to_end = Line::parse("NOTPROVIDED").ok();
        entry.counterparty_agent = sent.counterparty_agent;
        entry.remittance = Line::parse("TRA LAI THEO YEU CAU").ok().into_iter().collect();
        let xml = sandbox.moved(&mut book, account, entry);
        letters.push(Letter { xml, kind: "camt.054", payment: None });
    }
    sandbox.queue(&mut book, letters, now);
    drop(book);
    sandbox.wake.notify_one();
    StatusCode::NO_CONTENT.into_response()
}

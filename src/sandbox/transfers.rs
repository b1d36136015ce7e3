//! Money that the service passes on from a collecting account, on the central bank's side (`pacs.008`): carried out once
//! against the account's balance, whatever is told again. The Treasury and the budget stand outside: their accounts are
//! numbers only.

use super::Sandbox;
use super::book::{Book, Fact};
use super::central_bank::reason;
use super::delivery::Letter;
use super::fault::Kind;
use super::returns::outcome;
use crate::base::clock::Instant;
use crate::codec::iso20022::{
    AboutWhat, CreditTransfer, Direction, EndToEndId, Message, PaymentStatus, Received, TransactionStatus,
};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/script/orders", get(orders))
}

const PACS_008: &str = "pacs.008";

/// What money that is to leave is answered, and what is told of it later of the sandbox's own accord.
pub(super) struct Course {
    /// The answer.
    pub answer: TransactionStatus,
    /// What comes after it.
    pub later: Option<TransactionStatus>,
}

impl Course {
    /// Whether the money leaves.
    pub fn settles(&self) -> bool {
        *self.later.as_ref().unwrap_or(&self.answer) == TransactionStatus::Settled
    }
}

impl Sandbox {
    /// How a return or an order goes, by the faults that strike it.
    pub(super) fn course(&self, message: &str, id: EndToEndId, refused: Option<String>) -> Course {
        let mut faults = self.faults();
        let struck = faults.strike(Kind::Reject, message, Some(id)).map(|fault| fault.code);
        if let Some(code) = struck.or(refused) {
            return Course { answer: TransactionStatus::Rejected(reason(&code)), later: None };
        }
        if faults.strike(Kind::Pend, message, Some(id)).is_some() {
            return Course { answer: TransactionStatus::Pending, later: Some(TransactionStatus::Settled) };
        }
        let late = faults.strike(Kind::RejectLate, message, Some(id));
        let late = late.map(|fault| TransactionStatus::Rejected(reason(&fault.code)));
        let answer = if late.is_some() { TransactionStatus::Accepted } else { TransactionStatus::Settled };
        Course { answer, later: late }
    }

    /// The report that comes later, if one does.
    pub(super) fn report_later(
        &self,
        book: &mut Book,
        first: &PaymentStatus,
        course: &Course,
    ) -> Vec<Letter> {
        let Some(status) = course.later.clone() else { return Vec::new() };
        let id = first.end_to_end_id;
        let xml = self.compose(&Message::PaymentStatus(PaymentStatus { status, ..first.clone() }));
        self.record(book, &Fact::Reported { xml: xml.clone() });
        vec![Letter { xml, kind: "pacs.002", payment: Some(id) }]
    }

    /// Carries out an order, once.
    pub(super) fn take_order(
        &self,
        received: &Received,
        order: &CreditTransfer,
        xml: String,
        now: Instant,
    ) -> (StatusCode, String) {
        let mut book = self.book();
        if let Some(again) = self.answered(&book, received) {
            return again;
        }
        let short = book.balance(&order.debtor_account) < order.amount.minor();
        let course = self.course(PACS_008, order.id, short.then(|| "AM04".to_owned()));
        let told = PaymentStatus {
            inquiry: None,
            about: AboutWhat::Transfer,
            original: received.header.id,
            end_to_end_id: order.id,
            uetr: Some(order.uetr),
            status: course.answer.clone(),
            accepted: course.settles().then_some(now),
            clearing_reference: None,
        };
        let answer = self.compose(&Message::PaymentStatus(told.clone()));
        self.record(&mut book, &Fact::Ordered { xml, answer: answer.clone() });
        let mut letters = self.report_later(&mut book, &told, &course);
        if course.settles() {
            let mut entry = self.entry(&book, order.amount, now);
            entry.direction = Direction::Debit;
            entry.end_to_end = crate::base::text::Line::parse(&order.id.to_string()).ok();
            entry.uetr = Some(order.uetr);
            entry.counterparty = Some(order.creditor.clone());
            entry.counterparty_agent = Some(order.creditor_agent.clone());
            entry.remittance = vec![order.remittance.clone()];
            let debit = self.moved(&mut book, order.debtor_account.clone(), entry);
            letters.push(Letter { xml: debit, kind: "camt.054", payment: Some(order.id) });
        }
        if !letters.is_empty() {
            self.queue(&mut book, letters, now);
            self.wake.notify_one();
        }
        (StatusCode::OK, answer)
    }
}

async fn orders(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let book = sandbox.book();
    let shown = book.orders().map(|(order, status)| {
        let (state, code) = outcome(status);
        json!({
            "id": order.id.to_string(), "amount": order.amount.decimal(), "to": order.creditor_account.as_str(),
            "holder": order.creditor.as_str(), "text": order.remittance.as_str(), "state": state, "code": code,
        })
    });
    Json(json!({"orders": shown.collect::<Vec<_>>()}))
}

//! Money that the service passes on from a collecting account, on the central bank's side (`pacs.008`): carried out once
//! against the account's balance, whatever is told again. The Treasury and the budget stand outside: their accounts are
//! numbers only.

use super::Sandbox;
use super::book::Fact;
use super::central_bank::reason;
use super::delivery::Letter;
use super::fault::Kind;
use super::returns::outcome;
use crate::base::clock::Instant;
use crate::codec::iso20022::{
    AboutWhat, CreditTransfer, Direction, Message, PaymentStatus, Received, TransactionStatus,
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

impl Sandbox {
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
        let struck = self.faults().strike(Kind::Reject, PACS_008, Some(order.id));
        let short = book.balance(&order.debtor_account) < order.amount.minor();
        let refused = struck.map(|fault| fault.code).or_else(|| short.then(|| "AM04".to_owned()));
        let status = refused
            .as_deref()
            .map_or(TransactionStatus::Settled, |code| TransactionStatus::Rejected(reason(code)));
        let settled = status == TransactionStatus::Settled;
        let answer = self.compose(&Message::PaymentStatus(PaymentStatus {
            inquiry: None,
            about: AboutWhat::Transfer,
            original: received.header.id,
            end_to_end_id: order.id,
            uetr: Some(order.uetr),
            status,
            accepted: settled.then_some(now),
            clearing_reference: None,
        }));
        self.record(&mut book, &Fact::Ordered { xml, answer: answer.clone() });
        if settled {
            let mut entry = self.entry(&book, order.amount, now);
            entry.direction = Direction::Debit;
            entry.end_to_end = crate::base::text::Line::parse(&order.id.to_string()).ok();
            entry.uetr = Some(order.uetr);
            entry.counterparty = Some(order.creditor.clone());
            entry.counterparty_agent = Some(order.creditor_agent.clone());
            entry.remittance = vec![order.remittance.clone()];
            let debit = self.moved(&mut book, order.debtor_account.clone(), entry);
            self.queue(
                &mut book,
                vec![Letter { xml: debit, kind: "camt.054", payment: Some(order.id) }],
                now,
            );
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

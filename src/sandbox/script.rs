//! What programs may do in the sandbox: decide in a payer's place, move money, close the day, cause trouble.

use super::book::{Decision, Outgoing};
use super::central_bank::{NotDecided, Transfer};
use super::fault::Fault;
use super::{Sandbox, member_bank};
use crate::base::calendar::rfc3339;
use crate::base::money::{Currency, Money};
use crate::base::text::Line;
use crate::codec::iso20022::{Agent, EndToEndId, MemberId};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/script/requests", get(requests))
        .route("/script/messages", get(messages))
        .route("/script/banks/{bank}/requests/{end_to_end_id}/approve", post(approve))
        .route("/script/banks/{bank}/requests/{end_to_end_id}/refuse", post(refuse))
        .route("/script/transfers", post(transfer))
        .route("/script/days/close", post(close_day))
        .route("/script/faults", get(faults).post(add_fault).delete(clear_faults))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferText {
    account: String,
    amount: String,
    remittance: String,
    payer: Option<String>,
    bank: Option<String>,
}

async fn requests(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    sandbox.expire(sandbox.now());
    let book = sandbox.book();
    let shown = book.requests().map(|asked| {
        let (state, code) = match &asked.decision {
            Decision::Waiting => ("waiting", None),
            Decision::Approved(_) => ("approved", None),
            Decision::Refused(code) => ("refused", Some(code)),
        };
        let bank = match &asked.request.debtor_agent {
            Agent::Member(member) => member.to_string(),
            Agent::Bic(bic) => bic.to_string(),
        };
        json!({
            "end_to_end_id": asked.request.end_to_end_id.to_string(), "bank": bank, "state": state, "code": code,
            "amount": asked.request.amount.decimal(), "account": asked.request.creditor_account.as_str(),
            "remittance": asked.request.remittance.as_str(), "return_url": asked.request.return_url,
            "expires": rfc3339(asked.request.expires),
        })
    });
    Json(json!({"requests": shown.collect::<Vec<_>>()}))
}

async fn messages(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let shown = |m: &Outgoing| {
        let between = |from: &str| m.xml.split_once(from).and_then(|(_, rest)| rest.split('<').next());
        json!({
            "number": m.number, "id": between("<BizMsgIdr>"), "definition": between("<MsgDefIdr>"),
            "attempts": m.attempts, "outcome": m.outcome, "due": rfc3339(m.due),
        })
    };
    Json(json!({"messages": sandbox.book().outgoing().iter().map(shown).collect::<Vec<_>>()}))
}

async fn approve(State(sandbox): State<Arc<Sandbox>>, Path((bank, id)): Path<(String, String)>) -> Response {
    decide(&sandbox, &bank, &id, None)
}

async fn refuse(
    State(sandbox): State<Arc<Sandbox>>,
    Path((bank, id)): Path<(String, String)>,
    why: Option<Json<Why>>,
) -> Response {
    let code = why.map_or_else(|| member_bank::REFUSED_BY_PAYER.to_owned(), |Json(why)| why.code);
    if Line::<35>::parse(&code).is_err() {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    decide(&sandbox, &bank, &id, Some(code))
}

fn decide(sandbox: &Sandbox, bank: &str, id: &str, refusal: Option<String>) -> Response {
    let (Ok(bank), Ok(id)) = (bank.parse::<MemberId>(), id.parse::<EndToEndId>()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match sandbox.decide(&bank, id, refusal) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e @ NotDecided::NotFound) => (StatusCode::NOT_FOUND, e.to_string()).into_response(),
        Err(e @ NotDecided::NotOpen) => (StatusCode::CONFLICT, e.to_string()).into_response(),
    }
}

async fn transfer(State(sandbox): State<Arc<Sandbox>>, Json(text): Json<TransferText>) -> StatusCode {
    let read = || -> Option<Transfer> {
        let amount = Money::parse(&text.amount, Currency::Vnd).ok().filter(|amount| amount.is_positive())?;
        Some(Transfer {
            account: text.account.parse().ok()?,
            amount,
            remittance: Line::parse(&text.remittance).ok()?,
            payer: Line::parse(text.payer.as_deref().unwrap_or("NGUOI CHUYEN TIEN")).ok()?,
            bank: text.bank.as_deref().unwrap_or(member_bank::BANKS[0].0).parse().ok()?,
            names: None,
        })
    };
    let Some(transfer) = read() else { return StatusCode::UNPROCESSABLE_ENTITY };
    sandbox.transfer(transfer);
    StatusCode::NO_CONTENT
}

async fn close_day(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    Json(json!({"closed": sandbox.close_day().to_string()}))
}

async fn faults(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    Json(json!({"faults": sandbox.faults().list()}))
}

async fn add_fault(State(sandbox): State<Arc<Sandbox>>, Json(fault): Json<Fault>) -> StatusCode {
    sandbox.faults().add(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.faults().clear();
    StatusCode::NO_CONTENT
}

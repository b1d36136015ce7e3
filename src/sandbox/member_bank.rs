//! The pages of the member banks, where a payer sees what is asked and approves or refuses. They stand for a bank's
//! own application: whoever opens them is taken for its customer.

use super::book::{Asked, Decision};
use super::central_bank::NotDecided;
use super::{Sandbox, page};
use crate::base::calendar::display_vi;
use crate::codec::iso20022::{Agent, EndToEndId, MemberId};
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum_extra::extract::Form;
use serde::Deserialize;
use std::sync::Arc;

/// The members of the clearing system: number and name.
pub const BANKS: [(&str, &str); 8] = [
    ("970436", "Vietcombank"),
    ("970415", "VietinBank"),
    ("970418", "BIDV"),
    ("970405", "Agribank"),
    ("970422", "MB Bank"),
    ("970407", "Techcombank"),
    ("970416", "ACB"),
    ("970432", "VPBank"),
];

/// The reason of a request that the payer declined.
pub const REFUSED_BY_PAYER: &str = "CUST";

/// The name of a member bank.
pub fn name(member: &MemberId) -> Option<&'static str> {
    BANKS.iter().find(|(number, _)| *number == member.as_str()).map(|(_, name)| *name)
}

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/banks/{bank}/requests", get(list))
        .route("/banks/{bank}/requests/{end_to_end_id}", get(show).post(decide))
}

#[derive(Template)]
#[template(path = "bank_requests.html")]
struct Requests {
    number: String,
    bank: &'static str,
    requests: Vec<Row>,
}

#[derive(Template)]
#[template(path = "bank_request.html")]
struct Request {
    number: String,
    bank: &'static str,
    row: Row,
    creditor: String,
    account: String,
    return_url: Option<String>,
}

struct Row {
    id: String,
    amount: String,
    remittance: String,
    expires: String,
    state: &'static str,
}

#[derive(Deserialize)]
struct Choice {
    decision: String,
}

async fn list(State(sandbox): State<Arc<Sandbox>>, Path(bank): Path<String>) -> Response {
    sandbox.expire(sandbox.now());
    let Some((member, bank)) = member(&bank) else { return StatusCode::NOT_FOUND.into_response() };
    let book = sandbox.book();
    let agent = Agent::Member(member.clone());
    let mut requests: Vec<Row> =
        book.requests().filter(|asked| asked.request.debtor_agent == agent).map(Row::of).collect();
    requests.reverse();
    page(Requests { number: member.to_string(), bank, requests }.render())
}

async fn show(State(sandbox): State<Arc<Sandbox>>, Path((bank, id)): Path<(String, String)>) -> Response {
    sandbox.expire(sandbox.now());
    let (Some((member, bank)), Ok(id)) = (member(&bank), id.parse::<EndToEndId>()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let asked = sandbox.book().request(id).cloned();
    let agent = Agent::Member(member.clone());
    let Some(asked) = asked.filter(|asked| asked.request.debtor_agent == agent) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let request = Request {
        number: member.to_string(),
        bank,
        row: Row::of(&asked),
        creditor: asked.request.creditor.to_string(),
        account: asked.request.creditor_account.to_string(),
        return_url: asked
            .request
            .return_url
            .filter(|url| url.starts_with("http://") || url.starts_with("https://")),
    };
    page(request.render())
}

async fn decide(
    State(sandbox): State<Arc<Sandbox>>,
    Path((bank, id)): Path<(String, String)>,
    Form(choice): Form<Choice>,
) -> Response {
    let (Some((member, _)), Ok(id)) = (member(&bank), id.parse::<EndToEndId>()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let refusal = match choice.decision.as_str() {
        "approve" => None,
        "refuse" => Some(REFUSED_BY_PAYER.to_owned()),
        _ => return StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    };
    match sandbox.decide(&member, id, refusal) {
        // A second press shows what was decided.
        Ok(()) | Err(NotDecided::NotOpen) => {
            Redirect::to(&format!("/banks/{bank}/requests/{id}")).into_response()
        }
        Err(NotDecided::NotFound) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn member(bank: &str) -> Option<(MemberId, &'static str)> {
    let member: MemberId = bank.parse().ok()?;
    let name = name(&member)?;
    Some((member, name))
}

impl Row {
    fn of(asked: &Asked) -> Self {
        Self {
            id: asked.request.end_to_end_id.to_string(),
            amount: asked.request.amount.display_vi(),
            remittance: asked.request.remittance.to_string(),
            expires: display_vi(asked.request.expires),
            state: match &asked.decision {
                Decision::Waiting => "waiting",
                Decision::Approved(_) => "approved",
                Decision::Refused(_) => "refused",
            },
        }
    }
}

//! `/v1/payouts` and `/v1/agencies/{id}/payout-rules`: what is passed on, and by which rule. Nobody orders by API: a
//! rule does, once a day's statement is matched.

use super::{line, misshapen, read};
use crate::app::App;
use crate::base::{id::Payout, text::Line};
use crate::codec::iso20022::{AccountNumber, Bic, MemberId};
use crate::flow::{
    Error,
    payout_rules::{list_payout_rules, set_payout_rule},
    read_payouts::{list_payouts, read_payout},
};
use crate::http::{
    auth::Caller,
    json::{Json, idempotency},
    problem::Problem,
    query::Parameters,
    tree::InTree,
};
use crate::payment::payout::{Authority, Kind, NO_TREASURY, Rule};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// The routes of agencies' systems.
pub fn routes() -> Router<App> {
    Router::new().route("/v1/payouts", get(list)).route("/v1/payouts/{id}", get(one))
}

/// The routes of administrators' systems.
pub fn rule_routes() -> Router<App> {
    Router::new().route("/v1/agencies/{id}/payout-rules", post(set).get(rules))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRule {
    kind: String,
    valid_from: String,
    bank: String,
    number: String,
    holder: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    treasury_office: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authority: Option<NewAuthority>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chapter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub_item: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    area: Option<String>,
    legal_basis: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_sellers: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAuthority {
    code: String,
    name: String,
}

fn digits(field: &str, text: &str, length: usize) -> Result<String, Error> {
    let fits = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    if fits { Ok(text.to_owned()) } else { Err(misshapen(field, "shape")) }
}

fn rule(body: &NewRule) -> Result<Rule, Error> {
    let bank = body.bank.parse::<Bic>().is_ok() || body.bank.parse::<MemberId>().is_ok();
    if !bank {
        return Err(misshapen("/bank", "shape"));
    }
    let number: AccountNumber = read("/number", &body.number)?;
    let holder: Line<140> = line("/holder", &body.holder)?;
    let basis: Line<300> = line("/legal_basis", &body.legal_basis)?;
    let authority = body.authority.as_ref().map(|authority| {
        let name: Line<200> = line("/authority/name", &authority.name)?;
        Ok::<_, Error>(Authority {
            code: digits("/authority/code", &authority.code, 7)?,
            name: name.to_string(),
        })
    });
    let booking = match (&body.chapter, &body.sub_item, &body.area) {
        (None, None, None) => None,
        (Some(chapter), Some(sub_item), Some(area)) => Some([
            digits("/chapter", chapter, 3)?,
            digits("/sub_item", sub_item, 4)?,
            digits("/area", area, 5)?,
        ]),
        _ => return Err(misshapen("/chapter", "together")),
    };
    let kind = Kind::named(&body.kind).filter(|kind| *kind != Kind::Collected);
    let kind = kind.ok_or_else(|| misshapen("/kind", "unknown"))?;
    let treasury_office = match &body.treasury_office {
        Some(office) => digits("/treasury_office", office, 4)?,
        // What is not the budget's may go to an account at any bank.
        None if kind == Kind::Service => NO_TREASURY.to_owned(),
        None => return Err(misshapen("/treasury_office", "missing")),
    };
    let to_sellers = body.to_sellers.unwrap_or(kind == Kind::Service);
    if to_sellers && kind != Kind::Service {
        return Err(misshapen("/to_sellers", "kind"));
    }
    Ok(Rule {
        kind,
        valid_from: read("/valid_from", &body.valid_from)?,
        bank: body.bank.clone(),
        number: number.to_string(),
        holder: holder.to_string(),
        treasury_office,
        authority: authority.transpose()?,
        booking,
        basis: basis.to_string(),
        to_sellers,
    })
}

async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NewRule>,
) -> Result<Response, Problem> {
    let key = idempotency(&headers, caller.client, &format!("POST /v1/agencies/{id}/payout-rules"), &body)?;
    let agency = super::object(&id)?;
    let answer = set_payout_rule(&app, agency, &rule(&body)?, &key).await?;
    Ok(axum::Json(answer).into_response())
}

async fn rules(State(app): State<App>, _: Caller, Path(id): Path<String>) -> Result<Response, Problem> {
    Ok(axum::Json(list_payout_rules(&app, super::object(&id)?).await?).into_response())
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    tree: InTree,
    Parameters(query): Parameters<super::ListQuery>,
) -> Result<Response, Problem> {
    let (wanted, page) = query.read::<Payout>(tree)?;
    Ok(axum::Json(list_payouts(&app, caller.agency, wanted, &page).await?).into_response())
}

#[derive(Deserialize)]
struct OneQuery {
    skip: Option<u32>,
}

async fn one(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Parameters(query): Parameters<OneQuery>,
) -> Result<Response, Problem> {
    let answer = read_payout(&app, caller.agency, super::object(&id)?, query.skip.unwrap_or(0)).await?;
    Ok(axum::Json(answer).into_response())
}

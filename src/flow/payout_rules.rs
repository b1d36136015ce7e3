//! Says where what an agency collects goes on to. What was said for a day is never said otherwise; what came before the
//! first rule stays where it is.

use super::{Error, Refusal, Result, agency_key::agency_key, audit_leaf, idempotency::Idempotency};
use crate::{
    app::App,
    base::id::{Agency, Id},
    payment::payout::Rule,
    store::{audit, payout_rule as rows},
};
use serde_json::{Value, json};

/// Adds a rule, once per key.
pub async fn set_payout_rule(app: &App, agency: Id<Agency>, rule: &Rule, key: &Idempotency) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let sealing = agency_key(app, &mut tx, agency).await?;
    if !rule.is_complete() {
        return Err(Error::Refused(Refusal::new("payout_rule_incomplete").violation(
            "/authority",
            "missing",
            None,
        )));
    }
    let answer = rule_json(agency, rule);
    if rows::add(&mut tx, agency, rule, now).await? {
        let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: agency.uuid() };
        let leaf = audit_leaf::leaf(app, now, "payout.rule_set", concern, &sealing, &answer);
        audit::append(&mut tx, &[leaf]).await?;
    } else {
        let told = rows::of_agencies(&mut tx, &[agency]).await?.remove(&agency).unwrap_or_default();
        if !told.contains(rule) {
            return Err(Error::conflict("payout_rule_differs"));
        }
    }
    key.keep(&mut tx, agency.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Every rule of an agency, by kind and day.
pub async fn list_payout_rules(app: &App, agency: Id<Agency>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    agency_key(app, &mut tx, agency).await?;
    let rules = rows::of_agencies(&mut tx, &[agency]).await?.remove(&agency).unwrap_or_default();
    let items: Vec<Value> = rules.iter().map(|rule| rule_json(agency, rule)).collect();
    Ok(json!({ "items": items }))
}

fn rule_json(agency: Id<Agency>, rule: &Rule) -> Value {
    let booking = |place: usize| rule.booking.as_ref().map(|booking| booking[place].clone());
    json!({
        "agency": agency.to_string(),
        "kind": rule.kind.as_str(),
        "valid_from": rule.valid_from.to_string(),
        "bank": rule.bank,
        "number": rule.number,
        "holder": rule.holder,
        "treasury_office": rule.treasury_office,
        "authority": rule.authority.as_ref().map(|a| json!({ "code": a.code, "name": a.name })),
        "chapter": booking(0),
        "sub_item": booking(1),
        "area": booking(2),
        "legal_basis": rule.basis,
        "to_sellers": rule.to_sellers,
    })
}

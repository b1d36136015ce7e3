//! What a procedure costs, and what a dossier would owe, without writing anything.

use super::{Error, Refusal, Result, bill_answer, explain};
use crate::{
    app::App,
    base::{calendar::Day, text::Lang},
    payment::{
        code::ProcedureCode,
        exemption::Circumstances,
        fee::{self, Asked, Item, RefusedAt, Schedule},
    },
    store::tariff,
};
use serde_json::{Value, json};

/// The fees in force on a day, of one procedure or of all.
pub async fn read_fees(app: &App, procedure: Option<&ProcedureCode>, on: Option<Day>) -> Result<Value> {
    let today = Day::of(app.clock.now());
    let on = on.unwrap_or(today);
    let mut tx = app.store.begin().await?;
    let Some(schedule) = tariff::in_force(&app.store, &mut tx, today).await? else {
        return Ok(json!({ "schedule": null, "on": on.to_string(), "items": [] }));
    };
    let asked = |item: &&Item| procedure.is_none_or(|code| item.procedure.code == *code);
    let in_force = schedule.items().iter().filter(asked).filter(|item| item.validity.holds_on(on));
    let items: Vec<Value> = in_force.map(|item| item_json(&schedule, item, on)).collect();
    Ok(json!({ "schedule": schedule.id.to_string(), "on": on.to_string(), "items": items }))
}

/// What a dossier would owe, with the explanation of each amount.
pub async fn quote_fees(
    app: &App,
    procedure: &ProcedureCode,
    asked: &[Asked],
    circumstances: &Circumstances,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let today = Day::of(app.clock.now());
    let schedule =
        tariff::in_force(&app.store, &mut tx, today).await?.ok_or(Error::refused("unknown_fee"))?;
    let lines =
        fee::charge(&schedule, procedure, asked, circumstances).map_err(|refused| refuse(&refused))?;
    let total = fee::total(&lines).map_err(|refusal| Error::refused(refusal.code()))?;
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "fee": line.item.code.as_str(),
                "kind": line.item.kind.as_str(),
                "name": { "vi": line.item.name.vi.as_str(), "en": line.item.name.en.as_str() },
                "count": line.count,
                "gross": explain::money(line.gross),
                "amount": explain::money(line.amount),
                "trace": bill_answer::trace_json(&line.trace),
            })
        })
        .collect();
    Ok(json!({ "schedule": schedule.id.to_string(), "total": explain::money(total), "lines": lines }))
}

/// Names each fee that cannot be charged by its place in the request.
pub(super) fn refuse(refused: &[RefusedAt]) -> Error {
    let code = refused.first().map_or("unknown_fee", |first| first.refusal.code());
    let refusal = refused.iter().fold(Refusal::new(code), |refusal, at| {
        refusal.violation(format!("/lines/{}", at.index), at.refusal.code(), None)
    });
    Error::Refused(refusal)
}

fn item_json(schedule: &Schedule, item: &Item, on: Day) -> Value {
    let text = |lang| item.name.of(lang).as_str().to_owned();
    let adjustments: Vec<Value> = schedule
        .adjustments()
        .iter()
        .filter(|a| a.applies_to.covers(&item.code) && a.validity.holds_on(on))
        .map(|a| {
            json!({
                "adjustment": a.code.as_str(),
                "effect": a.effect.as_str(),
                "value": a.effect.value(),
                "condition": a.condition.to_string(),
                "whose_fact": a.whose.as_str(),
                "governing_date": a.governing.as_str(),
                "legal_basis": a.legal_basis.as_str(),
                "valid_from": a.validity.from().to_string(),
                "valid_to": a.validity.to().map(|day| day.to_string()),
            })
        })
        .collect();
    json!({
        "fee": item.code.as_str(),
        "procedure": item.procedure.code.as_str(),
        "kind": item.kind.as_str(),
        "name": { "vi": text(Lang::Vi), "en": text(Lang::En) },
        "unit_amount": explain::money(item.formula.unit_amount()),
        "formula": item.formula.to_string(),
        "unit": item.unit.as_str(),
        "legal_basis": item.legal_basis.as_str(),
        "valid_from": item.validity.from().to_string(),
        "valid_to": item.validity.to().map(|day| day.to_string()),
        "retained_pct": item.retained.percent_text(),
        "retained_basis": item.retained_basis.as_ref().map(|basis| basis.as_str()),
        "chapter": item.budget.chapter,
        "sub_item": item.budget.sub_item,
        "adjustments": adjustments,
    })
}

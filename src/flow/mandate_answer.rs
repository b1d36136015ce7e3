//! Mandates over the API: recorded once, read, and revoked in the principal's name by an officer who was told so.

use super::{
    Error, Result,
    idempotency::Idempotency,
    mandates::{Named, NewMandate, Recorded, mandate_json, record_mandate, revoke_recorded, show},
    population,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Agency, Citizen, Id},
    page::PageRequest,
};
use crate::identity::{
    mandate::{Delegate, Mandate},
    personal_number::PersonalNumber,
};
use crate::store::{Tx, mandate as mandates};
use serde_json::{Value, json};

/// The officer in whose name an agency's system acts.
#[derive(Clone, Copy)]
pub struct Officer {
    /// Where they serve.
    pub agency: Id<Agency>,
    /// Their number.
    pub number: PersonalNumber,
}

/// Records a mandate.
pub async fn record_mandate_once(
    app: &App,
    officer: Officer,
    principal: &Named,
    new: &NewMandate,
    recorded: Recorded,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(kept) = key.claim(&mut tx).await? {
        return replay(app, &mut tx, &kept, Day::of(now)).await;
    }
    let by = (officer.agency, holder(app, &mut tx, officer.number).await?);
    let given = record_mandate(app, &mut tx, by, principal, new, recorded, now).await?;
    let id = given.id;
    let answer = answer(app, &mut tx, given, Day::of(now)).await?;
    key.keep(&mut tx, id.uuid(), &json!({ "id": id.to_string() }), now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Ends a mandate that this agency recorded.
pub async fn revoke_mandate_once(
    app: &App,
    officer: Officer,
    id: Id<id::Mandate>,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(kept) = key.claim(&mut tx).await? {
        return replay(app, &mut tx, &kept, Day::of(now)).await;
    }
    let known = mandates::hold(&mut tx, id).await?.ok_or(Error::not_found())?;
    if !sees(&mut tx, officer.agency, &known).await? {
        return Err(Error::not_found());
    }
    let by = (officer.agency, holder(app, &mut tx, officer.number).await?);
    let ended = revoke_recorded(app, &mut tx, by, id, now).await?;
    let answer = answer(app, &mut tx, ended, Day::of(now)).await?;
    key.keep(&mut tx, id.uuid(), &json!({ "id": id.to_string() }), now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// The answer of an act that was done before, as the mandate is now: names are not kept with the key.
async fn replay(app: &App, tx: &mut Tx, kept: &Value, today: Day) -> Result<Value> {
    let id =
        kept["id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(|| Error::internal("a kept answer"))?;
    let mandate = mandates::hold(tx, id).await?.ok_or(Error::not_found())?;
    answer(app, tx, mandate, today).await
}

/// One mandate that the agency recorded, or under which its officers act.
pub async fn read_mandate(app: &App, agency: Id<Agency>, id: Id<id::Mandate>) -> Result<Value> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let mandate = mandates::hold(&mut tx, id).await?.ok_or(Error::not_found())?;
    if !sees(&mut tx, agency, &mandate).await? {
        return Err(Error::not_found());
    }
    answer(app, &mut tx, mandate, today).await
}

/// The mandates that the agency recorded or got, the newest first.
pub async fn list_mandates(
    app: &App,
    agency: Id<Agency>,
    page: &PageRequest<Id<id::Mandate>>,
) -> Result<Value> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let found = mandates::of_agency(&mut tx, agency, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let shown = show(app, &mut tx, found.items, None, today).await?;
    let items: Vec<Value> = shown.iter().map(mandate_json).collect();
    Ok(json!({ "items": items, "next": next }))
}

async fn sees(tx: &mut Tx, agency: Id<Agency>, mandate: &Mandate) -> Result<bool> {
    let recorded = mandates::recorder(tx, mandate.id).await? == Some(agency);
    Ok(recorded || mandate.delegate == Delegate::Organisation(agency))
}

async fn answer(app: &App, tx: &mut Tx, mandate: Mandate, today: Day) -> Result<Value> {
    let shown = show(app, tx, vec![mandate], None, today).await?.pop().ok_or(Error::not_found())?;
    Ok(mandate_json(&shown))
}

async fn holder(app: &App, tx: &mut Tx, number: PersonalNumber) -> Result<Id<Citizen>> {
    let looked = population::look_up(app, tx, number).await?;
    Ok(looked.on_record.ok_or(Error::forbidden("officer_needed"))?.citizen)
}

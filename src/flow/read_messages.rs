//! What an agency's SMS cost: segments per kind of message in a month, their price, and the cap.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    idempotency::Idempotency,
    inherit::{Tree, agencies_of},
    officer::{self, Workplace},
    short_message::month_of,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Citizen, Id},
};
use crate::store::{
    Tx, agency, audit,
    sms_count::{self, Counted},
};
use serde_json::{Value, json};

/// The report of one agency in the month that `month` lies in; the running one by default.
pub async fn read_messages(app: &App, id: Id<Agency>, month: Option<Day>, tree: Tree) -> Result<Value> {
    let month = first_of(month, app.clock.now());
    let mut tx = app.store.begin().await?;
    agency::find_all(&mut tx, &[id]).await?.pop().ok_or(Error::not_found())?;
    let agencies = agencies_of(&mut tx, id, tree).await?;
    report(app, &mut tx, (id, &agencies), month).await
}

/// What was sent in the name of these agencies, beside the cap of the first.
async fn report(
    app: &App,
    tx: &mut Tx,
    (id, agencies): (Id<Agency>, &[Id<Agency>]),
    month: Day,
) -> Result<Value> {
    let lines = by_kind(sms_count::report(tx, Some(agencies), month).await?);
    let (_, own) = sms_count::used(tx, id, month).await?;
    let used: i64 = lines.iter().map(|line| line.segments).sum();
    let cost: i64 = lines.iter().map(|line| line.cost).sum();
    Ok(json!({
        "agency": id.to_string(),
        "month": month.to_string()[..7],
        "segments": used,
        "cost": cost,
        "segments_max": own.unwrap_or_else(|| app.limits.sms_per_agency_month_max.into()),
        "kinds": lines.iter().map(line_json).collect::<Vec<_>>(),
    }))
}

/// Each kind once, whoever of the tree sent it.
fn by_kind(lines: Vec<Counted>) -> Vec<Counted> {
    let mut kinds: Vec<Counted> = Vec::with_capacity(lines.len());
    for line in lines {
        match kinds.iter_mut().find(|known| known.kind == line.kind) {
            Some(known) => {
                known.segments += line.segments;
                known.cost += line.cost;
            }
            None => kinds.push(line),
        }
    }
    kinds.sort_by(|a, b| a.kind.cmp(&b.kind));
    kinds
}

fn line_json(line: &Counted) -> Value {
    json!({ "kind": line.kind, "segments": line.segments, "cost": line.cost })
}

/// The same as the page of whoever keeps or audits the agency's books shows it.
pub struct MessagesShown {
    /// Whose.
    pub agency: Workplace,
    /// The first day of the month.
    pub month: Day,
    /// What was sent.
    pub lines: Vec<Counted>,
    /// How many segments the month may have.
    pub segments_max: i64,
}

/// The report of an agency where the citizen keeps or audits the books; the first of them if none is named.
pub async fn read_messages_as_officer(
    app: &App,
    citizen: Id<Citizen>,
    (agency, whole): (Option<Id<Agency>>, bool),
    month: Option<Day>,
) -> Result<MessagesShown> {
    let now = app.clock.now();
    let month = first_of(month, now);
    let mut tx = app.store.begin().await?;
    let mut places = officer::workplaces(&mut tx, citizen, Day::of(now)).await?.into_iter();
    let agency = places.find(|place| agency.is_none_or(|id| id == place.id)).ok_or(Error::not_found())?;
    let lines = by_kind(sms_count::report(&mut tx, Some(&agency.tree(whole)), month).await?);
    let (_, own) = sms_count::used(&mut tx, agency.id, month).await?;
    let segments_max = own.unwrap_or_else(|| app.limits.sms_per_agency_month_max.into());
    Ok(MessagesShown { agency, month, lines, segments_max })
}

/// Every agency's lines of a month, and the service's own.
pub async fn report_messages(app: &App, month: Option<Day>) -> Result<Vec<Counted>> {
    let mut tx = app.store.begin().await?;
    Ok(sms_count::report(&mut tx, None, first_of(month, app.clock.now())).await?)
}

/// Gives an agency a cap of its own, from its next code on.
pub async fn cap_messages(app: &App, code: &str, month_max: u32) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let id = agency_of(&mut tx, code).await?;
    sms_count::put_cap(&mut tx, id, month_max.into(), now).await?;
    Ok(tx.commit().await?)
}

/// The same for an administrators' system: the report of the running month, as it then is.
pub async fn cap_messages_once(
    app: &App,
    id: Id<Agency>,
    month_max: u32,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let agency = agency::find_all(&mut tx, &[id]).await?.pop().ok_or(Error::not_found())?;
    sms_count::put_cap(&mut tx, id, month_max.into(), now).await?;
    let sealing = app.keys.data_key(&agency.key, id.uuid().as_bytes())?;
    let concern = Concern { citizen: None, agency: Some(id), object: id.uuid() };
    let details =
        json!({ "agency": id.to_string(), "segments_max": month_max, "by": key.client.to_string() });
    audit::append(&mut tx, &[leaf(app, now, "agency.messages_capped", concern, &sealing, &details)]).await?;
    let answer = report(app, &mut tx, (id, &[id]), month_of(now)).await?;
    key.keep(&mut tx, id.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn agency_of(tx: &mut Tx, code: &str) -> Result<Id<Agency>> {
    Ok(agency::find_by_code(tx, code).await?.ok_or(Error::not_found())?.id)
}

/// The first day of the asked month.
fn first_of(month: Option<Day>, now: Instant) -> Day {
    let date = month.map(Day::date).map(|date| date.replace_day(1).unwrap_or(date));
    date.map_or_else(|| month_of(now), Day::from_date)
}

//! The versions of the fee schedule as agencies' people draft, submit, approve and end them.
//!
//! A system names the officer it acts for: an accountant drafts and submits, an approver who did neither approves. What
//! the budget must know of the agency and of each item is demanded before approval, so that no fee is charged whose
//! money could not be declared.

use super::{
    Error, Refusal, Result, agency_key::agency_key, audit_leaf, fee_file::read_schedule,
    idempotency::Idempotency, import_fees, officer,
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        id::{self, Agency, Citizen, Id},
        text::Line,
    },
    crypto::digest::{sha256, sha256_parts},
    identity::role::Role,
    payment::{
        attachment::Attachment,
        fee_version::{self as rules, AgencyBudget, Lack, State},
    },
    store::{
        Tx, account, audit, fee,
        fee_version::{self as rows, Version},
    },
};
use serde_json::{Value, json};

/// A version as an accountant drafts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The items, as CSV.
    pub items: String,
    /// The reductions, as CSV.
    pub adjustments: String,
    /// Number and title of the legal instrument.
    pub instrument: Option<Line<300>>,
    /// Its text.
    pub file: Option<Attachment>,
    /// Who drafts it.
    pub officer: Id<Citizen>,
}

/// What is to be done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Submit it.
    Submit,
    /// Approve it for a day.
    Approve(Day),
    /// End it on a day.
    Discontinue(Day),
}

/// Drafts a version from two files: all of it or nothing, every bad row named. Once per key where a system asks.
pub async fn draft_version(
    app: &App,
    agency: Id<Agency>,
    new: &NewVersion,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    officer::demand(&mut tx, new.officer, agency, Role::Accountant, Day::of(now)).await?;
    let schedule = read_schedule(&new.items, &new.adjustments).map_err(import_fees::refuse)?;
    let digest = sha256_parts(&[new.items.as_bytes(), &[0], new.adjustments.as_bytes()]);
    let id: Id<id::Schedule> = Id::new(now, &*app.entropy);
    if !fee::insert_schedule(&mut tx, id, &digest, now).await? {
        let before = fee::schedule_of_digest(&mut tx, &digest).await?;
        let refusal = Refusal::new("fee_version_exists");
        return Err(Error::Conflict(before.map_or(refusal.clone(), |before| refusal.about(before))));
    }
    import_fees::insert_rows(&mut tx, id, &schedule).await?;
    let title = new.instrument.as_ref().map(Line::as_str);
    rows::make_draft(&mut tx, id, agency, new.officer, title).await?;
    let mut told = json!({ "version": id.to_string(), "by": new.officer.to_string() });
    if let Some(file) = &new.file {
        let digest = sha256(file.bytes());
        rows::attach(&mut tx, id, None, (file, &digest)).await?;
        told["sha256"] = json!(hex::encode(digest));
    }
    log(app, &mut tx, (agency, id), "fee.drafted", &told).await?;
    let version = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let mut answer = version_json(&version);
    answer["items"] = json!(schedule.items().len());
    answer["adjustments"] = json!(schedule.adjustments().len());
    if let Some(key) = key {
        key.keep(&mut tx, id.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// Moves a version of the agency.
pub async fn move_version(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Schedule>,
    (wanted, by): (Move, Id<Citizen>),
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    let version =
        rows::lock(&mut tx, id).await?.filter(|v| v.agency == Some(agency)).ok_or(Error::not_found())?;
    let kind = match wanted {
        Move::Submit => {
            version.life.submit().map_err(refused)?;
            officer::demand(&mut tx, by, agency, Role::Accountant, today).await?;
            moved(rows::submit(&mut tx, id, by, now).await?)?;
            "fee.submitted"
        }
        Move::Approve(from) => {
            version.life.approve(by, from, today).map_err(refused)?;
            officer::demand(&mut tx, by, agency, Role::Approver, today).await?;
            demand_fit(&mut tx, agency, id, from).await?;
            import_fees::demand_own_names(&mut tx, id).await?;
            moved(rows::approve(&mut tx, id, by, from, now).await?)?;
            "fee.approved"
        }
        Move::Discontinue(on) => {
            version.life.discontinue(on, today).map_err(refused)?;
            officer::demand(&mut tx, by, agency, Role::Approver, today).await?;
            moved(rows::discontinue(&mut tx, id, (by, on), now).await?)?;
            "fee.discontinued"
        }
    };
    let told = json!({ "version": id.to_string(), "by": by.to_string() });
    log(app, &mut tx, (agency, id), kind, &told).await?;
    let version = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let answer = version_json(&version);
    if let Some(key) = key {
        key.keep(&mut tx, id.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// Everything without which the money of a fee could not be declared: of the agency, and of each item.
async fn demand_fit(tx: &mut Tx, agency: Id<Agency>, id: Id<id::Schedule>, from: Day) -> Result<()> {
    if rows::budget(tx, agency, from).await?.is_none() {
        return Err(Error::refused("agency_budget_missing"));
    }
    let schedule = fee::whole_schedule(tx, id).await?;
    let accounts = account::standing(tx, &[agency]).await?.beneficiaries;
    if schedule.items().iter().any(|item| !accounts.contains_key(&(agency, item.kind))) {
        return Err(Error::refused("agency_account_missing"));
    }
    let lacks = rules::lacks(&schedule);
    if lacks.is_empty() {
        return Ok(());
    }
    let refusal = Refusal::new(rules::Refusal::Unfit.code());
    let named = lacks.into_iter().fold(refusal, |refusal, (item, lack): (_, Lack)| {
        refusal.violation(format!("{} {}", item.code, item.validity.from()), lack.as_str(), None)
    });
    Err(Error::Refused(named))
}

/// Every version, the newest first.
pub async fn list_versions(app: &App) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let versions = rows::list(&mut tx).await?;
    let in_force = rows::in_force(&mut tx, Day::of(app.clock.now())).await?;
    let items: Vec<Value> = versions
        .iter()
        .map(|version| {
            let mut answer = version_json(version);
            answer["in_force"] = json!(in_force == Some(version.id));
            answer
        })
        .collect();
    Ok(json!({ "items": items }))
}

/// How a version differs from another, or from the one in force.
pub async fn diff_version(
    app: &App,
    id: Id<id::Schedule>,
    against: Option<Id<id::Schedule>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let against = match against {
        Some(against) => {
            rows::lock(&mut tx, against).await?.ok_or(Error::not_found())?;
            Some(against)
        }
        None => rows::in_force(&mut tx, Day::of(app.clock.now())).await?,
    };
    let old = match against {
        Some(against) => fee::whole_schedule(&mut tx, against).await?,
        None => crate::payment::fee::Schedule::default(),
    };
    let new = fee::whole_schedule(&mut tx, id).await?;
    let changes: Vec<Value> = rules::diff(&old, &new).iter().map(change_json).collect();
    Ok(json!({
        "version": id.to_string(),
        "against": against.map(|against| against.to_string()),
        "changes": changes,
    }))
}

fn change_json(change: &rules::Change) -> Value {
    let (of, scope) = match &change.of {
        rules::Of::Item => ("item", None),
        rules::Of::Adjustment(scope) => ("adjustment", Some(scope)),
    };
    let (how, members) = match &change.how {
        rules::How::Added => ("added", vec![]),
        rules::How::Removed => ("removed", vec![]),
        rules::How::Changed(members) => ("changed", members.clone()),
    };
    let members: Vec<Value> = members
        .into_iter()
        .map(|(member, before, after)| json!({ "member": member, "before": before, "after": after }))
        .collect();
    json!({
        "of": of, "code": change.code, "applies_to": scope, "valid_from": change.from.to_string(), "how": how,
        "members": members,
    })
}

/// Says what the budget knows an agency by from a day on; what was said for a day is never said otherwise.
pub async fn set_agency_budget(
    app: &App,
    agency: Id<Agency>,
    budget: &AgencyBudget,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let sealing = agency_key(app, &mut tx, agency).await?;
    let answer = budget_json(agency, budget);
    if !rows::add_budget(&mut tx, agency, budget, now).await? {
        let told = rows::budgets(&mut tx, agency).await?;
        if !told.contains(budget) {
            return Err(Error::conflict("agency_budget_differs"));
        }
        key.keep(&mut tx, agency.uuid(), &answer, now).await?;
        tx.commit().await?;
        return Ok(answer);
    }
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: agency.uuid() };
    let leaf = audit_leaf::leaf(app, now, "agency.budget_set", concern, &sealing, &answer);
    audit::append(&mut tx, &[leaf]).await?;
    key.keep(&mut tx, agency.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Everything that was said of what the budget knows an agency by, the newest first.
pub async fn list_agency_budgets(app: &App, agency: Id<Agency>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    agency_key(app, &mut tx, agency).await?;
    let told = rows::budgets(&mut tx, agency).await?;
    let items: Vec<Value> = told.iter().rev().map(|budget| budget_json(agency, budget)).collect();
    Ok(json!({ "items": items }))
}

fn budget_json(agency: Id<Agency>, budget: &AgencyBudget) -> Value {
    json!({
        "agency": agency.to_string(),
        "area": budget.area,
        "unit_code": budget.unit_code,
        "treasury_office": budget.treasury_office,
        "retained_account": budget.retained_account,
        "remitted_account": budget.remitted_account,
        "valid_from": budget.valid_from.to_string(),
    })
}

pub(super) async fn log(
    app: &App,
    tx: &mut Tx,
    (agency, id): (Id<Agency>, Id<id::Schedule>),
    kind: &'static str,
    told: &Value,
) -> Result<()> {
    let sealing = agency_key(app, tx, agency).await?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: id.uuid() };
    let leaf = audit_leaf::leaf(app, app.clock.now(), kind, concern, &sealing, told);
    Ok(audit::append(tx, &[leaf]).await?)
}

fn moved(moved: bool) -> Result<()> {
    if moved { Ok(()) } else { Err(Error::internal("a version moved under its lock")) }
}

pub(super) fn version_json(version: &Version) -> Value {
    let life = &version.life;
    let person = |person: Option<Id<Citizen>>| person.map(|person| person.to_string());
    json!({
        "id": version.id.to_string(),
        "state": match (life.state, life.until) {
            (State::Approved, Some(_)) => "discontinued",
            (state, _) => state.as_str(),
        },
        "agency": version.agency.map(|agency| agency.to_string()),
        "instrument": version.instrument,
        "attached": version.attached.is_some(),
        "attachment": version.attached.as_ref().map(|file| json!({
            "media": file.media, "bytes": file.bytes, "sha256": hex::encode(&file.sha256),
        })),
        "imported_at": rfc3339(version.imported_at),
        "drafted_by": person(life.drafted_by),
        "submitted_by": person(life.submitted_by),
        "approved_by": person(version.approved.map(|approved| approved.0)),
        "approved_at": version.approved.map(|approved| rfc3339(approved.1)),
        "in_force_from": life.from.map(|day| day.to_string()),
        "discontinued_from": life.until.map(|day| day.to_string()),
    })
}

pub(super) fn refused(refusal: rules::Refusal) -> Error {
    match refusal {
        rules::Refusal::OwnAct => Error::forbidden(refusal.code()),
        rules::Refusal::NotADraft | rules::Refusal::NotSubmitted | rules::Refusal::NotInForce => {
            Error::conflict(refusal.code())
        }
        rules::Refusal::InstrumentMissing | rules::Refusal::InThePast | rules::Refusal::Unfit => {
            Error::refused(refusal.code())
        }
    }
}

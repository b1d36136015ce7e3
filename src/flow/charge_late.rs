//! Brings a bill that is paid after its due day up to date: the interest of the day is a line of its next version.

use super::{
    Error, Result, agency_key::agency_key, audit_leaf, bill_answer, create_bill, explain, read_bills,
};
use crate::{
    app::App,
    base::{calendar::Day, clock::Instant},
    crypto::seal::DataKey,
    payment::{
        bill::{Lines, State},
        late::{self, Interest},
    },
    store::{Tx, audit, bill::StoredBill, bill_version as versions, tariff},
};
use serde_json::{Value, json};

/// Lines with the interest of a day, and how it came about.
pub(super) type Late = (Lines, Vec<Interest>);

/// What the bill's lines are on a day after its due day, when that is something else than they are now.
pub(super) async fn late_lines(
    app: &App,
    tx: &mut Tx,
    stored: &StoredBill,
    now: Instant,
) -> Result<Option<Late>> {
    if stored.state != State::Open {
        return Ok(None);
    }
    let Some(due) = late_since(tx, stored, now).await? else { return Ok(None) };
    let today = Day::of(now);
    let schedule = tariff::in_force(&app.store, tx, today).await?;
    let found = lines_by(tx, stored, schedule.as_slice(), (due, today)).await?;
    Ok(found.into_iter().next())
}

/// What the bill may have asked for at a moment after its due day, whatever has become of it since, where that is something else
/// than it says now: by the rule of the day, and where another was in force until later that day, by that one too.
pub(super) async fn asked_at(app: &App, tx: &mut Tx, stored: &StoredBill, at: Instant) -> Result<Vec<Late>> {
    let Some(due) = late_since(tx, stored, at).await? else { return Ok(Vec::new()) };
    let schedules = tariff::in_force_at(&app.store, tx, at).await?;
    lines_by(tx, stored, &schedules, (due, Day::of(at))).await
}

/// The bill with these lines in the place of its own.
pub(super) async fn with_lines(
    app: &App,
    tx: &mut Tx,
    stored: &StoredBill,
    (late, day): (Late, Instant),
) -> Result<StoredBill> {
    let key = agency_key(app, tx, stored.bill.agency).await?;
    let mut then = stored.clone();
    put_interest(app, &key, &mut then, late, Day::of(day))?;
    Ok(then)
}

/// The day after which a bill that is paid at that moment is late, if it is.
async fn late_since(tx: &mut Tx, stored: &StoredBill, at: Instant) -> Result<Option<Day>> {
    let today = Day::of(at);
    if today <= stored.bill.due {
        return Ok(None);
    }
    let until = read_bills::pay_until(tx, stored, at).await?;
    let due = read_bills::stands_still(tx, stored.bill.id, stored.bill.due, at).await?;
    Ok((today > due && today <= until).then_some(due))
}

async fn lines_by(
    tx: &mut Tx,
    stored: &StoredBill,
    schedules: &[tariff::Version],
    (due, today): (Day, Day),
) -> Result<Vec<Late>> {
    if schedules.is_empty() {
        return Ok(Vec::new());
    }
    let principal = late::principal(&stored.bill.lines, &tariff::late_rules(tx).await?);
    let mut found = Vec::new();
    for interest in late::asked(&principal, schedules.iter().map(|version| &**version), due, today) {
        let lines = late::with_interest(principal.clone(), &interest, explain::interest_name)
            .ok_or_else(|| Error::refused("amount_too_large"))?;
        if lines != stored.bill.lines {
            found.push((lines, interest));
        }
    }
    Ok(found)
}

/// Makes the version of the day on which it is paid, before an attempt starts or a desk takes its money. The caller holds the
/// bill's lock.
pub(super) async fn charge_late(
    app: &App,
    tx: &mut Tx,
    stored: &mut StoredBill,
    (paid, now): (Instant, Instant),
) -> Result<()> {
    let Some(late) = late_lines(app, tx, stored, paid).await? else {
        return Ok(());
    };
    charge(app, tx, stored, late, (paid, now)).await
}

/// Makes the version with the interest that was asked on the day on which it was paid. The caller holds the bill's lock.
pub(super) async fn charge(
    app: &App,
    tx: &mut Tx,
    stored: &mut StoredBill,
    late: Late,
    (paid, now): (Instant, Instant),
) -> Result<()> {
    let today = Day::of(paid);
    let key = agency_key(app, tx, stored.bill.agency).await?;
    versions::keep_version(tx, stored.bill.id, "late", now).await?;
    put_interest(app, &key, stored, late, today)?;
    stored.bill.version += 1;
    if !versions::put_version(tx, stored, "open").await? {
        return Err(Error::internal("a bill moved under its lock"));
    }
    versions::put_content(tx, stored).await?;
    let details = json!({
        "bill": stored.bill.id.to_string(),
        "version": stored.bill.version,
        "total": stored.bill.lines.total().decimal(),
        "on": today.to_string(),
    });
    let concern = audit_leaf::Concern {
        citizen: None,
        agency: Some(stored.bill.agency),
        object: stored.bill.id.uuid(),
    };
    let leaf = audit_leaf::leaf(app, now, "bill.interest_charged", concern, &key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}

/// Takes the interest of a day before off a bill that is given other days: what is late by those is charged anew. The caller
/// holds the bill's lock, and makes the version.
pub(super) async fn take_off(app: &App, tx: &mut Tx, stored: &mut StoredBill) -> Result<()> {
    let principal = late::principal(&stored.bill.lines, &tariff::late_rules(tx).await?);
    if principal.len() == stored.bill.lines.as_slice().len() {
        return Ok(());
    }
    let key = agency_key(app, tx, stored.bill.agency).await?;
    let lines = Lines::new(principal).map_err(create_bill::refused)?;
    put_lines(app, &key, stored, lines, Vec::new())
}

/// Puts lines with the interest of a day, and how it came about.
fn put_interest(
    app: &App,
    key: &DataKey,
    stored: &mut StoredBill,
    (lines, interest): Late,
    day: Day,
) -> Result<()> {
    let more = interest.iter().map(|one| json!([explain::interest_json(one, day)])).collect();
    put_lines(app, key, stored, lines, more)
}

/// Puts lines of which the last came about by `more`, and those before as they did.
fn put_lines(
    app: &App,
    key: &DataKey,
    stored: &mut StoredBill,
    lines: Lines,
    more: Vec<Value>,
) -> Result<()> {
    let mut trace = bill_answer::open_trace(key, stored.bill.id, &stored.trace)?;
    let kept = bill_answer::open_kept(key, stored.bill.id, &stored.trace)?;
    // Prices of services stand last and have none.
    trace.resize(lines.as_slice().len() - more.len(), json!([]));
    trace.extend(more);
    stored.bill.lines = lines;
    stored.trace = bill_answer::seal_trace(app, key, stored.bill.id, &trace, kept.as_ref());
    Ok(())
}

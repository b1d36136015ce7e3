//! Brings a bill that is paid after its due day up to date: the interest of the day is a line of its next version.

use super::{Error, Result, agency_key::agency_key, audit_leaf, bill_answer, explain, read_bills};
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
use serde_json::json;

/// What the bill's lines are on a day after its due day, when that is something else than they are now.
pub(super) async fn late_lines(
    app: &App,
    tx: &mut Tx,
    stored: &StoredBill,
    now: Instant,
) -> Result<Option<(Lines, Vec<Interest>)>> {
    if stored.state == State::Open { lines_on(app, tx, stored, now).await } else { Ok(None) }
}

/// The bill as it was on a day after its due day, with the interest of that day, whatever has become of it since; nothing
/// where it says just that.
pub(super) async fn as_on(
    app: &App,
    tx: &mut Tx,
    stored: &StoredBill,
    day: Instant,
) -> Result<Option<StoredBill>> {
    let Some(late) = lines_on(app, tx, stored, day).await? else { return Ok(None) };
    let key = agency_key(app, tx, stored.bill.agency).await?;
    let mut then = stored.clone();
    put_interest(app, &key, &mut then, late, Day::of(day))?;
    Ok(Some(then))
}

async fn lines_on(
    app: &App,
    tx: &mut Tx,
    stored: &StoredBill,
    now: Instant,
) -> Result<Option<(Lines, Vec<Interest>)>> {
    let today = Day::of(now);
    if today <= stored.bill.due {
        return Ok(None);
    }
    let until = read_bills::pay_until(tx, stored, now).await?;
    let due = read_bills::stands_still(tx, stored.bill.id, stored.bill.due, now).await?;
    if today <= due || today > until {
        return Ok(None);
    }
    let Some(schedule) = tariff::in_force(&app.store, tx, today).await? else {
        return Ok(None);
    };
    let principal = late::principal(&stored.bill.lines, &tariff::late_rules(tx).await?);
    let interest = late::interest(&principal, &schedule, due, today);
    let lines = late::with_interest(principal, &interest, explain::interest_name)
        .ok_or_else(|| Error::refused("amount_too_large"))?;
    Ok((lines != stored.bill.lines).then_some((lines, interest)))
}

/// Makes the version of the day on which it is paid, before an attempt starts or a desk takes its money. The caller holds the
/// bill's lock.
pub(super) async fn charge_late(
    app: &App,
    tx: &mut Tx,
    stored: &mut StoredBill,
    (paid, now): (Instant, Instant),
) -> Result<()> {
    let today = Day::of(paid);
    let Some(late) = late_lines(app, tx, stored, paid).await? else {
        return Ok(());
    };
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

/// Puts lines with the interest of a day, and how it came about.
fn put_interest(
    app: &App,
    key: &DataKey,
    stored: &mut StoredBill,
    (lines, interest): (Lines, Vec<Interest>),
    day: Day,
) -> Result<()> {
    let mut trace = bill_answer::open_trace(key, stored.bill.id, &stored.trace)?;
    let kept = bill_answer::open_kept(key, stored.bill.id, &stored.trace)?;
    trace.truncate(lines.as_slice().len() - interest.len());
    trace.extend(interest.iter().map(|one| json!([explain::interest_json(one, day)])));
    stored.bill.lines = lines;
    stored.trace = bill_answer::seal_trace(app, key, stored.bill.id, &trace, kept.as_ref());
    Ok(())
}

//! Brings a bill that is paid after its due day up to date: the interest of the day is a line of its next version.

use super::{Error, Result, agency_key::agency_key, audit_leaf, bill_answer, explain, read_bills};
use crate::{
    app::App,
    base::{calendar::Day, clock::Instant},
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
    let today = Day::of(now);
    if stored.state != State::Open || today <= stored.bill.due {
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
    let principal = late::principal(&stored.bill.lines, &schedule);
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
    let Some((lines, interest)) = late_lines(app, tx, stored, paid).await? else {
        return Ok(());
    };
    let key = agency_key(app, tx, stored.bill.agency).await?;
    let mut trace = bill_answer::open_trace(&key, stored.bill.id, &stored.trace)?;
    let kept = bill_answer::open_kept(&key, stored.bill.id, &stored.trace)?;
    trace.truncate(lines.as_slice().len() - interest.len());
    trace.extend(interest.iter().map(|one| json!([explain::interest_json(one, today)])));
    versions::keep_version(tx, stored.bill.id, "late", now).await?;
    stored.bill.lines = lines;
    stored.bill.version += 1;
    stored.trace = bill_answer::seal_trace(app, &key, stored.bill.id, &trace, kept.as_ref());
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

//! Exchanges codes that carry their sign-ins: many at once, one transaction, an answer for each.
//!
//! Whoever writes a sign-in first has exchanged its code; the identifier is the code's, so that of two exchanges, here or
//! at two nodes, one writes. New locks, the end of sessions and the withdrawal of consents are held off until the rows
//! are there: each of them either is seen here or finds the row and ends what it gave.

use super::{Result, disclosure, population, together::together_or_apart};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Id},
};
use crate::batch::Undone;
use crate::identity::{
    carried::{Redeemed, Redemption},
    lock::{Lock, Use, forbidding},
};
use crate::store::{
    Tx,
    carried::{self, Held, Standing},
    lock as locks,
    refresh_token::{self, StoredRefresh},
    register::RegisterRow,
};
use std::collections::BTreeMap;

/// Exchanges each code, in order.
pub async fn redeem_all(app: &App, codes: Vec<Redemption>) -> Vec<std::result::Result<Redeemed, Undone>> {
    together_or_apart(&codes, |codes| redeem_together(app, codes)).await
}

async fn redeem_together(app: &App, codes: &[Redemption]) -> Result<Vec<Redeemed>> {
    let now = app.clock.now();
    let mut firsts: BTreeMap<Id<id::Authorization>, &Redemption> = BTreeMap::new();
    for code in codes {
        firsts.entry(code.authorization).or_insert(code);
    }
    let mut distinct: Vec<&Redemption> = firsts.into_values().collect();
    distinct.sort_by_key(|code| code.confirmation.citizen);
    let mut tx = app.store.begin().await?;
    let held =
        distinct.iter().map(|code| (code.confirmation.citizen, code.confirmation.session, code.consent));
    let held = carried::hold(&mut tx, held).await?;
    let of = distinct.iter().map(|code| (code.confirmation.citizen, code.client));
    let standings = carried::standings(&mut tx, of, now).await?;
    let locked = locked(standings.iter().map(|standing| standing.holder.as_ref()));
    let locks = locks::of_citizens(&mut tx, &locked).await?;
    let mut outcomes = BTreeMap::new();
    let mut granted = Vec::with_capacity(distinct.len());
    for ((code, held), standing) in distinct.into_iter().zip(held).zip(standings) {
        let locks = locks.get(&code.confirmation.citizen).map(Vec::as_slice).unwrap_or_default();
        let outcome = decide(app, code, held, standing, locks, now)?;
        if matches!(outcome, Redeemed::Granted(_)) {
            granted.push(code);
        }
        outcomes.insert(code.authorization, outcome);
    }
    if !granted.is_empty() {
        for spent in write(&mut tx, &granted, now).await? {
            outcomes.insert(spent, Redeemed::Spent);
        }
        tx.commit().await?;
    }
    // Whoever shows a code a second time in the same batch comes after the one that was granted.
    let told = codes.iter().map(|code| match outcomes.get_mut(&code.authorization) {
        Some(granted @ Redeemed::Granted(_)) => std::mem::replace(granted, Redeemed::Spent),
        Some(other) => other.clone(),
        None => Redeemed::NotAllowed,
    });
    Ok(told.collect())
}

/// Writes the sign-ins and their refresh tokens; names those that were written before.
async fn write(tx: &mut Tx, codes: &[&Redemption], now: Instant) -> Result<Vec<Id<id::Authorization>>> {
    let written = carried::insert_exchanged(tx, codes, now).await?;
    let (first, spent): (Vec<&Redemption>, Vec<&Redemption>) =
        codes.iter().copied().partition(|code| written.contains(&code.authorization));
    let refresh = first.iter().filter_map(|code| {
        let (digest, expires_at) = code.refresh?;
        let authorization = code.authorization;
        Some((digest, StoredRefresh { authorization, issued_at: now, expires_at, used_at: None }))
    });
    let refresh: Vec<_> = refresh.collect();
    if !refresh.is_empty() {
        refresh_token::insert_all(tx, &refresh).await?;
    }
    Ok(spent.into_iter().map(|code| code.authorization).collect())
}

/// Those who have locks: mostly nobody, and then nothing is asked.
pub(super) fn locked<'a>(holders: impl Iterator<Item = Option<&'a RegisterRow>>) -> Vec<Id<id::Citizen>> {
    holders.flatten().filter(|holder| holder.has_locks).map(|holder| holder.citizen).collect()
}

fn decide(
    app: &App,
    code: &Redemption,
    held: Held,
    standing: Standing,
    locks: &[Lock],
    now: Instant,
) -> Result<Redeemed> {
    let what = Use::Portal(code.client, code.confirmation.method);
    if !held.whole || held.signed_out || !may_go_on(app, &standing, (what, locks), now)? {
        return Ok(Redeemed::NotAllowed);
    }
    if held.withdrawn {
        return Ok(Redeemed::ConsentWithdrawn);
    }
    let subject = standing.subject.ok_or_else(|| super::Error::internal("a code without a subject"))?;
    Ok(Redeemed::Granted(subject))
}

/// Whether client, register and the person's own locks let a grant go on.
pub(super) fn may_go_on(
    app: &App,
    standing: &Standing,
    (what, locks): (Use, &[Lock]),
    now: Instant,
) -> Result<bool> {
    let open = match &standing.holder {
        Some(row) => disclosure::is_open(&population::open_row(app, row)?.person),
        None => false,
    };
    Ok(standing.active && open && forbidding(locks, what, Day::of(now)).is_none())
}

//! What a closing says, folded from the books: the ledger month by month as it lies, the receipts in chunks, so that a time of
//! any length needs the room of a chunk and whoever wants to know hears how far it is.

use super::{Error, Refusal, Result, agency_key::agency_with_key, officer};
use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        clock::Instant,
        id::{Agency, Citizen, Id, Receipt},
    },
    codec::closing_report::{ClosingContent, StatementRow},
    crypto::seal::DataKey,
    payment::closing::{Kind, Period},
    store::{
        Tx, audit_tree,
        closing::{self, Counted},
    },
};
use std::collections::{BTreeMap, BTreeSet};
use time::Duration;

/// How many receipts are counted at a time.
const RECEIPTS_AT_ONCE: i64 = 50_000;

/// How much later than its receipt's own time an issuer's clock may have it named here.
const SKEW: Duration = Duration::days(1);

/// How far the folding is: with how many it is done, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// Months of the ledger.
    Ledger(i64, i64),
    /// Receipts.
    Receipts(i64, i64),
}

/// Whoever wants to know how far it is.
pub(super) type Watch<'a> = &'a (dyn Fn(Folded) + Send + Sync);

/// Nothing inside may be unfinished: each day with money has its matched statement, each inner time its closing.
async fn complete(tx: &mut Tx, agency: Id<Agency>, period: Period) -> Result<()> {
    let missing = match period.kind.inner() {
        None => closing::unreconciled(tx, agency, period).await?,
        Some(inner) => closing::unclosed(tx, agency, period, inner).await?,
    };
    let code = match period.kind {
        Kind::Day => "day_not_reconciled",
        Kind::Month | Kind::Year => "closing_incomplete",
    };
    match missing.first() {
        None => Ok(()),
        Some(day) => Err(Error::Conflict(Refusal::new(code).about(day))),
    }
}

/// What the books say of a time in which nothing is unfinished, as its accountant prepares it; sealed it is under the agency's key.
pub(super) async fn fold(
    app: &App,
    tx: &mut Tx,
    (agency, period): (Id<Agency>, Period),
    (accountant, now): (Id<Citizen>, Instant),
    watch: Watch<'_>,
) -> Result<(ClosingContent, DataKey)> {
    complete(tx, agency, period).await?;
    let (row, sealing) = agency_with_key(app, tx, agency).await?;
    let name = officer::names(app, tx, &BTreeSet::from([accountant])).await?.remove(&accountant);
    let statements = closing::statements(tx, agency, period).await?.into_iter().map(|s| StatementRow {
        account: s.account,
        day: s.day.to_string(),
        opening: s.balances.0,
        closing: s.balances.1,
        lines: s.lines.0,
        matched: s.lines.1,
        posted: s.known.0,
        explained: s.known.1,
    });
    let head = audit_tree::last_head(tx).await?.map(|head| (head.size, head.signed));
    let content = ClosingContent {
        v: 1,
        iss: app.origin.as_str().to_owned(),
        agency: (row.code.clone(), row.name_vi.clone()),
        kind: period.kind.as_str().to_owned(),
        days: (period.first.to_string(), period.last.to_string()),
        prepared: (name.unwrap_or_default(), rfc3339(now)),
        approved: None,
        statements: statements.collect(),
        ledger: ledger(tx, agency, period, watch).await?,
        receipts: receipts(tx, agency, period, watch).await?,
        cases: closing::cases(tx, agency, period).await?,
        head,
    };
    Ok((content, sealing))
}

/// What moved on each kind of account.
async fn ledger(
    tx: &mut Tx,
    agency: Id<Agency>,
    period: Period,
    watch: Watch<'_>,
) -> Result<Vec<(String, i64, i64)>> {
    let months = period.months();
    let all = i64::try_from(months.len()).map_err(Error::internal)?;
    let mut moved: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (done, month) in (1..).zip(months) {
        for (kind, debit, credit) in closing::moved(tx, agency, month).await? {
            let sum = moved.entry(kind).or_default();
            *sum = (added(sum.0, debit)?, added(sum.1, credit)?);
        }
        watch(Folded::Ledger(done, all));
    }
    Ok(moved.into_iter().map(|(kind, (debit, credit))| (kind, debit, credit)).collect())
}

/// The receipts that were issued, series by series.
async fn receipts(tx: &mut Tx, agency: Id<Agency>, period: Period, watch: Watch<'_>) -> Result<Vec<Counted>> {
    // A receipt is named here when it is issued or after that: one of paper when it is entered.
    let (span, mut after) = (
        (period.first.start(), period.last.end()),
        Id::<Receipt>::before(period.first.start() - SKEW).uuid(),
    );
    let all = closing::receipts_after(tx, agency, after).await?;
    let (mut series, mut done) = (BTreeMap::<(String, i16), Counted>::new(), 0);
    loop {
        let until = closing::receipts_until(tx, agency, after, RECEIPTS_AT_ONCE).await?;
        for (of, counted) in closing::receipts(tx, agency, (after, until), span).await? {
            let sum = match series.remove(&of) {
                Some(before) => joined(before, counted)?,
                None => counted,
            };
            series.insert(of, sum);
        }
        done = if until.is_some() { all.min(done + RECEIPTS_AT_ONCE) } else { all };
        watch(Folded::Receipts(done, all));
        match until {
            Some(until) => after = until,
            None => return Ok(series.into_values().collect()),
        }
    }
}

fn joined(one: Counted, other: Counted) -> Result<Counted> {
    Ok((
        one.0.min(other.0),
        one.1.max(other.1),
        added(one.2, other.2)?,
        added(one.3, other.3)?,
        added(one.4, other.4)?,
    ))
}

fn added(one: i64, other: i64) -> Result<i64> {
    one.checked_add(other).ok_or(Error::internal("a sum of a closing is too large"))
}

//! What every account of the books held: at a signed head of the audit log, or now.
//!
//! The balance of a past moment is that of the last tree head signed at or before it: all entries whose leaf is placed
//! below the head's size, whatever was committed since. The live balance adds the entries that have no place yet. Both
//! are folded from the newest checkpoint, and a checkpoint is nothing but such a fold, kept.

use super::{
    Error, Result,
    explain::money,
    inherit::{Tree, agencies_of},
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        clock::Instant,
        id::{Agency, Id},
        money::Money,
    },
    payment::ledger::Nature,
    store::{
        Store, Tx,
        trial_balance::{self as books, NamedAccount, Sums},
    },
};
use serde_json::{Value, json};

/// How many leaves lie between two checkpoints at least.
pub const LEAVES_PER_CHECKPOINT: u64 = 10_000;
/// How many leaves are folded by one statement.
const CHUNK: u64 = 5_000;
/// The name of the lock under which checkpoints are made.
const LOCK: i64 = 0x0063_6875_6e67_0006;
/// How many days a proof lists at most.
const DAYS_MAX: i64 = 200;

/// The books at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The size of the head that it stands on, and when that was signed; none before the first head.
    pub head: Option<(u64, Instant)>,
    /// Each account that was ever posted to.
    pub rows: Vec<(NamedAccount, Money)>,
    /// Entries without a place that are counted in; always zero for a past moment.
    pub unplaced: u64,
    /// The sum over all accounts of the installation: zero, or the books are broken.
    pub sum: Money,
}

/// The trial balance at a moment, or now; of some agencies' accounts, or of all.
pub async fn trial_balance(
    store: &Store,
    agencies: Option<&[Id<Agency>]>,
    at: Option<Instant>,
) -> Result<Trial> {
    let mut tx = store.begin().await?;
    let head = match at {
        Some(at) => books::head_at(&mut tx, at).await?,
        None => {
            let last = crate::store::audit_tree::last_head(&mut tx).await?;
            last.map(|head| (head.size, head.low_tx, head.at))
        }
    };
    let (size, low_tx) = head.map_or((0, 0), |head| (head.0, head.1));
    let mut sums = fold(&mut tx, size).await?;
    let mut unplaced = 0;
    if at.is_none() {
        let beyond = books::leaves_beyond(&mut tx, size, low_tx).await?;
        for leaves in beyond.chunks(usize::try_from(CHUNK).unwrap_or(usize::MAX)) {
            let (booked, entries) = books::booked_by(&mut tx, leaves).await?;
            add(&mut sums, &booked)?;
            unplaced += entries;
        }
    }
    let sum = sums.values().try_fold(0_i64, |sum, amount| sum.checked_add(*amount));
    let sum = Money::vnd(sum.ok_or_else(|| Error::internal("the sum of the books is too large"))?);
    let named = books::named_accounts(&mut tx, agencies).await?;
    let rows = named.into_iter().filter_map(|account| {
        let balance = Money::vnd(*sums.get(&account.number)?);
        Some((account, balance))
    });
    Ok(Trial { head: head.map(|head| (head.0, head.2)), rows: rows.collect(), unplaced, sum })
}

/// All entries whose leaf has a place below `size`, folded from the newest checkpoint.
pub(super) async fn fold(tx: &mut Tx, size: u64) -> Result<Sums> {
    let (from, mut sums) = books::checkpoint_below(tx, size).await?;
    add_between(tx, &mut sums, from, size).await?;
    Ok(sums)
}

/// Adds what the leaves between two places booked.
pub(super) async fn add_between(tx: &mut Tx, sums: &mut Sums, from: u64, to: u64) -> Result<()> {
    let mut at = from;
    while at < to {
        let end = to.min(at + CHUNK);
        let leaves = books::leaves_between(tx, at, end).await?;
        let (booked, _) = books::booked_by(tx, &leaves).await?;
        add(sums, &booked)?;
        at = end;
    }
    Ok(())
}

pub(super) fn add(sums: &mut Sums, more: &Sums) -> Result<()> {
    for (account, amount) in more {
        let sum = sums.entry(*account).or_default();
        *sum = sum.checked_add(*amount).ok_or_else(|| Error::internal("a balance is too large"))?;
    }
    Ok(())
}

/// Keeps the balances at the newest head once enough leaves were placed since the last checkpoint; whether it did.
pub async fn checkpoint_balances(app: &App, leaves_min: u64) -> Result<bool> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if !tx.try_lock(LOCK).await? {
        return Ok(false);
    }
    let Some(head) = crate::store::audit_tree::last_head(&mut tx).await? else {
        return Ok(false);
    };
    let (from, mut sums) = books::checkpoint_below(&mut tx, head.size).await?;
    if head.size < from + leaves_min.max(1) {
        return Ok(false);
    }
    add_between(&mut tx, &mut sums, from, head.size).await?;
    let kept = books::keep_checkpoint(&mut tx, head.size, &sums, now).await?;
    tx.commit().await?;
    Ok(kept)
}

/// The trial balance of one agency as `/v1` answers it.
pub async fn read_trial_balance(
    app: &App,
    agency: Id<Agency>,
    at: Option<Instant>,
    tree: Tree,
) -> Result<Value> {
    let now = app.clock.now();
    if at.is_some_and(|at| at > now) {
        return Err(Error::refused("moment_in_the_future"));
    }
    let agencies = agencies_of(&mut app.store.begin().await?, agency, tree).await?;
    Ok(trial_json(&trial_balance(&app.store, Some(&agencies), at).await?, at))
}

fn trial_json(trial: &Trial, at: Option<Instant>) -> Value {
    let rows: Vec<Value> = trial.rows.iter().map(|(account, balance)| row_json(account, *balance)).collect();
    json!({
        "at": at.map(rfc3339),
        "head": trial.head.map(|(size, at)| json!({ "size": size, "signed_at": rfc3339(at) })),
        "unplaced": trial.unplaced,
        "balanced": trial.sum.is_zero(),
        "accounts": rows,
    })
}

fn row_json(account: &NamedAccount, balance: Money) -> Value {
    let nature = match account.account.nature() {
        Nature::Money => "money",
        Nature::Owed => "owed",
        Nature::Cost => "cost",
    };
    let real = account.real.as_ref();
    json!({
        "account": account.number,
        "kind": account.account.kind(),
        "nature": nature,
        "owner": account.agency.to_string(),
        "real_account": real.map(|(bank, number, holder)| json!({ "bank": bank, "number": number, "holder": holder })),
        "balance": money(balance),
    })
}

/// How the statements prove the agency's accounts, day by day, the newest first; for itself or by either tree.
pub async fn read_proofs(app: &App, agency: Id<Agency>, through: Option<Day>, tree: Tree) -> Result<Value> {
    let today = Day::of(app.clock.now());
    let through = through.unwrap_or(today);
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let days = books::proved_days(&mut tx, &agencies, (through, today), DAYS_MAX).await?;
    let items: Vec<Value> = days.iter().map(proof_json).collect();
    Ok(json!({ "items": items }))
}

/// A day is proved when what the books posted, and what differences explain, is what the account moved by, and nobody
/// has a difference left to settle.
fn proof_json(day: &books::ProvedDay) -> Value {
    let moved = day.closing.zip(day.opening).and_then(|(closing, opening)| closing.checked_sub(opening));
    let known = day.posted.zip(day.explained).and_then(|(posted, explained)| posted.checked_add(explained));
    json!({
        "day": day.day.to_string(),
        "real_account": { "bank": day.bank, "number": day.number, "holder": day.holder },
        "opening": day.opening.map(|amount| money(Money::vnd(amount))),
        "closing": day.closing.map(|amount| money(Money::vnd(amount))),
        "posted": day.posted.map(|amount| money(Money::vnd(amount))),
        "explained": day.explained.map(|amount| money(Money::vnd(amount))),
        "pending_cases": day.pending,
        "proved": known.is_some() && known == moved && day.pending == 0,
    })
}

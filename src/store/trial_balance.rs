//! Balances at a place in the audit log: checkpoints, and the sums of what was booked since.
//!
//! Entries are found through their leaves. An entry and its leaf are written with one reading of the clock, and their
//! identifiers begin with that time; so the entries of some leaves stand in one stretch of the primary key, and no index
//! by leaf weighs on the hot path.

use super::{Result, Store, Tx};
use crate::base::{
    clock::Instant,
    id::{Id, Leaf},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Sums by the number of the account.
pub type Sums = BTreeMap<i32, i64>;

/// The newest checkpoint at or below a place, and its balances; nothing was booked below place zero.
pub async fn checkpoint_below(tx: &mut Tx, place: u64) -> Result<(u64, Sums)> {
    let rows = sqlx::query!(
        r#"select c.place as "place!", b.account_id as "account_id?", b.balance as "balance?"
         from (select place from balance_checkpoint where place <= $1 order by place desc limit 1) c
         left join balance_at_checkpoint b on b.place = c.place"#,
        place.cast_signed(),
    )
    .fetch_all(tx.conn())
    .await?;
    let at = rows.first().map_or(0, |row| row.place.cast_unsigned());
    Ok((at, rows.into_iter().filter_map(|row| Some((row.account_id?, row.balance?))).collect()))
}

/// The places of all checkpoints, in order.
pub async fn checkpoints(store: &Store) -> Result<Vec<u64>> {
    let places = sqlx::query_scalar!("select place from balance_checkpoint order by place")
        .fetch_all(&store.pool)
        .await?;
    Ok(places.into_iter().map(i64::cast_unsigned).collect())
}

/// Keeps the balances at a place; false when another node has just done so.
pub async fn keep_checkpoint(tx: &mut Tx, place: u64, balances: &Sums, at: Instant) -> Result<bool> {
    let done = sqlx::query!(
        "insert into balance_checkpoint (place, at) values ($1, $2) on conflict (place) do nothing",
        place.cast_signed(),
        at,
    )
    .execute(tx.conn())
    .await?;
    if !super::moved_one(&done) {
        return Ok(false);
    }
    keep_balances(tx, place, balances).await?;
    Ok(true)
}

async fn keep_balances(tx: &mut Tx, place: u64, balances: &Sums) -> Result<()> {
    let accounts: Vec<i32> = balances.keys().copied().collect();
    let amounts: Vec<i64> = balances.values().copied().collect();
    sqlx::query!(
        "insert into balance_at_checkpoint (place, account_id, balance)
         select $1, b.account_id, b.balance from unnest($2::integer[], $3::bigint[]) as b (account_id, balance)",
        place.cast_signed(),
        &accounts,
        &amounts,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The leaves at the places from `from` on, below `to`.
pub async fn leaves_between(tx: &mut Tx, from: u64, to: u64) -> Result<Vec<Uuid>> {
    let leaves = sqlx::query_scalar!(
        "select leaf_id from audit_place where place >= $1 and place < $2",
        from.cast_signed(),
        to.cast_signed(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(leaves)
}

/// The leaves that have no place below `size`. Those of transactions older than `low_tx` have; where it is zero nothing is
/// known, and numbers may be another cluster's.
pub async fn leaves_beyond(tx: &mut Tx, size: u64, low_tx: i64) -> Result<Vec<Uuid>> {
    let leaves = sqlx::query_scalar!(
        "select l.id from audit_leaf l
         where l.tx >= $2
             and l.tx < case when $2 = 0 then 9223372036854775807 else pg_snapshot_xmax(pg_current_snapshot())::text::bigint end
             and coalesce((select p.place from audit_place p where p.leaf_id = l.id) >= $1, true)",
        size.cast_signed(),
        low_tx,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(leaves)
}

/// What the entries of these leaves book, and how many entries there are.
pub async fn booked_by(tx: &mut Tx, leaves: &[Uuid]) -> Result<(Sums, u64)> {
    let Some((first, last)) = stretch(leaves) else {
        return Ok((Sums::new(), 0));
    };
    let rows = sqlx::query!(
        r#"with entry as materialized (
             select e.id, e.booked_on from ledger_entry e where e.id between $2 and $3 and e.leaf_id = any($1))
         select p.account_id as "account_id?", coalesce(sum(p.amount), 0)::bigint as "booked!",
             (select count(*) from entry) as "entries!"
         from entry e join posting p on p.entry_id = e.id and p.booked_on = e.booked_on group by p.account_id"#,
        leaves,
        first,
        last,
    )
    .fetch_all(tx.conn())
    .await?;
    let entries = rows.first().map_or(0, |row| row.entries.unsigned_abs());
    Ok((rows.into_iter().filter_map(|row| Some((row.account_id?, row.booked))).collect(), entries))
}

/// The first and last identifier that things of the same milliseconds as these leaves can have.
fn stretch(leaves: &[Uuid]) -> Option<(Uuid, Uuid)> {
    let (low, high) = (leaves.iter().min()?, leaves.iter().max()?);
    let end = |leaf: &Uuid, fill: u8| {
        let mut bytes = [fill; 16];
        bytes[..6].copy_from_slice(&leaf.as_bytes()[..6]);
        Uuid::from_bytes(bytes)
    };
    Some((end(low, 0), end(high, 0xff)))
}

/// An entry whose identifier does not begin with its leaf's time, or whose leaf does not exist: no balance at a place
/// would see it.
pub async fn misplaced_entry(store: &Store) -> Result<Option<Uuid>> {
    let found = sqlx::query_scalar!(
        "select e.id from ledger_entry e left join audit_leaf l on l.id = e.leaf_id
         where l.id is null or substr(uuid_send(e.id), 1, 6) <> substr(uuid_send(l.id), 1, 6) limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found)
}

/// An account of the books with the names that a reader knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAccount {
    /// Its number in the books.
    pub number: i32,
    /// What it stands for.
    pub account: crate::payment::ledger::Account,
    /// The agency that it belongs to: the legal owner of a real account.
    pub agency: Id<crate::base::id::Agency>,
    /// The real account that holds the money: its bank or Treasury office, number and name.
    pub real: Option<(String, String, String)>,
}

/// The accounts of the books, all of them or those of some agencies.
pub async fn named_accounts(
    tx: &mut Tx,
    agencies: Option<&[Id<crate::base::id::Agency>]>,
) -> Result<Vec<NamedAccount>> {
    let agencies: Option<Vec<Uuid>> =
        agencies.map(|agencies| agencies.iter().map(|agency| agency.uuid()).collect());
    let rows = sqlx::query!(
        r#"select l.id, l.kind, l.account_id, l.agency_id, l.drawer_id, l.counterpart_id,
             coalesce(l.agency_id, c.owner_id) as "owner!",
             c.bank as "bank?", c.number as "number?", c.holder as "holder?"
         from ledger_account l left join collecting_account c on c.id = l.account_id
         where coalesce(coalesce(l.agency_id, c.owner_id) = any($1), true) order by l.id"#,
        agencies.as_deref(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|row| {
            let account = super::account::ledger_account(
                &row.kind,
                row.account_id,
                row.agency_id,
                (row.drawer_id, row.counterpart_id),
            )
            .ok_or_else(|| super::StoreError::corrupt("ledger_account", "kind", row.id))?;
            let real =
                row.bank.zip(row.number).zip(row.holder).map(|((bank, no), holder)| (bank, no, holder));
            Ok(NamedAccount { number: row.id, account, agency: Id::from_uuid(row.owner), real })
        })
        .collect()
}

/// The newest head that was signed at or before a moment: its size, the transaction below which all is placed, and
/// when it was signed.
pub async fn head_at(tx: &mut Tx, at: Instant) -> Result<Option<(u64, i64, Instant)>> {
    let row =
        sqlx::query!("select size, low_tx, at from tree_head where at <= $1 order by size desc limit 1", at)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(|row| (row.size.cast_unsigned(), row.low_tx, row.at)))
}

/// The leaf of an entry, for whoever wants its proof.
pub async fn leaf_of_entry(tx: &mut Tx, entry: Id<crate::base::id::Entry>) -> Result<Option<Id<Leaf>>> {
    let leaf = sqlx::query_scalar!("select leaf_id from ledger_entry where id = $1", entry.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(leaf.map(Id::from_uuid))
}

/// One line of an account's day as its statement proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedDay {
    /// The bank's business day.
    pub day: crate::base::calendar::Day,
    /// The account's number.
    pub number: String,
    /// Its bank or Treasury office.
    pub bank: String,
    /// The name on it.
    pub holder: String,
    /// What the statement began with; absent where money moved and no statement came.
    pub opening: Option<i64>,
    /// What it ended with.
    pub closing: Option<i64>,
    /// What the books posted to the account for the day's credits; absent until the day was matched.
    pub posted: Option<i64>,
    /// What differences and neighbouring days account for.
    pub explained: Option<i64>,
    /// Differences of the day that somebody must still settle.
    pub pending: i64,
}

/// How the statements of the accounts of these agencies prove the books, the newest days first. A day that is over on
/// which money moved without a statement stands there unproved, for two months back.
pub async fn proved_days(
    tx: &mut Tx,
    owners: &[Id<crate::base::id::Agency>],
    (through, today): (crate::base::calendar::Day, crate::base::calendar::Day),
    limit: i64,
) -> Result<Vec<ProvedDay>> {
    let rows = sqlx::query!(
        r#"with days as (
             select s.account_id, s.day, s.opening, s.closing, s.posted, s.explained from statement_now s
             where s.day <= $2
             union all
             select distinct m.account_id, m.booked_on, null::bigint, null::bigint, null::bigint, null::bigint
             from (select account_id, booked_on from credit where booked_on between $2 - 62 and $2
                   union all select account_id, booked_on from debit where booked_on between $2 - 62 and $2) m
             where m.booked_on < $4
                 and not exists (select from statement s where s.account_id = m.account_id and s.day = m.booked_on))
         select d.day as "day!", a.number, a.bank, a.holder, d.opening, d.closing, d.posted, d.explained,
             (select count(*) from "case" c where c.account_id = a.id and c.day = d.day
                  and c.state in ('open', 'assigned')) as "pending!"
         from days d join collecting_account a on a.id = d.account_id
         where a.owner_id = any($1) order by d.day desc, a.number limit $3"#,
        &owners.iter().map(|owner| owner.uuid()).collect::<Vec<_>>(),
        through.date(),
        limit,
        today.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    let days = rows.into_iter().map(|row| ProvedDay {
        day: crate::base::calendar::Day::from_date(row.day),
        number: row.number,
        bank: row.bank,
        holder: row.holder,
        opening: row.opening,
        closing: row.closing,
        posted: row.posted,
        explained: row.explained,
        pending: row.pending,
    });
    Ok(days.collect())
}

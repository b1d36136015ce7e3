//! Another telling of a day, compared with the lines that stand: [`crate::payment::revision::compare`] for days of any length.

use super::{Result, Tx};
use crate::base::id::{self, Account, Id};
use crate::payment::statement::Movement;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Forgets the telling of before.
pub async fn begin(tx: &mut Tx, account: Id<Account>) -> Result<()> {
    sqlx::query!("delete from told_again where account_id = $1", account.uuid()).execute(tx.conn()).await?;
    sqlx::query!("delete from told_apart where account_id = $1", account.uuid()).execute(tx.conn()).await?;
    Ok(())
}

/// Takes movements, the first of them at that place.
pub async fn put(tx: &mut Tx, account: Id<Account>, from: usize, told: &[Movement]) -> Result<()> {
    let numbers: Vec<i32> =
        (from..).take(told.len()).map(|number| i32::try_from(number).unwrap_or(i32::MAX)).collect();
    let references: Vec<&str> = told.iter().map(|moved| moved.reference.as_str()).collect();
    let amounts: Vec<i64> = told.iter().map(|moved| moved.amount.minor()).collect();
    let named: Vec<Option<Uuid>> = told.iter().map(|moved| moved.named.map(Id::uuid)).collect();
    sqlx::query!(
        "insert into told_again (account_id, number, servicer_reference, amount, payment_id)
         select $1, t.number, t.reference, t.amount, t.named
         from unnest($2::integer[], $3::text[], $4::bigint[], $5::uuid[]) as t (number, reference, amount, named)",
        account.uuid(),
        &numbers,
        &references as &[&str],
        &amounts,
        &named as &[Option<Uuid>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Finds where the tellings part: what says the same stays as often as it is told. Lines that the new telling does not have
/// are left out by this revision; the places of those that are new wait to be asked for. How many came, and how many went.
///
/// A full join can only be hashed or merged, so that a day of a million lines is never looked up line by line, whatever the
/// database believes of tables that were filled a moment ago; and what stays writes nothing.
pub async fn compare(
    tx: &mut Tx,
    account: Id<Account>,
    statement: Id<id::Statement>,
    revision: Uuid,
) -> Result<(usize, u64)> {
    let parted = sqlx::query!(
        r#"with standing as (
               select l.id, l.servicer_reference, l.amount, coalesce(l.payment_id, $4) as named, row_number() over (
                   partition by l.servicer_reference, l.amount, l.payment_id order by l.number) as nth
               from statement_line l
               where l.statement_id = $2 and not exists (select from withdrawn_line w where w.line_id = l.id)
           ), told as (
               select t.number, t.servicer_reference, t.amount, coalesce(t.payment_id, $4) as named, row_number() over (
                   partition by t.servicer_reference, t.amount, t.payment_id order by t.number) as nth
               from told_again t where t.account_id = $1
           ), apart as materialized (
               select t.number, s.id from told t full join standing s using (servicer_reference, amount, named, nth)
               where t.number is null or s.id is null
           ), gone as (
               insert into withdrawn_line (line_id, revision_id) select id, $3 from apart where id is not null
           ), came as (
               insert into told_apart (account_id, number) select $1, number from apart where number is not null
           )
           select count(number) as "came!", count(id) as "gone!" from apart"#,
        account.uuid(),
        statement.uuid(),
        revision,
        Uuid::nil(),
    )
    .fetch_one(tx.conn())
    .await?;
    let many = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok((usize::try_from(parted.came).unwrap_or(0), many(parted.gone)))
}

/// Which places, of so many from that one on, have lines that are new.
pub async fn new_places(
    tx: &mut Tx,
    account: Id<Account>,
    from: usize,
    many: usize,
) -> Result<BTreeSet<usize>> {
    let place = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let rows = sqlx::query_scalar!(
        "select number from told_apart where account_id = $1 and number >= $2 and number < $3",
        account.uuid(),
        place(from),
        place(from.saturating_add(many)),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().filter_map(|number| usize::try_from(number).ok()).collect())
}

//! Another telling of a day, compared with the lines that stand: [`crate::payment::revision::compare`] for days of any length.

use super::{Result, Tx};
use crate::base::id::{self, Account, Id};
use crate::payment::statement::Movement;
use uuid::Uuid;

/// Forgets the telling of before.
pub async fn begin(tx: &mut Tx, account: Id<Account>) -> Result<()> {
    sqlx::query!("delete from told_again where account_id = $1", account.uuid()).execute(tx.conn()).await?;
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

/// Finds for each movement the line that stays: what says the same stays as often as it is told. How many are new.
pub async fn compare(tx: &mut Tx, account: Id<Account>, statement: Id<id::Statement>) -> Result<usize> {
    sqlx::query!(
        "with standing as (
             select l.id, l.servicer_reference, l.amount, l.payment_id, row_number() over (
                 partition by l.servicer_reference, l.amount, l.payment_id order by l.number) as nth
             from statement_line l
             where l.statement_id = $2 and not exists (select from withdrawn_line w where w.line_id = l.id)
         ), told as (
             select t.number, t.servicer_reference, t.amount, t.payment_id, row_number() over (
                 partition by t.servicer_reference, t.amount, t.payment_id order by t.number) as nth
             from told_again t where t.account_id = $1
         )
         update told_again t set stays = s.id
         from told n join standing s on s.servicer_reference = n.servicer_reference and s.amount = n.amount
             and s.payment_id is not distinct from n.payment_id and s.nth = n.nth
         where t.account_id = $1 and t.number = n.number",
        account.uuid(),
        statement.uuid(),
    )
    .execute(tx.conn())
    .await?;
    let came = sqlx::query_scalar!(
        r#"select count(*) as "came!" from told_again where account_id = $1 and stays is null"#,
        account.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(usize::try_from(came).unwrap_or(0))
}

/// Leaves the lines out that the new telling, this revision, does not have. How many.
pub async fn leave_out(
    tx: &mut Tx,
    account: Id<Account>,
    statement: Id<id::Statement>,
    revision: Uuid,
) -> Result<u64> {
    let gone = sqlx::query!(
        "insert into withdrawn_line (line_id, revision_id)
         select l.id, $3 from statement_line l
         where l.statement_id = $2 and not exists (select from withdrawn_line w where w.line_id = l.id)
             and not exists (select from told_again t where t.account_id = $1 and t.stays = l.id)",
        account.uuid(),
        statement.uuid(),
        revision,
    )
    .execute(tx.conn())
    .await?;
    Ok(gone.rows_affected())
}

/// Which of so many movements from that place on are new.
pub async fn are_new(tx: &mut Tx, account: Id<Account>, from: usize, many: usize) -> Result<Vec<bool>> {
    let place = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let rows = sqlx::query_scalar!(
        r#"select stays is null as "new!" from told_again
           where account_id = $1 and number >= $2 and number < $3 order by number"#,
        account.uuid(),
        place(from),
        place(from.saturating_add(many)),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

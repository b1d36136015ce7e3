//! What stands around cases: the dossiers that payments were for, and the statement lines that show the money.

use super::{Result, Tx};
use crate::base::{
    calendar::Day,
    id::{self, Agency, Id, Payment, StatementLine},
    secret::Sealed,
};
use crate::store::statement::Told;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The bill that an attempt was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidFor {
    /// The dossier.
    pub dossier: String,
    /// The bill's public reference.
    pub reference: String,
}

/// What these attempts were for, as far as the bills are these agencies'.
pub async fn paid_for(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    attempts: &[Id<Payment>],
) -> Result<BTreeMap<Id<Payment>, PaidFor>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let attempts: Vec<Uuid> = attempts.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select p.id, b.dossier, b.reference from payment p join bill b on b.id = p.bill_id
         where p.id = any($2) and b.agency_id = any($1)",
        &agencies,
        &attempts,
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |row: (Uuid, PaidFor)| (Id::from_uuid(row.0), row.1);
    let rows =
        rows.into_iter().map(|row| (row.id, PaidFor { dossier: row.dossier, reference: row.reference }));
    Ok(rows.map(of).collect())
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// On the statement of this day.
    pub day: Day,
    /// At this place, from 1.
    pub number: i32,
    /// Under this reference of the bank.
    pub reference: String,
}

/// Where these lines stand.
pub async fn places(tx: &mut Tx, lines: &[Id<StatementLine>]) -> Result<BTreeMap<Id<StatementLine>, Place>> {
    let lines: Vec<Uuid> = lines.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "select l.id, l.number, l.servicer_reference, s.day
         from statement_line l join statement s on s.id = l.statement_id where l.id = any($1)",
        &lines,
    )
    .fetch_all(tx.conn())
    .await?;
    let places = rows.into_iter().map(|row| {
        let place =
            Place { day: Day::from_date(row.day), number: row.number, reference: row.servicer_reference };
        (Id::from_uuid(row.id), place)
    });
    Ok(places.collect())
}

/// What the bank told of a line beyond its money.
pub struct LineTold {
    /// The account's owner, under whose key it is sealed.
    pub owner: Id<Agency>,
    /// Who answers for the account now.
    pub heir: Id<Agency>,
    /// Payer and remittance text, as JSON.
    pub told: Sealed<Told>,
    /// The statement and the place of the first line of those that are sealed together, and how many come before this one;
    /// nothing when it is sealed alone.
    pub among: Option<(Id<id::Statement>, i32, usize)>,
}

/// What the bank told of this line.
pub async fn told(tx: &mut Tx, line: Id<StatementLine>) -> Result<Option<LineTold>> {
    let row = sqlx::query!(
        r#"select coalesce(l.told, t.told) as "told!", coalesce(l.key, t.key) as "key!", l.statement_id, l.number,
               t.first as "first?", a.owner_id, coalesce(a.heir_id, a.owner_id) as "heir_id!"
         from statement_line l
         join collecting_account a on a.id = l.account_id
         left join lateral (
             select o.told, o.key, o.first, o.last from statement_told o
             where l.told is null and o.statement_id = l.statement_id and o.first <= l.number
             order by o.first desc limit 1) t on t.last >= l.number
         where l.id = $1 and num_nonnulls(l.told, t.told) > 0"#,
        line.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| LineTold {
        owner: Id::from_uuid(row.owner_id),
        heir: Id::from_uuid(row.heir_id),
        told: Sealed::new(row.told, row.key.cast_unsigned()),
        among: row.first.map(|first| {
            let before = usize::try_from(row.number - first).unwrap_or(usize::MAX);
            (Id::from_uuid(row.statement_id), first, before)
        }),
    }))
}

/// How many cases of these agencies nobody holds, and how many somebody looks into.
pub async fn pending(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<(i64, i64)> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let row = sqlx::query!(
        r#"select count(*) filter (where state = 'open') as "open!",
               count(*) filter (where state = 'assigned') as "assigned!"
           from "case" where agency_id = any($1)"#,
        &agencies,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.open, row.assigned))
}

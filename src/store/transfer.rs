//! Transfers that name a bill by its reference: they have no attempt before the money is there.

use super::{
    Result, Tx,
    bill_lines::{Reader, Unread},
    inbox::CreditKey,
    payment::{Expected, ExpectedRow},
};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Id},
        reference::Reference,
    },
    payment::settlement::Origin,
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What settling a transfer needs: an attempt that would settle the bill, under the given identifier, and the due day
/// as it stands when no silence moved it.
/// The bills are locked in ascending order.
pub async fn lock_named(
    tx: &mut Tx,
    named: &[(Reference, Id<id::Payment>)],
    now: Instant,
) -> Result<Vec<(Expected, Day)>> {
    let references: Vec<&str> = named.iter().map(|(reference, _)| reference.as_str()).collect();
    let payments: Vec<Uuid> = named.iter().map(|(_, payment)| payment.uuid()).collect();
    let rows = sqlx::query!(
        r#"select n.payment_id as "payment_id!", b.id, b.account_id, b.phi + b.le_phi + b.tax as "amount!", coalesce(b.payable_until, b.due) as "due!",
             b.state, b.paid_by, b.ended_at, b.agency_id, b.reference, b.dossier, c.procedure, c.name_vi,
             c.lines as "lines: Unread", c.parties, c.key, g.state = 'active' as "active!", g.wrapped_key, g.key_generation
         from unnest($1::text[], $2::uuid[]) as n (reference, payment_id)
         join bill b on b.reference = n.reference
         join bill_content c on c.bill_id = b.id
         join agency g on g.id = b.agency_id
         order by b.id for no key update of b"#,
        &references as &[&str],
        &payments,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut lines = Reader::default();
    rows.into_iter()
        .map(|row| {
            let due = Day::from_date(row.due);
            let expected = ExpectedRow {
                id: row.payment_id,
                bill_id: row.id,
                account_id: row.account_id,
                amount: row.amount,
                bank: String::new(),
                state: "created".to_owned(),
                reason: None,
                ended_at: None,
                since: Some(now),
                inquiries: Some(0),
                next_at: None,
                bill_state: row.state,
                paid_by: row.paid_by,
                bill_ended_at: row.ended_at,
                agency_id: row.agency_id,
                reference: row.reference,
                dossier: row.dossier,
                procedure: row.procedure,
                name_vi: row.name_vi,
                lines: row.lines,
                parties: row.parties,
                key: row.key,
                active: row.active,
                wrapped_key: row.wrapped_key,
                key_generation: row.key_generation,
            };
            Ok((Expected::read(expected, &mut lines)?, due))
        })
        .collect()
}

/// A payment that began and settled with its transfer.
pub struct Settled<'a> {
    /// What it pays.
    pub expected: &'a Expected,
    /// The unique reference of the transfer.
    pub uetr: Uuid,
}

/// Adds the payments of transfers that settle their bills.
pub async fn insert_settled(tx: &mut Tx, settled: &[Settled<'_>], at: Instant) -> Result<()> {
    let uuid = |f: fn(&Settled<'_>) -> Uuid| settled.iter().map(f).collect::<Vec<_>>();
    let amounts: Vec<i64> = settled.iter().map(|s| s.expected.known.amount.minor()).collect();
    let banks: Vec<&str> = settled.iter().map(|s| s.expected.bank.as_str()).collect();
    sqlx::query!(
        "insert into payment (id, bill_id, account_id, amount, bank, uetr, state, ended_at, created_at, way)
         select p.id, p.bill_id, p.account_id, p.amount, p.bank, p.uetr, 'settled', $7, $7, 'transfer'
         from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::uuid[])
             as p (id, bill_id, account_id, amount, bank, uetr)",
        &uuid(|s| s.expected.known.payment.uuid()),
        &uuid(|s| s.expected.known.bill.uuid()),
        &uuid(|s| s.expected.known.account.uuid()),
        &amounts,
        &banks as &[&str],
        &uuid(|s| s.uetr),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Remembers where money came from that no request of ours asked for.
pub async fn insert_origins(tx: &mut Tx, origins: &[(CreditKey, Origin)]) -> Result<()> {
    let accounts: Vec<Uuid> = origins.iter().map(|(key, _)| key.0.uuid()).collect();
    let text = |f: fn(&(CreditKey, Origin)) -> Option<&str>| origins.iter().map(f).collect::<Vec<_>>();
    let references: Vec<&str> = origins.iter().map(|(key, _)| key.1.as_str()).collect();
    let uetrs: Vec<Option<Uuid>> = origins.iter().map(|(_, origin)| origin.uetr).collect();
    sqlx::query!(
        "insert into credit_origin (account_id, servicer_reference, bank, uetr, end_to_end, clearing_reference)
         select o.account_id, o.servicer_reference, o.bank, o.uetr, o.end_to_end, o.clearing_reference
         from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[])
             as o (account_id, servicer_reference, bank, uetr, end_to_end, clearing_reference)",
        &accounts,
        &references as &[&str],
        &text(|o| o.1.bank.as_deref()) as &[Option<&str>],
        &uetrs as &[Option<Uuid>],
        &text(|o| o.1.end_to_end.as_deref()) as &[Option<&str>],
        &text(|o| o.1.clearing_reference.as_deref()) as &[Option<&str>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Where these credits came from.
pub async fn origins(tx: &mut Tx, credits: &[CreditKey]) -> Result<BTreeMap<CreditKey, Origin>> {
    let accounts: Vec<Uuid> = credits.iter().map(|key| key.0.uuid()).collect();
    let references: Vec<&str> = credits.iter().map(|key| key.1.as_str()).collect();
    let rows = sqlx::query!(
        "select o.account_id, o.servicer_reference, o.bank, o.uetr, o.end_to_end, o.clearing_reference
         from unnest($1::uuid[], $2::text[]) as k (account_id, servicer_reference)
         join credit_origin o on o.account_id = k.account_id and o.servicer_reference = k.servicer_reference",
        &accounts,
        &references as &[&str],
    )
    .fetch_all(tx.conn())
    .await?;
    let origin = rows.into_iter().map(|row| {
        let origin = Origin {
            bank: row.bank,
            uetr: row.uetr,
            end_to_end: row.end_to_end,
            clearing_reference: row.clearing_reference,
            accepted_at: None,
        };
        ((Id::from_uuid(row.account_id), row.servicer_reference), origin)
    });
    Ok(origin.collect())
}

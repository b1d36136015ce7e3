//! Questions to which the answer must be nobody: a document whose state the entries do not bear out.
//!
//! Each names the first such document. They read whole tables and are asked by an auditor, never on the way of a payment.

use super::{Result, Store};
use crate::base::id::{self, Id};
use uuid::Uuid;

/// A paid bill whose payment booked another amount than the bill's, or nothing. What a desk took for another agency stands
/// in the books of both, and counts once.
pub async fn bill_not_borne_out(store: &Store) -> Result<Option<Id<id::Bill>>> {
    let found = sqlx::query_scalar!(
        "select b.id from bill b
         left join (
             select e.subject, sum(p.amount) as moved
             from ledger_entry e join posting p on p.entry_id = e.id and p.booked_on = e.booked_on and p.amount > 0
             join ledger_account a on a.id = p.account_id and a.kind <> 'owed_by_desk'
             where e.kind = 'settled' group by e.subject) s on s.subject = b.paid_by
         where b.state = 'paid' and s.moved is distinct from b.phi + b.le_phi + b.tax limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// A payment that is booked as settled while its row, or its bill's, says otherwise; second money, or money on paper that
/// nobody owed, is none once it is owed back whole.
pub async fn payment_not_settled(store: &Store) -> Result<Option<Id<id::Payment>>> {
    let found = sqlx::query_scalar!(
        "select e.subject from ledger_entry e
         left join payment p on p.id = e.subject
         left join bill b on b.id = p.bill_id and b.paid_by = p.id
         where e.kind = 'settled' and (p.state is distinct from 'settled' or b.state is distinct from 'paid')
             and not exists (select from refund_source r join refund f on f.payment_id = r.id and f.rule is not null
                             where r.id = p.id and r.refunded = r.received) limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// A settled payment that no entry books.
pub async fn payment_not_booked(store: &Store) -> Result<Option<Id<id::Payment>>> {
    let found = sqlx::query_scalar!(
        "select p.id from payment p left join ledger_entry e on e.subject = p.id and e.kind = 'settled'
         where p.state = 'settled' and e.id is null limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// Money in suspense of which the books hold another amount than its row: all of it while it is held, nothing after it was
/// let go, found to be cash from a till, or made a part of what was paid at a desk.
pub async fn suspense_not_borne_out(store: &Store) -> Result<Option<Id<id::Case>>> {
    let found = sqlx::query_scalar!(
        "select s.id from suspense s
         left join (
             select coalesce(d.suspense_id, t.case_id, e.subject) as subject, -sum(p.amount) as held
             from ledger_entry e join posting p on p.entry_id = e.id and p.booked_on = e.booked_on
             join ledger_account a on a.id = p.account_id and a.kind = 'suspense'
             left join suspense_decision d on d.entry_id = e.id
             left join desk_payment t on t.payment_id = e.subject
             where e.kind in ('suspended', 'released', 'cash_moved') or d.toward = 'bill' group by 1) b on b.subject = s.id
         where b.held is distinct from case when s.state = 'held' then s.amount else 0 end limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// A receipt of a payment that is not settled.
pub async fn receipt_without_money(store: &Store) -> Result<Option<Id<id::Receipt>>> {
    let found = sqlx::query_scalar!(
        "select r.id from receipt r left join payment p on p.id = r.payment_id and p.bill_id = r.bill_id and p.state = 'settled'
         where p.id is null limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// A paid bill of fees for which no receipt was given, here or by another issuer, and none waits.
pub async fn money_without_receipt(store: &Store) -> Result<Option<Id<id::Bill>>> {
    let found = sqlx::query_scalar!(
        "select b.id from bill b where b.state = 'paid' and b.phi + b.le_phi > 0
             and not exists (select from receipt r where r.bill_id = b.id)
             and not exists (select from receipt_due d where d.bill_id = b.id)
             and not exists (select from provided_receipt p where p.bill_id = b.id) limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// A refund that is done without its entry, or booked as gone while its row says otherwise, or by another amount.
pub async fn refund_not_borne_out(store: &Store) -> Result<Option<Id<id::Refund>>> {
    let found = sqlx::query_scalar!(
        "select r.id from refund r
         left join (
             select e.subject, sum(p.amount) as moved
             from ledger_entry e join posting p on p.entry_id = e.id and p.booked_on = e.booked_on and p.amount > 0
             where e.kind = 'refunded' group by e.subject) x on x.subject = r.id
         where x.moved is distinct from case when r.state = 'done' then r.amount end limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found.map(Id::from_uuid))
}

/// Money that arrived and of which the books put another amount into its account.
pub async fn credit_not_booked(store: &Store) -> Result<Option<Uuid>> {
    let found = sqlx::query_scalar!(
        "select c.entry_id from credit c
         left join ledger_account a on a.kind = 'clearing' and a.account_id = c.account_id
         left join posting p on p.entry_id = c.entry_id and p.account_id = a.id
         where p.amount is distinct from c.amount limit 1"
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(found)
}

//! Payment attempts, the live one of each bill, and the claims that make them unique.

use super::{
    Result, StoreError, Tx, attempts, bill,
    bill_lines::{Reader, Unread},
};
use crate::{
    base::{
        clock::Instant,
        id::{self, Account, Agency, Bill, Id},
        money::Money,
        secret::Sealed,
    },
    crypto::seal::WrappedKey,
    payment::{
        bill::{Lines, Parties},
        payment::{State, Watch, Way},
        settlement::Known,
    },
};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

/// An attempt as its rows hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayment {
    /// Its identifier, and in hexadecimal its EndToEndId.
    pub id: Id<id::Payment>,
    /// The bill.
    pub bill: Id<Bill>,
    /// The account that the money is asked to.
    pub account: Id<Account>,
    /// The amount.
    pub amount: Money,
    /// How the payer pays.
    pub way: Way,
    /// The payer's bank, by BIC; empty where it is not known.
    pub bank: String,
    /// The unique reference of the request, or of the transfer.
    pub uetr: Uuid,
    /// Where it stands.
    pub state: State,
    /// When it began.
    pub created_at: Instant,
}

/// Adds a payment that settles as it begins. The caller has locked the bill.
pub async fn insert_settled(tx: &mut Tx, payment: &StoredPayment, at: Instant) -> Result<()> {
    sqlx::query!(
        "insert into payment (id, bill_id, account_id, amount, bank, uetr, state, ended_at, created_at, way)
         values ($1, $2, $3, $4, $5, $6, 'settled', $7, $7, $8)",
        payment.id.uuid(),
        payment.bill.uuid(),
        payment.account.uuid(),
        payment.amount.minor(),
        payment.bank,
        payment.uetr,
        at,
        payment.way.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// An attempt by its identifier.
pub async fn payment(tx: &mut Tx, payment: Id<id::Payment>) -> Result<Option<StoredPayment>> {
    let row = sqlx::query_as!(
        PaymentRow,
        r#"select p.id, p.bill_id, p.account_id, p.amount, p.way, p.bank, p.uetr, p.state, p.reason, p.ended_at,
             p.created_at, l.since as "since?", l.inquiries as "inquiries?", l.next_at as "next_at?"
         from payment p left join live_attempt l on l.bill_id = p.bill_id and l.payment_id = p.id
         where p.id = $1"#,
        payment.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(StoredPayment::try_from).transpose()
}

/// Attempts by their identifiers, in any order.
pub async fn payments(tx: &mut Tx, payments: &[Id<id::Payment>]) -> Result<Vec<StoredPayment>> {
    let payments: Vec<Uuid> = payments.iter().map(|payment| payment.uuid()).collect();
    let rows = sqlx::query_as!(
        PaymentRow,
        r#"select p.id as "id!", p.bill_id as "bill_id!", p.account_id as "account_id!", p.amount as "amount!",
             p.way as "way!", p.bank as "bank!", p.uetr as "uetr!", p.state as "state!", p.reason, p.ended_at,
             p.created_at as "created_at!", l.since as "since?", l.inquiries as "inquiries?", l.next_at as "next_at?"
         from payment p left join live_attempt l on l.bill_id = p.bill_id and l.payment_id = p.id
         where p.id = any($1) order by p.id"#,
        &payments,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredPayment::try_from).collect()
}

/// Which of these bills have an attempt under way.
pub async fn live_of(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<BTreeSet<Id<Bill>>> {
    let bills: Vec<Uuid> = bills.iter().map(|bill| bill.uuid()).collect();
    let live = sqlx::query_scalar!("select bill_id from live_attempt where bill_id = any($1)", &bills)
        .fetch_all(tx.conn())
        .await?;
    Ok(live.into_iter().map(Id::from_uuid).collect())
}

/// The attempts of a bill, the newest first.
pub async fn payments_of_bill(tx: &mut Tx, bill: Id<Bill>) -> Result<Vec<StoredPayment>> {
    let rows = sqlx::query_as!(
        PaymentRow,
        r#"select p.id, p.bill_id, p.account_id, p.amount, p.way, p.bank, p.uetr, p.state, p.reason, p.ended_at,
             p.created_at, l.since as "since?", l.inquiries as "inquiries?", l.next_at as "next_at?"
         from payment p left join live_attempt l on l.bill_id = p.bill_id and l.payment_id = p.id
         where p.bill_id = $1 order by p.id desc limit 100"#,
        bill.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(StoredPayment::try_from).collect()
}

/// Live attempts whose inquiry is due, the longest waiting first.
pub async fn due_attempts(tx: &mut Tx, now: Instant, limit: i64) -> Result<Vec<Id<id::Payment>>> {
    let ids = sqlx::query_scalar!(
        "select payment_id from live_attempt where next_at <= $1 order by next_at, payment_id limit $2",
        now,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// Moves an attempt from the state that it was read in; false when it has moved meanwhile.
pub async fn move_payment(tx: &mut Tx, payment: &StoredPayment, to: &State) -> Result<bool> {
    if let Some(watch) = to.watch() {
        return Ok(attempts::go_on(tx, &[(payment, to, watch)]).await? == 1);
    }
    let (reason, ended_at) = ending(to);
    let done = sqlx::query!(
        "update payment set state = $3, reason = $4, ended_at = $5 where id = $1 and state = $2",
        payment.id.uuid(),
        payment.state.as_str(),
        to.as_str(),
        reason,
        ended_at,
    )
    .execute(tx.conn())
    .await?;
    if done.rows_affected() != 1 {
        return Ok(false);
    }
    release(tx, &[payment.id]).await?;
    Ok(true)
}

/// Frees the bills of attempts that have ended.
async fn release(tx: &mut Tx, payments: &[Id<id::Payment>]) -> Result<()> {
    let ids: Vec<Uuid> = payments.iter().map(|p| p.uuid()).collect();
    sqlx::query!(
        "delete from live_attempt l using payment p where p.id = any($1) and l.bill_id = p.bill_id
             and l.payment_id = p.id",
        &ids,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What settling needs to know about one attempt.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What the decision looks at.
    pub known: Known,
    /// The agency whose money it is.
    pub agency: Id<Agency>,
    /// Whether it is active: what belongs to one that was succeeded is its successor's by now.
    pub active: bool,
    /// The agency's key.
    pub key: WrappedKey,
    /// The payer's bank.
    pub bank: String,
    /// The bill's public reference.
    pub reference: String,
    /// The dossier.
    pub dossier: String,
    /// The procedure's code.
    pub procedure: String,
    /// The procedure's Vietnamese name.
    pub procedure_vi: String,
    /// The lines, for the receipts.
    pub lines: Arc<Lines>,
    /// The parties, for the name on the receipts.
    pub parties: Sealed<Parties>,
}

/// Locks the named attempts and their bills, bills in ascending order, and reads what settling needs.
pub async fn lock_expected(tx: &mut Tx, payments: &[Uuid]) -> Result<Vec<Expected>> {
    let rows = sqlx::query_as!(
        ExpectedRow,
        r#"select p.id, p.bill_id, p.account_id, p.amount, p.bank, p.state, p.reason, p.ended_at,
             l.since as "since?", l.inquiries as "inquiries?", l.next_at as "next_at?",
             b.state as bill_state, b.paid_by, b.ended_at as bill_ended_at, b.agency_id, b.reference, b.dossier,
             c.procedure, c.name_vi, c.lines as "lines: Unread",
             coalesce(y.parties, c.parties) as "parties!",
             coalesce(y.key, c.key) as "key!", g.state = 'active' as "active!", g.wrapped_key, g.key_generation
         from payment p
         join bill b on b.id = p.bill_id
         join bill_content c on c.bill_id = p.bill_id
         join agency g on g.id = b.agency_id
         left join live_attempt l on l.bill_id = p.bill_id and l.payment_id = p.id
         left join payment_payer y on y.payment_id = p.id
         where p.id = any($1)
         order by p.bill_id, p.id for no key update of b, p"#,
        payments,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut lines = Reader::default();
    rows.into_iter().map(|row| Expected::read(row, &mut lines)).collect()
}

/// Writes the outcome of settling: each attempt moves from the state that it was locked in and frees its bill, and open bills are
/// paid, each by its payment. How many attempts moved, and how many bills were open.
pub async fn settle(
    tx: &mut Tx,
    ended: &[(Id<id::Payment>, &'static str, &State)],
    paid: &[(Id<Bill>, Id<id::Payment>)],
    at: Instant,
) -> Result<(usize, usize)> {
    let ids: Vec<Uuid> = ended.iter().map(|e| e.0.uuid()).collect();
    let was: Vec<&str> = ended.iter().map(|e| e.1).collect();
    let to: Vec<&str> = ended.iter().map(|e| e.2.as_str()).collect();
    let reasons: Vec<Option<&str>> = ended.iter().map(|e| ending(e.2).0).collect();
    let ends: Vec<Option<Instant>> = ended.iter().map(|e| ending(e.2).1).collect();
    let bills: Vec<Uuid> = paid.iter().map(|p| p.0.uuid()).collect();
    let payments: Vec<Uuid> = paid.iter().map(|p| p.1.uuid()).collect();
    let done = sqlx::query!(
        r#"with moved as (
             update payment p set state = e.state, reason = e.reason, ended_at = e.ended_at
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                 as e (id, was, state, reason, ended_at)
             where p.id = e.id and p.state = e.was returning p.id, p.bill_id),
         released as (
             delete from live_attempt l using moved m where l.bill_id = m.bill_id and l.payment_id = m.id),
         paid as (
             update bill b set state = 'paid', paid_by = p.payment_id, ended_at = $8
             from unnest($6::uuid[], $7::uuid[]) as p (bill_id, payment_id)
             where b.id = p.bill_id and b.state = 'open' returning b.id)
         select (select count(*) from moved) as "moved!", (select count(*) from paid) as "paid!""#,
        &ids,
        &was as &[&str],
        &to as &[&str],
        &reasons as &[Option<&str>],
        &ends as &[Option<Instant>],
        &bills,
        &payments,
        at,
    )
    .fetch_one(tx.conn())
    .await?;
    let count = |rows: i64| usize::try_from(rows).unwrap_or_default();
    Ok((count(done.moved), count(done.paid)))
}

fn ending(state: &State) -> (Option<&str>, Option<Instant>) {
    match state {
        State::Created(_)
        | State::Submitted(_)
        | State::StepUp(_)
        | State::Accepted(_)
        | State::Unknown(_) => (None, None),
        State::Settled { at } => (None, Some(*at)),
        State::Rejected { at, reason } => (Some(reason.as_str()), Some(*at)),
    }
}

struct StateColumns<'a> {
    state: &'a str,
    reason: Option<&'a str>,
    ended_at: Option<Instant>,
    watch: Option<Watch>,
}

impl StateColumns<'_> {
    /// A live attempt without a watch was released by a transaction that ended while this one waited for its lock;
    /// then the state says so, and is never one of the live ones.
    fn fold(self) -> Option<State> {
        match (self.state, self.watch, self.ended_at, self.reason) {
            ("created", Some(watch), None, None) => Some(State::Created(watch)),
            ("submitted", Some(watch), None, None) => Some(State::Submitted(watch)),
            ("step_up_required", Some(watch), None, None) => Some(State::StepUp(watch)),
            ("accepted", Some(watch), None, None) => Some(State::Accepted(watch)),
            ("unknown", Some(watch), None, None) => Some(State::Unknown(watch)),
            ("settled", _, Some(at), None) => Some(State::Settled { at }),
            ("rejected", _, Some(at), Some(reason)) => {
                Some(State::Rejected { at, reason: reason.parse().ok()? })
            }
            _ => None,
        }
    }
}

fn watch(since: Option<Instant>, inquiries: Option<i16>, next: Option<Instant>) -> Option<Watch> {
    Some(Watch { since: since?, inquiries: u8::try_from(inquiries?).ok()?, next })
}

struct PaymentRow {
    id: Uuid,
    bill_id: Uuid,
    account_id: Uuid,
    amount: i64,
    way: String,
    bank: String,
    uetr: Uuid,
    state: String,
    reason: Option<String>,
    ended_at: Option<Instant>,
    created_at: Instant,
    since: Option<Instant>,
    inquiries: Option<i16>,
    next_at: Option<Instant>,
}

impl TryFrom<PaymentRow> for StoredPayment {
    type Error = StoreError;

    fn try_from(row: PaymentRow) -> Result<Self> {
        let id: Id<id::Payment> = Id::from_uuid(row.id);
        let columns = StateColumns {
            state: &row.state,
            reason: row.reason.as_deref(),
            ended_at: row.ended_at,
            watch: watch(row.since, row.inquiries, row.next_at),
        };
        Ok(Self {
            id,
            bill: Id::from_uuid(row.bill_id),
            account: Id::from_uuid(row.account_id),
            amount: Money::vnd(row.amount),
            way: Way::named(&row.way).ok_or_else(|| StoreError::corrupt("payment", "way", id))?,
            state: columns.fold().ok_or_else(|| StoreError::corrupt("payment", "state", id))?,
            bank: row.bank,
            uetr: row.uetr,
            created_at: row.created_at,
        })
    }
}

pub(super) struct ExpectedRow {
    pub(super) id: Uuid,
    pub(super) bill_id: Uuid,
    pub(super) account_id: Uuid,
    pub(super) amount: i64,
    pub(super) bank: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) ended_at: Option<Instant>,
    pub(super) since: Option<Instant>,
    pub(super) inquiries: Option<i16>,
    pub(super) next_at: Option<Instant>,
    pub(super) bill_state: String,
    pub(super) paid_by: Option<Uuid>,
    pub(super) bill_ended_at: Option<Instant>,
    pub(super) agency_id: Uuid,
    pub(super) reference: String,
    pub(super) dossier: String,
    pub(super) procedure: String,
    pub(super) name_vi: String,
    pub(super) lines: Unread,
    pub(super) parties: Vec<u8>,
    pub(super) key: i32,
    pub(super) active: bool,
    pub(super) wrapped_key: Vec<u8>,
    pub(super) key_generation: i32,
}

impl Expected {
    pub(super) fn read(row: ExpectedRow, lines: &mut Reader) -> Result<Self> {
        let (payment, of_bill): (Id<id::Payment>, Id<Bill>) =
            (Id::from_uuid(row.id), Id::from_uuid(row.bill_id));
        let columns = StateColumns {
            state: &row.state,
            reason: row.reason.as_deref(),
            ended_at: row.ended_at,
            watch: watch(row.since, row.inquiries, row.next_at),
        };
        let known = Known {
            payment,
            bill: of_bill,
            account: Id::from_uuid(row.account_id),
            amount: Money::vnd(row.amount),
            attempt: columns.fold().ok_or_else(|| StoreError::corrupt("payment", "state", payment))?,
            bill_state: bill::state(&row.bill_state, row.paid_by, row.bill_ended_at)
                .ok_or_else(|| StoreError::corrupt("bill", "state", of_bill))?,
        };
        Ok(Self {
            known,
            agency: Id::from_uuid(row.agency_id),
            active: row.active,
            key: WrappedKey { bytes: row.wrapped_key, generation: row.key_generation.cast_unsigned() },
            bank: row.bank,
            reference: row.reference,
            dossier: row.dossier,
            procedure: row.procedure,
            procedure_vi: row.name_vi,
            lines: lines
                .read(row.lines)
                .ok_or_else(|| StoreError::corrupt("bill_content", "lines", of_bill))?,
            parties: Sealed::new(row.parties, row.key.cast_unsigned()),
        })
    }
}

//! Refunds: the record, what of each receipt and line is promised back, and who approved.

use super::{Result, StoreError, Tx, moved_one};
use crate::{
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Agency, Bill, Case, Citizen, Client, Id, Payment, Payout},
        money::Money,
        page::{Page, PageRequest},
        secret::Sealed,
    },
    payment::refund::{Reason, State, Way, next_inquiry},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Why, in the words of whoever asked; sealed.
pub enum Words {}

/// What goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Money that paid a bill.
    Payment(Id<Payment>),
    /// Money that waits in suspense.
    Case(Id<Case>),
}

impl Source {
    /// The identifier under which it is counted what went back of it.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Payment(id) => id.uuid(),
            Self::Case(id) => id.uuid(),
        }
    }
}

/// A refund as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredRefund {
    /// Its identifier.
    pub id: Id<id::Refund>,
    /// Who gives back.
    pub agency: Id<Agency>,
    /// The bill, where there is one.
    pub bill: Option<Id<Bill>>,
    /// What goes back.
    pub source: Source,
    /// Where the money lies; nothing for cash.
    pub account: Option<Id<Account>>,
    /// How much.
    pub amount: Money,
    /// How it goes.
    pub way: Way,
    /// The order that passed its money on to the Treasury, where it goes by the Treasury's.
    pub payout: Option<Id<Payout>>,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub words: Sealed<Words>,
    /// Where it stands.
    pub state: State,
    /// Who asked; nobody where a rule did.
    pub requested_by: Option<Id<Citizen>>,
    /// The system that reported the request.
    pub client: Option<Id<Client>>,
    /// When it was asked for.
    pub requested_at: Instant,
    /// When it was decided.
    pub decided_at: Option<Instant>,
    /// The entry that says what is owed back.
    pub entry: Option<Id<id::Entry>>,
    /// When it is looked after next.
    pub next_at: Option<Instant>,
}

/// Adds a refund.
pub async fn insert(tx: &mut Tx, refund: &StoredRefund) -> Result<()> {
    let (payment, case) = match refund.source {
        Source::Payment(id) => (Some(id.uuid()), None),
        Source::Case(id) => (None, Some(id.uuid())),
    };
    let rule = match (refund.requested_by, refund.reason) {
        (Some(_), _) => None,
        (None, Reason::PaidTwice) => Some("second_money"),
        (None, _) => Some("unowed_money"),
    };
    sqlx::query!(
        "insert into refund (id, agency_id, bill_id, payment_id, case_id, account_id, amount, way, reason, words, key,
             state, requested_by, client_id, rule, requested_at, payout_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        refund.id.uuid(),
        refund.agency.uuid(),
        refund.bill.map(Id::uuid),
        payment,
        case,
        refund.account.map(Id::uuid),
        refund.amount.minor(),
        refund.way.as_str(),
        refund.reason.as_str(),
        refund.words.bytes(),
        refund.words.key().cast_signed(),
        refund.state.as_str(),
        refund.requested_by.map(Id::uuid),
        refund.client.map(Id::uuid),
        rule,
        refund.requested_at,
        refund.payout.map(Id::uuid),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Counts an amount against what came; false when that is more than is left.
pub async fn reserve(tx: &mut Tx, source: Source, received: Money, amount: Money) -> Result<bool> {
    let done = sqlx::query!(
        "insert into refund_source as s (id, received, refunded) select $1, $2::bigint, $3::bigint where $3::bigint <= $2::bigint
         on conflict (id) do update set refunded = s.refunded + excluded.refunded
         where s.refunded + excluded.refunded <= s.received",
        source.uuid(),
        received.minor(),
        amount.minor(),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Takes back what a declined refund had counted.
pub async fn release(tx: &mut Tx, refund: &StoredRefund) -> Result<()> {
    sqlx::query!(
        "update refund_source set refunded = refunded - $2 where id = $1",
        refund.source.uuid(),
        refund.amount.minor(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The law by which this procedure's money does not go back for that reason on a day.
pub async fn exclusion(tx: &mut Tx, procedure: &str, reason: Reason, on: Day) -> Result<Option<String>> {
    let basis = sqlx::query_scalar!(
        "select basis from refund_exclusion
         where procedure_code = $1 and reason = $2 and valid_from <= $3 and coalesce(valid_to >= $3, true)",
        procedure,
        reason.as_str(),
        on.date(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(basis)
}

/// Whether money has left suspense by a decision that it is owed back.
pub async fn is_owed_back(tx: &mut Tx, case: Id<Case>) -> Result<bool> {
    let owed = sqlx::query_scalar!(
        r#"select exists (select from suspense_decision
             where suspense_id = $1 and toward = 'refund_due' and approved_by is not null) as "owed!""#,
        case.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(owed)
}

/// What is promised back of some money.
pub async fn refunded(tx: &mut Tx, source: Source) -> Result<Money> {
    let sum = sqlx::query_scalar!("select refunded from refund_source where id = $1", source.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(Money::vnd(sum.unwrap_or(0)))
}

/// Locks a refund and reads it.
pub async fn lock(tx: &mut Tx, refund: Id<id::Refund>) -> Result<Option<StoredRefund>> {
    sqlx::query!("select id from refund where id = $1 for no key update", refund.uuid())
        .fetch_optional(tx.conn())
        .await?;
    find(tx, refund).await
}

/// A refund by its identifier.
pub async fn find(tx: &mut Tx, refund: Id<id::Refund>) -> Result<Option<StoredRefund>> {
    let row = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, payment_id, case_id, account_id, amount, way, payout_id, reason, words, key, state,
             requested_by, client_id, requested_at, decided_at, entry_id, bounced, inquiries, silent_since, next_at,
             ended_at
         from refund where id = $1",
        refund.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The refunds about a bill, in the order of their requests.
pub async fn of_bill(tx: &mut Tx, bill: Id<Bill>) -> Result<Vec<StoredRefund>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, payment_id, case_id, account_id, amount, way, payout_id, reason, words, key, state,
             requested_by, client_id, requested_at, decided_at, entry_id, bounced, inquiries, silent_since, next_at,
             ended_at
         from refund where bill_id = $1 order by id limit 100",
        bill.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The refunds of these agencies, the newest first, all or those in one state.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    state: Option<&str>,
    page: &PageRequest<Id<id::Refund>>,
) -> Result<Page<StoredRefund>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, payment_id, case_id, account_id, amount, way, payout_id, reason, words, key, state,
             requested_by, client_id, requested_at, decided_at, entry_id, bounced, inquiries, silent_since, next_at,
             ended_at
         from refund where agency_id = any($1) and ($2::text is null or state = $2)
             and ($3::uuid is null or id < $3)
         order by id desc limit $4",
        &agencies,
        state,
        page.after.map(Id::uuid),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let refunds = rows.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
    Ok(Page::from_rows(refunds, page))
}

/// The refunds of these agencies about which somebody there has something to decide, or all others; the newest first.
pub async fn to_decide(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    waiting: bool,
    page: &PageRequest<Id<id::Refund>>,
) -> Result<Page<StoredRefund>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, payment_id, case_id, account_id, amount, way, payout_id, reason, words, key, state,
             requested_by, client_id, requested_at, decided_at, entry_id, bounced, inquiries, silent_since, next_at,
             ended_at
         from refund where agency_id = any($1) and (state in ('requested', 'bounced')) = $2
             and ($3::uuid is null or id < $3)
         order by id desc limit $4",
        &agencies,
        waiting,
        page.after.map(Id::uuid),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let refunds = rows.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
    Ok(Page::from_rows(refunds, page))
}

/// The refunds that wait at the desks of these agencies, the oldest first.
pub async fn at_desk(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    page: &PageRequest<Id<id::Refund>>,
) -> Result<Page<StoredRefund>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, payment_id, case_id, account_id, amount, way, payout_id, reason, words, key, state,
             requested_by, client_id, requested_at, decided_at, entry_id, bounced, inquiries, silent_since, next_at,
             ended_at
         from refund where agency_id = any($1) and state = 'at_desk' and ($2::uuid is null or id > $2)
         order by id limit $3",
        &agencies,
        page.after.map(Id::uuid),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let refunds = rows.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
    Ok(Page::from_rows(refunds, page))
}

/// Silent refunds from this account that nobody asks about any more and that no line of its statements names: since when it was
/// approved, and since when nobody answered; the longest silent first, those after that one.
pub async fn silent(
    tx: &mut Tx,
    account: Id<Account>,
    after: Option<(Instant, Id<id::Refund>)>,
    limit: i64,
) -> Result<Vec<(Id<id::Refund>, Instant, Instant)>> {
    let rows = sqlx::query!(
        r#"select r.id, r.decided_at as "begun!", r.silent_since as "since!" from refund r
           where r.state = 'unknown' and r.next_at is null and r.account_id = $1
             and not exists (
                 select from named_line n where n.account_id = $1 and n.payment_id = r.id
                     and not exists (select from withdrawn_line w where w.line_id = n.line_id))
             and ($3::timestamptz is null or (r.silent_since, r.id) > ($3, $4))
           order by r.silent_since, r.id limit $2"#,
        account.uuid(),
        limit,
        after.map(|one| one.0),
        after.map(|one| one.1.uuid()),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.id), row.begun, row.since)).collect())
}

/// Refunds that somebody here must look after, the longest waiting first.
pub async fn due(tx: &mut Tx, now: Instant, limit: i64) -> Result<Vec<Id<id::Refund>>> {
    let ids = sqlx::query_scalar!(
        r#"select id as "id!" from refund where next_at <= $1 order by next_at, id limit $2"#,
        now,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// Says that a refund was decided: who holds it now, and the entry of what is owed back.
pub async fn decide(
    tx: &mut Tx,
    refund: &StoredRefund,
    to: &State,
    entry: Option<Id<id::Entry>>,
    at: Instant,
) -> Result<bool> {
    let ended_at = matches!(to, State::Declined { .. }).then_some(at);
    let next_at = matches!(to, State::Approved).then_some(at);
    let done = sqlx::query!(
        "update refund set state = $2, decided_at = $3, entry_id = $4, ended_at = $5, next_at = $6
         where id = $1 and state = 'requested'",
        refund.id.uuid(),
        to.as_str(),
        at,
        entry.map(Id::uuid),
        ended_at,
        next_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Moves a decided refund from the state that it was read in.
pub async fn move_refund(
    tx: &mut Tx,
    refund: &StoredRefund,
    to: &State,
    next_at: Option<Instant>,
) -> Result<bool> {
    let (bounced, inquiries, since, ended_at) = match to {
        State::Bounced { reason } => (Some(reason.to_string()), None, None, None),
        State::Unknown { inquiries, since } => (None, Some(i16::from(*inquiries)), Some(*since), None),
        State::Done { at } | State::Declined { at } => (None, None, None, Some(*at)),
        State::Requested | State::Approved | State::Sent | State::AtDesk | State::AwaitingTreasury => {
            (None, None, None, None)
        }
    };
    let way = if *to == State::AtDesk { Way::Cash } else { refund.way };
    let done = sqlx::query!(
        "update refund set state = $3, bounced = coalesce($4, bounced), inquiries = coalesce($5, inquiries),
             silent_since = coalesce($6, silent_since), ended_at = $7, next_at = $8, way = $9
         where id = $1 and state = $2",
        refund.id.uuid(),
        refund.state.as_str(),
        to.as_str(),
        bounced,
        inquiries,
        since,
        ended_at,
        next_at,
        way.as_str(),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Refunds that nobody has ended whose money that order was to remit; locked.
pub async fn remitted_by(tx: &mut Tx, order: Id<Payout>) -> Result<Vec<StoredRefund>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, agency_id, bill_id, payment_id, case_id, account_id, amount, way, payout_id, reason, words, key, state,
             requested_by, client_id, requested_at, decided_at, entry_id, bounced, inquiries, silent_since, next_at,
             ended_at
         from refund where payout_id = $1 and state in ('requested', 'awaiting_treasury') order by id for no key update",
        order.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Gives a refund whose money was never remitted another way, from the state that it was read in.
pub async fn come_back(
    tx: &mut Tx,
    refund: &StoredRefund,
    (to, way): (&State, Way),
    entry: Option<Id<id::Entry>>,
    next_at: Option<Instant>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update refund set state = $3, way = $4, payout_id = null, entry_id = coalesce($5, entry_id), next_at = $6
         where id = $1 and state = $2 and way = 'treasury'",
        refund.id.uuid(),
        refund.state.as_str(),
        to.as_str(),
        way.as_str(),
        entry.map(Id::uuid),
        next_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Says when a refund is looked after next.
pub async fn look_again(tx: &mut Tx, refund: Id<id::Refund>, at: Option<Instant>) -> Result<()> {
    sqlx::query!("update refund set next_at = $2 where id = $1", refund.uuid(), at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Who approved a refund so far.
pub async fn approvers(tx: &mut Tx, refund: Id<id::Refund>) -> Result<Vec<Id<Citizen>>> {
    let ids = sqlx::query_scalar!(
        "select citizen_id from refund_approval where refund_id = $1 order by at, citizen_id",
        refund.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// Who approved each of these refunds, in order.
pub async fn approvers_of(
    tx: &mut Tx,
    refunds: &[Id<id::Refund>],
) -> Result<BTreeMap<Id<id::Refund>, Vec<Id<Citizen>>>> {
    let ids: Vec<Uuid> = refunds.iter().map(|refund| refund.uuid()).collect();
    let rows = sqlx::query!(
        "select refund_id, citizen_id from refund_approval where refund_id = any($1) order by refund_id, at, citizen_id",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut approvers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in rows {
        approvers.entry(Id::from_uuid(row.refund_id)).or_default().push(Id::from_uuid(row.citizen_id));
    }
    Ok(approvers)
}

/// Records an approval.
pub async fn insert_approval(
    tx: &mut Tx,
    refund: Id<id::Refund>,
    by: Id<Citizen>,
    at: Instant,
) -> Result<()> {
    sqlx::query!(
        "insert into refund_approval (refund_id, citizen_id, at) values ($1, $2, $3)",
        refund.uuid(),
        by.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What an agency's officers approved from an instant on.
pub async fn approved_since(tx: &mut Tx, agency: Id<Agency>, since: Instant) -> Result<Money> {
    let sum = sqlx::query_scalar!(
        r#"select coalesce(sum(amount), 0)::bigint as "sum!" from refund
         where agency_id = $1 and decided_at >= $2 and state <> 'declined' and requested_by is not null"#,
        agency.uuid(),
        since,
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Money::vnd(sum))
}

struct Row {
    id: Uuid,
    agency_id: Uuid,
    bill_id: Option<Uuid>,
    payment_id: Option<Uuid>,
    case_id: Option<Uuid>,
    account_id: Option<Uuid>,
    amount: i64,
    way: String,
    payout_id: Option<Uuid>,
    reason: String,
    words: Vec<u8>,
    key: i32,
    state: String,
    requested_by: Option<Uuid>,
    client_id: Option<Uuid>,
    requested_at: Instant,
    decided_at: Option<Instant>,
    entry_id: Option<Uuid>,
    bounced: Option<String>,
    inquiries: i16,
    silent_since: Option<Instant>,
    next_at: Option<Instant>,
    ended_at: Option<Instant>,
}

impl Row {
    fn state(&self) -> Option<State> {
        Some(match (self.state.as_str(), self.ended_at) {
            ("requested", None) => State::Requested,
            ("declined", Some(at)) => State::Declined { at },
            ("approved", None) => State::Approved,
            ("sent", None) => State::Sent,
            ("unknown", None) => {
                State::Unknown { inquiries: u8::try_from(self.inquiries).ok()?, since: self.silent_since? }
            }
            ("bounced", None) => State::Bounced { reason: self.bounced.as_deref()?.parse().ok()? },
            ("at_desk", None) => State::AtDesk,
            ("awaiting_treasury", None) => State::AwaitingTreasury,
            ("done", Some(at)) => State::Done { at },
            _ => return None,
        })
    }
}

impl TryFrom<Row> for StoredRefund {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<id::Refund> = Id::from_uuid(row.id);
        let bad = |column| StoreError::corrupt("refund", column, id);
        let source = match (row.payment_id, row.case_id) {
            (Some(payment), None) => Source::Payment(Id::from_uuid(payment)),
            (None, Some(case)) => Source::Case(Id::from_uuid(case)),
            _ => return Err(bad("payment_id")),
        };
        Ok(Self {
            id,
            agency: Id::from_uuid(row.agency_id),
            bill: row.bill_id.map(Id::from_uuid),
            source,
            account: row.account_id.map(Id::from_uuid),
            amount: Money::vnd(row.amount),
            way: Way::named(&row.way).ok_or_else(|| bad("way"))?,
            payout: row.payout_id.map(Id::from_uuid),
            reason: Reason::named(&row.reason).ok_or_else(|| bad("reason"))?,
            state: row.state().ok_or_else(|| bad("state"))?,
            words: Sealed::new(row.words, row.key.cast_unsigned()),
            requested_by: row.requested_by.map(Id::from_uuid),
            client: row.client_id.map(Id::from_uuid),
            requested_at: row.requested_at,
            decided_at: row.decided_at,
            entry: row.entry_id.map(Id::from_uuid),
            next_at: row.next_at,
        })
    }
}

/// When a refund in that state is looked after next.
pub fn next_look(state: &State) -> Option<Instant> {
    match state {
        State::Unknown { inquiries, since } => next_inquiry(*inquiries, *since),
        State::Requested
        | State::Declined { .. }
        | State::Approved
        | State::Sent
        | State::Bounced { .. }
        | State::AtDesk
        | State::AwaitingTreasury
        | State::Done { .. } => None,
    }
}

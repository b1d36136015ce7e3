//! Orders that pass money on, the lines of their slips, and the days whose money may go.

use super::{Result, StoreError, Tx, moved_one, payout_waiting::Payable};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Agency, Bill, Id, Payment},
    money::Money,
    page::{Page, PageRequest},
};
use crate::payment::payout::{Kind, State};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// An order as its row holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPayout {
    /// Its identifier, which the bank's messages and statements bear.
    pub id: Id<id::Payout>,
    /// The account that the money leaves.
    pub account: Id<Account>,
    /// Whose money it is.
    pub agency: Id<Agency>,
    /// Of which kind.
    pub kind: Kind,
    /// The clearing day whose money it is.
    pub day: Day,
    /// How much.
    pub amount: Money,
    /// Bank, number and holder of the account that gets it, as they were.
    pub beneficiary: Value,
    /// The head of its slip.
    pub slip: Value,
    /// The slip's number.
    pub slip_number: String,
    /// Where it stands.
    pub state: State,
    /// The order that a bank did not take, in whose place this one is.
    pub replaces: Option<Id<id::Payout>>,
    /// To whose account it goes, where a desk had taken it for that agency.
    pub counterpart: Option<Id<Agency>>,
    /// When it was made.
    pub created_at: Instant,
}

/// A line of a slip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The payment.
    pub payment: Id<Payment>,
    /// Its place on the bill.
    pub line: i16,
    /// How much.
    pub amount: Money,
    /// The dossier's code.
    pub dossier: String,
    /// What was paid for.
    pub content: String,
    /// The notice of a tax.
    pub notice: Option<String>,
    /// *Chương*, *tiểu mục*, *địa bàn*, as far as they are known.
    pub booking: [Option<String>; 3],
}

/// Says that a day was matched and its money may go on, where anybody has said to whom.
pub async fn mark_due(tx: &mut Tx, account: Id<Account>, day: Day) -> Result<()> {
    sqlx::query!(
        "insert into payout_day (account_id, day) select $1, $2 where exists (select from payout_rule)
         on conflict do nothing",
        account.uuid(),
        day.date(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes a day whose money may go on; nobody else gets it meanwhile.
pub async fn take_due(tx: &mut Tx) -> Result<Option<(Id<Account>, Day)>> {
    let row = sqlx::query!(
        "delete from payout_day where (account_id, day) = (
             select account_id, day from payout_day order by day, account_id limit 1 for update skip locked)
         returning account_id, day",
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| (Id::from_uuid(row.account_id), Day::from_date(row.day))))
}

/// Paid bills whose money lies in the account, was shown by a statement up to that day or found on one by people, and was not
/// passed on, after a payment, in the order of payments.
pub async fn payable(
    tx: &mut Tx,
    account: Id<Account>,
    (from, to): (Day, Day),
    after: Uuid,
    limit: i64,
) -> Result<Vec<Payable>> {
    let rows = sqlx::query!(
        r#"select p.id, p.bill_id, c.booked_on, c.servicer_reference
         from credit c
         join payment p on p.id = c.payment_id and p.state = 'settled'
         where c.account_id = $1 and c.booked_on between $2 and $3 and c.outcome = 'settled' and p.id > $4
             and (exists (select from credit_shown s
                     where s.account_id = c.account_id and s.servicer_reference = c.servicer_reference)
                 or exists (select from credit_found f
                     where f.account_id = c.account_id and f.servicer_reference = c.servicer_reference))
             and not exists (select from payout_item i where i.payment_id = p.id)
             and not exists (select from payout_waiting w where w.payment_id = p.id)
         order by p.id limit $5"#,
        account.uuid(),
        from.date(),
        to.date(),
        after,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let found = rows.into_iter().map(|row| Payable {
        payment: Id::from_uuid(row.id),
        bill: Id::from_uuid(row.bill_id),
        booked: Day::from_date(row.booked_on),
        of: None,
        servicer_reference: row.servicer_reference,
        waits: None,
        let_go: Vec::new(),
    });
    Ok(found.collect())
}

/// Locks bills in ascending order: whoever asks for a refund waits, or has asked before.
pub async fn lock_bills(tx: &mut Tx, bills: &[Id<Bill>]) -> Result<()> {
    let ids: Vec<Uuid> = bills.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar!("select id from bill where id = any($1) order by id for no key update", &ids)
        .fetch_all(tx.conn())
        .await?;
    Ok(())
}

/// Which of these payments somebody gives back, or wants back, without its being over.
pub async fn going_back(tx: &mut Tx, payments: &[Id<Payment>]) -> Result<Vec<Id<Payment>>> {
    let ids: Vec<Uuid> = payments.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_scalar!(
        r#"select distinct payment_id as "payment!" from refund
           where payment_id = any($1) and state not in ('done', 'declined') order by 1"#,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}

/// Of these payments those whose money went back as a whole.
pub async fn went_back_whole(tx: &mut Tx, payments: &[Id<Payment>]) -> Result<BTreeSet<Id<Payment>>> {
    let ids: Vec<Uuid> = payments.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_scalar!(
        "select p.id from payment p where p.id = any($1) and p.amount <= (
             select sum(r.amount) from refund r where r.payment_id = p.id and r.state = 'done')",
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Id::from_uuid).collect())
}

/// Which parts of lines of these payments orders pass on already: payment, line and kind.
pub async fn passed(tx: &mut Tx, payments: &[Id<Payment>]) -> Result<BTreeSet<(Id<Payment>, i16, String)>> {
    let ids: Vec<Uuid> = payments.iter().map(|id| id.uuid()).collect();
    let rows =
        sqlx::query!("select payment_id, line, kind from payout_item where payment_id = any($1)", &ids)
            .fetch_all(tx.conn())
            .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.payment_id), row.line, row.kind)).collect())
}

/// The running part of the next slip's number.
pub async fn next_slip(tx: &mut Tx) -> Result<i64> {
    let next =
        sqlx::query_scalar!(r#"select nextval('payout_slip') as "next!""#).fetch_one(tx.conn()).await?;
    Ok(next)
}

/// Adds an order; false when the day's money of that kind was ordered before.
pub async fn insert(tx: &mut Tx, payout: &StoredPayout, seller_account: &str) -> Result<bool> {
    let done = sqlx::query!(
        "insert into payout (id, account_id, agency_id, kind, day, amount, beneficiary, slip, slip_number, state,
             replaces, created_at, next_at, counterpart_id, seller_account)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'created', $10, $11, $11, $12, $13)
         on conflict (account_id, agency_id, kind, day, seller_account) where state <> 'bounced' and kind <> 'collected' do nothing",
        payout.id.uuid(),
        payout.account.uuid(),
        payout.agency.uuid(),
        payout.kind.as_str(),
        payout.day.date(),
        payout.amount.minor(),
        payout.beneficiary,
        payout.slip,
        payout.slip_number,
        payout.replaces.map(Id::uuid),
        payout.created_at,
        payout.counterpart.map(Id::uuid),
        seller_account,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Adds the lines of its slip.
pub async fn insert_items(tx: &mut Tx, payout: &StoredPayout, items: &[Item]) -> Result<()> {
    let booking = |place: usize| -> Vec<Option<String>> {
        items.iter().map(|item| item.booking[place].clone()).collect()
    };
    sqlx::query!(
        "insert into payout_item (payment_id, line, kind, agency_id, payout_id, amount, dossier, content, notice,
             chapter, sub_item, area)
         select i.payment_id, i.line, $1, $2, $3, i.amount, i.dossier, i.content, i.notice, i.chapter, i.sub_item, i.area
         from unnest($4::uuid[], $5::smallint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[],
             $11::text[], $12::text[])
             as i (payment_id, line, amount, dossier, content, notice, chapter, sub_item, area)",
        payout.kind.as_str(),
        payout.agency.uuid(),
        payout.id.uuid(),
        &items.iter().map(|item| item.payment.uuid()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.line).collect::<Vec<_>>(),
        &items.iter().map(|item| item.amount.minor()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.dossier.clone()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.content.clone()).collect::<Vec<_>>(),
        &items.iter().map(|item| item.notice.clone()).collect::<Vec<_>>() as &[Option<String>],
        &booking(0) as &[Option<String>],
        &booking(1) as &[Option<String>],
        &booking(2) as &[Option<String>],
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lets go of what an order that a bank did not take was to pass on, with what its kin of that day were: a payment is
/// ordered again whole. Which payments they were, each with the order that let it go.
pub async fn release_items(
    tx: &mut Tx,
    order: &StoredPayout,
) -> Result<BTreeSet<(Id<Payment>, Id<id::Payout>)>> {
    let rows = sqlx::query!(
        "delete from payout_item where payout_id in (
             select id from payout where account_id = $1 and agency_id = $2 and day = $3 and state = 'bounced')
         returning payment_id, payout_id",
        order.account.uuid(),
        order.agency.uuid(),
        order.day.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.payment_id), Id::from_uuid(row.payout_id))).collect())
}

/// Of the orders that let money go the newest of that kind which nothing has replaced yet.
pub async fn unreplaced(
    tx: &mut Tx,
    let_go: &[Id<id::Payout>],
    (agency, kind, seller_account): (Id<Agency>, Kind, &str),
) -> Result<Option<Id<id::Payout>>> {
    let let_go: Vec<Uuid> = let_go.iter().map(|id| id.uuid()).collect();
    let id = sqlx::query_scalar!(
        "select o.id from payout o
         where o.id = any($1) and o.agency_id = $2 and o.kind = $3
             and (o.seller_account = $4 or $4 = '') and not exists (select from payout n where n.replaces = o.id)
         order by o.id desc limit 1",
        &let_go,
        agency.uuid(),
        kind.as_str(),
        seller_account,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(Id::from_uuid))
}

/// The lines of a slip, a page of them by payment and line.
pub async fn items(tx: &mut Tx, payout: Id<id::Payout>, skip: i64, limit: i64) -> Result<Vec<Item>> {
    let rows = sqlx::query!(
        "select payment_id, line, amount, dossier, content, notice, chapter, sub_item, area
         from payout_item where payout_id = $1 order by payment_id, line offset $2 limit $3",
        payout.uuid(),
        skip,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|row| Item {
        payment: Id::from_uuid(row.payment_id),
        line: row.line,
        amount: Money::vnd(row.amount),
        dossier: row.dossier,
        content: row.content,
        notice: row.notice,
        booking: [row.chapter, row.sub_item, row.area],
    });
    Ok(items.collect())
}

/// The lines of a slip that are of one payment, in order.
pub async fn items_of(tx: &mut Tx, payout: Id<id::Payout>, payment: Id<Payment>) -> Result<Vec<Item>> {
    let rows = sqlx::query!(
        "select line, amount, dossier, content, notice, chapter, sub_item, area
         from payout_item where payout_id = $1 and payment_id = $2 order by line",
        payout.uuid(),
        payment.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(|row| Item {
        payment,
        line: row.line,
        amount: Money::vnd(row.amount),
        dossier: row.dossier,
        content: row.content,
        notice: row.notice,
        booking: [row.chapter, row.sub_item, row.area],
    });
    Ok(items.collect())
}

/// How many lines a slip has.
pub async fn item_count(tx: &mut Tx, payout: Id<id::Payout>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from payout_item where payout_id = $1"#,
        payout.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(count)
}

struct Row {
    id: Uuid,
    account_id: Uuid,
    agency_id: Uuid,
    kind: String,
    day: time::Date,
    amount: i64,
    beneficiary: Value,
    slip: Value,
    slip_number: String,
    state: String,
    reason: Option<String>,
    tries: i16,
    silent_since: Option<Instant>,
    replaces: Option<Uuid>,
    counterpart_id: Option<Uuid>,
    created_at: Instant,
    ended_at: Option<Instant>,
}

impl TryFrom<Row> for StoredPayout {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id = row.id;
        let corrupt = |column| move || StoreError::corrupt("payout", column, id);
        let state = match (row.state.as_str(), row.reason, row.silent_since, row.ended_at) {
            ("created", None, None, None) => State::Created,
            ("sent", None, None, None) => State::Sent,
            ("unknown", None, Some(since), None) => {
                State::Unknown { tries: u8::try_from(row.tries).map_err(|_| corrupt("tries")())?, since }
            }
            ("bounced", Some(reason), None, None) => {
                State::Bounced { reason: reason.parse().map_err(|_| corrupt("reason")())? }
            }
            ("done", None, None, Some(at)) => State::Done { at },
            _ => return Err(corrupt("state")()),
        };
        Ok(Self {
            id: Id::from_uuid(id),
            account: Id::from_uuid(row.account_id),
            agency: Id::from_uuid(row.agency_id),
            kind: Kind::named(&row.kind).ok_or_else(corrupt("kind"))?,
            day: Day::from_date(row.day),
            amount: Money::vnd(row.amount),
            beneficiary: row.beneficiary,
            slip: row.slip,
            slip_number: row.slip_number,
            state,
            replaces: row.replaces.map(Id::from_uuid),
            counterpart: row.counterpart_id.map(Id::from_uuid),
            created_at: row.created_at,
        })
    }
}

/// An order by its identifier.
pub async fn find(tx: &mut Tx, payout: Id<id::Payout>) -> Result<Option<StoredPayout>> {
    let row = sqlx::query_as!(
        Row,
        "select id, account_id, agency_id, kind, day, amount, beneficiary, slip, slip_number, state, reason, tries,
             silent_since, replaces, counterpart_id, created_at, ended_at
         from payout where id = $1",
        payout.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Locks an order and reads it.
pub async fn lock(tx: &mut Tx, payout: Id<id::Payout>) -> Result<Option<StoredPayout>> {
    sqlx::query!("select id from payout where id = $1 for no key update", payout.uuid())
        .fetch_optional(tx.conn())
        .await?;
    find(tx, payout).await
}

/// The orders of these agencies, the newest first.
pub async fn of_agencies(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    state: Option<&str>,
    page: &PageRequest<Id<id::Payout>>,
) -> Result<Page<StoredPayout>> {
    let ids: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select id, account_id, agency_id, kind, day, amount, beneficiary, slip, slip_number, state, reason, tries,
             silent_since, replaces, counterpart_id, created_at, ended_at
         from payout where agency_id = any($1) and ($2::text is null or state = $2)
             and ($3::uuid is null or id < $3)
         order by id desc limit $4",
        &ids,
        state,
        page.after.map(Id::uuid),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let orders = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>>>()?;
    Ok(Page::from_rows(orders, page))
}

/// Orders that somebody here must look after, the longest waiting first.
pub async fn due(tx: &mut Tx, now: Instant, limit: i64) -> Result<Vec<Id<id::Payout>>> {
    let ids = sqlx::query_scalar!(
        "select id from payout where next_at <= $1 order by next_at, id limit $2",
        now,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// Silent orders from this account that nobody asks about any more and that no line of its statements names: since when each
/// was ordered, and since when nobody answered; the longest silent first, those after that one.
pub async fn silent(
    tx: &mut Tx,
    account: Id<Account>,
    after: Option<(Instant, Id<id::Payout>)>,
    limit: i64,
) -> Result<Vec<(Id<id::Payout>, Instant, Instant)>> {
    let rows = sqlx::query!(
        r#"select o.id, o.created_at as "begun!", o.silent_since as "since!" from payout o
           where o.state = 'unknown' and o.next_at is null and o.account_id = $1
             and not exists (
                 select from named_line n where n.account_id = $1 and n.payment_id = o.id
                     and not exists (select from withdrawn_line w where w.line_id = n.line_id))
             and ($3::timestamptz is null or (o.silent_since, o.id) > ($3, $4))
           order by o.silent_since, o.id limit $2"#,
        account.uuid(),
        limit,
        after.map(|one| one.0),
        after.map(|one| one.1.uuid()),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.id), row.begun, row.since)).collect())
}

/// Moves an order from the state that it was read in; with the entry by which it is over.
pub async fn move_payout(
    tx: &mut Tx,
    payout: &StoredPayout,
    to: &State,
    entry: Option<Id<id::Entry>>,
    now: Instant,
) -> Result<bool> {
    let (tries, since) = match to {
        State::Unknown { tries, since } => (Some(i16::from(*tries)), Some(*since)),
        State::Created | State::Sent | State::Bounced { .. } | State::Done { .. } => (None, None),
    };
    let reason = match to {
        State::Bounced { reason } => Some(reason.to_string()),
        State::Created | State::Sent | State::Unknown { .. } | State::Done { .. } => None,
    };
    let ended_at = match to {
        State::Done { at } => Some(*at),
        State::Created | State::Sent | State::Unknown { .. } | State::Bounced { .. } => None,
    };
    let done = sqlx::query!(
        "update payout set state = $3, reason = $4, tries = coalesce($5, tries), silent_since = $6, ended_at = $7,
             next_at = $8, entry_id = $9
         where id = $1 and state = $2",
        payout.id.uuid(),
        payout.state.as_str(),
        to.as_str(),
        reason,
        tries,
        since,
        ended_at,
        to.next_look(now),
        entry.map(Id::uuid),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Says when an order is looked after next.
pub async fn look_again(tx: &mut Tx, payout: Id<id::Payout>, at: Option<Instant>) -> Result<()> {
    sqlx::query!("update payout set next_at = $2 where id = $1", payout.uuid(), at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

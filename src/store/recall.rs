//! Requests for money back between institutions, in both directions.

use super::{Result, StoreError, Tx, moved_one, refund::Source};
use crate::base::{
    clock::Instant,
    id::{self, Agency, Citizen, Id, Refund},
    money::Money,
    secret::Sealed,
};
use uuid::Uuid;

/// What the other side said; sealed.
pub enum Words {}

/// Who asks whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// A bank asks us.
    In,
    /// We ask a bank.
    Out,
}

impl Direction {
    /// The word in rows and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// Nobody has decided.
    Open,
    /// The money goes back.
    Accepted,
    /// It stays, for that ISO 20022 reason.
    Refused(String),
}

impl Stand {
    /// The word in rows and on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Refused(_) => "refused",
        }
    }
}

/// A request as its row holds it.
#[derive(Debug, Clone)]
pub struct StoredRecall {
    /// Its identifier, which its asker gave it.
    pub id: Id<id::Recall>,
    /// Who asks whom.
    pub direction: Direction,
    /// Whose money it is.
    pub agency: Id<Agency>,
    /// The money that a bank asks back.
    pub source: Option<Source>,
    /// The refund of ours that is asked back, or that follows from a bank's request.
    pub refund: Option<Id<Refund>>,
    /// How much.
    pub amount: Money,
    /// Why, by ISO 20022.
    pub reason: String,
    /// What was said.
    pub words: Option<Sealed<Words>>,
    /// The message that asked.
    pub message: Uuid,
    /// Where it stands.
    pub state: Stand,
    /// When it was asked.
    pub opened_at: Instant,
    /// When our message about it is sent next.
    pub next_at: Option<Instant>,
}

/// Adds a request; `decided_at` where it was answered at once.
pub async fn insert(tx: &mut Tx, recall: &StoredRecall, decided_at: Option<Instant>) -> Result<()> {
    let (payment, case) = match recall.source {
        Some(Source::Payment(id)) => (Some(id.uuid()), None),
        Some(Source::Case(id)) => (None, Some(id.uuid())),
        None => (None, None),
    };
    let answer = match &recall.state {
        Stand::Refused(code) => Some(code.as_str()),
        Stand::Open | Stand::Accepted => None,
    };
    sqlx::query!(
        "insert into recall (id, direction, agency_id, payment_id, case_id, refund_id, amount, reason, words, key,
             message, state, answer, opened_at, decided_at, next_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        recall.id.uuid(),
        recall.direction.as_str(),
        recall.agency.uuid(),
        payment,
        case,
        recall.refund.map(Id::uuid),
        recall.amount.minor(),
        recall.reason,
        recall.words.as_ref().map(|words| words.bytes()),
        recall.words.as_ref().map(|words| words.key().cast_signed()),
        recall.message,
        recall.state.as_str(),
        answer,
        recall.opened_at,
        decided_at,
        recall.next_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Decides an open request; false when somebody has. Our message about it is due at once.
pub async fn decide(
    tx: &mut Tx,
    recall: Id<id::Recall>,
    state: &Stand,
    refund: Option<Id<Refund>>,
    by: Option<Id<Citizen>>,
    at: Instant,
) -> Result<bool> {
    let answer = match state {
        Stand::Refused(code) => Some(code.as_str()),
        Stand::Open | Stand::Accepted => None,
    };
    let done = sqlx::query!(
        "update recall set state = $2, answer = $3, refund_id = coalesce($4, refund_id), decided_by = $5,
             decided_at = $6, next_at = $6
         where id = $1 and state = 'open'",
        recall.uuid(),
        state.as_str(),
        answer,
        refund.map(Id::uuid),
        by.map(Id::uuid),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// What a bank asked for goes back by this refund, which is approved: the bank is told now.
pub async fn refund_approved(tx: &mut Tx, refund: Id<Refund>, at: Instant) -> Result<()> {
    sqlx::query!(
        "update recall set next_at = $2 where refund_id = $1 and direction = 'in' and state = 'accepted'",
        refund.uuid(),
        at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// This refund was declined: the request that it followed from is open again.
pub async fn refund_declined(tx: &mut Tx, refund: Id<Refund>) -> Result<()> {
    sqlx::query!(
        "update recall set state = 'open', refund_id = null, decided_by = null, decided_at = null, next_at = null
         where refund_id = $1 and direction = 'in'",
        refund.uuid(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says when our message about it is sent next.
pub async fn look_again(tx: &mut Tx, recall: Id<id::Recall>, at: Option<Instant>) -> Result<()> {
    sqlx::query!("update recall set next_at = $2 where id = $1", recall.uuid(), at)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Locks a request and reads it.
pub async fn lock(tx: &mut Tx, recall: Id<id::Recall>) -> Result<Option<StoredRecall>> {
    sqlx::query!("select id from recall where id = $1 for no key update", recall.uuid())
        .fetch_optional(tx.conn())
        .await?;
    find(tx, recall).await
}

/// A request by its identifier.
pub async fn find(tx: &mut Tx, recall: Id<id::Recall>) -> Result<Option<StoredRecall>> {
    let row = sqlx::query_as!(
        Row,
        "select id, direction, agency_id, payment_id, case_id, refund_id, amount, reason, words, key, message, state,
             answer, opened_at, next_at
         from recall where id = $1",
        recall.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The request about a refund of ours.
pub async fn of_refund(tx: &mut Tx, refund: Id<Refund>) -> Result<Option<Id<id::Recall>>> {
    let id = sqlx::query_scalar!(
        "select id from recall where refund_id = $1 and direction = 'out'",
        refund.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(Id::from_uuid))
}

/// The requests of these agencies, the newest first.
pub async fn of_agencies(tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<StoredRecall>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        "select id, direction, agency_id, payment_id, case_id, refund_id, amount, reason, words, key, message, state,
             answer, opened_at, next_at
         from recall where agency_id = any($1) order by opened_at desc, id desc limit 100",
        &agencies,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The requests about money of a bill, and about what was given back of it, the oldest first.
pub async fn of_bill(tx: &mut Tx, bill: Id<id::Bill>) -> Result<Vec<StoredRecall>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id as "id!", direction as "direction!", agency_id as "agency_id!", payment_id, case_id, refund_id,
               amount as "amount!", reason as "reason!", words, key, message as "message!", state as "state!", answer,
               opened_at as "opened_at!", next_at
           from (select r.* from payment p join recall r on r.payment_id = p.id where p.bill_id = $1
                 union
                 select r.* from refund f join recall r on r.refund_id = f.id where f.bill_id = $1) as r
           order by opened_at, id"#,
        bill.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Requests about which a message of ours is due.
pub async fn due(tx: &mut Tx, now: Instant, limit: i64) -> Result<Vec<Id<id::Recall>>> {
    let ids = sqlx::query_scalar!(
        "select id from recall where next_at <= $1 order by next_at, id limit $2",
        now,
        limit,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(Id::from_uuid).collect())
}

/// Whose money it was, and for which procedure it was paid, as far as that is known.
pub async fn agency_of(tx: &mut Tx, source: Source) -> Result<Option<(Id<Agency>, Option<String>)>> {
    let (payment, case) = match source {
        Source::Payment(id) => (Some(id.uuid()), None),
        Source::Case(id) => (None, Some(id.uuid())),
    };
    let found = sqlx::query!(
        r#"select b.agency_id as "agency_id!", c.procedure as "procedure?" from payment p join bill b on b.id = p.bill_id
             left join bill_content c on c.bill_id = b.id where p.id = $1
         union all select s.agency_id, null from suspense s where s.id = $2"#,
        payment,
        case,
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.map(|row| (Id::from_uuid(row.agency_id), row.procedure)))
}

struct Row {
    id: Uuid,
    direction: String,
    agency_id: Uuid,
    payment_id: Option<Uuid>,
    case_id: Option<Uuid>,
    refund_id: Option<Uuid>,
    amount: i64,
    reason: String,
    words: Option<Vec<u8>>,
    key: Option<i32>,
    message: Uuid,
    state: String,
    answer: Option<String>,
    opened_at: Instant,
    next_at: Option<Instant>,
}

impl TryFrom<Row> for StoredRecall {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        let id: Id<id::Recall> = Id::from_uuid(row.id);
        let bad = |column| StoreError::corrupt("recall", column, id);
        let source = match (row.payment_id, row.case_id) {
            (Some(payment), _) => Some(Source::Payment(Id::from_uuid(payment))),
            (None, Some(case)) => Some(Source::Case(Id::from_uuid(case))),
            (None, None) => None,
        };
        Ok(Self {
            id,
            direction: match row.direction.as_str() {
                "in" => Direction::In,
                "out" => Direction::Out,
                _ => return Err(bad("direction")),
            },
            agency: Id::from_uuid(row.agency_id),
            source,
            refund: row.refund_id.map(Id::from_uuid),
            amount: Money::vnd(row.amount),
            reason: row.reason,
            words: row.words.zip(row.key).map(|(words, key)| Sealed::new(words, key.cast_unsigned())),
            message: row.message,
            state: match (row.state.as_str(), row.answer) {
                ("open", None) => Stand::Open,
                ("accepted", None) => Stand::Accepted,
                ("refused", Some(code)) => Stand::Refused(code),
                _ => return Err(bad("state")),
            },
            opened_at: row.opened_at,
            next_at: row.next_at,
        })
    }
}

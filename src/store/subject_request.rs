//! What citizens ask about their own data.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id, Leaf},
    secret::Sealed,
};
use crate::identity::subject_request::{Clock, Kind, State};
use time::Date;
use uuid::Uuid;

/// Words of a citizen or an officer, under the citizen's key.
pub enum Words {}

/// A request.
pub struct RequestRow {
    /// Its identifier.
    pub id: Id<id::SubjectRequest>,
    /// Who asks.
    pub citizen: Id<Citizen>,
    /// What.
    pub kind: Kind,
    /// The disputed entry.
    pub leaf: Option<Id<Leaf>>,
    /// Who must answer; `None`: whoever operates the service.
    pub agency: Option<Id<Agency>>,
    /// When it was filed.
    pub filed_at: Instant,
    /// By when it is answered.
    pub clock: Clock,
    /// Whether the decision was put off.
    pub extended: bool,
    /// The citizen's words.
    pub words: Sealed<Words>,
    /// Where it stands.
    pub state: State,
    /// The officer's words.
    pub answer: Option<Sealed<Words>>,
}

/// Files a request; a second open dispute of an entry violates `subject_request_dispute_once`.
pub async fn insert(tx: &mut Tx, row: &RequestRow) -> Result<()> {
    sqlx::query!(
        "INSERT INTO subject_request (id, citizen_id, kind, leaf_id, agency_id, filed_at, acknowledge_by, decide_by,
             words, generation, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        row.id.uuid(),
        row.citizen.uuid(),
        row.kind.word(),
        row.leaf.map(Id::uuid),
        row.agency.map(Id::uuid),
        row.filed_at,
        row.clock.acknowledge_by.date(),
        row.clock.decide_by.date(),
        row.words.bytes(),
        i32::try_from(row.words.key()).unwrap_or(i32::MAX),
        row.state.word(),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves a request on from the state it was read in; false when somebody else moved it first.
pub async fn advance(
    tx: &mut Tx,
    before: &RequestRow,
    (state, decide_by): (State, Day),
    answer: Option<&Sealed<Words>>,
    (officer, at): (Id<Citizen>, Instant),
) -> Result<bool> {
    let extended = decide_by != before.clock.decide_by;
    let done = sqlx::query!(
        "UPDATE subject_request SET state = $3, decide_by = $4, answer = $5, officer_id = $6,
             acknowledged_at = coalesce(acknowledged_at, $7),
             extended_at = CASE WHEN $8 THEN $7 ELSE extended_at END,
             decided_at = CASE WHEN $9 THEN $7 ELSE decided_at END
         WHERE id = $1 AND state = $2",
        before.id.uuid(),
        before.state.word(),
        state.word(),
        decide_by.date(),
        answer.map(|sealed| sealed.bytes()),
        officer.uuid(),
        at,
        extended,
        !state.is_open(),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// The requests of a citizen, the newest first; the first hundred.
pub async fn of_citizen(tx: &mut Tx, citizen: Id<Citizen>) -> Result<Vec<RequestRow>> {
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, citizen_id, kind, leaf_id, agency_id, filed_at, acknowledge_by, decide_by, words, generation, state,
                extended_at, decided_at, answer
         FROM subject_request WHERE citizen_id = $1 ORDER BY id DESC LIMIT 100",
        citizen.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The open requests that these agencies must answer, and with `operator` those that nobody else must; the most urgent
/// first.
pub async fn open(tx: &mut Tx, agencies: &[Id<Agency>], operator: bool) -> Result<Vec<RequestRow>> {
    let agencies: Vec<Uuid> = agencies.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, citizen_id, kind, leaf_id, agency_id, filed_at, acknowledge_by, decide_by, words, generation, state,
                extended_at, decided_at, answer
         FROM subject_request WHERE decided_at IS NULL AND (agency_id = ANY($1) OR ($2 AND agency_id IS NULL))
         ORDER BY decide_by, id LIMIT 100",
        &agencies,
        operator,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// A request that is about to move.
pub async fn lock(tx: &mut Tx, id: Id<id::SubjectRequest>) -> Result<Option<RequestRow>> {
    let row = sqlx::query_as!(
        Raw,
        "SELECT id, citizen_id, kind, leaf_id, agency_id, filed_at, acknowledge_by, decide_by, words, generation, state,
                extended_at, decided_at, answer
         FROM subject_request WHERE id = $1 FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The agency that a citizen's entry concerns; the outer `None`: it is no entry of theirs.
pub async fn agency_of_entry(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    leaf: Id<Leaf>,
) -> Result<Option<Option<Id<Agency>>>> {
    let row = sqlx::query_scalar!(
        "SELECT agency_id FROM audit_detail WHERE leaf_id = $1 AND citizen_id = $2",
        leaf.uuid(),
        citizen.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|agency| agency.map(Id::from_uuid)))
}

struct Raw {
    id: Uuid,
    citizen_id: Uuid,
    kind: String,
    leaf_id: Option<Uuid>,
    agency_id: Option<Uuid>,
    filed_at: Instant,
    acknowledge_by: Date,
    decide_by: Date,
    words: Vec<u8>,
    generation: i32,
    state: String,
    extended_at: Option<Instant>,
    decided_at: Option<Instant>,
    answer: Option<Vec<u8>>,
}

impl TryFrom<Raw> for RequestRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::SubjectRequest> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("subject_request", column, id);
        let state = match (raw.state.as_str(), raw.decided_at) {
            ("filed", None) => State::Filed,
            ("acknowledged", None) => State::Acknowledged,
            ("granted", Some(at)) => State::Granted { at },
            ("declined", Some(at)) => State::Declined { at },
            _ => return Err(corrupt("state")),
        };
        let generation = u32::try_from(raw.generation).map_err(|_| corrupt("generation"))?;
        Ok(Self {
            id,
            citizen: Id::from_uuid(raw.citizen_id),
            kind: Kind::of(&raw.kind).ok_or_else(|| corrupt("kind"))?,
            leaf: raw.leaf_id.map(Id::from_uuid),
            agency: raw.agency_id.map(Id::from_uuid),
            filed_at: raw.filed_at,
            clock: Clock {
                acknowledge_by: Day::from_date(raw.acknowledge_by),
                decide_by: Day::from_date(raw.decide_by),
            },
            extended: raw.extended_at.is_some(),
            words: Sealed::new(raw.words, generation),
            state,
            answer: raw.answer.map(|bytes| Sealed::new(bytes, generation)),
        })
    }
}

//! Locks of citizens, and the laws on which clients may look somebody up without asking.

use super::{Result, Store, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Citizen, Client, Id},
};
use crate::identity::{
    authenticator::Method,
    lock::{Lock, Scope},
};
use std::collections::BTreeMap;
use time::Date;
use uuid::Uuid;

/// Who ended a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifter {
    /// The citizen.
    Citizen,
    /// An officer, against the citizen's card.
    Counter(Id<Citizen>),
    /// A later lock on the same thing.
    Replaced,
}

/// Keeps new locks of this citizen off until this transaction ends; others may do the same. Nobody who never dealt with
/// this service has a lock.
pub async fn share_citizen(tx: &mut Tx, citizen: Id<Citizen>) -> Result<()> {
    sqlx::query!("SELECT id FROM citizen WHERE id = $1 FOR SHARE", citizen.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(())
}

/// Writes a lock; the same one a second time violates `citizen_lock_once`. `set_by` is `citizen`, `counter` or
/// `report`.
pub async fn insert(tx: &mut Tx, lock: &Lock, set_by: &str) -> Result<()> {
    let (client, method) = match lock.scope {
        Scope::Portal(client) => (Some(client.uuid()), None),
        Scope::Method(method) => (None, Some(method.word())),
        Scope::Everything | Scope::Verifications => (None, None),
    };
    sqlx::query!(
        "INSERT INTO citizen_lock (id, citizen_id, scope, client_id, method, set_at, set_by, last_day)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        lock.id.uuid(),
        lock.citizen.uuid(),
        lock.scope.word(),
        client,
        method,
        lock.set_at,
        set_by,
        lock.last_day.map(Day::date),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Lifts a lock; false when it was lifted before.
pub async fn lift(tx: &mut Tx, lock: Id<id::Lock>, by: Lifter, at: Instant) -> Result<bool> {
    let (by, officer) = match by {
        Lifter::Citizen => ("citizen", None),
        Lifter::Counter(officer) => ("counter", Some(officer.uuid())),
        Lifter::Replaced => ("replaced", None),
    };
    let done = sqlx::query!(
        "UPDATE citizen_lock SET lifted_at = $2, lifted_by = $3, officer_id = $4 WHERE id = $1 AND lifted_at IS NULL",
        lock.uuid(),
        at,
        by,
        officer,
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// The locks of these citizens that were not lifted, in the order they were set; some may have passed their last day.
pub async fn of_citizens(tx: &mut Tx, citizens: &[Id<Citizen>]) -> Result<BTreeMap<Id<Citizen>, Vec<Lock>>> {
    if citizens.is_empty() {
        return Ok(BTreeMap::new());
    }
    let citizens: Vec<Uuid> = citizens.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, citizen_id, scope, client_id, method, set_at, last_day FROM citizen_lock
         WHERE citizen_id = ANY($1) AND lifted_at IS NULL ORDER BY set_at, id",
        &citizens,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut locks: BTreeMap<Id<Citizen>, Vec<Lock>> = BTreeMap::new();
    for row in rows {
        let lock = Lock::try_from(row)?;
        locks.entry(lock.citizen).or_default().push(lock);
    }
    Ok(locks)
}

/// The locks of one citizen that were not lifted, outside a transaction; for pages.
pub async fn of_citizen(store: &Store, citizen: Id<Citizen>) -> Result<Vec<Lock>> {
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, citizen_id, scope, client_id, method, set_at, last_day FROM citizen_lock
         WHERE citizen_id = $1 AND lifted_at IS NULL ORDER BY set_at, id",
        citizen.uuid(),
    )
    .fetch_all(&store.pool)
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Which of these clients have these laws on their lists on that day.
pub async fn bases(tx: &mut Tx, clients: &[Id<Client>], day: Day) -> Result<Vec<(Id<Client>, String)>> {
    let clients: Vec<Uuid> = clients.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT client_id, basis FROM client_legal_basis
         WHERE client_id = ANY($1) AND valid_from <= $2 AND (valid_to IS NULL OR valid_to >= $2)",
        &clients,
        day.date(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.client_id), row.basis)).collect())
}

/// Puts a law on a client's list from a day on; the same entry again changes its last day.
pub async fn put_basis(
    tx: &mut Tx,
    client: Id<Client>,
    basis: &str,
    from: Day,
    to: Option<Day>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO client_legal_basis (client_id, basis, valid_from, valid_to) VALUES ($1, $2, $3, $4)
         ON CONFLICT (client_id, basis, valid_from) DO UPDATE SET valid_to = EXCLUDED.valid_to",
        client.uuid(),
        basis,
        from.date(),
        to.map(Day::date),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Raw {
    id: Uuid,
    citizen_id: Uuid,
    scope: String,
    client_id: Option<Uuid>,
    method: Option<String>,
    set_at: Instant,
    last_day: Option<Date>,
}

impl TryFrom<Raw> for Lock {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::Lock> = Id::from_uuid(raw.id);
        let method = || raw.method.as_deref().and_then(|word| word.parse::<Method>().ok());
        let scope = match (raw.scope.as_str(), raw.client_id) {
            ("everything", None) => Some(Scope::Everything),
            ("verifications", None) => Some(Scope::Verifications),
            ("portal", Some(client)) => Some(Scope::Portal(Id::from_uuid(client))),
            ("method", None) => method().map(Scope::Method),
            _ => None,
        };
        Ok(Self {
            id,
            citizen: Id::from_uuid(raw.citizen_id),
            scope: scope.ok_or_else(|| StoreError::corrupt("citizen_lock", "scope", id))?,
            set_at: raw.set_at,
            last_day: raw.last_day.map(Day::from_date),
        })
    }
}

//! The version of the fee schedule in force, whole. What a version says never changes, so the one that was in force last
//! is remembered, and only which one is in force is asked each time.

use super::{Result, Store, StoreError, Tx, fee, fee_version};
use crate::base::{calendar::Day, clock::Instant, id};
use crate::{
    base::id::Id,
    payment::{code::Code, fee::Schedule},
};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A version and what it says.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its identifier.
    pub id: Id<id::Schedule>,
    schedule: Arc<Schedule>,
}

impl Deref for Version {
    type Target = Schedule;

    fn deref(&self) -> &Schedule {
        &self.schedule
    }
}

/// The version that was in force when somebody asked last.
#[derive(Clone, Default)]
pub(super) struct LastRead(Arc<Mutex<Option<Version>>>);

impl LastRead {
    fn remembered(&self) -> MutexGuard<'_, Option<Version>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version in force on a day, if any is.
pub async fn in_force(store: &Store, tx: &mut Tx, on: Day) -> Result<Option<Version>> {
    let Some(id) = fee_version::in_force(tx, on).await? else {
        return Ok(None);
    };
    let version = version(store, tx, id).await?;
    *store.last_version.remembered() = Some(version.clone());
    Ok(Some(version))
}

/// The versions by which something may have been charged at a moment: the one in force on its day, and where it is another the one
/// that was in force then as far as anybody could know.
pub async fn in_force_at(store: &Store, tx: &mut Tx, at: Instant) -> Result<Vec<Version>> {
    let mut found: Vec<Version> = in_force(store, tx, Day::of(at)).await?.into_iter().collect();
    let then = fee_version::in_force_then(tx, at).await?;
    if let Some(id) = then.filter(|id| found.iter().all(|version| version.id != *id)) {
        found.push(version(store, tx, id).await?);
    }
    Ok(found)
}

/// The codes of the late rules of all versions that were approved: by one of them a line of interest is called, whichever is in
/// force by now.
pub async fn late_rules(tx: &mut Tx) -> Result<BTreeSet<Code>> {
    let codes = sqlx::query_scalar!(
        "select distinct a.code from fee_adjustment a join fee_schedule s on s.id = a.schedule_id
         where a.effect = 'late_daily' and s.state = 'approved'"
    )
    .fetch_all(tx.conn())
    .await?;
    let parsed = codes
        .into_iter()
        .map(|code| code.parse().map_err(|_| StoreError::corrupt("fee_adjustment", "code", &code)));
    parsed.collect()
}

/// The codes that would be a fee's and a late rule's at once if a version were approved, by itself or beside those that are.
pub async fn shared_codes(tx: &mut Tx, of: Id<id::Schedule>) -> Result<Vec<String>> {
    let codes = sqlx::query_scalar!(
        "select distinct i.code from fee_item i join fee_adjustment a on a.code = i.code and a.effect = 'late_daily'
         where $1 in (i.schedule_id, a.schedule_id)
           and not exists (select from fee_schedule s
                           where s.id in (i.schedule_id, a.schedule_id) and s.id <> $1 and s.state <> 'approved')
         order by i.code",
        of.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(codes)
}

/// That version.
pub async fn version(store: &Store, tx: &mut Tx, id: Id<id::Schedule>) -> Result<Version> {
    if let Some(version) = store.last_version.remembered().as_ref().filter(|version| version.id == id) {
        return Ok(version.clone());
    }
    Ok(Version { id, schedule: Arc::new(fee::whole_schedule(tx, id).await?) })
}

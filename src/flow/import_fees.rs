//! Brings in the first fee schedule of an installation: all of it or nothing, and the same files twice change nothing.
//! Every later version is drafted, submitted and approved by people (`super::fee_versions`).

use super::{
    Error, Refusal, Result,
    fee_file::{RowFault, read_schedule},
};
use crate::{
    app::App,
    base::id::{self, Id},
    crypto::digest::sha256_parts,
    payment::fee::{Procedure, Schedule},
    store::{Tx, fee, fee_version, tariff},
};
use std::collections::BTreeMap;

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The version that holds this content.
    pub schedule: Id<id::Schedule>,
    /// How many dated items it has.
    pub items: usize,
    /// How many dated adjustments.
    pub adjustments: usize,
    /// False when exactly this content had been imported before.
    pub new: bool,
}

/// Imports the two files of a schedule, which is then in force. Every bad row is named.
pub async fn import_fees(app: &App, items: &str, adjustments: &str) -> Result<Imported> {
    let schedule = read_schedule(items, adjustments).map_err(refuse)?;
    let digest = sha256_parts(&[items.as_bytes(), &[0], adjustments.as_bytes()]);
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let before = fee_version::any(&mut tx).await?;
    let mut imported = Imported {
        schedule: Id::new(now, &*app.entropy),
        items: schedule.items().len(),
        adjustments: schedule.adjustments().len(),
        new: true,
    };
    if !fee::insert_schedule(&mut tx, imported.schedule, &digest, now).await? {
        let before = fee::schedule_of_digest(&mut tx, &digest).await?;
        imported.schedule = before.ok_or(Error::internal("a schedule that was there is gone"))?;
        imported.new = false;
        return Ok(imported);
    }
    if before {
        return Err(Error::conflict("fee_schedule_governed"));
    }
    insert_rows(&mut tx, imported.schedule, &schedule).await?;
    tx.commit().await?;
    Ok(imported)
}

/// Adds the rows of a version.
pub(super) async fn insert_rows(tx: &mut Tx, id: Id<id::Schedule>, schedule: &Schedule) -> Result<()> {
    fee::insert_procedures(tx, id, &procedures(schedule)?).await?;
    fee::insert_items(tx, id, schedule.items()).await?;
    fee::insert_adjustments(tx, id, schedule.adjustments()).await?;
    demand_own_names(tx, id).await
}

/// Interest is known by the code of its rule: no fee may be called the same, in this version or in one that was approved.
pub(super) async fn demand_own_names(tx: &mut Tx, id: Id<id::Schedule>) -> Result<()> {
    let shared = tariff::shared_codes(tx, id).await?;
    if shared.is_empty() {
        return Ok(());
    }
    let refusal = Refusal::new("fee_schedule_invalid");
    Err(Error::Refused(shared.into_iter().fold(refusal, |refusal, code| {
        refusal.violation(format!("{code}: a fee and a late rule are called the same"), "row", None)
    })))
}

/// Each procedure once; one code with two names is a fault of the file.
fn procedures(schedule: &Schedule) -> Result<Vec<&Procedure>> {
    let mut named = BTreeMap::new();
    for item in schedule.items() {
        let first = named.entry(item.procedure.code.as_str()).or_insert(&item.procedure);
        if **first != item.procedure {
            let refusal = Refusal::new("fee_schedule_invalid");
            return Err(Error::Refused(refusal.violation(
                "procedure",
                "named_twice",
                Some(first.code.to_string()),
            )));
        }
    }
    Ok(named.into_values().collect())
}

pub(super) fn refuse(faults: Vec<RowFault>) -> Error {
    let refusal = Refusal::new("fee_schedule_invalid");
    let refusal =
        faults.into_iter().fold(refusal, |refusal, fault| refusal.violation(fault.to_string(), "row", None));
    Error::Refused(refusal)
}

//! The master key rotates: every data key is wrapped anew by the newest generation, a bounded number at a time.
//!
//! What is sealed under a data key stays as it is. The work may be stopped at any point and by any node: what is left
//! to do is what an old generation still wraps, and nothing else remembers it.

use super::Result;
use crate::app::App;
use crate::store::key_rotation::{self, OwnedKey, Owners};

/// How many data keys one tick takes.
pub const REWRAPPED_MAX: i64 = 500;

/// Wraps some data keys anew; how many. None when all are wrapped by the newest master key.
pub async fn rotate_keys(app: &App) -> Result<u64> {
    let now = app.clock.now();
    let generation = app.keys.generation();
    let mut tx = app.store.begin().await?;
    let mut rewrapped = 0;
    for owners in [Owners::Platform, Owners::Agencies, Owners::Citizens] {
        let stale = key_rotation::stale(&mut tx, owners, generation, REWRAPPED_MAX).await?;
        let again = |owned: OwnedKey| {
            let key = app.keys.rewrap(&*app.entropy, &owned.key, owned.owner.as_bytes())?;
            Ok(OwnedKey { key, ..owned })
        };
        let keys = stale.into_iter().map(again).collect::<Result<Vec<OwnedKey>>>()?;
        if !keys.is_empty() {
            key_rotation::rewrap(&mut tx, owners, &keys, generation).await?;
        }
        rewrapped += keys.len() as u64;
    }
    if rewrapped > 0 {
        let count = i64::try_from(rewrapped).unwrap_or(i64::MAX);
        key_rotation::note_progress(&mut tx, generation, count, now).await?;
    } else if key_rotation::note_finished(&mut tx, generation, now).await? {
        tracing::info!(generation, "every data key is wrapped by the newest master key");
    }
    tx.commit().await?;
    Ok(rewrapped)
}

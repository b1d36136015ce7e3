//! Whether an assertion or a proof is used for the first time: asked for all who wait at that moment in one statement.

use super::{Result, undone};
use crate::app::App;
use crate::batch::Undone;
use crate::crypto::digest::{Digest, sha256_parts};
use crate::store::once;
use crate::{base::clock::Instant, store::once::Mark};
use std::collections::HashSet;

/// Uses up every mark; answers each in order whether it was fresh. Of two that are the same the first one is.
pub async fn use_all(app: &App, marks: Vec<Mark>) -> std::result::Result<Vec<bool>, Undone> {
    let mut firsts = HashSet::new();
    let distinct: Vec<Mark> = marks.iter().filter(|mark| firsts.insert(mark.digest)).copied().collect();
    let mut fresh = once::use_up(&app.store, &distinct).await.map_err(|error| undone(&error.into()))?;
    Ok(marks.iter().map(|mark| fresh.remove(&mark.digest)).collect())
}

/// Uses up what `parts` name together; true for the first time.
pub(super) async fn first_time(app: &App, parts: [&str; 3], until: Instant) -> Result<bool> {
    let digest: Digest =
        sha256_parts(&[parts[0].as_bytes(), &[0], parts[1].as_bytes(), &[0], parts[2].as_bytes()]);
    Ok(app.batches.once.submit(Mark { digest, until }).await?)
}

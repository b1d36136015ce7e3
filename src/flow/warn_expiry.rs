//! Agencies are warned before a registration or a key of theirs ends: 60, 30 and 7 days ahead, each once, as an event.

use super::{Result, event::event_row};
use crate::app::App;
use crate::base::{calendar::rfc3339, id::Id};
use crate::store::{
    client_care::{self, Ending},
    outbox::{self, NewOutbox},
};
use serde_json::json;
use time::Duration;

/// How many days ahead it is warned of, the earliest first.
pub const DAYS: [i16; 3] = [60, 30, 7];

/// Gives the warnings that are due; answers how many. A warning that was missed, because the service did not run, is
/// given once by the next one.
pub async fn warn_expiry(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let ending = client_care::ending(&mut tx, now, now + Duration::days(DAYS[0].into())).await?;
    let mut events = Vec::new();
    for ending in &ending {
        let due = DAYS.into_iter().rev().find(|days| ending.ends_at <= now + Duration::days((*days).into()));
        let Some(days) = due else { continue };
        if client_care::note_warning(&mut tx, ending, days, now).await? {
            events.push(warning(app, ending, days, now));
        }
    }
    outbox::enqueue(&mut tx, &events).await?;
    tx.commit().await?;
    Ok(events.len())
}

fn warning(app: &App, ending: &Ending, days: i16, now: crate::base::clock::Instant) -> NewOutbox {
    let data = json!({
        "client": ending.client.to_string(),
        "kid": ending.kid,
        "ends_at": rfc3339(ending.ends_at),
        "days": days,
    });
    event_row(app, now, "client.expiring", (ending.agency, ending.client.uuid()), &data)
}

//! Questions that the register did not answer are asked again, where the portal's policy says so, until it answers or a
//! day has passed; an event then names the answer. The first answer, `source_unavailable`, stays as it was given.

use super::{
    Error, Result, event::event_row, population_copy::hear_number, question_record, verify_identity,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Id, Verification},
};
use crate::crypto::digest::sha256;
use crate::identity::question::{Heard, Outcome};
use crate::store::{
    agency, outbox,
    unconfirmed::{self, Unconfirmed},
};
use serde_json::json;
use time::Duration;

/// How many are asked about in one round.
const ROUND: i64 = 32;
/// When a question is asked again for the first time.
pub(super) const FIRST_PAUSE: Duration = Duration::seconds(5);
/// How long a question waits for the register.
const LIFE: Duration = Duration::days(1);
/// How long one that is being asked again is left to whoever took it.
const HELD: Duration = Duration::minutes(1);

/// Asks again about those whose time has come; returns how many were looked at.
pub async fn confirm_verifications(app: &App) -> Result<usize> {
    if app.population.source.is_none() {
        return Ok(0);
    }
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let due = unconfirmed::take_due(&mut tx, now, now + HELD, ROUND).await?;
    tx.commit().await?;
    let count = due.len();
    for one in due {
        // One that fails waits for its next turn and holds up no other.
        if let Err(error) = confirm(app, &one).await {
            tracing::warn!(?error, verification = %one.verification, "a question is not confirmed");
        }
    }
    Ok(count)
}

async fn confirm(app: &App, one: &Unconfirmed) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let owner = agency::find_all(&mut tx, &[one.agency]).await?.pop().ok_or(Error::not_found())?;
    tx.commit().await?;
    let key = app.keys.data_key(&owner.key, one.agency.uuid().as_bytes())?;
    let plain = key.open(&place(one.verification), &one.sealed)?;
    let own_key = (format!("confirm-{}", one.verification), sha256(one.verification.uuid().as_bytes()));
    let mut question = question_record::decode(plain.expose(), one.agency, one.client, own_key)?;
    let service = format!("{}.01", question.ground.procedure);
    question.heard = hear_number(app, question.number, &service, question.ground.officer.as_str()).await?;
    let answered = if question.heard == Heard::Nothing {
        None
    } else {
        match app.batches.verifications.submit(question).await? {
            Outcome::Answered(answer) | Outcome::Replayed(answer) => verify_identity::id_of(&answer),
            // Held back, or no longer allowed: asked again until its day is over.
            _ => None,
        }
    };
    match answered {
        Some(answer) => finish(app, one, Some(answer), now).await,
        None if now >= one.asked_at + LIFE => finish(app, one, None, now).await,
        None => {
            let mut tx = app.store.begin().await?;
            unconfirmed::put_off(&mut tx, one.verification, now + pause(one.attempts)).await?;
            Ok(tx.commit().await?)
        }
    }
}

async fn finish(app: &App, one: &Unconfirmed, answer: Option<Id<Verification>>, now: Instant) -> Result<()> {
    let mut tx = app.store.begin().await?;
    if !unconfirmed::finish(&mut tx, one.verification, answer, now).await? {
        return Ok(());
    }
    let name = if answer.is_some() { "verification.confirmed" } else { "verification.unconfirmed" };
    let facts = json!({
        "verification": one.verification.to_string(),
        "confirmed_by": answer.map(|id| id.to_string()),
    });
    let told = event_row(app, now, name, (one.agency, one.verification.uuid()), &facts);
    outbox::enqueue(&mut tx, &[told]).await?;
    Ok(tx.commit().await?)
}

/// 10 s, 20 s, 40 s and so on, to at most ten minutes.
fn pause(attempts: i16) -> Duration {
    Duration::seconds(10 << attempts.clamp(0, 6)).min(Duration::minutes(10))
}

/// What a sealed question is bound to.
pub(super) fn place(id: Id<Verification>) -> Vec<u8> {
    [b"unconfirmed.sealed".as_slice(), id.uuid().as_bytes()].concat()
}

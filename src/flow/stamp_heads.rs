//! Has heads of the audit log stamped by a time-stamping authority (RFC 3161), where one is configured: the newest head
//! once an hour, and every head that an approved closing names.
//!
//! The authority is asked outside of transactions, each time with a fresh nonce; only an answer that was wholly judged is
//! kept. Whatever else comes (silence, a refusal, a stamp of something else, an answer to another question, one by a signer
//! whom the anchor does not vouch for, one that was revoked, one of another time) is recorded by name and asked for again
//! for three days. What the lists in the operator's folder do not show of revocation is kept with the stamp as unknown.

use super::{
    Result,
    backoff::backoff,
    judge_stamps::{Judged, judged_json},
};
use crate::app::App;
use crate::base::{calendar::rfc3339, clock::Instant, entropy::random};
use crate::codec::revocation::{Revocation, RevocationLists};
use crate::codec::time_stamp::{self, NONCE_LENGTH, Trust};
use crate::crypto::digest::sha256;
use crate::partner::time_stamp::Authority;
use crate::store::head_stamp::{self as stamps, DueStamp};
use futures_util::future::join_all;
use serde_json::{Value, json};
use time::Duration;

/// How often the newest head is stamped.
const EVERY: Duration = Duration::hours(1);
/// How long a stamp is asked for.
const LIFE: Duration = Duration::hours(72);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::hours(6);
/// How many are asked for at a time.
const AT_ONCE: i64 = 4;
/// What a claim lasts beyond the deadline of an attempt.
const MARGIN: Duration = Duration::seconds(30);
/// How far the authority's clock and ours may be apart.
const SKEW: Duration = Duration::minutes(5);

/// The word for a signer of whom current lists show that nobody on the way to the anchor was revoked.
pub const CLEAR: &str = "clear";

/// How it stands with a head's stamp.
pub type Stamping = stamps::Stamping;

/// A stamp that was given.
pub type Given = stamps::Given;

/// Asks for what is due; answers how many were tried.
pub async fn stamp_heads(app: &App) -> Result<usize> {
    let Some(authority) = &app.time_stamps else { return Ok(0) };
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    stamps::plan(&mut tx, now - EVERY, now).await?;
    let until = now + app.limits.partner_timeout() + MARGIN;
    let due = stamps::claim(&mut tx, now, until, AT_ONCE).await?;
    tx.commit().await?;
    if due.is_empty() {
        return Ok(0);
    }
    let lists = match authority.lists.read().await {
        Ok(lists) => lists,
        Err(why) => {
            // Without lists what they would show is unknown, and is told so.
            tracing::warn!(%why, "revocation lists");
            RevocationLists::default()
        }
    };
    let given = join_all(due.iter().map(|due| ask(app, (authority, &lists), due))).await;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    for (due, given) in due.iter().zip(given) {
        match given {
            Ok(given) => stamps::keep(&mut tx, due.size, &given, now).await?,
            Err(why) => {
                let again = now + backoff(due.attempts, PAUSE_MAX, &*app.entropy);
                let next = (again <= due.asked_at + LIFE).then_some(again);
                tracing::warn!(size = due.size, why, over = next.is_none(), "a head was not stamped");
                stamps::record(&mut tx, due.size, (next, &why), now).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(due.len())
}

/// The judged answer to a question of its own, or in a word why there is none.
async fn ask(
    app: &App,
    (authority, lists): (&Authority, &RevocationLists),
    due: &DueStamp,
) -> std::result::Result<Given, String> {
    let nonce: [u8; NONCE_LENGTH] = random(&*app.entropy);
    let imprint = sha256(due.signed.as_bytes());
    let query = time_stamp::query(&imprint, &nonce);
    let answer = authority.service.stamp(&query).await.map_err(|why| why.word())?;
    let now: Instant = app.clock.now();
    let trust = Trust { anchors: &authority.anchors, lists, now };
    let stamp =
        time_stamp::verify(&answer, &imprint, Some(&nonce), trust).map_err(|why| why.word().to_owned())?;
    if stamp.at < due.headed_at - SKEW || stamp.at > now + SKEW {
        return Err("wrong_time".to_owned());
    }
    let time_stamp::Stamp { at, policy, serial, authority, anchor, revocation, .. } = stamp;
    let (revocation, lists_of) = match revocation {
        Revocation::Clear { as_of } => (CLEAR, Some(as_of)),
        Revocation::Unknown(why) => {
            tracing::warn!(
                size = due.size,
                why = why.word(),
                "whether a stamp's signer was revoked is unknown"
            );
            (why.word(), None)
        }
    };
    Ok(Given { answer, at, policy, serial, authority, anchor, revocation: revocation.to_owned(), lists_of })
}

/// A head's stamp as `/v1` tells it, with what is to be said of it today; `file` is where the authority's answer is had.
pub(super) fn stamp_json(stamping: Option<&Stamping>, judged: Option<&Judged>, file: &str) -> Value {
    match stamping {
        None => Value::Null,
        Some(Stamping::Waiting(..)) => json!({ "state": "waiting" }),
        Some(Stamping::GivenUp(_)) => json!({ "state": "given_up" }),
        Some(Stamping::Stamped(given)) => json!({
            "state": "stamped",
            "at": rfc3339(given.at),
            "authority": given.authority,
            "policy": given.policy,
            "serial": given.serial,
            "revocation": given.revocation,
            "lists_of": given.lists_of.map(rfc3339),
            "now": judged.map(judged_json),
            "file": file,
        }),
    }
}

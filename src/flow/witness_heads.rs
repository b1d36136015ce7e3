//! Sends signed heads of the audit log to institutions outside, which keep them where the operator cannot rewrite them.
//!
//! The newest head goes to each witness once an hour, and the head that a closing names when it is approved. One that
//! does not arrive is tried again for three days; meanwhile no newer one follows, since whatever arrives later covers
//! it. The head carries its own signature; whoever keeps two can ask for the proof that one grew out of the other.

use super::{Error, Result, backoff::backoff};
use crate::app::App;
use crate::base::{clock::Instant, entropy::random};
use crate::identity::endpoint::EndpointUrl;
use crate::partner::webhook::{Telling, Undelivered};
use crate::store::{
    Tx,
    head_witness::{self as witnesses, DueHead, Next},
};
use futures_util::future::join_all;
use serde_json::json;
use time::Duration;

/// How often a witness is sent the newest head.
const EVERY: Duration = Duration::hours(1);
/// How long a head is tried.
const LIFE: Duration = Duration::hours(72);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::hours(6);
/// How many heads are sent at a time.
const AT_ONCE: i64 = 16;
/// What a claim lasts beyond the deadline of an attempt.
const MARGIN: Duration = Duration::seconds(30);

/// A witness as it is shown.
pub type Witness = witnesses::Witness;

/// Adds a witness, or gives a known one another address.
pub async fn add_witness(app: &App, name: &str, url: &str) -> Result<()> {
    let known = url.parse::<EndpointUrl>().ok().filter(|url| app.webhooks.accepts(url).is_ok());
    let name = name.trim();
    if known.is_none() || name.is_empty() || name.chars().count() > 140 {
        return Err(Error::refused("endpoint_unfit"));
    }
    let mut tx = app.store.begin().await?;
    witnesses::put(&mut tx, name, url, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Sends a witness nothing any more.
pub async fn retire_witness(app: &App, name: &str) -> Result<()> {
    let mut tx = app.store.begin().await?;
    if !witnesses::retire(&mut tx, name, app.clock.now()).await? {
        return Err(Error::not_found());
    }
    Ok(tx.commit().await?)
}

/// Every witness, and how it stands with it.
pub async fn read_witnesses(app: &App) -> Result<Vec<Witness>> {
    let mut tx = app.store.begin().await?;
    Ok(witnesses::all(&mut tx).await?)
}

/// Puts the head that a closing names on its way, in the transaction that approves it.
pub(super) async fn witness_closing(tx: &mut Tx, size: u64, now: Instant) -> Result<()> {
    Ok(witnesses::plan_one(tx, size, now).await?)
}

/// Sends what is due; answers how many were tried.
pub async fn witness_heads(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    witnesses::plan(&mut tx, now - EVERY, now).await?;
    let until = now + app.limits.partner_timeout() + MARGIN;
    let due = witnesses::claim(&mut tx, now, until, AT_ONCE).await?;
    tx.commit().await?;
    let outcomes = join_all(due.iter().map(|due| send(app, due, now))).await;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    for (due, outcome) in due.iter().zip(outcomes) {
        let (next, word) = match outcome {
            Ok(()) => (Next::Told, "told".to_owned()),
            Err(why) => {
                let again = now + backoff(due.attempts, PAUSE_MAX, &*app.entropy);
                let over = again > due.asked_at + LIFE;
                tracing::warn!(witness = due.witness, size = due.size, %why, over, "a head did not arrive");
                (if over { Next::GivenUp } else { Next::Again(again) }, why.word())
            }
        };
        witnesses::record(&mut tx, (&due.witness, due.size), next, &word, now).await?;
    }
    tx.commit().await?;
    Ok(due.len())
}

async fn send(app: &App, due: &DueHead, at: Instant) -> std::result::Result<(), Undelivered> {
    let Ok(url) = due.url.parse() else { return Err(Undelivered::Unreachable) };
    let body = json!({
        "type": "tree_head.signed",
        "issuer": app.origin.as_str(),
        "size": due.size,
        "tree_head": due.signed,
        "keys": app.origin.at("/receipts/keys"),
    });
    let name: [u8; 16] = random(&*app.entropy);
    let event = format!("head_{}_{}", due.size, hex::encode(name));
    let telling = Telling { url, secrets: Vec::new(), event, at, body: body.to_string().into_bytes() };
    app.webhooks.deliver(&telling).await
}

//! Tells endpoints of events: routed to those that want them, claimed, sent outside any transaction, and recorded.
//!
//! At least once: what was sent but not recorded is sent again under the same identifier when its lease is over. A
//! delivery is tried with growing pauses for three days. An endpoint that fails is left alone for a while and then gets
//! one attempt at a time, in a lane of its own, so that those in good health never wait for it.

use super::{Result, backoff::backoff, endpoints::secret_place, event::told};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Endpoint, Id},
};
use crate::partner::webhook::{Telling, Undelivered};
use crate::store::{
    delivery::{self, Attempt, Claiming, DueDelivery, Next},
    endpoint::{self, Health},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::collections::BTreeMap;
use time::Duration;

/// How long an event is tried to be told.
const LIFE: Duration = Duration::days(3);
/// The longest pause between two attempts at one delivery.
const PAUSE_MAX: Duration = Duration::hours(6);
/// The longest time that a failing endpoint is left alone: how late it learns that it works again.
const REST_MAX: Duration = Duration::minutes(5);
/// How long what has ended is kept.
const KEPT: Duration = Duration::days(31);
/// How long a claim outlives the deadline of its call.
const LEASE_MARGIN: Duration = Duration::seconds(15);
/// How many deliveries of one healthy endpoint are in flight at once.
const OF_EACH: i64 = 4;
/// How long deliveries are waited for before others are claimed beside them.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(50);
/// How many events are routed in one transaction; fewer means that none waits.
pub const ROUTED_MAX: usize = 500;
/// How many deliveries are given up or forgotten in one transaction.
const MOST: i64 = 500;

/// Which endpoints are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Those whose last attempt succeeded.
    Well,
    /// Those whose last attempt failed, one attempt each.
    Failing,
}

/// Makes deliveries of the events that wait; answers how many events were routed.
pub async fn route_events(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let routed = delivery::route(&mut tx, now, i64::try_from(ROUTED_MAX).unwrap_or(i64::MAX)).await?;
    tx.commit().await?;
    Ok(usize::try_from(routed).unwrap_or(0))
}

/// Gives up what is too old and forgets what ended long ago; answers how many deliveries that touched.
pub async fn tend_deliveries(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let given_up = delivery::give_up(&mut tx, now - LIFE, now, MOST).await?;
    let forgotten = delivery::forget(&mut tx, now - KEPT, MOST).await?;
    tx.commit().await?;
    Ok(usize::try_from(given_up + forgotten).unwrap_or(0))
}

/// Delivers what is due in that lane until nothing is, and answers how much it was. Whoever answers slowly is waited for
/// beside the others: what is done is recorded and what is due is claimed meanwhile.
pub async fn deliver_events(app: &App, lane: Lane) -> Result<usize> {
    let (of_each, most) = room(app, lane);
    let mut under_way = FuturesUnordered::new();
    let mut busy: BTreeMap<Id<Endpoint>, i64> = BTreeMap::new();
    let mut claimed = 0;
    loop {
        let now = app.clock.now();
        let claiming = Claiming {
            now,
            until: now + app.limits.partner_timeout() + LEASE_MARGIN,
            failing: lane == Lane::Failing,
            of_each,
            most: i64::try_from(most.saturating_sub(under_way.len())).unwrap_or(i64::MAX),
            busy: busy.iter().filter(|(_, many)| **many >= of_each).map(|(endpoint, _)| *endpoint).collect(),
        };
        let due = claim_deliveries(app, &claiming).await?;
        claimed += due.len();
        for due in due {
            *busy.entry(due.endpoint).or_default() += 1;
            under_way.push(async move {
                let outcome = tell(app, &due, now).await;
                (due, outcome)
            });
        }
        if under_way.is_empty() {
            return Ok(claimed);
        }
        let done = some_of(&mut under_way).await;
        for (due, _) in &done {
            busy.entry(due.endpoint).and_modify(|many| *many -= 1);
        }
        busy.retain(|_, many| *many > 0);
        let (due, outcomes): (Vec<_>, Vec<_>) = done.into_iter().unzip();
        record_deliveries(app, &due, &outcomes, app.clock.now()).await?;
    }
}

/// How many deliveries of one endpoint, and of all, are in flight at once.
fn room(app: &App, lane: Lane) -> (i64, usize) {
    let of_failing = (app.limits.deliveries_max / 4).max(1);
    match lane {
        Lane::Well => (OF_EACH, app.limits.deliveries_max.saturating_sub(of_failing).max(1)),
        Lane::Failing => (1, of_failing),
    }
}

/// What is done by the time that half of it is, or a moment has passed.
async fn some_of<T>(under_way: &mut FuturesUnordered<impl Future<Output = T>>) -> Vec<T> {
    let enough = under_way.len().div_ceil(2);
    let mut done = Vec::with_capacity(enough);
    let some = async {
        while done.len() < enough {
            match under_way.next().await {
                Some(one) => done.push(one),
                None => break,
            }
        }
    };
    // Too late is no failure: what is done by then counts.
    let _ = tokio::time::timeout(MOMENT, some).await;
    done
}

async fn claim_deliveries(app: &App, claiming: &Claiming) -> Result<Vec<DueDelivery>> {
    if claiming.most < 1 {
        return Ok(Vec::new());
    }
    let mut tx = app.store.begin().await?;
    let due = delivery::claim(&mut tx, claiming).await?;
    tx.commit().await?;
    Ok(due)
}

async fn tell(app: &App, due: &DueDelivery, at: Instant) -> std::result::Result<(), Undelivered> {
    let opened = app.keys.data_key(&due.key, due.agency.uuid().as_bytes()).and_then(|key| {
        due.secrets.iter().map(|secret| key.open(&secret_place(due.endpoint), secret)).collect()
    });
    let Ok(secrets) = opened else {
        tracing::error!(endpoint = %due.endpoint, "the signing key of an endpoint does not open");
        return Err(Undelivered::Unsigned);
    };
    let body = told(&due.body, due.sequence);
    let telling = Telling { url: due.url.clone(), secrets, event: due.event.to_string(), at, body };
    app.webhooks.deliver(&telling).await
}

async fn record_deliveries(
    app: &App,
    due: &[DueDelivery],
    outcomes: &[std::result::Result<(), Undelivered>],
    now: Instant,
) -> Result<()> {
    if due.is_empty() {
        return Ok(());
    }
    let mut attempts = Vec::with_capacity(due.len());
    let mut seen: BTreeMap<Id<Endpoint>, Health> = BTreeMap::new();
    for (due, outcome) in due.iter().zip(outcomes) {
        let (next, word) = match outcome {
            Ok(()) => (Next::Done, "delivered".to_owned()),
            Err(reason) => (after_failure(app, due, now), reason.word()),
        };
        let health = seen.entry(due.endpoint).or_insert_with(|| Health {
            endpoint: due.endpoint,
            failures: due.failures.saturating_add(1),
            rest_until: None,
            outcome: String::new(),
        });
        if next == Next::Done {
            health.failures = 0;
        } else {
            tracing::warn!(endpoint = %due.endpoint, event = %due.event, attempts = due.attempts, outcome = %word,
                gone = (next == Next::Dead), "an event was not delivered");
        }
        health.outcome.clone_from(&word);
        attempts.push(Attempt {
            endpoint: due.endpoint,
            event: due.event,
            attempts: due.attempts,
            next,
            outcome: word,
        });
    }
    for health in seen.values_mut().filter(|health| health.failures > 0) {
        health.rest_until = Some(now + backoff(health.failures, REST_MAX, &*app.entropy));
    }
    let seen: Vec<Health> = seen.into_values().collect();
    let mut tx = app.store.begin().await?;
    delivery::record(&mut tx, &attempts, now).await?;
    endpoint::record_health(&mut tx, &seen).await?;
    Ok(tx.commit().await?)
}

fn after_failure(app: &App, due: &DueDelivery, now: Instant) -> Next {
    let again = now + backoff(due.attempts - due.spent, PAUSE_MAX, &*app.entropy);
    if again > due.asked_at + LIFE { Next::Dead } else { Next::Again(again) }
}

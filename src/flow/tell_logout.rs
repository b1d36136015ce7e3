//! Portals are told that a session ended (OpenID Connect Back-Channel Logout 1.0): written with the end, sent outside
//! any transaction, tried again with growing pauses for a day.
//!
//! The token is signed when it is sent, because it lives for minutes and an attempt may come hours later.

use super::{
    Error, Result,
    backoff::backoff,
    issue_token::{jti, sign_for},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::jwt;
use crate::store::{
    outbox::{self, DueMessage, NewOutbox, Topic},
    portal,
    session::SignedInAt,
};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::Duration;

/// How long a portal is tried to be told.
const LIFE: Duration = Duration::DAY;
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::hours(1);
/// How long a logout token is accepted (section 2.4 recommends two minutes at most).
const TOKEN_LIFE: Duration = Duration::minutes(2);
/// How many are told at once.
const MOST: i64 = 16;
/// What the token says (section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

#[derive(Serialize, Deserialize)]
struct Notice {
    client: String,
    subject: String,
    session: String,
}

/// The outbox row that tells one portal.
pub(super) fn notice(app: &App, at: &SignedInAt, now: Instant) -> Result<NewOutbox> {
    let notice = Notice {
        client: at.client.to_string(),
        subject: at.subject.clone(),
        session: at.session.to_string(),
    };
    let body = serde_json::to_vec(&notice).map_err(Error::internal)?;
    Ok(NewOutbox {
        id: Id::new(now, &*app.entropy),
        at: now,
        topic: Topic::Logout,
        agency: Some(at.agency),
        object: at.session.uuid(),
        name: "session.ended",
        body,
    })
}

enum Outcome {
    Done,
    Later,
    GivenUp,
}

/// Tells the portals that are due; answers how many.
pub async fn tell_logouts(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let lease = app.limits.partner_timeout() + Duration::seconds(15);
    let mut tx = app.store.begin().await?;
    let due = outbox::claim_messages(&mut tx, Topic::Logout, now, lease, MOST).await?;
    tx.commit().await?;
    if due.is_empty() {
        return Ok(0);
    }
    let outcomes = join_all(due.iter().map(|notice| tell(app, notice))).await;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    // Few at a time, each with its own next moment.
    for (notice, outcome) in due.iter().zip(outcomes) {
        let row = (notice.id, notice.at);
        match outcome {
            Outcome::Done => outbox::finish_messages(&mut tx, &[row], true).await?,
            Outcome::GivenUp => outbox::finish_messages(&mut tx, &[row], false).await?,
            Outcome::Later => {
                let again = now + backoff(notice.attempts.into(), PAUSE_MAX, &*app.entropy);
                outbox::put_off(&mut tx, row, again).await?;
            }
        }
    }
    tx.commit().await?;
    Ok(due.len())
}

async fn tell(app: &App, due: &DueMessage) -> Outcome {
    let now = app.clock.now();
    match attempt(app, due, now).await {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::warn!(notice = %due.id, ?error, "a portal was not told that a session ended");
            Outcome::Later
        }
    }
}

async fn attempt(app: &App, due: &DueMessage, now: Instant) -> Result<Outcome> {
    let notice: Notice = serde_json::from_slice(&due.body).map_err(Error::internal)?;
    let client: Id<id::Client> = notice.client.parse().map_err(|_| Error::internal("a notice to nobody"))?;
    let client = portal::find(&app.store, client).await?;
    // Whoever is suspended meanwhile, or has no address any more, need not be told.
    let Some(client) = client.filter(|client| client.may_act(now).is_ok()) else {
        return Ok(Outcome::GivenUp);
    };
    let Some(url) = &client.terms.logout_told_at else { return Ok(Outcome::GivenUp) };
    let claims = json!({
        "iss": app.origin.as_str(),
        "aud": client.id.to_string(),
        "iat": jwt::numeric_date(now),
        "exp": jwt::numeric_date(now + TOKEN_LIFE),
        "jti": jti(app, now),
        "sub": notice.subject,
        "sid": notice.session,
        "events": { EVENT: {} },
    });
    let token = sign_for(app, client.terms.id_token_alg, "logout+jwt", &claims)?;
    match app.webhooks.post_form(url, ("logout_token", &token)).await {
        Ok(()) => Ok(Outcome::Done),
        Err(reason) => {
            let over = now >= due.at + LIFE;
            tracing::warn!(client = %client.id, %reason, attempts = due.attempts, gone = over,
                "a portal was not told that a session ended");
            Ok(if over { Outcome::GivenUp } else { Outcome::Later })
        }
    }
}

//! Hands messages to the gateway: claimed, sent outside any transaction, and recorded.
//!
//! A message that was sent but not recorded goes out twice; a code arriving twice is better than never. One that is
//! older than what it says is given up: a code after minutes, a notice after days.

use super::{Result, message, message::Route};
use crate::app::App;
use crate::partner::messenger::{Letter, Unsent};
use crate::store::outbox::{self, DueMessage, Topic};
use futures_util::future::join_all;
use time::Duration;

/// How many go out at once.
const MOST: i64 = 32;
/// How long a claim holds before another try.
const LEASE: Duration = Duration::seconds(20);
/// How often a code is tried.
const ATTEMPTS_MAX: i16 = 5;
/// After what time a code is worth nothing.
const CODE_LIFE: Duration = Duration::minutes(5);
/// After what time a notice is given up; it is tried all the while, at growing distances.
const NOTICE_LIFE: Duration = Duration::days(3);

/// Delivers what is due; answers how many were claimed.
pub async fn deliver_messages(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let due = outbox::claim_messages(&mut tx, Topic::Message, now, LEASE, MOST).await?;
    tx.commit().await?;
    if due.is_empty() {
        return Ok(0);
    }
    let outcomes = join_all(due.iter().map(|message| deliver(app, message))).await;
    let with = |wanted| {
        let all = due.iter().zip(&outcomes);
        all.filter(move |(_, outcome)| **outcome == wanted).map(|(m, _)| (m.id, m.at)).collect::<Vec<_>>()
    };
    let mut tx = app.store.begin().await?;
    outbox::finish_messages(&mut tx, &with(Outcome::Done), true).await?;
    outbox::finish_messages(&mut tx, &with(Outcome::GivenUp), false).await?;
    tx.commit().await?;
    Ok(due.len())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Later,
    GivenUp,
}

async fn deliver(app: &App, due: &DueMessage) -> Outcome {
    let message = match message::open(app, due.id, &due.body) {
        Ok(message) => message,
        Err(cause) => {
            tracing::error!(message = %due.id, ?cause, "a message cannot be opened");
            return Outcome::GivenUp;
        }
    };
    let (life, tries) =
        if due.name.ends_with(".code") { (CODE_LIFE, ATTEMPTS_MAX) } else { (NOTICE_LIFE, i16::MAX) };
    if app.clock.now() >= due.at + life {
        return Outcome::GivenUp;
    }
    let sent = match message.route {
        Route::Sms { to: None } => return Outcome::Done,
        Route::Sms { to: Some(to) } => app.messenger.send(&to, &message.text).await,
        Route::Mail { to, subject } => {
            app.messenger.send_mail(&Letter { to, subject, text: message.text }).await
        }
    };
    match sent {
        Ok(()) => Outcome::Done,
        // Who carries no e-mail will not carry this letter later; the page and the SMS say the same.
        Err(Unsent::NoMail) => Outcome::GivenUp,
        Err(reason) => {
            tracing::warn!(message = %due.id, %reason, attempts = due.attempts, "a message did not go out");
            if due.attempts >= tries { Outcome::GivenUp } else { Outcome::Later }
        }
    }
}

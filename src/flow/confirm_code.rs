//! A person answers the challenge.

use super::{
    Result,
    audit_leaf::{Concern, leaf},
    disclosure,
    population::{self, OnRecord},
    sign_in::{Step, advance, lock, portal_of, unfit},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::digest::sha256;
use crate::identity::{
    authenticator::{Attempt, Method, OneTimeCode},
    authorization::{Authorization, Cause, Confirmation, Event, Refusal, State},
    session::Session,
};
use crate::store::{Tx, audit, session};
use serde_json::json;
use time::Duration;

/// How long a session lasts.
pub const SESSION_LIFE: Duration = Duration::hours(8);

/// What became of the answer.
pub enum Confirmed {
    /// The person is known; this is their session.
    SignedIn {
        /// What the cookie holds.
        session: Token,
    },
    /// The code is wrong; so many tries are left.
    Wrong {
        /// Tries left.
        tries_left: u8,
    },
    /// The code cannot be used any more.
    Spent,
    /// The code is right, but the person may not sign in any more.
    Barred,
}

/// Takes the code that a person typed. `cookie` is the session that the browser had, which ends: whoever signs in
/// starts afresh.
pub async fn confirm_code(
    app: &App,
    step: &Step,
    code: &OneTimeCode,
    cookie: Option<&Session>,
) -> Result<Confirmed> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let State::Challenged(challenge) = &authorization.state else {
        return Err(unfit(Refusal::NotChallenged));
    };
    let bound = code.bound_to(authorization.id);
    let answer = app.keys.lookup("one_time_code", bound.expose().as_bytes());
    match challenge.judge(&answer, now) {
        Attempt::Spent => Ok(Confirmed::Spent),
        Attempt::Wrong { tries_left } => {
            advance(&mut tx, &authorization, Event::Miss, now).await?;
            tx.commit().await?;
            Ok(Confirmed::Wrong { tries_left })
        }
        Attempt::Right(citizen) => {
            let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
            match looked.on_record.filter(|holder| disclosure::may_sign_in(&holder.person)) {
                None => {
                    advance(&mut tx, &authorization, Event::Refuse(Cause::Barred), now).await?;
                    tx.commit().await?;
                    Ok(Confirmed::Barred)
                }
                Some(holder) => {
                    if let Some(before) = cookie {
                        session::end(&mut tx, before.id, now).await?;
                    }
                    open_session(app, tx, &authorization, &holder, now).await
                }
            }
        }
    }
}

async fn open_session(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    holder: &OnRecord,
    now: Instant,
) -> Result<Confirmed> {
    let method = Method::SmsCode;
    let token = Token::new(TokenKind::Session, &*app.entropy);
    let id: Id<id::Session> = Id::new(now, &*app.entropy);
    let session = Session {
        id,
        citizen: holder.citizen,
        method,
        authenticated_at: now,
        expires_at: now + SESSION_LIFE,
        ended_at: None,
    };
    population::meet(app, &mut tx, holder, now).await?;
    session::insert(&mut tx, &session, &sha256(token.expose().as_bytes())).await?;
    let confirmation = Confirmation { citizen: holder.citizen, session: id, method, authenticated_at: now };
    advance(&mut tx, authorization, Event::Confirm(confirmation), now).await?;
    let client = portal_of(app, authorization).await?;
    let concern = Concern {
        citizen: Some(holder.citizen),
        agency: client.as_ref().map(|c| c.agency),
        object: authorization.id.uuid(),
    };
    let details = json!({
        "authorization": authorization.id.to_string(),
        "client": client.as_ref().map(|c| c.id.to_string()),
        "method": method.word(),
        "acr": method.assurance().acr(),
    });
    audit::append(&mut tx, &[leaf(app, now, "sign_in.confirmed", concern, &holder.key, &details)]).await?;
    tx.commit().await?;
    Ok(Confirmed::SignedIn { session: token })
}

/// It is somebody else's turn at this browser: whoever was signed in is signed out.
pub async fn start_over(app: &App, step: &Step, cookie: Option<&Session>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    advance(&mut tx, &authorization, Event::StartOver, now).await?;
    if let Some(before) = cookie {
        session::end(&mut tx, before.id, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

//! A person answers the challenge.

use super::{
    Result,
    audit_leaf::{Concern, leaf},
    locks,
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
use crate::store::{
    Tx,
    audit::{self, NewLeaf},
    session,
};
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
            if tries_left == 0 {
                record_failure(app, &mut tx, &authorization, challenge.citizen, now).await?;
            }
            tx.commit().await?;
            Ok(Confirmed::Wrong { tries_left })
        }
        Attempt::Right(citizen) => {
            let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
            let what = authorization.used_by(Method::SmsCode);
            let may = match &looked.on_record {
                Some(holder) => locks::may_sign_in(&mut tx, holder, what, now).await?,
                None => false,
            };
            match looked.on_record {
                Some(holder) if may => {
                    if let Some(before) = cookie {
                        session::end(&mut tx, before.id, now).await?;
                    }
                    open_session(app, tx, &authorization, &holder, now).await
                }
                holder => {
                    advance(&mut tx, &authorization, Event::Refuse(Cause::Barred), now).await?;
                    if let Some(holder) = holder {
                        let barred = refusal(app, &authorization, "sign_in.barred", Some(&holder), now);
                        audit::append(&mut tx, &[barred]).await?;
                    }
                    tx.commit().await?;
                    Ok(Confirmed::Barred)
                }
            }
        }
    }
}

/// The tries are used up: the citizen can read later that somebody tried. A number of nobody gets a leaf too, under a
/// name and a key that nobody has, so that it costs the same time.
async fn record_failure(
    app: &App,
    tx: &mut Tx,
    authorization: &Authorization,
    citizen: Option<Id<id::Citizen>>,
    now: Instant,
) -> Result<()> {
    let sought = citizen.unwrap_or_else(|| Id::new(now, &*app.entropy));
    let looked = population::look_up_citizen(app, tx, sought).await?;
    let failed = refusal(app, authorization, "sign_in.failed", looked.on_record.as_deref(), now);
    Ok(audit::append(tx, &[failed]).await?)
}

fn refusal(
    app: &App,
    authorization: &Authorization,
    kind: &'static str,
    holder: Option<&OnRecord>,
    now: Instant,
) -> NewLeaf {
    let concern =
        Concern { citizen: holder.map(|h| h.citizen), agency: None, object: authorization.id.uuid() };
    let details = json!({ "authorization": authorization.id.to_string() });
    let (nobodys, _) = app.keys.new_data_key(&*app.entropy, authorization.id.uuid().as_bytes());
    leaf(app, now, kind, concern, holder.map_or(&nobodys, |h| &h.key), &details)
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

//! A person answers the challenge: with the code that was sent, or with the one that their app shows.

use super::{
    Result,
    audit_leaf::{Concern, leaf},
    authenticators, end_session,
    limit_attempts::{self, Visitor},
    open_session::{Proof, SignedIn, bar, open_session},
    population,
    sign_in::{Step, advance, lock, unfit},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::identity::{
    assurance::Assurance,
    authenticator::{Attempt, Challenge, Method, OneTimeCode},
    authorization::{Authorization, Event, Refusal, State},
    limit::{Act, Limited},
    session::Session,
};
use crate::store::{Tx, audit};
use serde_json::json;

/// What became of the answer.
pub enum Confirmed {
    /// The person is known; this is what their browser keeps.
    SignedIn(SignedIn),
    /// The code is wrong; so many tries are left.
    Wrong {
        /// Tries left.
        tries_left: u8,
    },
    /// The code cannot be used any more.
    Spent,
    /// Too many wrong codes came; this one was not looked at.
    Limited(Limited),
    /// The code is right, but the person may not sign in any more.
    Barred,
}

/// Takes the code that a person typed. `cookie` is the session that the browser had, which ends: whoever signs in
/// starts afresh.
pub async fn confirm_code(
    app: &App,
    step: &Step,
    code: &OneTimeCode,
    (visitor, cookie): (&Visitor, Option<&Session>),
) -> Result<Confirmed> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let State::Challenged(challenge) = &authorization.state else {
        return Err(unfit(Refusal::NotChallenged));
    };
    let guess = limit_attempts::Attempt {
        acts: if challenge.method == Method::AppCode { &[Act::GuessApp] } else { &[Act::Guess] },
        number_hash: &challenge.number_hash,
        client: authorization.client(),
        visitor,
    };
    if let Some(limited) = limit_attempts::check(app, &mut tx, guess, now).await? {
        return Ok(Confirmed::Limited(limited));
    }
    let (attempt, proof) = judge(app, &mut tx, &authorization, challenge, code, now).await?;
    match attempt {
        Attempt::Spent => Ok(Confirmed::Spent),
        Attempt::Wrong { tries_left } => {
            advance(&mut tx, &authorization, Event::Miss, now).await?;
            limit_attempts::count(app, &mut tx, guess, now).await?;
            if tries_left == 0 {
                record_failure(app, &mut tx, &authorization, challenge.citizen, now).await?;
            }
            tx.commit().await?;
            Ok(Confirmed::Wrong { tries_left })
        }
        Attempt::Right(citizen) => {
            let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
            let Some(holder) = looked.on_record else {
                bar(app, tx, &authorization, None, now).await?;
                return Ok(Confirmed::Barred);
            };
            let signed_in =
                open_session(app, tx, &authorization, &holder, proof, (visitor, cookie), now).await?;
            Ok(signed_in.map_or(Confirmed::Barred, Confirmed::SignedIn))
        }
    }
}

/// What the answer is worth, and what it would prove. The step of an app is used up by a right answer.
async fn judge(
    app: &App,
    tx: &mut Tx,
    authorization: &Authorization,
    challenge: &Challenge,
    code: &OneTimeCode,
    now: Instant,
) -> Result<(Attempt, Proof)> {
    if challenge.method != Method::AppCode {
        let bound = code.bound_to(authorization.id);
        let answer = app.keys.lookup("one_time_code", bound.expose().as_bytes());
        let proof = Proof { method: Method::SmsCode, reached: Assurance::Low, with: None };
        return Ok((challenge.judge(&answer, now), proof));
    }
    let open = !matches!(challenge.judge_app(false, now), Attempt::Spent);
    // A number of nobody is looked up too, under a name that nobody has, which is drawn for everybody.
    let nobody: Id<id::Citizen> = Id::new(now, &*app.entropy);
    let citizen = challenge.citizen.unwrap_or(nobody);
    let used = if open { authenticators::use_app(app, tx, citizen, code, now).await? } else { None };
    let proof = Proof {
        method: Method::AppCode,
        reached: used.as_ref().map_or(Assurance::Low, |used| used.reached),
        with: used.as_ref().map(|used| used.id),
    };
    Ok((challenge.judge_app(used.is_some(), now), proof))
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
    let nobody: Id<id::Citizen> = Id::new(now, &*app.entropy);
    let looked = population::look_up_citizen(app, tx, citizen.unwrap_or(nobody)).await?;
    let holder = looked.on_record;
    let object = authorization.id.uuid();
    let concern = Concern { citizen: holder.as_ref().map(|h| h.citizen), agency: None, object };
    let details = json!({ "authorization": authorization.id.to_string() });
    let (nobodys, _) = app.keys.new_data_key(&*app.entropy, object.as_bytes());
    let key = holder.as_ref().map_or(&nobodys, |h| &h.key);
    Ok(audit::append(tx, &[leaf(app, now, "sign_in.failed", concern, key, &details)]).await?)
}

/// It is somebody else's turn at this browser: whoever was signed in is signed out.
pub async fn start_over(app: &App, step: &Step, cookie: Option<&Session>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    advance(&mut tx, &authorization, Event::StartOver, now).await?;
    if let Some(before) = cookie {
        end_session::close(app, &mut tx, before.id, before.citizen, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

//! An officer vouches for a sign-in: the one way to the highest level in a browser.
//!
//! The browser shows a code. At a counter the officer reads the citizen's chip card, sees the person, types the code,
//! is shown what it signs in to, and says that it is this person's; the reading of the card is used up by that. The
//! browser goes on as the holder of the card, at `in_person`, which lasts an hour. Without a phone, a passkey or an app
//! this is a way like any other; and a session that is there already is raised by it, like by any stronger way.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
    limit_attempts::Visitor,
    open_session::{Proof, SignedIn, open_session},
    population,
    serve_at_counter::{Served, served, spend},
    sign_in::{Step, lock, portal_in, unfit},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{CardCheck, Id},
};
use crate::crypto::digest::Digest;
use crate::identity::{
    assurance::Assurance,
    authenticator::Method,
    authorization::{Authorization, Refusal as Unfit, State},
    client::Wording,
    notice::NoticeCode,
    session::Session,
};
use crate::store::{Tx, audit, authorization, vouched};
use serde_json::json;
use time::Duration;

/// How long a code is shown: the time at a counter.
const CODE_LIFE: Duration = Duration::minutes(10);

/// The strongest sign-in that this service offers.
pub fn reachable(app: &App) -> Assurance {
    let remote = Method::strongest(app.national_id.is_some());
    if is_offered(app) { remote.max(Method::ChipCard.assurance()) } else { remote }
}

/// Whether chip cards are read here at all.
pub fn is_offered(app: &App) -> bool {
    !app.card_anchors.is_empty()
}

/// A code for the browser to show.
pub struct Shown {
    /// What the officer types.
    pub code: NoticeCode,
    /// Until when.
    pub expires_at: Instant,
}

/// Draws a code for a sign-in that awaits somebody.
pub async fn show_code(app: &App, step: &Step) -> Result<Shown> {
    if !is_offered(app) {
        return Err(Error::not_found());
    }
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    awaits_somebody(&authorization, now)?;
    let code = NoticeCode::new(&*app.entropy);
    let expires_at = (now + CODE_LIFE).min(authorization.expires_at);
    vouched::put_code(&mut tx, authorization.id, &digest(app, &code), now, expires_at).await?;
    tx.commit().await?;
    Ok(Shown { code, expires_at })
}

/// What an officer is about to vouch for.
pub struct Vouching {
    /// Whose card was read.
    pub person: String,
    /// The portal; `None` for a page of this service.
    pub portal: Option<Wording>,
    /// When the sign-in began.
    pub started_at: Instant,
}

/// Shows an officer which sign-in a code stands for. Nothing is used up.
pub async fn preview(
    app: &App,
    officer: &Session,
    check: Id<CardCheck>,
    code: &NoticeCode,
) -> Result<Vouching> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let (served, authorization) = meant(app, &mut tx, officer, check, code, now).await?;
    let portal = portal_in(&mut tx, &authorization).await?.map(|client| client.name);
    let person = served.holder.person.name.as_str().to_owned();
    Ok(Vouching { person, portal, started_at: authorization.started_at })
}

/// The officer says that the sign-in is the person's whose card was read: once, and with this reading.
pub async fn vouch(app: &App, officer: &Session, check: Id<CardCheck>, code: &NoticeCode) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let (served, authorization) = meant(app, &mut tx, officer, check, code, now).await?;
    spend(&mut tx, officer, &served, "sign_in", authorization.id.uuid(), now).await?;
    let Served { holder, agency } = served;
    if !vouched::vouch(&mut tx, authorization.id, (holder.citizen, officer.citizen, agency), now).await? {
        return Err(Error::not_found());
    }
    let client = portal_in(&mut tx, &authorization).await?;
    let concern =
        Concern { citizen: Some(holder.citizen), agency: Some(agency), object: authorization.id.uuid() };
    let details = json!({
        "authorization": authorization.id.to_string(),
        "agency": agency.to_string(),
        "officer": officer.citizen.to_string(),
        "card_check": check.to_string(),
        "client": client.map(|client| client.id.to_string()),
    });
    let said = leaf(app, now, "sign_in.vouched", concern, &holder.key, &details);
    audit::append(&mut tx, &[said]).await?;
    Ok(tx.commit().await?)
}

/// What became of a browser that goes on.
pub enum WentOn {
    /// It is signed in; this is what it keeps.
    SignedIn(SignedIn),
    /// No officer has vouched for it, or the time is over.
    NotYet,
    /// The person may not sign in.
    Barred,
}

/// The browser goes on once the officer has vouched for it. `cookie` is the session that it had, which ends.
pub async fn go_on(
    app: &App,
    step: &Step,
    (visitor, cookie): (&Visitor, Option<&Session>),
) -> Result<WentOn> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    awaits_somebody(&authorization, now)?;
    let Some(citizen) = vouched::use_up(&mut tx, authorization.id, now).await? else {
        return Ok(WentOn::NotYet);
    };
    let holder = population::look_up_citizen(app, &mut tx, citizen).await?.on_record;
    let holder = holder.ok_or(Error::not_found())?;
    let proof = Proof { method: Method::ChipCard, reached: Method::ChipCard.assurance(), with: None };
    let done = open_session(app, tx, &authorization, &holder, proof, (visitor, cookie), now).await?;
    Ok(done.map_or(WentOn::Barred, WentOn::SignedIn))
}

/// The citizen whose card this officer has read, and the sign-in of that code.
async fn meant(
    app: &App,
    tx: &mut Tx,
    officer: &Session,
    check: Id<CardCheck>,
    code: &NoticeCode,
    now: Instant,
) -> Result<(Served, Authorization)> {
    let served = served(app, tx, officer, check, now).await?;
    let unknown = || Error::Refused(Refusal::new("vouching_code_unknown").violation("code", "unknown", None));
    let found = vouched::by_code(tx, &digest(app, code), now).await?.ok_or_else(unknown)?;
    let bound = authorization::find_and_lock(tx, found).await?.ok_or_else(unknown)?;
    if awaits_somebody(&bound.authorization, now).is_err() {
        return Err(unknown());
    }
    Ok((served, bound.authorization))
}

fn awaits_somebody(authorization: &Authorization, now: Instant) -> Result<()> {
    match authorization.state {
        State::Started | State::Challenged(_) if now < authorization.expires_at => Ok(()),
        State::Started | State::Challenged(_) => Err(unfit(Unfit::Expired)),
        _ => Err(unfit(Unfit::AlreadyConfirmed)),
    }
}

fn digest(app: &App, code: &NoticeCode) -> Digest {
    app.keys.lookup("vouched_sign_in", code.expose().as_bytes())
}

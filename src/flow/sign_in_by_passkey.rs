//! A passkey signs its holder in. No number is typed, so nothing is learned about numbers and nothing is counted: an
//! answer is a signature over this sign-in's own challenge, which nobody guesses.

use super::{
    Error, Result, authenticators,
    limit_attempts::Visitor,
    open_session::{Proof, SignedIn, open_session},
    population,
    sign_in::{Step, lock, unfit},
};
use crate::app::App;
use crate::base::id::{Citizen, Id};
use crate::crypto::{digest::sha256, passkey::RelyingParty};
use crate::identity::{
    authenticator::{Method, strength},
    authorization::{Authorization, Refusal, State},
    session::Session,
};
use crate::store::{
    authenticator,
    ceremony::{self, Ceremony, Purpose},
};
use time::Duration;
use uuid::Uuid;

/// How long a browser has to answer.
pub(super) const CEREMONY_LIFE: Duration = Duration::minutes(5);
/// How many answers one ceremony bears: a person may choose the wrong passkey first.
const ANSWERS_MAX: u8 = 5;

/// What became of a passkey's answer.
pub enum Answered {
    /// The person is known; this is what their browser keeps.
    SignedIn(SignedIn),
    /// It proves nothing: another site, an old challenge, a removed passkey.
    NotAccepted,
    /// It is right, but the person may not sign in.
    Barred,
}

/// Begins the ceremony; gives what the page's script asks the browser.
pub async fn begin_passkey_sign_in(app: &App, step: &Step) -> Result<String> {
    let party = party(app)?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    awaits_somebody(&authorization)?;
    let begun = party.begin_sign_in().map_err(Error::internal)?;
    let ceremony = Ceremony {
        state: begun.state,
        generation: 0,
        tries_left: ANSWERS_MAX,
        expires_at: now + CEREMONY_LIFE,
    };
    ceremony::begin(&mut tx, authorization.id.uuid(), Purpose::SignIn, &ceremony).await?;
    tx.commit().await?;
    Ok(begun.options)
}

/// Takes the browser's answer. `cookie` is the session that it had, which ends.
pub async fn confirm_passkey(
    app: &App,
    step: &Step,
    answer: &str,
    (visitor, cookie): (&Visitor, Option<&Session>),
) -> Result<Answered> {
    let party = party(app)?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    awaits_somebody(&authorization)?;
    let owner = authorization.id.uuid();
    let Some(begun) = ceremony::find(&mut tx, owner, Purpose::SignIn, now).await? else {
        return Ok(Answered::NotAccepted);
    };
    ceremony::miss(&mut tx, owner, Purpose::SignIn).await?;
    let claimed = party.claimed(answer).ok();
    let found = match &claimed {
        Some(claimed) => authenticator::find_passkey(&mut tx, &sha256(&claimed.id)).await?,
        None => None,
    };
    let (Some(claimed), Some(stored)) = (claimed, found) else {
        tx.commit().await?;
        return Ok(Answered::NotAccepted);
    };
    let holder = population::look_up_citizen(app, &mut tx, stored.citizen).await?.on_record;
    let Some(holder) = holder.filter(|holder| claimed.handle == handle(app, holder.citizen)) else {
        tx.commit().await?;
        return Ok(Answered::NotAccepted);
    };
    let place = authenticators::place("material", stored.id);
    let credential = holder.key.open(&place, &stored.material)?;
    let Ok(credential) = party.finish_sign_in(&begun.state, answer, credential.expose()) else {
        tx.commit().await?;
        return Ok(Answered::NotAccepted);
    };
    let sealed = holder.key.seal(&*app.entropy, &place, &credential);
    authenticator::use_passkey(&mut tx, stored.id, &sealed, now).await?;
    ceremony::end(&mut tx, owner, Purpose::SignIn).await?;
    let proof = Proof {
        method: Method::Passkey,
        reached: strength(Method::Passkey, stored.trusted_from, now),
        with: Some(stored.id),
    };
    let signed_in = open_session(app, tx, &authorization, &holder, proof, (visitor, cookie), now).await?;
    Ok(signed_in.map_or(Answered::Barred, Answered::SignedIn))
}

/// Whether passkeys work at this service's address at all.
pub fn offers_passkeys(app: &App) -> bool {
    RelyingParty::of(&app.origin).is_some()
}

pub(super) fn party(app: &App) -> Result<RelyingParty> {
    RelyingParty::of(&app.origin).ok_or(Error::refused("passkeys_not_offered"))
}

/// The handle by which passkeys name a citizen: it says nothing to whoever reads it from the device.
pub(super) fn handle(app: &App, citizen: Id<Citizen>) -> Uuid {
    let digest = app.keys.lookup("passkey_handle", citizen.uuid().as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(half)
}

fn awaits_somebody(authorization: &Authorization) -> Result<()> {
    match authorization.state {
        State::Started | State::Challenged(_) => Ok(()),
        _ => Err(unfit(Refusal::AlreadyConfirmed)),
    }
}

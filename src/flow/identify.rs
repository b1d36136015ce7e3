//! A person says who they are; a code goes to the phone on record, if there is one, or the one of their app is awaited.
//!
//! A number that is on nobody's record, or whose holder may not sign in, takes the same path with the same writes: a
//! code is drawn, digested, counted and put into the outbox, addressed to nobody.

use super::{
    Error, Result,
    contact::{Contact, contact_of},
    disclosure,
    limit_attempts::{self, Attempt, Visitor},
    locks,
    population::{self, OnRecord},
    population_copy::hear_number,
    short_message::{self, ShortMessage, written},
    sign_in::{Step, advance, lock, portal_in, unfit},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Citizen, Id},
    text::Lang,
};
use crate::crypto::digest::Digest;
use crate::identity::{
    authenticator::{Challenge, CodeRules, Method, OneTimeCode, SendRefusal},
    authorization::{Authorization, Event, Refusal, State},
    client::Client,
    limit::{Act, Limited},
    lock::Use,
    personal_number::PersonalNumber,
    question::Heard,
};
use crate::store::{Tx, contact};
use crate::text::Texts;
use time::Duration;

/// How a look-up for a sign-in names its service and, since the citizen acts alone, its officer.
const SIGN_IN_SERVICE: &str = "chung.sign-in";
const SIGN_IN_OFFICER: &str = "citizen";

/// How a person wants to prove who they are, once the number is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A code by SMS.
    Sms,
    /// The code that their app shows.
    App,
}

impl Way {
    /// What is counted where a number is typed for it.
    const fn acts(self) -> &'static [Act] {
        match self {
            Self::Sms => &[Act::Ask, Act::Send],
            Self::App => &[Act::Ask],
        }
    }
}

/// What the person is told; it never depends on what the register knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identified {
    /// The page that asks for the code.
    CodeSent,
    /// Too many came.
    Limited(Limited),
    /// The code before is too fresh, or this sign-in has used up its codes.
    NotAgain(SendRefusal),
    /// The portal's agency has used up its SMS of this month.
    Capped,
}

/// Takes the number that a person typed.
pub async fn identify(
    app: &App,
    step: &Step,
    number: PersonalNumber,
    way: Way,
    visitor: &Visitor,
) -> Result<Identified> {
    let hash = population::number_hash(app, &number);
    if app.population.source.is_some()
        && let Some(limited) = limited_before(app, step, &hash, way, visitor).await?
    {
        return Ok(Identified::Limited(limited));
    }
    hear(app, number).await?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let sends = match &authorization.state {
        State::Started => 0,
        State::Challenged(before) => before.sends,
        _ => {
            return Err(unfit(
                authorization.after(Event::Miss, now).err().unwrap_or(Refusal::AlreadyConfirmed),
            ));
        }
    };
    let attempt = Attempt { acts: way.acts(), number_hash: &hash, client: authorization.client(), visitor };
    if let Some(limited) = limit_attempts::count(app, &mut tx, attempt, now).await? {
        tx.commit().await?;
        return Ok(Identified::Limited(limited));
    }
    let looked = population::look_up(app, &mut tx, number).await?;
    challenge(app, tx, &authorization, Target { hash, holder: looked.on_record, sends, way }, now).await
}

/// The limit that this attempt would break, so that no register is asked about it; nothing is written, for a number that
/// is known as for any other.
async fn limited_before(
    app: &App,
    step: &Step,
    number_hash: &Digest,
    way: Way,
    visitor: &Visitor,
) -> Result<Option<Limited>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let client = lock(&mut tx, step).await?.client();
    let attempt = Attempt { acts: way.acts(), number_hash, client, visitor };
    limit_attempts::check(app, &mut tx, attempt, now).await
}

/// A remote register is asked first. While it is silent nobody signs in, known here or not, and no attempt is counted:
/// whoever looks on learns nothing from it.
async fn hear(app: &App, number: PersonalNumber) -> Result<()> {
    match hear_number(app, number, SIGN_IN_SERVICE, SIGN_IN_OFFICER).await? {
        Heard::Nothing => Err(Error::Unavailable(super::Refusal::new("register_unavailable"))),
        Heard::Own | Heard::Known { .. } | Heard::Unknown { .. } => Ok(()),
    }
}

/// Awaits another code for the number that was typed before: sends one, or goes over to the app's.
pub async fn ask_again(app: &App, step: &Step, way: Way, visitor: &Visitor) -> Result<Identified> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let State::Challenged(before) = &authorization.state else {
        return Err(unfit(Refusal::NotChallenged));
    };
    if way == Way::Sms {
        if let Err(refusal) = before.may_send_again(&code_rules(app), now) {
            return Ok(Identified::NotAgain(refusal));
        }
        let (acts, number_hash) = (&[Act::Send], &before.number_hash);
        let attempt = Attempt { acts, number_hash, client: authorization.client(), visitor };
        if let Some(limited) = limit_attempts::count(app, &mut tx, attempt, now).await? {
            tx.commit().await?;
            return Ok(Identified::Limited(limited));
        }
    }
    // Nobody is looked up too, under a name that nobody has, which is drawn for everybody.
    let nobody = Id::new(now, &*app.entropy);
    let citizen = before.citizen.unwrap_or(nobody);
    let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
    let target = Target { hash: before.number_hash, holder: looked.on_record, sends: before.sends, way };
    challenge(app, tx, &authorization, target, now).await
}

/// The life of a code, as it is configured.
fn code_rules(app: &App) -> CodeRules {
    let limits = &app.limits;
    CodeRules {
        life: Duration::milliseconds(limits.code_life_ms.into()),
        tries_max: limits.code_tries_max,
        resend_after: Duration::milliseconds(limits.code_pause_ms.into()),
        sends_max: limits.codes_per_sign_in_max,
    }
}

struct Target {
    hash: Digest,
    holder: Option<Box<OnRecord>>,
    sends: u8,
    way: Way,
}

async fn challenge(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    target: Target,
    now: Instant,
) -> Result<Identified> {
    let rules = code_rules(app);
    let client = portal_in(&mut tx, authorization).await?;
    if target.way == Way::Sms
        && let Some(client) = &client
        && !short_message::within_cap(app, &mut tx, client.agency, now).await?
    {
        return Ok(Identified::Capped);
    }
    // Nobody gets a code that a lock makes useless; asking about nobody's locks takes the same time.
    let method = if target.way == Way::Sms { Method::SmsCode } else { Method::AppCode };
    let nobody: Id<Citizen> = Id::new(now, &*app.entropy);
    let sought = target.holder.as_ref().map_or(nobody, |holder| holder.citizen);
    let locked = locks::forbids(&mut tx, sought, Use::Page(method), now).await?;
    let contact = match &target.holder {
        Some(holder) => contact_of(&mut tx, holder).await?,
        None => {
            contact::find(&mut tx, nobody).await?;
            Contact::default()
        }
    };
    let reachable = target
        .holder
        .as_ref()
        .map(|holder| (holder, &contact))
        .filter(|(holder, _)| !locked && disclosure::is_open(&holder.person))
        .filter(|(_, contact)| target.way == Way::App || contact.phone.is_some());
    let code = OneTimeCode::new(&*app.entropy);
    let bound = code.bound_to(authorization.id);
    let event = Event::Challenge(Challenge {
        method,
        number_hash: target.hash,
        citizen: reachable.map(|(holder, _)| holder.citizen),
        digest: app.keys.lookup("one_time_code", bound.expose().as_bytes()),
        sent_at: now,
        expires_at: now + rules.life,
        tries_left: rules.tries_max,
        sends: target.sends.saturating_add(u8::from(target.way == Way::Sms)),
    });
    advance(&mut tx, authorization, event, now).await?;
    if target.way == Way::Sms {
        let text = sms(&code, reachable.map(|(h, _)| h.person.name.as_str()), client.as_ref());
        let to = reachable.and_then(|(_, contact)| contact.phone.as_ref());
        let (name, object) = ("sign_in.code", authorization.id.uuid());
        let sms = ShortMessage { name, object, to, agency: client.map(|c| c.agency), text };
        short_message::send(app, &mut tx, sms, now).await?;
    }
    tx.commit().await.map_err(Error::from)?;
    Ok(Identified::CodeSent)
}

/// The one segment that names the person and the portal, both shortened to fit.
fn sms(code: &OneTimeCode, name: Option<&str>, client: Option<&Client>) -> String {
    let page = || Texts::embedded().get(Lang::Vi, "sign-in-sms-page").into_owned();
    let portal = client.map_or_else(page, |c| c.name.vi.as_str().to_owned());
    written("sign-in-sms", name.unwrap_or("Nguyen Van A"), &portal, &[("code", code.expose())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::entropy::SeededEntropy, codec::gsm7::segments};

    #[test]
    fn the_message_is_one_plain_segment_that_names_the_person() {
        let code = OneTimeCode::new(&SeededEntropy::new(1));
        let long = "Nguyễn Hoàng Phương Thảo Nguyênnnnnnnnnnnnnnnnnnnnnnnnnnn";
        for name in [Some("Nguyễn Thị Hòa"), Some(long), None] {
            let text = sms(&code, name, None);
            assert_eq!(segments(&text), Some(1), "{text}");
            assert!(text.starts_with(code.expose()) && !text.contains("http"), "{text}");
        }
        assert!(sms(&code, Some("Nguyễn Thị Hòa"), None).contains("Hoa N.T."));
    }
}

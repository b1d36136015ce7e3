//! A person says who they are; a code goes to the phone on record, if there is one.
//!
//! A number that is on nobody's record, or whose holder may not sign in, takes the same path with the same writes: a
//! code is drawn, digested, counted and put into the outbox, addressed to nobody.

use super::{
    Error, Result, disclosure, locks, message,
    message::Message,
    population::{self, OnRecord},
    sign_in::{Step, advance, lock, portal_of, unfit},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::Id,
    text::{Lang, unaccented},
};
use crate::crypto::digest::Digest;
use crate::identity::{
    authenticator::{
        Challenge, CodeRules, Counter, Method, OneTimeCode, SendLimits, SendRefusal, short_name,
    },
    authorization::{Authorization, Errand, Event, Refusal, State},
    client::Client,
    lock::Use,
    personal_number::PersonalNumber,
};
use crate::store::{Tx, code_counter, outbox};
use crate::text::Texts;
use std::net::IpAddr;
use time::Duration;

/// The longest text that one SMS carries (GSM 03.38, seven bits).
pub const SEGMENT: usize = 160;

/// What the person is told; it never depends on what the register knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identified {
    /// The page that asks for the code.
    CodeSent,
    /// Too many codes were asked for; the attempt was counted.
    Limited {
        /// When the next window begins.
        until: Instant,
    },
    /// The code before is too fresh, or this sign-in has used up its codes.
    NotAgain(SendRefusal),
}

/// Takes the number that a person typed.
pub async fn identify(app: &App, step: &Step, number: PersonalNumber, from: IpAddr) -> Result<Identified> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let sends = match &authorization.state {
        State::Started => 1,
        State::Challenged(before) => before.sends.saturating_add(1),
        _ => {
            return Err(unfit(
                authorization.after(Event::Miss, now).err().unwrap_or(Refusal::AlreadyConfirmed),
            ));
        }
    };
    let hash = population::number_hash(app, &number);
    if let Some(limited) = count(app, &mut tx, &authorization, &hash, from, now).await? {
        tx.commit().await?;
        return Ok(limited);
    }
    let looked = population::look_up(app, &mut tx, number).await?;
    let target = Target { hash, holder: looked.on_record, sends };
    challenge(app, tx, &authorization, target, now).await
}

/// Sends another code for the number that was typed before.
pub async fn send_again(app: &App, step: &Step, from: IpAddr) -> Result<Identified> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let authorization = lock(&mut tx, step).await?;
    let State::Challenged(before) = &authorization.state else {
        return Err(unfit(Refusal::NotChallenged));
    };
    if let Err(refusal) = before.may_send_again(&code_rules(app), now) {
        return Ok(Identified::NotAgain(refusal));
    }
    if let Some(limited) = count(app, &mut tx, &authorization, &before.number_hash, from, now).await? {
        tx.commit().await?;
        return Ok(limited);
    }
    // Nobody is looked up too, under a name that nobody has.
    let citizen = before.citizen.unwrap_or_else(|| Id::new(now, &*app.entropy));
    let looked = population::look_up_citizen(app, &mut tx, citizen).await?;
    let target =
        Target { hash: before.number_hash, holder: looked.on_record, sends: before.sends.saturating_add(1) };
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

/// How many codes may be asked for across sign-ins, as it is configured.
fn send_limits(app: &App) -> SendLimits {
    let limits = &app.limits;
    SendLimits {
        window: Duration::hours(1),
        per_number_max: limits.codes_per_number_max.into(),
        per_address_max: limits.codes_per_address_max.into(),
        per_portal_max: limits.codes_per_portal_max.into(),
    }
}

struct Target {
    hash: Digest,
    holder: Option<Box<OnRecord>>,
    sends: u8,
}

async fn count(
    app: &App,
    tx: &mut Tx,
    authorization: &Authorization,
    number_hash: &Digest,
    from: IpAddr,
    now: Instant,
) -> Result<Option<Identified>> {
    let limits = send_limits(app);
    let address = app.keys.lookup("address", from.to_string().as_bytes());
    let mut keys = vec![(Counter::Number, number_hash.to_vec()), (Counter::Address, address.to_vec())];
    if let Errand::Portal { client, .. } = &authorization.errand {
        keys.push((Counter::Portal, client.uuid().as_bytes().to_vec()));
    }
    let shard = i16::from(number_hash[0] % 16);
    let counts = code_counter::count(tx, &keys, limits.window_start(now), shard).await?;
    Ok(limits.admit(&counts, now).err().map(|too_many| Identified::Limited { until: too_many.until }))
}

async fn challenge(
    app: &App,
    mut tx: Tx,
    authorization: &Authorization,
    target: Target,
    now: Instant,
) -> Result<Identified> {
    let rules = code_rules(app);
    // Nobody gets a code that a lock makes useless; asking about nobody's locks takes the same time.
    let sought = target.holder.as_ref().map_or_else(|| Id::new(now, &*app.entropy), |holder| holder.citizen);
    let locked = locks::forbids(&mut tx, sought, Use::Page(Method::SmsCode), now).await?;
    let reachable = target
        .holder
        .as_ref()
        .filter(|h| !locked && disclosure::is_open(&h.person) && h.person.phone.is_some());
    let code = OneTimeCode::new(&*app.entropy);
    let bound = code.bound_to(authorization.id);
    let event = Event::Challenge(Challenge {
        number_hash: target.hash,
        citizen: reachable.map(|holder| holder.citizen),
        digest: app.keys.lookup("one_time_code", bound.expose().as_bytes()),
        sent_at: now,
        expires_at: now + rules.life,
        tries_left: rules.tries_max,
        sends: target.sends,
    });
    advance(&mut tx, authorization, event, now).await?;
    let client = portal_of(app, authorization).await?;
    let text = sms(&code, reachable.map(|h| h.person.name.as_str()), client.as_ref());
    let to = reachable.and_then(|holder| holder.person.phone.as_ref()).map(|phone| phone.e164());
    let row = message::outgoing(app, now, authorization.id.uuid(), "sign_in.code", &Message { to, text })?;
    outbox::enqueue(&mut tx, &[row]).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(Identified::CodeSent)
}

/// The one segment that names the person and the portal, both shortened to fit.
fn sms(code: &OneTimeCode, name: Option<&str>, client: Option<&Client>) -> String {
    let person = short_name(name.unwrap_or("Nguyen Van A"));
    let page = || Texts::embedded().get(Lang::Vi, "sign-in-sms-page").into_owned();
    let portal = client.map_or_else(page, |c| unaccented(c.name.vi.as_str()));
    let with = |portal: &str| {
        let args = [
            ("code", code.expose().to_owned().into()),
            ("person", person.clone().into()),
            ("portal", portal.to_owned().into()),
        ];
        Texts::embedded().with(Lang::Vi, "sign-in-sms", &args)
    };
    let room = SEGMENT.saturating_sub(with("").len());
    with(&portal.chars().take(room).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;

    #[test]
    fn the_message_is_one_plain_segment_that_names_the_person() {
        let code = OneTimeCode::new(&SeededEntropy::new(1));
        let long = "Nguyễn Hoàng Phương Thảo Nguyênnnnnnnnnnnnnnnnnnnnnnnnnnn";
        for name in [Some("Nguyễn Thị Hòa"), Some(long), None] {
            let text = sms(&code, name, None);
            assert!(text.is_ascii() && text.len() <= SEGMENT, "{text}");
            assert!(text.starts_with(code.expose()) && !text.contains("http"), "{text}");
        }
        assert!(sms(&code, Some("Nguyễn Thị Hòa"), None).contains("Hoa N.T."));
    }
}

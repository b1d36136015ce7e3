//! Short messages: one segment, seven bits, no links, naming person, place and act; counted and paid by whoever's errand
//! it is.
//!
//! An agency whose month is used up sends no more codes; its citizens sign in by app, passkey or at a counter. A
//! warning is the service's own and no cap holds it back.

use super::{
    Result, message,
    message::{Message, Route},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Id},
    text::Lang,
};
use crate::codec::gsm7::{fitted, segments};
use crate::identity::{authenticator::short_name, person::Phone};
use crate::store::{
    Tx, outbox,
    sms_count::{self, Sent},
};
use crate::text::{Texts, Value};
use uuid::Uuid;

/// A message about to be sent.
pub(super) struct ShortMessage<'a> {
    /// Its name, e.g. `sign_in.code`.
    pub(super) name: &'static str,
    /// What it is about.
    pub(super) object: Uuid,
    /// To whom; nobody gets the same work done, and nothing sent.
    pub(super) to: Option<&'a Phone>,
    /// Who pays; nobody: the service.
    pub(super) agency: Option<Id<Agency>>,
    /// The text.
    pub(super) text: String,
}

/// The one segment of that text key around a person's name and a place, which is cut to fit.
pub(super) fn written(key: &str, person: &str, place: &str, more: &[(&str, &str)]) -> String {
    let person = short_name(person);
    fitted(place, |place| {
        let mut args: Vec<(&str, Value<'_>)> =
            vec![("person", person.clone().into()), ("portal", place.to_owned().into())];
        args.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned().into())));
        Texts::embedded().with(Lang::Vi, key, &args)
    })
}

/// Sends a message in this transaction and counts it.
pub(super) async fn send(app: &App, tx: &mut Tx, sms: ShortMessage<'_>, now: Instant) -> Result<()> {
    let pieces = segments(&sms.text).unwrap_or_else(|| {
        tracing::error!(name = sms.name, "an SMS is not in seven bits");
        sms.text.chars().count().div_ceil(67)
    });
    let pieces = if sms.to.is_some() { i64::try_from(pieces).unwrap_or(i64::MAX) } else { 0 };
    let cost = pieces.saturating_mul(app.limits.sms_price_dong.into());
    let sent = Sent { agency: sms.agency, kind: sms.name, segments: pieces, cost };
    let shard = i16::from(sms.object.as_bytes()[15] % 16);
    sms_count::count(tx, sent, month_of(now), shard).await?;
    let to = sms.to.map(Phone::e164);
    let row = message::outgoing(
        app,
        now,
        sms.object,
        sms.name,
        &Message { route: Route::Sms { to }, text: sms.text },
    )?;
    Ok(outbox::enqueue(tx, &[row]).await?)
}

/// Whether an agency's month bears one more segment.
pub(super) async fn within_cap(app: &App, tx: &mut Tx, agency: Id<Agency>, now: Instant) -> Result<bool> {
    let (used, own) = sms_count::used(tx, agency, month_of(now)).await?;
    Ok(used < own.unwrap_or_else(|| app.limits.sms_per_agency_month_max.into()))
}

/// The first day of the month of that instant, in Vietnam.
pub(super) fn month_of(now: Instant) -> Day {
    let date = Day::of(now).date();
    Day::from_date(date.replace_day(1).unwrap_or(date))
}

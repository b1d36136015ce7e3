//! Telling a citizen what happened to their identity, in the transaction of what happened: on their page always, by
//! e-mail where they gave a mailbox, by SMS only what could take the identity away.
//!
//! Each notice has a code. Whoever gets it and was not behind it locks the identity with it: on the page, by
//! answering the SMS, or at a counter.

use super::{
    Error, Result, authenticators,
    contact::contact_of,
    message,
    message::{Message, Route},
    population::OnRecord,
    short_message::{self, ShortMessage, written},
};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    clock::Instant,
    id::{self, Citizen, Id},
    text::Lang,
};
use crate::crypto::digest::Digest;
use crate::identity::{
    mailbox::Mailbox,
    notice::{NoticeCode, What},
    person::Phone,
    session::Session,
};
use crate::store::{
    Tx,
    notice::{self, StoredNotice},
    outbox,
};
use crate::text::Texts;
use serde_json::Value;

/// What is told.
pub(super) struct Told {
    /// What happened.
    pub(super) what: What,
    /// Which portal, which way: shown on the citizen's page.
    pub(super) details: Value,
    /// The way that it is about.
    pub(super) way: Option<Id<id::Authenticator>>,
    /// Whether the page is enough: an ordinary sign-in at a browser that is familiar.
    pub(super) quiet: bool,
}

/// A notice as the citizen reads it.
pub struct Shown {
    /// Its identifier.
    pub id: Id<id::Notice>,
    /// What happened.
    pub what: What,
    /// When.
    pub at: Instant,
    /// Which portal, which way.
    pub details: Value,
    /// When the citizen disowned it.
    pub disowned_at: Option<Instant>,
}

/// How many notices the page shows.
const SHOWN_MAX: i64 = 50;

/// Tells a person what happened.
pub(super) async fn notify(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    told: Told,
    now: Instant,
) -> Result<()> {
    let contact = contact_of(tx, holder).await?;
    let code = NoticeCode::new(&*app.entropy);
    let phone = contact.phone.as_ref().filter(|_| told.what.is_dangerous());
    let id: Id<id::Notice> = Id::new(now, &*app.entropy);
    let notice = StoredNotice {
        id,
        citizen: holder.citizen,
        what: told.what,
        at: now,
        details: holder.key.seal(&*app.entropy, &place(id), told.details.to_string().as_bytes()),
        way: told.way,
        disowned_at: None,
    };
    let phone_hash = phone.map(|phone| phone_hash(app, phone));
    notice::insert(tx, &notice, &code_digest(app, &code), phone_hash.as_ref()).await?;
    if let Some(phone) = phone {
        let key = format!("sms-notice-{}", told.what.word());
        let text = written(&key, holder.person.name.as_str(), "Chung", &[("code", code.expose())]);
        let sms =
            ShortMessage { name: "notice.warning", object: id.uuid(), to: Some(phone), agency: None, text };
        short_message::send(app, tx, sms, now).await?;
    }
    if let Some(mail) = contact.mail.as_ref().filter(|_| !told.quiet) {
        post(app, tx, (id, mail), letter(app, holder, &told, &code, now), now).await?;
    }
    Ok(())
}

/// Tells a person that everything about them is erased, while it is known where they are reached. No notice stays, and
/// nothing that a code could lock.
pub(super) async fn tell_erased(app: &App, tx: &mut Tx, holder: &OnRecord, now: Instant) -> Result<()> {
    let contact = contact_of(tx, holder).await?;
    let (id, person): (Id<id::Notice>, _) = (Id::new(now, &*app.entropy), holder.person.name.as_str());
    if let Some(phone) = &contact.phone {
        let text = written("sms-erased", person, "Chung", &[]);
        let sms =
            ShortMessage { name: "notice.warning", object: id.uuid(), to: Some(phone), agency: None, text };
        short_message::send(app, tx, sms, now).await?;
    }
    if let Some(mail) = &contact.mail {
        let args = [("person", person.to_owned().into()), ("at", display_vi(now).into())];
        let text = bilingual(|lang| Texts::embedded().with(lang, "mail-erased", &args));
        post(app, tx, (id, mail), text, now).await?;
    }
    Ok(())
}

/// Sends a letter in this transaction.
async fn post(
    app: &App,
    tx: &mut Tx,
    (id, mail): (Id<id::Notice>, &Mailbox),
    text: String,
    now: Instant,
) -> Result<()> {
    let subject = Texts::embedded().get(Lang::Vi, "mail-notice-subject").into_owned();
    let route = Route::Mail { to: mail.as_str().to_owned(), subject };
    let row = message::outgoing(app, now, id.uuid(), "notice.mail", &Message { route, text })?;
    Ok(outbox::enqueue(tx, &[row]).await?)
}

/// The letter in both languages. The page that takes the code is named; the code stands beside it, never in a link.
fn letter(app: &App, holder: &OnRecord, told: &Told, code: &NoticeCode, now: Instant) -> String {
    let texts = Texts::embedded();
    let written = |lang| {
        let what = texts.get(lang, &format!("notice-{}", told.what.word())).into_owned();
        let place = told.details["portal"].as_str().unwrap_or("Chung").to_owned();
        let args = [
            ("person", holder.person.name.as_str().to_owned().into()),
            ("what", what.into()),
            ("portal", place.into()),
            ("at", display_vi(now).into()),
            ("page", app.origin.at("/not-me").into()),
            ("code", code.expose().to_owned().into()),
        ];
        texts.with(lang, "mail-notice", &args)
    };
    bilingual(written)
}

fn bilingual(written: impl Fn(Lang) -> String) -> String {
    format!("{}\n\n---\n\n{}\n", written(Lang::Vi), written(Lang::En))
}

/// What the signed-in citizen was told, the newest first.
pub async fn read_notices(app: &App, session: &Session) -> Result<Vec<Shown>> {
    let mut tx = app.store.begin().await?;
    let holder = authenticators::holder(app, &mut tx, session.citizen).await?;
    notices_of(&mut tx, &holder, holder.citizen).await
}

pub(super) async fn notices_of(tx: &mut Tx, holder: &OnRecord, citizen: Id<Citizen>) -> Result<Vec<Shown>> {
    let found = notice::of_citizen(tx, citizen, SHOWN_MAX).await?;
    let shown = |stored: StoredNotice| -> Result<Shown> {
        let plain = holder.key.open(&place(stored.id), &stored.details)?;
        let details = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
        Ok(Shown {
            id: stored.id,
            what: stored.what,
            at: stored.at,
            details,
            disowned_at: stored.disowned_at,
        })
    };
    found.into_iter().map(shown).collect()
}

/// The keyed digest under which a notice's code is found.
pub(super) fn code_digest(app: &App, code: &NoticeCode) -> Digest {
    app.keys.lookup("notice_code", code.expose().as_bytes())
}

/// The keyed hash under which notices to a phone are found.
pub(super) fn phone_hash(app: &App, phone: &Phone) -> Digest {
    app.keys.lookup("phone", phone.digits().as_bytes())
}

fn place(id: Id<id::Notice>) -> Vec<u8> {
    [b"notice.sealed".as_slice(), id.uuid().as_bytes()].concat()
}

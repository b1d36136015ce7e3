//! Where a citizen is reached: the phone that codes go to and the mailbox for notices; and changing them.
//!
//! Another phone needs a strong and fresh sign-in, proves itself by a code of its own, and the phone before is told. A
//! first mailbox may be set in any session; from then on it is guarded like the phone, since whoever changes it could
//! hide what is told.

use super::{
    Result, authenticators,
    danger::demand,
    limit_attempts::{self, Attempt, Visitor},
    message,
    message::{Message, Route},
    notify::{Told, notify},
    population::{self, OnRecord},
    short_message::{self, ShortMessage, written},
};
use crate::app::App;
use crate::base::{clock::Instant, secret::Sealed, text::Lang};
use crate::crypto::digest::equal;
use crate::identity::{
    authenticator::OneTimeCode,
    danger::Danger,
    limit::{Act, Limited},
    mailbox::Mailbox,
    notice::What,
    person::Phone,
    session::Session,
};
use crate::store::{
    Tx,
    ceremony::{self, Ceremony, Purpose},
    contact, outbox,
};
use crate::text::Texts;
use serde_json::{Value, json};
use time::Duration;

/// How long the code to a new phone or mailbox is accepted.
const CODE_LIFE: Duration = Duration::minutes(10);
/// How many wrong answers it bears.
const TRIES_MAX: u8 = 5;

/// Where a citizen is reached.
#[derive(Debug, Clone, Default)]
pub struct Contact {
    /// The phone that codes go to.
    pub phone: Option<Phone>,
    /// Whether it is another than the register's.
    pub own_phone: bool,
    /// The mailbox for notices.
    pub mail: Option<Mailbox>,
}

/// What becomes of asking for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A code is on its way to the new phone or mailbox.
    CodeSent,
    /// Too many codes were asked for.
    Limited(Limited),
}

/// What becomes of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// From now on.
    Done,
    /// The code is wrong.
    Wrong,
    /// Nothing was asked for, or too long ago.
    Over,
}

/// Where a person on record is reached.
pub(super) async fn contact_of(tx: &mut Tx, holder: &OnRecord) -> Result<Contact> {
    let stored = contact::find(tx, holder.citizen).await?;
    let own: Option<Phone> = match &stored.phone {
        Some(sealed) => text(holder.key.open(&place(holder, "phone"), sealed)?.expose()),
        None => None,
    };
    let mail = match &stored.mail {
        Some(sealed) => text(holder.key.open(&place(holder, "mail"), sealed)?.expose()),
        None => None,
    };
    let own_phone = own.is_some();
    Ok(Contact { phone: own.or_else(|| holder.person.phone.clone()), own_phone, mail })
}

/// Where whoever is signed in is reached.
pub async fn read_contact(app: &App, session: &Session) -> Result<Contact> {
    let mut tx = app.store.begin().await?;
    let holder = authenticators::holder(app, &mut tx, session.citizen).await?;
    contact_of(&mut tx, &holder).await
}

/// Asks for codes to go to another phone from now on; a code to it must come back.
pub async fn ask_phone(app: &App, session: &Session, phone: &Phone, visitor: &Visitor) -> Result<Asked> {
    let now = app.clock.now();
    demand(session, Danger::ChangePhone, now)?;
    let code = OneTimeCode::new(&*app.entropy);
    let mut tx = app.store.begin().await?;
    let holder = authenticators::holder(app, &mut tx, session.citizen).await?;
    if let Some(limited) = count(app, &mut tx, &holder, visitor, now).await? {
        tx.commit().await?;
        return Ok(Asked::Limited(limited));
    }
    await_code(app, &mut tx, session, &holder, (Purpose::Phone, phone.digits(), &code), now).await?;
    let text = written("sms-change-phone", holder.person.name.as_str(), "Chung", &[("code", code.expose())]);
    let sms =
        ShortMessage { name: "contact.code", object: session.id.uuid(), to: Some(phone), agency: None, text };
    short_message::send(app, &mut tx, sms, now).await?;
    tx.commit().await?;
    Ok(Asked::CodeSent)
}

/// Asks for notices to go to that mailbox from now on; a code to it must come back.
pub async fn ask_mail(app: &App, session: &Session, mail: &Mailbox, visitor: &Visitor) -> Result<Asked> {
    let now = app.clock.now();
    let code = OneTimeCode::new(&*app.entropy);
    let mut tx = app.store.begin().await?;
    let holder = authenticators::holder(app, &mut tx, session.citizen).await?;
    if contact_of(&mut tx, &holder).await?.mail.is_some() {
        demand(session, Danger::ChangeMail, now)?;
    }
    if let Some(limited) = count(app, &mut tx, &holder, visitor, now).await? {
        tx.commit().await?;
        return Ok(Asked::Limited(limited));
    }
    await_code(app, &mut tx, session, &holder, (Purpose::Mail, mail.as_str(), &code), now).await?;
    let (texts, args) = (Texts::embedded(), [("code", code.expose().to_owned().into())]);
    let text = format!(
        "{}\n\n{}\n",
        texts.with(Lang::Vi, "mail-code", &args),
        texts.with(Lang::En, "mail-code", &args)
    );
    let subject = texts.get(Lang::Vi, "mail-code-subject").into_owned();
    let route = Route::Mail { to: mail.as_str().to_owned(), subject };
    let row = message::outgoing(app, now, session.id.uuid(), "contact.code", &Message { route, text })?;
    outbox::enqueue(&mut tx, &[row]).await?;
    tx.commit().await?;
    Ok(Asked::CodeSent)
}

/// Takes the code that came to the new phone.
pub async fn change_phone(app: &App, session: &Session, code: &OneTimeCode) -> Result<Changed> {
    let now = app.clock.now();
    demand(session, Danger::ChangePhone, now)?;
    let mut tx = app.store.begin().await?;
    let holder = authenticators::holder(app, &mut tx, session.citizen).await?;
    let phone: Phone = match answered(app, &mut tx, session, &holder, (Purpose::Phone, code), now).await? {
        Answer::Right(value) => match value.parse() {
            Ok(phone) => phone,
            Err(_) => return Ok(Changed::Over),
        },
        Answer::Wrong => {
            tx.commit().await?;
            return Ok(Changed::Wrong);
        }
        Answer::Over => return Ok(Changed::Over),
    };
    // The phone before is told.
    let details = json!({ "phone": phone.to_string() });
    let told = Told { what: What::PhoneChanged, details, way: None, quiet: false };
    notify(app, &mut tx, &holder, told, now).await?;
    put_phone(app, &mut tx, &holder, &phone, now).await?;
    tx.commit().await?;
    Ok(Changed::Done)
}

/// Takes the code that came to the new mailbox.
pub async fn change_mail(app: &App, session: &Session, code: &OneTimeCode) -> Result<Changed> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let holder = authenticators::holder(app, &mut tx, session.citizen).await?;
    if contact_of(&mut tx, &holder).await?.mail.is_some() {
        demand(session, Danger::ChangeMail, now)?;
    }
    let mail: Mailbox = match answered(app, &mut tx, session, &holder, (Purpose::Mail, code), now).await? {
        Answer::Right(value) => match value.parse() {
            Ok(mail) => mail,
            Err(_) => return Ok(Changed::Over),
        },
        Answer::Wrong => {
            tx.commit().await?;
            return Ok(Changed::Wrong);
        }
        Answer::Over => return Ok(Changed::Over),
    };
    // The mailbox before is told; the new one is not asked what it thinks of itself.
    let told = Told {
        what: What::MailChanged,
        details: json!({ "mail": mail.to_string() }),
        way: None,
        quiet: false,
    };
    notify(app, &mut tx, &holder, told, now).await?;
    let sealed = holder.key.seal(&*app.entropy, &place(&holder, "mail"), mail.as_str().as_bytes());
    contact::put_mail(&mut tx, holder.citizen, Some(&sealed), now).await?;
    tx.commit().await?;
    Ok(Changed::Done)
}

/// Puts another phone before the register's. Whoever calls has told the phone before.
pub(super) async fn put_phone(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    phone: &Phone,
    now: Instant,
) -> Result<()> {
    let sealed = holder.key.seal(&*app.entropy, &place(holder, "phone"), phone.digits().as_bytes());
    Ok(contact::put_phone(tx, holder.citizen, Some(&sealed), now).await?)
}

/// Goes back to the register's phone, because the change was not the holder's. What was put there at a counter, with the
/// card, stands: the phone before may be the lost one.
pub(super) async fn forget_phone(tx: &mut Tx, holder: &OnRecord, now: Instant) -> Result<()> {
    if contact::is_recovered(tx, holder.citizen).await? {
        return Ok(());
    }
    Ok(contact::put_phone(tx, holder.citizen, None, now).await?)
}

fn text<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok())
}

/// What a sealed column of a contact is bound to.
fn place(holder: &OnRecord, column: &str) -> Vec<u8> {
    [b"contact.", column.as_bytes(), holder.citizen.uuid().as_bytes()].concat()
}

async fn count(
    app: &App,
    tx: &mut Tx,
    holder: &OnRecord,
    visitor: &Visitor,
    now: Instant,
) -> Result<Option<Limited>> {
    let number_hash = population::number_hash(app, &holder.person.number);
    let attempt = Attempt { acts: &[Act::Send], number_hash: &number_hash, client: None, visitor };
    limit_attempts::count(app, tx, attempt, now).await
}

/// The sealed state of a change that awaits its code.
enum Waiting {}

async fn await_code(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    holder: &OnRecord,
    (purpose, value, code): (Purpose, &str, &OneTimeCode),
    now: Instant,
) -> Result<()> {
    let state = json!({ "value": value, "digest": digest(app, session, purpose, code) }).to_string();
    let sealed: Sealed<Waiting> =
        holder.key.seal(&*app.entropy, &waiting_place(session, purpose), state.as_bytes());
    let ceremony = Ceremony {
        state: sealed.bytes().to_vec(),
        generation: sealed.key(),
        tries_left: TRIES_MAX,
        expires_at: now + CODE_LIFE,
    };
    Ok(ceremony::begin(tx, session.id.uuid(), purpose, &ceremony).await?)
}

enum Answer {
    Right(String),
    Wrong,
    Over,
}

async fn answered(
    app: &App,
    tx: &mut Tx,
    session: &Session,
    holder: &OnRecord,
    (purpose, code): (Purpose, &OneTimeCode),
    now: Instant,
) -> Result<Answer> {
    let Some(found) = ceremony::find(tx, session.id.uuid(), purpose, now).await? else {
        return Ok(Answer::Over);
    };
    let sealed: Sealed<Waiting> = Sealed::new(found.state, found.generation);
    let state = holder.key.open(&waiting_place(session, purpose), &sealed)?;
    let state: Value = serde_json::from_slice(state.expose()).unwrap_or_default();
    let expected = state["digest"].as_str().unwrap_or_default();
    if !equal(digest(app, session, purpose, code).as_bytes(), expected.as_bytes()) {
        ceremony::miss(tx, session.id.uuid(), purpose).await?;
        return Ok(Answer::Wrong);
    }
    ceremony::end(tx, session.id.uuid(), purpose).await?;
    Ok(Answer::Right(state["value"].as_str().unwrap_or_default().to_owned()))
}

/// The keyed digest of a code, bound to the session and to what it changes.
fn digest(app: &App, session: &Session, purpose: Purpose, code: &OneTimeCode) -> String {
    let bound = format!("{}|{}|{}", session.id, purpose.word(), code.expose());
    hex::encode(app.keys.lookup("contact_code", bound.as_bytes()))
}

fn waiting_place(session: &Session, purpose: Purpose) -> Vec<u8> {
    [b"ceremony.", purpose.word().as_bytes(), session.id.uuid().as_bytes()].concat()
}

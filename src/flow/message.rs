//! Messages to people, on their way through the outbox.
//!
//! A body is sealed under a key of its own that travels with it, wrapped by the master key: a message may be written
//! before we know to whom, and whoever reads the table reads neither number nor text.

use super::{Error, Result, envelope};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Event, Id},
};
use crate::store::outbox::{NewOutbox, Topic};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A message to a person.
#[derive(Clone, Serialize, Deserialize)]
pub struct Message {
    /// How it goes.
    #[serde(flatten)]
    pub route: Route,
    /// The text.
    pub text: String,
}

/// How a message goes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Route {
    /// To a mailbox.
    Mail {
        /// The address.
        to: String,
        /// The subject.
        subject: String,
    },
    /// To a phone: one segment, unaccented.
    Sms {
        /// The phone, `+84…`; without one the message is dropped on delivery. Writing a message for a number that
        /// nobody has costs the same work as for one that somebody has, so that time tells nothing.
        to: Option<String>,
    },
}

const PLACE: &[u8] = b"outbox.body";

/// The outbox row of a message about `object`.
pub fn outgoing(
    app: &App,
    now: Instant,
    object: Uuid,
    name: &'static str,
    message: &Message,
) -> Result<NewOutbox> {
    let id: Id<Event> = Id::new(now, &*app.entropy);
    let plain = serde_json::to_vec(message).map_err(Error::internal)?;
    let body = envelope::seal(app, id.uuid(), PLACE, &plain)?;
    Ok(NewOutbox { id, at: now, topic: Topic::Message, agency: None, object, name, body })
}

/// The message in a row's body.
pub fn open(app: &App, id: Id<Event>, body: &[u8]) -> Result<Message> {
    let plain = envelope::open(app, id.uuid(), PLACE, body)?;
    serde_json::from_slice(plain.expose()).map_err(Error::internal)
}

//! One sign-in on its way from the portal to the code, and from the code to the tokens.
//!
//! ```text
//! Started -> Challenged -> Confirmed -> CodeIssued -> Exchanged -> Revoked
//!    |            |            |  \----> Entered                (a page of ours instead of a portal)
//!    \------------\------------\-------> Refused | Expired
//! ```
//! A state holds exactly its facts. An expired authorization is recognized by its time, whatever its row still says.
//! Consent and code are one step, because nothing may happen between them; the consent's evidence is the aggregate
//! [`super::consent::Consent`]. A code is exchanged once: a second exchange revokes what the first one gave.

use super::{
    assurance::Assurance,
    authenticator::{Challenge, Method},
    claims::Claims,
    counter::CounterRequest,
    lock::Use,
    request::AuthorizationRequest,
    session::Wanted,
};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use std::{fmt, str::FromStr};
use time::Duration;

/// How long a person has from the portal's request to their decision.
pub const AUTHORIZATION_LIFE: Duration = Duration::minutes(15);
/// How long a code waits for its exchange (RFC 9700 and FAPI 2.0: at most a minute).
pub const CODE_LIFE: Duration = Duration::seconds(60);

/// One sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Its identifier.
    pub id: Id<id::Authorization>,
    /// What the person is signing in for.
    pub errand: Errand,
    /// When it began.
    pub started_at: Instant,
    /// When it is over unless it has come to its end.
    pub expires_at: Instant,
    /// Where it stands.
    pub state: State,
}

/// What a person signs in for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// A portal asked.
    Portal {
        /// Which one.
        client: Id<id::Client>,
        /// What it asked.
        request: Box<AuthorizationRequest>,
    },
    /// An officer started it at a counter, for a citizen who approves it here.
    Counter {
        /// Whose system asked.
        client: Id<id::Client>,
        /// What it asked.
        request: Box<CounterRequest>,
    },
    /// A page of ours needs to know who is there.
    Page {
        /// Where to go afterwards.
        return_to: LocalPath,
        /// How sure the page must be.
        least: Assurance,
        /// Whether the person proves again who they are, however lately they did.
        afresh: bool,
    },
}

/// Who signed in, how and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The person.
    pub citizen: Id<id::Citizen>,
    /// The browser session that stands for it.
    pub session: Id<id::Session>,
    /// How they proved it.
    pub method: Method,
    /// What that proved when it was done: less than the method's strength while an authenticator is on trial.
    pub reached: Assurance,
    /// When they proved it.
    pub authenticated_at: Instant,
}

impl Confirmation {
    /// How sure we are at that instant: a level may have expired since it was reached.
    pub fn assurance(&self, now: Instant) -> Assurance {
        self.reached.left_at(self.authenticated_at, now)
    }
}

/// Where a sign-in stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody has said who they are.
    Started,
    /// A number was typed; a code is awaited.
    Challenged(Challenge),
    /// We know who it is.
    Confirmed(Confirmation),
    /// The citizen agreed; the code is on its way to the portal.
    CodeIssued {
        /// Who agreed.
        confirmation: Confirmation,
        /// The evidence.
        consent: Id<id::Consent>,
        /// When the code stops being accepted.
        code_expires_at: Instant,
    },
    /// The portal has its tokens.
    Exchanged {
        /// Who signed in.
        confirmation: Confirmation,
        /// The evidence.
        consent: Id<id::Consent>,
        /// When.
        exchanged_at: Instant,
    },
    /// What the portal got is worth nothing any more.
    Revoked {
        /// Why.
        cause: Revocation,
        /// When.
        revoked_at: Instant,
    },
    /// The person went on to a page of ours.
    Entered {
        /// Who signed in.
        confirmation: Confirmation,
    },
    /// It ended without a sign-in.
    Refused {
        /// Who or what ended it.
        cause: Cause,
        /// When.
        refused_at: Instant,
    },
    /// Its time ran out.
    Expired,
}

impl State {
    /// Its name in rows.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Challenged(_) => "challenged",
            Self::Confirmed(_) => "confirmed",
            Self::CodeIssued { .. } => "code_issued",
            Self::Exchanged { .. } => "exchanged",
            Self::Revoked { .. } => "revoked",
            Self::Entered { .. } => "entered",
            Self::Refused { .. } => "refused",
            Self::Expired => "expired",
        }
    }
}

/// Why tokens were revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The code came a second time (RFC 6749, section 4.1.2).
    Replayed,
    /// The person signed out.
    SignedOut,
    /// The person locked the portal, the way of signing in, or everything.
    Locked,
    /// The mandate under which somebody signed in has ended.
    MandateEnded,
    /// The person took the consent back.
    ConsentWithdrawn,
    /// The portal gave its tokens back.
    GivenBack,
    /// An officer restored the person's ways to sign in: whoever had one of the lost ones is out.
    Recovered,
    /// The person had everything about themselves erased.
    Erased,
}

impl Revocation {
    /// Its name in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::SignedOut => "signed_out",
            Self::Locked => "locked",
            Self::MandateEnded => "mandate_ended",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::GivenBack => "given_back",
            Self::Recovered => "recovered",
            Self::Erased => "erased",
        }
    }
}

/// Why a sign-in ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The citizen did not agree, or turned back.
    Citizen,
    /// Only a page could have helped, and the portal forbade pages.
    PageNeeded,
    /// The person or the portal may not sign in any more.
    Barred,
}

impl Cause {
    /// Its name in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Citizen => "citizen",
            Self::PageNeeded => "page_needed",
            Self::Barred => "barred",
        }
    }
}

/// What can happen to a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A number was typed, or another code sent.
    Challenge(Challenge),
    /// A wrong code was typed.
    Miss,
    /// The person is known: by a right code, or by a session that answers the request.
    Confirm(Confirmation),
    /// It is somebody else's turn.
    StartOver,
    /// The citizen agreed.
    IssueCode {
        /// The evidence.
        consent: Id<id::Consent>,
    },
    /// The person goes on to a page of ours.
    Enter,
    /// It ends without a sign-in.
    Refuse(Cause),
}

/// Why an event does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its time ran out.
    #[error("the sign-in took too long and has to be started again")]
    Expired,
    /// It has come to its end.
    #[error("the sign-in is already over")]
    AlreadyOver,
    /// No code is awaited.
    #[error("no code is awaited")]
    NotChallenged,
    /// Nobody is confirmed yet.
    #[error("nobody has signed in yet")]
    NotConfirmed,
    /// Somebody is confirmed already.
    #[error("somebody has signed in already")]
    AlreadyConfirmed,
    /// The confirmation is weaker than the portal demands, or for another kind of errand.
    #[error("the sign-in does not fit what was asked")]
    Unfit,
}

impl Authorization {
    /// The client that asked; `None` for a page of ours.
    pub const fn client(&self) -> Option<Id<id::Client>> {
        match &self.errand {
            Errand::Portal { client, .. } | Errand::Counter { client, .. } => Some(*client),
            Errand::Page { .. } => None,
        }
    }

    /// What the client would like to be told; nothing for a page of ours.
    pub fn asked(&self) -> Option<&Claims> {
        match &self.errand {
            Errand::Portal { request, .. } => Some(&request.asked),
            Errand::Counter { request, .. } => Some(&request.asked),
            Errand::Page { .. } => None,
        }
    }

    /// What becomes of a client's question about a sign-in that it started at a counter.
    pub fn poll(&self, asking: Id<id::Client>, now: Instant) -> Poll {
        match &self.errand {
            Errand::Counter { client, .. } if *client == asking => {}
            Errand::Counter { .. } | Errand::Portal { .. } | Errand::Page { .. } => return Poll::NotYours,
        }
        match &self.state {
            State::Started | State::Challenged(_) | State::Confirmed(_) if now < self.expires_at => {
                Poll::Pending
            }
            State::Started | State::Challenged(_) | State::Confirmed(_) | State::Expired => Poll::Expired,
            State::CodeIssued { confirmation, consent, code_expires_at } if now < *code_expires_at => {
                Poll::Granted { confirmation: *confirmation, consent: *consent }
            }
            State::CodeIssued { .. } => Poll::Expired,
            State::Exchanged { .. } | State::Revoked { .. } => Poll::Spent,
            State::Refused { .. } => Poll::Denied,
            State::Entered { .. } => Poll::NotYours,
        }
    }

    /// The state after `event`. The caller stores it against the state it read.
    pub fn after(&self, event: Event, now: Instant) -> Result<State, Refusal> {
        if now >= self.expires_at {
            return Err(Refusal::Expired);
        }
        match (&self.state, event) {
            (State::Started | State::Challenged(_), Event::Challenge(challenge)) => {
                Ok(State::Challenged(challenge))
            }
            (State::Challenged(challenge), Event::Miss) => Ok(State::Challenged(Challenge {
                tries_left: challenge.tries_left.saturating_sub(1),
                ..challenge.clone()
            })),
            (State::Started | State::Challenged(_), Event::Confirm(confirmation)) => {
                if self.wanted().demand.met_by(confirmation.assurance(now)) {
                    Ok(State::Confirmed(confirmation))
                } else {
                    Err(Refusal::Unfit)
                }
            }
            (State::Started | State::Challenged(_) | State::Confirmed(_), Event::StartOver) => {
                Ok(State::Started)
            }
            (State::Confirmed(confirmation), Event::IssueCode { consent }) => match self.errand {
                Errand::Portal { .. } => Ok(State::CodeIssued {
                    confirmation: *confirmation,
                    consent,
                    code_expires_at: now + CODE_LIFE,
                }),
                // The officer's system asks for it as long as the sign-in waits.
                Errand::Counter { .. } => Ok(State::CodeIssued {
                    confirmation: *confirmation,
                    consent,
                    code_expires_at: self.expires_at,
                }),
                Errand::Page { .. } => Err(Refusal::Unfit),
            },
            (State::Confirmed(confirmation), Event::Enter) => match self.errand {
                Errand::Page { .. } => Ok(State::Entered { confirmation: *confirmation }),
                Errand::Portal { .. } | Errand::Counter { .. } => Err(Refusal::Unfit),
            },
            (State::Started | State::Challenged(_) | State::Confirmed(_), Event::Refuse(cause)) => {
                Ok(State::Refused { cause, refused_at: now })
            }
            (State::Started | State::Confirmed(_), Event::Miss) => Err(Refusal::NotChallenged),
            (State::Started | State::Challenged(_), Event::IssueCode { .. } | Event::Enter) => {
                Err(Refusal::NotConfirmed)
            }
            (State::Confirmed(_), Event::Challenge(_) | Event::Confirm(_)) => Err(Refusal::AlreadyConfirmed),
            (
                State::CodeIssued { .. }
                | State::Exchanged { .. }
                | State::Revoked { .. }
                | State::Entered { .. }
                | State::Refused { .. },
                Event::Challenge(_)
                | Event::Miss
                | Event::Confirm(_)
                | Event::StartOver
                | Event::IssueCode { .. }
                | Event::Enter
                | Event::Refuse(_),
            ) => Err(Refusal::AlreadyOver),
            (
                State::Expired,
                Event::Challenge(_)
                | Event::Miss
                | Event::Confirm(_)
                | Event::StartOver
                | Event::IssueCode { .. }
                | Event::Enter
                | Event::Refuse(_),
            ) => Err(Refusal::Expired),
        }
    }

    /// What a session must be to answer this sign-in.
    pub fn wanted(&self) -> Wanted {
        match &self.errand {
            Errand::Portal { request, .. } => request.wanted(),
            Errand::Counter { request, .. } => {
                Wanted { demand: request.demand, max_age_s: None, forced: false }
            }
            Errand::Page { least, afresh, .. } => Wanted {
                demand: super::assurance::Demand::of(None, *least),
                max_age_s: None,
                forced: *afresh,
            },
        }
    }

    /// What a lock would have to forbid for this sign-in by that method to be stopped.
    pub const fn used_by(&self, method: Method) -> Use {
        match &self.errand {
            Errand::Portal { client, .. } | Errand::Counter { client, .. } => Use::Portal(*client, method),
            Errand::Page { .. } => Use::Page(method),
        }
    }

    /// Judges a code's exchange; the code itself is how the row was found.
    pub fn exchange(&self, presented: &Presented<'_>, now: Instant) -> Exchange {
        let Errand::Portal { client, request } = &self.errand else {
            return Exchange::Refused(ExchangeRefusal::NotYours);
        };
        if *client != presented.client {
            return Exchange::Refused(ExchangeRefusal::NotYours);
        }
        match &self.state {
            State::CodeIssued { confirmation, consent, code_expires_at } => {
                if now >= *code_expires_at {
                    Exchange::Refused(ExchangeRefusal::Expired)
                } else if presented.redirect_uri != Some(request.address.redirect_uri.as_str()) {
                    Exchange::Refused(ExchangeRefusal::RedirectUri)
                } else if !presented.verifier.is_some_and(|v| request.challenge.answers_to(v)) {
                    Exchange::Refused(ExchangeRefusal::Verifier)
                } else if request.dpop_jkt.is_some() && request.dpop_jkt.as_deref() != presented.key {
                    Exchange::Refused(ExchangeRefusal::Key)
                } else {
                    Exchange::Granted { confirmation: *confirmation, consent: *consent }
                }
            }
            State::Exchanged { .. } => Exchange::Replayed,
            State::Revoked { .. } => Exchange::Refused(ExchangeRefusal::Revoked),
            State::Started
            | State::Challenged(_)
            | State::Confirmed(_)
            | State::Entered { .. }
            | State::Refused { .. }
            | State::Expired => Exchange::Refused(ExchangeRefusal::NotYours),
        }
    }
}

/// What a client presents with a code.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The client that proved itself.
    pub client: Id<id::Client>,
    /// The `redirect_uri` of the token request.
    pub redirect_uri: Option<&'a str>,
    /// The `code_verifier`.
    pub verifier: Option<&'a str>,
    /// The thumbprint of the key that the client proved to hold.
    pub key: Option<&'a str>,
}

/// What becomes of a question about a sign-in at a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// The citizen has not decided.
    Pending,
    /// Tokens are due.
    Granted {
        /// Who approved.
        confirmation: Confirmation,
        /// The evidence.
        consent: Id<id::Consent>,
    },
    /// The citizen declined, or may not sign in.
    Denied,
    /// It waited too long.
    Expired,
    /// It was answered before.
    Spent,
    /// It was not started by this client.
    NotYours,
}

/// What becomes of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// Tokens are due.
    Granted {
        /// Who signed in.
        confirmation: Confirmation,
        /// The evidence.
        consent: Id<id::Consent>,
    },
    /// The code was exchanged before: what it gave must be revoked, and the portal learns only that it is invalid.
    Replayed,
    /// Nothing happens.
    Refused(ExchangeRefusal),
}

/// Why a code is not exchanged. All of them are `invalid_grant` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeRefusal {
    /// It was not issued to this client.
    #[error("the code was not issued to this client")]
    NotYours,
    /// It waited too long.
    #[error("the code has expired")]
    Expired,
    /// The token request names another address than the authorization request.
    #[error("redirect_uri differs from the one of the authorization request")]
    RedirectUri,
    /// The verifier is missing or does not answer to the challenge.
    #[error("code_verifier does not match the code_challenge")]
    Verifier,
    /// It is bound to another key than the one that was proved.
    #[error("the code is bound to another key")]
    Key,
    /// It was revoked.
    #[error("the code was revoked")]
    Revoked,
}

/// A path on this service to return to after a sign-in: never another host, so that a link cannot send people away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

/// A text that is not a local path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a path on this service")]
pub struct NotALocalPath;

impl LocalPath {
    /// The path with its query.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LocalPath {
    type Err = NotALocalPath;

    fn from_str(s: &str) -> Result<Self, NotALocalPath> {
        // A browser reads `//host` and `/\host` as another host.
        let local = s.starts_with('/') && !s.starts_with("//");
        let plain =
            s.len() <= 512 && s.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'\\' && b != b'#');
        if local && plain { Ok(Self(s.to_owned())) } else { Err(NotALocalPath) }
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[path = "authorization_tests.rs"]
mod tests;

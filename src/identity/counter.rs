//! A sign-in that an officer starts at a counter, for a citizen who approves it on a page of their own (OpenID Connect
//! Client-Initiated Backchannel Authentication 1.0, poll mode).
//!
//! The officer's system learns nothing about the number that it named: a number of nobody waits as long as any other.
//! What the citizen approves is shown to both: the message that the officer's system has chosen.

use super::{
    assurance::{Assurance, Demand},
    claims::{Claim, Claims, SignInScope},
    client::Client,
    personal_number::PersonalNumber,
    profile::Resource,
    request::Parameters,
};
use crate::base::{
    id::{self, Id},
    text::Line,
};
use std::collections::BTreeSet;
use time::Duration;

/// How long a request waits for the citizen unless its client wants it otherwise.
pub const COUNTER_LIFE: Duration = Duration::minutes(5);
/// The longest that a client may want.
pub const COUNTER_LIFE_MAX: Duration = Duration::minutes(10);
/// How long a client waits between two questions.
pub const POLL_PAUSE: Duration = Duration::seconds(5);

/// What an officer's system asks of a citizen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterRequest {
    /// Whom it named, if that is somebody who may sign in.
    pub citizen: Option<Id<id::Citizen>>,
    /// The known scopes of the request.
    pub scopes: BTreeSet<SignInScope>,
    /// What it would like to be told.
    pub asked: Claims,
    /// How sure it must be.
    pub demand: Demand,
    /// What both see (`binding_message`).
    pub message: Line<60>,
    /// What the access token is for, besides userinfo.
    pub resource: Option<Resource>,
}

/// How far a request is, as an officer sees it: nothing in it tells whether the number is anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nobody has answered.
    Waiting,
    /// The citizen agreed; the portal has not fetched its tokens.
    Agreed,
    /// The portal has fetched them.
    Fetched,
    /// The citizen declined, or may not sign in.
    Declined,
    /// Its time ran out.
    Expired,
}

impl Progress {
    /// Reads it off the name of a sign-in's state, and whether its time has run out.
    pub fn of(state: &str, late: bool) -> Self {
        match state {
            "exchanged" | "revoked" => Self::Fetched,
            "refused" => Self::Declined,
            "code_issued" if !late => Self::Agreed,
            "started" | "challenged" | "confirmed" if !late => Self::Waiting,
            _ => Self::Expired,
        }
    }

    /// Its name in text keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Agreed => "agreed",
            Self::Fetched => "fetched",
            Self::Declined => "declined",
            Self::Expired => "expired",
        }
    }
}

/// A request as it was read, before anybody is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The citizen's number.
    pub number: PersonalNumber,
    /// The request, which names nobody yet.
    pub request: CounterRequest,
    /// How long it waits.
    pub life: Duration,
}

/// Why a request cannot be: the error code, the parameter, and the rule it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterRefusal {
    /// The error code (section 13).
    pub code: &'static str,
    /// The parameter.
    pub field: &'static str,
    /// The rule's word.
    pub rule: &'static str,
}

impl Asked {
    /// Reads a request; `reachable` is the strongest sign-in that is offered.
    pub fn parse(
        client: &Client,
        parameters: &Parameters,
        reachable: Assurance,
    ) -> Result<Self, CounterRefusal> {
        let refuse = |code, field, rule| CounterRefusal { code, field, rule };
        let one = |name| parameters.one(name).map_err(|again| refuse("invalid_request", again.0, "repeated"));
        for unknown in ["request", "login_hint_token", "id_token_hint", "client_notification_token"] {
            if one(unknown)?.is_some() {
                return Err(refuse("invalid_request", unknown, "not_supported"));
            }
        }
        let words = one("scope")?.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok());
        let mut scopes: BTreeSet<SignInScope> = words.collect();
        if !scopes.contains(&SignInScope::OpenId) {
            return Err(refuse("invalid_scope", "scope", "must_contain_openid"));
        }
        if !client.terms.offline {
            scopes.remove(&SignInScope::OfflineAccess);
        }
        let hint = one("login_hint")?.ok_or(refuse("invalid_request", "login_hint", "missing"))?;
        let number =
            hint.parse().map_err(|_| refuse("invalid_request", "login_hint", "not_a_personal_number"))?;
        let message = one("binding_message")?.unwrap_or_default();
        let message = Line::parse(message)
            .map_err(|_| refuse("invalid_binding_message", "binding_message", "one_to_sixty_characters"))?;
        let life = match one("requested_expiry")?.map(str::parse::<u32>) {
            None => COUNTER_LIFE,
            Some(Ok(seconds @ 1..)) => Duration::seconds(seconds.into()).min(COUNTER_LIFE_MAX),
            Some(_) => return Err(refuse("invalid_request", "requested_expiry", "not_a_number_of_seconds")),
        };
        let demand = Demand::of(one("acr_values")?, client.acr_min);
        if !demand.met_by(reachable) {
            return Err(refuse("unmet_authentication_requirements", "acr_values", "not_reached_here"));
        }
        let resource = match parameters.one("resource") {
            Ok(None) => None,
            Ok(Some(text)) => {
                Some(text.parse().map_err(|_| refuse("invalid_target", "resource", "not_an_address"))?)
            }
            Err(_) => return Err(refuse("invalid_target", "resource", "repeated")),
        };
        let asked: BTreeSet<Claim> = scopes.iter().flat_map(|scope| scope.claims()).copied().collect();
        let request = CounterRequest { citizen: None, scopes, asked, demand, message, resource };
        Ok(Self { number, request, life })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::client::tests::portal;

    fn parse(changes: &[(&str, Option<&str>)]) -> Result<Asked, CounterRefusal> {
        let mut pairs = vec![
            ("scope", "openid profile offline_access"),
            ("login_hint", "079185000456"),
            ("binding_message", "Quầy 3, hồ sơ 0001"),
        ];
        for (name, value) in changes {
            pairs.retain(|(n, _)| n != name);
            pairs.extend(value.map(|value| (*name, value)));
        }
        let pairs = pairs.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Asked::parse(&portal(), &Parameters::new(pairs), Assurance::Low)
    }

    #[test]
    fn a_request_names_a_citizen_and_says_what_for() {
        let asked = parse(&[("requested_expiry", Some("3600"))]).unwrap();
        assert_eq!((asked.life, asked.request.message.as_str()), (COUNTER_LIFE_MAX, "Quầy 3, hồ sơ 0001"));
        assert!(!asked.request.scopes.contains(&SignInScope::OfflineAccess), "the client may not");
        for (change, code) in [
            (("scope", Some("profile")), "invalid_scope"),
            (("login_hint", None), "invalid_request"),
            (("login_hint", Some("Hoa")), "invalid_request"),
            (("id_token_hint", Some("x")), "invalid_request"),
            (("binding_message", None), "invalid_binding_message"),
            (("binding_message", Some("x\u{202e}y\n")), "invalid_binding_message"),
            (("requested_expiry", Some("0")), "invalid_request"),
            (("acr_values", Some("urn:chung:acr:high")), "unmet_authentication_requirements"),
            (("resource", Some("x")), "invalid_target"),
        ] {
            assert_eq!(parse(&[change]).unwrap_err().code, code, "{change:?}");
        }
    }
}

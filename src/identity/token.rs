//! What tokens say, and what a client's assertion must say.
//!
//! This module holds contents and rules; signing, parsing and signatures are `crypto::jwt`'s. Rules that a JOSE
//! library does not check (single use, one audience, bounded life) stand here.

use super::{assurance::Assurance, mandate::Right, pseudonym::Subject};
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use std::{collections::BTreeSet, fmt, str::FromStr};
use time::Duration;

/// A noun of the API, the first word of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noun {
    /// Agencies, clients, roles and keys.
    Admin,
    /// Bills for dossiers.
    Bill,
    /// Differences that somebody must settle.
    Case,
    /// What happened, for subscribers.
    Event,
    /// The fee schedule.
    Fee,
    /// The books.
    Ledger,
    /// Acting for another person.
    Mandate,
    /// Attempts at paying a bill.
    Payment,
    /// Proofs of payment.
    Receipt,
    /// Money given back.
    Refund,
    /// Lists of movements.
    Statement,
    /// Questions about a citizen.
    Verification,
}

impl Noun {
    /// Every noun.
    pub const ALL: [Self; 12] = [
        Self::Admin,
        Self::Bill,
        Self::Case,
        Self::Event,
        Self::Fee,
        Self::Ledger,
        Self::Mandate,
        Self::Payment,
        Self::Receipt,
        Self::Refund,
        Self::Statement,
        Self::Verification,
    ];

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Bill => "bill",
            Self::Case => "case",
            Self::Event => "event",
            Self::Fee => "fee",
            Self::Ledger => "ledger",
            Self::Mandate => "mandate",
            Self::Payment => "payment",
            Self::Receipt => "receipt",
            Self::Refund => "refund",
            Self::Statement => "statement",
            Self::Verification => "verification",
        }
    }
}

/// Whether a scope lets its holder change things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Look, as in `bill.read`.
    Read,
    /// Look and change, as in `bill`.
    Write,
}

/// A permission at the API: a noun, or a noun with `.read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiScope {
    /// What it is about.
    pub noun: Noun,
    /// How far it goes.
    pub access: Access,
}

/// A text that is not a scope of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no scope of that name")]
pub struct NotAScope;

impl FromStr for ApiScope {
    type Err = NotAScope;

    fn from_str(s: &str) -> Result<Self, NotAScope> {
        let (word, access) = match s.strip_suffix(".read") {
            Some(word) => (word, Access::Read),
            None => (s, Access::Write),
        };
        let noun = Noun::ALL.into_iter().find(|noun| noun.word() == word).ok_or(NotAScope)?;
        Ok(Self { noun, access })
    }
}

impl fmt::Display for ApiScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.noun.word())?;
        match self.access {
            Access::Read => f.write_str(".read"),
            Access::Write => Ok(()),
        }
    }
}

/// A set of permissions; a right to change includes the right to look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiScopes(BTreeSet<ApiScope>);

impl ApiScopes {
    /// Reads the `scope` of a request or token: words separated by single spaces, each known.
    pub fn parse(text: &str) -> Result<Self, NotAScope> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::parse).collect()
    }

    /// Whether the set lets its holder do that.
    pub fn allows(&self, wanted: ApiScope) -> bool {
        let stronger = ApiScope { access: Access::Write, ..wanted };
        self.0.contains(&wanted) || self.0.contains(&stronger)
    }

    /// The permissions in order.
    pub fn iter(&self) -> impl Iterator<Item = ApiScope> + '_ {
        self.0.iter().copied()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<ApiScope> for ApiScopes {
    fn from_iter<I: IntoIterator<Item = ApiScope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for ApiScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

/// What an ID token says (OpenID Connect Core, section 2). Claims about the person are served by userinfo only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdToken {
    /// Who issued it.
    pub issuer: String,
    /// The citizen, as this client's sector knows them.
    pub subject: Subject,
    /// The one client it is for.
    pub audience: Id<id::Client>,
    /// When it was issued.
    pub issued_at: Instant,
    /// When it stops being accepted.
    pub expires_at: Instant,
    /// When the person proved who they are.
    pub authenticated_at: Instant,
    /// How sure we are.
    pub assurance: Assurance,
    /// By what means, as RFC 8176 names them.
    pub methods: &'static [&'static str],
    /// The request's nonce, unchanged.
    pub nonce: Option<String>,
    /// The browser session, for logout.
    pub session: Option<Id<id::Session>>,
    /// Who acts for the citizen.
    pub actor: Option<Actor>,
}

/// Somebody who acts for the subject of a token (RFC 8693, section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The actor, as this client's sector knows them.
    pub subject: Subject,
    /// By what right.
    pub right: Right,
}

/// The most that an assertion may live (its `exp` ahead of now).
pub const ASSERTION_LIFE_MAX: Duration = Duration::minutes(5);
/// How far two honest clocks may differ.
pub const CLOCK_SKEW: Duration = Duration::seconds(30);
/// The longest `jti` that is remembered.
const JTI_MAX: usize = 256;

/// The claims of a client assertion (RFC 7523, section 3) whose signature by one of the client's keys holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAssertion {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`, one or several.
    pub audience: Vec<String>,
    /// `exp`.
    pub expires_at: Instant,
    /// `nbf`.
    pub not_before: Option<Instant>,
    /// `iat`.
    pub issued_at: Option<Instant>,
    /// `jti`.
    pub id: String,
}

/// Why an assertion does not prove the client. All of them are `invalid_client` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionRefusal {
    /// Issuer and subject must both be the client.
    #[error("iss and sub of the assertion must be the client_id")]
    NotTheClient,
    /// It is meant for somebody else, or for several.
    #[error("aud of the assertion must be this issuer or its token endpoint, and nothing else")]
    Audience,
    /// It is over.
    #[error("the assertion has expired")]
    Expired,
    /// It would live longer than a single use needs.
    #[error("the assertion lives longer than five minutes")]
    TooLong,
    /// It is dated in the future.
    #[error("the assertion is dated in the future")]
    Early,
    /// Without an identifier it could be used twice.
    #[error("jti of the assertion is missing or longer than 256 bytes")]
    NoId,
}

impl AssertionRefusal {
    /// The rule's word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotTheClient => "iss_and_sub_must_be_the_client",
            Self::Audience => "aud_must_be_the_issuer_alone",
            Self::Expired => "expired",
            Self::TooLong => "lives_longer_than_five_minutes",
            Self::Early => "dated_in_the_future",
            Self::NoId => "jti_missing_or_too_long",
        }
    }
}

impl ClientAssertion {
    /// Checks everything but the signature and single use, which need keys and memory.
    ///
    /// The audience is the issuer, or the token endpoint as older libraries send it; an assertion for several
    /// audiences could be replayed by any of them and is refused (RFC 7523bis).
    pub fn check(
        &self,
        client: Id<id::Client>,
        accepted: &[&str],
        now: Instant,
    ) -> Result<(), AssertionRefusal> {
        let client = client.to_string();
        if self.issuer != client || self.subject != client {
            return Err(AssertionRefusal::NotTheClient);
        }
        match self.audience.as_slice() {
            [only] if accepted.contains(&only.as_str()) => {}
            _ => return Err(AssertionRefusal::Audience),
        }
        if self.id.is_empty() || self.id.len() > JTI_MAX {
            return Err(AssertionRefusal::NoId);
        }
        if self.expires_at <= now - CLOCK_SKEW {
            return Err(AssertionRefusal::Expired);
        }
        if self.expires_at > now + ASSERTION_LIFE_MAX + CLOCK_SKEW {
            return Err(AssertionRefusal::TooLong);
        }
        let early = |moment: Option<Instant>| moment.is_some_and(|m| m > now + CLOCK_SKEW);
        if early(self.not_before) || early(self.issued_at) {
            return Err(AssertionRefusal::Early);
        }
        Ok(())
    }

    /// Until when its `jti` must be remembered: as long as it would be accepted again.
    pub fn remember_until(&self) -> Instant {
        self.expires_at + CLOCK_SKEW
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    #[test]
    fn scopes_parse_and_a_change_includes_a_look() {
        let scopes = ApiScopes::parse("receipt.read bill").unwrap();
        assert_eq!(scopes.to_string(), "bill receipt.read");
        let scope = |s: &str| s.parse::<ApiScope>().unwrap();
        assert!(scopes.allows(scope("bill")) && scopes.allows(scope("bill.read")));
        assert!(scopes.allows(scope("receipt.read")) && !scopes.allows(scope("receipt")));
        assert!(ApiScopes::parse("bill openid").is_err());
        assert!(ApiScopes::parse("").unwrap().is_empty());
        for noun in Noun::ALL {
            for access in [Access::Read, Access::Write] {
                let one = ApiScope { noun, access };
                assert_eq!(one.to_string().parse(), Ok(one));
            }
        }
    }

    #[test]
    fn an_assertion_is_short_lived_for_one_audience_and_by_the_client() {
        let now = datetime!(2026-11-24 01:00 UTC);
        let client: Id<id::Client> = Id::new(now, &SeededEntropy::new(2));
        let accepted = ["https://id.example", "https://id.example/oidc/token"];
        let good = ClientAssertion {
            issuer: client.to_string(),
            subject: client.to_string(),
            audience: vec!["https://id.example".into()],
            expires_at: now + Duration::minutes(1),
            not_before: None,
            issued_at: Some(now),
            id: "one".into(),
        };
        let check = |change: &dyn Fn(&mut ClientAssertion)| {
            let mut changed = good.clone();
            change(&mut changed);
            changed.check(client, &accepted, now)
        };
        assert_eq!(check(&|_| ()), Ok(()));
        assert_eq!(check(&|a| a.audience = vec!["https://id.example/oidc/token".into()]), Ok(()));
        assert_eq!(check(&|a| a.expires_at = now - Duration::seconds(29)), Ok(()), "clocks may differ");
        let two = vec!["https://id.example".into(), "https://other.example".into()];
        type Change<'a> = &'a dyn Fn(&mut ClientAssertion);
        let refused: [(Change<'_>, AssertionRefusal); 11] = [
            (&|a| a.issuer = "client_other".into(), AssertionRefusal::NotTheClient),
            (&|a| a.subject = "client_other".into(), AssertionRefusal::NotTheClient),
            (&|a| a.audience = vec!["https://other.example".into()], AssertionRefusal::Audience),
            (&|a| a.audience.clone_from(&two), AssertionRefusal::Audience),
            (&|a| a.audience.clear(), AssertionRefusal::Audience),
            (&|a| a.expires_at = now - Duration::seconds(30), AssertionRefusal::Expired),
            (&|a| a.expires_at = now + Duration::minutes(6), AssertionRefusal::TooLong),
            (&|a| a.not_before = Some(now + Duration::minutes(1)), AssertionRefusal::Early),
            (&|a| a.issued_at = Some(now + Duration::minutes(1)), AssertionRefusal::Early),
            (&|a| a.id.clear(), AssertionRefusal::NoId),
            (&|a| a.id = "x".repeat(257), AssertionRefusal::NoId),
        ];
        for (i, (change, why)) in refused.into_iter().enumerate() {
            assert_eq!(check(change), Err(why), "case {i}");
        }
    }
}

//! What a client agreed to at registration, beyond addresses and claims: the security profile that it keeps, and what
//! it may ask for under it.
//!
//! `fapi2` is the FAPI 2.0 Security Profile and the default; `basic` is OpenID Connect's code flow with PKCE. A client
//! is held to its profile: nothing of the weaker one is taken from a client of the stronger.

use super::{endpoint::EndpointUrl, pseudonym::Sector};
use crate::base::id::{self, Id};
use std::{fmt, str::FromStr};
use url::Url;

/// The rules that a client keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// FAPI 2.0 Security Profile: pushed requests, `private_key_jwt`, tokens bound to a key by DPoP.
    #[default]
    Fapi2,
    /// Code flow with PKCE; secret or `private_key_jwt`; bearer tokens.
    Basic,
}

impl Profile {
    /// The word in registrations and rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fapi2 => "fapi2",
            Self::Basic => "basic",
        }
    }
}

/// A text that names no profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a profile is fapi2 or basic")]
pub struct NotAProfile;

impl FromStr for Profile {
    type Err = NotAProfile;

    fn from_str(s: &str) -> Result<Self, NotAProfile> {
        [Self::Fapi2, Self::Basic].into_iter().find(|profile| profile.word() == s).ok_or(NotAProfile)
    }
}

/// How a client wants its ID tokens signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdTokenAlgorithm {
    /// ECDSA on P-256, what everybody gets.
    #[default]
    Es256,
    /// RSA, for portals that know nothing else, where an operator has imported such a key.
    Rs256,
}

impl IdTokenAlgorithm {
    /// The name on the wire (RFC 7518).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl FromStr for IdTokenAlgorithm {
    type Err = NotAProfile;

    fn from_str(s: &str) -> Result<Self, NotAProfile> {
        [Self::Es256, Self::Rs256].into_iter().find(|algorithm| algorithm.word() == s).ok_or(NotAProfile)
    }
}

/// The name of a protected resource (RFC 8707, section 2): an absolute address without a fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource(String);

/// A text that is not the name of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a resource is an absolute address without fragment, at most 500 characters")]
pub struct NotAResource;

impl Resource {
    /// The text, compared letter by letter.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Resource {
    type Err = NotAResource;

    fn from_str(s: &str) -> Result<Self, NotAResource> {
        let url = Url::parse(s).map_err(|_| NotAResource)?;
        let plain = s.len() <= 500 && !s.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\');
        let known = matches!(url.scheme(), "https" | "http") && url.has_host();
        let bare = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if plain && known && bare { Ok(Self(s.to_owned())) } else { Err(NotAResource) }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// The rules it keeps.
    pub profile: Profile,
    /// Whether it may ask for refresh tokens.
    pub offline: bool,
    /// Whether it may start sign-ins at a counter.
    pub counter: bool,
    /// How its ID tokens are signed.
    pub id_token_alg: IdTokenAlgorithm,
    /// Where it is told that a session ended.
    pub logout_told_at: Option<EndpointUrl>,
    /// The protected resources that it serves.
    pub resources: Vec<Resource>,
    /// The portals that it takes over from.
    pub predecessors: Vec<Id<id::Client>>,
    /// The sectors of its predecessors, whose subjects it goes on using.
    pub inherits: Vec<Sector>,
}

impl Terms {
    /// The plain terms of the weaker profile.
    pub fn basic() -> Self {
        Self { profile: Profile::Basic, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_profile_is_the_default() {
        assert_eq!(Terms::default().profile, Profile::Fapi2);
        for profile in [Profile::Fapi2, Profile::Basic] {
            assert_eq!(profile.word().parse(), Ok(profile));
        }
        assert!("FAPI2".parse::<Profile>().is_err() && "none".parse::<IdTokenAlgorithm>().is_err());
    }

    #[test]
    fn a_resource_is_an_address_and_nothing_more() {
        assert!("https://api.example/records?x=1".parse::<Resource>().is_ok());
        for bad in
            ["", "api", "urn:x", "https://a.example/#x", "https://u:p@a.example/", "https://a.example/ b"]
        {
            assert!(bad.parse::<Resource>().is_err(), "{bad}");
        }
    }
}

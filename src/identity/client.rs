//! A client: a portal that signs citizens in, or an agency's system that calls the API.
//!
//! What a client may do is fixed at registration: where answers are sent, how it proves itself, how sure it must be
//! of a citizen, which claims it may ask for and on what ground. Nothing in a request widens any of it.

use super::{
    assurance::Assurance,
    claims::ClaimsPolicy,
    client_key::ClientKey,
    profile::{Profile, Terms},
    pseudonym::Sector,
    token::{ApiScope, ApiScopes},
};
use crate::base::{
    clock::Instant,
    id::{self, Id},
    text::{Lang, Line},
};
use std::{fmt, net::Ipv6Addr, str::FromStr};
use url::{Host, Url};

/// A registered client as the sign-in and the token endpoint see it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its identifier, the `client_id` on the wire.
    pub id: Id<id::Client>,
    /// The agency that answers for it.
    pub agency: Id<id::Agency>,
    /// The name that citizens read.
    pub name: Wording,
    /// What it signs citizens in for, as they read it.
    pub purpose: Wording,
    /// How it proves itself at the token endpoint.
    pub credential: Credential,
    /// Where answers may be sent; compared exactly.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may be sent after logout; compared exactly.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// The weakest sign-in that it may accept.
    pub acr_min: Assurance,
    /// The circle within which it knows citizens by one name.
    pub sector: Sector,
    /// Which claims it may ask for, on what ground.
    pub policy: ClaimsPolicy,
    /// What it may do at the API in its own name.
    pub scopes: ApiScopes,
    /// What it agreed to beyond that.
    pub terms: Terms,
    /// Whether it may act now.
    pub standing: Standing,
}

impl Client {
    /// Whether it is held to the FAPI 2.0 Security Profile.
    pub fn is_fapi2(&self) -> bool {
        self.terms.profile == Profile::Fapi2
    }

    /// The sectors in which its subjects stand, its own first.
    pub fn sectors(&self) -> Vec<&Sector> {
        std::iter::once(&self.sector).chain(&self.terms.inherits).collect()
    }

    /// Refuses a client that may not act now.
    pub fn may_act(&self, now: Instant) -> Result<(), Barred> {
        match self.standing {
            Standing::Suspended => Err(Barred::Suspended),
            Standing::AgencySuspended => Err(Barred::AgencySuspended),
            Standing::Active { until } if until.is_some_and(|end| now >= end) => Err(Barred::Expired),
            Standing::Active { .. } => Ok(()),
        }
    }

    /// The registered address that equals `text` letter by letter (RFC 9700, section 2.1).
    pub fn redirect_uri(&self, text: &str) -> Option<&RedirectUri> {
        self.redirect_uris.iter().find(|uri| uri.as_str() == text)
    }

    /// The registered address after logout that equals `text` letter by letter.
    pub fn post_logout_redirect_uri(&self, text: &str) -> Option<&RedirectUri> {
        self.post_logout_redirect_uris.iter().find(|uri| uri.as_str() == text)
    }

    /// The scopes to put into a token of the client's own: all it has, or those asked for if it has them all.
    pub fn grantable(&self, asked: &[ApiScope]) -> Option<ApiScopes> {
        if asked.is_empty() {
            return Some(self.scopes.clone());
        }
        asked.iter().all(|scope| self.scopes.allows(*scope)).then(|| asked.iter().copied().collect())
    }
}

/// A text that citizens read, in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// In Vietnamese.
    pub vi: Line<200>,
    /// In English.
    pub en: Line<200>,
}

impl Wording {
    /// The text in the reader's language.
    pub const fn of(&self, lang: Lang) -> &Line<200> {
        match lang {
            Lang::Vi => &self.vi,
            Lang::En => &self.en,
        }
    }
}

/// Whether a client may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may, until its registration ends, if it does.
    Active {
        /// When it ends.
        until: Option<Instant>,
    },
    /// An administrator stopped it.
    Suspended,
    /// The agency that answers for it is stopped.
    AgencySuspended,
}

/// Why a client may not act, told to its developer as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    /// Stopped by an administrator.
    #[error("the client is suspended")]
    Suspended,
    /// Its agency was stopped.
    #[error("the agency of the client is suspended")]
    AgencySuspended,
    /// Its registration is over.
    #[error("the registration of the client has expired")]
    Expired,
}

impl Barred {
    /// The rule's word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::AgencySuspended => "agency_suspended",
            Self::Expired => "expired",
        }
    }

    /// The refusal's code at the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Suspended => "client_suspended",
            Self::AgencySuspended => "agency_suspended",
            Self::Expired => "client_expired",
        }
    }
}

/// How a client proves itself: one way, set at registration, so that the weaker never stands in for the stronger.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// `private_key_jwt`: assertions signed by one of these keys.
    PrivateKeyJwt {
        /// The public keys, those that have ended among them.
        keys: Vec<ClientKey>,
    },
    /// `client_secret_basic`: the SHA-256 of a random secret that was shown once.
    ClientSecretBasic {
        /// The digest.
        digest: [u8; 32],
        /// The secret before the last rotation.
        former: Option<FormerSecret>,
    },
}

/// A secret that was replaced, and proves its client a while longer, so that a portal changes over without a failed
/// request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FormerSecret {
    /// Its digest.
    pub digest: [u8; 32],
    /// When it proves nothing any more.
    pub until: Instant,
}

impl Credential {
    /// The method's registered name.
    pub const fn method(&self) -> &'static str {
        match self {
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
            Self::ClientSecretBasic { .. } => "client_secret_basic",
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method())
    }
}

/// An address that a browser may be sent to: absolute, https (or http on the loopback), no fragment, no credentials.
///
/// The text is kept as registered, because addresses are compared letter by letter and never normalized.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RedirectUri {
    text: String,
    url: Url,
}

/// Why a text is not a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARedirectUri {
    /// It is not an absolute URI, or longer than 2,000 characters.
    #[error("a redirect URI is an absolute address of at most 2000 characters")]
    Malformed,
    /// Another scheme than https, or http away from the loopback.
    #[error("a redirect URI uses https; http only on the loopback")]
    NotSecure,
    /// A fragment, which RFC 6749 section 3.1.2 forbids.
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// A user name or password.
    #[error("a redirect URI holds no credentials")]
    Credentials,
}

impl RedirectUri {
    /// The text as registered.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, for the `form-action` of a page whose answer redirects there.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The address with further query parameters (RFC 6749, section 4.1.2: the registered query is kept).
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        url.into()
    }
}

impl FromStr for RedirectUri {
    type Err = NotARedirectUri;

    fn from_str(s: &str) -> Result<Self, NotARedirectUri> {
        if s.len() > 2_000 || s.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(NotARedirectUri::Malformed);
        }
        let url = Url::parse(s).map_err(|_| NotARedirectUri::Malformed)?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
            None => return Err(NotARedirectUri::NotSecure),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(NotARedirectUri::NotSecure);
        }
        if url.fragment().is_some() {
            return Err(NotARedirectUri::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotARedirectUri::Credentials);
        }
        Ok(Self { text: s.to_owned(), url })
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        base::entropy::SeededEntropy,
        identity::claims::{Claim, Ground, Rule},
    };
    use time::macros::datetime;

    pub fn portal() -> Client {
        let (now, entropy) = (datetime!(2026-11-24 01:00 UTC), SeededEntropy::new(4));
        let wording = |vi, en| Wording { vi: Line::parse(vi).unwrap(), en: Line::parse(en).unwrap() };
        let law = Ground::Law(Line::parse("Nghị định 118/2025/NĐ-CP").unwrap());
        let rules = vec![
            Rule { claim: Claim::Name, ground: law.clone() },
            Rule { claim: Claim::PersonalNumber, ground: law },
            Rule { claim: Claim::PhoneNumber, ground: Ground::Consent },
        ];
        Client {
            id: Id::new(now, &entropy),
            agency: Id::new(now, &entropy),
            name: wording("Cổng dịch vụ công", "Public service portal"),
            purpose: wording("Nộp hồ sơ", "File a dossier"),
            credential: Credential::ClientSecretBasic { digest: [7; 32], former: None },
            redirect_uris: vec!["https://portal.example/callback?from=chung".parse().unwrap()],
            post_logout_redirect_uris: vec!["https://portal.example/bye".parse().unwrap()],
            acr_min: Assurance::Low,
            sector: "hcmc".parse().unwrap(),
            policy: ClaimsPolicy::new(rules).unwrap(),
            scopes: ["bill".parse().unwrap(), "receipt.read".parse().unwrap()].into_iter().collect(),
            terms: Terms::basic(),
            standing: Standing::Active { until: None },
        }
    }

    #[test]
    fn redirect_uris_are_compared_letter_by_letter() {
        let client = portal();
        assert!(client.redirect_uri("https://portal.example/callback?from=chung").is_some());
        for near in [
            "https://portal.example/callback",
            "https://portal.example/callback/?from=chung",
            "https://PORTAL.example/callback?from=chung",
            "https://portal.example:443/callback?from=chung",
            "https://portal.example/callback?from=chung&x=1",
            "https://portal.example/x/../callback?from=chung",
            "https://portal.example.evil/callback?from=chung",
        ] {
            assert!(client.redirect_uri(near).is_none(), "{near}");
        }
    }

    #[test]
    fn only_safe_addresses_can_be_registered() {
        for good in
            ["https://a.example/cb", "http://127.0.0.1:8090/cb", "http://localhost/cb", "http://[::1]:1/cb"]
        {
            assert!(good.parse::<RedirectUri>().is_ok(), "{good}");
        }
        let refused: [(&str, NotARedirectUri); 9] = [
            ("", NotARedirectUri::Malformed),
            ("/callback", NotARedirectUri::Malformed),
            ("https://a.example/c b", NotARedirectUri::Malformed),
            ("https://a.example\\@evil.example/", NotARedirectUri::Malformed),
            ("http://a.example/cb", NotARedirectUri::NotSecure),
            ("javascript:alert(1)", NotARedirectUri::NotSecure),
            ("myapp://cb", NotARedirectUri::NotSecure),
            ("https://a.example/cb#here", NotARedirectUri::Fragment),
            ("https://user:word@a.example/cb", NotARedirectUri::Credentials),
        ];
        for (text, why) in refused {
            assert_eq!(text.parse::<RedirectUri>(), Err(why), "{text}");
        }
    }

    #[test]
    fn an_answer_keeps_the_registered_query() {
        let uri: RedirectUri = "https://a.example/cb?x=1".parse().unwrap();
        assert_eq!(uri.with(&[("state", "a b&c")]), "https://a.example/cb?x=1&state=a+b%26c");
        assert_eq!(uri.origin(), "https://a.example");
    }

    #[test]
    fn a_client_acts_until_it_is_stopped_or_over() {
        let end = datetime!(2027-01-01 00:00 UTC);
        let with = |standing| Client { standing, ..portal() };
        let active = with(Standing::Active { until: Some(end) });
        assert_eq!(active.may_act(end - time::Duration::SECOND), Ok(()));
        assert_eq!(active.may_act(end), Err(Barred::Expired));
        assert_eq!(with(Standing::Suspended).may_act(end), Err(Barred::Suspended));
    }

    #[test]
    fn a_client_grants_itself_no_more_than_it_has() {
        let client = portal();
        let scope = |s: &str| s.parse::<ApiScope>().unwrap();
        assert_eq!(client.grantable(&[]), Some(client.scopes.clone()));
        assert!(client.grantable(&[scope("bill.read")]).is_some_and(|s| !s.allows(scope("bill"))));
        assert_eq!(client.grantable(&[scope("bill"), scope("refund")]), None);
        assert_eq!(client.grantable(&[scope("receipt")]), None);
    }
}

//! The one address under which citizens and portals reach the service; issuer, links and cookies follow from it.

use std::{fmt, net::IpAddr, str::FromStr};
use url::{Host, Url};

/// A public origin: scheme, host and port, nothing after them. `https`, or `http` on the loopback only.
///
/// `https` means production: there cookies carry the `__Host-` prefix and development keys are refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    text: String,
    production: bool,
}

/// Why a text is not a public origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOrigin {
    /// Not `scheme://host[:port]`.
    #[error("an origin is scheme, host and port only, like https://chung.example")]
    Malformed,
    /// `http` away from this machine, or another scheme.
    #[error("a public origin uses https; http only on localhost")]
    NotSecure,
}

impl Origin {
    /// `https://chung.example`, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether browsers reach us over https.
    pub const fn is_production(&self) -> bool {
        self.production
    }

    /// The address of a path of ours; `path` begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// The name of a cookie here: host-only by its prefix wherever the browser demands https for it.
    pub fn cookie(&self, name: &str) -> String {
        if self.production { format!("__Host-{name}") } else { name.to_owned() }
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(s: &str) -> Result<Self, NotAnOrigin> {
        let url = Url::parse(s).map_err(|_| NotAnOrigin::Malformed)?;
        let text = url.origin().ascii_serialization();
        if s.trim_end_matches('/') != text {
            return Err(NotAnOrigin::Malformed);
        }
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => return Err(NotAnOrigin::Malformed),
        };
        match url.scheme() {
            "https" => Ok(Self { text, production: true }),
            "http" if loopback => Ok(Self { text, production: false }),
            _ => Err(NotAnOrigin::NotSecure),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_https_and_http_stays_at_home() {
        let origin = |s: &str| s.parse::<Origin>();
        assert!(origin("https://chung.example/").unwrap().is_production());
        assert_eq!(origin("https://chung.example/").unwrap().at("/oidc"), "https://chung.example/oidc");
        for home in ["http://localhost:8080", "http://127.0.0.1:8090", "http://[::1]:1"] {
            assert!(!origin(home).unwrap().is_production(), "{home}");
        }
        assert_eq!(origin("http://chung.example"), Err(NotAnOrigin::NotSecure));
        for bad in ["chung.example", "https://chung.example/a", "https://u@chung.example", "https://x?y", ""]
        {
            assert_eq!(origin(bad), Err(NotAnOrigin::Malformed), "{bad:?}");
        }
        assert_eq!(origin("https://a.example").unwrap().cookie("chung_session"), "__Host-chung_session");
    }
}

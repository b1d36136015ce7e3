//! Where an agency wants to be told of events: an address, and nothing that would hide another one in it.

use std::{fmt, str::FromStr};
use url::{Host, Url};

/// The address of a webhook endpoint: absolute, http or https, no credentials, no fragment. Whether http and which
/// hosts are allowed is the deliverer's to say.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(Url);

/// Why a text is not the address of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an endpoint is an absolute http or https address without credentials or fragment, at most 2000 characters"
)]
pub struct NotAnEndpoint;

impl EndpointUrl {
    /// The address.
    pub const fn url(&self) -> &Url {
        &self.0
    }

    /// Whether what is sent there travels under TLS.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The network address, where the host is written as one.
    pub fn literal(&self) -> Option<std::net::IpAddr> {
        match self.0.host()? {
            Host::Ipv4(v4) => Some(v4.into()),
            Host::Ipv6(v6) => Some(v6.into()),
            Host::Domain(_) => None,
        }
    }
}

impl FromStr for EndpointUrl {
    type Err = NotAnEndpoint;

    fn from_str(s: &str) -> Result<Self, NotAnEndpoint> {
        if s.len() > 2_000 || s.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(NotAnEndpoint);
        }
        let url = Url::parse(s).map_err(|_| NotAnEndpoint)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let known = matches!(url.scheme(), "http" | "https") && url.host().is_some();
        if plain && known { Ok(Self(url)) } else { Err(NotAnEndpoint) }
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_hides_no_other() {
        for good in ["https://a.example/hook?x=1", "http://127.0.0.1:9/", "https://[2606:4700::1]/"] {
            assert!(good.parse::<EndpointUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/hook",
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://user@a.example/",
            "https://u:p@a.example/",
            "https://a.example/#x",
            "https://a.example\\@b.example/",
            "https:// a.example/",
            "https://",
        ] {
            assert!(bad.parse::<EndpointUrl>().is_err(), "{bad}");
        }
    }

    /// However a number is written, it is seen as the address that would be dialled.
    #[test]
    fn a_number_is_an_address_in_any_spelling() {
        for spelt in [
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://0177.0.0.1/",
            "https://①②⑦.0.0.1/",
        ] {
            let url: EndpointUrl = spelt.parse().unwrap();
            assert_eq!(url.literal().map(|a| a.to_string()).as_deref(), Some("127.0.0.1"), "{spelt}");
        }
        assert_eq!("https://a.example/".parse::<EndpointUrl>().unwrap().literal(), None);
    }
}

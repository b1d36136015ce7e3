//! An e-mail address, for notices only: it proves nothing about a person.

use std::{fmt, str::FromStr};

/// The longest address (RFC 5321, section 4.5.3.1.3).
const LENGTH_MAX: usize = 254;

/// An address that a message can be sent to. Prints masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox(String);

impl Mailbox {
    /// All of it, for the gateway.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address is written like hoa@example.vn")]
pub struct NotAMailbox;

impl FromStr for Mailbox {
    type Err = NotAMailbox;

    fn from_str(s: &str) -> Result<Self, NotAMailbox> {
        let s = s.trim();
        let (local, domain) = s.rsplit_once('@').ok_or(NotAMailbox)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c);
        let label = |label: &str| {
            !label.is_empty()
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
        };
        let fits = s.len() <= LENGTH_MAX
            && (1..=64).contains(&local.len())
            && local.chars().all(atom)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && domain.contains('.')
            && domain.split('.').all(label);
        fits.then(|| Self(format!("{local}@{}", domain.to_ascii_lowercase()))).ok_or(NotAMailbox)
    }
}

impl fmt::Display for Mailbox {
    /// `h***@example.vn`: enough for its owner to recognize it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or_default();
        write!(f, "{}***@{domain}", local.chars().next().unwrap_or_default())
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_masked() {
        let mailbox: Mailbox = " hoa.nguyen+thu@Example.VN ".parse().unwrap();
        assert_eq!(mailbox.as_str(), "hoa.nguyen+thu@example.vn");
        assert_eq!(mailbox.to_string(), "h***@example.vn");
        for bad in [
            "",
            "hoa",
            "hoa@localhost",
            "@example.vn",
            "hoa@.vn",
            "a b@example.vn",
            "a@b@.x",
            "hoa@exa mple.vn",
            "hoa@example.vn\r\nBcc: x@y.z",
        ] {
            assert_eq!(bad.parse::<Mailbox>(), Err(NotAMailbox), "{bad}");
        }
    }
}

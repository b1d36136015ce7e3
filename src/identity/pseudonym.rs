//! The name by which one sector knows a citizen: random, stored, and the same after a new card or number.
//!
//! A pairwise subject (OpenID Connect Core section 8.1) could be computed from the personal number; then a corrected
//! number would orphan every account, and whoever learns the key could walk all numbers. So it is drawn once per
//! citizen and sector and remembered. Portals of one sector share it; portals of two sectors cannot compare notes.

use crate::base::entropy::{Entropy, random};
use std::{fmt, str::FromStr};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 32;

/// A citizen's name towards one sector: 32 letters and digits, 190 random bits, no time in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(String);

impl Subject {
    /// Draws a new subject.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let mut text = String::with_capacity(LENGTH);
        while text.len() < LENGTH {
            let bytes: [u8; 48] = random(entropy);
            // 248 is the largest multiple of 62 in a byte: below it every letter is equally likely.
            let fair = bytes.iter().filter(|&&b| b < 248).map(|&b| char::from(ALPHABET[usize::from(b % 62)]));
            text.extend(fair.take(LENGTH - text.len()));
        }
        Self(text)
    }

    /// The `sub` on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subject has 32 letters and digits")]
pub struct NotASubject;

impl FromStr for Subject {
    type Err = NotASubject;

    fn from_str(s: &str) -> Result<Self, NotASubject> {
        let shape = s.len() == LENGTH && s.bytes().all(|b| b.is_ascii_alphanumeric());
        if shape { Ok(Self(s.to_owned())) } else { Err(NotASubject) }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The circle within which a citizen has one name, such as `hcmc` or `justice`: set by an administrator per client,
/// never derived from an address that may change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sector(String);

impl Sector {
    /// The sector's code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is not a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sector is 2 to 64 lower-case letters, digits, dots or hyphens")]
pub struct NotASector;

impl FromStr for Sector {
    type Err = NotASector;

    fn from_str(s: &str) -> Result<Self, NotASector> {
        let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        let shape = (2..=64).contains(&s.len()) && s.bytes().all(letter);
        if shape { Ok(Self(s.to_owned())) } else { Err(NotASector) }
    }
}

impl fmt::Display for Sector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use std::collections::HashSet;

    #[test]
    fn subjects_differ_and_parse_back() {
        let entropy = SeededEntropy::new(9);
        let drawn: HashSet<Subject> = (0..1_000).map(|_| Subject::new(&entropy)).collect();
        assert_eq!(drawn.len(), 1_000);
        assert!(drawn.iter().all(|s| s.as_str().parse() == Ok(s.clone())));
        assert!("".parse::<Subject>().is_err());
        assert!("é234567890123456789012345678901".parse::<Subject>().is_err());
    }

    #[test]
    fn a_sector_is_a_plain_word() {
        assert!("hcmc.justice-1".parse::<Sector>().is_ok());
        for bad in ["", "a", "HCMC", "a b", "x/y", &"a".repeat(65)] {
            assert!(bad.parse::<Sector>().is_err(), "{bad:?}");
        }
    }
}

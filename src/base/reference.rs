//! The public reference of a bill: 20 characters of Crockford base32, 19 random and one check character.
//!
//! It is the same in `/pay/{reference}`, the VietQR purpose, the printed notice and the remittance text. Case and
//! punctuation do not matter, so what a bank strips or lowers still finds its bill.

use super::entropy::{Entropy, random};
use std::{fmt, str::FromStr};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 20;

/// A bill's public reference (95 random bits, one check character over position and value).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference([u8; LENGTH]);

impl Reference {
    /// A fresh reference; it reveals neither its time nor its neighbours.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let bytes: [u8; LENGTH] = random(entropy);
        let mut text = bytes.map(|b| ALPHABET[usize::from(b & 31)]);
        text[LENGTH - 1] = check_character(&text[..LENGTH - 1]);
        Self(text)
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// In groups of five, to read aloud or copy by hand: `7K3QD-…`.
    pub fn spaced(&self) -> String {
        self.as_str().as_bytes().chunks(5).map(|c| String::from_utf8_lossy(c)).collect::<Vec<_>>().join("-")
    }

    /// Every reference that a remittance text may contain, whatever surrounds it: banks prepend codes, drop
    /// punctuation and change case. A chance match of the check character is likely once in 31 windows, so the
    /// caller asks the books which of them names a bill.
    pub fn candidates(text: &str) -> Vec<Self> {
        let packed: String = text.chars().filter(char::is_ascii_alphanumeric).take(1_000).collect();
        let windows = (LENGTH..=packed.len()).map(|end| &packed[end - LENGTH..end]);
        let mut found: Vec<Self> = windows.filter_map(|w| w.parse().ok()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A weighted sum modulo 31 catches every single wrong character and every swap of neighbours among 31 letters.
fn check_character(text: &[u8]) -> u8 {
    let mut sum: usize = 0;
    for (i, letter) in text.iter().enumerate() {
        let value = ALPHABET.iter().position(|a| a == letter).unwrap_or(0);
        sum += (i + 1) * (value + 1);
    }
    ALPHABET[sum % 31]
}

/// A text that is not a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference has 20 letters and digits, the last of which checks the others")]
pub struct NotAReference;

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(s: &str) -> Result<Self, NotAReference> {
        let mut text = [0; LENGTH];
        let mut letters = s.bytes().filter(|b| !matches!(b, b'-' | b' ' | b'.'));
        for slot in &mut text {
            // Crockford: O reads as zero, I and L as one.
            let letter = match letters.next().ok_or(NotAReference)?.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if !ALPHABET.contains(&letter) {
                return Err(NotAReference);
            }
            *slot = letter;
        }
        let complete = letters.next().is_none() && text[LENGTH - 1] == check_character(&text[..LENGTH - 1]);
        if complete { Ok(Self(text)) } else { Err(NotAReference) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;

    #[test]
    fn survives_what_people_and_banks_do_to_it() {
        let reference = Reference::new(&SeededEntropy::new(5));
        let text = reference.to_string();
        assert_eq!(text.to_lowercase().parse(), Ok(reference));
        assert_eq!(reference.spaced().parse(), Ok(reference));
        let remittance = format!("MBVCB.123{}FT26328", text.to_lowercase());
        assert!(Reference::candidates(&remittance).contains(&reference));
        assert!(Reference::candidates("thanh toan").is_empty());
    }

    #[test]
    fn one_wrong_character_is_noticed() {
        let reference = Reference::new(&SeededEntropy::new(6)).to_string();
        for i in 0..LENGTH - 1 {
            let mut typo = reference.clone().into_bytes();
            typo[i] = if typo[i] == b'7' { b'8' } else { b'7' };
            assert!(String::from_utf8(typo).unwrap().parse::<Reference>().is_err(), "position {i}");
        }
    }
}

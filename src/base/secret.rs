//! Values that must not be seen: secrets in memory, sealed fields in rows, and tokens that say what they are.

use super::entropy::{Entropy, random};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use std::{fmt, marker::PhantomData};
use zeroize::Zeroize;

/// A value that never prints itself and is wiped when dropped.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value into custody.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one use that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// An encrypted field as a row holds it: nonce, ciphertext and tag in one, and the key that sealed it. Only a flow
/// opens it, through `app.keys`; the type parameter says what comes out.
pub struct Sealed<T> {
    bytes: Vec<u8>,
    key: u32,
    what: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// Wraps what the seal produced or a row held; `key` is the number of the master key generation.
    pub const fn new(bytes: Vec<u8>, key: u32) -> Self {
        Self { bytes, key, what: PhantomData }
    }

    /// The sealed bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The generation of the key that sealed them.
    pub const fn key(&self) -> u32 {
        self.key
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::new(self.bytes.clone(), self.key)
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed({} bytes, key {})", self.bytes.len(), self.key)
    }
}

/// The alphabet of tokens: URL-safe, no look-alikes with padding or punctuation.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a token is for; its prefix lets leak scanners find it, its checksum refuses garbage before any look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A one-time authorization code (RFC 6749).
    Code,
    /// A browser's session cookie.
    Session,
    /// A client's secret.
    ClientSecret,
    /// An opaque access token.
    Access,
    /// A refresh token.
    Refresh,
    /// A form's proof that it came from our page.
    Form,
    /// A browser's cookie that somebody signed in there before.
    Browser,
    /// The name of a pushed request (RFC 9126).
    Pushed,
    /// The name of a sign-in that was started at a counter (`auth_req_id`).
    Counter,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "chc_",
            Self::Session => "chs_",
            Self::ClientSecret => "chk_",
            Self::Access => "cha_",
            Self::Refresh => "chr_",
            Self::Form => "chf_",
            Self::Browser => "chb_",
            Self::Pushed => "chp_",
            Self::Counter => "chq_",
        }
    }
}

/// How many random characters a token has: 43 of 62 letters are 256 bits.
const RANDOM: usize = 43;
/// How many checksum characters follow.
const CHECK: usize = 6;
/// The longest text of sealed bytes that is looked at.
const CARRIED_MAX: usize = 8_192;

/// A bearer secret: prefix, 256 random bits, checksum. Rows hold only its digest.
#[derive(Clone)]
pub struct Token(Secret<String>);

impl Token {
    /// A fresh token.
    pub fn new(kind: TokenKind, entropy: &dyn Entropy) -> Self {
        let mut text = String::from(kind.prefix());
        while text.len() < kind.prefix().len() + RANDOM {
            let bytes: [u8; 64] = random(entropy);
            let fair = bytes.iter().filter(|&&b| b < 248).map(|&b| char::from(ALPHABET[usize::from(b % 62)]));
            text.extend(fair.take(kind.prefix().len() + RANDOM - text.len()));
        }
        text.push_str(&checksum(&text));
        Self(Secret::new(text))
    }

    /// Reads a token of that kind; anything misspelt is `None`, before any look-up.
    pub fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let body = text.strip_prefix(kind.prefix())?;
        if body.len() != RANDOM + CHECK || !body.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let (head, check) = text.split_at(text.len() - CHECK);
        (checksum(head) == check).then(|| Self(Secret::new(text.to_owned())))
    }

    /// A token that carries sealed bytes in place of random letters; its seal is its spelling check.
    pub fn carrying(kind: TokenKind, sealed: &[u8]) -> Self {
        let mut text = String::from(kind.prefix());
        BASE64_URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
        Self(Secret::new(text))
    }

    /// The sealed bytes of such a token; one text for the same bytes, and none of another kind or form.
    pub fn carried(kind: TokenKind, text: &str) -> Option<Vec<u8>> {
        let body = text.strip_prefix(kind.prefix())?;
        let fits = (RANDOM + CHECK + 1..=CARRIED_MAX).contains(&body.len());
        fits.then(|| BASE64_URL_SAFE_NO_PAD.decode(body).ok()).flatten()
    }

    /// The text, to hand it to its owner or to digest it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token(***)")
    }
}

/// CRC-32 (IEEE) in six letters: a spelling check, not a seal.
fn checksum(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let mut rest = !crc;
    let mut out = String::with_capacity(CHECK);
    for _ in 0..CHECK {
        out.push(char::from(ALPHABET[(rest % 62) as usize]));
        rest /= 62;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;

    #[test]
    fn a_token_is_read_back_only_as_its_own_kind_and_spelling() {
        let token = Token::new(TokenKind::Code, &SeededEntropy::new(3));
        let text = token.expose().to_owned();
        assert_eq!(text.len(), 4 + RANDOM + CHECK);
        assert!(Token::parse(TokenKind::Code, &text).is_some());
        assert!(Token::parse(TokenKind::Session, &text).is_none());
        let mut typo = text.clone().into_bytes();
        typo[10] = if typo[10] == b'a' { b'b' } else { b'a' };
        assert!(Token::parse(TokenKind::Code, std::str::from_utf8(&typo).unwrap()).is_none());
        assert!(Token::parse(TokenKind::Code, &text[..text.len() - 1]).is_none());
    }

    #[test]
    fn a_token_that_carries_something_is_no_random_one() {
        let token = Token::carrying(TokenKind::Code, &[7; 60]);
        assert_eq!(Token::carried(TokenKind::Code, token.expose()), Some(vec![7; 60]));
        assert!(Token::parse(TokenKind::Code, token.expose()).is_none());
        assert!(Token::carried(TokenKind::Refresh, token.expose()).is_none());
        let random = Token::new(TokenKind::Code, &SeededEntropy::new(3));
        assert!(Token::carried(TokenKind::Code, random.expose()).is_none());
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new(String::from("hush"))), "***");
        let token = Token::new(TokenKind::Session, &SeededEntropy::new(3));
        assert_eq!(format!("{token:?}"), "token(***)");
    }
}

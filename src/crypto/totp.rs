//! Codes of an authenticator app (RFC 6238): SHA-1, six digits, steps of thirty seconds, as every app reads them.
//!
//! Which step a code belongs to is answered here; that a step serves once is its user's rule.

use crate::base::{
    clock::Instant,
    entropy::{Entropy, random},
    secret::Secret,
};
use totp_rs::{Algorithm, Builder, Totp};

/// How long one code is shown.
pub const STEP_SECONDS: i64 = 30;
/// The bytes of a secret (RFC 4226, section 4: 160 bits are recommended).
const SECRET_BYTES: usize = 20;
/// RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What an app and this service share.
#[derive(Debug, Clone)]
pub struct TotpSecret(Secret<[u8; SECRET_BYTES]>);

impl TotpSecret {
    /// Draws one.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self(Secret::new(random(entropy)))
    }

    /// The secret of those bytes, if they are one.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Secret::new(bytes)))
    }

    /// The bytes, to seal them.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// As people type it into an app: base32 without padding.
    pub fn base32(&self) -> String {
        let (mut out, mut held, mut bits) = (String::new(), 0_u32, 0);
        for byte in self.0.expose() {
            held = held << 8 | u32::from(*byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                out.push(char::from(BASE32[(held >> bits & 31) as usize]));
            }
            held &= (1 << bits) - 1;
        }
        if bits > 0 {
            out.push(char::from(BASE32[(held << (5 - bits) & 31) as usize]));
        }
        out
    }

    /// The address that an app reads from a QR code. `issuer` and `label` are plain words without a colon.
    pub fn address(&self, issuer: &str, label: &str) -> String {
        let word = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let (issuer, label) = (word(issuer).replace('+', "%20"), word(label).replace('+', "%20"));
        format!("otpauth://totp/{issuer}:{label}?secret={}&issuer={issuer}", self.base32())
    }

    /// The code at that time, as the app shows it.
    pub fn code(&self, at: Instant) -> Option<String> {
        let seconds = u64::try_from(at.unix_timestamp()).ok()?;
        Some(self.totp()?.generate(seconds).to_string())
    }

    /// The step that this code belongs to, now or one step away from it (section 5.2).
    pub fn step_of(&self, code: &str, now: Instant) -> Option<i64> {
        let seconds = u64::try_from(now.unix_timestamp()).ok()?;
        self.totp()?.check(code, seconds).and_then(|step| i64::try_from(step).ok())
    }

    fn totp(&self) -> Option<Totp> {
        let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_skew(1);
        builder.with_step_duration(STEP_SECONDS.unsigned_abs()).with_secret(*self.0.expose()).build().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, cut to six digits.
        let secret = TotpSecret::of(b"12345678901234567890").unwrap();
        assert_eq!(secret.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let at = datetime!(2005-03-18 01:58:29 UTC);
        assert_eq!(secret.code(at).unwrap(), "081804");
        assert_eq!(secret.step_of("081804", at), Some(37_037_036));
        assert_eq!(secret.step_of("081804", at + time::Duration::seconds(30)), Some(37_037_036));
        assert_eq!(secret.step_of("081804", at + time::Duration::seconds(61)), None);
        assert_eq!(secret.step_of("81804", at), None);
        assert!(TotpSecret::of(b"short").is_none());
        assert!(
            secret.address("Chung", "Nguyen Thi Hoa").starts_with("otpauth://totp/Chung:Nguyen%20Thi%20Hoa?")
        );
    }
}

//! Ways to prove that you are the person behind a number: a one-time code by SMS, the code of an app, a passkey.
//!
//! A number that is on nobody's record meets the same challenge as any other: the same page, the same counters, a
//! code that was drawn and digested but never sent. What a stranger can observe does not depend on the register.
//! A passkey names its holder itself, so that no number is typed at all.
//!
//! What a code alone enrolled is worth no more than a code until its trial is over: whoever steals a telephone number
//! would otherwise make themselves a passkey with it, and do with the passkey what the code may not.

use super::assurance::Assurance;
use crate::{
    base::{
        clock::Instant,
        entropy::{Entropy, below},
        id::{self, Id},
        secret::Secret,
        text::unaccented,
    },
    crypto::digest,
};
use std::str::FromStr;
use time::Duration;

/// How a person proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// A code sent by SMS to the phone that the register knows.
    SmsCode,
    /// The national e-ID, which reported a sign-in at its lower level.
    NationalId,
    /// The national e-ID, which reported a sign-in at its highest level.
    NationalIdHigh,
    /// An officer read the chip card and saw the person.
    ChipCard,
    /// A code of an authenticator app.
    AppCode,
    /// A passkey that verified its user.
    Passkey,
}

impl Method {
    /// Every method that this service knows.
    pub const ALL: [Self; 6] =
        [Self::SmsCode, Self::AppCode, Self::Passkey, Self::NationalId, Self::NationalIdHigh, Self::ChipCard];

    /// The strength that a sign-in by it has.
    pub const fn assurance(self) -> Assurance {
        match self {
            Self::SmsCode => Assurance::Low,
            Self::NationalIdHigh => Assurance::High,
            Self::ChipCard => Assurance::InPerson,
            Self::AppCode | Self::Passkey | Self::NationalId => Assurance::Substantial,
        }
    }

    /// Its `amr` values (RFC 8176; those with a prefix are ours).
    pub const fn references(self) -> &'static [&'static str] {
        match self {
            Self::SmsCode => &["otp", "sms"],
            Self::NationalId | Self::NationalIdHigh => &["urn:chung:amr:national_id"],
            Self::ChipCard => &["urn:chung:amr:chip_card", "urn:chung:amr:officer"],
            Self::AppCode => &["otp"],
            Self::Passkey => &["pop", "user", "mfa"],
        }
    }

    /// Its name in rows and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SmsCode => "sms_code",
            Self::NationalId => "national_id",
            Self::NationalIdHigh => "national_id_high",
            Self::ChipCard => "chip_card",
            Self::AppCode => "app_code",
            Self::Passkey => "passkey",
        }
    }

    /// The methods that a sign-in page offers.
    pub const OFFERED: &[Self] = &[Self::SmsCode, Self::AppCode, Self::Passkey];

    /// The strongest sign-in that is offered; the national e-ID is where the service is registered there.
    pub fn strongest(national_id: bool) -> Assurance {
        let own = Self::OFFERED.iter().copied().map(Self::assurance).max().unwrap_or(Assurance::Low);
        if national_id { own.max(Self::NationalIdHigh.assurance()) } else { own }
    }
}

/// A text that names no method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no sign-in method of that name")]
pub struct NotAMethod;

impl FromStr for Method {
    type Err = NotAMethod;

    fn from_str(s: &str) -> Result<Self, NotAMethod> {
        Self::ALL.into_iter().find(|method| method.word() == s).ok_or(NotAMethod)
    }
}

/// How many digits a code has.
pub const CODE_DIGITS: usize = 6;

/// A code of six digits. It is short, so rows hold only a keyed digest and few tries are allowed.
#[derive(Debug, Clone)]
pub struct OneTimeCode(Secret<String>);

impl OneTimeCode {
    /// Draws a code; every one of the million is equally likely.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self(Secret::new(format!("{:06}", below(entropy, 1_000_000))))
    }

    /// Reads what a person typed; spaces and hyphens between the digits do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 32 {
            return None;
        }
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
        let shape = digits.len() == CODE_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        shape.then(|| Self(Secret::new(digits)))
    }

    /// The digits, for the one message that carries them.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the keyed digest in a row is taken over: the code, bound to the one sign-in it was drawn for.
    pub fn bound_to(&self, authorization: Id<id::Authorization>) -> Secret<String> {
        Secret::new(format!("{authorization}|{}", self.expose()))
    }
}

/// One code that is awaited, and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Which kind of code: one that was sent, or the app's.
    pub method: Method,
    /// The keyed hash of the number that was typed.
    pub number_hash: [u8; 32],
    /// Whose number it is; `None` if nobody's, or if no code may be sent to its holder.
    pub citizen: Option<Id<id::Citizen>>,
    /// The digest of the code; of an app's code, which is not known beforehand, the digest of nothing.
    pub digest: [u8; 32],
    /// When it was asked for.
    pub sent_at: Instant,
    /// When it stops being accepted.
    pub expires_at: Instant,
    /// How many wrong answers it will still bear.
    pub tries_left: u8,
    /// How many codes this sign-in has had sent, this one included.
    pub sends: u8,
}

/// What became of one answer to a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The code is right, and it is this person's.
    Right(Id<id::Citizen>),
    /// It is wrong; so many tries are left.
    Wrong {
        /// Tries left after this one.
        tries_left: u8,
    },
    /// Too late, or too many tries: a new code is needed.
    Spent,
}

impl Challenge {
    /// Judges an answer. A challenge to nobody is never answered rightly, whatever is typed.
    pub fn judge(&self, answer: &[u8; 32], now: Instant) -> Attempt {
        self.judged(digest::equal(answer, &self.digest), now)
    }

    /// Judges the code of an app, of which `right` says whether one of the holder's apps shows it and no step of that
    /// app was used twice.
    pub fn judge_app(&self, right: bool, now: Instant) -> Attempt {
        self.judged(right, now)
    }

    fn judged(&self, right: bool, now: Instant) -> Attempt {
        if now >= self.expires_at || self.tries_left == 0 {
            return Attempt::Spent;
        }
        match self.citizen {
            Some(citizen) if right => Attempt::Right(citizen),
            Some(_) | None => Attempt::Wrong { tries_left: self.tries_left - 1 },
        }
    }

    /// Whether another code may be sent for the same sign-in, and if not now, when.
    pub fn may_send_again(&self, rules: &CodeRules, now: Instant) -> Result<(), SendRefusal> {
        if self.sends == 0 {
            return Ok(());
        }
        if self.sends >= rules.sends_max {
            return Err(SendRefusal::TooMany);
        }
        let from = self.sent_at + rules.resend_after;
        if now < from { Err(SendRefusal::TooSoon { from }) } else { Ok(()) }
    }
}

/// Why no further code is sent for a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendRefusal {
    /// The one before is still on its way.
    #[error("the code before was sent too recently")]
    TooSoon {
        /// From when another may be sent.
        from: Instant,
    },
    /// This sign-in has used up its codes; a new one may be started.
    #[error("this sign-in has used up its codes")]
    TooMany,
}

/// The life of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeRules {
    /// How long a code is accepted.
    pub life: Duration,
    /// How many answers one code bears.
    pub tries_max: u8,
    /// How long to wait before another code.
    pub resend_after: Duration,
    /// How many codes one sign-in may use.
    pub sends_max: u8,
}

/// What a citizen can enrol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A passkey, on a device or a key.
    Passkey,
    /// An app that shows codes.
    App,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Passkey, Self::App];

    /// Its name in rows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::App => "app",
        }
    }

    /// How a sign-in with it is called.
    pub const fn method(self) -> Method {
        match self {
            Self::Passkey => Method::Passkey,
            Self::App => Method::AppCode,
        }
    }
}

/// How long what a code alone enrolled is worth no more than a code: time for the holder to read the notice.
pub const TRIAL: Duration = Duration::hours(72);
/// How many authenticators one citizen keeps.
pub const AUTHENTICATORS_MAX: usize = 10;

/// When an authenticator comes into its full strength: at once where a stronger sign-in than a code, or an officer
/// who saw the card, stood behind its enrolment.
pub fn trusted_from(behind: Assurance, now: Instant) -> Instant {
    if behind > Assurance::Low { now } else { now + TRIAL }
}

/// The strength of a sign-in with an authenticator that is trusted from then on.
pub fn strength(method: Method, trusted_from: Instant, now: Instant) -> Assurance {
    if now < trusted_from { Assurance::Low } else { method.assurance() }
}

/// Whether an app's code of that step may be used: each step serves once, and none before one that was used
/// (RFC 6238, section 5.2).
pub fn is_new_step(used: Option<i64>, step: i64) -> bool {
    used.is_none_or(|used| step > used)
}

/// A name short enough for an SMS that several people in a house may read: the given name and the other initials,
/// unaccented (`Nguyễn Thị Hòa` becomes `Hoa N.T.`).
pub fn short_name(name: &str) -> String {
    let plain = unaccented(name);
    let words: Vec<&str> = plain.split_whitespace().collect();
    match words.split_last() {
        None => String::new(),
        Some((given, [])) => given.chars().take(20).collect(),
        Some((given, others)) => {
            let initials: String =
                others.iter().take(4).filter_map(|w| w.chars().next()).map(|c| format!("{c}.")).collect();
            format!("{} {initials}", given.chars().take(20).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-24 01:00 UTC);

    fn digest_of(key: &str, code: &OneTimeCode, authorization: Id<id::Authorization>) -> [u8; 32] {
        digest::MacKey::new(key.as_bytes()).digest("test", code.bound_to(authorization).expose().as_bytes())
    }

    fn challenge(citizen: bool) -> (Challenge, OneTimeCode, Id<id::Authorization>) {
        let entropy = SeededEntropy::new(11);
        let (authorization, code) = (Id::new(NOW, &entropy), OneTimeCode::new(&entropy));
        let challenge = Challenge {
            method: Method::SmsCode,
            number_hash: [1; 32],
            citizen: citizen.then(|| Id::new(NOW, &entropy)),
            digest: digest_of("key", &code, authorization),
            sent_at: NOW,
            expires_at: NOW + Duration::minutes(5),
            tries_left: 5,
            sends: 1,
        };
        (challenge, code, authorization)
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = OneTimeCode::new(&SeededEntropy::new(1));
        assert_eq!(code.expose().len(), CODE_DIGITS);
        let spaced = format!(" {} {}", &code.expose()[..3], &code.expose()[3..]);
        assert_eq!(OneTimeCode::parse(&spaced).unwrap().expose(), code.expose());
        for bad in ["", "12345", "1234567", "12345a", "１２３４５６", "123 456 7"] {
            assert!(OneTimeCode::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_code_serves_one_sign_in() {
        let (challenge, code, authorization) = challenge(true);
        let other = Id::new(NOW, &SeededEntropy::new(99));
        assert!(matches!(challenge.judge(&digest_of("key", &code, authorization), NOW), Attempt::Right(_)));
        assert_eq!(challenge.judge(&digest_of("key", &code, other), NOW), Attempt::Wrong { tries_left: 4 });
        assert_eq!(
            challenge.judge(&digest_of("other key", &code, authorization), NOW),
            Attempt::Wrong { tries_left: 4 }
        );
    }

    #[test]
    fn a_code_is_spent_by_time_and_by_tries() {
        let (challenge, code, authorization) = challenge(true);
        let right = digest_of("key", &code, authorization);
        assert_eq!(challenge.judge(&right, challenge.expires_at), Attempt::Spent);
        let used = Challenge { tries_left: 0, ..challenge };
        assert_eq!(used.judge(&right, NOW), Attempt::Spent);
    }

    #[test]
    fn nobody_cannot_answer() {
        let (challenge, code, authorization) = challenge(false);
        let answer = digest_of("key", &code, authorization);
        assert_eq!(challenge.judge(&answer, NOW), Attempt::Wrong { tries_left: 4 });
    }

    #[test]
    fn another_code_waits_and_is_counted() {
        let (challenge, ..) = challenge(true);
        let rules = CodeRules {
            life: Duration::minutes(5),
            tries_max: 5,
            resend_after: Duration::seconds(30),
            sends_max: 3,
        };
        let from = NOW + rules.resend_after;
        assert_eq!(challenge.may_send_again(&rules, NOW), Err(SendRefusal::TooSoon { from }));
        assert_eq!(challenge.may_send_again(&rules, from), Ok(()));
        let last = Challenge { sends: rules.sends_max, ..challenge };
        assert_eq!(last.may_send_again(&rules, from), Err(SendRefusal::TooMany));
    }

    #[test]
    fn what_a_code_alone_enrolled_is_on_trial() {
        let full = trusted_from(Assurance::Low, NOW);
        assert_eq!(strength(Method::Passkey, full, full - Duration::seconds(1)), Assurance::Low);
        assert_eq!(strength(Method::Passkey, full, full), Assurance::Substantial);
        assert_eq!(trusted_from(Assurance::Substantial, NOW), NOW);
    }

    #[test]
    fn a_step_serves_once_and_none_before_it() {
        assert!(is_new_step(None, 7) && is_new_step(Some(7), 8));
        assert!(!is_new_step(Some(7), 7) && !is_new_step(Some(7), 6));
    }

    #[test]
    fn names_are_shortened_for_a_message() {
        for (name, short) in [
            ("Nguyễn Thị Hòa", "Hoa N.T."),
            ("H'Hen", "H'Hen"),
            ("Đặng Trần Lê Quốc Bảo Long", "Long D.T.L.Q."),
            ("", ""),
        ] {
            assert_eq!(short_name(name), short);
        }
    }
}

//! What a citizen is told about their own identity, and the code by which they say "this was not me".
//!
//! A sign-in is told on the page and by e-mail; only what could take the identity away is told by SMS too. Whoever
//! disowns something loses nothing but time: the identity locks, and a counter opens it again.

use crate::base::{
    entropy::{Entropy, below},
    secret::Secret,
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Somebody signed in as the citizen.
    SignedIn,
    /// A way to sign in was added.
    WayEnrolled,
    /// A way to sign in was removed.
    WayRemoved,
    /// Codes go to another phone.
    PhoneChanged,
    /// Notices go to another mailbox.
    MailChanged,
    /// An officer restored the citizen's ways to sign in.
    Recovered,
    /// A lock was lifted.
    LockLifted,
    /// Somebody may act for the citizen.
    MandateGranted,
    /// The same, as an officer took it down.
    MandateRecorded,
    /// Money that is due goes to another account.
    RefundRedirected,
}

impl What {
    /// Everything that is told.
    pub const ALL: [Self; 10] = [
        Self::SignedIn,
        Self::WayEnrolled,
        Self::WayRemoved,
        Self::PhoneChanged,
        Self::MailChanged,
        Self::Recovered,
        Self::LockLifted,
        Self::MandateGranted,
        Self::MandateRecorded,
        Self::RefundRedirected,
    ];

    /// Its name in rows and text keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::WayEnrolled => "way_enrolled",
            Self::WayRemoved => "way_removed",
            Self::PhoneChanged => "phone_changed",
            Self::MailChanged => "mail_changed",
            Self::Recovered => "recovered",
            Self::LockLifted => "lock_lifted",
            Self::MandateGranted => "mandate_granted",
            Self::MandateRecorded => "mandate_recorded",
            Self::RefundRedirected => "refund_redirected",
        }
    }

    /// Whether it could take somebody's identity or money away, so that an SMS is due.
    pub const fn is_dangerous(self) -> bool {
        !matches!(self, Self::SignedIn)
    }
}

/// How many letters a code has: with thirty of each, 39 bits; guesses are counted.
const LETTERS: usize = 8;
/// Letters and digits that are not mistaken for each other, on paper or by telephone.
const ALPHABET: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The code that names a notice to whoever got it.
#[derive(Debug, Clone)]
pub struct NoticeCode(Secret<String>);

impl NoticeCode {
    /// Draws one.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let letter =
            |_| ALPHABET.get(usize::try_from(below(entropy, 30)).unwrap_or(0)).copied().unwrap_or(b'2');
        Self(Secret::new((0..LETTERS).map(letter).map(char::from).collect()))
    }

    /// Reads what a person typed; case, spaces and hyphens do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 32 {
            return None;
        }
        let letters: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-')).map(|c| c.to_ascii_uppercase()).collect();
        let shape = letters.len() == LETTERS && letters.bytes().all(|b| ALPHABET.contains(&b));
        shape.then(|| Self(Secret::new(letters)))
    }

    /// The letters, for the message that carries them and for the digest.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What a citizen answers by SMS: the word that locks, with the code of a notice or without.
#[derive(Debug)]
pub enum Reply {
    /// Lock, because of that notice.
    Lock(NoticeCode),
    /// Lock; which notice is meant is not said.
    LockUnnamed,
}

impl Reply {
    /// Reads a text message; `None` when it asks for nothing we know. `KHOA` is "lock", as our messages write it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        if !matches!(words.next()?.to_ascii_uppercase().trim_matches('.'), "KHOA" | "KHÓA" | "LOCK") {
            return None;
        }
        let rest = words.collect::<String>();
        if rest.is_empty() {
            Some(Self::LockUnnamed)
        } else {
            NoticeCode::parse(rest.trim_matches('.')).map(Self::Lock)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = NoticeCode::new(&SeededEntropy::new(4));
        let written = format!("{}-{}", &code.expose()[..4].to_lowercase(), &code.expose()[4..]);
        assert_eq!(NoticeCode::parse(&written).unwrap().expose(), code.expose());
        for bad in ["", "1234", "ABCDEFG0", "ABCDEFGHI"] {
            assert!(NoticeCode::parse(bad).is_none(), "{bad}");
        }
        let reply = Reply::parse(&format!(" khoa {written}. "));
        assert!(matches!(reply, Some(Reply::Lock(read)) if read.expose() == code.expose()));
        assert!(matches!(Reply::parse("KHOA"), Some(Reply::LockUnnamed)));
        assert!(Reply::parse("xin chao").is_none() && Reply::parse("").is_none());
    }

    #[test]
    fn only_a_sign_in_is_told_without_an_sms() {
        for what in What::ALL {
            assert_eq!(what.is_dangerous(), what != What::SignedIn);
        }
    }
}

//! Typed identifiers: `Id<Bill>` prints `bill_01890…`, is time-ordered, and is a `uuid` in PostgreSQL.
//!
//! An identifier names a thing; it is not a secret and grants nothing. What must not reveal its creation time
//! (subjects, public references, codes, tokens) has a type of its own in [`crate::base::reference`] and
//! [`crate::base::secret`].

use super::{clock::Instant, entropy::Entropy};
use std::{cmp, fmt, hash, marker::PhantomData, str::FromStr};
use uuid::Uuid;

/// What an identifier can name; implemented only by the registry at the end of this file.
pub trait Kind: 'static {
    /// The word before the underscore.
    const PREFIX: &'static str;
}

/// The identifier of one `K`: UUID version 7 (RFC 9562), printed as prefix and 32 hex digits.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// A fresh identifier: 48 bits of milliseconds, 74 random bits.
    pub fn new(now: Instant, entropy: &dyn Entropy) -> Self {
        let mut bytes: [u8; 16] = super::entropy::random(entropy);
        bytes[..6].copy_from_slice(&millis(now));
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    /// The `nth` of many that are made at one instant, ordered as they are counted (RFC 9562, section 6.2, method 1): an
    /// index grows at its end. 32 bits count, 42 are random.
    pub fn nth(now: Instant, nth: u32, entropy: &dyn Entropy) -> Self {
        Self::counted(now, nth, super::entropy::random(entropy))
    }

    /// So many of these, from that one on; chance is asked once for all of them.
    pub fn series(now: Instant, from: u32, many: usize, entropy: &dyn Entropy) -> Vec<Self> {
        let mut chance = vec![[0; 6]; many];
        entropy.fill(chance.as_flattened_mut());
        (from..).zip(chance).map(|(nth, chance)| Self::counted(now, nth, chance)).collect()
    }

    /// What comes before every identifier that is made at that moment or later.
    pub fn before(at: Instant) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis(at));
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    fn counted(now: Instant, nth: u32, chance: [u8; 6]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis(now));
        bytes[10..].copy_from_slice(&chance);
        let [high, low] = [(nth >> 20).to_be_bytes(), (nth & 0x000f_ffff).to_be_bytes()];
        bytes[6] = 0x70 | (high[2] & 0x0f);
        bytes[7] = high[3];
        // Two bits of variant, then the twenty lower bits of the count.
        bytes[8] = 0x80 | (low[1] << 2) | (low[2] >> 6);
        bytes[9] = (low[2] << 2) | (low[3] >> 6);
        bytes[10] = (low[3] << 2) | (bytes[10] & 0x03);
        Self::from_uuid(Uuid::from_bytes(bytes))
    }

    /// The identifier that a row holds.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The value that a row holds.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// The first 48 bits: milliseconds.
fn millis(now: Instant) -> [u8; 6] {
    let [.., a, b, c, d, e, f] = (now.unix_timestamp_nanos() / 1_000_000).max(0).to_be_bytes();
    [a, b, c, d, e, f]
}

/// A text that is not an identifier of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}_ followed by 32 hexadecimal digits")]
pub struct NotAnId(pub &'static str);

impl<K: Kind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(s: &str) -> Result<Self, NotAnId> {
        let refused = NotAnId(K::PREFIX);
        let digits = s.strip_prefix(K::PREFIX).and_then(|s| s.strip_prefix('_')).ok_or(refused)?;
        let lower_hex = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !lower_hex {
            return Err(refused);
        }
        Uuid::try_parse(digits).map(Self::from_uuid).map_err(|_| refused)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.0.simple())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

macro_rules! registry {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        $($(#[$doc])* pub enum $name {}
        impl Kind for $name { const PREFIX: &'static str = $prefix; })*
    };
}

registry! {
    /// A bank or Treasury account in which money for bills arrives.
    Account = "account";
    /// A government office that charges fees or asks about citizens.
    Agency = "agency";
    /// What a citizen enrolled to sign in with.
    Authenticator = "way";
    /// A portal that looked like probing numbers.
    Alert = "alert";
    /// A sign-in attempt on its way from the portal to the code.
    Authorization = "authz";
    /// Many questions about people, asked in one file.
    Batch = "batch";
    /// What an agency asks somebody to pay for a dossier.
    Bill = "bill";
    /// One reading of a chip card by an officer.
    CardCheck = "card";
    /// A difference between our books and a statement, or money that found no home.
    Case = "case";
    /// A person of the register who has dealt with this service.
    Citizen = "citizen";
    /// A portal or an agency's system that holds credentials.
    Client = "client";
    /// A closed day, month or year of an agency's accounting.
    Closing = "closing";
    /// What a citizen allowed a portal to learn.
    Consent = "consent";
    /// A cashier's till for one shift.
    Drawer = "drawer";
    /// Cash on its way from a till to the bank.
    Deposit = "deposit";
    /// A key and certificate with which an agency signs documents.
    DocumentSigner = "signer";
    /// A webhook destination.
    Endpoint = "endpoint";
    /// One balanced set of postings.
    Entry = "entry";
    /// What a granted reduction rests on.
    Evidence = "evid";
    /// Something that happened and is told to subscribers.
    Event = "event";
    /// A dated version of the fee schedule.
    Schedule = "schedule";
    /// One leaf of the audit log.
    Leaf = "leaf";
    /// The document that voids receipts on paper which nobody was given.
    LeafVoid = "leafvoid";
    /// Something that a citizen forbade to be done with their identity.
    Lock = "lock";
    /// What a person allows another to do in their name.
    Mandate = "mandate";
    /// Differences that are one matter, put together by people.
    MatchGroup = "match";
    /// A message between institutions.
    Message = "msg";
    /// One try at paying a bill.
    Payment = "pay";
    /// Money that goes on from a collecting account to whom it belongs.
    Payout = "payout";
    /// A request between institutions for money back.
    Recall = "recall";
    /// The document that proves a payment.
    Receipt = "receipt";
    /// Money that goes back.
    Refund = "refund";
    /// A stretch of receipt numbers on paper.
    ReceiptBlock = "block";
    /// Another issuer of receipts.
    ReceiptIssuer = "issuer";
    /// A registered series of receipt numbers.
    ReceiptSeries = "series";
    /// One officer's role at an agency for a time.
    RoleGrant = "role";
    /// A browser that somebody signed in with.
    Session = "session";
    /// What a citizen asks about their own data.
    SubjectRequest = "request";
    /// One cashier at one till, from count to count.
    Shift = "shift";
    /// What a citizen agrees to on paper, at a counter.
    Sheet = "sheet";
    /// A paper with a code that ends the trial of what its holder enrolled.
    Slip = "slip";
    /// A notice that a dossier owes nothing.
    ExemptionNotice = "exemption";
    /// A seller's invoice beside a bill.
    SellerInvoice = "invoice";
    /// A bank's or the Treasury's list of movements.
    Statement = "stmt";
    /// Something about their identity that a citizen is told, and may disown.
    Notice = "notice";
    /// A day that is matched beside the request that asked for it.
    LongDay = "longday";
    /// A statement that people bring as a file.
    StatementImport = "import";
    /// One movement on a statement.
    StatementLine = "line";
    /// One question about a citizen and its answer.
    Verification = "verif";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use time::macros::datetime;

    #[test]
    fn prints_and_parses_back_and_is_ordered_by_time() {
        let entropy = SeededEntropy::new(1);
        let early: Id<Bill> = Id::new(datetime!(2026-11-24 01:00 UTC), &entropy);
        let late: Id<Bill> = Id::new(datetime!(2026-11-24 01:00:00.002 UTC), &entropy);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!(early < late);
        assert_eq!(early.uuid().get_version_num(), 7);
    }

    #[test]
    fn many_of_one_instant_are_ordered_as_they_are_counted() {
        let (entropy, now) = (SeededEntropy::new(1), datetime!(2026-11-24 01:00 UTC));
        let counted = [0, 1, 2, 63, 64, 255, 256, 16_383, 1 << 14, (1 << 20) - 1, 1 << 20, u32::MAX];
        let ids: Vec<Id<Bill>> = counted.iter().map(|nth| Id::nth(now, *nth, &entropy)).collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.uuid().get_version_num() == 7 && id.to_string().parse() == Ok(*id)));
        assert_ne!(Id::<Bill>::nth(now, 7, &entropy), Id::nth(now, 7, &entropy));
        let series: Vec<Id<Bill>> = Id::series(now, 255, 3, &entropy);
        assert_eq!(series.len(), 3);
        assert!(ids[5] < series[0] && series[1] < ids[7] && series.is_sorted(), "{series:?}");
    }

    #[test]
    fn refuses_another_kind_and_sloppy_spelling() {
        let bill: Id<Bill> = Id::new(datetime!(2026-11-24 01:00 UTC), &SeededEntropy::new(1));
        let text = bill.to_string();
        assert!(text.parse::<Id<Payment>>().is_err());
        assert!(text.to_uppercase().parse::<Id<Bill>>().is_err());
        assert!(text.replace("bill_", "").parse::<Id<Bill>>().is_err());
        assert!(format!("{text}0").parse::<Id<Bill>>().is_err());
    }
}

//! Receipts on paper that are there before their payment: what may become of each number, and when a shift may end.
//!
//! A desk prints blanks before an outage, in a series of their own; books come printed and are a cashier's stock. Every
//! number is entered once, with the time that stands on the paper, or voided by a document; printed blanks end with
//! their shift, and of a book no leaf is skipped.

use crate::base::clock::Instant;
use std::{fmt, str::FromStr};

/// What the numbers of a series stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Medium {
    /// Receipts that the service makes when money settles.
    #[default]
    Electronic,
    /// Blanks that a desk prints itself.
    Printed,
    /// Books that come printed.
    Book,
}

/// A word that is no medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a series is electronic, printed or book")]
pub struct NotAMedium;

impl Medium {
    /// The word in rows and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Electronic => "electronic",
            Self::Printed => "printed",
            Self::Book => "book",
        }
    }

    /// The letter behind the year of a printed symbol: electronic, printed by the issuer (*tự in*), ordered (*đặt in*).
    pub const fn letter(self) -> char {
        match self {
            Self::Electronic => 'E',
            Self::Printed => 'T',
            Self::Book => 'P',
        }
    }
}

impl FromStr for Medium {
    type Err = NotAMedium;

    fn from_str(word: &str) -> Result<Self, NotAMedium> {
        [Self::Electronic, Self::Printed, Self::Book]
            .into_iter()
            .find(|medium| medium.as_str() == word)
            .ok_or(NotAMedium)
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a number on paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// Its owner has it, and nothing is known to be written on it.
    Held,
    /// A payment was entered for it.
    Issued,
    /// A document says that it was given to nobody.
    Voided,
}

impl FromStr for Leaf {
    type Err = NotAMedium;

    fn from_str(word: &str) -> Result<Self, NotAMedium> {
        match word {
            "held" => Ok(Self::Held),
            "issued" => Ok(Self::Issued),
            "voided" => Ok(Self::Voided),
            _ => Err(NotAMedium),
        }
    }
}

/// Why a leaf was given to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The outage is over.
    Unused,
    /// Torn, or written wrongly.
    Spoilt,
    /// Not there any more.
    Lost,
}

impl Why {
    /// The word in rows and on documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Spoilt => "spoilt",
            Self::Lost => "lost",
        }
    }
}

impl FromStr for Why {
    type Err = NotAMedium;

    fn from_str(word: &str) -> Result<Self, NotAMedium> {
        [Self::Unused, Self::Spoilt, Self::Lost].into_iter().find(|w| w.as_str() == word).ok_or(NotAMedium)
    }
}

/// The most leaves that one block has: as many as a book.
pub const LEAVES_MAX: i64 = 100;

/// Why paper is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The number was entered or voided before.
    #[error("the leaf is used")]
    Used,
    /// The time is not one at which the cashier could have written it.
    #[error("the time does not fit")]
    TimeUnfit,
    /// A block has one to [`LEAVES_MAX`] leaves.
    #[error("a block has other sizes")]
    SizeUnfit,
    /// Leaves are held that must be entered or voided first.
    #[error("leaves are held")]
    LeavesHeld,
}

impl Refusal {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Used => "leaf_used",
            Self::TimeUnfit => "leaf_time_unfit",
            Self::SizeUnfit => "block_size_unfit",
            Self::LeavesHeld => "leaves_held",
        }
    }
}

/// Whether a block may have that many leaves.
pub const fn may_draw(leaves: i64) -> Result<(), Refusal> {
    if leaves >= 1 && leaves <= LEAVES_MAX { Ok(()) } else { Err(Refusal::SizeUnfit) }
}

/// The times around a leaf that somebody wrote on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When the block was drawn.
    pub drawn: Instant,
    /// When the shift was opened into whose till the money went.
    pub opened: Instant,
    /// What stands on the paper.
    pub written: Instant,
    /// When it is entered.
    pub now: Instant,
}

/// Whether a payment may be entered for a leaf.
pub fn may_enter(leaf: Leaf, times: &Times) -> Result<(), Refusal> {
    // A minute is what is written on paper: the one in which the shift opened counts.
    let minute = times.written + std::time::Duration::from_secs(59);
    match leaf {
        Leaf::Issued | Leaf::Voided => Err(Refusal::Used),
        Leaf::Held if minute < times.drawn || minute < times.opened || times.written > times.now => {
            Err(Refusal::TimeUnfit)
        }
        Leaf::Held => Ok(()),
    }
}

/// Whether a shift may end with these leaves of one block, in order. No printed blank stays; of a book the unused rest
/// stays with its owner, but nothing before a used leaf.
pub fn may_close(medium: Medium, leaves: &[Leaf]) -> Result<(), Refusal> {
    let used = leaves.iter().rposition(|leaf| *leaf != Leaf::Held).map_or(0, |last| last + 1);
    let accounted = match medium {
        Medium::Book => &leaves[..used],
        Medium::Printed | Medium::Electronic => leaves,
    };
    if accounted.contains(&Leaf::Held) { Err(Refusal::LeavesHeld) } else { Ok(()) }
}

/// Serials as people write them: `3`, `5-9`, with commas or spaces between. At most [`LEAVES_MAX`]; in order, none twice.
pub fn serials(text: &str) -> Option<Vec<i64>> {
    let mut found = std::collections::BTreeSet::new();
    for part in text.split([',', ';', ' ', '\n', '\r']).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        if first < 1 || last < first || last - first >= LEAVES_MAX {
            return None;
        }
        found.extend(first..=last);
    }
    let fits = !found.is_empty() && i64::try_from(found.len()).is_ok_and(|count| count <= LEAVES_MAX);
    fits.then(|| found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_leaf_is_entered_once_with_a_time_at_which_it_could_be_written() {
        let times = |written| Times {
            drawn: datetime!(2026-11-24 01:00:30 UTC),
            opened: datetime!(2026-11-24 01:00:10 UTC),
            written,
            now: datetime!(2026-11-24 05:00 UTC),
        };
        let fits = times(datetime!(2026-11-24 03:00 UTC));
        assert_eq!(may_enter(Leaf::Held, &fits), Ok(()));
        assert_eq!(may_enter(Leaf::Held, &times(datetime!(2026-11-24 01:00 UTC))), Ok(()));
        assert_eq!(may_enter(Leaf::Issued, &fits), Err(Refusal::Used));
        assert_eq!(may_enter(Leaf::Voided, &fits), Err(Refusal::Used));
        for wrong in [datetime!(2026-11-24 00:59 UTC), datetime!(2026-11-24 05:01 UTC)] {
            assert_eq!(may_enter(Leaf::Held, &times(wrong)), Err(Refusal::TimeUnfit), "{wrong}");
        }
        assert!(
            may_draw(0).is_err() && may_draw(101).is_err() && may_draw(1).is_ok() && may_draw(100).is_ok()
        );
    }

    #[test]
    fn no_printed_blank_stays_and_no_leaf_of_a_book_is_skipped() {
        use Leaf::{Held, Issued, Voided};
        for (medium, leaves, stays) in [
            (Medium::Printed, vec![Issued, Voided], true),
            (Medium::Printed, vec![Issued, Held], false),
            (Medium::Book, vec![Issued, Voided, Held, Held], true),
            (Medium::Book, vec![Held, Held], true),
            (Medium::Book, vec![Issued, Held, Voided, Held], false),
            (Medium::Book, vec![], true),
        ] {
            assert_eq!(may_close(medium, &leaves).is_ok(), stays, "{medium:?} {leaves:?}");
        }
    }

    #[test]
    fn serials_are_read_as_people_write_them() {
        assert_eq!(serials("3, 5-7\n6 0000009"), Some(vec![3, 5, 6, 7, 9]));
        for bad in ["", "0", "7-5", "x", "1-101", "1-60 61-120"] {
            assert_eq!(serials(bad), None, "{bad}");
        }
    }
}

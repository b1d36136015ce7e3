//! Names of people, and how far a claimed name agrees with the register's.
//!
//! Vietnamese text has several spellings of one name: composed or decomposed marks, capital letters, a tone on one or
//! the other vowel (`Hòa`, `Hoà`), look-alikes of Đ, curly apostrophes. [`grade`] sets aside what does not change the
//! name and says how much had to be set aside. Nothing is guessed: order and middle names count, one tone is already
//! another name, and text damaged by an old font or a wrong character set is never a match.
//!
//! Deliberately absent: title-casing (`H'Hen`, `Y Blôm`, `K'Đức`), nicknames, similarity scores.

use crate::base::text::{Line, NotALine};
use std::{fmt, str::FromStr};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The most characters of a name.
pub const NAME_MAX: usize = 150;

/// A person's name as written: surname, middle names, given name, in that order. Does not print itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Line<NAME_MAX>);

impl Name {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// How far a claimed name agrees with this one.
    pub fn grade(&self, claimed: &Self) -> Grade {
        grade(self.as_str(), claimed.as_str())
    }

    /// Whether the text reads as a name at all; see [`Grade::Unreadable`].
    pub fn is_readable(&self) -> bool {
        !is_broken(self.as_str())
    }
}

impl FromStr for Name {
    type Err = NotALine;

    fn from_str(s: &str) -> Result<Self, NotALine> {
        Line::parse(s).map(Self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("name(***)")
    }
}

/// How far two names agree, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// The same letters and marks; case, spacing, look-alikes of Đ and kinds of apostrophe do not matter.
    Exact,
    /// The same but for the vowel that carries the tone: `Thúy`, `Thuý`.
    Equivalent,
    /// The claim is written without any marks, as banks and passports do, and agrees as far as that shows.
    Unaccented,
    /// One tone differs, or i stands for y: probably a slip, but perhaps another person.
    Near,
    /// Another name.
    Different,
    /// One side is damaged text (old font, question marks, wrong character set); nothing can be said.
    Unreadable,
}

impl Grade {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Equivalent => "equivalent",
            Self::Unaccented => "unaccented",
            Self::Near => "near",
            Self::Different => "different",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How far a claimed name agrees with the register's. Symmetric but for [`Grade::Unaccented`]: a claim may come from a
/// bank or a passport, while a register name without marks (`Lan Anh`) is meant so, and `Lan Ánh` is another.
pub fn grade(register: &str, claimed: &str) -> Grade {
    if is_broken(register) || is_broken(claimed) {
        return Grade::Unreadable;
    }
    let (register, claimed) = (folded(register), folded(claimed));
    if register == claimed {
        return Grade::Exact;
    }
    let (left, right) = (spellings(&register), spellings(&claimed));
    if left == right {
        return Grade::Equivalent;
    }
    if claimed.is_ascii() && same_without_marks(&register, &claimed) {
        return Grade::Unaccented;
    }
    if is_suspicious(&register) || is_suspicious(&claimed) {
        return Grade::Unreadable;
    }
    if is_near(&left, &right) { Grade::Near } else { Grade::Different }
}

/// NFC, lower case, single spaces, one Đ, one apostrophe, one hyphen.
fn folded(text: &str) -> String {
    let lower = text.nfc().map(one_shape).flat_map(char::to_lowercase).nfc();
    let mut out = String::with_capacity(text.len());
    for c in lower {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Look-alikes become the character that was meant. Đ has no decomposition, so normalization does not help here.
const fn one_shape(c: char) -> char {
    match c {
        'Ð' | 'Ɖ' => 'Đ',
        'ð' | 'ɖ' => 'đ',
        '’' | '‘' | 'ʼ' | 'ʹ' | '′' | '＇' | '`' | '´' => '\'',
        '‐' | '‑' | '–' => '-',
        c => c,
    }
}

/// A word taken apart: its letters with their quality (â, ơ, đ) but without tones, and the tones, each with the
/// vowel cluster that it stands in. Two places of one tone within a cluster are one spelling.
#[derive(Debug, PartialEq, Eq)]
struct Spelling {
    letters: String,
    tones: Vec<(usize, char)>,
}

fn spellings(folded: &str) -> Vec<Spelling> {
    folded.split(' ').map(Spelling::of).collect()
}

impl Spelling {
    fn of(word: &str) -> Self {
        let mut spelling = Self { letters: String::with_capacity(word.len()), tones: Vec::new() };
        let (mut cluster, mut in_vowels) = (0, false);
        for c in word.nfd() {
            if in_vowels && is_tone(c) {
                spelling.tones.push((cluster, c));
                continue;
            }
            if !is_combining_mark(c) {
                cluster += usize::from(in_vowels && !is_vowel(c));
                in_vowels = is_vowel(c);
            }
            spelling.letters.push(c);
        }
        spelling
    }

    /// Whether only the tone differs.
    fn differs_in_tone(&self, other: &Self) -> bool {
        self.letters == other.letters && self.tones != other.tones
    }

    /// Whether only i and y at the end differ, where both are said alike: after a consonant (`Mĩ`, `Mỹ`), after `qu`,
    /// or alone. `Mai` and `May`, `Thúi` and `Thúy` are different sounds.
    fn differs_in_final_i(&self, other: &Self) -> bool {
        self.tones == other.tones
            && self.letters != other.letters
            && self.before_final_i().is_some_and(|head| other.before_final_i() == Some(head))
    }

    fn before_final_i(&self) -> Option<&str> {
        let head = self.letters.strip_suffix(['i', 'y'])?;
        let alike = head.ends_with("qu")
            || !head.chars().next_back().is_some_and(|c| is_vowel(c) || is_combining_mark(c));
        alike.then_some(head)
    }
}

const fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

/// Huyền, sắc, ngã, hỏi, nặng as combining marks.
const fn is_tone(c: char) -> bool {
    matches!(c, '\u{300}' | '\u{301}' | '\u{303}' | '\u{309}' | '\u{323}')
}

/// Exactly one word with another tone, or only words with i for y.
fn is_near(left: &[Spelling], right: &[Spelling]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let (mut tones, mut finals) = (0, 0);
    for (one, other) in left.iter().zip(right).filter(|(one, other)| one != other) {
        if one.differs_in_tone(other) {
            tones += 1;
        } else if one.differs_in_final_i(other) {
            finals += 1;
        } else {
            return false;
        }
    }
    (tones, finals) == (1, 0) || (tones == 0 && finals > 0)
}

/// Compares without marks; banks drop the apostrophe of `H'Hen` or put a space in its place.
fn same_without_marks(one: &str, other: &str) -> bool {
    let (one, other) = (without_marks(one), without_marks(other));
    if one == other {
        return true;
    }
    let dropped = |text: &str| text.replace(['\'', '-'], "");
    let spaced = |text: &str| text.replace(['\'', '-'], " ");
    dropped(&one) == dropped(&other) || spaced(&one) == spaced(&other)
}

fn without_marks(folded: &str) -> String {
    folded.nfd().filter(|c| !is_combining_mark(*c)).map(|c| if c == 'đ' { 'd' } else { c }).collect()
}

/// Whether the text holds something that no name holds: digits, question marks, replacement characters, symbols that
/// an old font printed as letters (TCVN3 `V¨n`), letters of other scripts, or UTF-8 read as Latin-1 (`Ã´`).
fn is_broken(text: &str) -> bool {
    let mut before = ' ';
    text.nfc().any(|c| {
        let mojibake = c == '´' && before == 'Ã';
        before = c;
        mojibake || !belongs_in_a_name(one_shape(c))
    })
}

fn belongs_in_a_name(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\'' | '-' | '.' | ',') || is_combining_mark(c) || is_latin_letter(c)
}

fn is_latin_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
        || matches!(c, 'Đ' | 'đ' | 'Ƀ' | 'ƀ')
        || is_foreign_letter(c)
        || (c.is_alphabetic() && base_letter(c).is_ascii_alphabetic())
}

/// Letters of other Latin alphabets that no mark makes from ours.
const fn is_foreign_letter(c: char) -> bool {
    matches!(c, 'ø' | 'Ø' | 'æ' | 'Æ' | 'œ' | 'Œ' | 'ß' | 'þ' | 'Þ' | 'ł' | 'Ł')
}

fn base_letter(c: char) -> char {
    std::iter::once(c).nfd().next().unwrap_or(c)
}

/// Whether letters alone betray an old font: a foreign letter (`Bïi`, `Huyønh`), a vowel after which ours never
/// carry a mark (VNI `Leâ`, `Traàn`). Such a text may also be a
/// foreign name, so it only forbids to call two texts near or different; equal ones stay equal.
fn is_suspicious(folded: &str) -> bool {
    let mut before = ' ';
    folded.chars().any(|c| {
        let suspicious = is_foreign_letter(c) || has_foreign_mark(c) || is_misplaced(base_letter(before), c);
        before = c;
        suspicious
    })
}

fn has_foreign_mark(c: char) -> bool {
    let ours = |mark| is_tone(mark) || matches!(mark, '\u{302}' | '\u{306}' | '\u{30C}' | '\u{31B}');
    !c.is_ascii() && std::iter::once(c).nfd().any(|part| is_combining_mark(part) && !ours(part))
}

fn is_misplaced(before: char, c: char) -> bool {
    !c.is_ascii()
        && match (before, base_letter(c)) {
            ('a' | 'e', vowel) => is_vowel(vowel),
            ('o', 'a') => std::iter::once(c).nfd().any(|part| part == '\u{302}'),
            ('o', 'i' | 'o' | 'u') | ('u', 'u') | ('y', 'i' | 'o' | 'u') => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_labelled_pair_is_graded_as_labelled() {
        let pairs = include_str!("../../tests/data/name_pairs.csv");
        let mut rows = 0;
        for line in pairs.lines().skip(1) {
            let [register, claimed, expected, why] = line.splitn(4, ',').collect::<Vec<_>>()[..] else {
                panic!("not a pair: {line:?}");
            };
            assert_eq!(grade(register, claimed).word(), expected, "{register:?} {claimed:?}: {why}");
            if expected != "unaccented" {
                assert_eq!(grade(register, claimed), grade(claimed, register), "{register:?} {claimed:?}");
            }
            rows += 1;
        }
        assert_eq!(rows, 248);
    }

    #[test]
    fn rules_hold_beyond_the_labelled_pairs() {
        use Grade::{Different, Equivalent, Exact, Near, Unaccented, Unreadable};
        for (register, claimed, expected) in [
            ("Đinh Bộ Lĩnh", "Ɖinh Bộ Lĩnh", Exact),
            ("H'Hen Niê", "H\u{2bc}Hen Niê", Exact),
            ("Nguyễn Thị Hoài", "Nguyễn Thị Hòai", Equivalent),
            ("Trần Quý", "Trần Qúy", Equivalent),
            ("H'Hen Niê", "HHEN NIE", Unaccented),
            ("H'Hen Niê", "H HEN NIE", Unaccented),
            ("NGUYEN VAN AN", "Nguyễn Văn An", Different),
            ("Trần Lan Anh", "TRAN LAN ANH", Unaccented),
            ("Lan Anh", "Lan Ánh", Near),
            ("Lan Ánh", "lan anh", Unaccented),
            ("Jürgen Müller", "Jurgen Muller", Unaccented),
            ("Nguyễn Văn An", "Nguyen Văn An", Different),
            ("Vũ Thị Mai", "Vũ Thị May", Different),
            ("Vũ Thị Thúy", "Vũ Thị Thúi", Different),
            ("Phạm Thi", "Phạm Thy", Near),
            ("Lý Quý Nhân", "Lí Quí Nhân", Near),
            ("Lý Quý Nhân", "Lí Quỹ Nhân", Different),
            ("Cao Bá Quát", "Cao Bà Quạt", Different),
            ("Trần Đức", "Trần Dức", Different),
            ("Trần An", "Trần Ân", Different),
            ("Võ Hoàng Yến", "Hoàng Yến Võ", Different),
            ("Sen", "Sen", Exact),
            ("Sen", "Sẻn", Near),
            ("Jürgen Müller", "JÜRGEN MÜLLER", Exact),
            ("Trần Văn Bình", "Traàn Vaên Bình", Unreadable),
            ("Phạm Hùng", "Phaïm Huøng", Unreadable),
            ("Bùi Hà", "Bïi Hµ", Unreadable),
            ("Hồ Hà", "HÃ´ Hà", Unreadable),
            ("Nguyễn An", "Nguyễn Аn", Unreadable),
            ("Nguyễn An", "Nguyen64n An", Unreadable),
            ("Nguy?n V?n An", "Nguy?n V?n An", Unreadable),
        ] {
            assert_eq!(grade(register, claimed), expected, "{register:?} {claimed:?}");
            if expected != Unaccented && !register.is_ascii() {
                assert_eq!(grade(claimed, register), expected, "{claimed:?} {register:?}");
            }
        }
    }

    #[test]
    fn a_name_keeps_its_writing_and_hides_from_logs() {
        let name: Name = "  Y  Blôm Êban ".parse().unwrap();
        assert_eq!(name.as_str(), "Y Blôm Êban");
        assert_eq!(format!("{name:?}"), "name(***)");
        assert!("Nguyễn\u{202E}An".parse::<Name>().is_err());
        assert!(!"Nguy?n An".parse::<Name>().unwrap().is_readable());
    }

    /// Syllables of real names in random order.
    fn written() -> impl Strategy<Value = String> {
        let syllables =
            ["Nguyễn", "Thị", "Hòa", "Quý", "Đức", "Thúy", "Y", "H'Hen", "Niê", "Ước", "Loan", "Tuyết", "Ỷ"];
        proptest::collection::vec(proptest::sample::select(syllables.to_vec()), 1..6)
            .prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn any_two_texts_have_one_grade(one in "\\PC{0,24}", other in "\\PC{0,24}") {
            let (there, back) = (grade(&one, &other), grade(&other, &one));
            prop_assert!(there == back || there == Grade::Unaccented || back == Grade::Unaccented);
            prop_assert!(matches!(grade(&one, &one), Grade::Exact | Grade::Unreadable));
        }

        #[test]
        fn a_text_of_latin_letters_is_itself(text in "[a-zA-ZÀ-ỹ '\u{300}-\u{323}]{0,24}") {
            prop_assert_eq!(grade(&text, &text) == Grade::Unreadable, is_broken(&text));
        }

        #[test]
        fn writing_does_not_change_a_name(name in written()) {
            prop_assert_eq!(grade(&name, &name.to_uppercase()), Grade::Exact);
            prop_assert_eq!(grade(&name, &name.to_lowercase()), Grade::Exact);
            prop_assert_eq!(grade(&name, &name.nfd().collect::<String>()), Grade::Exact);
            prop_assert_eq!(grade(&name, &format!(" {} ", name.replace(' ', "\u{a0} "))), Grade::Exact);
        }

        #[test]
        fn a_bank_name_agrees_at_best_unaccented(name in written()) {
            let bank = crate::base::text::unaccented(&name).to_uppercase();
            let expected = if name.is_ascii() { Grade::Exact } else { Grade::Unaccented };
            prop_assert_eq!(grade(&name, &bank), expected);
        }

        #[test]
        fn a_dropped_or_moved_word_is_another_name(name in written(), at in 0usize..6) {
            let words: Vec<&str> = name.split(' ').collect();
            let at = at % words.len();
            let mut dropped = words.clone();
            dropped.remove(at);
            prop_assert_eq!(grade(&name, &dropped.join(" ")), Grade::Different);
            let mut moved = words.clone();
            moved.rotate_left(at);
            if moved != words {
                prop_assert!(grade(&name, &moved.join(" ")) > Grade::Unaccented);
            }
        }
    }
}

//! Text that people wrote, made safe to keep and print, and the two languages we answer in.

use std::{fmt, str::FromStr};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The languages of every page, message and refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Vietnamese, the default.
    #[default]
    Vi,
    /// English.
    En,
}

impl Lang {
    /// The BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Vi => "vi",
            Self::En => "en",
        }
    }
}

impl FromStr for Lang {
    type Err = ();

    /// The first language of a preference list (`Accept-Language`, `ui_locales`) that we speak.
    fn from_str(s: &str) -> Result<Self, ()> {
        s.split([',', ' '])
            .find_map(|tag| match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
                Some("vi") => Some(Self::Vi),
                Some("en") => Some(Self::En),
                _ => None,
            })
            .ok_or(())
    }
}

/// One line of text: NFC, trimmed, inner white space collapsed, at most `MAX` characters, and free of control,
/// bidirectional-override, zero-width and private-use characters, so that it prints as it reads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line<const MAX: usize = 255>(String);

/// Why a text is not a [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotALine {
    /// Nothing is left after trimming.
    #[error("the text is empty")]
    Empty,
    /// Too many characters.
    #[error("the text is longer than {0} characters")]
    TooLong(usize),
    /// A character that does not print as it reads.
    #[error("the text holds an invisible or direction-changing character")]
    Unprintable,
}

impl<const MAX: usize> Line<MAX> {
    /// Reads a line.
    pub fn parse(text: &str) -> Result<Self, NotALine> {
        if text.len() > MAX * 16 {
            return Err(NotALine::TooLong(MAX));
        }
        // What banks write is mostly this already, and is told apart from the rest at a glance.
        if is_plain(text) && text.len() <= MAX {
            return Ok(Self(text.to_owned()));
        }
        if text.chars().any(unprintable) {
            return Err(NotALine::Unprintable);
        }
        // Whatever was a line before is one: Vietnamese as it is stored is composed already, and is not composed again.
        let line = match is_nfc_quick(text.chars()) {
            IsNormalized::Yes => spaced(text),
            IsNormalized::No | IsNormalized::Maybe => spaced(&text.nfc().collect::<String>()),
        };
        match line.chars().count() {
            0 => Err(NotALine::Empty),
            n if n > MAX => Err(NotALine::TooLong(MAX)),
            _ => Ok(Self(line)),
        }
    }

    /// Reads what somebody else wrote and we only show: characters that do not print as they read become blanks.
    pub fn cleaned(text: &str) -> Result<Self, NotALine> {
        match Self::parse(text) {
            Err(NotALine::Unprintable) => {
                Self::parse(&text.chars().map(|c| if unprintable(c) { ' ' } else { c }).collect::<String>())
            }
            other => other,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Display for Line<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Line<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Single blanks, none at its ends.
fn spaced(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Whether the text is a line as it stands: printable ASCII, single blanks, none at its ends.
fn is_plain(text: &str) -> bool {
    let mut before = b' ';
    for byte in text.bytes() {
        if !matches!(byte, b' '..=b'~') || (byte == b' ' && before == b' ') {
            return false;
        }
        before = byte;
    }
    before != b' '
}

fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}')
}

/// The text in ASCII: marks dropped, `Đ` written `D`; what has no ASCII form becomes `?`. For SMS and bank texts.
pub fn unaccented(text: &str) -> String {
    text.nfd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .map(|c| match c {
            'đ' => 'd',
            'Đ' => 'D',
            c if c.is_ascii() => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_prints_as_it_reads() {
        assert_eq!(Line::<50>::parse("  Nguyễn  Văn\u{a0}An ").unwrap().as_str(), "Nguyễn Văn An");
        assert_eq!(Line::<50>::parse("Nguye\u{302}\u{303}n").unwrap().as_str(), "Nguyễn");
        for bad in ["a\u{202E}b", "a\u{200B}b", "a\nb", "a\0b", "\u{FEFF}a"] {
            assert_eq!(Line::<50>::parse(bad), Err(NotALine::Unprintable), "{bad:?}");
        }
        assert_eq!(Line::<3>::parse("Đặng"), Err(NotALine::TooLong(3)));
        assert_eq!(Line::<3>::parse("  "), Err(NotALine::Empty));
        for (text, line) in
            [("a b", "a b"), (" a b", "a b"), ("a b ", "a b"), ("a  b", "a b"), ("a\u{7f}", "")]
        {
            assert_eq!(Line::<3>::parse(text).map(|l| l.to_string()).unwrap_or_default(), line, "{text:?}");
        }
        assert_eq!(Line::<3>::parse("abcd"), Err(NotALine::TooLong(3)));
        assert_eq!(Line::<3>::parse(""), Err(NotALine::Empty));
        assert_eq!(Line::<9>::cleaned("nop\u{202E}\nphi").unwrap().as_str(), "nop phi");
    }

    #[test]
    fn unaccented_is_ascii() {
        assert_eq!(unaccented("Đoàn Thị Điểm – ủy quyền"), "Doan Thi Diem ? uy quyen");
        assert_eq!("fr-FR, en;q=0.8".parse(), Ok(Lang::En));
    }
}

//! What an office elsewhere has assessed: a tax notice, as a bill's line carries it and the budget books it.

/// A notice of an office elsewhere, with what the budget books the money by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its identifier: 16 or 17 digits, a text since it may begin with zeros.
    pub number: NoticeNumber,
    /// *Chương*: three digits.
    pub chapter: String,
    /// *Tiểu mục*: four digits.
    pub sub_item: String,
    /// *Địa bàn hành chính*: five digits.
    pub area: String,
}

impl Notice {
    /// Reads a notice.
    pub fn parse(number: &str, chapter: &str, sub_item: &str, area: &str) -> Result<Self, NotANotice> {
        let digits = |text: &str, length: usize| {
            let fits = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| text.to_owned()).ok_or(NotANotice)
        };
        Ok(Self {
            number: number.parse()?,
            chapter: digits(chapter, 3)?,
            sub_item: digits(sub_item, 4)?,
            area: digits(area, 5)?,
        })
    }
}

/// The identifier of a tax notice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NoticeNumber(String);

impl NoticeNumber {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for NoticeNumber {
    type Err = NotANotice;

    fn from_str(s: &str) -> Result<Self, NotANotice> {
        let fits = matches!(s.len(), 16 | 17) && s.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self(s.to_owned())) } else { Err(NotANotice) }
    }
}

/// A text that is no notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a notice has 16 or 17 digits, a chapter of three, a sub-item of four and an area of five")]
pub struct NotANotice;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_keeps_its_zeros() {
        let notice = Notice::parse("0012345678901234", "757", "1701", "79001").unwrap();
        assert_eq!(notice.number.as_str(), "0012345678901234");
        for (number, chapter) in [
            ("123456789012345", "757"),
            ("123456789012345678", "757"),
            ("001234567890123x", "757"),
            ("0012345678901234", "75"),
        ] {
            assert_eq!(Notice::parse(number, chapter, "1701", "79001"), Err(NotANotice), "{number}");
        }
    }
}

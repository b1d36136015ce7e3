//! Short messages in the seven-bit alphabet of GSM 03.38: what one segment carries, and plain text that never needs
//! another alphabet, in which a segment would hold less than half.

use crate::base::text::unaccented;

/// Septets of one segment.
pub const SEGMENT: usize = 160;
/// Septets of each part of a message that needs several; the rest joins them.
const PART: usize = 153;
/// The characters that cost two septets, by an escape.
const EXTENDED: &str = "^{}\\[~]|";

/// How many septets a text needs; `None` when it needs another alphabet.
pub fn septets(text: &str) -> Option<usize> {
    text.chars().map(cost).sum()
}

/// How many segments a text takes; `None` when it needs another alphabet.
pub fn segments(text: &str) -> Option<usize> {
    let septets = septets(text)?;
    Some(if septets <= SEGMENT { 1 } else { septets.div_ceil(PART) })
}

/// The text without accents and without anything that the alphabet lacks.
pub fn plain(text: &str) -> String {
    unaccented(text).chars().map(|c| if cost(c) == Some(1) { c } else { '.' }).collect()
}

/// A message of one segment around a name that may be too long: `written` puts the name in, and the name is cut until
/// all fits.
pub fn fitted(name: &str, written: impl Fn(&str) -> String) -> String {
    let name = plain(name);
    let room = SEGMENT.saturating_sub(septets(&written("")).unwrap_or(SEGMENT));
    written(name.chars().take(room).collect::<String>().trim_end())
}

/// Letters, digits and signs that stand at one place in ASCII and in GSM 03.38; the escaped ones cost two. The Greek
/// and accented letters of the alphabet are left out: we never write them.
fn cost(c: char) -> Option<usize> {
    match c {
        ' ' | '\n' | '!'..='?' | 'A'..='Z' | 'a'..='z' | '@' | '_' => Some(1),
        c if EXTENDED.contains(c) => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn septets_are_counted_by_the_alphabet() {
        assert_eq!(septets("Ma 123456!"), Some(10));
        assert_eq!(septets("a[b]"), Some(6));
        assert_eq!(septets("Mã"), None);
        assert_eq!(septets("a`b"), None);
        assert_eq!(segments(&"x".repeat(160)), Some(1));
        assert_eq!(segments(&"x".repeat(161)), Some(2));
        assert_eq!(plain("Cổng [Huế], số 1"), "Cong .Hue., so 1");
    }

    #[test]
    fn a_long_name_is_cut_until_the_message_is_one_segment() {
        let text = fitted(&"Cổng dịch vụ công Thành phố ".repeat(9), |name| {
            format!("Ma 1 tai {name}. Het.")
        });
        assert_eq!(segments(&text), Some(1));
        assert!(text.starts_with("Ma 1 tai Cong dich vu cong") && text.ends_with(". Het."));
    }
}

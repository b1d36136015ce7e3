//! Amounts in Vietnamese words, as receipts and budget slips must carry them, and back.
//!
//! One official style is written (nghìn, linh, tỷ, tư after twenty); reading also accepts what people write (ngàn, lẻ,
//! tỉ, bốn). Groups of three digits are read to the billion; what lies above is read as a number of billions.

const DIGITS: [&str; 10] = ["không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"];
const BILLION: u64 = 1_000_000_000;

/// The amount in words, the way a sentence begins: `Hai trăm linh năm nghìn đồng`.
pub fn dong_in_words(amount: u64) -> String {
    let mut words = if amount == 0 { vec!["không"] } else { number(amount) };
    words.push("đồng");
    let text = words.join(" ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The amount that such words name; `None` for anything that no reader would call a number of đồng.
pub fn parse_dong(text: &str) -> Option<u64> {
    let lower = text.trim().to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().map(canonical).collect();
    let amount = value(words.strip_suffix(&["đồng"])?)?;
    // Reading back what we would write leaves no room for "năm mươi mươi" and its kin.
    let rewritten = dong_in_words(amount).to_lowercase();
    (rewritten.split_whitespace().map(canonical).eq(words)).then_some(amount)
}

fn number(amount: u64) -> Vec<&'static str> {
    let (billions, rest) = (amount / BILLION, amount % BILLION);
    let mut words = Vec::new();
    if billions > 0 {
        words = number(billions);
        words.push("tỷ");
    }
    for (size, name) in [(1_000_000, Some("triệu")), (1_000, Some("nghìn")), (1, None)] {
        let group = rest / size % 1_000;
        if group > 0 {
            three_digits(group, !words.is_empty(), &mut words);
            words.extend(name);
        }
    }
    words
}

/// A group of three digits; behind other words it says its missing hundreds.
fn three_digits(group: u64, inner: bool, words: &mut Vec<&'static str>) {
    let digit = |n: u64| DIGITS[usize::try_from(n % 10).unwrap_or(0)];
    let (hundreds, tens, ones) = (group / 100, group / 10 % 10, group % 10);
    if hundreds > 0 || inner {
        words.extend([digit(hundreds), "trăm"]);
    }
    match tens {
        0 if ones > 0 && (hundreds > 0 || inner) => words.push("linh"),
        0 => {}
        1 => words.push("mười"),
        _ => words.extend([digit(tens), "mươi"]),
    }
    match (tens, ones) {
        (_, 0) => {}
        (2.., 1) => words.push("mốt"),
        (2.., 4) => words.push("tư"),
        (1.., 5) => words.push("lăm"),
        _ => words.push(digit(ones)),
    }
}

fn canonical(word: &str) -> &str {
    match word {
        "lẻ" => "linh",
        "ngàn" => "nghìn",
        "tỉ" => "tỷ",
        "tư" => "bốn",
        other => other,
    }
}

fn value(words: &[&str]) -> Option<u64> {
    if let Some(at) = words.iter().rposition(|word| *word == "tỷ") {
        let (above, below) = (value(&words[..at])?, &words[at + 1..]);
        let below = if below.is_empty() { 0 } else { below_a_billion(below)? };
        return above.checked_mul(BILLION)?.checked_add(below);
    }
    below_a_billion(words)
}

fn below_a_billion(words: &[&str]) -> Option<u64> {
    let (mut total, mut group) = (0_u64, 0_u64);
    for word in words {
        match *word {
            "triệu" => (total, group) = (total.checked_add(group.checked_mul(1_000_000)?)?, 0),
            "nghìn" => (total, group) = (total.checked_add(group.checked_mul(1_000)?)?, 0),
            "trăm" => group = group.checked_mul(100)?,
            // The tens follow the hundreds; only the last digit is the number of tens.
            "mươi" => group += group % 10 * 9,
            "mười" => group += 10,
            "mốt" => group += 1,
            "lăm" => group += 5,
            "linh" => {}
            digit => group += DIGITS.iter().position(|d| *d == digit)? as u64,
        }
    }
    total.checked_add(group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_catalogue_of_examples_is_written_and_read_as_listed() {
        let mut rows = csv::Reader::from_path("tests/data/amount_in_words.csv").unwrap();
        let mut count = 0;
        for row in rows.records().map(Result::unwrap) {
            let amount: u64 = row[0].parse().unwrap();
            assert_eq!(dong_in_words(amount), &row[1]);
            assert_eq!(parse_dong(&row[1]), Some(amount), "{}", &row[1]);
            count += 1;
        }
        assert_eq!(count, 45);
    }

    #[test]
    fn reads_the_variants_that_people_write_and_nothing_else() {
        for (text, amount) in [
            ("một trăm lẻ năm ngàn đồng", Some(105_000)),
            ("Hai mươi bốn nghìn đồng", Some(24_000)),
            ("một tỉ không trăm linh năm đồng", Some(1_000_000_005)),
            ("Năm mươi", None),
            ("mươi đồng", None),
            ("hai hai đồng", None),
            ("một nghìn một triệu đồng", None),
            ("tỷ đồng", None),
            ("mười lăm ngàn năm đồng", None),
            ("đồng", None),
            ("", None),
        ] {
            assert_eq!(parse_dong(text), amount, "{text}");
        }
        assert!(dong_in_words(u64::MAX).starts_with("Mười tám tỷ bốn trăm bốn mươi sáu triệu"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(amount in prop_oneof![0..2_000_u64, 0..10_000_000_000_u64, any::<u64>()]) {
            prop_assert_eq!(parse_dong(&dong_in_words(amount)), Some(amount));
        }

        #[test]
        fn any_text_is_read_without_harm(text in "(không|một|trăm|mươi|mười|tỷ|triệu|nghìn|linh|năm| ){0,40} ?(đồng)?") {
            let _unread = parse_dong(&text);
        }
    }
}

//! Money: whole minor units of one currency, moved by checked arithmetic only.
//!
//! `Decimal` stands at the edge (parsing, printing, rates) and a float nowhere. The đồng has no minor unit
//! (ISO 4217 exponent 0), so one unit is one đồng.

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use std::{fmt, str::FromStr};

/// The currencies that the service keeps books in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Currency {
    /// Vietnamese đồng.
    Vnd,
}

impl Currency {
    /// The three letters of ISO 4217.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Vnd => "VND",
        }
    }

    /// How many decimal digits the minor unit has (ISO 4217).
    pub const fn exponent(self) -> u32 {
        match self {
            Self::Vnd => 0,
        }
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(s: &str) -> Result<Self, MoneyError> {
        match s {
            "VND" => Ok(Self::Vnd),
            _ => Err(MoneyError::UnknownCurrency),
        }
    }
}

/// An amount that could not be read or computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number of ASCII digits.
    #[error("an amount is written with digits only, like 50000")]
    NotANumber,
    /// More decimals than the currency has.
    #[error("the currency has no such fraction")]
    Fraction,
    /// Beyond what an account can hold.
    #[error("the amount is too large")]
    TooLarge,
    /// Not a currency of this service.
    #[error("the currency is not VND")]
    UnknownCurrency,
    /// Two currencies in one sum.
    #[error("amounts of different currencies")]
    MixedCurrencies,
}

/// An amount of money, possibly negative (a posting), in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Whole đồng.
    pub const fn vnd(dong: i64) -> Self {
        Self::new(dong, Currency::Vnd)
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Reads a non-negative decimal with `.` as the point: `"50000"`, for other currencies `"12.30"`. Signs, spaces,
    /// separators, exponents and decimals that the currency does not have are refused; `.00` is such a decimal for
    /// the đồng only when a digit is not zero.
    pub fn parse(amount: &str, currency: Currency) -> Result<Self, MoneyError> {
        let plain = amount.split('.').collect::<Vec<_>>();
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if plain.len() > 2 || !plain.iter().all(|part| digits(part)) {
            return Err(MoneyError::NotANumber);
        }
        let whole = plain[0].trim_start_matches('0');
        if whole.len() > 19 || amount.len() > 40 {
            return Err(MoneyError::TooLarge);
        }
        let decimal = Decimal::from_str_exact(amount).map_err(|_| MoneyError::Fraction)?;
        let minor = decimal * Decimal::from(10_i64.pow(currency.exponent()));
        if !minor.fract().is_zero() {
            return Err(MoneyError::Fraction);
        }
        minor.to_i64().map(|minor| Self { minor, currency }).ok_or(MoneyError::TooLarge)
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// Its currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// True for exactly nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// True above nothing.
    pub const fn is_positive(self) -> bool {
        self.minor > 0
    }

    /// The sum, if it exists.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// The difference, if it exists.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// So many times the amount.
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(i64::from(count)).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// The amount with the opposite sign.
    pub fn negated(self) -> Result<Self, MoneyError> {
        Self::zero(self.currency).minus(self)
    }

    /// The sum of many amounts; nothing, in `currency`, for none.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }

    /// A share of the amount, rounded half away from zero to a whole minor unit.
    pub fn share(self, rate: Rate) -> Result<Self, MoneyError> {
        let exact = Decimal::from(self.minor).checked_mul(rate.0).ok_or(MoneyError::TooLarge)?;
        let whole = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
        whole.to_i64().map(|minor| Self { minor, ..self }).ok_or(MoneyError::TooLarge)
    }

    /// Splits the amount in proportion to `weights` so that the parts add up to it exactly: each part is rounded
    /// down and the units left over go to the largest remainders, the first of equals first. `None` when the amount
    /// is negative or no weight is above zero.
    pub fn split(self, weights: &[u64]) -> Option<Vec<Self>> {
        let total: u128 = weights.iter().map(|&w| u128::from(w)).sum();
        let amount = u128::try_from(self.minor).ok()?;
        if total == 0 {
            return None;
        }
        let exact: Vec<(u128, u128)> = weights
            .iter()
            .map(|&w| (amount * u128::from(w) / total, amount * u128::from(w) % total))
            .collect();
        let mut parts: Vec<u128> = exact.iter().map(|&(part, _)| part).collect();
        let left_over = usize::try_from(amount - parts.iter().sum::<u128>()).ok()?;
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(exact[i].1));
        for &i in order.iter().take(left_over) {
            parts[i] += 1;
        }
        parts.into_iter().map(|part| Some(Self { minor: i64::try_from(part).ok()?, ..self })).collect()
    }

    /// The decimal text that goes on the wire: `50000`.
    pub fn decimal(self) -> String {
        if self.currency.exponent() == 0 {
            return self.minor.to_string();
        }
        Decimal::new(self.minor, self.currency.exponent()).to_string()
    }

    /// The text that people read: `1.250.000 đ`, with a true minus sign and no line break inside.
    pub fn display_vi(self) -> String {
        let digits = self.minor.unsigned_abs().to_string();
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 6);
        if self.minor < 0 {
            grouped.push('−');
        }
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                grouped.push('.');
            }
            grouped.push(digit);
        }
        grouped.push_str("\u{a0}đ");
        grouped
    }

    fn same(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::MixedCurrencies) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency.code())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A share of something: 0 is none of it, 1 all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Decimal);

impl Rate {
    /// Reads `percent` (`"10"`, `"0.03"`) as a share; refuses what is not between 0 and 100.
    pub fn percent(percent: &str) -> Option<Self> {
        let value = Decimal::from_str_exact(percent).ok()?;
        (!value.is_sign_negative() && value <= Decimal::ONE_HUNDRED)
            .then(|| Self(value / Decimal::ONE_HUNDRED))
    }

    /// What is left when this share is taken away.
    #[must_use]
    pub fn complement(self) -> Self {
        Self(Decimal::ONE - self.0)
    }

    /// The share in percent, as printed: `10`.
    pub fn percent_text(self) -> String {
        (self.0 * Decimal::ONE_HUNDRED).normalize().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_plain_digits_and_nothing_else() {
        let read = |s| Money::parse(s, Currency::Vnd);
        assert_eq!(read("50000"), Ok(Money::vnd(50_000)));
        assert_eq!(read("50000.00"), Ok(Money::vnd(50_000)));
        assert_eq!(read("9223372036854775807"), Ok(Money::vnd(i64::MAX)));
        assert_eq!(read("9223372036854775808"), Err(MoneyError::TooLarge));
        assert_eq!(read("99999999999999999999999999999999"), Err(MoneyError::TooLarge));
        assert_eq!(read("1.5"), Err(MoneyError::Fraction));
        for bad in ["", "-5", "+5", " 5", "5 ", "1,000", "1.000.000", "1e3", "٥", ".5", "5.", "0x10"] {
            assert_eq!(read(bad), Err(MoneyError::NotANumber), "{bad:?}");
        }
    }

    #[test]
    fn prints_for_people() {
        assert_eq!(Money::vnd(0).display_vi(), "0\u{a0}đ");
        assert_eq!(Money::vnd(205_000).display_vi(), "205.000\u{a0}đ");
        assert_eq!(Money::vnd(-1_250_000).display_vi(), "−1.250.000\u{a0}đ");
    }

    #[test]
    fn a_share_names_its_rounding() {
        let ten = Rate::percent("10").unwrap();
        assert_eq!(Money::vnd(15).share(ten), Ok(Money::vnd(2)));
        assert_eq!(Money::vnd(14).share(ten), Ok(Money::vnd(1)));
        assert_eq!(Money::vnd(700_000).share(ten.complement()), Ok(Money::vnd(630_000)));
        assert!(Rate::percent("101").is_none() && Rate::percent("-1").is_none());
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(amount in 0..=i64::MAX, weights in prop::collection::vec(0..1_000_u64, 1..8)) {
            match Money::vnd(amount).split(&weights) {
                None => prop_assert!(weights.iter().all(|&w| w == 0)),
                Some(parts) => {
                    prop_assert_eq!(Money::sum(Currency::Vnd, parts.iter().copied()), Ok(Money::vnd(amount)));
                    for (part, weight) in parts.iter().zip(&weights) {
                        prop_assert!(part.minor() >= 0 && (*weight > 0 || part.is_zero()));
                    }
                }
            }
        }

        #[test]
        fn what_is_printed_is_read_back(amount in 0..=i64::MAX) {
            prop_assert_eq!(Money::parse(&Money::vnd(amount).decimal(), Currency::Vnd), Ok(Money::vnd(amount)));
        }
    }
}

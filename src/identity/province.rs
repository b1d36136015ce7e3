//! Provinces: the 34 of today (Decision 19/2025, in force since 1 July 2025) and the 63 birth-registration places that
//! personal numbers go on naming (Circular 07/2016, annex).
//!
//! Two code spaces are kept apart: a [`Province`] has two digits and says where somebody lives; a [`Place`] has three
//! and says where a birth was registered. Country codes share the second space and are not listed, so an unknown
//! place is a finding and never a refusal.

use std::{fmt, str::FromStr};

/// One of the 34 provinces, by its two-digit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Province(&'static (&'static str, &'static str));

impl Province {
    /// Every province, in the order of the codes.
    pub fn all() -> impl Iterator<Item = Self> {
        PROVINCES.iter().map(Self)
    }

    /// The two-digit code.
    pub const fn code(self) -> &'static str {
        self.0.0
    }

    /// The name without its rank: `Huế`.
    pub const fn name(self) -> &'static str {
        self.0.1
    }
}

/// A text that is not the two-digit code of a province.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a province is named by its two-digit code in force since July 2025")]
pub struct NotAProvince;

impl FromStr for Province {
    type Err = NotAProvince;

    fn from_str(code: &str) -> Result<Self, NotAProvince> {
        let at = PROVINCES.binary_search_by(|(known, _)| known.cmp(&code)).map_err(|_| NotAProvince)?;
        Ok(Self(&PROVINCES[at]))
    }
}

/// The first three digits of a personal number: where the birth was registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place([u8; 3]);

impl Place {
    /// Every listed place, in the order of the codes.
    pub fn all() -> impl Iterator<Item = Self> {
        PLACES.iter().map(|(code, _, _)| Self::of_digits(code.as_bytes()))
    }

    /// The place that three digits name, listed or not.
    pub(super) fn of_digits(digits: &[u8]) -> Self {
        let mut code = [b'0'; 3];
        code.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
        Self(code)
    }

    /// The three digits.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The name it had when numbers began to carry it; `None` for a country or a code nobody listed.
    pub fn name(&self) -> Option<&'static str> {
        self.row().map(|(_, name, _)| *name)
    }

    /// The province of today that the place lies in.
    pub fn province(&self) -> Option<Province> {
        self.row().and_then(|(_, _, province)| province.parse().ok())
    }

    fn row(&self) -> Option<&'static (&'static str, &'static str, &'static str)> {
        PLACES.binary_search_by(|(code, _, _)| code.cmp(&self.code())).ok().map(|at| &PLACES[at])
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Code and name, by code.
const PROVINCES: [(&str, &str); 34] = [
    ("01", "Hà Nội"),
    ("04", "Cao Bằng"),
    ("08", "Tuyên Quang"),
    ("11", "Điện Biên"),
    ("12", "Lai Châu"),
    ("14", "Sơn La"),
    ("15", "Lào Cai"),
    ("19", "Thái Nguyên"),
    ("20", "Lạng Sơn"),
    ("22", "Quảng Ninh"),
    ("24", "Bắc Ninh"),
    ("25", "Phú Thọ"),
    ("31", "Hải Phòng"),
    ("33", "Hưng Yên"),
    ("37", "Ninh Bình"),
    ("38", "Thanh Hóa"),
    ("40", "Nghệ An"),
    ("42", "Hà Tĩnh"),
    ("44", "Quảng Trị"),
    ("46", "Huế"),
    ("48", "Đà Nẵng"),
    ("51", "Quảng Ngãi"),
    ("52", "Gia Lai"),
    ("56", "Khánh Hòa"),
    ("66", "Đắk Lắk"),
    ("68", "Lâm Đồng"),
    ("75", "Đồng Nai"),
    ("79", "Hồ Chí Minh"),
    ("80", "Tây Ninh"),
    ("82", "Đồng Tháp"),
    ("86", "Vĩnh Long"),
    ("91", "An Giang"),
    ("92", "Cần Thơ"),
    ("96", "Cà Mau"),
];

/// Code, name until June 2025, code of today's province; by code.
const PLACES: [(&str, &str, &str); 63] = [
    ("001", "Hà Nội", "01"),
    ("002", "Hà Giang", "08"),
    ("004", "Cao Bằng", "04"),
    ("006", "Bắc Kạn", "19"),
    ("008", "Tuyên Quang", "08"),
    ("010", "Lào Cai", "15"),
    ("011", "Điện Biên", "11"),
    ("012", "Lai Châu", "12"),
    ("014", "Sơn La", "14"),
    ("015", "Yên Bái", "15"),
    ("017", "Hòa Bình", "25"),
    ("019", "Thái Nguyên", "19"),
    ("020", "Lạng Sơn", "20"),
    ("022", "Quảng Ninh", "22"),
    ("024", "Bắc Giang", "24"),
    ("025", "Phú Thọ", "25"),
    ("026", "Vĩnh Phúc", "25"),
    ("027", "Bắc Ninh", "24"),
    ("030", "Hải Dương", "31"),
    ("031", "Hải Phòng", "31"),
    ("033", "Hưng Yên", "33"),
    ("034", "Thái Bình", "33"),
    ("035", "Hà Nam", "37"),
    ("036", "Nam Định", "37"),
    ("037", "Ninh Bình", "37"),
    ("038", "Thanh Hóa", "38"),
    ("040", "Nghệ An", "40"),
    ("042", "Hà Tĩnh", "42"),
    ("044", "Quảng Bình", "44"),
    ("045", "Quảng Trị", "44"),
    ("046", "Thừa Thiên Huế", "46"),
    ("048", "Đà Nẵng", "48"),
    ("049", "Quảng Nam", "48"),
    ("051", "Quảng Ngãi", "51"),
    ("052", "Bình Định", "52"),
    ("054", "Phú Yên", "66"),
    ("056", "Khánh Hòa", "56"),
    ("058", "Ninh Thuận", "56"),
    ("060", "Bình Thuận", "68"),
    ("062", "Kon Tum", "51"),
    ("064", "Gia Lai", "52"),
    ("066", "Đắk Lắk", "66"),
    ("067", "Đắk Nông", "68"),
    ("068", "Lâm Đồng", "68"),
    ("070", "Bình Phước", "75"),
    ("072", "Tây Ninh", "80"),
    ("074", "Bình Dương", "79"),
    ("075", "Đồng Nai", "75"),
    ("077", "Bà Rịa - Vũng Tàu", "79"),
    ("079", "Hồ Chí Minh", "79"),
    ("080", "Long An", "80"),
    ("082", "Tiền Giang", "82"),
    ("083", "Bến Tre", "86"),
    ("084", "Trà Vinh", "86"),
    ("086", "Vĩnh Long", "86"),
    ("087", "Đồng Tháp", "82"),
    ("089", "An Giang", "91"),
    ("091", "Kiên Giang", "91"),
    ("092", "Cần Thơ", "92"),
    ("093", "Hậu Giang", "92"),
    ("094", "Sóc Trăng", "92"),
    ("095", "Bạc Liêu", "96"),
    ("096", "Cà Mau", "96"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_lead_into_each_other() {
        assert!(PROVINCES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(PLACES.is_sorted_by(|a, b| a.0 < b.0));
        for place in Place::all() {
            assert!(place.name().is_some() && place.province().is_some(), "{place}");
        }
        let reached: std::collections::BTreeSet<_> = Place::all().filter_map(|p| p.province()).collect();
        assert_eq!(reached.len(), 34);
    }

    #[test]
    fn merged_places_name_their_province_of_today() {
        let place = |digits: &str| Place::of_digits(digits.as_bytes());
        assert_eq!(place("074").name(), Some("Bình Dương"));
        assert_eq!(place("074").province().map(Province::name), Some("Hồ Chí Minh"));
        assert_eq!(place("003").name(), None);
        assert_eq!(place("999").province(), None);
        assert_eq!("79".parse().map(Province::name), Ok("Hồ Chí Minh"));
        for unknown in ["079", "7", "", "99", "79 "] {
            assert_eq!(unknown.parse::<Province>(), Err(NotAProvince), "{unknown:?}");
        }
    }
}

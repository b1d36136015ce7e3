//! Messages between this service and the remote population register: a look-up and its answer, a notice of change and
//! its acknowledgement. JSON in signed HTTP messages ([`super::http_signature`]).
//!
//! The members of a look-up are those of the national register's interface: every look-up names the service
//! (`MaDVC`), the officer (`MaCanBo`) and a request identifier (`MaYeuCau`), which the answer repeats. Values are texts
//! here; what they mean is read by whoever receives them.

use serde::{Deserialize, Serialize};

/// The media type of all these messages.
pub const CONTENT_TYPE: &str = "application/json";

/// Who is this?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// The request's identifier.
    #[serde(rename = "MaYeuCau")]
    pub request: String,
    /// The online service for which the person is looked up.
    #[serde(rename = "MaDVC")]
    pub service: String,
    /// The officer in whose name it is done.
    #[serde(rename = "MaCanBo")]
    pub officer: String,
    /// The personal number.
    #[serde(rename = "SoDinhDanh")]
    pub number: String,
}

/// The answer to a look-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request that is answered.
    #[serde(rename = "MaYeuCau")]
    pub request: String,
    /// Of when the register's knowledge is (RFC 3339).
    #[serde(rename = "ThoiDiem")]
    pub as_of: String,
    /// Until when the number that was asked about was the person's, if it is no longer.
    #[serde(rename = "SoCuDenNgay", default, skip_serializing_if = "Option::is_none")]
    pub former_until: Option<String>,
    /// The person; absent when the register has none of that number.
    #[serde(rename = "CongDan", default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Citizen>,
}

/// A person, each member written as in the register's files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Citizen {
    /// The personal number of today.
    #[serde(rename = "SoDinhDanh")]
    pub number: String,
    /// The nine digits of the former card.
    #[serde(rename = "SoCMND", skip_serializing_if = "String::is_empty")]
    pub old_number: String,
    /// The full name.
    #[serde(rename = "HoVaTen")]
    pub name: String,
    /// Former names with their last days.
    #[serde(rename = "HoVaTenCu", skip_serializing_if = "String::is_empty")]
    pub former_names: String,
    /// The birth date, as far as it is known.
    #[serde(rename = "NgayThangNamSinh")]
    pub birth_date: String,
    /// The sex.
    #[serde(rename = "GioiTinh")]
    pub sex: String,
    /// The phone.
    #[serde(rename = "SoDienThoai", skip_serializing_if = "String::is_empty")]
    pub phone: String,
    /// The province of residence.
    #[serde(rename = "MaTinhThanh")]
    pub province: String,
    /// Whether the person lives and may use the electronic identity.
    #[serde(rename = "TrangThai")]
    pub status: String,
    /// The day of death.
    #[serde(rename = "NgayMat", skip_serializing_if = "String::is_empty")]
    pub died_on: String,
    /// The level of the national e-ID account.
    #[serde(rename = "MucDoTaiKhoan", skip_serializing_if = "String::is_empty")]
    pub account_level: String,
    /// What fee reductions depend on.
    #[serde(rename = "DienUuDai", skip_serializing_if = "String::is_empty")]
    pub standings: String,
    /// Father and mother.
    #[serde(rename = "ChaMe", skip_serializing_if = "String::is_empty")]
    pub parents: String,
    /// Guardians.
    #[serde(rename = "NguoiGiamHo", skip_serializing_if = "String::is_empty")]
    pub guardians: String,
    /// Since when the person is without legal capacity.
    #[serde(rename = "MatNangLucTuNgay", skip_serializing_if = "String::is_empty")]
    pub capacity_lost_on: String,
}

/// Something about a person has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The notice's identifier: it is taken once.
    #[serde(rename = "MaThongBao")]
    pub id: String,
    /// The number by which the register knows the person until this notice.
    #[serde(rename = "SoDinhDanh")]
    pub number: String,
    /// What changed: `death`, `death_corrected`, `new_number`, `new_card`, `name_changed`, `birth_date_changed`,
    /// `sex_changed`, `locked` or `unlocked`.
    #[serde(rename = "Loai")]
    pub kind: String,
    /// The day from which it holds.
    #[serde(rename = "HieuLucTuNgay")]
    pub effective_on: String,
    /// The new value, where the change has one.
    #[serde(rename = "GiaTri", default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Reads a message; what is wrong is not repeated, it may be personal.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// Writes a message.
pub fn write(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_and_misshapen_ones_do_not() {
        let asked = LookUp {
            request: "r".into(),
            service: "1.001445.01".into(),
            officer: "hoa.nt".into(),
            number: "079185000001".into(),
        };
        let text = write(&asked);
        assert!(text.contains("\"MaYeuCau\"") && text.contains("\"MaDVC\"") && text.contains("\"MaCanBo\""));
        assert_eq!(read::<LookUp>(text.as_bytes()), Some(asked));
        let reply = Reply {
            request: "r".into(),
            as_of: "2026-11-24T00:00:00Z".into(),
            former_until: None,
            person: None,
        };
        assert_eq!(read::<Reply>(write(&reply).as_bytes()), Some(reply));
        assert_eq!(read::<LookUp>(b"{\"MaYeuCau\":1}"), None);
        assert_eq!(read::<Notice>(b"[]"), None);
    }
}

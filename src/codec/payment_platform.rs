//! The national payment platform's protocol: JSON messages with a shared-secret checksum (`MaXacThuc`).
//!
//! The checksum is the lower-case hexadecimal SHA-256 of named fields joined by `|`, the secret last. It covers exactly
//! the texts that were sent, so an amount or a time is read from the same text that was checked. What it does not cover
//! (`ThongTinBienLai`) proves nothing by itself and is compared with what it must add up to. Times are Vietnam time,
//! `yyyyMMddHHmmss`, with 24 hours. Deliberately absent: floats, and any number narrower than 64 bits.

use crate::base::{
    calendar::{Day, VIETNAM},
    clock::Instant,
    money::{Currency, Money},
};
use crate::crypto::digest::{equal, sha256};
use serde::{Deserialize, Deserializer, Serialize};
use time::{Duration, Time};

/// The version that we speak.
pub const VERSION: &str = "1.0.6";

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A payment is begun.
    Init,
    /// It has been made.
    Confirm,
    /// What became of it?
    Query,
    /// Its receipt, please.
    GetBill,
}

impl Kind {
    /// The word in `LoaiBanTin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Confirm => "CONFIRM",
            Self::Query => "QUERY",
            Self::GetBill => "GET_BILL",
        }
    }

    /// The kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Init, Self::Confirm, Self::Query, Self::GetBill].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The checksum of fields under a secret.
pub fn checksum(fields: &[&str], secret: &str) -> String {
    let text = fields.iter().copied().chain([secret]).collect::<Vec<_>>().join("|");
    hex::encode(sha256(text.as_bytes()))
}

/// Whether a message carries the checksum of its fields; compared in constant time. Case is the sender's.
pub fn is_genuine(fields: &[&str], secret: &str, given: &str) -> bool {
    equal(checksum(fields, secret).as_bytes(), given.to_ascii_lowercase().as_bytes())
}

/// Why a text is not what its field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not whole đồng above nothing.
    #[error("not an amount of whole đồng")]
    Amount,
    /// Not `yyyyMMddHHmmss`.
    #[error("not a time like 20261124143005")]
    Time,
}

/// An amount: digits, whole đồng.
pub fn amount(text: &str) -> Result<Money, Unreadable> {
    let digits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
    let money = if digits { Money::parse(text, Currency::Vnd).ok() } else { None };
    money.filter(|money| money.is_positive()).ok_or(Unreadable::Amount)
}

/// A time in Vietnam.
pub fn instant(text: &str) -> Result<Instant, Unreadable> {
    if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Unreadable::Time);
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u16>().map_err(|_| Unreadable::Time);
    let small = |from, to| number(from, to).and_then(|n| u8::try_from(n).map_err(|_| Unreadable::Time));
    let day = Day::new(i32::from(number(0, 4)?), small(4, 6)?, small(6, 8)?).ok_or(Unreadable::Time)?;
    let time = Time::from_hms(small(8, 10)?, small(10, 12)?, small(12, 14)?).map_err(|_| Unreadable::Time)?;
    Ok(day.date().with_time(time).assume_offset(VIETNAM).to_offset(time::UtcOffset::UTC))
}

/// The same, written.
pub fn stamp(at: Instant) -> String {
    let local = at.to_offset(VIETNAM);
    let (h, m, s) = local.time().as_hms();
    format!("{:04}{:02}{:02}{h:02}{m:02}{s:02}", local.year(), local.month() as u8, local.day())
}

/// How far a time may be from now.
pub const SKEW: Duration = Duration::minutes(15);

/// How a time fits the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Now,
    /// It would with twelve hours more: written with twelve hours to the day.
    TwelveHours,
    /// It does not.
    Never,
}

/// Whether a time is now, or was written with a clock of twelve hours.
pub fn fit(told: Instant, now: Instant) -> Fit {
    let near = |at: Instant| (now - at).abs() <= SKEW;
    if near(told) {
        Fit::Now
    } else if near(told + Duration::hours(12)) || near(told - Duration::hours(12)) {
        Fit::TwelveHours
    } else {
        Fit::Never
    }
}

/// A text, or a number that is taken as its text.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

/// The beginning of every message: enough to know whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Head {
    /// What it is.
    pub loai_ban_tin: String,
    /// Who sends it.
    pub ma_doi_tac: String,
    /// Its subject.
    pub ma_tham_chieu: String,
}

/// A payment is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Init {
    /// `INIT`.
    pub loai_ban_tin: String,
    /// The version.
    pub phien_ban: String,
    /// The partner.
    pub ma_doi_tac: String,
    /// The partner's name of the payment.
    pub ma_tham_chieu: String,
    /// The amount.
    #[serde(deserialize_with = "text")]
    pub so_tien: String,
    /// `PAY`.
    pub loai_hinh_thanh_toan: String,
    /// The channel.
    #[serde(deserialize_with = "text")]
    pub ma_kenh_thanh_toan: String,
    /// The device.
    #[serde(deserialize_with = "text")]
    pub ma_thiet_bi: String,
    /// `vi-VN`.
    pub ngon_ngu: String,
    /// `VND`.
    pub ma_tien_te: String,
    /// `PAYMENT`, or a bank.
    pub ma_ngan_hang: String,
    /// What the payer reads.
    pub thong_tin_giao_dich: String,
    /// When.
    #[serde(rename = "ThoiGianGD")]
    pub thoi_gian_gd: String,
    /// The payer's address.
    pub ip: String,
    /// The checksum.
    pub ma_xac_thuc: String,
    /// What the receipt says; not covered by the checksum.
    pub thong_tin_bien_lai: Slip,
}

/// What the receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Slip {
    /// 1 a fine, 2 a procedure's fee.
    #[serde(deserialize_with = "text")]
    pub ma_dich_vu: String,
    /// The procedure.
    #[serde(rename = "MaTTHC")]
    pub ma_tthc: String,
    /// The dossier.
    pub ma_ho_so: String,
    /// To which account.
    #[serde(rename = "TKThuHuong")]
    pub tk_thu_huong: String,
    /// At which bank.
    #[serde(rename = "MaNHThuHuong")]
    pub ma_nh_thu_huong: String,
    /// Who pays.
    pub ho_ten_nguoi_nop: String,
    /// The payer's number.
    #[serde(rename = "SoCMNDNguoiNop")]
    pub so_cmnd_nguoi_nop: String,
    /// Each fee.
    pub phi_le_phi: Vec<Fee>,
    /// Each amount in words of its own.
    #[serde(rename = "DSKhoanNop")]
    pub ds_khoan_nop: Vec<Item>,
}

/// One fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Fee {
    /// 1 phí, 2 lệ phí.
    #[serde(deserialize_with = "text")]
    pub loai_phi_le_phi: String,
    /// Its code.
    pub ma_phi_le_phi: String,
    /// Its name.
    pub ten_phi_le_phi: String,
    /// How much.
    #[serde(deserialize_with = "text")]
    pub so_tien: String,
}

/// One amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Item {
    /// What for.
    pub noi_dung: String,
    /// How much.
    #[serde(deserialize_with = "text")]
    pub so_tien: String,
}

impl Init {
    /// What the checksum covers.
    pub fn covered(&self) -> [&str; 14] {
        [
            &self.loai_ban_tin,
            &self.phien_ban,
            &self.ma_doi_tac,
            &self.ma_tham_chieu,
            &self.so_tien,
            &self.loai_hinh_thanh_toan,
            &self.ma_kenh_thanh_toan,
            &self.ma_thiet_bi,
            &self.ngon_ngu,
            &self.ma_tien_te,
            &self.ma_ngan_hang,
            &self.thong_tin_giao_dich,
            &self.thoi_gian_gd,
            &self.ip,
        ]
    }

    /// Whether what the checksum does not cover adds up to the amount that it covers.
    pub fn adds_up(&self) -> bool {
        let sum = |texts: Vec<&str>| {
            let amounts = texts.into_iter().map(amount).collect::<Result<Vec<_>, _>>().ok()?;
            Money::sum(Currency::Vnd, amounts).ok()
        };
        let total = amount(&self.so_tien).ok();
        let slip = &self.thong_tin_bien_lai;
        let fees = sum(slip.phi_le_phi.iter().map(|fee| fee.so_tien.as_str()).collect());
        let items = sum(slip.ds_khoan_nop.iter().map(|item| item.so_tien.as_str()).collect());
        let items_fit = slip.ds_khoan_nop.is_empty() || items == total;
        total.is_some() && fees == total && items_fit
    }
}

/// It has been paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Confirm {
    /// `CONFIRM`.
    pub loai_ban_tin: String,
    /// `00` when it was.
    pub ma_loi: String,
    /// The partner.
    pub ma_doi_tac: String,
    /// The payment.
    pub ma_tham_chieu: String,
    /// The amount.
    #[serde(deserialize_with = "text")]
    pub so_tien: String,
    /// `VND`.
    pub ma_tien_te: String,
    /// The platform's name of the payment.
    pub ma_giao_dich: String,
    /// The payer's bank.
    pub ma_ngan_hang: String,
    /// When.
    #[serde(rename = "ThoiGianGD")]
    pub thoi_gian_gd: String,
    /// What the payer read.
    pub thong_tin_giao_dich: String,
    /// The checksum.
    pub ma_xac_thuc: String,
}

impl Confirm {
    /// What the checksum covers.
    pub fn covered(&self) -> [&str; 10] {
        [
            &self.loai_ban_tin,
            &self.ma_loi,
            &self.ma_doi_tac,
            &self.ma_tham_chieu,
            &self.so_tien,
            &self.ma_tien_te,
            &self.ma_giao_dich,
            &self.ma_ngan_hang,
            &self.thoi_gian_gd,
            &self.thong_tin_giao_dich,
        ]
    }
}

/// `QUERY` and `GET_BILL`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Question {
    /// Which of the two.
    pub loai_ban_tin: String,
    /// The version.
    pub phien_ban: String,
    /// The partner.
    pub ma_doi_tac: String,
    /// The payment.
    pub ma_tham_chieu: String,
    /// When.
    #[serde(rename = "ThoiGianGD")]
    pub thoi_gian_gd: String,
    /// The checksum.
    pub ma_xac_thuc: String,
}

impl Question {
    /// What the checksum covers.
    pub fn covered(&self) -> [&str; 5] {
        [&self.loai_ban_tin, &self.phien_ban, &self.ma_doi_tac, &self.ma_tham_chieu, &self.thoi_gian_gd]
    }
}

/// Every answer. Its checksum covers everything in it, in this order, so that nobody has to take an answer on trust.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Reply {
    /// `00`, or why not.
    pub ma_loi: String,
    /// The same in words.
    pub mo_ta_loi: String,
    /// The partner.
    pub ma_doi_tac: String,
    /// The payment.
    pub ma_tham_chieu: String,
    /// Where the payer goes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url_thanh_toan: String,
    /// 0 waits, 1 paid, 2 will not be.
    #[serde(rename = "TrangThaiGD", skip_serializing_if = "String::is_empty")]
    pub trang_thai_gd: String,
    /// The receipt, a PDF in base64.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bien_lai: String,
    /// When.
    #[serde(rename = "ThoiGianGD")]
    pub thoi_gian_gd: String,
    /// The checksum.
    pub ma_xac_thuc: String,
}

impl Reply {
    /// What the checksum covers.
    pub fn covered(&self) -> [&str; 8] {
        [
            &self.ma_loi,
            &self.mo_ta_loi,
            &self.ma_doi_tac,
            &self.ma_tham_chieu,
            &self.url_thanh_toan,
            &self.trang_thai_gd,
            &self.bien_lai,
            &self.thoi_gian_gd,
        ]
    }

    /// The answer, with its checksum.
    #[must_use]
    pub fn signed(mut self, secret: &str) -> Self {
        self.ma_xac_thuc = checksum(&self.covered(), secret);
        self
    }
}

/// All is well.
pub const OK: &str = "00";
/// The checksum does not fit.
pub const NOT_GENUINE: &str = "01";
/// The name of the payment stands for another content.
pub const REUSED: &str = "02";
/// There is no such payment.
pub const UNKNOWN: &str = "03";
/// The amount, or the sums of what the checksum does not cover.
pub const AMOUNT: &str = "04";
/// The account is not the agency's.
pub const BENEFICIARY: &str = "05";
/// The time.
pub const TIME: &str = "06";
/// A fee, procedure or dossier.
pub const CONTENT: &str = "07";
/// Something else.
pub const OTHER: &str = "99";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    #[test]
    fn the_worked_checksums() {
        let mut rows = csv::Reader::from_path("tests/data/payment_platform_signatures.csv").unwrap();
        let mut count = 0;
        for row in rows.records().map(Result::unwrap) {
            let mut fields: Vec<&str> = row[1].split('|').collect();
            let secret = fields.pop().unwrap();
            assert_eq!(checksum(&fields, secret), &row[2], "{}", &row[0]);
            assert!(is_genuine(&fields, secret, &row[2].to_uppercase()));
            assert!(!is_genuine(&fields, "OTHER", &row[2]));
            count += 1;
        }
        assert_eq!(count, 2);
    }

    #[test]
    fn times_have_twenty_four_hours_and_amounts_sixty_four_bits() {
        assert_eq!(instant("20250703143005"), Ok(datetime!(2025-07-03 07:30:05 UTC)));
        assert_eq!(stamp(datetime!(2025-07-03 07:30:05 UTC)), "20250703143005");
        for bad in ["20250703243005", "2025070314300", "20250229000000", "x0250703143005", ""] {
            assert_eq!(instant(bad), Err(Unreadable::Time), "{bad}");
        }
        assert_eq!(amount("3000000000"), Ok(Money::vnd(3_000_000_000)));
        for bad in ["0", "-1", "1.0", "1,000", "", "9999999999999999999"] {
            assert_eq!(amount(bad), Err(Unreadable::Amount), "{bad}");
        }
        let now = datetime!(2026-11-24 07:30 UTC);
        assert_eq!(fit(now, now), Fit::Now);
        assert_eq!(fit(now - Duration::hours(12), now), Fit::TwelveHours);
        assert_eq!(fit(now - Duration::hours(3), now), Fit::Never);
    }

    proptest! {
        #[test]
        fn a_time_reads_back(seconds in 0..4_000_000_000_i64) {
            let at = Instant::from_unix_timestamp(seconds).unwrap();
            prop_assert_eq!(instant(&stamp(at)), Ok(at));
        }
    }
}

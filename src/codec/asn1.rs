//! Writing DER (X.690): just what certificates, requests for them, signed data and time stamps take.
//!
//! Reading is the `der` crate's; what is written here is small and read back in the tests.

use crate::base::clock::Instant;
use time::UtcOffset;

/// A value with its tag and length.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    let bytes = length.to_be_bytes();
    let significant = &bytes[bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len() - 1)..];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// `SEQUENCE` of parts that are encoded already.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// `SET OF`, in the order that DER demands.
pub fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    tlv(0x31, &parts.concat())
}

/// `[number]` around parts that are encoded already.
pub fn context(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(0xa0 | number, &parts.concat())
}

/// `INTEGER` of an unsigned number in big-endian bytes.
pub fn integer(unsigned: &[u8]) -> Vec<u8> {
    let start = unsigned.iter().position(|b| *b != 0).unwrap_or(unsigned.len().saturating_sub(1));
    let digits = unsigned.get(start..).filter(|d| !d.is_empty()).unwrap_or(&[0]);
    if digits[0] & 0x80 == 0 { tlv(2, digits) } else { tlv(2, &[&[0], digits].concat()) }
}

/// `OBJECT IDENTIFIER` from its arcs.
pub fn oid(arcs: &[u32]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else { return tlv(6, &[]) };
    let mut content = Vec::new();
    for arc in std::iter::once(first * 40 + second).chain(rest.iter().copied()) {
        let mut groups = vec![arc & 0x7f];
        let mut left = arc >> 7;
        while left > 0 {
            groups.push(left & 0x7f | 0x80);
            left >>= 7;
        }
        content.extend(groups.iter().rev().map(|group| group.to_be_bytes()[3]));
    }
    tlv(6, &content)
}

/// `OCTET STRING`.
pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(4, bytes)
}

/// `BIT STRING` of whole bytes.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes].concat())
}

/// `UTF8String`.
pub fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0c, text.as_bytes())
}

/// `PrintableString`.
pub fn printable(text: &str) -> Vec<u8> {
    tlv(0x13, text.as_bytes())
}

/// `Time` of a certificate (RFC 5280 section 4.1.2.5): two digits of the year until 2049.
pub fn time(at: Instant) -> Vec<u8> {
    let at = at.to_offset(UtcOffset::UTC);
    let (h, m, s) = at.time().as_hms();
    let rest = format!("{:02}{:02}{h:02}{m:02}{s:02}Z", at.month() as u8, at.day());
    match at.year() {
        year @ 1950..=2049 => tlv(0x17, format!("{:02}{rest}", year % 100).as_bytes()),
        year => tlv(0x18, format!("{year:04}{rest}").as_bytes()),
    }
}

/// `Ecdsa-Sig-Value` of `r || s` (RFC 3279 section 2.2.3).
pub fn ecdsa_signature(fixed: &[u8; 64]) -> Vec<u8> {
    sequence(&[&integer(&fixed[..32]), &integer(&fixed[32..])])
}

/// `ecdsa-with-SHA256` (RFC 5758).
pub fn ecdsa_with_sha256() -> Vec<u8> {
    sequence(&[&oid(&[1, 2, 840, 10045, 4, 3, 2])])
}

/// SHA-256 as a digest algorithm, without parameters (RFC 5754).
pub fn sha256_algorithm() -> Vec<u8> {
    sequence(&[&oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1])])
}

/// `SubjectPublicKeyInfo` of a point on P-256 (RFC 5480).
pub fn p256_key(point: &[u8; 65]) -> Vec<u8> {
    let algorithm = sequence(&[&oid(&[1, 2, 840, 10045, 2, 1]), &oid(&[1, 2, 840, 10045, 3, 1, 7])]);
    sequence(&[&algorithm, &bits(point)])
}

/// PEM (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|i| &text[i..text.len().min(i + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The DER of every block with that label, in order.
pub fn from_pem(label: &str, text: &str) -> Option<Vec<Vec<u8>>> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    text.split(&begin)
        .skip(1)
        .map(|block| {
            let body: String = block.split_once(&end)?.0.split_whitespace().collect();
            BASE64_STANDARD.decode(body).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_standard_says() {
        assert_eq!(integer(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(oid(&[1, 2, 840, 113_549]), [6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
        assert_eq!(tlv(4, &[1; 200])[..3], [4, 0x81, 200]);
        assert_eq!(tlv(4, &[1; 300])[..4], [4, 0x82, 1, 44]);
        let der = sequence(&[&integer(&[5]), &utf8("chữ ký")]);
        assert_eq!(from_pem("X", &pem("X", &der)), Some(vec![der]));
        assert_eq!(from_pem("X", "-----BEGIN X-----\nAA"), None);
    }
}

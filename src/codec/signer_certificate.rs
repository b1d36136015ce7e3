//! Certificates of those who sign documents: one's own (RFC 5280, self-signed), the request for one (RFC 2986), and
//! what an authority gave, as far as signing with it needs to know.

use super::asn1::{
    bits, context, ecdsa_signature, ecdsa_with_sha256, integer, octets, oid, p256_key, printable, sequence,
    set_of, time, tlv, utf8,
};
use crate::base::clock::Instant;
use der::{Decode, Encode};
use std::time::Duration;
use x509_cert::Certificate;

/// Whom a certificate names.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The agency's name.
    pub name: &'a str,
    /// Its tax code, which Vietnamese certificates carry as `MST:` in the user identifier.
    pub tax_code: Option<&'a str>,
}

impl Subject<'_> {
    fn der(self) -> Vec<u8> {
        let part = |arcs: &[u32], value: Vec<u8>| set_of(vec![sequence(&[&oid(arcs), &value])]);
        let mut parts = vec![
            part(&[2, 5, 4, 6], printable("VN")),
            part(&[2, 5, 4, 10], utf8(self.name)),
            part(&[2, 5, 4, 3], utf8(self.name)),
        ];
        if let Some(tax) = self.tax_code {
            let user = part(&[0, 9, 2342, 19_200_300, 100, 1, 1], utf8(&format!("MST:{tax}")));
            parts.push(user);
        }
        tlv(0x30, &parts.concat())
    }
}

/// Something that is to be signed: the bytes, and what becomes of them with a signature.
pub struct ToBeSigned {
    message: Vec<u8>,
}

impl ToBeSigned {
    /// What ECDSA with SHA-256 signs.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The DER of the signed thing; the signature is `r || s`.
    pub fn finish(self, signature: &[u8; 64]) -> Vec<u8> {
        sequence(&[&self.message, &ecdsa_with_sha256(), &bits(&ecdsa_signature(signature))])
    }
}

/// A certificate that its own key signs: for an installation without an authority. Who receives a document knows it by
/// its fingerprint only.
pub fn own(
    subject: Subject<'_>,
    point: &[u8; 65],
    serial: [u8; 16],
    valid: (Instant, Instant),
) -> ToBeSigned {
    let name = subject.der();
    let usage = extension(&[2, 5, 29, 15], true, &tlv(3, &[6, 0xc0])); // digitalSignature, nonRepudiation
    let basic = extension(&[2, 5, 29, 19], true, &sequence(&[]));
    let message = sequence(&[
        &context(0, &[&integer(&[2])]),
        &integer(&serial),
        &ecdsa_with_sha256(),
        &name,
        &sequence(&[&time(valid.0), &time(valid.1)]),
        &name,
        &p256_key(point),
        &context(3, &[&sequence(&[&basic, &usage])]),
    ]);
    ToBeSigned { message }
}

/// The request to an authority to certify a key (PKCS #10).
pub fn request(subject: Subject<'_>, point: &[u8; 65]) -> ToBeSigned {
    let message = sequence(&[&integer(&[0]), &subject.der(), &p256_key(point), &context(0, &[])]);
    ToBeSigned { message }
}

fn extension(arcs: &[u32], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical { tlv(1, &[0xff]) } else { Vec::new() };
    sequence(&[&oid(arcs), &flag, &octets(value)])
}

/// What signing with a certificate needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The name of whoever certified it, in DER.
    pub issuer: Vec<u8>,
    /// Its serial number, in DER.
    pub serial: Vec<u8>,
    /// The certified point, if it is on P-256.
    pub point: Option<[u8; 65]>,
    /// The first and the last moment.
    pub valid: (Instant, Instant),
}

/// Reads a certificate's DER.
pub fn read(certificate: &[u8]) -> Option<Known> {
    let read = Certificate::from_der(certificate).ok()?;
    let tbs = &read.tbs_certificate;
    let spki = tbs.subject_public_key_info.to_der().ok()?;
    let point: Option<[u8; 65]> = tbs.subject_public_key_info.subject_public_key.raw_bytes().try_into().ok();
    let moment = |at: Duration| Instant::from_unix_timestamp(i64::try_from(at.as_secs()).ok()?).ok();
    Some(Known {
        issuer: tbs.issuer.to_der().ok()?,
        serial: tbs.serial_number.to_der().ok()?,
        point: point.filter(|point| p256_key(point) == spki),
        valid: (
            moment(tbs.validity.not_before.to_unix_duration())?,
            moment(tbs.validity.not_after.to_unix_duration())?,
        ),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crypto::signing::{Signer, SigningKey};
    use time::macros::datetime;

    pub fn own_certificate(key: &SigningKey) -> Vec<u8> {
        let subject = Subject { name: "Sở Tư pháp", tax_code: Some("0301234567") };
        let valid = (datetime!(2026-11-24 00:00 UTC), datetime!(2031-11-24 00:00 UTC));
        let unsigned = own(subject, key.verifying_key().point(), [0x71; 16], valid);
        let signature = key.sign(unsigned.message());
        unsigned.finish(&signature)
    }

    #[test]
    fn a_certificate_reads_back() {
        let key = SigningKey::generate();
        let known = read(&own_certificate(&key)).unwrap();
        assert_eq!(known.point.as_ref(), Some(key.verifying_key().point()));
        assert_eq!(known.valid.1, datetime!(2031-11-24 00:00 UTC));
        assert_eq!(read(b"no"), None);
    }

    #[test]
    fn a_request_is_one() {
        use x509_cert::request::CertReq;
        let key = SigningKey::generate();
        let subject = Subject { name: "Sở Tư pháp", tax_code: None };
        let unsigned = request(subject, key.verifying_key().point());
        let signature = key.sign(unsigned.message());
        let der = unsigned.finish(&signature);
        let read = CertReq::from_der(&der).unwrap();
        assert!(read.info.subject.to_string().contains("C=VN"), "{}", read.info.subject);
    }
}

//! Signed content (RFC 5652) as other institutions make it: one signer, whose certificate travels along and whom a trusted
//! anchor certified. The security object of a chip card ([`super::sod`]) and a time stamp ([`super::time_stamp`]) are such.

use super::certificate::{self, Anchors, Validity};
use crate::base::clock::Instant;
use crate::crypto::certified;
use crate::crypto::digest::{Digest, equal};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::Encode;
use der::asn1::{Any, ObjectIdentifier, OctetString};
use x509_cert::Certificate;
use x509_cert::attr::Attributes;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

/// CMS signed data (RFC 5652).
pub const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// The signed attribute that repeats the content's type.
pub const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// The signed attribute that holds the content's digest.
pub const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// Content with its signer, whose key made the signature; whether anybody trusts the signer is another question.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What was signed.
    pub content: Vec<u8>,
    /// The signer's certificate.
    pub signer: Certificate,
    /// The certificates that travel along, in no order that means anything.
    pub others: Vec<Certificate>,
    /// What was signed beside it.
    pub attributes: Attributes,
}

/// Why signed content is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not signed content of that type by one signer.
    #[error("the signed content does not read")]
    Unreadable,
    /// A hash, a curve or a signature that is not judged here.
    #[error("an algorithm is not supported")]
    Unsupported,
    /// The content is not the one that was signed.
    #[error("the signed content was altered")]
    Altered,
    /// The certificate inside did not sign.
    #[error("the signature does not fit")]
    BadSignature,
    /// No trusted authority has this name, or the one that has it did not certify the signer.
    #[error("no trusted authority certified the signer")]
    UntrustedSigner,
    /// The signer's or the authority's certificate does not hold at that time.
    #[error("the signer's certificate does not hold at that time")]
    SignerExpired,
    /// The signer's certificate is not meant for this.
    #[error("the signer's certificate is not meant for this")]
    UnfitSigner,
    /// An authority between the signer and the trusted one may not certify, or not for this.
    #[error("an authority between may not certify")]
    UnfitAuthority,
    /// The way to the trusted authority is longer than is allowed.
    #[error("the way to a trusted authority is too long")]
    PathTooLong,
    /// A certificate on the way was revoked.
    #[error("a certificate was revoked")]
    Revoked,
}

impl From<der::Error> for Refused {
    fn from(_: der::Error) -> Self {
        Self::Unreadable
    }
}

/// Reads signed content of that type, if the certificate inside it signed it.
pub fn read(info: &ContentInfo, kind: ObjectIdentifier) -> Result<Signed, Refused> {
    if info.content_type != SIGNED_DATA {
        return Err(Refused::Unreadable);
    }
    let signed: SignedData = info.content.decode_as()?;
    if signed.encap_content_info.econtent_type != kind {
        return Err(Refused::Unreadable);
    }
    let content = signed.encap_content_info.econtent.as_ref().ok_or(Refused::Unreadable)?;
    let content = content.decode_as::<OctetString>()?;
    let [signer] = signed.signer_infos.0.as_slice() else { return Err(Refused::Unreadable) };
    let certificate = signers_certificate(&signed, signer)?;
    let attributes = check_signature(signer, &certificate, content.as_bytes(), kind)?;
    let others = certificates(&signed).filter(|other| **other != certificate).cloned().collect();
    Ok(Signed { content: content.into_bytes(), signer: certificate, others, attributes })
}

/// The certificates that travel with the content.
fn certificates(signed: &SignedData) -> impl Iterator<Item = &Certificate> {
    let all = signed.certificates.iter().flat_map(|all| all.0.iter());
    all.filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate),
        CertificateChoices::Other(_) => None,
    })
}

/// The certificate that the signer names, out of those that travel with the content.
fn signers_certificate(signed: &SignedData, signer: &SignerInfo) -> Result<Certificate, Refused> {
    let found = certificates(signed).find(|certificate| match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(name) => {
            certificate.tbs_certificate.issuer == name.issuer
                && certificate.tbs_certificate.serial_number == name.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(key) => {
            let own = certificate.tbs_certificate.get::<SubjectKeyIdentifier>();
            matches!(own, Ok(Some((_, own))) if own == *key)
        }
    });
    found.cloned().ok_or(Refused::UntrustedSigner)
}

/// The signature stands over the signed attributes, and these hold the content's digest (RFC 5652 section 5.4).
fn check_signature(
    signer: &SignerInfo,
    certificate: &Certificate,
    content: &[u8],
    kind: ObjectIdentifier,
) -> Result<Attributes, Refused> {
    let digest = certificate::hash(&signer.digest_alg).map_err(unsupported)?;
    let scheme = certificate::scheme(&signer.signature_algorithm, Some(digest)).map_err(unsupported)?;
    let key = &certificate.tbs_certificate.subject_public_key_info;
    let key = certificate::public_key(key).map_err(unsupported)?;
    let attributes = signer.signed_attrs.as_ref().ok_or(Refused::Unreadable)?;
    let stated_kind: ObjectIdentifier = only_value(attributes, CONTENT_TYPE)?.decode_as()?;
    let stated: OctetString = only_value(attributes, MESSAGE_DIGEST)?.decode_as()?;
    if stated_kind != kind || !equal(stated.as_bytes(), &digest.of(content)) {
        return Err(Refused::Altered);
    }
    let message = attributes.to_der()?;
    key.verify(scheme, &message, signer.signature.as_bytes()).map_err(unsupported)?;
    Ok(attributes.clone())
}

/// The only value of the only attribute of that name.
pub fn only_value(attributes: &Attributes, oid: ObjectIdentifier) -> Result<&Any, Refused> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    match (found.next(), found.next()) {
        (Some(one), None) => match one.values.as_slice() {
            [value] => Ok(value),
            _ => Err(Refused::Unreadable),
        },
        _ => Err(Refused::Unreadable),
    }
}

/// The trusted authority that certified the signer for this use, both of them holding at that time.
pub fn certified_by(
    signer: &Certificate,
    anchors: &Anchors,
    at: Instant,
    is_fit: fn(&Certificate) -> bool,
) -> Result<Digest, Refused> {
    let mut refused = Refused::UntrustedSigner;
    for anchor in anchors.named(&signer.tbs_certificate.issuer) {
        match certificate::is_signed_by(signer, anchor) {
            Ok(()) => {
                let holds = |c| certificate::validity(c, at) == Validity::Now;
                return if !is_fit(signer) {
                    Err(Refused::UnfitSigner)
                } else if holds(signer) && holds(anchor) {
                    Ok(certificate::fingerprint(anchor))
                } else {
                    Err(Refused::SignerExpired)
                };
            }
            Err(certified::Refused::Unsupported) => refused = Refused::Unsupported,
            Err(certified::Refused::BadSignature) => {}
        }
    }
    Err(refused)
}

const fn unsupported(refused: certified::Refused) -> Refused {
    match refused {
        certified::Refused::Unsupported => Refused::Unsupported,
        certified::Refused::BadSignature => Refused::BadSignature,
    }
}

//! Passive authentication of a chip card (ICAO Doc 9303-11 section 5.1, 9303-10 section 4.6.2): the signed list of the
//! data groups' hashes, its signer, and the country's authority that certified the signer.
//!
//! A card passes only if at least one data group was read, every group that was read stands in the list with its own
//! hash, the list is signed by the certificate inside it, and a trusted anchor certified that certificate, all of them
//! at the time of asking. Passive authentication does not show that the chip is no copy, nor that its bearer is its
//! holder: an officer looks at the person.

use super::certificate::{self, Validity};
use crate::base::clock::Instant;
use crate::crypto::certified;
use crate::crypto::digest::{Digest, equal};
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{Any, AnyRef, ObjectIdentifier, OctetString};
use der::{Decode, Encode, Sequence, Tag, TagNumber, Tagged};
use std::collections::BTreeMap;
use x509_cert::Certificate;
use x509_cert::attr::Attributes;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// The content type of the security object (9303-10 section 4.6.2.3).
pub const LDS_SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.1");
/// CMS signed data (RFC 5652).
pub const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// The signed attribute that repeats the content's type.
pub const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// The signed attribute that holds the content's digest.
pub const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// The outermost tag of the file `EF.SOD`.
pub const SOD_TAG: Tag = Tag::Application { constructed: true, number: TagNumber::N23 };

/// The signed list.
#[derive(Debug, Clone, PartialEq, Eq, Sequence)]
pub struct SecurityObject {
    /// 0, or 1 with version information.
    pub version: u8,
    /// The hash function of all groups.
    pub hash: AlgorithmIdentifierOwned,
    /// The groups.
    pub groups: Vec<GroupHash>,
    /// Versions of the data structure.
    #[asn1(optional = "true")]
    pub versions: Option<Any>,
}

/// The hash of one data group.
#[derive(Debug, Clone, PartialEq, Eq, Sequence)]
pub struct GroupHash {
    /// Its number, 1 to 16.
    pub number: u8,
    /// Its hash.
    pub hash: OctetString,
}

/// The authorities whose signers are believed.
#[derive(Debug, Clone, Default)]
pub struct Anchors(Vec<Certificate>);

/// A file that is no trust anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAnchor {
    /// Not an X.509 certificate.
    #[error("not a certificate")]
    Unreadable,
    /// A certificate that may not certify others.
    #[error("not the certificate of an authority")]
    NoAuthority,
}

impl Anchors {
    /// Reads the certificates of authorities, each as DER or PEM.
    pub fn read<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NotAnAnchor> {
        let one = |file: &[u8]| {
            let certificate = certificate::read(file).map_err(|_| NotAnAnchor::Unreadable)?;
            if certificate::is_authority(&certificate) {
                Ok(certificate)
            } else {
                Err(NotAnAnchor::NoAuthority)
            }
        };
        files.into_iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Their fingerprints.
    pub fn fingerprints(&self) -> impl Iterator<Item = Digest> {
        self.0.iter().map(certificate::fingerprint)
    }

    /// True without any authority: then no card passes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic {
    /// The groups whose hashes were compared, ascending; never none.
    pub groups: Vec<u8>,
    /// The certificate that signed the list.
    pub signer: Digest,
    /// The authority that certified it.
    pub anchor: Digest,
}

/// Why a card does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The file is not a security object; nothing is said about the card.
    #[error("the security object does not read")]
    Unreadable,
    /// A hash, a curve or a signature that is not judged here; nothing is said about the card.
    #[error("an algorithm of this card is not supported")]
    Unsupported,
    /// No data group was read: a list without anything to compare shows nothing.
    #[error("no data group was read")]
    NoGroups,
    /// A group was read that the signed list does not have.
    #[error("data group {0} is not in the signed list")]
    NotListed(u8),
    /// A group is not the one that was signed.
    #[error("data group {0} was altered")]
    Altered(u8),
    /// The list is not the one that was signed.
    #[error("the signed list was altered")]
    ListAltered,
    /// The certificate inside did not sign.
    #[error("the signature does not fit")]
    BadSignature,
    /// No trusted authority has this name, or the one that has it did not certify the signer.
    #[error("no trusted authority certified the signer")]
    UntrustedSigner,
    /// The signer's or the authority's certificate does not hold at this time.
    #[error("the signer's certificate does not hold now")]
    SignerExpired,
    /// The signer's certificate is not meant for signing.
    #[error("the signer's certificate is not meant for signing")]
    UnfitSigner,
}

impl Refused {
    /// The stable word in records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Unsupported => "unsupported",
            Self::NoGroups => "no_groups",
            Self::NotListed(_) => "group_not_listed",
            Self::Altered(_) => "group_altered",
            Self::ListAltered => "list_altered",
            Self::BadSignature => "bad_signature",
            Self::UntrustedSigner => "untrusted_signer",
            Self::SignerExpired => "signer_expired",
            Self::UnfitSigner => "unfit_signer",
        }
    }
}

impl From<der::Error> for Refused {
    fn from(_: der::Error) -> Self {
        Self::Unreadable
    }
}

/// Judges a card: `sod` is the file `EF.SOD`, `groups` the data groups that were read, by number, each as its file.
pub fn authenticate(
    sod: &[u8],
    groups: &BTreeMap<u8, Vec<u8>>,
    anchors: &Anchors,
    now: Instant,
) -> Result<Authentic, Refused> {
    if groups.is_empty() {
        return Err(Refused::NoGroups);
    }
    let signed = open(sod)?;
    let content = signed.encap_content_info.econtent.as_ref().ok_or(Refused::Unreadable)?;
    let content = content.decode_as::<OctetString>()?;
    let [signer] = signed.signer_infos.0.as_slice() else { return Err(Refused::Unreadable) };
    let certificate = signers_certificate(&signed, signer)?;
    check_signature(signer, &certificate, content.as_bytes())?;
    let anchor = check_chain(&certificate, anchors, now)?;
    let list = SecurityObject::from_der(content.as_bytes())?;
    let hash = certificate::hash(&list.hash).map_err(unsupported)?;
    for (number, file) in groups {
        let listed = list.groups.iter().find(|g| g.number == *number).ok_or(Refused::NotListed(*number))?;
        if !equal(listed.hash.as_bytes(), &hash.of(file)) {
            return Err(Refused::Altered(*number));
        }
    }
    Ok(Authentic {
        groups: groups.keys().copied().collect(),
        signer: certificate::fingerprint(&certificate),
        anchor,
    })
}

fn open(sod: &[u8]) -> Result<SignedData, Refused> {
    let outer = AnyRef::from_der(sod)?;
    if outer.tag() != SOD_TAG {
        return Err(Refused::Unreadable);
    }
    let info = ContentInfo::from_der(outer.value())?;
    if info.content_type != SIGNED_DATA {
        return Err(Refused::Unreadable);
    }
    let signed: SignedData = info.content.decode_as()?;
    if signed.encap_content_info.econtent_type != LDS_SECURITY_OBJECT {
        return Err(Refused::Unreadable);
    }
    Ok(signed)
}

/// The certificate that the signer names, out of those that travel with the list.
fn signers_certificate(signed: &SignedData, signer: &SignerInfo) -> Result<Certificate, Refused> {
    let all = signed.certificates.as_ref().ok_or(Refused::UntrustedSigner)?;
    let mut certificates = all.0.iter().filter_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate),
        CertificateChoices::Other(_) => None,
    });
    let found = certificates.find(|certificate| match &signer.sid {
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
fn check_signature(signer: &SignerInfo, certificate: &Certificate, content: &[u8]) -> Result<(), Refused> {
    let digest = certificate::hash(&signer.digest_alg).map_err(unsupported)?;
    let scheme = certificate::scheme(&signer.signature_algorithm, Some(digest)).map_err(unsupported)?;
    let key = &certificate.tbs_certificate.subject_public_key_info;
    let key = certificate::public_key(key).map_err(unsupported)?;
    let attributes = signer.signed_attrs.as_ref().ok_or(Refused::Unreadable)?;
    let kind: ObjectIdentifier = only_value(attributes, CONTENT_TYPE)?.decode_as()?;
    let stated: OctetString = only_value(attributes, MESSAGE_DIGEST)?.decode_as()?;
    if kind != LDS_SECURITY_OBJECT || !equal(stated.as_bytes(), &digest.of(content)) {
        return Err(Refused::ListAltered);
    }
    let message = attributes.to_der()?;
    key.verify(scheme, &message, signer.signature.as_bytes()).map_err(unsupported)
}

fn only_value(attributes: &Attributes, oid: ObjectIdentifier) -> Result<&Any, Refused> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    match (found.next(), found.next()) {
        (Some(one), None) => match one.values.as_slice() {
            [value] => Ok(value),
            _ => Err(Refused::Unreadable),
        },
        _ => Err(Refused::Unreadable),
    }
}

/// The trusted authority that certified the signer.
fn check_chain(signer: &Certificate, anchors: &Anchors, now: Instant) -> Result<Digest, Refused> {
    let named = anchors.0.iter().filter(|a| a.tbs_certificate.subject == signer.tbs_certificate.issuer);
    let mut refused = Refused::UntrustedSigner;
    for anchor in named {
        match certificate::is_signed_by(signer, anchor) {
            Ok(()) => {
                let holds = |c| certificate::validity(c, now) == Validity::Now;
                return if !certificate::may_sign(signer) {
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

//! Passive authentication of a chip card (ICAO Doc 9303-11 section 5.1, 9303-10 section 4.6.2): the signed list of the
//! data groups' hashes, its signer, and the country's authority that certified the signer.
//!
//! A card passes only if at least one data group was read, every group that was read stands in the list with its own
//! hash, the list is signed by the certificate inside it, and a trusted anchor certified that certificate, all of them
//! at the time of asking. Passive authentication does not show that the chip is no copy, nor that its bearer is its
//! holder: an officer looks at the person.

pub use super::certificate::{Anchors, NotAnAnchor};
pub use super::cms_signature::{CONTENT_TYPE, MESSAGE_DIGEST, SIGNED_DATA};

use super::{
    certificate,
    cms_signature::{self, Signed},
};
use crate::base::clock::Instant;
use crate::crypto::certified;
use crate::crypto::digest::{Digest, equal};
use cms::content_info::ContentInfo;
use der::asn1::{Any, AnyRef, ObjectIdentifier, OctetString};
use der::{Decode, Sequence, Tag, TagNumber, Tagged};
use std::collections::BTreeMap;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// The content type of the security object (9303-10 section 4.6.2.3).
pub const LDS_SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.1");
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
    let anchor = cms_signature::certified_by(&signed.signer, anchors, now, certificate::may_sign)?;
    let list = SecurityObject::from_der(&signed.content)?;
    let hash = certificate::hash(&list.hash).map_err(unsupported)?;
    for (number, file) in groups {
        let listed = list.groups.iter().find(|g| g.number == *number).ok_or(Refused::NotListed(*number))?;
        if !equal(listed.hash.as_bytes(), &hash.of(file)) {
            return Err(Refused::Altered(*number));
        }
    }
    Ok(Authentic {
        groups: groups.keys().copied().collect(),
        signer: certificate::fingerprint(&signed.signer),
        anchor,
    })
}

fn open(sod: &[u8]) -> Result<Signed, Refused> {
    let outer = AnyRef::from_der(sod)?;
    if outer.tag() != SOD_TAG {
        return Err(Refused::Unreadable);
    }
    let info = ContentInfo::from_der(outer.value())?;
    Ok(cms_signature::read(&info, LDS_SECURITY_OBJECT)?)
}

impl From<cms_signature::Refused> for Refused {
    fn from(refused: cms_signature::Refused) -> Self {
        use cms_signature::Refused as Signature;
        match refused {
            Signature::Unreadable => Self::Unreadable,
            Signature::Unsupported => Self::Unsupported,
            Signature::Altered => Self::ListAltered,
            Signature::BadSignature => Self::BadSignature,
            Signature::UntrustedSigner => Self::UntrustedSigner,
            Signature::SignerExpired => Self::SignerExpired,
            Signature::UnfitSigner | Signature::UnfitAuthority => Self::UnfitSigner,
            // A card has neither a way of many steps nor a list.
            Signature::PathTooLong | Signature::Revoked => Self::UntrustedSigner,
        }
    }
}

const fn unsupported(refused: certified::Refused) -> Refused {
    match refused {
        certified::Refused::Unsupported => Refused::Unsupported,
        certified::Refused::BadSignature => Refused::BadSignature,
    }
}

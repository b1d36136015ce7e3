//! Time stamps (RFC 3161, RFC 5816): the question to an authority, and the answer judged, at once and years later.
//!
//! A stamp is believed only if the authority granted it, its token says that it stamped this digest (and answers this
//! question, while the question is known), the certificate inside it signed it and is meant for time stamps and nothing
//! else, a way leads from it to a trusted anchor ([`Path`]) that holds at the stamp's own time, and no list that somebody
//! brought says that a certificate on it was revoked. What no list shows is told as unknown. Deliberately absent: stamps
//! that carry extensions, and asking anybody about revocation.

use super::asn1::{integer, octets, sequence, sha256_algorithm, tlv};
use super::certificate::{self, Anchors, HASHES};
use super::certificate_path::Path;
use super::cms_signature::{self, Signed, only_value};
use super::revocation::{Revocation, RevocationLists};
use crate::base::{calendar::parse_rfc3339, clock::Instant};
use crate::crypto::certified::Hash;
use crate::crypto::digest::{Digest, equal};
use cms::content_info::ContentInfo;
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode, Reader as _, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::Certificate;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// The content type of a stamp.
pub const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// The use that a certificate must be meant for.
pub const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// The signed attribute that names the signer's certificate by its digest (RFC 5035).
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// The same by SHA-1 (RFC 2634), which is not judged.
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
/// Where extensions stand.
const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber::N1 };
/// SHA-256.
const SHA256: ObjectIdentifier = HASHES[0].0;

/// How long a question's nonce is.
pub const NONCE_LENGTH: usize = 16;
/// The media type of a question.
pub const QUERY_TYPE: &str = "application/timestamp-query";
/// The media type of an answer.
pub const REPLY_TYPE: &str = "application/timestamp-reply";

/// The question: that digest, that nonce, and the certificate wanted beside the answer.
pub fn query(imprint: &Digest, nonce: &[u8; NONCE_LENGTH]) -> Vec<u8> {
    sequence(&[
        &integer(&[1]),
        &sequence(&[&sha256_algorithm(), &octets(imprint)]),
        &integer(nonce),
        &tlv(1, &[0xff]),
    ])
}

/// A question as an authority reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The algorithm and the digest, in DER.
    pub imprint: Vec<u8>,
    /// The number to be repeated, in DER.
    pub nonce: Option<Vec<u8>>,
}

/// Reads a question.
pub fn read_query(bytes: &[u8]) -> Option<Question> {
    let parts = parts(AnyRef::from_der(bytes).ok()?.value()).ok()?;
    let imprint = parts.get(1)?.to_der().ok()?;
    let nonce = parts.get(2..)?.iter().find(|part| part.tag() == Tag::Integer);
    Some(Question { imprint, nonce: nonce.and_then(|nonce| nonce.to_der().ok()) })
}

/// What a stamp shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When the digest was there, at the latest.
    pub at: Instant,
    /// The policy under which the authority works, as a dotted identifier.
    pub policy: String,
    /// The stamp's number at the authority, in hexadecimal.
    pub serial: String,
    /// Who stamped, as its certificate names it.
    pub authority: String,
    /// The certificate that signed.
    pub signer: Digest,
    /// The anchor at the end of the way from it.
    pub anchor: Digest,
    /// How many authorities stand between.
    pub between: usize,
    /// What lists show of the certificates on that way.
    pub revocation: Revocation,
}

/// Why a stamp is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The answer is none, or its token is no time stamp.
    #[error("the time stamp does not read")]
    Unreadable,
    /// The authority did not grant it.
    #[error("the authority refused")]
    NotGranted,
    /// It is of something else.
    #[error("the time stamp is of something else")]
    WrongImprint,
    /// It answers another question.
    #[error("the time stamp answers another question")]
    WrongNonce,
    /// It names another certificate than the one that signed it.
    #[error("the time stamp names another signer")]
    WrongSigner,
    /// The signature is not believed.
    #[error("{0}")]
    Signature(#[from] cms_signature::Refused),
}

impl Refused {
    /// The stable word in records.
    pub const fn word(self) -> &'static str {
        use cms_signature::Refused as Signature;
        match self {
            Self::Unreadable | Self::Signature(Signature::Unreadable) => "unreadable",
            Self::NotGranted => "not_granted",
            Self::WrongImprint => "wrong_imprint",
            Self::WrongNonce => "wrong_nonce",
            Self::WrongSigner => "wrong_signer",
            Self::Signature(Signature::Unsupported) => "unsupported",
            Self::Signature(Signature::Altered) => "altered",
            Self::Signature(Signature::BadSignature) => "bad_signature",
            Self::Signature(Signature::UntrustedSigner) => "untrusted_signer",
            Self::Signature(Signature::SignerExpired) => "signer_expired",
            Self::Signature(Signature::UnfitSigner) => "unfit_signer",
            Self::Signature(Signature::UnfitAuthority) => "unfit_authority",
            Self::Signature(Signature::PathTooLong) => "path_too_long",
            Self::Signature(Signature::Revoked) => "revoked",
        }
    }
}

impl From<der::Error> for Refused {
    fn from(_: der::Error) -> Self {
        Self::Unreadable
    }
}

/// Who is believed: the trusted authorities, and the lists of what they and others revoked, as they stand at a time.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    /// The trusted authorities.
    pub anchors: &'a Anchors,
    /// The lists that were brought.
    pub lists: &'a RevocationLists,
    /// The time.
    pub now: Instant,
}

/// Judges an answer to the question for that digest; with `nonce` only an answer to that very question is believed.
pub fn verify(
    answer: &[u8],
    imprint: &Digest,
    nonce: Option<&[u8; NONCE_LENGTH]>,
    trust: Trust<'_>,
) -> Result<Stamp, Refused> {
    let info = ContentInfo::from_der(&token(answer)?)?;
    let signed = cms_signature::read(&info, TST_INFO)?;
    let told = Told::read(&signed.content)?;
    if told.imprint.0 != SHA256 || !equal(told.imprint.1, imprint) {
        return Err(Refused::WrongImprint);
    }
    if nonce.is_some_and(|nonce| told.nonce.is_none_or(|told| trimmed(told) != trimmed(nonce))) {
        return Err(Refused::WrongNonce);
    }
    check_named(&signed)?;
    let path = Path::find(&signed.signer, &signed.others, trust.anchors, (told.at, TIME_STAMPING))?;
    if !may_stamp(&signed.signer) {
        return Err(cms_signature::Refused::UnfitSigner.into());
    }
    let revocation = trust.lists.judge(&path, told.at, trust.now)?;
    Ok(Stamp {
        at: told.at,
        policy: told.policy,
        serial: hex::encode(trimmed(told.serial)),
        authority: signed.signer.tbs_certificate.subject.to_string(),
        signer: certificate::fingerprint(&signed.signer),
        anchor: certificate::fingerprint(path.anchor),
        between: path.certificates.len() - 1,
        revocation,
    })
}

/// The token of a granted answer (`TimeStampResp`).
fn token(answer: &[u8]) -> Result<Vec<u8>, Refused> {
    let all = parts(sequence_of(&AnyRef::from_der(answer)?)?)?;
    let status = all.first().ok_or(Refused::Unreadable)?;
    let status = parts(sequence_of(status)?)?;
    let status = status.first().filter(|status| status.tag() == Tag::Integer).ok_or(Refused::Unreadable)?;
    if !matches!(status.value(), [0 | 1]) {
        return Err(Refused::NotGranted);
    }
    Ok(all.get(1).ok_or(Refused::Unreadable)?.to_der()?)
}

/// What a token tells (`TSTInfo`).
struct Told<'a> {
    policy: String,
    imprint: (ObjectIdentifier, &'a [u8]),
    serial: &'a [u8],
    at: Instant,
    nonce: Option<&'a [u8]>,
}

impl<'a> Told<'a> {
    fn read(content: &'a [u8]) -> Result<Self, Refused> {
        let all = parts(sequence_of(&AnyRef::from_der(content)?)?)?;
        let [version, policy, imprint, serial, at, rest @ ..] = all.as_slice() else {
            return Err(Refused::Unreadable);
        };
        let is_first = version.tag() == Tag::Integer && version.value() == [1];
        let extended = rest.iter().any(|part| part.tag() == EXTENSIONS);
        if !is_first || serial.tag() != Tag::Integer || at.tag() != Tag::GeneralizedTime || extended {
            return Err(Refused::Unreadable);
        }
        let imprint = parts(sequence_of(imprint)?)?;
        let [algorithm, digest] = imprint.as_slice() else { return Err(Refused::Unreadable) };
        if digest.tag() != Tag::OctetString {
            return Err(Refused::Unreadable);
        }
        let algorithm: AlgorithmIdentifierOwned = algorithm.decode_as()?;
        let nonce = rest.iter().find(|part| part.tag() == Tag::Integer);
        Ok(Self {
            policy: dotted(policy).ok_or(Refused::Unreadable)?,
            imprint: (algorithm.oid, digest.value()),
            serial: serial.value(),
            at: moment(at.value()).ok_or(Refused::Unreadable)?,
            nonce: nonce.map(|nonce| nonce.value()),
        })
    }
}

/// The values inside a constructed one.
fn parts(content: &[u8]) -> Result<Vec<AnyRef<'_>>, der::Error> {
    let mut reader = SliceReader::new(content)?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(AnyRef::decode(&mut reader)?);
    }
    Ok(parts)
}

fn sequence_of<'a>(value: &AnyRef<'a>) -> Result<&'a [u8], Refused> {
    if value.tag() == Tag::Sequence { Ok(value.value()) } else { Err(Refused::Unreadable) }
}

/// An identifier in dotted form, of any arc: policies may stand below `2.999` (X.690 section 8.19).
fn dotted(value: &AnyRef<'_>) -> Option<String> {
    if value.tag() != Tag::ObjectIdentifier || value.value().last().is_none_or(|last| last & 0x80 != 0) {
        return None;
    }
    let (mut arcs, mut arc) = (Vec::new(), 0_u64);
    for byte in value.value() {
        arc = arc.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let (first, rest) = arcs.split_first()?;
    let root = (*first / 40).min(2);
    let mut dotted = format!("{root}.{}", first - root * 40);
    for arc in rest {
        dotted.push_str(&format!(".{arc}"));
    }
    Some(dotted)
}

/// An unsigned number without what does not count.
fn trimmed(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    &number[start..]
}

/// `GeneralizedTime` in UTC, with or without a fraction (RFC 3161 section 2.4.2): `20261126074244.618Z`.
fn moment(text: &[u8]) -> Option<Instant> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let (y, mo, d) = (&whole[..4], &whole[4..6], &whole[6..8]);
    let (h, mi, s) = (&whole[8..10], &whole[10..12], &whole[12..]);
    parse_rfc3339(&format!("{y}-{mo}-{d}T{h}:{mi}:{s}{point}{fraction}Z"))
}

/// The token names the certificate that signed it: another one with the same key cannot be put in its place (RFC 5816).
fn check_named(signed: &Signed) -> Result<(), Refused> {
    let Ok(named) = only_value(&signed.attributes, SIGNING_CERTIFICATE_V2) else {
        // One that names it by SHA-1 alone says nothing that is judged here; one that names none is no stamp.
        return only_value(&signed.attributes, SIGNING_CERTIFICATE)
            .map(|_| ())
            .map_err(|_| Refused::WrongSigner);
    };
    let all = parts(named.value())?;
    let first = parts(sequence_of(all.first().ok_or(Refused::Unreadable)?)?)?;
    let first = parts(sequence_of(first.first().ok_or(Refused::Unreadable)?)?)?;
    let (hash, digest) = match first.as_slice() {
        [digest, ..] if digest.tag() == Tag::OctetString => (Hash::Sha256, digest),
        [algorithm, digest, ..] if digest.tag() == Tag::OctetString => {
            let algorithm: AlgorithmIdentifierOwned = algorithm.decode_as()?;
            let hash = certificate::hash(&algorithm);
            (hash.map_err(|_| cms_signature::Refused::Unsupported)?, digest)
        }
        _ => return Err(Refused::Unreadable),
    };
    if equal(digest.value(), &hash.of(&signed.signer.to_der()?)) { Ok(()) } else { Err(Refused::WrongSigner) }
}

/// Meant for time stamps and for nothing else, and says so as something that must be understood (RFC 3161 section 2.3).
fn may_stamp(certificate: &Certificate) -> bool {
    let usage = certificate.tbs_certificate.get::<ExtendedKeyUsage>();
    let only = matches!(&usage, Ok(Some((true, usage))) if usage.0.as_slice() == [TIME_STAMPING]);
    only && certificate::may_sign(certificate)
}

#[cfg(test)]
mod tests {
    use super::super::revocation::Why;
    use super::*;
    use crate::crypto::digest::sha256;
    use time::macros::datetime;

    const HEAD: &[u8] = include_bytes!("../../tests/data/time-stamps/head.jws");
    const QUERY: &[u8] = include_bytes!("../../tests/data/time-stamps/openssl.tsq");
    const ANSWER: &[u8] = include_bytes!("../../tests/data/time-stamps/openssl.tsr");
    const AUTHORITY: &[u8] = include_bytes!("../../keys/time-stamps/authority.pem");

    #[test]
    fn a_stamp_of_another_implementation_is_believed_and_of_nothing_else() {
        let anchors = Anchors::read([AUTHORITY]).unwrap();
        let (lists, nobody) = (RevocationLists::default(), Anchors::default());
        let by = |anchors| Trust { anchors, lists: &lists, now: datetime!(2027-01-01 00:00 UTC) };
        let imprint = sha256(HEAD);
        let stamp = verify(ANSWER, &imprint, None, by(&anchors)).unwrap();
        assert_eq!((stamp.between, stamp.revocation), (0, Revocation::Unknown(Why::NoList)));
        assert_eq!(stamp.at, datetime!(2026-11-26 07:42:44.618 UTC));
        assert_eq!((stamp.policy.as_str(), stamp.serial.as_str()), ("1.2.3.4.1", "06"));
        assert!(stamp.authority.contains("Sandbox time stamps"), "{}", stamp.authority);
        let other = verify(ANSWER, &sha256(b"another head"), None, by(&anchors));
        assert_eq!(other, Err(Refused::WrongImprint));
        let nonce = verify(ANSWER, &imprint, Some(&[7; NONCE_LENGTH]), by(&anchors));
        assert_eq!(nonce, Err(Refused::WrongNonce));
        let untrusted = verify(ANSWER, &imprint, None, by(&nobody));
        assert_eq!(untrusted, Err(Refused::Signature(cms_signature::Refused::UntrustedSigner)));
        for place in 0..ANSWER.len() {
            let mut altered = ANSWER.to_vec();
            altered[place] ^= 1;
            if let Ok(read) = verify(&altered, &imprint, None, by(&anchors)) {
                // What nobody signs (the status, the order of sets) may change, what it says may not.
                assert_eq!((read.at, &read.serial), (stamp.at, &stamp.serial), "byte {place}");
            }
        }
    }

    #[test]
    fn a_question_is_written_as_others_write_it() {
        let theirs = read_query(QUERY).unwrap();
        let nonce = theirs.nonce.as_ref().unwrap();
        let mut long = [0; NONCE_LENGTH];
        long[NONCE_LENGTH - 8..].copy_from_slice(&nonce[2..]);
        let ours = read_query(&query(&sha256(HEAD), &long)).unwrap();
        assert_eq!(ours.nonce, theirs.nonce);
        // Theirs names parameters of the hash that may be left out (RFC 5754).
        assert!(theirs.imprint.ends_with(&sha256(HEAD)) && ours.imprint.ends_with(&sha256(HEAD)));
        assert_eq!(read_query(b"no"), None);
    }

    #[test]
    fn a_moment_may_have_a_fraction_and_no_other_zone() {
        assert_eq!(moment(b"20261126074244Z"), Some(datetime!(2026-11-26 07:42:44 UTC)));
        assert_eq!(moment(b"20261126074244.5Z"), Some(datetime!(2026-11-26 07:42:44.5 UTC)));
        for wrong in
            [b"20261126074244".as_slice(), b"202611260742Z", b"20261326074244Z", b"20261126074244+0700"]
        {
            assert_eq!(moment(wrong), None);
        }
    }
}

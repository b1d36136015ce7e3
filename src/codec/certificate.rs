//! X.509 certificates (RFC 5280) as far as we judge them: whose they are, how long they hold, what their key signed.
//!
//! What a chip card takes stands here: a trusted anchor and a signer that it certified. Longer ways are
//! [`super::certificate_path`]'s, revocation lists [`super::revocation`]'s; cards take neither (a list that cannot be had
//! offline would stop every counter). Deliberately absent: name constraints.

use crate::base::clock::Instant;
use crate::crypto::certified::{Hash, PublicKey, Refused, Scheme};
use crate::crypto::digest::{Digest, sha256};
use der::asn1::ObjectIdentifier;
use der::{Any, Decode, Encode, Sequence};
use time::macros::datetime;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::Time;

/// What a certificate says that shall never end (RFC 5280 section 4.1.2.5).
const END_OF_TIME: Instant = datetime!(9999-12-31 23:59:59 UTC);

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// SHA-256, SHA-384 and SHA-512 by name (RFC 5754).
pub const HASHES: [(ObjectIdentifier, Hash); 3] = [
    (oid("2.16.840.1.101.3.4.2.1"), Hash::Sha256),
    (oid("2.16.840.1.101.3.4.2.2"), Hash::Sha384),
    (oid("2.16.840.1.101.3.4.2.3"), Hash::Sha512),
];
/// ECDSA with a hash (RFC 5758).
const ECDSA: [(ObjectIdentifier, Hash); 3] = [
    (oid("1.2.840.10045.4.3.2"), Hash::Sha256),
    (oid("1.2.840.10045.4.3.3"), Hash::Sha384),
    (oid("1.2.840.10045.4.3.4"), Hash::Sha512),
];
/// RSA PKCS#1 v1.5 with a hash (RFC 4055).
const RSA: [(ObjectIdentifier, Hash); 3] = [
    (oid("1.2.840.113549.1.1.11"), Hash::Sha256),
    (oid("1.2.840.113549.1.1.12"), Hash::Sha384),
    (oid("1.2.840.113549.1.1.13"), Hash::Sha512),
];
const RSA_ENCRYPTION: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
const EC_PUBLIC_KEY: ObjectIdentifier = oid("1.2.840.10045.2.1");
const P256: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = oid("1.3.132.0.34");

/// The parameters of RSASSA-PSS (RFC 4055); what is absent means SHA-1, which is not judged here.
#[derive(Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_length: Option<u16>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<Any>,
}

/// The hash of that name.
pub fn hash(algorithm: &AlgorithmIdentifierOwned) -> Result<Hash, Refused> {
    named(&HASHES, algorithm.oid).ok_or(Refused::Unsupported)
}

/// How a signature was made; `digest` is the hash that a CMS signer names beside a bare RSA.
pub fn scheme(algorithm: &AlgorithmIdentifierOwned, digest: Option<Hash>) -> Result<Scheme, Refused> {
    if let Some(hash) = named(&ECDSA, algorithm.oid) {
        return Ok(Scheme::Ecdsa(hash));
    }
    if let Some(hash) = named(&RSA, algorithm.oid) {
        return Ok(Scheme::RsaPkcs1(hash));
    }
    match (algorithm.oid, digest) {
        (RSA_ENCRYPTION, Some(hash)) => Ok(Scheme::RsaPkcs1(hash)),
        (RSA_PSS, _) => {
            let parameters = algorithm.parameters.as_ref().ok_or(Refused::Unsupported)?;
            let parameters: PssParameters = parameters.decode_as().map_err(|_| Refused::Unsupported)?;
            parameters.hash.as_ref().ok_or(Refused::Unsupported).and_then(hash).map(Scheme::RsaPss)
        }
        _ => Err(Refused::Unsupported),
    }
}

/// The key inside a certificate.
pub fn public_key(spki: &SubjectPublicKeyInfoOwned) -> Result<PublicKey<'_>, Refused> {
    let bytes = spki.subject_public_key.as_bytes().ok_or(Refused::Unsupported)?;
    let parameters = spki.algorithm.parameters.as_ref();
    match spki.algorithm.oid {
        RSA_ENCRYPTION | RSA_PSS => Ok(PublicKey::Rsa(bytes)),
        // A curve that is spelt out instead of named is one we do not know.
        EC_PUBLIC_KEY => match parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok()) {
            Some(P256) => Ok(PublicKey::P256(bytes)),
            Some(P384) => Ok(PublicKey::P384(bytes)),
            _ => Err(Refused::Unsupported),
        },
        _ => Err(Refused::Unsupported),
    }
}

/// Whether `issuer` signed `certificate`.
pub fn is_signed_by(certificate: &Certificate, issuer: &Certificate) -> Result<(), Refused> {
    let scheme = scheme(&certificate.signature_algorithm, None)?;
    if certificate.signature_algorithm != certificate.tbs_certificate.signature {
        return Err(Refused::BadSignature);
    }
    let signed = certificate.tbs_certificate.to_der().map_err(|_| Refused::BadSignature)?;
    let signature = certificate.signature.as_bytes().ok_or(Refused::BadSignature)?;
    public_key(&issuer.tbs_certificate.subject_public_key_info)?.verify(scheme, &signed, signature)
}

/// Whether a certificate holds at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It begins later.
    NotYet,
    /// It holds.
    Now,
    /// It is over.
    Over,
}

/// Whether the certificate holds at that instant.
pub fn validity(certificate: &Certificate, at: Instant) -> Validity {
    let span = &certificate.tbs_certificate.validity;
    if at.unix_timestamp() < moment(span.not_before).unix_timestamp() {
        Validity::NotYet
    } else if moment(span.not_after).unix_timestamp() < at.unix_timestamp() {
        Validity::Over
    } else {
        Validity::Now
    }
}

/// The moment that a certificate or a list names; the end of time where it lies beyond.
pub(super) fn moment(time: Time) -> Instant {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Instant::from_unix_timestamp(seconds).unwrap_or(END_OF_TIME)
}

/// Whether it may certify others: a certificate authority by its own words.
pub fn is_authority(certificate: &Certificate) -> bool {
    matches!(certificate.tbs_certificate.get::<BasicConstraints>(), Ok(Some((_, constraints))) if constraints.ca)
}

/// Whether it may sign documents: no certificate authority, and meant for signatures if it says what it is meant for.
pub fn may_sign(certificate: &Certificate) -> bool {
    let meant = match certificate.tbs_certificate.get::<KeyUsage>() {
        Ok(usage) => usage.is_none_or(|(_, usage)| usage.digital_signature()),
        Err(_) => false,
    };
    meant && !is_authority(certificate)
}

/// The digest by which a certificate is named in records.
pub fn fingerprint(certificate: &Certificate) -> Digest {
    sha256(&certificate.to_der().unwrap_or_default())
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
            let certificate = read(file).map_err(|_| NotAnAnchor::Unreadable)?;
            if is_authority(&certificate) { Ok(certificate) } else { Err(NotAnAnchor::NoAuthority) }
        };
        files.into_iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Their fingerprints.
    pub fn fingerprints(&self) -> impl Iterator<Item = Digest> {
        self.0.iter().map(fingerprint)
    }

    /// True without any authority: then nobody is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that bear that name.
    pub(super) fn named(&self, name: &Name) -> impl Iterator<Item = &Certificate> {
        self.0.iter().filter(move |anchor| anchor.tbs_certificate.subject == *name)
    }
}

/// Reads a certificate, as DER or in the armour of PEM.
pub fn read(bytes: &[u8]) -> Result<Certificate, der::Error> {
    use der::DecodePem;
    if bytes.starts_with(b"-----") { Certificate::from_pem(bytes) } else { Certificate::from_der(bytes) }
}

fn named(table: &[(ObjectIdentifier, Hash)], oid: ObjectIdentifier) -> Option<Hash> {
    table.iter().find(|(name, _)| *name == oid).map(|(_, hash)| *hash)
}

//! The way from a signer to a trusted anchor (RFC 5280 section 6), over a few authorities that travel along in any order.
//!
//! Every certificate on it holds at the time in question, every authority may certify, as deep as it stands, and is not
//! kept to other uses; whatever an extension says must be understood, and is not understood here, ends the way. Bounded
//! in length and in signatures that are judged. Deliberately absent: name constraints, policies, cross-certified loops.

use super::certificate::{self, Anchors, Validity, is_signed_by};
use super::cms_signature::Refused;
use crate::base::clock::Instant;
use crate::crypto::certified;
use der::asn1::ObjectIdentifier;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

/// How many certificates a way has at most, signer and anchor included.
pub const LENGTH_MAX: usize = 5;
/// How many signatures are judged on the search for one.
const SIGNATURES_MAX: usize = 32;
/// Any use (RFC 5280 section 4.2.1.12).
const ANY_USE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
/// The extensions that are understood where they are critical: basic constraints, key usage, extended key usage, names
/// beside the subject's, and policies, of which none is demanded.
const UNDERSTOOD: [ObjectIdentifier; 5] = [
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
];

/// A way that holds.
#[derive(Debug, Clone)]
pub struct Path<'a> {
    /// The signer, then the authorities between, the nearest first.
    pub certificates: Vec<&'a Certificate>,
    /// The trusted authority at its end.
    pub anchor: &'a Certificate,
}

impl<'a> Path<'a> {
    /// Finds one for a signer: `others` travelled along, and each certificate is to hold `at` that time for that `purpose`.
    pub fn find(
        signer: &'a Certificate,
        others: &'a [Certificate],
        anchors: &'a Anchors,
        (at, purpose): (Instant, ObjectIdentifier),
    ) -> Result<Self, Refused> {
        let mut search = Search {
            others,
            anchors,
            at,
            purpose,
            left: SIGNATURES_MAX,
            refused: Refused::UntrustedSigner,
            certificates: vec![signer],
        };
        match search.extend() {
            Some(anchor) => Ok(Self { certificates: search.certificates, anchor }),
            None => Err(search.refused),
        }
    }

    /// Each certificate below the anchor with the one that certified it.
    pub fn certified(&self) -> impl Iterator<Item = (&'a Certificate, &'a Certificate)> {
        let issuers = self.certificates.iter().skip(1).copied().chain([self.anchor]);
        self.certificates.iter().copied().zip(issuers)
    }
}

struct Search<'a> {
    others: &'a [Certificate],
    anchors: &'a Anchors,
    at: Instant,
    purpose: ObjectIdentifier,
    left: usize,
    refused: Refused,
    certificates: Vec<&'a Certificate>,
}

impl<'a> Search<'a> {
    /// The anchor at the end of a way that begins like this one.
    fn extend(&mut self) -> Option<&'a Certificate> {
        let last = *self.certificates.last()?;
        let anchors = self.anchors;
        for anchor in anchors.named(&last.tbs_certificate.issuer) {
            if self.certified(last, anchor) {
                match self.check(anchor) {
                    Ok(()) => return Some(anchor),
                    Err(refused) => self.note(refused),
                }
            }
        }
        let others = self.others;
        for other in others.iter().filter(|of| of.tbs_certificate.subject == last.tbs_certificate.issuer) {
            if self.certificates.contains(&other) || !self.certified(last, other) {
                continue;
            }
            if self.certificates.len() + 2 > LENGTH_MAX {
                self.note(Refused::PathTooLong);
                continue;
            }
            self.certificates.push(other);
            if let Some(anchor) = self.extend() {
                return Some(anchor);
            }
            self.certificates.pop();
        }
        None
    }

    fn certified(&mut self, certificate: &Certificate, by: &Certificate) -> bool {
        let Some(left) = self.left.checked_sub(1) else {
            self.note(Refused::PathTooLong);
            return false;
        };
        self.left = left;
        let judged = is_signed_by(certificate, by);
        if judged == Err(certified::Refused::Unsupported) {
            self.note(Refused::Unsupported);
        }
        judged.is_ok()
    }

    /// What was found first says more than that nobody is trusted.
    fn note(&mut self, refused: Refused) {
        if self.refused == Refused::UntrustedSigner {
            self.refused = refused;
        }
    }

    fn check(&self, anchor: &Certificate) -> Result<(), Refused> {
        let whole = || self.certificates.iter().copied().chain([anchor]);
        let mut below = 0;
        for (place, certificate) in whole().enumerate() {
            if !is_understood(certificate) {
                return Err(Refused::Unsupported);
            }
            if place == 0 {
                continue;
            }
            self.may_certify(certificate, below)?;
            // Whoever renews its own certificate is no step deeper.
            let own = certificate.tbs_certificate.subject == certificate.tbs_certificate.issuer;
            below += usize::from(!own);
        }
        if whole().any(|certificate| certificate::validity(certificate, self.at) != Validity::Now) {
            return Err(Refused::SignerExpired);
        }
        Ok(())
    }

    /// Whether an authority may certify for the purpose, with so many others below it.
    fn may_certify(&self, authority: &Certificate, below: usize) -> Result<(), Refused> {
        let own = &authority.tbs_certificate;
        let Ok(Some((_, constraints))) = own.get::<BasicConstraints>() else {
            return Err(Refused::UnfitAuthority);
        };
        let certifies = match own.get::<KeyUsage>() {
            Ok(usage) => usage.is_none_or(|(_, usage)| usage.key_cert_sign()),
            Err(_) => false,
        };
        let of_use = match own.get::<ExtendedKeyUsage>() {
            Ok(usage) => {
                usage.is_none_or(|(_, of)| of.0.iter().any(|of| *of == self.purpose || *of == ANY_USE))
            }
            Err(_) => false,
        };
        if !constraints.ca || !certifies || !of_use {
            return Err(Refused::UnfitAuthority);
        }
        match constraints.path_len_constraint {
            Some(most) if below > usize::from(most) => Err(Refused::PathTooLong),
            Some(_) | None => Ok(()),
        }
    }
}

fn is_understood(certificate: &Certificate) -> bool {
    let extensions = certificate.tbs_certificate.extensions.as_deref().unwrap_or_default();
    extensions.iter().all(|one| !one.critical || UNDERSTOOD.contains(&one.extn_id))
}

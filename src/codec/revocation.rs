//! Revocation lists (RFC 5280 section 5) that an operator has brought: what they say of the certificates on a way. No
//! network is asked, so that what no list shows is unknown, and is told as unknown.
//!
//! A certificate that was revoked by the time of a stamp takes the stamp with it; one that was revoked later does, too,
//! unless the list says that its key was not the reason (RFC 3161 section 4). Deliberately absent: lists of changes
//! (delta), lists by somebody else than the issuer, lists for a part of the certificates: such a list shows nothing here.

use super::asn1::from_pem;
use super::certificate::{self, public_key, scheme};
use super::certificate_path::Path;
use super::cms_signature::Refused;
use crate::base::clock::Instant;
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use x509_cert::Certificate;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::{CrlReason, KeyUsage};
use x509_cert::time::Time;

const REASON: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const LABEL: &str = "X509 CRL";

/// Lists, as far as they read.
#[derive(Debug, Clone, Default)]
pub struct RevocationLists(Vec<CertificateList>);

/// A file that is no revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a revocation list")]
pub struct NotAList;

/// What lists show of a way that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// None of its certificates was revoked, by lists of which the oldest is of that time.
    Clear {
        /// When that list was made.
        as_of: Instant,
    },
    /// Some certificate is on no list that says so.
    Unknown(Why),
}

/// Why a revocation is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no list of its issuer that could be judged.
    NoList,
    /// The newest list is over: a newer one should be there.
    ListOver,
    /// The list is later than the certificate's end, from when on it need not be listed.
    ListTooLate,
}

impl Why {
    /// The stable word in answers and records.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoList => "no_list",
            Self::ListOver => "list_over",
            Self::ListTooLate => "list_too_late",
        }
    }
}

impl RevocationLists {
    /// Reads lists, each as DER or PEM; a file in PEM may hold several.
    pub fn read<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NotAList> {
        let mut lists = Vec::new();
        for file in files {
            let ders = match std::str::from_utf8(file) {
                Ok(text) if text.contains("-----BEGIN ") => from_pem(LABEL, text).ok_or(NotAList)?,
                Ok(_) | Err(_) => vec![file.to_vec()],
            };
            if ders.is_empty() {
                return Err(NotAList);
            }
            for der in ders {
                lists.push(CertificateList::from_der(&der).map_err(|_| NotAList)?);
            }
        }
        Ok(Self(lists))
    }

    /// What they show `now` of a way on which something was signed `at` that time.
    pub fn judge(&self, path: &Path<'_>, at: Instant, now: Instant) -> Result<Revocation, Refused> {
        let (mut oldest, mut unknown) = (None, None);
        for (certificate, issuer) in path.certified() {
            match self.judge_one(certificate, issuer, (at, now))? {
                Revocation::Clear { as_of } => {
                    oldest = Some(oldest.map_or(as_of, |oldest: Instant| oldest.min(as_of)));
                }
                Revocation::Unknown(why) => unknown = unknown.or(Some(why)),
            }
        }
        Ok(match (unknown, oldest) {
            (Some(why), _) => Revocation::Unknown(why),
            (None, Some(as_of)) => Revocation::Clear { as_of },
            (None, None) => Revocation::Unknown(Why::NoList),
        })
    }

    fn judge_one(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        (at, now): (Instant, Instant),
    ) -> Result<Revocation, Refused> {
        let lists = self.0.iter().filter(|list| is_of(list, issuer));
        let mut shown = Revocation::Unknown(Why::NoList);
        for list in lists {
            let entries = list.tbs_cert_list.revoked_certificates.as_deref().unwrap_or_default();
            let serial = &certificate.tbs_certificate.serial_number;
            // What was revoked once is, whatever a later list leaves out.
            if entries.iter().filter(|entry| entry.serial_number == *serial).any(|entry| counts(entry, at)) {
                return Err(Refused::Revoked);
            }
            let found = status(list, certificate, now);
            shown = match (shown, found) {
                (Revocation::Clear { as_of: a }, Revocation::Clear { as_of: b }) => {
                    Revocation::Clear { as_of: a.max(b) }
                }
                (clear @ Revocation::Clear { .. }, Revocation::Unknown(_)) => clear,
                (Revocation::Unknown(_), found) => found,
            };
        }
        Ok(shown)
    }
}

/// Whether an entry takes what was signed at that time with it.
fn counts(entry: &RevokedCert, at: Instant) -> bool {
    if moment(entry.revocation_date) <= at {
        return true;
    }
    let extensions: &[_] = entry.crl_entry_extensions.as_deref().unwrap_or_default();
    let reason = extensions.iter().find(|one| one.extn_id == REASON);
    let reason = reason.and_then(|one| CrlReason::from_der(one.extn_value.as_bytes()).ok());
    // Nothing is said, or something else than that the key was given up in order.
    !matches!(
        reason,
        Some(
            CrlReason::Unspecified
                | CrlReason::AffiliationChanged
                | CrlReason::Superseded
                | CrlReason::CessationOfOperation
        )
    )
}

/// What a list that does not name the certificate shows of it.
fn status(list: &CertificateList, certificate: &Certificate, now: Instant) -> Revocation {
    let made = moment(list.tbs_cert_list.this_update);
    let ends = list.tbs_cert_list.next_update.map(moment);
    if made > moment(certificate.tbs_certificate.validity.not_after) {
        Revocation::Unknown(Why::ListTooLate)
    } else if made > now || ends.is_none_or(|ends| ends < now) {
        Revocation::Unknown(Why::ListOver)
    } else {
        Revocation::Clear { as_of: made }
    }
}

/// Whether a list is that issuer's, complete, and signed by it.
fn is_of(list: &CertificateList, issuer: &Certificate) -> bool {
    let of = &list.tbs_cert_list;
    let whole = |extensions: Option<&Extensions>| {
        extensions.is_none_or(|extensions| extensions.iter().all(|one| !one.critical))
    };
    let entries = of.revoked_certificates.as_deref().unwrap_or_default();
    let signs = match issuer.tbs_certificate.get::<KeyUsage>() {
        Ok(usage) => usage.is_none_or(|(_, usage)| usage.crl_sign()),
        Err(_) => false,
    };
    of.issuer == issuer.tbs_certificate.subject
        && signs
        && whole(of.crl_extensions.as_ref())
        && entries.iter().all(|entry| whole(entry.crl_entry_extensions.as_ref()))
        && list.signature_algorithm == of.signature
        && is_signed(list, issuer)
}

fn is_signed(list: &CertificateList, issuer: &Certificate) -> bool {
    let key = public_key(&issuer.tbs_certificate.subject_public_key_info);
    let (Ok(scheme), Ok(key), Ok(signed)) =
        (scheme(&list.signature_algorithm, None), key, list.tbs_cert_list.to_der())
    else {
        return false;
    };
    list.signature.as_bytes().is_some_and(|signature| key.verify(scheme, &signed, signature).is_ok())
}

fn moment(time: Time) -> Instant {
    certificate::moment(time)
}

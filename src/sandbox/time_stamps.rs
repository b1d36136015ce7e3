//! A time-stamping authority (RFC 3161): `POST /time-stamps` takes a question and answers with a token that names the
//! sandbox's own time. Its troubles are faults on `time_stamp`: `drop_request` and `drop_answer` are silence, `reject` an
//! answer that grants nothing, `corrupt` a byte that flips after signing, and `wrong_stamp` a token that is wrong in what
//! `code` names: `imprint`, `nonce`, `signer` (somebody else's key under the authority's certificate), `unfit` (a
//! certificate that is not meant for time stamps), `stranger` (a certificate that nobody trusts) or `replay` (the token
//! given before).
//!
//! The authority and its certificates stand in `keys/time-stamps`, for everybody to read; a service whose public origin
//! is https refuses that authority.

use super::Sandbox;
use super::fault::Kind;
use crate::base::clock::Instant;
use crate::codec::asn1::{
    context, ecdsa_signature, ecdsa_with_sha256, integer, octets, oid, sequence, set_of, sha256_algorithm,
    tlv,
};
use crate::codec::signer_certificate::{self, Subject};
use crate::codec::time_stamp::{QUERY_TYPE, REPLY_TYPE, read_query};
use crate::crypto::digest::sha256;
use crate::crypto::signing::{Signer as _, SigningKey};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::{Arc, PoisonError};
use time::{Duration, UtcOffset};

/// The sandbox's time-stamping authority, a trust anchor for demonstrations.
pub const AUTHORITY: &[u8] = include_bytes!("../../keys/time-stamps/authority.pem");
const SIGNER: (&[u8], &[u8]) =
    (include_bytes!("../../keys/time-stamps/signer.der"), include_bytes!("../../keys/time-stamps/signer.p8"));
/// Certified by the authority, and not meant for time stamps.
const UNFIT: (&[u8], &[u8]) =
    (include_bytes!("../../keys/time-stamps/unfit.der"), include_bytes!("../../keys/time-stamps/unfit.p8"));
/// The policy that its tokens name: an arc for examples.
const POLICY: [u32; 5] = [2, 999, 1, 3, 1];
const TST_INFO: [u32; 9] = [1, 2, 840, 113_549, 1, 9, 16, 1, 4];
const SIGNED_DATA: [u32; 7] = [1, 2, 840, 113_549, 1, 7, 2];
const CONTENT_TYPE: [u32; 7] = [1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: [u32; 7] = [1, 2, 840, 113_549, 1, 9, 4];
const SIGNING_CERTIFICATE_V2: [u32; 9] = [1, 2, 840, 113_549, 1, 9, 16, 2, 47];

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// It is of something else.
    Imprint,
    /// It answers another question.
    Nonce,
    /// Somebody else signed it.
    Signer,
    /// Its signer is not one for stamps.
    Unfit,
    /// Nobody vouches for its signer.
    Stranger,
    /// It was given before.
    Replay,
}

impl Wrong {
    fn named(code: &str) -> Self {
        match code {
            "nonce" => Self::Nonce,
            "signer" => Self::Signer,
            "unfit" => Self::Unfit,
            "stranger" => Self::Stranger,
            "replay" => Self::Replay,
            _ => Self::Imprint,
        }
    }
}

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/time-stamps", post(stamp))
}

async fn stamp(State(sandbox): State<Arc<Sandbox>>, headers: HeaderMap, body: Bytes) -> Response {
    let strikes = |kind| sandbox.faults().strike(kind, "time_stamp", None);
    if strikes(Kind::DropRequest).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if headers.get(header::CONTENT_TYPE).is_none_or(|named| named != QUERY_TYPE) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let wrong = strikes(Kind::WrongStamp).map(|fault| Wrong::named(&fault.code));
    let last = sandbox.stamps.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let answer = if strikes(Kind::Reject).is_some() {
        Some(sequence(&[&sequence(&[&integer(&[2])])]))
    } else if wrong == Some(Wrong::Replay) && !last.is_empty() {
        Some(last)
    } else {
        answer(&body, sandbox.now(), wrong)
    };
    let Some(mut answer) = answer else { return StatusCode::BAD_REQUEST.into_response() };
    if wrong.is_none() {
        sandbox.stamps.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&answer);
    }
    if strikes(Kind::Corrupt).is_some() {
        let last = answer.len() - 1;
        answer[last] ^= 1;
    }
    if strikes(Kind::DropAnswer).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    ([(header::CONTENT_TYPE, REPLY_TYPE)], answer).into_response()
}

/// The answer to a question, with something wrong in it if so wanted; none where the question does not read.
pub fn answer(question: &[u8], at: Instant, wrong: Option<Wrong>) -> Option<Vec<u8>> {
    let asked = read_query(question)?;
    let imprint = match wrong {
        Some(Wrong::Imprint) => sequence(&[&sha256_algorithm(), &octets(&sha256(b"something else"))]),
        Some(_) | None => asked.imprint,
    };
    let nonce = match wrong {
        Some(Wrong::Nonce) => integer(&[7]),
        Some(_) | None => asked.nonce.unwrap_or_default(),
    };
    let info = sequence(&[
        &integer(&[1]),
        &oid(&POLICY),
        &imprint,
        &integer(&sha256(question)[..8]),
        &tlv(0x18, moment(at).as_bytes()),
        &nonce,
    ]);
    let own = |of: (&[u8], &[u8])| Some((of.0.to_vec(), SigningKey::from_pkcs8(of.1).ok()?));
    let (certificate, key) = match wrong {
        Some(Wrong::Signer) => (SIGNER.0.to_vec(), SigningKey::generate()),
        Some(Wrong::Unfit) => own(UNFIT)?,
        Some(Wrong::Stranger) => stranger(at),
        Some(_) | None => own(SIGNER)?,
    };
    let token = signed(&info, &certificate, &key)?;
    Some(sequence(&[&sequence(&[&integer(&[0])]), &token]))
}

/// Somebody whom nobody certified.
fn stranger(at: Instant) -> (Vec<u8>, SigningKey) {
    let key = SigningKey::generate();
    let subject = Subject { name: "Somebody else", tax_code: None };
    let valid = (at - Duration::days(1), at + Duration::days(1));
    let unsigned = signer_certificate::own(subject, key.verifying_key().point(), [9; 16], valid);
    let signature = key.sign(unsigned.message());
    (unsigned.finish(&signature), key)
}

fn signed(info: &[u8], certificate: &[u8], key: &SigningKey) -> Option<Vec<u8>> {
    let known = signer_certificate::read(certificate)?;
    let attribute = |name: &[u32], value: Vec<u8>| sequence(&[&oid(name), &set_of(vec![value])]);
    let named = sequence(&[&sequence(&[&sequence(&[&octets(&sha256(certificate))])])]);
    let attributes = set_of(vec![
        attribute(&CONTENT_TYPE, oid(&TST_INFO)),
        attribute(&MESSAGE_DIGEST, octets(&sha256(info))),
        attribute(&SIGNING_CERTIFICATE_V2, named),
    ]);
    let signature = key.sign(&attributes);
    let mut implicit = attributes;
    implicit[0] = 0xa0; // [0] IMPLICIT in place of SET OF
    let signer = sequence(&[
        &integer(&[1]),
        &sequence(&[&known.issuer, &known.serial]),
        &sha256_algorithm(),
        &implicit,
        &ecdsa_with_sha256(),
        &octets(&ecdsa_signature(&signature)),
    ]);
    let data = sequence(&[
        &integer(&[3]),
        &set_of(vec![sha256_algorithm()]),
        &sequence(&[&oid(&TST_INFO), &context(0, &[&octets(info)])]),
        &context(0, &[certificate]),
        &set_of(vec![signer]),
    ]);
    Some(sequence(&[&oid(&SIGNED_DATA), &context(0, &[&data])]))
}

fn moment(at: Instant) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let (h, m, s) = at.time().as_hms();
    format!("{:04}{:02}{:02}{h:02}{m:02}{s:02}Z", at.year(), at.month() as u8, at.day())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::certificate::Anchors;
    use crate::codec::cms_signature::Refused as Signature;
    use crate::codec::revocation::RevocationLists;
    use crate::codec::time_stamp::{Refused, Trust, query, verify};
    use time::macros::datetime;

    #[test]
    fn its_stamps_are_believed_and_every_wrong_one_is_refused_by_name() {
        let anchors = Anchors::read([AUTHORITY]).unwrap();
        let lists = RevocationLists::default();
        let trust = Trust { anchors: &anchors, lists: &lists, now: datetime!(2026-11-24 03:00 UTC) };
        let (imprint, nonce) = (sha256(b"a head"), [5; 16]);
        let asked = query(&imprint, &nonce);
        let at = datetime!(2026-11-24 02:00 UTC);
        let judged = |wrong| verify(&answer(&asked, at, wrong).unwrap(), &imprint, Some(&nonce), trust);
        let stamp = judged(None).unwrap();
        assert_eq!((stamp.at, stamp.policy.as_str()), (at, "2.999.1.3.1"));
        for (wrong, refused) in [
            (Wrong::Imprint, Refused::WrongImprint),
            (Wrong::Nonce, Refused::WrongNonce),
            (Wrong::Signer, Refused::Signature(Signature::BadSignature)),
            (Wrong::Unfit, Refused::Signature(Signature::UnfitSigner)),
            (Wrong::Stranger, Refused::Signature(Signature::UntrustedSigner)),
        ] {
            assert_eq!(judged(Some(wrong)), Err(refused));
        }
        // What was given before answers another question.
        let before = answer(&query(&imprint, &[6; 16]), at, None).unwrap();
        assert_eq!(verify(&before, &imprint, Some(&nonce), trust), Err(Refused::WrongNonce));
        // Years later, and offline, the question is not known any more.
        assert!(verify(&before, &imprint, None, trust).is_ok());
        let long_ago = answer(&asked, datetime!(2025-11-24 02:00 UTC), None).unwrap();
        let expired = Err(Refused::Signature(Signature::SignerExpired));
        assert_eq!(verify(&long_ago, &imprint, Some(&nonce), trust), expired);
        let none = sequence(&[&sequence(&[&integer(&[2])])]);
        assert_eq!(verify(&none, &imprint, Some(&nonce), trust), Err(Refused::NotGranted));
        assert_eq!(answer(b"no", at, None), None);
    }
}

//! Time-stamping authorities made for a test: certificates over certificates, revocation lists, and stamps.

use chung::base::clock::Instant;
use chung::codec::asn1::{
    bits, context, ecdsa_signature, ecdsa_with_sha256, integer, octets, oid, p256_key, sequence, set_of,
    sha256_algorithm, time, tlv, utf8,
};
use chung::codec::time_stamp::read_query;
use chung::crypto::digest::sha256;
use chung::crypto::signing::{Signer, SigningKey};
use std::sync::Arc;
use time::macros::datetime;

/// The use of a key for time stamps.
pub const TIME_STAMPING: [u32; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 8];
/// Certifies and signs lists.
pub const CERTIFIES: &[u8] = &[1, 0x06];
/// Signs documents.
pub const SIGNS: &[u8] = &[7, 0x80];

/// A certificate with its key.
pub struct Made {
    pub name: Vec<u8>,
    pub der: Vec<u8>,
    pub key: Arc<SigningKey>,
}

/// What a certificate says.
#[derive(Clone)]
pub struct Says {
    pub ca: bool,
    pub most_below: Option<u8>,
    pub usage: &'static [u8],
    pub uses: Option<&'static [u32]>,
    pub until: Instant,
    pub strange: bool,
}

/// An authority's certificate.
pub const AUTHORITY: Says = Says {
    ca: true,
    most_below: None,
    usage: CERTIFIES,
    uses: None,
    until: datetime!(2045-01-01 00:00 UTC),
    strange: false,
};
/// That of somebody who stamps.
pub const STAMPS: Says = Says { ca: false, usage: SIGNS, uses: Some(&TIME_STAMPING), ..AUTHORITY };

/// A name of one part.
pub fn name(text: &str) -> Vec<u8> {
    sequence(&[&set_of(vec![sequence(&[&oid(&[2, 5, 4, 3]), &utf8(text)])])])
}

/// An extension that must be understood.
pub fn critical(arcs: &[u32], value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(arcs), &tlv(1, &[0xff]), &octets(value)])
}

/// A certificate, by itself or by somebody.
pub fn make(subject: &str, serial: u8, by: Option<&Made>, says: &Says) -> Made {
    let key = Arc::new(SigningKey::generate());
    let below = says.most_below.map(|most| integer(&[most])).unwrap_or_default();
    let constraints = if says.ca { sequence(&[&tlv(1, &[0xff]), &below]) } else { sequence(&[]) };
    let mut extensions =
        vec![critical(&[2, 5, 29, 19], &constraints), critical(&[2, 5, 29, 15], &tlv(3, says.usage))];
    extensions.extend(says.uses.map(|uses| critical(&[2, 5, 29, 37], &sequence(&[&oid(uses)]))));
    if says.strange {
        // Name constraints: nobody here understands them.
        extensions.push(critical(&[2, 5, 29, 30], &sequence(&[])));
    }
    let own = name(subject);
    let (issuer, signer) = by.map_or((&own, &key), |by| (&by.name, &by.key));
    let message = sequence(&[
        &context(0, &[&integer(&[2])]),
        &integer(&[serial]),
        &ecdsa_with_sha256(),
        issuer,
        &sequence(&[&time(datetime!(2020-01-01 00:00 UTC)), &time(says.until)]),
        &own,
        &p256_key(key.verifying_key().point()),
        &context(3, &[&sequence(&extensions.iter().map(Vec::as_slice).collect::<Vec<_>>())]),
    ]);
    let signature = ecdsa_signature(&signer.sign(&message));
    let der = sequence(&[&message, &ecdsa_with_sha256(), &bits(&signature)]);
    Made { name: own, der, key }
}

/// What a list says of a serial number: since when, and why if it says so.
pub type Entry = (u8, Instant, Option<u8>);

/// A revocation list made then, current until then.
pub fn list(by: &Made, (made, ends): (Instant, Instant), revoked: &[Entry]) -> Vec<u8> {
    list_with(by, &by.key, (made, ends), revoked, &[])
}

/// The same with any key and extensions.
pub fn list_with(
    by: &Made,
    key: &SigningKey,
    (made, ends): (Instant, Instant),
    revoked: &[Entry],
    extensions: &[u8],
) -> Vec<u8> {
    let entries: Vec<Vec<u8>> = revoked
        .iter()
        .map(|(serial, at, why)| {
            let why =
                why.map(|why| sequence(&[&sequence(&[&oid(&[2, 5, 29, 21]), &octets(&tlv(0x0a, &[why]))])]));
            sequence(&[&integer(&[*serial]), &time(*at), &why.unwrap_or_default()])
        })
        .collect();
    let entries = if entries.is_empty() { Vec::new() } else { tlv(0x30, &entries.concat()) };
    let message = sequence(&[
        &integer(&[1]),
        &ecdsa_with_sha256(),
        &by.name,
        &time(made),
        &time(ends),
        &entries,
        extensions,
    ]);
    let signature = ecdsa_signature(&key.sign(&message));
    sequence(&[&message, &ecdsa_with_sha256(), &bits(&signature)])
}

/// An authority's answer at that time, with these certificates beside it in this order.
pub fn answer(question: &[u8], at: Instant, signer: &Made, beside: &[&Made]) -> Vec<u8> {
    let asked = read_query(question).unwrap();
    let moment = at.format(&time::macros::format_description!("[year][month][day][hour][minute][second]Z"));
    let info = sequence(&[
        &integer(&[1]),
        &oid(&[2, 999, 1]),
        &asked.imprint,
        &integer(&[7]),
        &tlv(0x18, moment.unwrap().as_bytes()),
        &asked.nonce.unwrap_or_default(),
    ]);
    let content_type = [1, 2, 840, 113_549, 1, 9, 16, 1, 4];
    let attribute = |arcs: &[u32], value: Vec<u8>| sequence(&[&oid(arcs), &set_of(vec![value])]);
    let named = sequence(&[&sequence(&[&sequence(&[&octets(&sha256(&signer.der))])])]);
    let attributes = set_of(vec![
        attribute(&[1, 2, 840, 113_549, 1, 9, 3], oid(&content_type)),
        attribute(&[1, 2, 840, 113_549, 1, 9, 4], octets(&sha256(&info))),
        attribute(&[1, 2, 840, 113_549, 1, 9, 16, 2, 47], named),
    ]);
    let signature = signer.key.sign(&attributes);
    let mut implicit = attributes;
    implicit[0] = 0xa0; // [0] IMPLICIT in place of SET OF
    let known = chung::codec::signer_certificate::read(&signer.der).unwrap();
    let signed = sequence(&[
        &integer(&[1]),
        &sequence(&[&known.issuer, &known.serial]),
        &sha256_algorithm(),
        &implicit,
        &ecdsa_with_sha256(),
        &octets(&ecdsa_signature(&signature)),
    ]);
    let certificates: Vec<&[u8]> = beside.iter().map(|made| made.der.as_slice()).collect();
    let data = sequence(&[
        &integer(&[3]),
        &set_of(vec![sha256_algorithm()]),
        &sequence(&[&oid(&content_type), &context(0, &[&octets(&info)])]),
        &context(0, &certificates),
        &set_of(vec![signed]),
    ]);
    let token = sequence(&[&oid(&[1, 2, 840, 113_549, 1, 7, 2]), &context(0, &[&data])]);
    sequence(&[&sequence(&[&integer(&[0])]), &token])
}

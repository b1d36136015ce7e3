//! A detached signature as CMS (RFC 5652) with the attributes that CAdES asks for (ETSI EN 319 122-1, level B-B): type
//! of the content, its digest, and which certificate signed. No signing time: in a PDF that stands in the file.

use super::{
    asn1::{
        context, ecdsa_signature, ecdsa_with_sha256, integer, octets, oid, sequence, set_of, sha256_algorithm,
    },
    signer_certificate,
};
use crate::crypto::digest::{Digest, sha256};

const DATA: [u32; 7] = [1, 2, 840, 113_549, 1, 7, 1];
const SIGNED_DATA: [u32; 7] = [1, 2, 840, 113_549, 1, 7, 2];
const CONTENT_TYPE: [u32; 7] = [1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: [u32; 7] = [1, 2, 840, 113_549, 1, 9, 4];
const SIGNING_CERTIFICATE_V2: [u32; 9] = [1, 2, 840, 113_549, 1, 9, 16, 2, 47];

/// Signed data that lacks its signature.
pub struct Unsigned<'a> {
    certificate: &'a [u8],
    chain: &'a [Vec<u8>],
    issuer: Vec<u8>,
    serial: Vec<u8>,
    attributes: Vec<Vec<u8>>,
}

impl<'a> Unsigned<'a> {
    /// Of a content with that digest, to be signed by the key of that certificate; `None` when it does not parse.
    pub fn new(content: &Digest, certificate: &'a [u8], chain: &'a [Vec<u8>]) -> Option<Self> {
        let known = signer_certificate::read(certificate)?;
        let attribute = |name: &[u32], value: Vec<u8>| sequence(&[&oid(name), &set_of(vec![value])]);
        let which = sequence(&[&sequence(&[&sequence(&[&octets(&sha256(certificate))])])]);
        let attributes = vec![
            attribute(&CONTENT_TYPE, oid(&DATA)),
            attribute(&MESSAGE_DIGEST, octets(content)),
            attribute(&SIGNING_CERTIFICATE_V2, which),
        ];
        Some(Self { certificate, chain, issuer: known.issuer, serial: known.serial, attributes })
    }

    /// What ECDSA with SHA-256 signs.
    pub fn message(&self) -> Vec<u8> {
        set_of(self.attributes.clone())
    }

    /// The signed data; the signature is `r || s`.
    pub fn finish(self, signature: &[u8; 64]) -> Vec<u8> {
        let mut attributes = self.message();
        attributes[0] = 0xa0; // [0] IMPLICIT in place of SET OF
        let signer = sequence(&[
            &integer(&[1]),
            &sequence(&[&self.issuer, &self.serial]),
            &sha256_algorithm(),
            &attributes,
            &ecdsa_with_sha256(),
            &octets(&ecdsa_signature(signature)),
        ]);
        let mut certificates = vec![self.certificate];
        certificates.extend(self.chain.iter().map(Vec::as_slice));
        let data = sequence(&[
            &integer(&[1]),
            &set_of(vec![sha256_algorithm()]),
            &sequence(&[&oid(&DATA)]),
            &context(0, &certificates),
            &set_of(vec![signer]),
        ]);
        sequence(&[&oid(&SIGNED_DATA), &context(0, &[&data])])
    }
}

#[cfg(test)]
mod tests {
    use super::super::signer_certificate::tests::own_certificate;
    use super::*;
    use crate::crypto::signing::{Signer, SigningKey};
    use cms::{content_info::ContentInfo, signed_data::SignedData};
    use der::{Decode, Encode};

    #[test]
    fn another_implementation_reads_it() {
        let key = SigningKey::generate();
        let certificate = own_certificate(&key);
        let unsigned = Unsigned::new(&[7; 32], &certificate, &[]).unwrap();
        let message = unsigned.message();
        let signature = key.sign(&message);
        let info = ContentInfo::from_der(&unsigned.finish(&signature)).unwrap();
        let data: SignedData = info.content.decode_as().unwrap();
        let signer = data.signer_infos.0.get(0).unwrap();
        assert_eq!(signer.signed_attrs.as_ref().unwrap().to_der().unwrap(), message);
        assert!(key.verifying_key().verify(&message, &signature));
        assert_eq!(data.certificates.unwrap().0.len(), 1);
    }
}

//! Chip cards of people who do not exist: the data groups and the signed list of hashes (ICAO Doc 9303-10), as a
//! reader would give them.
//!
//! The authority and its signer stand in `keys/cards`, for everybody to read; a service whose public origin is https
//! refuses that authority. Whoever brings a [`CardSigner`] of their own makes cards that differ in exactly that.

use crate::codec::certificate::HASHES;
use crate::codec::identity_card::{write_dg1, write_dg13};
use crate::codec::mrz::Mrz;
use crate::codec::sod::{
    CONTENT_TYPE, GroupHash, LDS_SECURITY_OBJECT, MESSAGE_DIGEST, SIGNED_DATA, SOD_TAG, SecurityObject,
};
use crate::crypto::certified::Hash;
use crate::crypto::signing::{Signer as _, SigningKey};
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{Any, AnyRef, ObjectIdentifier, OctetString, SetOfVec, UintRef};
use der::{Decode, Encode, Tag};
use std::collections::BTreeMap;
use x509_cert::Certificate;
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// The sandbox's authority, a trust anchor for demonstrations.
pub const AUTHORITY: &[u8] = include_bytes!("../../keys/cards/authority.pem");
const SIGNER: &[u8] = include_bytes!("../../keys/cards/signer.der");
const SIGNER_KEY: &[u8] = include_bytes!("../../keys/cards/signer.p8");

/// Who signs the list of hashes.
pub struct CardSigner<'a> {
    /// Its certificate, as DER.
    pub certificate: &'a [u8],
    /// How it signs.
    pub algorithm: ObjectIdentifier,
    /// With which hash.
    pub hash: Hash,
    /// The signature over these bytes, as CMS carries it.
    pub sign: &'a dyn Fn(&[u8]) -> Vec<u8>,
}

/// A card's holder, as it is printed.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Twelve digits.
    pub number: String,
    /// The full name.
    pub name: String,
    /// `dd/mm/yyyy`.
    pub born: String,
    /// `Nam` or `Nữ`.
    pub sex: String,
    /// `dd/mm/yyyy`.
    pub expires: String,
}

/// What a reader gives.
#[derive(Debug, Clone)]
pub struct Card {
    /// The file `EF.SOD`.
    pub sod: Vec<u8>,
    /// The data groups by number.
    pub groups: BTreeMap<u8, Vec<u8>>,
}

impl Card {
    /// The text that the sandbox's reader gives: JSON with every file in base64.
    pub fn text(&self) -> String {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let groups: serde_json::Map<String, serde_json::Value> = self
            .groups
            .iter()
            .map(|(number, file)| (number.to_string(), STANDARD.encode(file).into()))
            .collect();
        serde_json::json!({ "sod": STANDARD.encode(&self.sod), "groups": groups }).to_string()
    }
}

/// The data groups of a holder's card: 1, 13, and a portrait that is none.
pub fn groups(holder: &Holder) -> Result<BTreeMap<u8, Vec<u8>>, der::Error> {
    let short = |day: &str| match day.split('/').collect::<Vec<_>>().as_slice() {
        [day, month, year] => format!("{}{month}{day}", year.get(2..).unwrap_or_default()),
        _ => "<<<<<<".to_owned(),
    };
    let mrz = Mrz {
        document: holder.number.get(3..).unwrap_or_default().to_owned(),
        number: holder.number.clone(),
        birth: short(&holder.born),
        sex: if holder.sex == "Nam" { 'M' } else { 'F' },
        expiry: short(&holder.expires),
        name: crate::base::text::unaccented(&holder.name).to_uppercase(),
    };
    let printed = [
        (1, holder.number.as_str()),
        (2, &holder.name),
        (3, &holder.born),
        (4, &holder.sex),
        (5, "Việt Nam"),
        (12, &holder.expires),
    ];
    let portrait = AnyRef::new(Tag::OctetString, b"no portrait")?.to_der()?;
    Ok(BTreeMap::from([(1, write_dg1(&mrz)), (2, portrait), (13, write_dg13(&printed)?)]))
}

/// A card of the sandbox's own authority.
pub fn issue(holder: &Holder) -> Result<Card, der::Error> {
    let key = SigningKey::from_pkcs8(SIGNER_KEY).map_err(|_| der::ErrorKind::Failed)?;
    let signer = CardSigner {
        certificate: SIGNER,
        algorithm: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
        hash: Hash::Sha256,
        sign: &|message| ecdsa_der(&key.sign(message)).unwrap_or_default(),
    };
    let groups = groups(holder)?;
    Ok(Card { sod: sign(&groups, &signer)?, groups })
}

/// The signed list of these groups' hashes.
pub fn sign(groups: &BTreeMap<u8, Vec<u8>>, signer: &CardSigner<'_>) -> Result<Vec<u8>, der::Error> {
    let list = |(number, file): (&u8, &Vec<u8>)| {
        Ok(GroupHash { number: *number, hash: OctetString::new(signer.hash.of(file))? })
    };
    let object = SecurityObject {
        version: 0,
        hash: named(signer.hash),
        groups: groups.iter().map(list).collect::<Result<_, der::Error>>()?,
        versions: None,
    };
    let content = object.to_der()?;
    let attribute =
        |oid, value: Any| Ok::<_, der::Error>(Attribute { oid, values: SetOfVec::try_from(vec![value])? });
    let digest = OctetString::new(signer.hash.of(&content))?;
    let attributes = SetOfVec::try_from(vec![
        attribute(CONTENT_TYPE, Any::encode_from(&LDS_SECURITY_OBJECT)?)?,
        attribute(MESSAGE_DIGEST, Any::encode_from(&digest)?)?,
    ])?;
    let certificate = Certificate::from_der(signer.certificate)?;
    let info = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.tbs_certificate.issuer.clone(),
            serial_number: certificate.tbs_certificate.serial_number.clone(),
        }),
        digest_alg: named(signer.hash),
        signature: OctetString::new((signer.sign)(&attributes.to_der()?))?,
        signed_attrs: Some(attributes),
        signature_algorithm: AlgorithmIdentifierOwned { oid: signer.algorithm, parameters: None },
        unsigned_attrs: None,
    };
    let signed = SignedData {
        version: CmsVersion::V3,
        digest_algorithms: SetOfVec::try_from(vec![named(signer.hash)])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: LDS_SECURITY_OBJECT,
            econtent: Some(Any::encode_from(&OctetString::new(content)?)?),
        },
        certificates: Some(CertificateSet(SetOfVec::try_from(vec![CertificateChoices::Certificate(
            certificate,
        )])?)),
        crls: None,
        signer_infos: SignerInfos(SetOfVec::try_from(vec![info])?),
    };
    let file = ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&signed)? }.to_der()?;
    AnyRef::new(SOD_TAG, &file)?.to_der()
}

/// `r || s` as the SEQUENCE of two integers that certificates and CMS carry (RFC 3279 section 2.2.3).
pub fn ecdsa_der(raw: &[u8; 64]) -> Result<Vec<u8>, der::Error> {
    let (r, s) = raw.split_at(32);
    let inside = [UintRef::new(r)?.to_der()?, UintRef::new(s)?.to_der()?].concat();
    AnyRef::new(Tag::Sequence, &inside)?.to_der()
}

fn named(hash: Hash) -> AlgorithmIdentifierOwned {
    let oid = HASHES.iter().find(|(_, known)| *known == hash).map_or(HASHES[0].0, |(oid, _)| *oid);
    AlgorithmIdentifierOwned { oid, parameters: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sod::{Anchors, Refused, authenticate};
    use crate::codec::{identity_card, mrz::Mrz};
    use time::macros::datetime;

    fn holder() -> Holder {
        Holder {
            number: "079185000001".into(),
            name: "Nguyễn Thị Hòa".into(),
            born: "15/03/1985".into(),
            sex: "Nữ".into(),
            expires: "15/03/2045".into(),
        }
    }

    /// The certificates and keys that `tests/data/cards` keeps.
    macro_rules! kept {
        ($name:literal) => {
            include_bytes!(concat!("../../tests/data/cards/", $name)).as_slice()
        };
    }

    fn signed_by_p256(certificate: &[u8], key: &[u8]) -> Card {
        let key = SigningKey::from_pkcs8(key).unwrap();
        let signer = CardSigner {
            certificate,
            algorithm: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
            hash: Hash::Sha256,
            sign: &|message| ecdsa_der(&key.sign(message)).unwrap(),
        };
        let groups = groups(&holder()).unwrap();
        Card { sod: sign(&groups, &signer).unwrap(), groups }
    }

    fn judged(card: &Card) -> Result<Vec<u8>, Refused> {
        let anchors = Anchors::read([AUTHORITY]).unwrap();
        let now = datetime!(2026-11-25 02:00 UTC);
        authenticate(&card.sod, &card.groups, &anchors, now).map(|shown| shown.groups)
    }

    #[test]
    fn a_card_of_the_authority_is_authentic_and_says_who_its_holder_is() {
        let card = issue(&holder()).unwrap();
        assert_eq!(judged(&card), Ok(vec![1, 2, 13]));
        let mrz: Mrz = identity_card::read_dg1(&card.groups[&1]).unwrap();
        assert_eq!((mrz.number.as_str(), mrz.name.as_str()), ("079185000001", "NGUYEN THI HOA"));
        assert_eq!(identity_card::read_dg13(&card.groups[&13]).unwrap().name, "Nguyễn Thị Hòa");
    }

    #[test]
    fn rsa_and_the_larger_curve_are_judged_too() {
        use ring::{rand::SystemRandom, signature as schemes};
        let random = SystemRandom::new();
        let p384 = schemes::EcdsaKeyPair::from_pkcs8(
            &schemes::ECDSA_P384_SHA384_ASN1_SIGNING,
            kept!("p384.p8"),
            &random,
        )
        .unwrap();
        let rsa = schemes::RsaKeyPair::from_pkcs8(kept!("rsa.p8")).unwrap();
        let with_rsa = |message: &[u8]| {
            let mut out = vec![0; rsa.public().modulus_len()];
            rsa.sign(&schemes::RSA_PKCS1_SHA256, &random, message, &mut out).unwrap();
            out
        };
        let curve = CardSigner {
            certificate: kept!("p384.der"),
            algorithm: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
            hash: Hash::Sha384,
            sign: &|message| p384.sign(&random, message).unwrap().as_ref().to_vec(),
        };
        let bare_rsa = CardSigner {
            certificate: kept!("rsa.der"),
            algorithm: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
            hash: Hash::Sha256,
            sign: &with_rsa,
        };
        let groups = groups(&holder()).unwrap();
        for signer in [curve, bare_rsa] {
            let card = Card { sod: sign(&groups, &signer).unwrap(), groups: groups.clone() };
            assert_eq!(judged(&card), Ok(vec![1, 2, 13]));
        }
    }

    #[test]
    fn every_false_signer_is_refused_by_name() {
        let stranger = signed_by_p256(kept!("stranger.der"), kept!("stranger.p8"));
        assert_eq!(judged(&stranger), Err(Refused::UntrustedSigner));
        let expired = signed_by_p256(kept!("expired.der"), kept!("expired.p8"));
        assert_eq!(judged(&expired), Err(Refused::SignerExpired));
        let unfit = signed_by_p256(kept!("unfit.der"), kept!("unfit.p8"));
        assert_eq!(judged(&unfit), Err(Refused::UnfitSigner));
        // The true signer's certificate beside another's signature.
        assert_eq!(judged(&signed_by_p256(SIGNER, kept!("stranger.p8"))), Err(Refused::BadSignature));
        let brainpool = CardSigner {
            certificate: kept!("brainpool.der"),
            algorithm: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
            hash: Hash::Sha256,
            sign: &|_| vec![0x30, 6, 2, 1, 1, 2, 1, 1],
        };
        let groups = groups(&holder()).unwrap();
        let brainpool = Card { sod: sign(&groups, &brainpool).unwrap(), groups };
        assert_eq!(judged(&brainpool), Err(Refused::Unsupported));
        let nobody = Anchors::default();
        let card = issue(&holder()).unwrap();
        let now = datetime!(2026-11-25 02:00 UTC);
        assert_eq!(authenticate(&card.sod, &card.groups, &nobody, now), Err(Refused::UntrustedSigner));
        for year in [2019, 2046] {
            let anchors = Anchors::read([AUTHORITY]).unwrap();
            let then = now.replace_year(year).unwrap();
            let judged = authenticate(&card.sod, &card.groups, &anchors, then);
            assert_eq!(judged, Err(Refused::SignerExpired), "in {year}");
        }
    }

    #[test]
    fn what_was_altered_left_out_or_added_is_refused_by_name() {
        let card = issue(&holder()).unwrap();
        let with = |change: &dyn Fn(&mut Card)| {
            let mut changed = card.clone();
            change(&mut changed);
            judged(&changed)
        };
        assert_eq!(with(&|c| c.groups.clear()), Err(Refused::NoGroups));
        assert_eq!(
            with(&|c| {
                c.groups.remove(&2);
            }),
            Ok(vec![1, 13])
        );
        assert_eq!(
            with(&|c| *c.groups.get_mut(&13).unwrap().last_mut().unwrap() ^= 1),
            Err(Refused::Altered(13))
        );
        assert_eq!(
            with(&|c| {
                c.groups.insert(14, vec![1]);
            }),
            Err(Refused::NotListed(14))
        );
        assert_eq!(with(&|c| c.sod = c.sod[4..].to_vec()), Err(Refused::Unreadable));
        assert_eq!(with(&|c| c.sod.clear()), Err(Refused::Unreadable));
        // No flipped bit is a crash or shows another card; few stand where nothing depends on them.
        let passed: Vec<_> = (0..card.sod.len()).filter_map(|at| with(&|c| c.sod[at] ^= 1).ok()).collect();
        assert!(passed.len() < 40, "{} flipped bits pass", passed.len());
        assert!(passed.iter().all(|groups| *groups == [1, 2, 13]));
        let other = groups(&Holder { name: "Trần Thị Khác".into(), ..holder() }).unwrap();
        assert_eq!(with(&|c| c.groups = other.clone()), Err(Refused::Altered(1)));
    }

    #[test]
    fn an_authority_must_be_one() {
        use crate::codec::sod::NotAnAnchor;
        assert_eq!(Anchors::read([AUTHORITY]).unwrap().fingerprints().count(), 1);
        assert_eq!(Anchors::read([SIGNER]).unwrap_err(), NotAnAnchor::NoAuthority);
        assert_eq!(Anchors::read([b"-----".as_slice()]).unwrap_err(), NotAnAnchor::Unreadable);
    }
}

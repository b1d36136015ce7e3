//! ring behind jsonwebtoken: ES256 to sign; ES256, EdDSA and PS256 to verify; everything else refused.
//!
//! jsonwebtoken hands the key over as bytes at every call; parsed private keys are held here, so that a signature
//! costs a signature.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    jwk::{EllipticCurve, ThumbprintHash},
};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{self as schemes, EcdsaKeyPair, KeyPair},
};
use signature::{Signer, Verifier};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, RwLock},
};

/// Makes ring the provider of jsonwebtoken; the first thing that a process does. Later calls change nothing.
pub fn install() {
    let _already_installed = PROVIDER.install_default();
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
        rsa_pub_components_from_public_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
        ec_pub_components_from_private_key: ec_public,
        ed_pub_components_from_private_key: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        compute_digest: |bytes, hash| match hash {
            ThumbprintHash::SHA256 => Ok(digest::digest(&digest::SHA256, bytes).as_ref().to_vec()),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        },
    },
};

/// The most parsed keys held; a service signs with a handful.
const HELD_MAX: usize = 64;

static HELD: LazyLock<RwLock<HashMap<[u8; 32], Arc<EcdsaKeyPair>>>> = LazyLock::new(RwLock::default);

struct Es256(Arc<EcdsaKeyPair>);

impl Signer<Vec<u8>> for Es256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let made = self.0.sign(&SystemRandom::new(), message).map_err(|_| signature::Error::new())?;
        Ok(made.as_ref().to_vec())
    }
}

impl JwtSigner for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    if *algorithm != Algorithm::ES256 || key.family() != AlgorithmFamily::Ec {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let name = super::digest::sha256(key.as_bytes());
    let held = HELD.read().ok().and_then(|held| held.get(&name).cloned());
    if let Some(pair) = held {
        return Ok(Box::new(Es256(pair)));
    }
    let pair = Arc::new(parse(key.as_bytes())?);
    if let Ok(mut held) = HELD.write()
        && held.len() < HELD_MAX
    {
        held.insert(name, Arc::clone(&pair));
    }
    Ok(Box::new(Es256(pair)))
}

fn parse(pkcs8: &[u8]) -> Result<EcdsaKeyPair, Error> {
    EcdsaKeyPair::from_pkcs8(&schemes::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new())
        .map_err(|_| ErrorKind::InvalidEcdsaKey.into())
}

fn ec_public(pkcs8: &[u8], algorithm: Algorithm) -> Result<(EllipticCurve, Vec<u8>, Vec<u8>), Error> {
    if algorithm != Algorithm::ES256 {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let pair = parse(pkcs8)?;
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    Ok((EllipticCurve::P256, x.to_vec(), y.to_vec()))
}

struct Check {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], made: &Vec<u8>) -> Result<(), signature::Error> {
        let refused = |_| signature::Error::new();
        let scheme: &dyn schemes::VerificationAlgorithm = match self.algorithm {
            Algorithm::ES256 => &schemes::ECDSA_P256_SHA256_FIXED,
            Algorithm::EdDSA => &schemes::ED25519,
            _ => {
                let DecodingKeyKind::RsaModulusExponent { n, e } = self.key.kind() else {
                    return Err(signature::Error::new());
                };
                let public = schemes::RsaPublicKeyComponents { n, e };
                return public.verify(&schemes::RSA_PSS_2048_8192_SHA256, message, made).map_err(refused);
            }
        };
        let public = self.key.try_get_as_bytes().map_err(|_| signature::Error::new())?;
        schemes::UnparsedPublicKey::new(scheme, public).verify(message, made).map_err(refused)
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let family = match algorithm {
        Algorithm::ES256 => AlgorithmFamily::Ec,
        Algorithm::EdDSA => AlgorithmFamily::Ed,
        Algorithm::PS256 => AlgorithmFamily::Rsa,
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    if key.family() != family {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(Check { algorithm: *algorithm, key: key.clone() }))
}

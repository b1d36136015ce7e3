//! ring behind jsonwebtoken, to verify: ES256, EdDSA and PS256; everything else is refused. What we sign ourselves goes
//! through a `Signer`, wherever its key lives.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    jwk::ThumbprintHash,
};
use ring::{digest, signature as schemes};
use signature::Verifier;

/// Makes ring the provider of jsonwebtoken; the first thing that a process does. Later calls change nothing.
pub fn install() {
    let _already_installed = PROVIDER.install_default();
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
        rsa_pub_components_from_public_key: |_| Err(ErrorKind::InvalidAlgorithm.into()),
        ec_pub_components_from_private_key: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        ed_pub_components_from_private_key: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
        compute_digest: |bytes, hash| match hash {
            ThumbprintHash::SHA256 => Ok(digest::digest(&digest::SHA256, bytes).as_ref().to_vec()),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        },
    },
};

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

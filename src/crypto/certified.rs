//! Signatures under the keys of X.509 certificates (RFC 5280), as other institutions make them.
//!
//! Verifying only: ECDSA on P-256 and P-384, RSA with PKCS#1 v1.5 and PSS, over SHA-256, SHA-384 and SHA-512. Whatever
//! else a certificate may name is [`Refused::Unsupported`], which is not the same as a forgery and is told apart from
//! it. Deliberately absent: SHA-1, RSA below 2048 bits, Brainpool curves.

use ring::{digest, signature as schemes};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// The digest of some bytes.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// How a signature was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA; the signature is the DER of `r` and `s`.
    Ecdsa(Hash),
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(Hash),
    /// RSASSA-PSS with a salt as long as the hash.
    RsaPss(Hash),
}

/// A public key as a certificate carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// An uncompressed point of P-256.
    P256(&'a [u8]),
    /// An uncompressed point of P-384.
    P384(&'a [u8]),
    /// The DER of an `RSAPublicKey` (RFC 8017).
    Rsa(&'a [u8]),
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An algorithm or a combination that is not judged here.
    #[error("this algorithm is not supported")]
    Unsupported,
    /// The key did not make it over these bytes.
    #[error("bad signature")]
    BadSignature,
}

impl PublicKey<'_> {
    /// Whether this key made that signature over the message.
    pub fn verify(self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<(), Refused> {
        let (algorithm, key): (&dyn schemes::VerificationAlgorithm, &[u8]) = match (self, scheme) {
            (Self::P256(key), Scheme::Ecdsa(Hash::Sha256)) => (&schemes::ECDSA_P256_SHA256_ASN1, key),
            (Self::P256(key), Scheme::Ecdsa(Hash::Sha384)) => (&schemes::ECDSA_P256_SHA384_ASN1, key),
            (Self::P384(key), Scheme::Ecdsa(Hash::Sha256)) => (&schemes::ECDSA_P384_SHA256_ASN1, key),
            (Self::P384(key), Scheme::Ecdsa(Hash::Sha384)) => (&schemes::ECDSA_P384_SHA384_ASN1, key),
            (Self::Rsa(key), Scheme::RsaPkcs1(Hash::Sha256)) => (&schemes::RSA_PKCS1_2048_8192_SHA256, key),
            (Self::Rsa(key), Scheme::RsaPkcs1(Hash::Sha384)) => (&schemes::RSA_PKCS1_2048_8192_SHA384, key),
            (Self::Rsa(key), Scheme::RsaPkcs1(Hash::Sha512)) => (&schemes::RSA_PKCS1_2048_8192_SHA512, key),
            (Self::Rsa(key), Scheme::RsaPss(Hash::Sha256)) => (&schemes::RSA_PSS_2048_8192_SHA256, key),
            (Self::Rsa(key), Scheme::RsaPss(Hash::Sha384)) => (&schemes::RSA_PSS_2048_8192_SHA384, key),
            (Self::Rsa(key), Scheme::RsaPss(Hash::Sha512)) => (&schemes::RSA_PSS_2048_8192_SHA512, key),
            (Self::P256(_) | Self::P384(_), Scheme::Ecdsa(Hash::Sha512)) => return Err(Refused::Unsupported),
            (Self::P256(_) | Self::P384(_), Scheme::RsaPkcs1(_) | Scheme::RsaPss(_))
            | (Self::Rsa(_), Scheme::Ecdsa(_)) => return Err(Refused::BadSignature),
        };
        let key = schemes::UnparsedPublicKey::new(algorithm, key);
        key.verify(message, signature).map_err(|_| Refused::BadSignature)
    }
}

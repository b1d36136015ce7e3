//! The only user of jsonwebtoken and of ring's keys.
//!
//! Owns the key ring, the seals of personal fields, digests, passkeys, the codes of authenticator apps, and JOSE with
//! pinned algorithms. It never reads the clock: whether a token has expired is decided by whoever holds the time.
//! Deliberately absent: HS* signatures, and any choice of algorithm by the message itself.

pub mod certified;
pub mod checked_tokens;
pub mod digest;
pub mod jwt;
pub mod keyring;
pub mod passkey;
mod provider;
pub mod public_jwk;
pub mod rsa;
pub mod seal;
pub mod signing;
pub mod totp;

pub use provider::install;

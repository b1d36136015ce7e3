//! The only user of jsonwebtoken and of ring's keys: the key ring, JOSE, digests, seals.

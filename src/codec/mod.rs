//! Wire formats and documents, one file each; pure: bytes in, types out, and back.

pub mod http_signature;
pub mod iso20022;

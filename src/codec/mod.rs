//! Wire formats and documents, one file each; pure: bytes in, types out, and back.

pub mod amount_in_words;
pub mod http_signature;
pub mod iso20022;
pub mod qr_svg;
pub mod receipt_content;
pub mod receipt_pdf;
pub mod receipt_xml;
pub mod verification_statement;
pub mod vietqr;

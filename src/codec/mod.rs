//! Wire formats and documents, one file each; pure: bytes in, types out, and back.
pub mod amount_in_words;
pub mod batch_result;
pub mod certificate;
pub mod gsm7;
pub mod http_signature;
pub mod identity_card;
pub mod iso20022;
pub mod mrz;
pub mod payment_platform;
pub mod population;
pub mod qr_svg;
pub mod receipt_content;
pub mod receipt_pdf;
pub mod receipt_xml;
pub mod sod;
pub mod verification_statement;
pub mod vietqr;

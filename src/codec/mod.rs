//! Wire formats and documents, one file each; pure: bytes in, types out, and back.
pub mod amount_in_words;
pub mod asn1;
pub mod batch_result;
pub mod certificate;
pub mod certificate_path;
pub mod closing_report;
pub mod cms_signature;
pub mod gsm7;
pub mod http_signature;
pub mod identity_card;
pub mod iso20022;
pub mod journal;
pub mod leaf_void;
pub mod mrz;
pub mod payment_platform;
pub mod pdf_signature;
pub mod population;
pub mod qr_svg;
pub mod receipt_content;
pub mod receipt_pdf;
pub mod receipt_void;
pub mod receipt_xml;
pub mod revocation;
pub mod signed_data;
pub mod signer_certificate;
pub mod sod;
pub mod statement_file;
pub mod time_stamp;
#[cfg(test)]
#[path = "../../tests/support/tools.rs"]
mod tools;
pub mod verification_statement;
pub mod vietqr;

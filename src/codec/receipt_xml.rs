//! The receipt as an XML document, in the vocabulary of Vietnamese electronic vouchers.
//!
//! The document is written from the signed content and from nothing else, and carries the signature. Reading it back
//! takes the signature, checks it, writes the document again and compares: every byte of a document that passes is
//! therefore covered, and no parser of ours meets foreign XML. Deliberately absent: the enveloped XML signature of the
//! tax authority's profile.

use super::{
    amount_in_words::dong_in_words,
    receipt_content::{self, Kind, ReceiptContent},
};
use crate::base::{calendar::VIETNAM, clock::Instant};
use crate::crypto::{digest::Digest, jwt::Refused, signing::KeyList};
use quick_xml::escape::escape;

const SIGNATURE: (&str, &str) = ("<NDKy>", "</NDKy>");

/// The name of the document: `Biên lai thu phí` or `Biên lai thu lệ phí`.
pub const fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Phi => "Biên lai thu phí",
        Kind::LePhi => "Biên lai thu lệ phí",
    }
}

/// Writes the document of a signed receipt.
pub fn write(content: &ReceiptContent, signed: &str) -> String {
    let mut xml = Writer(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    xml.0.push_str("<BLai xmlns=\"urn:chung:receipt:1\">\n<DLBLai>\n<TTChung>\n");
    xml.leaf("PBan", &content.v.to_string());
    xml.leaf("TBLai", title(content.kind));
    xml.leaf("KHMBLai", content.form());
    xml.leaf("KHBLai", &content.number.series());
    xml.leaf("SBLai", &content.number.serial());
    xml.leaf("SDayDu", &content.number.to_string());
    xml.leaf("TGLap", &local_time(content.issued_at(), &content.at));
    if let Some(paid) = &content.paid {
        xml.leaf("TGNop", &local_time(content.paid_at(), paid));
    }
    xml.leaf("MHSo", &content.dossier);
    xml.leaf("MTTHC", &content.procedure.0);
    xml.leaf("TTTHC", &content.procedure.1);
    xml.leaf("MTChieu", &content.reference);
    xml.leaf("DVTTe", "VND");
    if let Some((number, basis)) = &content.adjusts {
        xml.leaf("TChat", "Điều chỉnh giảm");
        xml.leaf("SBLaiGoc", number);
        xml.leaf("CCu", basis);
    }
    if let Some((number, reason)) = &content.replaces {
        xml.0.push_str("<TThe>\n");
        xml.leaf("SBLaiBTThe", &number.to_string());
        xml.leaf("LDo", reason);
        xml.0.push_str("</TThe>\n");
    }
    xml.0.push_str("</TTChung>\n<NDBLai>\n<CQThu>\n");
    xml.leaf("MCQuan", &content.agency.code);
    xml.leaf("Ten", &content.agency.name);
    xml.optional("MST", content.agency.tax.as_deref());
    xml.optional("DChi", content.agency.address.as_deref());
    xml.0.push_str("</CQThu>\n<NNop>\n");
    xml.leaf("Ten", &content.payer);
    xml.optional("MST", content.payer_tax.as_deref());
    xml.optional("DChi", content.payer_address.as_deref());
    xml.leaf("HTTToan", content.method());
    xml.leaf("NHang", &content.bank);
    if let Some((bank, number, holder)) = &content.collected {
        xml.leaf("TKThuHo", &format!("{number}, {holder}, {bank}"));
    }
    xml.0.push_str("</NNop>\n<DSKThu>\n");
    for (i, (code, name, count, amount)) in content.lines.iter().enumerate() {
        xml.0.push_str("<KThu>\n");
        xml.leaf("STT", &(i + 1).to_string());
        xml.leaf("Ma", code);
        xml.leaf("Ten", name);
        xml.leaf("SLuong", &count.to_string());
        xml.leaf("ThTien", &amount.to_string());
        xml.0.push_str("</KThu>\n");
    }
    xml.0.push_str("</DSKThu>\n<TToan>\n");
    xml.leaf("TgTTTBSo", &content.total.to_string());
    xml.leaf("TgTTTBChu", &dong_in_words(content.total.unsigned_abs()));
    xml.0.push_str("</TToan>\n</NDBLai>\n</DLBLai>\n<DSCKS>\n");
    xml.leaf("NPHanh", &content.iss);
    xml.leaf("NDKy", signed);
    xml.0.push_str("</DSCKS>\n</BLai>\n");
    xml.0
}

/// Why a document is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadDocument {
    /// It carries no signature.
    #[error("the document carries no signature of a receipt")]
    Unsigned,
    /// The signature does not hold.
    #[error("the signature is not believed: {0}")]
    Signature(#[from] Refused),
    /// The signature holds, but the document says something else.
    #[error("the signature holds, but the document was changed around it")]
    Altered,
}

/// The content of a document that one of `keys` signed and that says exactly that content.
pub fn read(document: &str, keys: &KeyList) -> Result<(ReceiptContent, Digest), BadDocument> {
    let signed = signature(document).ok_or(BadDocument::Unsigned)?;
    let (content, digest) = receipt_content::verify(signed, keys)?;
    if write(&content, signed) == document { Ok((content, digest)) } else { Err(BadDocument::Altered) }
}

/// The content of a receipt in any of its forms: the PDF with the document attached, the document, or the text of the
/// QR code (white space that a scanner or a mail put into it does not matter).
pub fn read_any(file: &[u8], keys: &KeyList) -> Result<(ReceiptContent, Digest), BadDocument> {
    if let Some(document) = find(file) {
        return read(document, keys);
    }
    let text = std::str::from_utf8(file).map_err(|_| BadDocument::Unsigned)?;
    if text.contains(SIGNATURE.0) {
        // A pasted document whose line ends a form has changed, or whose last line end was lost.
        return read(&(text.replace("\r\n", "\n").trim().to_owned() + "\n"), keys);
    }
    let signed: String = text.split_whitespace().collect();
    if signed.split('.').count() != 3 {
        return Err(BadDocument::Unsigned);
    }
    Ok(receipt_content::verify(&signed, keys)?)
}

/// The document inside other bytes, such as a PDF that has it attached.
pub fn find(bytes: &[u8]) -> Option<&str> {
    let position = |needle: &[u8]| bytes.windows(needle.len()).position(|window| window == needle);
    let from = position(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BLai ")?;
    let end = b"</BLai>\n";
    let to = position(end)? + end.len();
    std::str::from_utf8(bytes.get(from..to)?).ok()
}

fn signature(document: &str) -> Option<&str> {
    Some(document.split_once(SIGNATURE.0)?.1.split_once(SIGNATURE.1)?.0)
}

/// `2026-11-24T14:30:40+07:00`.
fn local_time(at: Option<Instant>, written: &str) -> String {
    let local = at.map(|at| at.to_offset(VIETNAM));
    local
        .and_then(|at| at.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| written.to_owned())
}

struct Writer(String);

impl Writer {
    fn leaf(&mut self, name: &str, text: &str) {
        self.0.push_str(&format!("<{name}>{}</{name}>\n", escape(text)));
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::receipt_content::tests::{content, keys, signed_with};
    use super::*;
    use crate::crypto::signing::SigningKey;

    #[test]
    fn a_document_is_believed_only_byte_for_byte() {
        let key = SigningKey::generate();
        let keys = keys(&key);
        let content = content();
        let signed = signed_with(&key, &content);
        let document = write(&content, &signed);
        assert!(document.contains("<TgTTTBChu>Hai trăm linh năm nghìn đồng</TgTTTBChu>"));
        assert!(document.contains("<TGLap>2026-11-24T14:30:40+07:00</TGLap>"));
        assert!(document.contains("&amp; &lt;Cộng sự&gt;"));
        assert_eq!(read(&document, &keys), Ok((content.clone(), receipt_content::digest(&content.bytes()))));
        for (from, to) in
            [("205000", "305000"), ("Niê", "Nie"), ("</BLai>\n", "</BLai>"), ("<STT>1<", "<STT>2<")]
        {
            let altered = document.replacen(from, to, 1);
            assert_eq!(read(&altered, &keys), Err(BadDocument::Altered), "{from}");
        }
        assert_eq!(read("<BLai/>", &keys), Err(BadDocument::Unsigned));
        let pasted = document.trim().replace('\n', "\r\n");
        let scanned = format!(" {}\n{} ", &signed[..40], &signed[40..]);
        for form in [document.as_str(), pasted.as_str(), scanned.as_str()] {
            assert!(read_any(form.as_bytes(), &keys).is_ok(), "{form}");
        }
        assert_eq!(read_any("chào".as_bytes(), &keys), Err(BadDocument::Unsigned));
        let stranger = write(&content, &signed_with(&SigningKey::generate(), &content));
        assert_eq!(read(&stranger, &keys), Err(BadDocument::Signature(Refused::UnknownKey)));
    }

    #[test]
    fn the_document_is_found_inside_other_bytes_and_is_well_formed() {
        let document = write(&content(), "a.b.c");
        let wrapped = [b"%PDF \xff\x00".as_slice(), document.as_bytes(), b"\nendstream"].concat();
        assert_eq!(find(&wrapped), Some(document.as_str()));
        assert_eq!(find(b"%PDF"), None);
        let mut reader = quick_xml::Reader::from_str(&document);
        reader.config_mut().check_end_names = true;
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }
}

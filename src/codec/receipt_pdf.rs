//! The receipt as PDF/A-3: Vietnamese text in an embedded font, the signed QR code, and the XML document attached.
//!
//! The attachment stays uncompressed, so that a verifier finds the signed document in the file without a PDF reader.
//! The page says nothing that the signed content does not say, but for the mark on a copy. PDF/A allows no text without a
//! glyph: a character that the fonts lack is drawn as a question mark, and stands as it is in the content and the attachment.

use super::{
    amount_in_words::dong_in_words,
    receipt_content::{self, ReceiptContent},
    receipt_xml,
};
use crate::base::{
    calendar::{VIETNAM, display_vi},
    clock::Instant,
    money::Money,
    text::Lang,
};
use crate::crypto::digest::Digest;
use crate::text::Texts;
use krilla::{
    Document, SerializeSettings,
    color::rgb,
    configure::{Archival, ConfigurationBuilder},
    embed::{AssociationKind, EmbeddedFile, MimeType},
    geom::{PathBuilder, Point, Rect, Size},
    metadata::{DateTime, Metadata},
    page::PageSettings,
    paint::Fill,
    surface::Surface,
    text::{Font, TextDirection},
};
use qrcode::{Color, EcLevel, QrCode};

const REGULAR: &[u8] = include_bytes!("fonts/receipt-regular.ttf");
const BOLD: &[u8] = include_bytes!("fonts/receipt-bold.ttf");

/// A4 in points, and its margin.
const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 56.0;
/// The side of the QR code: about 6 cm, so that a code of a thousand characters still reads from paper.
const QR_SIDE: f32 = 170.0;

/// What is drawn for a character that the fonts lack.
const UNKNOWN: char = '?';

/// A file that could not be made: a mistake of ours or of the library.
#[derive(Debug, thiserror::Error)]
#[error("the PDF could not be made: {0}")]
pub struct NotRendered(String);

/// What the QR code holds: the signed receipt, or its address when a long receipt does not fit.
pub fn qr_code(signed: &str, address: &str) -> Option<QrCode> {
    let fits = |text: &str, level| QrCode::with_error_correction_level(text, level).ok();
    fits(signed, EcLevel::M).or_else(|| fits(signed, EcLevel::L)).or_else(|| fits(address, EcLevel::M))
}

/// Renders a signed receipt, made at the time of its content.
pub fn write(content: &ReceiptContent, digest: &Digest, signed: &str) -> Result<Vec<u8>, NotRendered> {
    write_marked(content, digest, signed, None)
}

/// The same, with a mark above it that says which copy it is.
pub fn write_marked(
    content: &ReceiptContent,
    digest: &Digest,
    signed: &str,
    mark: Option<&str>,
) -> Result<Vec<u8>, NotRendered> {
    let failed = |what: &str| NotRendered(what.to_owned());
    let mut sheet = Sheet::new()?;
    if let Some(mark) = mark {
        sheet.paragraph(mark, 11.0, true);
        sheet.space(10.0);
    }
    sheet.face(content, digest);
    let address =
        format!("{}/receipts/{}?code={}", content.iss, content.number, receipt_content::check_code(digest));
    let qr = qr_code(signed, &address).ok_or_else(|| failed("QR code"))?;
    let mut document = sheet.print(Some((&qr, &address))).ok_or_else(|| failed("page"))?;
    document.set_metadata(metadata(content));
    document.embed_file(attachment(content, signed)).ok_or_else(|| failed("attachment"))?;
    document.finish().map_err(|e| NotRendered(format!("{e:?}")))
}

fn metadata(content: &ReceiptContent) -> Metadata {
    Metadata::new()
        .title(format!("{} {}", receipt_xml::title(content.kind), content.number))
        .authors(vec![content.agency.name.clone()])
        .language(Lang::Vi.tag().to_owned())
        .creator("Chung".to_owned())
        .creation_date(date_time(content.issued_at().unwrap_or(Instant::UNIX_EPOCH)))
        .document_id(content.number.to_string())
}

fn attachment(content: &ReceiptContent, signed: &str) -> EmbeddedFile {
    EmbeddedFile {
        path: format!("{}.xml", content.number),
        mime_type: MimeType::new("application/xml"),
        description: Some(receipt_xml::title(content.kind).to_owned()),
        association_kind: AssociationKind::Source,
        data: receipt_xml::write(content, signed).into_bytes().into(),
        modification_date: Some(date_time(content.issued_at().unwrap_or(Instant::UNIX_EPOCH))),
        compress: Some(false),
        location: None,
    }
}

pub(super) fn date_time(at: Instant) -> DateTime {
    let local = at.to_offset(VIETNAM);
    let (hour, minute, second) = local.time().as_hms();
    DateTime::new(u16::try_from(local.year()).unwrap_or(1970))
        .month(local.month() as u8)
        .day(local.day())
        .hour(hour)
        .minute(minute)
        .second(second)
        .utc_offset_hour(7)
        .utc_offset_minute(0)
}

/// A piece of text at its place on a page.
struct Drawn {
    page: usize,
    x: f32,
    y: f32,
    size: f32,
    bold: bool,
    text: String,
}

/// The pages while they are laid out, from top to bottom.
pub(super) struct Sheet {
    document: Document,
    regular: Font,
    bold: Font,
    drawn: Vec<Drawn>,
    y: f32,
}

#[expect(clippy::float_arithmetic, reason = "places on paper, not money")]
impl Sheet {
    /// An empty one, with its fonts.
    pub(super) fn new() -> Result<Self, NotRendered> {
        let configuration = ConfigurationBuilder::new().with_archival_validator(Archival::A3_U).finish();
        let settings = SerializeSettings {
            configuration: configuration.map_err(|e| NotRendered(format!("{e:?}")))?,
            ..SerializeSettings::default()
        };
        let font = |bytes: &'static [u8]| {
            Font::new(bytes.to_vec().into(), 0).ok_or_else(|| NotRendered("font".to_owned()))
        };
        Ok(Self {
            document: Document::new_with(settings),
            regular: font(REGULAR)?,
            bold: font(BOLD)?,
            drawn: Vec::new(),
            y: MARGIN,
        })
    }

    /// The file of what was laid out.
    pub(super) fn finish(self, metadata: Metadata) -> Result<Vec<u8>, NotRendered> {
        let mut document = self.print(None).ok_or_else(|| NotRendered("page".to_owned()))?;
        document.set_metadata(metadata);
        document.finish().map_err(|e| NotRendered(format!("{e:?}")))
    }

    /// Leaves some room.
    pub(super) fn space(&mut self, points: f32) {
        self.y += points;
    }

    fn face(&mut self, content: &ReceiptContent, digest: &Digest) {
        let t = |key: &str| Texts::embedded().get(Lang::Vi, key).into_owned();
        self.paragraph(&content.agency.name, 11.0, true);
        if let Some(address) = &content.agency.address {
            self.paragraph(address, 9.0, false);
        }
        if let Some(tax) = &content.agency.tax {
            self.paragraph(&format!("{}: {tax}", t("receipt-tax-code")), 9.0, false);
        }
        self.y += 18.0;
        self.paragraph(&receipt_xml::title(content.kind).to_uppercase(), 18.0, true);
        let series = content.number.series();
        let number = content.number.serial();
        self.paragraph(
            &format!(
                "{}: {} · {}: {series} · {}: {number}",
                t("receipt-form"),
                content.form(),
                t("receipt-series"),
                t("receipt-serial")
            ),
            10.0,
            false,
        );
        if let Some((number, basis)) = &content.adjusts {
            let adjusts = t("receipt-adjusts");
            self.paragraph(&format!("{adjusts} {number} ({basis})"), 11.0, true);
        }
        self.y += 10.0;
        let moment = |at: Option<Instant>| at.map(display_vi);
        let later = content.paid.as_ref().and(moment(content.issued_at()));
        let replaced = content.replaces.as_ref().map(|(number, reason)| format!("{number} ({reason})"));
        let method = if content.method() == "Chuyển khoản" {
            format!("{} ({})", t("receipt-by-transfer"), content.bank)
        } else {
            content.method().to_owned()
        };
        let rows = [
            ("receipt-number", Some(content.number.to_string())),
            ("receipt-replaces", replaced),
            ("receipt-issued-at", moment(content.paid_at())),
            ("receipt-made-at", later),
            ("receipt-payer", Some(content.payer.clone())),
            ("receipt-payer-tax", content.payer_tax.clone()),
            ("receipt-payer-address", content.payer_address.clone()),
            ("receipt-dossier", Some(content.dossier.clone())),
            ("receipt-procedure", Some(format!("{} ({})", content.procedure.1, content.procedure.0))),
            ("receipt-reference", Some(content.reference.clone())),
            ("receipt-method", Some(method)),
        ];
        for (key, value) in rows {
            if let Some(value) = value {
                self.row(&t(key), &value);
            }
        }
        if let Some((bank, number, holder)) = &content.collected {
            self.row(&t("receipt-collected-in"), &format!("{number}, {holder} ({bank})"));
        }
        self.y += 10.0;
        for (code, name, count, amount) in &content.lines {
            let counted = if *count > 1 { format!(" × {count}") } else { String::new() };
            self.sum(&format!("{name}{counted} ({code})"), Money::vnd(*amount), false);
        }
        self.sum(&t("receipt-total"), content.total(), true);
        let words = dong_in_words(content.total.unsigned_abs());
        self.paragraph(&format!("{}: {words}.", t("receipt-in-words")), 10.0, false);
        self.y += 8.0;
        self.paragraph(
            &format!("{}: {}", t("receipt-check-code"), receipt_content::check_code(digest)),
            10.0,
            true,
        );
        self.paragraph(&t("receipt-paper-note"), 9.0, false);
        self.paragraph(&format!("{}: {}.", t("receipt-signed-by"), content.agency.name), 9.0, true);
    }

    pub(super) fn paragraph(&mut self, text: &str, size: f32, bold: bool) {
        for line in wrapped(text, PAGE.0 - 2.0 * MARGIN, size) {
            self.line(MARGIN, size, bold, &line);
        }
    }

    /// A fact: its name at the left, its value beside it.
    pub(super) fn row(&mut self, name: &str, value: &str) {
        let indent = 120.0;
        for (i, line) in wrapped(value, PAGE.0 - 2.0 * MARGIN - indent, 10.0).into_iter().enumerate() {
            self.room(10.0);
            if i == 0 {
                self.put(MARGIN, self.y, 10.0, false, name);
            }
            self.line(MARGIN + indent, 10.0, true, &line);
        }
    }

    /// A name with its amount at the right edge.
    pub(super) fn sum(&mut self, name: &str, amount: Money, bold: bool) {
        let text = amount.display_vi();
        for (i, line) in wrapped(name, PAGE.0 - 2.0 * MARGIN - 110.0, 10.0).into_iter().enumerate() {
            self.room(10.0);
            if i == 0 {
                self.put(PAGE.0 - MARGIN - width_of_sum(&text, 10.0), self.y, 10.0, bold, &text);
            }
            self.line(MARGIN, 10.0, bold, &line);
        }
    }

    fn line(&mut self, x: f32, size: f32, bold: bool, text: &str) {
        self.room(size);
        self.put(x, self.y, size, bold, text);
        self.y += size * 1.5;
    }

    fn put(&mut self, x: f32, y: f32, size: f32, bold: bool, text: &str) {
        let page = self.page();
        let text = text.chars().map(|c| if has_glyph(c) { c } else { UNKNOWN }).collect();
        self.drawn.push(Drawn { page, x, y: y % PAGE.1, size, bold, text });
    }

    /// Goes to the next page when the line does not fit on this one; `y` counts through all pages.
    fn room(&mut self, size: f32) {
        let in_page = self.y % PAGE.1;
        if in_page + size > PAGE.1 - MARGIN {
            self.y += PAGE.1 - in_page + MARGIN;
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few pages of positive height"
    )]
    fn page(&self) -> usize {
        (self.y / PAGE.1) as usize
    }

    /// Draws what was laid out, and the code below it.
    fn print(mut self, code: Option<(&QrCode, &str)>) -> Option<Document> {
        let mut coded = None;
        if let Some((qr, address)) = code {
            self.y += 12.0;
            self.room(QR_SIDE + 14.0);
            coded = Some((self.page(), self.y % PAGE.1, qr));
            self.y += QR_SIDE + 14.0;
            let site = address.split('?').next().unwrap_or_default();
            self.line(MARGIN, 8.0, false, site);
        }
        let last = self.drawn.iter().map(|d| d.page).max().unwrap_or(0);
        for number in 0..=last {
            let mut page = self.document.start_page_with(PageSettings::new(Size::from_wh(PAGE.0, PAGE.1)?));
            let mut surface = page.surface();
            surface.set_fill(Some(Fill { paint: rgb::Color::new(22, 32, 42).into(), ..Fill::default() }));
            for piece in self.drawn.iter().filter(|d| d.page == number) {
                let font = if piece.bold { &self.bold } else { &self.regular };
                let baseline = Point::from_xy(piece.x, piece.y + piece.size);
                surface.draw_text(
                    baseline,
                    font.clone(),
                    piece.size,
                    &piece.text,
                    false,
                    TextDirection::LeftToRight,
                );
            }
            if let Some((page, y, qr)) = coded
                && number == page
            {
                draw_qr(&mut surface, qr, MARGIN, y)?;
            }
            surface.finish();
            page.finish();
        }
        Some(self.document)
    }
}

#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "at most 177 modules on paper")]
fn draw_qr(surface: &mut Surface<'_>, qr: &QrCode, x: f32, y: f32) -> Option<()> {
    let side = qr.width();
    let module = QR_SIDE / side as f32;
    let mut path = PathBuilder::new();
    for (row, colors) in qr.to_colors().chunks(side).enumerate() {
        let mut column = 0;
        while column < side {
            // A run of dark modules is one rectangle: no hairlines between neighbours when printed.
            let run = colors[column..].iter().take_while(|color| **color == Color::Dark).count();
            if run > 0 {
                let (left, top) = (x + column as f32 * module, y + row as f32 * module);
                path.push_rect(Rect::from_xywh(left, top, run as f32 * module, module)?);
            }
            column += run.max(1);
        }
    }
    surface.set_fill(Some(Fill { paint: rgb::Color::new(0, 0, 0).into(), ..Fill::default() }));
    surface.draw_path(&path.finish()?);
    Some(())
}

/// Whether both fonts have a glyph for it: Latin with all its marks, and the signs of ordinary text.
const fn has_glyph(c: char) -> bool {
    matches!(
        c,
        ' '..='~'
            | '\u{a0}'..='\u{24f}'
            | '\u{253}'
            | '\u{257}'
            | '\u{259}'
            | '\u{2b0}'..='\u{333}'
            | '\u{1e00}'..='\u{1eff}'
            | '\u{2010}'..='\u{2026}'
            | '\u{2030}'
            | '\u{2032}'
            | '\u{2033}'
            | '₫'
            | '№'
            | '™'
            | '−'
            | '◌'
    )
}

/// Breaks a text at spaces so that its lines fit; the widths are upper bounds for the font at hand.
#[expect(clippy::float_arithmetic, reason = "places on paper, not money")]
fn wrapped(text: &str, width: f32, size: f32) -> Vec<String> {
    let advance = |c: char| {
        let em = if c.is_uppercase() || matches!(c, 'm' | 'w' | '—' | '%') {
            0.78
        } else if c == ' ' {
            0.26
        } else {
            0.6
        };
        if unicode_normalization::char::is_combining_mark(c) { 0.0 } else { em * size }
    };
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0.0_f32);
    for word in text.split(' ') {
        let wide: f32 = word.chars().map(advance).sum();
        if !line.is_empty() && used + wide > width {
            lines.push(std::mem::take(&mut line));
            used = 0.0;
        }
        if !line.is_empty() {
            line.push(' ');
            used += advance(' ');
        }
        line.push_str(word);
        used += wide;
    }
    lines.push(line);
    lines
}

/// The exact width of an amount in the font's figures, to set it flush right.
#[expect(clippy::float_arithmetic, reason = "places on paper, not money")]
fn width_of_sum(text: &str, size: f32) -> f32 {
    let em = |c: char| match c {
        '.' => 0.28,
        'đ' => 0.62,
        c if c.is_ascii_digit() => 0.572,
        _ => 0.26,
    };
    text.chars().map(em).sum::<f32>() * size
}

#[cfg(test)]
mod tests {
    use super::super::receipt_content::tests::{content, keys, signed_with};
    use super::*;
    use crate::crypto::signing::SigningKey;

    #[test]
    fn the_file_is_pdf_a_and_carries_the_signed_document() {
        let key = SigningKey::generate();
        let keys = keys(&key);
        let content = content();
        let digest = receipt_content::digest(&content.bytes());
        let signed = signed_with(&key, &content);
        let file = write(&content, &digest, &signed).unwrap();
        assert!(file.starts_with(b"%PDF-1.7"));
        let document = receipt_xml::find(&file).unwrap();
        assert_eq!(receipt_xml::read(document, &keys), Ok((content, digest)));
        let xmp = String::from_utf8_lossy(&file);
        assert!(
            xmp.contains("<pdfaid:part>3</pdfaid:part>")
                && xmp.contains("<pdfaid:conformance>U</pdfaid:conformance>")
        );
    }

    #[test]
    fn a_long_receipt_takes_several_pages_and_its_code_becomes_an_address() {
        let key = SigningKey::generate();
        let line = (
            "LLTP-01".to_owned(),
            "Phí cung cấp thông tin lý lịch tư pháp rất dài ".repeat(3).trim().to_owned(),
            3,
            1_000,
        );
        let content = ReceiptContent { lines: vec![line; 50], total: 50_000, ..content() };
        let digest = receipt_content::digest(&content.bytes());
        let signed = signed_with(&key, &content);
        assert!(signed.len() > 2_953);
        let file = write(&content, &digest, &signed).unwrap();
        assert!(receipt_xml::find(&file).is_some());
        assert!(wrapped("một hai ba", 20.0, 10.0).len() > 1);
    }

    #[test]
    fn what_the_fonts_lack_is_drawn_as_unknown_and_stays_in_the_document() {
        let key = SigningKey::generate();
        let keys = keys(&key);
        let content =
            ReceiptContent { payer: "李明 € 😀 Мария ខ្មែរ".to_owned(), ..content() };
        let digest = receipt_content::digest(&content.bytes());
        let signed = signed_with(&key, &content);
        let file = write(&content, &digest, &signed).unwrap();
        let document = receipt_xml::find(&file).unwrap();
        assert_eq!(receipt_xml::read(document, &keys), Ok((content, digest)));
    }

    #[test]
    fn both_fonts_have_what_is_drawn() {
        let all: Vec<String> = ('\0'..='\u{ffff}').filter(|c| has_glyph(*c)).map(String::from).collect();
        assert!(all.len() == 949 && has_glyph(UNKNOWN));
        let mut sheet = Sheet::new().unwrap();
        for bold in [false, true] {
            sheet.paragraph(&all.join(" "), 10.0, bold);
        }
        sheet.finish(metadata(&content())).unwrap();
    }
}

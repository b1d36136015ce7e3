//! A file that is attached to a record as what it rests on: of a kind that anybody can open for decades, known by its own
//! first bytes and not by what its sender calls it.

/// The largest attachment, in bytes.
pub const BYTES_MAX: usize = 10 << 20;

/// What an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// A PDF.
    Pdf,
    /// Plain text in UTF-8.
    Text,
}

impl Media {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pdf, Self::Text];

    /// The media type on the wire and in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The ending of a file's name.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Pdf => "pdf",
            Self::Text => "txt",
        }
    }

    /// The kind that a media type names.
    pub fn named(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|media| media.as_str().split(';').next() == Some(essence))
    }

    /// The kind of a file, by its bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"%PDF-") {
            return Some(Self::Pdf);
        }
        let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}');
        let text = std::str::from_utf8(bytes).ok()?;
        text.chars().all(printable).then_some(Self::Text)
    }
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    media: Media,
    bytes: Vec<u8>,
}

impl Attachment {
    /// Takes a file; its kind must be the one that is named, where one is.
    pub fn new(named: Option<&str>, bytes: Vec<u8>) -> Result<Self, Unfit> {
        if bytes.is_empty() {
            return Err(Unfit::Empty);
        }
        if bytes.len() > BYTES_MAX {
            return Err(Unfit::TooLarge);
        }
        let media = Media::of(&bytes).ok_or(Unfit::UnknownKind)?;
        match named {
            Some(named) if Media::named(named) != Some(media) => Err(Unfit::OtherKind),
            Some(_) | None => Ok(Self { media, bytes }),
        }
    }

    /// What it is.
    pub const fn media(&self) -> Media {
        self.media
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a file is not attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is larger than [`BYTES_MAX`].
    #[error("the file is larger than {BYTES_MAX} bytes")]
    TooLarge,
    /// It is neither a PDF nor plain text.
    #[error("the file is neither a PDF nor plain text")]
    UnknownKind,
    /// It is something else than its sender says.
    #[error("the file is not of the kind that is named")]
    OtherKind,
}

impl Unfit {
    /// The rule that was broken, on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::UnknownKind => "kind",
            Self::OtherKind => "other_kind",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_bytes() {
        let taken = |named, bytes: &[u8]| Attachment::new(named, bytes.to_vec()).map(|file| file.media());
        assert_eq!(taken(Some("application/pdf"), b"%PDF-1.7\n\x00\xff"), Ok(Media::Pdf));
        assert_eq!(taken(Some("text/plain"), "Điều 4.\r\n".as_bytes()), Ok(Media::Text));
        assert_eq!(taken(None, "Điều 4.".as_bytes()), Ok(Media::Text));
        assert_eq!(taken(Some("application/pdf"), b"MZ\x90\x00"), Err(Unfit::UnknownKind));
        assert_eq!(taken(Some("application/pdf"), b"plain"), Err(Unfit::OtherKind));
        assert_eq!(taken(Some("image/png"), b"%PDF-1.7"), Err(Unfit::OtherKind));
        assert_eq!(taken(None, b""), Err(Unfit::Empty));
        assert_eq!(taken(None, &vec![b'a'; BYTES_MAX + 1]), Err(Unfit::TooLarge));
    }
}

//! Forms that carry a file (`multipart/form-data`, RFC 7578): as browsers send them, read whole within the body's limit, or
//! with the file as it comes, whatever its length.

use super::pace::is_stalled;
use crate::flow::import_file::{Interrupted, Source};
use axum::body::{BodyDataStream, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use std::collections::HashMap;

/// The fields of such a form by name; of two with one name the first counts.
pub struct Multipart(HashMap<String, Vec<u8>>);

impl Multipart {
    /// A field's text; nothing when it is missing or no text.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// A field's bytes.
    pub fn bytes(&self, name: &str) -> &[u8] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The name of the field whose head that is.
    fn name(head: &[u8]) -> Option<&str> {
        let disposition = std::str::from_utf8(head).ok()?.lines().find(|line| {
            line.get(..20).is_some_and(|start| start.eq_ignore_ascii_case("content-disposition:"))
        })?;
        disposition.split("name=\"").nth(1)?.split('"').next()
    }

    fn read(boundary: &str, body: &[u8]) -> Option<Self> {
        let mark = format!("--{boundary}");
        let mut rest = body.get(find(body, mark.as_bytes())? + mark.len()..)?;
        let mut fields = HashMap::new();
        let next = format!("\r\n{mark}");
        while !rest.starts_with(b"--") {
            rest = rest.strip_prefix(b"\r\n")?;
            let head_end = find(rest, b"\r\n\r\n")?;
            let name = Self::name(&rest[..head_end])?;
            let content = &rest[head_end + 4..];
            let end = find(content, next.as_bytes())?;
            fields.entry(name.to_owned()).or_insert_with(|| content[..end].to_vec());
            rest = &content[end + next.len()..];
        }
        Some(Self(fields))
    }
}

/// The boundary between the parts of a form.
fn boundary(request: &Request) -> Option<String> {
    let media = request.headers().get(header::CONTENT_TYPE).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let boundary = media.strip_prefix("multipart/form-data").and_then(|rest| rest.split("boundary=").nth(1));
    let boundary = boundary.map(|text| text.trim_matches('"').to_owned());
    boundary.filter(|text| (1..=70).contains(&text.len()))
}

/// The most bytes of the fields before the file.
const FIELDS_BYTES_MAX: usize = 16 << 10;

/// A form whose last field is a file that is taken as it comes.
pub struct Upload {
    fields: Multipart,
    body: BodyDataStream,
    /// What has come and was not taken.
    buffer: Vec<u8>,
    /// What ends the file.
    mark: Vec<u8>,
    is_over: bool,
}

impl Upload {
    /// A field's text; nothing when it is missing, no text, or behind the file.
    pub fn text(&self, name: &str) -> &str {
        self.fields.text(name)
    }

    /// The fields before the file; nothing where there is no file, or too much before it.
    async fn begin(boundary: &str, body: BodyDataStream) -> Result<Option<Self>, Interrupted> {
        let mark = format!("\r\n--{boundary}").into_bytes();
        let fields = Multipart(HashMap::new());
        let mut upload = Self { fields, body, buffer: b"\r\n".to_vec(), mark, is_over: false };
        loop {
            if let Some((name, from)) = upload.head() {
                if name == "file" {
                    upload.buffer.drain(..from);
                    return Ok(Some(upload));
                }
                if let Some(length) = find(&upload.buffer[from..], &upload.mark) {
                    let value = upload.buffer[from..from + length].to_vec();
                    upload.fields.0.entry(name).or_insert(value);
                    upload.buffer.drain(..from + length);
                    continue;
                }
            }
            if upload.buffer.len() > FIELDS_BYTES_MAX || !upload.more().await? {
                return Ok(None);
            }
        }
    }

    /// The name of the field that stands first, and where its content begins.
    fn head(&self) -> Option<(String, usize)> {
        let from = find(&self.buffer, &self.mark)? + self.mark.len();
        let end = find(&self.buffer[from..], b"\r\n\r\n")?;
        let name = Multipart::name(&self.buffer[from..from + end])?;
        Some((name.to_owned(), from + end + 4))
    }

    /// Waits for more; false after the last of the body.
    async fn more(&mut self) -> Result<bool, Interrupted> {
        match self.body.next().await {
            Some(Ok(bytes)) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(true)
            }
            Some(Err(error)) if is_stalled(&error) => Err(Interrupted::Stalled),
            Some(Err(_)) => Err(Interrupted::BrokenOff),
            None => Ok(false),
        }
    }

    async fn piece(&mut self) -> Result<Option<Vec<u8>>, Interrupted> {
        while !self.is_over {
            if let Some(end) = find(&self.buffer, &self.mark) {
                self.is_over = true;
                self.buffer.truncate(end);
                return Ok(Some(std::mem::take(&mut self.buffer)).filter(|piece| !piece.is_empty()));
            }
            // What may be the beginning of the mark waits.
            let certain = self.buffer.len().saturating_sub(self.mark.len());
            if certain > 0 {
                let rest = self.buffer.split_off(certain);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            if !self.more().await? {
                return Err(Interrupted::BrokenOff);
            }
        }
        Ok(None)
    }
}

impl Source for Upload {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, Interrupted>> {
        Box::pin(self.piece())
    }
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = StatusCode;

    async fn from_request(request: Request, _: &S) -> Result<Self, StatusCode> {
        let boundary = boundary(&request).ok_or(StatusCode::UNSUPPORTED_MEDIA_TYPE)?;
        let body = request.into_body().into_data_stream();
        match Self::begin(&boundary, body).await {
            Ok(Some(upload)) => Ok(upload),
            Ok(None) | Err(Interrupted::BrokenOff) => Err(StatusCode::BAD_REQUEST),
            Err(Interrupted::Stalled) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = StatusCode;

    async fn from_request(request: Request, state: &S) -> Result<Self, StatusCode> {
        let boundary = boundary(&request).ok_or(StatusCode::UNSUPPORTED_MEDIA_TYPE)?;
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|refused| {
            if is_stalled(&refused) {
                return StatusCode::REQUEST_TIMEOUT;
            }
            refused.into_response().status()
        })?;
        Self::read(&boundary, &body).ok_or(StatusCode::BAD_REQUEST)
    }
}

/// A form with a file that says what it says by name.
pub trait Fields {
    /// A field's text; nothing when it is missing or no text.
    fn field(&self, name: &str) -> &str;
}

impl Fields for Multipart {
    fn field(&self, name: &str) -> &str {
        self.text(name)
    }
}

impl Fields for Upload {
    fn field(&self, name: &str) -> &str {
        self.text(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_taken_as_it_comes_in_pieces_of_any_length() {
        let file = "a,b\r\n--y\r\n\r\n-".repeat(50);
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"account\"\r\n\r\n15\r\n--x\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{file}\r\n--x--\r\n"
        );
        for length in [1, 3, 50, 10_000] {
            let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
                body.as_bytes().chunks(length).map(|piece| Ok(piece.to_vec())).collect();
            let stream = axum::body::Body::from_stream(futures_util::stream::iter(pieces));
            let mut upload = Upload::begin("x", stream.into_data_stream()).await.unwrap().unwrap();
            assert_eq!(upload.text("account"), "15");
            let mut taken = Vec::new();
            while let Some(piece) = upload.piece().await.unwrap() {
                taken.extend(piece);
            }
            assert_eq!(taken, file.as_bytes(), "{length}");
            assert_eq!(upload.piece().await, Ok(None));
        }
        // A file whose end does not come was interrupted; without a file there is none.
        let cut = axum::body::Body::from(body[..body.len() - 20].to_owned()).into_data_stream();
        let mut upload = Upload::begin("x", cut).await.unwrap().unwrap();
        let end = loop {
            match upload.piece().await {
                Ok(Some(_)) => (),
                end => break end,
            }
        };
        assert_eq!(end, Err(Interrupted::BrokenOff));
        let none = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
        let none = axum::body::Body::from(none).into_data_stream();
        assert!(Upload::begin("x", none).await.unwrap().is_none());
    }

    #[test]
    fn a_form_with_a_file_is_read() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"account\"\r\n\r\n15\r\n--x\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n\
            a,b\r\n--y\r\n\r\n--x--\r\n";
        let form = Multipart::read("x", body).unwrap();
        assert_eq!((form.text("account"), form.bytes("file")), ("15", b"a,b\r\n--y\r\n".as_slice()));
        assert_eq!(form.text("none"), "");
        for broken in [b"--x".as_slice(), b"", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1"]
        {
            assert!(Multipart::read("x", broken).is_none());
        }
    }
}

//! Forms that carry a file (`multipart/form-data`, RFC 7578): as browsers send them, read whole within the body's limit.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
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

    fn read(boundary: &str, body: &[u8]) -> Option<Self> {
        let mark = format!("--{boundary}");
        let mut rest = body.get(find(body, mark.as_bytes())? + mark.len()..)?;
        let mut fields = HashMap::new();
        let next = format!("\r\n{mark}");
        while !rest.starts_with(b"--") {
            rest = rest.strip_prefix(b"\r\n")?;
            let head_end = find(rest, b"\r\n\r\n")?;
            let head = std::str::from_utf8(&rest[..head_end]).ok()?;
            let content = &rest[head_end + 4..];
            let end = find(content, next.as_bytes())?;
            let disposition = head.lines().find(|line| {
                line.get(..20).is_some_and(|start| start.eq_ignore_ascii_case("content-disposition:"))
            })?;
            let name = disposition.split("name=\"").nth(1)?.split('"').next()?;
            fields.entry(name.to_owned()).or_insert_with(|| content[..end].to_vec());
            rest = &content[end + next.len()..];
        }
        Some(Self(fields))
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

impl<S: Send + Sync> FromRequest<S> for Multipart {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let media =
            request.headers().get(header::CONTENT_TYPE).and_then(|h| h.to_str().ok()).unwrap_or_default();
        let boundary =
            media.strip_prefix("multipart/form-data").and_then(|rest| rest.split("boundary=").nth(1));
        let boundary = boundary.map(|text| text.trim_matches('"').to_owned());
        let boundary = boundary.filter(|text| (1..=70).contains(&text.len()));
        let boundary = boundary.ok_or_else(|| StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response())?;
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        Self::read(&boundary, &body).ok_or_else(|| StatusCode::BAD_REQUEST.into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

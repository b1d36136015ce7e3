//! Signatures over HTTP messages between institutions: RFC 9421 with ECDSA P-256 SHA-256, and Content-Digest by
//! RFC 9530.
//!
//! One profile, both ways. A request is signed over `@method @target-uri content-type content-digest`; its answer over
//! `@status content-digest` and the request's signature (`"signature";req;key="…"`), so that an answer answers one
//! request and no other. Parameters are `created`, `keyid` and, if given, `alg`. A message that covers less, more, or
//! in another order is refused, as is one whose clock is more than [`SKEW`] away. Which key belongs to whom is the
//! caller's knowledge: keys are pinned per partner. Replays inside the skew are the business of whoever stores
//! message identifiers.

use crate::base::clock::Instant;
use crate::crypto::digest::{equal, sha256};
use crate::crypto::signing::{KeyList, Signer};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use std::fmt::Write;
use time::Duration;

/// How far two clocks may be apart.
pub const SKEW: Duration = Duration::minutes(5);

/// The label under which we sign.
const LABEL: &str = "sig1";
const ALGORITHM: &str = "ecdsa-p256-sha256";
/// No header of this profile is longer.
const HEADER_MAX: usize = 2_000;

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One of the three headers is missing, repeated or not a structured field of this profile.
    #[error("the signature headers are missing or malformed")]
    Malformed,
    /// Other components or parameters than the profile demands.
    #[error("the signature does not cover what it must")]
    Coverage,
    /// The body is not what the digest says.
    #[error("the content digest does not match the body")]
    Digest,
    /// Made too long ago, or in the future.
    #[error("the signature was not made just now")]
    Stale,
    /// Nobody whom we know.
    #[error("the signing key is unknown")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the signature is wrong")]
    Signature,
}

impl Refusal {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "signature_malformed",
            Self::Coverage => "signature_coverage",
            Self::Digest => "content_digest_mismatch",
            Self::Stale => "signature_stale",
            Self::UnknownKey => "signature_key_unknown",
            Self::Signature => "signature_wrong",
        }
    }
}

/// What is signed of a request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The absolute address as the sender wrote it.
    pub target_uri: &'a str,
    /// The content type, exactly as sent.
    pub content_type: &'a str,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// What is signed of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// The headers `Content-Digest`, `Signature-Input` and `Signature`, as sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// `sha-256=:…:`
    pub content_digest: String,
    /// `sig1=("@method" …);created=…;keyid="…"`
    pub signature_input: String,
    /// `sig1=:…:`
    pub signature: String,
}

/// The signature of a request, which its answer covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    label: String,
    bytes: [u8; 64],
}

/// Who signed a request, when, and the signature to bind the answer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The name of the key.
    pub key: String,
    /// When it was signed, by the signer's clock.
    pub created: Instant,
    /// The signature.
    pub signature: Signature,
}

/// Signs a request; the second value is needed to check its answer.
pub fn sign_request(request: &Request<'_>, key: &dyn Signer, now: Instant) -> (Headers, Signature) {
    let content_digest = content_digest(request.body);
    let lines = request_lines(request, &content_digest);
    sign(&lines, content_digest, key, now)
}

/// Signs the answer to a request.
pub fn sign_answer(answer: &Answer<'_>, to: &Signature, key: &dyn Signer, now: Instant) -> Headers {
    let content_digest = content_digest(answer.body);
    let lines = answer_lines(answer, &content_digest, to);
    sign(&lines, content_digest, key, now).0
}

/// Checks a request against the pinned keys of a partner.
pub fn verify_request(
    request: &Request<'_>,
    headers: &Headers,
    keys: &KeyList,
    now: Instant,
) -> Result<Signed, Refusal> {
    verify(&request_lines(request, &headers.content_digest), request.body, headers, keys, now)
}

/// Checks that an answer belongs to the request that was signed so.
pub fn verify_answer(
    answer: &Answer<'_>,
    to: &Signature,
    headers: &Headers,
    keys: &KeyList,
    now: Instant,
) -> Result<Signed, Refusal> {
    verify(&answer_lines(answer, &headers.content_digest, to), answer.body, headers, keys, now)
}

/// `sha-256=:…:` over the bytes (RFC 9530).
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(sha256(body)))
}

/// A covered component: its identifier with parameters, and its value.
type Line = (String, String);

fn request_lines(request: &Request<'_>, content_digest: &str) -> Vec<Line> {
    let line = |name: &str, value: &str| (format!("\"{name}\""), value.to_owned());
    vec![
        line("@method", request.method),
        line("@target-uri", request.target_uri),
        line("content-type", request.content_type.trim()),
        line("content-digest", content_digest),
    ]
}

fn answer_lines(answer: &Answer<'_>, content_digest: &str, to: &Signature) -> Vec<Line> {
    vec![
        (String::from("\"@status\""), answer.status.to_string()),
        (String::from("\"content-digest\""), content_digest.to_owned()),
        (format!("\"signature\";req;key=\"{}\"", to.label), format!(":{}:", BASE64.encode(to.bytes))),
    ]
}

fn sign(lines: &[Line], content_digest: String, key: &dyn Signer, now: Instant) -> (Headers, Signature) {
    let created = now.unix_timestamp();
    let parameters =
        format!("{};created={created};keyid=\"{}\";alg=\"{ALGORITHM}\"", covered(lines), key.kid());
    let bytes = key.sign(signature_base(lines, &parameters).as_bytes());
    let headers = Headers {
        content_digest,
        signature_input: format!("{LABEL}={parameters}"),
        signature: format!("{LABEL}=:{}:", BASE64.encode(bytes)),
    };
    (headers, Signature { label: LABEL.to_owned(), bytes })
}

fn verify(
    lines: &[Line],
    body: &[u8],
    headers: &Headers,
    keys: &KeyList,
    now: Instant,
) -> Result<Signed, Refusal> {
    let (label, input) = member(&headers.signature_input)?;
    let (signature_label, value) = member(&headers.signature)?;
    let bytes = bytes_item(value).ok_or(Refusal::Malformed)?;
    if label != signature_label {
        return Err(Refusal::Malformed);
    }
    let parameters = input.strip_prefix(covered(lines).as_str()).ok_or(Refusal::Coverage)?;
    let parameters = Parameters::parse(parameters)?;
    if (parameters.created - now).abs() > SKEW {
        return Err(Refusal::Stale);
    }
    if !equal(content_digest(body).as_bytes(), headers.content_digest.as_bytes()) {
        return Err(Refusal::Digest);
    }
    let key = keys.find(&parameters.key).ok_or(Refusal::UnknownKey)?;
    if !key.verify(signature_base(lines, input).as_bytes(), &bytes) {
        return Err(Refusal::Signature);
    }
    let signature = Signature { label: label.to_owned(), bytes };
    Ok(Signed { key: parameters.key, created: parameters.created, signature })
}

/// The list of component identifiers, as it begins the signature parameters.
fn covered(lines: &[Line]) -> String {
    let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
    format!("({})", names.join(" "))
}

/// The bytes that are signed (RFC 9421 section 2.5).
fn signature_base(lines: &[Line], parameters: &str) -> String {
    let mut base = String::with_capacity(512);
    for (name, value) in lines {
        // Writing to a String does not fail.
        _ = writeln!(base, "{name}: {value}");
    }
    base + "\"@signature-params\": " + parameters
}

/// The one member of a dictionary (RFC 8941): its key and the rest.
fn member(header: &str) -> Result<(&str, &str), Refusal> {
    let header = header.trim_matches(' ');
    let (label, value) = header.split_once('=').ok_or(Refusal::Malformed)?;
    let spelled = |(i, b): (usize, u8)| match b {
        b'a'..=b'z' | b'*' => true,
        b'0'..=b'9' | b'_' | b'-' | b'.' => i > 0,
        _ => false,
    };
    let well_formed =
        header.len() <= HEADER_MAX && !label.is_empty() && label.bytes().enumerate().all(spelled);
    if well_formed { Ok((label, value)) } else { Err(Refusal::Malformed) }
}

/// A byte sequence of 64 bytes between colons.
fn bytes_item(value: &str) -> Option<[u8; 64]> {
    let text = value.strip_prefix(':')?.strip_suffix(':')?;
    BASE64.decode(text).ok()?.try_into().ok()
}

/// The signature parameters of the profile.
struct Parameters {
    created: Instant,
    key: String,
}

impl Parameters {
    /// Reads `;created=…;keyid="…"`, with `;alg="…"` in any order, each at most once and nothing else.
    fn parse(text: &str) -> Result<Self, Refusal> {
        let (mut created, mut key, mut algorithm) = (None, None, None);
        let mut rest = text;
        while let Some(after) = rest.strip_prefix(';') {
            let (name, value) = after.trim_start_matches(' ').split_once('=').ok_or(Refusal::Malformed)?;
            let (slot, value, after) = match name {
                "created" => {
                    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
                    (&mut created, &value[..end], &value[end..])
                }
                "keyid" | "alg" => {
                    let (inside, after) = string_item(value).ok_or(Refusal::Malformed)?;
                    (if name == "alg" { &mut algorithm } else { &mut key }, inside, after)
                }
                _ => return Err(Refusal::Coverage),
            };
            if slot.replace(value).is_some() {
                return Err(Refusal::Malformed);
            }
            rest = after;
        }
        if !rest.is_empty() {
            return Err(Refusal::Malformed);
        }
        if algorithm.is_some_and(|named| named != ALGORITHM) {
            return Err(Refusal::Coverage);
        }
        let (Some(created), Some(key)) = (created, key) else { return Err(Refusal::Coverage) };
        let created = created.parse().ok().and_then(|seconds| Instant::from_unix_timestamp(seconds).ok());
        Ok(Self { created: created.ok_or(Refusal::Malformed)?, key: key.to_owned() })
    }
}

/// A string without escapes between quotes, and what follows it.
fn string_item(value: &str) -> Option<(&str, &str)> {
    let (inside, after) = value.strip_prefix('"')?.split_once('"')?;
    let plain = inside.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'\\');
    plain.then_some((inside, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::signing::{SigningKey, VerifyingKey};
    use time::macros::datetime;

    const NOW: Instant = datetime!(2026-11-24 01:00 UTC);
    const REQUEST: Request<'_> = Request {
        method: "POST",
        target_uri: "http://127.0.0.1:8090/clearing",
        content_type: "application/xml",
        body: b"<Envelope/>",
    };

    fn keys(key: &SigningKey) -> KeyList {
        KeyList::new([(key.kid().to_owned(), key.verifying_key().clone())])
    }

    /// RFC 9421 section 2.5: the base of the example request.
    #[test]
    fn the_signature_base_is_that_of_the_standard() {
        let digest = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
        let lines = [
            ("\"date\"", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("\"@method\"", "POST"),
            ("\"@path\"", "/foo"),
            ("\"@query\"", "?param=Value&Pet=dog"),
            ("\"@authority\"", "example.com"),
            ("\"content-type\"", "application/json"),
            ("\"content-digest\"", digest),
            ("\"content-length\"", "18"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let parameters = covered(&lines) + ";created=1618884473;keyid=\"test-key-rsa-pss\"";
        // Appendix B.2.3.
        let expected = format!(
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\"@query\": \
             ?param=Value&Pet=dog\n\"@authority\": example.com\n\"content-type\": application/json\n\"content-digest\": \
             {digest}\n\"content-length\": 18\n\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@query\" \
             \"@authority\" \"content-type\" \"content-digest\" \"content-length\");created=1618884473;keyid=\"test-key-\
             rsa-pss\""
        );
        assert_eq!(signature_base(&lines, &parameters), expected);
    }

    /// RFC 9421 appendix B.2.4, signed by the key of appendix B.1.3.
    #[test]
    fn verifies_the_published_ecdsa_example() {
        let key = VerifyingKey::from_coordinates(
            "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA",
            "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0",
        );
        let digest = "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:";
        let lines = [
            ("\"@status\"", "200"),
            ("\"content-type\"", "application/json"),
            ("\"content-digest\"", digest),
            ("\"content-length\"", "23"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let header = "sig-b24=(\"@status\" \"content-type\" \"content-digest\" \"content-length\")\
                      ;created=1618884473;keyid=\"test-key-ecc-p256\"";
        let (label, input) = member(header).unwrap();
        let parameters = Parameters::parse(input.strip_prefix(&covered(&lines)).unwrap()).unwrap();
        assert_eq!((label, parameters.key.as_str()), ("sig-b24", "test-key-ecc-p256"));
        assert_eq!(parameters.created, datetime!(2021-04-20 02:07:53 UTC));
        let (_, value) = member(
            "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:",
        )
        .unwrap();
        let signature = bytes_item(value).unwrap();
        assert!(key.unwrap().verify(signature_base(&lines, input).as_bytes(), &signature));
    }

    /// RFC 9530 appendix B, and the example request of RFC 9421.
    #[test]
    fn digests_are_those_of_the_standard() {
        let with_line_end = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        assert_eq!(content_digest(b"{\"hello\": \"world\"}\n"), with_line_end);
        let without = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
        assert_eq!(content_digest(b"{\"hello\": \"world\"}"), without);
    }

    #[test]
    fn a_request_and_its_answer_belong_together() {
        let (us, them) = (SigningKey::generate(), SigningKey::generate());
        let (headers, signature) = sign_request(&REQUEST, &us, NOW);
        let signed = verify_request(&REQUEST, &headers, &keys(&us), NOW + SKEW).unwrap();
        assert_eq!((signed.key.as_str(), signed.created, &signed.signature), (us.kid(), NOW, &signature));

        let answer = Answer { status: 200, body: b"ok" };
        let headers = sign_answer(&answer, &signed.signature, &them, NOW);
        let check = |answer: &Answer<'_>, to: &Signature| {
            verify_answer(answer, to, &headers, &keys(&them), NOW).map(|signed| signed.key)
        };
        assert_eq!(check(&answer, &signature), Ok(them.kid().to_owned()));
        let (_, other) = sign_request(&REQUEST, &us, NOW);
        assert_eq!(check(&answer, &other), Err(Refusal::Signature), "the answer to another request");
        assert_eq!(check(&Answer { status: 202, ..answer }, &signature), Err(Refusal::Signature));
        assert_eq!(check(&Answer { body: b"no", ..answer }, &signature), Err(Refusal::Digest));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let key = SigningKey::generate();
        let (good, _) = sign_request(&REQUEST, &key, NOW);
        let check = |request: Request<'_>, headers: &Headers, now| {
            verify_request(&request, headers, &keys(&key), now).unwrap_err()
        };
        assert_eq!(check(Request { method: "PUT", ..REQUEST }, &good, NOW), Refusal::Signature);
        assert_eq!(check(Request { target_uri: "http://x/", ..REQUEST }, &good, NOW), Refusal::Signature);
        assert_eq!(check(Request { content_type: "text/xml", ..REQUEST }, &good, NOW), Refusal::Signature);
        assert_eq!(check(Request { body: b"", ..REQUEST }, &good, NOW), Refusal::Digest);
        assert_eq!(check(REQUEST, &good, NOW + SKEW + Duration::seconds(1)), Refusal::Stale);
        assert_eq!(check(REQUEST, &good, NOW - SKEW - Duration::seconds(1)), Refusal::Stale);
        let stranger = verify_request(&REQUEST, &good, &KeyList::default(), NOW);
        assert_eq!(stranger, Err(Refusal::UnknownKey));

        let with = |from: &str, to: &str| Headers {
            signature_input: good.signature_input.replacen(from, to, 1),
            ..good.clone()
        };
        let input = |from: &str, to: &str| check(REQUEST, &with(from, to), NOW);
        assert_eq!(input(" \"content-digest\"", ""), Refusal::Coverage);
        assert_eq!(input("\"@method\" \"@target-uri\"", "\"@target-uri\" \"@method\""), Refusal::Coverage);
        assert_eq!(input("ecdsa-p256-sha256", "hmac-sha256"), Refusal::Coverage);
        assert_eq!(input(";alg=", ";nonce="), Refusal::Coverage);
        assert_eq!(input(";alg=\"ecdsa-p256-sha256\"", ""), Refusal::Signature);
        assert_eq!(input(";created=", ";created=1;created="), Refusal::Malformed);
        assert_eq!(input("sig1=", "sig2="), Refusal::Malformed);
        assert_eq!(input("sig1=", "Sig1="), Refusal::Malformed);
        assert_eq!(input(";alg=\"ecdsa-p256-sha256\"", ", sig2=()"), Refusal::Malformed);
        let cut = Headers { signature: good.signature.replace('=', ""), ..good.clone() };
        assert_eq!(check(REQUEST, &cut, NOW), Refusal::Malformed);
        let digest = Headers { content_digest: good.content_digest.replace("sha-256", "sha-512"), ..good };
        assert_eq!(check(REQUEST, &digest, NOW), Refusal::Digest);
    }
}

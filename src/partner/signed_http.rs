//! One signed message out, one signed answer back: how this service speaks with other institutions over HTTP.
//!
//! Never more than one message per call: whether to ask again is decided by a flow that knows what was asked. An
//! answer counts only if its signature verifies and covers the signature of this very request; everything else is
//! silence. Redirects are not followed and proxies of the environment are not used.

use crate::base::clock::Instant;
use crate::codec::http_signature::{Answer, Headers, Request, sign_request, verify_answer};
use crate::crypto::keyring::{KeyRing, Purpose};
use crate::crypto::signing::KeyList;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Where a partner listens and how it is recognised.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The address that takes its messages.
    pub address: Url,
    /// Its pinned public keys.
    pub keys: KeyList,
    /// How long one exchange may take, connection included.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub answer_bytes_max: usize,
}

/// An answer whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// No connection came about: the message certainly did not leave.
    #[error("no connection: {0}")]
    NotSent(String),
    /// It may or may not have arrived, and may or may not have been acted on.
    #[error("no valid answer: {0}")]
    NoAnswer(String),
    /// The connection broke before the answer was whole: it may have arrived, and whoever asks only may ask again.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// The sender of messages to one partner.
pub struct SignedHttp {
    http: reqwest::Client,
    peer: Peer,
    keys: Arc<KeyRing>,
}

impl SignedHttp {
    /// A sender that signs with the ring's message key.
    pub fn new(peer: Peer, keys: Arc<KeyRing>) -> Result<Self, reqwest::Error> {
        let http =
            reqwest::Client::builder().timeout(peer.timeout).redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { http, peer, keys })
    }

    /// Sends one message and waits for its answer.
    pub async fn post(&self, content_type: &str, body: String, now: Instant) -> Result<Answered, Silence> {
        let began = tokio::time::Instant::now();
        let answered = self.exchange(content_type, body, now).await;
        let outcome = match &answered {
            Ok(_) => "answered",
            Err(Silence::NotSent(_)) => "not_sent",
            Err(Silence::NoAnswer(_)) => "no_answer",
            Err(Silence::Broken(_)) => "broken",
        };
        // Neither a password in an address nor what it asks for belongs on a page of figures.
        let (host, path) = (self.peer.address.host_str().unwrap_or_default(), self.peer.address.path());
        let partner = format!("{host}{path}");
        metrics::histogram!("chung_partner_seconds", "partner" => partner, "outcome" => outcome)
            .record(began.elapsed());
        answered
    }

    async fn exchange(&self, content_type: &str, body: String, now: Instant) -> Result<Answered, Silence> {
        let target_uri = self.peer.address.as_str();
        let request = Request { method: "POST", target_uri, content_type, body: body.as_bytes() };
        let (headers, signature) = sign_request(&request, self.keys.signing(Purpose::Message), now);
        let sent = self
            .http
            .post(self.peer.address.clone())
            .header(CONTENT_TYPE, content_type)
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature)
            .body(body)
            .send();
        let mut response = sent.await.map_err(|e| silence(&e))?;
        let status = response.status().as_u16();
        let headers = signature_headers(response.headers())
            .ok_or_else(|| Silence::NoAnswer(format!("status {status} without a signature")))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| silence(&e))? {
            if body.len() + chunk.len() > self.peer.answer_bytes_max {
                return Err(Silence::NoAnswer(String::from("the answer is too large")));
            }
            body.extend_from_slice(&chunk);
        }
        verify_answer(&Answer { status, body: &body }, &signature, &headers, &self.peer.keys, now)
            .map_err(|refusal| Silence::NoAnswer(refusal.to_string()))?;
        Ok(Answered { status, body })
    }
}

/// The three headers, each exactly once.
fn signature_headers(headers: &HeaderMap) -> Option<Headers> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then(|| value.to_owned())
    };
    Some(Headers {
        content_digest: one("content-digest")?,
        signature_input: one("signature-input")?,
        signature: one("signature")?,
    })
}

fn silence(error: &reqwest::Error) -> Silence {
    // A timeout while connecting is a connection that did not come about.
    if error.is_connect() {
        Silence::NotSent(cause(error))
    } else if error.is_timeout() {
        Silence::NoAnswer(cause(error))
    } else {
        Silence::Broken(cause(error))
    }
}

/// The innermost cause; the outer ones repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

//! Messages of the payment platform's protocol on their way out: one request, one answer, nothing decided here.

use futures_util::future::BoxFuture;
use reqwest::redirect::Policy;
use std::time::Duration;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Who carries messages to other systems that speak the protocol.
pub trait Platform: Send + Sync {
    /// Posts a JSON message and gives the answer's body.
    fn post<'a>(&'a self, url: &'a str, body: Vec<u8>) -> BoxFuture<'a, Result<Vec<u8>, Unsent>>;
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// It certainly did not leave.
    #[error("nobody answers there")]
    NotSent,
    /// It may have arrived.
    #[error("no answer that can be read")]
    NoAnswer,
}

/// The carrier over HTTP.
pub struct RemotePlatform {
    http: reqwest::Client,
}

impl RemotePlatform {
    /// A carrier that waits so long for an answer.
    pub fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(timeout).redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { http })
    }
}

impl Platform for RemotePlatform {
    fn post<'a>(&'a self, url: &'a str, body: Vec<u8>) -> BoxFuture<'a, Result<Vec<u8>, Unsent>> {
        Box::pin(async move {
            let sent = self.http.post(url).header("content-type", "application/json").body(body).send().await;
            let mut response =
                sent.map_err(|e| if e.is_connect() { Unsent::NotSent } else { Unsent::NoAnswer })?;
            if !response.status().is_success() {
                return Err(Unsent::NoAnswer);
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|_| Unsent::NoAnswer)? {
                if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                    return Err(Unsent::NoAnswer);
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        })
    }
}

//! Events on their way to an agency's endpoint: signed by Standard Webhooks, and dialled only where the public
//! internet is.
//!
//! Names are resolved here and every address is checked before one is dialled, so that what was checked is what is
//! connected to; a name that resolves to any inner address is refused wholly. No redirect is followed, no proxy is
//! asked, and of the answer only the status is read.

use crate::base::{address::is_public, clock::Instant, secret::Secret};
use crate::identity::endpoint::EndpointUrl;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Who carries events to endpoints.
pub trait Webhooks: Send + Sync {
    /// Whether events may be sent to that address at all, as far as its text tells.
    fn accepts(&self, url: &EndpointUrl) -> Result<(), Unfit>;

    /// Tells an endpoint of an event, once. Success is an answer of 2xx.
    fn deliver<'a>(&'a self, telling: &'a Telling) -> BoxFuture<'a, Result<(), Undelivered>>;

    /// Posts a form with one field, once. Success is an answer of 2xx.
    fn post_form<'a>(
        &'a self,
        url: &'a EndpointUrl,
        field: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<(), Undelivered>>;
}

/// One event for one endpoint.
pub struct Telling {
    /// Where it goes.
    pub url: EndpointUrl,
    /// The keys that it is signed with: the present one, and while keys change the one before.
    pub secrets: Vec<Secret<Vec<u8>>>,
    /// Its identifier, the same at every attempt.
    pub event: String,
    /// When this attempt is made.
    pub at: Instant,
    /// What is told, byte for byte as it was written.
    pub body: Vec<u8>,
}

/// Why nothing may be sent to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Without TLS.
    #[error("the address is not https")]
    NotSecure,
    /// It leads to a private, local or reserved network.
    #[error("the address is not on the public internet")]
    Private,
}

/// Why an endpoint was not told; it may be told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// Nothing was sent, because of where it would have gone.
    #[error("{0}")]
    Unfit(Unfit),
    /// The name did not resolve, or nobody answered there.
    #[error("the endpoint is not reachable")]
    Unreachable,
    /// No answer within the deadline.
    #[error("the endpoint did not answer in time")]
    TooSlow,
    /// Another status than success.
    #[error("the endpoint answered {0}")]
    Answered(u16),
    /// The body or the key cannot be signed.
    #[error("the event cannot be signed")]
    Unsigned,
}

impl Undelivered {
    /// The word in rows and answers.
    pub fn word(self) -> String {
        match self {
            Self::Unfit(Unfit::NotSecure) => "not_secure".to_owned(),
            Self::Unfit(Unfit::Private) => "private_address".to_owned(),
            Self::Unreachable => "unreachable".to_owned(),
            Self::TooSlow => "too_slow".to_owned(),
            Self::Answered(status) => format!("http_{status}"),
            Self::Unsigned => "unsigned".to_owned(),
        }
    }
}

/// Deliveries over HTTP.
pub struct RemoteWebhooks {
    http: reqwest::Client,
    private: bool,
}

impl RemoteWebhooks {
    /// Deliveries that give up after `timeout`. With `private` they also go to inner addresses and without TLS: for
    /// demonstrations.
    pub fn new(private: bool, timeout: Duration) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent("chung-webhooks/1");
        let builder = if private { builder } else { builder.dns_resolver(Arc::new(PublicOnly)) };
        Ok(Self { http: builder.build()?, private })
    }

    async fn tell(&self, telling: &Telling) -> Result<(), Undelivered> {
        // An address written as a number never passes the resolver.
        self.accepts(&telling.url).map_err(Undelivered::Unfit)?;
        let seconds = telling.at.unix_timestamp();
        let signatures = telling.secrets.iter().map(|key| sign(key, &telling.event, seconds, &telling.body));
        let signature = signatures.collect::<Result<Vec<String>, _>>()?.join(" ");
        let request = self
            .http
            .post(telling.url.url().clone())
            .header("content-type", "application/json")
            .header(HEADER_WEBHOOK_ID, &telling.event)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
            .header(HEADER_WEBHOOK_SIGNATURE, signature)
            .body(telling.body.clone());
        let answer = request.send().await.map_err(|error| reason(&error))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(Undelivered::Answered(status.as_u16())) }
    }
}

impl Webhooks for RemoteWebhooks {
    fn accepts(&self, url: &EndpointUrl) -> Result<(), Unfit> {
        if self.private {
            return Ok(());
        }
        if !url.is_secure() {
            return Err(Unfit::NotSecure);
        }
        if url.literal().is_some_and(|address| !is_public(address)) {
            return Err(Unfit::Private);
        }
        Ok(())
    }

    fn deliver<'a>(&'a self, telling: &'a Telling) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(self.tell(telling))
    }

    fn post_form<'a>(
        &'a self,
        url: &'a EndpointUrl,
        field: (&'a str, &'a str),
    ) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            self.accepts(url).map_err(Undelivered::Unfit)?;
            let request = self.http.post(url.url().clone()).form(&[field]);
            let answer = request.send().await.map_err(|error| reason(&error))?;
            let status = answer.status();
            if status.is_success() { Ok(()) } else { Err(Undelivered::Answered(status.as_u16())) }
        })
    }
}

/// `v1,` and the HMAC-SHA256 of identifier, time and body (Standard Webhooks 1.0).
fn sign(secret: &Secret<Vec<u8>>, event: &str, seconds: i64, body: &[u8]) -> Result<String, Undelivered> {
    let key = Webhook::from_bytes(secret.expose().clone()).map_err(|_| Undelivered::Unsigned)?;
    key.sign(event, seconds, body).map_err(|_| Undelivered::Unsigned)
}

fn reason(error: &reqwest::Error) -> Undelivered {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(unfit) = inner.downcast_ref::<Unfit>() {
            return Undelivered::Unfit(*unfit);
        }
        cause = inner.source();
    }
    if error.is_timeout() { Undelivered::TooSlow } else { Undelivered::Unreachable }
}

/// Resolves names as the machine does, and gives nothing back when any address of the answer is not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.iter().any(|address| !is_public(address.ip())) {
                return Err(Unfit::Private.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn telling(url: &str) -> Telling {
        Telling {
            url: url.parse().unwrap(),
            secrets: vec![Secret::new(vec![7; 32])],
            event: "event_1".to_owned(),
            at: datetime!(2026-11-24 02:00 UTC),
            body: b"{}".to_vec(),
        }
    }

    /// The example of the standard's own libraries.
    #[test]
    fn the_signature_is_the_standards() {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let key = BASE64_STANDARD.decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let made = sign(&Secret::new(key), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(made.as_deref(), Ok("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="));
    }

    #[tokio::test]
    async fn nothing_is_dialled_inside_a_network_whether_named_or_numbered() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let guarded = RemoteWebhooks::new(false, Duration::from_secs(5)).unwrap();
        for (url, why) in [
            (format!("https://localhost:{port}/"), Unfit::Private),
            (format!("https://127.0.0.1:{port}/"), Unfit::Private),
            (format!("https://[::1]:{port}/"), Unfit::Private),
            (format!("https://[::ffff:127.0.0.1]:{port}/"), Unfit::Private),
            (format!("https://2130706433:{port}/"), Unfit::Private),
            ("https://169.254.169.254/latest/meta-data".to_owned(), Unfit::Private),
            ("http://a.example/".to_owned(), Unfit::NotSecure),
        ] {
            assert_eq!(guarded.deliver(&telling(&url)).await, Err(Undelivered::Unfit(why)), "{url}");
        }
        let called = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(called.is_err(), "somebody was called");
    }
}

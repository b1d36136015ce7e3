//! The gateway for short messages. It is told a telephone and a text; that it accepted them is all it answers.

use crate::base::secret::Secret;
use futures_util::future::BoxFuture;
use std::time::Duration;
use url::Url;

/// Who carries messages to telephones.
pub trait Messenger: Send + Sync {
    /// Hands a message over. `to` is `+84…`.
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), Unsent>>;
}

/// The gateway did not take a message; it may be handed over again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// It could not be reached, or did not answer in time.
    #[error("the message gateway is not reachable")]
    Unreachable,
    /// It answered with another status than success.
    #[error("the message gateway answered {0}")]
    Refused(u16),
}

/// A gateway over HTTP: `POST {"to", "text"}` with a bearer token.
pub struct RemoteMessenger {
    http: reqwest::Client,
    url: Url,
    token: Secret<String>,
}

impl RemoteMessenger {
    /// The gateway at that address.
    pub fn new(url: Url, token: Secret<String>, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, url, token })
    }
}

impl Messenger for RemoteMessenger {
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(async move {
            let body = serde_json::json!({"to": to, "text": text});
            let request = self.http.post(self.url.clone()).bearer_auth(self.token.expose()).json(&body);
            let answer = request.send().await.map_err(|_| Unsent::Unreachable)?;
            if answer.status().is_success() { Ok(()) } else { Err(Unsent::Refused(answer.status().as_u16())) }
        })
    }
}

//! The gateway for short messages and e-mail. It is told a telephone or a mailbox and a text; that it accepted them is
//! all it answers. What people answer comes in at an endpoint of ours, with the gateway's token.

use crate::base::secret::Secret;
use futures_util::future::BoxFuture;
use std::time::Duration;
use url::Url;

/// Who carries messages to telephones and mailboxes.
pub trait Messenger: Send + Sync {
    /// Hands a short message over. `to` is `+84…`.
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), Unsent>>;

    /// Hands a letter over.
    fn send_mail<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), Unsent>>;
}

/// A letter to a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Letter {
    /// The address.
    pub to: String,
    /// The subject.
    pub subject: String,
    /// The text, plain.
    pub text: String,
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
    /// No gateway for e-mail is configured.
    #[error("no gateway for e-mail is configured")]
    NoMail,
}

/// A gateway over HTTP: `POST {"to", "text"}` with a bearer token, and for e-mail `POST {"to", "subject", "text"}`.
pub struct RemoteMessenger {
    http: reqwest::Client,
    url: Url,
    mail_url: Option<Url>,
    token: Secret<String>,
}

impl RemoteMessenger {
    /// The gateway at these addresses.
    pub fn new(
        url: Url,
        mail_url: Option<Url>,
        token: Secret<String>,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, url, mail_url, token })
    }
}

impl RemoteMessenger {
    async fn post(&self, url: &Url, body: &impl serde::Serialize) -> Result<(), Unsent> {
        let request = self.http.post(url.clone()).bearer_auth(self.token.expose()).json(body);
        let answer = request.send().await.map_err(|_| Unsent::Unreachable)?;
        if answer.status().is_success() { Ok(()) } else { Err(Unsent::Refused(answer.status().as_u16())) }
    }
}

impl Messenger for RemoteMessenger {
    fn send<'a>(&'a self, to: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(async move { self.post(&self.url, &serde_json::json!({"to": to, "text": text})).await })
    }

    fn send_mail<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), Unsent>> {
        Box::pin(async move {
            match &self.mail_url {
                Some(url) => self.post(url, letter).await,
                None => Err(Unsent::NoMail),
            }
        })
    }
}

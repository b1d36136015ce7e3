//! Other issuers of electronic receipts: the adapter through which an agency's receipts are ordered where it does not have
//! them from here.
//!
//! An order is known by payment and kind, or by refund and kind where it adjusts a receipt that the issuer made: the same order
//! again gives the same receipt. What is not answered is not known, and is ordered again under the same key; a receipt is never
//! ordered elsewhere meanwhile.

use crate::base::secret::Secret;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Who takes orders for receipts.
pub trait ReceiptIssuers: Send + Sync {
    /// Orders a receipt at an issuer.
    fn order<'a>(&'a self, at: &'a Issuer, order: &'a Order) -> BoxFuture<'a, Result<Provided, NotProvided>>;
}

/// An issuer, and what we present there.
pub struct Issuer {
    /// Its address.
    pub url: Url,
    /// The bearer token.
    pub token: Secret<Vec<u8>>,
}

/// An order for one receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Payment and kind, or refund and kind: the same at every attempt.
    pub key: String,
    /// The agency's code.
    pub agency: String,
    /// `phi` or `le_phi`.
    pub kind: String,
    /// Whose name it shall bear.
    pub name: String,
    /// The tax code.
    pub tax_code: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// The dossier.
    pub dossier: String,
    /// The bill's reference.
    pub reference: String,
    /// Each fee: code, name, count, whole đồng.
    pub lines: Vec<(String, String, u32, i64)>,
    /// Their sum.
    pub total: i64,
    /// When the money settled, or went back (RFC 3339).
    pub paid_at: String,
    /// What it takes back from, where it does: then lines and total say how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adjusts: Option<Adjusted>,
}

/// A receipt of the same issuer of which a part is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjusted {
    /// The form's number.
    pub form: String,
    /// The series.
    pub series: String,
    /// The number.
    pub number: String,
    /// The law by which the money went back.
    pub legal_basis: String,
}

/// A receipt that an issuer made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Provided {
    /// The form's number.
    pub form: String,
    /// The series.
    pub series: String,
    /// The number.
    pub number: String,
    /// When it was made (RFC 3339).
    pub issued_at: String,
    /// Where it may be looked up.
    pub lookup: String,
}

/// Why there is no receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotProvided {
    /// Nobody answered, or not in time, or nothing that can be read: whether it was made is not known.
    #[error("the issuer of receipts did not answer")]
    Silence,
    /// It does not make this one.
    #[error("the issuer of receipts answered {0}")]
    Refused(u16),
}

impl NotProvided {
    /// The word in rows.
    pub fn word(self) -> String {
        match self {
            Self::Silence => "silence".to_owned(),
            Self::Refused(status) => format!("http_{status}"),
        }
    }
}

/// Orders over HTTP: `POST` of the order under `Idempotency-Key`, with a bearer token.
pub struct RemoteReceiptIssuers(reqwest::Client);

impl RemoteReceiptIssuers {
    /// Orders that give up after `timeout`.
    pub fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self(http))
    }

    async fn ask(&self, at: &Issuer, order: &Order) -> Result<Provided, NotProvided> {
        let token = String::from_utf8_lossy(at.token.expose()).into_owned();
        let request =
            self.0.post(at.url.clone()).bearer_auth(token).header("idempotency-key", &order.key).json(order);
        let answer = request.send().await.map_err(|_| NotProvided::Silence)?;
        match answer.status().as_u16() {
            200 | 201 => read(answer).await,
            status @ 400..=499 => Err(NotProvided::Refused(status)),
            _ => Err(NotProvided::Silence),
        }
    }
}

/// A receipt in an answer of bounded size.
async fn read(mut answer: reqwest::Response) -> Result<Provided, NotProvided> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|_| NotProvided::Silence)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(NotProvided::Silence);
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|_| NotProvided::Silence)
}

impl ReceiptIssuers for RemoteReceiptIssuers {
    fn order<'a>(&'a self, at: &'a Issuer, order: &'a Order) -> BoxFuture<'a, Result<Provided, NotProvided>> {
        Box::pin(self.ask(at, order))
    }
}

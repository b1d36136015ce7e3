//! Messages on their way from the central bank to the service: queued with the faults that were scripted, repeated
//! with growing pauses until they are acknowledged.

use super::Sandbox;
use super::book::{Book, Fact, Outgoing, moment, notification};
use super::fault::Kind;
use crate::base::clock::Instant;
use crate::base::money::Money;
use crate::codec::http_signature::{Answer, Headers, Request, sign_request, verify_answer};
use crate::codec::iso20022::{CONTENT_TYPE as XML, EndToEndId, Header, Message, read, write};
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;

/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How long the loop sleeps when nobody wakes it.
const TICK: Duration = Duration::from_millis(250);

/// A message to be queued.
pub(super) struct Letter {
    /// The message.
    pub xml: String,
    /// The beginning of its definition's name.
    pub kind: &'static str,
    /// The payment that it is about.
    pub payment: Option<EndToEndId>,
}

impl Sandbox {
    /// Delivers for ever; whoever starts the sandbox runs this beside the router.
    pub async fn deliver_forever(&self) {
        loop {
            self.deliver_due().await;
            // A message may be due later, so the clock counts as well as the bell.
            _ = tokio::time::timeout(TICK, self.wake.notified()).await;
        }
    }

    /// Tries every message that is due now once, the oldest first; returns how many were acknowledged.
    pub async fn deliver_due(&self) -> usize {
        let now = self.now();
        self.expire(now);
        let mut acknowledged = 0;
        loop {
            let next = self.book().next_due(now).cloned();
            let Some(message) = next else { return acknowledged };
            let outcome = self.send(&message, now).await;
            let mut book = self.book();
            match outcome {
                Some(outcome) => {
                    acknowledged += usize::from(outcome == ACKNOWLEDGED);
                    self.record(&mut book, &Fact::Finished { number: message.number, outcome });
                }
                None => book.tried(message.number, now + pause(message.attempts)),
            }
        }
    }

    /// Queues messages in their order, as far as the scripted faults let them be.
    pub(super) fn queue(&self, book: &mut Book, mut letters: Vec<Letter>, now: Instant) {
        let credit = letters.iter().position(|letter| letter.kind == "camt.054");
        if let Some(at) = credit
            && at > 0
            && self.faults().strike(Kind::Reorder, "camt.054", letters[at].payment).is_some()
        {
            letters.swap(at - 1, at);
        }
        for letter in letters {
            let mut faults = self.faults();
            let mut strike = |kind| faults.strike(kind, letter.kind, letter.payment);
            if strike(Kind::Lose).is_some() {
                continue;
            }
            let delay =
                strike(Kind::Delay).map_or(Duration::ZERO, |f| Duration::from_millis(f.delay_ms.into()));
            let corrupt = strike(Kind::Corrupt).is_some();
            let mut copies = vec![letter.xml.clone()];
            if strike(Kind::Double).is_some() {
                copies.push(letter.xml.clone());
            }
            if let Some(fault) = strike(Kind::Alter) {
                copies.extend(altered(&letter.xml, fault.amount));
            }
            drop(faults);
            for xml in copies {
                let number = book.outgoing().len() as u64 + 1;
                self.record(book, &Fact::Queued { number, xml, due: moment(now + delay), corrupt });
            }
        }
    }

    /// One attempt: the outcome, or nothing if it must be tried again.
    async fn send(&self, message: &Outgoing, now: Instant) -> Option<String> {
        let inbox = self.settings.inbox.clone();
        let body = message.xml.as_bytes();
        let request = Request { method: "POST", target_uri: inbox.as_str(), content_type: XML, body };
        let (headers, signature) = sign_request(&request, &*self.settings.key, now);
        let body = if message.corrupt {
            message.xml.replacen("Document", "Dokument", 1)
        } else {
            message.xml.clone()
        };
        let sent = self
            .http
            .post(inbox.clone())
            .header(CONTENT_TYPE, XML)
            .header("content-digest", headers.content_digest)
            .header("signature-input", headers.signature_input)
            .header("signature", headers.signature)
            .body(body)
            .send();
        let response = sent.await.ok()?;
        let status = response.status();
        let text = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let headers = Headers {
            content_digest: text("content-digest")?,
            signature_input: text("signature-input")?,
            signature: text("signature")?,
        };
        let body = response.bytes().await.ok().filter(|body| body.len() <= ANSWER_BYTES_MAX)?;
        let answer = Answer { status: status.as_u16(), body: &body };
        verify_answer(&answer, &signature, &headers, &self.settings.service_keys, self.now()).ok()?;
        if status.is_success() {
            return Some(ACKNOWLEDGED.to_owned());
        }
        let Message::MessageReject(reject) = read(&body, ANSWER_BYTES_MAX).ok()?.message else { return None };
        status.is_client_error().then(|| reject.code.to_string())
    }
}

const ACKNOWLEDGED: &str = "acknowledged";

fn pause(attempts: u32) -> Duration {
    Duration::from_secs(1 << attempts.min(6)).min(PAUSE_MAX)
}

/// The same notification under the same identifier with another amount.
fn altered(xml: &str, more: i64) -> Option<String> {
    let header: Header = read(xml.as_bytes(), super::book::MESSAGE_BYTES_MAX).ok()?.header;
    let mut credit = notification(xml)?;
    for entry in &mut credit.entries {
        entry.amount = entry.amount.plus(Money::vnd(more)).ok().filter(|amount| amount.is_positive())?;
    }
    Some(write(&header, &Message::CreditNotification(credit)))
}

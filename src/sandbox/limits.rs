//! What a member bank can settle: how much in one transfer, and how much liquidity it has left. `POST
//! /script/banks/{bank}/limits` with `{"transfer_max": 100000, "liquidity": 0}` sets either; a member without limits can
//! settle anything.
//!
//! What is beyond the bank's limit is refused with `AM14`. What its liquidity does not cover waits: the payer has agreed,
//! the service hears that it is pending, and it settles in order as soon as there is liquidity. What still waits when the
//! business day is closed is refused with `AM23`.

use super::Sandbox;
use super::book::Decision;
use super::central_bank::NotDecided;
use super::delivery::Letter;
use crate::base::clock::Instant;
use crate::codec::iso20022::{AboutWhat, EndToEndId, MemberId, Message, PaymentStatus, TransactionStatus};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the members can settle.
#[derive(Debug, Default)]
pub struct Limits(BTreeMap<String, Member>);

#[derive(Debug, Default)]
struct Member {
    transfer_max: Option<i64>,
    liquidity: Option<i64>,
    waiting: Vec<EndToEndId>,
}

/// What becomes of an approved payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settling {
    /// It settles.
    Now,
    /// It waits for liquidity.
    Waits,
    /// It is beyond the bank's limit.
    TooMuch,
}

impl Limits {
    /// Decides an approved payment, and takes its liquidity.
    fn settle(&mut self, bank: &str, id: EndToEndId, amount: i64) -> Settling {
        let Some(member) = self.0.get_mut(bank) else { return Settling::Now };
        if member.transfer_max.is_some_and(|max| amount > max) {
            return Settling::TooMuch;
        }
        match &mut member.liquidity {
            None => Settling::Now,
            // Whoever waits goes first.
            Some(left) if member.waiting.is_empty() && *left >= amount => {
                *left -= amount;
                Settling::Now
            }
            Some(_) => {
                member.waiting.push(id);
                Settling::Waits
            }
        }
    }

    /// Takes the next waiting payment of a bank that its liquidity covers.
    fn next(&mut self, bank: &str, amount_of: impl Fn(EndToEndId) -> Option<i64>) -> Option<EndToEndId> {
        let member = self.0.get_mut(bank)?;
        let first = *member.waiting.first()?;
        // What has lapsed meanwhile takes no liquidity.
        let amount = amount_of(first).unwrap_or(0);
        match &mut member.liquidity {
            Some(left) if *left < amount => return None,
            Some(left) => *left -= amount,
            None => {}
        }
        Some(member.waiting.remove(0))
    }

    /// Forgets what waits everywhere.
    fn give_up(&mut self) -> Vec<EndToEndId> {
        self.0.values_mut().flat_map(|member| std::mem::take(&mut member.waiting)).collect()
    }

    fn is_waiting(&self, id: EndToEndId) -> bool {
        self.0.values().any(|member| member.waiting.contains(&id))
    }
}

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new().route("/script/banks/{bank}/limits", post(set).get(show))
}

impl Sandbox {
    /// The payer agrees: the bank settles, waits for liquidity, or must refuse.
    pub(super) fn agree(&self, bank: &MemberId, id: EndToEndId, now: Instant) -> Result<(), NotDecided> {
        let mut book = self.book();
        let asked = book.request(id).ok_or(NotDecided::NotFound)?.clone();
        let mut limits = self.limits();
        if limits.is_waiting(id) {
            return Err(NotDecided::NotOpen);
        }
        let settling = limits.settle(bank.as_str(), id, asked.request.amount.minor());
        drop(limits);
        match settling {
            Settling::Now => self.decided(&mut book, id, None, now),
            Settling::TooMuch => self.decided(&mut book, id, Some("AM14".to_owned()), now),
            Settling::Waits => {
                self.observed().waited.insert(id);
                let pending = Message::PaymentStatus(PaymentStatus {
                    inquiry: None,
                    about: AboutWhat::Request,
                    original: asked.message,
                    end_to_end_id: id,
                    uetr: Some(asked.request.uetr),
                    status: TransactionStatus::Pending,
                    accepted: None,
                    clearing_reference: None,
                });
                let letter = Letter { xml: self.compose(&pending), kind: "pacs.002", payment: Some(id) };
                self.queue(&mut book, vec![letter], now);
            }
        }
        drop(book);
        self.wake.notify_one();
        Ok(())
    }

    /// Settles what waits, as far as the liquidity of that bank goes.
    fn settle_waiting(&self, bank: &str, now: Instant) {
        let mut book = self.book();
        loop {
            let open = |id| {
                let asked = book.request(id).filter(|asked| asked.decision == Decision::Waiting);
                asked.map(|asked| asked.request.amount.minor())
            };
            let Some(id) = self.limits().next(bank, open) else { break };
            if open(id).is_some() {
                self.decided(&mut book, id, None, now);
            }
        }
        drop(book);
        self.wake.notify_one();
    }

    /// The business day is over: what waited for liquidity is refused.
    pub(super) fn give_up_waiting(&self, now: Instant) {
        let waited = self.limits().give_up();
        let mut book = self.book();
        for id in waited {
            if book.request(id).is_some_and(|asked| asked.decision == Decision::Waiting) {
                self.decided(&mut book, id, Some("AM23".to_owned()), now);
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsText {
    #[serde(default)]
    transfer_max: Option<i64>,
    #[serde(default)]
    liquidity: Option<i64>,
}

async fn set(
    State(sandbox): State<Arc<Sandbox>>,
    Path(bank): Path<String>,
    Json(text): Json<LimitsText>,
) -> Response {
    let known = bank.parse::<MemberId>().ok().and_then(|member| super::member_bank::name(&member)).is_some();
    let negative = [text.transfer_max, text.liquidity].into_iter().flatten().any(|dong| dong < 0);
    if !known {
        return StatusCode::NOT_FOUND.into_response();
    }
    if negative {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    {
        let mut limits = sandbox.limits();
        let member = limits.0.entry(bank.clone()).or_default();
        (member.transfer_max, member.liquidity) = (text.transfer_max, text.liquidity);
    }
    sandbox.settle_waiting(&bank, sandbox.now());
    Json(shown(&sandbox, &bank)).into_response()
}

async fn show(State(sandbox): State<Arc<Sandbox>>, Path(bank): Path<String>) -> Json<Value> {
    Json(shown(&sandbox, &bank))
}

fn shown(sandbox: &Sandbox, bank: &str) -> Value {
    let limits = sandbox.limits();
    let member = limits.0.get(bank);
    let waiting = member.map_or(&[][..], |member| &member.waiting);
    json!({
        "transfer_max": member.and_then(|member| member.transfer_max),
        "liquidity": member.and_then(|member| member.liquidity),
        "waiting": waiting.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn what_waits_goes_first_and_in_order() {
        let id = |n| EndToEndId(Uuid::from_u128(n));
        let mut limits = Limits::default();
        assert_eq!(limits.settle("970436", id(1), 5), Settling::Now);
        limits.0.insert(
            "970436".to_owned(),
            Member { transfer_max: Some(9), liquidity: Some(6), waiting: vec![] },
        );
        assert_eq!(limits.settle("970436", id(1), 10), Settling::TooMuch);
        assert_eq!(limits.settle("970436", id(1), 5), Settling::Now);
        assert_eq!(limits.settle("970436", id(2), 5), Settling::Waits);
        assert_eq!(limits.settle("970436", id(3), 1), Settling::Waits, "nobody overtakes");
        assert_eq!(limits.next("970436", |_| Some(5)), None);
        limits.0.get_mut("970436").unwrap().liquidity = Some(5);
        assert_eq!(limits.next("970436", |_| Some(5)), Some(id(2)));
        assert_eq!(limits.next("970436", |_| Some(1)), None);
        assert!(limits.is_waiting(id(3)));
        assert_eq!(limits.give_up(), [id(3)]);
    }
}

//! Counting what strangers could do to a number: typing it, sending codes for it, guessing them.
//!
//! Known and unknown numbers are counted alike. A browser in which the number's holder signed in before is counted
//! for itself and under no other rule.

use super::Result;
use crate::app::App;
use crate::base::{
    address::counted,
    clock::Instant,
    id::{Client, Id},
    secret::Token,
};
use crate::crypto::digest::{Digest, sha256, sha256_parts};
use crate::identity::limit::{Act, Limited, Rule, Subject, admit, rules_of};
use crate::store::{
    Tx,
    code_counter::{self, Counted},
    familiar,
};
use std::net::IpAddr;
use uuid::Uuid;

/// The browser that a request came from.
pub struct Visitor {
    /// Its network address.
    pub address: IpAddr,
    /// What it keeps from earlier sign-ins.
    pub browser: Option<Token>,
}

impl Visitor {
    /// The digest under which rows know the browser.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.browser.as_ref().map(|token| sha256(token.expose().as_bytes()))
    }
}

/// What is about to be counted.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    /// What is done.
    pub(super) acts: &'a [Act],
    /// To which number.
    pub(super) number_hash: &'a Digest,
    /// At which portal; `None` at a page of ours.
    pub(super) client: Option<Id<Client>>,
    /// By whom.
    pub(super) visitor: &'a Visitor,
}

/// Counts an attempt; answers the limit that it breaks. The caller commits either way.
pub(super) async fn count(
    app: &App,
    tx: &mut Tx,
    attempt: Attempt<'_>,
    now: Instant,
) -> Result<Option<Limited>> {
    let counters = counters(app, tx, attempt).await?;
    let shard = i16::from(attempt.number_hash[0] % 16);
    let counts = code_counter::count(tx, &counters, shard, now).await?;
    Ok(admit(&counts, |rule| max_of(app, rule), 0, now).err())
}

/// Answers the limit that one more attempt would break, and counts nothing.
pub(super) async fn check(
    app: &App,
    tx: &mut Tx,
    attempt: Attempt<'_>,
    now: Instant,
) -> Result<Option<Limited>> {
    let counters = counters(app, tx, attempt).await?;
    let counts = code_counter::read(tx, &counters, now).await?;
    Ok(admit(&counts, |rule| max_of(app, rule), 1, now).err())
}

/// The number of a rule, as it is configured.
fn max_of(app: &App, rule: &Rule) -> i64 {
    match rule.word {
        "send_number" | "send_familiar" => app.limits.codes_per_number_max.into(),
        "ask_address" => app.limits.codes_per_address_max.into(),
        "ask_portal" => app.limits.codes_per_portal_max.into(),
        _ => rule.max,
    }
}

async fn counters(app: &App, tx: &mut Tx, attempt: Attempt<'_>) -> Result<Vec<Counted>> {
    let Attempt { acts, number_hash, client, visitor } = attempt;
    // Without a cookie one is asked for that nobody has, so that the time tells nothing.
    let browser = visitor.digest().unwrap_or_else(|| sha256(number_hash));
    let familiar = familiar::knows(tx, &browser, number_hash).await?;
    let key = |rule: &'static Rule| {
        let key = match rule.subject {
            Subject::Number => number_hash.to_vec(),
            Subject::Familiar => sha256_parts(&[number_hash, &browser]).to_vec(),
            Subject::Address => address_key(app, visitor.address),
            Subject::Portal => client.map_or(Uuid::nil(), Id::uuid).as_bytes().to_vec(),
        };
        (rule, key)
    };
    Ok(rules_of(acts, familiar).into_iter().map(key).collect())
}

/// The keyed hash under which a network address is counted.
pub(super) fn address_key(app: &App, address: IpAddr) -> Vec<u8> {
    app.keys.lookup("address", counted(address).to_string().as_bytes()).to_vec()
}

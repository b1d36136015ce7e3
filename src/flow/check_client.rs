//! A client's self-test: what of its registration does not hold, what will end soon, and what it did wrong last, so
//! that its developer knows what to do next without asking anybody.

use super::{Error, Result};
use crate::app::App;
use crate::base::{
    calendar::rfc3339,
    clock::Instant,
    id::{self, Id},
    text::Lang,
};
use crate::identity::client::{Client, Credential};
use crate::store::{client_care, portal};
use crate::text::Texts;
use serde_json::{Value, json};
use time::Duration;

/// How early the end of something is a warning.
const SOON: Duration = Duration::days(60);
/// How long a refusal is worth showing after it was followed by none.
const RECENT: Duration = Duration::days(7);

/// The steps whose refusals are noted, in the order in which a sign-in takes them.
pub const STEPS: [&str; 6] = ["authenticate", "push", "authorize", "token", "introspect", "counter"];

/// A refusal in the words that it was answered with.
pub struct Answered<'a> {
    /// The error code.
    pub code: &'a str,
    /// The description.
    pub reason: &'a str,
}

/// Notes a refusal of a client's request, in the words that it was answered with.
pub async fn note_refusal(app: &App, client: Id<id::Client>, step: &'static str, refusal: &Answered<'_>) {
    let noted =
        client_care::note_refusal(&app.store, client, step, (refusal.code, refusal.reason), app.clock.now());
    if let Err(error) = noted.await {
        tracing::warn!(?error, %client, step, "a refusal was not noted for the self-test");
    }
}

/// The self-test of a client, by its identifier.
pub async fn check_client(app: &App, client: Id<id::Client>) -> Result<Value> {
    let known = portal::find(&app.store, client).await?.ok_or(Error::not_found())?;
    check(app, &known).await
}

/// The self-test of a client.
pub async fn check(app: &App, client: &Client) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let refusals = client_care::refusals(&mut tx, client.id).await?;
    let exchanged = client_care::last_exchange(&mut tx, client.id).await?;
    tx.commit().await?;
    let is_portal = !client.redirect_uris.is_empty();
    let mut findings = vec![standing(client, now), keys(client, now)];
    if is_portal {
        findings.push(addresses(app, client));
        findings.push(match &client.terms.logout_told_at {
            Some(_) => Finding::passed("logout"),
            None => Finding { state: "warning", ..Finding::passed("logout") },
        });
        findings.push(match exchanged {
            Some(at) => Finding { at: Some(at), ..Finding::passed("sign_in") },
            None => Finding { state: "open", ..Finding::passed("sign_in") },
        });
    }
    for step in STEPS {
        let last = refusals.iter().find(|refusal| refusal.step == step);
        if let Some(last) = last.filter(|last| now < last.refused_at + RECENT) {
            // Whoever got tokens afterwards has mended it.
            let mended = exchanged.is_some_and(|at| at > last.refused_at);
            findings.push(Finding {
                check: step,
                state: if mended { "passed" } else { "failed" },
                reason: Some(format!("{}: {}", last.code, last.reason)),
                at: Some(last.refused_at),
            });
        }
    }
    let ready = findings.iter().all(|finding| finding.state == "passed" || finding.state == "warning");
    Ok(json!({
        "client": client.id.to_string(),
        "profile": client.terms.profile.word(),
        "ready": ready,
        "checks": findings.iter().map(Finding::json).collect::<Vec<_>>(),
    }))
}

struct Finding {
    check: &'static str,
    state: &'static str,
    reason: Option<String>,
    at: Option<Instant>,
}

impl Finding {
    const fn passed(check: &'static str) -> Self {
        Self { check, state: "passed", reason: None, at: None }
    }

    fn json(&self) -> Value {
        let text = |key: &str| {
            let in_lang = |lang| Texts::embedded().get(lang, key).into_owned();
            json!({ "vi": in_lang(Lang::Vi), "en": in_lang(Lang::En) })
        };
        let advice = (self.state != "passed").then(|| text(&format!("check-{}-next", self.check)));
        json!({
            "check": self.check,
            "title": text(&format!("check-{}", self.check)),
            "state": self.state,
            "reason": self.reason,
            "at": self.at.map(rfc3339),
            "next": advice,
        })
    }
}

fn standing(client: &Client, now: Instant) -> Finding {
    use crate::identity::client::Standing;
    let passed = Finding::passed("standing");
    match (client.may_act(now), client.standing) {
        (Err(barred), _) => Finding { state: "failed", reason: Some(barred.word().to_owned()), ..passed },
        (Ok(()), Standing::Active { until: Some(end) }) if end <= now + SOON => {
            Finding { state: "warning", reason: Some("expires_soon".to_owned()), at: Some(end), ..passed }
        }
        (Ok(()), _) => passed,
    }
}

fn keys(client: &Client, now: Instant) -> Finding {
    let passed = Finding::passed("keys");
    let Credential::PrivateKeyJwt { keys } = &client.credential else { return passed };
    let good: Vec<_> = keys.iter().filter(|key| key.may_prove(now).is_ok()).collect();
    // What matters is when the last good key ends.
    let ends: Option<Vec<Instant>> = good.iter().map(|key| key.until).collect();
    let last = ends.and_then(|ends| ends.into_iter().max());
    if good.is_empty() {
        Finding { state: "failed", reason: Some("no_key_is_good".to_owned()), ..passed }
    } else if let Some(end) = last.filter(|end| *end <= now + SOON) {
        Finding { state: "warning", reason: Some("expires_soon".to_owned()), at: Some(end), ..passed }
    } else {
        passed
    }
}

/// In production nobody is sent to a loopback address.
fn addresses(app: &App, client: &Client) -> Finding {
    let local = client
        .redirect_uris
        .iter()
        .find(|uri| app.origin.is_production() && uri.as_str().starts_with("http:"));
    match local {
        Some(uri) => Finding {
            state: "warning",
            reason: Some(format!("loopback: {uri}")),
            ..Finding::passed("redirect_uris")
        },
        None => Finding::passed("redirect_uris"),
    }
}

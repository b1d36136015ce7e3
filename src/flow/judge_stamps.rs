//! Stamps that were kept are judged again, with the revocation lists that the operator has by now: what was not known when a
//! stamp was taken may be known today. Nothing that was kept changes; what is told beside it is today's.
//!
//! A certificate that was revoked by the time of the stamp takes it with it, and so does one whose key is no longer trusted,
//! whenever that was said; one that was given up in order later leaves it as it is (RFC 3161 section 4, RFC 5280).

use super::{
    Result,
    stamp_heads::{CLEAR, Given, Stamping},
};
use crate::app::App;
use crate::base::{calendar::rfc3339, clock::Instant};
use crate::codec::{
    revocation::{Revocation, RevocationLists},
    time_stamp::{self, Trust},
};
use crate::crypto::digest::sha256;
use crate::store::head_stamp as stamps;
use serde_json::{Value, json};

/// How many stamps are read at a time.
const AT_ONCE: i64 = 200;

/// What is to be said of a kept stamp today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether it is believed still.
    pub stands: bool,
    /// What the lists show: `clear`, or why it is unknown; of one that fell, why.
    pub word: String,
    /// When the oldest of those lists was made.
    pub lists_of: Option<Instant>,
}

/// What stamps are judged by today: the trusted certificates, and the lists as they are now.
pub struct Judge<'a> {
    app: &'a App,
    lists: RevocationLists,
}

impl<'a> Judge<'a> {
    /// Reads the lists if any of these was stamped.
    pub async fn of_any(app: &'a App, of: impl IntoIterator<Item = &Stamping>) -> Option<Self> {
        let stamped = of.into_iter().any(|one| matches!(one, Stamping::Stamped(_)));
        if stamped { Self::open(app).await } else { None }
    }

    /// Reads the lists; nobody judges where no authority is configured.
    pub async fn open(app: &'a App) -> Option<Self> {
        let lists = match app.time_stamps.as_ref()?.lists.read().await {
            Ok(lists) => lists,
            Err(why) => {
                tracing::warn!(%why, "revocation lists");
                RevocationLists::default()
            }
        };
        Some(Self { app, lists })
    }

    /// Judges the stamp of a head that was signed so.
    pub fn judge(&self, signed: &str, given: &Given) -> Option<Judged> {
        let anchors = &self.app.time_stamps.as_ref()?.anchors;
        let trust = Trust { anchors, lists: &self.lists, now: self.app.clock.now() };
        let stamp = time_stamp::verify(&given.answer, &sha256(signed.as_bytes()), None, trust);
        Some(match stamp.map(|stamp| stamp.revocation) {
            Ok(Revocation::Clear { as_of }) => {
                Judged { stands: true, word: CLEAR.to_owned(), lists_of: Some(as_of) }
            }
            Ok(Revocation::Unknown(why)) => {
                Judged { stands: true, word: why.word().to_owned(), lists_of: None }
            }
            Err(why) => Judged { stands: false, word: why.word().to_owned(), lists_of: None },
        })
    }
}

/// How today's judgement is told.
pub(super) fn judged_json(judged: &Judged) -> Value {
    json!({
        "stands": judged.stands,
        "revocation": judged.word,
        "lists_of": judged.lists_of.map(rfc3339),
    })
}

/// What came of judging every stamp that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Stamps that are believed, and of whose signer lists show that it was not revoked.
    pub clear: u64,
    /// Stamps that are believed, and of whose signer no list shows it.
    pub unknown: u64,
    /// Those that are believed no more: how large the log was, and why.
    pub fallen: Vec<(u64, String)>,
}

/// Judges every stamp that was kept; nothing where no authority is configured.
pub async fn judge_stamps(app: &App) -> Result<Option<Report>> {
    let Some(judge) = Judge::open(app).await else { return Ok(None) };
    let (mut report, mut after) = (Report::default(), 0);
    loop {
        let mut tx = app.store.begin().await?;
        let kept = stamps::kept(&mut tx, after, AT_ONCE).await?;
        tx.commit().await?;
        let Some((last, ..)) = kept.last() else { return Ok(Some(report)) };
        after = *last;
        for (size, signed, given) in &kept {
            match judge.judge(signed, given) {
                Some(judged) if !judged.stands => report.fallen.push((*size, judged.word)),
                Some(judged) if judged.word == CLEAR => report.clear += 1,
                _ => report.unknown += 1,
            }
        }
    }
}

//! Answers portals that forbid pages: many requests at once, one look at who sits at each browser, and nothing written.
//!
//! What is decided here is decided again when the code is exchanged, behind the holds that make it final; until then the
//! code carries it ([`super::carried_code`]). A refusal leaves no mark either: nobody was troubled. Only a pushed request
//! is used up by its answer.

use super::{Result, disclosure, population, undone};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Citizen, Id},
};
use crate::batch::Undone;
use crate::crypto::digest::Digest;
use crate::identity::{
    carried::{Answered, Silent},
    lock::{Lock, Use, forbidding},
    pseudonym::Subject,
    request::ErrorCode,
};
use crate::store::{
    carried::{self, Present},
    lock as locks, pseudonym,
};
use std::collections::{BTreeMap, BTreeSet};

/// Told to the portal where only a page would help.
const PAGE_NEEDED: &str = "a page is needed, and prompt=none forbids it";
/// Told to the portal where register or locks stop the person.
const BARRED: &str = "this person may not sign in at present";
/// Told to the portal that may not act any more.
const NOT_ALLOWED: &str = "this sign-in is not allowed at present";

/// Answers each request, in order. Where something of one of them fails the look at all, each is looked at by itself.
pub async fn answer_all(app: &App, asked: Vec<Silent>) -> Vec<std::result::Result<Answered, Undone>> {
    match answer_together(app, &asked).await {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(super::Error::Internal(_)) if asked.len() > 1 => {
            let mut answers = Vec::with_capacity(asked.len());
            for one in asked.chunks(1) {
                let alone = answer_together(app, one).await.map_err(|error| undone(&error));
                answers.push(alone.and_then(|mut answers| answers.pop().ok_or(Undone::Failed)));
            }
            answers
        }
        Err(error) => vec![Err(undone(&error)); asked.len()],
    }
}

async fn answer_together(app: &App, asked: &[Silent]) -> Result<Vec<Answered>> {
    let now = app.clock.now();
    let found = carried::present(&app.store, asked, now).await?;
    let standing = standing_locks(app, &found).await?;
    let mut answers = Vec::with_capacity(asked.len());
    let mut unnamed = Vec::new();
    for (silent, present) in asked.iter().zip(found) {
        let Some(present) = present else {
            answers.push(Answered::Nobody);
            continue;
        };
        let citizen = present.session.citizen;
        let locks = standing.get(&citizen).map(Vec::as_slice).unwrap_or_default();
        let nameless = present.subject.is_none();
        let answer = decide(app, silent, present, locks, now)?;
        if nameless && matches!(answer, Answered::Agreed { .. }) {
            unnamed.push((citizen, &silent.client.sector, Subject::new(&*app.entropy)));
        }
        answers.push(answer);
    }
    if !unnamed.is_empty() {
        unnamed.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        unnamed.dedup_by(|a, b| (a.0, a.1) == (b.0, b.1));
        pseudonym::keep_all(&app.store, &unnamed, now).await?;
    }
    use_up(app, asked, &mut answers, now).await?;
    Ok(answers)
}

/// The locks of those who have any: one more statement, and none where nobody has.
async fn standing_locks(app: &App, found: &[Option<Present>]) -> Result<BTreeMap<Id<Citizen>, Vec<Lock>>> {
    let holders = found.iter().flatten().filter_map(|present| present.holder.as_ref());
    let locked: Vec<_> = holders.filter(|holder| holder.has_locks).map(|holder| holder.citizen).collect();
    if locked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut tx = app.store.begin().await?;
    Ok(locks::of_citizens(&mut tx, &locked).await?)
}

fn decide(app: &App, silent: &Silent, present: Present, locks: &[Lock], now: Instant) -> Result<Answered> {
    let Silent { client, request, .. } = silent;
    let Present { session, active, holder, subject, consent } = present;
    let forbids = |what| forbidding(locks, what, Day::of(now)).is_some();
    if !session.is_live(now) || forbids(Use::Page(session.method)) {
        return Ok(Answered::Nobody);
    }
    if !session.answers(&request.wanted(), now) {
        return Ok(Answered::Refused(ErrorCode::LoginRequired, PAGE_NEEDED));
    }
    let open = match &holder {
        Some(row) => disclosure::is_open(&population::open_row(app, row)?.person),
        None => false,
    };
    if !open || forbids(Use::Portal(client.id, session.method)) {
        return Ok(Answered::Refused(ErrorCode::AccessDenied, BARRED));
    }
    if request.hint_subject.is_some() && subject != request.hint_subject {
        return Ok(Answered::Refused(ErrorCode::LoginRequired, PAGE_NEEDED));
    }
    let offer = client.policy.offer(&request.asked);
    let Some(consent) = consent.filter(|before| before.covers(&offer)) else {
        return Ok(Answered::Refused(ErrorCode::ConsentRequired, PAGE_NEEDED));
    };
    if !active {
        return Ok(Answered::Refused(ErrorCode::AccessDenied, NOT_ALLOWED));
    }
    Ok(Answered::Agreed { confirmation: session.confirms(), consent: consent.id })
}

/// A pushed request is answered once: of several browsers that brought it the first is, here or at another node.
async fn use_up(app: &App, asked: &[Silent], answers: &mut [Answered], now: Instant) -> Result<()> {
    let answered = |(silent, answer): (&Silent, &Answered)| match answer {
        Answered::Nobody => None,
        Answered::Over | Answered::Refused(..) | Answered::Agreed { .. } => silent.pushed,
    };
    let pushed: BTreeSet<Digest> = asked.iter().zip(&*answers).filter_map(answered).collect();
    if pushed.is_empty() {
        return Ok(());
    }
    let pushed: Vec<Digest> = pushed.into_iter().collect();
    let mut first = carried::use_up_pushed(&app.store, &pushed, now).await?;
    for (silent, answer) in asked.iter().zip(answers) {
        if let Some(digest) = answered((silent, &*answer))
            && !first.remove(&digest)
        {
            *answer = Answered::Over;
        }
    }
    Ok(())
}

//! Answers portals that forbid pages: many requests at once, one look at who sits at each browser, and nothing written.
//!
//! What is decided here is decided again when the code is exchanged, behind the holds that make it final; until then the
//! code carries it ([`super::carried_code`]). A refusal leaves no mark either: nobody was troubled. Only a pushed request
//! is used up by its answer.

use super::{Result, disclosure, population, redeem_codes::locked, together::together_or_apart};
use crate::app::App;
use crate::base::{calendar::Day, clock::Instant};
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

/// Answers each request, in order.
pub async fn answer_all(app: &App, asked: Vec<Silent>) -> Vec<std::result::Result<Answered, Undone>> {
    together_or_apart(&asked, |asked| answer_together(app, asked)).await
}

async fn answer_together(app: &App, asked: &[Silent]) -> Result<Vec<Answered>> {
    let now = app.clock.now();
    let found = carried::present(&app.store, asked, now).await?;
    let locked = locked(found.iter().flatten().map(|present| present.holder.as_ref()));
    let standing = match locked.is_empty() {
        true => BTreeMap::new(),
        false => locks::of_citizens(&mut app.store.begin().await?, &locked).await?,
    };
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

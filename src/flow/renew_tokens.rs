//! Renews the grants behind refresh tokens: many at once, one transaction, for all about which nothing is out of the
//! ordinary. Whatever is (a token that was used before, a person who acts for another, a consent taken back) is left to
//! [`super::refresh_tokens`], which looks at it by itself and has the words for it.

use super::{
    Result, grant_tokens, redeem_codes,
    refresh_tokens::{asked_of, narrowed},
    undone,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::batch::Undone;
use crate::crypto::digest::Digest;
use crate::identity::{
    authorization::{Authorization, Confirmation, State},
    lock::Use,
    renewal::{Granted, Renewed, Renewing},
};
use crate::store::{
    Tx, authorization,
    carried::{self, Held},
    lock as locks,
    refresh_token::{self, Shown},
};
use std::collections::{BTreeMap, BTreeSet};

/// Renews what it can, in order. A batch that fails by a mistake of ours is taken apart: each is looked at by itself.
pub async fn renew_all(app: &App, asked: Vec<Renewing>) -> Vec<std::result::Result<Renewed, Undone>> {
    match renew_together(app, &asked).await {
        Ok(renewed) => renewed.into_iter().map(Ok).collect(),
        Err(super::Error::Internal(cause)) => {
            tracing::error!(?cause, "a batch of refresh tokens is taken apart");
            vec![Ok(Renewed::ByItself); asked.len()]
        }
        Err(error) => vec![Err(undone(&error)); asked.len()],
    }
}

/// A token about which nothing is out of the ordinary so far.
struct Fit<'a> {
    place: usize,
    asked: &'a Renewing,
    shown: &'a Shown,
    authorization: &'a Authorization,
    confirmation: Confirmation,
}

async fn renew_together(app: &App, asked: &[Renewing]) -> Result<Vec<Renewed>> {
    let now = app.clock.now();
    let tokens: BTreeSet<Digest> = asked.iter().map(|one| one.token).collect();
    let tokens: Vec<Digest> = tokens.into_iter().collect();
    let mut tx = app.store.begin().await?;
    let ground = Ground::read(&mut tx, &tokens).await?;
    let mut taken = BTreeSet::new();
    let places = asked.iter().enumerate();
    // Whoever shows a token a second time comes after the one whose it is.
    let fit = places.filter_map(|(place, one)| ground.ordinary(app, place, one, now));
    let fit: Vec<Fit<'_>> = fit.filter(|fit| taken.insert(fit.asked.token)).collect();
    let mut renewed = vec![Renewed::ByItself; asked.len()];
    if fit.is_empty() {
        return Ok(renewed);
    }
    let of = fit.iter().map(|fit| (fit.confirmation.citizen, fit.asked.client));
    let standings = carried::standings(&mut tx, of, now).await?;
    let locked = redeem_codes::locked(standings.iter().map(|standing| standing.holder.as_ref()));
    let locks = locks::of_citizens(&mut tx, &locked).await?;
    let mut replaced = Vec::new();
    for (fit, standing) in fit.into_iter().zip(standings) {
        let locks = locks.get(&fit.confirmation.citizen).map(Vec::as_slice).unwrap_or_default();
        let what = Use::Portal(fit.asked.client, fit.confirmation.method);
        if !redeem_codes::may_go_on(app, &standing, (what, locks), now)? {
            continue;
        }
        let Some(subject) = standing.subject else { continue };
        if let Some(next) = fit.asked.next {
            replaced.push((fit.asked.token, next, fit.shown.stored));
        }
        let (authorization, confirmation) = (fit.authorization.clone(), fit.confirmation);
        let granted = Granted { authorization, confirmation, subject };
        renewed[fit.place] = Renewed::Granted(Box::new(granted));
    }
    if !replaced.is_empty() {
        refresh_token::replace_all(&mut tx, &replaced, now).await?;
        tx.commit().await?;
    }
    Ok(renewed)
}

/// What tokens are judged by.
struct Ground {
    held: BTreeMap<Id<id::Authorization>, Held>,
    families: BTreeMap<Id<id::Authorization>, Authorization>,
    shown: BTreeMap<Digest, Shown>,
}

impl Ground {
    /// What the families rest on is held before they are locked, in the order in which whatever ends them comes to them;
    /// the tokens are read under the lock, since somebody may have used one meanwhile.
    async fn read(tx: &mut Tx, tokens: &[Digest]) -> Result<Self> {
        let rests = refresh_token::rests_on(tx, tokens).await?;
        let of = rests.iter().map(|rests| (rests.citizen, rests.session, rests.consent));
        let held = carried::hold(tx, of).await?;
        let ids: Vec<_> = rests.iter().map(|rests| rests.authorization).collect();
        let families = authorization::lock_all(tx, &ids).await?;
        let held = ids.into_iter().zip(held).collect();
        let families = families.into_iter().map(|bound| (bound.authorization.id, bound.authorization));
        let shown = refresh_token::find_all(tx, tokens).await?;
        let shown = shown.into_iter().map(|shown| (shown.digest, shown));
        Ok(Self { held, families: families.collect(), shown: shown.collect() })
    }

    fn ordinary<'a>(&'a self, app: &App, place: usize, asked: &'a Renewing, now: Instant) -> Option<Fit<'a>> {
        let shown = self.shown.get(&asked.token)?;
        let authorization = self.families.get(&shown.stored.authorization)?;
        let State::Exchanged { confirmation, .. } = &authorization.state else { return None };
        // Whatever lasts outlives the session, but not what the person agreed to.
        let rests = self.held.get(&authorization.id).is_some_and(|held| held.whole && !held.withdrawn);
        let (scopes, resource) = asked_of(authorization, asked.client)?;
        let good = shown.stored.used_at.is_none() && now < shown.stored.expires_at && !shown.acting;
        let narrow = narrowed(scopes, asked.scope.as_deref()).is_ok();
        let meant = grant_tokens::audience(app, resource, asked.resource.as_deref()).is_ok();
        let confirmation = *confirmation;
        (rests && good && narrow && meant).then_some(Fit { place, asked, shown, authorization, confirmation })
    }
}

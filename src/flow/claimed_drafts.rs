//! Drafts of bills with what their idempotency keys say: which are new, which were issued before, and where each one's
//! answer stands.

use super::{
    Error, Result,
    claim::{Claim, Wanted, claim_all, give_back},
    create_bill::{Ground, Prepared},
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{self, Id},
    },
    payment::issue::{Draft, Outcome},
    store::Tx,
};
use std::collections::BTreeMap;

/// Where the answer to a draft stands: among those of what is issued now, or it is answered already.
pub(super) type Place = std::result::Result<usize, Outcome>;

/// Drafts with what their keys say, each for the bill that it will be.
pub(super) struct ClaimedDrafts<'a>(Vec<(&'a Draft, Id<id::Bill>, Claim)>);

impl<'a> ClaimedDrafts<'a> {
    pub(super) async fn claim(app: &App, tx: &mut Tx, drafts: &'a [Draft], now: Instant) -> Result<Self> {
        let bills: Vec<Id<id::Bill>> = drafts.iter().map(|_| Id::new(now, &*app.entropy)).collect();
        let wanted = |(draft, bill): (&'a Draft, &Id<id::Bill>)| Wanted {
            client: draft.client,
            key: &draft.key.0,
            digest: &draft.key.1,
            object: bill.uuid(),
        };
        let wanted: Vec<Wanted<'_>> = drafts.iter().zip(&bills).map(wanted).collect();
        let claims = claim_all(tx, &wanted, now).await?;
        Ok(Self(
            drafts.iter().zip(bills).zip(claims).map(|((draft, bill), claim)| (draft, bill, claim)).collect(),
        ))
    }

    /// Those whose keys are new.
    pub(super) fn fresh(&self) -> Vec<&'a Draft> {
        self.0
            .iter()
            .filter(|(_, _, claim)| matches!(claim, Claim::Fresh))
            .map(|(draft, ..)| *draft)
            .collect()
    }

    /// The bills that their keys have issued before.
    pub(super) fn known(&self) -> Vec<Id<id::Bill>> {
        let object = |claim: &Claim| match claim {
            Claim::Answered(before) => Some(Id::from_uuid(before.object)),
            Claim::Fresh | Claim::SameAs(_) | Claim::Reused(_) | Claim::InProgress => None,
        };
        self.0.iter().filter_map(|(_, _, claim)| object(claim)).collect()
    }

    /// Decides by that ground on every draft whose key is new, in order, and finds each its place; `admit` has the last word
    /// on one that nothing else refuses.
    pub(super) fn prepare(
        &self,
        app: &App,
        ground: &Ground,
        before: &BTreeMap<Id<id::Bill>, String>,
        mut admit: impl FnMut(&Draft) -> std::result::Result<(), Outcome>,
        now: Instant,
    ) -> Result<(Vec<Prepared>, Vec<Place>)> {
        let mut prepared = Vec::new();
        let mut places: Vec<Place> = Vec::with_capacity(self.0.len());
        for (draft, bill, claim) in &self.0 {
            places.push(match claim {
                Claim::Fresh => ground.prepare(app, draft, *bill, now).and_then(|bill| {
                    admit(draft)?;
                    prepared.push(bill);
                    Ok(prepared.len() - 1)
                }),
                Claim::SameAs(earlier) => places[*earlier].clone(),
                Claim::Answered(claimed) => {
                    let answer = before.get(&Id::from_uuid(claimed.object));
                    let answer = answer.ok_or_else(|| Error::internal(claimed.object))?;
                    Err(Outcome::Replayed(answer.clone()))
                }
                Claim::Reused(object) => {
                    Err(Outcome::KeyReused(Id::<id::Bill>::from_uuid(*object).to_string()))
                }
                Claim::InProgress => Err(Outcome::InProgress),
            });
        }
        Ok((prepared, places))
    }

    /// Gives the keys back whose drafts are refused.
    pub(super) async fn give_back(&self, tx: &mut Tx, places: &[Place]) -> Result<()> {
        let refused: Vec<_> = self
            .0
            .iter()
            .zip(places)
            .filter(|((_, _, claim), place)| matches!(claim, Claim::Fresh) && place.is_err())
            .map(|((draft, ..), _)| (draft.client, draft.key.0.as_str()))
            .collect();
        give_back(tx, &refused).await
    }
}

/// The outcome of each draft, with the answers to what was issued.
pub(super) fn outcomes(places: Vec<Place>, answers: &[String]) -> Vec<Outcome> {
    let outcome =
        |place: Place| place.map_or_else(|done| done, |index| Outcome::Issued(answers[index].clone()));
    places.into_iter().map(outcome).collect()
}

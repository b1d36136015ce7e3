//! Who acts for the person whom an agency asks about, and by what right. A right that is missing is an answer, never an
//! error: it is recorded, and the person can read who tried.

use super::{
    Result,
    acting::{acting_json, used_leaf},
    judge_right::{Claimed, rights_of},
    population::{self, Looked, OnRecord},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Citizen, Id, Verification},
};
use crate::codec::verification_statement::{Acting as Said, Salt};
use crate::identity::{
    mandate::{Asked, Refusal, Right},
    name::Grade,
    personal_number::PersonalNumber,
    question::{Acting, Question},
};
use crate::store::{Tx, audit::NewLeaf, principal::ActingRow};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was found about somebody who acts.
pub(super) enum Judged {
    /// They may, for the principal.
    May(Box<(Arc<OnRecord>, Arc<OnRecord>, Right)>),
    /// They may not.
    MayNot(&'static str),
}

/// Judges those questions of a batch in which somebody acts, by their places: the same look-ups for any number.
pub(super) async fn judge_all(
    app: &App,
    tx: &mut Tx,
    questions: &[(usize, &Question)],
    found: &[Looked],
    now: Instant,
) -> Result<BTreeMap<usize, Judged>> {
    let asked: Vec<Of<'_>> = questions
        .iter()
        .zip(found)
        .filter_map(|((place, question), looked)| {
            let principal = looked.on_record.as_ref().map(|known| known.citizen);
            Some(Of { place: *place, question, acting: question.acting.as_ref()?, principal })
        })
        .collect();
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    // As the register has them: a lock of the principal's own answers the question, and not whether somebody may act.
    let people: BTreeSet<Id<Citizen>> = asked.iter().filter_map(|one| one.principal).collect();
    let people: Vec<Id<Citizen>> = people.into_iter().collect();
    let principals: BTreeMap<Id<Citizen>, Arc<OnRecord>> = population::look_up_citizens(app, tx, &people)
        .await?
        .into_iter()
        .map(|found| (found.citizen, Arc::new(found)))
        .collect();
    let numbers: Vec<PersonalNumber> = asked.iter().map(|one| one.acting.number).collect();
    let actors = population::look_up_all(app, tx, &numbers).await?;
    let (mut judged, mut sides) = (BTreeMap::new(), Vec::new());
    for (one, looked) in asked.iter().zip(actors) {
        let principal = one.principal.and_then(|id| principals.get(&id)).map(Arc::clone);
        let actor = looked.on_record.filter(|found| one.names(found)).map(|found| Arc::new(*found));
        match (principal, actor) {
            (None, _) => drop(judged.insert(one.place, Judged::MayNot(Refusal::NoRight.code()))),
            (Some(_), None) => drop(judged.insert(one.place, Judged::MayNot("person_unknown"))),
            (Some(principal), Some(actor)) => sides.push((one, actor, principal)),
        }
    }
    let claims: Vec<Claimed<'_>> =
        sides.iter().map(|(one, actor, principal)| one.claimed(actor, principal, now)).collect();
    let rights = rights_of(app, tx, &claims).await?;
    for ((one, actor, principal), right) in sides.iter().zip(rights) {
        let verdict = match right {
            Ok(right) => Judged::May(Box::new((Arc::clone(actor), Arc::clone(principal), right))),
            Err(refusal) => Judged::MayNot(refusal.code()),
        };
        judged.insert(one.place, verdict);
    }
    Ok(judged)
}

/// One question in which somebody acts.
struct Of<'a> {
    place: usize,
    question: &'a Question,
    acting: &'a Acting,
    principal: Option<Id<Citizen>>,
}

impl Of<'_> {
    /// Whether the question names this person as the one who acts.
    fn names(&self, found: &OnRecord) -> bool {
        matches!(found.person.name.grade(&self.acting.name), Grade::Exact | Grade::Equivalent)
    }

    fn claimed<'a>(&'a self, actor: &'a OnRecord, principal: &'a OnRecord, now: Instant) -> Claimed<'a> {
        let asked = Asked {
            procedure: Some(&self.question.ground.procedure),
            agency: self.question.agency,
            act: Some(self.acting.act),
            on: Day::of(now),
        };
        Claimed { actor, principal, asked }
    }
}

impl Judged {
    /// What the statement says.
    pub(super) fn said(&self, asked: &Acting, salt: &Salt) -> Said {
        let (right, refused) = match self {
            Self::May(found) => (Some(found.2), None),
            Self::MayNot(code) => (None, Some((*code).to_owned())),
        };
        Said {
            number: salt.digest("acting", asked.number.digits()),
            right: right.map(|right| right.word().to_owned()),
            mandate: right.and_then(|right| right.mandate()).map(|id| id.to_string()),
            refused,
        }
    }

    /// What the principal reads.
    pub(super) fn told(&self) -> Value {
        match self {
            Self::May(found) => acting_json(&found.0, found.2),
            Self::MayNot(code) => json!({ "refused": code }),
        }
    }

    /// What is kept, and the leaf in the actor's own history, where they may.
    pub(super) fn acted(
        self,
        app: &App,
        verification: Id<Verification>,
        agency: Id<Agency>,
        now: Instant,
    ) -> Option<(ActingRow, NewLeaf)> {
        let Self::May(found) = self else { return None };
        let (actor, principal, right) = *found;
        let leaf = used_leaf(app, &actor, &principal, right, (Some(agency), verification.uuid()), now);
        Some((ActingRow { principal: principal.citizen, actor: actor.citizen, right }, leaf))
    }
}

//! Who acts for the person whom an agency asks about, and by what right. A right that is missing is an answer, never an
//! error: it is recorded, and the person can read who tried.

use super::{
    Result,
    acting::{acting_json, right_of, used_leaf},
    population::{self, Looked, OnRecord},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Id, Verification},
};
use crate::codec::verification_statement::{Acting as Said, Salt};
use crate::identity::{
    mandate::{Asked, Refusal, Right},
    name::Grade,
    question::{Acting, Question},
};
use crate::store::{Tx, audit::NewLeaf, principal::ActingRow};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What was found about somebody who acts.
pub(super) enum Judged {
    /// They may, for the principal.
    May(Box<(OnRecord, OnRecord, Right)>),
    /// They may not.
    MayNot(&'static str),
}

/// Judges those questions of a batch in which somebody acts, by their places. They are few, and each mandate is held
/// by itself.
pub(super) async fn judge_all(
    app: &App,
    tx: &mut Tx,
    questions: &[(usize, &Question)],
    found: &[Looked],
    now: Instant,
) -> Result<BTreeMap<usize, Judged>> {
    let mut judged = BTreeMap::new();
    for ((place, question), looked) in questions.iter().zip(found) {
        if let Some(acting) = &question.acting {
            let principal = match &looked.on_record {
                Some(known) => population::look_up_citizen(app, tx, known.citizen).await?.on_record,
                None => None,
            };
            judged.insert(*place, judge(app, tx, (question, acting), principal, now).await?);
        }
    }
    Ok(judged)
}

async fn judge(
    app: &App,
    tx: &mut Tx,
    (question, acting): (&Question, &Acting),
    principal: Option<Box<OnRecord>>,
    now: Instant,
) -> Result<Judged> {
    let no_right = Judged::MayNot(Refusal::NoRight.code());
    let Some(principal) = principal else { return Ok(no_right) };
    let looked = population::look_up(app, tx, acting.number).await?;
    let same =
        |found: &OnRecord| matches!(found.person.name.grade(&acting.name), Grade::Exact | Grade::Equivalent);
    let Some(actor) = looked.on_record.filter(|found| same(found)) else {
        return Ok(Judged::MayNot("person_unknown"));
    };
    let asked = Asked {
        procedure: Some(&question.ground.procedure),
        agency: question.agency,
        act: Some(acting.act),
        on: Day::of(now),
    };
    Ok(match right_of(tx, &actor, &principal, &asked).await? {
        Ok(right) => Judged::May(Box::new((*actor, *principal, right))),
        Err(refusal) => Judged::MayNot(refusal.code()),
    })
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

//! By what right people act for others: many claims, each judged by itself, the same few look-ups for any number.
//!
//! Kinship comes first, then mandates; the procedure's own rule has the last word on both. Every mandate that may be
//! used is held until the transaction ends. A parent or guardian whose number changed is still one: the register knows
//! whose the number on the record was.

use super::{
    Result,
    acting::{lost_capacity, may_act},
    disclosure,
    population::{self, OnRecord},
};
use crate::app::App;
use crate::base::id::{Agency, Citizen, Id};
use crate::identity::{
    kinship::Representation,
    mandate::{Allowed, Asked, Delegate, Mandate, Refusal, Right, admits},
    personal_number::PersonalNumber,
    role::Role,
};
use crate::store::{
    Tx,
    mandate::{self as mandates},
    role,
};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who says that they may act for somebody else.
pub(super) struct Claimed<'a> {
    /// Who acts.
    pub actor: &'a OnRecord,
    /// For whom.
    pub principal: &'a OnRecord,
    /// What they are about to do.
    pub asked: Asked<'a>,
}

impl Claimed<'_> {
    /// Whether both sides live and the actor can act at all.
    fn is_fit(&self) -> bool {
        may_act(&self.actor.person, self.asked.on) && disclosure::is_open(&self.principal.person)
    }

    /// Kinship that the number of today shows.
    fn kin(&self) -> Option<Representation> {
        self.principal.person.represented_by(self.actor.person.number, self.asked.on)
    }
}

/// Judges claims, each in its place.
pub(super) async fn rights_of(
    app: &App,
    tx: &mut Tx,
    claims: &[Claimed<'_>],
) -> Result<Vec<std::result::Result<Right, Refusal>>> {
    let known = Known::read(app, tx, claims).await?;
    Ok(claims.iter().enumerate().map(|(place, claim)| known.judge(place, claim)).collect())
}

/// What the claims are judged by.
struct Known {
    /// What the procedures of the claims say, by the claim's place.
    rules: BTreeMap<usize, Vec<Allowed>>,
    /// Whose the numbers are that a record names as kin and that are no actor's today.
    former: BTreeMap<PersonalNumber, Id<Citizen>>,
    /// For which organisations actors are officers.
    organisations: BTreeSet<(Id<Citizen>, Id<Agency>)>,
    /// The mandates of the principals, held, the newest first.
    mandates: Vec<Mandate>,
}

impl Known {
    async fn read(app: &App, tx: &mut Tx, claims: &[Claimed<'_>]) -> Result<Self> {
        let mut known = Self {
            rules: BTreeMap::new(),
            former: BTreeMap::new(),
            organisations: BTreeSet::new(),
            mandates: Vec::new(),
        };
        let fit = || claims.iter().enumerate().filter(|(_, claim)| claim.is_fit());
        let asked: Vec<_> =
            fit().filter_map(|(place, c)| Some((place, c.asked.procedure?, c.asked.on))).collect();
        if !asked.is_empty() {
            let about: Vec<_> = asked.iter().map(|(_, procedure, on)| (*procedure, *on)).collect();
            let rules = mandates::rules(tx, &about).await?;
            known.rules = asked.iter().map(|(place, ..)| *place).zip(rules).collect();
        }
        let open: Vec<&Claimed<'_>> =
            fit().filter(|(_, claim)| claim.kin().is_none()).map(|(_, claim)| claim).collect();
        let numbers: BTreeSet<PersonalNumber> =
            open.iter().flat_map(|claim| claim.principal.person.representatives(claim.asked.on)).collect();
        if !numbers.is_empty() {
            let numbers: Vec<PersonalNumber> = numbers.into_iter().collect();
            let looked = population::look_up_all(app, tx, &numbers).await?;
            let holders = numbers.iter().zip(looked);
            known.former = holders.filter_map(|(n, l)| Some((*n, l.on_record?.citizen))).collect();
        }
        if let Some(first) = open.first() {
            let actors: Vec<Id<Citizen>> = open.iter().map(|claim| claim.actor.citizen).collect();
            let principals: Vec<Id<Citizen>> = open.iter().map(|claim| claim.principal.citizen).collect();
            let held = role::holders(tx, &actors, Role::Officer, first.asked.on).await?;
            known.organisations = held.into_iter().collect();
            let at: Vec<Id<Agency>> = known.organisations.iter().map(|(_, agency)| *agency).collect();
            known.mandates = mandates::hold_between(tx, &principals, &actors, &at).await?;
        }
        Ok(known)
    }

    fn judge(&self, place: usize, claim: &Claimed<'_>) -> std::result::Result<Right, Refusal> {
        if !claim.is_fit() {
            return Err(Refusal::Unfit);
        }
        let rules = self.rules.get(&place);
        let admitted = |right, form| {
            if claim.asked.procedure.is_none() {
                Ok(())
            } else {
                admits(rules.map_or(&[], Vec::as_slice), right, form)
            }
        };
        let person = &claim.principal.person;
        let formerly = || {
            let own = self.former.iter().filter(|(_, citizen)| **citizen == claim.actor.citizen);
            own.map(|(number, _)| *number).find_map(|number| person.represented_by(number, claim.asked.on))
        };
        if let Some(kin) = claim.kin().or_else(formerly) {
            let right = Right::Kin(kin);
            return admitted(right, None).map(|()| right);
        }
        if lost_capacity(person, claim.asked.on) {
            return Err(Refusal::Unfit);
        }
        let mut why = Refusal::NoRight;
        for mandate in self.mandates.iter().filter(|mandate| self.is_between(mandate, claim)) {
            let right = Right::Mandate(mandate.id);
            match mandate.allows(&claim.asked).and_then(|()| admitted(right, Some(mandate.form))) {
                Ok(()) => return Ok(right),
                Err(refusal) => why = refusal,
            }
        }
        Err(why)
    }

    fn is_between(&self, mandate: &Mandate, claim: &Claimed<'_>) -> bool {
        mandate.principal == claim.principal.citizen
            && match mandate.delegate {
                Delegate::Person(person) => person == claim.actor.citizen,
                Delegate::Organisation(at) => self.organisations.contains(&(claim.actor.citizen, at)),
            }
    }
}

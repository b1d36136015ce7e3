//! In whose name: by what right one person acts for another, asked in the transaction of what is done.
//!
//! A right is a mandate that counts and covers what is done, or kinship that the register knows; the procedure's own
//! rule has the last word on both. A mandate that is used is held until the transaction ends, so that no revocation
//! crosses what is done under it. Both sides must be able to act: whoever died or lost capacity ends every mandate by
//! that fact alone, whatever its row still says.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    disclosure,
    judge_right::{Claimed, rights_of},
    locks,
    population::{self, OnRecord},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
};
use crate::identity::{
    authorization::{Authorization, Confirmation},
    kinship::{ADULT_AGE, Representation},
    mandate::{Asked, Delegate, Mandate, Refusal, Right},
    person::{Person, Status},
    role::Role,
};
use crate::store::{
    Tx,
    audit::NewLeaf,
    mandate::{self as mandates},
    principal::{self, Chosen},
    role,
};
use serde_json::{Value, json};

/// Somebody who acts for somebody else.
pub(super) struct Actor {
    /// Who acts.
    pub person: Box<OnRecord>,
    /// By what right.
    pub right: Right,
}

/// Whose sign-in it is: the person themselves, or somebody for whom another acts.
pub(super) struct Party {
    /// Whose claims are told and whose subject the portal gets.
    pub holder: Box<OnRecord>,
    /// Who acts for them.
    pub actor: Option<Actor>,
}

impl Party {
    /// Who sits at the browser.
    pub(super) fn present(&self) -> &OnRecord {
        self.actor.as_ref().map_or(&*self.holder, |actor| &*actor.person)
    }

    /// What the principal's history says about the actor.
    pub(super) fn told(&self) -> Value {
        self.actor.as_ref().map_or(Value::Null, |actor| acting_json(&actor.person, actor.right))
    }
}

/// The actor as the principal's history and the answers of the API name them.
pub(super) fn acting_json(actor: &OnRecord, right: Right) -> Value {
    json!({
        "name": actor.person.name.as_str(),
        "right": right.word(),
        "mandate": right.mandate().map(|id| id.to_string()),
    })
}

/// Whose sign-in this is at this moment; `None` where register, locks or an ended right let it go no further.
pub(super) async fn party(
    app: &App,
    tx: &mut Tx,
    authorization: &Authorization,
    confirmation: &Confirmation,
    agency: Id<Agency>,
    now: Instant,
) -> Result<Option<Party>> {
    let what = authorization.used_by(confirmation.method);
    let Some(present) = locks::admitted(app, tx, confirmation.citizen, what, now).await? else {
        return Ok(None);
    };
    let Some(Chosen::For { principal, .. }) = principal::chosen(tx, authorization.id).await? else {
        return Ok(Some(Party { holder: present, actor: None }));
    };
    let looked = population::look_up_citizen(app, tx, principal).await?;
    let Some(holder) = looked.on_record else { return Ok(None) };
    if locks::forbids(tx, holder.citizen, what, now).await? {
        return Ok(None);
    }
    let asked = Asked { procedure: None, agency, act: None, on: Day::of(now) };
    match right_of(app, tx, &present, &holder, &asked).await? {
        Ok(right) => Ok(Some(Party { holder, actor: Some(Actor { person: present, right }) })),
        Err(_) => Ok(None),
    }
}

/// By what right one acts for the other, or why not.
pub(super) async fn right_of(
    app: &App,
    tx: &mut Tx,
    actor: &OnRecord,
    principal: &OnRecord,
    asked: &Asked<'_>,
) -> Result<std::result::Result<Right, Refusal>> {
    let one = Claimed { actor, principal, asked: *asked };
    rights_of(app, tx, &[one]).await?.pop().ok_or_else(|| Error::internal("a right that was not judged"))
}

/// The organisations for which a person acts as an officer on that day.
pub(super) async fn organisations(tx: &mut Tx, citizen: Id<Citizen>, today: Day) -> Result<Vec<Id<Agency>>> {
    let held = role::of_citizen(tx, citizen, today).await?;
    Ok(held.into_iter().filter(|(_, role)| *role == Role::Officer).map(|(agency, _)| agency).collect())
}

/// Whether a person can act for others: lives, is surely of age, and has legal capacity.
pub(super) fn may_act(person: &Person, on: Day) -> bool {
    disclosure::is_open(person)
        && person.birth_date.age_at_least(on) >= ADULT_AGE
        && !lost_capacity(person, on)
}

/// Whether a court had ended a person's capacity by that day.
pub(super) fn lost_capacity(person: &Person, on: Day) -> bool {
    person.capacity_lost_on.is_some_and(|since| since <= on)
}

/// What has become of a mandate by the facts of its sides alone.
pub(super) fn ended_by_fact(sides: &[&Person], on: Day) -> Option<crate::identity::mandate::End> {
    use crate::identity::mandate::End;
    if sides.iter().any(|person| matches!(person.status, Status::Deceased { .. })) {
        Some(End::Death)
    } else if sides.iter().any(|person| lost_capacity(person, on)) {
        Some(End::Incapacity)
    } else {
        None
    }
}

/// In whose name somebody may go on.
pub struct Principal {
    /// Whose.
    pub name: String,
    /// By what right.
    pub by: By,
}

/// By what right somebody may go on in another's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A mandate, until its last day.
    Mandate(Id<id::Mandate>, Day),
    /// Kinship with this citizen.
    Kin(Id<Citizen>, Representation),
}

/// In whose names a person may sign in at a portal of this agency: of their children and wards, as far as the register
/// here knows them, and of those whose mandates they hold.
pub(super) async fn principals(
    app: &App,
    tx: &mut Tx,
    present: &OnRecord,
    agency: Id<Agency>,
    now: Instant,
) -> Result<Vec<Principal>> {
    let asked = Asked { procedure: None, agency, act: None, on: Day::of(now) };
    if !may_act(&present.person, asked.on) {
        return Ok(Vec::new());
    }
    let wards = population::look_up_wards(app, tx, present, asked.on).await?;
    let wards = wards.into_iter().filter(|(ward, _)| disclosure::is_open(&ward.person));
    let mut found: Vec<Principal> = wards
        .map(|(ward, right)| Principal {
            name: ward.person.name.as_str().to_owned(),
            by: By::Kin(ward.citizen, right),
        })
        .collect();
    let all = mandates::of_citizen(tx, present.citizen).await?;
    let mine = |mandate: &Mandate| mandate.delegate == Delegate::Person(present.citizen);
    let usable: Vec<Mandate> = all.into_iter().filter(|m| mine(m) && m.allows(&asked).is_ok()).collect();
    if usable.is_empty() {
        return Ok(found);
    }
    let people: Vec<Id<Citizen>> = usable.iter().map(|mandate| mandate.principal).collect();
    let known = population::look_up_citizens(app, tx, &people).await?;
    found.extend(usable.into_iter().filter_map(|mandate| {
        let of = known.iter().find(|person| {
            person.citizen == mandate.principal
                && disclosure::is_open(&person.person)
                && !lost_capacity(&person.person, asked.on)
        })?;
        let name = of.person.name.as_str().to_owned();
        Some(Principal { name, by: By::Mandate(mandate.id, mandate.extent.to) })
    }));
    Ok(found)
}

/// Whether anybody has chosen for whom this sign-in is.
pub(super) async fn is_chosen(tx: &mut Tx, authorization: Id<id::Authorization>) -> Result<bool> {
    Ok(principal::chosen(tx, authorization).await?.is_some())
}

/// The leaf in the actor's own history: that they acted, for whom, and by what right.
pub(super) fn used(
    app: &App,
    party: &Party,
    agency: Option<Id<Agency>>,
    object: uuid::Uuid,
    now: Instant,
) -> Option<NewLeaf> {
    let actor = party.actor.as_ref()?;
    Some(used_leaf(app, &actor.person, &party.holder, actor.right, (agency, object), now))
}

/// The same for a decision that knows both sides.
pub(super) fn used_leaf(
    app: &App,
    actor: &OnRecord,
    principal: &OnRecord,
    right: Right,
    (agency, object): (Option<Id<Agency>>, uuid::Uuid),
    now: Instant,
) -> NewLeaf {
    let details = json!({
        "principal": principal.person.name.as_str(),
        "right": right.word(),
        "mandate": right.mandate().map(|id| id.to_string()),
    });
    let concern = Concern { citizen: Some(actor.citizen), agency, object };
    leaf(app, now, "acting.used", concern, &actor.key, &details)
}

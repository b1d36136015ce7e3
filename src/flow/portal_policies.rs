//! Administrators set what a portal may ask, after trying it on what the portal has asked before.
//!
//! A trial decides the portal's latest answers again under the proposed policy, from their signed statements, and
//! writes nothing. A failure that told no grades cannot be decided again and is counted as such.

use super::{
    Error, Result,
    asking::alert_json,
    audit_leaf,
    idempotency::Idempotency,
    inherit::{Tree, agencies_of},
};
use crate::app::App;
use crate::base::{
    calendar::{Day, rfc3339},
    clock::Instant,
    id::{Agency, Alert, Client, Id},
    page::PageRequest,
};
use crate::codec::verification_statement::{self as wire, Statement};
use crate::identity::{
    name,
    portal_policy::PortalPolicy,
    predicate,
    verification::{Attribute, Grade, State},
};
use crate::store::{agency, asking, audit, portal, portal_policy, verification};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many answers a trial decides again.
const TRIED_MAX: i64 = 2_000;

/// The policy that holds for a client.
pub async fn read_policy(app: &App, client: Id<Client>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    portal::agency(&mut tx, client).await?.ok_or(Error::not_found())?;
    let newest = portal_policy::newest(&mut tx, client).await?;
    let (policy, set_at) =
        newest.map_or((PortalPolicy::unwritten(), None), |(policy, at)| (policy, Some(at)));
    Ok(policy_json(client, &policy, set_at))
}

/// Adds a version of a client's policy, which holds from this transaction on.
pub async fn set_policy(
    app: &App,
    client: Id<Client>,
    proposed: PortalPolicy,
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let agency = portal::agency(&mut tx, client).await?.ok_or(Error::not_found())?;
    let before = portal_policy::newest(&mut tx, client).await?.map_or(0, |(policy, _)| policy.version);
    let policy = PortalPolicy { version: before + 1, ..proposed };
    portal_policy::insert(&mut tx, client, &policy, key.client, now).await.map_err(|error| {
        if error.violates("portal_policy_pkey") { Error::conflict("policy_moved") } else { error.into() }
    })?;
    let answer = policy_json(client, &policy, Some(now));
    let owner = agency::find_all(&mut tx, &[agency]).await?.pop().ok_or(Error::not_found())?;
    let seal = app.keys.data_key(&owner.key, agency.uuid().as_bytes())?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: client.uuid() };
    let mut details = answer.clone();
    details["by"] = json!(key.client.to_string());
    let leaf = audit_leaf::leaf(app, now, "policy.set", concern, &seal, &details);
    audit::append(&mut tx, &[leaf]).await?;
    key.keep(&mut tx, client.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// Decides a client's latest answers again under a proposed policy.
pub async fn try_policy(app: &App, client: Id<Client>, proposed: &PortalPolicy) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agency = portal::agency(&mut tx, client).await?.ok_or(Error::not_found())?;
    let owner = agency::find_all(&mut tx, &[agency]).await?.pop().ok_or(Error::not_found())?;
    let rows = verification::latest_of_client(&mut tx, client, TRIED_MAX).await?;
    tx.commit().await?;
    let key = app.keys.data_key(&owner.key, agency.uuid().as_bytes())?;
    let mut trial = Trial::default();
    for row in &rows {
        let plain = key.open(&super::read_verification::place(row.id), &row.sealed)?;
        let signed = plain.expose().get(32..).and_then(|signed| std::str::from_utf8(signed).ok());
        let statement =
            signed.and_then(wire::read_own).ok_or_else(|| Error::internal("a statement does not read"))?;
        trial.again(&statement, row.state, proposed);
        *trial.days.entry(Day::of(row.at)).or_default() += 1;
    }
    let over =
        proposed.daily_quota.map_or(0, |quota| trial.days.values().filter(|asked| **asked > quota).count());
    Ok(json!({
        "tried": rows.len(),
        "from": rows.last().map(|row| rfc3339(row.at)),
        "forbidden": trial.forbidden,
        "changed": trial.changed,
        "undecidable": trial.undecidable,
        "days_over_quota": over,
    }))
}

/// The alerts about portals, the newest first.
pub async fn list_alerts(
    app: &App,
    of: Option<(Id<Agency>, Tree)>,
    page: &PageRequest<Id<Alert>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = match of {
        Some((agency, tree)) => Some(agencies_of(&mut tx, agency, tree).await?),
        None => None,
    };
    let found = asking::list_alerts(&mut tx, agencies.as_deref(), page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    Ok(json!({ "items": found.items.iter().map(alert_json).collect::<Vec<_>>(), "next": next }))
}

#[derive(Default)]
struct Trial {
    /// Questions that would be refused, by what is forbidden.
    forbidden: BTreeMap<String, u32>,
    /// Answers that would be others, by `before>after`.
    changed: BTreeMap<String, u32>,
    /// Failures whose grades were not told.
    undecidable: u32,
    days: BTreeMap<Day, u32>,
}

impl Trial {
    fn again(&mut self, statement: &Statement, state: State, proposed: &PortalPolicy) {
        let attributes = statement.attributes.keys().filter_map(|word| Attribute::of(word));
        let foreign = attributes.clone().filter(|attribute| !proposed.attributes.contains(attribute));
        let mut forbidden: Vec<String> =
            foreign.map(|attribute| format!("attribute {}", attribute.word())).collect();
        let kinds = statement.predicates.iter().filter_map(|asked| predicate::Kind::of(asked.kind()));
        forbidden.extend(
            kinds
                .filter(|kind| !proposed.predicates.contains(kind))
                .map(|kind| format!("predicate {}", kind.word())),
        );
        if !proposed.purposes.is_empty() && !proposed.purposes.iter().any(|p| p.as_str() == statement.purpose)
        {
            forbidden.push("purpose".to_owned());
        }
        if !forbidden.is_empty() {
            forbidden.into_iter().for_each(|what| *self.forbidden.entry(what).or_default() += 1);
            return;
        }
        if !matches!(state, State::Match | State::NoMatch) {
            return;
        }
        let grades: Option<Vec<Grade>> = statement
            .attributes
            .iter()
            .filter_map(|(word, graded)| Attribute::of(word).map(|attribute| (attribute, graded)))
            .filter(|(attribute, _)| attribute.decides())
            .map(|(attribute, graded)| read_grade(attribute, graded.grade.as_deref()?))
            .collect();
        let Some(grades) = grades else {
            self.undecidable += 1;
            return;
        };
        let after = if grades.iter().all(|grade| proposed.name_rule.counts(*grade)) {
            State::Match
        } else {
            State::NoMatch
        };
        if after != state {
            *self.changed.entry(format!("{}>{}", state.word(), after.word())).or_default() += 1;
        }
    }
}

fn read_grade(attribute: Attribute, word: &str) -> Option<Grade> {
    let names = [
        name::Grade::Exact,
        name::Grade::Equivalent,
        name::Grade::Unaccented,
        name::Grade::Near,
        name::Grade::Different,
        name::Grade::Unreadable,
    ];
    let plain = [Grade::Equal, Grade::Different, Grade::NotOnRecord];
    match attribute {
        Attribute::Name => names.into_iter().find(|grade| grade.word() == word).map(Grade::Name),
        _ => plain.into_iter().find(|grade| grade.word() == word),
    }
}

fn policy_json(client: Id<Client>, policy: &PortalPolicy, set_at: Option<Instant>) -> Value {
    json!({
        "client": client.to_string(),
        "version": policy.version,
        "set_at": set_at.map(rfc3339),
        "attributes": policy.attributes.iter().map(|attribute| attribute.word()).collect::<Vec<_>>(),
        "predicates": policy.predicates.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
        "name_rule": policy.name_rule.code(),
        "purposes": policy.purposes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "daily_quota": policy.daily_quota,
        "tells_which": policy.tells_which,
        "stale_max_hours": policy.stale_max_hours,
        "confirms_later": policy.confirms_later,
    })
}

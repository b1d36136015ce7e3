//! Money in suspense as an agency's people see it on a page: what waits and why, and the decision about each.

use super::{
    Error, Result,
    agency_key::agency_keys,
    officer::{self, Seat},
    release_suspense::place,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Case, Citizen, Id},
    },
    identity::role::Role,
    store::suspense::{self as rows, Decision, HeldMoney},
};
use std::collections::{BTreeMap, BTreeSet};

/// How many the page shows.
const SHOWN: i64 = 200;

/// Money that waits or waited, with the decision about it.
#[derive(Debug, Clone)]
pub struct MoneyShown {
    /// The money.
    pub money: HeldMoney,
    /// The decision.
    pub decision: Option<DecisionShown>,
}

/// A decision with names and words.
#[derive(Debug, Clone)]
pub struct DecisionShown {
    /// The decision.
    pub decision: Decision,
    /// Why.
    pub words: String,
    /// Who proposed it, and who approved it.
    pub people: (String, Option<String>),
    /// The reference of the bill that it pays.
    pub reference: Option<String>,
    /// Whether the reader proposed it.
    pub own: bool,
}

/// The page.
#[derive(Debug, Clone)]
pub struct SuspensePage {
    /// Who reads.
    pub reader: String,
    /// Where the reader works.
    pub seats: Vec<Seat>,
    /// What waits first, the newest first.
    pub money: Vec<MoneyShown>,
}

impl SuspensePage {
    /// The reader's seat where that money lies.
    pub fn seat(&self, of: &MoneyShown) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.id == of.money.agency)
    }
}

/// The money of the agencies whose books the officer keeps, approves or audits; all of it, or one.
pub async fn read_suspense_page(
    app: &App,
    officer: Id<Citizen>,
    one: Option<Id<Case>>,
) -> Result<SuspensePage> {
    let today = Day::of(app.clock.now());
    let mut tx = app.store.begin().await?;
    let roles = [Role::Accountant, Role::Approver, Role::Auditor];
    let seats = officer::seats(&mut tx, officer, today, &roles).await?;
    if seats.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let agencies: Vec<_> = seats.iter().map(|seat| seat.id).collect();
    let found = rows::of_agencies(&mut tx, &agencies, one, SHOWN).await?;
    let keys = agency_keys(app, &mut tx, found.iter().map(|money| money.agency)).await?;
    let mut decisions = BTreeMap::new();
    let mut people: BTreeSet<Id<Citizen>> = BTreeSet::from([officer]);
    for (case, decision, reference) in
        rows::decisions(&mut tx, &found.iter().map(|money| money.case).collect::<Vec<_>>()).await?
    {
        people.insert(decision.proposed_by);
        people.extend(decision.approved.map(|approved| approved.0));
        decisions.insert(case, (decision, reference));
    }
    let names = officer::names(app, &mut tx, &people).await?;
    let name = |person: &Id<Citizen>| names.get(person).cloned().unwrap_or_default();
    let mut shown = Vec::with_capacity(found.len());
    for money in found {
        let key = keys.get(&money.agency).ok_or_else(|| Error::internal(money.agency))?;
        let decision = match decisions.remove(&money.case) {
            Some((decision, reference)) => {
                let words = key.open(&place(money.case), &decision.words)?;
                Some(DecisionShown {
                    words: String::from_utf8_lossy(words.expose()).into_owned(),
                    people: (name(&decision.proposed_by), decision.approved.map(|by| name(&by.0))),
                    own: decision.proposed_by == officer,
                    reference,
                    decision,
                })
            }
            None => None,
        };
        shown.push(MoneyShown { money, decision });
    }
    Ok(SuspensePage { reader: name(&officer), seats, money: shown })
}

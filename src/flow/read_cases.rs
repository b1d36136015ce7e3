//! Cases as the agency whose accounting owns them sees them.

use super::{
    Error, Result,
    agency_key::agency_key,
    case_answer::{case_json, case_with_notes},
    inherit::{Tree, agencies_of},
};
use crate::{
    app::App,
    base::{
        id::{self, Agency, Id},
        page::PageRequest,
    },
    store::{
        Tx,
        case::{self, Filter},
        statement, suspense,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One case of the agency, or of whom it succeeded, with what was done about it; another's does not exist for it.
pub async fn read_case(app: &App, agency: Id<Agency>, id: Id<id::Case>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, Tree::New).await?;
    let stored = case::of_agencies(&mut tx, &agencies, id).await?.ok_or(Error::not_found())?;
    let notes = case::notes(&mut tx, id).await?;
    let key = agency_key(app, &mut tx, stored.agency).await?;
    let mut answer = case_with_notes(&stored, &notes, &key)?;
    add_suspense(&mut tx, &agencies, &mut [(id, &mut answer)]).await?;
    Ok(answer)
}

/// The agency's cases, the newest first, a page at a time: all, those still to be looked into, those of a statement.
pub async fn list_cases(
    app: &App,
    agency: Id<Agency>,
    (pending, of): (bool, Option<Id<id::Statement>>),
    tree: Tree,
    page: &PageRequest<Id<id::Case>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let of_day = match of {
        None => None,
        Some(id) => {
            let of = statement::of_owner(&mut tx, agency, id).await?.ok_or(Error::not_found())?;
            Some((of.account, of.day))
        }
    };
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let found = case::list(&mut tx, &agencies, Filter { pending, of_day }, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let mut items: Vec<Value> = found.items.iter().map(case_json).collect();
    let mut named: Vec<_> = found.items.iter().map(|case| case.id).zip(&mut items).collect();
    add_suspense(&mut tx, &agencies, &mut named).await?;
    Ok(json!({ "items": items, "next": next }))
}

/// What a case about money that waits says of it: why, until when somebody decides, and what is proposed for it.
pub(super) async fn add_suspense(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    cases: &mut [(Id<id::Case>, &mut Value)],
) -> Result<()> {
    let ids: Vec<Id<id::Case>> = cases.iter().map(|case| case.0).collect();
    let mut held: BTreeMap<Id<id::Case>, Value> = suspense::of_cases(tx, agencies, &ids)
        .await?
        .into_iter()
        .map(|money| {
            let shown = json!({
                "reason": money.reason,
                "held": money.held,
                "due": money.due.to_string(),
                "proposal": money.proposal,
            });
            (money.case, shown)
        })
        .collect();
    for (id, answer) in cases {
        answer["suspense"] = held.remove(id).unwrap_or(Value::Null);
    }
    Ok(())
}

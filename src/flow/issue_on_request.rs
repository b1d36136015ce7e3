//! Issues the receipts of many bills when an agency asks for them: what waits for a number in one transaction, and what
//! waits for another issuer is asked for at once. One bill stops no other; the answer tells of each. An accountant asks
//! for all that waits at the agency's page.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf::{self, Concern},
    idempotency::Idempotency,
    issue_due_receipts::issue_waiting,
    officer,
    render_receipt::sign_receipts,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{Agency, Bill, Citizen, Id},
};
use crate::identity::role::Role;
use crate::payment::bill::State;
use crate::store::{
    Tx, adjustment_order, audit, bill as bills,
    receipt::{self, StoredReceipt},
    receipt_due::{self, Due},
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// The most bills of one request.
pub const BILLS_MAX: usize = super::issue_due_receipts::BULK;

/// Issues what waits of these bills and is the agency's to give; once per key. The kept answer names no person: the signed
/// texts are joined to it by [`with_signed`].
pub async fn issue_on_request(
    app: &App,
    agency: Id<Agency>,
    wanted: &[Id<Bill>],
    key: &Idempotency,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(answer) = key.claim(&mut tx).await? {
        return Ok(answer);
    }
    let mine = |due: &Due| due.agency == agency;
    let waiting: Vec<Due> = receipt_due::of_bills(&mut tx, wanted).await?.into_iter().filter(mine).collect();
    let issued = issue_now(app, &mut tx, waiting, now).await?.issued;
    let states: HashMap<Id<Bill>, (Id<Agency>, bool)> = bills::bills(&mut tx, wanted)
        .await?
        .into_iter()
        .map(|stored| (stored.bill.id, (stored.bill.agency, matches!(stored.state, State::Paid { .. }))))
        .collect();
    let given = receipt::of_bills(&mut tx, wanted).await?;
    let left = receipt_due::of_bills(&mut tx, wanted).await?;
    let rows = wanted.iter().map(|bill| {
        let state = states.get(bill).copied();
        let own = state.is_some_and(|(owner, _)| owner == agency);
        let given =
            given.iter().filter(|r| r.bill == *bill && r.void.is_none() && (own || r.agency == agency));
        let left = left.iter().filter(|due| due.bill == *bill && (own || due.agency == agency));
        row(
            *bill,
            (own, state.is_some_and(|(_, paid)| paid)),
            &given.collect::<Vec<_>>(),
            &left.collect::<Vec<_>>(),
        )
    });
    let answer = json!({ "issued": issued, "bills": rows.collect::<Vec<_>>() });
    let object = wanted.first().ok_or_else(|| Error::internal("a request for no bill"))?;
    key.keep(&mut tx, object.uuid(), &answer, now).await?;
    tx.commit().await?;
    Ok(answer)
}

/// What came of asking for receipts now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// How many were issued.
    pub issued: usize,
    /// How many another issuer was asked for.
    pub asked: usize,
    /// How many wait on.
    pub left: usize,
}

async fn issue_now(app: &App, tx: &mut Tx, waiting: Vec<Due>, now: Instant) -> Result<Told> {
    let (elsewhere, ours): (Vec<Due>, Vec<Due>) = waiting.into_iter().partition(|due| due.reason == "issuer");
    let issued = issue_waiting(app, tx, &ours, now).await?;
    receipt_due::hasten_all(tx, &elsewhere, now).await?;
    Ok(Told { issued, asked: elsewhere.len(), left: ours.len() - issued })
}

/// Issues what waits at an agency, as much as one transaction takes, because its accountant asks for it.
pub async fn issue_at_board(app: &App, citizen: Id<Citizen>, agency: Id<Agency>) -> Result<Told> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    officer::demand(&mut tx, citizen, agency, Role::Accountant, Day::of(now)).await?;
    let bulk = i64::try_from(BILLS_MAX).unwrap_or(i64::MAX);
    let waiting = receipt_due::of_agencies(&mut tx, &[agency], bulk).await?;
    let mut told = issue_now(app, &mut tx, waiting, now).await?;
    told.asked += adjustment_order::hasten(&mut tx, agency, now).await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    let concern = Concern { citizen: None, agency: Some(agency), object: agency.uuid() };
    let details = json!({
        "by": citizen.to_string(), "issued": told.issued, "asked": told.asked, "left": told.left,
    });
    let leaf = audit_leaf::leaf(app, now, "receipt.asked", concern, &sealing, &details);
    audit::append(&mut tx, &[leaf]).await?;
    tx.commit().await?;
    Ok(told)
}

fn row(bill: Id<Bill>, (own, paid): (bool, bool), given: &[&StoredReceipt], left: &[&Due]) -> Value {
    let state = match (own, paid) {
        _ if !left.is_empty() => "waiting",
        _ if !given.is_empty() => "issued",
        (true, true) => "none",
        (true, false) => "unpaid",
        (false, _) => "unknown",
    };
    let receipts = given.iter().map(|receipt| {
        json!({ "id": receipt.id.to_string(), "number": receipt.number, "kind": receipt.kind.as_str() })
    });
    let waiting = left.iter().map(|due| json!({ "kind": due.kind.as_str(), "reason": due.reason }));
    json!({
        "bill": bill.to_string(),
        "state": state,
        "receipts": receipts.collect::<Vec<_>>(),
        "waiting": waiting.collect::<Vec<_>>(),
    })
}

/// The answer with the signed text of each receipt, as it was first signed.
pub async fn with_signed(app: &App, mut answer: Value) -> Result<Value> {
    let named = |text: &Value| text.as_str().map(str::to_owned);
    let rows = answer["bills"].as_array().cloned().unwrap_or_default();
    let wanted: Vec<Id<Bill>> =
        rows.iter().filter_map(|row| row["bill"].as_str().and_then(|bill| bill.parse().ok())).collect();
    let mut tx = app.store.begin().await?;
    let found = receipt::of_bills(&mut tx, &wanted).await?;
    drop(tx);
    let told: HashSet<String> = rows
        .iter()
        .flat_map(|row| row["receipts"].as_array().into_iter().flatten())
        .filter_map(|receipt| named(&receipt["id"]))
        .collect();
    let receipts: Vec<StoredReceipt> =
        found.into_iter().filter(|receipt| told.contains(&receipt.id.to_string())).collect();
    let signed = sign_receipts(app, &receipts).await?;
    let names = receipts.iter().map(|receipt| receipt.id.to_string());
    let texts: HashMap<String, String> = names.zip(signed).collect();
    for row in answer["bills"].as_array_mut().into_iter().flatten() {
        for receipt in row["receipts"].as_array_mut().into_iter().flatten() {
            receipt["signed"] = json!(named(&receipt["id"]).and_then(|id| texts.get(&id)));
        }
    }
    Ok(answer)
}

//! Begins the attempts of many payers in one transaction, and notes what the clearing system says of them in another: those
//! about which there is nothing to decide but whether they may. Whatever is not plain (a bill that is late, has a plan or an
//! attempt, is not payable; a payer who is signed in; an answer that ends or hides something) is answered by nothing here
//! and takes the way of its own, which also says why it is refused.

use super::{
    Result,
    agency_key::agency_keys,
    event,
    move_payment::{kind, moved_leaf},
    start_payment::{created_leaf, new_attempt},
    tell_payers,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Account, Bill, Id},
    },
    payment::{
        bill::State as BillState,
        payment::{Decision, Event, State, Told, Watch, decide},
    },
    store::{
        Tx,
        account::{self, CollectingAccount},
        attempts::{self, Begun, Choice},
        audit, bank,
        bill::{self as bills, StoredBill},
        payment::StoredPayment,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Begins those that are plain; nothing for the others, of which nothing is written.
pub async fn begin_all(app: &App, choices: Vec<Choice>) -> Result<Vec<Option<Begun>>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut plain = plain(&mut tx, &choices, now).await?;
    let mut begun: Vec<Option<Begun>> = choices
        .iter()
        .map(|choice| {
            let (of, account) = plain.remove(choice.reference.as_str())?;
            let attempt = new_attempt(app, &of, &choice.bank, now);
            Some(Begun { of, account, attempt })
        })
        .collect();
    if begun.iter().all(Option::is_none) {
        return Ok(begun);
    }
    let asked: Vec<&StoredPayment> = begun.iter().flatten().map(|begun| &begun.attempt).collect();
    let taken = attempts::begin(&mut tx, &asked).await?;
    for one in &mut begun {
        one.take_if(|begun| !taken.contains(&begun.attempt.id));
    }
    let keys = agency_keys(app, &mut tx, begun.iter().flatten().map(|begun| begun.of.bill.agency)).await?;
    let leaf = |begun: &Begun| {
        let key = keys.get(&begun.of.bill.agency)?;
        Some(created_leaf(app, &begun.of, &begun.attempt, key, now))
    };
    let leaves: Vec<_> = begun.iter().flatten().filter_map(leaf).collect();
    audit::append(&mut tx, &leaves).await?;
    tell_payers::payments_begun(app, &mut tx, &begun.iter().flatten().collect::<Vec<_>>(), now).await?;
    tx.commit().await?;
    Ok(begun)
}

/// The bills among those chosen that may be paid as they stand, with their accounts, by reference. They are locked.
async fn plain(
    tx: &mut Tx,
    choices: &[Choice],
    now: Instant,
) -> Result<BTreeMap<String, (StoredBill, CollectingAccount)>> {
    let banks: BTreeSet<&str> = choices.iter().map(|choice| choice.bank.as_str()).collect();
    let known = bank::known(tx, &banks.into_iter().collect::<Vec<_>>()).await?;
    let chosen = choices.iter().filter(|choice| known.contains(&choice.bank));
    let references: Vec<&str> = chosen.map(|choice| choice.reference.as_str()).collect();
    let ids = attempts::lock_named(tx, &references).await?;
    let alone = attempts::alone(tx, &ids).await?;
    let ids: Vec<Id<Bill>> = alone.into_iter().collect();
    let mut found = bills::bills(tx, &ids).await?;
    // After its due day a bill may bear interest, or stand still: that is looked at apart.
    found.retain(|of| of.state == BillState::Open && Day::of(now) <= of.bill.due);
    let accounts: BTreeSet<Id<Account>> = found.iter().map(|of| of.account).collect();
    let accounts = account::accounts_named(tx, &accounts.into_iter().collect::<Vec<_>>()).await?;
    let accounts: BTreeMap<Id<Account>, CollectingAccount> =
        accounts.into_iter().map(|account| (account.id, account)).collect();
    let plain = found.into_iter().filter_map(|of| {
        let account = accounts.get(&of.account)?.clone();
        Some((of.bill.reference.to_string(), (of, account)))
    });
    Ok(plain.collect())
}

/// Notes what was said of attempts that only go on by it; nothing for the others, of which nothing is written.
pub async fn move_all(app: &App, told: Vec<Told>) -> Result<Vec<Option<StoredPayment>>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let ids: Vec<_> = told.iter().map(|told| told.payment).collect();
    let mut locked = attempts::lock_moving(&mut tx, &ids).await?;
    let moving = told.iter().map(|told| {
        let (attempt, agency) = locked.remove(&told.payment)?;
        let (state, watch) = goes_on(&attempt, &told.event, now)?;
        Some((attempt, agency, state, watch))
    });
    let moving: Vec<_> = moving.collect();
    let moves: Vec<(&StoredPayment, &State, Watch)> =
        moving.iter().flatten().map(|(attempt, _, state, watch)| (attempt, state, *watch)).collect();
    if moves.is_empty() || attempts::go_on(&mut tx, &moves).await? != moves.len() {
        return Ok(vec![None; told.len()]);
    }
    let keys = agency_keys(app, &mut tx, moving.iter().flatten().map(|one| one.1)).await?;
    let leaves = told.iter().zip(&moving).filter_map(|(told, moving)| {
        let (attempt, agency, state, _) = moving.as_ref()?;
        let key = keys.get(agency)?;
        Some(moved_leaf(app, (attempt, *agency), (kind(state), &told.event), key, now))
    });
    let leaves: Vec<_> = leaves.collect();
    audit::append(&mut tx, &leaves).await?;
    tx.commit().await?;
    let moved = moving.into_iter().map(|one| {
        let (attempt, _, state, _) = one?;
        Some(StoredPayment { state, ..attempt })
    });
    Ok(moved.collect())
}

/// The state in which an attempt goes on being watched, where nobody is to hear of it and no silence begins or ends.
fn goes_on(attempt: &StoredPayment, event: &Event, now: Instant) -> Option<(State, Watch)> {
    let Decision::Move(state) = decide(&attempt.state, event, now) else { return None };
    let silent = |state: &State| matches!(state, State::Unknown(_));
    let told = event::TYPES.contains(&kind(&state));
    let watch = state.watch().filter(|_| !told && !silent(&attempt.state) && !silent(&state))?;
    Some((state, watch))
}

//! Passes on what was collected: once a day's statement is matched, orders are made by the rules of that day, told to the
//! clearing system, and looked after until the money is seen to leave ([`super::settle_payout`]).
//!
//! A payment somebody gives back, or wants back, waits; what went back of it is left out. Its bill is locked meanwhile,
//! so that a refund finds either the order or the money. What could not go with its day, what a decision took out of
//! suspense and what a desk brought to the account go with the next orders from there ([`payout_waiting`]), by the rules of
//! the newest day that was matched: an older day that is told again passes on its own money alone.

use super::{
    Error, Result,
    agency_key::{agencies_with_keys, agency_key},
    audit_leaf,
    event::event_row,
    officer,
    remittance_failed::remittance_failed,
    sort_payouts::{Heap, Sorted, sort},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Account, Citizen, Id, Payment},
        money::{Currency, Money},
        text::{Line, unaccented},
    },
    codec::{
        amount_in_words::dong_in_words,
        iso20022::{Agent, CreditTransfer, EndToEndId, MessageId, Uetr},
    },
    crypto::seal::DataKey,
    identity::role::Role,
    payment::{
        payout::{Event, Kind, Next, Rule, State, follow},
        session,
    },
    store::{
        Tx, account, agency, audit, calendar, cash, inheritance, outbox,
        payout::{self as rows, Item, StoredPayout},
        payout_waiting::{self, Payable},
        statement,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use time::Duration;
use uuid::Uuid;

/// How many days back money is looked for that had to wait.
const DAYS_BACK: i64 = 31;

/// How many payments one look-up reads.
const PAYMENTS_AT_ONCE: i64 = 1_000;

/// How many orders one look takes.
const AT_ONCE: i64 = 32;

/// When an order that certainly did not leave is told again.
const AGAIN_AFTER: Duration = Duration::minutes(5);

/// How often a decision is made again when the order moves at the same moment.
const TRIES: usize = 4;

/// Makes the orders of one matched day, and tells those that are due; how much was done.
pub async fn pass_on(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let day = rows::take_due(&mut tx).await?;
    if let Some((account, day)) = day {
        prepare(app, &mut tx, (account, day), now).await?;
    }
    let due = rows::due(&mut tx, now, AT_ONCE).await?;
    tx.commit().await?;
    for id in &due {
        tell(app, *id).await?;
    }
    Ok(usize::from(day.is_some()) + due.len())
}

/// Lets go of what an order was to pass on that a bank did not take, so that it is ordered again by the rule of the newest
/// day that was matched, whichever day it came on. An accountant of the agency does it, or of whoever answers for it now.
pub async fn order_again(app: &App, citizen: Id<Citizen>, id: Id<id::Payout>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let order = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let agency = inheritance::heir(&mut tx, order.agency, None).await?;
    officer::demand(&mut tx, citizen, agency, Role::Accountant, Day::of(now)).await?;
    if !matches!(order.state, State::Bounced { .. }) {
        return Err(Error::conflict("payout_not_bounced"));
    }
    let let_go = rows::release_items(&mut tx, &order).await?;
    if let_go.is_empty() {
        return Err(Error::conflict("payout_not_bounced"));
    }
    let payments: Vec<Id<Payment>> = let_go.iter().map(|one| one.0).collect();
    payout_waiting::keep_paid(&mut tx, &payments, now).await?;
    payout_waiting::cover_desks(&mut tx, agency, &payments, now).await?;
    payout_waiting::note_let_go(&mut tx, &let_go).await?;
    let newest = statement::newest_matched(&mut tx, order.account).await?.unwrap_or(order.day);
    rows::mark_due(&mut tx, order.account, newest).await?;
    let sealing = agency_key(app, &mut tx, order.agency).await?;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(order.agency), object: id.uuid() };
    let details = json!({ "payout": id.to_string(), "by": citizen.to_string() });
    let leaf = audit_leaf::leaf(app, now, "payout.released", concern, &sealing, &details);
    audit::append(&mut tx, &[leaf]).await?;
    Ok(tx.commit().await?)
}

/// Makes the orders of a day's money, and of what waits in the account; what cannot go yet waits.
async fn prepare(app: &App, tx: &mut Tx, (account, day): (Id<Account>, Day), now: Instant) -> Result<()> {
    let mut sorted = Sorted::default();
    let lies_in =
        account::account(tx, account).await?.ok_or(Error::internal("an order without its account"))?;
    let (from, mut after) = (day.plus_days(-DAYS_BACK), Uuid::nil());
    loop {
        let found = rows::payable(tx, account, (from, day), after, PAYMENTS_AT_ONCE).await?;
        let Some(last) = found.last() else { break };
        after = last.payment.uuid();
        sort(app, tx, found, (day, &lies_in.number), &mut sorted).await?;
    }
    sort_waiting(app, tx, (&lies_in, day), &mut sorted).await?;
    let Sorted { heaps, mut waits, seen } = sorted;
    if !heaps.is_empty() {
        let payers = agencies_with_keys(app, tx, heaps.keys().map(|heap| heap.0)).await?;
        for (heap, (rule, items)) in heaps {
            let payer = payers.get(&heap.0).ok_or(Error::internal("an order without its agency"))?;
            let let_go = let_go(&seen, &items);
            if !order(app, tx, (&lies_in, day), (heap, payer), (&rule, &items, &let_go), now).await? {
                // The day's money of this kind was ordered before: what is left goes with the next day's.
                waits.extend(items.iter().map(|item| item.payment));
            }
        }
    }
    let (stays, goes): (Vec<Payable>, Vec<Payable>) =
        seen.into_iter().partition(|one| waits.contains(&one.payment));
    let stays: Vec<Payable> = stays.into_iter().filter(|one| one.waits.is_none()).collect();
    payout_waiting::keep(tx, account, &stays, now).await?;
    let goes: Vec<i64> = goes.into_iter().filter_map(|one| one.waits).collect();
    Ok(payout_waiting::gone(tx, &goes).await?)
}

/// Sorts what waits in the account where that day is the newest matched one: the rules of an older day may be over, or may not
/// have begun.
async fn sort_waiting(
    app: &App,
    tx: &mut Tx,
    (from, day): (&account::CollectingAccount, Day),
    sorted: &mut Sorted,
) -> Result<()> {
    if statement::newest_matched(tx, from.id).await?.is_some_and(|newest| newest > day) {
        return Ok(());
    }
    let mut place = 0;
    loop {
        let found = payout_waiting::waiting(tx, from.id, place, PAYMENTS_AT_ONCE).await?;
        let Some(last) = found.last().and_then(|last| last.waits) else { return Ok(()) };
        place = last;
        sort(app, tx, found, (day, &from.number), sorted).await?;
    }
}

/// The orders that let these lines go.
fn let_go(seen: &[Payable], items: &[Item]) -> Vec<Id<id::Payout>> {
    let of: BTreeSet<Id<Payment>> = items.iter().map(|item| item.payment).collect();
    let those = seen.iter().filter(|one| !one.let_go.is_empty() && of.contains(&one.payment));
    those.flat_map(|one| &one.let_go).copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Makes one order with its slip; false when the day's money of that kind was ordered before.
async fn order(
    app: &App,
    tx: &mut Tx,
    (from, day): (&account::CollectingAccount, Day),
    ((agency, kind, seller), (payer, sealing)): (Heap, &(agency::AgencyRow, DataKey)),
    (rule, items, let_go): (&Rule, &[Item], &[Id<id::Payout>]),
    now: Instant,
) -> Result<bool> {
    let account = from.id;
    let amount = Money::sum(Currency::Vnd, items.iter().map(|item| item.amount)).map_err(Error::internal)?;
    let today = Day::of(now);
    let running = rows::next_slip(tx).await?;
    let month = today.to_string().replace('-', "");
    let slip_number = format!("{}{}{:09}", rule.treasury_office, month.get(2..6).unwrap_or("0000"), running);
    let seller_account =
        seller.as_ref().map_or_else(String::new, |to| format!("{} {} {}", to.tax_code, to.bank, to.number));
    let replaces = rows::unreplaced(tx, let_go, (agency, kind, &seller_account)).await?;
    let mut slip = slip(rule, payer, (from, amount, today));
    if let Some(seller) = &seller {
        slip["seller"] = json!({ "tax_code": seller.tax_code });
    }
    let order = StoredPayout {
        id: Id::new(now, &*app.entropy),
        account,
        agency,
        kind,
        day,
        amount,
        beneficiary: json!({ "bank": rule.bank, "number": rule.number, "holder": rule.holder }),
        slip,
        slip_number,
        state: State::Created,
        replaces,
        counterpart: None,
        created_at: now,
    };
    if !rows::insert(tx, &order, &seller_account).await? {
        return Ok(false);
    }
    rows::insert_items(tx, &order, items).await?;
    record(app, tx, &order, "payout.created", sealing, now).await?;
    Ok(true)
}

/// The head of the budget payment slip; its lines are the order's items.
pub(super) fn slip(
    rule: &Rule,
    payer: &agency::AgencyRow,
    (from, amount, made): (&account::CollectingAccount, Money, Day),
) -> Value {
    json!({
        // The price of a service is not the budget's: it goes by a transfer without that form.
        "form": if rule.kind == Kind::Service { Value::Null } else { json!("02") },
        "made_on": made.to_string(),
        "method": "transfer",
        "currency": "VND",
        "payer": { "name": payer.name_vi, "tax_code": payer.tax_code, "address": payer.address_vi },
        "debit": { "bank": from.bank, "number": from.number, "holder": from.holder.as_str() },
        "treasury_office": rule.treasury_office,
        "authority": rule.authority.as_ref().map(|a| json!({ "code": a.code, "name": a.name })),
        "legal_basis": rule.basis,
        "total": super::explain::money(amount),
        "total_in_words": u64::try_from(amount.minor()).map(dong_in_words).unwrap_or_default(),
    })
}

/// Tells the clearing system of an order whose time has come, and records what it says.
async fn tell(app: &App, id: Id<id::Payout>) -> Result<()> {
    let Some((order, message)) = step(app, id, &Event::Due).await? else { return Ok(()) };
    let now = app.clock.now();
    let answer = app.clearing.pass_on(MessageId(id.uuid()), &message, order.created_at, now).await;
    step(app, id, &Event::Answered(answer)).await.map(drop)
}

/// Applies an event; the order and its message, if the clearing system is to be told of it.
pub(super) async fn step(
    app: &App,
    id: Id<id::Payout>,
    event: &Event,
) -> Result<Option<(StoredPayout, CreditTransfer)>> {
    for _ in 0..TRIES {
        let now = app.clock.now();
        let mut tx = app.store.begin().await?;
        let Some(order) = rows::find(&mut tx, id).await? else { return Ok(None) };
        let (state, telling) = match follow(&order.state, event, now) {
            Next::Stay => {
                if *event == Event::Due {
                    // A silent one that was told often enough waits for the statement.
                    rows::look_again(&mut tx, id, order.state.next_look(now).filter(|at| *at > now)).await?;
                    tx.commit().await?;
                }
                return Ok(None);
            }
            Next::Contradiction => {
                tracing::error!(payout = %id, ?event, state = order.state.as_str(), "a message denies what is certain");
                return Ok(None);
            }
            Next::Move(state) => (state, false),
            Next::Tell(state) => (state, true),
        };
        let message = if telling { Some(message(&mut tx, &order).await?) } else { None };
        if !rows::move_payout(&mut tx, &order, &state, None, now).await? {
            continue;
        }
        if telling && state == State::Created {
            // Whoever looks meanwhile leaves it alone.
            rows::look_again(&mut tx, id, Some(now + AGAIN_AFTER)).await?;
        }
        let order = StoredPayout { state, ..order };
        if matches!(order.state, State::Bounced { .. }) {
            let sealing = agency_key(app, &mut tx, order.agency).await?;
            record(app, &mut tx, &order, "payout.bounced", &sealing, now).await?;
            // What a till owes another agency is owed again.
            cash::drop_transfer(&mut tx, id).await?;
            remittance_failed(app, &mut tx, &order, now).await?;
        }
        tx.commit().await?;
        return Ok(message.map(|message| (order, message)));
    }
    Err(Error::conflict("payout_moved"))
}

/// The order as the clearing system reads it; told again it says the same.
async fn message(tx: &mut Tx, order: &StoredPayout) -> Result<CreditTransfer> {
    let lost = |what| Error::internal(format!("an order without its {what}"));
    let from = account::account(tx, order.account).await?.ok_or_else(|| lost("account"))?;
    let to =
        |name: &str| order.beneficiary[name].as_str().map(str::to_owned).ok_or_else(|| lost("beneficiary"));
    let made = order.created_at;
    let days = calendar::working_days(tx, Day::of(made)).await?;
    let hours = calendar::sessions(tx, Day::of(made)).await?;
    let value = session::slot(&hours, &days, order.amount, made).map_or(Day::of(made), |slot| slot.day);
    let words = match order.kind {
        Kind::Phi => "PHI",
        Kind::LePhi => "LE PHI",
        Kind::Tax => "THUE",
        Kind::Retained => "PHI DE LAI",
        Kind::Service => "GIA DICH VU",
        Kind::Collected => "THU HO",
    };
    // What is not the budget's does not bear its name.
    let whose = if order.kind == Kind::Service { "DVC" } else { "NSNN" };
    let text = format!("{whose} {} {words} {}", order.slip_number, order.day);
    Ok(CreditTransfer {
        id: EndToEndId(order.id.uuid()),
        uetr: Uetr::new(order.id.uuid()),
        amount: order.amount,
        value,
        debtor: printed(from.holder.as_str())?,
        debtor_account: from.number.parse().map_err(Error::internal)?,
        debtor_agent: agent(&from.bank)?,
        creditor_agent: agent(&to("bank")?)?,
        creditor: printed(&to("holder")?)?,
        creditor_account: to("number")?.parse().map_err(Error::internal)?,
        remittance: printed(&text)?,
    })
}

/// A name as institutions print it.
fn printed(text: &str) -> Result<Line<140>> {
    let plain: String = unaccented(text).chars().take(140).collect();
    Line::parse(&plain).map_err(Error::internal)
}

/// A bank is named by its BIC, or else by its number in the clearing system.
fn agent(code: &str) -> Result<Agent> {
    let bic = code.parse().map(Agent::Bic);
    bic.or_else(|_| code.parse().map(Agent::Member)).map_err(Error::internal)
}

/// The leaf and the event of what happened to an order.
pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    order: &StoredPayout,
    kind: &'static str,
    sealing: &DataKey,
    now: Instant,
) -> Result<()> {
    let told = json!({
        "payout": order.id.to_string(),
        "kind": order.kind.as_str(),
        "day": order.day.to_string(),
        "amount": super::explain::money(order.amount),
        "slip_number": order.slip_number,
        "status": order.state.as_str(),
    });
    let concern = audit_leaf::Concern { citizen: None, agency: Some(order.agency), object: order.id.uuid() };
    let leaf = audit_leaf::leaf(app, now, kind, concern, sealing, &told);
    audit::append(tx, &[leaf]).await?;
    let event = event_row(app, now, kind, (order.agency, order.id.uuid()), &told);
    Ok(outbox::enqueue(tx, &[event]).await?)
}

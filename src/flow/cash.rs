//! Cash from the till to the statement, and card slips until the card company pays.
//!
//! What a cashier carries to the bank stands on a slip of the bank, which may hold what several shifts and tills brought;
//! the whole slip is one line of a statement. What a till took for another agency is carried to that agency's account.
//! A card company pays many slips by one credit and keeps its discount, which has an account of its own. Where exactly one
//! slip, or one day's card slips, can be a credit, that is proposed; a person confirms it or chooses another.

use super::{
    Error, Result,
    agency_key::agencies_with_keys,
    audit_leaf::{self, Concern},
    desk::{book, on_duty, record},
    event::event_row,
    inherit::{Tree, agencies_of},
    officer,
};
use crate::{
    app::App,
    base::{
        calendar::{Day, rfc3339},
        clock::Instant,
        id::{Agency, Case, Citizen, Deposit, Drawer, Id, Leaf, Payment},
        money::Money,
        text::Line,
    },
    identity::role::Role,
    payment::{
        desk as rules,
        desk_match::{self as matching, Came, Carried, Charged, What},
        ledger::{self, Account},
    },
    store::{
        Tx, audit, calendar, cash as rows, debit,
        ledger::EntryKind,
        outbox, payout_waiting,
        suspense::{self, HeldMoney},
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Carries cash to the bank: from the till it is on its way, until a credit turns out to be it. `to` is the agency into
/// whose account it goes, where that is not the till's own: never more than the till owes it.
pub async fn deposit_cash(
    app: &App,
    cashier: Id<Citizen>,
    (amount, slip): (Money, &Line<40>),
    to: Option<Id<Agency>>,
) -> Result<Id<Deposit>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let shift = on_duty(&mut tx, cashier, Day::of(now)).await?;
    let to = to.unwrap_or(shift.agency);
    if !amount.is_positive() || amount.minor() > shift.expected.minor() {
        return Err(Error::conflict("till_short"));
    }
    if to != shift.agency {
        // Who orders a transfer of it locks the till.
        rows::lock_drawer(&mut tx, shift.drawer).await?;
        let owed = rows::owed_by_tills(&mut tx, &[shift.drawer]).await?.into_values().flatten();
        let owed = { owed }.find(|(agency, _)| *agency == to).ok_or(Error::not_found())?.1;
        if amount.minor() > owed.minor() {
            return Err(Error::refused("tender_differs"));
        }
    }
    if rows::is_confirmed(&mut tx, to, slip.as_str()).await? {
        return Err(Error::conflict("slip_used"));
    }
    let id: Id<Deposit> = Id::new(now, &*app.entropy);
    match rows::insert_deposit(&mut tx, (id, to), &shift, cashier, (amount, slip.as_str()), now).await {
        Err(e) if e.violates("cash_deposit_slip_once") => return Err(Error::conflict("slip_used")),
        done => done?,
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let entry = rules::carried((shift.agency, shift.drawer), to, amount).map_err(Error::internal)?;
    book(app, &mut tx, vec![(EntryKind::CashMoved, entry)], (id.uuid(), leaf), now).await?;
    let details = json!({ "deposit": id.to_string(), "amount": amount.decimal(), "slip": slip.as_str(),
        "to": to.to_string(), "by": cashier.to_string() });
    record(app, &mut tx, (leaf, "cash.deposited"), shift.agency, id.uuid(), &details, now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Says which credit of the statement a bank's slip turned out to be, whole: an accountant's act, never the cashier's.
pub async fn confirm_slip(app: &App, accountant: Id<Citizen>, slip: &Line<40>, case: Id<Case>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let waiting = debit::lock_waiting(&mut tx, case).await?.ok_or(Error::not_found())?;
    officer::demand(&mut tx, accountant, waiting.agency, Role::Accountant, Day::of(now)).await?;
    let parts = rows::lock_slip(&mut tx, waiting.agency, slip.as_str()).await?;
    if !waiting.held || parts.is_empty() {
        return Err(Error::conflict("slip_used"));
    }
    let sum = Money::sum(waiting.amount.currency(), parts.iter().map(|(_, amount, _)| *amount));
    if sum != Ok(waiting.amount) {
        return Err(Error::refused("slip_differs"));
    }
    if parts.iter().any(|(_, _, carrier)| *carrier == accountant) {
        return Err(Error::forbidden("own_act"));
    }
    let ids: Vec<Id<Deposit>> = parts.iter().map(|(id, _, _)| *id).collect();
    rows::confirm_slip(&mut tx, &ids, case, accountant, now).await?;
    if !debit::release(&mut tx, case).await? {
        return Err(Error::internal("suspense moved under its lock"));
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let (from, to) = (Account::CashInTransit(waiting.agency), Account::Suspense(waiting.key.0));
    let entry = ledger::moved(from, to, waiting.amount).map_err(Error::internal)?;
    book(app, &mut tx, vec![(EntryKind::CashMoved, entry)], (case.uuid(), leaf), now).await?;
    payout_waiting::cover_desks(&mut tx, waiting.agency, &[], now).await?;
    let deposits: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let details = json!({ "slip": slip.as_str(), "deposits": deposits, "case": case.to_string(),
        "by": accountant.to_string() });
    record(app, &mut tx, (leaf, "cash.arrived"), waiting.agency, case.uuid(), &details, now).await?;
    Ok(tx.commit().await?)
}

/// Says which card slips a credit paid for; what the card company kept is its discount.
pub async fn settle_cards(
    app: &App,
    accountant: Id<Citizen>,
    case: Id<Case>,
    payments: &[Id<Payment>],
) -> Result<Money> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let waiting = debit::lock_waiting(&mut tx, case).await?.ok_or(Error::not_found())?;
    let agency = waiting.agency;
    officer::demand(&mut tx, accountant, agency, Role::Accountant, Day::of(now)).await?;
    if !waiting.held {
        return Err(Error::conflict("slip_used"));
    }
    let open = rows::card_slips(&mut tx, &[agency], Some(payments)).await?;
    if payments.is_empty() || open.len() != payments.len() {
        return Err(Error::conflict("slip_used"));
    }
    let sum = Money::sum(waiting.amount.currency(), open.iter().map(|slip| slip.amount));
    let kept = sum.ok().and_then(|sum| rules::discount(sum, waiting.amount));
    let kept = kept.ok_or(Error::refused("slip_differs"))?;
    rows::insert_settlement(&mut tx, (case, agency), (waiting.amount, kept), accountant, now).await?;
    match rows::insert_settled_slips(&mut tx, case, payments).await {
        Err(e) if e.violates("card_slip_settled_once") => return Err(Error::conflict("slip_used")),
        done => done?,
    }
    if !debit::release(&mut tx, case).await? {
        return Err(Error::internal("suspense moved under its lock"));
    }
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    let (owed, suspense) = (Account::CardReceivable(agency), Account::Suspense(waiting.key.0));
    let came = ledger::moved(owed, suspense, waiting.amount).map_err(Error::internal)?;
    let mut entries = vec![(EntryKind::Released, came)];
    if kept.is_positive() {
        let entry = ledger::moved(owed, Account::CardDiscount(agency), kept).map_err(Error::internal)?;
        entries.push((EntryKind::Discounted, entry));
    }
    book(app, &mut tx, entries, (case.uuid(), leaf), now).await?;
    payout_waiting::cover_desks(&mut tx, agency, &[], now).await?;
    let details = json!({ "case": case.to_string(), "amount": waiting.amount.decimal(),
        "discount": kept.decimal(), "slips": payments.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "by": accountant.to_string() });
    record(app, &mut tx, (leaf, "cards.settled"), agency, case.uuid(), &details, now).await?;
    tx.commit().await?;
    Ok(kept)
}

/// Since when cash lies in a till, and how much must be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TillShown {
    /// Its row.
    pub till: rows::Till,
    /// Since when the oldest cash lies there.
    pub since: Option<Instant>,
    /// Whether that is longer than it may.
    pub late: bool,
    /// What it owes other agencies: identifier, name, how much.
    pub owes: Vec<(Id<Agency>, String, Money)>,
}

/// The tills of these agencies.
pub(super) async fn tills(
    app: &App,
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    now: Instant,
) -> Result<Vec<TillShown>> {
    let days = calendar::working_days(tx, Day::of(now)).await?;
    let last = |since| (0..app.limits.cash_days_max).fold(Day::of(since), |day, _| days.next(day));
    let tills = rows::tills(tx, agencies).await?;
    let ids: Vec<Id<Drawer>> = tills.iter().map(|till| till.id).collect();
    let (mut taken, left) = (rows::taken(tx, &ids).await?, rows::left(tx, &ids).await?);
    let mut owed = rows::owed_by_tills(tx, &ids).await?;
    let others: BTreeSet<Id<Agency>> = owed.values().flatten().map(|(agency, _)| *agency).collect();
    let others: Vec<Id<Agency>> = others.into_iter().collect();
    let named = crate::store::agency::find_all(tx, &others).await?;
    let name = |id| named.iter().find(|row| row.id == id).map(|row| row.name_vi.clone()).unwrap_or_default();
    let shown = tills.into_iter().map(|till| {
        let left = left.get(&till.id).copied().unwrap_or(Money::vnd(0));
        let since = rules::kept_since(&taken.remove(&till.id).unwrap_or_default(), left);
        let owes = owed.remove(&till.id).unwrap_or_default().into_iter();
        TillShown {
            late: since.is_some_and(|since| Day::of(now) > last(since)),
            owes: owes.map(|(id, amount)| (id, name(id), amount)).collect(),
            since,
            till,
        }
    });
    Ok(shown.collect())
}

/// What the accountant's page of cash shows.
pub struct CashPage {
    /// Whoever reads.
    pub reader: String,
    /// Whether they act, or only read.
    pub acts: bool,
    /// The tills.
    pub tills: Vec<TillShown>,
    /// The bank's slips, those that wait for their credit first.
    pub slips: Vec<rows::BankSlip>,
    /// Card slips that no credit has paid yet, the oldest first.
    pub cards: Vec<rows::CardSlip>,
    /// What card companies paid, the newest first.
    pub settlements: Vec<rows::Settlement>,
    /// Credits that wait for an explanation.
    pub credits: Vec<Credit>,
    /// What exactly one thing explains: somebody confirms it.
    pub proposals: Vec<Proposal>,
}

/// What a credit is proposed to be.
pub type Proposal = matching::Proposal;

/// What is proposed for the credits that wait.
fn proposals(credits: &[Credit], slips: &[rows::BankSlip], cards: &[rows::CardSlip]) -> Vec<Proposal> {
    let came = |money: &Credit| Came {
        case: money.case,
        agency: money.agency,
        amount: money.amount,
        day: Day::of(money.opened_at),
    };
    let carried = |slip: &rows::BankSlip| Carried {
        agency: slip.agency,
        slip: slip.slip.clone(),
        amount: slip.amount,
        day: Day::of(slip.at),
    };
    let charged = |slip: &rows::CardSlip| Charged {
        payment: slip.payment,
        agency: slip.agency,
        amount: slip.amount,
        day: Day::of(slip.at),
    };
    let came: Vec<Came> = credits.iter().map(came).collect();
    let carried: Vec<Carried> = slips.iter().filter(|slip| slip.case.is_none()).map(carried).collect();
    matching::propose(&came, &carried, &cards.iter().map(charged).collect::<Vec<_>>())
}

/// A credit that waits for an explanation.
pub type Credit = HeldMoney;

/// How many credits the page offers.
const CREDITS: i64 = 100;

/// Cash and cards of the agencies whose books the officer keeps or audits.
pub async fn read_cash(app: &App, officer: Id<Citizen>) -> Result<CashPage> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces(&mut tx, officer, Day::of(now)).await?;
    if places.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let ids: Vec<Id<Agency>> = places.iter().map(|place| place.id).collect();
    let held = suspense::of_agencies(&mut tx, &ids, None, CREDITS).await?;
    let names = officer::names(app, &mut tx, &[officer].into()).await?;
    let credits: Vec<Credit> = held.into_iter().filter(|money| money.held).collect();
    let (slips, cards) = (rows::slips(&mut tx, &ids).await?, rows::card_slips(&mut tx, &ids, None).await?);
    Ok(CashPage {
        proposals: proposals(&credits, &slips, &cards),
        reader: names.get(&officer).cloned().unwrap_or_default(),
        acts: places.iter().any(|place| place.acts),
        tills: tills(app, &mut tx, &ids, now).await?,
        slips,
        cards,
        settlements: rows::settlements(&mut tx, &ids).await?,
        credits,
    })
}

/// The same as `/v1` answers with it.
pub async fn describe_cash(app: &App, agency: Id<Agency>, tree: Tree) -> Result<Value> {
    let now = app.clock.now();
    let money = super::explain::money;
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let till = |shown: &TillShown| {
        let owes = shown
            .owes
            .iter()
            .map(|(to, _, amount)| json!({ "to": to.to_string(), "amount": money(*amount) }));
        json!({
            "id": shown.till.id.to_string(),
            "name": shown.till.name,
            "open": shown.till.open,
            "expected": money(shown.till.expected),
            "kept_since": shown.since.map(rfc3339),
            "late": shown.late,
            "owes": owes.collect::<Vec<_>>(),
        })
    };
    let slip = |slip: &rows::BankSlip| {
        json!({
            "slip": slip.slip,
            "amount": money(slip.amount),
            "shifts": slip.shifts,
            "carried_at": rfc3339(slip.at),
            "case": slip.case.map(|case| case.to_string()),
        })
    };
    let card = |slip: &rows::CardSlip| {
        json!({ "payment": slip.payment.to_string(), "slip": slip.slip, "amount": money(slip.amount),
            "at": rfc3339(slip.at) })
    };
    let settlement = |done: &rows::Settlement| {
        json!({ "case": done.case.to_string(), "amount": money(done.amount), "discount": money(done.discount),
            "slips": done.slips, "at": rfc3339(done.at) })
    };
    let held = suspense::of_agencies(&mut tx, &agencies, None, CREDITS).await?;
    let credits: Vec<Credit> = held.into_iter().filter(|money| money.held).collect();
    let (slips, cards) =
        (rows::slips(&mut tx, &agencies).await?, rows::card_slips(&mut tx, &agencies, None).await?);
    let proposal = |proposal: &Proposal| {
        let (slip, payments, discount) = match &proposal.what {
            What::Slip(slip) => (Some(slip), Vec::new(), Money::vnd(0)),
            What::Cards(payments, kept) => (None, payments.iter().map(ToString::to_string).collect(), *kept),
        };
        json!({ "case": proposal.case.to_string(), "slip": slip, "payments": payments, "discount": money(discount) })
    };
    Ok(json!({
        "proposals": proposals(&credits, &slips, &cards).iter().map(proposal).collect::<Vec<_>>(),
        "tills": tills(app, &mut tx, &agencies, now).await?.iter().map(till).collect::<Vec<_>>(),
        "slips": slips.iter().map(slip).collect::<Vec<_>>(),
        "cards": cards.iter().map(card).collect::<Vec<_>>(),
        "settlements": rows::settlements(&mut tx, &agencies).await?.iter().map(settlement).collect::<Vec<_>>(),
    }))
}

/// Tells each agency, once a day, that cash has been kept in a till longer than it may. How many were told.
pub async fn warn_kept_cash(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let agencies = rows::agencies_with_cash(&mut tx, Day::of(now)).await?;
    let shown = tills(app, &mut tx, &agencies, now).await?;
    let mut late: BTreeMap<Id<Agency>, Vec<&TillShown>> = BTreeMap::new();
    for till in shown.iter().filter(|till| till.late) {
        late.entry(till.till.agency).or_default().push(till);
    }
    let oldest = |tills: &[&TillShown]| tills.iter().filter_map(|till| till.since).min();
    let since = late.iter().filter_map(|(agency, tills)| Some((*agency, oldest(tills)?))).collect();
    let told = rows::insert_alarms(&mut tx, &since, Day::of(now), now).await?;
    let keys = agencies_with_keys(app, &mut tx, told.iter().copied()).await?;
    let (mut leaves, mut events) = (Vec::new(), Vec::new());
    for (agency, (_, key)) in &keys {
        let names: Vec<&str> =
            late.get(agency).into_iter().flatten().map(|till| till.till.name.as_str()).collect();
        let details = json!({ "since": since.get(agency).copied().map(rfc3339), "tills": names });
        let concern = Concern { citizen: None, agency: Some(*agency), object: agency.uuid() };
        leaves.push(audit_leaf::leaf(app, now, "cash.kept", concern, key, &details));
        events.push(event_row(app, now, "cash.kept", (*agency, agency.uuid()), &details));
    }
    audit::append(&mut tx, &leaves).await?;
    outbox::enqueue(&mut tx, &events).await?;
    tx.commit().await?;
    Ok(told.len())
}

//! Asks for money back: what, how much and why; nothing moves by it. What is asked counts against what came from this
//! moment on, so that two requests can never promise the same money. What lies in several places is divided: each part goes back
//! from where it lies, by a refund of its own.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    audit_leaf,
    event::event_row,
    idempotency::Idempotency,
    inherit::demand_standing,
    officer, population,
    refund_answer::{place, refund_json},
    tell_payers,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Account, Agency, Bill, Case, Citizen, Client, Id, Payment},
        money::Money,
        text::Line,
    },
    crypto::seal::DataKey,
    identity::{personal_number::PersonalNumber, role::Role},
    payment::{
        bill::{BillLine, State as BillState},
        payment::Way as PaidBy,
        payout::Kind,
        refund::{self, Extent, Lies, Reason, State},
        refund_share::{self, Held, Place, Share},
    },
    store::{
        Tx, audit, bill as bills,
        debit::{Waiting, lock_waiting},
        desk, outbox,
        payment::{self as payments, StoredPayment},
        refund::{self as rows, Source, StoredRefund},
        refund_line,
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What somebody wants back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    /// Of what.
    pub of: Of,
    /// How much of it.
    pub extent: Extent,
    /// Why.
    pub reason: Reason,
    /// Why, in words.
    pub words: Line<300>,
    /// Whether the payer wants cash.
    pub in_cash: bool,
    /// Whether the agency has begun its work on the dossier.
    pub work_begun: bool,
    /// The officer who asks.
    pub officer: Id<Citizen>,
}

/// What money is given back of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A paid bill.
    Bill(Id<Bill>),
    /// Money in suspense.
    Case(Id<Case>),
}

/// Asks for it; once per key where a system asks.
pub async fn request_refund(
    app: &App,
    agency: Id<Agency>,
    new: &NewRefund,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    let client = key.map(|key| key.client);
    let refunds = ask_in(app, &mut tx, agency, (new, client), now).await?;
    let (refund, apart) = refunds.split_first().ok_or(Error::internal("a request for nothing"))?;
    let lines = refund_line::of_refund(&mut tx, refund.id).await?;
    let mut answer = refund_json(refund, &lines, &[]);
    answer["apart"] = apart.iter().map(|other| other.id.to_string()).collect();
    if let Some(key) = key {
        key.keep(&mut tx, refund.id.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// The same within a transaction, for what must hold together with it: a refund for each place in which the money lies, what
/// lies here first.
pub(super) async fn ask_in(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    (new, client): (&NewRefund, Option<Id<Client>>),
    now: Instant,
) -> Result<Vec<StoredRefund>> {
    demand_asker(tx, new.officer, agency, Day::of(now)).await?;
    let sealing = agency_key(app, tx, agency).await?;
    let refunds = match new.of {
        Of::Bill(bill) => of_bill(app, tx, agency, bill, (new, client), (&sealing, now)).await?,
        Of::Case(case) => vec![of_case(app, tx, agency, case, (new, client), (&sealing, now)).await?],
    };
    for refund in &refunds {
        record(app, tx, refund, "refund.requested", &sealing, now).await?;
    }
    Ok(refunds)
}

/// The officer of that personal number, as a system names them.
pub async fn officer_numbered(app: &App, number: PersonalNumber) -> Result<Id<Citizen>> {
    let mut tx = app.store.begin().await?;
    let looked = population::look_up(app, &mut tx, number).await?;
    Ok(looked.on_record.ok_or(Error::forbidden("officer_needed"))?.citizen)
}

/// The bill of a reference, if it is this agency's, or was that of whom it succeeded.
pub async fn bill_named(app: &App, agency: Id<Agency>, reference: &str) -> Result<Id<Bill>> {
    let reference = reference.parse().map_err(|_| Error::not_found())?;
    let mut tx = app.store.begin().await?;
    let stored = bills::bill_of_reference(&mut tx, &reference).await?;
    let stored = stored.ok_or(Error::not_found())?;
    let procedure = stored.procedure.code.as_str();
    demand_standing(&mut tx, agency, stored.bill.agency, Some(procedure)).await?;
    Ok(stored.bill.id)
}

/// Whoever handles dossiers or keeps the books may ask.
async fn demand_asker(tx: &mut Tx, officer: Id<Citizen>, agency: Id<Agency>, today: Day) -> Result<()> {
    match officer::demand(tx, officer, agency, Role::Accountant, today).await {
        Ok(()) => Ok(()),
        Err(_) => officer::demand(tx, officer, agency, Role::Officer, today)
            .await
            .map_err(|_| Error::forbidden("officer_needed")),
    }
}

pub(super) fn refused(refusal: refund::Refusal) -> Error {
    match refusal {
        refund::Refusal::AlreadyDecided => Error::conflict(refusal.code()),
        refund::Refusal::OwnAct => Error::forbidden(refusal.code()),
        refund::Refusal::MoreThanCame
        | refund::Refusal::LiesElsewhere
        | refund::Refusal::LiesApart
        | refund::Refusal::NotPaid => Error::conflict(refusal.code()),
        refund::Refusal::Nothing
        | refund::Refusal::UnknownLine
        | refund::Refusal::ReasonUnfit
        | refund::Refusal::NotRefundable
        | refund::Refusal::OverDayLimit => Error::refused(refusal.code()),
    }
}

async fn of_bill(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    bill: Id<Bill>,
    (new, client): (&NewRefund, Option<Id<Client>>),
    (sealing, now): (&DataKey, Instant),
) -> Result<Vec<StoredRefund>> {
    let stored = bills::bill(tx, bill).await?.ok_or(Error::not_found())?;
    demand_standing(tx, agency, stored.bill.agency, Some(stored.procedure.code.as_str())).await?;
    let (state, _) = bills::lock_bill(tx, bill).await?.ok_or(Error::not_found())?;
    let BillState::Paid { payment, .. } = state else { return Err(refused(refund::Refusal::NotPaid)) };
    if !new.reason.is_about_a_bill() {
        return Err(refused(refund::Refusal::ReasonUnfit));
    }
    let procedure = stored.procedure.code.to_string();
    let excluded = rows::exclusion(tx, &procedure, new.reason, Day::of(now)).await?;
    if excluded.is_some() || (new.reason.needs_work_not_begun() && new.work_begun) {
        let refusal = Refusal::new(refund::Refusal::NotRefundable.code());
        let basis = excluded.unwrap_or_else(|| new.reason.legal_basis().to_owned());
        return Err(Error::Refused(refusal.violation("/reason", "law", Some(basis))));
    }
    let paid = payments::payment(tx, payment).await?.ok_or(Error::internal("a paid bill without payment"))?;
    let held = held(tx, payment, stored.bill.lines.as_slice()).await?;
    let left = held.iter().map(Held::left).collect::<std::result::Result<Vec<Money>, _>>();
    let parts = refund::allocate(&left.map_err(Error::internal)?, &new.extent).map_err(refused)?;
    let amount = Money::sum(paid.amount.currency(), parts.iter().copied()).map_err(Error::internal)?;
    let asked = (0_i16..).zip(held).zip(parts).map(|((line, held), amount)| (line, held, amount));
    let lines: Vec<(i16, Held, Money)> = asked.filter(|line| line.2.is_positive()).collect();
    let places = refund_share::by_place(&lines).map_err(refused)?;
    let shares: Vec<Share> = places.values().flatten().copied().collect();
    if !rows::reserve(tx, Source::Payment(payment), paid.amount, amount).await?
        || refund_line::reserve(tx, payment, &shares).await? != lines.len() as u64
    {
        return Err(refused(refund::Refusal::MoreThanCame));
    }
    let mut refunds = Vec::with_capacity(places.len() + 1);
    for ((place, account), shares) in from_accounts(tx, (agency, bill, &paid), places, new.in_cash).await? {
        let lies = Lies { remitted: place != Place::Here, in_cash: account.is_none() };
        let amount = Money::sum(paid.amount.currency(), shares.iter().map(|share| share.amount));
        let (amount, source) = (amount.map_err(Error::internal)?, Source::Payment(payment));
        let refund = StoredRefund {
            account,
            way: refund::way(lies, new.in_cash),
            payout: match place {
                Place::Treasury(order) => Some(order),
                Place::Here | Place::Elsewhere => None,
            },
            client,
            ..new_refund(app, (agency, Some(bill)), source, amount, (new, sealing, now))
        };
        rows::insert(tx, &refund).await?;
        refund_line::insert(tx, refund.id, &shares).await?;
        refunds.push(refund);
    }
    Ok(refunds)
}

/// What goes back, by the account from which it does; without one what was taken at a desk. What of that a transfer into an
/// account of the same agency was goes back by transfer, unless the payer wants cash.
async fn from_accounts(
    tx: &mut Tx,
    (agency, bill, paid): (Id<Agency>, Id<Bill>, &StoredPayment),
    places: BTreeMap<Place, Vec<Share>>,
    in_cash: bool,
) -> Result<Vec<((Place, Option<Id<Account>>), Vec<Share>)>> {
    if paid.way != PaidBy::Desk {
        return Ok(places.into_iter().map(|(place, shares)| ((place, Some(paid.account)), shares)).collect());
    }
    let transfer = desk::by_transfer(tx, bill, paid.id).await?;
    let transfer = transfer.filter(|transfer| transfer.owner == agency && !in_cash);
    let mut from = Vec::with_capacity(places.len() + 1);
    for (place, shares) in places {
        let shares = match &transfer {
            Some(transfer) if place == Place::Here => {
                let (back, cash) =
                    refund_share::by_transfer(shares, transfer.left).map_err(Error::internal)?;
                from.push(((place, Some(transfer.account)), back));
                cash
            }
            _ => shares,
        };
        from.push(((place, None), shares));
    }
    from.retain(|(_, shares)| !shares.is_empty());
    Ok(from)
}

/// The lines of a paid bill: what is promised back of each by now, and where its parts lie.
pub(super) async fn held(tx: &mut Tx, payment: Id<Payment>, lines: &[BillLine]) -> Result<Vec<Held>> {
    let lies = refund_line::passed_on(tx, payment).await?;
    let back = refund_line::back_of(tx, &[payment]).await?;
    let held = (0_i16..).zip(lines).map(|(place, line)| {
        let gone = back.get(&(payment, place)).copied().unwrap_or_default();
        let at = |kind| lies.get(&(place, kind)).copied().unwrap_or(Place::Here);
        Held {
            charged: line.amount,
            retained: line.retained,
            back: gone.amount,
            kept_back: gone.kept,
            kept_lies: at(Kind::Retained),
            rest_lies: at(Kind::of(line.kind)),
        }
    });
    Ok(held.collect())
}

/// Demands that money of a case still waits, or is owed back by a decision: whatever it was used for otherwise has it now.
pub(super) async fn demand_unused(tx: &mut Tx, case: Id<Case>, waiting: &Waiting) -> Result<()> {
    if waiting.held || rows::is_owed_back(tx, case).await? {
        Ok(())
    } else {
        Err(refused(refund::Refusal::MoreThanCame))
    }
}

async fn of_case(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    case: Id<Case>,
    (new, client): (&NewRefund, Option<Id<Client>>),
    (sealing, now): (&DataKey, Instant),
) -> Result<StoredRefund> {
    let waiting = lock_waiting(tx, case).await?.filter(|w| w.agency == agency).ok_or(Error::not_found())?;
    if new.reason.is_about_a_bill() && new.reason != Reason::Recalled && new.reason != Reason::Decision {
        return Err(refused(refund::Refusal::ReasonUnfit));
    }
    // Money without a bill goes back whole: what it was for is not known by halves.
    if new.extent != Extent::Whole && new.extent != Extent::Amount(waiting.amount) {
        return Err(refused(refund::Refusal::MoreThanCame));
    }
    demand_unused(tx, case, &waiting).await?;
    if !rows::reserve(tx, Source::Case(case), waiting.amount, waiting.amount).await? {
        return Err(refused(refund::Refusal::MoreThanCame));
    }
    let refund =
        new_refund(app, (agency, waiting.bill), Source::Case(case), waiting.amount, (new, sealing, now));
    let way = refund::way(Lies { remitted: false, in_cash: false }, new.in_cash);
    let refund = StoredRefund { account: Some(waiting.key.0), way, client, ..refund };
    rows::insert(tx, &refund).await?;
    Ok(refund)
}

fn new_refund(
    app: &App,
    (agency, bill): (Id<Agency>, Option<Id<Bill>>),
    source: Source,
    amount: Money,
    (new, sealing, now): (&NewRefund, &DataKey, Instant),
) -> StoredRefund {
    let id = Id::new(now, &*app.entropy);
    StoredRefund {
        id,
        agency,
        bill,
        source,
        account: None,
        amount,
        way: refund::Way::Clearing,
        payout: None,
        reason: new.reason,
        words: sealing.seal(&*app.entropy, &place(id), new.words.as_str().as_bytes()),
        state: State::Requested,
        requested_by: Some(new.officer),
        client: None,
        requested_at: now,
        decided_at: None,
        entry: None,
        next_at: None,
    }
}

/// The leaf and the event of what happened to a refund.
pub(super) async fn record(
    app: &App,
    tx: &mut Tx,
    refund: &StoredRefund,
    kind: &'static str,
    sealing: &DataKey,
    now: Instant,
) -> Result<()> {
    let told = json!({
        "refund": refund.id.to_string(),
        "bill": refund.bill.map(|id| id.to_string()),
        "amount": super::explain::money(refund.amount),
        "way": refund.way.as_str(),
        "reason": refund.reason.as_str(),
        "status": refund.state.as_str(),
    });
    let concern =
        audit_leaf::Concern { citizen: None, agency: Some(refund.agency), object: refund.id.uuid() };
    let leaf = audit_leaf::leaf(app, now, kind, concern, sealing, &told);
    audit::append(tx, &[leaf]).await?;
    let event =
        event_row(app, now, kind, (refund.agency, refund.bill.map_or(refund.id.uuid(), Id::uuid)), &told);
    outbox::enqueue(tx, &[event]).await?;
    tell_payers::refund_moved(app, tx, refund, now).await
}

//! Asks for money back: what, how much and why; nothing moves by it. What is asked counts against what came from this
//! moment on, so that two requests can never promise the same money.

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
        id::{Agency, Bill, Case, Citizen, Client, Id},
        money::Money,
        text::Line,
    },
    crypto::seal::DataKey,
    identity::{personal_number::PersonalNumber, role::Role},
    payment::{
        bill::State as BillState,
        payment::Way as PaidBy,
        refund::{self, Extent, Lies, Reason, State},
    },
    store::{
        Tx, audit, bill as bills,
        debit::lock_waiting,
        outbox, payment as payments,
        refund::{self as rows, Source, StoredRefund},
    },
};
use serde_json::{Value, json};

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
    let refund = ask_in(app, &mut tx, agency, (new, client), now).await?;
    let lines = rows::lines(&mut tx, refund.id).await?;
    let answer = refund_json(&refund, &lines, &[]);
    if let Some(key) = key {
        key.keep(&mut tx, refund.id.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// The same within a transaction, for what must hold together with it.
pub(super) async fn ask_in(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    (new, client): (&NewRefund, Option<Id<Client>>),
    now: Instant,
) -> Result<StoredRefund> {
    demand_asker(tx, new.officer, agency, Day::of(now)).await?;
    let sealing = agency_key(app, tx, agency).await?;
    let refund = match new.of {
        Of::Bill(bill) => of_bill(app, tx, agency, bill, new, (&sealing, now)).await?,
        Of::Case(case) => of_case(app, tx, agency, case, new, (&sealing, now)).await?,
    };
    let refund = StoredRefund { client, ..refund };
    record(app, tx, &refund, "refund.requested", &sealing, now).await?;
    Ok(refund)
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
        refund::Refusal::MoreThanCame | refund::Refusal::NotPaid => Error::conflict(refusal.code()),
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
    new: &NewRefund,
    (sealing, now): (&DataKey, Instant),
) -> Result<StoredRefund> {
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
    let charged: Vec<Money> = stored.bill.lines.as_slice().iter().map(|line| line.amount).collect();
    let back = rows::back_of_lines(tx, payment).await?;
    let left = charged.iter().enumerate().map(|(at, charged)| {
        let back = i16::try_from(at).ok().and_then(|at| back.get(&at).copied());
        charged.minus(back.unwrap_or(Money::vnd(0))).map_err(Error::internal)
    });
    let left = left.collect::<Result<Vec<Money>>>()?;
    let parts = refund::allocate(&left, &new.extent).map_err(refused)?;
    let mut lines = Vec::new();
    for (at, (part, charged)) in parts.iter().zip(&charged).enumerate() {
        if part.is_positive() {
            lines.push((i16::try_from(at).map_err(Error::internal)?, *charged, *part));
        }
    }
    let amount = Money::sum(paid.amount.currency(), parts).map_err(Error::internal)?;
    if !rows::reserve(tx, Source::Payment(payment), paid.amount, amount).await?
        || rows::reserve_lines(tx, payment, &lines).await? != lines.len() as u64
    {
        return Err(refused(refund::Refusal::MoreThanCame));
    }
    let lies = Lies { remitted: rows::is_remitted(tx, payment).await?, in_cash: paid.way == PaidBy::Desk };
    let refund = new_refund(app, (agency, Some(bill)), Source::Payment(payment), amount, (new, sealing, now));
    let way = refund::way(lies, new.in_cash);
    let refund = StoredRefund { account: (!lies.in_cash).then_some(paid.account), way, ..refund };
    rows::insert(tx, &refund).await?;
    let lines: Vec<(i16, Money)> = lines.into_iter().map(|(at, _, part)| (at, part)).collect();
    rows::insert_lines(tx, refund.id, &lines).await?;
    Ok(refund)
}

async fn of_case(
    app: &App,
    tx: &mut Tx,
    agency: Id<Agency>,
    case: Id<Case>,
    new: &NewRefund,
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
    if !waiting.held && !rows::is_owed_back(tx, case).await? {
        return Err(refused(refund::Refusal::MoreThanCame));
    }
    if !rows::reserve(tx, Source::Case(case), waiting.amount, waiting.amount).await? {
        return Err(refused(refund::Refusal::MoreThanCame));
    }
    let refund =
        new_refund(app, (agency, waiting.bill), Source::Case(case), waiting.amount, (new, sealing, now));
    let way = refund::way(Lies { remitted: false, in_cash: false }, new.in_cash);
    let refund = StoredRefund { account: Some(waiting.key.0), way, ..refund };
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

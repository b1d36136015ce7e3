//! Refunds as their agency's systems and officers see them, and as whoever has the bill's reference may see them.

use super::{
    Error, Result,
    agency_key::agency_keys,
    inherit::{Tree, agencies_of, demand_standing},
    officer,
    recall::{self, RecallShown},
    refund_answer::{refund_json, words},
    take_report::reports,
    treasury_order::treasury_order,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Citizen, Id},
        money::Money,
        page::PageRequest,
        reference::Reference,
    },
    identity::role::Role,
    payment::refund::Told,
    store::{
        Tx, adjustment_due,
        adjustment_order::{self, Named},
        bill as bills, clearing_report,
        refund::{self as rows, StoredRefund},
        refund_line,
    },
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub use crate::store::recall::{Direction as RecallDirection, Stand as RecallStand, StoredRecall};

/// One refund of the agency, or of whom it succeeded.
pub async fn read_refund(app: &App, agency: Id<Agency>, id: Id<id::Refund>) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let refund = rows::find(&mut tx, id).await?.ok_or(Error::not_found())?;
    demand_standing(&mut tx, agency, refund.agency, None).await?;
    let lines = refund_line::of_refund(&mut tx, id).await?;
    let approvers = rows::approvers(&mut tx, id).await?;
    let mut answer = refund_json(&refund, &lines, &approvers);
    answer["report"] = reports(&mut tx, &[id.uuid()]).await?.remove(&id.uuid()).into();
    answer["receipt_pending"] =
        adjustment_due::waiting(&mut tx, &[id.uuid()]).await?.contains(&id.uuid()).into();
    answer["elsewhere"] = elsewhere(&adjustment_order::made(&mut tx, &[id.uuid()]).await?, id);
    answer["treasury_order"] = treasury_order(app, &mut tx, &refund).await?.into();
    Ok(answer)
}

/// The agency's refunds, the newest first; for itself or by either tree.
pub async fn list_refunds(
    app: &App,
    agency: Id<Agency>,
    (state, tree): (Option<&str>, Tree),
    page: &PageRequest<Id<id::Refund>>,
) -> Result<Value> {
    let mut tx = app.store.begin().await?;
    let agencies = agencies_of(&mut tx, agency, tree).await?;
    let found = rows::of_agencies(&mut tx, &agencies, state, page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id.to_string());
    let ids: Vec<Uuid> = found.items.iter().map(|refund| refund.id.uuid()).collect();
    let mut told = reports(&mut tx, &ids).await?;
    let pending = adjustment_due::waiting(&mut tx, &ids).await?;
    let made = adjustment_order::made(&mut tx, &ids).await?;
    let of = |refund: &StoredRefund| {
        let mut item = refund_json(refund, &[], &[]);
        item["report"] = told.remove(&refund.id.uuid()).into();
        item["receipt_pending"] = pending.contains(&refund.id.uuid()).into();
        item["elsewhere"] = elsewhere(&made, refund.id);
        item
    };
    let items: Vec<Value> = found.items.iter().map(of).collect();
    Ok(json!({ "items": items, "next": next }))
}

/// The receipts by which other issuers adjusted what a refund gave back.
fn elsewhere(made: &[Named], refund: Id<id::Refund>) -> Value {
    let theirs = made.iter().filter(|made| made.refund == refund.uuid());
    let told = theirs.map(|made| {
        let (form, series, number) = &made.named;
        json!({ "kind": made.kind, "form": form, "series": series, "number": number, "lookup": made.lookup })
    });
    told.collect()
}

/// What an officer may do about refunds at one agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPlace {
    /// The agency.
    pub id: Id<Agency>,
    /// Its name, in Vietnamese and English.
    pub name: (String, String),
    /// Whether they may ask.
    pub asks: bool,
    /// Whether they may approve.
    pub approves: bool,
    /// Whether they keep the books.
    pub keeps_books: bool,
}

/// A refund as its page shows it.
pub struct RefundShown {
    /// The refund.
    pub refund: StoredRefund,
    /// The bill's reference and dossier.
    pub bill: Option<(Reference, String)>,
    /// Its words.
    pub words: String,
    /// Who asked.
    pub asker: Option<String>,
    /// Who approved so far.
    pub approvers: Vec<String>,
    /// Whether this reader asked or approved, and so may not approve.
    pub own: bool,
    /// What the clearing system said last of its own accord.
    pub told: Option<Told>,
    /// Whether the money went back and its adjusting receipt still waits.
    pub receipt_pending: bool,
    /// How other issuers named the receipts by which they adjusted theirs.
    pub elsewhere: Vec<String>,
    /// What the Treasury needs for its order, where the money was remitted and one refund is read.
    pub treasury_order: Option<Value>,
}

/// The last refund of a page, and whether it is among those that wait for a decision.
pub type After = (bool, Id<id::Refund>);

/// Which refunds a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// That one.
    One(Id<id::Refund>),
    /// A page of all, after that one.
    All(Option<After>),
}

/// The page of refunds.
pub struct Refunds {
    /// Whoever reads.
    pub reader: String,
    /// Where.
    pub places: Vec<RefundPlace>,
    /// The refunds: those that wait for a decision and then all others, each the newest first.
    pub refunds: Vec<RefundShown>,
    /// After which more follow.
    pub next: Option<After>,
    /// Requests for money back between banks.
    pub recalls: Vec<RecallShown>,
    /// When this was read.
    pub now: Instant,
}

/// Where this citizen has to do with refunds on that day.
pub(super) async fn refund_places(tx: &mut Tx, citizen: Id<Citizen>, today: Day) -> Result<Vec<RefundPlace>> {
    let roles = [Role::Officer, Role::Accountant, Role::Approver, Role::Auditor];
    let places = officer::seats(tx, citizen, today, &roles).await?.into_iter().map(|seat| RefundPlace {
        asks: seat.holds(Role::Officer) || seat.holds(Role::Accountant),
        approves: seat.holds(Role::Approver),
        keeps_books: seat.holds(Role::Accountant),
        id: seat.id,
        name: seat.name,
    });
    Ok(places.collect())
}

/// What page of a list is shown: what waits for a decision, and once that is over all others.
async fn listed(
    tx: &mut Tx,
    agencies: &[Id<Agency>],
    after: Option<After>,
) -> Result<(Vec<StoredRefund>, Option<After>)> {
    let page = |after| PageRequest::new(after, None).ok_or_else(Error::not_found);
    let mut shown = Vec::new();
    let mut after_other = None;
    match after {
        Some((false, other)) => after_other = Some(other),
        Some((true, _)) | None => {
            let waiting = rows::to_decide(tx, agencies, true, &page(after.map(|(_, id)| id))?).await?;
            let next = waiting.items.last().filter(|_| waiting.more).map(|last| (true, last.id));
            if next.is_some() {
                return Ok((waiting.items, next));
            }
            shown = waiting.items;
        }
    }
    let others = rows::to_decide(tx, agencies, false, &page(after_other)?).await?;
    let next = others.items.last().filter(|_| others.more).map(|last| (false, last.id));
    shown.extend(others.items);
    Ok((shown, next))
}

/// The reference and the dossier of each bill that these refunds are about.
pub(super) async fn bills_of(
    tx: &mut Tx,
    refunds: &[StoredRefund],
) -> Result<BTreeMap<Id<id::Bill>, (Reference, String)>> {
    let ids: Vec<_> = refunds.iter().filter_map(|refund| refund.bill).collect();
    let found = bills::bills(tx, &ids).await?.into_iter();
    Ok(found.map(|b| (b.bill.id, (b.bill.reference, b.bill.dossier.to_string()))).collect())
}

/// The refunds of the citizen's agencies, a page of them; or one.
pub async fn read_refund_page(app: &App, citizen: Id<Citizen>, wanted: Wanted) -> Result<Refunds> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = refund_places(&mut tx, citizen, Day::of(now)).await?;
    if places.is_empty() {
        return Err(Error::forbidden("accountant_needed"));
    }
    let agencies: Vec<_> = places.iter().map(|place| place.id).collect();
    let (found, next) = match wanted {
        Wanted::One(id) => {
            let refund = rows::find(&mut tx, id).await?.filter(|r| agencies.contains(&r.agency));
            (vec![refund.ok_or(Error::not_found())?], None)
        }
        Wanted::All(after) => listed(&mut tx, &agencies, after).await?,
    };
    let ids: Vec<_> = found.iter().map(|refund| refund.id).collect();
    let mut approvers_of = rows::approvers_of(&mut tx, &ids).await?;
    let of_bills = bills_of(&mut tx, &found).await?;
    let keys = agency_keys(app, &mut tx, found.iter().map(|refund| refund.agency)).await?;
    let mut order = match (wanted, found.first()) {
        (Wanted::One(_), Some(one)) => treasury_order(app, &mut tx, one).await?,
        (Wanted::All(_), _) | (_, None) => None,
    };
    let mut refunds = Vec::with_capacity(found.len());
    let mut people: BTreeSet<Id<Citizen>> = BTreeSet::from([citizen]);
    for refund in found {
        let approvers = approvers_of.remove(&refund.id).unwrap_or_default();
        people.extend(refund.requested_by.iter().chain(&approvers).copied());
        let bill = refund.bill.and_then(|bill| of_bills.get(&bill).cloned());
        let key = keys.get(&refund.agency).ok_or(Error::not_found())?;
        let words = words(&refund, key)?;
        refunds.push((refund, approvers, bill, words));
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let mut told = clearing_report::of(&mut tx, &ids).await?;
    let pending = adjustment_due::waiting(&mut tx, &ids).await?;
    let made = adjustment_order::made(&mut tx, &ids).await?;
    let recalls = recall::shown(app, &mut tx, &agencies).await?;
    let names = officer::names(app, &mut tx, &people).await?;
    let name = |id: &Id<Citizen>| names.get(id).cloned().unwrap_or_default();
    let refunds = refunds
        .into_iter()
        .map(|(refund, approvers, bill, words)| RefundShown {
            own: refund.requested_by == Some(citizen) || approvers.contains(&citizen),
            asker: refund.requested_by.as_ref().map(name),
            approvers: approvers.iter().map(name).collect(),
            told: told.remove(&refund.id.uuid()),
            receipt_pending: pending.contains(&refund.id.uuid()),
            elsewhere: made.iter().filter(|of| of.refund == refund.id.uuid()).map(symbol).collect(),
            treasury_order: order.take(),
            bill,
            words,
            refund,
        })
        .collect();
    Ok(Refunds { reader: name(&citizen), places, refunds, next, recalls, now })
}

/// Form, series and number as one reads them.
fn symbol(made: &Named) -> String {
    let (form, series, number) = &made.named;
    format!("{form} {series} {number}")
}

/// A refund as the page of its bill shows it to whoever has the reference: no words, no names.
#[derive(Debug, Clone)]
pub struct RefundStep {
    /// The refund, without what is sealed in it.
    pub refund: StoredRefund,
    /// How much.
    pub amount: Money,
    /// Until when the agency itself must decide, while it has not.
    pub decide_until: Option<Day>,
    /// What the clearing system said last of its own accord.
    pub told: Option<Told>,
}

/// The refunds about a bill, for its page.
pub(super) async fn of_bill(tx: &mut Tx, bill: Id<id::Bill>) -> Result<Vec<RefundStep>> {
    use crate::payment::refund::{APPROVAL_DAYS, State};
    let refunds = rows::of_bill(tx, bill).await?;
    let ids: Vec<Uuid> = refunds.iter().map(|refund| refund.id.uuid()).collect();
    let mut told = clearing_report::of(tx, &ids).await?;
    let mut steps = Vec::with_capacity(refunds.len());
    for refund in refunds {
        let decide_until = if refund.state == State::Requested {
            let asked = Day::of(refund.requested_at);
            let days = crate::store::calendar::working_days(tx, asked).await?;
            Some((0..APPROVAL_DAYS).fold(asked, |day, _| days.next(day)))
        } else {
            None
        };
        let told = told.remove(&refund.id.uuid());
        steps.push(RefundStep { amount: refund.amount, decide_until, told, refund });
    }
    Ok(steps)
}

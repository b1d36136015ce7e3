//! Sorts what is left of paid lines by whose it is and by which rule it goes, with what the budget books it under.
//!
//! Chapter and sub-item are those of the fee, by the version that the bill was computed by and the day that governed it;
//! a tax brings its own by its notice; the rule's stand in where neither has any. The area is the agency's. A tax or the
//! price of a service that was paid into the very account that its line names has arrived, and goes nowhere. Where the rule says
//! so, the price of a service goes to its seller, one order for each seller's account.

use super::{Error, Result, agency_key::agency_keys, bill_answer};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Bill, Id, Payment},
    },
    crypto::seal::DataKey,
    payment::{
        bill::BillLine,
        fee::FeeKind,
        payout::{Kind, Rule, Seller, parts, rule_for, to_seller},
    },
    store::{
        Tx,
        bill::{self as bills, StoredBill},
        declaration::{self, Booked},
        payout::{self as rows, Item},
        payout_rule,
        payout_waiting::Payable,
        refund_line::{self, Back},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Whose money, of which kind, and to which seller, if to one: what one order is for.
pub(super) type Heap = (Id<Agency>, Kind, Option<Seller>);

/// What was found payable, sorted.
#[derive(Default)]
pub(super) struct Sorted {
    /// What each order is for, by which rule it goes, and its lines.
    pub heaps: BTreeMap<Heap, (Rule, Vec<Item>)>,
    /// Payments that must wait.
    pub waits: BTreeSet<Id<Payment>>,
    /// Everything that was looked at.
    pub seen: Vec<Payable>,
}

/// Sorts payments; their bills are locked, so that a refund finds either the order or the money.
pub(super) async fn sort(
    app: &App,
    tx: &mut Tx,
    found: Vec<Payable>,
    (day, lies_in): (Day, &str),
    sorted: &mut Sorted,
) -> Result<()> {
    let of_bills: Vec<Id<Bill>> = found.iter().map(|one| one.bill).collect();
    rows::lock_bills(tx, &of_bills).await?;
    let payments: Vec<Id<Payment>> = found.iter().map(|one| one.payment).collect();
    sorted.waits.extend(rows::going_back(tx, &payments).await?);
    // A paper may be older than what its bill asks for by now: if it was owed nothing, its lines are not the bill's.
    let gone = rows::went_back_whole(tx, &payments).await?;
    let ground = Ground::read(app, tx, (&payments, &of_bills), day).await?;
    let stays = |one: &&Payable| !sorted.waits.contains(&one.payment) && !gone.contains(&one.payment);
    for one in found.iter().filter(stays) {
        let stored = ground.bills.get(&one.bill).ok_or(Error::internal("a payment without its bill"))?;
        let governed = ground.governed(stored)?;
        for (place, line) in (0_i16..).zip(stored.bill.lines.as_slice()) {
            let agency = line.beneficiary.agency.unwrap_or(stored.bill.agency);
            if one.of.is_some_and(|of| of != agency) {
                continue;
            }
            if arrived(line, lies_in) {
                continue;
            }
            let gone = ground.back.get(&(one.payment, place)).copied().unwrap_or_default();
            for (kind, amount) in parts(line, (gone.amount, gone.kept)).map_err(Error::internal)? {
                let rules = ground.rules.get(&agency).map_or(&[][..], Vec::as_slice);
                let Some(rule) = rule_for(rules, kind, day.max(one.booked), one.booked) else { continue };
                if ground.passed.contains(&(one.payment, place, kind.as_str().to_owned())) {
                    continue;
                }
                let (seller, rule) = match to_seller(rule, line) {
                    Some((seller, own)) => (Some(seller), own),
                    None => (None, rule.clone()),
                };
                let item = Item {
                    payment: one.payment,
                    line: place,
                    amount,
                    dossier: stored.bill.dossier.to_string(),
                    content: line.name.vi.to_string(),
                    notice: named(line),
                    booking: ground.booking((stored, line), agency, &rule, governed),
                };
                let heap = (agency, kind, seller);
                sorted.heaps.entry(heap).or_insert_with(|| (rule, Vec::new())).1.push(item);
            }
        }
    }
    sorted.seen.extend(found);
    Ok(())
}

/// The paper that asked for a line: a tax's notice, or the seller's invoice.
fn named(line: &BillLine) -> Option<String> {
    let notice = line.notice.as_ref().map(|notice| notice.number.as_str().to_owned());
    notice.or_else(|| line.invoice.as_ref().map(|invoice| format!("{} {}", invoice.serial, invoice.number)))
}

/// Whether a line's money lies where it belongs.
fn arrived(line: &BillLine, lies_in: &str) -> bool {
    match line.kind {
        FeeKind::Tax | FeeKind::Service => line.beneficiary.number == lies_in,
        FeeKind::Phi | FeeKind::LePhi => false,
    }
}

/// What the payments of one look are sorted by.
struct Ground {
    bills: BTreeMap<Id<Bill>, StoredBill>,
    keys: BTreeMap<Id<Agency>, DataKey>,
    back: BTreeMap<(Id<Payment>, i16), Back>,
    passed: BTreeSet<(Id<Payment>, i16, String)>,
    rules: BTreeMap<Id<Agency>, Vec<Rule>>,
    booked: Vec<Booked>,
    areas: BTreeMap<Id<Agency>, String>,
}

impl Ground {
    async fn read(
        app: &App,
        tx: &mut Tx,
        (payments, of_bills): (&[Id<Payment>], &[Id<Bill>]),
        day: Day,
    ) -> Result<Self> {
        let bills: BTreeMap<Id<Bill>, StoredBill> =
            bills::bills(tx, of_bills).await?.into_iter().map(|stored| (stored.bill.id, stored)).collect();
        let lines =
            || bills.values().flat_map(|of| of.bill.lines.as_slice().iter().map(move |line| (of, line)));
        let owners: BTreeSet<Id<Agency>> =
            lines().map(|(of, line)| line.beneficiary.agency.unwrap_or(of.bill.agency)).collect();
        let owners: Vec<Id<Agency>> = owners.into_iter().collect();
        let schedules: BTreeSet<_> = bills.values().map(|of| of.schedule).collect();
        let schedules: Vec<_> = schedules.into_iter().collect();
        let fees: BTreeSet<String> = lines().map(|(_, line)| line.fee.to_string()).collect();
        let fees: Vec<String> = fees.into_iter().collect();
        let agencies: BTreeSet<Id<Agency>> = bills.values().map(|of| of.bill.agency).collect();
        Ok(Self {
            back: refund_line::back_of(tx, payments).await?,
            passed: rows::passed(tx, payments).await?,
            rules: payout_rule::of_agencies(tx, &owners).await?,
            booked: declaration::booked_under(tx, &schedules, &fees).await?,
            areas: declaration::areas(tx, &owners, day).await?,
            keys: agency_keys(app, tx, agencies).await?,
            bills,
        })
    }

    /// The day that governed a bill's fees: that of submission, or of issue where what it was computed from is not kept.
    fn governed(&self, stored: &StoredBill) -> Result<Day> {
        let key = self.keys.get(&stored.bill.agency).ok_or(Error::internal("a bill without its agency"))?;
        let kept = bill_answer::open_kept(key, stored.bill.id, &stored.trace)?;
        let computed = kept.as_ref().and_then(super::circumstances::Kept::read);
        Ok(computed.map_or(Day::of(stored.bill.issued_at), |(_, of)| of.dates.submission))
    }

    fn booking(
        &self,
        (stored, line): (&StoredBill, &BillLine),
        owner: Id<Agency>,
        rule: &Rule,
        governed: Day,
    ) -> [Option<String>; 3] {
        if let Some(notice) = &line.notice {
            return [notice.chapter.clone(), notice.sub_item.clone(), notice.area.clone()].map(Some);
        }
        if line.invoice.is_some() {
            return [None, None, None];
        }
        let of_fee = |one: &&Booked| {
            one.schedule == stored.schedule && one.fee == line.fee.as_str() && one.from <= governed
        };
        let own = self.booked.iter().rfind(of_fee).map(|one| one.budget.clone());
        let rules = |place: usize| rule.booking.as_ref().map(|booking| booking[place].clone());
        let (chapter, sub_item) = match own {
            Some((chapter, sub_item)) => (Some(chapter), Some(sub_item)),
            None => (rules(0), rules(1)),
        };
        [chapter, sub_item, self.areas.get(&owner).cloned().or_else(|| rules(2))]
    }
}

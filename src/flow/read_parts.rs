//! The parts of a bill as anybody with its reference sees them: one for each owner, or instalments; and to whom the lines
//! of a bill belong that is collected together.
//!
//! A part whose attempt is under way shows no transfer: its money may be coming.

use super::{Error, Result, charge_late, checkout::TransferTo};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Id},
        money::Money,
        reference::Reference,
    },
    payment::bill::{self as rules, Owner, State, Status},
    store::{
        Tx, account, agency,
        bank::Bank,
        bill::{self as bills, StoredBill},
        bill_version as versions, payment, receipt, silence,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Into what a bill was divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divided {
    /// One part for each owner of its money.
    ByOwner,
    /// Instalments.
    ByTime,
}

/// One part of a bill.
#[derive(Debug, Clone)]
pub struct PartShown {
    /// Its reference.
    pub reference: Reference,
    /// Whose money it is, in Vietnamese and English; several for an instalment of what is collected together.
    pub owners: Vec<Share>,
    /// What is owed of it today.
    pub total: Money,
    /// Its last day.
    pub due: Day,
    /// What has become of it.
    pub status: Status,
    /// Whether an attempt to pay it is under way.
    pub under_way: bool,
    /// The transfer that pays it, while it can be paid and nobody is paying it.
    pub transfer: Option<TransferTo>,
    /// The printed numbers of its receipts that hold.
    pub receipts: Vec<String>,
}

/// What belongs to one owner of a bill's money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Who, in Vietnamese and English.
    pub name: (String, String),
    /// How much.
    pub amount: Money,
}

/// What a bill was divided into, if it was; and the bill that it is itself a part of.
pub(super) struct Family {
    /// Its parts.
    pub parts: Option<(Divided, Vec<PartShown>)>,
    /// The bill that it is a part of.
    pub whole: Option<Reference>,
}

/// The family of a bill; `banks` are those whose names we know.
pub(super) async fn read_family(
    app: &App,
    tx: &mut Tx,
    of: Id<Bill>,
    banks: &[Bank],
    now: Instant,
) -> Result<Family> {
    let links = versions::links(tx, of).await?;
    let divided = |relation: &str| match relation {
        "part" => Some(Divided::ByOwner),
        "instalment" => Some(Divided::ByTime),
        _ => None,
    };
    let mut parts: Option<(Divided, Vec<Id<Bill>>)> = None;
    let mut whole = None;
    // What was divided again shows its newest parts alone.
    let newest = versions::parts_of(tx, &[of], true).await?;
    let stale = |part: Id<Bill>| !newest.iter().any(|link| link.0 == part);
    for (relation, other, later) in &links {
        let Some(how) = divided(relation) else { continue };
        if *later && how == Divided::ByOwner && stale(*other) {
            continue;
        }
        if *later {
            parts.get_or_insert((how, Vec::new())).1.push(*other);
        } else {
            whole = Some(*other);
        }
    }
    let whole = match whole {
        Some(whole) => bills::bill(tx, whole).await?.map(|whole| whole.bill.reference),
        None => None,
    };
    let parts = match parts {
        Some((how, ids)) => Some((how, read_parts(app, tx, &ids, banks, now).await?)),
        None => None,
    };
    Ok(Family { parts, whole })
}

/// The parts in the order in which they were made, read set-wise but for interest, which only late ones bear.
async fn read_parts(
    app: &App,
    tx: &mut Tx,
    ids: &[Id<Bill>],
    banks: &[Bank],
    now: Instant,
) -> Result<Vec<PartShown>> {
    let mut stored = bills::bills(tx, ids).await?;
    stored.sort_by_key(|part| part.bill.id);
    let live = payment::live_of(tx, ids).await?;
    for part in &mut stored {
        if part.state == State::Open
            && !live.contains(&part.bill.id)
            && let Some((lines, _)) = charge_late::late_lines(app, tx, part, now).await?
        {
            part.bill.lines = lines;
        }
    }
    let silences = silence::of_bills(tx, ids, now).await?;
    let accounts: Vec<_> = stored.iter().map(|part| part.account).collect();
    let accounts = account::accounts_named(tx, &accounts).await?;
    let names = names(tx, &stored).await?;
    let receipts = receipt::numbers_of_bills(tx, ids).await?;
    let part = |part: &StoredBill| {
        let id = part.bill.id;
        let still = silences.get(&id).map_or(&[][..], Vec::as_slice);
        let until = rules::pay_until(part.bill.payable_until, still);
        let status = rules::status(&part.state, until, Day::of(now));
        let under_way = live.contains(&id);
        let payable = status == Status::Open && !under_way;
        let account = accounts.iter().find(|account| account.id == part.account).filter(|_| payable);
        let bank = |code: &str| banks.iter().find(|bank| bank.code == code).map(|bank| bank.name.clone());
        Ok(PartShown {
            reference: part.bill.reference,
            owners: shares(part, &names)?,
            total: part.bill.lines.total(),
            due: rules::pay_until(part.bill.due, still),
            status,
            under_way,
            transfer: account.map(|account| TransferTo::of(account, part, bank(&account.bank))),
            receipts: receipts.get(&id).cloned().unwrap_or_default(),
        })
    };
    stored.iter().map(part).collect()
}

/// To whom the money of one bill belongs: each owner with its part.
pub(super) async fn read_owners(tx: &mut Tx, of: &StoredBill) -> Result<Vec<Share>> {
    let names = names(tx, std::slice::from_ref(of)).await?;
    shares(of, &names)
}

type Names = BTreeMap<Id<Agency>, (String, String)>;

async fn names(tx: &mut Tx, of: &[StoredBill]) -> Result<Names> {
    let owner = |part: &StoredBill| {
        let own = part.bill.agency;
        let lines = part.bill.lines.as_slice().iter();
        lines.map(move |line| line.beneficiary.agency.unwrap_or(own)).collect::<Vec<_>>()
    };
    let agencies: BTreeSet<Id<Agency>> = of.iter().flat_map(owner).collect();
    let rows = agency::find_all(tx, &agencies.into_iter().collect::<Vec<_>>()).await?;
    Ok(rows.into_iter().map(|row| (row.id, (row.name_vi, row.name_en))).collect())
}

fn shares(of: &StoredBill, names: &Names) -> Result<Vec<Share>> {
    let owners = of.bill.lines.by_owner(of.bill.agency).map_err(Error::internal)?;
    let shares = owners.into_iter().map(|(owner, lines)| {
        let name = match owner {
            Owner::Agency(agency) => names.get(&agency).cloned().unwrap_or_default(),
            Owner::Account(_, _, holder) => (holder.clone(), holder),
        };
        Share { name, amount: lines.total() }
    });
    Ok(shares.collect())
}

//! Issues the receipts of bills that settle: numbers and content, in the settling transaction. The leaf of the
//! settlement commits to the receipts; whoever settles writes it.
//!
//! Phí and lệ phí of each owner of a bill have a receipt each, in the owner's name and from the owner's registered series
//! of the kind and year (Vietnam); where several owners are collected for together, each names the account. The content
//! is fixed here, numbered and kept by `receipt_draft`, and never changes; signature and files are made from it afterwards
//! (`render_receipt`). Where no series in force has a number left the receipt is due (`issue_due_receipts`); the money
//! settles all the same.

use super::{
    Error, Result,
    agency_key::agencies_with_keys,
    receipt_draft::{Draft, Drawn, issue_drafts},
    receipt_name::names_of,
    tell_payers,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Agency, Bill, Id, Leaf, Payment},
    money::Money,
};
use crate::codec::receipt_content::{self, Issuer, Kind, Number, ReceiptContent};
use crate::crypto::digest::Digest;
use crate::payment::{
    bill::{BillLine, Lines},
    fee::FeeKind,
    ledger::Part,
    receipt::ReceiptName,
};
use crate::store::{
    Tx,
    account::{self, CollectingAccount},
    agency::AgencyRow,
    receipt_due::{self, Due},
    receipt_issuer,
    receipt_series::Wanted,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A bill that settles, as far as its receipts tell it.
#[derive(Clone)]
pub struct SettledBill<'a> {
    /// The agency that collects, and whose the lines are that name no other.
    pub agency: Id<Agency>,
    /// The account that collected; none for money at a desk.
    pub account: Option<Id<Account>>,
    /// The bill.
    pub bill: Id<Bill>,
    /// The payment that settles it.
    pub payment: Id<Payment>,
    /// The bill's public reference.
    pub reference: &'a str,
    /// Its dossier.
    pub dossier: &'a str,
    /// The procedure's code.
    pub procedure: &'a str,
    /// The procedure's Vietnamese name.
    pub procedure_vi: &'a str,
    /// What was owed.
    pub lines: &'a Lines,
    /// The name that the receipts carry, unless another was given on the payment page.
    pub payer: &'a str,
    /// The bank that the payer paid from.
    pub bank: &'a str,
    /// The leaf of the settlement, which commits to the receipts.
    pub leaf: Id<Leaf>,
    /// What they take back, when they do.
    pub adjusts: Option<Adjustment<'a>>,
}

/// The receipts that others adjust.
#[derive(Clone, Copy)]
pub struct Adjustment<'a> {
    /// The refund.
    pub refund: Id<id::Refund>,
    /// The number of the receipt of each owner and kind.
    pub originals: &'a HashMap<(Id<Agency>, FeeKind), String>,
    /// The law by which money went back.
    pub basis: &'a str,
}

/// A receipt that was issued, as answers, events and pages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its identifier.
    pub id: Id<id::Receipt>,
    /// Who gave it.
    pub agency: Id<Agency>,
    /// Its printed number.
    pub number: String,
    /// Service price or state charge.
    pub kind: FeeKind,
    /// Its total.
    pub amount: Money,
    /// SHA-256 of its content.
    pub digest: Digest,
    /// The code that opens it to whoever holds the paper.
    pub check_code: String,
}

/// Receipts that were given on paper before their payment was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OnPaper {
    /// Whose numbers they are.
    pub agency: Id<Agency>,
    /// When they were written.
    pub written: Instant,
    /// The number of each kind.
    pub numbers: BTreeMap<FeeKind, Drawn>,
}

/// Issues the receipts of each bill, in order; what must wait is noted as due.
pub async fn issue_receipts(
    app: &App,
    tx: &mut Tx,
    now: Instant,
    settled: &[SettledBill<'_>],
) -> Result<Vec<Vec<Issued>>> {
    issue_with(app, tx, now, settled, None).await
}

/// The same where receipts of some were given on paper: those bear the paper's numbers and time, wherever others come from.
pub(super) async fn issue_with(
    app: &App,
    tx: &mut Tx,
    now: Instant,
    settled: &[SettledBill<'_>],
    paper: Option<&OnPaper>,
) -> Result<Vec<Vec<Issued>>> {
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let owners = settled.iter().flat_map(|bill| documented(bill).into_iter().map(|of| of.owner));
    let collectors = settled.iter().map(|bill| bill.agency);
    let agencies = agencies_with_keys(app, tx, collectors.chain(owners)).await?;
    let bills: Vec<Id<Bill>> = settled.iter().map(|bill| bill.bill).collect();
    let names = names_of(tx, &bills, |bill| {
        settled.iter().find(|s| s.bill == bill).and_then(|s| agencies.get(&s.agency)).map(|of| &of.1)
    })
    .await?;
    let accounts = shared_accounts(tx, settled).await?;
    let elsewhere = receipt_issuer::with_other(tx, &agencies.keys().copied().collect::<Vec<_>>()).await?;
    let mut due = Vec::new();
    let mut drafts = Vec::new();
    for (place, bill) in settled.iter().enumerate() {
        let account = bill.account.filter(|_| bill.is_shared()).and_then(|id| accounts.get(&id));
        for of in documented(bill) {
            let (agency, _) = agencies.get(&of.owner).ok_or_else(|| Error::internal(of.owner))?;
            let written = paper.is_some_and(|paper| paper.agency == of.owner);
            let issuer = elsewhere.get(&of.owner).filter(|_| bill.adjusts.is_none() && !written);
            if let Some(issuer) = issuer {
                due.push(waiting(bill, (of.owner, of.kind), Some(*issuer), now));
            } else {
                let content = content(app, now, bill, (agency, account), &of, names.get(&bill.bill));
                let mut draft = Draft::of(bill, (of.owner, of.kind), content);
                let paper = paper.filter(|paper| paper.agency == of.owner);
                draft.written =
                    paper.and_then(|paper| Some((paper.written, paper.numbers.get(&of.kind)?.clone())));
                drafts.push((place, draft));
            }
        }
    }
    let (places, drafts): (Vec<usize>, Vec<Draft>) = drafts.into_iter().unzip();
    let kinds: Vec<Wanted> = drafts.iter().map(|draft| (draft.agency, draft.kind)).collect();
    let mut issued: Vec<Vec<Issued>> = settled.iter().map(|_| Vec::new()).collect();
    let done = issue_drafts(app, tx, now, drafts, &agencies).await?;
    for ((place, kind), done) in places.into_iter().zip(kinds).zip(done) {
        match done {
            Some(done) => issued[place].push(done),
            // What takes back a part of an earlier receipt waits with its refund (`adjust_receipts`).
            None if settled[place].adjusts.is_some() => (),
            None => due.push(waiting(&settled[place], kind, None, now)),
        }
    }
    if !due.is_empty() {
        receipt_due::insert(tx, &due).await?;
    }
    tell_payers::payments_received(app, tx, settled, now).await?;
    Ok(issued)
}

/// What waits for that other issuer, or else for a number.
fn waiting(
    bill: &SettledBill<'_>,
    (owner, kind): Wanted,
    issuer: Option<Id<id::ReceiptIssuer>>,
    now: Instant,
) -> Due {
    Due {
        bill: bill.bill,
        kind,
        payment: bill.payment,
        agency: owner,
        owner,
        reason: if issuer.is_some() { "issuer" } else { "no_series" }.to_owned(),
        issuer,
        since: now,
        attempts: 0,
        next_at: now,
        outcome: None,
    }
}

/// An agency as its receipts name it.
pub(super) fn issuer_of(agency: &AgencyRow) -> Issuer {
    Issuer {
        code: agency.code.clone(),
        name: agency.name_vi.clone(),
        tax: agency.tax_code.clone(),
        address: agency.address_vi.clone(),
    }
}

/// What the receipt of one kind of a bill says, but for its number.
pub(super) fn content(
    app: &App,
    now: Instant,
    bill: &SettledBill<'_>,
    (agency, account): (&AgencyRow, Option<&CollectingAccount>),
    of: &Documented,
    name: Option<&ReceiptName>,
) -> ReceiptContent {
    let theirs = |line: &&BillLine| bill.owner(line) == of.owner && line.kind == of.kind;
    let lines = bill.lines.as_slice().iter().filter(theirs).filter(|line| line.amount.is_positive());
    ReceiptContent {
        v: receipt_content::VERSION,
        iss: app.origin.as_str().to_owned(),
        number: Number::new(&agency.code, of.wire, Day::of(now).year(), 0),
        kind: of.wire,
        form: None,
        at: receipt_content::instant(now),
        paid: None,
        agency: issuer_of(agency),
        dossier: bill.dossier.to_owned(),
        procedure: (bill.procedure.to_owned(), bill.procedure_vi.to_owned()),
        reference: bill.reference.to_owned(),
        payer: name.map_or(bill.payer, |name| name.name.as_str()).to_owned(),
        payer_tax: name.and_then(|name| name.tax_code.as_ref()).map(ToString::to_string),
        payer_address: name.and_then(|name| name.address.as_ref()).map(ToString::to_string),
        bank: bill.bank.to_owned(),
        lines: lines.map(|l| (l.fee.to_string(), l.name.vi.to_string(), l.count, l.amount.minor())).collect(),
        total: of.amount.minor(),
        adjusts: bill.adjusts.as_ref().and_then(|adjusts| {
            let original = adjusts.originals.get(&(of.owner, of.kind))?;
            Some((original.clone(), adjusts.basis.to_owned()))
        }),
        replaces: None,
        collected: account
            .map(|account| (account.bank.clone(), account.number.clone(), account.holder.to_string())),
    }
}

/// What one receipt is issued for.
pub(super) struct Documented {
    /// Whose lines.
    pub owner: Id<Agency>,
    /// Of which kind.
    pub kind: FeeKind,
    wire: Kind,
    amount: Money,
}

/// What of a bill receipts are issued for, by owner and kind: a tax is proved by the budget's payment slip,
/// the price of a service by its seller's invoice.
pub(super) fn documented(bill: &SettledBill<'_>) -> Vec<Documented> {
    let mut parts = bill.lines.parts(bill.agency);
    // The collecting agency's own first, each owner's in the order of kinds.
    parts.sort_by_key(|part| (part.agency != bill.agency, part.agency, part.kind));
    let document = |part: Part| {
        let wire = match part.kind {
            FeeKind::Phi => Kind::Phi,
            FeeKind::LePhi => Kind::LePhi,
            FeeKind::Tax | FeeKind::Service => return None,
        };
        Some(Documented { owner: part.agency, kind: part.kind, wire, amount: part.amount })
    };
    parts.into_iter().filter_map(document).collect()
}

/// The accounts of bills that were collected for several owners together.
pub(super) async fn shared_accounts(
    tx: &mut Tx,
    settled: &[SettledBill<'_>],
) -> Result<HashMap<Id<Account>, CollectingAccount>> {
    let shared = settled.iter().filter(|bill| bill.is_shared()).filter_map(|bill| bill.account);
    let ids: Vec<Id<Account>> = shared.collect::<HashSet<_>>().into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = account::accounts_named(tx, &ids).await?;
    Ok(found.into_iter().map(|account| (account.id, account)).collect())
}

impl SettledBill<'_> {
    fn owner(&self, line: &BillLine) -> Id<Agency> {
        line.beneficiary.agency.unwrap_or(self.agency)
    }

    /// Whether others than the collecting agency are paid by it.
    pub(super) fn is_shared(&self) -> bool {
        self.lines.as_slice().iter().any(|line| self.owner(line) != self.agency)
    }
}

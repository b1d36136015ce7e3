//! What passes to successors beside the open bills: accounts, tills, refunds and requests of banks, money in suspense with the
//! decisions about it, matches that wait, lines on the bills of others. And who answers for whom afterwards.

use super::{
    Error, Result,
    agency_key::agency_keys,
    desk, match_cases, recall, receipt_name, refund_answer, release_suspense,
    succeed_agency::{pass_notes, reseal},
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{Agency, Bill, Case, Id, Leaf},
        money::Money,
    },
    crypto::seal::DataKey,
    payment::{
        bill::{Beneficiary, BillLine, Lines},
        fee::FeeKind,
        ledger::{self, Account, Entry, Posting},
    },
    store::{
        Tx, account, adjustment_order, bill_version as versions,
        inheritance::{self as rows, PassingSuspense},
        ledger::{self as books, EntryKind, NewEntry},
        receipt_due,
        succession::{self, Succession},
    },
};
use std::collections::BTreeMap;

/// Demands that an agency answers for what was another's: it is that agency, or has taken its place.
pub(super) async fn demand_standing(
    tx: &mut Tx,
    agency: Id<Agency>,
    of: Id<Agency>,
    procedure: Option<&str>,
) -> Result<()> {
    if agency == of || rows::heir(tx, of, procedure).await? == agency {
        Ok(())
    } else {
        Err(Error::not_found())
    }
}

/// For whom a report is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tree {
    /// The agency as it stands.
    #[default]
    Own,
    /// The new tree: the agency with everybody whom it succeeded.
    New,
    /// The old tree: one of those whom it succeeded, alone, as it was.
    Of(Id<Agency>),
}

/// The agencies of a report; one that the asker did not succeed does not exist for it.
pub(super) async fn agencies_of(tx: &mut Tx, agency: Id<Agency>, tree: Tree) -> Result<Vec<Id<Agency>>> {
    let whole = match tree {
        Tree::Own => return Ok(vec![agency]),
        Tree::New | Tree::Of(_) => succession::tree_of(tx, agency).await?,
    };
    match tree {
        Tree::Of(old) if whole.contains(&old) => Ok(vec![old]),
        Tree::Of(_) => Err(Error::not_found()),
        Tree::Own | Tree::New => Ok(whole),
    }
}

/// The successors of one succession, with their keys.
pub(super) struct Heirs<'a> {
    /// The succession.
    pub one: &'a Succession,
    /// The keys of everybody in it.
    pub keys: &'a BTreeMap<Id<Agency>, DataKey>,
    /// To whom their fees belong.
    pub beneficiaries: &'a BTreeMap<(Id<Agency>, FeeKind), Beneficiary>,
}

impl Heirs<'_> {
    /// Who takes a procedure; the first takes what nobody is named for.
    pub fn of(&self, procedure: Option<&str>) -> Result<Id<Agency>> {
        let takes = |successor: &&(Id<Agency>, Vec<String>)| {
            procedure.is_some_and(|procedure| successor.1.iter().any(|code| code == procedure))
        };
        let successors = &self.one.successors;
        let heir = successors.iter().find(takes).or(successors.first());
        heir.map(|heir| heir.0).ok_or(Error::internal("a succession without successors"))
    }

    /// The key of one of them.
    pub fn key(&self, agency: Id<Agency>) -> Result<&DataKey> {
        self.keys.get(&agency).ok_or(Error::internal("an agency without its key"))
    }

    /// The lines as the successor gets them: what was the old agency's goes to the successor's account.
    pub fn lines(&self, of: &Lines, heir: Id<Agency>, own: bool) -> Result<Lines> {
        let lines = of.as_slice().iter().map(|line| {
            let theirs = match line.beneficiary.agency {
                Some(agency) => agency == self.one.agency,
                None => own && line.notice.is_none(),
            };
            let account = self.beneficiaries.get(&(heir, line.kind)).filter(|_| theirs);
            let Some(account) = account else { return line.clone() };
            let agency = line.beneficiary.agency.map(|_| heir);
            BillLine { beneficiary: Beneficiary { agency, ..account.clone() }, ..line.clone() }
        });
        Lines::new(lines.collect()).map_err(Error::internal)
    }
}

/// Gives the lines that stand on the bills of others to the successors.
pub(super) async fn pass_lines(tx: &mut Tx, heirs: &Heirs<'_>) -> Result<()> {
    let mut changed = Vec::new();
    for (bill, procedure, lines) in rows::bills_elsewhere(tx, heirs.one.agency).await? {
        changed.push((bill, heirs.lines(&lines, heirs.of(Some(&procedure))?, false)?));
    }
    let mut said = versions::earlier_with_lines_of(tx, heirs.one.agency).await?;
    for one in &mut said {
        one.lines = heirs.lines(&one.lines, heirs.of(Some(&one.procedure))?, false)?;
    }
    if !said.is_empty() {
        versions::pass_on(tx, &said).await?;
    }
    let books: Vec<Account> =
        heirs.one.successors.iter().flat_map(|heir| Account::of_agency(heir.0)).collect();
    account::open_ledger_accounts(tx, &books).await?;
    if changed.is_empty() { Ok(()) } else { Ok(rows::put_lines(tx, &changed).await?) }
}

/// Seals the names that payers gave for their receipts under the keys of those who will give them.
pub(super) async fn pass_names(
    app: &App,
    tx: &mut Tx,
    heirs: &Heirs<'_>,
    heir_of: &BTreeMap<Id<Bill>, Id<Agency>>,
) -> Result<()> {
    let bills: Vec<Id<Bill>> = heir_of.keys().copied().collect();
    let mut names = Vec::new();
    for (bill, sealed) in receipt_due::names(tx, &bills).await? {
        let Some(heir) = heir_of.get(&bill) else { continue };
        let keys = (heirs.key(heirs.one.agency)?, heirs.key(*heir)?);
        names.push((bill, reseal(app, keys, &receipt_name::place(bill), &sealed)?));
    }
    if names.is_empty() { Ok(()) } else { Ok(receipt_due::reseal_names(tx, &names).await?) }
}

/// Passes on money that goes back and money that waits, and books what is owed to the successors; `leaf` is that of the
/// succession.
pub(super) async fn pass_money(
    app: &App,
    tx: &mut Tx,
    heirs: &Heirs<'_>,
    leaf: Id<Leaf>,
    now: Instant,
) -> Result<()> {
    let old = heirs.one.agency;
    let main = heirs.of(None)?;
    rows::pass_accounts(tx, old, main).await?;
    receipt_due::pass(tx, old, main).await?;
    adjustment_order::pass(tx, old, main).await?;
    let mut owed: BTreeMap<Id<Agency>, Money> = BTreeMap::new();
    let mut owe = |heir: Id<Agency>, amount: Money| -> Result<()> {
        let sum = owed.entry(heir).or_insert(Money::vnd(0));
        *sum = sum.plus(amount).map_err(Error::internal)?;
        Ok(())
    };
    let mut refunds = Vec::new();
    for refund in rows::refunds(tx, old).await? {
        let heir = heirs.of(refund.procedure.as_deref())?;
        let keys = (heirs.key(old)?, heirs.key(heir)?);
        refunds.push((refund.id, heir, reseal(app, keys, &refund_answer::place(refund.id), &refund.words)?));
        if refund.owed {
            owe(heir, refund.amount)?;
        }
    }
    rows::pass_refunds(tx, &refunds).await?;
    let waiting = rows::suspense(tx, old).await?;
    for one in &waiting {
        owe(main, one.owed)?;
    }
    pass_waiting(app, tx, heirs, waiting).await?;
    let entries: Vec<NewEntry> = owed
        .into_iter()
        .filter(|(_, amount)| amount.is_positive())
        .map(|(heir, amount)| {
            let entry = ledger::moved(Account::RefundDue(heir), Account::RefundDue(old), amount);
            let entry = entry.map_err(Error::internal)?;
            let id = Id::new(now, &*app.entropy);
            Ok(NewEntry { id, kind: EntryKind::PassedOn, subject: old.uuid(), leaf, entry })
        })
        .collect::<Result<_>>()?;
    if entries.is_empty() {
        return Ok(());
    }
    let accounts: Vec<Account> =
        entries.iter().flat_map(|new| new.entry.postings().iter().map(|posting| posting.account)).collect();
    let numbers = account::open_numbers(tx, &accounts).await?;
    Ok(books::append(tx, &entries, &numbers, now).await?)
}

/// Passes on the desk: tills with what lies in them, open shifts, cash on its way, card slips, what the tills owe, and what
/// other agencies' tills owe.
pub(super) async fn pass_desk(
    app: &App,
    tx: &mut Tx,
    heirs: &Heirs<'_>,
    leaf: Id<Leaf>,
    now: Instant,
) -> Result<()> {
    let (old, main) = (heirs.one.agency, heirs.of(None)?);
    // Whoever takes or counts cash at this moment holds the shift.
    rows::pass_shifts(tx, old, main).await?;
    rows::pass_drawers(tx, old, main).await?;
    rows::pass_collections(tx, old, main).await?;
    rows::pass_deposits(tx, old, main).await?;
    rows::lock_transfers(tx, old).await?;
    let heir = |agency: Id<Agency>| if agency == old { main } else { agency };
    let mut postings = Vec::new();
    for held in rows::desk_balances(tx, old).await? {
        let (from, to) = match (held.kind.as_str(), held.drawer, held.other) {
            ("cash_drawer", Some(till), _) => {
                (Account::CashDrawer(old, till), Some(Account::CashDrawer(main, till)))
            }
            ("cash_in_transit", ..) => (Account::CashInTransit(old), Some(Account::CashInTransit(main))),
            ("card_receivable", ..) => (Account::CardReceivable(old), Some(Account::CardReceivable(main))),
            (kind @ ("desk_owes" | "owed_by_desk"), _, Some(other)) => {
                let between: fn(Id<Agency>, Id<Agency>) -> Account =
                    if kind == "desk_owes" { Account::DeskOwes } else { Account::OwedByDesk };
                let one = held.agency;
                // What tills took for the agency that is now theirs they owe to nobody any more.
                let new = (heir(one) != heir(other)).then(|| between(heir(one), heir(other)));
                (between(one, other), new)
            }
            _ => return Err(Error::internal("an account of a desk without its till or its owner")),
        };
        postings.push(Posting { account: from, amount: held.sum.negated().map_err(Error::internal)? });
        postings.extend(to.map(|account| Posting { account, amount: held.sum }));
    }
    if postings.is_empty() {
        return Ok(());
    }
    let entry = Entry::new(postings).map_err(Error::internal)?;
    desk::book(app, tx, vec![(EntryKind::PassedOn, entry)], (old.uuid(), leaf), now).await
}

async fn pass_waiting(
    app: &App,
    tx: &mut Tx,
    heirs: &Heirs<'_>,
    waiting: Vec<PassingSuspense>,
) -> Result<()> {
    let (old, main) = (heirs.one.agency, heirs.of(None)?);
    let keys = (heirs.key(old)?, heirs.key(main)?);
    let mut passed = Vec::with_capacity(waiting.len());
    for one in waiting {
        let place = release_suspense::place(one.case);
        let words = one.words.map(|words| reseal(app, keys, &place, &words)).transpose()?;
        passed.push((one.case, words));
    }
    rows::pass_suspense(tx, &passed, main).await?;
    let mut recalls = Vec::new();
    for one in rows::recalls(tx, old).await? {
        let words = one.words.map(|words| reseal(app, keys, &recall::place(one.id), &words)).transpose()?;
        recalls.push((one.id, words));
    }
    Ok(rows::pass_recalls(tx, &recalls, main).await?)
}

/// Passes on the matches that wait for a second person, with their words; their cases pass on like all that are pending.
pub(super) async fn pass_proposals(app: &App, tx: &mut Tx, heirs: &Heirs<'_>) -> Result<()> {
    let (old, main) = (heirs.one.agency, heirs.of(None)?);
    let keys = (heirs.key(old)?, heirs.key(main)?);
    let mut passed = Vec::new();
    for (group, words) in rows::proposals(tx, old).await? {
        passed.push((group, reseal(app, keys, &match_cases::place(group), &words)?));
    }
    if passed.is_empty() { Ok(()) } else { Ok(rows::pass_proposals(tx, &passed, main).await?) }
}

/// Gives cases that began again to those who answer for them by now, with what was said of them.
pub(super) async fn pass_reopened(app: &App, tx: &mut Tx, cases: &[Id<Case>], now: Instant) -> Result<()> {
    let gone = rows::succeeded_of_cases(tx, cases).await?;
    if gone.is_empty() {
        return Ok(());
    }
    let heirs = rows::heirs(tx, &gone, None).await?;
    let keys = agency_keys(app, tx, heirs.iter().flat_map(|(old, heir)| [*old, *heir])).await?;
    for (old, heir) in heirs {
        pass_notes(app, tx, (old, heir), &keys, now).await?;
        succession::pass_cases(tx, old, heir).await?;
    }
    Ok(())
}

//! Issues the receipts of bills that settle: numbers and content, in the settling transaction. The leaf of the
//! settlement commits to the receipts; whoever settles writes it.
//!
//! Phí and lệ phí of each owner of a bill have a receipt each, in the owner's name and from the owner's registered series
//! of the kind and year (Vietnam); where several owners are collected for together, each names the account. The content is fixed here and never changes; signature and files are made from it afterwards (`render_receipt`). Where no
//! series in force has a number left the receipt is due (`issue_due_receipts`); the money settles all the same.

use super::{Error, Result, agency_key::agencies_with_keys, receipt_name::names_of, tell_payers};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Account, Agency, Bill, Id, Leaf, Payment},
    money::Money,
};
use crate::codec::receipt_content::{self, FORM, Issuer, Kind, Number, ReceiptContent};
use crate::crypto::{digest::Digest, seal::DataKey};
use crate::payment::{
    bill::{BillLine, Lines},
    blank::Medium,
    fee::FeeKind,
    ledger::Part,
    receipt::{Letters, NUMBER_MAX, Range, ReceiptName, draw, whole_year},
};
use crate::store::{
    Tx,
    account::{self, CollectingAccount},
    agency::AgencyRow,
    receipt::{self, StoredReceipt},
    receipt_due::{self, Due},
    receipt_issuer,
    receipt_series::{self, StoredSeries, Wanted},
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// A bill that settles, as far as its receipts tell it.
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

/// A number as it was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drawn {
    /// The letters of its series.
    pub letters: Letters,
    /// The year of its series.
    pub year: i32,
    /// The number of its form.
    pub form: String,
    /// What it is given on.
    pub medium: Medium,
    /// Its place in the series.
    pub serial: i64,
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

/// The same where receipts of some were given on paper: those bear the paper's numbers and time.
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
            if elsewhere.contains(&of.owner) && bill.adjusts.is_none() {
                due.push(waiting(bill, (of.owner, of.kind), "issuer", now));
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
            // What takes back a part of an earlier receipt belongs to its refund and goes with it, or not at all.
            None if settled[place].adjusts.is_some() => return Err(Error::conflict("no_receipt_series")),
            None => due.push(waiting(&settled[place], kind, "no_series", now)),
        }
    }
    if !due.is_empty() {
        receipt_due::insert(tx, &due).await?;
    }
    tell_payers::payments_received(app, tx, settled, now).await?;
    Ok(issued)
}

fn waiting(bill: &SettledBill<'_>, (owner, kind): Wanted, reason: &str, now: Instant) -> Due {
    Due {
        bill: bill.bill,
        kind,
        payment: bill.payment,
        agency: owner,
        reason: reason.to_owned(),
        since: now,
        attempts: 0,
        next_at: now,
        outcome: None,
    }
}

/// A receipt without its number.
pub(super) struct Draft {
    agency: Id<Agency>,
    kind: FeeKind,
    bill: Id<Bill>,
    payment: Id<Payment>,
    leaf: Id<Leaf>,
    replaces: Option<Id<id::Receipt>>,
    refund: Option<Id<id::Refund>>,
    /// When it was given on paper, and the number there.
    written: Option<(Instant, Drawn)>,
    content: ReceiptContent,
}

impl Draft {
    /// The receipt that somebody gives of a settled bill.
    pub(super) fn of(bill: &SettledBill<'_>, (agency, kind): Wanted, content: ReceiptContent) -> Self {
        Self {
            agency,
            kind,
            bill: bill.bill,
            payment: bill.payment,
            leaf: bill.leaf,
            replaces: None,
            refund: bill.adjusts.as_ref().map(|adjusts| adjusts.refund),
            written: None,
            content,
        }
    }

    /// What stands in the place of another receipt.
    pub(super) fn in_place_of(old: &StoredReceipt, leaf: Id<Leaf>, content: ReceiptContent) -> Self {
        Self {
            agency: old.agency,
            kind: old.kind,
            bill: old.bill,
            payment: old.payment,
            leaf,
            replaces: Some(old.id),
            refund: old.refund,
            written: None,
            content,
        }
    }
}

/// The agencies with their data keys.
pub(super) type Agencies = BTreeMap<Id<Agency>, (AgencyRow, DataKey)>;

/// Numbers, seals and keeps drafts, in order; none where no series has a number left.
pub(super) async fn issue_drafts(
    app: &App,
    tx: &mut Tx,
    now: Instant,
    drafts: Vec<Draft>,
    agencies: &Agencies,
) -> Result<Vec<Option<Issued>>> {
    if drafts.is_empty() {
        return Ok(Vec::new());
    }
    let mut numbers = draw_numbers(app, tx, now, &drafts).await?;
    let (mut receipts, mut issued) = (Vec::new(), Vec::with_capacity(drafts.len()));
    let mut contents = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let (agency, key) = agencies.get(&draft.agency).ok_or_else(|| Error::internal(draft.agency))?;
        let queue = numbers.get_mut(&(draft.agency, draft.kind));
        let written = draft.written.or_else(|| Some((now, queue?.pop_front()?)));
        let Some((at, drawn)) = written else {
            issued.push(None);
            continue;
        };
        let Drawn { letters, year, form, medium, serial } = drawn;
        let mut content = draft.content;
        let book = (letters.book(), content.kind);
        let number = Number::in_book(&agency.code, book, year, serial.unsigned_abs());
        content.number = number.on(medium.letter());
        content.at = receipt_content::instant(at);
        content.form = (form != FORM).then_some(form);
        let receipt = StoredReceipt {
            id: Id::new(now, &*app.entropy),
            number: content.number.to_string(),
            agency: draft.agency,
            kind: draft.kind,
            bill: draft.bill,
            payment: draft.payment,
            amount: content.total(),
            issued_at: at,
            content: crate::base::secret::Sealed::new(Vec::new(), 0),
            digest: [0; 32],
            leaf: draft.leaf,
            letters,
            year,
            replaces: draft.replaces,
            refund: draft.refund,
            void: None,
        };
        let bytes = content.bytes();
        let digest = receipt_content::digest(&bytes);
        let sealed = key.seal(&*app.entropy, &place(receipt.id), &bytes);
        issued.push(Some(Issued {
            id: receipt.id,
            agency: draft.agency,
            number: receipt.number.clone(),
            kind: draft.kind,
            amount: receipt.amount,
            digest,
            check_code: receipt_content::check_code(&digest),
        }));
        receipts.push(StoredReceipt { content: sealed, digest, ..receipt });
        contents.push(content);
    }
    if !receipts.is_empty() {
        receipt::insert(tx, &receipts).await?;
        tell_payers::receipts_issued(app, tx, &receipts, &contents, now).await?;
    }
    Ok(issued)
}

/// Draws a number for each draft that can have one. The series are locked in one order until the transaction ends, so
/// that the numbers have no gaps: the draw commits or vanishes together with the receipts.
async fn draw_numbers(
    app: &App,
    tx: &mut Tx,
    now: Instant,
    drafts: &[Draft],
) -> Result<HashMap<Wanted, VecDeque<Drawn>>> {
    let today = Day::of(now);
    let mut counts: HashMap<Wanted, i64> = HashMap::new();
    for draft in drafts.iter().filter(|draft| draft.written.is_none()) {
        *counts.entry((draft.agency, draft.kind)).or_default() += 1;
    }
    let mut wanted: Vec<Wanted> = counts.keys().copied().collect();
    wanted.sort_unstable();
    let mut open = receipt_series::lock_open(tx, &wanted, today).await?;
    let found: HashSet<Wanted> = open.iter().map(|series| (series.agency, series.kind)).collect();
    if found.len() < wanted.len() {
        let without = wanted.iter().filter(|wanted| !found.contains(*wanted));
        let first: Vec<StoredSeries> = without.filter_map(|wanted| first_series(app, *wanted, now)).collect();
        receipt_series::register_first(tx, &first).await?;
        open = receipt_series::lock_open(tx, &wanted, today).await?;
    }
    let mut numbers: HashMap<Wanted, VecDeque<Drawn>> = HashMap::new();
    let mut drawn = Vec::new();
    for series in open.chunk_by(|a, b| (a.agency, a.kind) == (b.agency, b.kind)) {
        let Some(of) = series.first().map(|first| (first.agency, first.kind)) else { continue };
        let mut ranges: Vec<Range> = series.iter().map(|s| s.range).collect();
        let taken = draw(&mut ranges, counts.get(&of).copied().unwrap_or_default());
        let queue = numbers.entry(of).or_default();
        for (place, from, count) in taken {
            let series = &series[place];
            drawn.push((series.id, from + count - 1));
            queue.extend((from..from + count).map(|serial| Drawn {
                letters: series.letters,
                year: series.year,
                form: series.form.clone(),
                medium: series.medium,
                serial,
            }));
        }
    }
    receipt_series::set_drawn(tx, &drawn).await?;
    Ok(numbers)
}

/// The series that an agency has when nobody registered one: all of the year, all numbers.
fn first_series(app: &App, (agency, kind): Wanted, now: Instant) -> Option<StoredSeries> {
    let year = Day::of(now).year();
    Some(StoredSeries {
        id: Id::new(now, &*app.entropy),
        agency,
        kind,
        letters: Letters::first(kind)?,
        year,
        form: FORM.to_owned(),
        medium: Medium::Electronic,
        range: Range::fresh(1, NUMBER_MAX)?,
        force: whole_year(year)?,
        registered_at: now,
    })
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
        agency: Issuer {
            code: agency.code.clone(),
            name: agency.name_vi.clone(),
            tax: agency.tax_code.clone(),
            address: agency.address_vi.clone(),
        },
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

/// The place that the sealed content is bound to.
pub(super) fn place(receipt: Id<id::Receipt>) -> Vec<u8> {
    [b"receipt.content".as_slice(), receipt.uuid().as_bytes()].concat()
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

/// What of a bill receipts are issued for, by owner and kind: a tax is proved by the budget's payment slip.
pub(super) fn documented(bill: &SettledBill<'_>) -> Vec<Documented> {
    let mut parts = bill.lines.parts(bill.agency);
    // The collecting agency's own first, each owner's in the order of kinds.
    parts.sort_by_key(|part| (part.agency != bill.agency, part.agency, part.kind));
    let document = |part: Part| {
        let wire = match part.kind {
            FeeKind::Phi => Kind::Phi,
            FeeKind::LePhi => Kind::LePhi,
            FeeKind::Tax => return None,
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
    fn is_shared(&self) -> bool {
        self.lines.as_slice().iter().any(|line| self.owner(line) != self.agency)
    }
}

//! Numbers drafts of receipts, seals them and keeps them: numbers from the registered series in one step, rows in one
//! statement, for one receipt and for hundreds. What a draft says is whoever drafts it to know (`issue_receipts`).

use super::{
    Error, Result,
    issue_receipts::{Issued, SettledBill},
    tell_payers,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Bill, Id, Leaf, Payment},
    secret::Sealed,
};
use crate::codec::receipt_content::{self, FORM, Number, ReceiptContent};
use crate::crypto::seal::DataKey;
use crate::payment::{
    blank::Medium,
    fee::FeeKind,
    receipt::{Letters, NUMBER_MAX, Range, draw, whole_year},
};
use crate::store::{
    Tx,
    agency::AgencyRow,
    receipt::{self, StoredReceipt},
    receipt_bulk,
    receipt_series::{self, StoredSeries, Wanted},
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// From how many on rows are copied: fewer are written for less by a statement.
pub(super) const MANY: usize = 64;

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

/// A receipt without its number.
pub(super) struct Draft {
    /// Who gives it.
    pub agency: Id<Agency>,
    /// Of which kind.
    pub kind: FeeKind,
    bill: Id<Bill>,
    payment: Id<Payment>,
    leaf: Id<Leaf>,
    replaces: Option<Id<id::Receipt>>,
    refund: Option<Id<id::Refund>>,
    /// When it was given on paper, and the number there.
    pub written: Option<(Instant, Drawn)>,
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

    /// What it says, but for its number.
    pub(super) const fn content(&self) -> &ReceiptContent {
        &self.content
    }

    /// What somebody gives in the place of another receipt: who gave it, or who took their place.
    pub(super) fn in_place_of(
        old: &StoredReceipt,
        agency: Id<Agency>,
        leaf: Id<Leaf>,
        content: ReceiptContent,
    ) -> Self {
        Self {
            agency,
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
    let mut numbered = number_drafts(app, tx, now, drafts, agencies).await?;
    numbered.keep(app, tx, now).await?;
    Ok(numbered.take().into_iter().map(|numbered| numbered.map(|(issued, _)| issued)).collect())
}

/// Drafts that have their numbers and are not kept yet.
pub(super) struct Numbered {
    issued: Vec<Option<(Issued, Vec<u8>)>>,
    receipts: Vec<StoredReceipt>,
    contents: Vec<ReceiptContent>,
}

impl Numbered {
    /// What was issued, in the order of the drafts, each with the bytes that a signature is to cover; taken once.
    pub(super) fn take(&mut self) -> Vec<Option<(Issued, Vec<u8>)>> {
        std::mem::take(&mut self.issued)
    }

    /// Keeps the receipts, and tells whoever they concern.
    pub(super) async fn keep(&self, app: &App, tx: &mut Tx, now: Instant) -> Result<()> {
        if self.receipts.is_empty() {
            return Ok(());
        }
        if self.receipts.len() < MANY {
            receipt::insert(tx, &self.receipts).await?;
        } else {
            receipt_bulk::insert_receipts(tx, &self.receipts).await?;
        }
        tell_payers::receipts_issued(app, tx, &self.receipts, &self.contents, now).await
    }
}

/// Numbers and seals drafts; the caller keeps them in the same transaction.
pub(super) async fn number_drafts(
    app: &App,
    tx: &mut Tx,
    now: Instant,
    drafts: Vec<Draft>,
    agencies: &Agencies,
) -> Result<Numbered> {
    if drafts.is_empty() {
        return Ok(Numbered { issued: Vec::new(), receipts: Vec::new(), contents: Vec::new() });
    }
    let mut numbers = draw_numbers(app, tx, now, &drafts).await?;
    let (mut receipts, mut issued) = (Vec::new(), Vec::with_capacity(drafts.len()));
    let mut contents = Vec::with_capacity(drafts.len());
    let ids = Id::series(now, 0, drafts.len(), &*app.entropy);
    for (draft, id) in drafts.into_iter().zip(ids) {
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
            id,
            number: content.number.to_string(),
            agency: draft.agency,
            kind: draft.kind,
            bill: draft.bill,
            payment: draft.payment,
            amount: content.total(),
            issued_at: at,
            content: Sealed::new(Vec::new(), 0),
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
        let done = Issued {
            id: receipt.id,
            agency: draft.agency,
            number: receipt.number.clone(),
            kind: draft.kind,
            amount: receipt.amount,
            digest,
            check_code: receipt_content::check_code(&digest),
        };
        issued.push(Some((done, bytes)));
        receipts.push(StoredReceipt { content: sealed, digest, ..receipt });
        contents.push(content);
    }
    Ok(Numbered { issued, receipts, contents })
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

/// The place that the sealed content is bound to.
pub(super) fn place(receipt: Id<id::Receipt>) -> Vec<u8> {
    [b"receipt.content".as_slice(), receipt.uuid().as_bytes()].concat()
}

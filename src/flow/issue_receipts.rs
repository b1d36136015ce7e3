//! Issues the receipts of bills that settle: numbers and content, in the settling transaction. The leaf of the
//! settlement commits to the receipts; whoever settles writes it.
//!
//! Phí and lệ phí of one bill have a receipt each, from the agency's series of the kind and year (Vietnam). The
//! content is fixed here and never changes; signature and files are made from it afterwards (`render_receipt`).

use super::{Error, Result};
use crate::app::App;
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Bill, Id, Leaf, Payment},
    money::Money,
};
use crate::codec::receipt_content::{self, Issuer, Kind, Number, ReceiptContent};
use crate::crypto::{digest::Digest, seal::DataKey};
use crate::payment::{bill::Lines, fee::FeeKind};
use crate::store::{
    Tx,
    agency::{self, AgencyRow},
    receipt::{self, Series, StoredReceipt},
};
use std::collections::HashMap;

/// A bill that settles, as far as its receipts tell it.
pub struct SettledBill<'a> {
    /// The agency that collects.
    pub agency: Id<Agency>,
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
    /// The name that the receipts carry.
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
    /// The number of the receipt of each kind.
    pub originals: &'a HashMap<FeeKind, String>,
    /// The law by which money went back.
    pub basis: &'a str,
}

/// A receipt that was issued, as answers, events and pages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its identifier.
    pub id: Id<id::Receipt>,
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

/// Issues the receipts of each bill, in order.
pub async fn issue_receipts(
    app: &App,
    tx: &mut Tx,
    now: Instant,
    settled: &[SettledBill<'_>],
) -> Result<Vec<Vec<Issued>>> {
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let agencies = agencies_of(app, tx, settled).await?;
    let year = Day::of(now).year();
    let mut wanted: HashMap<Series, i64> = HashMap::new();
    for bill in settled {
        for (kind, _, _) in documented(bill.lines) {
            *wanted.entry(series(bill.agency, kind, year)).or_default() += 1;
        }
    }
    let mut next = receipt::draw_numbers(tx, &wanted).await?;
    let (mut receipts, mut issued) = (Vec::new(), Vec::with_capacity(settled.len()));
    for bill in settled {
        let (agency, key) = agencies.get(&bill.agency).ok_or_else(|| Error::internal(bill.agency))?;
        let mut of_bill = Vec::new();
        for (kind, wire, amount) in documented(bill.lines) {
            let serial =
                next.get_mut(&series(bill.agency, kind, year)).ok_or_else(|| Error::internal(kind))?;
            let number = Number::new(&agency.code, wire, year, serial.unsigned_abs());
            *serial += 1;
            let content = content(app, now, bill, agency, (number, (kind, wire), amount));
            let receipt = seal(app, now, bill, key, &content);
            of_bill.push(Issued {
                id: receipt.id,
                number: receipt.number.clone(),
                kind,
                amount,
                digest: receipt.digest,
                check_code: receipt_content::check_code(&receipt.digest),
            });
            receipts.push(receipt);
        }
        issued.push(of_bill);
    }
    receipt::insert(tx, &receipts).await?;
    Ok(issued)
}

async fn agencies_of(
    app: &App,
    tx: &mut Tx,
    settled: &[SettledBill<'_>],
) -> Result<HashMap<Id<Agency>, (AgencyRow, DataKey)>> {
    let mut ids: Vec<Id<Agency>> = settled.iter().map(|bill| bill.agency).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut agencies = HashMap::with_capacity(ids.len());
    for row in agency::find_all(tx, &ids).await? {
        let key = app.keys.data_key(&row.key, row.id.uuid().as_bytes())?;
        agencies.insert(row.id, (row, key));
    }
    Ok(agencies)
}

fn series(agency: Id<Agency>, kind: FeeKind, year: i32) -> Series {
    (agency, kind, i16::try_from(year).unwrap_or(i16::MAX))
}

fn content(
    app: &App,
    now: Instant,
    bill: &SettledBill<'_>,
    agency: &AgencyRow,
    (number, (kind, wire), amount): (Number, (FeeKind, Kind), Money),
) -> ReceiptContent {
    let of_kind = bill.lines.as_slice().iter().filter(|line| line.kind == kind && line.amount.is_positive());
    ReceiptContent {
        v: receipt_content::VERSION,
        iss: app.origin.as_str().to_owned(),
        number,
        kind: wire,
        at: receipt_content::instant(now),
        agency: Issuer {
            code: agency.code.clone(),
            name: agency.name_vi.clone(),
            tax: agency.tax_code.clone(),
            address: agency.address_vi.clone(),
        },
        dossier: bill.dossier.to_owned(),
        procedure: (bill.procedure.to_owned(), bill.procedure_vi.to_owned()),
        reference: bill.reference.to_owned(),
        payer: bill.payer.to_owned(),
        bank: bill.bank.to_owned(),
        lines: of_kind
            .map(|l| (l.fee.to_string(), l.name.vi.to_string(), l.count, l.amount.minor()))
            .collect(),
        total: amount.minor(),
        adjusts: bill
            .adjusts
            .as_ref()
            .and_then(|adjusts| Some((adjusts.originals.get(&kind)?.clone(), adjusts.basis.to_owned()))),
    }
}

fn seal(
    app: &App,
    now: Instant,
    bill: &SettledBill<'_>,
    key: &DataKey,
    content: &ReceiptContent,
) -> StoredReceipt {
    let id = Id::new(now, &*app.entropy);
    let bytes = content.bytes();
    let digest = receipt_content::digest(&bytes);
    StoredReceipt {
        id,
        number: content.number.to_string(),
        agency: bill.agency,
        kind: match content.kind {
            Kind::Phi => FeeKind::Phi,
            Kind::LePhi => FeeKind::LePhi,
        },
        bill: bill.bill,
        payment: bill.payment,
        amount: content.total(),
        issued_at: now,
        content: key.seal(&*app.entropy, &place(id), &bytes),
        digest,
        leaf: bill.leaf,
        refund: bill.adjusts.as_ref().map(|adjusts| adjusts.refund),
    }
}

/// The place that the sealed content is bound to.
pub(super) fn place(receipt: Id<id::Receipt>) -> Vec<u8> {
    [b"receipt.content".as_slice(), receipt.uuid().as_bytes()].concat()
}

/// What of a bill a receipt is issued for: a tax is proved by the budget's payment slip.
fn documented(lines: &Lines) -> Vec<(FeeKind, Kind, Money)> {
    let documented = lines.shares().into_iter().filter_map(|(kind, amount)| match kind {
        FeeKind::Phi => Some((kind, Kind::Phi, amount)),
        FeeKind::LePhi => Some((kind, Kind::LePhi, amount)),
        FeeKind::Tax => None,
    });
    documented.collect()
}

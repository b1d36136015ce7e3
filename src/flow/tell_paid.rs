//! A bill is paid: its receipts, and how its agency hears of it, whichever way the money came.

use super::{
    Error, Result, bill_answer,
    event::event_row,
    explain::money,
    issue_receipts::{Issued, OnPaper, SettledBill, issue_with},
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{Account, Bill, Id, Leaf, Payment},
        money::Money,
    },
    crypto::seal::DataKey,
    store::{
        Tx,
        bill::{self as bills, StoredBill},
        bill_version, outbox,
        payment::{self as payments, StoredPayment},
    },
};
use serde::Serialize;
use serde_json::Value;

/// Settles a payment as it begins, of a bill that the caller has locked and found payable.
pub(super) async fn settle_at_once(tx: &mut Tx, payment: &StoredPayment, now: Instant) -> Result<()> {
    payments::insert_settled(tx, payment, now).await?;
    if bills::pay_bills(tx, &[(payment.bill, payment.id)], now).await? != 1 {
        return Err(Error::internal("a bill moved under its lock"));
    }
    Ok(bill_version::close_other_ways(tx, &[payment.bill], now).await?)
}

/// What a payment is proved by.
pub(super) struct Proof<'a> {
    /// The bill.
    pub of: &'a StoredBill,
    /// Its payment.
    pub payment: &'a StoredPayment,
    /// Where the money lies; nowhere while it is in a till.
    pub account: Option<Id<Account>>,
    /// The receipts that were given on paper.
    pub paper: Option<&'a OnPaper>,
    /// The leaf of the settlement.
    pub leaf: Id<Leaf>,
}

/// The receipts of one payment, in the name that the bill's parties say.
pub(super) async fn prove(
    app: &App,
    tx: &mut Tx,
    proof: &Proof<'_>,
    key: &DataKey,
    now: Instant,
) -> Result<Vec<Issued>> {
    let Proof { of, payment, account, paper, leaf } = *proof;
    let parties = bill_answer::open_parties(key, of.bill.id, &of.parties)?;
    let (name, reference) = (parties.name_on_receipt().to_string(), of.bill.reference.to_string());
    let dossier = of.bill.dossier.to_string();
    let settled = SettledBill {
        agency: of.bill.agency,
        account,
        bill: of.bill.id,
        payment: payment.id,
        reference: &reference,
        dossier: &dossier,
        procedure: of.procedure.code.as_str(),
        procedure_vi: of.procedure.name.vi.as_str(),
        lines: &of.bill.lines,
        payer: &name,
        bank: &payment.bank,
        leaf,
        adjusts: None,
    };
    let issued = issue_with(app, tx, now, &[settled], paper).await?;
    Ok(issued.into_iter().flatten().collect())
}

/// Tells the bill's agency.
pub(super) async fn tell_paid(
    app: &App,
    tx: &mut Tx,
    (of, payment): (&StoredBill, &StoredPayment),
    issued: &[Issued],
    now: Instant,
) -> Result<()> {
    let named = (of.bill.reference.to_string(), of.bill.dossier.to_string());
    let told = PaidTold::of(of.bill.id, (&named.0, &named.1), (payment.id, payment.amount), issued);
    let event = event_row(app, now, "bill.paid", (of.bill.agency, of.bill.id.uuid()), &told);
    Ok(outbox::enqueue(tx, &[event]).await?)
}

/// What an agency's systems are told of a paid bill.
#[derive(Serialize)]
pub(super) struct PaidTold<'a> {
    bill: String,
    reference: &'a str,
    dossier: &'a str,
    payment: String,
    amount: Value,
    receipts: Vec<ReceiptTold<'a>>,
}

#[derive(Serialize)]
struct ReceiptTold<'a> {
    id: String,
    number: &'a str,
    kind: &'static str,
    amount: Value,
}

impl<'a> PaidTold<'a> {
    /// Of one bill, one payment and what was issued.
    pub(super) fn of(
        bill: Id<Bill>,
        (reference, dossier): (&'a str, &'a str),
        (payment, amount): (Id<Payment>, Money),
        issued: &'a [Issued],
    ) -> Self {
        let receipt = |receipt: &'a Issued| ReceiptTold {
            id: receipt.id.to_string(),
            number: &receipt.number,
            kind: receipt.kind.as_str(),
            amount: money(receipt.amount),
        };
        Self {
            bill: bill.to_string(),
            reference,
            dossier,
            payment: payment.to_string(),
            amount: money(amount),
            receipts: issued.iter().map(receipt).collect(),
        }
    }
}

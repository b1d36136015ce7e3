//! The receipts that take back what a refund gave back: one for each kind of charge, in the same series, each naming
//! the receipt that it adjusts. The leaf of the refund commits to them.

use super::{
    Error, Result,
    agency_key::agency_key,
    bill_answer,
    issue_receipts::{Adjustment, SettledBill, issue_receipts},
};
use crate::codec::receipt_content::leaf_name;
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{Id, Leaf},
    },
    payment::bill::{BillLine, Lines},
    store::{
        Tx, bill as bills,
        inheritance::heir,
        payment as payments, principal, receipt,
        refund::{self as rows, Source, StoredRefund},
    },
};
use serde_json::Value;
use std::collections::HashMap;

/// Issues them; how the log names each. Money that never had a receipt needs none.
pub(super) async fn adjust_receipts(
    app: &App,
    tx: &mut Tx,
    refund: &StoredRefund,
    leaf: Id<Leaf>,
    now: Instant,
) -> Result<Vec<Value>> {
    let (Source::Payment(payment), Some(bill)) = (refund.source, refund.bill) else {
        return Ok(Vec::new());
    };
    let stored = bills::bill(tx, bill).await?.ok_or(Error::internal("a refund without its bill"))?;
    let paid = payments::payment(tx, payment).await?.ok_or(Error::internal("a refund without payment"))?;
    let procedure = stored.procedure.code.as_str();
    let mut originals = HashMap::new();
    for (owner, kind, number) in receipt::originals(tx, payment).await? {
        // Whoever has taken an owner's place takes back in its own name what that one had received.
        originals.insert((heir(tx, owner, Some(procedure)).await?, kind), number);
    }
    if originals.is_empty() {
        return Ok(Vec::new());
    }
    let key = agency_key(app, tx, stored.bill.agency).await?;
    // As the receipt itself named them: with the payer, where one was signed in.
    let payer = principal::payers(tx, &[payment]).await?.pop();
    let parties = payer.as_ref().map_or(&stored.parties, |payer| &payer.parties);
    let parties = bill_answer::open_parties(&key, bill, parties)?;
    let lines = lines(tx, refund, procedure, stored.bill.lines.as_slice()).await?;
    let name = parties.name_on_receipt().to_string();
    let (reference, dossier) = (stored.bill.reference.to_string(), stored.bill.dossier.to_string());
    let settled = SettledBill {
        agency: refund.agency,
        account: refund.account,
        bill,
        payment,
        reference: &reference,
        dossier: &dossier,
        procedure,
        procedure_vi: stored.procedure.name.vi.as_str(),
        lines: &lines,
        payer: &name,
        bank: &paid.bank,
        leaf,
        adjusts: Some(Adjustment {
            refund: refund.id,
            originals: &originals,
            basis: refund.reason.legal_basis(),
        }),
    };
    let issued = issue_receipts(app, tx, now, &[settled]).await?;
    Ok(issued.iter().flatten().map(|receipt| leaf_name(&receipt.number, &receipt.digest)).collect())
}

/// The lines as far as they are given back.
async fn lines(tx: &mut Tx, refund: &StoredRefund, procedure: &str, of: &[BillLine]) -> Result<Lines> {
    let mut back = Vec::new();
    for (at, amount) in rows::lines(tx, refund.id).await? {
        let place = usize::try_from(at).map_err(Error::internal)?;
        let line = of.get(place).ok_or(Error::internal("a line that is gone"))?;
        let nothing = crate::base::money::Money::vnd(0);
        let mut line = BillLine { amount, gross: amount, retained: nothing, ..line.clone() };
        if let Some(owner) = line.beneficiary.agency {
            line.beneficiary.agency = Some(heir(tx, owner, Some(procedure)).await?);
        }
        back.push(line);
    }
    Lines::new(back).map_err(Error::internal)
}

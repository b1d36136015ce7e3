//! What receipts that wait are made of, read set-wise: bills, payments, names, accounts. One that cannot be read stops no
//! other.

use super::{
    Error, Result,
    agency_key::agencies_with_keys,
    bill_answer::open_parties,
    issue_receipts::{Documented, SettledBill, content, documented, shared_accounts},
    receipt_draft::{Agencies, Draft},
    receipt_name::names_of,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Agency, Bill, Id, Leaf, Payment},
};
use crate::codec::receipt_content::{self, ReceiptContent};
use crate::payment::bill::Parties;
use crate::store::{
    Tx,
    bill::{self as bills, StoredBill},
    inheritance::heir,
    payment::{self as payments, StoredPayment},
    principal,
    receipt_due::Due,
};
use std::collections::HashMap;

/// Everything that a waiting receipt is made of.
pub(super) struct Known {
    /// What it says, but for its number.
    pub content: ReceiptContent,
    /// The leaf that will commit to it.
    pub leaf: Id<Leaf>,
    /// What is numbered.
    pub draft: Draft,
}

/// A bill's words, which its receipts repeat.
struct Words {
    reference: String,
    dossier: String,
    procedure: String,
    parties: Parties,
}

/// Reads them, in order; none where something of it is gone. The bank is the one that the payment names.
pub(super) async fn know_all(
    app: &App,
    tx: &mut Tx,
    waiting: &[Due],
    now: Instant,
) -> Result<(Agencies, Vec<Option<Known>>)> {
    let ids: Vec<Id<Bill>> = waiting.iter().map(|due| due.bill).collect();
    let attempts: Vec<Id<Payment>> = waiting.iter().map(|due| due.payment).collect();
    let found: HashMap<Id<Bill>, StoredBill> =
        bills::bills(tx, &ids).await?.into_iter().map(|stored| (stored.bill.id, stored)).collect();
    let paid: HashMap<Id<Payment>, StoredPayment> =
        payments::payments(tx, &attempts).await?.into_iter().map(|payment| (payment.id, payment)).collect();
    let owners = found.values().map(|stored| stored.bill.agency);
    let agencies = agencies_with_keys(app, tx, waiting.iter().map(|due| due.agency).chain(owners)).await?;
    let key_of = |bill| found.get(&bill).and_then(|stored| agencies.get(&stored.bill.agency));
    let names = names_of(tx, &ids, |bill| key_of(bill).map(|(_, key)| key)).await?;
    let payers: HashMap<Id<Payment>, _> = principal::payers(tx, &attempts)
        .await?
        .into_iter()
        .map(|payer| (payer.payment, payer.parties))
        .collect();
    let words: Vec<Option<Words>> = waiting
        .iter()
        .map(|due| {
            let stored = found.get(&due.bill)?;
            let parties = payers.get(&due.payment).unwrap_or(&stored.parties);
            let parties = key_of(due.bill).map(|(_, key)| open_parties(key, due.bill, parties))?;
            let told = |parties| Words {
                reference: stored.bill.reference.to_string(),
                dossier: stored.bill.dossier.to_string(),
                procedure: stored.procedure.code.to_string(),
                parties,
            };
            let warn =
                |error: &Error| tracing::warn!(bill = %due.bill, ?error, "a waiting receipt does not read");
            parties.map(told).inspect_err(warn).ok()
        })
        .collect();
    let settled: Vec<Option<SettledBill<'_>>> = waiting
        .iter()
        .zip(&words)
        .map(|(due, words)| {
            let (stored, payment) = (found.get(&due.bill)?, paid.get(&due.payment)?);
            Some(settled(stored, payment, words.as_ref()?, Id::new(now, &*app.entropy)))
        })
        .collect();
    let readable: Vec<SettledBill<'_>> = settled.iter().flatten().cloned().collect();
    let accounts = shared_accounts(tx, &readable).await?;
    let mut known = Vec::with_capacity(waiting.len());
    let mut heirs = HashMap::new();
    for (due, settled) in waiting.iter().zip(&settled) {
        let Some(settled) = settled else {
            known.push(None);
            continue;
        };
        let of = share(tx, due, settled, &mut heirs).await?;
        known.push(of.zip(agencies.get(&due.agency)).map(|(of, (agency, _))| {
            let account = settled.account.filter(|_| settled.is_shared()).and_then(|id| accounts.get(&id));
            let name = names.get(&due.bill);
            let mut content = content(app, now, settled, (agency, account), &of, name);
            content.paid = (due.since != now).then(|| receipt_content::instant(due.since));
            let draft = Draft::of(settled, (due.agency, due.kind), content.clone());
            Known { content, leaf: settled.leaf, draft }
        }));
    }
    Ok((agencies, known))
}

fn settled<'a>(
    stored: &'a StoredBill,
    payment: &'a StoredPayment,
    words: &'a Words,
    leaf: Id<Leaf>,
) -> SettledBill<'a> {
    SettledBill {
        agency: stored.bill.agency,
        account: Some(payment.account),
        bill: stored.bill.id,
        payment: payment.id,
        reference: &words.reference,
        dossier: &words.dossier,
        procedure: &words.procedure,
        procedure_vi: stored.procedure.name.vi.as_str(),
        lines: &stored.bill.lines,
        payer: words.parties.name_on_receipt().as_str(),
        bank: &payment.bank,
        leaf,
        adjusts: None,
    }
}

/// Whoever has taken an owner's place gives what that one still had to give.
async fn share(
    tx: &mut Tx,
    due: &Due,
    settled: &SettledBill<'_>,
    heirs: &mut HashMap<(Id<Agency>, String), Id<Agency>>,
) -> Result<Option<Documented>> {
    for of in documented(settled).into_iter().filter(|of| of.kind == due.kind) {
        if of.owner == due.agency {
            return Ok(Some(of));
        }
        let place = (of.owner, settled.procedure.to_owned());
        let known = match heirs.get(&place) {
            Some(known) => *known,
            None => heir(tx, of.owner, Some(settled.procedure)).await?,
        };
        heirs.insert(place, known);
        if known == due.agency {
            return Ok(Some(of));
        }
    }
    Ok(None)
}

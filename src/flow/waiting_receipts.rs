//! What receipts that wait are made of, read set-wise: bills, payments, names, accounts. One that cannot be read stops no
//! other.

use super::{
    Error, Result,
    agency_key::agencies_with_keys,
    bill_answer::open_parties,
    issue_receipts::{Documented, SettledBill, content, documented, shared_accounts},
    receipt_draft::{Agencies, Draft},
    receipt_name::open_name,
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{Agency, Bill, Id, Leaf, Payment},
};
use crate::codec::receipt_content::{self, ReceiptContent};
use crate::payment::{bill::Parties, receipt::ReceiptName};
use crate::store::{
    Tx,
    inheritance::heir,
    receipt_due::Due,
    waiting_receipt::{self as rows, Paid},
};
use std::collections::HashMap;

/// Everything that a waiting receipt is made of.
pub(super) struct Known {
    /// The leaf that will commit to it.
    pub leaf: Id<Leaf>,
    /// What is numbered.
    pub draft: Draft,
}

impl Known {
    /// What it says, but for its number.
    pub(super) const fn content(&self) -> &ReceiptContent {
        self.draft.content()
    }
}

/// A bill's words, which its receipts repeat.
struct Words {
    parties: Parties,
    name: Option<ReceiptName>,
}

/// Reads them, in order; none where something of it is gone. The bank is the one that the payment names.
pub(super) async fn know_all(
    app: &App,
    tx: &mut Tx,
    waiting: &[Due],
    now: Instant,
) -> Result<(Agencies, Vec<Option<Known>>)> {
    let about: Vec<(Id<Bill>, Id<Payment>)> = waiting.iter().map(|due| (due.bill, due.payment)).collect();
    let found = rows::paid(tx, &about).await?;
    let owners = found.iter().flatten().map(|paid| paid.agency);
    let named = waiting.iter().flat_map(|due| [due.agency, due.owner]);
    let agencies = agencies_with_keys(app, tx, named.chain(owners)).await?;
    let words: Vec<Option<Words>> = found.iter().map(|paid| words(&agencies, paid.as_ref()?)).collect();
    let leaves = Id::series(now, 0, waiting.len(), &*app.entropy);
    let settled: Vec<Option<SettledBill<'_>>> = found
        .iter()
        .zip(&words)
        .zip(leaves)
        .map(|((paid, words), leaf)| Some(settled(paid.as_ref()?, words.as_ref()?, leaf)))
        .collect();
    let readable: Vec<SettledBill<'_>> =
        settled.iter().flatten().filter(|settled| settled.is_shared()).cloned().collect();
    let accounts = shared_accounts(tx, &readable).await?;
    let mut known = Vec::with_capacity(waiting.len());
    let mut heirs = HashMap::new();
    for ((due, settled), words) in waiting.iter().zip(&settled).zip(&words) {
        let (Some(settled), Some(words)) = (settled, words) else {
            known.push(None);
            continue;
        };
        let of = share(tx, due, settled, &mut heirs).await?;
        known.push(of.zip(agencies.get(&due.agency)).map(|(of, (agency, _))| {
            let account = settled.account.filter(|_| settled.is_shared()).and_then(|id| accounts.get(&id));
            let mut content = content(app, now, settled, (agency, account), &of, words.name.as_ref());
            content.paid = (due.since != now).then(|| receipt_content::instant(due.since));
            Known { leaf: settled.leaf, draft: Draft::of(settled, (due.agency, due.kind), content) }
        }));
    }
    Ok((agencies, known))
}

/// Opens a bill's words; none where they do not read.
fn words(agencies: &Agencies, paid: &Paid) -> Option<Words> {
    let (_, key) = agencies.get(&paid.agency)?;
    let read = || -> Result<Words> {
        let name = paid.name.as_ref().map(|name| open_name(key, paid.bill, name)).transpose()?;
        Ok(Words { parties: open_parties(key, paid.bill, &paid.parties)?, name: name.flatten() })
    };
    let warn = |error: &Error| tracing::warn!(bill = %paid.bill, ?error, "a waiting receipt does not read");
    read().inspect_err(warn).ok()
}

fn settled<'a>(paid: &'a Paid, words: &'a Words, leaf: Id<Leaf>) -> SettledBill<'a> {
    SettledBill {
        agency: paid.agency,
        account: Some(paid.account),
        bill: paid.bill,
        payment: paid.payment,
        reference: &paid.reference,
        dossier: &paid.dossier,
        procedure: &paid.procedure,
        procedure_vi: &paid.procedure_vi,
        lines: &paid.lines,
        payer: words.parties.name_on_receipt().as_str(),
        bank: &paid.bank,
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

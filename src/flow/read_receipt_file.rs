//! One receipt at its agency's page: what it says, the line of a statement that shows its money, and what whoever keeps the books
//! may do about it.

use super::{
    Error, Result,
    officer::{self, Workplace},
    read_receipts::state_of,
    render_receipt::{content_of, receipt_key},
    void_receipt::{Reason, Taker, read_void, replace_receipt, void_receipt},
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Agency, Citizen, Id},
};
use crate::codec::{
    receipt_content::{ReceiptContent, check_code},
    receipt_void::VoidNotice,
};
use crate::payment::receipt::ReceiptName;
use crate::store::{
    Tx, bill, inheritance, journal,
    receipt::{self, StoredReceipt},
};
use std::collections::BTreeSet;

/// A receipt as its page shows it.
pub struct ReceiptFile {
    /// Whoever reads.
    pub reader: String,
    /// Where; whoever acts there may take the receipt back while it holds.
    pub agency: Workplace,
    /// The receipt.
    pub receipt: StoredReceipt,
    /// Whether it holds, in a word.
    pub state: &'static str,
    /// What it says.
    pub content: ReceiptContent,
    /// The code that opens it at the public page.
    pub check_code: String,
    /// That it holds no more, and why.
    pub void: Option<VoidNotice>,
    /// Where the bank shows its money: the statement, its day and the line's number.
    pub shown: Option<(Id<id::Statement>, Day, i32)>,
}

/// A receipt of an agency where the citizen keeps or audits the books, or of a bill of that agency.
pub async fn read_receipt_file(app: &App, citizen: Id<Citizen>, id: Id<id::Receipt>) -> Result<ReceiptFile> {
    let receipt = receipt::find(&app.store, id).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    let (agency, _) = seen_from(app, &mut tx, citizen, &receipt).await?;
    let names = officer::names(app, &mut tx, &BTreeSet::from([citizen])).await?;
    let reader = names.get(&citizen).cloned().unwrap_or_default();
    let shown = journal::shown_at(&mut tx, receipt.payment).await?;
    drop(tx);
    let key = receipt_key(app, &receipt).await?;
    let (content, _) = content_of(&receipt, &key)?;
    let void = read_void(app, &receipt, &key).await?.map(|(notice, _)| notice);
    Ok(ReceiptFile {
        reader,
        agency,
        state: state_of(&receipt),
        content,
        check_code: check_code(&receipt.digest),
        void,
        shown: shown.map(|(statement, day, _, number)| (Id::from_uuid(statement), day, number)),
        receipt,
    })
}

/// Takes a receipt back: under another name a new one is issued in its place, else nothing stands there. For who keeps the books
/// of the agency that answers for it; the receipt that holds then, or this one.
pub async fn take_receipt_back(
    app: &App,
    citizen: Id<Citizen>,
    id: Id<id::Receipt>,
    (name, reason): (Option<&ReceiptName>, &Reason),
) -> Result<Id<id::Receipt>> {
    let receipt = receipt::find(&app.store, id).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    let (_, heir) = seen_from(app, &mut tx, citizen, &receipt).await?;
    drop(tx);
    let taker = Taker::Officer(citizen);
    let done = match name {
        Some(name) => replace_receipt(app, heir, id, (name, reason), taker).await?,
        None => void_receipt(app, heir, id, reason, taker).await?,
    };
    let holds = done["receipt"].as_str().and_then(|id| id.parse().ok());
    holds.ok_or_else(|| Error::internal("an answer without its receipt"))
}

/// From where the citizen sees a receipt, and the agency that answers for it now; nobody acts elsewhere.
async fn seen_from(
    app: &App,
    tx: &mut Tx,
    citizen: Id<Citizen>,
    receipt: &StoredReceipt,
) -> Result<(Workplace, Id<Agency>)> {
    let stored = bill::bill(tx, receipt.bill).await?.ok_or(Error::not_found())?;
    let heir = inheritance::heir(tx, receipt.agency, Some(stored.procedure.code.as_str())).await?;
    let mut places = officer::workplaces(tx, citizen, Day::of(app.clock.now())).await?;
    let at = [heir, receipt.agency, stored.bill.agency]
        .into_iter()
        .find_map(|agency| places.iter().position(|place| place.id == agency))
        .ok_or(Error::not_found())?;
    let place = places.swap_remove(at);
    Ok((Workplace { acts: place.acts && place.id == heir, ..place }, heir))
}

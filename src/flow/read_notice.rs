//! A payment notice to print or to show: what is owed, and the transfer that pays it, with the account name that the
//! payer's bank app will show before anything is sent.

use super::{
    Error, Result,
    checkout::{Checkout, read_checkout},
};
use crate::{
    app::App,
    base::{calendar::Day, reference::Reference},
    codec::vietqr::{Service, VietQr, svg},
    payment::bill::Status,
    store::{account, bill as bills},
};

/// A notice.
pub struct Notice {
    /// What the reference shows to anybody.
    pub checkout: Checkout,
    /// The version of the bill.
    pub version: u32,
    /// The last day on which it can be paid at all.
    pub until: Day,
    /// The bank or Treasury office that keeps the collecting account, by its code.
    pub bank: String,
    /// The account's number.
    pub number: String,
    /// The name that the bank app shows.
    pub holder: String,
    /// The VietQR as an SVG element, where the account takes such transfers.
    pub code: Option<String>,
}

/// What is printed for a reference.
pub enum Printed {
    /// The notice of an open bill.
    One(Box<Notice>),
    /// The parts of a bill whose owners are paid each by a transfer of its own.
    Apart(Box<Checkout>),
}

/// The notice of an open bill, or of the parts of one; any other has none.
pub async fn read_notice(app: &App, reference: &Reference) -> Result<Printed> {
    let checkout = read_checkout(app, reference).await?;
    if checkout.is_apart() {
        return Ok(Printed::Apart(Box::new(checkout)));
    }
    if checkout.status != Status::Open {
        return Err(Error::not_found());
    }
    let mut tx = app.store.begin().await?;
    let stored = bills::bill_of_reference(&mut tx, reference).await?.ok_or(Error::not_found())?;
    let account = account::account(&mut tx, stored.account).await?.ok_or(Error::not_found())?;
    let code = VietQr {
        bank: account.bank.clone(),
        number: account.number.clone(),
        service: Service::Account,
        amount: u64::try_from(checkout.total.minor()).ok(),
        purpose: Some(reference.to_string()),
    };
    Ok(Printed::One(Box::new(Notice {
        version: stored.bill.version,
        until: stored.bill.payable_until,
        code: code.encode().ok().and_then(|text| svg(&text)),
        bank: account.bank,
        number: account.number,
        holder: account.holder.to_string(),
        checkout,
    })))
}

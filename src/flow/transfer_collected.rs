//! Passes on by transfer what a desk took for another agency: from the desk's own account, into which its cash was
//! carried, to that agency's, by an order like any other. The till owes so much less from then on; the slip stands among
//! the other agency's deposit slips until its credit is found there. What the bank does not take is owed again.

use super::{
    Error, Result,
    agency_key::agencies_with_keys,
    officer,
    pass_on::{record, slip},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Agency, Citizen, Deposit, Drawer, Id, Payout},
        money::Money,
    },
    identity::role::Role,
    payment::payout::{Kind, NO_TREASURY, Rule, State},
    store::{
        account, cash,
        payout::{self as rows, StoredPayout},
    },
};
use serde_json::json;

/// Orders it in the name of an accountant of the till's agency: never more than the till owes.
pub async fn transfer_collected(
    app: &App,
    accountant: Id<Citizen>,
    (till, to): (Id<Drawer>, Id<Agency>),
    amount: Money,
) -> Result<Id<Payout>> {
    let now = app.clock.now();
    let today = Day::of(now);
    let mut tx = app.store.begin().await?;
    let desk = cash::lock_drawer(&mut tx, till).await?.ok_or(Error::not_found())?;
    officer::demand(&mut tx, accountant, desk, Role::Accountant, today).await?;
    let owed = cash::owed_by_tills(&mut tx, &[till]).await?.remove(&till).unwrap_or_default();
    let owed = owed.into_iter().find(|(agency, _)| *agency == to).ok_or(Error::not_found())?.1;
    if !amount.is_positive() || amount.minor() > owed.minor() {
        return Err(Error::refused("tender_differs"));
    }
    let mut accounts = account::standing(&mut tx, &[desk, to]).await?.collecting;
    let (from, of) =
        accounts.remove(&desk).zip(accounts.remove(&to)).ok_or(Error::refused("transfer_unfit"))?;
    if from.id == of.id {
        // They share an account: there is nothing to transfer.
        return Err(Error::refused("transfer_unfit"));
    }
    let rule = Rule {
        kind: Kind::Collected,
        valid_from: today,
        bank: of.bank,
        number: of.number,
        holder: of.holder.to_string(),
        treasury_office: NO_TREASURY.to_owned(),
        authority: None,
        booking: None,
        basis: "Chuyển tiền thu hộ tại quầy".to_owned(),
        to_sellers: false,
    };
    let payers = agencies_with_keys(app, &mut tx, [desk]).await?;
    let (payer, sealing) = payers.get(&desk).ok_or(Error::not_found())?;
    let running = rows::next_slip(&mut tx).await?;
    let month = today.to_string().replace('-', "");
    let order = StoredPayout {
        id: Id::new(now, &*app.entropy),
        account: from.id,
        agency: desk,
        kind: Kind::Collected,
        day: today,
        amount,
        beneficiary: json!({ "bank": rule.bank, "number": rule.number, "holder": rule.holder }),
        slip: slip(&rule, payer, (&from, amount, today)),
        slip_number: format!("{NO_TREASURY}{}{running:09}", month.get(2..6).unwrap_or("0000")),
        state: State::Created,
        replaces: None,
        counterpart: Some(to),
        created_at: now,
    };
    rows::insert(&mut tx, &order, "").await?;
    let deposit: Id<Deposit> = Id::new(now, &*app.entropy);
    let noted = (amount, order.slip_number.as_str());
    cash::insert_transfer(&mut tx, (deposit, order.id), (till, to), noted, accountant, now).await?;
    record(app, &mut tx, &order, "payout.created", sealing, now).await?;
    tx.commit().await?;
    Ok(order.id)
}

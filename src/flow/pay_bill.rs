//! Pays a bill with money that had waited in suspense: a payment that settles as it begins, with its receipts. The decision
//! that allows it, and the entry that moves the money, are the caller's (`release_suspense`).

use super::{
    Result, audit_leaf,
    tell_paid::{Proof, prove, settle_at_once, tell_paid},
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        entropy::random,
        id::{Id, Leaf, Payment},
    },
    codec::{iso20022::Uetr, receipt_content::leaf_name},
    crypto::seal::DataKey,
    payment::payment::{State, Way},
    store::{Tx, audit, bill::StoredBill, payment::StoredPayment, suspense::Held, transfer},
};
use serde_json::json;
use uuid::Uuid;

/// The payment, of a bill that the caller has locked and found payable by exactly this money.
pub(super) async fn pay(
    app: &App,
    tx: &mut Tx,
    (bill, held): (&StoredBill, &Held),
    (leaf, key): (Id<Leaf>, &DataKey),
    now: Instant,
) -> Result<Id<Payment>> {
    let credit = (held.account, held.servicer_reference.clone());
    let origin = transfer::origins(tx, std::slice::from_ref(&credit)).await?.remove(&credit);
    let drawn = || Uetr::new(Uuid::from_bytes(random(&*app.entropy))).uuid();
    let payment = StoredPayment {
        id: Id::new(now, &*app.entropy),
        bill: bill.bill.id,
        account: held.account,
        amount: held.amount,
        way: Way::Transfer,
        bank: origin.as_ref().and_then(|origin| origin.bank.clone()).unwrap_or_default(),
        uetr: origin.and_then(|origin| origin.uetr).unwrap_or_else(drawn),
        state: State::Settled { at: now },
        created_at: now,
    };
    settle_at_once(tx, &payment, now).await?;
    let settled: Id<Leaf> = Id::new(now, &*app.entropy);
    let account = Some(payment.account);
    let proof = Proof { of: bill, payment: &payment, account, paper: None, leaf: settled };
    let issued = prove(app, tx, &proof, key, now).await?;
    tell_paid(app, tx, (bill, &payment), &issued, now).await?;
    let names: Vec<_> = issued.iter().map(|r| leaf_name(&r.number, &r.digest)).collect();
    let details = json!({
        "payment": payment.id.to_string(),
        "bill": bill.bill.id.to_string(),
        "amount": payment.amount.decimal(),
        "servicer_reference": held.servicer_reference,
        "released_by": leaf.to_string(),
        "receipts": names,
    });
    let concern =
        audit_leaf::Concern { citizen: None, agency: Some(bill.bill.agency), object: payment.id.uuid() };
    let settled = audit_leaf::leaf_named(app, (settled, now), "payment.settled", concern, key, &details);
    audit::append(tx, &[settled]).await?;
    Ok(payment.id)
}

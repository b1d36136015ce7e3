//! Pays a bill with money that had waited in suspense: a payment that settles as it begins, with its receipts. The decision
//! that allows it, and the entry that moves the money, are the caller's (`release_suspense`).

use super::{
    Error, Result, audit_leaf, bill_answer,
    event::event_json,
    explain::money,
    issue_receipts::{Issued, SettledBill, issue_receipts},
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        entropy::random,
        id::{Event, Id, Leaf, Payment},
    },
    codec::{iso20022::Uetr, receipt_content::leaf_name},
    crypto::seal::DataKey,
    payment::payment::{State, Way},
    store::{
        Tx, audit,
        bill::{self as bills, StoredBill},
        bill_version,
        outbox::{self, NewOutbox, Topic},
        payment::{self as payments, StoredPayment},
        suspense::Held,
        transfer,
    },
};
use serde_json::{Value, json};
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
    payments::insert_settled(tx, &payment, now).await?;
    if bills::pay_bills(tx, &[(bill.bill.id, payment.id)], now).await? != 1 {
        return Err(Error::internal("a bill moved under its lock"));
    }
    bill_version::close_other_ways(tx, &[bill.bill.id], now).await?;
    let settled: Id<Leaf> = Id::new(now, &*app.entropy);
    let issued = receipts(app, tx, bill, &payment, (settled, key), now).await?;
    tell(app, tx, bill, &payment, &issued, now).await?;
    let names: Vec<Value> = issued.iter().map(|r| leaf_name(&r.number, &r.digest)).collect();
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

async fn receipts(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    payment: &StoredPayment,
    (leaf, key): (Id<Leaf>, &DataKey),
    now: Instant,
) -> Result<Vec<Issued>> {
    let parties = bill_answer::open_parties(key, of.bill.id, &of.parties)?;
    let (name, reference) = (parties.name_on_receipt().to_string(), of.bill.reference.to_string());
    let dossier = of.bill.dossier.to_string();
    let settled = SettledBill {
        agency: of.bill.agency,
        account: Some(payment.account),
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
    Ok(issue_receipts(app, tx, now, &[settled]).await?.pop().unwrap_or_default())
}

async fn tell(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    payment: &StoredPayment,
    issued: &[Issued],
    now: Instant,
) -> Result<()> {
    let receipt = |receipt: &Issued| {
        json!({
            "id": receipt.id.to_string(),
            "number": receipt.number,
            "kind": receipt.kind.as_str(),
            "amount": money(receipt.amount),
        })
    };
    let told = json!({
        "bill": of.bill.id.to_string(),
        "reference": of.bill.reference.to_string(),
        "dossier": of.bill.dossier.to_string(),
        "payment": payment.id.to_string(),
        "amount": money(payment.amount),
        "receipts": issued.iter().map(receipt).collect::<Vec<_>>(),
    });
    let id: Id<Event> = Id::new(now, &*app.entropy);
    let event = NewOutbox {
        id,
        at: now,
        topic: Topic::Event,
        agency: Some(of.bill.agency),
        object: of.bill.id.uuid(),
        name: "bill.paid",
        body: event_json("bill.paid", now, &told),
    };
    Ok(outbox::enqueue(tx, &[event]).await?)
}

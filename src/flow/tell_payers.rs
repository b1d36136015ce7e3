//! What became of their money, in the histories of those whom it concerns: the applicant, where the agency's verification
//! says whose the bill is, and whoever was signed in when they paid. Leaves of their own, under each citizen's key,
//! written with the decision that they tell. Where nobody is known nothing is made.

use super::{
    Result,
    audit_leaf::{Concern, leaf},
    contact::contact_of,
    issue_receipts::SettledBill,
    message::{Message, Route, outgoing},
    population,
};
use crate::text::Texts;
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{Agency, Citizen, Id},
        text::Lang,
    },
    codec::receipt_content::{ReceiptContent, leaf_name},
    payment::refund::State,
    store::{
        Tx,
        attempts::Begun,
        audit,
        bill::StoredBill,
        outbox,
        payment::StoredPayment,
        principal::{self, About},
        receipt::StoredReceipt,
        refund::{Source, StoredRefund},
    },
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// One thing to tell.
struct Told {
    kind: &'static str,
    agency: Id<Agency>,
    object: Uuid,
    details: Value,
}

/// Somebody who is not signed in has begun to pay.
pub(super) async fn payments_begun(app: &App, tx: &mut Tx, begun: &[&Begun], now: Instant) -> Result<()> {
    let about: Vec<About> = begun.iter().map(|begun| (Some(begun.of.bill.id), None)).collect();
    let told = |place: usize| {
        let Begun { of, attempt, .. } = begun.get(place)?;
        let details = begun_details(of, attempt, None);
        Some(Told { kind: "payment.begun", agency: of.bill.agency, object: attempt.id.uuid(), details })
    };
    tell(app, tx, &about, told, now).await
}

/// What a history says of an attempt that begins: whose payer is named who is signed in.
pub(super) fn begun_details(of: &StoredBill, attempt: &StoredPayment, payer: Option<&str>) -> Value {
    json!({
        "payment": attempt.id.to_string(),
        "bill": of.bill.id.to_string(),
        "dossier": of.bill.dossier.to_string(),
        "amount": attempt.amount.display_vi(),
        "payer": payer,
    })
}

/// Money has come. What goes back is told by its refund's steps.
pub(super) async fn payments_received(
    app: &App,
    tx: &mut Tx,
    settled: &[SettledBill<'_>],
    now: Instant,
) -> Result<()> {
    let came: Vec<&SettledBill<'_>> = settled.iter().filter(|bill| bill.adjusts.is_none()).collect();
    let about: Vec<About> = came.iter().map(|bill| (Some(bill.bill), Some(bill.payment))).collect();
    let told = |place: usize| {
        let bill = came.get(place)?;
        let details = json!({
            "payment": bill.payment.to_string(),
            "bill": bill.bill.to_string(),
            "dossier": bill.dossier,
            "amount": bill.lines.total().display_vi(),
            "payer": bill.payer,
        });
        Some(Told { kind: "payment.received", agency: bill.agency, object: bill.payment.uuid(), details })
    };
    tell(app, tx, &about, told, now).await
}

/// Receipts are issued: with the money, later, in the place of others, or because money went back. The entry has what
/// opens the receipt: nobody needs a mandate to read the receipt of their own money.
pub(super) async fn receipts_issued(
    app: &App,
    tx: &mut Tx,
    receipts: &[StoredReceipt],
    contents: &[ReceiptContent],
    now: Instant,
) -> Result<()> {
    let about: Vec<About> = receipts.iter().map(|r| (Some(r.bill), Some(r.payment))).collect();
    let told = |place: usize| {
        let (receipt, content) = (receipts.get(place)?, contents.get(place)?);
        let kind = match (receipt.refund, receipt.replaces) {
            (Some(_), _) => "receipt.adjusted",
            (None, Some(_)) => "receipt.replaced",
            (None, None) => "receipt.issued",
        };
        let details = json!({
            "payment": receipt.payment.to_string(),
            "bill": receipt.bill.to_string(),
            "dossier": content.dossier,
            "amount": receipt.amount.display_vi(),
            "payer": content.payer,
            "receipts": [leaf_name(&receipt.number, &receipt.digest)],
        });
        Some(Told { kind, agency: receipt.agency, object: receipt.id.uuid(), details })
    };
    tell(app, tx, &about, told, now).await
}

/// A refund has made a step.
pub(super) async fn refund_moved(app: &App, tx: &mut Tx, refund: &StoredRefund, now: Instant) -> Result<()> {
    let payment = match refund.source {
        Source::Payment(payment) => Some(payment),
        Source::Case(_) => None,
    };
    let told = |_| {
        let details = json!({
            "refund": refund.id.to_string(),
            "bill": refund.bill.map(|id| id.to_string()),
            "amount": refund.amount.display_vi(),
            "step": refund.state.as_str(),
            "way": refund.way.as_str(),
            "reason": refund.reason.as_str(),
        });
        Some(Told { kind: "refund.moved", agency: refund.agency, object: refund.id.uuid(), details })
    };
    tell(app, tx, &[(refund.bill, payment)], told, now).await?;
    write_to(app, tx, (refund.bill, payment), refund, now).await
}

/// Writes to both about the steps that matter to them, where they gave a mailbox: asked for, decided, waiting for
/// somebody else, given back. The letter says who holds the step and promises no day.
async fn write_to(app: &App, tx: &mut Tx, about: About, refund: &StoredRefund, now: Instant) -> Result<()> {
    // What is on its way between banks is seen on the page.
    if matches!(refund.state, State::Sent | State::Unknown { .. }) {
        return Ok(());
    }
    let people: Vec<Id<Citizen>> =
        principal::concerned(tx, &[about]).await?.into_iter().map(|(_, citizen)| citizen).collect();
    if people.is_empty() {
        return Ok(());
    }
    let mut letters = Vec::new();
    // The applicant and the payer: two at most.
    for holder in population::look_up_citizens(app, tx, &people).await? {
        let Some(mail) = contact_of(tx, &holder).await?.mail else { continue };
        let texts = Texts::embedded();
        let written = |lang| {
            let args = [
                ("person", holder.person.name.as_str().to_owned().into()),
                ("amount", refund.amount.display_vi().into()),
                (
                    "reason",
                    texts.get(lang, &format!("refund-reason-{}", refund.reason.as_str())).into_owned().into(),
                ),
                (
                    "step",
                    texts.get(lang, &format!("refund-state-{}", refund.state.as_str())).into_owned().into(),
                ),
                (
                    "holder",
                    texts
                        .get(lang, &format!("refund-holder-{}", refund.state.holder().as_str()))
                        .into_owned()
                        .into(),
                ),
                ("basis", refund.reason.legal_basis().to_owned().into()),
            ];
            texts.with(lang, "mail-refund", &args)
        };
        let text = format!("{}\n\n---\n\n{}\n", written(Lang::Vi), written(Lang::En));
        let subject = texts.get(Lang::Vi, "mail-refund-subject").into_owned();
        let route = Route::Mail { to: mail.as_str().to_owned(), subject };
        letters.push(outgoing(app, now, refund.id.uuid(), "refund.mail", &Message { route, text })?);
    }
    Ok(outbox::enqueue(tx, &letters).await?)
}

/// Two statements for any number of things, and one where nobody is known.
async fn tell(
    app: &App,
    tx: &mut Tx,
    about: &[About],
    told: impl Fn(usize) -> Option<Told>,
    now: Instant,
) -> Result<()> {
    let concerned = principal::concerned(tx, about).await?;
    if concerned.is_empty() {
        return Ok(());
    }
    let people: Vec<Id<Citizen>> = concerned.iter().map(|(_, citizen)| *citizen).collect();
    let known: BTreeMap<Id<Citizen>, _> = population::look_up_citizens(app, tx, &people)
        .await?
        .into_iter()
        .map(|found| (found.citizen, found.key))
        .collect();
    let leaves = concerned.iter().filter_map(|(place, citizen)| {
        let (one, key) = (told(*place)?, known.get(citizen)?);
        let concern = Concern { citizen: Some(*citizen), agency: Some(one.agency), object: one.object };
        Some(leaf(app, now, one.kind, concern, key, &one.details))
    });
    let leaves: Vec<_> = leaves.collect();
    Ok(audit::append(tx, &leaves).await?)
}

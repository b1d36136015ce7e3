//! Tells another issuer that the money of a receipt which it made went back, wholly or in part: an order like that of the receipt
//! itself, under a key that names refund and kind, so that it is adjusted once however often it is asked. The order is written
//! with the refund, whole and sealed, and sent afterwards, outside any transaction, to whoever made the receipt, even if the
//! agency has left that issuer or was succeeded; money never waits for it. While it waits the refund says `receipt_pending`.

use super::{
    Error, Result,
    agency_key::{agencies_with_keys, agency_key},
    audit_leaf::{self, Concern},
    backoff::backoff,
    bill_answer::open_parties,
    event::event_row,
    issue_due_receipts::{LEASE_MARGIN, ORDERS, PAUSE_MAX},
    order_receipt::{issuer_of, readable},
    receipt_name::names_of,
};
use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        clock::Instant,
        id::{Agency, Id, Leaf, Payment, Refund},
        money::{Currency, Money},
    },
    partner::receipt_issuer::{Adjusted, NotProvided, Order},
    payment::bill::BillLine,
    store::{
        Tx,
        adjustment_order::{self, Made, Ordered},
        audit,
        bill::StoredBill,
        inheritance::heirs,
        outbox, principal,
        receipt_issuer::{self, Adjustable},
        refund::StoredRefund,
        refund_line,
    },
};
use futures_util::future::join_all;
use serde_json::json;

/// Writes the orders to adjust what other issuers made for a payment, as far as a refund gave it back; those that are written
/// or answered already are left as they are. `stored` is the bill as it was paid.
pub(super) async fn write_orders(
    app: &App,
    tx: &mut Tx,
    (refund, payment): (&StoredRefund, Id<Payment>),
    stored: &StoredBill,
    now: Instant,
) -> Result<()> {
    let made = receipt_issuer::of_payment(tx, payment).await?;
    if made.is_empty() {
        return Ok(());
    }
    let known = adjustment_order::known(tx, refund.id).await?;
    let back = given_back(tx, refund, stored).await?;
    let named = named(app, tx, stored, payment).await?;
    let owners = agencies_with_keys(app, tx, made.iter().map(|of| of.owner)).await?;
    let of_owners: Vec<Id<Agency>> = owners.keys().copied().collect();
    let heirs = heirs(tx, &of_owners, Some(stored.procedure.code.as_str())).await?;
    let mut orders = Vec::new();
    for of in made.into_iter().filter(|of| !known.contains(&(of.owner, of.kind.as_str().to_owned()))) {
        let theirs = |line: &&BillLine| {
            line.kind == of.kind && line.beneficiary.agency.unwrap_or(stored.bill.agency) == of.owner
        };
        let lines: Vec<&BillLine> = back.iter().filter(theirs).collect();
        let amount =
            Money::sum(Currency::Vnd, lines.iter().map(|line| line.amount)).map_err(Error::internal)?;
        if !amount.is_positive() {
            continue;
        }
        let agency = heirs.get(&of.owner).copied().unwrap_or(of.owner);
        let (owner, key) = owners.get(&of.owner).ok_or_else(|| Error::internal(of.owner))?;
        let order = Order {
            key: format!("{}-{}-{}", refund.id, of.kind.as_str(), owner.code),
            agency: owner.code.clone(),
            kind: of.kind.as_str().to_owned(),
            name: named.0.clone(),
            tax_code: named.1.clone(),
            address: named.2.clone(),
            dossier: stored.bill.dossier.to_string(),
            reference: stored.bill.reference.to_string(),
            lines: lines.into_iter().map(line_of).collect(),
            total: amount.minor(),
            paid_at: rfc3339(now),
            adjusts: Some(adjusted(&of, refund)),
        };
        let text = serde_json::to_vec(&order).map_err(Error::internal)?;
        orders.push(Ordered {
            refund: refund.id,
            kind: of.kind,
            owner: of.owner,
            agency,
            bill: stored.bill.id,
            payment,
            issuer: of.issuer,
            amount,
            words: key.seal(&*app.entropy, &place(refund.id), &text),
            sealed_by: of.owner,
            since: now,
            attempts: 0,
            next_at: now,
            outcome: None,
        });
    }
    if orders.is_empty() { Ok(()) } else { Ok(adjustment_order::insert(tx, &orders).await?) }
}

/// Sends the orders that are due; how many were tried.
pub(super) async fn send_orders(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let lease = (now, now + app.limits.partner_timeout() + LEASE_MARGIN);
    let mut tx = app.store.begin().await?;
    let due = adjustment_order::claim(&mut tx, lease, ORDERS).await?;
    tx.commit().await?;
    for done in join_all(due.iter().map(|of| send(app, of))).await {
        done?;
    }
    Ok(due.len())
}

async fn send(app: &App, of: &Ordered) -> Result<()> {
    let mut tx = app.store.begin().await?;
    let key = agency_key(app, &mut tx, of.sealed_by).await?;
    let issuer = issuer_of(app, &mut tx, of.issuer, of.agency).await?;
    drop(tx);
    let plain = key.open(&place(of.refund), &of.words)?;
    let order: Order = serde_json::from_slice(plain.expose()).map_err(Error::internal)?;
    let answered = match &issuer {
        Some(issuer) => app.receipt_issuers.order(issuer, &order).await,
        None => Err(NotProvided::Silence),
    };
    let later = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(of) = adjustment_order::lock(&mut tx, of).await? else { return Ok(()) };
    match answered.and_then(|provided| readable(provided).ok_or(NotProvided::Silence)) {
        Err(why) => {
            tracing::warn!(refund = %of.refund, kind = of.kind.as_str(), %why, "a receipt still waits to be adjusted");
            let next = later + backoff(of.attempts, PAUSE_MAX, &*app.entropy);
            adjustment_order::put_off(&mut tx, &of, next, &why.word()).await?;
        }
        Ok((named, lookup, issued_at)) => {
            let made = Made { named, lookup, issued_at, leaf: Id::new(later, &*app.entropy) };
            adjustment_order::keep(&mut tx, &of, &made, later).await?;
            adjustment_order::delete(&mut tx, &of).await?;
            record(app, &mut tx, &of, &made, later).await?;
        }
    }
    Ok(tx.commit().await?)
}

async fn record(app: &App, tx: &mut Tx, of: &Ordered, made: &Made, now: Instant) -> Result<()> {
    let (form, series, number) = &made.named;
    let told = json!({
        "bill": of.bill.to_string(),
        "payment": of.payment.to_string(),
        "receipt": null,
        "number": format!("{form} {series} {number}"),
        "kind": of.kind.as_str(),
    });
    let mut details = told.clone();
    details["refund"] = of.refund.to_string().into();
    details["amount"] = of.amount.decimal().into();
    let key = agency_key(app, tx, of.agency).await?;
    let concern = Concern { citizen: None, agency: Some(of.agency), object: of.bill.uuid() };
    let leaf: Id<Leaf> = made.leaf;
    let leaf = audit_leaf::leaf_named(app, (leaf, now), "receipt.issued", concern, &key, &details);
    audit::append(tx, &[leaf]).await?;
    let event = event_row(app, now, "receipt.issued", (of.agency, of.bill.uuid()), &told);
    Ok(outbox::enqueue(tx, &[event]).await?)
}

/// The lines of the bill as it was paid, as far as they are given back.
async fn given_back(tx: &mut Tx, refund: &StoredRefund, stored: &StoredBill) -> Result<Vec<BillLine>> {
    let lines = stored.bill.lines.as_slice();
    let back = refund_line::of_refund(tx, refund.id).await?.into_iter().map(|(at, part)| {
        let line = usize::try_from(at).ok().and_then(|place| lines.get(place));
        let line = line.ok_or(Error::internal("a line that is gone"))?;
        Ok(BillLine { amount: part.amount, ..line.clone() })
    });
    back.collect()
}

/// Name, tax code and address as the receipt bore them.
async fn named(
    app: &App,
    tx: &mut Tx,
    stored: &StoredBill,
    payment: Id<Payment>,
) -> Result<(String, Option<String>, Option<String>)> {
    let key = agency_key(app, tx, stored.bill.agency).await?;
    if let Some(name) = names_of(tx, &[stored.bill.id], |_| Some(&key)).await?.remove(&stored.bill.id) {
        let tax = name.tax_code.as_ref().map(ToString::to_string);
        return Ok((name.name.to_string(), tax, name.address.as_ref().map(ToString::to_string)));
    }
    let payer = principal::payers(tx, &[payment]).await?.pop();
    let parties = payer.as_ref().map_or(&stored.parties, |payer| &payer.parties);
    Ok((open_parties(&key, stored.bill.id, parties)?.name_on_receipt().to_string(), None, None))
}

fn line_of(line: &BillLine) -> (String, String, u32, i64) {
    (line.fee.to_string(), line.name.vi.to_string(), line.count, line.amount.minor())
}

fn adjusted(of: &Adjustable, refund: &StoredRefund) -> Adjusted {
    let (form, series, number) = of.named.clone();
    Adjusted { form, series, number, legal_basis: refund.reason.legal_basis().to_owned() }
}

/// The place that a sealed order is bound to.
fn place(refund: Id<Refund>) -> Vec<u8> {
    [b"adjustment.order".as_slice(), refund.uuid().as_bytes()].concat()
}

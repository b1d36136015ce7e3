//! Issues receipts that had to wait: for a number, once a series with numbers left is in force, or from another issuer.
//!
//! Of another issuer is asked outside any transaction, under a key that names payment and kind, so that asking again
//! gives the same receipt. While one waits the bill says `paid, receipt pending`.

use super::{
    Error, Result,
    agency_key::agencies_with_keys,
    audit_leaf::{self, Concern},
    backoff::backoff,
    bill_answer::open_parties,
    event::event_json,
    issue_receipts::{Agencies, Draft, SettledBill, content, documented, issue_drafts, shared_accounts},
    receipt_name::names_of,
};
use crate::app::App;
use crate::base::{
    calendar::{parse_rfc3339, rfc3339},
    clock::Instant,
    id::{Event, Id},
    money::Money,
};
use crate::codec::receipt_content::{self, ReceiptContent, leaf_name};
use crate::crypto::seal::DataKey;
use crate::partner::receipt_issuer::{Issuer, NotProvided, Order, Provided};
use crate::store::{
    Tx, audit, bill as bills,
    inheritance::heir,
    outbox::{self, NewOutbox, Topic},
    payment as payments, principal,
    receipt_due::{self, Due},
    receipt_issuer::{self, StoredProvided},
};
use serde_json::{Value, json};
use time::Duration;

/// How many are tried in one go.
const MOST: i64 = 50;
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::minutes(30);
/// How long a claim outlives the deadline of its call.
const LEASE_MARGIN: Duration = Duration::seconds(15);

/// Tries what is due; answers how many were tried.
pub async fn issue_due_receipts(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let until = now + app.limits.partner_timeout() + LEASE_MARGIN;
    let claimed = receipt_due::claim(&mut tx, now, until, MOST).await?;
    tx.commit().await?;
    for due in &claimed {
        match due.reason.as_str() {
            "issuer" => order(app, due, now).await?,
            _ => number(app, due, now).await?,
        }
    }
    Ok(claimed.len())
}

/// Everything that a waiting receipt is made of.
struct Known {
    agencies: Agencies,
    content: ReceiptContent,
    leaf: Id<crate::base::id::Leaf>,
    draft: Draft,
}

/// Reads it; the bank is the one that the payment names.
async fn know(app: &App, tx: &mut Tx, due: &Due, now: Instant) -> Result<Known> {
    let gone = || Error::internal(format!("a waiting receipt of {}", due.bill));
    let stored = bills::bill(tx, due.bill).await?.ok_or_else(gone)?;
    let payment = payments::payment(tx, due.payment).await?.ok_or_else(gone)?;
    let own = stored.bill.agency;
    let agencies = agencies_with_keys(app, tx, [due.agency, own]).await?;
    let (agency, _) = agencies.get(&due.agency).ok_or_else(gone)?;
    let (_, key) = agencies.get(&own).ok_or_else(gone)?;
    let names = names_of(tx, &[due.bill], |_| Some(key)).await?;
    let payer = principal::payers(tx, &[due.payment]).await?.pop();
    let parties = payer.as_ref().map_or(&stored.parties, |payer| &payer.parties);
    let parties = open_parties(key, due.bill, parties)?;
    let leaf = Id::new(now, &*app.entropy);
    let (reference, dossier) = (stored.bill.reference.to_string(), stored.bill.dossier.to_string());
    let procedure = stored.procedure.code.to_string();
    let settled = SettledBill {
        agency: own,
        account: Some(payment.account),
        bill: due.bill,
        payment: due.payment,
        reference: &reference,
        dossier: &dossier,
        procedure: &procedure,
        procedure_vi: stored.procedure.name.vi.as_str(),
        lines: &stored.bill.lines,
        payer: parties.name_on_receipt().as_str(),
        bank: &payment.bank,
        leaf,
        adjusts: None,
    };
    let mut share = None;
    for of in documented(&settled).into_iter().filter(|of| of.kind == due.kind) {
        // Whoever has taken an owner's place gives what that one still had to give.
        if of.owner == due.agency || heir(tx, of.owner, Some(&procedure)).await? == due.agency {
            share = Some(of);
        }
    }
    let share = share.ok_or_else(gone)?;
    let accounts = shared_accounts(tx, std::slice::from_ref(&settled)).await?;
    let account = accounts.get(&payment.account);
    let mut content = content(app, now, &settled, (agency, account), &share, names.get(&due.bill));
    content.paid = (due.since != now).then(|| receipt_content::instant(due.since));
    let draft = Draft::of(&settled, (due.agency, due.kind), content.clone());
    Ok(Known { agencies, content, leaf, draft })
}

/// A receipt of our own, if there is a number now.
async fn number(app: &App, due: &Due, now: Instant) -> Result<()> {
    let mut tx = app.store.begin().await?;
    if !receipt_due::lock(&mut tx, due).await? {
        return Ok(());
    }
    let Known { agencies, leaf, draft, .. } = know(app, &mut tx, due, now).await?;
    let issued = issue_drafts(app, &mut tx, now, vec![draft], &agencies).await?.into_iter().next().flatten();
    let Some(issued) = issued else {
        let next = now + backoff(due.attempts, PAUSE_MAX, &*app.entropy);
        receipt_due::put_off(&mut tx, due, next, "no_series").await?;
        return Ok(tx.commit().await?);
    };
    receipt_due::delete(&mut tx, due).await?;
    let (_, key) = agencies.get(&due.agency).ok_or_else(|| Error::internal(due.agency))?;
    let details = json!({
        "bill": due.bill.to_string(),
        "payment": due.payment.to_string(),
        "receipts": [leaf_name(&issued.number, &issued.digest)],
    });
    let told = json!({
        "bill": due.bill.to_string(),
        "payment": due.payment.to_string(),
        "receipt": issued.id.to_string(),
        "number": issued.number,
        "kind": due.kind.as_str(),
    });
    finish(app, &mut tx, due, (key, leaf), &details, &told, now).await?;
    Ok(tx.commit().await?)
}

/// A receipt of another issuer.
async fn order(app: &App, due: &Due, now: Instant) -> Result<()> {
    let mut tx = app.store.begin().await?;
    let issuer = receipt_issuer::of_agency(&mut tx, due.agency).await?;
    let Known { agencies, content, leaf, .. } = know(app, &mut tx, due, now).await?;
    drop(tx);
    let (_, key) = agencies.get(&due.agency).ok_or_else(|| Error::internal(due.agency))?;
    let answered = match issuer {
        // The agency has come back to us: what was ordered elsewhere is still that issuer's.
        None => Err(NotProvided::Silence),
        Some(stored) => {
            let token = key.open(&token_place(due.agency), &stored.token)?;
            let url = stored.url.parse().map_err(Error::internal)?;
            app.receipt_issuers.order(&Issuer { url, token }, &order_of(due, &content)).await
        }
    };
    let later = app.clock.now();
    let mut tx = app.store.begin().await?;
    if !receipt_due::lock(&mut tx, due).await? {
        return Ok(());
    }
    let made = answered.and_then(|provided| kept(due, &content, provided, leaf).ok_or(NotProvided::Silence));
    match made {
        Err(why) => {
            tracing::warn!(bill = %due.bill, kind = due.kind.as_str(), %why, "a receipt still waits");
            let next = later + backoff(due.attempts, PAUSE_MAX, &*app.entropy);
            receipt_due::put_off(&mut tx, due, next, &why.word()).await?;
        }
        Ok(provided) => {
            receipt_issuer::insert_provided(&mut tx, &provided, later).await?;
            receipt_due::delete(&mut tx, due).await?;
            let (form, series, number) = &provided.named;
            let told = json!({
                "bill": due.bill.to_string(),
                "payment": due.payment.to_string(),
                "receipt": null,
                "number": format!("{form} {series} {number}"),
                "kind": due.kind.as_str(),
            });
            finish(app, &mut tx, due, (key, leaf), &told, &told, later).await?;
        }
    }
    Ok(tx.commit().await?)
}

fn order_of(due: &Due, content: &ReceiptContent) -> Order {
    Order {
        // Several owners of one bill may have one issuer.
        key: match content.collected {
            Some(_) => format!("{}-{}-{}", due.payment, due.kind.as_str(), content.agency.code),
            None => format!("{}-{}", due.payment, due.kind.as_str()),
        },
        agency: content.agency.code.clone(),
        kind: due.kind.as_str(),
        name: content.payer.clone(),
        tax_code: content.payer_tax.clone(),
        address: content.payer_address.clone(),
        dossier: content.dossier.clone(),
        reference: content.reference.clone(),
        lines: content.lines.clone(),
        total: content.total,
        paid_at: rfc3339(due.since),
    }
}

/// What an issuer answered, if it can be kept.
fn kept(
    due: &Due,
    content: &ReceiptContent,
    provided: Provided,
    leaf: Id<crate::base::id::Leaf>,
) -> Option<StoredProvided> {
    let fits = |text: &str| !text.is_empty() && text.len() <= 200;
    let named = (provided.form, provided.series, provided.number);
    let all = [&named.0, &named.1, &named.2, &provided.lookup];
    let issued_at = parse_rfc3339(&provided.issued_at)?;
    if !all.into_iter().all(|text| fits(text)) {
        return None;
    }
    Some(StoredProvided {
        bill: due.bill,
        kind: due.kind,
        payment: due.payment,
        agency: due.agency,
        amount: Money::vnd(content.total),
        named,
        lookup: provided.lookup,
        issued_at,
        leaf,
    })
}

/// The log's leaf and the event of a receipt that came later than its money.
async fn finish(
    app: &App,
    tx: &mut Tx,
    due: &Due,
    (key, leaf): (&DataKey, Id<crate::base::id::Leaf>),
    details: &Value,
    told: &Value,
    now: Instant,
) -> Result<()> {
    let concern = Concern { citizen: None, agency: Some(due.agency), object: due.bill.uuid() };
    let leaf = audit_leaf::leaf_named(app, (leaf, now), "receipt.issued", concern, key, details);
    audit::append(tx, &[leaf]).await?;
    let event: Id<Event> = Id::new(now, &*app.entropy);
    let row = NewOutbox {
        id: event,
        at: now,
        topic: Topic::Event,
        agency: Some(due.agency),
        object: due.bill.uuid(),
        name: "receipt.issued",
        body: event_json("receipt.issued", now, told),
    };
    Ok(outbox::enqueue(tx, &[row]).await?)
}

/// The place that an issuer's sealed token is bound to.
pub(super) fn token_place(agency: Id<crate::base::id::Agency>) -> Vec<u8> {
    [b"receipt_issuer.token".as_slice(), agency.uuid().as_bytes()].concat()
}

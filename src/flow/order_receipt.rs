//! Asks another issuer for a receipt that waits, outside any transaction and under a key that names payment and kind, so
//! that asking again gives the same receipt. Where several owners were paid the key names the owner as of the payment, so that
//! whoever takes its place asks for the same receipt at the same issuer. While it waits the bill says `paid, receipt pending`.

use super::{
    Error, Result,
    agency_key::agency_key,
    backoff::backoff,
    issue_due_receipts::{Late, PAUSE_MAX, record},
    waiting_receipts::know_all,
};
use crate::app::App;
use crate::base::{
    calendar::{parse_rfc3339, rfc3339},
    clock::Instant,
    id::{Agency, Id, Leaf, ReceiptIssuer},
    money::Money,
};
use crate::codec::receipt_content::ReceiptContent;
use crate::partner::receipt_issuer::{Issuer, NotProvided, Order, Provided};
use crate::store::{
    Tx, adjustment_due,
    receipt_due::{self, Due},
    receipt_issuer::{self, StoredProvided},
};

/// Orders one, and keeps what the issuer made.
pub(super) async fn order_receipt(app: &App, due: &Due, now: Instant) -> Result<()> {
    let mut tx = app.store.begin().await?;
    let issuer = issuer_of(app, &mut tx, due.issuer, due.agency).await?;
    let (agencies, known) = know_all(app, &mut tx, std::slice::from_ref(due), now).await?;
    drop(tx);
    let of = |agency: Id<Agency>| agencies.get(&agency).ok_or_else(|| Error::internal(agency));
    let ((owner, _), (_, key)) = (of(due.owner)?, of(due.agency)?);
    let known = known.into_iter().next().flatten();
    let answered = match (&known, issuer) {
        (None, _) | (_, None) => Err(NotProvided::Silence),
        (Some(known), Some(issuer)) => {
            app.receipt_issuers.order(&issuer, &order_of(due, &owner.code, known.content())).await
        }
    };
    let later = app.clock.now();
    let mut tx = app.store.begin().await?;
    if receipt_due::lock(&mut tx, std::slice::from_ref(due)).await?.is_empty() {
        return Ok(());
    }
    let made = answered.and_then(|provided| {
        let known = known.as_ref().ok_or(NotProvided::Silence)?;
        kept(due, known.content(), provided, known.leaf).ok_or(NotProvided::Silence)
    });
    match made {
        Err(why) => {
            tracing::warn!(bill = %due.bill, kind = due.kind.as_str(), %why, "a receipt still waits");
            let next = later + backoff(due.attempts, PAUSE_MAX, &*app.entropy);
            receipt_due::put_off(&mut tx, std::slice::from_ref(due), &[next], &[&why.word()]).await?;
        }
        Ok(provided) => {
            receipt_issuer::insert_provided(&mut tx, &provided, later).await?;
            receipt_due::delete(&mut tx, std::slice::from_ref(due)).await?;
            adjustment_due::hasten_of(&mut tx, &[due.payment], later).await?;
            let (form, series, number) = &provided.named;
            let number = format!("{form} {series} {number}");
            let late = Late { due, leaf: provided.leaf, key, number: &number, ours: None };
            record(app, &mut tx, &[late], later).await?;
        }
    }
    Ok(tx.commit().await?)
}

fn order_of(due: &Due, owner: &str, content: &ReceiptContent) -> Order {
    Order {
        // Several owners of one bill may have one issuer.
        key: match content.collected {
            Some(_) => format!("{}-{}-{owner}", due.payment, due.kind.as_str()),
            None => format!("{}-{}", due.payment, due.kind.as_str()),
        },
        agency: owner.to_owned(),
        kind: due.kind.as_str().to_owned(),
        name: content.payer.clone(),
        tax_code: content.payer_tax.clone(),
        address: content.payer_address.clone(),
        dossier: content.dossier.clone(),
        reference: content.reference.clone(),
        lines: content.lines.clone(),
        total: content.total,
        paid_at: rfc3339(due.since),
        adjusts: None,
    }
}

/// What an issuer answered, if it can be kept.
fn kept(due: &Due, content: &ReceiptContent, provided: Provided, leaf: Id<Leaf>) -> Option<StoredProvided> {
    let (named, lookup, issued_at) = readable(provided)?;
    Some(StoredProvided {
        bill: due.bill,
        kind: due.kind,
        payment: due.payment,
        agency: due.agency,
        owner: due.owner,
        issuer: due.issuer,
        amount: Money::vnd(content.total),
        named,
        lookup,
        issued_at,
        leaf,
    })
}

/// Form, series and number, where to look it up, and when it was made; nothing of an answer of which any cannot be kept.
pub(super) fn readable(provided: Provided) -> Option<((String, String, String), String, Instant)> {
    let fits = |text: &String| !text.is_empty() && text.len() <= 200;
    let all = [&provided.form, &provided.series, &provided.number, &provided.lookup];
    let issued_at = parse_rfc3339(&provided.issued_at)?;
    if !all.into_iter().all(fits) {
        return None;
    }
    Some(((provided.form, provided.series, provided.number), provided.lookup, issued_at))
}

/// An issuer as it is called; without a name, that of an agency's receipts now.
pub(super) async fn issuer_of(
    app: &App,
    tx: &mut Tx,
    id: Option<Id<ReceiptIssuer>>,
    agency: Id<Agency>,
) -> Result<Option<Issuer>> {
    let Some(stored) = receipt_issuer::find(tx, id, agency).await? else { return Ok(None) };
    let key = agency_key(app, tx, stored.agency).await?;
    let token = key.open(&token_place(stored.agency), &stored.token)?;
    Ok(Some(Issuer { url: stored.url.parse().map_err(Error::internal)?, token }))
}

/// The place that an issuer's sealed token is bound to.
pub(super) fn token_place(agency: Id<Agency>) -> Vec<u8> {
    [b"receipt_issuer.token".as_slice(), agency.uuid().as_bytes()].concat()
}

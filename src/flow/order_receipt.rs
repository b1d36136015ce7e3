//! Asks another issuer for a receipt that waits, outside any transaction and under a key that names payment and kind, so
//! that asking again gives the same receipt. While it waits the bill says `paid, receipt pending`.

use super::{
    Error, Result,
    backoff::backoff,
    issue_due_receipts::{Late, PAUSE_MAX, record},
    waiting_receipts::know_all,
};
use crate::app::App;
use crate::base::{
    calendar::{parse_rfc3339, rfc3339},
    clock::Instant,
    id::{Agency, Id, Leaf},
    money::Money,
};
use crate::codec::receipt_content::ReceiptContent;
use crate::partner::receipt_issuer::{Issuer, NotProvided, Order, Provided};
use crate::store::{
    receipt_due::{self, Due},
    receipt_issuer::{self, StoredProvided},
};
use serde_json::json;

/// Orders one, and keeps what the issuer made.
pub(super) async fn order_receipt(app: &App, due: &Due, now: Instant) -> Result<()> {
    let mut tx = app.store.begin().await?;
    let issuer = receipt_issuer::of_agency(&mut tx, due.agency).await?;
    let (agencies, known) = know_all(app, &mut tx, std::slice::from_ref(due), now).await?;
    drop(tx);
    let (_, key) = agencies.get(&due.agency).ok_or_else(|| Error::internal(due.agency))?;
    let known = known.into_iter().next().flatten();
    let answered = match (&known, issuer) {
        // The agency has come back to us: what was ordered elsewhere is still that issuer's.
        (None, _) | (_, None) => Err(NotProvided::Silence),
        (Some(known), Some(stored)) => {
            let token = key.open(&token_place(due.agency), &stored.token)?;
            let url = stored.url.parse().map_err(Error::internal)?;
            app.receipt_issuers.order(&Issuer { url, token }, &order_of(due, known.content())).await
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
            let (form, series, number) = &provided.named;
            let told = json!({
                "bill": due.bill.to_string(),
                "payment": due.payment.to_string(),
                "receipt": null,
                "number": format!("{form} {series} {number}"),
                "kind": due.kind.as_str(),
            });
            let late = Late { due, leaf: provided.leaf, key, details: told.clone(), told };
            record(app, &mut tx, &[late], later).await?;
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
fn kept(due: &Due, content: &ReceiptContent, provided: Provided, leaf: Id<Leaf>) -> Option<StoredProvided> {
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

/// The place that an issuer's sealed token is bound to.
pub(super) fn token_place(agency: Id<Agency>) -> Vec<u8> {
    [b"receipt_issuer.token".as_slice(), agency.uuid().as_bytes()].concat()
}

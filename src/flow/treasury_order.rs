//! What the Treasury needs to order a refund of what was remitted to it (*lệnh hoàn trả khoản thu*): who asks and by which law,
//! the slip by which the money came there with its account and office, each line's chapter, sub-item and area as that slip had
//! them, and whom the money goes back to. The order itself is the Treasury's to make.

use super::{
    Error, Result, agency_key::agency_key, bill_answer::open_parties, explain::money, send_refund::original,
};
use crate::{
    app::App,
    base::{
        id::{Bill, Id, Payment},
        money::Money,
    },
    codec::amount_in_words::dong_in_words,
    payment::payout::State,
    store::{
        Tx, agency, bill as bills, payout, principal,
        refund::{Source, StoredRefund},
        refund_line,
    },
};
use serde_json::{Value, json};

/// The data of the Treasury's order for a refund; none where it goes back in another way.
pub(super) async fn treasury_order(app: &App, tx: &mut Tx, refund: &StoredRefund) -> Result<Option<Value>> {
    let (Some(order), Source::Payment(payment), Some(bill)) = (refund.payout, refund.source, refund.bill)
    else {
        return Ok(None);
    };
    let lost = |what| Error::internal(format!("a refund without its {what}"));
    let order = payout::find(tx, order).await?.ok_or_else(|| lost("order"))?;
    let of = agency::find_all(tx, &[refund.agency]).await?.pop().ok_or_else(|| lost("agency"))?;
    // What was taken at a desk no transfer brought.
    let brought = if refund.account.is_some() { Some(original(tx, refund).await?) } else { None };
    let origin = brought.as_ref().map(|(origin, ..)| origin);
    let items = payout::items_of(tx, order.id, payment).await?;
    let back = refund_line::of_refund(tx, refund.id).await?;
    let lines = back.iter().filter_map(|(line, part)| {
        let item = items.iter().find(|item| item.line == *line)?;
        Some(json!({
            "line": line,
            "dossier": item.dossier,
            "content": item.content,
            "notice": item.notice,
            "chapter": item.booking[0],
            "sub_item": item.booking[1],
            "area": item.booking[2],
            "remitted": money(item.amount),
            "amount": money(part.amount),
        }))
    });
    Ok(Some(json!({
        "ordered_by": { "name": of.name_vi, "tax_code": of.tax_code, "address": of.address_vi },
        "reason": refund.reason.as_str(),
        "legal_basis": refund.reason.legal_basis(),
        "payout": order.id.to_string(),
        "slip_number": order.slip_number,
        "slip_made_on": order.slip["made_on"],
        "slip_total": money(order.amount),
        "remitted": matches!(order.state, State::Done { .. }),
        "remitted_from": order.slip["debit"],
        "debit": order.beneficiary,
        "treasury_office": order.slip["treasury_office"],
        "authority": order.slip["authority"],
        "payer": {
            "name": payer(app, tx, (bill, payment)).await?,
            "bank": brought.as_ref().and_then(|(_, bank, _)| bank.as_deref()),
            "end_to_end_id": origin.and_then(|origin| origin.end_to_end.as_ref()).map(ToString::to_string),
            "uetr": origin.and_then(|origin| origin.uetr).map(|uetr| uetr.to_string()),
        },
        "lines": lines.collect::<Vec<_>>(),
        "total": money(refund.amount),
        "total_in_words": in_words(refund.amount),
    })))
}

fn in_words(amount: Money) -> String {
    u64::try_from(amount.minor()).map(dong_in_words).unwrap_or_default()
}

/// Who paid, as the receipts name them: whoever was signed in, or the applicant.
async fn payer(app: &App, tx: &mut Tx, (bill, payment): (Id<Bill>, Id<Payment>)) -> Result<String> {
    let stored = bills::bill(tx, bill).await?.ok_or(Error::internal("a refund without its bill"))?;
    let key = agency_key(app, tx, stored.bill.agency).await?;
    let payer = principal::payers(tx, &[payment]).await?.pop();
    let parties = payer.as_ref().map_or(&stored.parties, |payer| &payer.parties);
    Ok(open_parties(&key, bill, parties)?.name_on_receipt().to_string())
}

//! Enters money that a desk took on paper during an outage for a bill that asks for nothing any more: paid elsewhere
//! meanwhile, withdrawn, replaced, or past its last day. It was taken, so that it is booked, under the receipt that was
//! given; nobody owed it, so that it is owed back from the same moment without anybody asking, and fetched at the desk. Its
//! receipt is adjusted when it is. Where the bill was charged anew meanwhile, what was asked then is what goes back.

use super::{
    Error, Result,
    agency_key::agency_key,
    blank_receipts::{Written, take_leaves},
    charged_anew::parts_as_asked,
    desk_payment::{Tender, enter_leaves, payment, record, settle_books},
    refund_unasked::{Unasked, refund_unasked},
    tell_paid::{Proof, prove},
};
use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        clock::Instant,
        id::{Citizen, Id, Leaf, Payment},
    },
    payment::{bill, refund::Reason, refund_share::Share},
    store::{
        Tx,
        bill::StoredBill,
        bill_version as versions,
        desk::{self as rows, OpenShift},
        payment as payments,
        refund::Source,
    },
};
use serde_json::json;

/// Why it goes back, by why the bill takes no money, and in words.
const fn reason(unpayable: &bill::Refusal) -> (Reason, &'static str) {
    match unpayable {
        bill::Refusal::AlreadyPaid => (
            Reason::PaidTwice,
            "Tiền mặt thu bằng biên lai giấy cho khoản đã được nộp nơi khác: hoàn lại không cần đề nghị.",
        ),
        // The bill was charged anew, and what it charged then may be charged by another: it is paid anew.
        bill::Refusal::InvoiceKnown => (
            Reason::WrongAmount,
            "Tiền mặt thu bằng biên lai giấy theo số tiền trước khi khoản được tính lại: hoàn lại không cần đề nghị.",
        ),
        _ => (
            Reason::LateMoney,
            "Tiền mặt thu bằng biên lai giấy cho khoản không còn phải nộp: hoàn lại không cần đề nghị.",
        ),
    }
}

/// Enters it, for a bill that the caller has locked and found not payable.
pub(super) async fn enter_unowed(
    app: &App,
    tx: &mut Tx,
    (shift, of): (&OpenShift, &StoredBill),
    (cashier, tender, written): (Id<Citizen>, &Tender, &Written),
    unpayable: &bill::Refusal,
    now: Instant,
) -> Result<Id<Payment>> {
    // A transfer that waits for this bill goes back by itself.
    if tender.transfer.is_some() {
        return Err(Error::refused("transfer_unfit"));
    }
    let (stood, (paid, _)) = parts_as_asked(app, tx, of, tender).await?;
    let version = match &stood {
        Some(stood) if !stood.kept => Some(versions::keep_paper(tx, (of, &stood.bill), now).await?),
        stood => stood.as_ref().map(|stood| stood.bill.bill.version),
    };
    let of = stood.as_ref().map_or(of, |stood| &stood.bill);
    let (paper, leaves) = take_leaves(tx, shift, cashier, written, now).await?;
    let payment = payment(app, of, &paid, now);
    payments::insert_settled(tx, &payment, now).await?;
    let slip = tender.card.as_ref().filter(|_| paid.card.is_positive()).map(|(_, slip)| slip.as_str());
    let taken = rows::Taken {
        payment: payment.id,
        shift: shift.id,
        paid,
        slip,
        case: None,
        at: written.at,
        entered_at: Some(now),
        version,
    };
    rows::insert_payment(tx, &taken).await?;
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    settle_books(app, tx, of, (shift, &payment, &paid), leaf, now).await?;
    let key = agency_key(app, tx, of.bill.agency).await?;
    let proof = Proof { of, payment: &payment, account: None, paper: Some(&paper), leaf };
    let issued = prove(app, tx, &proof, &key, now).await?;
    enter_leaves(tx, shift.agency, (&leaves, &issued), now).await?;
    let by = json!({ "shift": shift.id.to_string(), "by": cashier.to_string(), "taken_at": rfc3339(written.at),
        "owed": false });
    record(app, tx, (&proof, &key), (by, &issued), now).await?;
    let (reason, words) = reason(unpayable);
    let unasked = Unasked {
        agency: of.bill.agency,
        bill: Some(of.bill.id),
        source: Source::Payment(payment.id),
        account: None,
        received: payment.amount,
        amount: payment.amount,
        lines: charged(of)?,
        reason,
        words,
    };
    let begun = refund_unasked(app, tx, unasked, &key, now).await?;
    begun.ok_or(Error::internal("money that is new went back already"))?;
    Ok(payment.id)
}

/// The lines that ask for anything, by their place.
fn charged(of: &StoredBill) -> Result<Vec<Share>> {
    let lines = (0_i16..).zip(of.bill.lines.as_slice()).filter(|(_, line)| line.amount.is_positive());
    lines.map(|(at, line)| Share::of(at, line, line.amount).map_err(Error::internal)).collect()
}

//! Enters money that a desk took on paper during an outage for a bill that was paid elsewhere meanwhile. It was taken, so that
//! it is booked, under the receipt that was given; a bill is paid once, so that it is owed back from the same moment without
//! anybody asking, and fetched at the desk. Its receipt is adjusted when it is.

use super::{
    Error, Result,
    agency_key::agency_key,
    blank_receipts::{Written, take_leaves},
    decide_refund::decide,
    desk_payment::{Tender, enter_leaves, parts_of, payment, record, settle_books},
    refund_answer::place,
    tell_paid::{Proof, prove},
};
use crate::{
    app::App,
    base::{
        calendar::rfc3339,
        clock::Instant,
        id::{Citizen, Id, Leaf, Payment},
        money::Money,
    },
    payment::refund::{Reason, State, Way},
    store::{
        Tx,
        bill::StoredBill,
        desk::{self as rows, OpenShift},
        payment as payments,
        refund::{self, Source, StoredRefund},
    },
};
use serde_json::json;

/// The words of the refund that nobody asked for.
const WORDS: &str =
    "Tiền mặt thu bằng biên lai giấy cho khoản đã được nộp nơi khác: hoàn lại không cần đề nghị.";

/// Enters it, for a paid bill that the caller has locked.
pub(super) async fn enter_second(
    app: &App,
    tx: &mut Tx,
    (shift, of): (&OpenShift, &StoredBill),
    (cashier, tender, written): (Id<Citizen>, &Tender, &Written),
    now: Instant,
) -> Result<Id<Payment>> {
    // A transfer that waits for this bill is second money of its own.
    if tender.transfer.is_some() {
        return Err(Error::refused("transfer_unfit"));
    }
    let (paid, _) = parts_of(tx, of, tender).await?;
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
    };
    rows::insert_payment(tx, &taken).await?;
    let leaf: Id<Leaf> = Id::new(now, &*app.entropy);
    settle_books(app, tx, of, (shift, &payment, &paid), leaf, now).await?;
    let key = agency_key(app, tx, of.bill.agency).await?;
    let proof = Proof { of, payment: &payment, account: None, paper: Some(&paper), leaf };
    let issued = prove(app, tx, &proof, &key, now).await?;
    enter_leaves(tx, shift.agency, (&leaves, &issued), now).await?;
    let by = json!({ "shift": shift.id.to_string(), "by": cashier.to_string(), "taken_at": rfc3339(written.at),
        "second": true });
    record(app, tx, (&proof, &key), (by, &issued), now).await?;
    let id = Id::new(now, &*app.entropy);
    let mut refund = StoredRefund {
        id,
        agency: of.bill.agency,
        bill: Some(of.bill.id),
        source: Source::Payment(payment.id),
        account: None,
        amount: payment.amount,
        way: Way::Cash,
        reason: Reason::PaidTwice,
        words: key.seal(&*app.entropy, &place(id), WORDS.as_bytes()),
        state: State::Requested,
        requested_by: None,
        client: None,
        requested_at: now,
        decided_at: None,
        entry: None,
        next_at: None,
    };
    owe_back(tx, of, &refund, payment.id).await?;
    decide(app, tx, &mut refund, &key, now).await?;
    Ok(payment.id)
}

/// All of it goes back, line by line.
async fn owe_back(tx: &mut Tx, of: &StoredBill, refund: &StoredRefund, payment: Id<Payment>) -> Result<()> {
    let charged = of.bill.lines.as_slice().iter().enumerate().filter(|(_, line)| line.amount.is_positive());
    let lines: Vec<(i16, Money, Money)> = charged
        .map(|(at, line)| Ok((i16::try_from(at).map_err(Error::internal)?, line.amount, line.amount)))
        .collect::<Result<_>>()?;
    let whole = refund::reserve(tx, refund.source, refund.amount, refund.amount).await?;
    if !whole || refund::reserve_lines(tx, payment, &lines).await? != lines.len() as u64 {
        return Err(Error::internal("money that is new went back already"));
    }
    refund::insert(tx, refund).await?;
    let lines: Vec<(i16, Money)> = lines.into_iter().map(|(at, _, back)| (at, back)).collect();
    Ok(refund::insert_lines(tx, refund.id, &lines).await?)
}

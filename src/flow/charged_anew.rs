//! A bill that was charged anew while its money was taken on paper. What the paper says was owed when it was written, and was
//! paid then: the bill goes back to what it said, the paper's receipt stands, and the difference is a matter of its own. What
//! was too much is owed back by rule, in cash; what is still to be paid is a bill for the difference. Late interest of days
//! after the paper is nobody's.

use super::{
    Error, Result, audit_leaf,
    desk_payment::{Tender, parts_of},
    difference::{Difference, issue_difference},
    explain::{anew_text, money},
    refund_unasked::{Unasked, refund_unasked},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        money::{Currency, Money},
    },
    crypto::seal::DataKey,
    payment::{
        bill::{BillLine, Lines},
        charged_anew::apart,
        desk::Paid,
        late,
        refund::Reason,
        settlement::SUSPENSE_DAYS,
    },
    store::{
        Tx, audit, bill::StoredBill, bill_version as versions, debit::Waiting, payment::StoredPayment,
        refund::Source, tariff,
    },
};
use serde_json::json;

/// Why the difference goes back, in words.
const WORDS: &str =
    "Khoản được tính lại sau khi đã thu bằng biên lai giấy: hoàn lại phần chênh lệch không cần đề nghị.";

/// What was paid in which way of what the bill asks now, or else of what it asked when the paper was written that says it; the
/// bill as it stood then, in the second case.
pub(super) async fn parts_as_asked(
    tx: &mut Tx,
    of: &StoredBill,
    tender: &Tender,
) -> Result<(Option<StoredBill>, (Paid, Option<Waiting>))> {
    match (parts_of(tx, of, tender).await, &tender.written) {
        (Err(error), Some(written)) if error.code() == "tender_differs" => {
            let stood = as_written(tx, of, written.at).await?.ok_or(error)?;
            let parts = parts_of(tx, &stood, tender).await?;
            Ok((Some(stood), parts))
        }
        (parts, _) => Ok((None, parts?)),
    }
}

/// The bill as it stood when a paper was written; nothing where it asks for the same now.
async fn as_written(tx: &mut Tx, of: &StoredBill, written: Instant) -> Result<Option<StoredBill>> {
    let Some(earlier) = versions::standing_at(tx, of.bill.id, written).await? else { return Ok(None) };
    let mut stood = of.clone();
    earlier.restore(&mut stood);
    Ok((stood.bill.lines != of.bill.lines).then_some(stood))
}

/// Whether a bill can go back to what it said: what sellers have invoiced may be charged by another bill by now.
pub(super) fn may_go_back(stood: &StoredBill, of: &StoredBill) -> bool {
    stood.bill.lines.invoices().eq(of.bill.lines.invoices())
}

/// Puts what an open bill said then in the place of what it says now; the caller holds its lock.
pub(super) async fn go_back(
    tx: &mut Tx,
    stood: &mut StoredBill,
    of: &StoredBill,
    now: Instant,
) -> Result<()> {
    versions::keep_version(tx, of.bill.id, "amended", now).await?;
    stood.bill.version = of.bill.version + 1;
    if !versions::put_version(tx, stood, "open").await? {
        return Err(Error::internal("a bill moved under its lock"));
    }
    Ok(versions::put_content(tx, stood).await?)
}

/// Owes back what of the payment was too much, and asks for what is still to be paid.
pub(super) async fn settle_difference(
    app: &App,
    tx: &mut Tx,
    (stood, asked): (&StoredBill, &StoredBill),
    payment: &StoredPayment,
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let lines = without_interest(app, tx, &asked.bill.lines, now).await?;
    let found = apart(stood.bill.lines.as_slice(), &lines).map_err(Error::internal)?;
    if !found.back.is_empty() {
        let amount =
            Money::sum(Currency::Vnd, found.back.iter().map(|line| line.2)).map_err(Error::internal)?;
        let unasked = Unasked {
            agency: stood.bill.agency,
            bill: Some(stood.bill.id),
            source: Source::Payment(payment.id),
            account: None,
            received: payment.amount,
            amount,
            lines: found.back,
            reason: Reason::WrongAmount,
            words: WORDS,
        };
        let begun = refund_unasked(app, tx, unasked, key, now).await?;
        begun.ok_or(Error::internal("money that is new went back already"))?;
    }
    if !found.more.is_empty() {
        ask_more(app, tx, stood, found.more, key, now).await?;
    }
    Ok(())
}

async fn without_interest(app: &App, tx: &mut Tx, lines: &Lines, now: Instant) -> Result<Vec<BillLine>> {
    let schedule = tariff::in_force(&app.store, tx, Day::of(now)).await?;
    Ok(schedule.map_or_else(|| lines.as_slice().to_vec(), |schedule| late::principal(lines, &schedule)))
}

/// Asks for what is still to be paid.
async fn ask_more(
    app: &App,
    tx: &mut Tx,
    paid: &StoredBill,
    more: Vec<BillLine>,
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    let reference = paid.bill.reference.to_string();
    let step = |line: &BillLine| {
        json!([{
            "step": "anew",
            "of": paid.bill.id.to_string(),
            "amount": money(line.amount),
            "text": anew_text(line.amount, &reference),
        }])
    };
    let asked = Difference {
        agency: paid.bill.agency,
        account: paid.account,
        client: paid.client,
        trace: more.iter().map(step).collect(),
        lines: Lines::new(more).map_err(Error::internal)?,
        due: Day::of(now).plus_days(SUSPENSE_DAYS),
    };
    let stored = issue_difference(app, tx, paid, asked, (key, key), now).await?;
    let details = json!({
        "bill": stored.bill.id.to_string(),
        "difference_of": paid.bill.id.to_string(),
        "amount": stored.bill.lines.total().decimal(),
    });
    let concern = audit_leaf::Concern {
        citizen: None,
        agency: Some(stored.bill.agency),
        object: stored.bill.id.uuid(),
    };
    let leaf = audit_leaf::leaf(app, now, "bill.difference_asked", concern, key, &details);
    Ok(audit::append(tx, &[leaf]).await?)
}

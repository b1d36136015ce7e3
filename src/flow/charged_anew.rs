//! A bill that was charged anew while its money was taken on paper. What the paper says was owed when it was written, and was
//! paid then: the bill goes back to what it said, the paper's receipt stands, and the difference is a matter of its own. What
//! was too much is owed back by rule, in cash; what is still to be paid is a bill for the difference. Late interest of days
//! after the paper is nobody's. What reductions rest on goes with their lines: back to the bill, and on to the difference.

use super::{
    Error, Result,
    agency_key::agency_key,
    audit_leaf, bill_answer,
    charge_late::{asked_at, with_lines},
    create_bill::evidence_of,
    desk_payment::{Tender, differs, parts_of},
    difference::{Difference, issue_difference},
    explain::{anew_text, money},
    refund_unasked::{Unasked, refund_unasked},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::Id,
        money::{Currency, Money},
    },
    crypto::seal::DataKey,
    payment::{
        bill::{BillLine, Lines},
        charged_anew::{apart, divide_saving, is_same},
        desk::Paid,
        fee, late,
        refund::Reason,
        refund_share::Share,
        settlement::SUSPENSE_DAYS,
    },
    store::{
        Tx, audit,
        bill::StoredBill,
        bill_version as versions,
        debit::Waiting,
        fee_evidence::{self, StoredEvidence},
        payment::StoredPayment,
        refund::Source,
        tariff,
    },
};
use serde_json::json;

/// Why the difference goes back, in words.
const WORDS: &str =
    "Khoản được tính lại sau khi đã thu bằng biên lai giấy: hoàn lại phần chênh lệch không cần đề nghị.";

/// The bill as it stood when a paper was written.
pub(super) struct Stood {
    /// What it said.
    pub bill: StoredBill,
    /// Whether a version of it says so, and not only the interest of that day.
    pub kept: bool,
}

/// What was paid in which way of what the bill asks now, or else of what it asked when the paper was written that says it, with
/// the interest of that day where it was taken; the bill as it stood then, in the second case.
pub(super) async fn parts_as_asked(
    app: &App,
    tx: &mut Tx,
    of: &StoredBill,
    tender: &Tender,
) -> Result<(Option<Stood>, (Paid, Option<Waiting>))> {
    let written = match (parts_of(tx, of, tender).await, &tender.written) {
        (Err(error), Some(written)) if differs(&error) => written,
        (parts, _) => return Ok((None, parts?)),
    };
    let mut bill = of.clone();
    if let Some(earlier) = versions::standing_at(tx, of.bill.id, written.at).await? {
        earlier.restore(&mut bill);
        match parts_of(tx, &bill, tender).await {
            Err(error) if differs(&error) => {}
            parts => return Ok((Some(Stood { bill, kept: true }), parts?)),
        }
    }
    for late in asked_at(app, tx, &bill, written.at).await? {
        let then = with_lines(app, tx, &bill, (late, written.at)).await?;
        match parts_of(tx, &then, tender).await {
            Err(error) if differs(&error) => {}
            parts => return Ok((Some(Stood { bill: then, kept: false }), parts?)),
        }
    }
    Err(Error::refused("tender_differs"))
}

/// Whether a bill can go back to what it said: what sellers have invoiced may be charged by another bill by now.
pub(super) fn may_go_back(stood: &StoredBill, of: &StoredBill) -> bool {
    stood.bill.lines.invoices().eq(of.bill.lines.invoices())
}

/// What reductions rest on: those of the bill as it was paid, and those of what it asked last.
pub(super) struct Rests {
    paid: Vec<StoredEvidence>,
    asked: Vec<StoredEvidence>,
}

/// Puts what an open bill said then in the place of what it says now; what the reductions of either rest on is taken from it,
/// until it is known what of them was paid ([`settle_difference`]). The caller holds its lock.
pub(super) async fn go_back(
    app: &App,
    tx: &mut Tx,
    stood: &mut StoredBill,
    of: &StoredBill,
    now: Instant,
) -> Result<Rests> {
    versions::keep_version(tx, of.bill.id, "amended", now).await?;
    stood.bill.version = of.bill.version + 1;
    if !versions::put_version(tx, stood, "open").await? {
        return Err(Error::internal("a bill moved under its lock"));
    }
    versions::put_content(tx, stood).await?;
    let (revoked, asked): (Vec<StoredEvidence>, Vec<StoredEvidence>) =
        fee_evidence::of_bill(tx, of.bill.id).await?.into_iter().partition(|one| one.revoked.is_some());
    fee_evidence::forget(tx, of.bill.id).await?;
    let mut paid = rested_on(app, tx, stood, now).await?;
    // Of what did not hold the difference is charged already.
    let is_of =
        |a: &StoredEvidence, b: &StoredEvidence| (&a.adjustment, &a.whose) == (&b.adjustment, &b.whose);
    paid.retain(|one| !revoked.iter().any(|other| is_of(one, other)));
    Ok(Rests { paid, asked })
}

/// What the reductions of a bill rest on as it stands, computed again from what it was computed from.
async fn rested_on(app: &App, tx: &mut Tx, stood: &StoredBill, now: Instant) -> Result<Vec<StoredEvidence>> {
    let (id, agency) = (stood.bill.id, stood.bill.agency);
    let key = agency_key(app, tx, agency).await?;
    let Some(kept) = bill_answer::open_kept(&key, id, &stood.trace)? else { return Ok(Vec::new()) };
    let (grounds, (asked, circumstances)) =
        (kept.grounds(), kept.read().ok_or(Error::internal("a bill computed from what does not read"))?);
    let schedule = tariff::version(&app.store, tx, stood.schedule).await?;
    let charged = fee::charge(&schedule, &stood.procedure.code, &asked, &circumstances);
    let charged = charged.map_err(|_| Error::internal("a bill that its own version does not charge"))?;
    Ok(evidence_of(app, (agency, grounds), id, &charged, now))
}

/// Owes back what of the payment was too much, asks for what is still to be paid, and puts what reductions rest on to the bill
/// in which it lies: what was paid, or the rest.
pub(super) async fn settle_difference(
    app: &App,
    tx: &mut Tx,
    (stood, asked, rests): (&StoredBill, &StoredBill, Rests),
    payment: &StoredPayment,
    key: &DataKey,
    now: Instant,
) -> Result<()> {
    // What was paid for lateness until the paper stays paid; what was asked for after it is nobody's.
    let rules = tariff::late_rules(tx).await?;
    let [paid, lines] = [stood, asked].map(|bill| late::principal(&bill.bill.lines, &rules));
    let found = apart(&paid, &lines).map_err(Error::internal)?;
    if !found.back.is_empty() {
        let amount =
            Money::sum(Currency::Vnd, found.back.iter().map(|line| line.2)).map_err(Error::internal)?;
        let paid = stood.bill.lines.as_slice();
        let share = |(at, _, back): &(i16, Money, Money)| {
            let line = usize::try_from(*at).ok().and_then(|place| paid.get(place));
            let line = line.ok_or(Error::internal("a line that is gone"))?;
            Share::of(*at, line, *back).map_err(Error::internal)
        };
        let lines = found.back.iter().map(share).collect::<Result<Vec<Share>>>()?;
        let unasked = Unasked {
            agency: stood.bill.agency,
            bill: Some(stood.bill.id),
            source: Source::Payment(payment.id),
            account: None,
            received: payment.amount,
            amount,
            lines,
            reason: Reason::WrongAmount,
            words: WORDS,
        };
        let begun = refund_unasked(app, tx, unasked, key, now).await?;
        begun.ok_or(Error::internal("money that is new went back already"))?;
    }
    let more = match found.more.is_empty() {
        true => None,
        false => Some(ask_more(app, tx, stood, found.more, key, now).await?),
    };
    let evidence = divided(app, (stood, more.as_ref()), asked, rests, now);
    Ok(fee_evidence::insert(tx, &evidence).await?)
}

/// What reductions rest on, of the paid bill and of the rest. A line that is asked still rests on what it is asked by now,
/// divided where it was paid in part; one that is asked no more keeps what it was paid by.
fn divided(
    app: &App,
    (paid, more): (&StoredBill, Option<&StoredBill>),
    asked: &StoredBill,
    rests: Rests,
    now: Instant,
) -> Vec<StoredEvidence> {
    let place =
        |of: &StoredBill, line: &BillLine| of.bill.lines.as_slice().iter().position(|one| is_same(one, line));
    let line = |of: &StoredBill, one: &StoredEvidence| of.bill.lines.as_slice().get(one.line).cloned();
    let gone = |one: &StoredEvidence| line(paid, one).is_some_and(|line| place(asked, &line).is_none());
    let mut of: Vec<StoredEvidence> = rests.paid.into_iter().filter(gone).collect();
    for one in rests.asked {
        let Some(asked) = line(asked, &one) else { continue };
        let rest = more.and_then(|more| Some((more, place(more, &asked)?)));
        let (kept, saved) =
            divide_saving(one.saving, rest.and_then(|(more, at)| more.bill.lines.as_slice().get(at)));
        if let (Some(at), true) = (place(paid, &asked), kept.is_positive()) {
            let id = Id::new(now, &*app.entropy);
            of.push(StoredEvidence { id, bill: paid.bill.id, line: at, saving: kept, ..one.clone() });
        }
        if let (Some((more, at)), true) = (rest, saved.is_positive()) {
            of.push(StoredEvidence { bill: more.bill.id, line: at, saving: saved, ..one });
        }
    }
    of
}

/// Asks for what is still to be paid.
async fn ask_more(
    app: &App,
    tx: &mut Tx,
    paid: &StoredBill,
    more: Vec<BillLine>,
    key: &DataKey,
    now: Instant,
) -> Result<StoredBill> {
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
    audit::append(tx, &[leaf]).await?;
    Ok(stored)
}

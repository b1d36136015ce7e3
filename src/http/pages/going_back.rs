//! Money that goes back, as the page of its bill tells it.

use super::board_refunds;
use super::page::Page;
use crate::base::calendar::display_vi;
use crate::flow::{
    checkout::Checkout,
    read_refunds::{RecallDirection as Direction, RecallStand, RefundStep, StoredRecall},
};
use crate::payment::refund::{Holder, State as Stand};

/// What goes back of a bill, step by step, and what banks ask of one another about it: how much and why, what the clearing system
/// said last, who holds the next step, and only such dates as the agency itself can keep.
pub(super) fn refunds(page: &Page, checkout: &Checkout) -> Vec<Vec<String>> {
    let recalls = checkout.recalls.iter().filter_map(|one| Some(vec![recall(page, one)?]));
    checkout.refunds.iter().map(|step| refund(page, step)).chain(recalls).collect()
}

fn refund(page: &Page, step: &RefundStep) -> Vec<String> {
    let state = &step.refund.state;
    let told = |key: &str, value: String| Some(page.with(key, &[("value", value.into())]));
    let step_text = page.with(
        "refund-page-step",
        &[
            ("amount", step.amount.display_vi().into()),
            ("reason", board_refunds::reason(page, step.refund.reason).into()),
            ("state", board_refunds::state(page, state).into()),
        ],
    );
    let elsewhere = matches!(state.holder(), Holder::Bank | Holder::Treasury);
    let until = step.decide_until.map(|day| day.display_vi());
    let lines = [
        Some(step_text),
        Some(format!("{}: {}.", page.t("refund-basis"), step.refund.reason.legal_basis())),
        told("refund-page-since", display_vi(step.refund.requested_at)),
        until.and_then(|day| told("refund-page-decide-until", day)),
        board_refunds::clearing_said(page, state, step.told.as_ref()),
        told("refund-page-holder", board_refunds::holder(page, state))
            .filter(|_| state.holder() != Holder::Nobody),
        elsewhere.then(|| page.t("refund-page-no-date").into_owned()),
        (state.holder() == Holder::Desk).then(|| page.t("refund-page-desk").into_owned()),
        match state {
            Stand::Done { at } => told("refund-page-done", display_vi(*at)),
            _ => None,
        },
    ];
    lines.into_iter().flatten().collect()
}

/// What banks ask of one another; what was agreed to here is a refund, which stands beside it.
fn recall(page: &Page, of: &StoredRecall) -> Option<String> {
    let key = match (of.direction, &of.state) {
        (Direction::In, RecallStand::Open) => "refund-page-recall-in-open",
        (Direction::In, RecallStand::Refused(_)) => "refund-page-recall-in-refused",
        (Direction::In, RecallStand::Accepted) => return None,
        (Direction::Out, RecallStand::Open) => "refund-page-recall-out-open",
        (Direction::Out, RecallStand::Accepted) => "refund-page-recall-out-accepted",
        (Direction::Out, RecallStand::Refused(_)) => "refund-page-recall-out-refused",
    };
    let (amount, at) = (of.amount.display_vi(), display_vi(of.opened_at));
    Some(page.with(key, &[("amount", amount.into()), ("at", at.into())]))
}

//! `/pay/{reference}` of a bill that is paid in parts: one transfer for each owner, or instalments; on the screen and on
//! paper.

use super::checkout::Facts;
use super::going_back::refunds;
use super::page::{Page, Reader, show};
use crate::base::{money::Money, text::Lang};
use crate::codec::qr_svg::qr_svg;
use crate::flow::{
    checkout::{Checkout, TransferTo},
    read_parts::{Divided, PartShown, Share},
};
use crate::payment::bill::Status;
use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

/// The bill's parts, each with its transfer; on paper without what can only be clicked.
pub(super) fn show_parts(reader: &Reader, checkout: &Checkout, printed: bool) -> Response {
    let page = Page::new(reader, if printed { "payment-notice" } else { "payment-title" });
    let parts = shown(&page, checkout);
    let open = |part: &&PartShown| matches!(part.status, Status::Open);
    let all = checkout.parts.iter().flat_map(|(_, parts)| parts);
    let left = all.filter(open).map(|part| part.total.minor()).sum();
    let view = PartsView {
        facts: Facts::of(&page, checkout),
        count: parts.len().to_string(),
        left: Money::vnd(left).display_vi(),
        reference: checkout.reference.to_string(),
        refunds: refunds(&page, checkout),
        page: &page,
        parts,
        printed,
    };
    show(StatusCode::OK, &page, &view)
}

/// The instalments of an open bill, beside the way to pay it at once.
pub(super) fn instalments(page: &Page, checkout: &Checkout) -> Vec<PartRow> {
    match &checkout.parts {
        Some((Divided::ByTime, _)) => shown(page, checkout),
        Some((Divided::ByOwner, _)) | None => Vec::new(),
    }
}

/// Who gets how much, in the reader's language.
pub(super) fn owners(page: &Page, of: &[Share]) -> Vec<(String, String)> {
    let name = |share: &Share| match page.lang {
        Lang::Vi => share.name.0.clone(),
        Lang::En => share.name.1.clone(),
    };
    of.iter().map(|share| (name(share), share.amount.display_vi())).collect()
}

/// One part on a page.
pub(super) struct PartRow {
    owner: String,
    pub(super) reference: String,
    spaced: String,
    pub(super) total: String,
    pub(super) due: String,
    pub(super) state: String,
    tag: &'static str,
    receipts: Vec<String>,
    transfer: Option<TransferTo>,
    code: Option<String>,
    pub(super) open: bool,
}

fn shown(page: &Page, checkout: &Checkout) -> Vec<PartRow> {
    let label = page.t("payment-transfer-code");
    let row = |part: &PartShown| {
        let (word, tag) = match part.status {
            Status::Open if part.under_way => ("under-way", "warn"),
            Status::Open => ("open", "warn"),
            Status::Paid => ("paid", "ok"),
            Status::Expired => ("expired", "bad"),
            Status::Cancelled => ("cancelled", "bad"),
            Status::Superseded => ("superseded", "bad"),
        };
        let code = part.transfer.as_ref().and_then(|to| qr_svg(to.code.as_deref()?, &label));
        let names: Vec<String> = owners(page, &part.owners).into_iter().map(|owner| owner.0).collect();
        PartRow {
            owner: names.join(", "),
            reference: part.reference.to_string(),
            spaced: part.reference.spaced(),
            total: part.total.display_vi(),
            due: part.due.display_vi(),
            state: page.t(&format!("payment-part-{word}")).into_owned(),
            tag,
            receipts: part.receipts.clone(),
            transfer: part.transfer.clone(),
            code,
            open: part.status == Status::Open,
        }
    };
    checkout.parts.iter().flat_map(|(_, parts)| parts).map(row).collect()
}

#[derive(Template)]
#[template(path = "pages/parts.html")]
struct PartsView<'a> {
    page: &'a Page,
    facts: Facts,
    parts: Vec<PartRow>,
    count: String,
    left: String,
    reference: String,
    refunds: Vec<Vec<String>>,
    printed: bool,
}

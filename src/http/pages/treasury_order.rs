//! What the Treasury needs to order a refund, as the refund's page shows it: facts with their names, and a row for each line.

use super::page::Page;
use crate::base::money::{Currency, Money};
use serde_json::Value;

/// The data of the order, in words.
pub(super) struct OrderShown {
    /// What is known, each with its name.
    pub(super) facts: Vec<(String, String)>,
    /// Dossier, content, notice, chapter, sub-item, area, what was remitted, what goes back.
    pub(super) lines: Vec<[String; 8]>,
}

impl OrderShown {
    /// As the flow tells it.
    pub(super) fn of(page: &Page, order: &Value) -> Self {
        let at = |pointer: &str| word(order, pointer);
        let parts = |pointers: &[&str]| joined(pointers.iter().map(|pointer| known(order, pointer)));
        let tax_code = known(order, "/ordered_by/tax_code");
        let tax_code = tax_code.map(|code| format!("{} {code}", page.t("payout-tax-code")));
        let by = [known(order, "/ordered_by/name"), tax_code.as_deref(), known(order, "/ordered_by/address")];
        let state =
            if order["remitted"] == true { "refund-order-remitted" } else { "refund-order-on-its-way" };
        let facts = [
            ("refund-order-by", joined(by)),
            (
                "payout-slip-number",
                format!("{} ({}), {}", at("/slip_number"), at("/slip_made_on"), page.t(state)),
            ),
            ("refund-order-slip-total", dong(&order["slip_total"])),
            ("refund-order-debit", parts(&["/debit/number", "/debit/bank", "/debit/holder"])),
            (
                "refund-order-from",
                parts(&["/remitted_from/number", "/remitted_from/bank", "/remitted_from/holder"]),
            ),
            ("payout-treasury", at("/treasury_office")),
            ("payout-authority", parts(&["/authority/code", "/authority/name"])),
            ("refund-order-payer", at("/payer/name")),
            ("refund-order-payer-bank", at("/payer/bank")),
            ("refund-order-transfer", parts(&["/payer/end_to_end_id", "/payer/uetr"])),
            ("refund-basis", at("/legal_basis")),
            ("payout-amount", dong(&order["total"])),
            ("payout-words", at("/total_in_words")),
        ];
        let lines = order["lines"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|line| {
            let of = |pointer| word(line, pointer);
            let [dossier, content, notice] = ["/dossier", "/content", "/notice"].map(of);
            let [chapter, sub_item, area] = ["/chapter", "/sub_item", "/area"].map(of);
            [
                dossier,
                content,
                notice,
                chapter,
                sub_item,
                area,
                dong(&line["remitted"]),
                dong(&line["amount"]),
            ]
        });
        Self {
            facts: facts.into_iter().map(|(key, value)| (page.t(key).into_owned(), value)).collect(),
            lines: lines.collect(),
        }
    }
}

/// What stands where nothing is known.
const NONE: &str = "—";

fn known<'a>(of: &'a Value, pointer: &str) -> Option<&'a str> {
    of.pointer(pointer).and_then(Value::as_str)
}

fn word(of: &Value, pointer: &str) -> String {
    known(of, pointer).unwrap_or(NONE).to_owned()
}

/// The parts that are known.
fn joined<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let known: Vec<&str> = parts.into_iter().flatten().collect();
    if known.is_empty() { NONE.to_owned() } else { known.join(" · ") }
}

fn dong(amount: &Value) -> String {
    let read = amount["amount"].as_str().and_then(|text| Money::parse(text, Currency::Vnd).ok());
    read.map_or_else(|| NONE.to_owned(), |money| money.display_vi())
}

//! What is wrong with the name that somebody gave for a receipt: the field, and the text that says what to do about it.

use crate::flow::Refusal;

/// The field of a name, tax code or address that does not fit, and the key of its text.
pub(super) fn wrong_name(refusal: &Refusal) -> (&'static str, &'static str) {
    match refusal.violations.first().map(|v| (v.field.as_str(), v.rule)) {
        Some(("tax_code", _)) => ("tax_code", "payment-tax-code-error"),
        Some(("address", "missing")) => ("address", "payment-address-missing"),
        Some(("address", _)) => ("address", "payment-address-error"),
        _ => ("receipt_name", "payment-receipt-name-error"),
    }
}

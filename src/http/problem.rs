//! Refusals on the wire: RFC 9457 problem details, from one table that gives each code its status.
//!
//! A code is a promise: stable, listed in `openapi.yaml`, with a title (`problem-<code>`) and advice
//! (`problem-<code>-next`) in both languages. What went wrong inside never shows; it is logged here, once.

use crate::base::text::Lang;
use crate::flow::{Error, Refusal};
use crate::text::Texts;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// One code of the contract.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The word on the wire.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whether the same request may be granted later.
    pub retryable: bool,
}

const fn row(code: &'static str, status: u16) -> Code {
    Code { code, status, retryable: matches!(status, 425 | 429 | 503) }
}

/// Every code that `/v1` answers with, by name within each group.
pub static CODES: &[Code] = &[
    // The request itself.
    row("invalid_body", 400),
    row("invalid_parameter", 400),
    row("body_too_large", 413),
    row("unsupported_media_type", 415),
    row("method_not_allowed", 405),
    row("idempotency_key_missing", 400),
    row("idempotency_key_reused", 409),
    row("request_in_progress", 425),
    // The caller.
    row("token_missing", 401),
    row("token_invalid", 401),
    row("dpop_proof_invalid", 401),
    row("dpop_nonce_needed", 401),
    row("client_suspended", 403),
    row("client_expired", 403),
    row("agency_suspended", 403),
    row("scope_missing", 403),
    row("not_found", 404),
    // Verifications.
    row("legal_basis_unknown", 422),
    // Mandates.
    row("mandate_extent", 422),
    row("mandate_days", 422),
    row("mandate_for_oneself", 422),
    row("party_unfit", 422),
    row("person_unknown", 422),
    row("card_check_needed", 422),
    row("mandate_ended", 409),
    // Questions about people.
    row("policy_forbids", 403),
    row("upload_offset_wrong", 409),
    row("upload_stalled", 408),
    row("batch_closed", 409),
    row("batches_too_many", 409),
    row("batch_not_finished", 409),
    row("batch_too_large", 422),
    row("number_asked_too_often", 429),
    row("quota_spent", 429),
    row("portal_slowed", 429),
    // Fees and bills.
    row("unknown_fee", 422),
    row("fee_not_in_force", 422),
    row("fee_of_another_procedure", 422),
    row("fee_repeated", 422),
    row("fee_count_out_of_range", 422),
    row("fee_value_unfit", 422),
    row("amount_too_large", 422),
    row("nothing_to_pay", 422),
    row("something_owed", 422),
    row("invoice_unfit", 422),
    row("invoice_known", 409),
    row("due_in_the_past", 422),
    row("due_too_far", 422),
    row("agency_account_missing", 422),
    row("verification_unknown", 422),
    row("fee_schedule_invalid", 422),
    row("fee_version_exists", 409),
    row("fee_version_not_draft", 409),
    row("fee_version_not_submitted", 409),
    row("fee_version_not_in_force", 409),
    row("fee_instrument_missing", 422),
    row("fee_instrument_unfit", 422),
    row("fee_version_unfit", 422),
    row("day_in_the_past", 422),
    row("agency_budget_differs", 409),
    row("agency_budget_missing", 422),
    row("evidence_revoked", 409),
    row("line_went_back", 409),
    row("bill_already_paid", 409),
    row("bill_already_cancelled", 409),
    row("bill_superseded", 409),
    row("bill_not_cancelled", 409),
    row("bill_not_amendable", 409),
    row("until_before_due", 422),
    row("several_owners", 422),
    row("bill_split_already", 409),
    row("payment_under_way", 409),
    row("other_way_chosen", 409),
    // Refunds.
    row("officer_needed", 403),
    row("bill_not_paid", 409),
    row("not_refundable", 422),
    row("refund_exceeds_receipt", 409),
    row("refund_lies_elsewhere", 409),
    row("refund_of_nothing", 422),
    row("refund_reason_unfit", 422),
    row("unknown_line", 422),
    // Receipts.
    row("receipt_void_already", 409),
    row("no_receipt_series", 409),
    row("receipts_elsewhere", 409),
    row("series_exists", 409),
    row("certificate_unfit", 422),
    row("certificate_exists", 409),
    // Statements and cases.
    row("unknown_account", 422),
    row("day_not_over", 422),
    row("statement_unreadable", 502),
    row("statement_wrong_total", 502),
    row("statement_of_another_account", 502),
    row("statement_of_another_day", 502),
    row("statement_unavailable", 503),
    row("case_closed", 409),
    row("case_held_by_another", 409),
    row("case_moved", 409),
    row("case_needs_second", 409),
    // The books.
    row("moment_in_the_future", 422),
    row("record_differs", 409),
    row("release_amount_differs", 422),
    row("release_not_proposed", 409),
    row("release_proposed", 409),
    row("suspense_released", 409),
    row("payout_rule_differs", 409),
    row("payout_rule_incomplete", 422),
    // Closings.
    row("closing_not_approved", 409),
    // Events.
    row("endpoint_unfit", 422),
    row("endpoint_exists", 409),
    row("endpoints_too_many", 409),
    row("endpoint_suspended", 409),
    row("event_unknown", 422),
    row("replay_too_large", 422),
    // Agencies, clients and roles.
    row("own_act", 403),
    row("administrator_needed", 403),
    row("accountant_needed", 403),
    row("approver_needed", 403),
    row("agency_succeeded", 409),
    row("policy_moved", 409),
    row("agency_code_taken", 409),
    row("key_exists", 409),
    row("subject_map_taken", 409),
    row("client_has_keys", 422),
    row("client_administers", 403),
    row("subject_map_unfit", 422),
    row("role_held_already", 409),
    row("roles_exclude_each_other", 409),
    row("holder_unknown", 422),
    // The service.
    row("internal", 500),
    row("too_busy", 503),
    row("try_again", 503),
];

/// The table's row of a code; a code that is not in the table is our mistake and shows as one.
pub fn row_of(code: &str) -> Code {
    CODES.iter().copied().find(|row| row.code == code).unwrap_or_else(|| {
        tracing::error!(code, "a refusal without a row in the table");
        row("internal", 500)
    })
}

/// `title` is a text, as the standard has it; both languages stand in `titles`.
#[derive(Serialize)]
struct Body {
    r#type: String,
    title: String,
    titles: Titles,
    status: u16,
    code: &'static str,
    retryable: bool,
    next: Titles,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ViolationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
}

#[derive(Serialize)]
struct Titles {
    vi: String,
    en: String,
}

#[derive(Serialize)]
struct ViolationBody {
    field: String,
    rule: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<String>,
}

fn titles(key: &str) -> Titles {
    let text = |lang| Texts::embedded().get(lang, key).into_owned();
    Titles { vi: text(Lang::Vi), en: text(Lang::En) }
}

/// The answer to a refusal with that code.
pub fn problem(refusal: Refusal) -> Response {
    let row = row_of(refusal.code);
    let titles_of_code = titles(&format!("problem-{}", row.code));
    let body = Body {
        r#type: format!("urn:chung:problem:{}", row.code),
        title: titles_of_code.vi.clone(),
        titles: titles_of_code,
        status: row.status,
        code: row.code,
        retryable: row.retryable,
        next: titles(&format!("problem-{}-next", row.code)),
        violations: refusal
            .violations
            .into_iter()
            .map(|v| ViolationBody { field: v.field, rule: v.rule, sent: v.sent })
            .collect(),
        about: refusal.about,
    };
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    response.extensions_mut().insert(Named(row.code));
    metrics::counter!("chung_refusals_total", "code" => row.code).increment(1);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if row.status == 401 {
        let challenge = match row.code {
            "dpop_proof_invalid" => "DPoP error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA PS256\"",
            "dpop_nonce_needed" => "DPoP error=\"use_dpop_nonce\", algs=\"ES256 EdDSA PS256\"",
            _ => "Bearer, DPoP algs=\"ES256 EdDSA PS256\"",
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if row.retryable {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

/// The code of an answer, for whoever shows it otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Named(pub &'static str);

/// A flow's refusal as an answer of `/v1`.
pub struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self.0 {
            Error::Refused(r)
            | Error::NotFound(r)
            | Error::Conflict(r)
            | Error::Forbidden(r)
            | Error::Unavailable(r) => problem(r),
            Error::Internal(cause) => {
                tracing::error!(?cause, "a request failed");
                problem(Refusal::new("internal"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_speaks_both_languages() {
        for (i, row) in CODES.iter().enumerate() {
            assert!(CODES[..i].iter().all(|other| other.code != row.code), "{} stands twice", row.code);
            assert!(StatusCode::from_u16(row.status).is_ok());
            for key in [format!("problem-{}", row.code), format!("problem-{}-next", row.code)] {
                assert!(Texts::embedded().has(&key), "no text {key}");
            }
        }
    }
}

//! Every route on one page, grouped by who calls it.

use super::{
    api, auth, clearing_inbox, counted, legible, messenger_inbox, oidc, pace, pages, payment_platform,
    population_inbox, problem::Problem, session,
};
use crate::app::App;
use crate::flow::Error;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

/// The service.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(portals())
        .merge(pages::assets::routes())
        .merge(institutions(app.limits.message_bytes_max))
        .merge(people().route_layer(from_fn_with_state(app.clone(), session::note_whose)))
        .merge(agencies().merge(administrators()).route_layer(from_fn_with_state(app.clone(), auth::guard)))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(app.limits.body_bytes_max))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), pace::in_time))
        .layer(from_fn_with_state(app.clone(), legible::legible))
        .layer(from_fn(counted::counted))
        .with_state(app)
}

/// Relying parties: the OpenID provider.
fn portals() -> Router<App> {
    oidc::routes()
}

/// Agencies' systems, with a bearer token; [`auth::OPERATIONS`] says what each needs.
fn agencies() -> Router<App> {
    api::verifications::routes()
        .merge(api::card_checks::routes())
        .merge(api::batches::routes())
        .merge(api::bills::routes())
        .merge(api::exemptions::routes())
        .merge(api::payments::routes())
        .merge(api::fees::routes())
        .merge(api::fee_versions::routes())
        .merge(api::events::routes())
        .merge(api::refunds::routes())
        .merge(api::receipts::routes())
        .merge(api::statements::routes())
        .merge(api::closings::routes())
        .merge(api::payouts::routes())
        .merge(api::cases::routes())
        .merge(api::mandates::routes())
        .merge(api::ledger::routes())
}

/// Administrators' systems, in the same way.
fn administrators() -> Router<App> {
    api::agencies::routes()
        .merge(api::payouts::rule_routes())
        .merge(api::clients::routes())
        .merge(api::policies::routes())
        .merge(api::client_care::routes())
        .merge(api::roles::routes())
        .merge(api::retention::routes())
        .merge(api::messages::routes())
        .merge(api::signers::routes())
}

/// The clearing system and the population register, by signed messages; agency systems that speak the payment
/// platform's protocol, by checksum; the message gateway, by its token.
fn institutions(message_bytes_max: usize) -> Router<App> {
    clearing_inbox::routes(message_bytes_max)
        .merge(population_inbox::routes(message_bytes_max))
        .merge(payment_platform::routes())
        .merge(messenger_inbox::routes())
}

/// Citizens and officers, in pages.
fn people() -> Router<App> {
    pages::sign_in::routes()
        .merge(pages::sign_in_counter::routes())
        .merge(pages::sign_in_for::routes())
        .merge(pages::sign_in_national_id::routes())
        .merge(pages::sign_in_passkey::routes())
        .merge(pages::consent::routes())
        .merge(pages::checkout::routes())
        .merge(pages::proofs::routes())
        .merge(pages::exemptions::routes())
        .merge(pages::receipts::routes())
        .merge(pages::slips::routes())
        .merge(pages::me::routes())
        .merge(pages::me_erasure::routes())
        .merge(pages::desk_card::routes())
        .merge(pages::desk_citizen::routes())
        .merge(pages::me_locks::routes())
        .merge(pages::me_mandates::routes())
        .merge(pages::me_requests::routes())
        .merge(pages::me_sharing::routes())
        .merge(pages::desk_mandates::routes())
        .merge(pages::desk_requests::routes())
        .merge(pages::desk_sign_in::routes())
        .merge(pages::notices::routes())
        .merge(pages::ways::routes())
        .merge(pages::way_enrol::routes())
        .merge(pages::way_contact::routes())
        .merge(pages::approve::routes())
        .merge(pages::board::routes())
        .merge(pages::board_books::routes())
        .merge(pages::board_case::routes())
        .merge(pages::board_cash::routes())
        .merge(pages::board_days::routes())
        .merge(pages::board_fees::routes())
        .merge(pages::board_lines::routes())
        .merge(pages::board_messages::routes())
        .merge(pages::board_payouts::routes())
        .merge(pages::board_receipt::routes())
        .merge(pages::board_receipts::routes())
        .merge(pages::board_refunds::routes())
        .merge(pages::board_refund_ask::routes())
        .merge(pages::board_revisions::routes())
        .merge(pages::board_successions::routes())
        .merge(pages::board_suspense::routes())
        .merge(pages::desk::routes())
        .merge(pages::desk_blanks::routes())
        .merge(pages::events::routes())
        .merge(pages::closings::routes())
        .merge(pages::imports::routes())
        .merge(pages::matches::routes())
}

async fn nothing_here() -> Problem {
    Problem(Error::not_found())
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer calls")]
fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let text = cause.downcast_ref::<&str>().map(ToString::to_string);
    Problem(Error::internal(text.or_else(|| cause.downcast_ref::<String>().cloned()))).into_response()
}

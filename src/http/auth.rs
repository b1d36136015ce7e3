//! Who asks, and whether they may: one table for every operation of `/v1`, deny by default.
//!
//! The guard checks an access token in memory (signature, `typ`, issuer, audience, expiry) and the proof of its key if
//! it is bound to one, then asks through the shared look-up whether client and token are still allowed, then compares
//! its scopes with the table. A handler behind the
//! guard takes [`Caller`] as an argument; having the value is being authorized.

use super::{
    oidc::client_proof::{self, with_nonce},
    problem::Problem,
};
use crate::app::App;
use crate::base::id::{Agency, Client, Id};
use crate::crypto::{
    digest::{Digest, sha256},
    jwt,
    keyring::Purpose,
};
use crate::flow::{self, Error, dpop};
use crate::identity::token::{Access, ApiScope, ApiScopes, Noun};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::{Method, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// The least that an operation demands of a bearer token.
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path as the router has it.
    pub path: &'static str,
    /// The scope.
    pub scope: ApiScope,
}

const fn op(method: Method, path: &'static str, noun: Noun, access: Access) -> Operation {
    Operation { method, path, scope: ApiScope { noun, access } }
}

/// Every operation of `/v1`. What is not here is refused; the contract test demands that it equals `openapi.yaml`.
pub static OPERATIONS: &[Operation] = &[
    op(Method::POST, "/v1/verifications", Noun::Verification, Access::Write),
    op(Method::GET, "/v1/verifications/{id}", Noun::Verification, Access::Read),
    op(Method::POST, "/v1/card-checks", Noun::Verification, Access::Write),
    op(Method::GET, "/v1/card-checks/{id}", Noun::Verification, Access::Read),
    op(Method::POST, "/v1/verifications/batches", Noun::Verification, Access::Write),
    op(Method::GET, "/v1/verifications/batches/{id}", Noun::Verification, Access::Read),
    op(Method::PATCH, "/v1/verifications/batches/{id}/rows", Noun::Verification, Access::Write),
    op(Method::GET, "/v1/verifications/batches/{id}/result", Noun::Verification, Access::Read),
    op(Method::POST, "/v1/bills", Noun::Bill, Access::Write),
    op(Method::GET, "/v1/bills", Noun::Bill, Access::Read),
    op(Method::GET, "/v1/bills/{id}", Noun::Bill, Access::Read),
    op(Method::GET, "/v1/bills/{id}/documents", Noun::Bill, Access::Read),
    op(Method::POST, "/v1/bills/{id}/invoices", Noun::Bill, Access::Write),
    op(Method::POST, "/v1/exemptions", Noun::Bill, Access::Write),
    op(Method::GET, "/v1/exemptions/{id}", Noun::Bill, Access::Read),
    op(Method::POST, "/v1/bills/{id}/cancel", Noun::Bill, Access::Write),
    op(Method::GET, "/v1/bills/{id}/family", Noun::Bill, Access::Read),
    op(Method::POST, "/v1/bills/{id}/amend", Noun::Bill, Access::Write),
    op(Method::POST, "/v1/bills/{id}/replace", Noun::Bill, Access::Write),
    op(Method::POST, "/v1/bills/{id}/revive", Noun::Bill, Access::Write),
    op(Method::POST, "/v1/bills/{id}/split", Noun::Bill, Access::Write),
    op(Method::POST, "/v1/bills/bulk", Noun::Bill, Access::Write),
    op(Method::GET, "/v1/payments", Noun::Payment, Access::Read),
    op(Method::GET, "/v1/payments/{id}", Noun::Payment, Access::Read),
    op(Method::GET, "/v1/payments/{id}/platform-document", Noun::Payment, Access::Read),
    op(Method::POST, "/v1/refunds", Noun::Refund, Access::Write),
    op(Method::GET, "/v1/refunds", Noun::Refund, Access::Read),
    op(Method::GET, "/v1/refunds/{id}", Noun::Refund, Access::Read),
    op(Method::GET, "/v1/receipts", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/signed", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/series", Noun::Receipt, Access::Read),
    op(Method::POST, "/v1/receipts/series", Noun::Receipt, Access::Write),
    op(Method::GET, "/v1/receipts/use", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/due", Noun::Receipt, Access::Read),
    op(Method::POST, "/v1/receipts/issue", Noun::Receipt, Access::Write),
    op(Method::GET, "/v1/receipts/blanks", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/{id}/printings", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/{id}", Noun::Receipt, Access::Read),
    op(Method::POST, "/v1/receipts/{id}/void", Noun::Receipt, Access::Write),
    op(Method::POST, "/v1/receipts/{id}/replace", Noun::Receipt, Access::Write),
    op(Method::GET, "/v1/receipts/{id}/trace", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/{id}/pdf", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/{id}/xml", Noun::Receipt, Access::Read),
    op(Method::GET, "/v1/receipts/{id}/proof", Noun::Receipt, Access::Read),
    op(Method::POST, "/v1/statements", Noun::Statement, Access::Write),
    op(Method::GET, "/v1/statements", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/statements/days/{id}", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/statements/{id}", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/statements/{id}/lines", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/statements/{id}/revisions", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/payouts", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/payouts/{id}", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/closings", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/closings/{id}/pdf", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/closings/{id}/xlsx", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/closings/{id}/signed", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/closings/{id}/head", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/closings/{id}/stamp", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/journals/csv", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/journals/xlsx", Noun::Statement, Access::Read),
    op(Method::GET, "/v1/cases", Noun::Case, Access::Read),
    op(Method::GET, "/v1/cases/{id}", Noun::Case, Access::Read),
    op(Method::POST, "/v1/cases/{id}/notes", Noun::Case, Access::Write),
    op(Method::POST, "/v1/cases/{id}/resolve", Noun::Case, Access::Write),
    op(Method::POST, "/v1/mandates", Noun::Mandate, Access::Write),
    op(Method::GET, "/v1/mandates", Noun::Mandate, Access::Read),
    op(Method::GET, "/v1/mandates/rules", Noun::Mandate, Access::Read),
    op(Method::GET, "/v1/mandates/{id}", Noun::Mandate, Access::Read),
    op(Method::POST, "/v1/mandates/{id}/revoke", Noun::Mandate, Access::Write),
    op(Method::POST, "/v1/cases/{id}/release", Noun::Case, Access::Write),
    op(Method::POST, "/v1/cases/{id}/release/approve", Noun::Case, Access::Write),
    op(Method::GET, "/v1/ledger/balances", Noun::Ledger, Access::Read),
    op(Method::GET, "/v1/ledger/proofs", Noun::Ledger, Access::Read),
    op(Method::GET, "/v1/ledger/cash", Noun::Ledger, Access::Read),
    op(Method::POST, "/v1/ledger/records", Noun::Ledger, Access::Write),
    op(Method::GET, "/v1/events", Noun::Event, Access::Read),
    op(Method::GET, "/v1/events/{id}", Noun::Event, Access::Read),
    op(Method::POST, "/v1/events/endpoints", Noun::Event, Access::Write),
    op(Method::GET, "/v1/events/endpoints", Noun::Event, Access::Read),
    op(Method::GET, "/v1/events/endpoints/{id}", Noun::Event, Access::Read),
    op(Method::GET, "/v1/events/endpoints/{id}/deliveries", Noun::Event, Access::Read),
    op(Method::POST, "/v1/events/endpoints/{id}/replay", Noun::Event, Access::Write),
    op(Method::POST, "/v1/events/endpoints/{id}/rotate", Noun::Event, Access::Write),
    op(Method::POST, "/v1/events/endpoints/{id}/suspend", Noun::Event, Access::Write),
    op(Method::POST, "/v1/events/endpoints/{id}/resume", Noun::Event, Access::Write),
    op(Method::GET, "/v1/fees", Noun::Fee, Access::Read),
    op(Method::POST, "/v1/fees/quote", Noun::Fee, Access::Read),
    op(Method::GET, "/v1/fees/declaration", Noun::Fee, Access::Read),
    op(Method::POST, "/v1/fees/versions", Noun::Fee, Access::Write),
    op(Method::GET, "/v1/fees/versions", Noun::Fee, Access::Read),
    op(Method::POST, "/v1/fees/versions/{id}/instrument", Noun::Fee, Access::Write),
    op(Method::GET, "/v1/fees/versions/{id}/instrument", Noun::Fee, Access::Read),
    op(Method::GET, "/v1/fees/versions/{id}/diff", Noun::Fee, Access::Read),
    op(Method::GET, "/v1/fees/versions/{id}/trial", Noun::Fee, Access::Read),
    op(Method::POST, "/v1/fees/versions/{id}/submit", Noun::Fee, Access::Write),
    op(Method::POST, "/v1/fees/versions/{id}/approve", Noun::Fee, Access::Write),
    op(Method::POST, "/v1/fees/versions/{id}/discontinue", Noun::Fee, Access::Write),
    op(Method::GET, "/v1/fees/evidence", Noun::Fee, Access::Read),
    op(Method::POST, "/v1/fees/evidence/{id}/revoke", Noun::Fee, Access::Write),
    op(Method::POST, "/v1/agencies/{id}/succeed", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/agencies/{id}/budget", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/agencies/{id}/budget", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/agencies/{id}/payout-rules", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/agencies/{id}/payout-rules", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/agencies", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/agencies", Noun::Admin, Access::Read),
    op(Method::GET, "/v1/agencies/{id}", Noun::Admin, Access::Read),
    op(Method::GET, "/v1/agencies/{id}/messages", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/agencies/{id}/messages/cap", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/agencies/{id}/suspend", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/agencies/{id}/resume", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/agencies/{id}/signers", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/agencies/{id}/signers", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/signers/{id}/certificate", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/agencies/{id}/receipt-issuer", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/agencies/{id}/match-tolerance", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/clients", Noun::Admin, Access::Read),
    op(Method::GET, "/v1/clients/{id}", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/clients/{id}/suspend", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients/{id}/resume", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients/{id}/legal_bases", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients/{id}/policy", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/clients/{id}/policy", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/clients/{id}/policy/try", Noun::Admin, Access::Read),
    op(Method::GET, "/v1/alerts", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/clients/{id}/change", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients/{id}/keys", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients/{id}/keys/revoke", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients/{id}/secret", Noun::Admin, Access::Write),
    op(Method::POST, "/v1/clients/{id}/subject-map", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/clients/{id}/checks", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/roles", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/roles", Noun::Admin, Access::Read),
    op(Method::POST, "/v1/roles/{id}/revoke", Noun::Admin, Access::Write),
    op(Method::GET, "/v1/keys", Noun::Admin, Access::Read),
    op(Method::GET, "/v1/retention", Noun::Admin, Access::Read),
];

/// A client that may ask: its agency, and what it may ask for.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client.
    pub client: Id<Client>,
    /// The agency it acts for; it sees nothing else.
    pub agency: Id<Agency>,
    /// Its token's scopes.
    pub scopes: ApiScopes,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or(Problem(Error::refused("token_missing")))
    }
}

/// The access token's claims (RFC 9068) as far as they decide.
#[derive(Deserialize)]
struct AccessToken {
    iss: String,
    aud: String,
    exp: i64,
    client_id: String,
    scope: String,
    #[serde(default)]
    jti: Option<String>,
    #[serde(default)]
    cnf: Option<Possession>,
}

/// The key of a token that is bound to one (RFC 9449).
#[derive(Deserialize)]
struct Possession {
    jkt: String,
}

/// The audience of access tokens for this API.
pub fn api_audience(app: &App) -> String {
    app.origin.at("/v1")
}

/// The guard in front of `/v1`.
pub async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let admitted = match presented(&app, &request) {
        Ok(asked) => admit(&app, asked).await,
        Err(refused) => Err(refused),
    };
    let answer = match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => Problem(error).into_response(),
    };
    with_nonce(&app, &headers, answer)
}

/// What the token says, before anybody asks whether its client is still allowed.
struct Presented {
    client: Id<Client>,
    scopes: ApiScopes,
    needed: ApiScope,
    /// The token's name, by which it may have been given back.
    token: Option<Digest>,
    /// The key that must be proved, and by what.
    bound: Option<Bound>,
}

/// What a bound token demands, and what came with it.
struct Bound {
    key: String,
    token: String,
    proof: Option<String>,
    method: Method,
    path: String,
}

fn presented(app: &App, request: &Request) -> flow::Result<Presented> {
    let path = request.extensions().get::<MatchedPath>().ok_or(Error::not_found())?;
    let operation = OPERATIONS
        .iter()
        .find(|o| o.path == path.as_str() && o.method == *request.method())
        .ok_or(Error::refused("method_not_allowed"))?;
    let header = request.headers().get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let invalid = || Error::refused("token_invalid");
    let (scheme, token) =
        header.ok_or(Error::refused("token_missing"))?.split_once(' ').ok_or_else(invalid)?;
    let (claims, client, scopes) = check(app, token).ok_or_else(invalid)?;
    // A bound token is not taken without its proof, nor a proof for a token that is not bound.
    let bound = match claims.cnf {
        None if scheme.eq_ignore_ascii_case("bearer") => None,
        Some(possession) if scheme.eq_ignore_ascii_case("dpop") => Some(Bound {
            key: possession.jkt,
            token: token.to_owned(),
            proof: client_proof::presented(request.headers()).ok().flatten().map(str::to_owned),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
        }),
        None | Some(_) => return Err(invalid()),
    };
    let token = claims.jti.map(|jti| sha256(jti.as_bytes()));
    Ok(Presented { client, scopes, needed: operation.scope, token, bound })
}

async fn admit(app: &App, asked: Presented) -> flow::Result<Caller> {
    if let Some(bound) = &asked.bound {
        prove(app, bound).await?;
    }
    let agency = flow::standing::standing(app, asked.client, asked.token).await?;
    if !asked.scopes.allows(asked.needed) {
        return Err(Error::forbidden("scope_missing"));
    }
    Ok(Caller { client: asked.client, agency, scopes: asked.scopes })
}

/// Demands a proof by the key of a bound token.
async fn prove(app: &App, bound: &Bound) -> flow::Result<()> {
    let unproved = || Error::refused("dpop_proof_invalid");
    let proof = bound.proof.as_deref().ok_or_else(unproved)?;
    let (method, path) = (bound.method.as_str(), bound.path.as_str());
    let presented = dpop::Presented { proof, method, path, token: Some(&bound.token) };
    match dpop::prove(app, &presented).await {
        Ok(proved) if proved == bound.key => Ok(()),
        Ok(_) => Err(unproved()),
        Err(Error::Refused(refusal)) if refusal.code == "use_dpop_nonce" => {
            Err(Error::refused("dpop_nonce_needed"))
        }
        Err(Error::Refused(_)) => Err(unproved()),
        Err(other) => Err(other),
    }
}

/// A token that is ours, for this API, and not expired, with its client and scopes.
fn check(app: &App, token: &str) -> Option<(AccessToken, Id<Client>, ApiScopes)> {
    let keys = app.keys.published(Purpose::Token);
    let claims: AccessToken = app.access_tokens.verify(token, keys).ok()?;
    let ours = claims.iss == app.origin.as_str() && claims.aud == api_audience(app);
    let live = jwt::numeric_date(app.clock.now()) < claims.exp;
    if !ours || !live {
        return None;
    }
    let (client, scopes) = (claims.client_id.parse().ok()?, ApiScopes::parse(&claims.scope).ok()?);
    Some((claims, client, scopes))
}

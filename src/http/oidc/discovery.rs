//! What this provider does (OpenID Connect Discovery 1.0; RFC 8414): exactly what works, nothing that is planned.

use crate::app::App;
use crate::crypto::keyring::Purpose;
use crate::flow::vouch_sign_in::reachable;
use crate::http::oauth_error::PROOF_ALGORITHMS;
use crate::identity::{
    assurance::Assurance,
    claims::{Claim, SignInScope},
    token::{Access, ApiScope, Noun},
};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The provider's metadata.
pub async fn configuration(State(app): State<App>) -> Response {
    let at = |path| app.origin.at(path);
    let signed: &[&str] = if app.keys.rsa().is_some() { &["ES256", "RS256"] } else { &["ES256"] };
    let methods = ["private_key_jwt", "client_secret_basic"];
    let algorithms: Vec<&str> = PROOF_ALGORITHMS.split(' ').collect();
    let reachable = reachable(&app);
    let acr: Vec<&str> = Assurance::ALL.into_iter().filter(|a| *a <= reachable).map(Assurance::acr).collect();
    let sign_in = SignInScope::ALL.into_iter().map(|scope| scope.word().to_owned());
    let api = Noun::ALL
        .into_iter()
        .flat_map(|noun| [Access::Write, Access::Read].map(|access| ApiScope { noun, access }.to_string()));
    let told = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    let claims: Vec<&str> = told.into_iter().chain(Claim::ALL.into_iter().map(Claim::name)).collect();
    cached(json!({
        "issuer": app.origin.as_str(),
        "authorization_endpoint": at("/oidc/authorize"),
        "token_endpoint": at("/oidc/token"),
        "pushed_authorization_request_endpoint": at("/oidc/par"),
        "require_pushed_authorization_requests": false,
        "introspection_endpoint": at("/oidc/introspect"),
        "revocation_endpoint": at("/oidc/revoke"),
        "userinfo_endpoint": at("/oidc/userinfo"),
        "jwks_uri": at("/oidc/jwks"),
        "end_session_endpoint": at("/oidc/logout"),
        "scopes_supported": sign_in.chain(api).collect::<Vec<_>>(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "backchannel_authentication_endpoint": at("/oidc/ciba"),
        "backchannel_token_delivery_modes_supported": ["poll"],
        "backchannel_user_code_parameter_supported": false,
        "grant_types_supported":
            ["authorization_code", "refresh_token", "client_credentials", "urn:openid:params:grant-type:ciba"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": signed,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": ["ES256"],
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": acr,
        "claims_supported": claims,
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": ["vi", "en"],
    }))
}

/// The keys that sign tokens.
pub async fn jwks(State(app): State<App>) -> Response {
    cached(app.keys.jwks(Purpose::Token))
}

fn cached(body: serde_json::Value) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

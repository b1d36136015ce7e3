//! The OpenID provider's endpoints.

mod authorize;
mod ciba;
pub mod client_proof;
mod discovery;
mod logout;
mod par;
mod token;
mod tokens;
mod userinfo;

use crate::app::App;
use axum::Router;
use axum::routing::{get, post};

/// What portals and their developers call.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery::configuration))
        .route("/.well-known/oauth-authorization-server", get(discovery::configuration))
        .route("/oidc/jwks", get(discovery::jwks))
        .route("/oidc/par", post(par::push))
        .route("/oidc/authorize", get(authorize::by_query).post(authorize::by_form))
        .route("/oidc/token", post(token::token))
        .route("/oidc/ciba", post(ciba::start))
        .route("/oidc/introspect", post(tokens::worth))
        .route("/oidc/revoke", post(tokens::revoke))
        .route("/oidc/self-test", post(tokens::self_test))
        .route("/oidc/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
        .route("/oidc/kyc", post(userinfo::kyc))
        .route("/oidc/logout", get(logout::by_query).post(logout::by_form))
}

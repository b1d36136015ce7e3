//! A relying party of somebody else's making, the `openidconnect` crate as it is: discovery, the code flow with PKCE,
//! the ID token checked by its own rules, userinfo, and the next access token.

use super::*;
use chung::base::clock::{Clock, SystemClock};
use chung::identity::profile::Terms;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, RedirectUrl, Scope, TokenResponse,
};

/// The transport that the crate leaves to its user.
async fn transport(request: HttpRequest) -> Result<HttpResponse, std::io::Error> {
    let http =
        reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let (parts, body) = request.into_parts();
    let answer =
        http.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send().await;
    let answer = answer.map_err(std::io::Error::other)?;
    let mut response = http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let body = answer.bytes().await.map_err(std::io::Error::other)?.to_vec();
    response.body(body).map_err(std::io::Error::other)
}

#[tokio::test]
async fn a_stock_relying_party_signs_a_citizen_in_unchanged() {
    let scene = Scene::set().await;
    let world = &scene.world;
    // The crate reads the time of the machine.
    world.later((SystemClock.now() - world.clock.now()).unsigned_abs());
    let registered = registered_with(world, "stock", None, Terms { offline: true, ..Terms::basic() }).await;
    let issuer = IssuerUrl::new(world.app.origin.as_str().to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &transport).await.unwrap();
    let client = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new(registered.client.to_string()),
        Some(ClientSecret::new(registered.secret.unwrap().expose().to_owned())),
    )
    .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (address, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "phone", "offline_access"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();

    let citizen = world.stranger();
    let page = follow(&citizen, address.as_str()).await;
    let page = scene.number(&citizen, &page, HOA).await;
    let text = world.last_text(HOA_PHONE).await.unwrap();
    let page = scene.code(&citizen, &page, &text[..6]).await;
    let answer = scene.consent(&citizen, &page, "allow", &["phone_number"]).await;
    assert_eq!(&value(&answer, "state"), state.secret());

    let code = AuthorizationCode::new(value(&answer, "code"));
    let tokens = client
        .exchange_code(code)
        .unwrap()
        .set_pkce_verifier(verifier)
        .request_async(&transport)
        .await
        .unwrap();
    let id_token = tokens.id_token().unwrap();
    let checker = client.id_token_verifier();
    let said = id_token.claims(&checker, &nonce).unwrap();
    let expected = said.access_token_hash().unwrap();
    let actual = AccessTokenHash::from_token(
        tokens.access_token(),
        id_token.signing_alg().unwrap(),
        id_token.signing_key(&checker).unwrap(),
    );
    assert_eq!(&actual.unwrap(), expected);
    let subject = said.subject().clone();
    let told: CoreUserInfoClaims = client
        .user_info(tokens.access_token().to_owned(), Some(subject))
        .unwrap()
        .request_async(&transport)
        .await
        .unwrap();
    assert_eq!(told.name().and_then(|name| name.get(None)).map(|name| name.as_str()), Some("Nguyễn Thị Hòa"));
    assert_eq!(told.phone_number().map(|phone| phone.as_str()), Some(HOA_PHONE));
    let refresh = tokens.refresh_token().unwrap();
    let next = client.exchange_refresh_token(refresh).unwrap().request_async(&transport).await.unwrap();
    assert!(next.id_token().unwrap().claims(&checker, |_: Option<&Nonce>| Ok(())).is_ok());
}

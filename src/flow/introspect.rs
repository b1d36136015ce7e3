//! Says whether a token is still worth something, to whoever may know: the client that it was issued to, and the one
//! that serves the resource it is for (RFC 7662). To anybody else every token is inactive.

use super::{Result, acting, grant_tokens, issue_token};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::{digest::sha256, jwt, keyring::Purpose};
use crate::identity::{
    authorization::{Authorization, Confirmation, Errand, State},
    claims::SignInScope,
    client::Client,
};
use crate::store::{Tx, authorization, portal, refresh_token, revoked_token};
use serde_json::{Value, json};

/// What the token is worth to this client: at least `active`.
pub async fn introspect(app: &App, client: &Client, token: &str) -> Result<Value> {
    let now = app.clock.now();
    let found = match Token::parse(TokenKind::Refresh, token) {
        Some(refresh) => of_refresh(app, client, &refresh, now).await?,
        None => of_access(app, client, token, now).await?,
    };
    Ok(found.unwrap_or_else(|| json!({ "active": false })))
}

/// The same as a signed answer (RFC 9701), for whoever must show it to others.
pub async fn introspect_signed(app: &App, client: &Client, token: &str) -> Result<String> {
    let said = introspect(app, client, token).await?;
    let claims = json!({
        "iss": app.origin.as_str(),
        "aud": client.id.to_string(),
        "iat": jwt::numeric_date(app.clock.now()),
        "token_introspection": said,
    });
    Ok(jwt::sign(app.keys.signing(Purpose::Token), "token-introspection+jwt", &claims))
}

async fn of_access(app: &App, client: &Client, token: &str, now: Instant) -> Result<Option<Value>> {
    let Some(claims) = issue_token::read(app, token, now) else { return Ok(None) };
    let serves = client.terms.resources.iter().any(|resource| resource.as_str() == claims.aud);
    if claims.client_id != client.id.to_string() && !serves {
        return Ok(None);
    }
    let mut tx = app.store.begin().await?;
    if revoked_token::is(&mut tx, &claims.digest()).await? {
        return Ok(None);
    }
    let Ok(owner) = claims.client_id.parse::<Id<id::Client>>() else { return Ok(None) };
    let stands = match claims.authorization.as_deref().map(str::parse::<Id<id::Authorization>>) {
        Some(Ok(of)) => standing_of(app, &mut tx, of, now).await?.is_some(),
        Some(Err(_)) => false,
        None => portal::is_active(&mut tx, owner, now).await?,
    };
    if !stands {
        return Ok(None);
    }
    let mut said = json!({
        "active": true,
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud,
        "client_id": claims.client_id,
        "scope": claims.scope,
        "iat": claims.iat,
        "exp": claims.exp,
        "jti": claims.jti,
        "token_type": if claims.cnf.is_some() { "DPoP" } else { "Bearer" },
    });
    if let Some(act) = &claims.act {
        said["act"] = act.clone();
    }
    if let Some(possession) = &claims.cnf {
        said["cnf"] = json!({ "jkt": possession.jkt });
    }
    if let (Some(acr), Some(at)) = (&claims.acr, claims.auth_time) {
        said["acr"] = json!(acr);
        said["auth_time"] = json!(at);
    }
    Ok(Some(said))
}

async fn of_refresh(app: &App, client: &Client, token: &Token, now: Instant) -> Result<Option<Value>> {
    let mut tx = app.store.begin().await?;
    let stored = refresh_token::find(&mut tx, &sha256(token.expose().as_bytes())).await?;
    let Some(stored) = stored.filter(|stored| stored.used_at.is_none() && now < stored.expires_at) else {
        return Ok(None);
    };
    let Some((authorization, confirmation)) = standing_of(app, &mut tx, stored.authorization, now).await?
    else {
        return Ok(None);
    };
    let scopes = match &authorization.errand {
        Errand::Portal { client: owner, request } if *owner == client.id => &request.scopes,
        Errand::Counter { client: owner, request } if *owner == client.id => &request.scopes,
        Errand::Portal { .. } | Errand::Counter { .. } | Errand::Page { .. } => return Ok(None),
    };
    let (subject, _) = grant_tokens::named(app, &mut tx, client, &authorization, &confirmation, now).await?;
    let scope: Vec<&str> = scopes.iter().copied().map(SignInScope::word).collect();
    Ok(Some(json!({
        "active": true,
        "iss": app.origin.as_str(),
        "sub": subject.as_str(),
        "client_id": client.id.to_string(),
        "scope": scope.join(" "),
        "iat": jwt::numeric_date(stored.issued_at),
        "exp": jwt::numeric_date(stored.expires_at),
        "acr": confirmation.assurance(now).acr(),
        "auth_time": jwt::numeric_date(confirmation.authenticated_at),
    })))
}

/// The sign-in behind a token and who signed in, if sign-in, client and citizen still stand.
async fn standing_of(
    app: &App,
    tx: &mut Tx,
    of: Id<id::Authorization>,
    now: Instant,
) -> Result<Option<(Authorization, Confirmation)>> {
    let Some(bound) = authorization::find_in(tx, of).await? else { return Ok(None) };
    let State::Exchanged { confirmation, .. } = bound.authorization.state else { return Ok(None) };
    let Some(client) = bound.authorization.client() else { return Ok(None) };
    let Some(known) = portal::find_in(tx, client).await?.filter(|known| known.may_act(now).is_ok()) else {
        return Ok(None);
    };
    let party = acting::party(app, tx, &bound.authorization, &confirmation, known.agency, now).await?;
    Ok(party.is_some().then_some((bound.authorization, confirmation)))
}

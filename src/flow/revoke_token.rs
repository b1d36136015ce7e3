//! A client gives a token back (RFC 7009): from the next request on it is worth nothing. A refresh token takes with it
//! everything that its sign-in gave.

use super::{
    Error, Result,
    audit_leaf::{Concern, leaf},
    grant_tokens::refused,
    issue_token, population,
};
use crate::app::App;
use crate::base::secret::{Token, TokenKind};
use crate::crypto::digest::sha256;
use crate::identity::{
    authorization::{Revocation, State},
    client::Client,
};
use crate::store::{audit, authorization, refresh_token, revoked_token};
use serde_json::json;
use time::OffsetDateTime;

/// Gives a token back; one that is nobody's or over already is given back too. Somebody else's is refused.
pub async fn revoke_token(app: &App, client: &Client, token: &str) -> Result<()> {
    match Token::parse(TokenKind::Refresh, token) {
        Some(refresh) => of_refresh(app, client, &refresh).await,
        None => of_access(app, client, token).await,
    }
}

fn not_yours() -> Error {
    refused("unauthorized_client", "token", "of_another_client")
}

async fn of_access(app: &App, client: &Client, token: &str) -> Result<()> {
    let Some(claims) = issue_token::read(app, token, app.clock.now()) else { return Ok(()) };
    if claims.client_id != client.id.to_string() {
        return Err(not_yours());
    }
    let until = OffsetDateTime::from_unix_timestamp(claims.exp).map_err(Error::internal)?;
    let mut tx = app.store.begin().await?;
    revoked_token::insert(&mut tx, &claims.digest(), until).await?;
    Ok(tx.commit().await?)
}

async fn of_refresh(app: &App, client: &Client, token: &Token) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(stored) = refresh_token::find(&mut tx, &sha256(token.expose().as_bytes())).await? else {
        return Ok(());
    };
    let Some(bound) = authorization::find_and_lock(&mut tx, stored.authorization).await? else {
        return Ok(());
    };
    let authorization = bound.authorization;
    if authorization.client() != Some(client.id) {
        return Err(not_yours());
    }
    let State::Exchanged { confirmation, .. } = &authorization.state else { return Ok(()) };
    let next = State::Revoked { cause: Revocation::GivenBack, revoked_at: now };
    authorization::advance(&mut tx, authorization.id, &authorization.state, &next, None).await?;
    let looked = population::look_up_citizen(app, &mut tx, confirmation.citizen).await?;
    if let Some(holder) = looked.on_record {
        let concern = Concern {
            citizen: Some(holder.citizen),
            agency: Some(client.agency),
            object: authorization.id.uuid(),
        };
        let details = json!({"authorization": authorization.id.to_string(), "client": client.id.to_string()});
        audit::append(&mut tx, &[leaf(app, now, "tokens.given_back", concern, &holder.key, &details)])
            .await?;
    }
    Ok(tx.commit().await?)
}

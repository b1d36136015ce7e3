//! What a citizen consented to is delivered to the portal once, as a signed token that stays checkable offline: for
//! files that must later show what was known, from where, and with whose consent.
//!
//! The citizen saw every claim on the consent page. A second delivery needs a new consent. Who leaks a copy is named
//! by the token's audience.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
    disclosure, population,
    userinfo::{Shown, entitled, possess},
};
use crate::app::App;
use crate::base::{
    calendar::rfc3339,
    id::{Id, Message},
};
use crate::crypto::{jwt, keyring::Purpose};
use crate::store::{audit, kyc, portal};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The `typ` of such a token.
pub const TYP: &str = "chung-kyc+jwt";

#[derive(Serialize)]
struct Delivered<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    jti: String,
    iat: i64,
    consent: String,
    consented_at: String,
    purpose: &'a str,
    source: &'a str,
    as_of: Option<String>,
    claims: Map<String, Value>,
}

/// Delivers what the holder of this access token may know, once for each consent.
pub async fn deliver_kyc(app: &App, shown: Shown<'_>) -> Result<String> {
    let now = app.clock.now();
    let claimed = possess(app, shown, now).await?;
    let mut tx = app.store.begin().await?;
    let entitled = entitled(app, &mut tx, claimed, now).await?;
    if entitled.told.is_empty() {
        return Err(Error::Refused(Refusal::new("kyc_nothing_consented")));
    }
    let client = portal::find_in(&mut tx, entitled.client).await?.ok_or(Error::not_found())?;
    let consent = &entitled.consent;
    kyc::insert(&mut tx, consent.id, entitled.client, now).await.map_err(|error| {
        if error.violates("kyc_delivery_pkey") { Error::conflict("kyc_delivered") } else { error.into() }
    })?;
    let holder = &entitled.party.holder;
    let told = entitled.told.iter();
    let claims: Map<String, Value> = told
        .filter_map(|claim| Some((claim.name().to_owned(), disclosure::told(&holder.person, *claim)?)))
        .collect();
    let delivered = Delivered {
        iss: app.origin.as_str(),
        aud: &entitled.client.to_string(),
        sub: &entitled.sub,
        jti: Id::<Message>::new(now, &*app.entropy).to_string(),
        iat: jwt::numeric_date(now),
        consent: consent.id.to_string(),
        consented_at: rfc3339(consent.given_at),
        purpose: client.purpose.vi.as_str(),
        source: population::source_name(app),
        as_of: holder.copied_at.map(rfc3339),
        claims,
    };
    let signed = jwt::sign(app.keys.signing(Purpose::Record), TYP, &delivered);
    let concern =
        Concern { citizen: Some(holder.citizen), agency: Some(client.agency), object: consent.id.uuid() };
    let names: Vec<&str> = entitled.told.iter().map(|claim| claim.name()).collect();
    let details = json!({
        "client": entitled.client.to_string(), "consent": consent.id.to_string(), "claims": names,
        "purpose": client.purpose.vi.as_str(), "acting": entitled.party.told(),
    });
    audit::append(&mut tx, &[leaf(app, now, "claims.delivered", concern, &holder.key, &details)]).await?;
    tx.commit().await?;
    Ok(signed)
}

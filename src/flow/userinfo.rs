//! A portal reads what it may know of a citizen.

use super::{
    Error, Refusal, Result,
    acting::{self, Party},
    audit_leaf::{Concern, leaf},
    disclosure,
    issue_token::{ACCESS_TOKEN_TYPE, AccessClaims, userinfo_audience},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::crypto::{jwt, keyring::Purpose};
use crate::identity::{
    authorization::{Errand, State},
    claims::Claim,
    consent::Consent,
};
use crate::store::{Tx, audit, authorization, consent, portal};
use serde_json::{Map, Value, json};

/// The claims under this access token, as the register has them now. Whether token, portal, consent and citizen are
/// still good is read here and now; that it was read is a leaf in the citizen's history.
pub async fn userinfo(app: &App, token: &str) -> Result<Map<String, Value>> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Entitled { sub, client, agency, authorization, consent, party, told } =
        entitled(app, &mut tx, token, now).await?;
    let holder = &party.holder;
    let mut answer = Map::from_iter([("sub".to_owned(), json!(sub))]);
    for claim in &told {
        if let Some(value) = disclosure::told(&holder.person, *claim) {
            answer.insert(claim.name().to_owned(), value);
        }
    }
    if !told.is_empty() {
        let concern =
            Concern { citizen: Some(holder.citizen), agency: Some(agency), object: authorization.uuid() };
        let names: Vec<&str> = told.iter().map(|claim| claim.name()).collect();
        let details = json!({
            "client": client.to_string(), "consent": consent.id.to_string(), "claims": names, "acting": party.told(),
        });
        audit::append(&mut tx, &[leaf(app, now, "claims.told", concern, &holder.key, &details)]).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// What a portal may be told under an access token at this moment.
pub(super) struct Entitled {
    /// By which name it knows the citizen.
    pub sub: String,
    /// The portal.
    pub client: Id<id::Client>,
    /// Its agency.
    pub agency: Id<id::Agency>,
    /// The sign-in that the token came from.
    pub authorization: Id<id::Authorization>,
    /// What the citizen allowed.
    pub consent: Consent,
    /// The citizen, and who acts for them.
    pub party: Party,
    /// The claims that were asked for and may be told.
    pub told: Vec<Claim>,
}

/// Whether token, portal, consent and citizen are still good, read here and now.
pub(super) async fn entitled(app: &App, tx: &mut Tx, token: &str, now: Instant) -> Result<Entitled> {
    let (claims, authorization) = check(app, token).ok_or_else(invalid)?;
    let bound = authorization::find_in(tx, authorization).await?.ok_or_else(invalid)?;
    let (Errand::Portal { client, request }, State::Exchanged { confirmation, consent, .. }) =
        (&bound.authorization.errand, &bound.authorization.state)
    else {
        return Err(invalid());
    };
    if client.to_string() != claims.client_id || !portal::is_active(tx, *client, now).await? {
        return Err(invalid());
    }
    let consent = consent::find(tx, *consent).await?.ok_or_else(invalid)?;
    let agency = portal::agency(tx, *client).await?.ok_or_else(invalid)?;
    let party = acting::party(app, tx, &bound.authorization, confirmation, agency, now).await?;
    let party = party.ok_or_else(invalid)?;
    // A renewed sign-in may rest on a wider consent than it asked for: only what was asked is told.
    let told = consent.disclosed().intersection(&request.asked).copied().collect();
    Ok(Entitled { sub: claims.sub, client: *client, agency, authorization, consent, party, told })
}

fn check(app: &App, token: &str) -> Option<(AccessClaims, Id<id::Authorization>)> {
    let claims: AccessClaims =
        jwt::verify(token, ACCESS_TOKEN_TYPE, app.keys.published(Purpose::Token)).ok()?;
    let ours = claims.iss == app.origin.as_str() && claims.aud == userinfo_audience(app);
    let live = jwt::numeric_date(app.clock.now()) < claims.exp;
    let authorization = claims.authorization.as_deref()?.parse().ok()?;
    (ours && live).then_some((claims, authorization))
}

const fn invalid() -> Error {
    Error::Refused(Refusal::new("invalid_token"))
}

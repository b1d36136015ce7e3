//! A portal reads what it may know of a citizen.

use super::{
    Error, Refusal, Result,
    acting::{self, Party},
    audit_leaf::{Concern, leaf},
    disclosure,
    dpop::{self, Presented},
    issue_token::{self, AccessClaims, userinfo_audience},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::identity::{authorization::State, claims::Claim, consent::Consent};
use crate::store::{Tx, audit, authorization, consent, portal, revoked_token};
use serde_json::{Map, Value, json};

/// An access token as it came.
pub struct Shown<'a> {
    /// The token.
    pub token: &'a str,
    /// The proof that came with it under the scheme `DPoP`; `None` under `Bearer`.
    pub proof: Option<Presented<'a>>,
}

/// The claims under this access token, as the register has them now. Whether token, portal, consent and citizen are
/// still good is read here and now; that it was read is a leaf in the citizen's history.
pub async fn userinfo(app: &App, shown: Shown<'_>) -> Result<Map<String, Value>> {
    let now = app.clock.now();
    let claimed = possess(app, shown, now).await?;
    let mut tx = app.store.begin().await?;
    let Entitled { sub, client, agency, authorization, consent, party, told } =
        entitled(app, &mut tx, claimed, now).await?;
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

/// What a good token says, shown by whoever holds it.
pub(super) type Claimed = (AccessClaims, Id<id::Authorization>);

/// Whether the token is ours and shown by its holder. Its proof is used up, so this stays outside the transaction that
/// the answer is written in.
pub(super) async fn possess(app: &App, shown: Shown<'_>, now: Instant) -> Result<Claimed> {
    let claimed = check(app, shown.token, now).ok_or_else(invalid)?;
    possessed(app, &claimed.0, shown.proof).await?;
    Ok(claimed)
}

/// Whether token, portal, consent and citizen are still good, read here and now.
pub(super) async fn entitled(
    app: &App,
    tx: &mut Tx,
    (claims, authorization): Claimed,
    now: Instant,
) -> Result<Entitled> {
    let bound = authorization::find_in(tx, authorization).await?.ok_or_else(invalid)?;
    let (Some(client), Some(asked)) = (bound.authorization.client(), bound.authorization.asked()) else {
        return Err(invalid());
    };
    let State::Exchanged { confirmation, consent, .. } = &bound.authorization.state else {
        return Err(invalid());
    };
    let portal = portal::find_in(tx, client).await?.ok_or_else(invalid)?;
    if client.to_string() != claims.client_id || portal.may_act(now).is_err() {
        return Err(invalid());
    }
    if revoked_token::is(tx, &claims.digest()).await? {
        return Err(invalid());
    }
    // The floor may have been raised since the person signed in: then they step up (RFC 9470).
    if confirmation.assurance(now) < portal.acr_min {
        let stronger = Refusal::new("insufficient_user_authentication");
        let floor = Some(portal.acr_min.acr().into());
        return Err(Error::Refused(stronger.violation("acr", "below_the_floor", floor)));
    }
    let consent = consent::find(tx, *consent).await?.ok_or_else(invalid)?;
    let party = acting::party(app, tx, &bound.authorization, confirmation, portal.agency, now).await?;
    let party = party.ok_or_else(invalid)?;
    // A renewed sign-in may rest on a wider consent than it asked for: only what was asked is told.
    let told = consent.disclosed().intersection(asked).copied().collect();
    Ok(Entitled { sub: claims.sub, client, agency: portal.agency, authorization, consent, party, told })
}

fn check(app: &App, token: &str, now: Instant) -> Option<(AccessClaims, Id<id::Authorization>)> {
    let claims = issue_token::read(app, token, now)?;
    let authorization = claims.authorization.as_deref()?.parse().ok()?;
    (claims.aud == userinfo_audience(app)).then_some((claims, authorization))
}

/// A bound token comes with a proof by its key, and only a bound one does: a stolen one is worth nothing.
async fn possessed(app: &App, claims: &AccessClaims, proof: Option<Presented<'_>>) -> Result<()> {
    match (&claims.cnf, proof) {
        (None, None) => Ok(()),
        (Some(possession), Some(proof)) if dpop::prove(app, &proof).await? == possession.jkt => Ok(()),
        (Some(_) | None, _) => Err(invalid()),
    }
}

const fn invalid() -> Error {
    Error::Refused(Refusal::new("invalid_token"))
}

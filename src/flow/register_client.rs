//! Agencies and their clients: registered, suspended, readmitted. Whoever calls this has been allowed to.

use super::{
    Error, Refusal, Result,
    audit_leaf::{Concern, leaf},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
    secret::{Token, TokenKind},
};
use crate::crypto::{digest::sha256, signing::KeyList};
use crate::identity::{
    assurance::Assurance,
    claims::ClaimsPolicy,
    client::{Client, Credential, RedirectUri, Standing, Wording},
    pseudonym::Sector,
    token::ApiScopes,
};
use crate::store::{
    Tx,
    agency::{self, AgencyRow},
    audit, portal,
};
use serde_json::json;

/// An agency to register.
pub struct NewAgency {
    /// Its code, e.g. `H29.14`.
    pub code: String,
    /// Its name.
    pub name: Wording,
    /// The tax code on its receipts.
    pub tax_code: Option<String>,
    /// Its address.
    pub address_vi: Option<String>,
}

/// A client to register.
pub struct NewClient {
    /// The agency that answers for it.
    pub agency: Id<id::Agency>,
    /// What citizens read.
    pub name: Wording,
    /// What it signs citizens in for.
    pub purpose: Wording,
    /// The client's public keys (a JWK Set); without them a secret is drawn.
    pub jwks: Option<String>,
    /// Where answers go; none for an agency's system.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where browsers go after logout.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// The weakest sign-in it may accept.
    pub acr_min: Assurance,
    /// The circle within which it knows citizens by one name.
    pub sector: Sector,
    /// Which claims it may ask for.
    pub policy: ClaimsPolicy,
    /// What it may do at the API.
    pub scopes: ApiScopes,
    /// When its registration ends.
    pub until: Option<Instant>,
}

/// A registered client, with its secret if one was drawn: it is shown this once.
pub struct Registered {
    /// The `client_id`.
    pub client: Id<id::Client>,
    /// The secret.
    pub secret: Option<Token>,
}

/// Registers an agency with a data key of its own. A code that is taken is refused.
pub async fn register_agency(app: &App, new: &NewAgency) -> Result<Id<id::Agency>> {
    let now = app.clock.now();
    let id: Id<id::Agency> = Id::new(now, &*app.entropy);
    let owner = id.uuid();
    let (key, wrapped) = app.keys.new_data_key(&*app.entropy, owner.as_bytes());
    let row = AgencyRow {
        id,
        code: new.code.clone(),
        name_vi: new.name.vi.to_string(),
        name_en: new.name.en.to_string(),
        tax_code: new.tax_code.clone(),
        address_vi: new.address_vi.clone(),
        active: true,
        key: wrapped,
    };
    let mut tx = app.store.begin().await?;
    match agency::insert(&mut tx, &row, now).await {
        Err(e) if e.violates("agency_code_key") => return Err(Error::conflict("agency_code_taken")),
        done => done?,
    }
    let concern = Concern { citizen: None, agency: Some(id), object: owner };
    let details = json!({"agency": id.to_string(), "code": new.code});
    audit::append(&mut tx, &[leaf(app, now, "agency.registered", concern, &key, &details)]).await?;
    tx.commit().await?;
    Ok(id)
}

/// Registers a client of an agency.
pub async fn register_client(app: &App, new: &NewClient) -> Result<Registered> {
    let now = app.clock.now();
    let secret = match &new.jwks {
        Some(jwks) if KeyList::from_jwks(jwks).is_err() => {
            return Err(Error::Refused(Refusal::new("invalid_body").violation(
                "/jwks",
                "not_a_jwk_set",
                None,
            )));
        }
        Some(_) => None,
        None => Some(Token::new(TokenKind::ClientSecret, &*app.entropy)),
    };
    let credential = match (&new.jwks, &secret) {
        (Some(jwks), _) => Credential::PrivateKeyJwt { jwks: jwks.clone() },
        (None, Some(secret)) => Credential::ClientSecretBasic { digest: sha256(secret.expose().as_bytes()) },
        (None, None) => return Err(Error::internal("a client without a credential")),
    };
    let client = Client {
        id: Id::new(now, &*app.entropy),
        agency: new.agency,
        name: new.name.clone(),
        purpose: new.purpose.clone(),
        credential,
        redirect_uris: new.redirect_uris.clone(),
        post_logout_redirect_uris: new.post_logout_redirect_uris.clone(),
        acr_min: new.acr_min,
        sector: new.sector.clone(),
        policy: new.policy.clone(),
        scopes: new.scopes.clone(),
        standing: Standing::Active { until: new.until },
    };
    let mut tx = app.store.begin().await?;
    portal::insert(&mut tx, &client, now).await?;
    record(app, &mut tx, &client, "client.registered", now).await?;
    tx.commit().await?;
    Ok(Registered { client: client.id, secret })
}

/// Suspends or readmits a client, from the next request on.
pub async fn set_client_active(app: &App, client: Id<id::Client>, active: bool) -> Result<()> {
    let now = app.clock.now();
    let known = portal::find(&app.store, client).await?.ok_or(Error::not_found())?;
    let mut tx = app.store.begin().await?;
    if !portal::set_active(&mut tx, client, active).await? {
        return Err(Error::not_found());
    }
    let kind = if active { "client.readmitted" } else { "client.suspended" };
    record(app, &mut tx, &known, kind, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn record(app: &App, tx: &mut Tx, client: &Client, kind: &'static str, now: Instant) -> Result<()> {
    let agency = agency::find_all(tx, &[client.agency]).await?.pop().ok_or(Error::not_found())?;
    let owner = agency.id.uuid();
    let key = app.keys.data_key(&agency.key, owner.as_bytes())?;
    let concern = Concern { citizen: None, agency: Some(agency.id), object: client.id.uuid() };
    let details = json!({"client": client.id.to_string(), "method": client.credential.method()});
    audit::append(tx, &[leaf(app, now, kind, concern, &key, &details)]).await?;
    Ok(())
}

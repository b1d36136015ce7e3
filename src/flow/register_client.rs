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
use crate::crypto::{digest::sha256, public_jwk::PublicJwk};
use crate::identity::{
    assurance::Assurance,
    claims::ClaimsPolicy,
    client::{Client, Credential, RedirectUri, Standing, Wording},
    client_key::ClientKey,
    profile::{IdTokenAlgorithm, Profile, Terms},
    pseudonym::Sector,
    token::ApiScopes,
};
use crate::store::{
    Tx,
    agency::{self, AgencyRow},
    audit, portal,
};
use serde_json::json;
use std::collections::BTreeSet;

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
#[derive(Clone)]
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
    /// What else it agrees to; with predecessors, `inherits` is filled in where it goes on using their subjects.
    pub terms: Terms,
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
    let mut tx = app.store.begin().await?;
    let agency = add_agency(app, &mut tx, new, By::Operator, app.clock.now()).await?;
    tx.commit().await?;
    Ok(agency.id)
}

/// Registers a client of an agency.
pub async fn register_client(app: &App, new: &NewClient) -> Result<Registered> {
    let mut tx = app.store.begin().await?;
    let (client, secret) = add_client(app, &mut tx, new, By::Operator, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Registered { client: client.id, secret })
}

/// Suspends or readmits a client, from the next request on; harmless when it is so already.
pub async fn set_client_active(app: &App, client: Id<id::Client>, active: bool) -> Result<()> {
    let mut tx = app.store.begin().await?;
    move_client(app, &mut tx, client, active, By::Operator, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Suspends or readmits an agency with all its clients and officers; harmless when it is so already.
pub async fn set_agency_active(app: &App, agency: Id<id::Agency>, active: bool) -> Result<()> {
    let mut tx = app.store.begin().await?;
    move_agency(app, &mut tx, agency, active, By::Operator, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Who administers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Somebody at the command line.
    Operator,
    /// An administrators' system.
    Client(Id<id::Client>),
}

impl By {
    /// The word in the log.
    pub(super) fn word(self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Client(client) => client.to_string(),
        }
    }
}

pub(super) async fn add_agency(
    app: &App,
    tx: &mut Tx,
    new: &NewAgency,
    by: By,
    now: Instant,
) -> Result<AgencyRow> {
    let id: Id<id::Agency> = Id::new(now, &*app.entropy);
    let (_, wrapped) = app.keys.new_data_key(&*app.entropy, id.uuid().as_bytes());
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
    match agency::insert(tx, &row, now).await {
        Err(e) if e.violates("agency_code_key") => return Err(Error::conflict("agency_code_taken")),
        done => done?,
    }
    record_agency(app, tx, &row, "agency.registered", by, now).await?;
    Ok(row)
}

pub(super) async fn add_client(
    app: &App,
    tx: &mut Tx,
    new: &NewClient,
    by: By,
    now: Instant,
) -> Result<(Client, Option<Token>)> {
    let wrong = |field, rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
    let (credential, secret) = match &new.jwks {
        Some(jwks) => (Credential::PrivateKeyJwt { keys: read_keys(jwks, "/jwks")? }, None),
        None if new.terms.profile == Profile::Fapi2 => {
            return Err(wrong("/jwks", "required_by_the_profile_fapi2"));
        }
        None => {
            let secret = Token::new(TokenKind::ClientSecret, &*app.entropy);
            let digest = sha256(secret.expose().as_bytes());
            (Credential::ClientSecretBasic { digest, former: None }, Some(secret))
        }
    };
    if new.terms.id_token_alg == IdTokenAlgorithm::Rs256 && app.keys.rsa().is_none() {
        return Err(wrong("/id_token_alg", "no_rsa_key_is_imported"));
    }
    if new.terms.logout_told_at.as_ref().is_some_and(|uri| app.webhooks.accepts(uri).is_err()) {
        return Err(wrong("/backchannel_logout_uri", "not_a_public_https_address"));
    }
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
        terms: new.terms.clone(),
        standing: Standing::Active { until: new.until },
    };
    let agency = agency::find_all(tx, &[new.agency]).await?.pop().ok_or(wrong("/agency", "unknown"))?;
    for predecessor in &client.terms.predecessors {
        portal::find_in(tx, *predecessor).await?.ok_or(wrong("/predecessors", "unknown"))?;
    }
    portal::insert(tx, &client, now).await?;
    record(app, tx, &agency, &client, ("client.registered", by), now).await?;
    Ok((client, secret))
}

/// The keys of a JWK Set, each usable and of a name of its own.
pub(super) fn read_keys(jwks: &str, field: &'static str) -> Result<Vec<ClientKey>> {
    let wrong = |rule| Error::Refused(Refusal::new("invalid_body").violation(field, rule, None));
    let set = PublicJwk::parse_set(jwks).map_err(|why| wrong(why.word()))?;
    let names: BTreeSet<&str> = set.iter().map(|(kid, _)| kid.as_str()).collect();
    if set.is_empty() || names.len() != set.len() {
        return Err(wrong("empty_or_repeated_kid"));
    }
    let key = |(kid, key): &(String, PublicJwk)| {
        let until = key.certificate_end().map_err(|why| wrong(why.word()))?;
        Ok(ClientKey { kid: kid.clone(), jwk: key.text().to_owned(), until, revoked_at: None })
    };
    set.iter().map(key).collect()
}

/// The client as it then is.
pub(super) async fn move_client(
    app: &App,
    tx: &mut Tx,
    client: Id<id::Client>,
    active: bool,
    by: By,
    now: Instant,
) -> Result<Client> {
    let moved = portal::set_active(tx, client, active).await?;
    let known = portal::find_in(tx, client).await?.ok_or(Error::not_found())?;
    if moved {
        let agency = agency::find_all(tx, &[known.agency]).await?.pop().ok_or(Error::not_found())?;
        let kind = if active { "client.readmitted" } else { "client.suspended" };
        record(app, tx, &agency, &known, (kind, by), now).await?;
    }
    Ok(known)
}

/// The agency as it then is.
pub(super) async fn move_agency(
    app: &App,
    tx: &mut Tx,
    agency: Id<id::Agency>,
    active: bool,
    by: By,
    now: Instant,
) -> Result<AgencyRow> {
    let moved = agency::set_active(tx, agency, active).await?;
    let known = agency::find_all(tx, &[agency]).await?.pop().ok_or(Error::not_found())?;
    if moved {
        let kind = if active { "agency.readmitted" } else { "agency.suspended" };
        record_agency(app, tx, &known, kind, by, now).await?;
    }
    Ok(known)
}

async fn record_agency(
    app: &App,
    tx: &mut Tx,
    agency: &AgencyRow,
    kind: &'static str,
    by: By,
    now: Instant,
) -> Result<()> {
    let owner = agency.id.uuid();
    let key = app.keys.data_key(&agency.key, owner.as_bytes())?;
    let concern = Concern { citizen: None, agency: Some(agency.id), object: owner };
    let details = json!({"agency": agency.id.to_string(), "code": agency.code, "by": by.word()});
    Ok(audit::append(tx, &[leaf(app, now, kind, concern, &key, &details)]).await?)
}

/// The leaf of a change of a client.
pub(super) async fn record_client(
    app: &App,
    tx: &mut Tx,
    client: &Client,
    what: (&'static str, By),
    now: Instant,
) -> Result<()> {
    let agency = agency::find_all(tx, &[client.agency]).await?.pop().ok_or(Error::not_found())?;
    record(app, tx, &agency, client, what, now).await
}

async fn record(
    app: &App,
    tx: &mut Tx,
    agency: &AgencyRow,
    client: &Client,
    (kind, by): (&'static str, By),
    now: Instant,
) -> Result<()> {
    let key = app.keys.data_key(&agency.key, agency.id.uuid().as_bytes())?;
    let concern = Concern { citizen: None, agency: Some(agency.id), object: client.id.uuid() };
    let details = json!({
        "client": client.id.to_string(),
        "profile": client.terms.profile.word(),
        "method": client.credential.method(),
        "scopes": client.scopes.to_string(),
        "by": by.word(),
    });
    Ok(audit::append(tx, &[leaf(app, now, kind, concern, &key, &details)]).await?)
}

//! `chung clients`: portals that sign citizens in, and agencies' systems that call the API.

use super::{
    agencies::{codes, find, line},
    environment::{self, Opened, refused},
    out,
};
use crate::app::App;
use crate::base::{
    calendar::Day,
    id::{self, Id},
    text::Line,
};
use crate::config::Config;
use crate::flow::change_client::{add_key, revoke_key, rotate_secret};
use crate::flow::register_client::{NewClient, register_client, set_client_active};
use crate::identity::{
    assurance::Assurance,
    claims::{Claim, ClaimsPolicy, Ground, Rule},
    client::{RedirectUri, Standing, Wording},
    endpoint::EndpointUrl,
    profile::{IdTokenAlgorithm, Profile, Resource, Terms},
    pseudonym::Sector,
    token::ApiScopes,
};
use crate::store::portal;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// What to do with clients
#[derive(Debug, clap::Subcommand)]
pub enum Clients {
    /// Register a client: a portal (with redirect URIs) or an agency's system (without)
    ///
    /// A client keeps the FAPI 2.0 Security Profile and proves itself by keys of its own (--jwks, private_key_jwt),
    /// unless --profile basic is said: then, without keys, a secret is drawn now, printed once and never again
    /// (client_secret_basic).
    ///
    /// A portal: chung clients register --jwks keys.json --agency H29.14 --name "Cổng dịch vụ công" --name-en "Portal"
    /// --purpose "nộp hồ sơ" --purpose-en "file a dossier" --redirect-uri https://portal.example/callback
    /// --sector justice --by-law "personal_number=Nghị định 118/2025/NĐ-CP" --by-consent phone_number
    ///
    /// A system: chung clients register --profile basic --agency H29.14 --name "Hệ thống một cửa" --name-en "Case system"
    /// --scopes "verification bill receipt.read"
    #[command(verbatim_doc_comment)]
    Register(Box<Register>),
    /// List the clients: identifier, state, agency, kind, how it proves itself, name
    List,
    /// Draw a client another secret, printed once; the one before serves a while longer
    RotateSecret {
        /// The client's identifier, client_…
        client: Id<id::Client>,
        /// How many hours the former secret still proves it, at most 720
        #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
        overlap_hours: u32,
    },
    /// Add a key of a client, beside those that are there
    AddKey {
        /// The client's identifier, client_…
        client: Id<id::Client>,
        /// The public key (a JWK)
        #[arg(value_name = "FILE")]
        jwk: PathBuf,
        /// The key's last day, e.g. 2027-12-31
        #[arg(long, value_name = "DAY")]
        until: Option<Day>,
    },
    /// Take a key of a client back: what it signed is refused from the next request on
    RevokeKey {
        /// The client's identifier, client_…
        client: Id<id::Client>,
        /// The key's name (kid)
        kid: String,
    },
    /// Suspend a client: it is refused from the next request on
    Suspend {
        /// The client's identifier, client_…
        client: Id<id::Client>,
    },
    /// Readmit a suspended client
    Resume {
        /// The client's identifier, client_…
        client: Id<id::Client>,
    },
}

/// A client to register
#[derive(Debug, clap::Args)]
pub struct Register {
    /// The code of the agency that answers for it
    #[arg(long, value_name = "CODE")]
    agency: String,
    /// Its name in Vietnamese, as citizens read it
    #[arg(long, value_name = "TEXT", value_parser = line)]
    name: Line<200>,
    /// Its name in English
    #[arg(long, value_name = "TEXT", value_parser = line)]
    name_en: Line<200>,
    /// What it signs citizens in for, in Vietnamese [default: its name]
    #[arg(long, value_name = "TEXT", value_parser = line, requires = "purpose_en")]
    purpose: Option<Line<200>>,
    /// The same in English
    #[arg(long, value_name = "TEXT", value_parser = line, requires = "purpose")]
    purpose_en: Option<Line<200>>,
    /// The rules that it keeps: fapi2, which needs --jwks, or basic
    #[arg(long, value_name = "PROFILE", default_value = "fapi2")]
    profile: Profile,
    /// Its public keys (a JWK Set); without them, under basic, a secret is drawn
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// It may ask for refresh tokens (scope offline_access)
    #[arg(long)]
    offline: bool,
    /// It may start sign-ins at a counter (CIBA)
    #[arg(long)]
    counter: bool,
    /// How its ID tokens are signed: ES256, or RS256 where an RSA key is imported
    #[arg(long, value_name = "ALG", default_value = "ES256")]
    id_token_alg: IdTokenAlgorithm,
    /// Where it is told that a session ended (back-channel logout)
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<EndpointUrl>,
    /// A protected resource that it serves; may be given several times
    #[arg(long, value_name = "URI")]
    resource: Vec<Resource>,
    /// An address to which sign-ins are answered, compared letter by letter; may be given several times
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<RedirectUri>,
    /// An address to which browsers go after signing out; may be given several times
    #[arg(long, value_name = "URI")]
    logout_uri: Vec<RedirectUri>,
    /// The weakest sign-in it may accept: urn:chung:acr:low, substantial, high or in_person [default: high where the
    /// national e-ID is configured, else low]
    #[arg(long, value_name = "ACR")]
    acr_min: Option<Assurance>,
    /// The circle of portals that know a citizen by one and the same name [default: the agency's code]
    #[arg(long, value_name = "CODE")]
    sector: Option<Sector>,
    /// A claim that a law lets it have, and the law: CLAIM=CITATION; may be given several times
    #[arg(long, value_name = "CLAIM=CITATION", value_parser = by_law)]
    by_law: Vec<Rule>,
    /// A claim that it may have if the citizen agrees; may be given several times
    #[arg(long, value_name = "CLAIM")]
    by_consent: Vec<Claim>,
    /// What it may do at the API, e.g. "verification bill receipt.read"
    #[arg(long, value_name = "SCOPES", default_value = "", value_parser = scopes)]
    scopes: ApiScopes,
    /// The last day of its registration, e.g. 2027-12-31
    #[arg(long, value_name = "DAY")]
    until: Option<Day>,
}

/// Runs the command.
pub async fn run(config: &Config, command: Clients) -> anyhow::Result<()> {
    let opened = Opened::new(config).await?;
    let done = match environment::office(config, opened.store.clone()) {
        Ok(app) => act(&app, command).await,
        Err(error) => Err(error),
    };
    opened.close().await;
    done
}

async fn act(app: &App, command: Clients) -> anyhow::Result<()> {
    match command {
        Clients::Register(new) => register(app, *new).await,
        Clients::List => list(app).await,
        Clients::RotateSecret { client, overlap_hours } => {
            let overlap = time::Duration::hours(overlap_hours.into());
            let secret = rotate_secret(app, client, overlap).await.map_err(|error| refused(&error))?;
            out::line(&format!("client_secret {}", secret.expose()));
            out::note("the secret is shown this once; only its digest is kept");
            Ok(())
        }
        Clients::AddKey { client, jwk, until } => {
            let text = read_file(&jwk)?;
            add_key(app, client, &text, until.map(Day::end)).await.map_err(|error| refused(&error))?;
            out::line(&format!("{client} has the key too"));
            Ok(())
        }
        Clients::RevokeKey { client, kid } => {
            revoke_key(app, client, &kid).await.map_err(|error| refused(&error))?;
            out::line(&format!("{client} has lost the key {kid}"));
            Ok(())
        }
        Clients::Suspend { client } => set_active(app, client, false).await,
        Clients::Resume { client } => set_active(app, client, true).await,
    }
}

async fn register(app: &App, new: Register) -> anyhow::Result<()> {
    let agency = find(app, &new.agency).await?;
    let name = Wording { vi: new.name, en: new.name_en };
    let purpose = match (new.purpose, new.purpose_en) {
        (Some(vi), Some(en)) => Wording { vi, en },
        _ => name.clone(),
    };
    let jwks = new.jwks.as_deref().map(read_file);
    let sector = match new.sector {
        Some(sector) => sector,
        None => agency.code.to_lowercase().parse().context("name the sector with --sector")?,
    };
    let asked = new.by_consent.into_iter().map(|claim| Rule { claim, ground: Ground::Consent });
    let client = NewClient {
        agency: agency.id,
        name,
        purpose,
        jwks: jwks.transpose()?,
        redirect_uris: new.redirect_uri,
        post_logout_redirect_uris: new.logout_uri,
        acr_min: new.acr_min.unwrap_or(Assurance::floor_of_portals(app.national_id.is_some())),
        sector,
        policy: ClaimsPolicy::new(new.by_law.into_iter().chain(asked).collect())?,
        scopes: new.scopes,
        terms: Terms {
            profile: new.profile,
            offline: new.offline,
            counter: new.counter,
            id_token_alg: new.id_token_alg,
            logout_told_at: new.backchannel_logout_uri,
            resources: new.resource,
            predecessors: Vec::new(),
            inherits: Vec::new(),
        },
        until: new.until.map(Day::end),
    };
    let registered = register_client(app, &client).await.map_err(|error| refused(&error))?;
    out::line(&format!("client_id     {}", registered.client));
    if let Some(secret) = registered.secret {
        out::line(&format!("client_secret {}", secret.expose()));
        out::note("the secret is shown this once; only its digest is kept");
    }
    Ok(())
}

async fn list(app: &App) -> anyhow::Result<()> {
    let codes = codes(app).await?;
    for client in portal::list(&app.store).await? {
        let agency = codes.iter().find(|(id, _)| *id == client.agency).map_or("?", |(_, code)| code);
        let state = match client.standing {
            Standing::Suspended | Standing::AgencySuspended => "suspended".to_owned(),
            Standing::Active { until: None } => "active".to_owned(),
            Standing::Active { until: Some(end) } if end <= app.clock.now() => "expired".to_owned(),
            Standing::Active { until: Some(end) } => format!("active until {}", Day::of(end).plus_days(-1)),
        };
        let kind = if client.redirect_uris.is_empty() { "system" } else { "portal" };
        let (method, profile) = (client.credential.method(), client.terms.profile.word());
        out::line(&format!(
            "{} {state:<9} {agency:<12} {kind} {profile} {method} {}",
            client.id, client.name.vi
        ));
    }
    Ok(())
}

fn read_file(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("the client's keys in {}", file.display()))
}

async fn set_active(app: &App, client: Id<id::Client>, active: bool) -> anyhow::Result<()> {
    set_client_active(app, client, active).await.map_err(|error| refused(&error))?;
    out::line(&format!("{client} is {}", if active { "active" } else { "suspended" }));
    Ok(())
}

/// `personal_number=Nghị định 118/2025/NĐ-CP`.
fn by_law(text: &str) -> anyhow::Result<Rule> {
    let (claim, basis) = text.split_once('=').context("write CLAIM=CITATION")?;
    Ok(Rule { claim: claim.trim().parse()?, ground: Ground::Law(Line::parse(basis.trim())?) })
}

fn scopes(text: &str) -> anyhow::Result<ApiScopes> {
    ApiScopes::parse(text).ok().context("scopes are nouns such as bill or bill.read, separated by spaces")
}

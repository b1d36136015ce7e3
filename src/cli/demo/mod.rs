//! `chung demo`: the service, the outside world, and one dossier from sign-in to the reconciled statement.

mod browser;
mod cast;
mod delegation;
mod installed;
mod setup;
mod tour;

use super::{
    environment::{self, Opened},
    keys, out,
    outside::{Outside, RunningSandbox, SERVICE, Service},
    private_file,
    serve::{Internal, Running, interrupted},
};
use crate::app::App;
use crate::base::{calendar::Day, money::Money};
use crate::config::{Config, Settings};
use crate::crypto::{keyring::Purpose, signing::SigningKey};
use crate::flow::verify_audit::verify_audit;
use crate::sandbox::{
    national_id::Account,
    portal::{Credentials, Portal, PortalSettings},
    strict::StrictClient,
};
use crate::store::ledger;
use crate::telemetry;
use anyhow::{Context, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use installed::{Installed, Person, Portal as InstalledPortal};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// How the demonstration is set up
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// How many people the register holds
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    citizens: u64,
    /// Where the sandbox listens: central bank, member banks, telephones, demo portal
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    sandbox_listen: SocketAddr,
    /// End after the dossier; the exit code says whether every step held
    #[arg(long)]
    once: bool,
    /// What is shown: a dossier from sign-in to the bank's statement, or a family whose members act for each other
    #[arg(long, value_enum, default_value_t = Told::Dossier)]
    story: Told,
}

/// The stories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Told {
    /// One dossier from sign-in to the reconciled statement
    Dossier,
    /// A mother, a son and a clerk act for others, and the father finds every step
    Delegation,
}

impl Demo {
    /// How the sandbox is addressed.
    fn sandbox_origin(&self) -> String {
        format!("http://{}", self.sandbox_listen)
    }
}

/// Runs the demonstration.
pub async fn run(mut settings: Settings, demo: &Demo) -> anyhow::Result<()> {
    let data = settings.data.clone().unwrap_or_else(|| PathBuf::from("data"));
    let outside = Outside::open(&data.join("sandbox"))?;
    outside.fill(&mut settings, &demo.sandbox_origin())?;
    settings.log.get_or_insert_with(|| "error".to_owned());
    // Whoever tries events out has an endpoint on this machine.
    settings.webhooks_private |= settings.public_origin.as_deref().is_none_or(|o| o.starts_with("http:"));
    let config = settings.resolve()?;
    telemetry::log_to(std::io::stderr(), &config.log).map_err(|reason| anyhow::anyhow!("log: {reason}"))?;
    if !config.keys.exists() {
        keys::generate(&config.keys)?;
    }
    out::line(&format!("Chung's demonstration; everything it keeps is in {}.", data.display()));
    let opened = Opened::new(&config).await?;
    let done = shown(&config, &opened, &outside, demo, &data).await;
    opened.close().await;
    done
}

async fn shown(
    config: &Config,
    opened: &Opened,
    outside: &Outside,
    demo: &Demo,
    data: &Path,
) -> anyhow::Result<()> {
    let metrics = telemetry::count().context("metrics")?;
    let (app, queues) = environment::app(config, opened.store.clone())?;
    let file = data.join("demo.json");
    let before = remembered(&file, &app).await?;
    let origin = demo.sandbox_origin();
    let installing = setup::install(&app, &origin, demo.citizens, data, before);
    let mut installed = unless_stopped(installing).await?;
    installed.tours += 1;
    private_file::replace(&file, format!("{:#}\n", serde_json::to_value(&installed)?).as_bytes())?;
    let (stop, stopping) = watch::channel(false);
    let internal = Internal { listen: config.internal_listen, metrics };
    let internal = (!demo.once).then_some(internal);
    let running = Running::start(app.clone(), queues, config.listen, internal, stopping.clone()).await?;
    let sandbox = start_sandbox(&app, outside, demo, &installed, stopping).await?;
    let done = match demo.story {
        Told::Dossier => unless_stopped(dossier(&app, &installed, data)).await,
        Told::Delegation => unless_stopped(family(&app, &installed, data)).await,
    };
    let done = match done {
        Ok(()) if !demo.once => {
            invite(config, &installed, &file);
            interrupted().await
        }
        done => done,
    };
    let _nobody_listens = stop.send(true);
    running.finish(config.limits.drain_timeout()).await;
    sandbox.finish(config.limits.drain_timeout()).await;
    done
}

/// The outcome of some work, or that somebody asked to stop before there was one; the caller then tidies up.
async fn unless_stopped<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        done = work => done,
        asked = interrupted() => {
            asked?;
            anyhow::bail!("stopped before the dossier was done")
        }
    }
}

async fn start_sandbox(
    app: &App,
    outside: &Outside,
    demo: &Demo,
    installed: &Installed,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<RunningSandbox> {
    let service = Service {
        member: SERVICE.to_owned(),
        origin: app.origin.to_string(),
        keys: app.keys.published(Purpose::Message).clone(),
    };
    let (clock, entropy) = (app.clock.clone(), app.entropy.clone());
    let sandbox = outside.sandbox(&installed.sandbox, service, 1, clock.clone(), entropy.clone())?;
    let accounts = installed.people.iter().map(account).collect();
    let service = app.origin.to_string();
    let upstream =
        outside.national_id(&installed.sandbox, &service, accounts, clock.clone(), entropy.clone())?;
    let portal = Portal::new(portal(installed), clock, entropy)?;
    RunningSandbox::start(sandbox, (Some(portal), upstream), None, demo.sandbox_listen, stopping).await
}

/// The account of the national e-ID that a person of the demonstration has.
fn account(person: &Person) -> Account {
    let birth_date = person.birth_date.split('-').rev().collect::<Vec<_>>().join("/");
    Account { number: person.number.clone(), name: person.name.clone(), birth_date, level: 2, tech_id: None }
}

/// What an earlier start wrote down, as far as the database still knows it.
async fn remembered(file: &Path, app: &App) -> anyhow::Result<Option<Installed>> {
    let Ok(text) = fs::read_to_string(file) else { return Ok(None) };
    let Ok(installed) = serde_json::from_str::<Installed>(&text) else { return Ok(None) };
    let client = installed.agency().system.client_id.parse().context("demo.json: client_id")?;
    let known = crate::store::portal::find(&app.store, client).await?;
    Ok(known.map(|_| installed))
}

fn portal(installed: &Installed) -> PortalSettings {
    let first = installed.portals.first();
    PortalSettings {
        issuer: installed.service.clone(),
        origin: installed.sandbox.clone(),
        client: Credentials {
            id: first.map(|portal| portal.client_id.clone()).unwrap_or_default(),
            secret: first.and_then(|portal| portal.client_secret.clone()).unwrap_or_default(),
        },
        agency: Credentials {
            id: installed.agency().system.client_id.clone(),
            secret: installed.agency().system.client_secret.clone(),
        },
        procedure: setup::PROCEDURE.to_owned(),
        fees: setup::FEES.map(str::to_owned).into(),
        dossier_prefix: installed.agency().code.clone(),
        strict: installed.portals.iter().find_map(strict),
    }
}

/// The family's story.
async fn family(app: &App, installed: &Installed, data: &Path) -> anyhow::Result<()> {
    let folder = data.join("family");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let post = delegation::install(app, data).await?;
    delegation::walk(installed, &post, &folder, Day::of(app.clock.now())).await?;
    let log = verify_audit(&app.store, &app.keys, None, |_| {}).await;
    let log = log.map_err(|error| anyhow::anyhow!("the audit log cannot be read: {error:?}"))?;
    if let Some(finding) = log.finding {
        anyhow::bail!("the audit log does not hold: {finding}");
    }
    out::line("");
    out::line(&format!("the audit log consistent: {} leaves under {} signed heads", log.leaves, log.heads));
    Ok(())
}

/// The sandbox's portal of the profile `fapi2`, by the key that was made for it.
fn strict(portal: &InstalledPortal) -> Option<StrictClient> {
    let key = portal.private_key.as_ref().filter(|_| portal.redirect_uri.ends_with("/strict/callback"))?;
    let key = SigningKey::from_pkcs8(&BASE64_STANDARD.decode(key).ok()?).ok()?;
    Some(StrictClient { id: portal.client_id.clone(), key: Arc::new(key) })
}

/// One dossier, and the four things that an auditor asks afterwards.
async fn dossier(app: &App, installed: &Installed, data: &Path) -> anyhow::Result<()> {
    let folder = data.join("receipts");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let outcome = tour::walk(installed, &folder).await?;
    let balances = ledger::balances(&mut app.store.begin().await?).await?;
    let sum = balances.iter().try_fold(Money::vnd(0), |sum, (_, balance)| sum.plus(*balance))?;
    ensure!(sum.is_zero() && !balances.is_empty(), "the ledger is out of balance by {}", sum.display_vi());
    let log = verify_audit(&app.store, &app.keys, None, |_| {}).await;
    let log = log.map_err(|error| anyhow::anyhow!("the audit log cannot be read: {error:?}"))?;
    if let Some(finding) = log.finding {
        anyhow::bail!("the audit log does not hold: {finding}");
    }
    let (matched, lines) = outcome.matched;
    out::line("");
    out::line(&format!("the signed receipt {} verified offline", outcome.receipts.join(", ")));
    out::line(&format!("the ledger balanced: {} accounts sum to {}", balances.len(), sum.display_vi()));
    out::line(&format!("the statement reconciled {matched} of {lines} lines"));
    out::line(&format!("the audit log consistent: {} leaves under {} signed heads", log.leaves, log.heads));
    Ok(())
}

/// What there is to click now.
fn invite(config: &Config, installed: &Installed, file: &Path) {
    out::line("");
    out::line(&format!("The portal:      {}/portal", installed.sandbox));
    if let Some(person) = installed.visitor() {
        out::line(&format!(
            "  sign in as     {} ({}), telephone {}",
            person.number, person.name, person.phone
        ));
    }
    out::line(&format!("A strict portal: {}/strict (FAPI 2.0)", installed.sandbox));
    out::line(&format!("The telephones:  {}/sms", installed.sandbox));
    out::line(&format!("The banks:       {}/banks/970436/requests", installed.sandbox));
    out::line(&format!("Receipt check:   {}/receipts", installed.service));
    out::line(&format!("For operators:   http://{}/ready and /metrics", config.internal_listen));
    out::line(&format!("For programs:    {} (clients, secrets, officers), `chung openapi`", file.display()));
    out::line("Ctrl-C ends it.");
}

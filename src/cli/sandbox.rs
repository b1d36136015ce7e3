//! `chung sandbox`: the outside world as a program, and a population for it.

use super::{
    environment, out,
    outside::{Outside, RunningSandbox, SERVICE, Service},
    serve::interrupted,
};
use crate::base::{clock::SystemClock, entropy::SystemEntropy};
use crate::config::{Config, Settings};
use crate::crypto::{keyring::Purpose, signing::KeyList};
use crate::sandbox::{
    card::{Holder, issue},
    population::write_csv,
    portal::{Credentials, Portal, PortalSettings},
};
use crate::telemetry;
use anyhow::Context;
use indicatif::ProgressBar;
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// What to do with the sandbox
#[derive(Debug, clap::Subcommand)]
pub enum SandboxCommand {
    /// Run the outside world on one address: a central bank with eight member banks, telephones, and a demo portal
    ///
    /// The service reaches it at /clearing and /sms; people open /sms (telephones), /banks/970436/requests (a bank)
    /// and /portal. For scripts: GET /script/sms?to=+84… reads an inbox;
    /// POST /script/banks/{bank}/requests/{end_to_end_id}/approve or /refuse decides in a payer's place;
    /// POST /script/transfers moves money with free text; POST /script/days/close ends the banks' day;
    /// POST /script/faults makes things go wrong, as --faults does by chance; GET /script/conformance says what of it the
    /// service has handled. Nobody signs in here and nothing is secret: never let it face the
    /// world. The first start makes the sandbox's own files; it then prints the settings with which the service
    /// reaches it (`chung serve`).
    Serve(Serve),
    /// Write what a reader gives for the chip card of a person who does not exist: text for the page /desk/card-checks
    /// and for `/v1/card-checks`
    Card {
        /// The personal number, twelve digits
        #[arg(long)]
        number: String,
        /// The full name as on the register
        #[arg(long)]
        name: String,
        /// The birth date, dd/mm/yyyy
        #[arg(long)]
        born: String,
        /// Nam or Nữ
        #[arg(long)]
        sex: String,
        /// The last day of the card, dd/mm/yyyy
        #[arg(long, default_value = "31/12/2040")]
        expires: String,
    },
    /// Write a synthetic population as CSV: plausible names, numbers, telephones and fates; nobody in it exists
    ///
    /// The same seed gives the same people. The columns are those that `chung import population` reads.
    Population {
        /// How many people
        #[arg(long, default_value_t = 10_000)]
        count: u64,
        /// Which population
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The file to write; without it the lines go to standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Where and for whom the sandbox runs
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Where the sandbox listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    sandbox_listen: SocketAddr,
    /// The address under which browsers and the service reach it [default: http:// and --sandbox-listen]
    #[arg(long, value_name = "ORIGIN")]
    sandbox_origin: Option<String>,
    /// The folder with its own key, its book and the gateway's token [default: sandbox in the data folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The service's public keys for messages (the `message` set of `chung keys list`, or all it prints)
    /// [default: those of --keys]
    #[arg(long, value_name = "FILE")]
    service_keys: Option<PathBuf>,
    /// The service's identifier in the clearing system
    #[arg(long, value_name = "BIC", default_value = SERVICE)]
    service_bic: String,
    /// Adds the demo portal: a JSON file with `client` and `agency` (each `id` and `secret`), `procedure`, `fees`
    /// and `dossier_prefix`
    #[arg(long, value_name = "FILE")]
    portal: Option<PathBuf>,
    /// Adds the population register, of the people in this file (`chung sandbox population` writes one)
    #[arg(long, value_name = "FILE")]
    population: Option<PathBuf>,
    /// How often each message and each payment goes wrong in each way, in percent: lost, late, doubled, altered, refused,
    /// of another amount … (`GET /script/faults` lists them, `DELETE` ends them)
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=100))]
    faults: u8,
    /// What chance is drawn from: under the same seed the same messages go wrong
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the command.
pub async fn run(settings: Settings, command: &SandboxCommand) -> anyhow::Result<()> {
    match command {
        SandboxCommand::Serve(asked) => serve(&settings.resolve()?, asked).await,
        SandboxCommand::Card { number, name, born, sex, expires } => {
            let text = str::to_owned;
            let holder = Holder {
                number: text(number),
                name: text(name),
                born: text(born),
                sex: text(sex),
                expires: text(expires),
            };
            out::line(&issue(&holder).context("the card")?.text());
            Ok(())
        }
        // Needs no configuration.
        SandboxCommand::Population { count, seed, output } => population(*count, *seed, output.as_deref()),
    }
}

async fn serve(config: &Config, asked: &Serve) -> anyhow::Result<()> {
    telemetry::log_to(io::stderr(), &config.log).map_err(|reason| anyhow::anyhow!("log: {reason}"))?;
    let folder = asked.folder.clone().unwrap_or_else(|| config.data.join("sandbox"));
    let outside = Outside::open(&folder)?;
    let origin = asked.sandbox_origin.clone().unwrap_or_else(|| format!("http://{}", asked.sandbox_listen));
    let origin = origin.trim_end_matches('/');
    let service = Service {
        member: asked.service_bic.clone(),
        origin: config.origin.to_string(),
        keys: service_keys(config, asked.service_keys.as_deref())?,
    };
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    let register = asked
        .population
        .as_deref()
        .map(|people| outside.register(origin, &service, people, clock.clone()))
        .transpose()?;
    let sandbox = outside.sandbox(origin, service, asked.seed, clock.clone(), entropy.clone())?;
    if asked.faults > 0 {
        sandbox.make_trouble(asked.faults);
    }
    let portal = asked.portal.as_deref().map(|file| portal(file, config, origin)).transpose()?;
    let service = config.origin.to_string();
    let upstream = outside.national_id(origin, &service, Vec::new(), clock.clone(), entropy.clone())?;
    let portal = portal.map(|settings| Portal::new(settings, clock, entropy)).transpose()?;
    let (stop, stopping) = watch::channel(false);
    let running =
        RunningSandbox::start(sandbox, (portal, upstream), register, asked.sandbox_listen, stopping).await?;
    out::line(&format!("the outside world listens on {}; run the service with", running.address));
    out::line(&format!(
        "  chung --public-origin {} --clearing-url {origin}/clearing --clearing-bic {} --clearing-keys {} \
         --messenger-url {origin}/sms --messenger-mail-url {origin}/mail --messenger-token-file {} \
         --national-id-url {origin}/national-id --national-id-client {SERVICE} --national-id-secret-file {} \
         --national-id-keys {} --card-anchors {} --time-stamp-url {origin}/time-stamps --time-stamp-anchor {} serve",
        config.origin,
        asked.service_bic,
        outside.keys_file().display(),
        outside.token_file().display(),
        outside.national_id_secret_file().display(),
        outside.national_id_keys_file().display(),
        outside.card_anchors().display(),
        outside.time_stamp_anchor().display()
    ));
    if asked.population.is_some() {
        out::line(&format!(
            "  and with --population-url {origin}/population --population-keys {} it asks this register",
            outside.register_keys_file().display()
        ));
    }
    interrupted().await?;
    let _nobody_listens = stop.send(true);
    running.finish(config.limits.drain_timeout()).await;
    Ok(())
}

/// The keys that the service signs messages with.
fn service_keys(config: &Config, file: Option<&Path>) -> anyhow::Result<KeyList> {
    let Some(file) = file else {
        return Ok(environment::keys(config)?.published(Purpose::Message).clone());
    };
    let read = || -> anyhow::Result<KeyList> {
        let mut said: serde_json::Value = serde_json::from_slice(&fs::read(file)?)?;
        let set = said.get_mut("message").map(serde_json::Value::take).unwrap_or(said);
        Ok(KeyList::from_jwks(&set.to_string())?)
    };
    read().with_context(|| format!("the service's keys in {}", file.display()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortalText {
    client: Pair,
    agency: Pair,
    procedure: String,
    fees: Vec<String>,
    dossier_prefix: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    id: String,
    secret: String,
}

fn portal(file: &Path, config: &Config, origin: &str) -> anyhow::Result<PortalSettings> {
    let told = || format!("the portal in {}", file.display());
    let text: PortalText = serde_json::from_slice(&fs::read(file).with_context(told)?).with_context(told)?;
    let credentials = |pair: Pair| Credentials { id: pair.id, secret: pair.secret };
    Ok(PortalSettings {
        issuer: config.origin.to_string(),
        origin: origin.to_owned(),
        client: credentials(text.client),
        agency: credentials(text.agency),
        procedure: text.procedure,
        fees: text.fees,
        dossier_prefix: text.dossier_prefix,
        strict: None,
    })
}

/// Writes a population to a file or to standard output.
pub fn population(count: u64, seed: u64, output: Option<&Path>) -> anyhow::Result<()> {
    let progress = ProgressBar::new(count).with_message("people");
    let heard = |rows| progress.set_position(rows);
    let written = match output {
        Some(path) => {
            let told = || format!("cannot write {}", path.display());
            let file = File::create(path).with_context(told)?;
            write_csv(&mut BufWriter::new(file), count, seed, heard).with_context(told)
        }
        None => match write_csv(&mut BufWriter::new(io::stdout().lock()), count, seed, heard) {
            // Whoever reads us (`| head`) has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.context("cannot write the population"),
        },
    };
    progress.finish_and_clear();
    written
}

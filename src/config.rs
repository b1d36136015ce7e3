//! One typed [`Config`], read once at the start from flags, the environment and a TOML file, in that order of
//! precedence.
//!
//! Owns: every setting's name, meaning, unit and default. Invariant: a service that starts is wholly configured;
//! whatever is missing or contradicts itself is listed at once and nothing runs. Deliberately absent: a global; the
//! parts travel as plain fields of `App`.

mod limits;
mod workers;

pub use limits::Limits;

use crate::base::{
    origin::{NotAnOrigin, Origin},
    secret::Secret,
};
use serde::Deserialize;
use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};
use url::Url;

/// Everything the service knows before it starts.
#[derive(Debug)]
pub struct Config {
    /// The data folder: keys, the private database, files of the demo.
    pub data: PathBuf,
    /// Which PostgreSQL to use.
    pub database: Database,
    /// Where the public interfaces listen.
    pub listen: SocketAddr,
    /// Where operators find liveness, readiness and metrics; never a public address.
    pub internal_listen: SocketAddr,
    /// Under which address browsers and portals reach the public interfaces; also the issuer.
    pub origin: Origin,
    /// The proxies that are believed when they say whom they forward for.
    pub trusted_proxies: Vec<IpAddr>,
    /// The file with the service's own keys.
    pub keys: PathBuf,
    /// The folder with the certificates of the authorities whose chip cards are believed; none are without it.
    pub card_anchors: Option<PathBuf>,
    /// The national e-ID, if this service is registered there.
    pub national_id: Option<NationalId>,
    /// The time-stamping authority that stamps the heads of the audit log, if there is one.
    pub time_stamp: Option<TimeStamp>,
    /// The outside world, if it is configured; see [`Config::partners`].
    pub partners: Option<Partners>,
    /// Whether webhooks may go to loopback and private addresses: for demonstrations, never in production.
    pub webhooks_private: bool,
    /// How much is logged, as a `tracing` filter.
    pub log: String,
    /// Every bound.
    pub limits: Limits,
}

/// Which PostgreSQL holds the data.
#[derive(Debug)]
pub enum Database {
    /// A server that somebody else runs.
    Given {
        /// Its address, which may hold a password.
        url: Secret<String>,
    },
    /// A private one in the data folder.
    Private {
        /// A folder with the server's programs, before all others.
        programs: Option<PathBuf>,
    },
}

/// The institutions that the service talks to.
#[derive(Debug)]
pub struct Partners {
    /// The clearing system.
    pub clearing: Clearing,
    /// The gateway for short messages.
    pub messenger: Messenger,
    /// Where citizens are looked up.
    pub population: Population,
}

/// How to reach the clearing system.
#[derive(Debug)]
pub struct Clearing {
    /// Where messages are sent.
    pub url: Url,
    /// Our own identifier there.
    pub bic: String,
    /// The file with the clearing system's public keys (a JWK Set), to which it is pinned.
    pub keys: PathBuf,
}

/// How the national e-ID knows us, and we it.
#[derive(Debug)]
pub struct NationalId {
    /// Its issuer.
    pub url: Url,
    /// Our name there.
    pub client: String,
    /// Our secret there.
    pub secret: Secret<String>,
    /// The file with its public keys (a JWK Set), to which it is pinned.
    pub keys: PathBuf,
}

/// How to reach a time-stamping authority (RFC 3161), and whom its stamps are believed from.
#[derive(Debug)]
pub struct TimeStamp {
    /// Where questions are posted.
    pub url: Url,
    /// The file with the certificate (DER or PEM) of the trusted authority at the end of the way from its signers.
    pub anchor: PathBuf,
    /// The folder with revocation lists, if any are brought.
    pub lists: Option<PathBuf>,
}

/// How to reach the message gateway.
#[derive(Debug)]
pub struct Messenger {
    /// Where short messages are posted.
    pub url: Url,
    /// Where e-mail is posted, if it carries any.
    pub mail_url: Option<Url>,
    /// The bearer token for it; it presents the same one when it brings what people answered.
    pub token: Secret<String>,
}

/// Which register of persons answers.
#[derive(Debug)]
pub enum Population {
    /// The one that was imported into our own database.
    Local,
    /// A remote one over signed HTTP.
    Remote {
        /// Where it is asked.
        url: Url,
        /// The file with its public keys (a JWK Set).
        keys: PathBuf,
        /// The hours of every day in which it is away, as `23:30-01:00`.
        maintenance: Option<String>,
    },
}

/// What may be set, each by flag, environment variable or the file's key of the same name.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A TOML file with these settings (keys as the flags, with underscores) and a [limits] table
    #[arg(long, env = "CHUNG_CONFIG", value_name = "FILE", global = true)]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The data folder [default: data]
    #[arg(long, env = "CHUNG_DATA", value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// The PostgreSQL to use; without it a private one runs in the data folder
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, global = true)]
    pub database_url: Option<String>,
    /// A folder with `postgres` and `initdb`, searched before PATH
    #[arg(long, env = "CHUNG_PG_BIN", value_name = "DIR", global = true)]
    pub pg_bin: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, env = "CHUNG_LISTEN", value_name = "ADDR", global = true)]
    pub listen: Option<SocketAddr>,
    /// Where operators find /live, /ready and /metrics [default: 127.0.0.1:9090]
    #[arg(long, env = "CHUNG_INTERNAL_LISTEN", value_name = "ADDR", global = true)]
    pub internal_listen: Option<SocketAddr>,
    /// The address that browsers see, and the issuer [default: http://localhost and the port of --listen]
    #[arg(long, env = "CHUNG_PUBLIC_ORIGIN", value_name = "ORIGIN", global = true)]
    pub public_origin: Option<String>,
    /// Addresses of the proxies whose X-Forwarded-For is believed, separated by commas [default: none]
    #[arg(long, env = "CHUNG_TRUSTED_PROXIES", value_name = "ADDR", value_delimiter = ',', global = true)]
    pub trusted_proxies: Vec<IpAddr>,
    /// The file with the service's keys (`chung keys generate` makes one) [default: keys.toml in the data folder]
    #[arg(long, env = "CHUNG_KEYS", value_name = "FILE", global = true)]
    pub keys: Option<PathBuf>,
    /// The folder with the certificates of the authorities that certify the signers of chip cards, each as DER or PEM
    #[arg(long, env = "CHUNG_CARD_ANCHORS", value_name = "DIR", global = true, hide_short_help = true)]
    pub card_anchors: Option<PathBuf>,
    /// The issuer of the national e-ID; with it the sign-in page offers it first
    #[arg(long, env = "CHUNG_NATIONAL_ID_URL", value_name = "URL", global = true, hide_short_help = true)]
    #[serde(deserialize_with = "address")]
    pub national_id_url: Option<Url>,
    /// Our client name at the national e-ID
    #[arg(long, env = "CHUNG_NATIONAL_ID_CLIENT", value_name = "ID", global = true, hide_short_help = true)]
    pub national_id_client: Option<String>,
    /// A file with our secret at the national e-ID
    #[arg(
        long,
        env = "CHUNG_NATIONAL_ID_SECRET_FILE",
        value_name = "FILE",
        global = true,
        hide_short_help = true
    )]
    pub national_id_secret_file: Option<PathBuf>,
    /// The national e-ID's public keys (a JWK Set)
    #[arg(long, env = "CHUNG_NATIONAL_ID_KEYS", value_name = "FILE", global = true, hide_short_help = true)]
    pub national_id_keys: Option<PathBuf>,
    /// Where a time-stamping authority (RFC 3161) is asked; with it the heads of the audit log are stamped
    #[arg(long, env = "CHUNG_TIME_STAMP_URL", value_name = "URL", global = true, hide_short_help = true)]
    #[serde(deserialize_with = "address")]
    pub time_stamp_url: Option<Url>,
    /// The certificate of the trusted authority behind that authority's signers, as DER or PEM
    #[arg(long, env = "CHUNG_TIME_STAMP_ANCHOR", value_name = "FILE", global = true, hide_short_help = true)]
    pub time_stamp_anchor: Option<PathBuf>,
    /// A folder with revocation lists (DER or PEM) for time stamps; it is read each time, and no network is asked
    #[arg(
        long,
        env = "CHUNG_TIME_STAMP_LISTS",
        value_name = "FOLDER",
        global = true,
        hide_short_help = true
    )]
    pub time_stamp_lists: Option<PathBuf>,
    /// Threads that answer requests [default: one for every processor, or for every two where the database runs beside]
    #[arg(long, env = "CHUNG_WORKER_THREADS", value_name = "NUMBER", global = true)]
    pub worker_threads: Option<NonZeroUsize>,
    /// How much is logged, e.g. info or chung=debug,info [default: info]
    #[arg(long, env = "CHUNG_LOG", value_name = "FILTER", global = true)]
    pub log: Option<String>,
    /// Where messages to the clearing system go
    #[arg(long, env = "CHUNG_CLEARING_URL", value_name = "URL", global = true, hide_short_help = true)]
    #[serde(deserialize_with = "address")]
    pub clearing_url: Option<Url>,
    /// Our identifier in the clearing system
    #[arg(long, env = "CHUNG_CLEARING_BIC", value_name = "BIC", global = true, hide_short_help = true)]
    pub clearing_bic: Option<String>,
    /// The clearing system's public keys (a JWK Set)
    #[arg(long, env = "CHUNG_CLEARING_KEYS", value_name = "FILE", global = true, hide_short_help = true)]
    pub clearing_keys: Option<PathBuf>,
    /// Where short messages are posted
    #[arg(long, env = "CHUNG_MESSENGER_URL", value_name = "URL", global = true, hide_short_help = true)]
    #[serde(deserialize_with = "address")]
    pub messenger_url: Option<Url>,
    /// Where e-mail is posted; without it notices go to pages and telephones only
    #[arg(long, env = "CHUNG_MESSENGER_MAIL_URL", value_name = "URL", global = true, hide_short_help = true)]
    #[serde(deserialize_with = "address")]
    pub messenger_mail_url: Option<Url>,
    /// A file with the bearer token of that gateway
    #[arg(
        long,
        env = "CHUNG_MESSENGER_TOKEN_FILE",
        value_name = "FILE",
        global = true,
        hide_short_help = true
    )]
    pub messenger_token_file: Option<PathBuf>,
    /// The remote register of persons; without it the imported one answers
    #[arg(long, env = "CHUNG_POPULATION_URL", value_name = "URL", global = true, hide_short_help = true)]
    #[serde(deserialize_with = "address")]
    pub population_url: Option<Url>,
    /// The remote register's public keys (a JWK Set)
    #[arg(long, env = "CHUNG_POPULATION_KEYS", value_name = "FILE", global = true, hide_short_help = true)]
    pub population_keys: Option<PathBuf>,
    /// The hours of every day in which the remote register is away, Vietnam time, e.g. 23:30-01:00
    #[arg(
        long,
        env = "CHUNG_POPULATION_MAINTENANCE",
        value_name = "HOURS",
        global = true,
        hide_short_help = true
    )]
    pub population_maintenance: Option<String>,
    /// Lets webhooks go to loopback and private addresses; refused in production
    #[arg(long, env = "CHUNG_WEBHOOKS_PRIVATE", global = true, hide_short_help = true)]
    pub webhooks_private: bool,
    /// Every bound; only in the file.
    #[arg(skip)]
    pub limits: Limits,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML of the expected form.
    #[error("{path} is not a configuration: {reason}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The public origin is not one.
    #[error("public_origin: {0}")]
    Origin(#[from] NotAnOrigin),
    /// Settings that only make sense together are not all there.
    #[error("half configured; also set {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// A setting that is refused in production.
    #[error("{0} is refused under an https origin")]
    NotInProduction(&'static str),
    /// A bound that makes no sense.
    #[error("limits.{0} must not be zero")]
    ZeroLimit(&'static str),
}

impl Settings {
    /// Adds the file's settings under those of flags and environment, and checks the whole.
    pub fn resolve(mut self) -> Result<Config, ConfigError> {
        if let Some(path) = self.config.take() {
            let text = read(&path)?;
            let file: Self = toml::from_str(&text)
                .map_err(|error| ConfigError::Malformed { path, reason: error.message().to_owned() })?;
            self = self.over(file);
        }
        self.finish()
    }

    fn over(self, file: Self) -> Self {
        Self {
            config: None,
            data: self.data.or(file.data),
            database_url: self.database_url.or(file.database_url),
            pg_bin: self.pg_bin.or(file.pg_bin),
            listen: self.listen.or(file.listen),
            internal_listen: self.internal_listen.or(file.internal_listen),
            public_origin: self.public_origin.or(file.public_origin),
            trusted_proxies: if self.trusted_proxies.is_empty() {
                file.trusted_proxies
            } else {
                self.trusted_proxies
            },
            keys: self.keys.or(file.keys),
            card_anchors: self.card_anchors.or(file.card_anchors),
            national_id_url: self.national_id_url.or(file.national_id_url),
            national_id_client: self.national_id_client.or(file.national_id_client),
            national_id_secret_file: self.national_id_secret_file.or(file.national_id_secret_file),
            national_id_keys: self.national_id_keys.or(file.national_id_keys),
            time_stamp_url: self.time_stamp_url.or(file.time_stamp_url),
            time_stamp_anchor: self.time_stamp_anchor.or(file.time_stamp_anchor),
            time_stamp_lists: self.time_stamp_lists.or(file.time_stamp_lists),
            worker_threads: self.worker_threads.or(file.worker_threads),
            log: self.log.or(file.log),
            clearing_url: self.clearing_url.or(file.clearing_url),
            clearing_bic: self.clearing_bic.or(file.clearing_bic),
            clearing_keys: self.clearing_keys.or(file.clearing_keys),
            messenger_url: self.messenger_url.or(file.messenger_url),
            messenger_mail_url: self.messenger_mail_url.or(file.messenger_mail_url),
            messenger_token_file: self.messenger_token_file.or(file.messenger_token_file),
            population_url: self.population_url.or(file.population_url),
            population_keys: self.population_keys.or(file.population_keys),
            population_maintenance: self.population_maintenance.or(file.population_maintenance),
            webhooks_private: self.webhooks_private || file.webhooks_private,
            limits: file.limits,
        }
    }

    fn finish(self) -> Result<Config, ConfigError> {
        self.limits.check()?;
        let partners = self.partners()?;
        let national_id = self.national_id()?;
        let time_stamp = match (&self.time_stamp_url, &self.time_stamp_anchor) {
            (None, None) => None,
            (Some(url), Some(anchor)) => Some(TimeStamp {
                url: url.clone(),
                anchor: anchor.clone(),
                lists: self.time_stamp_lists.clone(),
            }),
            (Some(_), None) => return Err(ConfigError::Missing(vec!["time_stamp_anchor"])),
            (None, Some(_)) => return Err(ConfigError::Missing(vec!["time_stamp_url"])),
        };
        let data = self.data.unwrap_or_else(|| PathBuf::from("data"));
        let listen = self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080)));
        let origin = self.public_origin.unwrap_or_else(|| format!("http://localhost:{}", listen.port()));
        let origin: Origin = origin.parse()?;
        if origin.is_production() && self.webhooks_private {
            return Err(ConfigError::NotInProduction("webhooks_private"));
        }
        let database = self
            .database_url
            .filter(|url| !url.is_empty())
            .map_or(Database::Private { programs: self.pg_bin }, |url| Database::Given {
                url: Secret::new(url),
            });
        Ok(Config {
            keys: self.keys.unwrap_or_else(|| data.join("keys.toml")),
            database,
            card_anchors: self.card_anchors,
            national_id,
            time_stamp,
            listen,
            internal_listen: self.internal_listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 9090))),
            origin,
            trusted_proxies: self.trusted_proxies,
            partners,
            webhooks_private: self.webhooks_private,
            log: self.log.unwrap_or_else(|| "info".to_owned()),
            limits: self.limits,
            data,
        })
    }

    /// The national e-ID: wholly described or not at all.
    fn national_id(&self) -> Result<Option<NationalId>, ConfigError> {
        let set = [
            ("national_id_url", self.national_id_url.is_some()),
            ("national_id_client", self.national_id_client.is_some()),
            ("national_id_secret_file", self.national_id_secret_file.is_some()),
            ("national_id_keys", self.national_id_keys.is_some()),
        ];
        match (
            &self.national_id_url,
            &self.national_id_client,
            &self.national_id_keys,
            &self.national_id_secret_file,
        ) {
            (None, None, None, None) => Ok(None),
            (Some(url), Some(client), Some(keys), Some(file)) => Ok(Some(NationalId {
                url: url.clone(),
                client: client.clone(),
                secret: Secret::new(read(file)?.trim().to_owned()),
                keys: keys.clone(),
            })),
            _ => {
                Err(ConfigError::Missing(set.iter().filter(|(_, set)| !set).map(|(name, _)| *name).collect()))
            }
        }
    }

    /// The partners: all of them or none. One that is half described is an error even for commands that need none.
    fn partners(&self) -> Result<Option<Partners>, ConfigError> {
        let required = [
            ("clearing_url", self.clearing_url.is_some()),
            ("clearing_bic", self.clearing_bic.is_some()),
            ("clearing_keys", self.clearing_keys.is_some()),
            ("messenger_url", self.messenger_url.is_some()),
            ("messenger_token_file", self.messenger_token_file.is_some()),
        ];
        let mut missing: Vec<&str> = required.iter().filter(|(_, set)| !set).map(|(name, _)| *name).collect();
        let population = match (&self.population_url, &self.population_keys) {
            (None, None) => Some(Population::Local),
            (Some(url), Some(keys)) => Some(Population::Remote {
                url: url.clone(),
                keys: keys.clone(),
                maintenance: self.population_maintenance.clone(),
            }),
            (Some(_), None) => {
                missing.push("population_keys");
                None
            }
            (None, Some(_)) => {
                missing.push("population_url");
                None
            }
        };
        let none_set = missing.len() == required.len();
        if none_set && matches!(population, Some(Population::Local)) {
            return Ok(None);
        }
        match (&self.clearing_url, &self.clearing_bic, &self.clearing_keys, &self.messenger_url, population) {
            (Some(url), Some(bic), Some(keys), Some(messenger), Some(population)) if missing.is_empty() => {
                let token = self.messenger_token_file.as_deref().map(read).transpose()?.unwrap_or_default();
                Ok(Some(Partners {
                    clearing: Clearing { url: url.clone(), bic: bic.clone(), keys: keys.clone() },
                    messenger: Messenger {
                        url: messenger.clone(),
                        mail_url: self.messenger_mail_url.clone(),
                        token: Secret::new(token.trim().to_owned()),
                    },
                    population,
                }))
            }
            _ => Err(ConfigError::Missing(missing)),
        }
    }
}

impl Config {
    /// The partners, for commands that serve: without them the service would accept what it cannot finish.
    pub fn partners(&self) -> Result<&Partners, ConfigError> {
        self.partners.as_ref().ok_or_else(|| {
            let names =
                ["clearing_url", "clearing_bic", "clearing_keys", "messenger_url", "messenger_token_file"];
            ConfigError::Missing(names.into())
        })
    }
}

/// The crate `url` speaks serde only behind a feature that nothing else needs.
fn address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    Option::<String>::deserialize(deserializer)?
        .map(|text| {
            Url::parse(&text).map_err(|_| serde::de::Error::custom(format!("{text:?} is not an address")))
        })
        .transpose()
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        toml::from_str::<Settings>(text).unwrap().finish()
    }

    #[test]
    fn nothing_set_is_a_private_service_on_the_loopback() {
        let config = parse("").unwrap();
        assert!(matches!(config.database, Database::Private { programs: None }));
        assert_eq!(config.origin.as_str(), "http://localhost:8080");
        assert_eq!(config.keys, PathBuf::from("data/keys.toml"));
        assert!(matches!(config.partners(), Err(ConfigError::Missing(names)) if names.len() == 5));
    }

    #[test]
    fn half_a_partner_is_refused_with_all_that_lacks() {
        let refused =
            parse("clearing_bic = 'CHUNVNVX'\npopulation_url = 'https://register.example'").unwrap_err();
        let stamps = parse("time_stamp_url = 'https://stamps.example'").unwrap_err();
        assert_eq!(stamps.to_string(), "half configured; also set time_stamp_anchor");
        assert_eq!(
            refused.to_string(),
            "half configured; also set clearing_url, clearing_keys, messenger_url, messenger_token_file, \
             population_keys"
        );
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file: Settings =
            toml::from_str("data = 'file'\nlog = 'debug'\n[limits]\nbody_bytes_max = 7").unwrap();
        let config =
            Settings { data: Some("flag".into()), ..Settings::default() }.over(file).finish().unwrap();
        assert_eq!((config.data, config.log.as_str()), (PathBuf::from("flag"), "debug"));
        assert_eq!(config.limits.body_bytes_max, 7);
    }

    #[test]
    fn misspelt_keys_zero_limits_and_development_switches_in_production_are_refused() {
        assert!(toml::from_str::<Settings>("lisen = '127.0.0.1:1'").is_err());
        assert!(toml::from_str::<Settings>("[limits]\nbody_max = 1").is_err());
        assert!(matches!(
            parse("[limits]\nbody_bytes_max = 0"),
            Err(ConfigError::ZeroLimit("body_bytes_max"))
        ));
        let production = "public_origin = 'https://chung.example'\nwebhooks_private = true";
        assert!(matches!(parse(production), Err(ConfigError::NotInProduction("webhooks_private"))));
        assert!(matches!(parse("public_origin = 'http://chung.example'"), Err(ConfigError::Origin(_))));
    }
}

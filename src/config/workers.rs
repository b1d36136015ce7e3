//! How many threads answer requests: known before there is a run-time, and so before the rest of the configuration is read.

use super::{Settings, read};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use url::Url;

impl Settings {
    /// What is set by flag, environment or file; else a thread for every processor, or for every two where the database runs
    /// beside and needs as much. A file that does not read says so later, to whoever resolves the settings.
    pub fn threads(&self) -> NonZeroUsize {
        let file = || toml::from_str::<Self>(&read(self.config.as_deref()?).ok()?).ok();
        let file = file().unwrap_or_default();
        let database = self.database_url.as_deref().or(file.database_url.as_deref());
        let processors = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let ours = if database.is_none_or(is_beside) { half(processors) } else { processors };
        self.worker_threads.or(file.worker_threads).unwrap_or(ours)
    }
}

fn half(processors: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(processors.get().div_ceil(2)).unwrap_or(NonZeroUsize::MIN)
}

/// Whether a server of that address runs on this machine: by a socket, or over the loopback.
fn is_beside(database: &str) -> bool {
    let Ok(url) = database.parse::<Url>() else { return true };
    let named = url.query_pairs().find(|(key, _)| key == "host").map(|(_, host)| host.into_owned());
    let host = named.or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    host.is_empty()
        || host.starts_with('/')
        || host == "localhost"
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_on_this_machine_is_beside() {
        for url in [
            "",
            "postgres:///postgres?host=%2Ftmp%2Fchung&user=chung&sslmode=disable",
            "postgres://chung@localhost/chung",
            "postgres://chung@127.0.0.1:5433/chung",
            "postgres://chung@[::1]/chung",
        ] {
            assert!(is_beside(url), "{url}");
        }
        for url in ["postgres://chung@10.0.0.5/chung", "postgres://db.example/chung?sslmode=require"] {
            assert!(!is_beside(url), "{url}");
        }
    }

    #[test]
    fn what_is_set_counts_and_a_database_elsewhere_leaves_every_processor() {
        let given = |url: &str| Settings { database_url: Some(url.to_owned()), ..Settings::default() };
        let all = available_parallelism().unwrap_or(NonZeroUsize::MIN);
        assert_eq!(given("postgres://db.example/chung").threads(), all);
        assert_eq!(given("postgres://localhost/chung").threads(), half(all));
        assert_eq!(Settings::default().threads(), half(all));
        let three = NonZeroUsize::new(3);
        let set = Settings { worker_threads: three, ..given("postgres://db.example/chung") };
        assert_eq!(Some(set.threads()), three);
        assert_eq!(half(NonZeroUsize::MIN), NonZeroUsize::MIN);
    }
}

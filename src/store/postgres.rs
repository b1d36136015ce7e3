//! The private PostgreSQL: a cluster of our own in the data folder, for when nobody names a `DATABASE_URL`.
//!
//! Owns: finding (or installing) the server's programs, `initdb`, starting, adopting and stopping the server.
//! Invariants: the server listens on a socket in a folder that only its own account can enter, never on a port; it
//! never runs as root; one process at a time owns it and stops it; what a dead owner left running is adopted; data of
//! another major version are never touched. Deliberately absent: connections and migrations, which belong to
//! [`crate::store`] whichever server answers.

mod account;
mod binaries;

pub use account::Account;
pub use binaries::Search;

use binaries::Binaries;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The oldest major version whose SQL we speak.
pub const OLDEST_MAJOR: u32 = 15;
/// How long a server may take to start (it may have to replay its log after a crash) or to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often we look whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Operating systems end the path of a socket at about 104 bytes; PostgreSQL appends `/.s.PGSQL.5432`.
const SOCKET_FOLDER_MAX: usize = 80;
/// Where the cluster lives when the unprivileged account cannot enter the data folder.
const SHARED_FOLDER: &str = "/var/lib/chung";

/// Whether what is committed survives a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is on the disk before it is answered.
    Full,
    /// Commits survive the death of a client, not of the machine: for tests, whose data are thrown away.
    Test,
}

/// Where a private server lives and what to run it with.
#[derive(Debug, Clone)]
pub struct PrivatePostgres {
    /// The data folder; the cluster stands in `pg` below it.
    pub folder: PathBuf,
    /// How careful the server is with the disk.
    pub durability: Durability,
    /// Where to look for the server's programs.
    pub search: Search,
}

/// Why no private server runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing to run.
    #[error(
        "no PostgreSQL server was found and none could be installed ({0}): install the package `postgresql`, \
         version {OLDEST_MAJOR} or later, or name a server in DATABASE_URL"
    )]
    NoServer(String),
    /// The data folder was written by a version that we cannot run.
    #[error(
        "the data in {folder} were written by PostgreSQL {data}, which is not installed{found}: install the package \
         `postgresql-{data}`, or move the data to the newer version with pg_upgrade"
    )]
    WrongMajor {
        /// The cluster.
        folder: PathBuf,
        /// The version that wrote it.
        data: u32,
        /// The version that was found instead, as words.
        found: String,
    },
    /// A program of PostgreSQL ran and refused.
    #[error("{program} failed: {output}")]
    Failed {
        /// Which program.
        program: &'static str,
        /// The end of what it said.
        output: String,
    },
    /// The socket's folder belongs to somebody else.
    #[error("{0} exists and belongs to another account; remove it or set TMPDIR")]
    ForeignSocketFolder(PathBuf),
    /// The operating system refused.
    #[error("could not {doing}: {source}")]
    Io {
        /// What we were about to do, with the path.
        doing: String,
        /// What the system answered.
        source: io::Error,
    },
}

/// Names what was being done when the operating system refused.
trait Doing<T> {
    fn doing(self, what: &str, path: &Path) -> Result<T, StartError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &str, path: &Path) -> Result<T, StartError> {
        self.map_err(|source| StartError::Io { doing: format!("{what} {}", path.display()), source })
    }
}

impl PrivatePostgres {
    /// A server in `folder`, with programs found in the usual places.
    pub fn new(folder: impl Into<PathBuf>, durability: Durability) -> Self {
        Self { folder: folder.into(), durability, search: Search::default() }
    }

    /// Starts the server, or adopts the one that already runs on this folder. Blocks: about a second for a new
    /// folder, a tenth for an existing one.
    pub fn start(&self) -> Result<Server, StartError> {
        let account = Account::unprivileged();
        let (home, notice) = self.home(account.as_ref())?;
        let cluster = home.join("pg");
        private_folder(&cluster, account.as_ref())?;
        let lock = File::create(cluster.join("lock")).doing("create the lock in", &cluster)?;
        let deadline = Instant::now() + PATIENCE;
        let site = Site { home, cluster, account, durability: self.durability };
        loop {
            match lock.try_lock() {
                Ok(()) => return self.own(&site, lock, notice),
                Err(TryLockError::Error(source)) => return Err(source).doing("lock", &site.cluster),
                Err(TryLockError::WouldBlock) => {}
            }
            // Another process owns the server; it is ours to use, not to stop.
            if let Some(running) = Postmaster::running(&site.data()) {
                return Ok(Server::new(running, None, notice));
            }
            if Instant::now() > deadline {
                return Err(site.failed("postgres"));
            }
            sleep(LOOK_AGAIN);
        }
    }

    fn own(&self, site: &Site, lock: File, notice: Option<String>) -> Result<Server, StartError> {
        if let Some(running) = Postmaster::settled(&site.data()) {
            return Ok(Server::new(running, Some(Owned { lock, child: None, data: site.data() }), notice));
        }
        let binaries = self.search.choose(&site.home, &site.data())?;
        if !site.data().join("PG_VERSION").exists() {
            site.initialise(&binaries)?;
        }
        let (running, child) = site.launch(&binaries)?;
        Ok(Server::new(running, Some(Owned { lock, child: Some(child), data: site.data() }), notice))
    }

    /// The folder above the cluster, and what to tell the operator when it is not the one that was asked for.
    fn home(&self, account: Option<&Account>) -> Result<(PathBuf, Option<String>), StartError> {
        fs::create_dir_all(&self.folder).doing("create", &self.folder)?;
        let folder = fs::canonicalize(&self.folder).doing("find", &self.folder)?;
        let Some(account) = account.filter(|account| !account.can_enter(&folder)) else {
            return Ok((folder, None));
        };
        let home = elsewhere(&folder)?;
        let notice = format!(
            "the account {} cannot enter {}, so the database stands in {}",
            account.name,
            folder.display(),
            home.display()
        );
        Ok((home, Some(notice)))
    }
}

/// The folder under [`SHARED_FOLDER`] that belongs to this data folder. A file in the data folder remembers it, so
/// that a data folder which was removed and made again does not meet the database of its predecessor.
fn elsewhere(folder: &Path) -> Result<PathBuf, StartError> {
    let note = folder.join("pg.location");
    if let Ok(path) = fs::read_to_string(&note) {
        return Ok(PathBuf::from(path.trim()));
    }
    let shared = Path::new(SHARED_FOLDER);
    fs::create_dir_all(shared).doing("create", shared)?;
    let name = folder.file_name().map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned());
    let mut number = 1_u32;
    let home = loop {
        let candidate = shared.join(format!("{name}-{number}"));
        match fs::create_dir(&candidate) {
            Ok(()) => break candidate,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error).doing("create", &candidate),
        }
    };
    fs::write(&note, format!("{}\n", home.display())).doing("write", &note)?;
    Ok(home)
}

/// Makes a folder that only the server's account (and root) can enter.
fn private_folder(path: &Path, account: Option<&Account>) -> Result<(), StartError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).doing("create", path);
        }
        Ok(()) | Err(_) => {}
    }
    account.map_or(Ok(()), |account| account.own(path)).doing("hand over", path)
}

/// One cluster's place on this machine and the account that runs it.
struct Site {
    home: PathBuf,
    cluster: PathBuf,
    account: Option<Account>,
    durability: Durability,
}

impl Site {
    fn data(&self) -> PathBuf {
        self.cluster.join("data")
    }

    fn log(&self) -> PathBuf {
        self.cluster.join("server.log")
    }

    /// `initdb` into a folder beside the final one, so that an interrupted run leaves nothing that looks complete.
    fn initialise(&self, binaries: &Binaries) -> Result<(), StartError> {
        let unfinished = self.cluster.join("data.unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        let locale = if cfg!(target_os = "linux") { "--locale=C.UTF-8" } else { "--locale=C" };
        let mut initdb = self.command(&binaries.initdb());
        initdb.args(["--username=chung", "--auth=trust", "--encoding=UTF8", locale]);
        if self.durability == Durability::Test {
            initdb.arg("--no-sync");
        }
        let output = initdb.arg("-D").arg(&unfinished).output().doing("run", &binaries.initdb())?;
        if !output.status.success() {
            let output = last_lines(&String::from_utf8_lossy(&output.stderr));
            return Err(StartError::Failed { program: "initdb", output });
        }
        let _ = fs::remove_dir_all(self.data());
        fs::rename(&unfinished, self.data()).doing("finish", &unfinished)
    }

    fn launch(&self, binaries: &Binaries) -> Result<(Postmaster, Child), StartError> {
        let socket = self.socket_folder()?;
        let log = File::create(self.log()).doing("create", &self.log())?;
        let errors = log.try_clone().doing("open", &self.log())?;
        let mut postgres = self.command(&binaries.postgres());
        postgres.arg("-D").arg(self.data()).args([
            "-c",
            "listen_addresses=",
            "-c",
            "unix_socket_permissions=0700",
        ]);
        postgres.arg("-c").arg(format!("unix_socket_directories={}", socket.display()));
        postgres.args(["-c", "timezone=UTC", "-c", "max_connections=200"]);
        if self.durability == Durability::Test {
            // What is vacuumed behind a test's back is planned anew by every connection, and slows what is measured in it.
            for off in [
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "jit=off",
                "autovacuum=off",
                // A table of a few rows is read before a process that helps has begun.
                "max_parallel_workers_per_gather=0",
            ] {
                postgres.args(["-c", off]);
            }
        }
        // A group of its own: an interrupt typed at the terminal must reach the service first, not its database.
        postgres.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let mut child = postgres.spawn().doing("run", &binaries.postgres())?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(running) = Postmaster::running(&self.data()).filter(|p| p.pid == child.id()) {
                return Ok((running, child));
            }
            if child.try_wait().is_ok_and(|ended| ended.is_some()) || Instant::now() > deadline {
                let _ = child.kill();
                return Err(self.failed("postgres"));
            }
            sleep(LOOK_AGAIN);
        }
    }

    fn failed(&self, program: &'static str) -> StartError {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        StartError::Failed { program, output: last_lines(&log) }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C");
        if let Some(account) = &self.account {
            command.gid(account.gid).uid(account.uid);
        }
        command
    }

    /// A short folder for the socket; its name follows from the cluster's, so that a crash leaves one, not many.
    fn socket_folder(&self) -> Result<PathBuf, StartError> {
        let name = format!("chung-{:016x}", fingerprint(self.cluster.as_os_str().as_encoded_bytes()));
        let fits = |folder: &PathBuf| {
            let short = folder.as_os_str().len() + 1 + name.len() <= SOCKET_FOLDER_MAX;
            short && self.account.as_ref().is_none_or(|account| account.can_enter(folder))
        };
        let base = Some(std::env::temp_dir()).filter(fits).unwrap_or_else(|| PathBuf::from("/tmp"));
        let folder = base.join(name);
        private_folder_of(&folder, self.account.as_ref())?;
        Ok(folder)
    }
}

/// A private folder in a place where others may have made one of the same name before us.
fn private_folder_of(folder: &Path, account: Option<&Account>) -> Result<(), StartError> {
    if let Ok(found) = fs::symlink_metadata(folder) {
        let ours = [account::effective_uid(), account.map(|a| a.uid)];
        if !found.is_dir() || found.mode() & 0o077 != 0 || !ours.contains(&Some(found.uid())) {
            return Err(StartError::ForeignSocketFolder(folder.to_owned()));
        }
    }
    private_folder(folder, account)
}

/// What `postmaster.pid` says of the server that runs on a data folder.
struct Postmaster {
    pid: u32,
    socket_folder: PathBuf,
}

impl Postmaster {
    /// The server, once it answers on its socket and says that it is ready.
    fn running(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let (pid, socket_folder) = (lines.first()?.parse().ok()?, PathBuf::from(lines.get(4)?));
        let ready = *lines.get(7)? == "ready";
        let answers = UnixStream::connect(socket_folder.join(".s.PGSQL.5432")).is_ok();
        (ready && answers).then_some(Self { pid, socket_folder })
    }

    /// The server that runs once one that a dead owner left starting or stopping has done so.
    fn settled(data: &Path) -> Option<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let running = Self::running(data);
            if running.is_some() || !Self::is_changing(data) || Instant::now() > deadline {
                return running;
            }
            sleep(LOOK_AGAIN);
        }
    }

    /// Whether a living server says that it is starting or stopping.
    fn is_changing(data: &Path) -> bool {
        let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let (Some(pid), Some(state)) = (lines.first(), lines.get(7)) else { return false };
        let alive = || Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status();
        matches!(*state, "starting" | "stopping") && alive().is_ok_and(|status| status.success())
    }
}

/// A private server that answers. Whoever owns it stops it when this value goes away.
#[derive(Debug)]
pub struct Server {
    pid: u32,
    socket_folder: PathBuf,
    owned: Option<Owned>,
    notice: Option<String>,
}

/// The right and duty to stop a server, held under the cluster's lock.
#[derive(Debug)]
struct Owned {
    lock: File,
    child: Option<Child>,
    data: PathBuf,
}

impl Server {
    fn new(running: Postmaster, owned: Option<Owned>, notice: Option<String>) -> Self {
        Self { pid: running.pid, socket_folder: running.socket_folder, owned, notice }
    }

    /// The address of one database on this server.
    pub fn url(&self, database: &str) -> String {
        let host: String =
            url::form_urlencoded::byte_serialize(self.socket_folder.as_os_str().as_encoded_bytes()).collect();
        format!("postgres:///{database}?host={host}&user=chung&sslmode=disable")
    }

    /// The process id of the server.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether this process started the server itself rather than finding it alive.
    pub fn is_fresh(&self) -> bool {
        self.owned.as_ref().is_some_and(|owned| owned.child.is_some())
    }

    /// Whether this process will stop the server.
    pub const fn is_owned(&self) -> bool {
        self.owned.is_some()
    }

    /// What the operator should know, if anything is not where it was asked to be.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Gives up ownership: the server goes on without us and whoever comes next adopts it.
    pub fn leave_running(&mut self) {
        if let Some(owned) = self.owned.take() {
            let _ = owned.lock.unlock();
        }
    }

    /// Stops the server if this process owns it; open transactions are rolled back. Returns whether it has ended.
    pub fn stop(&mut self) -> bool {
        let Some(mut owned) = self.owned.take() else { return false };
        let _ = Command::new("kill").args(["-INT", &self.pid.to_string()]).status();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = match &mut owned.child {
                Some(child) => child.try_wait().is_ok_and(|ended| ended.is_some()),
                None => !owned.data.join("postmaster.pid").exists(),
            };
            if ended || Instant::now() > deadline {
                return ended;
            }
            sleep(LOOK_AGAIN);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// FNV-1a: a short name for a long path, not a digest.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join("; ")
}

#[cfg(test)]
mod tests;

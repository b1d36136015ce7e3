use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

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

//! The main job, as a newcomer runs it: once on an empty folder, once again on what it left.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn command(folder: &Path, ports: [u16; 2], story: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chung"));
    command
        .args(["--data", folder.to_str().unwrap(), "--listen", &format!("127.0.0.1:{}", ports[0])])
        .args(["demo", "--once", "--story", story, "--citizens", "300"])
        .args(["--sandbox-listen", &format!("127.0.0.1:{}", ports[1])])
        .env_remove("DATABASE_URL");
    command
}

fn demo(folder: &Path, ports: [u16; 2], story: &str) -> Output {
    command(folder, ports, story).output().unwrap()
}

/// Kills the demonstration with SIGKILL as soon as it says that a step is done, in the middle of the next one.
fn killed_after(step: &str, folder: &Path, ports: [u16; 2]) {
    let mut running = command(folder, ports, "dossier").stdout(Stdio::piped()).spawn().unwrap();
    let said: Vec<String> = BufReader::new(running.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .inspect(|line| {
            if line.starts_with(step) {
                running.kill().unwrap();
            }
        })
        .collect();
    assert!(!running.wait().unwrap().success(), "{step}: {said:?}");
    assert!(said.iter().any(|line| line.starts_with(step)), "{step}: {said:?}");
    assert!(!said.iter().any(|line| line.starts_with("the audit log")), "it was in the middle: {said:?}");
}

/// Lets its database stop at once, as if it were killed too: the next start recovers from its log.
fn crash_database(folder: &Path) {
    let lock = fs::read_to_string(folder.join("pg/data/postmaster.pid")).unwrap();
    let server = lock.lines().next().unwrap();
    assert!(Command::new("kill").args(["-QUIT", server]).status().unwrap().success());
    for _ in 0..100 {
        if !Command::new("kill").args(["-0", server]).stderr(Stdio::null()).status().unwrap().success() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the database goes on");
}

#[test]
fn one_dossier_goes_from_sign_in_to_the_reconciled_statement_and_so_does_the_next() {
    let folder = std::env::temp_dir().join(format!("chung-demo-{}", std::process::id()));
    let ports = [free_port(), free_port()];
    for start in 1..=2 {
        let output = demo(&folder, ports, "dossier");
        let (said, failed) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "start {start}:\n{said}{failed}");
        let lines: Vec<&str> = said.lines().rev().take(4).collect();
        let begins = [
            "the audit log consistent",
            "the statement reconciled",
            "the ledger balanced",
            "the signed receipt",
        ];
        for (line, begins) in lines.iter().zip(begins) {
            assert!(line.starts_with(begins), "start {start}:\n{said}");
        }
        assert!(lines[1].ends_with("1 of 1 lines"), "start {start}: {}", lines[1]);
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_family_acts_for_each_other_and_the_father_finds_every_step() {
    let folder = std::env::temp_dir().join(format!("chung-family-{}", std::process::id()));
    let ports = [free_port(), free_port()];
    for start in 1..=2 {
        let output = demo(&folder, ports, "delegation");
        let (said, failed) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "start {start}:\n{said}{failed}");
        for step in [
            "six years old",
            "told why not",
            "pays the fee",
            "verifies it offline",
            "refused: `locked`",
            "without his card",
            "lifts the lock",
        ] {
            assert!(said.contains(step), "start {start}: {step}:\n{said}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn killed_in_the_middle_of_a_dossier_it_starts_again_where_it_left_off_and_shows_the_next() {
    let folder = std::env::temp_dir().join(format!("chung-killed-demo-{}", std::process::id()));
    let ports = [free_port(), free_port()];
    // A consent half given, a payment on its way to the bank, money on its way from it.
    for (step, database_too) in [(" 3. ", false), (" 6. ", true), (" 7. ", false)] {
        killed_after(step, &folder, ports);
        if database_too {
            crash_database(&folder);
        }
    }
    let output = demo(&folder, ports, "dossier");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    let reconciled = said.lines().find_map(|line| line.strip_prefix("the statement reconciled ")).unwrap();
    let (matched, lines) = reconciled.strip_suffix(" lines").unwrap().split_once(" of ").unwrap();
    assert_eq!(matched, lines, "{said}");
    assert!(said.lines().last().unwrap().starts_with("the audit log consistent"), "{said}");
    fs::remove_dir_all(&folder).unwrap();
}

//! The main job, as a newcomer runs it: once on an empty folder, once again on what it left.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::net::TcpListener;
use std::process::{Command, Output};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn demo(folder: &std::path::Path, ports: [u16; 2], story: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chung"))
        .args(["--data", folder.to_str().unwrap(), "--listen", &format!("127.0.0.1:{}", ports[0])])
        .args([
            "demo",
            "--once",
            "--story",
            story,
            "--citizens",
            "300",
            "--sandbox-listen",
            &format!("127.0.0.1:{}", ports[1]),
        ])
        .env_remove("DATABASE_URL")
        .output()
        .unwrap()
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
    std::fs::remove_dir_all(&folder).unwrap();
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
    std::fs::remove_dir_all(&folder).unwrap();
}

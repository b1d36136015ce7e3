//! The commands of an operator, run as programs on a data folder of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A data folder with keys and a database of its own, which goes away with the test.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Self {
        let desk = Self(std::env::temp_dir().join(format!("chung-commands-{}", std::process::id())));
        desk.run(&["keys", "generate"]).unwrap();
        desk
    }

    /// What a command says, or why it fails.
    fn run(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chung"));
        let command = command.arg("--data").arg(&self.0).args(words).env_remove("DATABASE_URL");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    fn said(&self, words: &[&str]) -> String {
        self.run(words).unwrap_or_else(|why| panic!("{words:?}: {why}"))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_operator_brings_people_fees_and_banks_and_registers_who_may_ask() {
    let desk = Desk::new();
    let people = desk.path("people.csv");
    desk.said(&["sandbox", "population", "--count", "300", "--seed", "7", "--output", &people]);
    let import = ["import", "population", people.as_str()];
    assert!(desk.said(&import).starts_with("300 people added, 0 changed, 0 as before, 0 lines left out"));
    assert!(desk.said(&import).starts_with("0 people added, 0 changed, 300 as before, 0 lines left out"));
    let text = fs::read_to_string(&people).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let number = lines[5].split(',').next().unwrap();
    let damaged = text.replacen(lines[3], "079", 1);
    fs::write(&people, damaged).unwrap();
    assert!(desk.said(&import).starts_with("0 people added, 0 changed, 299 as before, 1 lines left out"));
    let rejects = fs::read_to_string(desk.path("people.csv.rejects.csv")).unwrap();
    assert_eq!(rejects, "line,reason\n4,\"the line has 1 fields, the header 14\"\n");

    let fees = |items: &str| {
        desk.run(&["import", "fees", items, "src/flow/sample/fee_adjustments.csv"]).map(|s| s.len())
    };
    fees("src/flow/sample/fee_items.csv").unwrap();
    fees("src/flow/sample/fee_adjustments.csv").unwrap_err();
    fs::write(desk.path("banks.csv"), "code,name\n970436,Vietcombank\n970415,VietinBank\n").unwrap();
    assert_eq!(desk.said(&["import", "banks", &desk.path("banks.csv")]), "banks named: 2\n");
    fs::write(desk.path("banks.csv"), "code,name\n9704 36,Vietcombank\n").unwrap();
    assert!(desk.run(&["import", "banks", &desk.path("banks.csv")]).unwrap_err().contains("9704 36"));

    let name = ["--name", "Sở Tư pháp", "--name-en", "Department of Justice"];
    let account = ["--account", "phi=970405:1500201001234:KHO BAC NHA NUOC"];
    let agency = [&["agencies", "register", "H29.14"], &name[..], &account[..]].concat();
    assert!(desk.said(&agency).starts_with("agency_"));
    assert!(desk.run(&agency).unwrap_err().starts_with("chung: "));
    let set = ["agencies", "accounts", "H29.14", account[1]];
    assert_eq!(desk.said(&set), "nothing changed\n");

    let system = [
        &["clients", "register", "--profile", "basic", "--agency", "H29.14", "--scopes", "bill receipt.read"],
        &name[..],
    ]
    .concat();
    let registered = desk.said(&system);
    assert!(registered.contains("client_secret chk_"), "{registered}");
    let client = registered.split_whitespace().nth(1).unwrap();
    let listed = || desk.said(&["clients", "list"]);
    assert!(listed().contains(&format!("{client} active")));
    desk.said(&["clients", "suspend", client]);
    assert!(listed().contains(&format!("{client} suspended")));
    desk.said(&["clients", "resume", client]);
    desk.said(&["agencies", "suspend", "H29.14"]);
    assert!(listed().contains(&format!("{client} suspended")), "its agency is suspended");
    desk.said(&["agencies", "resume", "H29.14"]);
    assert!(listed().contains(&format!("{client} active")));

    let grant = desk.said(&["roles", "grant", number, "administrator", "H29.14"]);
    assert!(desk.said(&["roles", "list"]).contains(&format!("{} citizen_", grant.trim())));
    desk.run(&["roles", "grant", number, "administrator", "H29.14"]).unwrap_err();
    desk.run(&["roles", "grant", "079185999999", "administrator", "H29.14"]).unwrap_err();
    desk.said(&["roles", "revoke", grant.trim()]);
    assert_eq!(desk.said(&["roles", "list"]), "");
    let verified = desk.said(&["audit", "verify"]);
    for sound in ["the books are consistent\n", "the audit log is consistent\n"] {
        assert!(verified.contains(sound), "{verified}");
    }
}

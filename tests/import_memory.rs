//! A register is imported in chunks: what the command holds at most does not grow with the file.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How many lines each file has: one chunk, and ten.
const FEW: usize = 10_000;
const MANY: usize = 100_000;
/// How much more the command may hold for ten times the lines: the allocator keeps some of the chunks that came and went. A third
/// more was measured, and for a million lines half as much again as for a hundred thousand.
const MORE_PERCENT: u64 = 50;

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chung"));
    command.arg("--data").arg(folder).env_remove("DATABASE_URL");
    command
}

/// What a process has held at most so far, in KiB; nothing once it is over.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Imports a file; what the command says, and what it held at most.
fn import(folder: &Path, file: &Path) -> (String, u64) {
    let mut command = command(folder);
    command.args(["import", "population"]).arg(file).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = command.spawn().unwrap();
    let mut most = 0;
    let ended = loop {
        most = peak(running.id()).unwrap_or(most).max(most);
        match running.try_wait().unwrap() {
            Some(ended) => break ended,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let said = std::io::read_to_string(running.stdout.take().unwrap()).unwrap();
    assert!(ended.success(), "{said}");
    (said, most)
}

#[test]
fn an_import_of_ten_times_the_people_needs_the_memory_of_few() {
    let folder = std::env::temp_dir().join(format!("chung-import-memory-{}", std::process::id()));
    let (few, many) = (folder.join("few.csv"), folder.join("many.csv"));
    assert!(command(&folder).args(["keys", "generate"]).status().unwrap().success());
    let count = MANY.to_string();
    let mut made = command(&folder);
    made.args(["sandbox", "population", "--count", &count, "--seed", "7", "--output"]).arg(&many);
    assert!(made.stdout(Stdio::null()).status().unwrap().success());
    let mut first = BufWriter::new(fs::File::create(&few).unwrap());
    for line in BufReader::new(fs::File::open(&many).unwrap()).lines().take(FEW + 1) {
        writeln!(first, "{}", line.unwrap()).unwrap();
    }
    first.flush().unwrap();
    drop(first);

    let (said, small) = import(&folder, &few);
    assert!(said.starts_with(&format!("{FEW} people added")), "{said}");
    let (said, large) = import(&folder, &many);
    assert!(said.starts_with(&format!("{} people added, 0 changed, {FEW} as before", MANY - FEW)), "{said}");
    fs::remove_dir_all(&folder).unwrap();
    assert!(small > 1_000 && large > 1_000, "{small} and {large} KiB");
    assert!(large * 100 <= small * (100 + MORE_PERCENT), "{large} KiB for {MANY} lines, {small} for {FEW}");
}

//! A slow disk: the same database again, under a PostgreSQL whose flushes take two milliseconds longer.

use anyhow::{Context, Result, ensure};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What sleeps.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/slow_flush.c");
/// Its name once it is built.
const SHIM: &str = "slow_flush.so";

/// A folder whose `postgres` is the one of `programs` with the shim preloaded.
pub fn programs(folder: &Path, programs: &Path) -> Result<PathBuf> {
    let slow = folder.join("slow-pg");
    fs::create_dir_all(&slow)?;
    let shim = slow.join(SHIM);
    let built =
        Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&shim).args([SOURCE, "-ldl"]).status();
    ensure!(built.context("no C compiler")?.success(), "cc does not build {SOURCE}");
    let script = |name: &str, preload: &str| -> Result<()> {
        let (file, real) = (slow.join(name), programs.join(name));
        fs::write(&file, format!("#!/bin/sh\n{preload} exec {} \"$@\"\n", real.display()))?;
        Ok(fs::set_permissions(&file, Permissions::from_mode(0o755))?)
    };
    script("postgres", &format!("LD_PRELOAD={}", shim.display()))?;
    script("initdb", "")?;
    Ok(slow)
}

/// Demands that the server has the shim, or has it not.
pub fn demand(postgres: u32, slow: bool) -> Result<()> {
    let maps = fs::read_to_string(format!("/proc/{postgres}/maps"))?;
    ensure!(maps.contains(SHIM) == slow, "the server's flushes are not as slow as they should be");
    Ok(())
}

//! Where the tests of one command note the codes that they were answered with.

use std::path::{Path, PathBuf};

/// The folder of the command that runs this program, which is the parent of every test program: a file for each code.
pub fn folder() -> PathBuf {
    let command = std::os::unix::process::parent_id();
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("answered-{command}"))
}

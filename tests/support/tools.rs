//! Independent tools that judge what we emit.

use std::io::ErrorKind;
use std::process::{Command, Output};

/// What a tool says; nothing where it is not installed: continuous integration must have it.
///
/// # Panics
///
/// If the tool is there and cannot be run, or is missing in continuous integration.
pub fn said(command: &mut Command) -> Option<Output> {
    let tool = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(std::env::var_os("CI").is_none(), "{tool} is missing");
            None
        }
        Err(error) => panic!("{tool}: {error}"),
    }
}

//! The program: reads the command line, makes the run-time, runs one command.

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command_line = chung::cli::CommandLine::parse();
    chung::crypto::install();
    // A second installation is refused, which is all we want to know.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let threads = command_line.threads().get();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return chung::cli::failed(&error.into()),
        };
    match runtime.block_on(chung::cli::run(command_line)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => chung::cli::failed(&error),
    }
}

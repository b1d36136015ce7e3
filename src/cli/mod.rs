//! The command line: one file per command, and the help that teaches them.
//!
//! Commands decide nothing: they read the configuration, call flows, and print. The long-running ones own the tasks
//! they start ([`serve`]). Standard output carries results; what else there is to say goes to standard error.

mod agencies;
mod audit;
mod clients;
mod demo;
pub mod environment;
mod import;
mod keys;
mod migrate;
mod openapi;
mod out;
mod outside;
mod platform;
mod privacy;
mod private_file;
mod roles;
mod sandbox;
mod serve;
mod statement;
mod verify;

use crate::config::Settings;
use clap::{Parser, Subcommand};
use std::num::NonZeroUsize;
use std::process::ExitCode;

/// Who is this citizen, and has this fee been paid: one service, two answers, provable later.
///
/// In production: `chung keys generate`, `chung migrate`, then `chung serve` behind TLS.
#[derive(Debug, Parser)]
#[command(name = "chung", version, max_term_width = 100)]
pub struct CommandLine {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show one dossier from sign-in to the reconciled bank statement, then stay up to be tried
    ///
    /// Starts a private PostgreSQL in the data folder, generates and registers people, an agency, portals and officers,
    /// and runs the service and the outside world (central bank, banks, telephones, a portal) on this machine only.
    /// What it set up stands in DATA/demo.json. Starting it again on the same folder goes on where it was.
    Demo(demo::Demo),
    /// Run the service until it is told to stop (SIGTERM or Ctrl-C), then finish what is running
    ///
    /// Needs keys, the clearing system and the message gateway in the configuration; starts a private PostgreSQL in
    /// the data folder unless DATABASE_URL names one, and brings its schema up to date.
    Serve,
    /// Bring the database's schema up to date and end
    ///
    /// Safe to run while nodes of the version before are serving, and safe to run twice.
    Migrate,
    /// Make the service's own keys, or list the public ones
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Register, list and suspend agencies
    #[command(subcommand)]
    Agencies(agencies::Agencies),
    /// Register, list and suspend portals and agencies' systems
    #[command(subcommand)]
    Clients(clients::Clients),
    /// Grant, list and take back the roles of officers
    #[command(subcommand)]
    Roles(roles::Roles),
    /// Bring in people, fees and banks from files
    #[command(subcommand)]
    Import(import::Import),
    /// Play the outside world: central bank, banks, telephones, a portal; or write a synthetic population
    #[command(subcommand)]
    Sandbox(sandbox::SandboxCommand),
    /// Let agency systems speak the national payment platform's protocol, and list what is tolerated
    #[command(subcommand)]
    Platform(platform::Platform),
    /// Recompute the audit log, or print its newest signed head
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Say what is kept of whom and for how long, remove what is over, and rotate the master key
    #[command(subcommand)]
    Privacy(privacy::Privacy),
    /// Fetch a day's bank statement and match it with the books, or list those that were
    #[command(subcommand)]
    Statement(statement::Statement),
    /// Check a document offline, with nothing but public keys
    #[command(subcommand)]
    Verify(verify::Verify),
    /// Print the description of the API for agencies (OpenAPI 3.1, YAML)
    Openapi,
}

impl CommandLine {
    /// How many threads the run-time gets.
    pub fn threads(&self) -> NonZeroUsize {
        self.settings.threads()
    }
}

/// Runs one command.
pub async fn run(line: CommandLine) -> anyhow::Result<()> {
    let settings = line.settings;
    match line.command {
        // Needs no configuration: whoever checks a document is not the service.
        Command::Verify(command) => verify::run(&command),
        // Brings its own partners.
        Command::Demo(command) => demo::run(settings, &command).await,
        Command::Serve => serve::serve(settings.resolve()?).await,
        Command::Migrate => migrate::migrate(&settings.resolve()?).await,
        Command::Keys(command) => keys::run(&settings.resolve()?, &command).await,
        Command::Agencies(command) => agencies::run(&settings.resolve()?, command).await,
        Command::Clients(command) => clients::run(&settings.resolve()?, command).await,
        Command::Roles(command) => roles::run(&settings.resolve()?, &command).await,
        Command::Import(command) => import::run(&settings.resolve()?, &command).await,
        Command::Sandbox(command) => sandbox::run(settings, &command).await,
        Command::Platform(command) => platform::run(&settings.resolve()?, &command).await,
        Command::Audit(command) => audit::run(&settings.resolve()?, &command).await,
        Command::Privacy(command) => privacy::run(&settings.resolve()?, &command).await,
        Command::Statement(command) => statement::run(&settings.resolve()?, &command).await,
        Command::Openapi => {
            openapi::print();
            Ok(())
        }
    }
}

/// Says why a command failed, the outermost reason first, and gives the exit code for it.
pub fn failed(error: &anyhow::Error) -> ExitCode {
    out::note(&format!("chung: {error:#}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_command_and_setting_explains_itself() {
        let command = CommandLine::command();
        command.clone().debug_assert();
        let mut open = vec![command];
        while let Some(command) = open.pop() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {} has no help",
                    command.get_name(),
                    argument.get_id()
                );
            }
            open.extend(command.get_subcommands().cloned());
        }
    }
}

//! The command `cim`: what it takes, and which function answers.
//!
//! Standard output is data, standard error is talk. Exit codes: 0 done, 1 failed, 2 usage, 3 not
//! found, 4 not allowed, 5 version conflict, 6 verification failed or history broken, 7 unhealthy,
//! 9 unreachable or outcome unknown.

mod aggregate;
mod append;
mod copy;
mod event;
mod export;
mod failure;
mod import;
mod init;
mod output;
mod place;
mod read;
mod show;
mod stats;
mod tail;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use self::failure::Failure;
use self::output::Output;
use self::place::Place;

const EXAMPLES: &str = "\
Examples:
  cim import orders.csv --entity order --id-field id --type-field type --time-field at
  cim append order order-7 OrderPaid --data '{\"amount\":\"12.50\"}' --expected 2
  cim read order order-7
  cim tail
  cim aggregate show order order-7
  cim verify
  cim export events.jsonl && cim verify --export events.jsonl

A store is one file: --store URL, else CIM_STORE, else cim.toml, else sqlite:cim.db.";

#[derive(Debug, Parser)]
#[command(
    name = "cim",
    version,
    about = "Verifiable event sourcing: append, read, follow, verify and export events",
    before_help = EXAMPLES,
    disable_help_subcommand = true
)]
struct Cli {
    /// The store, for example `sqlite:cim.db`
    #[arg(long, global = true, value_name = "URL", env = "CIM_STORE")]
    store: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write cim.toml and make an empty store
    Init(init::Init),
    /// Import events from CSV, JSON lines or an export
    Import(import::Import),
    /// Append an event
    Append(Box<append::AppendEvent>),
    /// Read events
    Read(read::Read),
    /// Follow new events as they are stored
    Tail(tail::Tail),
    /// Look at one event
    #[command(subcommand)]
    Event(event::Event),
    /// List aggregates, or show the state of one
    #[command(subcommand)]
    Aggregate(aggregate::Aggregate),
    /// Verify the store, an entity, an aggregate or an export
    Verify(verify::Verify),
    /// Write events to a file that anyone can verify
    Export(export::Export),
    /// Copy a store, event for event with the same CIDs
    Copy(copy::Copy),
    /// Count events, aggregates and types
    Stats(stats::Stats),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  cim completion bash > ~/.local/share/bash-completion/completions/cim")]
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// Runs the command with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let help = !error.use_stderr();
            // Nobody is left to be told if the terminal is gone.
            let _ = error.print();
            return if help { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::from(error)),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    if !failure.quiet {
        output::complain(&failure.text());
    }
    ExitCode::from(failure.exit as u8)
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let mut out = Output::new();
    let find = || Place::find(cli.store.clone());
    match cli.command {
        Command::Init(command) => command.run(cli.store, &mut out)?,
        Command::Import(command) => command.run(&find()?, &mut out).await?,
        Command::Append(command) => command.run(&find()?, &mut out).await?,
        Command::Read(command) => command.run(&find()?, &mut out).await?,
        Command::Tail(command) => command.run(&find()?, &mut out).await?,
        Command::Event(command) => command.run(&find()?, &mut out).await?,
        Command::Aggregate(command) => command.run(&find()?, &mut out).await?,
        Command::Verify(command) => command.run(cli.store, &mut out).await?,
        Command::Export(command) => command.run(&find()?, &mut out).await?,
        Command::Copy(command) => command.run(&find()?, &mut out).await?,
        Command::Stats(command) => command.run(&find()?, &mut out).await?,
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "cim", &mut script);
            out.bytes(&script)?;
        }
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }
}

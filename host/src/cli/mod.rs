//! The command `cim`: what it takes, and which function answers.
//!
//! Standard output is data, standard error is talk. Exit codes: 0 done, 1 failed, 2 usage, 3 not
//! found, 4 not allowed, 5 version conflict, 6 verification failed or history broken, 7 unhealthy,
//! 9 unreachable or outcome unknown.

mod aggregate;
mod append;
mod command;
mod copy;
mod doctor;
mod event;
mod export;
mod failure;
mod given;
mod import;
mod init;
#[cfg(feature = "jetstream")]
mod jetstream;
#[cfg(feature = "identity")]
mod keys;
mod model;
mod output;
mod place;
#[cfg(feature = "plugin")]
mod plugin;
mod projection;
mod read;
#[cfg(feature = "schema")]
mod schema;
mod show;
mod snapshot;
mod stats;
mod table;
mod tail;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use self::failure::{Exit, Failure};
use self::output::Output;
use self::place::Place;

const EXAMPLES: &str = "\
Examples:
  cim import orders.csv --entity order --id-field id --type-field type --time-field at
  cim append order order-7 OrderPaid --data '{\"amount\":\"12.50\"}' --expected 2
  cim read order order-7
  cim tail
  cim aggregate show order order-7
  cim command compute web-1 ChangeStatus --data '{\"to_status\":\"active\"}'
  cim verify
  cim export events.jsonl && cim verify --export events.jsonl
  cim projection run activity.wasm && cim projection query activity types

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
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CIM_STORE",
        hide_env_values = true
    )]
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
    #[command(
        subcommand,
        after_help = "Example:\n  cim event show 01934f4a-5678-7abc-8def-0123456789ab"
    )]
    Event(event::Event),
    /// Give an aggregate a command, and store what happens
    #[command(name = "command")]
    Give(Box<command::GiveCommand>),
    /// List aggregates, show the state of one, or draw the states of all
    #[command(
        subcommand,
        after_help = "Examples:\n  cim aggregate list\n  cim aggregate show order order-7\n  cim aggregate diagram compute"
    )]
    Aggregate(aggregate::Aggregate),
    /// Look at the snapshots of states, delete them, or make their key
    #[command(
        subcommand,
        after_help = "Examples:\n  cim snapshot list\n  cim snapshot delete --all\n  cim snapshot key"
    )]
    Snapshot(snapshot::Snapshot),
    /// Verify the store, an entity, an aggregate or an export
    Verify(verify::Verify),
    /// Write events to a file that anyone can verify
    Export(export::Export),
    /// Copy a store, event for event with the same CIDs
    Copy(copy::Copy),
    /// Count events, aggregates and types
    Stats(stats::Stats),
    /// Look at a plugin
    #[cfg(feature = "plugin")]
    #[command(
        subcommand,
        after_help = "Example:\n  cim plugin inspect activity.wasm"
    )]
    Plugin(plugin::Plugin),
    /// Run projections and read their documents
    #[command(
        subcommand,
        after_help = "Examples:\n  cim projection run activity.wasm\n  cim projection query activity types"
    )]
    Projection(projection::Projection),
    /// Look for what can lose events, and say how to mend it
    Doctor(doctor::Doctor),
    /// Make, change and look at the streams of a NATS server
    #[cfg(feature = "jetstream")]
    #[command(
        subcommand,
        after_help = "Examples:\n  cim stream plan\n  cim stream apply\n  cim stream info CIM-EVENTS"
    )]
    Stream(jetstream::Stream),
    /// Look at the consumers of a stream
    #[cfg(feature = "jetstream")]
    #[command(subcommand, after_help = "Example:\n  cim consumer list CIM-EVENTS")]
    Consumer(jetstream::Consumer),
    /// Make and look at the identities of NATS: operators, accounts, users and their creds
    #[cfg(feature = "identity")]
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys init && nats-server -c identity/nats-server.conf\n  cim keys jwt validate user.creds"
    )]
    Keys(keys::Keys),
    /// List the schemas of event types, and check stored events against them
    #[cfg(feature = "schema")]
    #[command(
        subcommand,
        after_help = "Examples:\n  cim schema list\n  cim schema check\n  cim schema check --against schemas.json"
    )]
    Schema(schema::Schema),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  cim completion bash > ~/.local/share/bash-completion/completions/cim"
    )]
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// Runs the command with the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::complain(&error.render().to_string());
            return ExitCode::from(Exit::Usage as u8);
        }
        Err(error) if error.use_stderr() => return fail(&misused(&error, std::env::args_os())),
        Err(help) => {
            // Nobody is left to be told if the terminal is gone.
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
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
        // Looked for here too, since arguments that cannot be read are a failure as well.
        let json = std::env::args_os().any(|argument| argument == "--json");
        output::complain(&if json { failure.json() } else { failure.text() });
    }
    ExitCode::from(failure.exit as u8)
}

/// What clap says of the arguments, in our three parts.
fn misused(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> Failure {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let (message, usage) = text.split_once("\n\nUsage: ").unwrap_or((text, ""));
    let message = message
        .split("\n\nFor more information")
        .next()
        .unwrap_or(message)
        .trim();
    let usage = usage.lines().next().unwrap_or_default().trim();
    let failure = Failure::usage(message);
    if usage.is_empty() {
        return failure.help(format!("see `{} --help`", named_command(arguments)));
    }
    // A usage begins with the command: `cim aggregate show [OPTIONS] …`.
    let words = usage.split(' ');
    let command: Vec<_> = words
        .take_while(|word| !word.starts_with(['[', '<', '-']))
        .collect();
    failure.help(format!(
        "the usage is `{usage}`; see `{} --help`",
        command.join(" ")
    ))
}

/// The command that `arguments` name, as far as they name one.
fn named_command(arguments: impl Iterator<Item = OsString>) -> String {
    let root = Cli::command();
    let (mut command, mut name) = (&root, root.get_name().to_owned());
    for word in arguments.skip(1) {
        if let Some(found) = word.to_str().and_then(|word| command.find_subcommand(word)) {
            command = found;
            name = format!("{name} {}", found.get_name());
        }
    }
    name
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let mut out = Output::new();
    let find = || Place::find(cli.store.clone());
    match cli.command {
        Command::Init(command) => command.run(cli.store, &mut out).await?,
        Command::Import(command) => command.run(&find()?, &mut out).await?,
        Command::Append(command) => command.run(&find()?, &mut out).await?,
        Command::Read(command) => command.run(&find()?, &mut out).await?,
        Command::Tail(command) => command.run(&find()?, &mut out).await?,
        Command::Event(command) => command.run(&find()?, &mut out).await?,
        Command::Give(command) => command.run(&find()?, &mut out).await?,
        Command::Aggregate(command) => command.run(&find()?, &mut out).await?,
        Command::Snapshot(command) => command.run(cli.store, &mut out).await?,
        Command::Verify(command) => command.run(cli.store, &mut out).await?,
        Command::Export(command) => command.run(&find()?, &mut out).await?,
        Command::Copy(command) => command.run(&find()?, &mut out).await?,
        Command::Stats(command) => command.run(&find()?, &mut out).await?,
        #[cfg(feature = "plugin")]
        Command::Plugin(command) => command.run(&mut out)?,
        Command::Projection(command) => command.run(&find()?, &mut out).await?,
        Command::Doctor(command) => command.run(&find()?, &mut out).await?,
        #[cfg(feature = "jetstream")]
        Command::Stream(command) => command.run(&find()?, &mut out).await?,
        #[cfg(feature = "jetstream")]
        Command::Consumer(command) => command.run(&find()?, &mut out).await?,
        #[cfg(feature = "identity")]
        Command::Keys(command) => command.run(&find()?, &mut out).await?,
        #[cfg(feature = "schema")]
        Command::Schema(command) => command.run(cli.store, &mut out).await?,
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

    #[track_caller]
    fn refused(arguments: &str, expect: &str) {
        let arguments = || arguments.split(' ');
        let error = Cli::try_parse_from(arguments()).expect_err("wrong arguments");
        let failure = misused(&error, arguments().map(OsString::from));
        assert_eq!(failure.text(), expect);
    }

    #[test]
    fn wrong_arguments_are_answered_in_three_parts() {
        refused(
            "cim reed",
            "error: unrecognized subcommand 'reed'\n\n  tip: a similar subcommand exists: 'read'\n\
             help: the usage is `cim [OPTIONS] <COMMAND>`; see `cim --help`\n",
        );
        refused(
            "cim append order order-7 orderPaid",
            "error: invalid value 'orderPaid' for '<TYPE>': `orderPaid` is not an event type: it \
             must begin with A-Z and have only A-Z, a-z and 0-9\n\
             help: see `cim append --help`\n",
        );
        refused(
            "cim read order --from 3",
            "error: the following required arguments were not provided:\n  <ID>\n\
             help: the usage is `cim read --from <VERSION> <ENTITY> <ID>`; see `cim read --help`\n",
        );
    }

    #[test]
    fn every_command_s_help_has_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().or(command.get_before_help());
            let help = help.map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}

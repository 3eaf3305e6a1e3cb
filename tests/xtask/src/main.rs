//! `cargo xtask`: set-up, demonstration and checks of the workspace, each in one command.
//!
//! It decides nothing about events; it starts the tools that do, shows each command before it runs,
//! and fetches only what is not there yet.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command that talks to the person who typed it"
)]

mod bench;
mod bindgen;
mod checks;
mod cim;
mod command;
mod core_module;
mod demo;
mod failure;
mod fuzz;
mod imports;
mod js;
mod nats_server;
mod plugins;
mod setup;
mod soak;
mod source;
mod steps;
mod tools;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Set up, show and check the workspace")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Import a sample or FILE, show it, verify it natively and in Node, and find a forgery
    Demo {
        /// A file to import instead of the sample
        file: Option<PathBuf>,
        /// Options for `cim import`, such as --entity permit --id-field case
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, requires = "file")]
        options: Vec<OsString>,
    },
    /// Run all checks, or only the named ones
    Test {
        /// Names of steps; none means all
        steps: Vec<String>,
        /// List the steps
        #[arg(long)]
        list: bool,
    },
    /// Fuzz all parsers, or only the named ones
    Fuzz {
        /// Names of targets; none means all
        targets: Vec<String>,
        /// List the targets
        #[arg(long)]
        list: bool,
        /// How long each target runs
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        seconds: u64,
    },
    /// Run the long checks: two hours and more for all
    Soak {
        /// Names of steps; none means all
        steps: Vec<String>,
        /// List the steps
        #[arg(long)]
        list: bool,
        /// How long each fuzz target runs
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        seconds: u64,
        /// How often the crash test kills its writers
        #[arg(long, value_name = "COUNT", default_value_t = 1000)]
        rounds: u64,
        /// How many events the large import has
        #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
        events: u64,
        /// How often the leader of a stream is killed under racing writers
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        kills: u64,
    },
    /// Build the WebAssembly bindings and the npm package around them
    Wasm,
    /// Write the types of the domains for TypeScript, js/src/domains.ts
    Types,
    /// Build the plugins, and what else the tests load, into the target folder's `plugins`
    Plugins,
    /// Fetch the NATS server of the tests if it is missing, and print its path
    NatsServer,
    /// Run the benchmarks; further arguments are passed on
    Bench {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = Workspace::find().and_then(|workspace| match cli.task {
        Task::Demo { file, options } => demo::run(&workspace, file, options),
        Task::Test { steps, list } => checks::run(&workspace, &steps, list),
        Task::Fuzz {
            targets,
            list,
            seconds,
        } => fuzz::run(&workspace, &targets, list, seconds),
        Task::Soak {
            steps,
            list,
            seconds,
            rounds,
            events,
            kills,
        } => soak::run(
            &workspace,
            &steps,
            list,
            &soak::Length {
                seconds,
                rounds,
                events,
                kills,
            },
        ),
        Task::Wasm => setup::prepare(setup::Needs::Build).and_then(|()| js::build(&workspace)),
        Task::Types => js::types(&workspace),
        Task::Plugins => setup::prepare(setup::Needs::Plugins)
            .and_then(|()| plugins::build(&workspace))
            .and_then(|_| core_module::build(&workspace).map(drop)),
        Task::NatsServer => nats_server::ready().map(|program| println!("{}", program.display())),
        Task::Bench { arguments } => bench::run(&workspace, arguments),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{failure}");
            ExitCode::from(failure.code())
        }
    }
}

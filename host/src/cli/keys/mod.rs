//! `cim keys`.

mod args;
mod failure;
mod folder;
mod jwt;

use clap::Subcommand;

use super::failure::Failure;
use super::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Look at tokens of operators, accounts, users and activations
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys jwt decode user.creds\n  cim keys jwt validate user.creds --account account.jwt"
    )]
    Jwt(jwt::Jwt),
}

impl Keys {
    pub(crate) fn run(self, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Jwt(command) => command.run(out),
        }
    }
}

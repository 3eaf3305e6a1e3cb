//! `cim keys`.

mod account;
mod args;
mod change;
mod claims;
mod describe;
mod entities;
mod failure;
mod folder;
mod import_nsc;
mod init;
mod jwt;
mod operator;
mod passphrase;
mod permissions;
mod plan;
#[cfg(feature = "jetstream")]
mod push;
mod revoke;
mod server;
mod server_file;
mod signing_key;
mod user;

use clap::Subcommand;

use super::failure::Failure;
use super::output::Output;
use super::place::Place;

#[derive(Debug, Subcommand)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of them in a process"
)]
pub(crate) enum Keys {
    /// Make an operator, accounts, users, their creds and a server's configuration
    Init(init::Init),
    /// Make, list, show and rotate operators
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys operator list\n  cim keys operator create acme"
    )]
    Operator(operator::Operator),
    /// Make, list, show, change and rotate accounts
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys account list\n  cim keys account create orders --jetstream"
    )]
    Account(account::Account),
    /// Make, list, show and rotate users, and write their creds
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys user create ann --account orders\n  cim keys user creds ann"
    )]
    User(user::User),
    /// Make, list, show, rotate and remove signing keys
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys signing-key list orders\n  cim keys signing-key create orders --role reader --subscribe '>'"
    )]
    SigningKey(signing_key::SigningKey),
    /// Set what users may do, and say whether one may do something
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys permissions set ann --publish 'orders.>'\n  cim keys permissions check ann publish orders.paid"
    )]
    Permissions(permissions::Permissions),
    /// Let the tokens of a user, or of all users of an account, count no more
    Revoke(revoke::Revoke),
    /// Show what differs between a file that describes identities and what is there
    Plan(plan::Plan),
    /// Make identities as a file describes them
    Apply(plan::Apply),
    /// Take what nsc has made: an operator, its accounts and users, and their seeds
    ImportNsc(import_nsc::ImportNsc),
    /// Bring identities to servers: write their configuration, push accounts, compare
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys server config\n  cim keys server push\n  cim keys server diff"
    )]
    Server(server::Server),
    /// Look at tokens of operators, accounts, users and activations
    #[command(
        subcommand,
        after_help = "Examples:\n  cim keys jwt decode user.creds\n  cim keys jwt validate user.creds --account account.jwt"
    )]
    Jwt(jwt::Jwt),
    /// Change the passphrase of the keystore
    Passphrase(passphrase::Passphrase),
}

impl Keys {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Init(command) => command.run(place, out).await,
            Self::Operator(command) => command.run(place, out).await,
            Self::Account(command) => command.run(place, out).await,
            Self::User(command) => command.run(place, out).await,
            Self::SigningKey(command) => command.run(place, out).await,
            Self::Permissions(command) => command.run(place, out).await,
            Self::Revoke(command) => command.run(place, out).await,
            Self::Plan(command) => command.run(place, out).await,
            Self::Apply(command) => command.run(place, out).await,
            Self::ImportNsc(command) => command.run(place, out).await,
            Self::Server(command) => command.run(place, out).await,
            Self::Jwt(command) => command.run(out),
            Self::Passphrase(command) => command.run(out),
        }
    }
}

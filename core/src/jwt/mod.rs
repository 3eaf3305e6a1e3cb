//! NATS JWTs: what an operator says of accounts, and an account of its users.
//!
//! A token is signed JSON. [`Claims`] are what it says: an envelope, and a body of one of four kinds,
//! [`OperatorClaims`], [`AccountClaims`], [`UserClaims`] and [`ActivationClaims`]. [`Token::read`]
//! takes a token's text and checks its signature as nats-server does, in all that is lenient about
//! that (nats-io/jwt 2.8, versions 1 and 2 of the claims); [`Claims::issue`] writes one, of version 2,
//! that servers take. Fields that are not known here are kept.
//!
//! Limits are [unlimited](Limit::UNLIMITED) unless they are set, though an absent limit of a token is
//! zero.
//!
//! # Examples
//!
//! ```
//! use cim_core::jwt::{Claims, ServerVersion, Token, UserClaims};
//! use cim_core::nkey::{KeyKind, Seed};
//! use cim_core::time::Timestamp;
//!
//! let account = Seed::new(KeyKind::Account, [1; 32]);
//! let user = Seed::new(KeyKind::User, [2; 32]);
//! let now = Timestamp::from_micros(1_700_000_000_000_000).expect("a time");
//!
//! let mut claims = Claims::new(user.public_key(), "ann", UserClaims::default());
//! let text = claims.issue(&account, now, ServerVersion::default()).expect("accounts sign users");
//!
//! let token = Token::read(&text).expect("signed by the account");
//! assert_eq!(token.issuer(), account.public_key());
//! let claims: Claims<UserClaims> = token.claims().expect("a user's");
//! assert_eq!(claims.name, "ann");
//! assert!(claims.body.limits.subscriptions.is_unlimited());
//! ```

mod account;
mod activation;
mod body;
mod claims;
mod draft;
mod effective;
mod error;
mod export;
mod go_json;
mod import;
mod judge;
mod lenient;
mod limit;
mod mapping;
mod operator;
mod permissions;
mod signing_key;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod trust;
mod user;
mod v1;
mod validate;

pub use account::{
    AccountClaims, AccountLimits, Authorization, Destination, JetStreamLimits, Trace,
};
pub use activation::ActivationClaims;
pub use body::{Body, Kind};
pub use claims::{Claims, IssueError};
pub use effective::{Effective, Verdict};
pub use error::JwtError;
pub use export::{Export, Exported, Latency, Sampling};
pub use import::Import;
pub use judge::{Known, judge};
pub use limit::Limit;
pub use operator::OperatorClaims;
pub use permissions::{Networks, Permission, Permissions, Responses, TimeRange};
pub use signing_key::{Scope, SigningKey};
pub use token::{MAX_TOKEN_LEN, Token};
pub use trust::{Login, Trust, login_findings};
pub use user::{UserClaims, UserLimits};
pub use validate::{Finding, Level, ServerVersion};

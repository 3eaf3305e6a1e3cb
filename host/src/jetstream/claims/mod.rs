//! The accounts that servers know, which an operator changes while they run.
//!
//! A server with a full resolver (`resolver { type: full … }`) keeps the tokens of accounts in a folder.
//! [`push_claims`](super::JetStreamClient::push_claims) brings a token to all servers of a cluster,
//! [`look_up_claims`](super::JetStreamClient::look_up_claims) asks which token they have,
//! [`list_claims`](super::JetStreamClient::list_claims) which accounts, and
//! [`compare_claims`](super::JetStreamClient::compare_claims) sets both against ours. A server with its accounts
//! in memory takes no push: it is given its configuration anew, and told to reload it.
//!
//! All of it is for a user of the system account. A user that may do nothing else may publish to
//!
//! ```text
//! $SYS.REQ.SERVER.PING.VARZ
//! $SYS.REQ.SERVER.PING.ACCOUNTZ
//! $SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP
//! $SYS.REQ.CLAIMS.LIST
//! $SYS.REQ.CLAIMS.UPDATE
//! ```
//!
//! and may subscribe to `_INBOX.>`.
//!
//! # What servers do (nats-server 2.15.1)
//!
//! - A push replaces whatever a server has, also a newer token, and one of a signer that the server
//!   does not trust: it answers with code 200 all the same, and goes by the old token. So what is
//!   pushed is judged here before, and what a server goes by is asked behind it.
//! - The answer to a look-up is the bare token, which does not say whose answer it is. What a server
//!   goes by (`ACCOUNTZ`) it says with its name, but only of accounts that it has used since its start.

mod difference;
mod error;
mod push;
mod servers;

pub use self::difference::{AccountDifference, ClaimsDifference, ForeignAccount, Held};
pub use self::error::ClaimsError;
pub use self::push::{Outcome, Push, Pushed, ServerOutcome};
pub use self::servers::{InForce, LookedUp, ServerAccounts, ServerIdentity, StoredClaims};

/// The second in which a token was signed, where it is one of an account.
fn issued_at(token: &str) -> Option<i64> {
    use cim_core::jwt::{AccountClaims, Token};
    let claims = Token::read(token).and_then(|token| token.claims::<AccountClaims>());
    claims.ok().map(|claims| claims.issued_at)
}

//! The domain `keys`: operators, accounts and users of NATS, their keys, and what was done with them.
//!
//! Four aggregates, each under the public key that it is about: [`Operator`], [`Account`], [`User`] and
//! [`Key`]. Their events hold public data alone: no seed, and of a user's token, which may be a
//! password, its SHA-256. [`Directory`] is all of them at once.
//!
//! What an operator or an account says in its token follows from its history, and so does the second
//! at which it is signed, `issued_at`. So the same history and keys give the same token, and each change
//! a later one. Events of certificates, hardware keys and of auth callout are not among these; they
//! will be types of their own.

mod account;
mod directory;
mod key;
mod lookup;
mod operator;
mod refusal;
#[cfg(test)]
mod tests;
mod user;

pub use account::{Account, AccountCommand, AccountEvent, AccountRef, AccountState, Push};
pub use directory::{Directory, Entry, UnreadableEvent};
pub use key::{Key, KeyCommand, KeyEvent, KeyFacts, KeyRole, KeyState};
pub use lookup::LookupError;
pub use operator::{Operator, OperatorCommand, OperatorEvent, OperatorRef, OperatorState};
pub use refusal::Refusal;
pub use user::{Issued, User, UserCommand, UserEvent, UserState};

use crate::jwt::{Body, Claims, Finding, ServerVersion};
use crate::time::Timestamp;

/// The last token of the namespaces that these aggregates live in: `organization.unit.keys`.
pub const DOMAIN: &str = "keys";

/// The longest name of an operator, an account or a user, in bytes; ours, so that lists stay readable.
pub const MAX_NAME_LEN: usize = 128;

/// When something about an operator or account is decided.
///
/// An account's token is signed in the second of its last change or of its operator's, whichever is
/// later. So that each change gives a later token, an operator's is behind all those of its accounts, and
/// an account's behind those of its operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// The second that tokens are later than, of the operator or the accounts; 0 for whichever.
    pub behind: i64,
}

impl Moment {
    /// A time, behind nothing.
    pub fn at(now: Timestamp) -> Self {
        Self { now, behind: 0 }
    }

    fn issue_after(self, last: i64) -> i64 {
        issue_after(last.max(self.behind), self.now)
    }
}

/// The second of a change at `now`: later than the last one, since servers and tools tell tokens apart
/// by it.
fn issue_after(last: i64, now: Timestamp) -> i64 {
    now.seconds().max(last + 1)
}

/// Names are shown, written into files, and put into subjects by templates of scopes.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_good = !name.is_empty()
        && name.len() <= MAX_NAME_LEN
        && name.trim() == name
        && !name.chars().any(char::is_control);
    match is_good {
        true => Ok(()),
        false => Err(Refusal::Name {
            found: crate::text::shorten(name),
        }),
    }
}

/// Refuses claims that no server would take, whatever the time.
fn check_claims<B: Body>(claims: &Claims<B>) -> Result<(), Refusal> {
    let found = claims.findings(ServerVersion::default(), None);
    let findings: Vec<Finding> = found.into_iter().filter(Finding::is_refused).collect();
    match findings.is_empty() {
        true => Ok(()),
        false => Err(Refusal::Claims { findings }),
    }
}

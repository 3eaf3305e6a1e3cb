//! The kinds of tokens, and what differs between them.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::claims::Claims;
use super::fields::Read;
use super::validate::Findings;
use crate::nkey::KeyKind;

/// What a token is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// An operator, whose key signs itself.
    Operator,
    /// An account, signed by an operator.
    Account,
    /// A user, signed by an account.
    User,
    /// Leave to import something, signed by the account that exports it.
    Activation,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Account, Self::User, Self::Activation];

    /// The word in tokens, `operator`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Account => "account",
            Self::User => "user",
            Self::Activation => "activation",
        }
    }

    /// The kind of key that such a token is about.
    pub fn subject(self) -> KeyKind {
        match self {
            Self::Operator => KeyKind::Operator,
            Self::Account | Self::Activation => KeyKind::Account,
            Self::User => KeyKind::User,
        }
    }

    /// The kinds of keys that may sign such a token.
    pub fn issuers(self) -> &'static [KeyKind] {
        match self {
            Self::Operator => &[KeyKind::Operator],
            Self::Account | Self::Activation => &[KeyKind::Account, KeyKind::Operator],
            Self::User => &[KeyKind::Account],
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The claims of one kind of token, what stands under `nats`.
#[allow(private_bounds, reason = "who reads fields is nobody else's concern")]
pub trait Body: Clone + Serialize + DeserializeOwned + Read {
    /// The kind.
    const KIND: Kind;

    /// Brings lists into the order in which they are written.
    fn sort(&mut self) {}

    /// Leaves out what servers leave out when they read such claims.
    #[doc(hidden)]
    fn settle(&mut self) {}

    /// Writes among the fields of a token that limits are none which are absent.
    #[doc(hidden)]
    fn unlimit(_fields: &mut Map<String, Value>) {}

    #[doc(hidden)]
    fn check(claims: &Claims<Self>, findings: &mut Findings);
}

/// Sorts by texts; what has the same stays in its order.
pub(super) fn sort_by_text<T>(items: &mut Vec<T>, text: impl Fn(&T) -> &str) {
    // One sort for all kinds of items, since each would be code of its own.
    let mut order: Vec<(String, usize)> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        order.push((text(item).to_owned(), at));
    }
    order.sort_unstable();
    let mut unsorted: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.iter().filter_map(|(_, at)| unsorted[*at].take()));
}

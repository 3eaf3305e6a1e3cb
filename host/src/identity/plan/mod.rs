//! A description of identities in a file, and the way from what is there to what it says.
//!
//! A [`Spec`] names one operator with its accounts, and their roles and users. [`Identities::plan`] tells
//! what [`Identities::apply`] would do: both decide on the same draft, and only one of them stores it.
//! So a plan is refused for what an apply would be refused for, and applied twice, nothing changes the
//! second time.
//!
//! What is there and not in the file is told, and left alone; with [`Unlisted::Remove`], users are
//! revoked and the signing keys of roles removed. Operators and accounts are never removed, and signing
//! keys without a role are not described.

mod changes;
mod claims;
mod differ;
mod error;
mod spec;
#[cfg(test)]
mod tests;
mod values;

use cim_core::nkey::PublicKey;

pub use changes::FieldChange;
pub use error::SpecError;
pub use spec::Spec;

use super::error::IdentityError;
use super::identities::Identities;

/// What is done with users and roles of listed accounts that are not in the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unlisted {
    /// They stay.
    Leave,
    /// Users are revoked, and the signing keys of roles removed.
    Remove,
}

/// What is to be done, or was.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The name of the operator.
    pub operator: String,
    /// The steps: the operator, then account by account, with its roles and users.
    pub steps: Vec<Step>,
}

impl Planned {
    /// Whether everything is as the file says. What is not in the file does not count.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|step| step.action == Action::Leave)
    }

    /// How many things are made, changed, removed or left.
    pub fn count(&self, action: Action) -> u64 {
        self.steps
            .iter()
            .filter(|step| step.action == action)
            .count() as u64
    }
}

/// One thing that is not as the file says, or not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// What it is done to.
    pub kind: EntityKind,
    /// Its name: `acme`, `orders`, and `orders/ann` for a user or role of an account.
    pub name: String,
    /// Its key, the signing key of a role. `None` in a plan, for what is not made yet.
    pub key: Option<PublicKey>,
    /// What differs, for a change.
    pub changes: Vec<FieldChange>,
    /// What people should know.
    pub notes: Vec<String>,
    /// What is to be done by hand behind it.
    pub then: Vec<Then>,
}

/// What is done to an entity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It is made.
    Create,
    /// It says something else.
    Change,
    /// A user is revoked, or a role's signing keys are removed.
    Remove,
    /// Nothing: it is not in the file, or waits for somebody.
    Leave,
}

impl Action {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
            Self::Leave => "leave",
        }
    }

    /// One sign for it, as a line of a plan begins.
    pub fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Remove => '-',
            Self::Leave => '=',
        }
    }
}

/// What the file describes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EntityKind {
    /// An operator.
    Operator,
    /// An account.
    Account,
    /// A role of an account.
    Role,
    /// A user of an account.
    User,
}

impl EntityKind {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Account => "account",
            Self::Role => "role",
            Self::User => "user",
        }
    }
}

/// What is to be done by hand, since it throws somebody out or hands a secret over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Then {
    /// A user needs new creds.
    IssueCreds {
        /// The user, `ACCOUNT/USER`.
        user: String,
    },
    /// A signing key is to be removed once all its users have new creds.
    RemoveSigningKey {
        /// The key.
        key: PublicKey,
    },
}

impl Identities {
    /// Tells what [`apply`](Self::apply) would do. No seed is looked at.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Spec`] when what is described is refused.
    pub fn plan(&self, spec: &Spec, unlisted: Unlisted) -> Result<Planned, IdentityError> {
        let (_, mut planned) = self.draft(|draft| draft.follow(spec, unlisted))?;
        let directory = self.directory();
        for step in &mut planned.steps {
            // New keys of a draft are gone with it.
            step.key = step.key.filter(|key| directory.key(*key).facts().is_some());
        }
        Ok(planned)
    }

    /// Makes the identities as they are described, in one change, and tells what was done.
    ///
    /// # Errors
    ///
    /// As [`plan`](Self::plan), and what [`change`](Self::change) fails with.
    pub async fn apply(
        &mut self,
        spec: &Spec,
        unlisted: Unlisted,
    ) -> Result<Planned, IdentityError> {
        self.change(|draft| draft.follow(spec, unlisted)).await
    }
}

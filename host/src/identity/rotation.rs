//! How keys come and go: signing keys and their successors, users that are revoked.

use cim_core::domain::keys::{
    AccountCommand, KeyCommand, KeyRole, OperatorCommand, Refusal, UserCommand,
};
use cim_core::jwt::{Scope, SigningKey, UserLimits};
use cim_core::nkey::{KeyKind, PublicKey};

use super::draft::Draft;
use super::error::IdentityError;

impl Draft<'_> {
    /// Makes another signing key for an operator or account; for an account, with a role or without.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`], with [`Refusal::RoleTwice`] when a key of the role signs that allows
    /// something else.
    pub fn add_signing_key(
        &mut self,
        holder: PublicKey,
        role: Option<(&str, UserLimits)>,
    ) -> Result<PublicKey, IdentityError> {
        let scope = role.map(|(role, limits)| Scope::new("", role, limits));
        if let Some(scope) = &scope {
            self.check_role(holder, scope)?;
        }
        self.add_key(holder, scope)
    }

    /// A role says one thing, whichever of its keys signs.
    fn check_role(&self, account: PublicKey, scope: &Scope) -> Result<(), Refusal> {
        let Some(entry) = self.directory().accounts.get(&account) else {
            return Ok(());
        };
        let keys = entry.state.signing_keys_of(Some(&scope.role));
        let active = keys.filter(|key| self.directory().key(*key).signer().is_ok());
        let scopes = active.filter_map(|key| entry.state.signing_key(key)?.scope());
        for known in scopes {
            if known.template != scope.template {
                let role = scope.role.clone();
                return Err(Refusal::RoleTwice { role });
            }
        }
        Ok(())
    }

    /// The same with a whole scope, whose key is the new one.
    pub(super) fn add_key(
        &mut self,
        holder: PublicKey,
        scope: Option<Scope>,
    ) -> Result<PublicKey, IdentityError> {
        let key = self.generate(holder.kind());
        if holder.kind() == KeyKind::Operator {
            self.operator(holder, OperatorCommand::AddSigningKey { key })?;
        } else {
            let signing_key = match scope {
                None => SigningKey::Plain(key.to_string()),
                Some(mut scope) => {
                    scope.key = key.to_string();
                    SigningKey::Scoped(Box::new(scope))
                }
            };
            self.account(holder, AccountCommand::AddSigningKey(signing_key))?;
        }
        self.take_key(key, KeyRole::Signing, holder)?;
        Ok(key)
    }

    /// Makes a successor for a signing key, with the same role. What the old one has signed counts on
    /// until it is [removed](Self::remove_signing_key).
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn rotate_signing_key(&mut self, key: PublicKey) -> Result<PublicKey, IdentityError> {
        let holder = self.directory().key(key).signer()?.holder;
        let scope = match self.directory().accounts.get(&holder) {
            None => None,
            Some(entry) => {
                let known = entry.state.signing_key(key);
                known
                    .ok_or(Refusal::NotSigningKey { key })?
                    .scope()
                    .cloned()
            }
        };
        let successor = self.add_key(holder, scope)?;
        self.key(key, KeyCommand::Rotate { successor })?;
        Ok(successor)
    }

    /// Takes a signing key out: what it has signed counts no more, once servers know.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn remove_signing_key(
        &mut self,
        key: PublicKey,
        reason: &str,
    ) -> Result<(), IdentityError> {
        let facts = self.directory().key(key).facts();
        let holder = facts.ok_or(Refusal::Absent { what: "key" })?.holder;
        match holder.kind() {
            KeyKind::Operator => {
                self.operator(holder, OperatorCommand::RemoveSigningKey { key })?;
            }
            _ => {
                self.check_not_last(holder, key)?;
                self.account(holder, AccountCommand::RemoveSigningKey { key })?;
            }
        }
        self.revoke_key(key, reason)
    }

    /// Under a strict operator the last key without a role is what all users without one live by.
    fn check_not_last(&self, account: PublicKey, key: PublicKey) -> Result<(), Refusal> {
        let state = &self.directory().accounts[&account].state;
        let operator = state
            .operator
            .and_then(|key| self.directory().operators.get(&key));
        let is_strict = operator.is_some_and(|entry| entry.state.settings().is_strict);
        let plain: Vec<PublicKey> = state.signing_keys_of(None).collect();
        match is_strict && plain == [key] {
            true => Err(Refusal::LastSigningKey { key }),
            false => Ok(()),
        }
    }

    /// Lets a user's tokens count no more, once servers know its account's token, and its key sign
    /// nothing more.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn revoke_user(&mut self, user: PublicKey, reason: &str) -> Result<(), IdentityError> {
        let entry = self.directory().users.get(&user);
        let account = entry.and_then(|entry| entry.state.account);
        let account = account.ok_or(Refusal::Absent { what: "user" })?;
        let revoke = UserCommand::Revoke {
            reason: reason.to_owned(),
        };
        self.user(user, revoke)?;
        let until = self.directory().users[&user]
            .state
            .revoked_until
            .unwrap_or(0);
        let revoke = AccountCommand::Revoke {
            user: Some(user),
            until,
        };
        self.account(account, revoke)?;
        self.revoke_key(user, reason)
    }

    /// Lets all tokens of an account's users count no more that were issued until now, once servers know
    /// its token.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn revoke_all(&mut self, account: PublicKey) -> Result<(), IdentityError> {
        let users = self.directory().users_of(account);
        let issued = users.filter_map(|user| self.directory().users[&user].state.issued.as_ref());
        // The last tokens may have been issued a little ahead of the time.
        let last = issued.map(|issued| issued.issued_at).max().unwrap_or(0);
        let until = last.max(self.now().seconds());
        self.account(account, AccountCommand::Revoke { user: None, until })
    }

    /// Revokes a user, and makes one of the same name that may do the same.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Refused`].
    pub fn rotate_user(&mut self, user: PublicKey) -> Result<PublicKey, IdentityError> {
        let entry = self.directory().users.get(&user);
        let state = entry.ok_or(Refusal::Absent { what: "user" })?.state.clone();
        let account = state.account.ok_or(Refusal::Absent { what: "user" })?;
        if !self.directory().key(user).is_revoked() {
            self.revoke_user(user, "rotated")?;
        }
        self.create_user(
            account,
            &state.name,
            state.role.as_deref(),
            state.limits.unwrap_or_else(UserLimits::none),
            state.tags,
        )
    }
}

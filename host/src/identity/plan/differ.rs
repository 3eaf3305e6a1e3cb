//! From a description and what is there to what is to be done, decided on a draft.
//!
//! Accounts may name each other, and an account its users. So accounts that are missing are made first,
//! then roles and users, and what names others is said last.

use std::collections::BTreeMap;
use std::ops::Range;

use cim_core::domain::keys::{KeyCommand, Refusal};
use cim_core::jwt::{AccountClaims, Body as _, OperatorClaims, Scope, SigningKey, UserLimits};
use cim_core::nkey::{KeyKind, PublicKey};
use serde_json::json;
use toml::Spanned;

use super::changes::{FieldChange, changes};
use super::claims::Reader;
use super::error::SpecError;
use super::spec::{AccountTable, OperatorForm, RoleTable, Spec, UserTable};
use super::{Action, EntityKind, Planned, Step, Then, Unlisted};
use crate::identity::draft::Draft;
use crate::identity::error::IdentityError;

impl Draft<'_> {
    /// Makes the identities as they are described, and tells what that takes.
    ///
    /// A role that is to allow something else gets another signing key; what the old one has signed
    /// counts until that is removed by hand, behind the last user who was given new creds.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Spec`] when what is described is refused.
    pub fn follow(&mut self, spec: &Spec, unlisted: Unlisted) -> Result<Planned, IdentityError> {
        let form = spec.file.operator.get_ref();
        let name = match form {
            OperatorForm::Named(name) => name,
            OperatorForm::Described(table) => &table.name,
        };
        let found = self.find_operator(spec, name)?;
        let mut operator_step = match found {
            Some(key) => step(Action::Change, EntityKind::Operator, name, Some(key)),
            None => step(Action::Create, EntityKind::Operator, name, None),
        };
        let operator = match found {
            Some(key) => key,
            None => {
                let made = self.create_operator(name, OperatorClaims::default());
                made.map_err(refused_at(
                    spec,
                    spec.file.operator.span(),
                    "the operator",
                    name,
                ))?
            }
        };
        operator_step.key = Some(operator);
        let mut follower = Follower {
            draft: self,
            spec,
            unlisted,
            operator,
            accounts: BTreeMap::new(),
        };
        let mut steps = follower.accounts()?;
        if let OperatorForm::Described(_) = form {
            operator_step.changes = follower.operator(name)?;
        }
        if operator_step.action == Action::Create {
            operator_step.changes.clear();
        }
        if operator_step.action == Action::Create || !operator_step.changes.is_empty() {
            steps.insert(0, operator_step);
        }
        Ok(Planned {
            operator: name.clone(),
            steps,
        })
    }

    fn find_operator(&self, spec: &Spec, name: &str) -> Result<Option<PublicKey>, SpecError> {
        let operators = &self.directory().operators;
        let mut found = operators
            .iter()
            .filter(|(_, entry)| entry.state.name == name);
        match (found.next(), found.next()) {
            (found, None) => Ok(found.map(|(key, _)| *key)),
            (_, Some(_)) => {
                let why = format!("there are several operators `{name}`");
                Err(spec.invalid(spec.file.operator.span(), why))
            }
        }
    }
}

struct Follower<'a, 'd> {
    draft: &'a mut Draft<'d>,
    spec: &'a Spec,
    unlisted: Unlisted,
    operator: PublicKey,
    /// The accounts of the file, once they are there.
    accounts: BTreeMap<&'a str, PublicKey>,
}

impl<'a> Follower<'a, '_> {
    fn accounts(&mut self) -> Result<Vec<Step>, IdentityError> {
        let spec = self.spec;
        let mut steps = Vec::new();
        for (name, table) in &spec.file.account {
            let (key, action) = match self.find_account(name) {
                Some(key) => (key, Action::Change),
                None => (self.create_account(name, table)?, Action::Create),
            };
            self.accounts.insert(name, key);
            steps.push((
                step(action, EntityKind::Account, name, Some(key)),
                Vec::new(),
            ));
        }
        for ((name, table), (account, steps)) in spec.file.account.iter().zip(&mut steps) {
            let key = self.accounts[&**name];
            for (role, table) in &table.get_ref().role {
                steps.extend(self.role(key, name, role, table)?);
            }
            for (user, table) in &table.get_ref().user {
                steps.extend(self.user(key, name, user, table)?);
            }
            if account.action != Action::Create {
                steps.extend(self.unlisted(key, name, table.get_ref())?);
            }
        }
        for ((name, table), (account, _)) in spec.file.account.iter().zip(&mut steps) {
            let changes = self.account(self.accounts[&**name], name, table)?;
            if account.action == Action::Change {
                account.changes = changes;
            }
        }
        let mut all = Vec::new();
        for (account, steps) in steps {
            if account.action == Action::Create || !account.changes.is_empty() {
                all.push(account);
            }
            all.extend(steps);
        }
        let listed: Vec<PublicKey> = self.accounts.values().copied().collect();
        let directory = self.draft.directory();
        for key in directory.accounts_of(self.operator) {
            if !listed.contains(&key) {
                let name = &directory.accounts[&key].state.name;
                let mut left = step(Action::Leave, EntityKind::Account, name, Some(key));
                left.notes.push(NOT_LISTED.to_owned());
                all.push(left);
            }
        }
        Ok(all)
    }

    /// Brings the operator to what is described.
    fn operator(&mut self, name: &str) -> Result<Vec<FieldChange>, IdentityError> {
        let form = &self.spec.file.operator;
        let OperatorForm::Described(table) = form.get_ref() else {
            return Ok(Vec::new());
        };
        let wanted = self
            .reader()
            .operator(table, &|name| self.named_account(name).map(Some))?;
        let state = &self.draft.directory().operators[&self.operator].state;
        let found = changes(state.settings(), &wanted);
        let set = self.draft.set_operator(self.operator, wanted);
        set.map_err(refused_at(self.spec, form.span(), "the operator", name))?;
        Ok(found)
    }

    fn find_account(&self, name: &str) -> Option<PublicKey> {
        let directory = self.draft.directory();
        directory
            .accounts_of(self.operator)
            .find(|key| directory.accounts[key].state.name == name)
    }

    fn create_account(
        &mut self,
        name: &str,
        table: &Spanned<AccountTable>,
    ) -> Result<PublicKey, IdentityError> {
        // Whom it names may not be there yet.
        let later = |_: &Spanned<String>| Ok(None);
        let claims = self.reader().account(table.get_ref(), &later, &later)?;
        let made = self.draft.create_account(self.operator, name, claims);
        made.map_err(refused_at(self.spec, table.span(), "the account", name))
    }

    /// Brings an account to what is described.
    fn account(
        &mut self,
        account: PublicKey,
        name: &str,
        table: &Spanned<AccountTable>,
    ) -> Result<Vec<FieldChange>, IdentityError> {
        let mut wanted = self.reader().account(
            table.get_ref(),
            &|name| self.named_account(name).map(Some),
            &|user| self.named_user(account, user).map(Some),
        )?;
        let directory = self.draft.directory();
        let mut found = directory.accounts[&account].state.settings().clone();
        sort(&mut found);
        sort(&mut wanted);
        let changes = changes(&found, &wanted);
        if changes.is_empty() {
            return Ok(changes);
        }
        let set = self.draft.set_account(account, wanted);
        set.map_err(refused_at(self.spec, table.span(), "the account", name))?;
        Ok(changes)
    }

    fn role(
        &mut self,
        account: PublicKey,
        account_name: &str,
        role: &str,
        table: &Spanned<RoleTable>,
    ) -> Result<Vec<Step>, IdentityError> {
        let name = format!("{account_name}/{role}");
        let RoleTable { description, may } = table.get_ref();
        let mut scope = Scope::new("", role, self.reader().limits(may)?);
        scope.description.clone_from(description);
        let directory = self.draft.directory();
        let state = &directory.accounts[&account].state;
        let keys: Vec<PublicKey> = state.signing_keys_of(Some(role)).collect();
        let (active, old): (Vec<PublicKey>, Vec<PublicKey>) = keys
            .into_iter()
            .partition(|key| directory.key(*key).signer().is_ok());
        let mut steps = Vec::new();
        for key in old {
            let mut left = step(Action::Leave, EntityKind::Role, &name, Some(key));
            left.notes.push("its former key still counts".to_owned());
            left.then = self.behind_rotation(account, account_name, key);
            steps.push(left);
        }
        let refused = refused_at(self.spec, table.span(), "the role", &name);
        let Some(key) = active.last().copied() else {
            let made = self.draft.add_key(account, Some(scope)).map_err(refused)?;
            steps.push(step(Action::Create, EntityKind::Role, &name, Some(made)));
            return Ok(steps);
        };
        let known = state.signing_key(key).and_then(SigningKey::scope);
        let before = known
            .map(|known| known.template.clone())
            .unwrap_or_default();
        if before == scope.template {
            return Ok(steps);
        }
        let mut changed = step(Action::Change, EntityKind::Role, &name, None);
        changed.changes = changes(&before, &scope.template);
        changed.notes.push(format!(
            "it gets a new signing key; what `{key}` has signed says what it did until that is removed"
        ));
        changed.then = self.behind_rotation(account, account_name, key);
        let made = self.draft.add_key(account, Some(scope)).map_err(refused)?;
        self.draft
            .key(key, KeyCommand::Rotate { successor: made })?;
        changed.key = Some(made);
        steps.push(changed);
        Ok(steps)
    }

    /// What is to be done before a rotated key of a role is removed, and that.
    fn behind_rotation(&self, account: PublicKey, name: &str, key: PublicKey) -> Vec<Then> {
        let directory = self.draft.directory();
        let users = directory.users_of(account).filter(|user| {
            let issued = directory.users[user].state.issued.as_ref();
            !directory.key(*user).is_revoked() && issued.is_some_and(|found| found.issuer == key)
        });
        let mut then: Vec<Then> = users
            .map(|user| Then::IssueCreds {
                user: format!("{name}/{}", directory.users[&user].state.name),
            })
            .collect();
        then.push(Then::RemoveSigningKey { key });
        then
    }

    fn user(
        &mut self,
        account: PublicKey,
        account_name: &str,
        user: &str,
        table: &Spanned<UserTable>,
    ) -> Result<Option<Step>, IdentityError> {
        let name = format!("{account_name}/{user}");
        let UserTable {
            role, tags, may, ..
        } = table.get_ref();
        let role = role.as_ref().map(|role| role.get_ref().as_str());
        let limits = match role {
            Some(_) => UserLimits::none(),
            None => self.reader().limits(may)?,
        };
        let refused = refused_at(self.spec, table.span(), "the user", &name);
        let directory = self.draft.directory();
        let users = directory.users_of(account);
        let of_name = users.filter(|key| directory.users[key].state.name == user);
        let (revoked, active): (Vec<PublicKey>, Vec<PublicKey>) =
            of_name.partition(|key| directory.key(*key).is_revoked());
        let Some(key) = active.first().copied() else {
            let made = self
                .draft
                .create_user(account, user, role, limits, tags.clone());
            let key = made.map_err(refused)?;
            let mut made = step(Action::Create, EntityKind::User, &name, Some(key));
            if !revoked.is_empty() {
                made.notes
                    .push("one of this name was revoked; this is a new one".to_owned());
            }
            made.then.push(Then::IssueCreds { user: name });
            return Ok(Some(made));
        };
        let state = &directory.users[&key].state;
        let mut found = Vec::new();
        let mut note = |field: &str, before: serde_json::Value, after: serde_json::Value| {
            if before != after {
                found.push(FieldChange {
                    field: field.to_owned(),
                    before: Some(before).filter(|value| !value.is_null()),
                    after: Some(after).filter(|value| !value.is_null()),
                });
            }
        };
        note("role", json!(state.role), json!(role));
        note("tags", json!(state.tags), json!(tags));
        if role.is_none() {
            let before = state.limits.clone().unwrap_or_else(UserLimits::none);
            found.extend(changes(&before, &limits));
        }
        if found.is_empty() {
            return Ok(None);
        }
        let (is_issued, is_role) = (state.issued.is_some(), state.role.as_deref() != role);
        let changed = match (is_role, role) {
            (true, _) => self.draft.set_role(key, role, limits),
            (false, Some(_)) => Ok(()),
            (false, None) => self.draft.set_limits(key, limits),
        };
        let changed = changed.and_then(|()| self.draft.set_tags(key, tags.clone()));
        changed.map_err(refused)?;
        let mut changed = step(Action::Change, EntityKind::User, &name, Some(key));
        changed.changes = found;
        if is_issued {
            changed
                .notes
                .push("creds that are out say what they did".to_owned());
            changed.then.push(Then::IssueCreds { user: name });
        }
        Ok(Some(changed))
    }

    /// Users and roles of an account that are not in the file.
    fn unlisted(
        &mut self,
        account: PublicKey,
        account_name: &str,
        table: &AccountTable,
    ) -> Result<Vec<Step>, IdentityError> {
        let action = match self.unlisted {
            Unlisted::Leave => Action::Leave,
            Unlisted::Remove => Action::Remove,
        };
        let directory = self.draft.directory();
        let mut steps = Vec::new();
        for scope in directory.accounts[&account].state.signing_keys.iter() {
            let Some(scope) = scope
                .scope()
                .filter(|scope| !table.role.contains_key(&scope.role))
            else {
                continue;
            };
            let name = format!("{account_name}/{}", scope.role);
            steps.push(step(
                action,
                EntityKind::Role,
                &name,
                scope.key.parse().ok(),
            ));
        }
        let users = directory.users_of(account).filter(|key| {
            let is_listed = table.user.contains_key(&directory.users[key].state.name);
            !is_listed && !directory.key(*key).is_revoked()
        });
        let mut users: Vec<Step> = users
            .map(|key| {
                let name = format!("{account_name}/{}", directory.users[&key].state.name);
                step(action, EntityKind::User, &name, Some(key))
            })
            .collect();
        users.sort_by(|one, other| one.name.cmp(&other.name));
        steps.extend(users);
        for step in &mut steps {
            step.notes.push(NOT_LISTED.to_owned());
            let (Action::Remove, Some(key)) = (step.action, step.key) else {
                continue;
            };
            match step.kind {
                EntityKind::User => self.draft.revoke_user(key, NOT_LISTED)?,
                _ => self.draft.remove_signing_key(key, NOT_LISTED)?,
            }
        }
        Ok(steps)
    }

    /// The account that a place of the file names, by its name or key.
    fn named_account(&self, name: &Spanned<String>) -> Result<PublicKey, SpecError> {
        let text = name.get_ref();
        if let Ok(key) = PublicKey::of_kind(text, KeyKind::Account) {
            return Ok(key);
        }
        self.find_account(text).ok_or_else(|| {
            let why = format!(
                "expected the key of an account, or the name of one in this file or of its \
                 operator, found `{text}`"
            );
            self.spec.invalid(name.span(), why)
        })
    }

    /// The user of an account that a place of the file names, by its name or key.
    fn named_user(
        &self,
        account: PublicKey,
        name: &Spanned<String>,
    ) -> Result<PublicKey, SpecError> {
        let text = name.get_ref();
        if let Ok(key) = PublicKey::of_kind(text, KeyKind::User) {
            return Ok(key);
        }
        let directory = self.draft.directory();
        let mut users = directory.users_of(account).filter(|key| {
            directory.users[key].state.name == *text && !directory.key(*key).is_revoked()
        });
        users.next().ok_or_else(|| {
            let why = format!(
                "expected the key of a user, or the name of one of this account, found `{text}`"
            );
            self.spec.invalid(name.span(), why)
        })
    }

    fn reader(&self) -> Reader<'a> {
        Reader {
            spec: self.spec,
            subject: self.operator,
        }
    }
}

/// Tells where in the file stands what is refused.
fn refused_at<'a>(
    spec: &'a Spec,
    span: Range<usize>,
    kind: &'a str,
    name: &'a str,
) -> impl Fn(IdentityError) -> IdentityError + 'a {
    move |error| {
        let refused = |source: Refusal| {
            spec.refused(span.clone(), format!("{kind} `{name}`"), source)
                .into()
        };
        match error {
            IdentityError::Refused(source) => refused(source),
            error => error,
        }
    }
}

fn step(action: Action, kind: EntityKind, name: &str, key: Option<PublicKey>) -> Step {
    Step {
        action,
        kind,
        name: name.to_owned(),
        key,
        changes: Vec::new(),
        notes: Vec::new(),
        then: Vec::new(),
    }
}

/// Lists whose order says nothing are compared in the order in which they are written.
fn sort(claims: &mut AccountClaims) {
    claims.sort();
}

const NOT_LISTED: &str = "not in the file";

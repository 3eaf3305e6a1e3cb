//! Accounts: who vouches for users, and what they share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Moment, OperatorRef, Refusal, check_claims, check_name};
use crate::aggregate::Aggregate;
use crate::jwt::{AccountClaims, Claims, Permissions, Scope, SigningKey};
use crate::nkey::{KeyKind, PublicKey};
use crate::payload::DomainEvent;

/// An account, under its identity key.
#[derive(Debug)]
pub struct Account;

/// A server that has taken an account's token.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Push {
    /// The server's id, `N…`.
    pub server: String,
    /// Its name.
    pub server_name: String,
    /// The SHA-256 of the token, as lower-case hex.
    pub token_sha256: String,
    /// The second of the token.
    pub token_issued_at: i64,
}

/// What can happen to an account. Each event that changes its token says at which second that is signed
/// from then on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(entity = "account")]
pub enum AccountEvent {
    /// It was made.
    AccountCreated {
        /// Its identity key.
        account: PublicKey,
        /// A name for people.
        name: String,
        /// Who vouches for it.
        operator: PublicKey,
        /// What its token says, without signing keys and revocations.
        claims: Box<AccountClaims>,
        /// The second of its token.
        issued_at: i64,
    },
    /// It was made elsewhere, and is kept here from now on.
    AccountImported {
        /// Its identity key.
        account: PublicKey,
        /// A name for people.
        name: String,
        /// Who vouches for it.
        operator: PublicKey,
        /// What its token says, with signing keys and revocations.
        claims: Box<AccountClaims>,
        /// Words that templates of roles use, `team:blue`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// The second of its token, behind the one that it was imported with.
        issued_at: i64,
    },
    /// Another key may sign users.
    SigningKeyAdded {
        /// The key, and what all users may do that it signs, if it has a role.
        signing_key: SigningKey,
        /// The second of the token.
        issued_at: i64,
    },
    /// A key may not sign users any more, and whom it has signed is thrown out.
    SigningKeyRemoved {
        /// The key.
        key: PublicKey,
        /// The second of the token.
        issued_at: i64,
    },
    /// Users that say nothing of it may do something else.
    PermissionsSet {
        /// What they may do.
        permissions: Permissions,
        /// The second of the token.
        issued_at: i64,
    },
    /// Its token says something else.
    ClaimsSet {
        /// What it says, without signing keys and revocations.
        claims: Box<AccountClaims>,
        /// The second of the token.
        issued_at: i64,
    },
    /// The tokens of a user, or of all with `*`, count no more.
    RevocationAdded {
        /// The user's key, or `*`.
        user: String,
        /// Up to this second.
        until: i64,
        /// The second of the account's token.
        issued_at: i64,
    },
    /// Servers have taken the token.
    ClaimsPushed {
        /// Which, and what.
        #[serde(flatten)]
        push: Push,
    },
}

/// What can be asked of an account.
#[derive(Clone, Debug, PartialEq)]
pub enum AccountCommand {
    /// Make it.
    Create {
        /// Its identity key.
        account: PublicKey,
        /// A name for people.
        name: String,
        /// Who vouches for it.
        operator: OperatorRef,
        /// What its token is to say. Signing keys and revocations in it are passed over.
        claims: Box<AccountClaims>,
    },
    /// Take one that was made elsewhere.
    Import {
        /// Its identity key.
        account: PublicKey,
        /// A name for people.
        name: String,
        /// Who vouches for it.
        operator: OperatorRef,
        /// What its token says, with signing keys and revocations.
        claims: Box<AccountClaims>,
        /// Words that templates of roles use.
        tags: Vec<String>,
        /// The second of its token. Ours are later.
        issued_at: i64,
    },
    /// Let another key sign users, with a role or without.
    AddSigningKey(SigningKey),
    /// Let a key not sign users any more, and throw out whom it has signed.
    RemoveSigningKey {
        /// The key.
        key: PublicKey,
    },
    /// Let users that say nothing of it do something else.
    SetPermissions(Permissions),
    /// Let its token say something else. Signing keys and revocations in it are passed over.
    SetClaims(Box<AccountClaims>),
    /// Refuse tokens that were issued already.
    Revoke {
        /// The user; all of them with `None`.
        user: Option<PublicKey>,
        /// Up to this second.
        until: i64,
    },
    /// Take note of a server that has taken the token.
    TakeNoteOfPush(Push),
}

/// An account as its history tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountState {
    /// Its identity key; `None` before it is made.
    pub account: Option<PublicKey>,
    /// Its name.
    pub name: String,
    /// Who vouches for it.
    pub operator: Option<PublicKey>,
    /// The keys that sign its users, the newest last.
    pub signing_keys: Vec<SigningKey>,
    /// Until which second the tokens of users count no more.
    pub revocations: BTreeMap<String, i64>,
    /// The last push to each server, by its id.
    pub pushed: BTreeMap<String, Push>,
    /// The second of its last change; its token is signed then, or later if the operator changes.
    pub issued_at: i64,
    /// Words that templates of roles use.
    pub tags: Vec<String>,
    claims: AccountClaims,
}

/// An account that is there: what a user needs in order to be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountRef {
    key: PublicKey,
    roles: Vec<String>,
}

impl AccountRef {
    /// Its identity key.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Whether one of its signing keys has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|known| known == role)
    }
}

impl AccountState {
    /// The account, for users to be made in.
    ///
    /// # Errors
    ///
    /// [`Refusal::Absent`] when it was not made.
    pub fn reference(&self) -> Result<AccountRef, Refusal> {
        let scopes = self.signing_keys.iter().filter_map(SigningKey::scope);
        Ok(AccountRef {
            key: self.account.ok_or(Refusal::Absent { what: "account" })?,
            roles: scopes.map(|scope| scope.role.clone()).collect(),
        })
    }

    /// What its token says; `None` before it is made.
    pub fn claims(&self) -> Option<Claims<AccountClaims>> {
        let body = AccountClaims {
            signing_keys: self.signing_keys.clone(),
            revocations: self.revocations.clone(),
            ..self.claims.clone()
        };
        let mut claims = Claims::new(self.account?, &self.name, body);
        claims.tags.clone_from(&self.tags);
        Some(claims)
    }

    /// What may be set of its token: all but signing keys and revocations.
    pub fn settings(&self) -> &AccountClaims {
        &self.claims
    }

    /// Its keys for users of a role, or of none, the newest last.
    pub fn signing_keys_of(&self, role: Option<&str>) -> impl Iterator<Item = PublicKey> {
        let is_of = move |key: &&SigningKey| key.scope().map(|scope| scope.role.as_str()) == role;
        self.signing_keys
            .iter()
            .filter(is_of)
            .filter_map(|key| key.key().parse().ok())
    }

    /// Until which second the tokens of a user count no more; 0 when all count.
    pub fn revoked_until(&self, user: PublicKey) -> i64 {
        [user.as_str(), "*"]
            .iter()
            .filter_map(|name| self.revocations.get(*name))
            .fold(0, |last, second| last.max(*second))
    }

    /// One of its signing keys.
    pub fn signing_key(&self, key: PublicKey) -> Option<&SigningKey> {
        self.signing_keys
            .iter()
            .find(|known| known.key() == key.as_str())
    }
}

impl Aggregate for Account {
    type State = AccountState;
    type Event = AccountEvent;
    type Command = (AccountCommand, Moment);
    type Error = Refusal;

    fn initial_state() -> AccountState {
        AccountState::default()
    }

    fn evolve(mut state: AccountState, event: &AccountEvent) -> AccountState {
        let second = match event {
            AccountEvent::AccountCreated {
                account,
                name,
                operator,
                claims,
                issued_at,
            } => {
                state.account = Some(*account);
                state.name.clone_from(name);
                state.operator = Some(*operator);
                state.claims = (**claims).clone();
                issued_at
            }
            AccountEvent::AccountImported {
                account,
                name,
                operator,
                claims,
                tags,
                issued_at,
            } => {
                state.account = Some(*account);
                state.name.clone_from(name);
                state.operator = Some(*operator);
                state.claims = (**claims).clone();
                state.signing_keys = std::mem::take(&mut state.claims.signing_keys);
                state.revocations = std::mem::take(&mut state.claims.revocations);
                state.tags.clone_from(tags);
                issued_at
            }
            AccountEvent::SigningKeyAdded {
                signing_key,
                issued_at,
            } => {
                state.signing_keys.push(signing_key.clone());
                issued_at
            }
            AccountEvent::SigningKeyRemoved { key, issued_at } => {
                state
                    .signing_keys
                    .retain(|known| known.key() != key.as_str());
                issued_at
            }
            AccountEvent::PermissionsSet {
                permissions,
                issued_at,
            } => {
                state.claims.default_permissions = permissions.clone();
                issued_at
            }
            AccountEvent::ClaimsSet { claims, issued_at } => {
                state.claims = (**claims).clone();
                issued_at
            }
            AccountEvent::RevocationAdded {
                user,
                until,
                issued_at,
            } => {
                let last = state.revocations.entry(user.clone()).or_insert(*until);
                *last = (*last).max(*until);
                issued_at
            }
            AccountEvent::ClaimsPushed { push } => {
                state.pushed.insert(push.server.clone(), push.clone());
                return state;
            }
        };
        state.issued_at = *second;
        state
    }

    fn decide(
        state: &AccountState,
        (command, moment): (AccountCommand, Moment),
    ) -> Result<Vec<AccountEvent>, Refusal> {
        let issued_at = moment.issue_after(state.issued_at);
        let event = match command {
            AccountCommand::Create {
                account,
                name,
                operator,
                claims,
            } => {
                if let Some(key) = state.account {
                    return Err(Refusal::Exists { key });
                }
                check_kind(account)?;
                check_name(&name)?;
                AccountEvent::AccountCreated {
                    account,
                    name,
                    operator: operator.key(),
                    claims: without_keys(claims),
                    issued_at,
                }
            }
            AccountCommand::Import {
                account,
                name,
                operator,
                claims,
                tags,
                issued_at: imported,
            } => {
                if let Some(key) = state.account {
                    return Err(Refusal::Exists { key });
                }
                check_kind(account)?;
                check_name(&name)?;
                check_roles(&claims.signing_keys)?;
                AccountEvent::AccountImported {
                    account,
                    name,
                    operator: operator.key(),
                    claims,
                    tags,
                    issued_at: moment.issue_after(imported),
                }
            }
            AccountCommand::AddSigningKey(signing_key) => {
                let key = signing_key.key().parse();
                let key: PublicKey = key.map_err(|_| Refusal::Name {
                    found: signing_key.key().to_owned(),
                })?;
                check_kind(key)?;
                if state.signing_key(key).is_some() || state.account == Some(key) {
                    return Err(Refusal::Exists { key });
                }
                if let Some(Scope { role, .. }) = signing_key.scope() {
                    check_name(role)?;
                }
                AccountEvent::SigningKeyAdded {
                    signing_key,
                    issued_at,
                }
            }
            AccountCommand::RemoveSigningKey { key } => {
                if state.signing_key(key).is_none() {
                    return Err(Refusal::NotSigningKey { key });
                }
                AccountEvent::SigningKeyRemoved { key, issued_at }
            }
            AccountCommand::SetPermissions(permissions) => {
                if permissions == state.claims.default_permissions {
                    return Ok(Vec::new());
                }
                AccountEvent::PermissionsSet {
                    permissions,
                    issued_at,
                }
            }
            AccountCommand::SetClaims(claims) => {
                let claims = without_keys(claims);
                if *claims == state.claims {
                    return Ok(Vec::new());
                }
                AccountEvent::ClaimsSet { claims, issued_at }
            }
            AccountCommand::Revoke { user, until } => {
                let user = user.map_or("*".to_owned(), |user| user.to_string());
                let known = state.revocations.get(&user);
                if known.is_some_and(|known| *known >= until) {
                    return Ok(Vec::new());
                }
                AccountEvent::RevocationAdded {
                    user,
                    until,
                    issued_at,
                }
            }
            AccountCommand::TakeNoteOfPush(push) => {
                if state.pushed.get(&push.server) == Some(&push) {
                    return Ok(Vec::new());
                }
                AccountEvent::ClaimsPushed { push }
            }
        };
        let next = Self::evolve(state.clone(), &event);
        check_claims(&next.claims().ok_or(Refusal::Absent { what: "account" })?)?;
        Ok(vec![event])
    }
}

fn check_kind(key: PublicKey) -> Result<(), Refusal> {
    match key.kind() {
        KeyKind::Account => Ok(()),
        _ => Err(Refusal::Kind {
            expected: KeyKind::Account,
            found: key,
        }),
    }
}

/// A role is found by its name, and says one thing.
fn check_roles(keys: &[SigningKey]) -> Result<(), Refusal> {
    let scopes: Vec<&Scope> = keys.iter().filter_map(SigningKey::scope).collect();
    for (index, scope) in scopes.iter().enumerate() {
        check_name(&scope.role)?;
        let is_other =
            |known: &&Scope| known.role == scope.role && known.template != scope.template;
        if scopes[..index].iter().any(is_other) {
            return Err(Refusal::RoleTwice {
                role: scope.role.clone(),
            });
        }
    }
    Ok(())
}

fn without_keys(mut claims: Box<AccountClaims>) -> Box<AccountClaims> {
    claims.signing_keys.clear();
    claims.revocations.clear();
    claims
}

//! Users: who logs in, and what each may do.

use serde::{Deserialize, Serialize};

use super::{AccountRef, Refusal, check_claims, check_name, issue_after};
use crate::aggregate::Aggregate;
use crate::jwt::{Claims, Permissions, UserClaims, UserLimits};
use crate::nkey::{KeyKind, PublicKey};
use crate::payload::DomainEvent;
use crate::time::Timestamp;

/// A user, under its key.
#[derive(Debug)]
pub struct User;

/// A token that was issued to a user. The token itself is nowhere in a history: a bearer's is a password.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Issued {
    /// The SHA-256 of the token, as lower-case hex.
    pub token_sha256: String,
    /// Who has signed it.
    pub issuer: PublicKey,
    /// The second of it.
    pub issued_at: i64,
    /// The second at which it ends; 0 for never.
    pub expires: i64,
}

/// What can happen to a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(entity = "user")]
pub enum UserEvent {
    /// It was made.
    UserCreated {
        /// Its key.
        user: PublicKey,
        /// A name for people, and for templates of roles.
        name: String,
        /// Its account.
        account: PublicKey,
        /// The role that says what it may do, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// What it may do, unless it has a role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limits: Option<Box<UserLimits>>,
        /// Words that templates of roles use, `team:blue`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
    },
    /// It may publish and subscribe to something else. Tokens that are out say what they did.
    PermissionsSet {
        /// What it may do.
        permissions: Permissions,
    },
    /// It may do something else. Tokens that are out say what they did.
    LimitsSet {
        /// What it may do.
        limits: Box<UserLimits>,
    },
    /// Another role says what it may do, or none. Tokens that are out say what they did.
    RoleSet {
        /// The role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// What it may do, unless it has a role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limits: Option<Box<UserLimits>>,
    },
    /// It has other tags. Tokens that are out say what they did.
    TagsSet {
        /// Words that templates of roles use.
        tags: Vec<String>,
    },
    /// A token was made for it.
    CredentialsIssued {
        /// Which, without the token itself.
        #[serde(flatten)]
        issued: Issued,
    },
    /// Its tokens count no more, once the account's token says so too.
    UserRevoked {
        /// Up to this second.
        until: i64,
        /// Why, for people.
        reason: String,
    },
}

impl UserEvent {
    /// Whether it sets what the next token says.
    fn sets(&self) -> bool {
        match self {
            Self::PermissionsSet { .. }
            | Self::LimitsSet { .. }
            | Self::RoleSet { .. }
            | Self::TagsSet { .. } => true,
            Self::UserCreated { .. }
            | Self::CredentialsIssued { .. }
            | Self::UserRevoked { .. } => false,
        }
    }
}

/// What can be asked of a user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserCommand {
    /// Make it.
    Create {
        /// Its key.
        user: PublicKey,
        /// A name for people.
        name: String,
        /// Its account.
        account: AccountRef,
        /// The role that says what it may do, of one of the account's signing keys.
        role: Option<String>,
        /// What it may do; [`UserLimits::none`] with a role.
        limits: Box<UserLimits>,
        /// Words that templates of roles use.
        tags: Vec<String>,
    },
    /// Let it publish and subscribe to something else.
    SetPermissions(Permissions),
    /// Let it do something else.
    SetLimits(Box<UserLimits>),
    /// Let another role say what it may do, or none.
    SetRole {
        /// Its account.
        account: AccountRef,
        /// The role, of one of the account's signing keys.
        role: Option<String>,
        /// What it may do; [`UserLimits::none`] with a role.
        limits: Box<UserLimits>,
    },
    /// Give it other tags.
    SetTags(Vec<String>),
    /// Take note of a token that was made.
    Issue(Issued),
    /// Let its tokens count no more that were issued until now.
    Revoke {
        /// Why, for people.
        reason: String,
    },
}

/// A user as its history tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserState {
    /// Its key; `None` before it is made.
    pub user: Option<PublicKey>,
    /// Its name.
    pub name: String,
    /// Its account.
    pub account: Option<PublicKey>,
    /// The role that says what it may do.
    pub role: Option<String>,
    /// What it may do by itself; `None` with a role.
    pub limits: Option<UserLimits>,
    /// Words that templates of roles use.
    pub tags: Vec<String>,
    /// The last token that was issued to it.
    pub issued: Option<Issued>,
    /// How many tokens were issued to it.
    pub tokens: u64,
    /// Until which second its tokens count no more.
    pub revoked_until: Option<i64>,
    /// Whether its last token says something else than the next one will, by what was set of the user.
    pub is_changed: bool,
}

impl UserState {
    /// What its token says, signed by a key of its account; `None` before it is made.
    pub fn claims(&self, signer: PublicKey, expires: i64) -> Option<Claims<UserClaims>> {
        let account = self.account?;
        let body = UserClaims {
            limits: self.limits.clone().unwrap_or_else(UserLimits::none),
            issuer_account: match signer == account {
                true => String::new(),
                false => account.to_string(),
            },
            ..UserClaims::default()
        };
        let mut claims = Claims::new(self.user?, &self.name, body);
        claims.tags.clone_from(&self.tags);
        claims.expires = expires;
        Some(claims)
    }

    /// Whether none of its tokens counts, and no new one was issued since.
    pub fn is_revoked(&self) -> bool {
        let last = self.issued.as_ref().map_or(0, |issued| issued.issued_at);
        self.revoked_until.is_some_and(|until| until >= last)
    }

    /// The second of the next token, which is later than the last one and than what is revoked.
    pub fn next_issue(&self, now: Timestamp) -> i64 {
        let last = self.issued.as_ref().map_or(0, |issued| issued.issued_at);
        issue_after(last.max(self.revoked_until.unwrap_or(0)), now)
    }

    fn check_has_no_role(&self) -> Result<(), Refusal> {
        match &self.role {
            Some(role) => Err(Refusal::LimitsOfRole { role: role.clone() }),
            None => Ok(()),
        }
    }
}

impl Aggregate for User {
    type State = UserState;
    type Event = UserEvent;
    type Command = (UserCommand, Timestamp);
    type Error = Refusal;

    fn initial_state() -> UserState {
        UserState::default()
    }

    fn evolve(mut state: UserState, event: &UserEvent) -> UserState {
        match event {
            UserEvent::UserCreated {
                user,
                name,
                account,
                role,
                limits,
                tags,
            } => {
                state.user = Some(*user);
                state.name.clone_from(name);
                state.account = Some(*account);
                state.role.clone_from(role);
                state.limits = limits.as_deref().cloned();
                state.tags.clone_from(tags);
            }
            UserEvent::PermissionsSet { permissions } => {
                let limits = state.limits.get_or_insert_with(UserLimits::default);
                limits.publish = permissions.publish.clone();
                limits.subscribe = permissions.subscribe.clone();
                limits.responses.clone_from(&permissions.responses);
            }
            UserEvent::RoleSet { role, limits } => {
                state.role.clone_from(role);
                state.limits = limits.as_deref().cloned();
            }
            UserEvent::TagsSet { tags } => state.tags.clone_from(tags),
            UserEvent::LimitsSet { limits } => state.limits = Some((**limits).clone()),
            UserEvent::CredentialsIssued { issued } => {
                state.issued = Some(issued.clone());
                state.tokens += 1;
                state.is_changed = false;
            }
            UserEvent::UserRevoked { until, .. } => state.revoked_until = Some(*until),
        }
        state.is_changed |= event.sets();
        state
    }

    fn decide(
        state: &UserState,
        (command, now): (UserCommand, Timestamp),
    ) -> Result<Vec<UserEvent>, Refusal> {
        let event = match command {
            UserCommand::Create {
                user,
                name,
                account,
                role,
                limits,
                tags,
            } => {
                if let Some(key) = state.user {
                    return Err(Refusal::Exists { key });
                }
                if user.kind() != KeyKind::User {
                    return Err(Refusal::Kind {
                        expected: KeyKind::User,
                        found: user,
                    });
                }
                check_name(&name)?;
                let limits = beside_role(&account, role.as_deref(), limits)?;
                UserEvent::UserCreated {
                    user,
                    name,
                    account: account.key(),
                    role,
                    limits,
                    tags,
                }
            }
            UserCommand::SetPermissions(permissions) => {
                state.check_has_no_role()?;
                UserEvent::PermissionsSet { permissions }
            }
            UserCommand::SetLimits(limits) => {
                state.check_has_no_role()?;
                UserEvent::LimitsSet { limits }
            }
            UserCommand::SetRole {
                account,
                role,
                limits,
            } => {
                if state.account != Some(account.key()) {
                    return Err(Refusal::Absent { what: "user" });
                }
                let limits = beside_role(&account, role.as_deref(), limits)?;
                UserEvent::RoleSet { role, limits }
            }
            UserCommand::SetTags(tags) => UserEvent::TagsSet { tags },
            UserCommand::Issue(issued) => UserEvent::CredentialsIssued { issued },
            // Revoking twice is what a repeated command does.
            UserCommand::Revoke { .. } if state.user.is_some() && state.is_revoked() => {
                return Ok(Vec::new());
            }
            UserCommand::Revoke { reason } => {
                let last = state.issued.as_ref().map_or(0, |issued| issued.issued_at);
                UserEvent::UserRevoked {
                    // The last token may have been issued a little ahead of the time.
                    until: now.seconds().max(last),
                    reason,
                }
            }
        };
        let next = Self::evolve(state.clone(), &event);
        let account = next.account.ok_or(Refusal::Absent { what: "user" })?;
        check_claims(
            &next
                .claims(account, 0)
                .ok_or(Refusal::Absent { what: "user" })?,
        )?;
        let says_the_same =
            next.limits == state.limits && next.role == state.role && next.tags == state.tags;
        match event.sets() && says_the_same {
            true => Ok(Vec::new()),
            false => Ok(vec![event]),
        }
    }
}

/// What a user may do by itself: nothing beside a role, which its account must have.
fn beside_role(
    account: &AccountRef,
    role: Option<&str>,
    limits: Box<UserLimits>,
) -> Result<Option<Box<UserLimits>>, Refusal> {
    match role {
        Some(role) if !account.has_role(role) => Err(Refusal::RoleUnknown {
            role: role.to_owned(),
        }),
        Some(role) if *limits != UserLimits::none() => Err(Refusal::LimitsOfRole {
            role: role.to_owned(),
        }),
        Some(_) => Ok(None),
        None => Ok(Some(limits)),
    }
}

//! Key pairs: what each is for, and whether it may still sign.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::aggregate::Aggregate;
use crate::nkey::{KeyKind, PublicKey};
use crate::payload::DomainEvent;

/// A key pair.
#[derive(Debug)]
pub struct Key;

/// What a key is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// It is who its holder is.
    Identity,
    /// It signs in the name of its holder.
    Signing,
}

/// What is fixed of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// The key, which says its kind.
    pub key: PublicKey,
    /// What it is for.
    pub role: KeyRole,
    /// Whose it is: the identity of an operator, account or user.
    pub holder: PublicKey,
}

/// What can happen to a key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(entity = "key")]
pub enum KeyEvent {
    /// It was made.
    KeyGenerated {
        /// What is fixed of it.
        #[serde(flatten)]
        facts: KeyFacts,
        /// Its kind, for readers that do not know what keys begin with.
        kind: KeyKind,
    },
    /// It was made elsewhere.
    KeyImported {
        /// What is fixed of it.
        #[serde(flatten)]
        facts: KeyFacts,
        /// Its kind.
        kind: KeyKind,
    },
    /// Another one signs in its place from now on. What it has signed still counts.
    KeyRotated {
        /// The other one.
        successor: PublicKey,
    },
    /// It signs nothing more, and what it has signed counts no more.
    KeyRevoked {
        /// Why, for people.
        reason: String,
    },
}

/// What can be asked of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyCommand {
    /// Take note of a new one.
    Generate(KeyFacts),
    /// Take note of one that was made elsewhere.
    Import(KeyFacts),
    /// Let another one sign in its place.
    Rotate {
        /// The other one, of the same kind.
        successor: PublicKey,
    },
    /// Let it sign no more.
    Revoke {
        /// Why, for people.
        reason: String,
    },
}

/// Whether a key may sign.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum KeyState {
    /// It is not known.
    #[default]
    Absent,
    /// It signs.
    Active(KeyFacts),
    /// Another one signs in its place.
    Rotated {
        /// What is fixed of it.
        facts: KeyFacts,
        /// The other one.
        successor: PublicKey,
    },
    /// It signs nothing more.
    Revoked {
        /// What is fixed of it.
        facts: KeyFacts,
        /// Why.
        reason: String,
    },
}

impl KeyState {
    /// What is fixed of it, once it is known.
    pub fn facts(&self) -> Option<&KeyFacts> {
        match self {
            Self::Absent => None,
            Self::Active(facts) | Self::Rotated { facts, .. } | Self::Revoked { facts, .. } => {
                Some(facts)
            }
        }
    }

    /// Whether nothing may be signed with it any more, ever.
    pub fn is_revoked(&self) -> bool {
        matches!(self, Self::Revoked { .. })
    }

    /// What is fixed of it, if it may sign.
    ///
    /// # Errors
    ///
    /// [`Refusal::Absent`], [`Refusal::Rotated`] or [`Refusal::Revoked`].
    pub fn signer(&self) -> Result<&KeyFacts, Refusal> {
        match self {
            Self::Absent => Err(Refusal::Absent { what: "key" }),
            Self::Active(facts) => Ok(facts),
            Self::Rotated { facts, successor } => Err(Refusal::Rotated {
                key: facts.key,
                successor: *successor,
            }),
            Self::Revoked { facts, .. } => Err(Refusal::Revoked { key: facts.key }),
        }
    }

    /// One word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Active(_) => "active",
            Self::Rotated { .. } => "rotated",
            Self::Revoked { .. } => "revoked",
        }
    }
}

impl Aggregate for Key {
    type State = KeyState;
    type Event = KeyEvent;
    type Command = KeyCommand;
    type Error = Refusal;

    fn initial_state() -> KeyState {
        KeyState::Absent
    }

    fn evolve(state: KeyState, event: &KeyEvent) -> KeyState {
        match (state, event) {
            (_, KeyEvent::KeyGenerated { facts, .. } | KeyEvent::KeyImported { facts, .. }) => {
                KeyState::Active(*facts)
            }
            (
                KeyState::Active(facts) | KeyState::Rotated { facts, .. },
                KeyEvent::KeyRotated { successor },
            ) => KeyState::Rotated {
                facts,
                successor: *successor,
            },
            (
                KeyState::Active(facts) | KeyState::Rotated { facts, .. },
                KeyEvent::KeyRevoked { reason },
            ) => KeyState::Revoked {
                facts,
                reason: reason.clone(),
            },
            (state, KeyEvent::KeyRotated { .. } | KeyEvent::KeyRevoked { .. }) => state,
        }
    }

    fn decide(state: &KeyState, command: KeyCommand) -> Result<Vec<KeyEvent>, Refusal> {
        let known = |facts: &KeyFacts| match state {
            KeyState::Absent => match facts.role {
                KeyRole::Identity if facts.key != facts.holder => Err(Refusal::Kind {
                    expected: facts.holder.kind(),
                    found: facts.key,
                }),
                KeyRole::Signing if facts.key.kind() != facts.holder.kind() => Err(Refusal::Kind {
                    expected: facts.holder.kind(),
                    found: facts.key,
                }),
                KeyRole::Identity | KeyRole::Signing => Ok(facts.key.kind()),
            },
            _ => Err(Refusal::Exists { key: facts.key }),
        };
        Ok(vec![match command {
            KeyCommand::Generate(facts) => KeyEvent::KeyGenerated {
                kind: known(&facts)?,
                facts,
            },
            KeyCommand::Import(facts) => KeyEvent::KeyImported {
                kind: known(&facts)?,
                facts,
            },
            KeyCommand::Rotate { successor } => {
                let facts = state.signer()?;
                if successor == facts.key {
                    return Err(Refusal::Exists { key: successor });
                }
                if successor.kind() != facts.key.kind() {
                    return Err(Refusal::Kind {
                        expected: facts.key.kind(),
                        found: successor,
                    });
                }
                KeyEvent::KeyRotated { successor }
            }
            KeyCommand::Revoke { reason } => match state {
                // Revoking twice is what a repeated command does.
                KeyState::Revoked { .. } => return Ok(Vec::new()),
                KeyState::Absent => return Err(Refusal::Absent { what: "key" }),
                KeyState::Active(_) | KeyState::Rotated { .. } => KeyEvent::KeyRevoked { reason },
            },
        }])
    }
}

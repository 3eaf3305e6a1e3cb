//! Operators: who vouches for accounts.

use serde::{Deserialize, Serialize};

use super::{Moment, Refusal, check_claims, check_name};
use crate::aggregate::Aggregate;
use crate::jwt::{Claims, OperatorClaims};
use crate::nkey::{KeyKind, PublicKey};
use crate::payload::DomainEvent;

/// An operator, under its identity key.
#[derive(Debug)]
pub struct Operator;

/// What can happen to an operator. Each event says at which second its token is signed from then on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(entity = "operator")]
pub enum OperatorEvent {
    /// It was made.
    OperatorCreated {
        /// Its identity key.
        operator: PublicKey,
        /// A name for people.
        name: String,
        /// What its token says, without signing keys.
        claims: OperatorClaims,
        /// The second of its token.
        issued_at: i64,
    },
    /// It was made elsewhere, and is kept here from now on.
    OperatorImported {
        /// Its identity key.
        operator: PublicKey,
        /// A name for people.
        name: String,
        /// What its token says, with signing keys.
        claims: OperatorClaims,
        /// Words that tools find it by.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        /// The second of its token, behind the one that it was imported with.
        issued_at: i64,
    },
    /// Another key may sign accounts.
    SigningKeyAdded {
        /// The key.
        key: PublicKey,
        /// The second of the token.
        issued_at: i64,
    },
    /// A key may not sign accounts any more.
    SigningKeyRemoved {
        /// The key.
        key: PublicKey,
        /// The second of the token.
        issued_at: i64,
    },
    /// Its token says something else.
    ClaimsSet {
        /// What it says, without signing keys.
        claims: OperatorClaims,
        /// The second of the token.
        issued_at: i64,
    },
}

/// What can be asked of an operator.
#[derive(Clone, Debug, PartialEq)]
pub enum OperatorCommand {
    /// Make it.
    Create {
        /// Its identity key.
        operator: PublicKey,
        /// A name for people.
        name: String,
        /// What its token is to say. Signing keys in it are passed over.
        claims: OperatorClaims,
    },
    /// Take one that was made elsewhere.
    Import {
        /// Its identity key.
        operator: PublicKey,
        /// A name for people.
        name: String,
        /// What its token says, with signing keys.
        claims: OperatorClaims,
        /// Words that tools find it by.
        tags: Vec<String>,
        /// The second of its token. Ours are later.
        issued_at: i64,
    },
    /// Let another key sign accounts.
    AddSigningKey {
        /// The key.
        key: PublicKey,
    },
    /// Let a key not sign accounts any more.
    RemoveSigningKey {
        /// The key.
        key: PublicKey,
    },
    /// Let its token say something else. Signing keys in it are passed over.
    SetClaims {
        /// What it is to say.
        claims: OperatorClaims,
    },
}

/// An operator as its history tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperatorState {
    /// Its identity key; `None` before it is made.
    pub operator: Option<PublicKey>,
    /// Its name.
    pub name: String,
    /// Its signing keys, the newest last.
    pub signing_keys: Vec<PublicKey>,
    /// The second at which its token is signed.
    pub issued_at: i64,
    /// Words that tools find it by.
    pub tags: Vec<String>,
    claims: OperatorClaims,
}

/// An operator that is there: what an account needs in order to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OperatorRef(PublicKey);

impl OperatorRef {
    /// Its identity key.
    pub fn key(self) -> PublicKey {
        self.0
    }
}

impl OperatorState {
    /// The operator, for accounts to be made under.
    ///
    /// # Errors
    ///
    /// [`Refusal::Absent`] when it was not made.
    pub fn reference(&self) -> Result<OperatorRef, Refusal> {
        self.operator
            .map(OperatorRef)
            .ok_or(Refusal::Absent { what: "operator" })
    }

    /// What its token says; `None` before it is made.
    pub fn claims(&self) -> Option<Claims<OperatorClaims>> {
        let body = OperatorClaims {
            signing_keys: self.signing_keys.iter().map(PublicKey::to_string).collect(),
            ..self.claims.clone()
        };
        let mut claims = Claims::new(self.operator?, &self.name, body);
        claims.tags.clone_from(&self.tags);
        Some(claims)
    }

    /// What may be set of its token: all but signing keys.
    pub fn settings(&self) -> &OperatorClaims {
        &self.claims
    }
}

impl Aggregate for Operator {
    type State = OperatorState;
    type Event = OperatorEvent;
    type Command = (OperatorCommand, Moment);
    type Error = Refusal;

    fn initial_state() -> OperatorState {
        OperatorState::default()
    }

    fn evolve(mut state: OperatorState, event: &OperatorEvent) -> OperatorState {
        let second = match event {
            OperatorEvent::OperatorCreated {
                operator,
                name,
                claims,
                issued_at,
            } => {
                state.operator = Some(*operator);
                state.name.clone_from(name);
                state.claims = claims.clone();
                issued_at
            }
            OperatorEvent::OperatorImported {
                operator,
                name,
                claims,
                tags,
                issued_at,
            } => {
                state.operator = Some(*operator);
                state.name.clone_from(name);
                state.claims = claims.clone();
                let keys = std::mem::take(&mut state.claims.signing_keys);
                // Others were refused when it was decided.
                state.signing_keys = keys.iter().filter_map(|key| key.parse().ok()).collect();
                state.tags.clone_from(tags);
                issued_at
            }
            OperatorEvent::SigningKeyAdded { key, issued_at } => {
                state.signing_keys.push(*key);
                issued_at
            }
            OperatorEvent::SigningKeyRemoved { key, issued_at } => {
                state.signing_keys.retain(|known| known != key);
                issued_at
            }
            OperatorEvent::ClaimsSet { claims, issued_at } => {
                state.claims = claims.clone();
                issued_at
            }
        };
        state.issued_at = *second;
        state
    }

    fn decide(
        state: &OperatorState,
        (command, moment): (OperatorCommand, Moment),
    ) -> Result<Vec<OperatorEvent>, Refusal> {
        let issued_at = moment.issue_after(state.issued_at);
        let event = match command {
            OperatorCommand::Create {
                operator,
                name,
                claims,
            } => {
                if let Some(key) = state.operator {
                    return Err(Refusal::Exists { key });
                }
                check_kind(operator)?;
                check_name(&name)?;
                OperatorEvent::OperatorCreated {
                    operator,
                    name,
                    claims: without_keys(claims),
                    issued_at,
                }
            }
            OperatorCommand::Import {
                operator,
                name,
                claims,
                tags,
                issued_at: imported,
            } => {
                if let Some(key) = state.operator {
                    return Err(Refusal::Exists { key });
                }
                check_kind(operator)?;
                check_name(&name)?;
                for key in &claims.signing_keys {
                    let key: PublicKey = key.parse().map_err(|_| Refusal::Name {
                        found: crate::text::shorten(key),
                    })?;
                    check_kind(key)?;
                }
                OperatorEvent::OperatorImported {
                    operator,
                    name,
                    claims,
                    tags,
                    issued_at: moment.issue_after(imported),
                }
            }
            OperatorCommand::AddSigningKey { key } => {
                check_kind(key)?;
                if state.signing_keys.contains(&key) || state.operator == Some(key) {
                    return Err(Refusal::Exists { key });
                }
                OperatorEvent::SigningKeyAdded { key, issued_at }
            }
            OperatorCommand::RemoveSigningKey { key } => {
                if !state.signing_keys.contains(&key) {
                    return Err(Refusal::NotSigningKey { key });
                }
                if state.claims.is_strict && state.signing_keys == [key] {
                    return Err(Refusal::LastSigningKey { key });
                }
                OperatorEvent::SigningKeyRemoved { key, issued_at }
            }
            OperatorCommand::SetClaims { claims } => {
                let claims = without_keys(claims);
                if claims == state.claims {
                    return Ok(Vec::new());
                }
                OperatorEvent::ClaimsSet { claims, issued_at }
            }
        };
        let next = Self::evolve(state.clone(), &event);
        check_claims(&next.claims().ok_or(Refusal::Absent { what: "operator" })?)?;
        Ok(vec![event])
    }
}

fn check_kind(key: PublicKey) -> Result<(), Refusal> {
    match key.kind() {
        KeyKind::Operator => Ok(()),
        _ => Err(Refusal::Kind {
            expected: KeyKind::Operator,
            found: key,
        }),
    }
}

fn without_keys(claims: OperatorClaims) -> OperatorClaims {
    OperatorClaims {
        signing_keys: Vec::new(),
        ..claims
    }
}

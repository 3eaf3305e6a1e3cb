//! Upcasters: payloads of an old schema, read as payloads of the current one.
//!
//! They act on read and on a copy: the stored bytes and the CID over them stay as they are, so an
//! event is verified as it was written and folded as it is understood today. One payload becomes
//! another one, or several, or none where the event means nothing any more. [`rechain`] makes a new
//! history of what events say today.

mod reader;
pub mod rechain;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::append::MAX_APPEND_EVENTS;
use crate::event::NewEvent;
use crate::id::EventType;
use crate::version::SchemaVersion;

pub use reader::{EventReader, ReadPayload};

/// What an upcaster sees of an event, and what it may change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payload {
    /// The name of the event's type.
    pub event_type: EventType,
    /// The version of the body's schema.
    pub schema_version: SchemaVersion,
    /// The body.
    pub body: Bytes,
}

impl From<&NewEvent> for Payload {
    /// Shares the body with the event; nothing is copied.
    fn from(event: &NewEvent) -> Self {
        Self {
            event_type: event.event_type.clone(),
            schema_version: event.schema_version,
            body: event.body.clone(),
        }
    }
}

/// Whatever an upcaster says when it cannot read a payload.
pub type StepError = Box<dyn Error + Send + Sync>;

type Step = Arc<dyn Fn(Payload) -> Result<Vec<Payload>, StepError> + Send + Sync>;

/// The most steps that may be taken for one event.
///
/// Domains take a handful; steps that lead into each other would take them for ever.
pub const MAX_STEPS: usize = 1_000;

/// The most payloads that one event may become, as many as one append takes.
///
/// Domains make a handful of one; a body of a megabyte may have a list that is longer than any history.
pub const MAX_PAYLOADS: usize = MAX_APPEND_EVENTS;

/// The known steps from one schema version of an event type to the next.
///
/// A step leads from version n to n + 1 of the same type, or to other types of whichever version, and
/// there is at most one for each type and version.
///
/// # Examples
///
/// ```
/// use cim_core::id::EventType;
/// use cim_core::upcast::{Payload, Upcasters};
/// use cim_core::version::SchemaVersion;
///
/// let mut upcasters = Upcasters::default();
/// upcasters.register(EventType::new("KeyMade")?, SchemaVersion::FIRST, |old| {
///     let body: serde_json::Value = serde_json::from_slice(&old.body)?;
///     let body = serde_json::json!({ "algorithm": body["alg"] });
///     let event_type = EventType::new("KeyGenerated")?;
///     Ok(Payload { event_type, body: body.to_string().into(), ..old })
/// })?;
///
/// let old = Payload {
///     event_type: EventType::new("KeyMade")?,
///     schema_version: SchemaVersion::FIRST,
///     body: r#"{"alg":"ed25519"}"#.into(),
/// };
/// let new = upcasters.upcast(old)?;
/// assert_eq!((new[0].event_type.as_str(), new[0].schema_version.get()), ("KeyGenerated", 2));
/// assert_eq!(new[0].body, r#"{"algorithm":"ed25519"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Upcasters {
    steps: BTreeMap<EventType, BTreeMap<SchemaVersion, Step>>,
}

impl Upcasters {
    /// Takes the step from version `from` of `event_type` to the version after it.
    ///
    /// `step` must be pure: the same payload in, the same payload out, on every machine. It gets a
    /// payload whose schema version is already the new one. It leaves that as it is, or gives another
    /// type with the version that it is of.
    ///
    /// # Errors
    ///
    /// [`UpcastError::Duplicate`] when there is a step from there already.
    pub fn register(
        &mut self,
        event_type: EventType,
        from: SchemaVersion,
        step: impl Fn(Payload) -> Result<Payload, StepError> + Send + Sync + 'static,
    ) -> Result<(), UpcastError> {
        self.register_many(event_type, from, move |old| Ok(vec![step(old)?]))
    }

    /// Takes a step that makes several events of one, in their order, or none, as in the example of
    /// [`with`](Self::with).
    ///
    /// Otherwise as [`register`](Self::register).
    ///
    /// # Errors
    ///
    /// [`UpcastError::Duplicate`] when there is a step from there already.
    pub fn register_many(
        &mut self,
        event_type: EventType,
        from: SchemaVersion,
        step: impl Fn(Payload) -> Result<Vec<Payload>, StepError> + Send + Sync + 'static,
    ) -> Result<(), UpcastError> {
        if self.has_step(&event_type, from) {
            return Err(UpcastError::Duplicate {
                event_type,
                schema_version: from,
            });
        }
        self.steps
            .entry(event_type)
            .or_default()
            .insert(from, Arc::new(step));
        Ok(())
    }

    /// The same upcasters with a step more: what
    /// [`Aggregate::upcasters`](crate::aggregate::Aggregate::upcasters) is made of.
    ///
    /// The step is given the payload as it was stored, but already of the next schema version. It gives back
    /// what that says today: the same type with another body, several events, or none. An event of another
    /// type states the version that it is of. The step may lead from a type that the enum of the events no
    /// longer has.
    ///
    /// Write bodies as JSON and not with the types of today, which the next version changes.
    ///
    /// # Panics
    ///
    /// When `event_type` is no event type, `from` no version, or there is a step from there already:
    /// mistakes in the domain.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::upcast::{Payload, Upcasters};
    /// use cim_core::version::SchemaVersion;
    /// use serde_json::{Value, json};
    ///
    /// let upcasters = Upcasters::default()
    ///     // Nobody needs to know any more that a lamp was cleaned.
    ///     .with("LampCleaned", 1, |_| Ok(Vec::new()))
    ///     // Version 1 counted in watts, version 2 counts in milliwatts.
    ///     .with("LampLit", 1, |mut old| {
    ///         let body: Value = serde_json::from_slice(&old.body)?;
    ///         let watts = body["watts"].as_u64().ok_or("expected `watts`")?;
    ///         let milliwatts = watts.checked_mul(1000).ok_or("too many `watts`")?;
    ///         old.body = json!({ "milliwatts": milliwatts }).to_string().into();
    ///         Ok(vec![old])
    ///     })
    ///     // A lamp that was switched over went out and was lit, with the body that `LampLit` had then.
    ///     .with("LampSwitched", 1, |old| {
    ///         let out = Payload {
    ///             event_type: "LampPutOut".parse()?,
    ///             schema_version: SchemaVersion::FIRST,
    ///             body: "{}".into(),
    ///         };
    ///         let lit = Payload {
    ///             event_type: "LampLit".parse()?,
    ///             schema_version: SchemaVersion::FIRST,
    ///             body: old.body,
    ///         };
    ///         Ok(vec![out, lit])
    ///     });
    ///
    /// let switched = Payload {
    ///     event_type: "LampSwitched".parse()?,
    ///     schema_version: SchemaVersion::FIRST,
    ///     body: r#"{"watts":40}"#.into(),
    /// };
    /// let today = upcasters.upcast(switched)?;
    /// assert_eq!(today[0].event_type.as_str(), "LampPutOut");
    /// assert_eq!(today[1].body, r#"{"milliwatts":40000}"#); // `LampLit` went through its own step.
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with(
        mut self,
        event_type: &str,
        from: u64,
        step: impl Fn(Payload) -> Result<Vec<Payload>, StepError> + Send + Sync + 'static,
    ) -> Self {
        let event_type = EventType::new(event_type).expect("steps name event types");
        let from = SchemaVersion::new(from).expect("steps lead from version 1 or later");
        self.register_many(event_type, from, step)
            .expect("there is one step from each type and version");
        self
    }

    /// Takes steps until there is none for any payload's type and schema version.
    ///
    /// A payload without a step is handed back as it is.
    ///
    /// # Errors
    ///
    /// [`UpcastError::Failed`] when a step cannot read the payload,
    /// [`UpcastError::WrongVersion`] when one leads to another version of its type than the next,
    /// [`UpcastError::Endless`] when there are more than [`MAX_STEPS`],
    /// [`UpcastError::TooMany`] when there are more than [`MAX_PAYLOADS`] at any time.
    pub fn upcast(&self, payload: Payload) -> Result<Vec<Payload>, UpcastError> {
        let (mut waiting, mut done, mut steps) = (vec![payload], Vec::new(), 0);
        while let Some(payload) = waiting.pop() {
            let Some(step) = self.step(&payload.event_type, payload.schema_version) else {
                done.push(payload);
                continue;
            };
            steps += 1;
            if steps > MAX_STEPS {
                return Err(UpcastError::Endless {
                    event_type: payload.event_type,
                    schema_version: payload.schema_version,
                });
            }
            let (event_type, schema_version) = (payload.event_type.clone(), payload.schema_version);
            // The last one waiting is the next one in order.
            waiting.extend(take(step, payload)?.into_iter().rev());
            if waiting.len() + done.len() > MAX_PAYLOADS {
                return Err(UpcastError::TooMany {
                    event_type,
                    schema_version,
                });
            }
        }
        Ok(done)
    }

    /// Whether there is a step from this version of a type.
    pub fn has_step(&self, event_type: &EventType, from: SchemaVersion) -> bool {
        self.step(event_type, from).is_some()
    }

    /// The types and versions that steps lead from, in their order.
    pub fn steps(&self) -> impl Iterator<Item = (&EventType, SchemaVersion)> {
        self.steps.iter().flat_map(|(event_type, steps)| {
            let from = steps.keys();
            from.map(move |from| (event_type, *from))
        })
    }

    /// The versions of a type that steps lead from, in their order.
    pub(crate) fn steps_of(&self, event_type: &EventType) -> impl Iterator<Item = SchemaVersion> {
        let steps = self.steps.get(event_type).into_iter();
        steps.flat_map(|steps| steps.keys().copied())
    }

    fn step(&self, event_type: &EventType, from: SchemaVersion) -> Option<&Step> {
        self.steps.get(event_type)?.get(&from)
    }
}

impl fmt::Debug for Upcasters {
    /// The types and the versions that steps lead from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self
            .steps
            .iter()
            .map(|(event_type, steps)| (event_type, steps.keys()));
        f.debug_map()
            .entries(steps.map(|(event_type, from)| (event_type, Vec::from_iter(from))))
            .finish()
    }
}

/// A payload that cannot be upcast, or a step that cannot be taken.
#[derive(Debug)]
#[non_exhaustive]
pub enum UpcastError {
    /// A step could not read the payload; the source is what it said.
    Failed {
        /// The type before the step.
        event_type: EventType,
        /// The schema version before the step.
        schema_version: SchemaVersion,
        /// What the step said.
        source: StepError,
    },
    /// A step handed back another schema version than the next: a fault of the step.
    WrongVersion {
        /// The type before the step.
        event_type: EventType,
        /// The version after the one before the step.
        expected: SchemaVersion,
        /// The version that it handed back.
        found: SchemaVersion,
    },
    /// One event becomes more than [`MAX_PAYLOADS`].
    TooMany {
        /// The type before the step that made too many.
        event_type: EventType,
        /// Its schema version.
        schema_version: SchemaVersion,
    },
    /// The steps lead on for ever: a fault of the steps.
    Endless {
        /// The type of the payload that no step was taken for.
        event_type: EventType,
        /// Its schema version.
        schema_version: SchemaVersion,
    },
    /// There is a step from this type and version already.
    Duplicate {
        /// The type.
        event_type: EventType,
        /// The version.
        schema_version: SchemaVersion,
    },
}

impl UpcastError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. }
            | Self::WrongVersion { .. }
            | Self::TooMany { .. }
            | Self::Endless { .. } => "upcast-failed",
            Self::Duplicate { .. } => "upcast-duplicate",
        }
    }
}

impl fmt::Display for UpcastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed {
                event_type,
                schema_version,
                ..
            } => {
                write!(
                    f,
                    "upcasting version {schema_version} of `{event_type}` failed"
                )
            }
            Self::WrongVersion {
                event_type,
                expected,
                found,
            } => write!(
                f,
                "an upcaster of `{event_type}` went astray: expected schema version {expected}, \
                 found {found}"
            ),
            Self::TooMany {
                event_type,
                schema_version,
            } => write!(
                f,
                "upcasting version {schema_version} of `{event_type}` makes too many events: expected \
                 at most {MAX_PAYLOADS}"
            ),
            Self::Endless {
                event_type,
                schema_version,
            } => write!(
                f,
                "upcasting takes more than {MAX_STEPS} steps; the next would be from version \
                 {schema_version} of `{event_type}`"
            ),
            Self::Duplicate {
                event_type,
                schema_version,
            } => {
                write!(
                    f,
                    "version {schema_version} of `{event_type}` has an upcaster already"
                )
            }
        }
    }
}

impl Error for UpcastError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { source, .. } => Some(&**source),
            Self::WrongVersion { .. }
            | Self::TooMany { .. }
            | Self::Endless { .. }
            | Self::Duplicate { .. } => None,
        }
    }
}

fn take(step: &Step, mut payload: Payload) -> Result<Vec<Payload>, UpcastError> {
    let (event_type, from) = (payload.event_type.clone(), payload.schema_version);
    let failed = |source| UpcastError::Failed {
        event_type: event_type.clone(),
        schema_version: from,
        source,
    };
    let next = SchemaVersion::new(from.get() + 1).map_err(|error| failed(error.into()))?;
    payload.schema_version = next;
    let payloads = step(payload).map_err(failed)?;
    for payload in &payloads {
        if payload.event_type == event_type && payload.schema_version != next {
            return Err(UpcastError::WrongVersion {
                event_type,
                expected: next,
                found: payload.schema_version,
            });
        }
    }
    Ok(payloads)
}

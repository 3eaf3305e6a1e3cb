//! What a projector drives: a native handler or a plugin.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use cim_core::projection::{Change, Descriptor, DocumentKey, Fault};

use crate::store::ReadEvent;

/// Turns events into changes of documents.
///
/// Documents must depend on the events alone: the projector may cut the events into batches
/// anywhere, and may call again with the same events after a fault.
pub trait Handler: Send {
    /// What it is; the same for its whole life.
    fn descriptor(&self) -> &Descriptor;

    /// What its checkpoint is bound to: the BLAKE3 hash of a plugin's file, or a text that a native
    /// handler changes when its documents would change.
    fn identity(&self) -> &str;

    /// What its checkpoint is bound to besides: the BLAKE3 hash of a plugin's configuration, or a
    /// text that a native handler changes with its settings. Empty without one.
    fn configuration(&self) -> &str {
        ""
    }

    /// The documents that [`apply`](Self::apply) needs for these events.
    ///
    /// # Errors
    ///
    /// [`CallError`]; nothing has happened.
    fn keys(&mut self, events: &[ReadEvent]) -> Result<Vec<DocumentKey>, CallError>;

    /// The changes that these events make; `documents` stand in the order of the keys.
    ///
    /// # Errors
    ///
    /// [`CallError`]; nothing has happened.
    fn apply(
        &mut self,
        events: &[ReadEvent],
        documents: &[Option<Bytes>],
    ) -> Result<Vec<Change>, CallError>;
}

/// Why a call of a handler had no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CallError {
    /// The handler faults at these events: the one at fault is searched and parked.
    Fault(Fault),
    /// The handler never saw the events: the call is made again after waits, then the projector
    /// ends. No event is parked for it.
    NotCalled(Fault),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) | Self::NotCalled(fault) => fault.fmt(f),
        }
    }
}

impl Error for CallError {}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

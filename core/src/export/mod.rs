//! The export: a store, or a part of one, as a text file that anyone can verify.
//!
//! JSON lines: a first line that says what it is, a line for each event in the order of the store,
//! a last line with counts and a digest, so that a cut file is seen. [`ExportWriter`] gives the
//! lines, [`ExportReader`] takes the file in pieces of any size, [`ExportVerifier`] says of it what
//! was verified or what is wrong and where. None of them opens a file.

use std::collections::HashSet;

use crate::event::RecordedEvent;
use crate::id::AggregateKey;
use crate::subject::StoreTemplate;
use crate::time::Timestamp;

mod fault;
mod line;
mod reader;
mod verify;
mod writer;

pub use fault::{ExportError, ExportFault};
pub use reader::ExportReader;
pub use verify::{ExportReport, ExportVerifier, to_json};
pub use writer::ExportWriter;

/// The format that the first line names.
pub const FORMAT: &str = "cim.export/v1";

/// The longest line that is read, in bytes.
///
/// An event has at most 1 MiB, and JSON writes one byte of it in at most six (`\u0000`); the rest
/// is for the subject and the headers.
pub const MAX_LINE_LEN: usize = 8 << 20;

/// What the first line says of an export.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExportHeader {
    /// The store that it was made of.
    pub store_id: String,
    /// The template of that store, by which the subjects are read.
    pub template: StoreTemplate,
    /// The filter that it was made with. Events may be missing then, so that only the CIDs of those
    /// that are there can be verified.
    pub filter: Option<String>,
    /// When it was made.
    pub exported_at: Timestamp,
}

/// What the last line says of an export.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExportSummary {
    /// The count of events.
    pub events: u64,
    /// The count of aggregates.
    pub aggregates: u64,
    /// The BLAKE3 digest of the binary CIDs in the order of the lines, in lower-case hex.
    pub digest: String,
}

/// Counts events for the last line.
#[derive(Clone, Debug, Default)]
struct Tally {
    events: u64,
    aggregates: HashSet<AggregateKey>,
    digest: blake3::Hasher,
}

impl Tally {
    fn add(&mut self, event: &RecordedEvent) {
        self.events += 1;
        if !self.aggregates.contains(&event.aggregate) {
            self.aggregates.insert(event.aggregate.clone());
        }
        self.digest.update(&event.cid.to_bytes());
    }

    fn summary(&self) -> ExportSummary {
        ExportSummary {
            events: self.events,
            aggregates: self.aggregates.len() as u64,
            digest: data_encoding::HEXLOWER.encode(self.digest.finalize().as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;

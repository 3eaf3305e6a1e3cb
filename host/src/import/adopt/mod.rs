//! Adopting a stream that older services wrote by hand: messages with the headers of events and
//! without a chain become events of a store, which gives them version and CID in stream order.
//!
//! The stream is read twice, message by message: all of it is checked, also against the store, and
//! then what the store does not have is stored. Ids are kept, so that the same stream again appends
//! nothing, and an adoption that was interrupted goes on where it stopped. Of each message about
//! 80 bytes are kept in memory, and as much of each event of the store in an aggregate that the
//! stream has.
//!
//! In reading order: [`layout`] (subjects) · [`message`] (a message as an event) · [`fault`] ·
//! `check` (the first reading) · `mod` (the second one).

mod check;
pub mod fault;
pub mod layout;
pub mod message;

use std::collections::HashMap;
use std::fmt;

use cim_core::append::{AppendError, record};
use cim_core::event::NewEvent;
use cim_core::id::{AggregateKey, Namespace};
use cim_core::version::Head;
use futures_util::stream::{BoxStream, TryStreamExt as _};

pub use check::check;
pub use fault::{AdoptError, BadMessage, MessageFault};
pub use layout::Layout;
pub use message::Reader;

use self::message::Adopted;
use super::error::ImportError;
use super::replica::Replica;
use super::run::Imported;
use crate::jetstream::{JetStreamError, StoredMessage};
use crate::store::EventStore;

/// Opens the stream from a sequence on. Each time it ends with the same sequence.
pub type Open<'a> =
    dyn Fn(u64) -> BoxStream<'static, Result<StoredMessage, JetStreamError>> + Send + Sync + 'a;

/// The stream that is adopted.
pub struct Source<'a> {
    /// Its name.
    pub stream: &'a str,
    /// Opens it.
    pub open: &'a Open<'a>,
}

/// What an adoption did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Adoption {
    /// Events, as of every import.
    pub imported: Imported,
    /// Messages that said an earlier one again, and were passed over.
    pub repeated: u64,
    /// Times that had no offset and were read as UTC.
    pub without_offset: u64,
    /// Times that were finer than microseconds; what is finer was cut off.
    pub cut: u64,
}

/// A stream that was read through and can be stored.
#[derive(Debug)]
pub struct Checked {
    entries: Vec<Entry>,
    /// Where each aggregate stands in the store.
    heads: HashMap<AggregateKey, Option<Head>>,
    report: Adoption,
}

/// A message, in the order of the stream.
#[derive(Debug)]
struct Entry {
    sequence: u64,
    content: Content,
    part: Part,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// It is appended.
    New,
    /// The store has it.
    Present,
    /// An earlier message said it.
    Repeated,
}

/// A digest of all that an event says.
type Content = [u8; 16];

impl Checked {
    /// The namespaces of the events, in order.
    pub fn namespaces(&self) -> Vec<Namespace> {
        let mut namespaces: Vec<_> = self.heads.keys().map(|key| key.namespace.clone()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces
    }
}

/// Appends what the store does not have of a stream that was checked.
///
/// `progress` hears how many messages of how many are done.
///
/// # Errors
///
/// [`AdoptError::Gone`], [`AdoptError::Stream`] and [`AdoptError::Import`], with the events before
/// stored. It may be run again.
pub async fn store(
    store: &dyn EventStore,
    reader: &Reader,
    source: &Source<'_>,
    checked: Checked,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Adoption, AdoptError> {
    let Checked {
        entries,
        mut heads,
        mut report,
    } = checked;
    let is_new = |entry: &Entry| entry.part == Part::New;
    let first = entries.iter().position(is_new);
    let end = entries.iter().rposition(is_new).map_or(0, |last| last + 1);
    let entries = &entries[first.unwrap_or(end)..end];
    let Some(first) = entries.first() else {
        return Ok(report);
    };
    let mut replica = Replica::new(store);
    let mut messages = (source.open)(first.sequence);
    for (done, entry) in (0..).zip(entries) {
        let found = messages.try_next().await;
        let found = found.map_err(|error| source.fault(error))?;
        let adopted = found
            .filter(|stored| stored.sequence == entry.sequence)
            .and_then(|stored| reader.read(&stored.message).ok())
            .filter(|adopted| content(&adopted.aggregate, &adopted.event) == entry.content);
        let Some(Adopted {
            aggregate, event, ..
        }) = adopted
        else {
            return Err(AdoptError::Gone {
                stream: source.stream.to_owned(),
                sequence: entry.sequence,
            });
        };
        if is_new(entry) {
            let head = heads.entry(aggregate.clone()).or_default();
            let recorded = record(&aggregate, *head, &[event])
                .map_err(|why| ImportError::Append(AppendError::Rejected { why }))?;
            for event in recorded {
                *head = Some(event.head());
                replica.push(event).await?;
            }
        }
        if done % 1000 == 0 {
            progress(done, entries.len() as u64);
        }
    }
    let counts = replica.flush().await?;
    progress(entries.len() as u64, entries.len() as u64);
    report.imported.appended = counts.appended;
    report.imported.present += counts.present;
    Ok(report)
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, .. } = self;
        f.debug_struct("Source")
            .field("stream", stream)
            .finish_non_exhaustive()
    }
}

impl Source<'_> {
    fn fault(&self, source: JetStreamError) -> AdoptError {
        AdoptError::Stream {
            stream: self.stream.to_owned(),
            source,
        }
    }
}

/// The digest of all that an event says: of its CID as if it were the first one of its history.
fn content(aggregate: &AggregateKey, event: &NewEvent) -> Content {
    let recorded = record(aggregate, None, std::slice::from_ref(event));
    let recorded = recorded.expect("a first event has a place");
    let digest = recorded[0].cid;
    let (content, _) = digest
        .digest()
        .split_first_chunk()
        .expect("a digest has 32 bytes");
    *content
}

#[cfg(test)]
mod tests;

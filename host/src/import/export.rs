//! Importing an export: the same events, with the same CIDs, in the same order.
//!
//! The file is read three times, in pieces: it is verified, compared with the store, and then
//! stored.

use std::collections::HashSet;
use std::io::{self, Read};

use cim_core::event::RecordedEvent;
use cim_core::export::{ExportError, ExportReader, ExportReport, ExportVerifier};

use super::error::ImportError;
use super::replica::Replica;
use super::run::Imported;
use crate::store::EventStore;

/// How much of the file is read at once.
const PIECE: usize = 256 << 10;

/// Opens the file again, from its start.
pub type Open<'a> = dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'a;

/// Verifies an export and appends the events that the store does not have.
///
/// `progress` hears how many events of how many are stored.
///
/// # Errors
///
/// [`ImportError::Export`], [`ImportError::Filtered`] and [`ImportError::Differs`], with nothing
/// written; [`ImportError::Store`]; [`ImportError::Append`], with the events before it written.
pub async fn run_export(
    store: &dyn EventStore,
    open: &Open<'_>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Imported, ImportError> {
    let report = verify(open)?;
    if let Some(filter) = report.filter {
        return Err(ImportError::Filtered { filter });
    }
    let mut replica = Replica::new(store);
    let mut types = HashSet::new();
    let mut events = Events::open(open)?;
    while let Some(event) = events.next()? {
        replica.has(&event).await?;
        if !types.contains(&event.event.event_type) {
            types.insert(event.event.event_type);
        }
    }
    let mut events = Events::open(open)?;
    let mut done = 0;
    while let Some(event) = events.next()? {
        replica.push(event).await?;
        done += 1;
        if done % 1000 == 0 {
            progress(done, report.events);
        }
    }
    let counts = replica.flush().await?;
    Ok(Imported {
        events: report.events,
        appended: counts.appended,
        present: counts.present,
        aggregates: replica.aggregates(),
        types: types.len() as u64,
    })
}

/// Verifies an export as a whole.
///
/// # Errors
///
/// [`ImportError::Read`] and [`ImportError::Export`].
pub fn verify(open: &Open<'_>) -> Result<ExportReport, ImportError> {
    let mut file = open().map_err(unreadable)?;
    let mut verifier = ExportVerifier::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).map_err(unreadable)? {
            0 => return Ok(verifier.finish()?),
            length => verifier.push(&piece[..length])?,
        }
    }
}

/// The events of an export, one by one.
struct Events {
    file: Box<dyn Read + Send>,
    reader: Option<ExportReader>,
    piece: Vec<u8>,
    ready: std::vec::IntoIter<RecordedEvent>,
}

impl Events {
    fn open(open: &Open<'_>) -> Result<Self, ImportError> {
        Ok(Self {
            file: open().map_err(unreadable)?,
            reader: Some(ExportReader::new()),
            piece: vec![0; PIECE],
            ready: Vec::new().into_iter(),
        })
    }

    fn next(&mut self) -> Result<Option<RecordedEvent>, ImportError> {
        loop {
            if let Some(event) = self.ready.next() {
                return Ok(Some(event));
            }
            let Some(mut reader) = self.reader.take() else {
                return Ok(None);
            };
            let length = self.file.read(&mut self.piece).map_err(unreadable)?;
            if length == 0 {
                reader.finish()?;
                return Ok(None);
            }
            let mut events = Vec::new();
            reader.push(&self.piece[..length], |_, event| {
                events.push(event);
                Ok::<_, ExportError>(())
            })?;
            self.reader = Some(reader);
            self.ready = events.into_iter();
        }
    }
}

fn unreadable(source: io::Error) -> ImportError {
    ImportError::Read { source }
}

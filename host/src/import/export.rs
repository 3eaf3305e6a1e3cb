//! Importing an export: the same events, with the same CIDs, in the same order.
//!
//! The file is read three times, in pieces: it is verified, compared with the store, and then
//! stored.

use std::collections::HashSet;
use std::io::{self, Read};

use cim_core::append::{AppendError, Rejection};
use cim_core::event::RecordedEvent;
use cim_core::export::{ExportError, ExportReader, ExportReport, ExportVerifier};
use cim_core::message::{MAX_EVENT_SIZE, event_size};
use futures_util::TryStreamExt as _;

use super::error::ImportError;
use super::replica::Replica;
use super::run::Imported;
use crate::store::{EventStore, Query};

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
/// [`ImportError::Export`], [`ImportError::Filtered`], [`ImportError::Template`] and
/// [`ImportError::Differs`], with nothing written; [`ImportError::Append`], with nothing written where
/// the file or the store is at fault; [`ImportError::Store`].
pub async fn run_export(
    store: &dyn EventStore,
    open: &Open<'_>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Imported, ImportError> {
    let report = verify(open)?;
    if let Some(filter) = report.filter {
        return Err(ImportError::Filtered { filter });
    }
    let template = &store.info().template;
    let mut replica = Replica::new(store);
    let mut types = HashSet::new();
    // 16 bytes an event: ids must be known to be new before anything is written.
    let mut ids = HashSet::new();
    let mut events = Events::open(open)?;
    while let Some(event) = events.next()? {
        let subject = template.event_subject(&event.aggregate, &event.event.operation);
        subject.map_err(ImportError::Template)?;
        if !ids.insert(*event.event.id.as_uuid()) {
            return Err(refused(Rejection::EventIdRepeated {
                event: event.event.id,
            }));
        }
        if !replica.has(&event).await? {
            check_new(store, &event).await?;
        }
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
    progress(report.events, report.events);
    Ok(Imported {
        events: report.events,
        appended: counts.appended,
        present: counts.present,
        aggregates: replica.aggregates(),
        types: types.len() as u64,
    })
}

/// Refuses an event that the store would not take: a later step must not fail for it.
async fn check_new(store: &dyn EventStore, event: &RecordedEvent) -> Result<(), ImportError> {
    let id = event.event.id;
    let size = event_size(&event.event);
    if size > MAX_EVENT_SIZE {
        return Err(refused(Rejection::EventTooLarge { event: id, size }));
    }
    let query = Query {
        event_id: Some(id),
        ..Query::default()
    };
    match store.read(query).try_next().await? {
        None => Ok(()),
        Some(_) => Err(refused(Rejection::EventIdReused { event: id })),
    }
}

fn refused(why: Rejection) -> ImportError {
    ImportError::Append(AppendError::Rejected { why })
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

#[cfg(test)]
pub(crate) mod tests {
    use cim_core::export::{ExportHeader, ExportWriter};
    use cim_core::subject::StoreTemplate;
    use cim_core::version::Version;
    use futures_util::TryStreamExt as _;

    use super::super::{Late, Mapping, Plan, read_csv, run};
    use super::*;
    use crate::memory::MemoryStore;
    use crate::store::Query;

    /// Takes rows of id and type, one a second.
    async fn add(store: &MemoryStore, rows: &[(&str, &str)]) {
        let mapping = Mapping {
            namespace: "o.u.d".parse().expect("a namespace"),
            entity: "e".parse().expect("an entity"),
            id_field: "id".to_owned(),
            type_field: "type".to_owned(),
            time_field: "at".to_owned(),
            id_encode: false,
        };
        let mut text = "id,type,at\n".to_owned();
        for (second, (id, event_type)) in rows.iter().enumerate() {
            text += &format!("{id},{event_type},2020-01-01T00:00:{second:02}Z\n");
        }
        let rows = read_csv(text.as_bytes(), &mapping).expect("rows");
        let plan = Plan::new(rows, &mapping, &StoreTemplate::default()).expect("a plan");
        run(store, plan, Late::Refuse, &mut |_, _| {})
            .await
            .expect("imported");
    }

    async fn filled(rows: &[(&str, &str)]) -> MemoryStore {
        let store = MemoryStore::new(StoreTemplate::default());
        add(&store, rows).await;
        store
    }

    /// All events of a store, verified.
    pub(crate) async fn events(store: &MemoryStore) -> Vec<RecordedEvent> {
        let events = store.read(Query::default().verified());
        events
            .map_ok(|read| read.event)
            .try_collect()
            .await
            .expect("sound events")
    }

    async fn export(store: &MemoryStore, filter: Option<&str>) -> Vec<u8> {
        let header = ExportHeader {
            store_id: store.info().store_id.to_string(),
            template: store.info().template.clone(),
            filter: filter.map(str::to_owned),
            exported_at: store.info().created_at,
        };
        let (mut writer, mut file) = ExportWriter::new(&header);
        for event in events(store).await {
            file += &writer.line(&event).expect("an event of this store");
        }
        (file + &writer.finish()).into_bytes()
    }

    async fn import(store: &MemoryStore, file: &[u8]) -> Result<Imported, ImportError> {
        let file = file.to_vec();
        let open = move || Ok(Box::new(io::Cursor::new(file.clone())) as Box<dyn Read + Send>);
        run_export(store, &open, &mut |_, _| {}).await
    }

    const ROWS: [(&str, &str); 4] = [("a", "Made"), ("b", "Made"), ("a", "Sent"), ("b", "Kept")];

    #[tokio::test]
    async fn an_export_gives_the_same_events_in_the_same_order() {
        let store = filled(&ROWS[..2]).await;
        add(&store, &ROWS[..3]).await;
        add(&store, &ROWS).await;
        let copy = MemoryStore::new(StoreTemplate::default());
        let file = export(&store, None).await;
        let expect = Imported {
            events: 4,
            appended: 4,
            present: 0,
            aggregates: 2,
            types: 3,
        };
        assert_eq!(import(&copy, &file).await.expect("a whole export"), expect);
        assert_eq!(events(&copy).await, events(&store).await);
        let again = Imported {
            appended: 0,
            present: 4,
            ..expect
        };
        assert_eq!(import(&copy, &file).await.expect("a whole export"), again);
    }

    #[tokio::test]
    async fn what_is_there_already_is_left_alone() {
        let (part, whole) = (filled(&ROWS[..1]).await, filled(&ROWS[..3]).await);
        let file = export(&whole, None).await;
        let grown = import(&part, &file).await.expect("a whole export");
        assert_eq!((grown.appended, grown.present), (2, 1));
        let longer = filled(&ROWS).await;
        let none = import(&longer, &file).await.expect("a whole export");
        assert_eq!((none.appended, none.present), (0, 3));
    }

    #[tokio::test]
    async fn nothing_is_written_of_an_export_that_is_not_right() {
        let whole = filled(&ROWS).await;
        let file = export(&whole, None).await;
        let other = filled(&[("a", "Lost")]).await;
        let error = import(&other, &file)
            .await
            .expect_err("another event is there");
        assert!(
            matches!(
                error,
                ImportError::Differs {
                    version: Version::FIRST,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(events(&other).await.len(), 1);

        let empty = MemoryStore::new(StoreTemplate::default());
        let cut = import(&empty, &file[..file.len() - 20]).await;
        assert!(matches!(cut, Err(ImportError::Export(_))), "{cut:?}");
        let mut altered = file.clone();
        let at = file.windows(4).rposition(|bytes| bytes == b"Kept");
        altered[at.expect("the type stands in the file")] = b'X';
        let altered = import(&empty, &altered).await;
        assert!(
            matches!(altered, Err(ImportError::Export(_))),
            "{altered:?}"
        );
        let filtered = import(&empty, &export(&whole, Some("o.>")).await).await;
        assert!(
            matches!(filtered, Err(ImportError::Filtered { .. })),
            "{filtered:?}"
        );
        assert!(events(&empty).await.is_empty());
    }
}

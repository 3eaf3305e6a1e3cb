//! A native handler whose documents show it if an event takes effect twice, never, or out of order,
//! and a store full of events for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use bytes::Bytes;
use cim_core::append::Append;
use cim_core::event::NewEvent;
use cim_core::id::{EventId, EventType};
use cim_core::projection::{Change, Descriptor, DocumentKey, Fault, Name};
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::ExpectedVersion;
use cim_host::projector::{CallError, Handler, ProjectorError, ReadModelError, Select};
use cim_host::sqlite::{ReadModel, SqliteStore};
use cim_host::store::{EventStore as _, ReadEvent};
use serde_json::{Value, json};

use crate::work::key;

/// How many events one append of [`fill`] has.
const APPEND: u64 = 1000;

type Poison = Box<dyn Fn(&ReadEvent) -> bool + Send>;
type Before = Box<dyn FnMut(&[ReadEvent]) + Send>;

/// Counts events by type, and folds each aggregate's events into one number in their order.
pub struct Counting {
    descriptor: Descriptor,
    identity: String,
    poison: Poison,
    before: Before,
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counting")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Default for Counting {
    fn default() -> Self {
        Self {
            descriptor: Descriptor {
                name: name("counting"),
                version: "1".to_owned(),
                event_types: Vec::new(),
                collections: vec![name("types"), name("aggregates")],
            },
            identity: "counting-1".to_owned(),
            poison: Box::new(|_| false),
            before: Box::new(|_| {}),
        }
    }
}

impl Counting {
    /// The same under another identity, as if it were changed.
    #[must_use]
    pub fn with_identity(self, identity: &str) -> Self {
        let identity = identity.to_owned();
        Self { identity, ..self }
    }

    /// Faults at these events.
    #[must_use]
    pub fn with_poison(self, poison: impl Fn(&ReadEvent) -> bool + Send + 'static) -> Self {
        let poison = Box::new(poison);
        Self { poison, ..self }
    }

    /// Calls `before` with each batch before it is applied.
    #[must_use]
    pub fn with_before(self, before: impl FnMut(&[ReadEvent]) + Send + 'static) -> Self {
        let before = Box::new(before);
        Self { before, ..self }
    }

    fn document_keys(&self, event: &ReadEvent) -> [DocumentKey; 2] {
        let [types, aggregates] = &self.descriptor.collections[..] else {
            unreachable!("there are two collections");
        };
        let event = &event.event;
        let key = |collection: &Name, key: &str| DocumentKey {
            collection: collection.clone(),
            key: key.into(),
        };
        [
            key(types, event.event.event_type.as_str()),
            key(aggregates, event.aggregate.id.as_str()),
        ]
    }
}

impl Handler for Counting {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    fn keys(&mut self, events: &[ReadEvent]) -> Result<Vec<DocumentKey>, CallError> {
        let keys = events.iter().flat_map(|event| self.document_keys(event));
        let unique: BTreeSet<_> = keys.collect();
        Ok(unique.into_iter().collect())
    }

    fn apply(
        &mut self,
        events: &[ReadEvent],
        documents: &[Option<Bytes>],
    ) -> Result<Vec<Change>, CallError> {
        (self.before)(events);
        if events.iter().any(|event| (self.poison)(event)) {
            return Err(CallError::Fault(Fault {
                code: "poison".to_owned(),
                message: "an event is poison".to_owned(),
                index: None,
                retryable: false,
            }));
        }
        let mut read: BTreeMap<DocumentKey, Value> = BTreeMap::new();
        for (key, document) in self.keys(events)?.into_iter().zip(documents) {
            let found = document.as_deref().map(serde_json::from_slice);
            let found = found.transpose().expect("what was written before");
            read.insert(key, found.unwrap_or_else(|| json!({"count": 0, "fold": 0})));
        }
        for event in events {
            for key in self.document_keys(event) {
                let document = read.get_mut(&key).expect("its key was asked for");
                let number = |name: &str| document[name].as_u64().unwrap_or(0);
                let id = event.event.event.id;
                let low = id.as_bytes()[8..].try_into().map_or(0, u64::from_be_bytes);
                let fold = (number("fold").rotate_left(5) ^ low).wrapping_mul(0x9e37_79b9);
                *document = json!({"count": number("count") + 1, "fold": fold});
            }
        }
        let put = |(key, document): (DocumentKey, Value)| Change::Put {
            key,
            document: document.to_string().into(),
        };
        Ok(read.into_iter().map(put).collect())
    }
}

/// The documents of a [`Counting`] projection, by collection and key.
pub type Documents = BTreeMap<(String, String), String>;

/// Reads all documents.
///
/// # Errors
///
/// When there is no such projection.
pub fn documents(read_model: &ReadModel) -> Result<Documents, ReadModelError> {
    let mut all = Documents::new();
    for collection in ["types", "aggregates"] {
        let found = read_model.documents(&name("counting"), &name(collection), Select::All)?;
        for found in found {
            let found = found?;
            all.insert((collection.to_owned(), found.key), found.document);
        }
    }
    Ok(all)
}

/// How many events the documents say took effect, once by types and once by aggregates.
///
/// # Panics
///
/// When a document is not of this handler.
pub fn counts(documents: &Documents) -> [u64; 2] {
    ["types", "aggregates"].map(|wanted| {
        let of = documents.iter().filter(|((name, _), _)| name == wanted);
        of.map(|(_, document)| {
            let value: Value = serde_json::from_str(document).expect("JSON");
            value["count"].as_u64().expect("a count")
        })
        .sum()
    })
}

/// Makes a store of `events` events, whose aggregates take turns.
///
/// # Panics
///
/// When the store refuses them.
pub async fn fill(path: &Path, events: u64, aggregates: u64) {
    let store = SqliteStore::create(path, StoreTemplate::default()).expect("a new store");
    let mut made = 0;
    while made < events {
        let end = (made + APPEND).min(events);
        let mut by_aggregate: BTreeMap<u64, Vec<NewEvent>> = BTreeMap::new();
        for number in made..end {
            let of = by_aggregate.entry(number % aggregates).or_default();
            of.push(event(number));
        }
        let append = |(number, events)| Append::new(key(number), ExpectedVersion::Any, events);
        let appends = by_aggregate.into_iter().map(append).collect();
        store.append_many(appends).await.expect("committed");
        made = end;
    }
    store.close().await.expect("closed");
}

/// The event with a number.
fn event(number: u64) -> NewEvent {
    let time = Timestamp::from_micros(1_795_248_000_000_000 + number).expect("a time");
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&number.to_be_bytes());
    let types = ["OrderPlaced", "OrderPaid", "OrderPacked", "OrderSent"];
    NewEvent::json(
        EventId::from_parts(time, entropy),
        &key(0).entity,
        EventType::new(types[number as usize * 7 % 4]).expect("a type"),
        time,
        Text::new("fill").expect("a text"),
        format!(r#"{{"number":{number}}}"#),
    )
    .expect("an operation")
}

/// The name of a projection or collection of the tests.
///
/// # Panics
///
/// When it is none.
pub fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// The code of an error, for tests that compare it.
pub fn code<T>(answer: &Result<T, ProjectorError>) -> &'static str {
    answer.as_ref().map_or_else(ProjectorError::code, |_| "")
}

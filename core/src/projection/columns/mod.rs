//! Batches, keys, documents and changes as columns, the form in which they cross the border to a
//! plugin (`wasm/wit/plugin.wit` says what each column means).
//!
//! What comes back from a plugin is untrusted: here it is checked that its columns fit together,
//! and [`Checks`](super::check::Checks) then looks at what they say.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::{Change, DocumentKey, Fault, Limits, Name};
use crate::event::RecordedEvent;
use crate::headers;
use crate::id::{Entity, EventType, Namespace};
use crate::text::{Text, shorten};
use crate::version::Position;

/// Events in store order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the record `batch` in `plugin.wit`"
)]
pub struct Batch {
    pub types: Vec<String>,
    pub type_of: Vec<u32>,
    pub schema_versions: Vec<u32>,
    pub entities: Vec<String>,
    pub entity_of: Vec<u32>,
    pub aggregate_id_ends: Vec<u32>,
    pub aggregate_ids: String,
    pub versions: Vec<u64>,
    pub positions: Vec<u64>,
    pub times: Vec<u64>,
    pub header_ends: Vec<u32>,
    pub headers: Vec<u8>,
    pub content_types: Vec<String>,
    pub content_type_of: Vec<u32>,
    pub payload_ends: Vec<u32>,
    pub payloads: Vec<u8>,
}

/// Keys of documents.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the record `key-set` in `plugin.wit`"
)]
pub struct KeySet {
    pub collections: Vec<String>,
    pub collection_of: Vec<u32>,
    pub key_ends: Vec<u32>,
    pub keys: String,
}

/// Documents in the order of the keys that asked for them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the record `documents` in `plugin.wit`"
)]
pub struct Documents {
    pub present: Vec<u8>,
    pub document_ends: Vec<u32>,
    pub documents: Vec<u8>,
}

/// Changes in the order in which they take effect.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[allow(
    missing_docs,
    reason = "the columns of the record `changes` in `plugin.wit`"
)]
pub struct Changes {
    pub collections: Vec<String>,
    pub collection_of: Vec<u32>,
    pub kinds: Vec<u8>,
    pub key_ends: Vec<u32>,
    pub keys: String,
    pub document_ends: Vec<u32>,
    pub documents: Vec<u8>,
}

impl Batch {
    /// Packs events.
    ///
    /// # Errors
    ///
    /// `schema-version-too-large` when an event's schema version has more than the 32 bits of its
    /// column, `batch-too-large` when a blob would have more than 4 GiB.
    pub fn pack<'a>(
        events: impl IntoIterator<Item = (Position, &'a RecordedEvent)>,
    ) -> Result<Self, Fault> {
        let mut batch = Self::default();
        let mut types = Dictionary::<EventType>::default();
        let mut entities = Dictionary::<(Namespace, Entity)>::default();
        let mut content_types = Dictionary::<Text>::default();
        for (index, (position, event)) in events.into_iter().enumerate() {
            let (key, new) = (&event.aggregate, &event.event);
            let schema_version = u32::try_from(new.schema_version.get()).map_err(|_| Fault {
                index: Some(index),
                ..fault(
                    "schema-version-too-large",
                    format!(
                        "the schema version {} has more than 32 bits",
                        new.schema_version
                    ),
                )
            })?;
            let event_type = types.index(&new.event_type, &mut batch.types, |name| {
                name.as_str().to_owned()
            });
            batch.type_of.push(event_type);
            batch.schema_versions.push(schema_version);
            let entity = entities.index_by(
                |(namespace, entity)| *namespace == key.namespace && *entity == key.entity,
                || (key.namespace.clone(), key.entity.clone()),
                &mut batch.entities,
                |(namespace, entity)| format!("{namespace}.{entity}"),
            );
            batch.entity_of.push(entity);
            batch.aggregate_ids.push_str(key.id.as_str());
            batch
                .aggregate_id_ends
                .push(end(batch.aggregate_ids.len())?);
            batch.versions.push(event.version.get());
            batch.positions.push(position.get());
            batch.times.push(new.timestamp.micros());
            headers::put_cbor(&mut batch.headers, event);
            batch.header_ends.push(end(batch.headers.len())?);
            let content_type =
                content_types.index(&new.content_type, &mut batch.content_types, |text| {
                    text.as_str().to_owned()
                });
            batch.content_type_of.push(content_type);
            batch.payloads.extend_from_slice(&new.body);
            batch.payload_ends.push(end(batch.payloads.len())?);
        }
        Ok(batch)
    }
}

impl Documents {
    /// Packs documents.
    ///
    /// # Errors
    ///
    /// `documents-too-large`, before anything is copied; `batch-too-large` when they have more than
    /// 4 GiB together.
    pub fn pack(documents: &[Option<Bytes>], limits: &Limits) -> Result<Self, Fault> {
        let bytes = documents.iter().flatten().map(Bytes::len).sum();
        limits.check_read(bytes)?;
        let mut columns = Self::default();
        columns.documents.reserve_exact(bytes);
        for document in documents {
            columns.present.push(u8::from(document.is_some()));
            columns
                .documents
                .extend_from_slice(document.as_deref().unwrap_or_default());
            columns.document_ends.push(end(columns.documents.len())?);
        }
        Ok(columns)
    }
}

impl KeySet {
    /// Reads the keys.
    ///
    /// # Errors
    ///
    /// `too-many-changes` (of keys), `columns-invalid` when the columns do not fit together,
    /// `collection-undeclared` for a collection with a name that none can have.
    pub fn unpack(&self, limits: &Limits) -> Result<Vec<DocumentKey>, Fault> {
        let Self {
            collections,
            collection_of,
            key_ends,
            keys,
        } = self;
        limits.check_count("keys", collection_of.len())?;
        check_length("key-ends", key_ends, collection_of.len())?;
        check_keys(key_ends, keys)?;
        let collections = Collections::new(collections, limits)?;
        (0..collection_of.len())
            .map(|at| {
                Ok(DocumentKey {
                    collection: collections.get(collection_of[at])?,
                    key: keys[range(key_ends, at)].into(),
                })
            })
            .collect()
    }
}

impl Changes {
    /// Reads the changes; their documents share one piece of memory.
    ///
    /// # Errors
    ///
    /// `too-many-changes`, before anything is made of them; `columns-invalid` when the columns do
    /// not fit together, `collection-undeclared` for a collection with a name that none can have.
    pub fn unpack(self, limits: &Limits) -> Result<Vec<Change>, Fault> {
        let Self {
            collections,
            collection_of,
            kinds,
            key_ends,
            keys,
            document_ends,
            documents,
        } = self;
        limits.check_count("changes", collection_of.len())?;
        check_length("kinds", &kinds, collection_of.len())?;
        check_length("key-ends", &key_ends, collection_of.len())?;
        check_length("document-ends", &document_ends, collection_of.len())?;
        check_keys(&key_ends, &keys)?;
        check_ends("document-ends", &document_ends, documents.len())?;
        let collections = Collections::new(&collections, limits)?;
        let documents = Bytes::from(documents);
        (0..collection_of.len())
            .map(|at| {
                let key = DocumentKey {
                    collection: collections.get(collection_of[at])?,
                    key: keys[range(&key_ends, at)].into(),
                };
                let document = range(&document_ends, at);
                match kinds[at] {
                    PUT => Ok(Change::Put {
                        key,
                        document: documents.slice(document),
                    }),
                    DELETE if document.is_empty() => Ok(Change::Delete { key }),
                    DELETE => Err(invalid("document-ends", "a delete has a document")),
                    kind => Err(invalid(
                        "kinds",
                        &format!("expected 1 (put) or 2 (delete), found {kind}"),
                    )),
                }
            })
            .collect()
    }
}

/// Names that occur, each once, in the order in which they occur first.
struct Dictionary<T> {
    known: Vec<T>,
    last: usize,
}

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self {
            known: Vec::new(),
            last: 0,
        }
    }
}

impl<T> Dictionary<T> {
    /// The index of `name`, which joins `column` if it is new.
    fn index(&mut self, name: &T, column: &mut Vec<String>, text: impl Fn(&T) -> String) -> u32
    where
        T: Clone + PartialEq,
    {
        self.index_by(|known| known == name, || name.clone(), column, text)
    }

    fn index_by(
        &mut self,
        is_it: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
        column: &mut Vec<String>,
        text: impl Fn(&T) -> String,
    ) -> u32 {
        // The same name often comes again at once.
        if !self.known.get(self.last).is_some_and(&is_it) {
            self.last = self.known.iter().position(is_it).unwrap_or_else(|| {
                let name = make();
                column.push(text(&name));
                self.known.push(name);
                self.known.len() - 1
            });
        }
        u32::try_from(self.last).expect("a batch has fewer than 2^32 events")
    }
}

/// The collections of an answer.
struct Collections(Vec<Name>);

impl Collections {
    fn new(names: &[String], limits: &Limits) -> Result<Self, Fault> {
        limits.check_count("collections", names.len())?;
        let mut seen = HashMap::new();
        for (at, name) in names.iter().enumerate() {
            if seen.insert(name, at).is_some() {
                let why = format!("`{}` stands twice", shorten(name));
                return Err(invalid("collections", &why));
            }
        }
        let names = names.iter().map(|name| {
            Name::new(name).map_err(|error| fault("collection-undeclared", error.to_string()))
        });
        Ok(Self(names.collect::<Result<_, _>>()?))
    }

    fn get(&self, index: u32) -> Result<Name, Fault> {
        let found = self.0.get(index as usize).cloned();
        found.ok_or_else(|| {
            let names = self.0.len();
            let why = format!("expected an index below {names}, found {index}");
            invalid("collection-of", &why)
        })
    }
}

fn check_length<T>(column: &str, entries: &[T], expected: usize) -> Result<(), Fault> {
    if entries.len() == expected {
        return Ok(());
    }
    let why = format!("expected {expected} entries, found {}", entries.len());
    Err(invalid(column, &why))
}

fn check_keys(ends: &[u32], keys: &str) -> Result<(), Fault> {
    check_ends("key-ends", ends, keys.len())?;
    if ends.iter().all(|end| keys.is_char_boundary(*end as usize)) {
        return Ok(());
    }
    Err(invalid("key-ends", "an end is within a character"))
}

fn check_ends(column: &str, ends: &[u32], blob: usize) -> Result<(), Fault> {
    let last = ends.last().map_or(0, |end| *end as usize);
    if !ends.is_sorted() {
        return Err(invalid(column, "expected ends that never fall"));
    }
    if last != blob {
        let why = format!("expected {blob} as the last end, found {last}");
        return Err(invalid(column, &why));
    }
    Ok(())
}

/// Where an item of a blob is; its ends were checked.
fn range(ends: &[u32], at: usize) -> Range<usize> {
    let start = at.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[at] as usize
}

/// The end of a blob that has just got another item.
fn end(blob_len: usize) -> Result<u32, Fault> {
    u32::try_from(blob_len).map_err(|_| {
        let message = "a batch has more than 4 GiB in one column".to_owned();
        fault("batch-too-large", message)
    })
}

fn invalid(column: &str, why: &str) -> Fault {
    fault(
        "columns-invalid",
        format!("the column `{column}` of the answer is wrong: {why}"),
    )
}

fn fault(code: &str, message: String) -> Fault {
    Fault {
        code: code.to_owned(),
        message,
        index: None,
        retryable: false,
    }
}

const PUT: u8 = 1;
const DELETE: u8 = 2;

#[cfg(test)]
mod tests;

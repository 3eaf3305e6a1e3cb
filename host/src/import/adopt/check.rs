//! The first reading of a stream: every message, and what the store has of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem::discriminant;

use cim_core::id::{AggregateKey, Entity, EventId, EventType, Namespace, Operation};
use cim_core::time::Timestamp;
use cim_core::version::Head;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::fault::{AdoptError, BadMessage, MessageFault};
use super::message::{Adopted, Reader};
use super::{Adoption, Checked, Content, Entry, Part, Source, content};
use crate::import::error::{ImportError, broken};
use crate::import::run::Late;
use crate::jetstream::StoredMessage;
use crate::store::{EventStore, Query};

/// How many bad messages are told.
const TOLD: usize = 10;

/// Reads a stream through, without writing anything. Without a store it is judged as for an empty
/// one.
///
/// `progress` hears how many messages are read.
///
/// # Errors
///
/// [`AdoptError::Messages`], with the first bad ones, after all were read; [`AdoptError::Import`]
/// when two types of an entity have one operation, when the store fails, or when a history in it is
/// broken; [`AdoptError::Stream`].
pub async fn check(
    store: Option<&dyn EventStore>,
    reader: &Reader,
    source: &Source<'_>,
    late: Late,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Checked, AdoptError> {
    // An empty store need not be asked event by event.
    let store = match store {
        Some(store)
            if store
                .last_position()
                .await
                .map_err(ImportError::from)?
                .is_some() =>
        {
            Some(store)
        }
        _ => None,
    };
    let mut checker = Checker {
        store,
        late,
        entries: Vec::new(),
        ids: HashMap::new(),
        histories: HashMap::new(),
        types: HashSet::new(),
        operations: BTreeMap::new(),
        report: Adoption::default(),
        bad: 0,
        first: Vec::new(),
    };
    let mut read = 0;
    let mut messages = (source.open)(1);
    while let Some(stored) = messages
        .try_next()
        .await
        .map_err(|error| source.fault(error))?
    {
        match reader.read(&stored.message) {
            Ok(adopted) => checker.take(&stored, adopted).await?,
            Err(fault) => checker.refuse(stored.sequence, &stored.message.subject, fault),
        }
        read += 1;
        if read % 1000 == 0 {
            progress(read);
        }
    }
    checker.finish(source.stream, read)
}

/// What was found so far.
struct Checker<'a> {
    /// The store, unless it is empty.
    store: Option<&'a dyn EventStore>,
    late: Late,
    entries: Vec<Entry>,
    /// The indexes of the events' entries.
    ids: HashMap<Uuid, usize>,
    histories: HashMap<AggregateKey, History>,
    types: HashSet<EventType>,
    operations: BTreeMap<(Namespace, Entity), BTreeMap<Operation, BTreeSet<EventType>>>,
    report: Adoption,
    bad: u64,
    first: Vec<BadMessage>,
}

/// What the store has of an aggregate, and where the reading is in it.
#[derive(Default)]
struct History {
    events: HashMap<EventId, Content>,
    last: Option<Last>,
    /// Whether the store's last event was met in the stream: what is new behind it follows it, at
    /// whatever time it happened.
    is_met: bool,
    /// The first message that is new to the store.
    new: Option<(u64, String)>,
}

/// The last event of an aggregate in the store.
#[derive(Clone, Copy)]
struct Last {
    id: EventId,
    time: Timestamp,
    head: Head,
}

impl Checker<'_> {
    /// Takes the event of a message.
    async fn take(&mut self, stored: &StoredMessage, adopted: Adopted) -> Result<(), ImportError> {
        let Adopted {
            aggregate,
            event,
            without_offset,
            cut,
        } = adopted;
        let (sequence, subject) = (stored.sequence, &stored.message.subject);
        let content = content(&aggregate, &event);
        if let Some(&at) = self.ids.get(event.id.as_uuid()) {
            let earlier = &self.entries[at];
            if earlier.content == content {
                self.report.repeated += 1;
                self.enter(sequence, content, Part::Repeated);
            } else {
                let fault = MessageFault::Repeated {
                    event: event.id,
                    sequence: earlier.sequence,
                };
                self.refuse(sequence, subject, fault);
            }
            return Ok(());
        }
        self.ids.insert(*event.id.as_uuid(), self.entries.len());
        self.report.without_offset += u64::from(without_offset);
        self.report.cut += u64::from(cut);
        self.declare(&aggregate, &event.operation, &event.event_type);

        if !self.histories.contains_key(&aggregate) {
            let history = self.read(&aggregate).await?;
            self.histories.insert(aggregate.clone(), history);
        }
        let history = self
            .histories
            .get_mut(&aggregate)
            .expect("it was put there");
        let found = history.events.get(&event.id).copied();
        if found == Some(content) {
            history.is_met |= history.last.is_some_and(|last| last.id == event.id);
            let new = history.new.take();
            self.report.imported.present += 1;
            self.enter(sequence, content, Part::Present);
            if let Some((new, subject)) = new.filter(|_| self.late == Late::Refuse) {
                let fault = MessageFault::Behind {
                    aggregate,
                    sequence,
                };
                self.refuse(new, &subject, fault);
            }
            return Ok(());
        }
        let last = history.last.filter(|_| !history.is_met);
        let head = last.map(|last| last.time);
        let late = head.filter(|head| event.timestamp < *head && self.late == Late::Refuse);
        self.enter(sequence, content, Part::New);
        if found.is_some() || self.has(event.id).await? {
            self.refuse(sequence, subject, MessageFault::Reused { event: event.id });
        } else if let Some(head) = late {
            let fault = MessageFault::Late {
                aggregate,
                time: event.timestamp,
                head,
            };
            self.refuse(sequence, subject, fault);
        } else if let Some(history) = self.histories.get_mut(&aggregate) {
            history
                .new
                .get_or_insert_with(|| (sequence, subject.clone()));
        }
        Ok(())
    }

    fn enter(&mut self, sequence: u64, content: Content, part: Part) {
        self.entries.push(Entry {
            sequence,
            content,
            part,
        });
    }

    /// Notes which type has which operation.
    fn declare(&mut self, aggregate: &AggregateKey, operation: &Operation, name: &EventType) {
        if !self.types.contains(name) {
            self.types.insert(name.clone());
        }
        let entity = (aggregate.namespace.clone(), aggregate.entity.clone());
        let operations = self.operations.entry(entity).or_default();
        match operations.get_mut(operation) {
            Some(types) if types.contains(name) => {}
            Some(types) => drop(types.insert(name.clone())),
            None => drop(operations.insert(operation.clone(), BTreeSet::from([name.clone()]))),
        }
    }

    /// What the store has of an aggregate.
    async fn read(&self, key: &AggregateKey) -> Result<History, ImportError> {
        let mut history = History::default();
        let Some(store) = self.store else {
            return Ok(history);
        };
        let mut events = store.read(Query::history(key.clone()).verified());
        while let Some(read) = events
            .try_next()
            .await
            .map_err(|error| broken(key, error))?
        {
            let event = &read.event.event;
            history.events.insert(event.id, content(key, event));
            history.last = Some(Last {
                id: event.id,
                time: event.timestamp,
                head: read.event.head(),
            });
        }
        Ok(history)
    }

    /// Whether the store has an id, in whatever aggregate.
    async fn has(&self, id: EventId) -> Result<bool, ImportError> {
        let Some(store) = self.store else {
            return Ok(false);
        };
        let query = Query {
            event_id: Some(id),
            ..Query::default()
        };
        Ok(store.read(query).try_next().await?.is_some())
    }

    fn refuse(&mut self, sequence: u64, subject: &str, fault: MessageFault) {
        self.bad += 1;
        let mut told = self.first.iter_mut();
        let same =
            told.find(|bad| fault.is_plain() && discriminant(&bad.fault) == discriminant(&fault));
        if let Some(same) = same {
            same.count += 1;
        } else if self.first.len() < TOLD {
            self.first.push(BadMessage {
                sequence,
                subject: subject.to_owned(),
                count: 1,
                fault,
            });
        }
    }

    fn finish(mut self, stream: &str, read: u64) -> Result<Checked, AdoptError> {
        if self.bad > 0 {
            self.first.sort_by_key(|bad| bad.sequence);
            return Err(AdoptError::Messages {
                stream: stream.to_owned(),
                read,
                bad: self.bad,
                first: self.first,
            });
        }
        for ((_, entity), operations) in self.operations {
            let collisions: Vec<_> = operations
                .into_iter()
                .filter(|(_, types)| types.len() > 1)
                .map(|(operation, types)| (operation, types.into_iter().collect()))
                .collect();
            if !collisions.is_empty() {
                return Err(ImportError::Operations { entity, collisions }.into());
            }
        }
        let imported = &mut self.report.imported;
        imported.events = self.ids.len() as u64;
        imported.aggregates = self.histories.len() as u64;
        imported.types = self.types.len() as u64;
        let heads = self.histories.into_iter();
        Ok(Checked {
            entries: self.entries,
            heads: heads
                .map(|(key, history)| (key, history.last.map(|last| last.head)))
                .collect(),
            report: self.report,
        })
    }
}

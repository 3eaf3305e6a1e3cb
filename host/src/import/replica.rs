//! Storing recorded events once more, with the same CIDs, in the same order.

use std::collections::{HashMap, HashSet};

use cim_core::append::{Append, MAX_APPEND_EVENTS};
use cim_core::cid::Cid;
use cim_core::event::RecordedEvent;
use cim_core::id::AggregateKey;
use cim_core::version::{ExpectedVersion, Version};
use futures_util::future::join_all;
use futures_util::stream::TryStreamExt as _;

use super::error::{ImportError, broken};
use crate::store::retry::append_surely;
use crate::store::{EventStore, Query};

/// The most bytes of bodies that wait to be stored.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// A store that gets the events of another one or of an export.
///
/// Events must be verified before they come here. Those that the store has already are compared by
/// their CIDs; of each aggregate that is there, 32 bytes an event are kept in memory.
#[derive(Debug)]
pub struct Replica<'a> {
    store: &'a dyn EventStore,
    present: HashMap<AggregateKey, Vec<Cid>>,
    waiting: Vec<RecordedEvent>,
    waiting_bytes: usize,
    counts: Counts,
}

/// What a replica got.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Events that were stored now.
    pub appended: u64,
    /// Events that were there already.
    pub present: u64,
}

impl<'a> Replica<'a> {
    /// Stores into `store`.
    pub fn new(store: &'a dyn EventStore) -> Self {
        Self {
            store,
            present: HashMap::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            counts: Counts::default(),
        }
    }

    /// How many aggregates it got events of.
    pub fn aggregates(&self) -> u64 {
        self.present.len() as u64
    }

    /// Whether the store had `event` before anything was stored into it here.
    ///
    /// # Errors
    ///
    /// [`ImportError::Differs`] when there is another event in its place, [`ImportError::Append`]
    /// when the store's own history is broken.
    pub async fn has(&mut self, event: &RecordedEvent) -> Result<bool, ImportError> {
        if !self.present.contains_key(&event.aggregate) {
            let cids = history(self.store, &event.aggregate).await?;
            self.present.insert(event.aggregate.clone(), cids);
        }
        let index = usize::try_from(event.version.get() - 1).unwrap_or(usize::MAX);
        match self.present[&event.aggregate].get(index) {
            None => Ok(false),
            Some(found) if *found == event.cid => Ok(true),
            Some(found) => Err(differs(event, *found)),
        }
    }

    /// Takes the next event; it may wait to be stored with others.
    ///
    /// # Errors
    ///
    /// As [`has`](Self::has) and [`flush`](Self::flush).
    pub async fn push(&mut self, event: RecordedEvent) -> Result<(), ImportError> {
        if self.has(&event).await? {
            self.counts.present += 1;
            return Ok(());
        }
        self.waiting_bytes += event.event.body.len();
        self.waiting.push(event);
        if self.waiting.len() == MAX_APPEND_EVENTS || self.waiting_bytes >= MAX_WAITING_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Stores what waits.
    ///
    /// # Errors
    ///
    /// [`ImportError::Append`], and [`ImportError::Differs`] when the store made another CID of an
    /// event; what was stored before it stays.
    pub async fn flush(&mut self) -> Result<Counts, ImportError> {
        self.waiting_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let cids: HashMap<(AggregateKey, Version), Cid> = waiting
            .iter()
            .map(|event| ((event.aggregate.clone(), event.version), event.cid))
            .collect();
        let runs = runs(waiting);
        // All wait at the same time, in order, so that a store may commit them together.
        let answers = join_all(runs.iter().map(|run| self.append(run.clone(), &cids))).await;
        for (run, answer) in runs.into_iter().zip(answers) {
            // A run that stands on one before it is refused when that one was late. Sent again in
            // its turn, it is there already, or goes in, or is refused for what is so.
            self.counts.appended += match answer {
                Err(ImportError::Append(_)) => self.append(run, &cids).await?,
                answer => answer?,
            };
        }
        Ok(self.counts)
    }

    /// Appends one run, and checks that the store made the same CIDs of it.
    async fn append(
        &self,
        run: Vec<Append>,
        cids: &HashMap<(AggregateKey, Version), Cid>,
    ) -> Result<u64, ImportError> {
        let count = run.iter().map(|append| append.events.len() as u64).sum();
        let aggregates: Vec<_> = run.iter().map(|append| append.aggregate.clone()).collect();
        let answers = append_surely(self.store, run).await?;
        for (aggregate, answer) in aggregates.into_iter().zip(answers) {
            let (version, found) = (answer.receipt().version, answer.receipt().head);
            let place = (aggregate, version);
            if let Some(&expected) = cids.get(&place).filter(|expected| **expected != found) {
                let aggregate = place.0;
                return Err(ImportError::Differs {
                    aggregate,
                    version,
                    expected,
                    found,
                });
            }
        }
        Ok(count)
    }
}

/// Cuts events into appends that keep their order: an aggregate that comes again begins a new one.
fn runs(events: Vec<RecordedEvent>) -> Vec<Vec<Append>> {
    let mut runs: Vec<Vec<Append>> = Vec::new();
    let mut seen: HashSet<AggregateKey> = HashSet::new();
    for recorded in events {
        let last = runs.last_mut().and_then(|run| run.last_mut());
        if let Some(append) = last.filter(|append| append.aggregate == recorded.aggregate) {
            append.events.push(recorded.event);
            continue;
        }
        let expected = match Version::new(recorded.version.get() - 1) {
            Ok(version) => ExpectedVersion::Exact(version),
            Err(_) => ExpectedVersion::NoStream,
        };
        if runs.is_empty() || !seen.insert(recorded.aggregate.clone()) {
            runs.push(Vec::new());
            seen.clear();
            seen.insert(recorded.aggregate.clone());
        }
        let append = Append::new(recorded.aggregate, expected, vec![recorded.event]);
        runs.last_mut().expect("there is one").push(append);
    }
    runs
}

/// The CIDs of a history, each checked: what was altered must not pass for being there.
async fn history(store: &dyn EventStore, key: &AggregateKey) -> Result<Vec<Cid>, ImportError> {
    if store.head(key).await?.is_none() {
        return Ok(Vec::new());
    }
    let events = store.read(Query::history(key.clone()).verified());
    let cids = events.map_ok(|read| read.event.cid).try_collect().await;
    cids.map_err(|error| broken(key, error))
}

fn differs(event: &RecordedEvent, found: Cid) -> ImportError {
    ImportError::Differs {
        aggregate: event.aggregate.clone(),
        version: event.version,
        expected: event.cid,
        found,
    }
}

//! A store as it was left behind, read and verified from its first event.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use cim_core::chain::verifier::StoreVerifier;
use cim_core::cid::Cid;
use cim_core::id::{AggregateKey, EventId};
use cim_host::sqlite::SqliteStore;
use cim_host::store::{EventStore as _, Query};
use futures_util::StreamExt as _;

use crate::work::{Acknowledged, Line};

/// What stands in a store, all of it verified.
#[derive(Debug, Default)]
pub struct Histories {
    events: HashMap<(AggregateKey, u64), (EventId, Cid)>,
    ids: HashSet<EventId>,
}

impl Histories {
    /// Opens the store at `path`, reads every event and verifies every chain.
    ///
    /// # Panics
    ///
    /// When it cannot be read, or a chain is broken.
    pub async fn read(path: &Path) -> Self {
        let store = SqliteStore::open(path).expect("the store can be opened again");
        let mut verifier = StoreVerifier::new();
        let mut histories = Self::default();
        let mut events = store.read(Query::default());
        while let Some(read) = events.next().await {
            let read = read.expect("every event can be read");
            verifier.push(&read.event).expect("no chain is broken");
            let (id, cid) = (read.event.event.id, read.event.cid);
            assert!(histories.ids.insert(id), "the event `{id}` is stored twice");
            let place = (read.event.aggregate, read.event.version.get());
            histories.events.insert(place, (id, cid));
        }
        store.close().await.expect("the store can be closed");
        histories
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Checks a line of the worker against what is stored.
    ///
    /// # Panics
    ///
    /// When an acknowledged event is not there with the CID that was acknowledged, a refused one
    /// is, or an append is there in part.
    pub fn check(&self, line: &Line) {
        match line {
            Line::Acknowledged { events, .. } => {
                events
                    .iter()
                    .for_each(|event| self.check_acknowledged(event));
            }
            Line::Refused { events, .. } => {
                let stored = events.iter().find(|id| self.ids.contains(id));
                assert_eq!(stored, None, "a refused event is stored: {line}");
            }
            Line::Try(events) | Line::Unknown(events) => {
                let stored = events.iter().filter(|id| self.ids.contains(id)).count();
                let whole = stored == 0 || stored == events.len();
                assert!(
                    whole,
                    "{stored} of {} events of one append: {line}",
                    events.len()
                );
            }
            Line::Ready | Line::Closed(_) | Line::Done => {}
        }
    }

    fn check_acknowledged(&self, event: &Acknowledged) {
        let Acknowledged {
            aggregate,
            version,
            id,
            cid,
        } = event;
        let Some((stored_id, stored_cid)) = self.events.get(&(aggregate.clone(), *version)) else {
            panic!("version {version} of `{aggregate}` was acknowledged, and is missing");
        };
        assert_eq!(
            stored_id, id,
            "version {version} of `{aggregate}` is another event"
        );
        if let Some(cid) = cid {
            assert_eq!(
                stored_cid, cid,
                "version {version} of `{aggregate}` has another CID"
            );
        }
    }
}

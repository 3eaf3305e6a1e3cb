//! What [`append::judge`] sees of a store on JetStream.
//!
//! The judgement is pure and asks for one thing after the other. What is not at hand yet ends it
//! with a [`Missing`]; that is fetched, and it is judged again.

use std::collections::HashMap;

use cim_core::append::{self, Append, HeadFound, Histories, Judgement, Stored};
use cim_core::chain;
use cim_core::id::{AggregateKey, EventId};
use cim_core::version::{ExpectedVersion, Position, Version};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::layout::{position, read_event};
use super::{Inner, fault};
use crate::jetstream::{Consistency, Get, StoredMessage};
use crate::store::StoreError;

/// How fresh a sight is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Freshness {
    /// Remembered heads, any replica, the index as it is: good enough to write on, since the server
    /// refuses what rests on an old head.
    Likely,
    /// The leader, and an index that has all that the leader has: good enough for an answer.
    Sure,
}

/// How many heads are fetched at the same time.
const AT_ONCE: usize = 32;

/// What is fetched of a store for one append.
pub(super) struct Sight<'a> {
    store: &'a Inner,
    freshness: Freshness,
    heads: HashMap<AggregateKey, FetchedHead>,
    versions: HashMap<(AggregateKey, Version), Option<Stored>>,
    ids: HashMap<EventId, Option<Stored>>,
}

/// A head as it was fetched.
struct FetchedHead {
    /// 0 where there is none.
    sequence: u64,
    head: Option<HeadFound>,
    /// See [`KnownHead::is_known`].
    is_known: bool,
}

/// Where the first event of an append is stored, and other events of that history by version.
type Repeat = (
    EventId,
    Option<Stored>,
    Vec<((AggregateKey, Version), Option<Stored>)>,
);

/// Why a judgement has not ended.
pub(super) enum Missing {
    Head(AggregateKey),
    Version(AggregateKey, Version),
    Id(EventId),
    /// The index does not answer.
    Store(StoreError),
}

impl<'a> Sight<'a> {
    pub(super) fn new(store: &'a Inner, freshness: Freshness) -> Self {
        Self {
            store,
            freshness,
            heads: HashMap::new(),
            versions: HashMap::new(),
            ids: HashMap::new(),
        }
    }

    /// Judges appends, fetching what it takes.
    pub(super) async fn judge(&mut self, appends: &[Append]) -> Result<Judgement, StoreError> {
        self.fetch_heads(appends).await?;
        let mut ahead = 1;
        loop {
            match append::judge(self, &self.store.info.template, appends) {
                Ok(judgement) => return Ok(judgement),
                Err(Missing::Store(error)) => return Err(error),
                Err(Missing::Head(aggregate)) => {
                    let (aggregate, head) = self.fetch_head(aggregate).await?;
                    self.heads.insert(aggregate, head);
                }
                Err(Missing::Version(aggregate, version)) => {
                    let there = self.store.index.at_version(&aggregate, version)?;
                    let found = self.fetch(there).await?;
                    self.versions.insert((aggregate, version), found);
                }
                Err(Missing::Id(id)) => {
                    let there = self.store.index.by_id(id)?;
                    let found = self.fetch(there).await?;
                    self.ids.insert(id, found);
                    // Where one append is a repeat, those that came with it may be. Each round costs
                    // a judgement of all, so there are ever more of them in one.
                    self.fetch_repeats(id, appends, ahead).await?;
                    ahead *= 8;
                }
            }
        }
    }

    /// The sequence of an aggregate's last event, as it was judged; 0 where there is none.
    pub(super) fn sequence(&self, aggregate: &AggregateKey) -> u64 {
        self.heads.get(aggregate).map_or(0, |head| head.sequence)
    }

    /// Whether the ids of all events of a history, as it was judged, are in the index or remembered
    /// beside it.
    pub(super) fn is_known(&self, aggregate: &AggregateKey) -> bool {
        let head = self.heads.get(aggregate);
        head.is_none_or(|head| head.is_known || head.sequence <= self.store.index.looked_up_to())
    }

    /// Fetches the heads of all appends, several at the same time.
    async fn fetch_heads(&mut self, appends: &[Append]) -> Result<(), StoreError> {
        // What cannot be stored anyway is not worth a look.
        if append::validate(&self.store.info.template, appends).is_err() {
            return Ok(());
        }
        self.store.check_after_reconnect().await?;
        let aggregates: Vec<_> = appends
            .iter()
            .map(|append| append.aggregate.clone())
            .collect();
        let found: Vec<_> = stream::iter(aggregates)
            .map(|aggregate| self.fetch_head(aggregate))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        self.heads.extend(found);
        let needed = self.needed(appends);
        if needed > self.store.index.looked_up_to() || self.store.recent.is_full() {
            let there = self.store.sync().await?;
            if needed > there {
                let source = format!("a head stands at {needed}, the leader has {there} so far");
                return Err(StoreError::Unreachable {
                    doing: "reading a head".to_owned(),
                    source: source.into(),
                });
            }
        }
        Ok(())
    }

    /// How far the index must reach for a judgement on these heads.
    fn needed(&self, appends: &[Append]) -> u64 {
        let sequences = appends.iter().map(|append| {
            let Some(found) = self.heads.get(&append.aggregate) else {
                return 0;
            };
            match (self.freshness, append.expected) {
                // An answer needs the events up to the head.
                (Freshness::Sure, _) => found.sequence,
                // A repeat of `Any` is found by its ids alone. What is stored behind the head that
                // it is written on, the server refuses; what is before, the index must know.
                (Freshness::Likely, ExpectedVersion::Any) if !found.is_known => found.sequence,
                (Freshness::Likely, _) => 0,
            }
        });
        sequences.max().unwrap_or(0)
    }

    async fn fetch_head(
        &self,
        aggregate: AggregateKey,
    ) -> Result<(AggregateKey, FetchedHead), StoreError> {
        if self.freshness == Freshness::Likely
            && let Some(known) = self.store.heads.get(&aggregate)
        {
            let found = FetchedHead {
                sequence: known.sequence,
                head: Some(HeadFound::Sound(known.head)),
                is_known: known.is_known,
            };
            return Ok((aggregate, found));
        }
        let consistency = match self.freshness {
            Freshness::Likely => Consistency::AnyReplica,
            Freshness::Sure => Consistency::Leader,
        };
        let found = self.store.last(&aggregate, consistency).await?;
        if let Some((sequence, head)) = &found {
            self.store.heads.saw(&aggregate, *sequence, head);
        }
        let (sequence, head) = match found {
            Some((sequence, head)) => (sequence, Some(head)),
            None => (0, None),
        };
        let found = FetchedHead {
            sequence,
            head,
            is_known: sequence == 0,
        };
        Ok((aggregate, found))
    }

    /// Fetches what tells whether an append and some behind it are repeats: where the first event
    /// stands, the one before it, and the one where the last should be.
    async fn fetch_repeats(
        &mut self,
        first: EventId,
        appends: &[Append],
        count: usize,
    ) -> Result<(), StoreError> {
        let parts = appends
            .iter()
            .filter_map(|append| Some((append.events.first()?.id, append.events.len() as u64)));
        let parts: Vec<_> = parts
            .skip_while(|(id, _)| *id != first)
            .take(count)
            .collect();
        let sight = &*self;
        let found: Vec<_> = stream::iter(parts)
            .map(|(id, events)| sight.fetch_repeat(id, events))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for (id, first, versions) in found {
            self.ids.insert(id, first);
            self.versions.extend(versions);
        }
        Ok(())
    }

    async fn fetch_repeat(&self, id: EventId, events: u64) -> Result<Repeat, StoreError> {
        let first = match self.ids.get(&id) {
            Some(found) => found.clone(),
            None => self.fetch(self.store.index.by_id(id)?).await?,
        };
        let mut versions = Vec::new();
        if let Some(Stored { event, .. }) = &first {
            let before = event.version.get() - 1;
            for version in [before, before + events] {
                let Ok(version) = Version::new(version) else {
                    continue;
                };
                let there = self.store.index.at_version(&event.aggregate, version)?;
                let found = self.fetch(there).await?;
                versions.push(((event.aggregate.clone(), version), found));
            }
        }
        Ok((id, first, versions))
    }

    async fn fetch(&self, at: Option<Position>) -> Result<Option<Stored>, StoreError> {
        let Some(at) = at else {
            return Ok(None);
        };
        let found = self
            .store
            .port
            .get(
                &self.store.stream,
                Get::Sequence(at.get()),
                Consistency::Leader,
            )
            .await
            .map_err(|error| fault("reading an event", error))?;
        // What cannot be read is not the event that was asked for.
        Ok(found.and_then(|stored| read_event(&self.store.info.template, &stored).ok()))
    }
}

impl Histories for Sight<'_> {
    type Error = Missing;

    fn head(&mut self, aggregate: &AggregateKey) -> Result<Option<HeadFound>, Missing> {
        match self.heads.get(aggregate) {
            Some(found) => Ok(found.head.clone()),
            None => Err(Missing::Head(aggregate.clone())),
        }
    }

    fn at_version(
        &mut self,
        aggregate: &AggregateKey,
        version: Version,
    ) -> Result<Option<Stored>, Missing> {
        match self.versions.get(&(aggregate.clone(), version)) {
            Some(found) => Ok(found.clone()),
            None => Err(Missing::Version(aggregate.clone(), version)),
        }
    }

    fn by_id(&mut self, id: EventId) -> Result<Option<Stored>, Missing> {
        match self.ids.get(&id) {
            Some(found) => Ok(found.clone()),
            None => Err(Missing::Id(id)),
        }
    }

    fn has_id(&mut self, id: EventId) -> Result<bool, Missing> {
        if self.store.recent.has(id) {
            return Ok(true);
        }
        self.store.index.has_id(id).map_err(Missing::Store)
    }
}

impl Inner {
    /// The last message of an aggregate, and what it is.
    pub(super) async fn last(
        &self,
        aggregate: &AggregateKey,
        consistency: Consistency,
    ) -> Result<Option<(u64, HeadFound)>, StoreError> {
        if consistency == Consistency::Leader && self.is_alone() {
            let found = self.ask_last(aggregate, Consistency::AnyReplica).await?;
            // That there is none may be what a mirror of the stream says.
            if found.is_some() {
                return Ok(found);
            }
        }
        self.ask_last(aggregate, consistency).await
    }

    /// The same, from exactly who is named.
    pub(super) async fn ask_last(
        &self,
        aggregate: &AggregateKey,
        consistency: Consistency,
    ) -> Result<Option<(u64, HeadFound)>, StoreError> {
        let Ok(filter) = self.info.template.aggregate_filter(aggregate) else {
            return Ok(None);
        };
        let get = Get::Last(filter.as_str().to_owned());
        let found = self
            .port
            .get(&self.stream, get, consistency)
            .await
            .map_err(|error| fault("reading a head", error))?;
        Ok(found.map(|stored| (stored.sequence, self.head_of(&stored))))
    }

    /// What a message is as the last one of its history.
    pub(super) fn head_of(&self, stored: &StoredMessage) -> HeadFound {
        let broken = |why| HeadFound::Broken {
            position: position(stored.sequence),
            why,
        };
        match read_event(&self.info.template, stored) {
            Err(invalid) => broken(invalid.why),
            Ok(Stored { event, .. }) => match chain::check_cid(&event) {
                Ok(()) => HeadFound::Sound(event.head()),
                Err(error) => broken(error.to_string()),
            },
        }
    }
}

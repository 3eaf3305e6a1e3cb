//! The messages of a stream from one sequence to another.

use std::num::NonZeroU64;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::{Inner, fault};
use crate::jetstream::{Consistency, Get, JetStreamError, StoredMessage, Subscribe};
use crate::store::StoreError;

/// How long the next message is waited for before the leader is asked whether there is one.
const IDLE: Duration = Duration::from_secs(1);

/// How often that is done in a row.
const MAX_IDLE: u32 = 10;

/// The messages up to the last one of a span, through a consumer.
pub(super) struct Span {
    messages: BoxStream<'static, Result<StoredMessage, JetStreamError>>,
    filter: Option<String>,
    next: u64,
    end: u64,
}

impl Span {
    /// Begins at the sequence `from` and ends with `end`, which had a message that matches the
    /// filter.
    pub(super) fn new(
        store: &Inner,
        from: u64,
        end: u64,
        filter: Option<String>,
        headers_only: bool,
    ) -> Self {
        let select = Subscribe {
            from_sequence: NonZeroU64::new(from),
            filter: filter.clone(),
            headers_only,
            created: Some(store.created()),
        };
        Self {
            messages: store.port.subscribe(&store.stream, select),
            filter,
            next: from.max(1),
            end,
        }
    }

    /// The next message; `None` at the end.
    pub(super) async fn next(
        &mut self,
        store: &Inner,
    ) -> Result<Option<StoredMessage>, StoreError> {
        for _ in 0..MAX_IDLE {
            if self.next > self.end {
                return Ok(None);
            }
            match tokio::time::timeout(IDLE, self.messages.next()).await {
                Ok(Some(Ok(stored))) => {
                    self.next = stored.sequence + 1;
                    return Ok((stored.sequence <= self.end).then_some(stored));
                }
                Ok(Some(Err(error))) => return Err(fault("reading events", error)),
                Ok(None) => return Err(StoreError::Closed),
                Err(_) if self.is_over(store).await? => self.next = self.end + 1,
                Err(_) => {}
            }
        }
        Err(fault(
            "reading events",
            JetStreamError::NoAnswer {
                doing: "reading events",
            },
        ))
    }

    /// Whether the leader has no further message either: the last ones were deleted.
    async fn is_over(&mut self, store: &Inner) -> Result<bool, StoreError> {
        let get = match &self.filter {
            None => Get::From(self.next),
            Some(filter) => Get::Next(self.next, filter.clone()),
        };
        let next = store
            .port
            .get(&store.stream, get, Consistency::Leader)
            .await
            .map_err(|error| fault("reading events", error))?;
        Ok(next.is_none_or(|stored| stored.sequence > self.end))
    }
}

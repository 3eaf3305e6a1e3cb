//! Reading a stream that need not be a store of ours, message by message from its leader.
//!
//! No consumer is made: so it works on streams of every retention, needs no right but to look, and
//! leaves nothing behind.

use std::ops::RangeInclusive;
use std::sync::Arc;

use cim_core::subject::SubjectFilter;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::error::JetStreamError;
use super::port::{Consistency, Get, JetStreamPort, StoredMessage};

/// The most messages that are in memory at once, and how many of them are asked for at the same
/// time: enough to hide the round trips, few enough where each is as large as a server takes.
const MAX_WINDOW: u64 = 64;
const AT_ONCE: usize = 32;

/// The messages of a stream in a range of sequences, in its order; only those that `filter`
/// matches, if there is one.
///
/// Messages that were deleted or have expired are passed over; what is stored while it reads is
/// not waited for.
pub fn messages(
    port: Arc<dyn JetStreamPort>,
    stream: &str,
    sequences: RangeInclusive<u64>,
    filter: Option<SubjectFilter>,
) -> BoxStream<'static, Result<StoredMessage, JetStreamError>> {
    let cursor = Cursor {
        port,
        stream: stream.to_owned(),
        next: *sequences.start(),
        last: *sequences.end(),
        window: 1,
    };
    stream::try_unfold(cursor, |mut cursor| async move {
        let found = cursor.step().await?;
        Ok::<_, JetStreamError>(found.map(|found| (stream::iter(found).map(Ok), cursor)))
    })
    .try_flatten()
    .try_filter(move |stored| {
        let wanted = filter.as_ref();
        let wanted = wanted.is_none_or(|filter| filter.matches(&stored.message.subject));
        std::future::ready(wanted)
    })
    .boxed()
}

/// Where the reading is.
struct Cursor {
    port: Arc<dyn JetStreamPort>,
    stream: String,
    last: u64,
    /// The next sequence that may have a message.
    next: u64,
    /// How many sequences are asked for at once. It grows while each has a message: where most are
    /// deleted, asking for the next message is faster than asking for each sequence.
    window: u64,
}

impl Cursor {
    /// The next messages; `None` at the end.
    async fn step(&mut self) -> Result<Option<Vec<StoredMessage>>, JetStreamError> {
        if self.next > self.last {
            return Ok(None);
        }
        let get = Get::From(self.next);
        let first = self
            .port
            .get(&self.stream, get, Consistency::Leader)
            .await?;
        let Some(first) = first.filter(|first| first.sequence <= self.last) else {
            return Ok(None);
        };
        let behind = first.sequence + 1;
        let end = self.last.min(first.sequence + self.window - 1);
        let (port, stream) = (&self.port, &self.stream);
        let mut rest = stream::iter(behind..=end)
            .map(|sequence| port.get(stream, Get::Sequence(sequence), Consistency::Leader))
            .buffered(AT_ONCE);
        let mut found = vec![first];
        while let Some(stored) = rest.try_next().await? {
            found.extend(stored);
        }
        drop(rest);
        self.next = end + 1;
        self.window = if found.len() as u64 == self.window {
            MAX_WINDOW.min(self.window * 2)
        } else {
            found.len() as u64
        };
        Ok(Some(found))
    }
}

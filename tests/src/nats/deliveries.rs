//! What a subscription delivers, each thing within a time limit: one that hangs fails.

use cim_core::version::Position;
use cim_host::jetstream::JetStreamStore;
use cim_host::store::{Delivery, EventStore as _, StoreError};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::{PATIENCE, Place};

/// A subscription.
#[expect(missing_debug_implementations, reason = "the stream has none")]
pub struct Deliveries(BoxStream<'static, Result<Delivery, StoreError>>);

impl Deliveries {
    /// What a store has behind a position, and everything that comes.
    pub fn of(store: &JetStreamStore, after: Option<Position>) -> Self {
        Self(store.subscribe(after, None))
    }

    /// The next thing that is told.
    ///
    /// # Panics
    ///
    /// When it takes too long, or the subscription has ended.
    pub async fn next(&mut self) -> Result<Delivery, StoreError> {
        self.next_or_end().await.expect("it goes on")
    }

    async fn next_or_end(&mut self) -> Option<Result<Delivery, StoreError>> {
        let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
        next.expect("it is told in time")
    }

    /// Checks that an event is next.
    ///
    /// # Panics
    ///
    /// When it is not.
    pub async fn has_event(&mut self) {
        let next = self.next().await;
        assert!(matches!(next, Ok(Delivery::Event(_))), "{next:?}");
    }

    /// Checks that so many events are next, and then that nothing is left.
    ///
    /// # Panics
    ///
    /// When that is not so.
    pub async fn has_all(&mut self, count: u64) {
        for _ in 0..count {
            self.has_event().await;
        }
        let next = self.next().await;
        assert!(matches!(next, Ok(Delivery::CaughtUp)), "{next:?}");
    }

    /// Waits until the server knows that the event of a sequence is waited for, which is the next.
    ///
    /// # Panics
    ///
    /// When something is delivered, or it takes too long.
    pub async fn wait_for(&mut self, place: &Place, sequence: u64) {
        let waits = super::wait_until(|| place.is_waited_for(sequence));
        tokio::select! {
            next = self.0.next() => panic!("{next:?}"),
            () = waits => {}
        }
    }

    /// Checks that it is told that the stream is not what it was, and that this is the end.
    ///
    /// # Panics
    ///
    /// When that is not so.
    pub async fn has_another_stream(&mut self) {
        let next = self.next().await;
        let is_told = matches!(next, Err(StoreError::Mismatch { .. }));
        assert!(is_told, "{next:?}");
        let next = self.next_or_end().await;
        assert!(next.is_none(), "{next:?}");
    }
}

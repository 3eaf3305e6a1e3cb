//! Subscribing: what is there, then what is new, each event checked against its CID.

use std::num::NonZeroU64;
use std::sync::Arc;

use cim_core::subject::SubjectFilter;
use cim_core::version::Position;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::layout::read_event;
use super::{Inner, fault};
use crate::jetstream::{JetStreamError, StoredMessage, Subscribe};
use crate::store::verify::ReadVerifier;
use crate::store::{Delivery, StoreError};

struct Subscription {
    store: Arc<Inner>,
    filter: Option<SubjectFilter>,
    verifier: ReadVerifier,
    messages: BoxStream<'static, Result<StoredMessage, JetStreamError>>,
    /// The last of what was there at the start, until it is passed.
    target: Option<u64>,
    /// What follows a [`Delivery::CaughtUp`] that stands before it.
    waiting: Option<StoredMessage>,
    last: u64,
}

/// The events behind a position, then each new one.
pub(super) fn subscribe(
    store: Arc<Inner>,
    after: Option<Position>,
    filter: Option<SubjectFilter>,
) -> BoxStream<'static, Result<Delivery, StoreError>> {
    let after = after.map_or(0, Position::get);
    let begin = async move {
        let text = filter.as_ref().map(|filter| filter.as_str().to_owned());
        // It tells whether the stream is still this store, and when it was made.
        let last = store.leader_last().await?;
        let target = match text.as_deref() {
            None => last,
            filter => store.last_matching(filter).await?,
        };
        let messages = store.port.subscribe(
            &store.stream,
            Subscribe {
                from_sequence: NonZeroU64::new(after + 1),
                filter: text,
                headers_only: false,
                created: Some(store.created()),
            },
        );
        Ok(Subscription {
            store,
            filter,
            verifier: ReadVerifier::of_cids(),
            messages,
            target: Some(target),
            waiting: None,
            last: after,
        })
    };
    stream::once(begin)
        .flat_map(|subscription| match subscription {
            Ok(subscription) => stream::unfold(Some(subscription), |subscription| async {
                let mut subscription = subscription?;
                match subscription.next().await {
                    Ok(delivery) => Some((Ok(delivery), Some(subscription))),
                    Err(error) => Some((Err(error), None)),
                }
            })
            .boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .boxed()
}

impl Subscription {
    async fn next(&mut self) -> Result<Delivery, StoreError> {
        loop {
            if self.target.is_some_and(|target| self.last >= target) {
                self.target = None;
                return Ok(Delivery::CaughtUp);
            }
            let stored = match self.waiting.take() {
                Some(stored) => stored,
                None => match self.messages.next().await {
                    Some(Ok(stored)) => stored,
                    Some(Err(error)) => return Err(fault("following the stream", error)),
                    None => return Err(StoreError::Closed),
                },
            };
            // What was the last message may have been deleted: then a later one tells.
            if self.target.is_some_and(|target| stored.sequence > target) {
                self.target = None;
                self.waiting = Some(stored);
                return Ok(Delivery::CaughtUp);
            }
            self.last = stored.sequence;
            let matches = |filter: &SubjectFilter| filter.matches(&stored.message.subject);
            if !self.filter.as_ref().is_none_or(matches) {
                continue;
            }
            let event = match read_event(&self.store.info.template, &stored) {
                Ok(event) => event,
                Err(invalid) => return Ok(Delivery::Invalid(invalid)),
            };
            return match self.verifier.check(event.position, event.event) {
                Ok(read) => Ok(Delivery::Event(read)),
                Err(StoreError::Invalid(invalid)) => Ok(Delivery::Invalid(invalid)),
                Err(error) => Err(error),
            };
        }
    }
}

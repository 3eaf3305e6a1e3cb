//! The events of a repository's aggregates as they are stored, as its domain understands them today.

use cim_core::event::{RecordedEvent, StoredEvent};
use cim_core::payload::{self, EventError};
use cim_core::version::Position;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, future};

use super::{Persistent, Repository};
use crate::store::{Delivery, InvalidEvent, ReadEvent, StoreError};

/// What the subscription of a [`Repository`] delivers; `E` is the domain's event.
#[derive(Debug)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every delivery is an event"
)]
pub enum Delivered<E> {
    /// An event, checked against its CID.
    Event {
        /// Its place in the store: where to go on behind it.
        position: Position,
        /// The event as it was stored, and what it says today: one event, unless an upcaster makes
        /// none or several of it.
        event: StoredEvent<Vec<E>>,
    },
    /// An event that the domain cannot read: of an unknown type, of a later schema, or of a body that is
    /// not what its type has. For the receiver to handle by its policy; what follows is delivered.
    Unreadable {
        /// Its place in the store.
        position: Position,
        /// The event as it was stored.
        recorded: Box<RecordedEvent>,
        /// Why it cannot be read.
        error: EventError,
    },
    /// An event that is altered, or is none.
    Invalid(InvalidEvent),
    /// All that was there has been delivered; what follows is new. Delivered once.
    CaughtUp,
}

impl<A: Persistent> Repository<A> {
    /// The events of all aggregates of the repository behind a position (`None`: from the start), then each
    /// new one as it is stored, also by other programs; without gap or repeat, in the order of the store.
    ///
    /// Events of earlier schemas are upcast. None is passed over: what cannot be read is delivered as that.
    /// The stream ends only with an error, or when it is dropped.
    pub fn subscribe(
        &self,
        after: Option<Position>,
    ) -> BoxStream<'static, Result<Delivered<A::Event>, StoreError>> {
        let template = self.store.info().template.template();
        let filter = match template.entity_filter(&self.namespace, &self.entity) {
            Ok(filter) => filter,
            // No event of ours can be in this store.
            Err(error) => {
                let why = error.to_string();
                return stream::once(future::ready(Err(StoreError::Mismatch { why }))).boxed();
            }
        };
        let (upcasters, namespace, entity) = (
            self.upcasters.clone(),
            self.namespace.clone(),
            self.entity.clone(),
        );
        let deliveries = self.store.subscribe(after, Some(filter));
        let ours = move |delivery: &Result<Delivery, StoreError>| match delivery {
            // A filter lets pass what has no subject of the store.
            Ok(Delivery::Event(ReadEvent { event, .. })) => {
                event.aggregate.namespace == namespace && event.aggregate.entity == entity
            }
            Ok(Delivery::Invalid(_) | Delivery::CaughtUp) | Err(_) => true,
        };
        deliveries
            .filter(move |delivery| future::ready(ours(delivery)))
            .map(move |delivery| {
                delivery.map(|delivery| match delivery {
                    Delivery::Event(read) => {
                        let payload = payload::read(&read.event.event, &upcasters);
                        delivered(read, payload)
                    }
                    Delivery::Invalid(invalid) => Delivered::Invalid(invalid),
                    Delivery::CaughtUp => Delivered::CaughtUp,
                })
            })
            .boxed()
    }
}

fn delivered<E>(read: ReadEvent, payload: Result<Vec<E>, EventError>) -> Delivered<E> {
    let (position, recorded) = (read.position, read.event);
    match payload {
        Ok(payload) => Delivered::Event {
            position,
            event: StoredEvent { recorded, payload },
        },
        Err(error) => Delivered::Unreadable {
            position,
            recorded: Box::new(recorded),
            error,
        },
    }
}

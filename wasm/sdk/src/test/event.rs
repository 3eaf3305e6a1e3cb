//! Events as a store would have recorded them.

use std::collections::HashMap;

use bytes::Bytes;
use cim_core::chain::cid_of;
use cim_core::cid::Cid;
use cim_core::event::{NewEvent, RecordedEvent};
use cim_core::id::{AggregateKey, EventId, EventType, Namespace};
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{Head, Position, SchemaVersion, Version};

/// An event to test a plugin with.
///
/// # Examples
///
/// ```
/// use cim_plugin::test::TestEvent;
///
/// let event = TestEvent::new("permit", "p-1", "PermitPaid")
///     .at("2026-01-05T09:30:00Z")
///     .body(r#"{"amount":120}"#);
/// ```
#[derive(Clone, Debug)]
pub struct TestEvent {
    aggregate: AggregateKey,
    event_type: EventType,
    schema_version: SchemaVersion,
    time: Option<Timestamp>,
    content_type: Text,
    metadata: Vec<(String, Text)>,
    body: Bytes,
}

impl TestEvent {
    /// An event with the JSON body `{}`. `entity` is a name, which stands in the namespace
    /// `local.main.events`, or the whole `organization.unit.domain.entity`.
    ///
    /// # Panics
    ///
    /// When one of them is not what a store takes.
    #[track_caller]
    pub fn new(entity: &str, aggregate_id: &str, event_type: &str) -> Self {
        let aggregate = if entity.contains('.') {
            format!("{entity}.{aggregate_id}")
        } else {
            format!("{}.{entity}.{aggregate_id}", Namespace::default())
        };
        Self {
            aggregate: aggregate.parse().unwrap_or_else(|error| panic!("{error}")),
            event_type: EventType::new(event_type).unwrap_or_else(|error| panic!("{error}")),
            schema_version: SchemaVersion::FIRST,
            time: None,
            content_type: Text::json(),
            metadata: Vec::new(),
            body: Bytes::from_static(b"{}"),
        }
    }

    /// When it happened, as a text like `2026-01-05T09:30:00Z`. Without it, a second after the event
    /// before it.
    ///
    /// # Panics
    ///
    /// When that is no time.
    #[track_caller]
    #[must_use]
    pub fn at(self, time: &str) -> Self {
        let time = Timestamp::parse_lenient(time).unwrap_or_else(|error| panic!("{error}"));
        Self {
            time: Some(time.timestamp),
            ..self
        }
    }

    /// When it happened, in microseconds since 1970.
    ///
    /// # Panics
    ///
    /// When that is after the year 9999.
    #[track_caller]
    #[must_use]
    pub fn at_us(self, micros: u64) -> Self {
        let time = Timestamp::from_micros(micros).unwrap_or_else(|error| panic!("{error}"));
        Self {
            time: Some(time),
            ..self
        }
    }

    /// Its payload.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Bytes::from(body.into()),
            ..self
        }
    }

    /// The content type of its payload.
    ///
    /// # Panics
    ///
    /// When it cannot be the value of a header.
    #[track_caller]
    #[must_use]
    pub fn content_type(self, content_type: &str) -> Self {
        Self {
            content_type: text(content_type),
            ..self
        }
    }

    /// The version of its payload's schema.
    ///
    /// # Panics
    ///
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn schema_version(self, version: u32) -> Self {
        let version = SchemaVersion::new(version.into()).unwrap_or_else(|error| panic!("{error}"));
        Self {
            schema_version: version,
            ..self
        }
    }

    /// Adds metadata: the header `CIM-Meta-<name>`.
    ///
    /// # Panics
    ///
    /// When the value cannot be that of a header.
    #[track_caller]
    #[must_use]
    pub fn metadata(mut self, name: &str, value: &str) -> Self {
        self.metadata.push((name.to_owned(), text(value)));
        self
    }
}

#[track_caller]
fn text(value: &str) -> Text {
    Text::new(value).unwrap_or_else(|error| panic!("{error}"))
}

/// Records events in their order, as a store would: with positions from 1, with versions, and
/// chained.
///
/// # Panics
///
/// When a store would not take one of them.
#[track_caller]
pub fn history(events: impl IntoIterator<Item = TestEvent>) -> Vec<(Position, RecordedEvent)> {
    let mut heads: HashMap<AggregateKey, Head> = HashMap::new();
    let mut time = FIRST_TIME_US;
    let mut recorded = Vec::new();
    for (number, event) in (1_u64..).zip(events) {
        let timestamp = event.time.unwrap_or_else(|| {
            Timestamp::from_micros(time + 1_000_000).expect("a test ends before the year 9999")
        });
        time = timestamp.micros();
        let head = heads.get(&event.aggregate);
        let recorded_event = record(event, number, timestamp, head);
        heads.insert(recorded_event.aggregate.clone(), recorded_event.head());
        let position = Position::new(number).expect("numbers begin at 1");
        recorded.push((position, recorded_event));
    }
    recorded
}

#[track_caller]
fn record(event: TestEvent, number: u64, time: Timestamp, head: Option<&Head>) -> RecordedEvent {
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&number.to_le_bytes());
    let mut new = NewEvent::json(
        EventId::from_parts(time, entropy),
        &event.aggregate.entity,
        event.event_type,
        time,
        Text::new("test").expect("a word is a text"),
        event.body,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    new.schema_version = event.schema_version;
    new.content_type = event.content_type;
    for (name, value) in event.metadata {
        let added = new.metadata.insert(&name, value);
        added.unwrap_or_else(|error| panic!("{error}"));
    }
    let mut recorded = RecordedEvent {
        aggregate: event.aggregate,
        version: Version::after(head).expect("a test has few events"),
        previous: head.map(|head| head.cid),
        cid: Cid::of_block(&[]),
        event: new,
    };
    recorded.cid = cid_of(&recorded);
    recorded
}

/// 2026-01-01T00:00:00Z.
const FIRST_TIME_US: u64 = 1_767_225_600_000_000;

#[cfg(test)]
mod tests {
    use cim_core::chain::verifier::StoreVerifier;

    use super::*;

    #[test]
    fn histories_verify() {
        let events = history([
            TestEvent::new("permit", "p-1", "PermitMade"),
            TestEvent::new("a.b.c.permit", "p-1", "PermitMade").metadata("Tenant", "x"),
            TestEvent::new("permit", "p-1", "PermitPaid").at("2026-05-01 10:00:00+02:00"),
            TestEvent::new("permit", "p-1", "PermitClosed").schema_version(2),
        ]);
        let mut verifier = StoreVerifier::new();
        for (_, event) in &events {
            verifier.push(event).expect("the chain is whole");
        }
        let last = &events[3].1;
        assert_eq!(last.version.get(), 3);
        assert_eq!(
            last.event.timestamp.to_string(),
            "2026-05-01T08:00:01.000000Z"
        );
    }
}

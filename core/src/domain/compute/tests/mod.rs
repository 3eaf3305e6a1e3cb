//! Computers, phones, cameras: what they decide, how their histories fold, and how old events are read.

mod commands;
mod folded;
mod histories;
mod machines;
mod old_events;
mod queries;
#[cfg(feature = "schema")]
mod schemas;

use super::*;
use crate::domain::hostname::Hostname;
use crate::domain::label::Label;
use crate::event::NewEvent;
use crate::id::EventId;
use crate::payload;
use crate::text::Text;
use crate::time::Timestamp;

/// The UUIDs of the fixtures of version 1.
const ORGANIZATION: &str = "01934f4a-2000-7000-8000-000000002000";
const LOCATION: &str = "01934f4a-3000-7000-8000-000000003000";

fn registered() -> ComputeEvent {
    ComputeEvent::ResourceRegistered {
        hostname: hostname(),
        resource_type: ResourceType::PhysicalServer,
        tags: tags(&["production"]),
    }
}

fn changed(from_status: Status, to_status: Status) -> ComputeEvent {
    ComputeEvent::StatusChanged {
        from_status,
        to_status,
    }
}

fn hostname() -> Hostname {
    Hostname::new("server01.example.com").expect("the name of a host")
}

fn tags(words: &[&str]) -> Tags {
    let tags = words.iter().map(|word| Tag::new(word).expect("a tag"));
    Tags::new(tags.collect()).expect("few distinct tags")
}

fn label(text: &str) -> Label {
    Label::new(text).expect("a label")
}

/// An id of whichever kind, by its text.
fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

/// The policy of this number.
fn policy(number: usize) -> crate::domain::reference::PolicyId {
    id(&format!("01934f4a-4000-7000-8000-{number:012x}"))
}

/// The key of this number, and the event that keeps a value under it.
fn note(number: usize, value: &str) -> (MetadataKey, MetadataValue) {
    let key = MetadataKey::new(&format!("key_{number}")).expect("a key");
    (key, MetadataValue::new(value).expect("a value"))
}

fn noted(number: usize, value: &str) -> ComputeEvent {
    let (key, value) = note(number, value);
    ComputeEvent::MetadataUpdated { key, value }
}

/// An event as it is stored.
fn stored(event: &ComputeEvent) -> NewEvent {
    let now = Timestamp::from_micros(0).expect("in range");
    let source = Text::new("test").expect("clean text");
    payload::new_event(event, EventId::from_parts(now, [7; 10]), now, source)
}

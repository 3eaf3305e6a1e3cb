//! The models of the domains: the state that a history leads to, and what a command leads to.
//!
//! States, commands and bodies of events cross the border in the JSON that the domains' own types make of
//! them; no number and no order of fields in them is touched here.

use std::fmt;

use cim_core::command::{self, Command, CommandError};
use cim_core::domain::model::{DomainError as _, Model};
use cim_core::domain::registry::{self, ModelVisitor, UnknownEntity};
use cim_core::event::{NewEvent, RecordedEvent};
use cim_core::headers::Carrier;
use cim_core::history::{HistoryError, HistoryFold};
use cim_core::id::{AggregateKey, EventId};
use cim_core::payload::EventError;
use cim_core::subject::StoreTemplate;
use cim_core::version::Head;
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::chain::json_of_head;
use crate::command::{json_of_event, read_envelope, read_time};
use crate::fault::Fault;
use crate::message::{carrier, json_of_key, recorded_event};
use crate::snapshot::Snapshot;
use crate::subject::store_template;

/// The entities that have a model.
#[wasm_bindgen]
pub fn entities() -> Vec<String> {
    let entities = registry::ENTITIES.iter();
    entities.map(|entity| (*entity).to_owned()).collect()
}

/// The state machines of an entity, drawn: a list of `{"title","mermaid"}`, in JSON.
#[wasm_bindgen(js_name = diagramsOf)]
pub fn diagrams_of(entity: &str) -> Result<String, Fault> {
    Ok(find(entity, Draw)?.to_string())
}

/// Makes an id of an event or a command from a time and 10 random bytes.
#[wasm_bindgen(js_name = createId)]
pub fn create_id(time: &str, entropy: &[u8]) -> Result<String, Fault> {
    let entropy: &[u8; 10] = entropy
        .try_into()
        .map_err(|_| Fault::argument("entropy is 10 bytes"))?;
    Ok(EventId::from_parts(read_time(time)?, *entropy).to_string())
}

/// One aggregate: its history comes in event by event, its state is seen, commands are decided on it.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Aggregate {
    inner: Box<dyn Folding>,
    template: StoreTemplate,
    carrier: Carrier,
}

#[wasm_bindgen]
impl Aggregate {
    /// Expects a history from its first event.
    #[wasm_bindgen(constructor)]
    pub fn new(entity: &str, template: &str, carrier_name: &str) -> Result<Self, Fault> {
        Ok(Self {
            inner: find(entity, Begin)?,
            template: store_template(template)?,
            carrier: carrier(carrier_name)?,
        })
    }

    /// Goes on from what [`snapshot`](Self::snapshot) gave, which is trusted.
    pub fn restore(snapshot: &str, template: &str, carrier_name: &str) -> Result<Self, Fault> {
        let snapshot = Snapshot::read(snapshot)?;
        let entity = snapshot.aggregate.entity.clone();
        Ok(Self {
            inner: find(entity.as_str(), snapshot)??,
            template: store_template(template)?,
            carrier: carrier(carrier_name)?,
        })
    }

    /// Takes the next stored event and returns the new head, as JSON.
    pub fn push(&mut self, subject: &str, headers: &str, body: &[u8]) -> Result<String, Fault> {
        let event = recorded_event(&self.template, self.carrier, subject, headers, body)?;
        self.inner.push(&event)?;
        Ok(self.head())
    }

    /// The state, as JSON.
    #[wasm_bindgen(getter)]
    pub fn state(&self) -> String {
        self.inner.state()
    }

    /// The last event, as JSON, or `null` before the first.
    #[wasm_bindgen(getter)]
    pub fn head(&self) -> String {
        self.inner
            .head()
            .map_or(Value::Null, json_of_head)
            .to_string()
    }

    /// Whose history it is, as JSON, or `null` before the first event.
    #[wasm_bindgen(getter)]
    pub fn key(&self) -> String {
        self.inner
            .key()
            .map_or(Value::Null, json_of_key)
            .to_string()
    }

    /// The state and its place in the history, as JSON, or `null` before the first event.
    pub fn snapshot(&self) -> String {
        let (Some(aggregate), Some(head)) = (self.inner.key(), self.inner.head()) else {
            return Value::Null.to_string();
        };
        let snapshot = Snapshot {
            aggregate: aggregate.clone(),
            head,
            state_version: self.inner.state_version(),
            state: self.inner.state(),
        };
        snapshot.to_json()
    }

    /// What a command leads to: a list of the new events, as JSON. Nothing is changed.
    ///
    /// `data` is the command's JSON. `envelope` is `{"id","timestamp","source"}` and may have
    /// `"correlationId"`, `"causationId"`, `"metadata"`, `"traceparent"` and `"tracestate"`, in JSON.
    pub fn decide(&self, command_type: &str, data: &str, envelope: &str) -> Result<String, Fault> {
        let envelope = read_envelope(envelope)?;
        let events = self.inner.decide(command_type, data, envelope)?;
        Ok(events
            .iter()
            .map(json_of_event)
            .collect::<Value>()
            .to_string())
    }
}

/// A [`HistoryFold`], of whichever model.
pub(crate) trait Folding: fmt::Debug {
    fn push(&mut self, event: &RecordedEvent) -> Result<(), HistoryError>;
    fn state(&self) -> String;
    fn state_version(&self) -> u64;
    fn head(&self) -> Option<Head>;
    fn key(&self) -> Option<&AggregateKey>;
    fn decide(
        &self,
        command_type: &str,
        data: &str,
        envelope: Command<()>,
    ) -> Result<Vec<NewEvent>, Fault>;
}

impl<M: Model> Folding for HistoryFold<M> {
    fn push(&mut self, event: &RecordedEvent) -> Result<(), HistoryError> {
        self.push(event)
    }

    fn state(&self) -> String {
        serde_json::to_string(self.state()).expect("states are written as JSON")
    }

    fn state_version(&self) -> u64 {
        M::STATE_VERSION
    }

    fn head(&self) -> Option<Head> {
        self.head()
    }

    fn key(&self) -> Option<&AggregateKey> {
        self.aggregate()
    }

    fn decide(
        &self,
        command_type: &str,
        data: &str,
        envelope: Command<()>,
    ) -> Result<Vec<NewEvent>, Fault> {
        let payload: M::Command = command::read(command_type, data.as_bytes())?;
        let decided = self.decide(&envelope.with_payload(payload));
        decided.map_err(|refusal| Fault::of(refusal.code(), &refusal))
    }
}

/// The diagrams of a model, as JSON.
struct Draw;

impl ModelVisitor for Draw {
    type Output = Value;

    fn visit<M: Model>(self) -> Value {
        let diagrams = M::diagrams();
        let diagrams = diagrams.iter();
        diagrams
            .map(|diagram| json!({ "title": diagram.title, "mermaid": diagram.mermaid }))
            .collect()
    }
}

/// A history that begins.
struct Begin;

impl ModelVisitor for Begin {
    type Output = Box<dyn Folding>;

    fn visit<M: Model>(self) -> Self::Output {
        Box::new(HistoryFold::<M>::new())
    }
}

impl ModelVisitor for Snapshot {
    type Output = Result<Box<dyn Folding>, HistoryError>;

    fn visit<M: Model>(self) -> Self::Output {
        let fold =
            HistoryFold::<M>::restore(self.aggregate, self.head, self.state_version, &self.state)?;
        Ok(Box::new(fold))
    }
}

/// Shows the visitor the model of an entity.
fn find<V: ModelVisitor>(entity: &str, visitor: V) -> Result<V::Output, Fault> {
    let found = registry::visit(entity, visitor);
    found.ok_or_else(|| UnknownEntity::new(entity).into())
}

impl From<HistoryError> for Fault {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Chain(error) => error.into(),
            HistoryError::Event(error) => error.into(),
            HistoryError::WrongEntity {
                expected,
                ref found,
            } => {
                let fields = json!({ "expected": expected, "found": found.as_str() });
                Self::of(error.code(), &error).with_fields(fields)
            }
            // The enum may grow; a new fault has its code and its message.
            _ => Self::of(error.code(), &error),
        }
    }
}

impl From<EventError> for Fault {
    fn from(error: EventError) -> Self {
        let fields = match &error {
            EventError::UnknownType {
                entity,
                event_type,
                found,
            } => json!({
                "entity": entity, "eventType": event_type.as_str(), "found": found.get(),
            }),
            EventError::Newer {
                event_type,
                known,
                found,
            }
            | EventError::UpcasterMissing {
                event_type,
                known,
                found,
            } => json!({
                "eventType": event_type.as_str(), "known": known, "found": found.get(),
            }),
            EventError::Invalid { event_type, .. } => json!({ "eventType": event_type.as_str() }),
            // The enum may grow; a new fault has its message, as that of an upcaster.
            _ => json!({}),
        };
        Self::of(error.code(), &error).with_fields(fields)
    }
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Self {
        let fields = match &error {
            CommandError::UnknownType {
                entity,
                command_type,
            } => {
                json!({ "entity": entity, "commandType": command_type })
            }
            CommandError::Invalid { command_type, .. } => json!({ "commandType": command_type }),
            // The enum may grow; a new fault has its message.
            _ => json!({}),
        };
        Self::of(error.code(), &error).with_fields(fields)
    }
}

impl From<UnknownEntity> for Fault {
    fn from(error: UnknownEntity) -> Self {
        let fields = json!({ "entity": error.entity, "known": registry::ENTITIES });
        Self::of(error.code(), &error).with_fields(fields)
    }
}

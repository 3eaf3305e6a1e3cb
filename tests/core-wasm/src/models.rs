//! What the models of the domains say: states, and what commands lead to.
//!
//! Asked is `{"entity","aggregate","template","snapshot","events","commands"}`: a history of messages, as
//! for [`answers`](crate::answers), behind a snapshot or `null`, and commands `{"type","data","id",
//! "timestamp","source"}`, maybe with `"correlation"`, `"causation"` and `"metadata"`, each of which is
//! decided on what the ones before it have led to. Data and states are texts of JSON. The answer is
//! `{"state","answers"}`, with the messages of each command's events, or `{"code","message"}` of its
//! refusal.

use std::error::Error;

use cim_core::append;
use cim_core::command::{self, Command};
use cim_core::domain::model::{DomainError as _, Model};
use cim_core::domain::registry::{self, ModelVisitor};
use cim_core::history::HistoryFold;
use cim_core::id::{AggregateKey, parse_uuid};
use cim_core::payload::DomainCommand;
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::version::{Head, Version};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::Answer;
use crate::answers::read_messages;

pub(crate) fn models(input: &[u8]) -> Answer {
    let asked: Value = serde_json::from_slice(input)?;
    let entity = text(&asked["entity"])?;
    registry::visit(entity, Asked(&asked)).ok_or("no such entity")?
}

struct Asked<'a>(&'a Value);

impl ModelVisitor for Asked<'_> {
    type Output = Answer;

    fn visit<M: Model>(self) -> Answer {
        let asked = self.0;
        let aggregate: AggregateKey = text(&asked["aggregate"])?.parse()?;
        let mut fold = match &asked["snapshot"] {
            Value::Null => HistoryFold::<M>::new(),
            snapshot => HistoryFold::restore(
                aggregate.clone(),
                head(&snapshot["head"])?,
                M::STATE_VERSION,
                text(&snapshot["state"])?,
            )?,
        };
        let (template, events) = read_messages(asked)?;
        for event in &events {
            fold.push(event)?;
        }
        let commands = asked["commands"].as_array().ok_or("no list `commands`")?;
        let answers: Result<Vec<Value>, _> = commands
            .iter()
            .map(|asked| answer(&mut fold, &aggregate, &template, asked))
            .collect();
        let state = serde_json::to_string(fold.state())?;
        Ok(json!({ "state": state, "answers": answers? }).to_string())
    }
}

/// Decides a command, and takes in the events as a store would have recorded them.
fn answer<M: Model>(
    fold: &mut HistoryFold<M>,
    aggregate: &AggregateKey,
    template: &StoreTemplate,
    asked: &Value,
) -> Result<Value, Box<dyn Error>> {
    let events = match fold.decide(&read_command::<M::Command>(asked)?) {
        Ok(events) => events,
        Err(refusal) => {
            return Ok(json!({ "code": refusal.code(), "message": refusal.to_string() }));
        }
    };
    let mut messages = Vec::new();
    for event in append::record(aggregate, fold.head(), &events).map_err(|error| error.code())? {
        fold.push(&event)?;
        let message = event.encode(template)?;
        messages.push(json!({
            "subject": message.subject,
            "headers": message.headers,
            "body_hex": HEXLOWER.encode(&message.body),
        }));
    }
    Ok(messages.into())
}

fn read_command<C: DomainCommand>(asked: &Value) -> Result<Command<C>, Box<dyn Error>> {
    let mut command = Command::new(
        command::read(text(&asked["type"])?, text(&asked["data"])?.as_bytes())?,
        text(&asked["id"])?.parse()?,
        text(&asked["timestamp"])?.parse()?,
        Text::new(text(&asked["source"])?)?,
    );
    if let Some(correlation) = asked["correlation"].as_str() {
        command.correlation = parse_uuid(correlation)?;
    }
    command.causation = asked["causation"].as_str().map(parse_uuid).transpose()?;
    for pair in asked["metadata"].as_array().into_iter().flatten() {
        let value = Text::new(text(&pair[1])?)?;
        command.metadata.insert(text(&pair[0])?, value)?;
    }
    Ok(command)
}

fn head(head: &Value) -> Result<Head, Box<dyn Error>> {
    let version = head["version"].as_u64().ok_or("a version is a number")?;
    Ok(Head {
        version: Version::new(version)?,
        cid: text(&head["cid"])?.parse()?,
    })
}

fn text(value: &Value) -> Result<&str, Box<dyn Error>> {
    value.as_str().ok_or_else(|| "expected a text".into())
}

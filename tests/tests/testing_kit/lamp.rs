//! A domain to test with.

use cim_core::aggregate::Aggregate;
use cim_core::payload::{DomainCommand, DomainEvent};
use cim_core::upcast::{Payload, StepError, Upcasters};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A lamp, whose early events are of other schemas.
pub(crate) struct Lamp;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct LampState {
    pub(crate) milliwatts: Option<u64>,
    pub(crate) rooms: Vec<String>,
}

#[derive(Debug, Deserialize, DomainEvent, PartialEq, Serialize)]
#[event(entity = "lamp")]
pub(crate) enum LampEvent {
    #[event(version = 3)]
    LampLit {
        milliwatts: u64,
    },
    LampMoved {
        room: String,
    },
    Sold {
        price: f64,
    },
}

#[derive(Debug, Deserialize, DomainCommand, PartialEq, Serialize)]
#[command(entity = "lamp")]
pub(crate) enum LampCommand {
    LightLamp { milliwatts: u64 },
    MoveLamp { rooms: Vec<String> },
    Sell { price: f64 },
}

#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    TooBright { most: u64 },
    NotLit,
}

impl Aggregate for Lamp {
    type State = LampState;
    type Event = LampEvent;
    type Command = LampCommand;
    type Error = Refusal;

    fn initial_state() -> LampState {
        LampState::default()
    }

    fn evolve(mut state: LampState, event: &LampEvent) -> LampState {
        match event {
            LampEvent::LampLit { milliwatts } => state.milliwatts = Some(*milliwatts),
            LampEvent::LampMoved { room } => state.rooms.push(room.clone()),
            LampEvent::Sold { .. } => {}
        }
        state
    }

    fn decide(state: &LampState, command: LampCommand) -> Result<Vec<LampEvent>, Refusal> {
        match command {
            LampCommand::LightLamp { milliwatts } if milliwatts > 5_000 => {
                Err(Refusal::TooBright { most: 5_000 })
            }
            LampCommand::LightLamp { milliwatts } if state.milliwatts == Some(milliwatts) => {
                Ok(Vec::new())
            }
            LampCommand::LightLamp { milliwatts } => Ok(vec![LampEvent::LampLit { milliwatts }]),
            LampCommand::MoveLamp { .. } if state.milliwatts.is_none() => Err(Refusal::NotLit),
            LampCommand::MoveLamp { rooms } => {
                let moved = rooms.into_iter().map(|room| LampEvent::LampMoved { room });
                Ok(moved.collect())
            }
            LampCommand::Sell { price } => Ok(vec![LampEvent::Sold { price }]),
        }
    }

    fn upcasters() -> Upcasters {
        Upcasters::default()
            .with("LampLit", 1, |old| {
                let body = |old: &Value| Ok(json!({ "watts": old["w"].as_u64().ok_or("no `w`")? }));
                Ok(vec![changed(old, body)?])
            })
            .with("LampLit", 2, |old| {
                let body = |old: &Value| {
                    let watts = old["watts"].as_u64().ok_or("no `watts`")?;
                    Ok(json!({ "milliwatts": watts * 1_000, "was": {"watts": watts} }))
                };
                Ok(vec![changed(old, body)?])
            })
            .with("LampCleaned", 1, |_| Ok(Vec::new()))
            .with("LampCarried", 1, |old| {
                let rooms: Vec<String> = serde_json::from_slice(&old.body)?;
                let moved = rooms.into_iter().map(|room| {
                    Ok(Payload {
                        event_type: "LampMoved".parse()?,
                        schema_version: "1".parse()?,
                        body: json!({ "room": room }).to_string().into(),
                    })
                });
                moved.collect()
            })
    }
}

fn changed(
    old: Payload,
    body: impl Fn(&Value) -> Result<Value, StepError>,
) -> Result<Payload, StepError> {
    let body = body(&serde_json::from_slice(&old.body)?)?
        .to_string()
        .into();
    Ok(Payload { body, ..old })
}

pub(crate) fn light(milliwatts: u64) -> LampCommand {
    LampCommand::LightLamp { milliwatts }
}

pub(crate) fn lit(milliwatts: u64) -> LampEvent {
    LampEvent::LampLit { milliwatts }
}

pub(crate) fn move_to(rooms: &[&str]) -> LampCommand {
    let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
    LampCommand::MoveLamp { rooms }
}

pub(crate) fn moved(room: &str) -> LampEvent {
    let room = room.to_owned();
    LampEvent::LampMoved { room }
}

pub(crate) fn state(milliwatts: u64, rooms: &[&str]) -> LampState {
    LampState {
        milliwatts: Some(milliwatts),
        rooms: rooms.iter().map(|room| (*room).to_owned()).collect(),
    }
}

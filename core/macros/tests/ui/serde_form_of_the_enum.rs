use cim_macros::DomainEvent;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(entity = "lamp")]
#[serde(tag = "type", content = "body")]
enum LampEvent {
    LampLit {},
}

fn main() {}

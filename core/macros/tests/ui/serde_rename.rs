use cim_macros::DomainEvent;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[serde(rename = "LampWasLit")]
    LampLit {},
}

fn main() {}

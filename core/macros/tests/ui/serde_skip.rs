use cim_macros::DomainEvent;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    LampLit {},
    #[serde(skip)]
    LampSold {},
    #[serde(skip_serializing)]
    LampLost {},
    #[serde(skip_deserializing)]
    LampFound {},
}

fn main() {}

use cim_macros::DomainEvent;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[serde(alias = "LampWasLit")]
    LampLit {},
}

fn main() {}

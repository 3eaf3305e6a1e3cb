use cim_macros::DomainEvent;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    LampLit {},
    #[serde(untagged)]
    LampSold {},
}

fn main() {}

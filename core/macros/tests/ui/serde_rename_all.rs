use cim_macros::DomainEvent;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(entity = "lamp")]
#[serde(rename_all = "camelCase")]
enum LampEvent {
    LampLit {},
}

fn main() {}

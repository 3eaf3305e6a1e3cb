#![allow(non_camel_case_types)]

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    lamp_lit {},
}

fn main() {}

#![allow(non_camel_case_types)]

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
enum LampEvent {
    lit,
    #[event(version = 0)]
    LampSold(u32),
}

fn main() {}

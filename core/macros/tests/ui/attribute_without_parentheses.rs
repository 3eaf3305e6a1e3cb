use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event = "lamp"]
enum LampEvent {
    LampLit {},
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "desk.lamp")]
enum LampEvent {
    LampLit {},
}

fn main() {}

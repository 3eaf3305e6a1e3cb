use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity)]
enum LampEvent {
    LampLit {},
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp", version = 2)]
enum LampEvent {
    LampLit {},
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
#[event(entity = "light")]
enum LampEvent {
    LampLit {},
}

fn main() {}

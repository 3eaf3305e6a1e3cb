use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp", colour = "red")]
enum LampEvent {
    LampLit {},
}

fn main() {}

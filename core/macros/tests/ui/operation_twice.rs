use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[event(operation = "lit", operation = "light")]
    LampLit {},
}

fn main() {}

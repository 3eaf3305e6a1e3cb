use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[event(operation = "was lit")]
    LampLit {},
}

fn main() {}

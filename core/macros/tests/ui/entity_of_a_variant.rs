use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[event(entity = "lamp")]
    LampLit {},
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[event(version = 2, version = 3)]
    LampLit {},
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    LampLit {},
    Lit {},
}

fn main() {}

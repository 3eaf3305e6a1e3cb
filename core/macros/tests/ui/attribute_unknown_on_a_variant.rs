use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[event(since = 2)]
    LampLit {},
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
enum LampEvent {
    LampLit {},
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
enum LampEvent {
    LampLit {},
}

fn main() {}

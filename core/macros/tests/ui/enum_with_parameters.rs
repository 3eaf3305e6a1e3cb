use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent<'a> {
    LampLit { zone: &'a str },
}

fn main() {}

use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
struct LampLit {
    watts: u32,
}

fn main() {}

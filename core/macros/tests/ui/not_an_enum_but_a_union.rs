use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
union Lamp {
    watts: u32,
}

fn main() {}

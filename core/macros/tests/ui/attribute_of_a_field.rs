use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    LampLit {
        #[event(version = 2)]
        watts: u32,
    },
}

fn main() {}

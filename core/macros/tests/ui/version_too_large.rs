use cim_macros::DomainEvent;

#[derive(DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    #[event(version = 9_007_199_254_740_992)]
    LampLit {},
}

fn main() {}

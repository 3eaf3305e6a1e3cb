use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command(entity = "lamp")]
struct LightLamp {
    watts: u32,
}

fn main() {}

use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command(entity = "lamp")]
enum LampCommand {
    Light {},
    LightLamp {},
}

fn main() {}

use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command(lamp)]
enum LampCommand {
    LightLamp {},
}

fn main() {}

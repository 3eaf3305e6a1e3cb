use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command]
enum LampCommand {
    LightLamp {},
}

fn main() {}

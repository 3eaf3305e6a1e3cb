use cim_macros::DomainCommand;

#[derive(DomainCommand)]
enum LampCommand {
    LightLamp {},
}

fn main() {}

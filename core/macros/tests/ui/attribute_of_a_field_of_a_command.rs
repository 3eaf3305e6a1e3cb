use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command(entity = "lamp")]
enum LampCommand {
    LightLamp {
        #[command(version = 2)]
        watts: u32,
    },
}

fn main() {}

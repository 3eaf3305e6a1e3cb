use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command(entity = "lamp")]
enum LampCommand {
    Laaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa {},
}

fn main() {}

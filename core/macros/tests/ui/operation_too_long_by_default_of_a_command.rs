use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command(entity = "lamp")]
enum LampCommand {
    LitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLitLit {},
}

fn main() {}

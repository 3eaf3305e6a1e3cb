#![allow(non_camel_case_types)]

use cim_macros::DomainCommand;

#[derive(DomainCommand)]
#[command(entity = "lamp")]
enum LampCommand {
    light_lamp {},
}

fn main() {}

//! Writes `js/src/domains.ts`: `cargo xtask types`.

use std::error::Error;
use std::fs;

use cim_core::domain::registry;
use cim_tests::typescript::{self, domains};

fn main() -> Result<(), Box<dyn Error>> {
    fs::write(typescript::file(), domains(&registry::schemas())?)?;
    Ok(())
}

//! What the tests of the whole project share.

mod binary;
pub mod counting;
pub mod fuzz;
pub mod histories;
pub mod leak;
pub mod ledger;
pub mod linear;
pub mod nats;
mod plugins;
pub mod program;
pub mod random;
pub mod receipt;
pub mod rivals;
pub mod typescript;
pub mod work;

pub use binary::cim_binary;
pub use plugins::{core_module, plugin};

//! What the tests of the whole project share.

mod binary;
pub mod fuzz;

pub use binary::cim_binary;

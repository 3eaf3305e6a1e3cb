//! The log of building permits, which is not ours to give away.

use std::path::{Path, PathBuf};

/// Its file, `../shared/data/receipt.csv` beside the workspace. `None` only where
/// `CIM_NO_RECEIPT=1`, which is said.
///
/// # Panics
///
/// When the file is absent and nobody said so.
#[allow(clippy::print_stdout, reason = "a test that tests nothing says so")]
pub fn path() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/receipt.csv");
    if path.is_file() {
        return Some(path);
    }
    if std::env::var("CIM_NO_RECEIPT").as_deref() == Ok("1") {
        println!("CIM_NO_RECEIPT=1: nothing was tested on the permit log");
        return None;
    }
    panic!(
        "this test reads `{}`: put it there, or set CIM_NO_RECEIPT=1",
        path.display()
    );
}

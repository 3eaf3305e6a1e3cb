//! Schemas
use super::*;
#[test]
fn show() {
    println!(
        "{}",
        serde_json::to_string_pretty(&schemars::schema_for!(ComputeCommand)).unwrap()
    );
    println!(
        "{}",
        serde_json::to_string_pretty(&schemars::schema_for!(ComputeState)).unwrap()
    );
}

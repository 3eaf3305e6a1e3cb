//! The README's first example, run on both stores.

use std::path::Path;

use cim_tests::nats::{NatsServer, ServerOptions};

// Included as it stands: the README breaks its lines to be read on one screen.
include!("../fixtures/readme_example.rs");

#[test]
fn the_readme_shows_the_code_that_runs_here() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).expect("a README");
    let code = include_str!("../fixtures/readme_example.rs");
    assert!(readme.contains(&format!("```rust\n{code}```\n")));
}

#[tokio::test]
async fn two_commands_are_executed_on_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}/bank.db", folder.path().display());
    assert_eq!(pay_in_and_out(&url).await.expect("paid"), 300);
    assert_eq!(pay_in_and_out(&url).await.expect("paid again"), 600);
}

#[tokio::test]
async fn two_commands_are_executed_on_a_stream() {
    let server = NatsServer::start(ServerOptions::default());
    assert_eq!(pay_in_and_out(&server.url()).await.expect("paid"), 300);
}

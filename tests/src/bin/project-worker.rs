//! `project-worker STORE READ-MODEL BATCH (resume | restart)`: runs the projection of
//! [`cim_tests::counting`] until all is handled, for tests that kill it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use cim_core::projection::machine::Options;
use cim_host::projector::{Projector, ProjectorOptions, Start, Until};
use cim_host::sqlite::{ReadModel, SqliteStore};
use cim_tests::counting::Counting;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, read_model, batch, start] = &arguments[..] else {
        panic!("usage: project-worker STORE READ-MODEL BATCH (resume | restart)");
    };
    let options = ProjectorOptions {
        machine: Options {
            batch_events: batch.parse().expect("a number"),
            ..Options::default()
        },
        start: match start.as_str() {
            "restart" => Start::Restart,
            _ => Start::Resume,
        },
        ..ProjectorOptions::default()
    };
    let store = SqliteStore::open(Path::new(store)).expect("a store");
    let read_model = ReadModel::open_or_create(Path::new(read_model)).expect("a read model");
    let handler = Box::new(Counting::default());
    let mut told = false;
    let projector = Projector::new(Arc::new(store), handler, read_model, options);
    // One byte tells that the first commit is done. Nobody may be listening.
    let projector = projector.with_progress(move |_| {
        if !std::mem::replace(&mut told, true) {
            let mut out = std::io::stdout();
            let _ = out.write_all(b".").and_then(|()| out.flush());
        }
    });
    match projector.run(Until::CaughtUp).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => panic!("{error}"),
    }
}

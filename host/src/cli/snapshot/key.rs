//! `cim snapshot key`.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::key_failure;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, say};
use crate::snapshot::{KEY_FILE_NAME, SnapshotKey};

#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  cim snapshot key

Writes `snapshot.key`, which its owner alone may read, into this folder, as `cim init` does. Without
it no snapshot is used or taken here.")]
pub(crate) struct Key {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Key {
    pub(crate) fn run(self, out: &mut Output) -> Result<(), Failure> {
        SnapshotKey::create(Path::new(KEY_FILE_NAME)).map_err(|error| key_failure(&error))?;
        if self.json {
            return out.json(&json!({"schema": "cim.snapshot.key/v1", "path": KEY_FILE_NAME}));
        }
        say(&format!(
            "Wrote `{KEY_FILE_NAME}`, which seals snapshots. Keep it to yourself and out of version \
             control."
        ));
        Ok(())
    }
}

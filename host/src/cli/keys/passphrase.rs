//! `cim keys passphrase`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::change::Told;
use super::folder::{Asked, FolderArgs, passphrase};
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::Output;
use crate::identity::keystore::{KdfParams, KeystoreKind, kind_in};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim keys passphrase
  cim keys passphrase --passphrase-file old --new-passphrase-file new

Who has a copy of the old file opens it with the old passphrase still.")]
pub(crate) struct Passphrase {
    /// A file with the new passphrase; else it is CIM_NEW_PASSPHRASE, else it is asked for
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Passphrase {
    pub(crate) fn run(self, out: &mut Output) -> Result<(), Failure> {
        let folder = self.folder.keystore();
        if kind_in(&folder)? == Some(KeystoreKind::Plain) {
            let message = "a plain keystore has no passphrase";
            return Err(Failure::new(Exit::Failed, "keystore-plain", message)
                .help("make an encrypted one in another folder, with `cim keys init --dir DIR`"));
        }
        let mut keystore = self.folder.encrypted()?;
        let new = passphrase(
            self.new_passphrase_file.as_deref(),
            "CIM_NEW_PASSPHRASE",
            "--new-passphrase-file",
            "New passphrase: ",
            Asked::Twice,
        )?;
        keystore.rekey(&new, KdfParams::default())?;
        let told = Told {
            document: json!({"keystore": folder}),
            lines: vec![folder.display().to_string()],
            next: None,
        };
        told.print("cim.keys.passphrase/v1", self.json, out)
    }
}

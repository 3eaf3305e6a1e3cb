//! `cim export`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use cim_core::chain::verifier::StoreVerifier;
use cim_core::export::{ExportHeader, ExportWriter};
use cim_core::subject::SubjectFilter;
use clap::Args;
use futures_util::TryStreamExt as _;

use super::failure::{Exit, Failure};
use super::output::{Output, count, progress, say};
use super::place::{Absent, Place};
use crate::clock;
use crate::store::{EventStore, Query};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim export events.jsonl
  cim export - 'local.main.events.order.>' | gzip > orders.jsonl.gz

The store is verified while it is written. A filtered export says so; of it only the CIDs can be
verified, not the chain.")]
pub(crate) struct Export {
    /// The file, which must not be there yet, or `-` for standard output
    file: PathBuf,
    /// Only events whose subject matches, with the wildcards `*` and `>`
    filter: Option<SubjectFilter>,
}

impl Export {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        if self.file == Path::new("-") {
            return write(&*store, self.filter, |bytes| out.bytes(bytes))
                .await
                .map(|_| ());
        }
        if self.file.exists() {
            let message = format!("`{}` is there already", self.file.display());
            return Err(Failure::new(Exit::Failed, "exists", message)
                .help("name another file, or remove this one"));
        }
        // Under another name until it is whole, so that a stopped export is never taken for one.
        let mut partial = self.file.clone().into_os_string();
        partial.push(".partial");
        let mut file = BufWriter::with_capacity(
            1 << 18,
            File::create(&partial).map_err(|error| {
                Failure::file("write", self.file.as_path(), &error)
                    .help("name a file in a folder that is there and may be written")
            })?,
        );
        let written = write(&*store, self.filter, |bytes| Ok(file.write_all(bytes)?)).await;
        let events = match written {
            Ok(events) => events,
            Err(failure) => {
                drop(file);
                // What is left of a failed export is of no use; the failure itself is reported.
                let _ = fs::remove_file(&partial);
                return Err(failure);
            }
        };
        let file = file.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        fs::rename(&partial, &self.file)?;
        say(&format!(
            "Exported {} to `{}`.",
            count(events, "event"),
            self.file.display()
        ));
        Ok(())
    }
}

/// Writes the export of a store piece by piece; gives the number of events.
async fn write(
    store: &dyn EventStore,
    filter: Option<SubjectFilter>,
    mut put: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let info = store.info();
    let (mut writer, first) = ExportWriter::new(&ExportHeader {
        store_id: info.store_id.to_string(),
        template: info.template.clone(),
        filter: filter.as_ref().map(ToString::to_string),
        exported_at: clock::now(),
    });
    put(first.as_bytes())?;
    let bar = progress("exporting");
    if let Some(last) = store.last_position().await? {
        bar.set_length(last.get());
    }
    let fault =
        |error: cim_core::subject::TemplateError| Failure::of(Exit::Broken, error.code(), &error);
    // A whole export promises whole chains, so they are verified before they are promised.
    let mut verifier = match filter {
        None => StoreVerifier::new(),
        Some(_) => StoreVerifier::cids_only(),
    };
    let mut events = store.read(Query::default());
    let (mut count, mut lines) = (0, Vec::with_capacity(1 << 17));
    while let Some(read) = events.try_next().await? {
        let event = &read.event;
        verifier.push(event).map_err(|error| {
            Failure::from(error)
                .help("`cim copy --until-broken FROM TO` saves what is sound into a new store")
        })?;
        if let Some(filter) = &filter {
            let subject = info
                .template
                .event_subject(&event.aggregate, &event.event.operation)
                .map_err(fault)?;
            if !filter.matches(&subject) {
                continue;
            }
        }
        writer.write_line(event, &mut lines).map_err(fault)?;
        count += 1;
        if lines.len() >= 1 << 16 {
            put(&lines)?;
            lines.clear();
            bar.set_position(read.position.get());
        }
    }
    put(&lines)?;
    put(writer.finish().as_bytes())?;
    bar.finish_and_clear();
    Ok(count)
}

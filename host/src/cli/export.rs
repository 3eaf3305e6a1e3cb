//! `cim export`.

mod upcast;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use cim_core::chain::verifier::StoreVerifier;
use cim_core::event::RecordedEvent;
use cim_core::export::{ExportHeader, ExportWriter};
use cim_core::subject::{StoreTemplate, SubjectFilter, TemplateError};
use clap::Args;
use futures_util::TryStreamExt as _;

use self::upcast::{AsOfToday, Upcast};
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
  cim export --upcast today.jsonl

The store is verified while it is written. A filtered export says so; of it only the CIDs can be
verified, not the chain.

With --upcast the events are written as they are understood today: each event of a registered entity
(`cim schema list`) goes through its upcasters. That is a new history, with a store id of its own:
versions count anew without gaps, and the CIDs of an event that was upcast, and of all behind it in
its history, differ from those of the store. The metadata `Upcast-From` of what an upcaster made
names the CID of the stored event. An event that cannot be read ends the export, and no file is left.
With a filter, what is written is the part of that new history whose subjects match.")]
pub(crate) struct Export {
    /// The file, which must not be there yet, or `-` for standard output
    file: PathBuf,
    /// Only events whose subject matches, with the wildcards `*` and `>`
    filter: Option<SubjectFilter>,
    /// Write the events as they are understood today: a new history, whose CIDs differ
    #[arg(long)]
    upcast: bool,
}

impl Export {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let store = place.open(Absent::Refuse).await?;
        let events = match self.upcast {
            false => Events::AsStored,
            true => Events::AsOfToday(Box::default()),
        };
        if self.file == Path::new("-") {
            return write(&*store, self.filter, events, |bytes| out.bytes(bytes))
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
        let put = |bytes: &[u8]| Ok(file.write_all(bytes)?);
        let written = match write(&*store, self.filter, events, put).await {
            Ok(written) => written,
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
        let (events, file) = (count(written.events, "event"), self.file.display());
        say(&match written.upcast {
            None => format!("Exported {events} to `{file}`."),
            Some(upcast) => format!(
                "Exported {events} to `{file}`, as a new history: {} upcast into {}.",
                were(upcast.stored),
                upcast.made
            ),
        });
        Ok(())
    }
}

/// Which events of a store are exported.
enum Events {
    AsStored,
    AsOfToday(Box<AsOfToday>),
}

/// What was written.
struct Written {
    events: u64,
    upcast: Option<Upcast>,
}

/// Writes the export of a store piece by piece.
async fn write(
    store: &dyn EventStore,
    filter: Option<SubjectFilter>,
    mut events: Events,
    mut put: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<Written, Failure> {
    let info = store.info();
    let store_id = match events {
        Events::AsStored => info.store_id,
        Events::AsOfToday(_) => clock::store_id(),
    };
    let (mut writer, first) = ExportWriter::new(&ExportHeader {
        store_id: store_id.to_string(),
        template: info.template.clone(),
        filter: filter.as_ref().map(ToString::to_string),
        exported_at: clock::now(),
    });
    put(first.as_bytes())?;
    let bar = progress("exporting");
    if let Some(last) = store.last_position().await? {
        bar.set_length(last.get());
    }
    // A whole export promises whole chains, so they are verified before they are promised. So are those
    // that new ones are made of.
    let mut verifier = match (&filter, &events) {
        (Some(_), Events::AsStored) => StoreVerifier::cids_only(),
        (None, _) | (Some(_), Events::AsOfToday(_)) => StoreVerifier::new(),
    };
    let mut stored = store.read(Query::default());
    let (mut count, mut lines) = (0, Vec::with_capacity(1 << 17));
    while let Some(read) = stored.try_next().await? {
        verifier.push(&read.event).map_err(|error| {
            Failure::from(error)
                .help("`cim copy --until-broken FROM TO` saves what is sound into a new store")
        })?;
        let position = read.position;
        let events = match &mut events {
            Events::AsStored => vec![read.event],
            Events::AsOfToday(today) => {
                today.events(&read.event, filter.as_ref(), &info.template)?
            }
        };
        for event in &events {
            if !is_wanted(event, filter.as_ref(), &info.template)? {
                continue;
            }
            writer.write_line(event, &mut lines).map_err(outside)?;
            count += 1;
        }
        if lines.len() >= 1 << 16 {
            put(&lines)?;
            lines.clear();
            bar.set_position(position.get());
        }
    }
    put(&lines)?;
    put(writer.finish().as_bytes())?;
    bar.finish_and_clear();
    Ok(Written {
        events: count,
        upcast: match events {
            Events::AsStored => None,
            Events::AsOfToday(today) => Some(today.upcast()),
        },
    })
}

fn is_wanted(
    event: &RecordedEvent,
    filter: Option<&SubjectFilter>,
    template: &StoreTemplate,
) -> Result<bool, Failure> {
    let Some(filter) = filter else {
        return Ok(true);
    };
    let subject = template.event_subject(&event.aggregate, &event.event.operation);
    Ok(filter.matches(&subject.map_err(outside)?))
}

/// An event that this store cannot have.
pub(super) fn outside(error: TemplateError) -> Failure {
    Failure::of(Exit::Broken, error.code(), &error)
}

/// So many events, and what happened to them: `1 event was`, `2 events were`.
fn were(number: u64) -> String {
    let verb = if number == 1 { "was" } else { "were" };
    format!("{} {verb}", count(number, "event"))
}

//! `cim import`.

#[cfg(feature = "jetstream")]
mod stream;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cim_core::export::{ExportError, ExportHeader, ExportReader};
use cim_core::subject::SubjectFilter;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::failure::{Exit, Failure};
use super::output::{Output, count, progress, say};
use super::place::{Absent, Place};
use crate::import::{self, ImportError, Imported, Late, Mapping, Plan};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim import receipt.csv --entity permit --id-field case:concept:name \\
      --type-field concept:name --time-field time:timestamp
  cim import events.jsonl --format jsonl --entity order --id-field /order/id --type-field type --time-field at
  cim import export.jsonl --format cim
  cim import nats://localhost:4222/OLD_EVENTS --format cim-headers
  cim import nats://localhost:4222/KEYS_EVENTS --format cim-headers \\
      --subject 'keys.events.{entity}.{operation}' --id-field /key_id

The whole file is checked before anything is written. The same file again appends nothing; a grown
one appends the rest; an import that was stopped goes on where it was. Events are
stored in steps of at most 1000, within a step by aggregate. CSV and JSON lines are held in memory
while they are ordered, about three times the size of the file.

The format cim-headers is a stream of messages with the headers of events (CIM-Event-Id,
CIM-Correlation-Id, CIM-Causation-Id, CIM-Event-Type, CIM-Timestamp, CIM-Source, Nats-Msg-Id) and
without a chain. They are stored in the order of the stream and keep ids, times, sources and bodies;
times finer than microseconds are cut. Subjects are built like those of the store, or as --subject
says; --id-field names the field of the body with the aggregate's id, for subjects without one.")]
pub(crate) struct Import {
    /// The file, `-` for standard input, or the URL of a stream
    file: PathBuf,
    /// What the file is; by default told from its name and first line
    #[arg(long)]
    format: Option<Format>,
    /// The entity of the aggregates
    #[arg(long)]
    entity: Option<String>,
    /// The column or field with the aggregate's id
    #[arg(long, value_name = "FIELD")]
    id_field: Option<String>,
    /// The column or field with the event's type
    #[arg(long, value_name = "FIELD")]
    type_field: Option<String>,
    /// The column or field with the event's time
    #[arg(long, value_name = "FIELD")]
    time_field: Option<String>,
    /// Encode every id as base64url, for ids that are no tokens
    #[arg(long)]
    id_encode: bool,
    /// How the subjects of a stream are built, if not as those of the store
    #[arg(long, value_name = "TEMPLATE")]
    subject: Option<String>,
    /// Which messages of a stream are imported; all by default
    #[arg(long, value_name = "SUBJECT")]
    filter: Option<SubjectFilter>,
    /// What to do with a new event that is older than its aggregate's last event
    #[arg(long, value_enum, default_value = "refuse")]
    late: LateArg,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
    Cim,
    #[cfg(feature = "jetstream")]
    CimHeaders,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum LateArg {
    Refuse,
    Append,
}

impl From<LateArg> for Late {
    fn from(late: LateArg) -> Self {
        match late {
            LateArg::Refuse => Self::Refuse,
            LateArg::Append => Self::Append,
        }
    }
}

impl Import {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        #[cfg(feature = "jetstream")]
        if self.is_stream()? {
            return self.import_stream(place, out).await;
        }
        let a_file = "only a stream has subjects: leave the option out";
        refuse(
            &[
                (self.subject.is_some(), "--subject"),
                (self.filter.is_some(), "--filter"),
            ],
            "a file",
            a_file,
        )?;
        let source = Source::new(&self.file)?;
        let format = match self.format {
            Some(format) => format,
            None => guess(&self.file, &source.start()?),
        };
        let imported = match format {
            Format::Cim => self.import_export(place, &source).await?,
            Format::Csv | Format::Jsonl => {
                self.import_rows(place, format, &source.bytes()?).await?
            }
            #[cfg(feature = "jetstream")]
            Format::CimHeaders => {
                unreachable!("a stream is not a file, and was imported before")
            }
        };
        if self.json {
            return out.json(&document(&imported));
        }
        report(&imported, "the file has no rows", out)
    }

    async fn import_rows(
        &self,
        place: &Place,
        format: Format,
        bytes: &[u8],
    ) -> Result<Imported, Failure> {
        let field = |value: &Option<String>, flag: &str| {
            value.clone().ok_or_else(|| {
                Failure::usage(format!("`{flag}` is missing")).help(
                    "name the entity and the fields, for example `--entity permit --id-field id \
                     --type-field type --time-field at`",
                )
            })
        };
        let entity = field(&self.entity, "--entity")?;
        // A wrong file must not leave an empty store behind, so the store comes last.
        let template = match place.open(Absent::Refuse).await {
            Ok(store) => store.info().template.clone(),
            Err(failure) if failure.exit == Exit::NotFound => {
                place.config.template()?.unwrap_or_default()
            }
            Err(failure) => return Err(failure),
        };
        let (namespace, entity) = place.entity(&entity, &template)?;
        let mapping = Mapping {
            namespace,
            entity,
            id_field: field(&self.id_field, "--id-field")?,
            type_field: field(&self.type_field, "--type-field")?,
            time_field: field(&self.time_field, "--time-field")?,
            id_encode: self.id_encode,
        };
        let rows = match format {
            Format::Jsonl => import::read_jsonl(bytes, &mapping)?,
            _ => import::read_csv(bytes, &mapping)?,
        };
        let plan = Plan::new(rows, &mapping, &template)?;
        if plan.times_without_offset() > 0 {
            say(&format!(
                "Times without an offset are read as UTC: {} in this file.",
                plan.times_without_offset()
            ));
        }
        let store = place.open(Absent::Create).await?;
        let bar = progress("importing");
        let imported = import::run(&*store, plan, self.late.into(), &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
        bar.finish_and_clear();
        let imported = imported?;
        store.close().await?;
        Ok(imported)
    }

    async fn import_export(&self, place: &Place, source: &Source) -> Result<Imported, Failure> {
        refuse(
            &[
                (self.entity.is_some(), "--entity"),
                (self.id_field.is_some(), "--id-field"),
                (self.type_field.is_some(), "--type-field"),
                (self.time_field.is_some(), "--time-field"),
                (self.id_encode, "--id-encode"),
            ],
            "an export",
            "an export names its aggregates itself: leave the option out",
        )?;
        // A wrong file must not leave an empty store behind, so the store comes last.
        let open = || source.open();
        if let Some(filter) = import::export::verify(&open)?.filter {
            return Err(ImportError::Filtered { filter }.into());
        }
        let header = source.header()?;
        let store = place.open_or_create(header.template).await?;
        let bar = progress("importing");
        let imported = import::run_export(&*store, &open, &mut |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await;
        bar.finish_and_clear();
        let imported = imported?;
        store.close().await?;
        Ok(imported)
    }
}

/// Refuses options that say nothing about what is imported.
fn refuse(options: &[(bool, &str)], what: &str, help: &str) -> Result<(), Failure> {
    match options.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, option)) => {
            Err(Failure::usage(format!("`{option}` does not go with {what}")).help(help))
        }
    }
}

fn document(imported: &Imported) -> Value {
    json!({
        "schema": "cim.import/v1",
        "events": imported.events,
        "appended": imported.appended,
        "present": imported.present,
        "aggregates": imported.aggregates,
        "types": imported.types,
    })
}

fn report(imported: &Imported, empty: &str, out: &mut Output) -> Result<(), Failure> {
    let Imported {
        events,
        appended,
        present,
        aggregates,
        types,
    } = imported;
    out.line(&format!(
        "{} of {} and {}: {appended} appended, {present} were there already",
        count(*events, "event"),
        count(*aggregates, "aggregate"),
        count(*types, "type"),
    ))?;
    out.flush()?;
    if *events == 0 {
        say(&format!("Nothing was appended: {empty}."));
    } else if *appended == 0 {
        say("Nothing was appended: the store has all of it.");
    }
    Ok(())
}

/// What is imported: a file that can be read again, or all of standard input.
#[derive(Debug)]
enum Source {
    File(PathBuf),
    Input(Arc<[u8]>),
}

impl Source {
    fn new(path: &Path) -> Result<Self, Failure> {
        if path != Path::new("-") {
            return Ok(Self::File(path.to_owned()));
        }
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::file("read", path, &error))?;
        Ok(Self::Input(bytes.into()))
    }

    /// Opens it from its start.
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::File(path) => Ok(Box::new(File::open(path)?)),
            Self::Input(bytes) => Ok(Box::new(Cursor::new(Arc::clone(bytes)))),
        }
    }

    /// All of it.
    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = self
            .open()
            .and_then(|mut file| file.read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|error| self.unreadable(&error))
    }

    /// Its first bytes.
    fn start(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = self
            .open()
            .and_then(|file| file.take(START).read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|error| self.unreadable(&error))
    }

    /// The first line of an export.
    fn header(&self) -> Result<ExportHeader, Failure> {
        let mut reader = ExportReader::new();
        let mut file = self.open().map_err(|error| self.unreadable(&error))?;
        let mut piece = vec![0; 1 << 16];
        let export = |error: ExportError| Failure::from(ImportError::Export(error));
        loop {
            let length = file
                .read(&mut piece)
                .map_err(|error| self.unreadable(&error))?;
            if length == 0 {
                return reader.finish().map(|(header, _)| header).map_err(export);
            }
            reader
                .push(&piece[..length], |_, _| Ok::<_, ExportError>(()))
                .map_err(export)?;
            if let Some(header) = reader.header() {
                return Ok(header.clone());
            }
        }
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        let path = match self {
            Self::File(path) => path,
            Self::Input(_) => Path::new("-"),
        };
        Failure::file("read", path, error)
            .help("give the path of a CSV file, of JSON lines or of an export")
    }
}

/// How much of a file tells its format.
const START: u64 = 64;

/// Tells the format from the file's name and its first bytes.
fn guess(path: &Path, first: &[u8]) -> Format {
    if first.starts_with(b"{\"format\":\"cim.export/") {
        return Format::Cim;
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl" | "ndjson") => Format::Jsonl,
        _ if first.starts_with(b"{") => Format::Jsonl,
        _ => Format::Csv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_from_content_and_name() {
        let guess = |path: &str, first: &[u8]| guess(Path::new(path), first);
        assert_eq!(
            guess("x.csv", b"{\"format\":\"cim.export/v1\",\"store_id\":\""),
            Format::Cim
        );
        assert_eq!(guess("x.jsonl", b" {}"), Format::Jsonl);
        assert_eq!(guess("-", b"{\"id\":1}"), Format::Jsonl);
        assert_eq!(guess("x.txt", b"id,type,at"), Format::Csv);
    }
}

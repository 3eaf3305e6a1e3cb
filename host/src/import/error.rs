//! Why a file is not imported.

use std::error::Error;
use std::fmt;

use cim_core::append::AppendError;
use cim_core::cid::Cid;
use cim_core::export::{ExportError, ExportFault};
use cim_core::id::{AggregateKey, Entity, EventType, NameError, Operation};
use cim_core::message::MAX_EVENT_SIZE;
use cim_core::subject::{OperationError, TemplateError};
use cim_core::time::{TimeError, Timestamp};
use cim_core::version::Version;

use super::json::JsonError;
use super::names::TypeNameError;
use crate::store::StoreError;

/// Why a file is not imported. But for [`Append`](Self::Append) and [`Store`](Self::Store),
/// nothing of it was written.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    Read {
        /// What the system says.
        source: std::io::Error,
    },
    /// A CSV file without a line of column names.
    NoHeader,
    /// A column of CSV stands twice.
    RepeatedColumn {
        /// Its name.
        name: String,
    },
    /// There is no such column in the CSV.
    NoColumn {
        /// The option that names it.
        option: &'static str,
        /// Its name.
        name: String,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// A row is malformed.
    Row {
        /// Its line, from 1.
        line: u64,
        /// Where in it.
        column: Option<Column>,
        /// What is wrong.
        fault: Box<RowFault>,
    },
    /// Several texts would become one event type.
    Types {
        /// Each such type, with its texts.
        collisions: Vec<(EventType, Vec<String>)>,
    },
    /// Several types of one entity would have one operation.
    Operations {
        /// Their entity.
        entity: Entity,
        /// Each such operation, with its types.
        collisions: Vec<(Operation, Vec<EventType>)>,
    },
    /// The store cannot have events of this entity.
    Template(TemplateError),
    /// A new row is older than its aggregate's last event.
    Late {
        /// The first such row.
        line: u64,
        /// Its aggregate.
        aggregate: AggregateKey,
        /// Its time.
        time: Timestamp,
        /// The time of the aggregate's last event.
        head: Timestamp,
        /// How many rows are late.
        count: u64,
    },
    /// An export is malformed, altered or cut.
    Export(ExportError),
    /// An export that was filtered, so that events before those in it may be missing.
    Filtered {
        /// The filter.
        filter: String,
    },
    /// The store has another event where the file has one.
    Differs {
        /// The aggregate.
        aggregate: AggregateKey,
        /// The version.
        version: Version,
        /// The CID in the file.
        expected: Cid,
        /// The CID in the store.
        found: Cid,
    },
    /// A step was not stored; the steps before it were. Of a broken history that was found before
    /// the first step, nothing was written.
    Append(AppendError),
    /// The store failed.
    Store(StoreError),
}

/// A place in a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Column {
    /// The number, from 1: of the field in CSV, of the byte in JSON lines.
    Number(usize),
    /// The number of a field of CSV, from 1, and its name.
    Named(usize, String),
    /// A field of JSON lines.
    Field(String),
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "column {number}"),
            Self::Named(number, name) => write!(f, "column {number} (`{name}`)"),
            Self::Field(name) => write!(f, "field `{name}`"),
        }
    }
}

/// What is wrong with a row.
#[derive(Debug)]
#[non_exhaustive]
pub enum RowFault {
    /// It is not UTF-8.
    Utf8,
    /// It has more or fewer fields than the first line.
    Fields {
        /// How many the first line has.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A quoted field has no end.
    OpenQuote,
    /// A quoted field goes on behind its closing quote.
    BehindQuote,
    /// It is not JSON.
    Json(JsonError),
    /// It is JSON, but no object.
    NotObject {
        /// What it is, with its article.
        found: &'static str,
    },
    /// It does not have the field.
    Missing,
    /// The field is of another kind.
    Kind {
        /// What it should be, with its article.
        expected: &'static str,
        /// What it is, with its article.
        found: &'static str,
    },
    /// The id is no token.
    Id(NameError),
    /// The id is empty.
    NoId,
    /// The id, encoded, is too long for a token.
    LongId(NameError),
    /// The type cannot become an event type.
    Type(TypeNameError),
    /// The type has no operation.
    Operation(OperationError),
    /// The time is none.
    Time(TimeError),
    /// The event would be larger than any store takes.
    TooLarge {
        /// Its size.
        size: usize,
    },
}

impl ImportError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "file-unreadable",
            Self::NoHeader => "csv-no-header",
            Self::RepeatedColumn { .. } => "csv-column-repeated",
            Self::NoColumn { .. } => "csv-no-column",
            Self::Row { fault, .. } => fault.code(),
            Self::Types { .. } => "event-type-collision",
            Self::Operations { .. } => "operation-collision",
            Self::Template(error) => error.code(),
            Self::Late { .. } => "row-late",
            Self::Export(error) => error.code(),
            Self::Filtered { .. } => "export-filtered",
            Self::Differs { .. } => "history-differs",
            Self::Append(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoHeader => "the first line of a CSV file must name its columns",
            Self::RepeatedColumn { .. } => "give each column its own name in the first line",
            Self::NoColumn { columns, .. } => {
                let columns: Vec<_> = columns.iter().map(|name| format!("`{name}`")).collect();
                return Some(format!("the columns are {}", columns.join(", ")));
            }
            Self::Row { fault, .. } => return fault.help().map(str::to_owned),
            Self::Types { .. } => "write one of the texts in the whole file, then import it again",
            Self::Operations { .. } => "rename one of the types in the file, then import it again",
            Self::Late { .. } => {
                "to store late rows behind the others, run it with `--late append`"
            }
            Self::Filtered { .. } => "make a whole export with `cim export FILE`",
            Self::Differs { .. } => "import into a new store: `--store sqlite:NEW.db`",
            Self::Append(AppendError::Conflict { .. } | AppendError::Unknown { .. }) => {
                "run the same import again: it goes on where it stopped"
            }
            Self::Template(_) => "name another entity, or another store with `--store URL`",
            Self::Export(error) => {
                return Some(format!("nothing was imported; {}", export_help(error)));
            }
            Self::Read { .. } | Self::Append(_) | Self::Store(_) => return None,
        };
        Some(help.to_owned())
    }

    /// A fault in a row.
    pub(super) fn row(line: u64, column: Option<Column>, fault: RowFault) -> Self {
        Self::Row {
            line,
            column,
            fault: Box::new(fault),
        }
    }
}

/// Names the aggregate whose history could not be read through.
pub(super) fn broken(aggregate: &AggregateKey, error: StoreError) -> ImportError {
    match error {
        StoreError::Invalid(invalid) => ImportError::Append(AppendError::Broken {
            aggregate: aggregate.clone(),
            position: invalid.position,
            why: invalid.why,
        }),
        other => ImportError::Store(other),
    }
}

/// What to do about an export that cannot be taken.
pub(crate) fn export_help(error: &ExportError) -> &'static str {
    match *error.fault {
        ExportFault::NoExport => {
            "`cim export FILE` writes an export; other files are imported with `--format csv` or \
             `--format jsonl`"
        }
        ExportFault::Format { .. } => "use a newer `cim`",
        _ => "get the export again from whom you trust; this one was changed or cut",
    }
}

impl RowFault {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Utf8 => "row-not-utf8",
            Self::Fields { .. } => "csv-field-count",
            Self::OpenQuote | Self::BehindQuote => "csv-quote",
            Self::Json(_) | Self::NotObject { .. } => "row-not-json",
            Self::Missing => "row-field-missing",
            Self::Kind { .. } => "row-field-kind",
            Self::Id(error) | Self::LongId(error) => error.code(),
            Self::NoId => "row-id-empty",
            Self::Type(error) => error.code(),
            Self::Operation(error) => error.code(),
            Self::Time(error) => error.code(),
            Self::TooLarge { .. } => "event-too-large",
        }
    }

    fn help(&self) -> Option<&'static str> {
        match self {
            Self::Utf8 => Some("convert the file to UTF-8"),
            Self::Id(_) => Some("to encode every id in base64url, run it with `--id-encode`"),
            Self::NoId => Some("every row must name its aggregate: mend the line"),
            Self::LongId(_) => Some("an id of more than 96 bytes cannot be encoded: shorten it"),
            Self::OpenQuote | Self::BehindQuote => Some(
                "a quote inside a quoted field is written twice: `\"\"`; JSON lines are imported \
                 with `--format jsonl`",
            ),
            Self::Missing | Self::Kind { .. } => Some(
                "a field is a name at the top of the object, or a JSON pointer such as `/data/id`",
            ),
            Self::Type(_) => Some("an event type begins with a letter of A-Z or a-z"),
            Self::Operation(_) => Some("shorten the type in the file"),
            Self::Json(_) | Self::NotObject { .. } => {
                Some("every line must be a JSON object; a CSV file is imported with `--format csv`")
            }
            Self::Fields { .. } | Self::Time(_) | Self::TooLarge { .. } => {
                Some("nothing was imported: mend the line, then import the file again")
            }
        }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { .. } => f.write_str("the file cannot be read"),
            Self::NoHeader => f.write_str("the CSV file has no line of column names"),
            Self::RepeatedColumn { name } => {
                write!(f, "the column `{name}` stands twice in the first line")
            }
            Self::NoColumn { option, name, .. } => {
                write!(f, "there is no column `{name}`, which `{option}` names")
            }
            Self::Row {
                line,
                column,
                fault,
            } => {
                write!(f, "line {line}")?;
                if let Some(column) = column {
                    write!(f, ", {column}")?;
                }
                write!(f, ": {fault}")
            }
            Self::Types { collisions } => {
                f.write_str("different texts would become one event type")?;
                for (event_type, texts) in collisions {
                    let texts: Vec<_> = texts.iter().map(|text| format!("`{text}`")).collect();
                    write!(f, "; {} → `{event_type}`", texts.join(" and "))?;
                }
                Ok(())
            }
            Self::Operations { entity, collisions } => {
                write!(
                    f,
                    "different event types of `{entity}` would have one operation"
                )?;
                for (operation, types) in collisions {
                    let types: Vec<_> = types.iter().map(|name| format!("`{name}`")).collect();
                    write!(f, "; {} → `{operation}`", types.join(" and "))?;
                }
                Ok(())
            }
            Self::Template(_) => f.write_str("the store cannot have events of this entity"),
            Self::Late {
                line,
                aggregate,
                time,
                head,
                count,
            } => {
                write!(
                    f,
                    "line {line}: the row is new, but older than the last event of `{aggregate}`: \
                     expected a time from `{head}` on, found `{time}`"
                )?;
                if *count > 1 {
                    write!(f, " ({count} such rows)")
                } else {
                    Ok(())
                }
            }
            Self::Export(_) => f.write_str("the export cannot be trusted"),
            Self::Filtered { filter } => write!(
                f,
                "the export was filtered by `{filter}`: histories in it may have gaps, which no \
                 store takes"
            ),
            Self::Differs {
                aggregate,
                version,
                expected,
                found,
            } => write!(
                f,
                "the store has another version {version} of `{aggregate}`: expected `{expected}`, \
                 found `{found}`"
            ),
            Self::Append(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => f.write_str("the bytes are not UTF-8"),
            Self::Fields { expected, found } => {
                write!(f, "expected {expected} fields, found {found}")
            }
            Self::OpenQuote => f.write_str("the quoted field has no closing quote"),
            Self::BehindQuote => {
                f.write_str("expected a comma or the line's end behind the closing quote")
            }
            Self::Json(error) => write!(f, "not valid JSON: {}", error.why),
            Self::NotObject { found } => write!(f, "expected a JSON object, found {found}"),
            Self::Missing => f.write_str("there is no such field"),
            Self::Kind { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Id(error) | Self::LongId(error) => error.fmt(f),
            Self::NoId => f.write_str("the id is empty"),
            Self::Type(error) => error.fmt(f),
            Self::Operation(error) => error.fmt(f),
            Self::Time(error) => error.fmt(f),
            Self::TooLarge { size } => write!(
                f,
                "the event has {size} bytes with its headers, at most {MAX_EVENT_SIZE} fit"
            ),
        }
    }
}

impl Error for ImportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Row { fault, .. } => fault.source(),
            Self::Template(error) => Some(error),
            Self::Export(error) => Some(error),
            Self::Append(error) => error.source(),
            Self::Store(error) => error.source(),
            Self::NoHeader
            | Self::RepeatedColumn { .. }
            | Self::NoColumn { .. }
            | Self::Types { .. }
            | Self::Operations { .. }
            | Self::Late { .. }
            | Self::Filtered { .. }
            | Self::Differs { .. } => None,
        }
    }
}

impl Error for RowFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The others are shown in place of this.
        match self {
            Self::Type(error) => error.source(),
            _ => None,
        }
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AppendError> for ImportError {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

impl From<ExportError> for ImportError {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

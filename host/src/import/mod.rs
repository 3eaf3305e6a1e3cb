//! Import: rows of a foreign file become events, and events of an export are stored again.
//!
//! A file is read, checked and planned as a whole before anything is written, then committed in
//! steps of at most 1000 events. Every id follows from its row, so that the same file again appends
//! nothing and an interrupted import goes on where it stopped. Memory grows with the file for CSV
//! and JSON lines, since rows are ordered by time; an export is read in pieces.
//!
//! In reading order: [`names`] (free text to event types) · [`event_ids`] (ids that follow from
//! rows) · [`json`] (strict JSON) · [`rows`] (what a row has to have) · [`csv`] and [`jsonl`] ·
//! [`plan`] (rows to events, in order) · [`mod@run`] (a plan into a store) · [`replica`] (events that
//! have a CID already) · [`export`] · `adopt` (a stream that older services wrote).

#[cfg(feature = "jetstream")]
pub mod adopt;
pub mod csv;
mod error;
pub mod event_ids;
pub mod export;
pub mod json;
pub mod jsonl;
pub mod names;
pub mod plan;
pub mod replica;
pub mod rows;
pub mod run;

pub use csv::read_csv;
pub(crate) use error::export_help;
pub use error::{Column, ImportError, RowFault};
pub use export::run_export;
pub use jsonl::read_jsonl;
pub use plan::Plan;
pub use rows::Mapping;
pub use run::{Imported, Late, run};

//! Verifying a whole export, and the report of it that every tool prints.

use super::{ExportError, ExportReader};
use crate::chain::Verified;
use crate::chain::verifier::StoreVerifier;

/// The name and version of the report's JSON.
const SCHEMA: &str = "cim.verify/v1";

/// Verifies an export in pieces that may end anywhere: its form, every event's CID, and, if nothing
/// was filtered out, every chain from its first event.
///
/// # Examples
///
/// ```
/// use cim_core::export::{ExportVerifier, to_json};
///
/// let mut verifier = ExportVerifier::new();
/// let report = verifier.push(b"{\"format\":\"of others\"}\n").and_then(|()| verifier.finish());
/// assert_eq!(report.as_ref().map_err(|error| error.code()).unwrap_err(), "export-format");
/// assert!(to_json(&report).starts_with(r#"{"schema":"cim.verify/v1","ok":false"#));
/// ```
#[derive(Debug, Default)]
pub struct ExportVerifier {
    reader: ExportReader,
    /// Made with the first event, when it is known whether the export is filtered.
    store: Option<StoreVerifier>,
}

impl ExportVerifier {
    /// Expects the first line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Verifies the next piece.
    ///
    /// # Errors
    ///
    /// [`ExportError`] for the first fault; after it, every further call is refused.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), ExportError> {
        let store = &mut self.store;
        self.reader.feed(piece, |header, line, event| {
            let new = || match header.filter {
                None => StoreVerifier::new(),
                Some(_) => StoreVerifier::cids_only(),
            };
            let store = store.get_or_insert_with(new);
            store
                .push(&event)
                .map_err(|error| ExportError::of_chain(line, error))
        })
    }

    /// Checks that the file is whole, and says what was verified.
    ///
    /// # Errors
    ///
    /// [`ExportError`] when the last line is missing, cut or does not agree.
    pub fn finish(self) -> Result<ExportReport, ExportError> {
        let (header, summary) = self.reader.finish()?;
        let verified = if header.filter.is_none() {
            Verified::Chain
        } else {
            Verified::Cid
        };
        let store = self.store.unwrap_or_else(|| match verified {
            Verified::Chain => StoreVerifier::new(),
            Verified::Cid => StoreVerifier::cids_only(),
        });
        Ok(ExportReport {
            events: summary.events,
            aggregates: summary.aggregates,
            digest: summary.digest,
            heads: store.finish().heads,
            verified,
            not_proven: verified.not_proven(),
            store_id: header.store_id,
            filter: header.filter,
        })
    }
}

/// What was verified of an export.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct ExportReport {
    /// The count of events.
    pub events: u64,
    /// The count of aggregates.
    pub aggregates: u64,
    /// The digest of the CIDs in order, as the last line has it.
    pub digest: String,
    /// The digest of the heads, as in
    /// [`StoreSummary`](crate::chain::verifier::StoreSummary::heads); `None` of a filtered export.
    pub heads: Option<String>,
    /// What was verified of each event.
    pub verified: Verified,
    /// What that does not prove; print it beside.
    pub not_proven: &'static str,
    /// The store that the export was made of.
    pub store_id: String,
    /// The filter that it was made with.
    pub filter: Option<String>,
}

/// The result as one JSON document, the same from every tool: `{"schema":"cim.verify/v1","ok":…}`
/// and then either the fields of the report or `error` with `code`, `message`, `line`, `event`,
/// `aggregate` and `version`.
pub fn to_json(result: &Result<ExportReport, ExportError>) -> String {
    let document = match result {
        Ok(report) => Document {
            schema: SCHEMA,
            ok: true,
            report: Some(report),
            error: None,
        },
        Err(error) => {
            let error = Failure {
                code: error.code(),
                message: error.message(),
                line: error.line,
                event: error.event.map(|event| event.to_string()),
                aggregate: error.aggregate.as_ref().map(ToString::to_string),
                version: error.version.map(|version| version.get()),
            };
            Document {
                schema: SCHEMA,
                ok: false,
                report: None,
                error: Some(error),
            }
        }
    };
    serde_json::to_string(&document).expect("texts and numbers can be written as JSON")
}

#[derive(serde::Serialize)]
struct Document<'a> {
    schema: &'static str,
    ok: bool,
    #[serde(flatten)]
    report: Option<&'a ExportReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(serde::Serialize)]
struct Failure {
    code: &'static str,
    message: String,
    line: u64,
    event: Option<String>,
    aggregate: Option<String>,
    version: Option<u64>,
}

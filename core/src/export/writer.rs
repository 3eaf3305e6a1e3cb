//! Writing: events in, lines out.

use std::borrow::Cow;

use super::line::First;
use super::{ExportHeader, FORMAT, Tally};
use crate::event::RecordedEvent;
use crate::headers::Carrier;
use crate::subject::{StoreTemplate, TemplateError};

/// Writes the lines of an export, each with its line feed. It does not verify what it writes.
///
/// # Examples
///
/// ```
/// use cim_core::event::RecordedEvent;
/// use cim_core::export::{ExportHeader, ExportWriter};
/// use cim_core::subject::TemplateError;
///
/// fn export(header: &ExportHeader, store: &[RecordedEvent]) -> Result<String, TemplateError> {
///     let (mut writer, mut file) = ExportWriter::new(header);
///     for event in store {
///         file += &writer.line(event)?;
///     }
///     Ok(file + &writer.finish())
/// }
/// ```
#[derive(Debug)]
pub struct ExportWriter {
    template: StoreTemplate,
    tally: Tally,
}

impl ExportWriter {
    /// Begins an export: gives the writer and the first line.
    pub fn new(header: &ExportHeader) -> (Self, String) {
        let first = First {
            format: Cow::Borrowed(FORMAT),
            store_id: Cow::Borrowed(&header.store_id),
            template: Cow::Borrowed(&header.template),
            filter: header.filter.as_deref().map(Cow::Borrowed),
            exported_at: Cow::Owned(header.exported_at.to_string()),
        };
        let mut line = serde_json::to_string(&first).expect("texts can be written as JSON");
        line.push('\n');
        (
            Self {
                template: header.template.clone(),
                tally: Tally::default(),
            },
            line,
        )
    }

    /// The line of an event.
    ///
    /// # Errors
    ///
    /// [`TemplateError::OutsideConstants`] for an event that this store cannot have.
    pub fn line(&mut self, event: &RecordedEvent) -> Result<String, TemplateError> {
        let mut line = Vec::new();
        self.write_line(event, &mut line)?;
        Ok(String::from_utf8(line).expect("JSON is UTF-8"))
    }

    /// Appends the line of an event to `out`, so that one buffer serves many events.
    ///
    /// # Errors
    ///
    /// As [`line`](Self::line); `out` has nothing of the event then.
    pub fn write_line(
        &mut self,
        event: &RecordedEvent,
        out: &mut Vec<u8>,
    ) -> Result<(), TemplateError> {
        let subject = self
            .template
            .event_subject(&event.aggregate, &event.event.operation)?;
        out.extend_from_slice(b"{\"subject\":");
        put_string(out, subject.as_str());
        let mut before = &b",\"headers\":{"[..];
        for (name, value) in event.headers().pairs(Carrier::Export) {
            out.extend_from_slice(before);
            put_string(out, &name);
            out.push(b':');
            put_string(out, &value);
            before = b",";
        }
        match std::str::from_utf8(&event.event.body) {
            Ok(text) => {
                out.extend_from_slice(b"},\"body\":");
                put_string(out, text);
            }
            Err(_) => {
                out.extend_from_slice(b"},\"body_base64\":\"");
                out.extend_from_slice(data_encoding::BASE64.encode(&event.event.body).as_bytes());
                out.push(b'"');
            }
        }
        out.extend_from_slice(b"}\n");
        self.tally.add(event);
        Ok(())
    }

    /// The last line.
    pub fn finish(self) -> String {
        let summary = self.tally.summary();
        format!(
            "{{\"events\":{},\"aggregates\":{},\"digest\":\"{}\"}}\n",
            summary.events, summary.aggregates, summary.digest
        )
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text can be written into memory as JSON");
}

//! Reading: pieces of a file in, events out.

use std::borrow::Cow;

use bytes::Bytes;

use super::line::{Body, First, Line};
use super::{ExportError, ExportFault, ExportHeader, ExportSummary, MAX_LINE_LEN, Tally};
use crate::event::RecordedEvent;
use crate::headers::Carrier;
use crate::subject::StoreTemplate;

/// Reads an export in pieces that may end anywhere.
///
/// Give it every piece with [`push`](Self::push), then call [`finish`](Self::finish): only then is
/// it known that the file is whole. It checks the form of the file and of each event, and that the
/// last line agrees; it does not hash events. [`ExportVerifier`](super::ExportVerifier) does.
///
/// # Examples
///
/// ```
/// use cim_core::export::{ExportError, ExportReader};
///
/// fn count(file: &[u8]) -> Result<u64, ExportError> {
///     let mut events = 0;
///     let mut reader = ExportReader::new();
///     for piece in file.chunks(64 * 1024) {
///         reader.push(piece, |_line, _event| {
///             events += 1;
///             Ok::<_, ExportError>(())
///         })?;
///     }
///     reader.finish().map(|_| events)
/// }
/// ```
#[derive(Debug, Default)]
pub struct ExportReader {
    /// The beginning of a line whose end is still to come.
    pending: Vec<u8>,
    /// How many lines were read.
    lines: u64,
    header: Option<ExportHeader>,
    tally: Tally,
    summary: Option<ExportSummary>,
    stopped: bool,
}

impl ExportReader {
    /// Expects the first line.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the first line said, once it was read.
    pub fn header(&self) -> Option<&ExportHeader> {
        self.header.as_ref()
    }

    /// Reads the next piece and gives each event in it, with its line, to `on_event`.
    ///
    /// # Errors
    ///
    /// [`ExportError`] for the first fault, or what `on_event` says. After either there is nothing
    /// more to read: every further call is refused.
    pub fn push<E: From<ExportError>>(
        &mut self,
        piece: &[u8],
        mut on_event: impl FnMut(u64, RecordedEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        self.feed(piece, |_, line, event| on_event(line, event))
    }

    /// As [`push`](Self::push), with the first line for each event.
    pub(super) fn feed<E: From<ExportError>>(
        &mut self,
        piece: &[u8],
        on_event: impl FnMut(&ExportHeader, u64, RecordedEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.stopped {
            return Err(self.fault(ExportFault::Stopped).into());
        }
        let outcome = self.lines_of(piece, on_event);
        self.stopped = outcome.is_err();
        outcome
    }

    /// Checks that the file is whole.
    ///
    /// # Errors
    ///
    /// [`ExportError`] when the last line is missing, cut or does not agree.
    pub fn finish(mut self) -> Result<(ExportHeader, ExportSummary), ExportError> {
        if self.stopped {
            return Err(self.fault(ExportFault::Stopped));
        }
        if !self.pending.is_empty() {
            // A last line may lack its line feed. Anything else that lacks it was cut.
            let line = std::mem::take(&mut self.pending);
            match (&self.header, Line::read(&line)) {
                (None, _) => self.first(&line)?,
                (
                    _,
                    Ok(Line::Last {
                        events,
                        aggregates,
                        digest,
                    }),
                ) => {
                    self.last(events, aggregates, digest)?;
                }
                _ => return Err(self.fault(ExportFault::Cut)),
            }
        }
        match (&self.header, &self.summary) {
            (Some(header), Some(summary)) => Ok((header.clone(), summary.clone())),
            _ => Err(self.fault(ExportFault::Cut)),
        }
    }

    /// Cuts `piece` into lines. Only one that began in an earlier piece is copied.
    fn lines_of<E: From<ExportError>>(
        &mut self,
        piece: &[u8],
        mut on_event: impl FnMut(&ExportHeader, u64, RecordedEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        while !rest.is_empty() {
            if self.summary.is_some() {
                return Err(self.fault(ExportFault::Trailing).into());
            }
            let end = rest.iter().position(|byte| *byte == b'\n');
            let length = end.unwrap_or(rest.len());
            if self.pending.len() + length > MAX_LINE_LEN {
                return Err(self.fault(ExportFault::LongLine).into());
            }
            if end.is_none() {
                self.pending.extend_from_slice(rest);
                return Ok(());
            }
            if self.pending.is_empty() {
                self.line(&rest[..length], &mut on_event)?;
            } else {
                let mut line = std::mem::take(&mut self.pending);
                line.extend_from_slice(&rest[..length]);
                self.line(&line, &mut on_event)?;
                line.clear();
                self.pending = line;
            }
            rest = &rest[length + 1..];
        }
        Ok(())
    }

    /// Reads a line, without its line feed.
    fn line<E: From<ExportError>>(
        &mut self,
        line: &[u8],
        on_event: &mut impl FnMut(&ExportHeader, u64, RecordedEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(header) = &self.header else {
            return self.first(line).map_err(E::from);
        };
        match Line::read(line).map_err(|fault| self.fault(fault))? {
            Line::Event {
                subject,
                headers,
                body,
            } => {
                self.lines += 1;
                let event =
                    decode(&header.template, &subject, &headers, body).map_err(|fault| {
                        name(fault, self.lines, &header.template, &subject, &headers)
                    })?;
                self.tally.add(&event);
                on_event(header, self.lines, event)
            }
            Line::Last {
                events,
                aggregates,
                digest,
            } => self.last(events, aggregates, digest).map_err(E::from),
        }
    }

    fn first(&mut self, line: &[u8]) -> Result<(), ExportError> {
        self.header = Some(First::read(line).map_err(|fault| self.fault(fault))?);
        self.lines += 1;
        Ok(())
    }

    fn last(
        &mut self,
        events: u64,
        aggregates: u64,
        digest: Cow<'_, str>,
    ) -> Result<(), ExportError> {
        let found = self.tally.summary();
        let disagrees = |what, expected: String, found: String| {
            if expected == found {
                return Ok(());
            }
            let expected = crate::text::shorten(&expected);
            Err(self.fault(ExportFault::Summary {
                what,
                expected,
                found,
            }))
        };
        disagrees(
            "the number of events",
            events.to_string(),
            found.events.to_string(),
        )?;
        disagrees(
            "the number of aggregates",
            aggregates.to_string(),
            found.aggregates.to_string(),
        )?;
        disagrees("the digest", digest.into_owned(), found.digest.clone())?;
        self.lines += 1;
        self.summary = Some(found);
        Ok(())
    }

    /// Puts a fault on the line that is being read.
    fn fault(&self, fault: ExportFault) -> ExportError {
        fault.at(self.lines + 1)
    }
}

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

fn decode(
    template: &StoreTemplate,
    subject: &str,
    headers: &[Pair<'_>],
    body: Body<'_>,
) -> Result<RecordedEvent, ExportFault> {
    check_names(headers)?;
    let body = match body {
        Body::Text(text) => Bytes::from(text.into_owned()),
        Body::Base64(text) => {
            let bytes = data_encoding::BASE64.decode(text.as_bytes());
            let bytes = bytes.map_err(|_| ExportFault::Base64)?;
            if std::str::from_utf8(&bytes).is_ok() {
                return Err(ExportFault::Base64);
            }
            Bytes::from(bytes)
        }
    };
    let pairs = headers.iter().map(|(name, value)| (&**name, &**value));
    RecordedEvent::decode_parts(template, Carrier::Export, subject, pairs, body)
        .map_err(|source| ExportFault::Message { source })
}

/// Refuses names that no export has, and names that stand twice.
fn check_names(headers: &[Pair<'_>]) -> Result<(), ExportFault> {
    let mut names: Vec<&str> = Vec::with_capacity(headers.len());
    for (name, _) in headers {
        let ours = name.starts_with("CIM-")
            || matches!(&**name, "Content-Type" | "traceparent" | "tracestate");
        if !ours {
            return Err(ExportFault::ForeignHeader {
                name: crate::text::shorten(name),
            });
        }
        names.push(name);
    }
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ExportFault::RepeatedHeader {
            name: crate::text::shorten(pair[0]),
        }),
        None => Ok(()),
    }
}

/// Puts a fault on a line and says which event it is, as far as the line tells it.
#[cold]
fn name(
    fault: ExportFault,
    line: u64,
    template: &StoreTemplate,
    subject: &str,
    headers: &[Pair<'_>],
) -> ExportError {
    let value = |name| {
        headers
            .iter()
            .find(|pair| pair.0 == name)
            .map(|pair| &*pair.1)
    };
    ExportError {
        event: value("CIM-Event-Id").and_then(|id| id.parse().ok()),
        aggregate: template
            .parse_event(subject)
            .ok()
            .map(|(aggregate, _)| aggregate),
        version: value("CIM-Aggregate-Version").and_then(|version| version.parse().ok()),
        ..fault.at(line)
    }
}

//! The text of an assertion that fails.

use std::error::Error;
use std::fmt::{self, Write as _};

use super::difference::Difference;

/// A text of headed sections.
#[derive(Debug)]
pub(crate) struct Report(String);

impl Report {
    pub(crate) fn new(fault: &str) -> Self {
        Self(format!("{fault}\n"))
    }

    /// Adds lines under a heading.
    pub(crate) fn section(mut self, heading: &str, text: impl fmt::Display) -> Self {
        writeln!(self.0, "{heading}:").expect(STRING);
        for line in text.to_string().lines() {
            writeln!(self.0, "{}", format!("    {line}").trim_end()).expect(STRING);
        }
        self
    }

    /// Adds texts under a heading that counts them.
    pub(crate) fn list(mut self, heading: &str, what: &str, items: &[String]) -> Self {
        let count = items.len();
        match count {
            0 => writeln!(self.0, "{heading} no {what}").expect(STRING),
            1 => self = self.section(&format!("{heading} 1 {what}"), numbered(items)),
            _ => self = self.section(&format!("{heading} {count} {what}s"), numbered(items)),
        }
        self
    }

    /// Adds how two texts differ, unless that is seen at once.
    pub(crate) fn difference(self, expected: &str, found: &str) -> Self {
        if expected == found {
            let why = "`Debug` writes both alike, and `PartialEq` tells them apart";
            return self.section("difference", why);
        }
        if expected.lines().count().max(found.lines().count()) <= SEEN_AT_ONCE {
            return self;
        }
        let difference = Difference::new(expected, found);
        self.section("difference (- expected, + found)", difference)
    }

    /// The whole text, without a line end at its end.
    pub(crate) fn text(&self) -> &str {
        self.0.trim_end()
    }
}

/// A value on one line if it is short, and else on several.
pub(crate) fn shown(value: &impl fmt::Debug) -> String {
    let short = format!("{value:?}");
    match short.chars().count() > MAX_LINE || short.contains('\n') {
        true => format!("{value:#?}"),
        false => short,
    }
}

/// The lines of several values, as they are compared.
pub(crate) fn lines(values: &[impl fmt::Debug]) -> String {
    let values = values.iter().map(|value| format!("{value:#?}"));
    Vec::from_iter(values).join("\n")
}

/// An error, and a line for each of its sources.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, "\ncaused by: {cause}").expect(STRING);
        source = cause.source();
    }
    text
}

/// `1. first`, `2. second`; the further lines of each stand below its first.
fn numbered(items: &[String]) -> String {
    let mut text = String::new();
    for (number, item) in (1..).zip(items) {
        let mark = format!("{number}. ");
        let item = item.replace('\n', &format!("\n{:width$}", "", width = mark.len()));
        writeln!(text, "{mark}{item}").expect(STRING);
    }
    text
}

/// The longest value that is written on one line, in characters.
const MAX_LINE: usize = 88;

/// The lines of a value whose difference needs no showing: a variant with one field.
const SEEN_AT_ONCE: usize = 3;

const STRING: &str = "a string takes what is written to it";

//! Standard output is data, standard error is talk.

#![allow(
    clippy::print_stderr,
    reason = "this is the one place that talks to people"
)]

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::failure::Failure;

/// Data for standard output, written in blocks.
pub(crate) struct Output {
    out: io::BufWriter<io::Stdout>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self {
            out: io::BufWriter::with_capacity(1 << 16, io::stdout()),
        }
    }

    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(written)
    }

    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(&value.to_string())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(written)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(written)
    }
}

/// One JSON document that ends with a list, written item by item.
pub(crate) struct JsonList<'a> {
    out: &'a mut Output,
    empty: bool,
}

impl<'a> JsonList<'a> {
    /// Begins with the fields of `head`, an object, and the name of the list.
    pub(crate) fn begin(head: &Value, name: &str, out: &'a mut Output) -> Result<Self, Failure> {
        let mut head = head.to_string();
        head.pop();
        let name = Value::from(name);
        out.bytes(format!("{head},{name}:[").as_bytes())?;
        Ok(Self { out, empty: true })
    }

    /// Adds a JSON text as it is.
    pub(crate) fn item(&mut self, item: &str) -> Result<(), Failure> {
        if !self.empty {
            self.out.bytes(b",")?;
        }
        self.empty = false;
        self.out.bytes(item.as_bytes())
    }

    pub(crate) fn end(self) -> Result<(), Failure> {
        self.out.line("]}")
    }
}

/// A receiver that has read enough ends the command quietly; nothing else about it is an error.
fn written(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    error.into()
}

/// A number with its noun: `1 event`, `2 events`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Says something to the person at the terminal.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// Says why the command ends.
pub(crate) fn complain(text: &str) {
    eprint!("{text}");
}

/// A bar for long work, shown on a terminal alone.
pub(crate) fn progress(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0).with_message(what);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = "{msg} {wide_bar} {pos}/{len} events, {per_sec}";
    bar.set_style(ProgressStyle::with_template(style).expect("a valid template"));
    bar
}

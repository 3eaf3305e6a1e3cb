//! The log of a race: kept, and named, unless its test passes.

use std::fmt;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use tempfile::NamedTempFile;

use crate::linear::{Event, Operation, Summary, check};

/// Calls in the order of their answers, in memory and as lines of a file.
#[derive(Debug)]
pub struct Log {
    started: Instant,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    operations: Vec<Operation>,
    /// `None` once the test has passed.
    file: Option<BufWriter<NamedTempFile>>,
}

impl Log {
    pub(super) fn new(title: &str) -> Self {
        let file = tempfile::Builder::new()
            .prefix("cim-race-")
            .suffix(".log")
            .tempfile()
            .expect("a temporary file can be made");
        let log = Self {
            started: Instant::now(),
            written: Mutex::new(Written {
                operations: Vec::new(),
                file: Some(BufWriter::new(file)),
            }),
        };
        log.note(title);
        log
    }

    /// The time in nanoseconds since the log began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).expect("less than 584 years")
    }

    /// Writes down what happens around the calls.
    pub fn note(&self, text: impl fmt::Display) {
        let now = self.now() as f64 / 1e6;
        self.lock().line(format_args!("{now:.3} ms: {text}"));
    }

    pub(super) fn record(&self, operation: Operation) {
        let mut written = self.lock();
        written.line(&operation);
        written.operations.push(operation);
    }

    /// Checks all calls against what is stored in the end. The file goes away if nothing is wrong.
    ///
    /// # Panics
    ///
    /// When something is wrong.
    pub fn check(&self, stored: &[Event]) -> Summary {
        let mut written = self.lock();
        stored.iter().for_each(|event| written.line(event));
        match check(&written.operations, stored) {
            Ok(summary) => summary,
            Err(fault) => {
                written.line(&fault);
                drop(written);
                panic!("{fault}");
            }
        }
    }

    /// Counts calls.
    pub fn count(&self, is_counted: impl Fn(&Operation) -> bool) -> usize {
        let written = self.lock();
        written
            .operations
            .iter()
            .filter(|operation| is_counted(operation))
            .count()
    }

    /// The test has passed: the file is not needed, unless `CIM_RACE_LOG` asks for it.
    pub fn discard(&self) {
        if std::env::var_os("CIM_RACE_LOG").is_none() {
            self.lock().file = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        // A writer that panicked has not spoiled what others write.
        self.written
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Written {
    fn line(&mut self, line: impl fmt::Display) {
        if let Some(file) = &mut self.file {
            writeln!(file, "{line}").expect("there is room for a log");
        }
    }

    fn keep(&mut self) -> Option<PathBuf> {
        let file = self.file.take()?.into_inner().ok()?;
        let (_, path) = file.keep().ok()?;
        Some(path)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(path) = self.lock().keep() {
            tell(&format!("the log of the race is `{}`", path.display()));
        }
    }
}

#[allow(
    clippy::print_stderr,
    reason = "it stands beside the message of a test that failed"
)]
fn tell(text: &str) {
    eprintln!("{text}");
}

//! What is imported: our sample, or a file with the options that fit its columns.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf, absolute};

use crate::cim::Cim;
use crate::failure::{Doing, Failure, NOT_FOUND, USAGE};
use crate::workspace::Workspace;

/// A file and the options of `cim import` for it.
#[derive(Debug)]
pub(crate) struct Source {
    file: PathBuf,
    options: Vec<OsString>,
}

impl Source {
    /// Loans of a small library, which we wrote ourselves.
    pub(crate) fn sample(workspace: &Workspace) -> Self {
        Self {
            file: workspace.path("tests/fixtures/sample.csv"),
            options: LIBRARY.options(),
        }
    }

    /// A file of the user's, with the user's options or those that its header suggests.
    ///
    /// # Errors
    ///
    /// There is no such file, or its columns have other names and no options were given.
    pub(crate) fn of(file: &Path, options: Vec<OsString>) -> Result<Self, Failure> {
        if !file.is_file() {
            return Err(
                Failure::new(format!("there is no file `{}`", file.display())).exit(NOT_FOUND),
            );
        }
        // The commands run in another folder.
        let file = absolute(file).doing(|| format!("cannot resolve `{}`", file.display()))?;
        let options = if options.is_empty() {
            suggest(&file)?
        } else {
            options
        };
        Ok(Self { file, options })
    }

    /// Imports it.
    pub(crate) fn import(&self, cim: &Cim) -> Result<(), Failure> {
        cim.run("import").arg(&self.file).args(&self.options).run()
    }
}

/// Columns that name aggregate, event type and time.
struct Columns {
    entity: &'static str,
    id: &'static str,
    event_type: &'static str,
    time: &'static str,
}

impl Columns {
    fn options(&self) -> Vec<OsString> {
        let options = [
            ("--entity", self.entity),
            ("--id-field", self.id),
            ("--type-field", self.event_type),
            ("--time-field", self.time),
        ];
        options
            .iter()
            .flat_map(|(option, value)| [OsString::from(option), OsString::from(value)])
            .collect()
    }

    fn are_in(&self, header: &[String]) -> bool {
        [self.id, self.event_type, self.time]
            .iter()
            .all(|column| header.iter().any(|name| name == column))
    }
}

fn suggest(file: &Path) -> Result<Vec<OsString>, Failure> {
    let doing = || format!("cannot read `{}`", file.display());
    let mut first = String::new();
    BufReader::new(File::open(file).doing(doing)?)
        .read_line(&mut first)
        .doing(doing)?;
    if first.starts_with(EXPORT_START) {
        return Ok(Vec::new());
    }
    let header = header(&first);
    if let Some(columns) = KNOWN.into_iter().find(|known| known.are_in(&header)) {
        return Ok(columns.options());
    }
    let failure = Failure::new(format!(
        "cannot tell which fields of `{}` hold the id, the type and the time",
        file.display()
    ))
    .exit(USAGE);
    let help = "name them: cargo xtask demo FILE --entity NAME --id-field FIELD \
                --type-field FIELD --time-field FIELD";
    if first.starts_with('{') {
        return Err(failure.help(help));
    }
    Err(failure.help(format!("{help}; the fields are: {}", header.join(", "))))
}

fn header(line: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().from_reader(line.as_bytes());
    reader
        .headers()
        .map(|header| header.iter().map(str::to_owned).collect())
        .unwrap_or_default()
}

const LIBRARY: Columns = Columns {
    entity: "loan",
    id: "case",
    event_type: "activity",
    time: "time",
};

/// The names that process mining gives them.
const EVENT_LOG: Columns = Columns {
    entity: "case",
    id: "case:concept:name",
    event_type: "concept:name",
    time: "time:timestamp",
};

const KNOWN: [Columns; 2] = [EVENT_LOG, LIBRARY];
const EXPORT_START: &str = "{\"format\":\"cim.export/v1\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn suggested(content: &str) -> Result<Vec<OsString>, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, content).unwrap();
        suggest(&file)
    }

    #[test]
    fn suggests_options_for_known_columns() {
        let options = suggested("org:group,\"case:concept:name\",concept:name,time:timestamp\n");
        assert_eq!(options.unwrap(), EVENT_LOG.options());
        assert!(
            suggested("{\"format\":\"cim.export/v1\"}\n")
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn lists_the_columns_when_none_is_known() {
        let failure = suggested("order,what,when\n").unwrap_err();
        assert!(
            failure
                .to_string()
                .ends_with("the fields are: order, what, when\n")
        );
        assert_eq!(failure.code(), USAGE);
    }
}

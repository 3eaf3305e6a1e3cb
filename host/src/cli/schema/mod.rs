//! `cim schema`.

mod against;
mod check;
mod list;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use cim_core::schema::{DOCUMENT, MAX_DOCUMENT_LEN, SchemaError, SchemaList};
use clap::Subcommand;

use super::failure::{Exit, Failure};
use super::output::Output;
use crate::schema::Known;

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// List the registered event types with the versions of their schemas
    List(list::List),
    /// Compare stored events, or an earlier list, with the registered schemas
    Check(check::Check),
}

impl Schema {
    pub(crate) async fn run(self, store: Option<String>, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(out),
            Self::Check(command) => command.run(store, out).await,
        }
    }
}

/// What `cim` knows by itself, and from lists of schemas.
fn known(files: &[PathBuf]) -> Result<Known, Failure> {
    let lists = files.iter().map(|file| read(file));
    let lists = lists.collect::<Result<Vec<_>, _>>()?;
    Known::built_in().with(lists).map_err(|error| {
        Failure::of(Exit::Failed, error.code(), &error).help(
            "a version of a type has one schema: give the list of one release, or count the version \
             up where the schema changed",
        )
    })
}

/// Reads a list of schemas.
fn read(file: &Path) -> Result<SchemaList, Failure> {
    let mut text = Vec::new();
    let most = MAX_DOCUMENT_LEN as u64 + 1;
    File::open(file)
        .and_then(|open| open.take(most).read_to_end(&mut text))
        .map_err(|error| Failure::file("read", file, &error).help(how_to_write(file)))?;
    SchemaList::parse(&text).map_err(|error| {
        let mut failure = Failure::of(Exit::Failed, error.code(), &error);
        failure.causes.insert(0, failure.message);
        failure.message = format!("cannot read `{}`", file.display());
        failure.help(match error {
            SchemaError::Format { found } if found.starts_with(DOCUMENT_STEM) => {
                "use a newer `cim`".to_owned()
            }
            _ => how_to_write(file),
        })
    })
}

/// How the names of all versions of the document begin.
const DOCUMENT_STEM: &str = DOCUMENT.split_at(DOCUMENT.len() - 1).0;

fn how_to_write(file: &Path) -> String {
    format!(
        "`cim schema list --json > {}` writes the built-in ones; a program writes its own with \
         `cim_core::schema::SchemaList`",
        file.display()
    )
}

/// A place in a body, as people read it.
fn place(path: &str) -> &str {
    match path {
        "" => "(the event)",
        path => path,
    }
}

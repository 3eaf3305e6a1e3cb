//! `cim projection query`.

use cim_core::projection::Name;
use clap::Args;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::Models;
use crate::cli::failure::{Exit, Failure};
use crate::cli::output::{JsonList, Output, say};
use crate::cli::place::Place;
use crate::cli::table::{SAMPLE, Table};
use crate::projector::{Document, ReadModelError, Select};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection query activity types
  cim projection query activity pairs local.main.events.order/ --prefix
  cim projection query latest aggregates local.main.events.order.order-7
  cim projection query activity types --json

With a whole KEY the document is printed as it is; exit code 3 when there is none. In SQL each
collection is the table `NAME__COLLECTION` with the columns `key` and `document`.")]
pub(crate) struct Query {
    /// The projection
    name: Name,
    /// The collection
    collection: Name,
    /// The key of a document
    #[arg(value_parser = key)]
    key: Option<String>,
    /// All documents whose keys begin with KEY
    #[arg(long, requires = "key")]
    prefix: bool,
    #[command(flatten)]
    models: Models,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

fn key(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a key is not empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

impl Query {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let read_model = self.models.open(place)?;
        let select = match (&self.key, self.prefix) {
            (None, _) => Select::All,
            (Some(key), false) => Select::Key(key.clone()),
            (Some(key), true) => Select::Prefix(key.clone()),
        };
        let mut documents = read_model
            .documents(&self.name, &self.collection, select)
            .map_err(|error| self.models.failure(error))?;
        match &self.key {
            Some(key) if !self.prefix => {
                let Some(document) = documents.next().transpose()? else {
                    return Err(self.no_document(key));
                };
                if self.json {
                    return self.print_json(&mut std::iter::once(Ok(document)), out);
                }
                out.line(&document.document)
            }
            _ if self.json => self.print_json(&mut documents, out),
            _ => self.print_table(&mut documents, out),
        }
    }

    /// One document, with those of the collection byte for byte.
    fn print_json(&self, documents: &mut Documents<'_>, out: &mut Output) -> Result<(), Failure> {
        let head = json!({
            "schema": "cim.projection.query/v1",
            "projection": self.name.as_str(),
            "collection": self.collection.as_str(),
        });
        let mut list = JsonList::begin(&head, "documents", out)?;
        for read in documents {
            let Document { key, document } = read?;
            // What is no JSON would break all that is printed.
            if serde_json::from_str::<IgnoredAny>(&document).is_err() {
                return Err(self.altered(&key));
            }
            let key = Value::from(key);
            list.item(&format!("{{\"key\":{key},\"document\":{document}}}"))?;
        }
        list.end()
    }

    fn print_table(&self, documents: &mut Documents<'_>, out: &mut Output) -> Result<(), Failure> {
        let mut sample = Vec::new();
        for read in (&mut *documents).take(SAMPLE) {
            let Document { key, document } = read?;
            sample.push((key, document));
        }
        if sample.is_empty() {
            let (name, collection) = (&self.name, &self.collection);
            say(&match &self.key {
                Some(key) => {
                    format!("`{collection}` of `{name}` has no key that begins with `{key}`.")
                }
                None => format!("`{collection}` of `{name}` has no documents."),
            });
            return Ok(());
        }
        let table = Table::new(&sample);
        out.line(&table.head())?;
        for (key, document) in &sample {
            out.line(&table.row(key, document))?;
        }
        for read in documents {
            let Document { key, document } = read?;
            out.line(&table.row(&key, &document))?;
        }
        Ok(())
    }

    fn no_document(&self, key: &str) -> Failure {
        let (name, collection) = (&self.name, &self.collection);
        let list = self.models.command(&format!("query {name} {collection}"));
        Failure::new(
            Exit::NotFound,
            "document-not-found",
            format!("`{collection}` of `{name}` has no document `{key}`"),
        )
        .help(format!("{list} lists those that are there"))
    }

    fn altered(&self, key: &str) -> Failure {
        Failure::new(
            Exit::Broken,
            "document-invalid",
            format!(
                "the document `{key}` in `{}` of `{}` is no JSON: it was altered",
                self.collection, self.name
            ),
        )
        .help("make the documents anew: run the plugin with `--restart`")
    }
}

type Documents<'a> = dyn Iterator<Item = Result<Document, ReadModelError>> + 'a;

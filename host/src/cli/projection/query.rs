//! `cim projection query`.

use cim_core::projection::Name;
use clap::Args;
use serde_json::json;

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::super::place::Place;
use super::super::table::{SAMPLE, Table};
use super::{From, name};
use crate::projector::{Document, ReadModelError, Select};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim projection query activity types
  cim projection query latest latest local.main.events.order/order-7
  cim projection query activity pairs local.main.events.order/ --prefix --json

Without KEY, or with --prefix, people get a table and --json one document. A KEY alone prints its
document as it is.")]
pub(crate) struct Query {
    /// The projection
    #[arg(value_parser = name)]
    name: Name,
    /// The collection
    #[arg(value_parser = name)]
    collection: Name,
    /// The document's key
    key: Option<String>,
    /// All documents whose keys begin with KEY
    #[arg(long, requires = "key")]
    prefix: bool,
    #[command(flatten)]
    from: From,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Query {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let read_model = self.from.open(place)?;
        let select = match (&self.key, self.prefix) {
            (None, _) => Select::All,
            (Some(key), true) => Select::Prefix(key.clone()),
            (Some(key), false) => Select::Key(key.clone()),
        };
        let one = matches!(select, Select::Key(_));
        let mut documents = read_model.documents(&self.name, &self.collection, select)?;
        if one {
            let found = documents.next().transpose()?;
            let Some(found) = found else {
                return Err(self.no_document());
            };
            return match self.json {
                true => self.as_json(std::iter::once(Ok(found)), out),
                false => out.line(&found.document),
            };
        }
        if self.json {
            return self.as_json(documents, out);
        }
        let sample = documents.by_ref().take(SAMPLE);
        let sample: Vec<_> = sample
            .map(|read| read.map(|Document { key, document }| (key, document)))
            .collect::<Result<_, _>>()?;
        if sample.is_empty() {
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

    /// One document, written piece by piece, with the documents byte for byte.
    fn as_json(
        &self,
        documents: impl Iterator<Item = Result<Document, ReadModelError>>,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let head = json!({
            "schema": "cim.projection.query/v1",
            "projection": self.name.as_str(),
            "collection": self.collection.as_str(),
        });
        let head = head.to_string();
        let head = head.strip_suffix('}').unwrap_or(&head);
        out.bytes(format!("{head},\"documents\":[").as_bytes())?;
        for (at, read) in documents.enumerate() {
            let Document { key, document } = read?;
            let comma = if at == 0 { "" } else { "," };
            let key = serde_json::Value::from(key);
            out.bytes(format!("{comma}{{\"key\":{key},\"document\":{document}}}").as_bytes())?;
        }
        out.line("]}")
    }

    fn no_document(&self) -> Failure {
        let (name, collection) = (&self.name, &self.collection);
        let key = self.key.as_deref().unwrap_or_default();
        let message = format!("`{collection}` of `{name}` has no document `{key}`");
        Failure::new(Exit::NotFound, "document-not-found", message).help(format!(
            "`cim projection query {name} {collection}` lists those that are there; `--prefix` \
             takes the begin of a key"
        ))
    }
}

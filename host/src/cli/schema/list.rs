//! `cim schema list`.

use std::path::PathBuf;

use cim_core::id::Entity;
use cim_core::schema::SchemaList;
use clap::Args;

use super::super::failure::{Exit, Failure};
use super::super::output::{Output, say};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cim schema list
  cim schema list person --json
  cim schema list --json > schemas.json
  cim schema list --schemas mine.json

Each line is a type with the version of its schema, its operation, and the earlier versions that
upcasters lead from. With --json the JSON schemas are there too (JSON Schema 2020-12). Keep that
document of each release: `cim schema check --against schemas.json` tells later whether the types
still read what that release stored.

Registered are the domains that this program has. Of your own types a program of yours writes such
a document, with `cim_core::schema::SchemaList`; give it with --schemas.")]
pub(crate) struct List {
    /// Only types of this entity
    entity: Option<Entity>,
    /// Take the types of this list of schemas too; may be given again
    #[arg(long, value_name = "FILE")]
    schemas: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self, out: &mut Output) -> Result<(), Failure> {
        let mut list = super::known(&self.schemas)?.schemas().clone();
        if let Some(entity) = &self.entity {
            if !list.knows(entity) {
                return Err(unregistered(entity, &list));
            }
            list.types.retain(|it| it.entity == *entity);
            list.upcasters.retain(|it| it.entity == *entity);
        }
        if self.json {
            // Many lines: the document is kept in repositories, where lines are compared.
            let document = serde_json::to_string_pretty(&list.document());
            return out.line(&document.expect("a document can be written as JSON"));
        }
        list.types
            .sort_by_key(|it| (it.entity.clone(), it.event_type.clone(), it.schema_version));
        list.upcasters.sort();
        for it in &list.types {
            let from = list.upcasters.iter().filter(|from| {
                from.entity == it.entity
                    && from.event_type == it.event_type
                    && from.from < it.schema_version
            });
            let from: Vec<_> = from.map(|from| format!("v{}", from.from)).collect();
            let upcasters = match from.is_empty() {
                true => String::new(),
                false => format!("  reads {}", from.join(", ")),
            };
            let (entity, event_type) = (&it.entity, &it.event_type);
            out.line(&format!(
                "{entity}  {event_type}  v{}  {}{upcasters}",
                it.schema_version, it.operation
            ))?;
        }
        for it in &list.upcasters {
            let latest = list.latest(&it.entity, &it.event_type);
            if latest.is_none_or(|latest| latest.schema_version <= it.from) {
                let (entity, event_type) = (&it.entity, &it.event_type);
                out.line(&format!(
                    "{entity}  {event_type}  v{}  only read, by an upcaster",
                    it.from
                ))?;
            }
        }
        out.flush()?;
        if list.types.is_empty() {
            say("No types are registered; give a list of schemas with `--schemas FILE`.");
        }
        Ok(())
    }
}

fn unregistered(entity: &Entity, list: &SchemaList) -> Failure {
    let mut names: Vec<&str> = list.types.iter().map(|it| it.entity.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let names = match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    Failure::new(
        Exit::NotFound,
        "entity-not-registered",
        format!("no types of `{entity}` are registered"),
    )
    .help(format!(
        "registered are: {names}; give a list of schemas of others with `--schemas FILE`"
    ))
}

//! `cim command --list`, and commands by their names.

use cim_core::domain::model::Model;
use cim_core::domain::registry::ModelVisitor;
use cim_core::id::Entity;
use cim_core::payload::{DeclaredType, Typed};
use serde_json::{Value, json};

use super::fields;
use crate::cli::failure::Failure;
use crate::cli::output::Output;

/// A command that an entity has.
pub(super) struct Listed {
    declared: &'static DeclaredType,
    fields: &'static [&'static str],
}

/// The commands of a model.
pub(super) struct Commands;

impl ModelVisitor for Commands {
    type Output = Vec<Listed>;

    fn visit<M: Model>(self) -> Vec<Listed> {
        let types = M::Command::TYPES.iter();
        types
            .map(|declared| Listed {
                declared,
                fields: fields::of::<M::Command>(declared.name),
            })
            .collect()
    }
}

/// The command that has this name or operation.
pub(super) fn named<C: Typed>(name: &str) -> Result<&'static DeclaredType, Failure> {
    let found = C::TYPES
        .iter()
        .find(|declared| declared.name == name || declared.operation == name);
    found.ok_or_else(|| {
        let entity = C::ENTITY;
        Failure::usage(format!("`{entity}` has no command `{name}`")).help(format!(
            "`cim command {entity} --list` lists those that it has"
        ))
    })
}

/// Prints what an entity has.
pub(super) fn print(
    entity: &Entity,
    commands: &[Listed],
    json: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    if json {
        let commands: Vec<Value> = commands.iter().map(object).collect();
        return out.json(&json!({
            "schema": "cim.command.list/v1",
            "entity": entity.as_str(),
            "commands": commands,
        }));
    }
    let names = commands.iter().map(|command| command.declared.name);
    let width = names.map(str::len).max().unwrap_or_default();
    for Listed { declared, fields } in commands {
        let line = format!("{:<width$}  {}", declared.name, fields.join(" "));
        out.line(line.trim_end())?;
    }
    Ok(())
}

fn object(command: &Listed) -> Value {
    let Listed { declared, fields } = command;
    json!({
        "type": declared.name,
        "operation": declared.operation,
        "schema_version": declared.schema_version,
        "fields": fields,
    })
}

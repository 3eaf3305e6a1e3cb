//! The types of TypeScript for the domains, `js/src/domains.ts`: made of the schemas of `cim-core`, which
//! are made of its Rust types.

mod printer;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use cim_core::schema::ModelSchemas;
use serde_json::Value;

use self::printer::{DEFINITIONS, INDENT, comment, is_name, type_of};

/// Where the file is.
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../js/src/domains.ts")
}

/// The text of the file.
///
/// # Errors
///
/// [`NoType`]: a schema says what no type can say, or two types of an entity have one name.
pub fn domains(models: &[ModelSchemas]) -> Result<String, NoType> {
    let mut map = String::from(HEADER);
    let mut namespaces = String::new();
    for model in models {
        let entity = model.entity.as_str();
        let name = namespace(entity);
        let key = match is_name(entity) {
            true => entity.to_owned(),
            false => Value::from(entity).to_string(),
        };
        map += &format!(
            "  readonly {key}: {{ readonly commands: {name}.Commands; readonly events: \
             {name}.Events; readonly state: {name}.State }};\n"
        );
        let body = body(model)?;
        namespaces += &format!(
            "\n/** What `{entity}` says. */\nexport declare namespace {name} {{{body}}}\n"
        );
    }
    Ok(map + "}\n" + &namespaces)
}

/// The types of one entity.
fn body(model: &ModelSchemas) -> Result<String, NoType> {
    let commands = model
        .commands
        .iter()
        .map(|it| (it.command_type.as_str(), &it.schema));
    let events = model
        .events
        .iter()
        .map(|it| (it.event_type.as_str(), &it.schema));
    let read = Definitions::of(
        commands
            .clone()
            .chain(events.clone())
            .map(|(_, schema)| schema),
    )?;
    let written = Definitions::of([&model.state])?;
    let differing = read.differing(&written);
    let of_state = |name: &str| match differing.contains(name) {
        true => format!("State{name}"),
        false => name.to_owned(),
    };

    let mut text = String::new();
    text += &bodies(
        "Commands",
        "What can be asked, by the types of commands.",
        commands,
    )?;
    text += &bodies("Events", "What can happen, by the types of events.", events)?;
    text += &alias("State", &model.state, &of_state)?;
    let mut types = BTreeMap::new();
    for (name, schema) in &read.0 {
        types.insert(name.clone(), alias(name, schema, &str::to_owned)?);
    }
    for (name, schema) in &written.0 {
        let name = of_state(name);
        let text = alias(&name, schema, &of_state)?;
        if types
            .insert(name.clone(), text.clone())
            .is_some_and(|other| other != text)
        {
            return Err(NoType(format!("two types have the name `{name}`")));
        }
    }
    if let Some(name) = ["Commands", "Events", "State"]
        .iter()
        .find(|name| types.contains_key(**name))
    {
        return Err(NoType(format!("two types have the name `{name}`")));
    }
    text.extend(types.into_values());
    Ok(text)
}

fn bodies<'a>(
    name: &str,
    about: &str,
    types: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<String, NoType> {
    let mut text = format!("\n  /** {about} */\n  interface {name} {{\n");
    for (name, schema) in types {
        let body = type_of(schema, 2, &str::to_owned)?;
        text += &format!("{}    readonly {name}: {body};\n", comment(schema, 2));
    }
    Ok(text + "  }\n")
}

fn alias(name: &str, schema: &Value, rename: &dyn Fn(&str) -> String) -> Result<String, NoType> {
    let text = type_of(schema, 1, rename)?;
    let space = if text.starts_with('\n') { "" } else { " " };
    Ok(format!(
        "\n{}{INDENT}type {name} ={space}{text};\n",
        comment(schema, 1)
    ))
}

/// Schemas that others refer to, by their names.
struct Definitions(BTreeMap<String, Value>);

impl Definitions {
    fn of<'a>(schemas: impl IntoIterator<Item = &'a Value>) -> Result<Self, NoType> {
        let mut all = BTreeMap::new();
        for schema in schemas {
            let definitions = schema.get("$defs").and_then(Value::as_object);
            for (name, schema) in definitions.into_iter().flatten() {
                let before = all.insert(name.clone(), schema.clone());
                if before.is_some_and(|before| before != *schema) {
                    return Err(NoType(format!("two types have the name `{name}`")));
                }
            }
        }
        Ok(Self(all))
    }

    /// The names of what is written otherwise than it is read, or refers to such a type.
    fn differing(&self, written: &Self) -> BTreeSet<String> {
        let common = written
            .0
            .iter()
            .filter(|(name, _)| self.0.contains_key(*name));
        let mut differing: BTreeSet<String> = common
            .clone()
            .filter(|(name, schema)| self.0[*name] != **schema)
            .map(|(name, _)| name.clone())
            .collect();
        loop {
            let before = differing.len();
            for (name, schema) in common.clone() {
                if differing.iter().any(|other| refers(schema, other)) {
                    differing.insert(name.clone());
                }
            }
            if differing.len() == before {
                return differing;
            }
        }
    }
}

fn refers(schema: &Value, name: &str) -> bool {
    match schema {
        Value::Object(object) => object.iter().any(|(key, value)| {
            let is_it = || value.as_str().and_then(|it| it.strip_prefix(DEFINITIONS)) == Some(name);
            (key == "$ref" && is_it()) || refers(value, name)
        }),
        Value::Array(values) => values.iter().any(|value| refers(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// `yubi-key` as `YubiKey`.
fn namespace(entity: &str) -> String {
    let words = entity.split(['-', '_']).filter(|word| !word.is_empty());
    words
        .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
        .collect()
}

/// What has no type.
#[derive(Debug)]
pub struct NoType(String);

impl fmt::Display for NoType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NoType {}

const HEADER: &str = "\
// Written by `cargo xtask types`, from the schemas of cim-core. Do not edit it.

/** What each entity says that has a model. */
export interface Models {
";

#[cfg(test)]
mod tests {
    use cim_core::id::Entity;
    use cim_core::schema::{CommandSchema, EventSchema};
    use cim_core::version::SchemaVersion;
    use serde_json::json;

    use super::*;

    fn lamp(power_of_state: &Value) -> ModelSchemas {
        let defs =
            json!({ "Watts": { "type": "object", "properties": { "n": { "type": "integer" } } } });
        let body = json!({
            "description": "It burns.",
            "type": "object",
            "properties": { "watts": { "$ref": "#/$defs/Watts" } },
            "required": ["watts"],
            "additionalProperties": false,
            "$defs": defs,
        });
        let entity = Entity::new("desk-lamp").expect("a token");
        ModelSchemas {
            entity: entity.clone(),
            events: vec![EventSchema {
                entity: entity.clone(),
                event_type: "LampLit".parse().expect("a type"),
                schema_version: SchemaVersion::FIRST,
                operation: "lit".parse().expect("a token"),
                schema: body.clone(),
            }],
            upcasters: Vec::new(),
            commands: vec![CommandSchema {
                entity,
                command_type: "LightLamp".parse().expect("a type"),
                schema_version: SchemaVersion::FIRST,
                operation: "light".parse().expect("a token"),
                schema: body,
            }],
            state: json!({
                "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/Power" }],
                "$defs": { "Power": { "$ref": "#/$defs/Watts" }, "Watts": power_of_state },
            }),
        }
    }

    #[test]
    fn an_entity_has_a_namespace_with_its_types() {
        let same = json!({ "type": "object", "properties": { "n": { "type": "integer" } } });
        let text = domains(&[lamp(&same)]).expect("types");
        assert_eq!(
            text,
            HEADER.to_owned()
                + r#"  readonly "desk-lamp": { readonly commands: DeskLamp.Commands; readonly events: DeskLamp.Events; readonly state: DeskLamp.State };
}

/** What `desk-lamp` says. */
export declare namespace DeskLamp {
  /** What can be asked, by the types of commands. */
  interface Commands {
    /** It burns. */
    readonly LightLamp: {
      readonly watts: Watts;
    };
  }

  /** What can happen, by the types of events. */
  interface Events {
    /** It burns. */
    readonly LampLit: {
      readonly watts: Watts;
    };
  }

  type State = null | Power;

  type Power = Watts;

  type Watts = {
    readonly n?: number;
  };
}
"#
        );
    }

    #[test]
    fn what_a_state_writes_otherwise_has_a_name_of_its_own() {
        let other = json!({
            "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"],
        });
        let text = domains(&[lamp(&other)]).expect("types");
        for line in [
            "      readonly watts: Watts;",
            "  type Power = StateWatts;",
            "  type StateWatts = {\n    readonly n: number;",
            "  type Watts = {\n    readonly n?: number;",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}

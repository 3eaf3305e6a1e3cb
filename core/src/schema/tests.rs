//! What becomes of Rust types, and which documents are read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::aggregate::Aggregate;
use crate::domain::model::DomainError;
use crate::payload::DomainCommand;

/// A place that a lamp can have.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Place {
    room: String,
    shelf: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beside: Vec<Self>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Bulb {
    Led(Led),
    Wire { watts: i32 },
    Gone,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Led {
    lumen: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Note {
    text: String,
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    bulb: Bulb,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    /// It gives light.
    #[event(version = 2)]
    LampLit {
        watts: u32,
        #[serde(default)]
        colour: Option<String>,
    },
    LampPlaced {
        place: Place,
        bulb: Bulb,
        led: Led,
    },
    LampNoted {
        note: Note,
        marks: BTreeMap<String, bool>,
        anything: Value,
    },
    WentOut {},
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, DomainCommand)]
#[command(entity = "lamp")]
enum LampCommand {
    LightLamp { watts: u32 },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct LampState {
    #[serde(default)]
    watts: u32,
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl Error for Refused {}

impl DomainError for Refused {
    fn code(&self) -> &'static str {
        "refused"
    }
}

struct Lamp;

impl Aggregate for Lamp {
    type State = LampState;
    type Event = LampEvent;
    type Command = LampCommand;
    type Error = Refused;

    fn initial_state() -> LampState {
        LampState::default()
    }

    fn evolve(state: LampState, _: &LampEvent) -> LampState {
        state
    }

    fn decide(_: &LampState, _: LampCommand) -> Result<Vec<LampEvent>, Refused> {
        Err(Refused)
    }

    fn upcasters() -> Upcasters {
        Upcasters::default()
            .with("LampLit", 1, |old| Ok(vec![old]))
            .with("LampCleaned", 1, |_| Ok(Vec::new()))
    }
}

impl Model for Lamp {}

/// The schema of a type of the lamp.
fn schema(name: &str) -> Value {
    let mut types = events::<LampEvent>().into_iter();
    let found = types.find(|it| it.event_type.as_str() == name);
    found.expect("a declared type").schema
}

#[test]
fn a_type_has_the_schema_of_its_body() {
    let lit = &events::<LampEvent>()[0];
    assert_eq!(
        (lit.entity.as_str(), lit.event_type.as_str()),
        ("lamp", "LampLit")
    );
    assert_eq!(
        (lit.schema_version.get(), lit.operation.as_str()),
        (2, "lit")
    );
    assert_eq!(
        lit.schema,
        json!({
            "description": "It gives light.",
            "type": "object",
            "properties": {
                "watts": {
                    "type": "integer", "format": "uint32", "minimum": 0, "maximum": 4_294_967_295_u32
                },
                "colour": { "type": ["string", "null"], "default": null },
            },
            "required": ["watts"],
            "additionalProperties": false,
        })
    );
    assert_eq!(
        schema("WentOut"),
        json!({ "type": "object", "additionalProperties": false })
    );
}

#[test]
fn objects_are_closed_at_every_depth_and_recursion_ends() {
    let placed = schema("LampPlaced");
    assert_eq!(placed["properties"]["place"]["$ref"], "#/$defs/Place");
    let place = &placed["$defs"]["Place"];
    assert_eq!(place["additionalProperties"], false);
    assert_eq!(
        place["properties"]["beside"]["items"]["$ref"],
        "#/$defs/Place"
    );
    assert_eq!(place["description"], "A place that a lamp can have.");
    assert_eq!(place["properties"]["shelf"]["maximum"], u64::MAX);
}

#[test]
fn an_object_of_several_parts_is_closed_as_a_whole() {
    let placed = schema("LampPlaced");
    let variants = &placed["$defs"]["Bulb"]["oneOf"];
    // The tag beside the fields of a struct: neither knows the other.
    assert_eq!(variants[0]["$ref"], "#/$defs/Led.part");
    assert_eq!(variants[0]["unevaluatedProperties"], false);
    assert!(variants[0].get("additionalProperties").is_none());
    assert_eq!(
        placed["$defs"]["Led.part"].get("additionalProperties"),
        None
    );
    assert_eq!(placed["$defs"]["Led"]["additionalProperties"], false);
    // The tag among the fields.
    assert_eq!(variants[1]["additionalProperties"], false);
    assert_eq!(variants[2]["additionalProperties"], false);

    let note = &schema("LampNoted")["$defs"]["Note"];
    assert_eq!(note["unevaluatedProperties"], false);
    assert!(note.get("additionalProperties").is_none());
    for name in ["text", "room", "shelf", "beside"] {
        assert!(note["properties"].get(name).is_some(), "{name}");
    }
    for variant in note["oneOf"].as_array().expect("variants") {
        assert!(variant.get("additionalProperties").is_none(), "{variant}");
        assert!(variant.get("unevaluatedProperties").is_none(), "{variant}");
    }
}

#[test]
fn what_is_open_by_its_type_stays_open() {
    let noted = schema("LampNoted");
    let marks = &noted["properties"]["marks"];
    assert_eq!(marks["additionalProperties"]["type"], "boolean");
    assert_eq!(noted["properties"]["anything"], true);
}

#[test]
fn definitions_that_a_type_does_not_need_are_left_out() {
    assert!(schema("LampLit").get("$defs").is_none());
    let placed = schema("LampPlaced");
    let names: Vec<_> = placed["$defs"]
        .as_object()
        .expect("definitions")
        .keys()
        .collect();
    assert_eq!(names, ["Bulb", "Led", "Led.part", "Place"]);
}

#[test]
fn a_model_has_schemas_of_events_commands_and_state() {
    let model = ModelSchemas::of::<Lamp>();
    assert_eq!(model.entity.as_str(), "lamp");
    assert_eq!(model.events.len(), 4);
    assert_eq!(model.commands[0].command_type.as_str(), "LightLamp");
    assert_eq!(model.commands[0].operation.as_str(), "light");
    assert_eq!(model.commands[0].schema["required"], json!(["watts"]));
    // A state is written by us, and then the field is always there.
    assert_eq!(model.state["required"], json!(["watts"]));
    assert_eq!(model.state["additionalProperties"], false);
    let list = SchemaList::from(model);
    let from: Vec<_> = list
        .upcasters
        .iter()
        .map(|it| (it.event_type.as_str(), it.from.get()))
        .collect();
    assert_eq!(from, [("LampCleaned", 1), ("LampLit", 1)]);
}

#[test]
fn a_document_is_read_as_it_was_written() {
    let list = SchemaList::from(ModelSchemas::of::<Lamp>());
    let document = list.document();
    assert_eq!(document["schema"], "cim.schema.list/v1");
    let read = SchemaList::parse(document.to_string().as_bytes()).expect("ours");
    assert_eq!(read.document(), document);
    let lit = EventType::new("LampLit").expect("a type");
    let lamp = Entity::new("lamp").expect("an entity");
    assert_eq!(read.latest(&lamp, &lit), list.latest(&lamp, &lit));
    assert!(read.knows(&lamp) && read.has_upcaster(&lamp, &lit, SchemaVersion::FIRST));
}

#[test]
fn what_is_no_document_is_refused() {
    let entry =
        r#"{"entity":"lamp","type":"LampLit","schema_version":1,"operation":"lit","schema":{}}"#;
    let step = r#"{"entity":"lamp","type":"LampLit","from":1}"#;
    let document = |types: &str, upcasters: &str| {
        format!(r#"{{"schema":"{DOCUMENT}","types":[{types}],"upcasters":[{upcasters}]}}"#)
    };
    let good = document(entry, step);
    SchemaList::parse(good.as_bytes()).expect("a document");
    let replaced = |from: &str, to: &str| good.replacen(from, to, 1);
    for (code, text) in [
        ("schema-document-json", String::new()),
        ("schema-document-json", "[]".to_owned()),
        ("schema-document-json", good.clone() + "x"),
        (
            "schema-document-json",
            replaced("\"from\":1", "\"from\":1,\"to\":2"),
        ),
        (
            "schema-document-json",
            replaced("\"operation\"", "\"operations\""),
        ),
        (
            "schema-document-json",
            replaced("\"types\"", "\"schema\":\"x\",\"types\""),
        ),
        (
            "schema-document-json",
            replaced("\"schema_version\":1", "\"schema_version\":1.5"),
        ),
        ("schema-document-format", replaced("list/v1", "list/v2")),
        (
            "schema-document-format",
            r#"{"schema":"cim.stats/v1","events":1}"#.to_owned(),
        ),
        ("schema-document-name", replaced("\"lamp\"", "\"a b\"")),
        ("schema-document-name", replaced("LampLit", "lampLit")),
        ("schema-document-name", replaced("\"lit\"", "\"\"")),
        (
            "schema-document-version",
            replaced("\"schema_version\":1", "\"schema_version\":0"),
        ),
        (
            "schema-document-version",
            replaced("\"from\":1", "\"from\":9007199254740992"),
        ),
        ("schema-document-no-schema", replaced("{}", "\"object\"")),
        (
            "schema-document-repeated",
            document(&format!("{entry},{entry}"), ""),
        ),
        (
            "schema-document-repeated",
            document("", &format!("{step},{step}")),
        ),
    ] {
        let error = SchemaList::parse(text.as_bytes()).expect_err(&text);
        assert_eq!(error.code(), code, "{text}: {error}");
    }
    let long = vec![b' '; MAX_DOCUMENT_LEN + 1];
    let error = SchemaList::parse(&long).expect_err("too long");
    assert_eq!(error.code(), "schema-document-too-long");
}

#[test]
fn lists_are_put_together_unless_they_disagree() {
    let mut list = SchemaList::default();
    let upcasters = Lamp::upcasters();
    list.add::<LampEvent>(&upcasters).expect("new");
    let whole = list.clone();
    list.add::<LampEvent>(&upcasters).expect("the same again");
    assert_eq!(list, whole);

    let mut other = whole.clone();
    other.types[0].schema["required"] = json!([]);
    let error = list.merge(other.clone()).expect_err("another schema");
    assert_eq!(
        error.to_string(),
        "version 2 of `LampLit` of `lamp` has two different schemas"
    );
    assert_eq!(list, whole, "nothing was taken");
    other.types[0].schema_version = SchemaVersion::FIRST;
    list.merge(other).expect("another version");
    assert_eq!(list.types.len(), whole.types.len() + 1);
}

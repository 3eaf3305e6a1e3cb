//! `cim schema` and `cim export --upcast` on real stores: changes of types, and the events that they
//! break.

use std::fs;
use std::path::Path;

use cim_core::payload::DomainEvent;
use cim_core::schema::SchemaList;
use cim_core::upcast::Upcasters;
use cim_tests::program::{Ran, cim_at_home};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

#[derive(Serialize, Deserialize, JsonSchema, DomainEvent)]
#[event(entity = "lamp")]
enum LampEvent {
    /// It gives light.
    LampLit {
        watts: u32,
        colour: Option<String>,
    },
    LampPlaced {
        place: Place,
    },
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Place {
    room: String,
    #[serde(default)]
    beside: Vec<String>,
}

/// What a release of the lamps' program writes.
fn list() -> Value {
    let mut list = SchemaList::default();
    list.add::<LampEvent>(&Upcasters::default()).expect("new");
    list.document()
}

/// The schema of a type in a list.
fn schema<'a>(list: &'a mut Value, event_type: &str) -> &'a mut Value {
    let types = list["types"].as_array_mut().expect("types");
    let found = types.iter_mut().find(|it| it["type"] == event_type);
    &mut found.expect("the type")["schema"]
}

/// A folder with a store of two lamps, and the list that they were stored by.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    run(&folder, "init").exits(0);
    for (id, event_type, data) in [
        (
            "l1",
            "LampPlaced",
            r#"{"place":{"room":"hall","beside":["door","stairs"]}}"#,
        ),
        ("l1", "LampLit", r#"{"watts":40,"colour":null}"#),
        ("l2", "LampLit", r#"{"watts":7,"colour":"red"}"#),
        ("l2", "LampLit", r#"{"watts":11}"#),
    ] {
        append(&folder, &["lamp", id, event_type, "--data", data]);
    }
    write(&folder, "stored.json", &list());
    folder
}

fn append(folder: &TempDir, arguments: &[&str]) {
    let arguments = [&["append"], arguments].concat();
    cim_at_home(folder.path(), &arguments).exits(0);
}

fn run(folder: &TempDir, line: &str) -> Ran {
    let words: Vec<_> = line.split(' ').collect();
    cim_at_home(folder.path(), &words)
}

fn write(folder: &TempDir, name: &str, list: &Value) {
    fs::write(folder.path().join(name), list.to_string()).expect("a file");
}

/// Path and code of each finding; of the whole event, the code alone.
fn findings(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("findings").iter();
    let text = |it: &Value, name: &str| it[name].as_str().expect("a text").to_owned();
    let shown = findings.map(|it| format!("{} {}", text(it, "path"), text(it, "code")));
    shown.map(|it| it.trim_start().to_owned()).collect()
}

/// A change of the types, and what it breaks of the stored events.
fn check_change(change: impl Fn(&mut Value), expect: &[&str]) {
    let folder = folder();
    let mut changed = list();
    change(&mut changed);
    write(&folder, "changed.json", &changed);
    let code = i32::from(!expect.is_empty());
    for against in ["", " --against stored.json"] {
        let line = format!("schema check --schemas changed.json{against}");
        let report = run(&folder, &format!("{line} --json")).exits(code).json();
        assert_eq!(findings(&report), expect, "{line}");
        assert_eq!(report["ok"], expect.is_empty());
        let talk = run(&folder, &line).exits(code);
        assert_eq!(
            talk.stderr.contains("error: "),
            !expect.is_empty(),
            "{}",
            talk.stderr
        );
    }
}

#[test]
fn a_removed_field_is_refused() {
    check_change(
        |list| {
            let lit = schema(list, "LampLit");
            lit["properties"]
                .as_object_mut()
                .expect("fields")
                .remove("watts");
            lit["required"] = json!([]);
        },
        &["/watts field-removed"],
    );
    check_change(
        |list| {
            let place = &mut schema(list, "LampPlaced")["$defs"]["Place"];
            place["properties"]
                .as_object_mut()
                .expect("fields")
                .remove("beside");
        },
        &["/place/beside field-removed"],
    );
}

#[test]
fn a_new_required_field_is_refused() {
    check_change(
        |list| {
            let lit = schema(list, "LampLit");
            lit["properties"]["lumen"] = json!({"type": "integer"});
            lit["required"] = json!(["watts", "lumen"]);
        },
        &["/lumen field-required"],
    );
    // It was optional, and one of the events has it not.
    check_change(
        |list| schema(list, "LampLit")["required"] = json!(["watts", "colour"]),
        &["/colour field-required"],
    );
}

#[test]
fn a_changed_type_is_refused() {
    check_change(
        |list| schema(list, "LampLit")["properties"]["watts"] = json!({"type": "string"}),
        &["/watts type-changed"],
    );
    check_change(
        |list| {
            let place = &mut schema(list, "LampPlaced")["$defs"]["Place"];
            place["properties"]["beside"]["items"] = json!({"type": "integer"});
        },
        &["/place/beside/* type-changed"],
    );
}

#[test]
fn a_new_optional_field_and_a_new_type_are_accepted() {
    check_change(
        |list| {
            schema(list, "LampLit")["properties"]["lumen"] = json!({"type": "integer"});
            let mut new = list["types"][0].clone();
            new["type"] = "LampSold".into();
            list["types"].as_array_mut().expect("types").push(new);
        },
        &[],
    );
    check_change(|_| (), &[]);
}

#[test]
fn a_removed_type_is_refused_unless_an_upcaster_leads_from_it() {
    let remove = |list: &mut Value| {
        let types = list["types"].as_array_mut().expect("types");
        types.retain(|it| it["type"] != "LampPlaced");
    };
    let folder = folder();
    let mut changed = list();
    remove(&mut changed);
    write(&folder, "changed.json", &changed);
    let line = "schema check --schemas changed.json --json";
    let report = run(&folder, line).exits(1).json();
    assert_eq!(findings(&report), ["event-type-unknown"]);
    let line = "schema check --schemas changed.json --against stored.json --json";
    let report = run(&folder, line).exits(1).json();
    assert_eq!(findings(&report), ["type-removed"]);

    changed["upcasters"] = json!([{"entity": "lamp", "type": "LampPlaced", "from": 1}]);
    write(&folder, "changed.json", &changed);
    let report = run(&folder, "schema check --schemas changed.json --json")
        .exits(0)
        .json();
    // The upcaster is in another program: whether it works is not known here, and is said.
    assert_eq!(report["not_checked"][0]["type"], "LampPlaced");
    assert_eq!(report["not_checked"][0]["events"], 1);
    run(
        &folder,
        "schema check --schemas changed.json --against stored.json",
    )
    .exits(0);
}

#[test]
fn an_unknown_newer_version_names_what_is_missing() {
    let folder = folder();
    append(
        &folder,
        &[
            "lamp",
            "l1",
            "LampLit",
            "--schema-version",
            "3",
            "--data",
            "{}",
        ],
    );
    let ran = run(&folder, "schema check --schemas stored.json").exits(1);
    let what = "lamp LampLit v3  (the event): the version is too new: a program that knows it, or \
                its list of schemas, is missing; known is version 1; first ";
    assert!(ran.stdout.contains(what), "{}", ran.stdout);
    assert!(ran.stdout.contains("at position 5"), "{}", ran.stdout);
}

#[test]
fn an_earlier_version_needs_an_upcaster_or_its_own_schema() {
    let folder = folder();
    let mut later = list();
    for entry in later["types"].as_array_mut().expect("types") {
        if entry["type"] == "LampLit" {
            entry["schema_version"] = 2.into();
            entry["schema"]["required"] = json!(["watts", "lumen"]);
            entry["schema"]["properties"]["lumen"] = json!({"type": "integer"});
        }
    }
    write(&folder, "later.json", &later);
    let report = run(&folder, "schema check --schemas later.json --json")
        .exits(1)
        .json();
    assert_eq!(findings(&report), ["upcaster-missing"]);
    assert_eq!(report["findings"][0]["events"], 3);
    let line = "schema check --schemas later.json --against stored.json --json";
    let report = run(&folder, line).exits(1).json();
    assert_eq!(findings(&report), ["upcaster-missing"]);

    later["upcasters"] = json!([{"entity": "lamp", "type": "LampLit", "from": 1}]);
    write(&folder, "later.json", &later);
    let report = run(&folder, "schema check --schemas later.json --json")
        .exits(0)
        .json();
    assert_eq!(report["not_checked"][0]["events"], 3);
    run(
        &folder,
        "schema check --schemas later.json --against stored.json",
    )
    .exits(0);
    // The list of the earlier release has the schema that they were stored by. It is another list of
    // that type's version 1 than of version 2, and the same of the other type.
    let line = "schema check --schemas later.json --schemas stored.json --json";
    let report = run(&folder, line).exits(0).json();
    assert_eq!(report["not_checked"], json!([]));
    assert_eq!(
        (&report["events"], &report["known"]),
        (&json!(4), &json!(4))
    );
    // A program without the later version reads nothing of it.
    let line = "schema check --schemas stored.json --against later.json --json";
    let report = run(&folder, line).exits(1).json();
    assert_eq!(findings(&report), ["version-lowered"]);
}

#[test]
fn other_entities_are_counted_and_a_store_of_them_alone_is_not_checked() {
    let folder = folder();
    append(&folder, &["order", "o1", "OrderPaid", "--data", "{}"]);
    let report = run(&folder, "schema check --schemas stored.json --json")
        .exits(0)
        .json();
    assert_eq!(report["entities"], json!([{"entity": "lamp", "events": 4}]));
    assert_eq!(
        report["not_registered"],
        json!([{"entity": "order", "events": 1}])
    );
    assert_eq!(report["verified"], "cid");
    let ran = run(&folder, "schema check --schemas stored.json").exits(0);
    assert!(
        ran.stdout.contains("order (not registered)"),
        "{}",
        ran.stdout
    );

    let ran = run(&folder, "schema check").exits(1);
    assert!(
        ran.stderr.contains("no entity of this store is registered"),
        "{}",
        ran.stderr
    );
    run(&folder, "--store sqlite:empty.db init").exits(0);
    run(&folder, "--store sqlite:empty.db schema check").exits(0);
}

#[test]
fn a_list_of_schemas_takes_the_place_of_a_built_in_domain() {
    let folder = folder();
    append(&folder, &["person", "p1", "PersonPainted", "--data", "{}"]);
    let report = run(&folder, "schema check --json").exits(1).json();
    assert_eq!(findings(&report), ["event-type-unknown"]);
    let mut own = list();
    own["types"] = json!([{
        "entity": "person", "type": "PersonPainted", "schema_version": 1, "operation": "painted",
        "schema": {"type": "object", "additionalProperties": false},
    }]);
    write(&folder, "own.json", &own);
    run(&folder, "schema check --schemas own.json").exits(0);
    let ran = run(&folder, "schema list person --schemas own.json").exits(0);
    assert_eq!(ran.stdout, "person  PersonPainted  v1  painted\n");
}

#[test]
fn what_does_not_fit_is_grouped_and_bounded() {
    let folder = folder();
    let fields = (0..40).map(|number| format!("\"f{number}\":1"));
    let fields: Vec<_> = fields.collect();
    for part in 0..6 {
        let id = format!("m{part}");
        for _ in 0..2 {
            let fields = fields.join(",").replace("\"f", &format!("\"f{part}-"));
            let data = format!("{{\"watts\":1,{fields}}}");
            append(&folder, &["lamp", &id, "LampLit", "--data", &data]);
        }
    }
    let report = run(&folder, "schema check --schemas stored.json --json")
        .exits(1)
        .json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(200));
    assert!(
        findings(&report)
            .iter()
            .all(|it| it.ends_with(" field-removed"))
    );
    assert_eq!(report["findings"][0]["events"], 2);
    assert_eq!(report["findings"][0]["first"]["position"], 5);
    assert_eq!(report["findings_left_out"], 80);
    let ran = run(&folder, "schema check --schemas stored.json").exits(1);
    assert!(
        ran.stderr.contains("Only the first 200 findings are shown"),
        "{}",
        ran.stderr
    );
}

/// The list that this test keeps is of the last release: types of today must still read what it stored.
/// When types are added, `cim schema list --json > tests/fixtures/schemas.json` adds them to it.
#[test]
fn the_built_in_types_still_read_what_they_stored() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas.json");
    let folder = tempfile::tempdir().expect("a folder");
    let path = golden.display().to_string();
    let ran = cim_at_home(folder.path(), &["schema", "check", "--against", &path]).exits(0);
    assert!(ran.stdout.contains("findings    0\n"), "{}", ran.stdout);

    let names = |list: &Value| {
        let types = list["types"].as_array().expect("types").iter();
        let names = types.map(|it| {
            let version = it["schema_version"].as_u64().expect("a version");
            format!("{} {} {version}", it["entity"], it["type"])
        });
        names.collect::<Vec<_>>()
    };
    let kept: Value = serde_json::from_slice(&fs::read(golden).expect("the list")).expect("JSON");
    let known = run(&folder, "schema list --json").exits(0).json();
    assert!(!names(&kept).is_empty());
    assert_eq!(names(&known), names(&kept), "write the list anew");
}

const PERSON: &str = "0190f1c6-65f0-7000-8000-000000000001";

/// A store with a person as version 1 had it, a lamp, and a person of today.
fn folder_with_old_events() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    run(&folder, "init").exits(0);
    let registered = r#"{"person_id":"0190f1c6-65f0-7000-8000-000000000001","identity":{"legal_name":"Ada Lovelace","date_of_birth":"1815-12-10"},"contact":{"emails":[{"email":"ada@example.com","is_primary":true,"is_verified":true}]}}"#;
    let component =
        r#"{"person_id":"0190f1c6-65f0-7000-8000-000000000001","component_type":"Skills"}"#;
    for (entity, id, event_type, version, data) in [
        ("person", PERSON, "PersonRegistered", "1", registered),
        ("lamp", "l1", "LampLit", "1", r#"{"watts":40}"#),
        ("person", PERSON, "ComponentRegistered", "1", component),
        (
            "person",
            PERSON,
            "EmailVerified",
            "2",
            r#"{"email":"ada@example.com"}"#,
        ),
    ] {
        append(
            &folder,
            &[
                entity,
                id,
                event_type,
                "--schema-version",
                version,
                "--data",
                data,
                "--meta",
                "Tenant=blue",
            ],
        );
    }
    folder
}

/// The events of an export.
fn events(folder: &TempDir, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.path().join(file)).expect("an export");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let lines: Vec<Value> = lines.collect();
    lines[1..lines.len() - 1].to_vec()
}

#[test]
fn an_export_as_of_today_is_a_new_history_that_a_new_store_takes() {
    let folder = folder_with_old_events();
    run(&folder, "schema check").exits(0);
    let ran = run(&folder, "export --upcast today.cim").exits(0);
    assert_eq!(
        ran.stderr,
        "Exported 6 events to `today.cim`, as a new history: 2 events were upcast into 4.\n"
    );
    let report = run(&folder, "verify --export today.cim --json")
        .exits(0)
        .json();
    assert_eq!(
        (&report["events"], &report["verified"]),
        (&json!(6), &json!("chain"))
    );
    run(
        &folder,
        "--store sqlite:new.db import today.cim --format cim",
    )
    .exits(0);
    run(&folder, "--store sqlite:new.db verify").exits(0);
    let checked = run(&folder, "--store sqlite:new.db schema check --json")
        .exits(0)
        .json();
    assert_eq!(checked["known"], 5);

    run(&folder, "export stored.cim").exits(0);
    let (stored, today) = (events(&folder, "stored.cim"), events(&folder, "today.cim"));
    let types: Vec<_> = today
        .iter()
        .map(|it| {
            let headers = &it["headers"];
            let texts = [
                "CIM-Event-Type",
                "CIM-Schema-Version",
                "CIM-Aggregate-Version",
            ];
            texts
                .map(|name| headers[name].as_str().unwrap_or_default())
                .join(" ")
        })
        .collect();
    assert_eq!(
        types,
        [
            "PersonCreated 2 1",
            "BirthDateSet 2 2",
            "EmailAdded 2 3",
            "EmailVerified 2 4",
            "LampLit 1 1",
            "EmailVerified 2 5",
        ]
    );
    // A history that nobody changed is the very same.
    assert_eq!(today[4], stored[1]);
    for it in &today[..4] {
        let headers = &it["headers"];
        assert_eq!(
            headers["CIM-Meta-Upcast-From"],
            stored[0]["headers"]["CIM-Cid"]
        );
        for same in [
            "CIM-Timestamp",
            "CIM-Source",
            "CIM-Correlation-Id",
            "CIM-Meta-Tenant",
        ] {
            assert_eq!(headers[same], stored[0]["headers"][same], "{same}");
        }
    }
    let id = |it: &Value| it["headers"]["CIM-Event-Id"].as_str().map(str::to_owned);
    assert_eq!(id(&today[0]), id(&stored[0]));
    assert!(today[1..4].iter().all(|it| id(it) != id(&stored[0])));
    assert_eq!(id(&today[5]), id(&stored[3]));
    assert_ne!(
        today[5]["headers"]["CIM-Cid"],
        stored[3]["headers"]["CIM-Cid"]
    );
    assert_eq!(today[5]["headers"].get("CIM-Meta-Upcast-From"), None);
    assert!(
        today[0]["subject"]
            .as_str()
            .is_some_and(|it| it.ends_with(".created"))
    );

    // What stands in the new store says the same of today, and is not changed again.
    run(&folder, "--store sqlite:new.db export --upcast again.cim").exits(0);
    assert_eq!(events(&folder, "again.cim"), today);
    let store_id = |file: &str| {
        let text = fs::read_to_string(folder.path().join(file)).expect("an export");
        let first: Value =
            serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        first["store_id"].as_str().map(str::to_owned)
    };
    assert_ne!(store_id("today.cim"), store_id("stored.cim"));
    assert_ne!(store_id("today.cim"), store_id("again.cim"));
}

#[test]
fn a_filtered_export_as_of_today_is_a_part_of_the_whole_one() {
    let folder = folder_with_old_events();
    // It cannot be read, and the filter asks for nothing of its history.
    append(&folder, &["compute", "c1", "ResourceSold", "--data", "{}"]);
    run(&folder, "export --upcast all.cim").exits(1);
    assert!(!folder.path().join("all.cim").exists());
    run(
        &folder,
        "export --upcast part.cim local.main.events.person.*.email-verified",
    )
    .exits(0);
    let report = run(&folder, "verify --export part.cim --json")
        .exits(0)
        .json();
    assert_eq!(
        (&report["events"], &report["verified"]),
        (&json!(2), &json!("cid"))
    );
    let versions: Vec<_> = events(&folder, "part.cim")
        .iter()
        .map(|it| it["headers"]["CIM-Aggregate-Version"].clone())
        .collect();
    assert_eq!(versions, [json!("4"), json!("5")]);
    let ran = run(&folder, "export --upcast - local.main.events.lamp.>").exits(0);
    assert_eq!(ran.stdout.lines().count(), 3);
}

#[test]
fn an_upcast_event_is_checked_as_what_it_became() {
    let folder = folder_with_old_events();
    let bad = r#"{"email":{"address":"no address","verified":true},"primary":true}"#;
    append(
        &folder,
        &[
            "person",
            PERSON,
            "EmailAdded",
            "--schema-version",
            "1",
            "--data",
            bad,
        ],
    );
    append(
        &folder,
        &[
            "person",
            PERSON,
            "PersonCreated",
            "--schema-version",
            "1",
            "--data",
            "{}",
        ],
    );
    let report = run(&folder, "schema check --json").exits(1).json();
    let found: Vec<_> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|it| {
            (
                it["type"].as_str(),
                it["read_as"]["schema_version"].as_u64(),
                it["code"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            // It became two, and both have the fault.
            (Some("EmailAdded"), Some(2), Some("value-narrowed")),
            (Some("EmailAdded"), Some(2), Some("value-narrowed")),
            (Some("PersonCreated"), None, Some("upcast-failed")),
        ]
    );
}

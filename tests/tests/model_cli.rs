//! Commands, typed states and diagrams, as the command `cim` has them.

#[path = "support/models.rs"]
mod models;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use cim_tests::cim_binary;
use cim_tests::nats::{NatsServer, ServerOptions};
use cim_tests::program::Ran;
use serde_json::{Value, json};

use self::models::{COMMAND, CREATE, Place, REGISTER, SERVER, error, key};

#[test]
fn what_a_command_leads_to_is_stored_and_shown() {
    let place = Place::new();
    let ran = place.register();
    let line = ran.stdout.lines().next().unwrap_or_default();
    let body = r#"{"hostname":"web-1","resource_type":"physical_server","tags":["web"]}"#;
    assert_eq!(line.trim_start(), format!("v1  ResourceRegistered  {body}"));
    let last = ran.stdout.lines().last().unwrap_or_default();
    let begin = format!("committed  {} v1  position 1  bafyr4i", key());
    assert!(last.starts_with(&begin), "{last}");
    assert_eq!(ran.stderr, "");

    // By its operation too.
    let document = place.command("assign-asset-tag", r#"{"asset_tag":"A 1"}"#);
    let document = document.exits(0).json();
    let head = place.head();
    for (field, expected) in [
        ("schema", json!("cim.command/v1")),
        ("outcome", json!("committed")),
        ("aggregate", json!(key())),
        ("command", json!("AssignAssetTag")),
        ("version", json!(2)),
        ("head", json!(head)),
        ("position", json!(2)),
        ("retries", json!(0)),
    ] {
        assert_eq!(document[field], expected, "{field}");
    }
    let events = document["events"].as_array().expect("a list");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "AssetTagAssigned");
    assert_eq!(events[0]["cid"], json!(head));
    assert_eq!(events[0]["data"], json!({"asset_tag": "A 1"}));

    let shown = place.show();
    assert_eq!(shown["schema"], "cim.aggregate.show/v1");
    assert_eq!(shown["state_version"], 1);
    assert_eq!(shown["state"]["known"]["asset_tag"], "A 1");
    assert_eq!(shown["state"]["known"]["status"], "provisioning");
    let text = place
        .cim(&["aggregate", "show", "compute", SERVER])
        .exits(0);
    assert!(text.stdout.contains("\nstate\n{\n"), "{}", text.stdout);
    assert!(text.stdout.contains("\"asset_tag\": \"A 1\""));
    let earlier = place.cim(&[
        "aggregate",
        "show",
        "compute",
        SERVER,
        "--at",
        "1",
        "--json",
    ]);
    let earlier = earlier.exits(0).json();
    assert_eq!(earlier["state"]["known"]["asset_tag"], Value::Null);
    place.cim(&["verify"]).exits(0);
}

#[test]
fn people_are_told_of_as_well_in_another_namespace() {
    let place = Place::new();
    let entity = "acme.hr.people.person";
    let create = ["CreatePerson", "--data", CREATE, "--json"];
    let create = [&["command", entity, "p-1"][..], &create].concat();
    let document = place.cim(&create).exits(0).json();
    assert_eq!(document["aggregate"], "acme.hr.people.person.p-1");
    let shown = place.cim(&["aggregate", "show", entity, "p-1", "--json"]);
    let shown = shown.exits(0).json();
    let family = shown.pointer("/state/name/components/family_names/0");
    assert_eq!(family, Some(&json!("Lovelace")), "{shown}");
    place.cim(&["aggregate", "show", "person", "p-1"]).exits(3);
}

#[test]
fn a_refusal_stores_nothing_and_has_the_code_of_the_domain() {
    let place = Place::new();
    let absent = place.command("AssignAssetTag", r#"{"asset_tag":"A 1"}"#);
    assert_eq!(error(&absent.exits(1))["code"], "resource-absent");
    place.register();
    let before = place.head();
    let ran = place.register_again(&[]).exits(1);
    assert_eq!(ran.stdout, "");
    let expected = format!(
        "error: the resource is registered already, as `web-1`\nhelp: nothing happened; `cim \
         aggregate show local.main.events.compute {SERVER}` shows the state\n"
    );
    assert_eq!(ran.stderr, expected);
    let refusal = error(&place.register_again(&["--json"]).exits(1));
    assert_eq!(refusal["schema"], "cim.error/v1");
    assert_eq!(refusal["code"], "resource-exists");
    assert_eq!(place.head(), before);
}

#[test]
fn a_command_with_an_id_is_executed_once() {
    let place = Place::new();
    let given = ["--command-id", COMMAND];
    let first = place.register_again(&given).exits(0);
    place
        .command("ChangeStatus", r#"{"to_status":"active"}"#)
        .exits(0);
    let before = place.export();

    // The domain would refuse it by now.
    let again = place.register_again(&given).exits(0);
    let (event, outcome) = again.stdout.split_once('\n').expect("two lines");
    assert_eq!(Some(event), first.stdout.lines().next());
    assert!(outcome.starts_with("already-executed  "), "{outcome}");
    assert!(outcome.contains(" v1  position 1  "), "{outcome}");
    let expected =
        format!("The command was executed before, with the id {COMMAND}; nothing is stored now.\n");
    assert_eq!(again.stderr, expected);
    let document = place.register_again(&[&given[..], &["--json"]].concat());
    let document = document.exits(0).json();
    assert_eq!(document["outcome"], "already-executed");
    assert_eq!(document["id"], COMMAND);
    assert_eq!(document["version"], 1);
    assert_eq!(document["events"][0]["type"], "ResourceRegistered");
    assert_eq!(place.export(), before);

    // One aggregate's command is not another's.
    let other = ["command", "compute", "another", "RegisterResource"];
    let other = [&other[..], &["--data", REGISTER], &given].concat();
    let refused = place.cim(&other).exits(2);
    assert!(refused.stderr.contains("help: see what has this id"));
    assert_eq!(place.export(), before);
}

#[test]
fn where_there_is_nothing_to_do_nothing_is_stored() {
    let place = Place::new();
    place.register();
    let document = place.command("ChangeStatus", r#"{"to_status":"provisioning"}"#);
    let document = document.exits(0).json();
    assert_eq!(document["outcome"], "nothing-to-do");
    assert_eq!(document["events"], json!([]));
    assert_eq!(document["position"], Value::Null);
    assert_eq!(document["version"], 1);
    let given = ["command", "compute", SERVER, "ChangeStatus", "--data"];
    let text = place.cim(&[&given[..], &[r#"{"to_status":"provisioning"}"#]].concat());
    let text = text.exits(0);
    let expected = format!("nothing-to-do  {} v1  {}\n", key(), place.head());
    assert_eq!(text.stdout, expected);
    assert!(text.stderr.contains("nothing to do"), "{}", text.stderr);
}

#[test]
fn what_is_given_with_a_command_is_kept_with_its_events() {
    let place = Place::new();
    let conversation = "018f2b5c-2222-7000-8000-000000000001";
    let cause = "018f2b5c-3333-7000-8000-000000000001";
    place.write("register.json", REGISTER);
    let given = "--data @register.json --time 2026-11-01T08:00:00Z --source inventory \
                 --meta Tenant=blue --meta Shift=2 --json";
    let given: Vec<_> = given.split_whitespace().collect();
    let more = ["--command-id", COMMAND, "--correlation", conversation];
    let more = [&more[..], &["--causation", cause]].concat();
    let register = ["command", "compute", SERVER, "RegisterResource"];
    let document = place.cim(&[&register[..], &given, &more].concat());
    let document = document.exits(0).json();
    let id = document["events"][0]["id"].as_str().expect("an id");
    let event = place.cim(&["event", "show", id, "--json"]).exits(0).json();
    for (field, expected) in [
        ("causation", json!(COMMAND)),
        ("correlation", json!(conversation)),
        ("time", json!("2026-11-01T08:00:00.000000Z")),
        ("source", json!("inventory")),
        ("metadata", json!({"Tenant": "blue", "Shift": "2"})),
        ("schema_version", json!(2)),
    ] {
        assert_eq!(event[field], expected, "{field}");
    }

    let mut child = place.spawn(&[
        "command",
        "compute",
        SERVER,
        "AssignAssetTag",
        "--data",
        "-",
    ]);
    let mut input = child.stdin.take().expect("a pipe");
    input
        .write_all(br#"{"asset_tag":"B 2"}"#)
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(place.show()["state"]["known"]["asset_tag"], "B 2");
}

#[test]
fn commands_are_listed_with_their_fields() {
    let place = Place::empty();
    let text = place.cim(&["command", "compute", "--list"]).exits(0);
    let first = text.stdout.lines().next().unwrap_or_default();
    let words: Vec<_> = first.split_whitespace().collect();
    assert_eq!(
        words,
        ["RegisterResource", "hostname", "resource_type", "tags"]
    );
    let listed = place.cim(&["command", "person", "--list", "--json"]);
    let listed = listed.exits(0).json();
    assert_eq!(listed["schema"], "cim.command.list/v1");
    let commands = listed["commands"].as_array().expect("a list");
    let create = json!({
        "type": "CreatePerson",
        "operation": "create",
        "schema_version": 1,
        "fields": ["name", "source"],
    });
    assert!(commands.contains(&create), "{commands:?}");
    assert!(!place.path("cim.db").exists(), "no store is needed");
}

#[test]
fn commands_that_others_are_faster_than_are_decided_anew_and_counted() {
    let place = Place::new();
    place.register();
    let (mut retries, mut given) = (0, BTreeSet::new());
    for round in 0..20 {
        // While nobody may write, all of them decide on the same state.
        let database = place.path("cim.db");
        let lock = rusqlite::Connection::open(database).expect("a database");
        lock.execute_batch("BEGIN IMMEDIATE").expect("locked");
        let children: Vec<_> = (0..4)
            .map(|at| {
                let name = format!("k{round}_{at}");
                let data = json!({"key": name, "value": "x"}).to_string();
                given.insert(name);
                let command = ["command", "compute", SERVER, "UpdateMetadata", "--json"];
                place.spawn(&[&command[..], &["--data", &data]].concat())
            })
            .collect();
        std::thread::sleep(Duration::from_millis(500));
        lock.execute_batch("ROLLBACK").expect("unlocked");
        for child in children {
            let output = child.wait_with_output().expect("it ends");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let anew = document["retries"].as_u64().expect("a number");
            assert_eq!(anew > 0, said.contains("Decided anew "), "{said}");
            retries += anew;
        }
        if retries > 0 {
            break;
        }
    }
    assert!(retries > 0, "no conflict in 20 rounds");
    let shown = place.show();
    let kept = shown["state"]["known"]["metadata"].as_object();
    let kept: BTreeSet<_> = kept.expect("an object").keys().cloned().collect();
    assert_eq!(kept, given, "each of them is executed once");
    assert_eq!(shown["version"], given.len() + 1);
}

#[test]
fn events_that_a_model_cannot_read_hide_nothing_and_are_not_hidden() {
    for (event_type, schema_version, code) in [
        ("ResourceSold", "2", "event-type-unknown"),
        ("AssetTagAssigned", "9", "schema-newer"),
        ("AssetTagAssigned", "2", "payload-invalid"),
    ] {
        let place = Place::new();
        place.register();
        let append = ["append", "compute", SERVER, event_type];
        let append = [&append[..], &["--schema-version", schema_version]].concat();
        place.cim(&append).exits(0);
        let show = ["aggregate", "show", "compute", SERVER];
        let ran = place.cim(&show).exits(1);
        assert!(ran.stdout.contains("\nversion     2\n"), "{}", ran.stdout);
        assert!(ran.stdout.ends_with("\nstate       not readable\n"));
        assert!(ran.stderr.contains("error: event `"), "{}", ran.stderr);
        assert!(ran.stderr.contains("help: "), "{}", ran.stderr);
        let ran = place.cim(&[&show[..], &["--json"]].concat()).exits(1);
        let document = ran.json();
        assert_eq!(document["version"], 2);
        assert_eq!(document["verified"], "chain");
        assert_eq!(document["state"], Value::Null);
        assert_eq!(document["state_error"]["code"], code);
        let said = ran.stderr.lines().last().unwrap_or_default();
        let said: Value = serde_json::from_str(said).expect("JSON");
        assert_eq!(said["code"], code);

        let earlier = place.cim(&[&show[..], &["--at", "1", "--json"]].concat());
        assert_eq!(
            earlier.exits(0).json()["state"]["known"]["hostname"],
            "web-1"
        );
        let refused = place.command("AssignAssetTag", r#"{"asset_tag":"A 1"}"#);
        assert_eq!(error(&refused.exits(1))["code"], code);
        assert_eq!(place.head(), document["head"].as_str().unwrap_or_default());
    }
}

#[test]
fn a_state_at_a_time_is_that_before_the_first_later_event() {
    let place = Place::new();
    for (command, data, time) in [
        ("RegisterResource", REGISTER, "2026-11-01T08:00:00Z"),
        (
            "AssignAssetTag",
            r#"{"asset_tag":"A"}"#,
            "2026-11-03T08:00:00Z",
        ),
        // A clock went back.
        (
            "AssignAssetTag",
            r#"{"asset_tag":"B"}"#,
            "2026-11-02T08:00:00Z",
        ),
    ] {
        let given = ["command", "compute", SERVER, command, "--data", data];
        let given = [&given[..], &["--time", time]].concat();
        place.cim(&given).exits(0);
    }
    let at = |time: &str| {
        let show = ["aggregate", "show", "compute", SERVER, "--at", time];
        place.cim(&[&show[..], &["--json"]].concat())
    };
    let shown = at("2026-11-02T12:00:00Z").exits(0).json();
    assert_eq!(shown["version"], 1);
    assert_eq!(shown["events"], 1);
    assert_eq!(shown["verified"], "chain");
    assert_eq!(shown["state"]["known"]["asset_tag"], Value::Null);
    let shown = at("2026-11-04T00:00:00Z").exits(0).json();
    assert_eq!(shown["state"]["known"]["asset_tag"], "B");
    at("2026-10-01T00:00:00Z").exits(3);
}

#[test]
fn machines_are_drawn() {
    let place = Place::new();
    let draw = |more: &[&str]| place.cim(&[&["aggregate", "diagram"], more].concat());
    let drawn = draw(&["compute", "--json"]).exits(0).json();
    assert_eq!(drawn["schema"], "cim.aggregate.diagram/v1");
    assert_eq!(drawn["entity"], "compute");
    let diagrams = drawn["diagrams"].as_array().expect("a list");
    assert!(diagrams.len() >= 2, "{drawn}");
    let mut all = Vec::new();
    for (at, diagram) in diagrams.iter().enumerate() {
        let mermaid = diagram["mermaid"].as_str().expect("a text");
        assert!(mermaid.starts_with("stateDiagram-v2\n"), "{mermaid}");
        let title = diagram["title"].as_str().expect("a text");
        let text = format!("%% {title}\n{mermaid}");
        let number = (at + 1).to_string();
        let one = draw(&["compute", "--number", &number]).exits(0);
        assert_eq!(one.stdout, text);
        all.push(text);
    }
    assert_eq!(draw(&["compute"]).exits(0).stdout, all.join("\n"));
    assert!(
        draw(&["person"])
            .exits(0)
            .stdout
            .contains("stateDiagram-v2")
    );
    draw(&["compute", "--number", "9"]).exits(3);
    draw(&["order"]).exits(2);
}

#[test]
fn all_of_it_works_on_nats() {
    let server = NatsServer::start(ServerOptions::default());
    let place = Place::empty();
    let config = format!(
        "store = \"{}\"\n[event_store]\nsnapshot_threshold = 2\n",
        server.url()
    );
    place.write("cim.toml", &config);
    place.cim(&["init"]).exits(0);
    place.register();
    let given = ["--command-id", COMMAND];
    place.register_again(&given).exits(1);
    let active = r#"{"to_status":"active"}"#;
    let change = [
        "command",
        "compute",
        SERVER,
        "ChangeStatus",
        "--data",
        active,
    ];
    let change = [&change[..], &given].concat();
    place.cim(&change).exits(0);
    let again = place.cim(&change).exits(0);
    assert!(
        again.stdout.contains("already-executed  "),
        "{}",
        again.stdout
    );
    let shown = place.show();
    assert_eq!(shown["version"], 2);
    assert_eq!(shown["state"]["known"]["status"], "active");

    let listed = place.snapshots();
    assert_eq!(listed["snapshots"][0]["usable"], true, "{listed}");
    assert_eq!(listed["snapshots"][0]["version"], 2);
    let key = fs::read(place.path("snapshot.key")).expect("ours");
    fs::remove_file(place.path("snapshot.key")).expect("ours");
    place.cim(&["snapshot", "key"]).exits(0);
    let ran = place.cim(&["aggregate", "show", "compute", SERVER, "--json"]);
    let ran = ran.exits(0);
    assert_eq!(ran.json(), shown);
    assert!(ran.stderr.contains("another key"), "{}", ran.stderr);
    fs::write(place.path("snapshot.key"), key).expect("ours");
    let deleted = place.cim(&["snapshot", "delete", "--all", "--json"]);
    assert_eq!(deleted.exits(0).json()["deleted"], 1);
    assert_eq!(place.show(), shown);
    place.cim(&["verify"]).exits(0);
}

/// The examples of the helps, as they are printed.
#[test]
fn examples_run_as_they_are_printed() {
    let place = Place::new();
    fs::remove_file(place.path("snapshot.key")).expect("ours");
    let path = cim_binary();
    let folder = path.parent().expect("a folder").display();
    let mut ran = 0;
    for command in [
        "command",
        "aggregate diagram",
        "snapshot key",
        "snapshot list",
        "snapshot delete",
    ] {
        let mut arguments: Vec<_> = command.split(' ').collect();
        arguments.push("--help");
        let help = place.cim(&arguments).exits(0).stdout;
        let (_, examples) = help.split_once("\nExample").expect("examples");
        let (_, examples) = examples.split_once('\n').expect("a headline");
        let (examples, _) = examples.split_once("\n\n").unwrap_or((examples, ""));
        for example in examples.replace("\\\n", "").lines() {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", example])
                .current_dir(place.folder())
                .env("PATH", format!("{folder}:/usr/bin:/bin"))
                .env_remove("CIM_STORE");
            Ran::of(&mut shell, "a shell").exits(0);
            ran += 1;
        }
    }
    assert!(ran >= 11, "{ran} examples found");
    let shown = place.show();
    assert_eq!(shown["state"]["known"]["asset_tag"], "A 7");
    assert!(place.path("compute.mmd").exists());
}

#[test]
fn shells_complete_the_new_commands() {
    let place = Place::empty();
    let script = place.cim(&["completion", "bash"]).exits(0).stdout;
    for command in [
        "cim__subcmd__command",
        "cim__subcmd__snapshot__subcmd__delete",
    ] {
        assert!(script.contains(command), "{command}");
    }
}

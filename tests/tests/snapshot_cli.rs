//! Snapshots and their key, as the command `cim` has them.

#[path = "support/models.rs"]
mod models;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use self::models::{Place, SERVER, error, key};

#[test]
fn a_new_place_has_a_key_of_its_own() {
    let place = Place::empty();
    let told = place.cim(&["init", "--json"]).exits(0).json();
    assert_eq!(told["snapshot_key_written"], true);
    let (key, mode) = (place.path("snapshot.key"), 0o777);
    let metadata = fs::metadata(&key).expect("a key");
    assert_eq!(metadata.permissions().mode() & mode, 0o600);
    let before = fs::read(&key).expect("ours");

    let refused = place.cim(&["snapshot", "key", "--json"]).exits(1);
    assert_eq!(error(&refused)["code"], "snapshot-key-exists");
    fs::remove_file(place.path("cim.db")).expect("ours");
    fs::remove_file(place.path("cim.toml")).expect("ours");
    let told = place.cim(&["init", "--json"]).exits(0).json();
    assert_eq!(
        told["snapshot_key_written"], false,
        "one that is there stays"
    );
    assert_eq!(fs::read(&key).expect("ours"), before);

    fs::remove_file(&key).expect("ours");
    let told = place.cim(&["snapshot", "key", "--json"]).exits(0).json();
    let expected = json!({"schema": "cim.snapshot.key/v1", "path": "snapshot.key"});
    assert_eq!(told, expected);
    let metadata = fs::metadata(&key).expect("a key");
    assert_eq!(metadata.permissions().mode() & mode, 0o600);
    assert_ne!(fs::read(&key).expect("ours"), before);
}

#[test]
fn snapshots_are_taken_listed_and_deleted_and_change_nothing() {
    let place = Place::with_snapshots();
    let (shown, exported) = (place.show(), place.export());
    let listed = place.snapshots();
    assert_eq!(listed["schema"], "cim.snapshot.list/v1");
    assert_eq!(listed["has_key"], true);
    let of: Vec<_> = listed["snapshots"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    let names: Vec<_> = of.iter().map(|entry| entry["aggregate"].as_str()).collect();
    let [compute, person] = [key(), "local.main.events.person.p-1".to_owned()];
    assert_eq!(names, [Some(&*compute), Some(&*person)]);
    for entry in of {
        assert_eq!(entry["usable"], true, "{entry}");
        assert_eq!(entry["fault"], Value::Null);
        assert!(entry["bytes"].as_u64().is_some_and(|bytes| bytes > 100));
        assert!(entry["taken_at"].is_string());
    }
    let one = place.cim(&["snapshot", "list", "compute", SERVER]).exits(0);
    assert_eq!(one.stdout.lines().count(), 1);
    assert!(one.stdout.starts_with(&format!("{compute}  v")));
    let none = place.cim(&["snapshot", "list", "a.b.c.compute"]).exits(0);
    assert_eq!(none.stdout, "");

    let delete = |more: &[&str]| {
        let ran = place.cim(&[&["snapshot", "delete", "--json"], more].concat());
        let told = ran.exits(0).json();
        assert_eq!(told["schema"], "cim.snapshot.delete/v1");
        told["deleted"].as_u64()
    };
    assert_eq!(delete(&["order"]), Some(0));
    assert_eq!(delete(&["compute", "another"]), Some(0));
    assert_eq!(delete(&["person"]), Some(1));
    assert_eq!(delete(&["compute", SERVER]), Some(1));
    assert_eq!(delete(&["--all"]), Some(0));
    assert_eq!(place.show(), shown);
    assert_eq!(place.export(), exported);
    place.cim(&["verify"]).exits(0);

    // Looking takes none, deciding does.
    assert_eq!(place.snapshots()["snapshots"], json!([]));
    place
        .command("AssignAssetTag", r#"{"asset_tag":"Z"}"#)
        .exits(0);
    assert_eq!(place.snapshots()["snapshots"][0]["usable"], true);
    assert_eq!(delete(&["--all"]), Some(1));
}

#[test]
fn snapshots_that_do_not_fit_are_ignored_reported_and_replaced() {
    let place = Place::with_snapshots();
    let shown = place.show();
    for (sql, code) in [
        (
            "UPDATE snapshots SET sealed = unhex(replace(hex(sealed), hex('A 1'), hex('A 2')))",
            "snapshot-forged",
        ),
        ("UPDATE snapshots SET sealed = x'00'", "snapshot-unreadable"),
        (
            "UPDATE snapshots SET sealed = (SELECT sealed FROM snapshots WHERE entity = 'person')
             WHERE entity = 'compute'",
            "snapshot-of-another-aggregate",
        ),
    ] {
        let place = place.copy();
        place.sql(sql);
        let ran = place.cim(&["aggregate", "show", "compute", SERVER, "--json"]);
        let ran = ran.exits(0);
        assert_eq!(ran.json(), shown, "{code}");
        let warning = format!("warning: the snapshot of `{}`: ", key());
        assert!(ran.stderr.contains(&warning), "{code}: {}", ran.stderr);
        let listed = place.cim(&["snapshot", "list", "compute", "--json"]);
        let listed = listed.exits(0).json();
        assert_eq!(listed["snapshots"][0]["usable"], false);
        assert_eq!(listed["snapshots"][0]["fault"]["code"], code);
        let text = place.cim(&["snapshot", "list", "compute"]).exits(0).stdout;
        assert!(text.contains(&format!("not used: {code}: ")), "{text}");

        let ran = place.command("AssignAssetTag", r#"{"asset_tag":"Y"}"#);
        let ran = ran.exits(0);
        assert!(ran.stderr.contains(&warning), "{code}: {}", ran.stderr);
        let listed = place.cim(&["snapshot", "list", "compute", "--json"]);
        let listed = listed.exits(0).json();
        assert_eq!(listed["snapshots"][0]["usable"], true, "{code}: taken anew");
        assert_eq!(place.show()["state"]["known"]["asset_tag"], "Y");
    }
}

#[test]
fn a_snapshot_of_another_history_is_not_used() {
    let place = Place::new();
    place.set_threshold();
    place.register();
    let other = place.copy();
    for (place, tag) in [(&place, "ours"), (&other, "theirs")] {
        let data = json!({"asset_tag": tag}).to_string();
        place.command("AssignAssetTag", &data).exits(0);
    }
    let shown = place.show();
    place.sql(&format!(
        "ATTACH '{}' AS other;
         UPDATE snapshots SET sealed = (SELECT sealed FROM other.snapshots)",
        other.path("cim.db").display()
    ));
    let listed = place.snapshots();
    let fault = &listed["snapshots"][0]["fault"];
    assert_eq!(fault["code"], "snapshot-of-another-history", "{listed}");
    let ran = place.cim(&["aggregate", "show", "compute", SERVER, "--json"]);
    let ran = ran.exits(0);
    assert_eq!(ran.json(), shown);
    assert_eq!(shown["state"]["known"]["asset_tag"], "ours");
    assert!(ran.stderr.contains("another history"), "{}", ran.stderr);
}

#[test]
fn without_a_key_no_snapshot_is_trusted() {
    let place = Place::with_snapshots();
    let (shown, key) = (place.show(), place.path("snapshot.key"));
    let show = || {
        let ran = place.cim(&["aggregate", "show", "compute", SERVER, "--json"]);
        let ran = ran.exits(0);
        assert_eq!(ran.json(), shown);
        ran.stderr
    };
    assert_eq!(show(), "");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("ours");
    let said = show();
    assert!(said.contains("expected mode 0600, found 0644"), "{said}");
    assert!(said.contains("help: chmod 600 "), "{said}");
    let listed = place.cim(&["snapshot", "list", "--json"]).exits(0);
    assert!(listed.stderr.contains("found 0644"), "{}", listed.stderr);
    assert_eq!(listed.json()["snapshots"][0]["usable"], Value::Null);

    fs::rename(&key, place.path("elsewhere")).expect("ours");
    let said = show();
    assert!(said.contains("there is no `snapshot.key` here"), "{said}");
    assert_eq!(place.snapshots()["has_key"], false);
    let version = place.snapshots()["snapshots"][0]["version"].clone();
    place
        .command("AssignAssetTag", r#"{"asset_tag":"X"}"#)
        .exits(0);
    let listed = place.snapshots();
    assert_eq!(listed["snapshots"][0]["version"], version, "none is taken");

    place.cim(&["snapshot", "key"]).exits(0);
    let listed = place.snapshots();
    assert_eq!(listed["snapshots"][0]["fault"]["code"], "snapshot-forged");
}

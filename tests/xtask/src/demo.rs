//! `cargo xtask demo`: the whole job once, on a sample or a file, with every command shown.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cim::Cim;
use crate::failure::{Doing, Failure, NOT_FOUND};
use crate::js;
use crate::nats_server;
use crate::plugins;
use crate::setup::{self, Needs};
use crate::source::Source;
use crate::workspace::Workspace;

/// Builds, imports, shows, verifies, forges, and says what to try next.
pub(crate) fn run(
    workspace: &Workspace,
    file: Option<PathBuf>,
    options: Vec<OsString>,
) -> Result<(), Failure> {
    let start = Instant::now();
    let source = match file {
        Some(file) => Source::of(&file, options)?,
        None => Source::sample(workspace),
    };
    title("Set up and build: minutes the first time, seconds afterwards");
    setup::prepare(Needs::Demo)?;
    let dir = tempfile::Builder::new()
        .prefix("cim-demo-")
        .tempdir()
        .doing(|| "cannot make a folder".to_owned())?
        .keep();
    let cim = Cim::build(workspace, &dir)?;
    js::build(workspace)?;

    title(&format!("Import into a new store, in `{}`", dir.display()));
    source.import(&cim)?;
    cim.run("stats").run()?;

    title("Show an aggregate: its history folded into a state");
    let (entity, id) = first_aggregate(&cim)?;
    cim.run(&format!("aggregate show {entity} {id}")).run()?;

    title("Verify every event and every link of the chain");
    cim.run("verify").run()?;

    title("Export, and verify the export in Node: the same core, in WebAssembly");
    cim.run(&format!("export {EXPORT}")).run()?;
    let rust = cim
        .run(&format!("verify --export {EXPORT} --json"))
        .shown_output(VERIFIED)?;
    let node = in_node(workspace, &cim, EXPORT, VERIFIED)?;
    agree(&rust, &node)?;

    title("Forge one byte in a copy of the store: it is found");
    cim.other("python3").args(["-c", FORGE_STORE]).run()?;
    cim.run("--store sqlite:forged.db verify")
        .run_expecting(FORGED)?;

    title("Forge one byte in a copy of the export: Rust and Node find it");
    cim.other("python3").args(["-c", FORGE_EXPORT]).run()?;
    let rust = cim
        .run("verify --export forged.jsonl --json")
        .shown_output(FORGED)?;
    let node = in_node(workspace, &cim, "forged.jsonl", FORGED)?;
    agree(&rust, &node)?;

    title("Project into a read model: a plugin in a sandbox, which imports nothing");
    let plugins = plugins::build(workspace)?;
    let activity = plugins.join("activity.wasm");
    for words in [&["plugin", "inspect"][..], &["projection", "run"]] {
        cim.other("cim").args(words).arg(&activity).run()?;
    }
    for collection in ["types", "pairs"] {
        cim.run(&format!("projection query activity {collection}"))
            .run()?;
    }

    title("The same on NATS JetStream: another URL, the same chain");
    on_nats(&cim, &dir)?;

    next(&cim, &entity, &id);
    println!("\nDone in {:.0} s.", start.elapsed().as_secs_f64());
    Ok(())
}

/// Copies the store into a stream of a server of its own, and verifies both.
fn on_nats(cim: &Cim, dir: &Path) -> Result<(), Failure> {
    let server = nats_server::Server::start(&dir.join("nats"))?;
    let stream = format!("{}/DEMO", server.url());
    // The index of a store that ends with this is not worth the user's cache.
    let run = |line: String| cim.run(&line).env("XDG_CACHE_HOME", dir.join("cache"));
    run(format!("copy sqlite:cim.db {stream}")).run()?;
    run(format!("--store {stream} stats")).run()?;
    let verify = |store: &str| {
        let told = run(format!("--store {store} verify --json")).shown_output(VERIFIED)?;
        heads_of(&told).ok_or_else(|| Failure::new("cannot read the report"))
    };
    if verify(&stream)? != verify("sqlite:cim.db")? {
        return Err(Failure::new("the stores disagree"));
    }
    println!("Both stores have the same heads. The server stops now.");
    Ok(())
}

/// The digest of all heads in the report of a verification.
fn heads_of(report: &str) -> Option<String> {
    let report: serde_json::Value = serde_json::from_str(report).ok()?;
    Some(report["heads"].as_str()?.to_owned())
}

fn title(text: &str) {
    println!("\n# {text}\n");
}

fn in_node(workspace: &Workspace, cim: &Cim, export: &str, code: i32) -> Result<String, Failure> {
    cim.other("node")
        .arg(workspace.path("js/bin/cim-events.mjs"))
        .args(["verify", export])
        .shown_output(code)
}

fn agree(rust: &str, node: &str) -> Result<(), Failure> {
    if rust == node {
        println!("Rust and Node agree, byte for byte.");
        return Ok(());
    }
    Err(Failure::new("Rust and Node disagree about the export"))
}

/// Entity and id of the first event.
fn first_aggregate(cim: &Cim) -> Result<(String, String), Failure> {
    let line = cim.run("read --limit 1 --json").quiet_output()?;
    aggregate_of(&line).ok_or_else(|| Failure::new("the store holds no event").exit(NOT_FOUND))
}

/// An event's aggregate is `organization.unit.domain.entity.id`.
fn aggregate_of(line: &str) -> Option<(String, String)> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let mut tokens = event["aggregate"].as_str()?.split('.').skip(3);
    Some((tokens.next()?.to_owned(), tokens.next()?.to_owned()))
}

fn next(cim: &Cim, entity: &str, id: &str) {
    let programs: &Path = cim.programs();
    println!("\n# Try next\n");
    println!("export PATH='{}':\"$PATH\"", programs.display());
    println!("cd '{}'", cim.dir().display());
    for line in [
        format!("cim read {entity} {id}"),
        format!("cim aggregate list {entity}"),
        format!("cim append {entity} {id} NoteTaken --data '{{\"text\":\"hello\"}}'"),
        "cim tail".to_owned(),
        format!("cim verify {entity} {id}"),
        "cim projection query activity last".to_owned(),
        "sqlite3 cim.db 'SELECT key, document FROM activity__types'".to_owned(),
        "cim --help".to_owned(),
    ] {
        println!("{line}");
    }
}

const EXPORT: &str = "events.jsonl";
const VERIFIED: i32 = 0;
/// The exit code of a verification that failed.
const FORGED: i32 = 6;

/// Copies the store as SQLite does, then changes one byte of the third event's body.
const FORGE_STORE: &str = r#"
import sqlite3
sqlite3.connect("cim.db").execute("VACUUM INTO ?", ["forged.db"])
with sqlite3.connect("forged.db") as store:
    [body] = store.execute("SELECT body FROM events WHERE position = 3").fetchone()
    body = body[:-3] + bytes([body[-3] ^ 1]) + body[-2:]
    store.execute("UPDATE events SET body = ? WHERE position = 3", [body])
"#;

/// Changes the same byte in a copy of the export.
const FORGE_EXPORT: &str = r#"
import json, pathlib
lines = open("events.jsonl", encoding="utf-8").readlines()
event = json.loads(lines[3])
body = event["body"]
event["body"] = body[:-3] + chr(ord(body[-3]) ^ 1) + body[-2:]
lines[3] = json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"
pathlib.Path("forged.jsonl").write_text("".join(lines), encoding="utf-8")
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_aggregate_of_an_event() {
        let line = r#"{"position":1,"aggregate":"local.main.events.loan.loan-1001"}"#;
        assert_eq!(
            aggregate_of(line),
            Some(("loan".to_owned(), "loan-1001".to_owned()))
        );
        assert_eq!(aggregate_of(""), None);
    }

    #[test]
    fn reads_the_heads_of_a_report() {
        let report = r#"{"schema":"cim.verify/v1","heads":"afd8","store_id":"1"}"#;
        assert_eq!(heads_of(report), Some("afd8".to_owned()));
        assert_eq!(heads_of(r#"{"heads":7}"#), None);
    }
}

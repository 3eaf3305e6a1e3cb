//! Wrong input to the command: every message, word for word, and every exit code.
//!
//! A group of cases runs in one folder, which its set-up fills; its snapshot lies in `snapshots/`.
//! `INSTA_UPDATE=always` records them anew: read what changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use cim_host::projector::{Projector, ProjectorOptions, Until};
use cim_host::sqlite::{ReadModel, SqliteStore};
use cim_tests::cim_binary;
use cim_tests::counting::Counting;

/// A wrong command line with its exit code.
///
/// Words are split at spaces, except within single quotes. `FOLDER> ` in front runs it there,
/// ` < FILE` behind gives it a standard input.
type Case = (i32, &'static str);

/// What every error says: what is wrong, and what to type next. A command without its verb says
/// how it is used instead.
const PARTS: [&str; 2] = ["error: ", "help: "];

const USAGE: &[Case] = &[
    (2, ""),
    (2, "frobnicate"),
    (2, "aggregate"),
    (2, "aggregate destroy key k1"),
    (2, "read --colour red"),
    (2, "append"),
    (2, "append key k1"),
    (2, "append key k1 KeyGenerated extra"),
    (2, "event show"),
    (2, "export"),
    (2, "copy sqlite:a.db"),
    (2, "completion"),
    (2, "completion tcsh"),
    (2, "read --limit 0"),
    (2, "read --limit -1"),
    (2, "read --limit many"),
    (2, "read key k1 --from 0"),
    (2, "read key k1 --from 1.5"),
    (2, "read key k1 --from 9007199254740992"),
    (2, "read --from 2"),
    (2, "read --since yesterday"),
    (2, "read --until 1969-12-31T23:59:59Z"),
    (2, "read --type keyGenerated"),
    (2, "read --correlation 1234"),
    (2, "event show 01934F4A-0000-7000-8000-000000000001"),
    (2, "event show 123e4567-e89b-42d3-a456-426614174000"),
    (2, "tail 'a.>.b'"),
    (2, "tail 'a.b*'"),
    (2, "aggregate show key k1 --at 0"),
    (2, "aggregate show key k1 --at soon"),
    (2, "init --namespace two.tokens"),
    (2, "init --namespace 'a.b.c d'"),
    (2, "--store postgres://localhost/cim read"),
    (2, "--store sqlite: read"),
    (2, "stream"),
    (2, "stream destroy"),
    (2, "stream apply --dry-run"),
    (2, "stream plan --nats postgres://localhost"),
    (9, "stream plan --nats nats://127.0.0.1:1"),
    (2, "consumer"),
    (2, "consumer list A B"),
    (2, "doctor --monitor"),
    (9, "doctor --nats nats://127.0.0.1:1"),
];

const NAMES: &[Case] = &[
    (2, "append 'my key' k1 KeyGenerated"),
    (2, "append security/keys/key k1 KeyGenerated"),
    (2, "append /key k1 KeyGenerated"),
    (2, "append a.b.key k1 KeyGenerated"),
    (2, "append key.* k1 KeyGenerated"),
    (2, "append key a.b KeyGenerated"),
    (2, "append key '' KeyGenerated"),
    (2, "append key schlüssel KeyGenerated"),
    (2, "append key k1 keyGenerated"),
    (2, "append key k1 Key-Generated"),
    (2, "append key k1 KeyGenerated --expected 0"),
    (2, "append key k1 KeyGenerated --expected some"),
    (2, "append key k1 KeyGenerated --expected 01"),
    (2, "append key k1 KeyGenerated --data {"),
    (2, "append key k1 KeyGenerated --data '{\"a\":1} trailing'"),
    (3, "append key k1 KeyGenerated --data @missing.json"),
    (2, "append key k1 KeyGenerated --data @bad.json"),
    (
        2,
        "append key k1 KeyGenerated --data @latin1.json --event-id 01934f4a-0000-7000-8000-000000000008 --time 2024-11-21T10:00:00Z",
    ),
    (2, "append key k1 KeyGenerated --data - < bad.json"),
    (2, "append key k1 KeyGenerated --time 2024-02-30T00:00:00Z"),
    (2, "append key k1 KeyGenerated --time 2016-12-31T23:59:60Z"),
    (2, "append key k1 KeyGenerated --time 10000-01-01T00:00:00Z"),
    (
        2,
        "append key k1 KeyGenerated --event-id 123e4567-e89b-42d3-a456-426614174000",
    ),
    (2, "append key k1 KeyGenerated --event-id 1"),
    (2, "append key k1 KeyGenerated --correlation 1"),
    (
        2,
        "append key k1 KeyGenerated --causation {01934f4a-0000-7000-8000-000000000001}",
    ),
    (2, "append key k1 KeyGenerated --meta tenant"),
    (2, "append key k1 KeyGenerated --meta 'a b=1'"),
    (2, "append key k1 KeyGenerated --meta tenant="),
    (
        2,
        "append key k1 KeyGenerated --meta tenant=a --meta Tenant=b",
    ),
    (2, "append key k1 KeyGenerated --source ' keys'"),
    (2, "append key k1 KeyGenerated --schema-version 0"),
    (2, "append key k1 KeyGenerated --content-type ''"),
    (2, "read 'my key'"),
    (2, "read key a.b"),
    (2, "verify key a.b"),
    (2, "aggregate show key a.b"),
];

const STORES: &[Case] = &[
    (3, "--store sqlite:absent.db read"),
    (3, "--store sqlite:no/such/folder.db stats"),
    (3, "--store sqlite:absent.db append key k1 KeyGenerated"),
    (3, "--store sqlite:absent.db tail"),
    (3, "--store sqlite:absent.db verify"),
    (3, "--store sqlite:absent.db export out.cim"),
    (3, "copy sqlite:absent.db sqlite:new.db"),
    (2, "copy sqlite:cim.db sqlite:cim.db"),
    (1, "--store sqlite:text.db read"),
    (1, "--store sqlite:other.db read"),
    (1, "later> read"),
    (1, "--store sqlite:. read"),
    (9, "--store nats://127.0.0.1:1 read"),
    (3, "export no/such/folder.cim"),
    (2, "export out.cim 'a.>.b'"),
    (1, "init"),
    (1, "empty> --store sqlite:../cim.db init"),
    (1, "empty> --store sqlite:no/such/folder.db init"),
    (1, "export before.cim"),
    (1, "export text.db"),
    (1, "init --namespace other.name.space"),
    (3, "aggregate show key k9"),
    (3, "aggregate show key k1 --at 7"),
    (3, "read key k9"),
    (3, "verify key k9"),
    (3, "event show 01934f4a-0000-7000-8000-000000000099"),
    (6, "broken> verify"),
    (6, "broken> read key k1"),
    (6, "broken> aggregate show key k1"),
    (6, "copy sqlite:broken/cim.db sqlite:new.db"),
    (6, "broken-head> append key k1 KeyRotated"),
];

const APPENDS: &[Case] = &[
    (5, "append key k1 KeyRotated --expected 1"),
    (5, "append key k1 KeyRotated --expected none"),
    (5, "append key k9 KeyRotated --expected 1"),
    (
        2,
        "append key k1 KeyRotated --event-id 01934f4a-0000-7000-8000-000000000001",
    ),
    (
        2,
        "append key k2 KeyGenerated --event-id 01934f4a-0000-7000-8000-000000000001",
    ),
    (
        2,
        "append key k1 KeyRotated --data @large.json --event-id 01934f4a-0000-7000-8000-000000000007",
    ),
];

const CONFIGURATION: &[Case] = &[
    (2, "syntax> read"),
    (2, "unknown-key> read"),
    (2, "unknown-table> read"),
    (2, "wrong-type> read"),
    (2, "namespace> read"),
    (2, "template> read"),
    (2, "not-storable> read"),
    (2, "latin1> read"),
    (2, "two-namespaces> read"),
    (1, "disagrees> --store sqlite:../cim.db read"),
    (2, "constants> append other/key k1 KeyGenerated"),
    (2, "stream-kind> stream plan"),
    (2, "stream-days> stream plan"),
    (2, "stream-key> read"),
];

const EXPORTS: &[Case] = &[
    (3, "verify --export missing.cim"),
    (2, "verify key k1 --export good.cim"),
    (6, "verify --export body.cim"),
    (6, "verify --export deleted.cim"),
    (6, "verify --export swapped.cim"),
    (6, "verify --export header.cim"),
    (6, "verify --export cut.cim"),
    (6, "verify --export half-a-line.cim"),
    (6, "verify --export trailing.cim"),
    (6, "verify --export not-json.cim"),
    (6, "verify --export later-format.cim"),
    (6, "verify --export empty.cim"),
    (6, "import body.cim --format cim"),
    (6, "empty> import ../body.cim"),
    (6, "empty> import ../half-a-line.cim"),
    (6, "import cut.cim --format cim"),
    (6, "import bad.csv --format cim"),
];

const IMPORT: &[Case] = &[
    (2, "import"),
    (2, "import rows.csv"),
    (2, "import rows.csv --entity key"),
    (
        2,
        "import rows.csv --entity key --id-field id --type-field what",
    ),
    (
        2,
        "import rows.csv --entity 'my key' --id-field id --type-field what --time-field when",
    ),
    (2, "import rows.csv --format xml --entity key"),
    (2, "import before.cim --entity key"),
    (2, "import before.cim --id-encode"),
    (
        2,
        "import rows.csv --late maybe --entity key --id-field id --type-field what --time-field when",
    ),
    (
        3,
        "import missing.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import folder --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import rows.csv --entity key --id-field number --type-field what --time-field when",
    ),
    (
        1,
        "import rows.csv --entity key --id-field id --type-field What --time-field when",
    ),
    (
        1,
        "import empty.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import columns.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import short.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import long.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import quote.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import latin1.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import time.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import early.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import no-time.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "empty> import ../id.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import id.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import no-id.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import long-id.csv --id-encode --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import types.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import operations.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import no-letters.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import digits.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import late.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import large.csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import rows.csv --format jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (6, "import rows.csv --format cim"),
    (
        1,
        "import rows.jsonl --format csv --entity key --id-field id --type-field what --time-field when",
    ),
    (
        1,
        "import syntax.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import names.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import pointer.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import number.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import null.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import list.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import latin1.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import time.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
    (
        1,
        "import deep.jsonl --entity key --id-field /id --type-field /what --time-field /when",
    ),
];

const PROJECTIONS: &[Case] = &[
    (2, "plugin"),
    (2, "plugin inspect"),
    (3, "plugin inspect absent.wasm"),
    (1, "plugin inspect ."),
    (1, "plugin inspect text.wasm"),
    (1, "plugin inspect empty.wasm"),
    (1, "plugin inspect module.wasm"),
    (2, "projection"),
    (2, "projection run"),
    (2, "projection run text.wasm --once --follow"),
    (2, "projection run text.wasm --time-limit-ms 0"),
    (2, "projection run text.wasm --fuel 0"),
    (2, "projection run text.wasm --fuel 1 --time-limit-ms 1"),
    (2, "projection run text.wasm --memory-limit-mib 4097"),
    (2, "projection run text.wasm --into views.db"),
    (2, "projection run text.wasm --into sqlite:"),
    (2, "projection run text.wasm --into nats://127.0.0.1:1"),
    (2, "projection run text.wasm --config {"),
    (3, "projection run text.wasm --config @missing.json"),
    (3, "projection run absent.wasm"),
    (1, "projection run text.wasm"),
    (
        1,
        "empty> projection run ../text.wasm --store sqlite:../cim.db --into sqlite:new.db",
    ),
    (3, "empty> projection run ../text.wasm"),
    (3, "projection list --from sqlite:absent.db"),
    (3, "empty> projection list"),
    (1, "projection list --from sqlite:text.db"),
    (1, "projection list --from sqlite:other.db"),
    (2, "projection list --from views.db"),
    (2, "projection show"),
    (2, "projection show Counting"),
    (3, "projection show absent"),
    (3, "projection show absent --from sqlite:views.db"),
    (3, "projection parked absent"),
    (2, "projection query counting"),
    (2, "projection query counting types --prefix"),
    (2, "projection query counting types ''"),
    (3, "projection query absent types"),
    (3, "projection query counting pairs"),
    (3, "projection query counting pairs --from sqlite:views.db"),
    (3, "projection query counting types KeyLost"),
    (
        3,
        "projection query counting types Key --from sqlite:views.db",
    ),
];

const SCHEMAS: &[Case] = &[
    (2, "schema"),
    (2, "schema lists"),
    (2, "schema list 'my key'"),
    (3, "schema list key"),
    (3, "schema list --schemas absent.json"),
    (2, "schema check key"),
    (1, "schema check"),
    (3, "--store sqlite:absent.db schema check"),
    (3, "schema check --schemas absent.json"),
    (1, "schema check --schemas text.json"),
    (1, "schema check --schemas later.json"),
    (1, "schema check --schemas other.json"),
    (1, "schema check --schemas version.json"),
    (1, "schema check --schemas twice.json"),
    (1, "schema check --schemas no-schema.json"),
    (
        1,
        "schema check --schemas good.json --schemas narrower.json",
    ),
    (1, "schema check --schemas narrower.json"),
    (1, "schema check --schemas older.json"),
    (3, "schema check --against absent.json"),
    (1, "schema check --against good.json"),
    (
        1,
        "schema check --schemas narrower.json --against good.json",
    ),
    (6, "broken> schema check --schemas ../good.json"),
    (1, "newer> schema check"),
    (1, "newer> export --upcast out.cim"),
    (1, "unknown> export --upcast out.cim"),
    (1, "invalid> export --upcast out.cim"),
    (1, "failing> export --upcast out.cim"),
    (6, "broken> export --upcast out.cim"),
];

const MODELS: &[Case] = &[
    (2, "command"),
    (2, "command compute"),
    (2, "command compute c1"),
    (2, "command --list"),
    (2, "command compute c1 --list"),
    (2, "command compute --list --time 2026-11-01T08:00:00Z"),
    (2, "command key --list"),
    (2, "command key k1 RotateKey"),
    (2, "command 'my compute' c1 RegisterResource"),
    (2, "command compute a.b ClearAccountConcept"),
    (2, "command compute c1 Register"),
    (2, "command compute c1 registerResource"),
    (2, "command compute c1 RegisterResource"),
    (2, "command compute c1 RegisterResource --data {"),
    (
        2,
        "command compute c1 RegisterResource --data '{\"hostname\":\"a\",\"hostname\":\"b\"}'",
    ),
    (2, "command compute c1 RegisterResource --data []"),
    (2, "command compute c1 RegisterResource --data @bad.json"),
    (2, "command compute c1 RegisterResource --data - < bad.json"),
    (
        3,
        "command compute c1 RegisterResource --data @missing.json",
    ),
    (2, "command compute c1 RegisterResource --data @kind.json"),
    (2, "command compute c1 RegisterResource --data @number.json"),
    (2, "command compute c1 RegisterResource --data @tags.json"),
    (
        2,
        "command compute c1 RegisterResource --data @hostname.json",
    ),
    (2, "command compute c1 RegisterResource --data @more.json"),
    (
        2,
        "command compute c1 ClearAccountConcept --data '{\"a\":1}'",
    ),
    (2, "command compute c1 ClearAccountConcept --command-id 1"),
    (
        2,
        "command compute c1 ClearAccountConcept --command-id 123e4567-e89b-42d3-a456-426614174000",
    ),
    (2, "command compute c1 ClearAccountConcept --correlation 1"),
    (2, "command compute c1 ClearAccountConcept --causation 1"),
    (
        2,
        "command compute c1 ClearAccountConcept --time 1969-01-01",
    ),
    (2, "command compute c1 ClearAccountConcept --source ''"),
    (2, "command compute c1 ClearAccountConcept --meta tenant"),
    (
        3,
        "--store sqlite:absent.db command compute c1 ClearAccountConcept",
    ),
    (1, "command compute c1 ClearAccountConcept"),
    (1, "command compute c1 clear-account-concept"),
    (1, "command compute newer ClearAccountConcept"),
    (1, "command compute foreign ClearAccountConcept"),
    (6, "broken> command compute c1 ClearAccountConcept"),
    (1, "aggregate show compute newer"),
    (1, "aggregate show compute foreign"),
    (6, "broken> aggregate show compute c1"),
    (2, "aggregate diagram"),
    (2, "aggregate diagram key"),
    (2, "aggregate diagram 'my compute'"),
    (2, "aggregate diagram compute --number one"),
    (2, "aggregate diagram compute --number 0"),
    (3, "aggregate diagram compute --number 9"),
    (2, "snapshot"),
    (2, "snapshot take"),
    (2, "snapshot delete"),
    (2, "snapshot delete compute --all"),
    (2, "snapshot delete compute a.b"),
    (2, "snapshot list 'my compute'"),
    (3, "--store sqlite:absent.db snapshot list"),
    (3, "--store sqlite:absent.db snapshot delete --all"),
    (1, "snapshot key"),
    (1, "damaged> snapshot list"),
];

#[test]
fn there_are_enough_cases() {
    let groups = [
        USAGE,
        NAMES,
        STORES,
        APPENDS,
        CONFIGURATION,
        EXPORTS,
        IMPORT,
        PROJECTIONS,
        SCHEMAS,
        MODELS,
    ];
    assert!(groups.iter().map(|cases| cases.len()).sum::<usize>() >= 150);
}

#[test]
fn usage() {
    check("usage", &Folder::with_store(), USAGE);
}

#[test]
fn names_and_values() {
    let folder = Folder::with_store();
    folder.write("bad.json", "{\"kind\": ed25519}\n");
    folder.write("latin1.json", b"{\"name\": \"caf\xe9\"}");
    check("names_and_values", &folder, NAMES);
}

#[test]
fn stores() {
    let folder = Folder::with_store();
    folder.write(
        "text.db",
        "This is a text and no database, though its name says so.\n".repeat(99),
    );
    folder.query("other.db", "CREATE TABLE notes (text TEXT)");
    for (name, sql) in [
        (
            "broken",
            "UPDATE events SET body = CAST('{\"bits\":128}' AS BLOB) WHERE version = 2",
        ),
        (
            "broken-head",
            "UPDATE events SET body = CAST('{}' AS BLOB) WHERE version = 3",
        ),
        ("later", "PRAGMA user_version = 99"),
    ] {
        folder.fill(name);
        folder.query(&format!("{name}/cim.db"), sql);
    }
    folder.write("empty/.keep", "");
    check("stores", &folder, STORES);
}

#[test]
fn appends() {
    let folder = Folder::with_store();
    folder.write("large.json", format!("\"{}\"", "x".repeat(1 << 20)));
    check("appends", &folder, APPENDS);
}

#[test]
fn configuration() {
    let folder = Folder::with_store();
    folder.write("syntax/cim.toml", "namespace = cowboyai\n");
    folder.write("unknown-key/cim.toml", "name_space = \"a.b.c\"\n");
    folder.write(
        "unknown-table/cim.toml",
        "[events]\nstream_name = \"EVENTS\"\n",
    );
    folder.write("wrong-type/cim.toml", "namespace = 7\n");
    folder.write("namespace/cim.toml", "namespace = \"cowboyai.keys\"\n");
    folder.write(
        "template/cim.toml",
        "[template]\nsubject = \"{colour}.{id}.{operation}\"\n",
    );
    folder.write(
        "not-storable/cim.toml",
        "[template]\nsubject = \"keys.{entity}.{operation}\"\n",
    );
    folder.write("latin1/cim.toml", b"# caf\xe9\n");
    folder.write(
        "stream-kind/cim.toml",
        "[[stream]]\nname = \"A\"\nkind = \"event\"\n",
    );
    folder.write(
        "stream-days/cim.toml",
        "[[stream]]\npreset = \"CIM-EVENTS\"\nretention_days = 9\n",
    );
    folder.write(
        "stream-key/cim.toml",
        "[[stream]]\npreset = \"KEYS_EVENTS\"\nmax_age = 9\n",
    );
    let compute = "[template]\nsubject = \"compute.{id}.{operation}\"\n[template.constants]\n\
                   organization = \"cowboyai\"\nunit = \"security\"\ndomain = \"keys\"\n\
                   entity = \"key\"\n";
    folder.write("disagrees/cim.toml", compute);
    folder.write("constants/cim.toml", compute);
    folder.write(
        "two-namespaces/cim.toml",
        format!("namespace = \"a.b.c\"\n{compute}"),
    );
    folder.write(
        "constants/rows.csv",
        "id,what,when\nk7,Key made,2024-11-21T09:00:00Z\n",
    );
    let fields = "--id-field id --type-field what --time-field when";
    folder.cim(&format!("constants> import rows.csv --entity key {fields}"));
    check("configuration", &folder, CONFIGURATION);
}

#[test]
fn exports() {
    let folder = Folder::with_store();
    folder.cim("export good.cim");
    let good = fs::read_to_string(folder.path("good.cim")).expect("the export");
    let lines: Vec<_> = good.split_inclusive('\n').collect();
    let [first, one, two, three, last] = lines[..] else {
        panic!("{good}")
    };
    let write = |name: &str, lines: &[&str]| folder.write(name, lines.concat());
    write(
        "body.cim",
        &[first, one, &two.replace("256", "128"), three, last],
    );
    write("deleted.cim", &[first, one, three, last]);
    write("swapped.cim", &[first, two, one, three, last]);
    write(
        "header.cim",
        &[
            first,
            one,
            &two.replace("keys-service", "other-service"),
            three,
            last,
        ],
    );
    write("cut.cim", &[first, one, two, three]);
    write("half-a-line.cim", &[first, one, &two[..100]]);
    write("trailing.cim", &[&good, "\n"]);
    write(
        "not-json.cim",
        &[first, one, "{\"subject\":\n", three, last],
    );
    write(
        "later-format.cim",
        &[&good.replace("cim.export/v1", "cim.export/v2")],
    );
    write("empty.cim", &[]);
    write("bad.csv", &["id,what,when\n"]);
    folder.write("empty/.keep", "");
    check("exports", &folder, EXPORTS);
}

#[test]
fn import() {
    let folder = Folder::with_store();
    let csv = |name: &str, rows: &str| folder.write(name, format!("id,what,when,note\n{rows}"));
    let row = "k7,Key made,2024-11-21T09:00:00Z,first\n";
    csv("rows.csv", row);
    folder.write("folder/.keep", "");
    folder.write("empty.csv", "");
    folder.write("columns.csv", format!("id,what,when,id\n{row}"));
    csv("short.csv", &format!("{row}k7,Key used\n"));
    csv(
        "long.csv",
        &format!("{row}k7,Key used,2024-11-21T09:00:00Z,second,third\n"),
    );
    csv(
        "quote.csv",
        &format!("{row}k7,\"Key used,2024-11-21T09:00:00Z,second\n"),
    );
    folder.write(
        "latin1.csv",
        b"id,what,when,note\nk7,Key made,2024-11-21T09:00:00Z,caf\xe9\n",
    );
    csv("time.csv", &format!("{row}k7,Key used,21.11.2024,second\n"));
    csv("early.csv", "k7,Key made,1966-11-21T09:00:00Z,first\n");
    csv("no-time.csv", "k7,Key made,,first\n");
    csv(
        "id.csv",
        &format!("{row}key 7,Key made,2024-11-21T09:00:00Z,first\n"),
    );
    csv("no-id.csv", ",Key made,2024-11-21T09:00:00Z,first\n");
    csv(
        "long-id.csv",
        &format!("{},Key made,2024-11-21T09:00:00Z,\n", "ключ".repeat(20)),
    );
    csv(
        "types.csv",
        &format!("{row}k7,key-made,2024-11-21T09:00:01Z,second\n"),
    );
    csv(
        "operations.csv",
        &format!("{row}k7,Made,2024-11-21T09:00:01Z,second\n"),
    );
    csv(
        "no-letters.csv",
        &format!("{row}k7,***,2024-11-21T09:00:01Z,second\n"),
    );
    csv(
        "digits.csv",
        &format!("{row}k7,2 keys made,2024-11-21T09:00:01Z,second\n"),
    );
    csv("late.csv", "k1,Key lost,2001-11-21T09:00:00Z,late\n");
    csv(
        "large.csv",
        &format!("k7,Key made,2024-11-21T09:00:00Z,{}\n", "x".repeat(1 << 20)),
    );
    let line = "{\"id\":\"k7\",\"what\":\"Key made\",\"when\":\"2024-11-21T09:00:00Z\"}\n";
    let jsonl = |name: &str, second: &str| folder.write(name, format!("{line}{second}\n"));
    jsonl("rows.jsonl", line.trim());
    jsonl("syntax.jsonl", "{\"id\":\"k7\",");
    jsonl("names.jsonl", &line.trim().replace("{", "{\"id\":\"k8\","));
    jsonl(
        "pointer.jsonl",
        "{\"what\":\"Key used\",\"when\":\"2024-11-21T09:00:00Z\"}",
    );
    jsonl("number.jsonl", &line.trim().replace("\"k7\"", "7.5"));
    jsonl("null.jsonl", &line.trim().replace("\"k7\"", "null"));
    jsonl("list.jsonl", "[1, 2]");
    folder.write("latin1.jsonl", b"{\"id\":\"caf\xe9\"}\n");
    jsonl(
        "time.jsonl",
        &line.trim().replace("2024-11-21T", "2024-11-31T"),
    );
    jsonl("deep.jsonl", &"[".repeat(1000));
    folder.write("empty/.keep", "");
    check("import", &folder, IMPORT);
}

#[tokio::test]
async fn projections() {
    let folder = Folder::with_store();
    folder.write("text.wasm", "This is a text and no plugin.\n");
    folder.write("empty.wasm", "");
    folder.write("module.wasm", b"\0asm\x01\0\0\0");
    folder.write(
        "text.db",
        "This is a text and no database, though its name says so.\n".repeat(99),
    );
    folder.query("other.db", "CREATE TABLE notes (text TEXT)");
    folder.write("empty/.keep", "");
    for file in ["cim.db", "views.db"] {
        folder.project(file).await;
    }
    check("projections", &folder, PROJECTIONS);
}

#[test]
fn schemas() {
    let folder = Folder::with_store();
    let entry = |event_type: &str, version: &str, schema: &str| {
        format!(
            r#"{{"entity":"key","type":"{event_type}","schema_version":{version},"operation":"x","schema":{schema}}}"#
        )
    };
    let list = |name: &str, types: &[String]| {
        let types = types.join(",");
        let text = format!(r#"{{"schema":"cim.schema.list/v1","types":[{types}]}}"#);
        folder.write(name, text);
    };
    let bits = r#"{"type":"object","properties":{"bits":{"type":"integer"}},"additionalProperties":false}"#;
    let text = bits.replace("integer", "string");
    let types = |schema: &str| {
        ["KeyGenerated", "KeyRotated", "KeyNamed"].map(|name| entry(name, "1", schema))
    };
    list("good.json", &types(bits));
    list("narrower.json", &types(&text)[..2]);
    list(
        "older.json",
        &types(bits).map(|it| it.replace("\"schema_version\":1", "\"schema_version\":2")),
    );
    list("version.json", &[entry("KeyNamed", "0", bits)]);
    list(
        "twice.json",
        &[entry("KeyNamed", "1", bits), entry("KeyNamed", "1", bits)],
    );
    list(
        "no-schema.json",
        &[entry("KeyNamed", "1", r#"{"type":"thing"}"#)],
    );
    folder.write("text.json", "This is a text.\n");
    folder.write(
        "later.json",
        r#"{"schema":"cim.schema.list/v2","kinds":[]}"#,
    );
    folder.write("other.json", r#"{"schema":"cim.stats/v1","events":3}"#);
    folder.fill("broken");
    let sql = "UPDATE events SET body = CAST('{\"bits\":128}' AS BLOB) WHERE version = 2";
    folder.query("broken/cim.db", sql);
    for (name, append) in [
        ("newer", "PersonCreated --schema-version 3 --data {}"),
        ("unknown", "PersonForgotten --data {}"),
        (
            "invalid",
            "PersonCreated --schema-version 2 --data {\"name\":7}",
        ),
        (
            "failing",
            "PersonCreated --schema-version 1 --data {\"name\":7}",
        ),
    ] {
        folder.fill(name);
        folder.cim(&format!(
            "{name}> append person 0190f1c6-65f0-7000-8000-000000000001 {append} --event-id \
             01934f4a-0000-7000-8000-000000000009 --time 2024-11-21T10:00:00Z"
        ));
    }
    check("schemas", &folder, SCHEMAS);
    for name in ["newer", "unknown", "invalid", "failing", "broken"] {
        for file in ["out.cim", "out.cim.partial"] {
            assert!(
                !folder.path(name).join(file).exists(),
                "{name}/{file} was left"
            );
        }
    }
}

#[test]
fn models() {
    let folder = Folder::with_store();
    folder.write("bad.json", "{\"hostname\": web}\n");
    for (name, body) in [
        ("kind", r#"{"hostname":"a","resource_type":"toaster"}"#),
        ("number", r#"{"hostname":"a","resource_type":7}"#),
        ("hostname", r#"{"hostname":"-a","resource_type":"router"}"#),
        (
            "tags",
            "{\"hostname\":\"a\",\n \"tags\":[\"b\",\n  {\"c\":[]}]}",
        ),
        (
            "more",
            r#"{"hostname":"a","resource_type":"router","colour":"red"}"#,
        ),
    ] {
        folder.write(&format!("{name}.json"), body);
    }
    let append = |folder_of: &str, id: &str, event: &str| {
        folder.cim(&format!(
            "{folder_of}> append compute {id} {event} --event-id \
             01934f4a-0000-7000-8000-0000000000{:02} --time 2024-11-21T09:00:00Z",
            10 + id.len()
        ));
    };
    append(".", "newer", "AssetTagAssigned --schema-version 9");
    append(".", "foreign", "KeyNamed");
    folder.fill("broken");
    append("broken", "c1", "AssetTagAssigned");
    folder.query(
        "broken/cim.db",
        "UPDATE events SET body = CAST('{\"a\":1}' AS BLOB) WHERE type = 'AssetTagAssigned'",
    );
    folder.fill("damaged");
    let register = "RegisterResource --data {\"hostname\":\"a\",\"resource_type\":\"router\"}";
    let config = fs::read_to_string(folder.path("damaged/cim.toml")).expect("a configuration");
    folder.write(
        "damaged/cim.toml",
        format!("{config}\n[event_store]\nsnapshot_threshold = 1\n"),
    );
    folder.cim(&format!("damaged> command compute c1 {register}"));
    folder.query("damaged/cim.db", "UPDATE snapshots SET version = -1");
    check("models", &folder, MODELS);
}

/// Runs the cases and compares what they say; none of them may change the store.
#[track_caller]
fn check(group: &str, folder: &Folder, cases: &[Case]) {
    folder.cim("export before.cim");
    let mut said = String::new();
    let mut faults = Vec::new();
    for (code, line) in cases {
        let output = folder.run(line);
        let stderr = folder.shown(&output.stderr);
        let stdout = folder.shown(&output.stdout);
        let found = output.status.code();
        said += &format!("$ cim {line}\n{stderr}");
        if !stdout.is_empty() {
            said += &format!("standard output:\n{stdout}");
        }
        said += &format!("exit code {}\n\n", found.unwrap_or(-1));
        if found != Some(*code) {
            faults.push(format!(
                "`cim {line}`: expected exit code {code}, found {found:?}"
            ));
        }
        for part in PARTS {
            if !stderr.contains(part) && !stderr.contains("Usage: ") {
                faults.push(format!("`cim {line}`: no `{part}`"));
            }
        }
    }
    folder.cim("export after.cim");
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(group, said);
    });
    for entry in folder.path("empty").read_dir().into_iter().flatten() {
        let name = entry.expect("an entry").file_name();
        if name != ".keep" {
            faults.push(format!("a failed command left `{}` behind", name.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(
        folder.events("before.cim"),
        folder.events("after.cim"),
        "wrong input changed the store"
    );
}

/// Where a group runs.
struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with a store in which the key `k1` has three events.
    fn with_store() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.fill(".");
        folder
    }

    fn fill(&self, name: &str) {
        fs::create_dir_all(self.path(name)).expect("a folder can be made");
        self.cim(&format!("{name}> init --namespace cowboyai.security.keys"));
        for (at, what) in ["KeyGenerated", "KeyRotated", "KeyNamed"]
            .iter()
            .enumerate()
        {
            self.cim(&format!(
                "{name}> append key k1 {what} --data {{\"bits\":256}} --source keys-service \
                 --event-id 01934f4a-0000-7000-8000-00000000000{} --time 2024-11-21T09:0{at}:00Z",
                at + 1
            ));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
    }

    fn query(&self, database: &str, sql: &str) {
        let connection = rusqlite::Connection::open(self.path(database)).expect("a database");
        connection.execute_batch(sql).expect("the query works");
    }

    /// Handles the store's events natively.
    async fn project(&self, into: &str) {
        let store = SqliteStore::open(&self.path("cim.db")).expect("a store");
        let read_model = ReadModel::open_or_create(&self.path(into)).expect("a read model");
        let projector = Projector::new(
            Arc::new(store),
            Box::new(Counting::default()),
            read_model,
            ProjectorOptions::default(),
        );
        let ended = projector.run(Until::CaughtUp).await.expect("it works");
        assert_eq!(ended.events, 3);
    }

    /// The lines of an export, without the first, which has the time.
    fn events(&self, export: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(export)).expect("an export");
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// Runs what has to work.
    #[track_caller]
    fn cim(&self, line: &str) {
        let output = self.run(line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cim {line}: {stderr}");
    }

    fn run(&self, line: &str) -> Output {
        let (folder, line) = line.split_once("> ").unwrap_or((".", line));
        let (line, input) = match line.split_once(" < ") {
            Some((line, file)) => (line, fs::File::open(self.path(file)).expect("it").into()),
            None => (line, Stdio::null()),
        };
        let mut command = Command::new(cim_binary());
        command
            .args(words(line))
            .current_dir(self.path(folder))
            .stdin(input)
            .env_clear();
        command.output().expect("cim starts")
    }

    /// The text of a stream, with nothing in it that differs from run to run.
    fn shown(&self, stream: &[u8]) -> String {
        let text = String::from_utf8(stream.to_vec()).expect("the command writes UTF-8");
        let root = fs::canonicalize(self.0.path()).expect("the folder is there");
        let place = |text: String, path: &Path| text.replace(&path.display().to_string(), "[DIR]");
        place(place(text, &root), self.0.path())
    }
}

/// Splits a line at its spaces, except within single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('\'').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

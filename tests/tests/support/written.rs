//! Files of vectors that are made here: compared, or written anew where `CIM_WRITE_VECTORS` is set.

use std::path::Path;

use serde_json::Value;

/// Compares a file of `tests/vectors` with what it should be.
#[track_caller]
pub(crate) fn check(name: &str, vectors: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/{name}.json"));
    let mut made = ascii(&serde_json::to_string_pretty(vectors).expect("JSON"));
    made.push('\n');
    if std::env::var_os("CIM_WRITE_VECTORS").is_some() {
        std::fs::write(&path, &made).expect("the file can be written");
        panic!(
            "`{}` is written: look at it, and run this without",
            path.display()
        );
    }
    let found = std::fs::read_to_string(&path).expect("the file is there");
    assert!(
        found == made,
        "the core makes other vectors than `{}`",
        path.display()
    );
}

/// JSON with other characters escaped, so that they can be seen.
fn ascii(json: &str) -> String {
    let escaped = |letter: char| match letter.is_ascii() {
        true => letter.to_string(),
        false => {
            let mut units = [0; 2];
            let units = letter.encode_utf16(&mut units).iter();
            units.map(|unit| format!("\\u{unit:04x}")).collect()
        }
    };
    json.chars().map(escaped).collect()
}

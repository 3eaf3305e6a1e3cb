//! Golden files of upcasters.

use cim_core::testing::assert_golden;
use insta::assert_snapshot;
use serde_json::Value;

use crate::failure::failure;
use crate::lamp::Lamp;

const GOLDEN: &str = r#"{
  "cases": [
    {
      "stored": {"type": "LampLit", "version": 1, "body": {"w":2}},
      "read": [
        {"type": "LampLit", "version": 3, "body": {"milliwatts":2000,"was":{"watts":2}}}
      ]
    },
    {
      "stored": {"type": "LampCarried", "version": 1, "body": ["hall","an \"attic\" {1, 2}\\"]},
      "read": [
        {"type": "LampMoved", "version": 1, "body": {"room":"hall"}},
        {"type": "LampMoved", "version": 1, "body": {"room":"an \"attic\" {1, 2}\\"}}
      ]
    },
    {
      "stored": {"type": "LampCleaned", "version": 1, "body": {}},
      "read": []
    },
    {
      "stored": {"type": "LampLit", "version": 2, "body": {"watts":3}},
      "read": [
        {"type": "LampLit", "version": 3, "body": {"milliwatts":3000,"was":{"watts":3}}}
      ]
    }
  ]
}
"#;

#[test]
fn a_golden_file_passes_however_it_is_laid_out() {
    assert_golden::<Lamp>(GOLDEN);
    let parsed: Value = serde_json::from_str(GOLDEN).expect("JSON");
    assert_golden::<Lamp>(&parsed.to_string());
    assert_golden::<Lamp>(&format!("{parsed:#}"));
    let other_order = r#"{"was":{"watts":2},"milliwatts":2000}"#;
    let reordered = GOLDEN.replace(r#"{"milliwatts":2000,"was":{"watts":2}}"#, other_order);
    assert_ne!(reordered, GOLDEN);
    assert_golden::<Lamp>(&reordered);
}

#[test]
fn a_golden_file_that_says_something_else() {
    let wrong = GOLDEN
        .replace("2000", "2001")
        .replace(r#"{"room":"hall"}},"#, r#"{"room":"cellar"}},"#)
        .replace(
            r#""read": []"#,
            r#""read": [{"type": "LampLit", "version": 3, "body": {}}]"#,
        );
    let told = failure(|| assert_golden::<Lamp>(&wrong));
    assert_snapshot!(told, @r#"
    upcasting does not give what the golden file says (- expected, + found)
    case 1, {"type": "LampLit", "version": 1, "body": {"w":2}}
    - {"type": "LampLit", "version": 3, "body": {"milliwatts":2001,"was":{"watts":2}}}
    + {"type": "LampLit", "version": 3, "body": {"milliwatts":2000,"was":{"watts":2}}}
    case 2, {"type": "LampCarried", "version": 1, "body": ["hall","an \"attic\" {1, 2}\\"]}
    - {"type": "LampMoved", "version": 1, "body": {"room":"cellar"}}
    + {"type": "LampMoved", "version": 1, "body": {"room":"hall"}}
      {"type": "LampMoved", "version": 1, "body": {"room":"an \"attic\" {1, 2}\\"}}
    case 3, {"type": "LampCleaned", "version": 1, "body": {}}
    - {"type": "LampLit", "version": 3, "body": {}}
    the whole file as it should be now:
    {
      "cases": [
        {
          "stored": {"type": "LampLit", "version": 1, "body": {"w":2}},
          "read": [
            {"type": "LampLit", "version": 3, "body": {"milliwatts":2000,"was":{"watts":2}}}
          ]
        },
        {
          "stored": {"type": "LampCarried", "version": 1, "body": ["hall","an \"attic\" {1, 2}\\"]},
          "read": [
            {"type": "LampMoved", "version": 1, "body": {"room":"hall"}},
            {"type": "LampMoved", "version": 1, "body": {"room":"an \"attic\" {1, 2}\\"}}
          ]
        },
        {
          "stored": {"type": "LampCleaned", "version": 1, "body": {}},
          "read": []
        },
        {
          "stored": {"type": "LampLit", "version": 2, "body": {"watts":3}},
          "read": [
            {"type": "LampLit", "version": 3, "body": {"milliwatts":3000,"was":{"watts":3}}}
          ]
        }
      ]
    }
    "#);
    assert!(told.ends_with(&format!(":\n{GOLDEN}")), "{told}");
}

#[test]
fn each_way_in_which_a_golden_file_can_differ_is_seen() {
    let wrong = |from: &str, to: &str| {
        let text = GOLDEN.replacen(from, to, 1);
        assert_ne!(text, GOLDEN);
        let told = failure(|| assert_golden::<Lamp>(&text));
        assert!(told.ends_with(&format!(":\n{GOLDEN}")), "{told}");
    };
    wrong(
        r#""read": []"#,
        r#""read": [{"type":"LampLit","version":3,"body":{}}]"#,
    );
    wrong(r#""version": 3"#, r#""version": 4"#);
    wrong(r#"{"type": "LampMoved""#, r#"{"type": "LampLost""#);
    wrong("2000", "2000.0");
    wrong(r#""body": {"room":"hall"}"#, r#""body": {}"#);
    wrong(
        r#"{"type": "LampMoved", "version": 1, "body": {"room":"hall"}},"#,
        "",
    );
    wrong(r#","was":{"watts":2}"#, "");
}

#[test]
fn a_golden_file_without_a_case_for_each_step() {
    let (first_two, _) = GOLDEN
        .split_once(",\n    {\n      \"stored\": {\"type\": \"LampCleaned\"")
        .expect("the third case");
    let few = format!("{first_two}]}}");
    let told = failure(|| assert_golden::<Lamp>(&few));
    assert_snapshot!(told, @r#"
    the golden file has no case that begins with these steps:
      LampCleaned, version 1
      LampLit, version 2
    expected `{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`
    "#);
}

#[test]
fn a_golden_file_with_cases_that_cannot_be_read() {
    let bad = GOLDEN
        .replace(r#"{"w":2}"#, r#"{"x":2}"#)
        .replace(r#""LampCleaned""#, r#""LampLost""#)
        .replace(r#"{"room":"hall"}},"#, r#"{"room":"cellar"}},"#);
    let told = failure(|| assert_golden::<Lamp>(&bad));
    assert_snapshot!(told, @r#"
    upcasting does not give what the golden file says (- expected, + found)
    case 1, {"type": "LampLit", "version": 1, "body": {"x":2}}
      upcasting version 1 of `LampLit` failed
      caused by: no `w`
    case 2, {"type": "LampCarried", "version": 1, "body": ["hall","an \"attic\" {1, 2}\\"]}
    - {"type": "LampMoved", "version": 1, "body": {"room":"cellar"}}
    + {"type": "LampMoved", "version": 1, "body": {"room":"hall"}}
      {"type": "LampMoved", "version": 1, "body": {"room":"an \"attic\" {1, 2}\\"}}
    case 3, {"type": "LampLost", "version": 1, "body": {}}
      `lamp` has no event of type `LampLost`, found one of version 1
    the whole file is printed here as soon as every case can be read
    "#);
}

#[test]
fn a_golden_file_that_the_domain_cannot_decode() {
    let payload = r#"{"type":"LampMoved","version":1,"body":{"room":7}}"#;
    let told = failure(|| {
        assert_golden::<Lamp>(&format!(
            r#"{{"cases":[{{"stored":{payload},"read":[{payload}]}}]}}"#
        ));
    });
    assert_snapshot!(told, @r#"
    upcasting does not give what the golden file says (- expected, + found)
    case 1, {"type": "LampMoved", "version": 1, "body": {"room":7}}
      the payload is not a `LampMoved`
      caused by: invalid type: integer `7`, expected a string at line 1 column 9
    the whole file is printed here as soon as every case can be read
    "#);
}

#[test]
fn what_is_no_golden_file() {
    let stored = r#""stored":{"type":"LampCleaned","version":1,"body":{}}"#;
    let told = [
        "".to_owned(),
        r#"{"cases":[]}"#.to_owned(),
        r#"{"case":[]}"#.to_owned(),
        format!(r#"{{"cases":[{{{stored}}}]}}"#),
        format!(r#"{{"cases":[{{{stored},"read":[],"note":"x"}}]}}"#),
        r#"{"cases":[{"stored":{"type":"A","version":1,"body":{},"id":1},"read":[]}]}"#.to_owned(),
        r#"{"cases":[{"stored":{"type":"a","version":1,"body":{}},"read":[]}]}"#.to_owned(),
        r#"{"cases":[{"stored":{"type":"A","version":0,"body":{}},"read":[]}]}"#.to_owned(),
    ]
    .map(|text| failure(|| assert_golden::<Lamp>(&text)));
    assert_snapshot!(told.join("\n\n"), @r#"
    the golden file cannot be read: EOF while parsing a value at line 1 column 0
    expected `{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`

    the golden file has no case, so that nothing is checked
    expected `{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`

    the golden file cannot be read: unknown field `case`, expected `cases` at line 1 column 7
    expected `{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`

    the golden file cannot be read: missing field `read` at line 1 column 65
    expected `{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`

    the golden file cannot be read: unknown field `note`, expected `stored` or `read` at line 1 column 81
    expected `{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`

    the golden file cannot be read: unknown field `id`, expected one of `type`, `version`, `body` at line 1 column 58
    expected `{"cases":[{"stored":{"type":"…","version":1,"body":{…}},"read":[{"type":"…","version":2,"body":{…}}]}]}`

    upcasting does not give what the golden file says (- expected, + found)
    case 1, {"type": "a", "version": 1, "body": {}}
      `a` is not an event type: it must begin with A-Z and have only A-Z, a-z and 0-9
    the whole file is printed here as soon as every case can be read

    upcasting does not give what the golden file says (- expected, + found)
    case 1, {"type": "A", "version": 0, "body": {}}
      `0` is not a schema version: expected an integer from 1 to 9007199254740991, in digits
    the whole file is printed here as soon as every case can be read
    "#);
}

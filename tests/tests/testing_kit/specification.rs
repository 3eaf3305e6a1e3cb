//! Given events, when a command, then events.

use cim_core::testing::{given, given_stored};
use insta::assert_snapshot;
use serde_json::json;

use crate::failure::failure;
use crate::lamp::{
    Lamp, LampCommand, LampEvent, LampState, Refusal, light, lit, move_to, moved, state,
};

#[test]
fn what_is_as_expected_passes_and_the_history_goes_on() {
    given::<Lamp>([])
        .then_state(LampState::default())
        .when(move_to(&["hall"]))
        .then_refused(Refusal::NotLit)
        .when(light(40))
        .then([lit(40)])
        .when(light(40))
        .then_nothing()
        .when(light(40))
        .then([])
        .when(move_to(&["hall", "attic"]))
        .then([moved("hall"), moved("attic")])
        .then_state(state(40, &["hall", "attic"]));
    let given = given::<Lamp>(vec![lit(1), moved("hall")]);
    assert_eq!(given.state(), &state(1, &["hall"]));
    assert_eq!(
        given.when(light(9_000)).answer(),
        Err(Refusal::TooBright { most: 5_000 })
    );
}

#[test]
fn other_events_than_expected() {
    let told = failure(|| {
        let rooms = [
            "hall",
            "a room in the attic where nobody has been for years",
        ];
        given::<Lamp>([
            lit(40),
            moved("a cellar with a name that is too long for one line, so that it has several"),
        ])
        .when(move_to(&rooms))
        .then([moved("hall"), lit(7), moved("attic")]);
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given 2 events:
        1. LampLit { milliwatts: 40 }
        2. LampMoved {
               room: "a cellar with a name that is too long for one line, so that it has several",
           }
    when:
        MoveLamp { rooms: ["hall", "a room in the attic where nobody has been for years"] }
    expected 3 events:
        1. LampMoved { room: "hall" }
        2. LampLit { milliwatts: 7 }
        3. LampMoved { room: "attic" }
    found 2 events:
        1. LampMoved { room: "hall" }
        2. LampMoved { room: "a room in the attic where nobody has been for years" }
    difference (- expected, + found):
          LampMoved {
              room: "hall",
          }
        - LampLit {
        -     milliwatts: 7,
        - }
          LampMoved {
        -     room: "attic",
        +     room: "a room in the attic where nobody has been for years",
          }
    "#);
    let told = failure(|| {
        given::<Lamp>([]).when(light(40)).then([]);
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given no event
    when:
        LightLamp { milliwatts: 40 }
    expected no event
    found 1 event:
        1. LampLit { milliwatts: 40 }
    "#);
    let told = failure(|| {
        given::<Lamp>([lit(40)]).when(light(40)).then([lit(40)]);
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given 1 event:
        1. LampLit { milliwatts: 40 }
    when:
        LightLamp { milliwatts: 40 }
    expected 1 event:
        1. LampLit { milliwatts: 40 }
    found no event
    "#);
}

#[test]
fn a_refusal_instead_of_events() {
    let told = failure(|| {
        given::<Lamp>([]).when(light(9_000)).then([lit(9_000)]);
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given no event
    when:
        LightLamp { milliwatts: 9000 }
    expected 1 event:
        1. LampLit { milliwatts: 9000 }
    found a refusal:
        TooBright { most: 5000 }
    "#);
}

#[test]
fn another_refusal_or_none() {
    let told = failure(|| {
        given::<Lamp>([])
            .when(light(9_000))
            .then_refused(Refusal::TooBright { most: 4_000 });
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given no event
    when:
        LightLamp { milliwatts: 9000 }
    expected a refusal:
        TooBright { most: 4000 }
    found a refusal:
        TooBright { most: 5000 }
    "#);
    let told = failure(|| {
        given::<Lamp>([])
            .when(light(40))
            .then_refused(Refusal::NotLit);
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given no event
    when:
        LightLamp { milliwatts: 40 }
    expected a refusal:
        NotLit
    found 1 event:
        1. LampLit { milliwatts: 40 }
    "#);
}

#[test]
fn something_instead_of_nothing() {
    let told = failure(|| {
        given::<Lamp>([]).when(light(40)).then_nothing();
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given no event
    when:
        LightLamp { milliwatts: 40 }
    expected no event
    found 1 event:
        1. LampLit { milliwatts: 40 }
    "#);
    let told = failure(|| {
        given::<Lamp>([]).when(move_to(&[])).then_nothing();
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given no event
    when:
        MoveLamp { rooms: [] }
    expected no event
    found a refusal:
        NotLit
    "#);
}

#[test]
fn another_state() {
    let told = failure(|| {
        given::<Lamp>([lit(40), moved("hall")]).then_state(state(41, &["hall", "attic"]));
    });
    assert_snapshot!(told, @r#"
    the state is not as expected
    given 2 events:
        1. LampLit { milliwatts: 40 }
        2. LampMoved { room: "hall" }
    expected:
        LampState { milliwatts: Some(41), rooms: ["hall", "attic"] }
    found:
        LampState { milliwatts: Some(40), rooms: ["hall"] }
    difference (- expected, + found):
          LampState {
              milliwatts: Some(
        -         41,
        +         40,
              ),
              rooms: [
                  "hall",
        -         "attic",
              ],
          }
    "#);
}

#[test]
fn what_was_decided_before_is_among_what_is_given() {
    let told = failure(|| {
        given::<Lamp>([])
            .when(light(40))
            .then([lit(40)])
            .when(light(40))
            .then_refused(Refusal::NotLit);
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given 1 event:
        1. LampLit { milliwatts: 40 }
    when:
        LightLamp { milliwatts: 40 }
    expected a refusal:
        NotLit
    found no event
    "#);
}

#[test]
fn values_that_look_alike_and_are_not_equal() {
    let sell = || LampCommand::Sell { price: f64::NAN };
    let told = failure(|| {
        let sold = LampEvent::Sold { price: f64::NAN };
        given::<Lamp>([]).when(sell()).then([sold]);
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given no event
    when:
        Sell { price: NaN }
    expected 1 event:
        1. Sold { price: NaN }
    found 1 event:
        1. Sold { price: NaN }
    difference:
        `Debug` writes both alike, and `PartialEq` tells them apart
    "#);
}

#[test]
fn stored_events_are_read_through_the_upcasters() {
    given_stored::<Lamp>([
        ("LampLit", 1, json!({ "w": 1 })),
        ("LampCleaned", 1, json!({})),
        ("LampLit", 3, json!({ "milliwatts": 40 })),
        ("LampCarried", 1, json!(["hall", "attic"])),
    ])
    .then_state(state(40, &["hall", "attic"]))
    .when(light(40))
    .then_nothing();
    let told = failure(|| {
        given_stored::<Lamp>([
            ("LampLit", 2, r#"{"watts":1}"#),
            ("LampCleaned", 1, "{}"),
            ("LampCarried", 1, r#"["hall","attic"]"#),
        ])
        .when(light(40))
        .then_nothing();
    });
    assert_snapshot!(told, @r#"
    the command was not decided as expected
    given 3 events:
        1. LampLit, version 2: {"watts":1}
           read as LampLit { milliwatts: 1000 }
        2. LampCleaned, version 1: {}
           read as nothing
        3. LampCarried, version 1: ["hall","attic"]
           read as LampMoved { room: "hall" }, LampMoved { room: "attic" }
    when:
        LightLamp { milliwatts: 40 }
    expected no event
    found 1 event:
        1. LampLit { milliwatts: 40 }
    "#);
}

#[test]
fn stored_events_that_cannot_be_read() {
    let told = [
        ("LampLit", 1, r#"{"watts":1}"#),
        ("LampLit", 4, "{}"),
        ("LampLost", 1, "{}"),
        ("LampMoved", 1, r#"{"room":7}"#),
        ("LampMoved", 1, "not JSON"),
        ("lamp", 1, "{}"),
        ("LampMoved", 0, "{}"),
    ]
    .map(|second| {
        failure(|| {
            let first = ("LampMoved", 1, r#"{"room":"hall"}"#);
            let _ = given_stored::<Lamp>([first, second]);
        })
    });
    assert_snapshot!(told.join("\n\n"), @r#"
    stored event 2 cannot be read
    stored:
        LampLit, version 1: {"watts":1}
    error:
        upcasting version 1 of `LampLit` failed
        caused by: no `w`

    stored event 2 cannot be read
    stored:
        LampLit, version 4: {}
    error:
        the schema of `LampLit` is too new: expected at most version 3, found 4; a later version of this program reads it

    stored event 2 cannot be read
    stored:
        LampLost, version 1: {}
    error:
        `lamp` has no event of type `LampLost`, found one of version 1

    stored event 2 cannot be read
    stored:
        LampMoved, version 1: {"room":7}
    error:
        the payload is not a `LampMoved`
        caused by: invalid type: integer `7`, expected a string at line 1 column 9

    stored event 2 cannot be read
    stored:
        LampMoved, version 1: not JSON
    error:
        the payload is not a `LampMoved`
        caused by: expected an object

    stored event 2 cannot be read
    stored:
        lamp, version 1: {}
    error:
        `lamp` is not an event type: it must begin with A-Z and have only A-Z, a-z and 0-9

    stored event 2 cannot be read
    stored:
        LampMoved, version 0: {}
    error:
        `0` is not a schema version: expected an integer from 1 to 9007199254740991, in digits
    "#);
}

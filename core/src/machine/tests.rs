//! Machines that are sound and ones that are not, their tables against naive ones, their diagrams.

use std::error::Error;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

/// A door that closes by itself and can be locked for good.
fn door() -> MealyBuilder<&'static str, &'static str, &'static str> {
    Mealy::builder(["shut", "open", "locked"], ["push", "wait", "lock"], "shut")
        .transition("shut", "push", "open", "DoorOpened")
        .transition("shut", "lock", "locked", "DoorLocked")
        .refuse("shut", ["wait"])
        .transition("open", "wait", "shut", "DoorShut")
        .refuse("open", ["push", "lock"])
        .final_state("locked")
}

/// The same without events, and with a light.
fn light() -> MooreBuilder<&'static str, &'static str, &'static str> {
    Moore::builder(["shut", "open", "locked"], ["push", "wait", "lock"], "shut")
        .output("open", "green")
        .output("locked", "dark")
        .output("shut", "red")
        .transition("shut", "push", "open")
        .transition("shut", "lock", "locked")
        .refuse("shut", ["wait"])
        .transition("open", "wait", "shut")
        .refuse("open", ["push", "lock"])
        .final_state("locked")
}

type Fault = MachineError<&'static str, &'static str>;

#[track_caller]
fn check(found: Result<Mealy<&str, &str, &str>, Fault>, expect: Fault, code: &str, shown: &str) {
    let fault = found.expect_err("a mistake in the description");
    assert_eq!(fault, expect);
    assert_eq!((fault.code(), fault.to_string().as_str()), (code, shown));
}

#[test]
fn a_mealy_machine_gives_the_output_of_the_transition() {
    let door = door().build().expect("a sound machine");
    assert_eq!(door.initial(), "shut");
    assert_eq!(door.states(), ["shut", "open", "locked"]);
    assert_eq!(door.inputs(), ["push", "wait", "lock"]);
    assert_eq!(door.step("shut", "push"), Ok(("open", "DoorOpened")));
    assert_eq!(door.step("open", "wait"), Ok(("shut", "DoorShut")));
    assert_eq!(door.step("shut", "lock"), Ok(("locked", "DoorLocked")));
    assert_eq!(door.accepts("shut"), ["push", "lock"]);
    assert_eq!(door.accepts("locked"), [""; 0]);
    let finals = door.states().iter().map(|&state| door.is_final(state));
    assert_eq!(Vec::from_iter(finals), [false, false, true]);
}

#[test]
fn a_moore_machine_gives_the_output_of_the_state() {
    let light = light().build().expect("a sound machine");
    assert_eq!(light.initial(), "shut");
    assert_eq!(light.next("shut", "push"), Ok("open"));
    assert_eq!(light.accepts("open"), ["wait"]);
    assert!(light.is_final("locked") && !light.is_final("open"));
    assert_eq!(light.inputs(), ["push", "wait", "lock"]);
    let outputs = light.states().iter().map(|&state| light.output(state));
    assert_eq!(Vec::from_iter(outputs), ["red", "green", "dark"]);
}

#[test]
fn a_refusal_says_what_would_be_taken() {
    let door = door().build().expect("a sound machine");
    let refused = door.step("shut", "wait").expect_err("refused on purpose");
    assert_eq!((refused.state, refused.input), ("shut", "wait"));
    assert_eq!(*refused.accepted, ["push", "lock"]);
    assert_eq!(refused.code(), "transition-refused");
    let shown = "expected `push`, `lock` in state `shut`, found `wait`";
    assert_eq!(refused.to_string(), shown);
    assert!(refused.source().is_none());

    let refused = door.step("locked", "push").expect_err("final");
    let shown = "expected nothing more in state `locked`, found `push`";
    assert_eq!(refused.to_string(), shown);
}

#[test]
fn what_was_not_declared_is_refused() {
    let door = door().build().expect("a sound machine");
    let refused = door.step("ajar", "push").expect_err("no such state");
    assert!(refused.accepted.is_empty());
    let refused = door.step("open", "kick").expect_err("no such input");
    assert_eq!(*refused.accepted, ["wait"]);
    assert_eq!(door.accepts("ajar"), [""; 0]);
    assert!(!door.is_final("ajar"));
}

#[test]
#[should_panic(expected = "the machine has no state `ajar`")]
fn there_is_no_output_of_a_state_that_was_not_declared() {
    light().build().expect("a sound machine").output("ajar");
}

#[test]
fn machines_live_in_statics() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Moore<u8, u8, u8>>();
    is_shared::<Mealy<u8, u8, u8>>();
    is_shared::<Refused<u8, u8>>();
    is_shared::<MachineError<u8, u8>>();
}

#[test]
fn one_state_and_no_input_is_a_machine() {
    let done: Moore<_, &str, _> = Moore::builder(["done"], [], "done")
        .output("done", "!")
        .build()
        .expect("a sound machine");
    assert!(done.is_final("done"));
    assert_eq!(done.output("done"), "!");
}

#[test]
fn refuses_a_machine_without_states() {
    check(
        Mealy::builder([], ["push"], "shut").build(),
        Fault::NoStates,
        "machine-without-states",
        "a machine has at least one state",
    );
}

#[test]
fn refuses_what_is_declared_twice() {
    check(
        Mealy::builder(["a", "b", "a", "b", "a"], ["x", "x"], "a").build(),
        Fault::Repeated {
            states: vec!["a", "b"],
            inputs: vec!["x"],
        },
        "machine-repeated",
        "declared more than once: state `a`, state `b`, input `x`",
    );
}

#[test]
fn refuses_what_is_not_declared() {
    check(
        Mealy::builder(["shut"], ["push"], "initial")
            .transition("from", "by", "to", "")
            .transition("from", "push", "shut", "")
            .refuse("refusing", ["refused"])
            .final_state("final")
            .build(),
        Fault::Undeclared {
            states: vec!["initial", "from", "to", "refusing", "final"],
            inputs: vec!["by", "refused"],
        },
        "machine-undeclared",
        "not declared: state `initial`, state `from`, state `to`, state `refusing`, \
         state `final`, input `by`, input `refused`",
    );
    let fault = light().output("ajar", "blue").build().map(|_| ());
    let (states, inputs) = (vec!["ajar"], vec![]);
    assert_eq!(fault, Err(Fault::Undeclared { states, inputs }));
}

#[test]
fn refuses_two_transitions_for_one_pair() {
    check(
        door()
            .transition("open", "wait", "shut", "DoorShut")
            .transition("shut", "push", "locked", "DoorLocked")
            .build(),
        Fault::Ambiguous {
            pairs: vec![("shut", "push"), ("open", "wait")],
        },
        "machine-ambiguous",
        "more than one transition: state `shut` on `push`, state `open` on `wait`",
    );
}

#[test]
fn refuses_a_transition_that_is_refused_on_purpose() {
    check(
        door()
            .transition("open", "push", "open", "")
            .transition("locked", "lock", "shut", "")
            .build(),
        Fault::Contradictory {
            pairs: vec![("open", "push"), ("locked", "lock")],
        },
        "machine-contradictory",
        "refused on purpose, and yet a transition: state `open` on `push`, \
         state `locked` on `lock`",
    );
}

#[test]
fn refuses_pairs_that_nobody_thought_of() {
    check(
        Mealy::builder(["a", "b"], ["x", "y"], "a")
            .transition("a", "x", "b", "")
            .refuse("b", ["x"])
            .build(),
        Fault::Incomplete {
            pairs: vec![("a", "y"), ("b", "y")],
        },
        "machine-incomplete",
        "neither a transition nor refused on purpose: state `a` on `y`, state `b` on `y`",
    );
}

#[test]
fn refuses_states_that_cannot_be_reached() {
    check(
        Mealy::builder(["a", "b", "c", "d"], ["x"], "b")
            .transition("a", "x", "b", "")
            .transition("b", "x", "b", "")
            .transition("c", "x", "d", "")
            .transition("d", "x", "c", "")
            .build(),
        Fault::Unreachable {
            states: vec!["a", "c", "d"],
        },
        "machine-unreachable",
        "not reachable from the initial state: state `a`, state `c`, state `d`",
    );
}

#[test]
fn refuses_a_moore_state_without_an_output_or_with_two() {
    let moore = |outputs: &[&'static str]| {
        let builder = Moore::builder(["a", "b", "c"], [""; 0], "a");
        let builder = outputs
            .iter()
            .fold(builder, |builder, state| builder.output(state, 1));
        builder
            .build()
            .map(|_| ())
            .expect_err("outputs that do not fit")
    };
    let fault = moore(&["b", "b"]);
    let states = vec!["a", "c"];
    assert_eq!(fault, Fault::OutputMissing { states });
    assert_eq!(fault.code(), "machine-output-missing");
    assert_eq!(fault.to_string(), "no output: state `a`, state `c`");

    let fault = moore(&["c", "b", "a", "a", "c"]);
    let states = vec!["a", "c"];
    assert_eq!(fault, Fault::OutputRepeated { states });
    assert_eq!(fault.code(), "machine-output-repeated");
    assert_eq!(
        fault.to_string(),
        "more than one output: state `a`, state `c`"
    );
}

#[test]
fn a_moore_diagram_describes_states_by_outputs() {
    let expect = r#"stateDiagram-v2
    state "shut" as s_shut
    state "open" as s_open
    state "locked" as s_locked
    s_shut: red
    s_open: green
    s_locked: dark
    [*] --> s_shut
    s_shut --> s_open: push
    s_shut --> s_locked: lock
    s_open --> s_shut: wait
    s_locked --> [*]
"#;
    assert_eq!(light().build().expect("a sound machine").mermaid(), expect);
}

#[test]
fn a_mealy_diagram_names_transitions_by_input_and_output() {
    let expect = r#"stateDiagram-v2
    state "shut" as s_shut
    state "open" as s_open
    state "locked" as s_locked
    [*] --> s_shut
    s_shut --> s_open: push / DoorOpened
    s_shut --> s_locked: lock / DoorLocked
    s_open --> s_shut: wait / DoorShut
    s_locked --> [*]
"#;
    assert_eq!(door().build().expect("a sound machine").mermaid(), expect);
}

#[test]
fn no_name_breaks_a_diagram() {
    let states = [
        "end",
        "a b",
        "a_b",
        "a\"b",
        "say \"x\": y --> z",
        "läuft;\n%%{init}%%",
        "",
    ];
    let inputs = ["direction LR", "<<fork>> [*]", "#35; <b>&amp;"];
    let mut builder = Moore::builder(states, inputs, "end");
    for (at, state) in states.into_iter().enumerate() {
        let next = states[(at + 1) % states.len()];
        builder = builder
            .transition(state, inputs[at % 3], next)
            .refuse(state, [inputs[(at + 1) % 3], inputs[(at + 2) % 3]])
            .output(state, "note: }\r\nend note");
    }
    let expect = r#"stateDiagram-v2
    state "end" as s_end
    state "a b" as s_a_b
    state "a_b" as s_a_b_2
    state "a#34;b" as s_a_b_3
    state "say #34;x#34;#58; y --#62; z" as s_say__x___y_____z
    state "läuft#59; #37;#37;#123;init#125;#37;#37;" as s_l_uft_____init___
    state "(no name)" as s_
    s_end: note#58; #125; end note
    s_a_b: note#58; #125; end note
    s_a_b_2: note#58; #125; end note
    s_a_b_3: note#58; #125; end note
    s_say__x___y_____z: note#58; #125; end note
    s_l_uft_____init___: note#58; #125; end note
    s_: note#58; #125; end note
    [*] --> s_end
    s_end --> s_a_b: direction#32;LR
    s_a_b --> s_a_b_2: #60;#60;fork#62;#62; #91;#42;#93;
    s_a_b_2 --> s_a_b_3: #35;35#59; #60;b#62;#38;amp#59;
    s_a_b_3 --> s_say__x___y_____z: direction#32;LR
    s_say__x___y_____z --> s_l_uft_____init___: #60;#60;fork#62;#62; #91;#42;#93;
    s_l_uft_____init___ --> s_: #35;35#59; #60;b#62;#38;amp#59;
    s_ --> s_end: direction#32;LR
"#;
    assert_eq!(builder.build().expect("a sound machine").mermaid(), expect);
}

/// A table of states and inputs, named by their positions: where each pair leads, if anywhere.
type Naive = Vec<Vec<Option<usize>>>;

fn naive() -> impl Strategy<Value = Naive> {
    (1_usize..8, 0_usize..5)
        .prop_flat_map(|(n_states, n_inputs)| vec(vec(option::of(0..n_states), n_inputs), n_states))
}

/// The output of the transition from a state by an input.
fn output(state: usize, input: usize) -> usize {
    100 * state + input
}

fn builder(naive: &Naive) -> MealyBuilder<usize, usize, usize> {
    let mut builder = Mealy::builder(0..naive.len(), 0..naive[0].len(), 0);
    for (state, row) in naive.iter().enumerate() {
        for (input, cell) in row.iter().enumerate() {
            builder = match *cell {
                Some(to) => builder.transition(state, input, to, output(state, input)),
                None => builder.refuse(state, [input]),
            };
        }
    }
    builder
}

/// Whether there is a way from the first state to `state` that visits none twice.
fn is_reachable(naive: &Naive, state: usize) -> bool {
    fn search(naive: &Naive, way: &mut Vec<usize>, from: usize, to: usize) -> bool {
        if from == to {
            return true;
        }
        way.push(from);
        let mut next = naive[from].iter().flatten();
        let found = next.any(|&next| !way.contains(&next) && search(naive, way, next, to));
        way.pop();
        found
    }
    search(naive, &mut Vec::new(), 0, state)
}

/// The table with every state but the first led to from the one before, so that all are reachable.
fn connected(mut naive: Naive) -> Naive {
    for state in 1..naive.len() {
        naive[state - 1].push(Some(state));
    }
    let n_inputs = naive.iter().map(Vec::len).max().unwrap_or_default();
    for row in &mut naive {
        row.resize(n_inputs, None);
    }
    naive
}

proptest! {
    #[test]
    fn exactly_the_states_that_a_search_does_not_find_are_unreachable(naive in naive()) {
        let all = 0..naive.len();
        let states: Vec<usize> = all.filter(|&state| !is_reachable(&naive, state)).collect();
        match builder(&naive).build() {
            Ok(_) => prop_assert!(states.is_empty(), "{states:?}"),
            Err(fault) => prop_assert_eq!(fault, MachineError::Unreachable { states }),
        }
    }

    #[test]
    fn every_pair_leads_where_it_was_said_or_is_refused(naive in naive().prop_map(connected)) {
        let machine = builder(&naive).build().expect("all states are reachable");
        for &state in machine.states() {
            let mut accepted = Vec::new();
            for &input in machine.inputs() {
                match machine.step(state, input) {
                    Ok((to, made)) => {
                        accepted.push(input);
                        prop_assert!(machine.states().contains(&to));
                        prop_assert_eq!(naive[state][input], Some(to));
                        prop_assert_eq!(made, output(state, input));
                    }
                    Err(refused) => {
                        prop_assert_eq!(naive[state][input], None);
                        prop_assert_eq!(&*refused.accepted, machine.accepts(state));
                    }
                }
            }
            prop_assert_eq!(machine.accepts(state), accepted.as_slice());
            prop_assert_eq!(machine.is_final(state), accepted.is_empty());
        }
    }

    #[test]
    fn an_input_that_no_state_knows_of_is_told_for_each(naive in naive().prop_map(connected)) {
        let (states, unknown) = (0..naive.len(), naive[0].len());
        let mut builder = Mealy::builder(states.clone(), 0..=unknown, 0);
        for (state, row) in naive.iter().enumerate() {
            for (input, cell) in row.iter().enumerate() {
                builder = match *cell {
                    Some(to) => builder.transition(state, input, to, 0),
                    None => builder.refuse(state, [input]),
                };
            }
        }
        let fault = builder.build().expect_err("an input without a cell");
        let pairs = states.map(|state| (state, unknown)).collect();
        prop_assert_eq!(fault, MachineError::Incomplete { pairs });
    }

    #[test]
    fn a_diagram_has_the_same_lines_whatever_the_names(
        names in vec(any::<String>(), 3),
        input in any::<String>(),
        output in "(?s).{0,9}([dD]irection\\s+(TB|lr))?.{0,9}",
    ) {
        let [a, b, c] = [0, 1, 2].map(|at| names[at].as_str());
        prop_assume!(a != b && b != c && c != a);
        let machine = Mealy::builder([a, b, c], [input.as_str()], a)
            .transition(a, &input, b, output.as_str())
            .transition(b, &input, c, &output)
            .final_state(c)
            .build()
            .expect("a sound machine");
        let text = machine.mermaid();
        let lines: Vec<&str> = text.lines().collect();
        prop_assert_eq!(lines.len(), 8, "{}", text);
        for line in &lines[1..4] {
            let parts = line.split_once("\" as ").expect("a name and an id");
            let label = parts.0.strip_prefix("    state \"").expect("a name");
            prop_assert!(is_label(label) && is_id(parts.1), "{}", line);
        }
        for line in &lines[5..7] {
            let (ids, label) = line.split_once(": ").expect("a label");
            let (from, to) = ids.trim_start().split_once(" --> ").expect("two ids");
            prop_assert!(is_id(from) && is_id(to) && is_label(label), "{}", line);
        }
        prop_assert!(lines[7].ends_with(" --> [*]"), "{}", text);
    }
}

fn is_id(text: &str) -> bool {
    let rest = text.strip_prefix("s_");
    rest.is_some_and(|rest| {
        rest.chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_')
    })
}

/// Whether `text` is a label without anything that Mermaid reads as more than text.
fn is_label(text: &str) -> bool {
    let harmless =
        |char: char| !char.is_control() && !"\":%{}<>[]&*`\\|~^$@\u{2028}".contains(char);
    // Each semicolon ends a code, and each code is a number.
    let codes = text.split(';').rev().skip(1).all(|part| {
        let code = part.rsplit('#').next().unwrap_or_default();
        !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit())
    });
    let same = text.matches('#').count() == text.matches(';').count();
    let direction = text.to_ascii_lowercase().contains("direction ");
    !text.is_empty() && text.chars().all(harmless) && codes && same && !direction
}

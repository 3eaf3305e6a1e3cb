//! State diagrams as text for [Mermaid](https://mermaid.js.org/syntax/stateDiagram.html).
//!
//! Its grammar has no quoting that holds everywhere: a keyword, a colon or `-->` in a name can end
//! a line's meaning, and `direction LR` is a statement wherever in a line it stands. So a state is
//! drawn by an id of harmless characters, with a prefix that no keyword has, and what people read
//! is a label in which all but harmless characters are Mermaid's numeric codes.

use std::fmt::{self, Write as _};

use super::Symbol;
use super::table::Table;

/// Draws a machine; `descriptions` are texts below the names, by the states' positions.
pub(super) fn draw<S: Symbol, I: Symbol, O: Copy, D: fmt::Display>(
    table: &Table<S, I, O>,
    descriptions: Option<&[D]>,
    name: impl Fn(I, O) -> String,
) -> String {
    let ids = ids(&table.states);
    let id = |state| {
        let position = table.position(state);
        &ids[position.expect("a built machine names declared states only")]
    };
    let mut lines = vec!["stateDiagram-v2".to_owned()];
    for (state, id) in table.states.iter().zip(&ids) {
        lines.push(format!(
            "    state \"{}\" as {id}",
            label(&state.to_string())
        ));
    }
    for (description, id) in descriptions.unwrap_or_default().iter().zip(&ids) {
        lines.push(format!("    {id}: {}", label(&description.to_string())));
    }
    lines.push(format!("    [*] --> {}", id(table.initial)));
    for transition in table.transitions() {
        let (from, to) = (id(transition.from), id(transition.to));
        let name = label(&name(transition.input, transition.output));
        lines.push(format!("    {from} --> {to}: {name}"));
    }
    for (&state, id) in table.states.iter().zip(&ids) {
        if table.is_final(state) {
            lines.push(format!("    {id} --> [*]"));
        }
    }
    lines.join("\n") + "\n"
}

/// An id for each state, made of its name; with a number where another one has it already.
fn ids<S: Symbol>(states: &[S]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::with_capacity(states.len());
    for state in states {
        let name: String = state
            .to_string()
            .chars()
            .map(|char| {
                if char.is_ascii_alphanumeric() {
                    char
                } else {
                    '_'
                }
            })
            .collect();
        let mut id = format!("s_{name}");
        let mut number = 2;
        while ids.contains(&id) {
            id = format!("s_{name}_{number}");
            number += 1;
        }
        ids.push(id);
    }
    ids
}

/// `text` as a label on one line: white space and control characters become single spaces.
fn label(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    let words = text.split(|char: char| char.is_whitespace() || char.is_control());
    for word in words.filter(|word| !word.is_empty()) {
        if label.to_ascii_lowercase().ends_with("direction") {
            // `direction LR` is a statement even within a label.
            label.push_str("#32;");
        } else if !label.is_empty() {
            label.push(' ');
        }
        for char in word.chars() {
            if char.is_alphanumeric() || HARMLESS.contains(char) {
                label.push(char);
            } else {
                write!(label, "#{};", u32::from(char)).expect("a String takes all text");
            }
        }
    }
    if label.is_empty() {
        // An empty label is a fault of syntax in some places.
        label.push_str("(no name)");
    }
    label
}

/// What stands for itself in a label, besides letters and digits.
const HARMLESS: &str = "_-.,/()'!?=+";

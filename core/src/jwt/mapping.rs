//! Where an account's mappings lead what is published (nats-server `accounts.go`, `AddWeightedMappings`).
//!
//! Functions in a destination other than `wildcard` are not worked out.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Destination;
use super::validate::{contains, is_valid, reference};

/// Where a message may come to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Target {
    /// This subject.
    Subject(String),
    /// One that a function makes of this destination.
    Unknown(String),
}

/// Where messages to a subject may come to; none when they stay where they are. Where chance decides,
/// or the cluster, or which of several mappings is found first, all that may be.
pub(super) fn targets(mappings: &BTreeMap<String, Vec<Destination>>, subject: &str) -> Vec<Target> {
    let matching = mappings
        .iter()
        .filter(|(source, _)| is_valid(source) && contains(source, subject));
    matching
        .filter_map(|(source, destinations)| of_mapping(source, destinations, subject))
        .flatten()
        .collect()
}

/// `None` for a mapping with a destination that is none, which the server leaves out as a whole.
fn of_mapping(source: &str, destinations: &[Destination], subject: &str) -> Option<Vec<Target>> {
    let names: BTreeSet<&str> = destinations.iter().map(|to| to.subject.as_str()).collect();
    if names.len() < destinations.len() {
        return None;
    }
    let mut targets = Vec::new();
    // Messages of clusters without destinations of their own go by those without a cluster.
    let mut weights: BTreeMap<&str, u32> = BTreeMap::from([("", 0)]);
    for destination in destinations {
        let weight = match destination.weight {
            0 => 100,
            weight => u32::from(weight),
        };
        *weights.entry(&destination.cluster).or_default() += weight;
        targets.push(target(source, &destination.subject, subject)?);
    }
    let stay = weights.values().any(|weight| *weight != 100);
    if stay && !names.contains(source) {
        targets.push(Target::Subject(subject.to_owned()));
    }
    Some(targets)
}

/// `None` for a destination that cannot be one of this source.
fn target(source: &str, destination: &str, subject: &str) -> Option<Target> {
    let [froms, tos, tokens] =
        [source, destination, subject].map(|text| text.split('.').collect::<Vec<_>>());
    let is_open = froms.last() == Some(&">");
    if !is_valid(destination) || tos.contains(&"*") || is_open != (tos.last() == Some(&">")) {
        return None;
    }
    let wildcards: Vec<&str> = froms
        .iter()
        .zip(&tokens)
        .filter(|(from, _)| **from == "*")
        .map(|(_, token)| *token)
        .collect();
    let mut found: Vec<&str> = Vec::new();
    for to in &tos {
        match Token::read(to) {
            Token::Rest => found.extend(&tokens[froms.len() - 1..]),
            Token::Literal => found.push(to),
            Token::Wildcard(number) => {
                let index = usize::try_from(number).ok()?.checked_sub(1)?;
                found.push(wildcards.get(index)?);
            }
            Token::Function => return Some(Target::Unknown(destination.to_owned())),
        }
    }
    Some(Target::Subject(found.join(".")))
}

/// A token of a destination.
enum Token {
    Literal,
    /// All tokens that `>` stands for.
    Rest,
    Wildcard(i64),
    Function,
}

impl Token {
    fn read(text: &str) -> Self {
        if text == ">" {
            return Self::Rest;
        }
        if let Some(number) = reference(text) {
            return Self::Wildcard(number);
        }
        let inner = text
            .strip_prefix("{{")
            .and_then(|text| text.strip_suffix("}}"));
        let Some(inner) = inner else {
            return Self::Literal;
        };
        let wildcard = ["wildcard(", "Wildcard("]
            .iter()
            .find_map(|name| inner.strip_prefix(name))
            .and_then(|inner| inner.strip_suffix(')'))
            .and_then(|number| number.parse().ok());
        wildcard.map_or(Self::Function, Self::Wildcard)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(mappings: &Value, subject: &str, expected: &[&str]) {
        let mappings = serde_json::from_value(mappings.clone()).expect("mappings");
        let found: Vec<String> = targets(&mappings, subject)
            .into_iter()
            .map(|target| match target {
                Target::Subject(subject) => subject,
                Target::Unknown(destination) => format!("? {destination}"),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn wildcards_come_to_their_places() {
        let mappings = json!({
            "a.*": [{ "subject": "b.$1" }],
            "c.*.*": [{ "subject": "d.{{wildcard(2)}}.x.{{Wildcard(1)}}" }],
            "e.>": [{ "subject": "f.>" }],
            "g.*": [{ "subject": "h" }],
            "i.*": [{ "subject": "i.{{partition(3,1)}}" }],
        });
        check(&mappings, "a.x", &["b.x"]);
        check(&mappings, "a.x.y", &[]);
        check(&mappings, "c.x.y", &["d.y.x.x"]);
        check(&mappings, "e.x.y", &["f.x.y"]);
        check(&mappings, "g.x", &["h"]);
        check(&mappings, "i.x", &["? i.{{partition(3,1)}}"]);
    }

    #[test]
    fn all_that_chance_and_place_decide_counts() {
        let mappings = json!({
            "half": [{ "subject": "b", "weight": 50 }],
            "all": [{ "subject": "b", "weight": 50 }, { "subject": "c", "weight": 50 }],
            "loss": [{ "subject": "loss", "weight": 50 }],
            "there": [{ "subject": "b", "cluster": "x" }],
            "two": [{ "subject": "b" }], "*": [{ "subject": "c.$1" }],
        });
        check(&mappings, "half", &["c.half", "b", "half"]);
        check(&mappings, "all", &["c.all", "b", "c"]);
        check(&mappings, "loss", &["c.loss", "loss"]);
        check(&mappings, "there", &["c.there", "b", "there"]);
        check(&mappings, "two", &["c.two", "b"]);
    }

    #[test]
    fn a_mapping_that_is_none_leads_nowhere() {
        for to in ["b.$2", "b.$0", "b.*", "b.>", "b..c", ""] {
            check(&json!({ "a.*": [{ "subject": to }] }), "a.x", &[]);
        }
        check(&json!({ "a": [{ "subject": "b.$1" }] }), "a", &[]);
        let twice = json!({ "a": [
            { "subject": "b", "weight": 50 }, { "subject": "b", "weight": 50 },
        ] });
        check(&twice, "a", &[]);
    }
}

//! Whether a schema takes all that an earlier one took, and if not, where and why.

use serde_json::{Map, Value};

use super::Breakage;
use super::alternatives::{Alternative, alternatives, compare, is_of_type};
use crate::text::shorten;

/// How deep values may lie in each other.
const MAX_DEPTH: usize = 100;

/// How many places are compared before two schemas count as incomparable. Types that are used in many
/// places are compared in each.
const MAX_STEPS: usize = 20_000;

/// Each place of the body where a value that was valid is no more.
pub(super) fn breaks(old: &Value, new: &Value) -> Vec<(String, Breakage)> {
    if old == new {
        return Vec::new();
    }
    let mut comparison = Comparison {
        old,
        new,
        under_way: Vec::new(),
        steps: 0,
    };
    let mut found = comparison.values(old, new, "");
    // The order of fields is another one where `serde_json` keeps them as they were written.
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found.dedup();
    found
}

type Found = Vec<(String, Breakage)>;

struct Comparison<'a> {
    old: &'a Value,
    new: &'a Value,
    /// What is being compared, so that a recursive type is compared once.
    under_way: Vec<(Value, Value)>,
    steps: usize,
}

impl Comparison<'_> {
    /// Compares two schemas of one place.
    fn values(&mut self, old: &Value, new: &Value, path: &str) -> Found {
        let pair = (old.clone(), new.clone());
        if self.under_way.contains(&pair) {
            return Vec::new();
        }
        self.steps += 1;
        let is_too_much = self.under_way.len() >= MAX_DEPTH || self.steps > MAX_STEPS;
        let spread = (alternatives(old, self.old), alternatives(new, self.new));
        let (Some(olds), Some(news), false) = (spread.0, spread.1, is_too_much) else {
            return vec![(path.to_owned(), Breakage::Incomparable)];
        };
        self.under_way.push(pair);
        let mut found = Found::new();
        for old in &olds {
            for next in self.alternative(old, &news, path) {
                if !found.contains(&next) {
                    found.push(next);
                }
            }
        }
        self.under_way.pop();
        found
    }

    /// Looks for one new alternative that takes all that an old one took.
    fn alternative(&mut self, old: &Alternative, news: &[Alternative], path: &str) -> Found {
        if let Some(Value::Array(values)) = old.get("enum") {
            let lost = values.iter().filter(|value| {
                let mut takes = news.iter().filter(|new| takes_value(new, value, old));
                takes.next().is_none()
            });
            return lost
                .map(|value| (path.to_owned(), value_lost(value, old, news)))
                .collect();
        }
        let mut candidates: Vec<(bool, Found)> = Vec::new();
        for new in news.iter().filter(|new| takes_type(new, old)) {
            let found = self.objects_and_others(old, new, path);
            if found.is_empty() {
                return found;
            }
            candidates.push((tags(old) == tags(new), found));
        }
        let only = candidates.len() == 1;
        let same = candidates.iter().any(|(is_same, _)| *is_same);
        let best = candidates
            .into_iter()
            .min_by_key(|(is_same, found)| (!is_same, found.len()));
        match (best, tags(old).as_slice()) {
            (None, _) => vec![(path.to_owned(), type_changed(shown_type(old), news))],
            // A variant that no other one looks like.
            (Some(_), [tag, ..]) if !same && !only => {
                let value = tag.clone();
                vec![(path.to_owned(), Breakage::ValueRemoved { value })]
            }
            (Some((_, found)), _) => found,
        }
    }

    fn objects_and_others(&mut self, old: &Alternative, new: &Alternative, path: &str) -> Found {
        let mut found = Found::new();
        for (key, rule) in new {
            if !concerns(key, old) || !refuses_more(key, old.get(key), rule) {
                continue;
            }
            let keyword = key.clone();
            found.push((path.to_owned(), Breakage::Narrowed { keyword }));
        }
        match type_of(old) {
            Some("object") => found.extend(self.objects(old, new, path)),
            Some("array") => found.extend(self.arrays(old, new, path)),
            Some(_) | None => {}
        }
        found
    }

    fn objects(&mut self, old: &Alternative, new: &Alternative, path: &str) -> Found {
        let mut found = Found::new();
        let (old_fields, new_fields) = (map(old, "properties"), map(new, "properties"));
        let (old_patterns, new_patterns) =
            (map(old, "patternProperties"), map(new, "patternProperties"));
        let (old_rest, new_rest) = (rest(old), rest(new));
        for (name, schema) in &old_fields {
            let path = below(path, name);
            match (new_fields.get(name), &new_rest) {
                _ if *schema == Value::Bool(false) => {}
                (Some(new), _) => found.extend(self.values(schema, new, &path)),
                (None, Value::Bool(false)) => found.push((path, Breakage::FieldRemoved)),
                (None, rest) => found.extend(self.values(schema, rest, &path)),
            }
        }
        for (pattern, schema) in &old_patterns {
            let path = below(path, "*");
            match (new_patterns.get(pattern), &new_rest) {
                (Some(new), _) => found.extend(self.values(schema, new, &path)),
                (None, Value::Bool(false)) => found.push((path, Breakage::FieldRemoved)),
                (None, rest) => found.extend(self.values(schema, rest, &path)),
            }
        }
        // What a new pattern asks, it asks of fields too that have a schema by name or another pattern.
        let is_kept = |it: &String| old_patterns.contains_key(it);
        let kept = !old_fields.is_empty() || new_patterns.keys().any(is_kept);
        if kept && !new_patterns.keys().all(is_kept) {
            let keyword = "patternProperties".to_owned();
            found.push((path.to_owned(), Breakage::Narrowed { keyword }));
        }
        let old_required = names(old, "required");
        for name in names(new, "required") {
            if !old_required.contains(&name) {
                found.push((below(path, name), Breakage::FieldRequired));
            }
        }
        if old_rest == Value::Bool(false) {
            return found;
        }
        // Fields of any name were valid, so those that have a schema now were among them.
        let named = new_fields
            .iter()
            .filter(|it| !old_fields.contains_key(it.0));
        let by_pattern = new_patterns
            .iter()
            .filter(|it| !old_patterns.contains_key(it.0));
        let named = named.map(|(name, schema)| (below(path, name), schema));
        let others = by_pattern.map(|it| it.1).chain([&new_rest]);
        let others = others.map(|schema| (below(path, "*"), schema));
        for (path, schema) in named.chain(others) {
            found.extend(self.values(&old_rest, schema, &path));
        }
        found
    }

    fn arrays(&mut self, old: &Alternative, new: &Alternative, path: &str) -> Found {
        let mut found = Found::new();
        let (old_first, new_first) = (list(old, "prefixItems"), list(new, "prefixItems"));
        let any = Value::Bool(true);
        let old_rest = old.get("items").unwrap_or(&any);
        let new_rest = new.get("items").unwrap_or(&any);
        let most = old.get("maxItems").and_then(Value::as_u64);
        let most = most.map_or(usize::MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        let first = old_first.len().max(new_first.len());
        for place in 0..first.min(most) {
            let old = old_first.get(place).unwrap_or(old_rest);
            let new = new_first.get(place).unwrap_or(new_rest);
            found.extend(self.values(old, new, &below(path, &place.to_string())));
        }
        if first < most {
            found.extend(self.values(old_rest, new_rest, &below(path, "*")));
        }
        found
    }
}

/// Whether an alternative takes values of the old one's type.
fn takes_type(new: &Alternative, old: &Alternative) -> bool {
    match (type_of(old), type_of(new)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => old == new || (old, new) == ("integer", "number"),
    }
}

/// Whether an alternative takes one of the values that the old one listed.
fn takes_value(new: &Alternative, value: &Value, old: &Alternative) -> bool {
    let is_listed = match new.get("enum") {
        Some(Value::Array(values)) => values.contains(value),
        Some(_) => false,
        None => true,
    };
    // A listed value keeps to the other rules, or nobody could ever write it.
    let keeps_rules = new.contains_key("enum")
        || new
            .iter()
            .all(|(key, rule)| !concerns(key, old) || !refuses_more(key, old.get(key), rule));
    type_of(new).is_none_or(|name| is_of_type(value, name)) && is_listed && keeps_rules
}

fn value_lost(value: &Value, old: &Alternative, news: &[Alternative]) -> Breakage {
    let has_type = |new: &&Alternative| type_of(new).is_none_or(|name| is_of_type(value, name));
    match news.iter().any(|new| has_type(&new)) {
        true => Breakage::ValueRemoved {
            value: shorten(&value.to_string()),
        },
        false => type_changed(shown_type_of(value, old), news),
    }
}

fn type_changed(before: String, news: &[Alternative]) -> Breakage {
    let mut names = Vec::new();
    for new in news {
        let name = match (type_of(new), new.get("enum")) {
            (None, Some(Value::Array(values))) if !values.is_empty() => {
                shown_type_of(&values[0], new)
            }
            (Some(_), _) | (None, _) => shown_type(new),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let after = match names.is_empty() {
        true => "nothing".to_owned(),
        false => names.join(" or "),
    };
    Breakage::TypeChanged { before, after }
}

fn type_of(alternative: &Alternative) -> Option<&str> {
    alternative.get("type").and_then(Value::as_str)
}

fn shown_type(alternative: &Alternative) -> String {
    type_of(alternative).unwrap_or("anything").to_owned()
}

fn shown_type_of(value: &Value, alternative: &Alternative) -> String {
    let known = [
        "null", "boolean", "integer", "number", "string", "array", "object",
    ];
    let of_value = known.into_iter().find(|name| is_of_type(value, name));
    type_of(alternative)
        .or(of_value)
        .unwrap_or_default()
        .to_owned()
}

/// What tells a variant from others: fields of one value, or the name of its only field.
fn tags(alternative: &Alternative) -> Vec<String> {
    let (fields, required) = (
        map(alternative, "properties"),
        names(alternative, "required"),
    );
    let tags = fields.iter().filter_map(|(name, schema)| {
        let value = match (schema.get("const"), schema.get("enum")) {
            (Some(value), _) => value,
            (None, Some(Value::Array(values))) if values.len() == 1 => &values[0],
            (None, Some(_) | None) => return None,
        };
        required.contains(&name.as_str()).then(|| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
    });
    let mut tags: Vec<String> = tags.collect();
    if let (true, [only], 1) = (tags.is_empty(), required.as_slice(), fields.len()) {
        tags.push((*only).to_owned());
    }
    tags
}

/// Whether a keyword says something about values of the alternative's type that is compared as a rule.
fn concerns(key: &str, alternative: &Alternative) -> bool {
    let of = match key {
        "type"
        | "properties"
        | "patternProperties"
        | "required"
        | "additionalProperties"
        | "items"
        | "prefixItems" => return false,
        "minLength" | "maxLength" | "pattern" => &["string"][..],
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            &["integer", "number"]
        }
        "minItems" | "maxItems" | "uniqueItems" | "contains" => &["array"],
        "minProperties" | "maxProperties" | "propertyNames" => &["object"],
        "format" => &["integer", "number", "string"],
        _ => return true,
    };
    type_of(alternative).is_none_or(|name| of.contains(&name))
}

/// Whether a rule refuses something that the old one, if there was one, let pass.
fn refuses_more(key: &str, old: Option<&Value>, new: &Value) -> bool {
    match (key, old, new) {
        (_, Some(old), new) if old == new => false,
        (
            "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties",
            Some(Value::Number(old)),
            Value::Number(new),
        ) => compare(old, new).is_none_or(std::cmp::Ordering::is_lt),
        (
            "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties",
            Some(Value::Number(old)),
            Value::Number(new),
        ) => compare(old, new).is_none_or(std::cmp::Ordering::is_gt),
        ("minLength" | "minItems" | "minProperties", None, new) => *new != 0,
        ("uniqueItems", _, new) => *new == Value::Bool(true),
        ("format", old, new) => is_narrower_format(old, new),
        _ => true,
    }
}

/// Formats of numbers are the names of Rust types. Integers have bounds besides, and these are compared.
fn is_narrower_format(old: Option<&Value>, new: &Value) -> bool {
    match (old.and_then(Value::as_str), new.as_str()) {
        (_, Some(name)) if name.starts_with("int") || name.starts_with("uint") => false,
        (_, Some("double")) => false,
        (Some(old), Some("float")) => !(old.starts_with("int") || old.starts_with("uint")),
        _ => true,
    }
}

fn rest(alternative: &Alternative) -> Value {
    let rest = alternative.get("additionalProperties");
    rest.cloned().unwrap_or(Value::Bool(true))
}

fn map(alternative: &Alternative, key: &str) -> Map<String, Value> {
    let map = alternative.get(key).and_then(Value::as_object);
    map.cloned().unwrap_or_default()
}

fn list(alternative: &Alternative, key: &str) -> Vec<Value> {
    let list = alternative.get(key).and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

fn names<'a>(alternative: &'a Alternative, key: &str) -> Vec<&'a str> {
    let names = alternative.get(key).and_then(Value::as_array);
    let names = names.into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

/// The path of a value within another: a JSON pointer (RFC 6901).
fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

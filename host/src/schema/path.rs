//! Places in bodies, as findings name them: without what is only of one body.

use jsonschema::paths::{Location, LocationSegment};

/// Where a value stands, as a JSON pointer with `*` for every item of a list and every key of a map.
///
/// `evaluated` is the way through the schema: it tells a key that the schema names from one that only
/// the body has.
pub(super) fn place(instance: &Location, evaluated: &Location) -> String {
    let mut path = String::new();
    let mut keywords = evaluated.iter();
    for segment in instance {
        let shown = match step(&mut keywords) {
            Some(Step::Named) => segment.to_string(),
            Some(Step::Any) => "*".to_owned(),
            None => match segment {
                LocationSegment::Property(name) => name.into_owned(),
                LocationSegment::Index(_) => "*".to_owned(),
            },
        };
        path = below(&path, &shown);
    }
    path
}

/// The path of a field.
pub(super) fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

enum Step {
    Named,
    Any,
}

/// Goes on to the next keyword that leads into a value.
fn step<'a>(keywords: &mut impl Iterator<Item = LocationSegment<'a>>) -> Option<Step> {
    loop {
        let LocationSegment::Property(keyword) = keywords.next()? else {
            continue;
        };
        match &*keyword {
            "properties" | "prefixItems" => {
                keywords.next()?;
                return Some(Step::Named);
            }
            "patternProperties" => {
                keywords.next()?;
                return Some(Step::Any);
            }
            "additionalProperties" | "unevaluatedProperties" | "items" | "contains" => {
                return Some(Step::Any);
            }
            "allOf" | "anyOf" | "oneOf" => {
                keywords.next()?;
            }
            _ => {}
        }
    }
}

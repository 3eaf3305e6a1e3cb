//! Event types from free text: `T02 Check confirmation of receipt` becomes
//! `T02CheckConfirmationOfReceipt`.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;

use cim_core::id::{EventType, NameError};

/// Makes an event type of a text: splits it at characters outside `[A-Za-z0-9]`, writes each
/// part's first letter in upper case, and joins the parts.
///
/// # Errors
///
/// [`TypeNameError`] when nothing is left, a digit comes first, or it is longer than 128.
pub fn event_type(text: &str) -> Result<EventType, TypeNameError> {
    let mut name = String::with_capacity(text.len());
    for part in text.split(|character: char| !character.is_ascii_alphanumeric()) {
        let mut characters = part.chars();
        if let Some(first) = characters.next() {
            name.push(first.to_ascii_uppercase());
            name.push_str(characters.as_str());
        }
    }
    EventType::new(&name).map_err(|source| {
        let shown: String = text
            .chars()
            .take(160)
            .flat_map(char::escape_debug)
            .collect();
        TypeNameError {
            text: shown,
            source,
        }
    })
}

/// A text that cannot become an event type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypeNameError {
    /// The text.
    pub text: String,
    /// What is wrong with the name that it became.
    pub source: NameError,
}

impl TypeNameError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        self.source.code()
    }
}

impl fmt::Display for TypeNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the text `{}` does not make an event type", self.text)
    }
}

impl Error for TypeNameError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// The event types of one file, each with the text that it was made of.
#[derive(Debug, Default)]
pub struct TypeNames(HashMap<String, EventType>);

impl TypeNames {
    /// The event type of a text.
    ///
    /// # Errors
    ///
    /// As [`event_type`].
    pub fn get(&mut self, text: &str) -> Result<EventType, TypeNameError> {
        if let Some(known) = self.0.get(text) {
            return Ok(known.clone());
        }
        let made = event_type(text)?;
        self.0.insert(text.to_owned(), made.clone());
        Ok(made)
    }

    /// The event types that several texts became, with those texts in order.
    pub fn collisions(&self) -> Vec<(EventType, Vec<String>)> {
        let mut texts: BTreeMap<&EventType, Vec<String>> = BTreeMap::new();
        for (text, event_type) in &self.0 {
            texts.entry(event_type).or_default().push(text.clone());
        }
        let several = texts.into_iter().filter(|(_, texts)| texts.len() > 1);
        several
            .map(|(event_type, mut texts)| {
                texts.sort_unstable();
                (event_type.clone(), texts)
            })
            .collect()
    }

    /// The event types, in order.
    pub fn types(&self) -> Vec<EventType> {
        let mut types: Vec<EventType> = self.0.values().cloned().collect();
        types.sort_unstable();
        types.dedup();
        types
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_vectors() {
        let vectors = include_str!("../../../tests/vectors/ids.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).expect("JSON");
        let vectors = vectors["type_names"].as_array().expect("a list");
        assert!(vectors.len() > 20);
        for vector in vectors {
            let text = vector["text"].as_str().expect("a text");
            match (event_type(text), vector["type"].as_str()) {
                (Ok(made), Some(expect)) => assert_eq!(made.as_str(), expect, "{text:?}"),
                (Err(error), None) => assert_eq!(error.code(), vector["code"], "{text:?}"),
                (other, _) => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn texts_that_collide_are_listed() {
        let mut names = TypeNames::default();
        for text in ["key generated", "Key-Generated", "revoked", "revoked"] {
            names.get(text).expect("makes a type");
        }
        let expect = (
            EventType::new("KeyGenerated").expect("valid"),
            vec!["Key-Generated".to_owned(), "key generated".to_owned()],
        );
        assert_eq!(names.collisions(), [expect]);
        assert_eq!(names.types().len(), 2);
    }
}

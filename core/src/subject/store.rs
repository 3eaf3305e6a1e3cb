//! The template of a store: one whose subjects tell whose event it is.

use std::fmt;

use super::template::Part;
use super::{
    EventFields, Field, Subject, SubjectError, SubjectFilter, SubjectTemplate, TemplateError,
};
use crate::id::{AggregateKey, Operation};

/// A template that a store can have: all six fields are known from subject and constants together,
/// and `{id}.{operation}` stands last, so that one filter takes in exactly one history.
///
/// Its default is the canonical layout of events.
///
/// # Examples
///
/// ```
/// use cim_core::id::{AggregateKey, Operation};
/// use cim_core::subject::StoreTemplate;
///
/// let template = StoreTemplate::default();
/// let aggregate: AggregateKey = "cowboyai.security.keys.key.01934f4a".parse()?;
/// let operation = Operation::new("generated")?;
/// let subject = template.event_subject(&aggregate, &operation)?;
/// assert_eq!(subject.as_str(), "cowboyai.security.keys.key.01934f4a.generated");
/// assert_eq!(template.parse_event(subject.as_str())?, (aggregate.clone(), operation));
/// assert!(template.aggregate_filter(&aggregate)?.matches(&subject));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreTemplate(SubjectTemplate);

impl StoreTemplate {
    /// Takes `template` for a store.
    ///
    /// # Errors
    ///
    /// [`TemplateError::MissingFields`] and [`TemplateError::NotLast`], code
    /// `template-not-storable`: the template can publish, not store.
    pub fn new(template: SubjectTemplate) -> Result<Self, TemplateError> {
        let known = |field| template.shows(field) || template.constant(field).is_some();
        let missing: Vec<Field> = Field::ALL
            .into_iter()
            .filter(|&field| !known(field))
            .collect();
        if !missing.is_empty() {
            let template = template.to_string();
            return Err(TemplateError::MissingFields {
                template,
                fields: missing,
            });
        }
        match template.parts() {
            [.., Part::Field(Field::Id), Part::Field(Field::Operation)] => Ok(Self(template)),
            _ => Err(TemplateError::NotLast {
                template: template.to_string(),
            }),
        }
    }

    /// Takes a layout and constants for a store.
    ///
    /// # Errors
    ///
    /// Those of [`SubjectTemplate::parse`] and of [`new`](Self::new).
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        text: &str,
        constants: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, TemplateError> {
        Self::new(SubjectTemplate::parse(text, constants)?)
    }

    /// The template, for what does not need a store.
    pub fn template(&self) -> &SubjectTemplate {
        &self.0
    }

    /// Builds the subject of an event of `aggregate`.
    ///
    /// # Errors
    ///
    /// [`TemplateError::OutsideConstants`] when the aggregate disagrees with a constant.
    pub fn event_subject(
        &self,
        aggregate: &AggregateKey,
        operation: &Operation,
    ) -> Result<Subject, TemplateError> {
        self.0.event_subject(aggregate, operation)
    }

    /// The filter of one aggregate's history: the template with `>` for the operation.
    ///
    /// It is the one filter string by which an aggregate's head is read and its appends are
    /// checked; another one that matches the same subjects would not do.
    ///
    /// # Errors
    ///
    /// [`TemplateError::OutsideConstants`] when the aggregate disagrees with a constant.
    pub fn aggregate_filter(&self, key: &AggregateKey) -> Result<SubjectFilter, TemplateError> {
        self.0.id_filter(key)
    }

    /// Reads whose event it is and what happened.
    ///
    /// # Errors
    ///
    /// The code `subject-invalid` for a text that is no subject, [`SubjectError::Mismatch`] for one
    /// that the template does not build.
    pub fn parse_event(&self, subject: &str) -> Result<(AggregateKey, Operation), SubjectError> {
        let fields = self.event_fields(subject)?;
        Ok((fields.aggregate(), fields.operation()))
    }

    /// Reads the fields of an event's subject, without allocation.
    ///
    /// # Errors
    ///
    /// As [`parse_event`](Self::parse_event).
    pub fn event_fields<'a>(&'a self, subject: &'a str) -> Result<EventFields<'a>, SubjectError> {
        let fields = self.0.parse_subject(subject)?;
        Ok(EventFields(fields.0.map(|field| {
            field.expect("the template tells all six fields")
        })))
    }
}

impl Default for StoreTemplate {
    fn default() -> Self {
        Self(SubjectTemplate::canonical_events())
    }
}

impl TryFrom<SubjectTemplate> for StoreTemplate {
    type Error = TemplateError;
    fn try_from(template: SubjectTemplate) -> Result<Self, TemplateError> {
        Self::new(template)
    }
}

impl From<StoreTemplate> for SubjectTemplate {
    fn from(template: StoreTemplate) -> Self {
        template.0
    }
}

impl fmt::Display for StoreTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMESPACE: [(&str, &str); 3] = [("organization", "o"), ("unit", "u"), ("domain", "d")];

    #[track_caller]
    fn not_storable(text: &str, constants: &[(&str, &str)], expect: &str) {
        let error = StoreTemplate::parse(text, constants.iter().copied()).expect_err(text);
        assert_eq!(error.code(), "template-not-storable", "{text}");
        assert!(error.to_string().ends_with(expect), "{error}");
    }

    fn key(text: &str) -> AggregateKey {
        text.parse().expect("a key")
    }

    #[test]
    fn a_store_needs_all_fields_and_id_and_operation_last() {
        let last = "not store: it does not end with `{id}.{operation}`";
        not_storable(
            "keys.events.{entity}.{operation}",
            &NAMESPACE,
            "not store: it lacks `{id}`",
        );
        not_storable("x.{id}.{operation}", &NAMESPACE, "it lacks `{entity}`");
        not_storable(
            "{unit}.{domain}.{entity}.{id}",
            &[],
            "`{organization}` and `{operation}`",
        );
        not_storable("{entity}.{operation}.{id}", &NAMESPACE, last);
        not_storable("{id}.{entity}.{operation}", &NAMESPACE, last);
        not_storable("{entity}.{id}.x.{operation}", &NAMESPACE, last);
        not_storable("{entity}.{id}.{operation}.x", &NAMESPACE, last);
        let with_id = [&NAMESPACE[..], &[("id", "i")]].concat();
        not_storable("{entity}.{operation}", &with_id, last);
        assert!(StoreTemplate::parse("{entity}.{id}.{operation}", NAMESPACE).is_ok());
    }

    #[test]
    fn reads_events_of_other_layouts() {
        let constants = [&NAMESPACE[..], &[("entity", "machine")]].concat();
        let template = StoreTemplate::parse("infrastructure.compute.{id}.{operation}", constants)
            .expect("storable");
        let fields = template
            .event_fields("infrastructure.compute.m1.registered")
            .expect("fits");
        assert_eq!(fields.aggregate(), key("o.u.d.machine.m1"));
        assert_eq!(fields.operation().as_str(), "registered");
        for (bad, code) in [
            ("infrastructure.storage.m1.registered", "subject-mismatch"),
            ("Infrastructure.compute.m1.registered", "subject-mismatch"),
            ("infrastructure.compute.m1", "subject-mismatch"),
            (
                "infrastructure.compute.m1.registered.more",
                "subject-mismatch",
            ),
            ("infrastructure.compute", "subject-mismatch"),
            ("o.u.d.machine.m1.registered", "subject-mismatch"),
            ("infrastructure.compute.m1.registered.", "subject-invalid"),
            ("infrastructure.compute..registered", "subject-invalid"),
            ("infrastructure.storage.m1.*", "subject-invalid"),
            ("", "subject-invalid"),
        ] {
            assert_eq!(
                template.parse_event(bad).map_err(|error| error.code()),
                Err(code),
                "{bad}"
            );
        }
    }

    #[test]
    fn one_filter_takes_in_one_history() {
        let template = StoreTemplate::default();
        let filter = template
            .aggregate_filter(&key("o.u.d.key.k1"))
            .expect("fits");
        assert_eq!(filter.as_str(), "o.u.d.key.k1.>");
        assert!(filter.matches("o.u.d.key.k1.generated"));
        assert!(!filter.matches("o.u.d.key.k11.generated"));
    }

    #[test]
    fn refuses_an_aggregate_outside_the_constants() {
        let template =
            StoreTemplate::parse("{entity}.{id}.{operation}", NAMESPACE).expect("storable");
        let error = template
            .aggregate_filter(&key("o.u.x.key.k1"))
            .expect_err("another domain");
        assert_eq!(error.code(), "template-mismatch");
        assert_eq!(
            error.to_string(),
            "outside the template `{entity}.{id}.{operation} (organization=o, unit=u, domain=d)`: \
             expected the domain `d`, found `x`"
        );
        let operation = Operation::new("generated").expect("a token");
        assert_eq!(
            template.event_subject(&key("o.u.x.key.k1"), &operation),
            Err(error)
        );
    }

    #[test]
    fn keys_share_their_equal_parts() {
        let template = StoreTemplate::default();
        let first = key("o.u.d.key.k1");
        for (subject, same) in [("o.u.d.key.k1.a", true), ("o.u.d.key.k2.a", false)] {
            let fields = template.event_fields(subject).expect("fits");
            let shared = fields.aggregate_sharing(&first);
            assert_eq!(shared, fields.aggregate());
            assert_eq!(fields.is_of(&first), same);
            assert!(std::ptr::eq(
                shared.namespace.as_str(),
                first.namespace.as_str()
            ));
            assert!(std::ptr::eq(shared.entity.as_str(), first.entity.as_str()));
            assert_eq!(std::ptr::eq(shared.id.as_str(), first.id.as_str()), same);
        }
        for other in [
            "x.u.d.key.k1.a",
            "o.x.d.key.k1.a",
            "o.u.x.key.k1.a",
            "o.u.d.x.k1.a",
        ] {
            let fields = template.event_fields(other).expect("fits");
            assert!(!fields.is_of(&first), "{other}");
            assert_eq!(fields.aggregate_sharing(&first), fields.aggregate());
        }
    }

    #[test]
    fn a_subject_of_the_longest_tokens_fits() {
        let longest = "x".repeat(128);
        let text = [&*longest; 6].join(".");
        let template = StoreTemplate::default();
        let (aggregate, operation) = template.parse_event(&text).expect("fits");
        assert_eq!(
            template
                .event_subject(&aggregate, &operation)
                .expect("fits")
                .as_str(),
            text
        );
    }

    /// Layouts that differ in which of the first four fields they show, and where.
    fn template() -> impl Strategy<Value = StoreTemplate> {
        let fields = Just(Vec::from(&Field::ALL[..4])).prop_shuffle();
        let literals = prop::collection::vec("[a-z]{1,3}", 5);
        (fields, 0..=4_usize, literals).prop_map(|(fields, shown, literals)| {
            let mut tokens = Vec::new();
            for (field, literal) in fields[..shown].iter().zip(&literals) {
                tokens.extend([literal.clone(), format!("{{{field}}}")]);
            }
            let text = [&*tokens.join("."), &literals[4], "{id}.{operation}"].join(".");
            let constants = fields[shown..].iter().map(|field| (field.name(), "a"));
            StoreTemplate::parse(text.trim_start_matches('.'), constants).expect("storable")
        })
    }

    proptest! {
        #[test]
        fn what_is_built_is_read_back(
            template in template(), tokens in prop::array::uniform6("[a-bA-Z0-9_-]{1,2}"),
        ) {
            let tokens: Vec<&str> = Field::ALL
                .into_iter()
                .zip(&tokens)
                .map(|(field, token)| template.template().constant(field).unwrap_or(token))
                .collect();
            let aggregate = key(&tokens[..5].join("."));
            let operation = Operation::new(tokens[5]).expect("a token");
            let subject = template.event_subject(&aggregate, &operation).expect("fits");
            let text = subject.as_str();
            prop_assert_eq!(Subject::new(text), Ok(subject.clone()));
            prop_assert!(template.aggregate_filter(&aggregate).expect("fits").matches(text));
            prop_assert!(template.template().filter().matches(text));
            prop_assert!(template.event_fields(text).expect("fits").is_of(&aggregate));
            prop_assert_eq!(template.parse_event(text), Ok((aggregate, operation)));
        }

        #[test]
        fn what_is_read_is_built_again(
            template in template(), text in "[ab.*]{0,16}|([ab]\\.){5}b",
        ) {
            match template.parse_event(&text) {
                Ok((aggregate, operation)) => {
                    let subject = template.event_subject(&aggregate, &operation);
                    prop_assert_eq!(subject.map(|subject| subject.to_string()), Ok(text));
                }
                Err(error) => {
                    let expect = match Subject::new(&text) {
                        Ok(_) => "subject-mismatch",
                        Err(_) => "subject-invalid",
                    };
                    prop_assert_eq!(error.code(), expect);
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(template in template(), text: String) {
            let _ = template.parse_event(&text);
        }
    }
}

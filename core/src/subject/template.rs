//! Subject templates: where the fields of an event or a command stand in its subject.
//!
//! A template is a list of tokens, each a literal or a field, and constants for fields that the
//! subject does not show. This module builds and reads subjects; what a store asks of its template
//! beyond that is in [`StoreTemplate`](super::StoreTemplate).

use std::fmt;

use super::{
    Field, MAX_SUBJECT_LEN, Subject, SubjectError, SubjectFields, SubjectFilter, TemplateError,
    check, leading_token, token_fault,
};
use crate::id::{AggregateKey, Entity, MAX_TOKEN_LEN, Namespace, Operation};
use crate::text::shorten;

/// The layout of subjects: literals and fields, and constants for fields that are not in it.
///
/// As JSON it is `{"subject":"keys.events.{entity}.{operation}","constants":{…}}`.
///
/// # Examples
///
/// ```
/// use cim_core::id::{Namespace, Operation};
/// use cim_core::subject::{Field, SubjectTemplate};
///
/// let namespace = Namespace::new("cowboyai.security.keys")?;
/// let template = SubjectTemplate::canonical_commands();
/// let subject =
///     template.command_subject(&namespace, &"operator".parse()?, &Operation::new("create")?)?;
/// assert_eq!(subject.as_str(), "cowboyai.security.keys.operator.create");
/// assert_eq!(template.parse_subject(subject.as_str())?.get(Field::Entity), Some("operator"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubjectTemplate {
    text: Box<str>,
    parts: Vec<Part>,
    constants: [Option<Box<str>>; 6],
}

/// One token of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Literal(Box<str>),
    Field(Field),
}

impl SubjectTemplate {
    /// Takes the layout `text`, in which a token is a literal or a field in braces, and the fields
    /// that have one value throughout.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] with the code `template-invalid`: a literal that is no token, braces that
    /// are not one whole field, an unknown field or constant, a field or constant twice or in both
    /// places, a constant that is no token, subjects that could become longer than
    /// [`MAX_SUBJECT_LEN`].
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::subject::SubjectTemplate;
    ///
    /// let text = "keys.events.{entity}.{operation}";
    /// let template = SubjectTemplate::parse(text, [("domain", "keys")])?;
    /// assert_eq!(template.to_string(), "keys.events.{entity}.{operation} (domain=keys)");
    /// # Ok::<(), cim_core::subject::TemplateError>(())
    /// ```
    pub fn parse<N: AsRef<str>, V: AsRef<str>>(
        text: &str,
        constants: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, TemplateError> {
        let parts = text.split('.').map(|token| Part::parse(text, token));
        let mut template = Self {
            text: Box::from(text),
            parts: parts.collect::<Result<_, _>>()?,
            constants: Default::default(),
        };
        for field in Field::ALL {
            if template.parts.iter().filter(|part| part.is(field)).count() > 1 {
                return Err(TemplateError::RepeatedField {
                    template: shorten(text),
                    field,
                });
            }
        }
        for (name, value) in constants {
            template.set_constant(name.as_ref(), value.as_ref())?;
        }
        let longest = template.longest_subject();
        if longest > MAX_SUBJECT_LEN {
            return Err(TemplateError::TooLong {
                template: shorten(text),
                longest,
            });
        }
        Ok(template)
    }

    /// The layout, as it was taken.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value of `field` in all subjects, if it is a constant.
    pub fn constant(&self, field: Field) -> Option<&str> {
        self.constants[field as usize].as_deref()
    }

    /// Whether `field` stands in the subject.
    pub fn shows(&self, field: Field) -> bool {
        self.parts.iter().any(|part| part.is(field))
    }

    /// The tokens of the layout.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Builds the subject of an event of `aggregate`.
    ///
    /// # Errors
    ///
    /// [`TemplateError::OutsideConstants`] when the aggregate or the operation disagrees with a
    /// constant.
    pub fn event_subject(
        &self,
        aggregate: &AggregateKey,
        operation: &Operation,
    ) -> Result<Subject, TemplateError> {
        let mut values = Values::of_entity(&aggregate.namespace, &aggregate.entity);
        values.0[Field::Id as usize] = Some(aggregate.id.as_str());
        values.0[Field::Operation as usize] = Some(operation.as_str());
        self.render(&values)
            .map(|text| Subject::from_checked(&text))
    }

    /// Builds the subject of a command, which has no aggregate id in it.
    ///
    /// # Errors
    ///
    /// [`TemplateError::OutsideConstants`] when an argument disagrees with a constant,
    /// [`TemplateError::NeedsId`] when the template has `{id}` in it.
    pub fn command_subject(
        &self,
        namespace: &Namespace,
        entity: &Entity,
        operation: &Operation,
    ) -> Result<Subject, TemplateError> {
        if self.shows(Field::Id) {
            return Err(TemplateError::NeedsId {
                template: self.to_string(),
            });
        }
        let mut values = Values::of_entity(namespace, entity);
        values.0[Field::Operation as usize] = Some(operation.as_str());
        self.render(&values)
            .map(|text| Subject::from_checked(&text))
    }

    /// The filter of all subjects that the template builds: `*` for every field.
    pub fn filter(&self) -> SubjectFilter {
        let text = self
            .render(&Values::default())
            .expect("no value disagrees with a constant");
        SubjectFilter::from_checked(&text)
    }

    /// The filter of all subjects of one namespace.
    ///
    /// # Errors
    ///
    /// [`TemplateError::OutsideConstants`] when the namespace disagrees with a constant.
    pub fn namespace_filter(&self, namespace: &Namespace) -> Result<SubjectFilter, TemplateError> {
        let text = self.render(&Values::of_namespace(namespace))?;
        Ok(SubjectFilter::from_checked(&text))
    }

    /// The filter of all subjects of one entity.
    ///
    /// # Errors
    ///
    /// [`TemplateError::OutsideConstants`] when namespace or entity disagrees with a constant.
    pub fn entity_filter(
        &self,
        namespace: &Namespace,
        entity: &Entity,
    ) -> Result<SubjectFilter, TemplateError> {
        let text = self.render(&Values::of_entity(namespace, entity))?;
        Ok(SubjectFilter::from_checked(&text))
    }

    /// The filter of all events of one aggregate, whatever the operation.
    pub(super) fn id_filter(&self, key: &AggregateKey) -> Result<SubjectFilter, TemplateError> {
        let mut values = Values::of_entity(&key.namespace, &key.entity);
        values.0[Field::Id as usize] = Some(key.id.as_str());
        values.0[Field::Operation as usize] = Some(">");
        self.render(&values)
            .map(|text| SubjectFilter::from_checked(&text))
    }

    /// Reads the fields of a subject.
    ///
    /// # Errors
    ///
    /// The code `subject-invalid` for a text that is no subject, [`SubjectError::Mismatch`] for one
    /// that the template does not build.
    pub fn parse_subject<'a>(
        &'a self,
        subject: &'a str,
    ) -> Result<SubjectFields<'a>, SubjectError> {
        // What fits is not too long: `parse` took no template that could build such a subject.
        match self.read(subject) {
            Some(fields) => Ok(SubjectFields(fields)),
            None => Err(self.fault(subject)),
        }
    }

    /// Reads a subject in one pass, without allocation; `None` for whatever is wrong with it.
    fn read<'a>(&'a self, subject: &'a str) -> Option<[Option<&'a str>; 6]> {
        let mut fields = self.constants.each_ref().map(Option::as_deref);
        let mut rest = subject;
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                rest = rest.strip_prefix('.')?;
            }
            let token = leading_token(rest)?;
            match part {
                Part::Literal(literal) if **literal == *token => {}
                Part::Literal(_) => return None,
                Part::Field(field) => fields[*field as usize] = Some(token),
            }
            rest = &rest[token.len()..];
        }
        rest.is_empty().then_some(fields)
    }

    /// Says what is wrong with a subject that could not be read.
    #[cold]
    fn fault(&self, subject: &str) -> SubjectError {
        match check(subject) {
            Err(error) => error,
            Ok(()) => SubjectError::Mismatch {
                subject: shorten(subject),
                template: self.to_string(),
            },
        }
    }

    /// Puts `values` into the fields, `*` where there is none.
    fn render(&self, values: &Values<'_>) -> Result<String, TemplateError> {
        for field in Field::ALL {
            if let (Some(expected), Some(found)) = (self.constant(field), values.0[field as usize])
                && expected != found
            {
                return Err(TemplateError::OutsideConstants {
                    template: self.to_string(),
                    field,
                    expected: expected.to_owned(),
                    found: found.to_owned(),
                });
            }
        }
        let mut text = String::with_capacity(128);
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                text.push('.');
            }
            text.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Field(field) => values.0[*field as usize].unwrap_or("*"),
            });
        }
        Ok(text)
    }

    fn set_constant(&mut self, name: &str, value: &str) -> Result<(), TemplateError> {
        let template = || shorten(&self.text);
        let Some(field) = Field::from_name(name) else {
            let name = shorten(name);
            return Err(TemplateError::UnknownField {
                template: template(),
                name,
            });
        };
        if self.shows(field) {
            return Err(TemplateError::ConstantField {
                template: template(),
                field,
            });
        }
        if self.constant(field).is_some() {
            return Err(TemplateError::RepeatedField {
                template: template(),
                field,
            });
        }
        if let Some(source) = token_fault(value) {
            return Err(TemplateError::Token {
                template: template(),
                source,
            });
        }
        self.constants[field as usize] = Some(Box::from(value));
        Ok(())
    }

    fn longest_subject(&self) -> usize {
        let tokens = self.parts.iter().map(|part| match part {
            Part::Literal(literal) => literal.len(),
            Part::Field(_) => MAX_TOKEN_LEN,
        });
        tokens.sum::<usize>() + self.parts.len() - 1
    }
}

impl Part {
    fn parse(template: &str, token: &str) -> Result<Self, TemplateError> {
        let template = || shorten(template);
        let name = token
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        if name.unwrap_or(token).contains(['{', '}']) {
            return Err(TemplateError::Braces {
                template: template(),
                token: shorten(token),
            });
        }
        if let Some(name) = name {
            let unknown = || TemplateError::UnknownField {
                template: template(),
                name: shorten(name),
            };
            return Field::from_name(name).map(Self::Field).ok_or_else(unknown);
        }
        match token_fault(token) {
            Some(source) => Err(TemplateError::Token {
                template: template(),
                source,
            }),
            None => Ok(Self::Literal(Box::from(token))),
        }
    }

    pub(super) fn is(&self, field: Field) -> bool {
        matches!(self, Self::Field(other) if *other == field)
    }
}

impl fmt::Display for SubjectTemplate {
    /// The layout, and the constants in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let mut before = " (";
        for field in Field::ALL {
            if let Some(value) = self.constant(field) {
                write!(f, "{before}{field}={value}")?;
                before = ", ";
            }
        }
        if before == ", " {
            f.write_str(")")
        } else {
            Ok(())
        }
    }
}

/// A value for each field, in the order of [`Field::ALL`].
#[derive(Default)]
struct Values<'a>([Option<&'a str>; 6]);

impl<'a> Values<'a> {
    fn of_namespace(namespace: &'a Namespace) -> Self {
        let [organization, unit, domain] = namespace.tokens().map(Some);
        Self([organization, unit, domain, None, None, None])
    }

    fn of_entity(namespace: &'a Namespace, entity: &'a Entity) -> Self {
        let mut values = Self::of_namespace(namespace);
        values.0[Field::Entity as usize] = Some(entity.as_str());
        values
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn namespace() -> Namespace {
        Namespace::new("o.u.d").expect("three tokens")
    }

    fn entity(text: &str) -> Entity {
        Entity::new(text).expect("a token")
    }

    fn operation(text: &str) -> Operation {
        Operation::new(text).expect("a token")
    }

    #[test]
    fn a_command_has_no_aggregate_id() {
        let (namespace, entity, create) = (namespace(), entity("key"), operation("create"));
        let command = SubjectTemplate::canonical_commands();
        let subject = command.command_subject(&namespace, &entity, &create);
        assert_eq!(
            subject.map(|subject| subject.to_string()),
            Ok("o.u.d.key.create".to_owned())
        );
        let events = SubjectTemplate::canonical_events();
        let error = events
            .command_subject(&namespace, &entity, &create)
            .expect_err("an id");
        assert_eq!(error.code(), "template-mismatch");
    }

    #[test]
    fn a_template_tells_the_fields_that_it_knows() {
        let template = SubjectTemplate::parse("keys.events.{entity}.{operation}", [("unit", "u")])
            .expect("a template");
        let fields = template
            .parse_subject("keys.events.key.revoked")
            .expect("fits");
        let told = Field::ALL.map(|field| fields.get(field));
        assert_eq!(
            told,
            [None, Some("u"), None, Some("key"), None, Some("revoked")]
        );
    }

    #[test]
    fn filters_of_events_and_commands_never_overlap() {
        let (events, commands) = (
            SubjectTemplate::canonical_events(),
            SubjectTemplate::canonical_commands(),
        );
        let filter = events.namespace_filter(&namespace()).expect("no constants");
        assert_eq!(filter.as_str(), "o.u.d.*.*.*");
        let filter = commands
            .namespace_filter(&namespace())
            .expect("no constants");
        assert_eq!(filter.as_str(), "o.u.d.*.*");
        let filter = events
            .entity_filter(&namespace(), &entity("key"))
            .expect("no constants");
        assert_eq!(filter.as_str(), "o.u.d.key.*.*");
        assert_eq!(events.filter().as_str(), "*.*.*.*.*.*");
        let foreign = Namespace::new("o.u.x").expect("three tokens");
        assert!(
            SubjectTemplate::keys_events(&namespace())
                .namespace_filter(&foreign)
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn any_text_is_taken_as_it_is_or_refused(
            text in ".*|([a{}.]|\\{id\\}|\\{unit\\}){0,6}",
            name in "id|unit|x",
            value in "[a.*]{0,2}",
        ) {
            if let Ok(template) = SubjectTemplate::parse(&text, [(&name, &value)]) {
                prop_assert_eq!(template.text(), &text);
                let field = Field::from_name(&name).expect("a known field");
                prop_assert_eq!(template.constant(field), Some(&*value));
            }
        }
    }
}

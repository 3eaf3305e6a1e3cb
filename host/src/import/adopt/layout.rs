//! How the subjects of foreign events are built: with the aggregate's id in them, or without.

use cim_core::id::{AggregateId, Entity, Namespace, Operation};
use cim_core::subject::{Field, SubjectError, SubjectFields, SubjectTemplate, TemplateError};

/// The subjects of a stream: those of one template, and those that lack its `{id}`, as the oldest
/// ones do. The two never fit the same subject, since one has a token more.
#[derive(Clone, Debug)]
pub struct Layout {
    with_id: Option<SubjectTemplate>,
    without_id: Option<SubjectTemplate>,
}

/// What a subject tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The namespace.
    pub namespace: Namespace,
    /// The entity.
    pub entity: Entity,
    /// The aggregate's id; `None` when it does not stand there.
    pub id: Option<AggregateId>,
    /// What happened; `None` when it does not stand there.
    pub operation: Option<Operation>,
}

impl Layout {
    /// Takes the template of the subjects, with `{id}` or without.
    ///
    /// # Errors
    ///
    /// [`TemplateError::MissingFields`] when it tells namespace or entity neither in the subject
    /// nor by a constant.
    pub fn new(template: SubjectTemplate) -> Result<Self, TemplateError> {
        let missing: Vec<Field> = NEEDED
            .into_iter()
            .filter(|&field| !template.shows(field) && template.constant(field).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(TemplateError::MissingFields {
                template: template.to_string(),
                fields: missing,
            });
        }
        if !template.shows(Field::Id) {
            return Ok(Self {
                with_id: None,
                without_id: Some(template),
            });
        }
        Ok(Self {
            without_id: without_id(&template),
            with_id: Some(template),
        })
    }

    /// Whether there are subjects with an id.
    pub fn shows_id(&self) -> bool {
        self.with_id.is_some()
    }

    /// Reads a subject.
    ///
    /// # Errors
    ///
    /// The code `subject-invalid` for a text that is no subject of ours,
    /// [`SubjectError::Mismatch`] for one that fits neither template, with the one with an id.
    pub fn parse(&self, subject: &str) -> Result<Place, SubjectError> {
        let mut templates = [&self.with_id, &self.without_id].into_iter().flatten();
        let mut fault = None;
        let fields = templates.find_map(|template| match template.parse_subject(subject) {
            Ok(fields) => Some(fields),
            Err(error) => {
                fault.get_or_insert(error);
                None
            }
        });
        match (fields, fault) {
            (Some(fields), _) => Ok(place(&fields)),
            (None, fault) => Err(fault.expect("a layout has a template")),
        }
    }
}

/// The fields that have to be known before the first message.
const NEEDED: [Field; 4] = [
    Field::Organization,
    Field::Unit,
    Field::Domain,
    Field::Entity,
];

/// The same template without the token of the id; `None` when nothing is left.
fn without_id(template: &SubjectTemplate) -> Option<SubjectTemplate> {
    let tokens: Vec<_> = template
        .text()
        .split('.')
        .filter(|token| *token != "{id}")
        .collect();
    let constants = Field::ALL
        .into_iter()
        .filter_map(|field| Some((field.name(), template.constant(field)?)));
    SubjectTemplate::parse(&tokens.join("."), constants).ok()
}

fn place(fields: &SubjectFields<'_>) -> Place {
    let get = |field| fields.get(field).expect("the layout tells it");
    let [organization, unit, domain, entity] = NEEDED.map(get);
    let namespace = format!("{organization}.{unit}.{domain}");
    Place {
        namespace: Namespace::new(&namespace).expect(TOKENS),
        entity: Entity::new(entity).expect(TOKENS),
        id: fields
            .get(Field::Id)
            .map(|id| AggregateId::new(id).expect(TOKENS)),
        operation: fields
            .get(Field::Operation)
            .map(|operation| Operation::new(operation).expect(TOKENS)),
    }
}

/// Why the fields make names: a subject is read token by token, and constants were checked.
const TOKENS: &str = "the fields of a subject are tokens";

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(text: &str, constants: &[(&str, &str)]) -> Layout {
        let template = SubjectTemplate::parse(text, constants.iter().copied()).expect("a template");
        Layout::new(template).expect("a layout")
    }

    #[track_caller]
    fn check(layout: &Layout, subject: &str, expect: &str) {
        let told = match layout.parse(subject) {
            Ok(place) => format!(
                "{} {} {} {}",
                place.namespace,
                place.entity,
                place.id.map_or("-".to_owned(), |id| id.to_string()),
                place.operation.map_or("-".to_owned(), |it| it.to_string())
            ),
            Err(error) => error.code().to_owned(),
        };
        assert_eq!(told, expect, "{subject}");
    }

    #[test]
    fn subjects_are_read_with_an_id_and_without() {
        let canonical = Layout::new(SubjectTemplate::canonical_events()).expect("a layout");
        check(
            &canonical,
            "cowboyai.security.keys.key.k1.generated",
            "cowboyai.security.keys key k1 generated",
        );
        check(
            &canonical,
            "cowboyai.security.keys.key.generated",
            "cowboyai.security.keys key - generated",
        );
        check(&canonical, "cowboyai.security.keys.key", "subject-mismatch");
        check(&canonical, "a.b.c.d.e.f.g", "subject-mismatch");
        check(&canonical, "a.b.c.d$.e.f", "subject-invalid");

        let keys = layout(
            "keys.events.{entity}.{operation}",
            &[("organization", "o"), ("unit", "u"), ("domain", "d")],
        );
        check(&keys, "keys.events.key.generated", "o.u.d key - generated");
        check(&keys, "keys.events.key.k1.generated", "subject-mismatch");
        check(&keys, "keys.commands.key.generate", "subject-mismatch");
        assert!(!keys.shows_id());

        let all = [
            ("organization", "o"),
            ("unit", "u"),
            ("domain", "d"),
            ("entity", "e"),
        ];
        let by_id = layout("compute.{id}", &all);
        check(&by_id, "compute.c1", "o.u.d e c1 -");
        check(&by_id, "compute", "o.u.d e - -");
        check(&layout("{id}", &all), "c1", "o.u.d e c1 -");
    }

    #[test]
    fn a_layout_tells_whose_event_it_is() {
        let template = SubjectTemplate::parse("{domain}.{id}.{operation}", [("unit", "u")]);
        let error = Layout::new(template.expect("a template")).expect_err("fields are missing");
        assert_eq!(
            error.to_string(),
            "the template `{domain}.{id}.{operation} (unit=u)` can publish, not store: it lacks \
             `{organization}` and `{entity}`"
        );
    }
}

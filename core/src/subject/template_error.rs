//! What can be wrong with a template, or with what is to be addressed by one.

use std::error::Error;
use std::fmt;

use super::Field;
use crate::id::NameError;

/// A template that cannot be taken, cannot be stored with, or does not fit what it is to address.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TemplateError {
    /// A literal or a constant is no token; the source says which and why.
    Token {
        /// The layout, shortened if it is very long.
        template: String,
        /// What is wrong with the token.
        source: NameError,
    },
    /// A token has a brace in it, but is not one whole field.
    Braces {
        /// The layout, shortened if it is very long.
        template: String,
        /// The token.
        token: String,
    },
    /// A field, or a constant, has a name that no field has.
    UnknownField {
        /// The layout, shortened if it is very long.
        template: String,
        /// The name.
        name: String,
    },
    /// A field stands twice in the layout, or twice in the constants.
    RepeatedField {
        /// The layout, shortened if it is very long.
        template: String,
        /// The field.
        field: Field,
    },
    /// A field stands both in the layout and in the constants.
    ConstantField {
        /// The layout, shortened if it is very long.
        template: String,
        /// The field.
        field: Field,
    },
    /// With the longest tokens, subjects would be longer than
    /// [`MAX_SUBJECT_LEN`](super::MAX_SUBJECT_LEN).
    TooLong {
        /// The layout, shortened if it is very long.
        template: String,
        /// How long they could become, in bytes.
        longest: usize,
    },
    /// Without these fields, in subject or constants, the template can publish, not store.
    MissingFields {
        /// The template.
        template: String,
        /// What is missing, never empty.
        fields: Vec<Field>,
    },
    /// The layout does not end with `{id}.{operation}`, so the template can publish, not store.
    NotLast {
        /// The template.
        template: String,
    },
    /// What is to be addressed has another value where the template has a constant.
    OutsideConstants {
        /// The template.
        template: String,
        /// The field.
        field: Field,
        /// The constant.
        expected: String,
        /// The other value.
        found: String,
    },
    /// A command has no aggregate id, and the template has `{id}` in it.
    NeedsId {
        /// The template.
        template: String,
    },
}

impl TemplateError {
    /// The stable code of this fault: `template-invalid` when the template does not parse,
    /// `template-not-storable` when it can publish but not store, `template-mismatch` when it is
    /// fine but not for what is to be addressed.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token { .. }
            | Self::Braces { .. }
            | Self::UnknownField { .. }
            | Self::RepeatedField { .. }
            | Self::ConstantField { .. }
            | Self::TooLong { .. } => "template-invalid",
            Self::MissingFields { .. } | Self::NotLast { .. } => "template-not-storable",
            Self::OutsideConstants { .. } | Self::NeedsId { .. } => "template-mismatch",
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { template, .. } => write!(f, "`{template}` is not a subject template"),
            Self::Braces { template, token } => write!(
                f,
                "`{template}` is not a subject template: expected a field like `{{id}}` as a whole \
                 token, found `{token}`"
            ),
            Self::UnknownField { template, name } => {
                write!(
                    f,
                    "the template `{template}` has an unknown field: expected "
                )?;
                write_fields(f, &Field::ALL, "or")?;
                write!(f, ", found `{name}`")
            }
            Self::RepeatedField { template, field } => {
                write!(f, "the template `{template}` has the field `{field}` twice")
            }
            Self::ConstantField { template, field } => write!(
                f,
                "the template `{template}` has the field `{field}` both in the subject and in the \
                 constants"
            ),
            Self::TooLong { template, longest } => write!(
                f,
                "the subjects of the template `{template}` could be too long: expected at most \
                 1024 bytes, found {longest}"
            ),
            Self::MissingFields { template, fields } => {
                write!(
                    f,
                    "the template `{template}` can publish, not store: it lacks "
                )?;
                write_fields(f, fields, "and")
            }
            Self::NotLast { template } => write!(
                f,
                "the template `{template}` can publish, not store: it does not end with \
                 `{{id}}.{{operation}}`"
            ),
            Self::OutsideConstants {
                template,
                field,
                expected,
                found,
            } => write!(
                f,
                "outside the template `{template}`: expected the {field} `{expected}`, found \
                 `{found}`"
            ),
            Self::NeedsId { template } => write!(
                f,
                "the template `{template}` is not one for commands: they have no aggregate id"
            ),
        }
    }
}

impl Error for TemplateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token { source, .. } => Some(source),
            Self::Braces { .. }
            | Self::UnknownField { .. }
            | Self::RepeatedField { .. }
            | Self::ConstantField { .. }
            | Self::TooLong { .. }
            | Self::MissingFields { .. }
            | Self::NotLast { .. }
            | Self::OutsideConstants { .. }
            | Self::NeedsId { .. } => None,
        }
    }
}

/// Writes `{organization}`, `{unit}` and `{domain}`.
fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[Field], last: &str) -> fmt::Result {
    for (at, field) in fields.iter().enumerate() {
        match at {
            0 => {}
            _ if at + 1 == fields.len() => write!(f, " {last} ")?,
            _ => f.write_str(", ")?,
        }
        write!(f, "`{{{field}}}`")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::subject::SubjectTemplate;

    #[track_caller]
    fn refused(text: &str, constants: &[(&str, &str)], expect: &str) {
        let error = SubjectTemplate::parse(text, constants.iter().copied()).expect_err(text);
        assert_eq!(error.code(), "template-invalid", "{text}");
        assert!(error.to_string().ends_with(expect), "{error}");
    }

    #[test]
    fn a_literal_is_a_token() {
        let long = "l".repeat(129) + ".{id}";
        for bad in [
            "", ".", "a..{id}", ".{id}", "{id}.", "a.*", "a.>", "a b.{id}", "ä", &long,
        ] {
            refused(bad, &[], "is not a subject template");
        }
    }

    #[test]
    fn a_field_is_a_whole_token_in_braces() {
        refused("{organization}.{id", &[], "found `{id`");
        refused("{organization}.id}", &[], "found `id}`");
        refused("a.key-{id}", &[], "found `key-{id}`");
        refused("a.{id}{operation}", &[], "found `{id}{operation}`");
        refused("a.{{id}}", &[], "found `{{id}}`");
        refused("a.{", &[], "found `{`");
        refused("a.{}", &[], "found ``");
        refused("a.{ID}", &[], "found `ID`");
        refused("a.{ id }", &[], "found ` id `");
        refused("a.{colour}", &[], "or `{operation}`, found `colour`");
    }

    #[test]
    fn a_field_stands_once() {
        refused("a.{id}.{id}", &[], "has the field `id` twice");
        refused(
            "{id}",
            &[("unit", "a"), ("unit", "a")],
            "has the field `unit` twice",
        );
        refused(
            "{id}",
            &[("id", "a")],
            "both in the subject and in the constants",
        );
    }

    #[test]
    fn a_constant_is_a_token_of_a_known_field() {
        for bad in ["", "a.b", "*", "a b", "{id}", &"e".repeat(129)] {
            refused("x.{id}", &[("entity", bad)], "is not a subject template");
        }
        refused("x.{id}", &[("Entity", "e")], "found `Entity`");
    }

    #[test]
    fn no_template_builds_subjects_that_are_too_long() {
        let six = "{organization}.{unit}.{domain}.{entity}.{id}.{operation}";
        let (one, two) = ("x".repeat(124), "y".repeat(125));
        let constants: [(&str, &str); 0] = [];
        assert!(SubjectTemplate::parse(&format!("{one}.{two}.{six}"), constants).is_ok());
        refused(
            &format!("{two}.{two}.{six}"),
            &[],
            "expected at most 1024 bytes, found 1025",
        );
    }
}

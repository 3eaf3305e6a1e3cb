//! Names of people.

use serde::{Deserialize, Serialize};

use crate::domain::value::{ValueError, ValueRule, check_line};

/// The longest part of a name in bytes; ours: a whole name fits, for people who have it as one text.
pub const MAX_PART_LEN: usize = 256;

/// The most parts in a list of a name, such as the given names; ours.
pub const MAX_PARTS: usize = 16;

/// The longest name in bytes, all its texts together; ours.
pub const MAX_NAME_LEN: usize = 1_024;

/// What a name consists of. A [`PersonName`] has checked ones.
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(description = "What a name consists of: at least a given or a family name.")
)]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct NameComponents {
    /// Given names, the first one first.
    #[cfg_attr(feature = "schema", schemars(transform = parts_schema))]
    pub given_names: Vec<String>,
    /// Family names, in their order.
    #[cfg_attr(feature = "schema", schemars(transform = parts_schema))]
    pub family_names: Vec<String>,
    /// A name after the father's.
    #[cfg_attr(feature = "schema", schemars(transform = part_schema))]
    pub patronymic: Option<String>,
    /// A name after the mother's.
    #[cfg_attr(feature = "schema", schemars(transform = part_schema))]
    pub matronymic: Option<String>,
    /// What stands in front: `Dr`.
    #[cfg_attr(feature = "schema", schemars(transform = parts_schema))]
    pub prefixes: Vec<String>,
    /// What stands behind: `Jr.`, `PhD`.
    #[cfg_attr(feature = "schema", schemars(transform = parts_schema))]
    pub suffixes: Vec<String>,
}

/// How a name is made of its parts.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum NamingConvention {
    /// Given names, then a family name.
    #[default]
    Western,
    /// Given names, then two family names.
    Spanish,
    /// The family name, then given names.
    EastAsian,
    /// Given names, then a name after a parent's.
    Patronymic,
    /// One name, or one that is not taken apart.
    Mononymic,
    /// Another one.
    Other,
}

/// The name of a person, in parts.
///
/// There is at least one given or family name. Each part has 1 to [`MAX_PART_LEN`] bytes without control
/// characters and without white space around it, each list at most [`MAX_PARTS`] of them, and all
/// together have at most [`MAX_NAME_LEN`].
///
/// # Examples
///
/// ```
/// use cim_core::domain::person::{NameComponents, NamingConvention, PersonName};
///
/// let components = NameComponents {
///     given_names: vec!["Akira".into()],
///     family_names: vec!["Kurosawa".into()],
///     ..NameComponents::default()
/// };
/// let name = PersonName::new(components, None, NamingConvention::EastAsian)?;
/// assert_eq!(name.display(), "Kurosawa Akira");
/// assert_eq!(PersonName::western("", "Lovelace").expect_err("blank").code(), "name-invalid");
/// # Ok::<(), cim_core::domain::value::ValueError>(())
/// ```
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(!try_from, description = "The name of a person, in parts.")
)]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Fields")]
pub struct PersonName {
    /// Its parts.
    components: NameComponents,
    /// What the person prefers to be called.
    #[cfg_attr(feature = "schema", schemars(transform = part_schema))]
    preferred_form: Option<String>,
    /// How it is made of its parts.
    #[cfg_attr(feature = "schema", schemars(default))]
    naming_convention: NamingConvention,
}

impl PersonName {
    /// Takes a name in parts, and the form that the person prefers to all of them.
    ///
    /// # Errors
    ///
    /// [`ValueError`], with the first text that breaks a rule, and the rule.
    pub fn new(
        components: NameComponents,
        preferred_form: Option<String>,
        naming_convention: NamingConvention,
    ) -> Result<Self, ValueError> {
        Self::try_from(Fields {
            components,
            preferred_form,
            naming_convention,
        })
    }

    /// A name of one given name and one family name.
    ///
    /// # Errors
    ///
    /// As those of [`new`](Self::new).
    pub fn western(given: &str, family: &str) -> Result<Self, ValueError> {
        let components = NameComponents {
            given_names: vec![given.to_owned()],
            family_names: vec![family.to_owned()],
            ..NameComponents::default()
        };
        Self::new(components, None, NamingConvention::Western)
    }

    /// A name that is one text and is not taken apart.
    ///
    /// # Errors
    ///
    /// As those of [`new`](Self::new).
    pub fn mononym(name: &str) -> Result<Self, ValueError> {
        let components = NameComponents {
            given_names: vec![name.to_owned()],
            ..NameComponents::default()
        };
        Self::new(components, None, NamingConvention::Mononymic)
    }

    /// Its parts.
    pub fn components(&self) -> &NameComponents {
        &self.components
    }

    /// What the person prefers to be called.
    pub fn preferred_form(&self) -> Option<&str> {
        self.preferred_form.as_deref()
    }

    /// How it is made of its parts.
    pub fn naming_convention(&self) -> NamingConvention {
        self.naming_convention
    }

    /// The name as it is shown: the preferred form, or else the whole name.
    pub fn display(&self) -> String {
        match &self.preferred_form {
            Some(preferred) => preferred.clone(),
            None => self.full(),
        }
    }

    /// All parts with spaces between them, in the order of the convention.
    pub fn full(&self) -> String {
        let it = &self.components;
        let given = it.given_names.iter();
        let parents = it.patronymic.iter().chain(&it.matronymic);
        let family = it.family_names.iter();
        let named: Vec<&String> = match self.naming_convention {
            NamingConvention::EastAsian => family.chain(given).chain(parents).collect(),
            NamingConvention::Western
            | NamingConvention::Spanish
            | NamingConvention::Patronymic
            | NamingConvention::Mononymic
            | NamingConvention::Other => given.chain(parents).chain(family).collect(),
        };
        let parts = it.prefixes.iter().chain(named).chain(&it.suffixes);
        parts.map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// A name as it is read, before it is checked.
#[derive(Deserialize)]
struct Fields {
    components: NameComponents,
    preferred_form: Option<String>,
    #[serde(default)]
    naming_convention: NamingConvention,
}

impl TryFrom<Fields> for PersonName {
    type Error = ValueError;

    fn try_from(fields: Fields) -> Result<Self, ValueError> {
        let fault = |found: &str, rule| ValueError::new("a name", "name-invalid", found, rule);
        let form = |expected| ValueRule::Form { expected };
        let it = &fields.components;
        let lists = [
            &it.given_names,
            &it.family_names,
            &it.prefixes,
            &it.suffixes,
        ];
        if let Some(list) = lists.iter().find(|list| list.len() > MAX_PARTS) {
            return Err(fault(&list[MAX_PARTS], form(PARTS)));
        }
        let singles = [&it.patronymic, &it.matronymic, &fields.preferred_form];
        let mut len = 0;
        for text in lists
            .into_iter()
            .flatten()
            .chain(singles.into_iter().flatten())
        {
            check_line(text, MAX_PART_LEN).map_err(|rule| fault(text, rule))?;
            len += text.len();
            if len > MAX_NAME_LEN {
                return Err(fault(text, form(WHOLE)));
            }
        }
        if it.given_names.is_empty() && it.family_names.is_empty() {
            return Err(fault("", form(NAMED)));
        }
        Ok(Self {
            components: fields.components,
            preferred_form: fields.preferred_form,
            naming_convention: fields.naming_convention,
        })
    }
}

/// What a schema says of a part.
#[cfg(feature = "schema")]
fn part_schema(schema: &mut schemars::Schema) {
    schema.insert("minLength".to_owned(), 1.into());
    schema.insert("maxLength".to_owned(), MAX_PART_LEN.into());
}

/// What a schema says of a list of parts.
#[cfg(feature = "schema")]
fn parts_schema(schema: &mut schemars::Schema) {
    let part = serde_json::json!({
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_PART_LEN,
    });
    schema.insert("maxItems".to_owned(), MAX_PARTS.into());
    schema.insert("items".to_owned(), part);
}

const PARTS: &str = "at most 16 parts in a list";

const WHOLE: &str = "at most 1024 bytes in all texts together";

const NAMED: &str = "a given name or a family name";

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn form(expected: &'static str) -> ValueRule {
        ValueRule::Form { expected }
    }

    fn components() -> NameComponents {
        NameComponents {
            given_names: parts(&["Ada", "Maria"]),
            family_names: parts(&["King", "Lovelace"]),
            patronymic: Some("Byronova".to_owned()),
            matronymic: Some("Annabellova".to_owned()),
            prefixes: parts(&["Dr"]),
            suffixes: parts(&["Jr."]),
        }
    }

    #[test]
    fn a_name_is_shown_in_the_order_of_its_convention() {
        for (convention, shown) in [
            (
                NamingConvention::Western,
                "Dr Ada Maria Byronova Annabellova King Lovelace Jr.",
            ),
            (
                NamingConvention::EastAsian,
                "Dr King Lovelace Ada Maria Byronova Annabellova Jr.",
            ),
        ] {
            let name = PersonName::new(components(), None, convention).expect("good");
            assert_eq!(
                (name.display(), name.full()),
                (shown.to_owned(), shown.to_owned())
            );
        }
        let preferred = Some("Ada".to_owned());
        let name = PersonName::new(components(), preferred, NamingConvention::Spanish);
        let name = name.expect("good");
        assert_eq!(
            (name.display(), name.preferred_form()),
            ("Ada".to_owned(), Some("Ada"))
        );
        let family_only = NameComponents {
            family_names: parts(&["Lovelace"]),
            ..NameComponents::default()
        };
        let name = PersonName::new(family_only, None, NamingConvention::Other).expect("good");
        assert_eq!(name.display(), "Lovelace");
    }

    #[test]
    fn what_nobody_is_called_is_refused() {
        let long = "x".repeat(MAX_PART_LEN + 1);
        let limit = MAX_PART_LEN;
        for (text, rule) in [
            ("", ValueRule::Empty),
            (" Ada", ValueRule::OuterSpace),
            ("Ada\n", ValueRule::Control),
            ("\u{a0}", ValueRule::OuterSpace),
            (&long, ValueRule::TooLong { limit }),
        ] {
            check(PersonName::mononym(text), rule);
            check(PersonName::western("Ada", text), rule);
            let preferred = Some(text.to_owned());
            let name = PersonName::new(components(), preferred, NamingConvention::Western);
            check(name, rule);
            let single = NameComponents {
                matronymic: Some(text.to_owned()),
                ..components()
            };
            check(
                PersonName::new(single, None, NamingConvention::Western),
                rule,
            );
        }
        let nameless = NameComponents {
            prefixes: parts(&["Dr"]),
            ..NameComponents::default()
        };
        let western = NamingConvention::Western;
        check(PersonName::new(nameless, None, western), form(NAMED));
        let many = NameComponents {
            suffixes: vec!["x".to_owned(); MAX_PARTS + 1],
            ..components()
        };
        check(PersonName::new(many, None, western), form(PARTS));
        let huge = NameComponents {
            given_names: vec!["x".repeat(MAX_PART_LEN); 4],
            ..NameComponents::default()
        };
        PersonName::new(huge.clone(), None, western).expect("just fits");
        let name = PersonName::new(huge, Some("x".to_owned()), western);
        check(name, form(WHOLE));
    }

    #[track_caller]
    fn check(name: Result<PersonName, ValueError>, rule: ValueRule) {
        let error = name.expect_err("no name");
        assert_eq!((error.rule, error.code()), (rule, "name-invalid"));
    }

    #[test]
    fn a_name_is_checked_when_it_is_read() {
        let name = PersonName::western("Ada", "Lovelace").expect("good");
        let json = serde_json::to_string(&name).expect("an object");
        assert_eq!(
            json,
            r#"{"components":{"given_names":["Ada"],"family_names":["Lovelace"],"patronymic":null,"matronymic":null,"prefixes":[],"suffixes":[]},"preferred_form":null,"naming_convention":"Western"}"#
        );
        assert_eq!(
            serde_json::from_str::<PersonName>(&json).expect("ours"),
            name
        );
        let short = r#"{"components":{"given_names":["Ada"],"family_names":["Lovelace"]}}"#;
        assert_eq!(
            serde_json::from_str::<PersonName>(short).expect("short"),
            name
        );
        for bad in [
            "{}",
            r#"{"components":{}}"#,
            r#"{"components":{"given_names":[" "]}}"#,
            r#"{"components":{"given_names":["Ada"]},"naming_convention":"Klingon"}"#,
            r#""Ada""#,
        ] {
            serde_json::from_str::<PersonName>(bad).expect_err(bad);
        }
    }
}

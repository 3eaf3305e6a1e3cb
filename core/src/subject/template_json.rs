//! Templates as JSON: `{"subject":"…","constants":{…}}`, checked on the way in.

use std::error::Error;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use super::{Field, StoreTemplate, SubjectTemplate, TemplateError};

impl Serialize for SubjectTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut template = serializer.serialize_struct("SubjectTemplate", 2)?;
        template.serialize_field("subject", self.text())?;
        template.serialize_field("constants", &ConstantsOf(self))?;
        template.end()
    }
}

impl Serialize for StoreTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.template().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SubjectTemplate {
    /// Refuses unknown and repeated keys; `constants` may be left out when there are none.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Form { subject, constants } = Form::deserialize(deserializer)?;
        Self::parse(&subject, constants.0).map_err(|error| D::Error::custom(Whole(error)))
    }
}

impl<'de> Deserialize<'de> for StoreTemplate {
    /// Refuses what [`SubjectTemplate`] refuses, and a template that cannot store.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let template = SubjectTemplate::deserialize(deserializer)?;
        Self::new(template).map_err(|error| D::Error::custom(Whole(error)))
    }
}

/// The two keys of a template.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    subject: String,
    #[serde(default)]
    constants: Constants,
}

/// Names and values in the order of the text, so that a repeated one is seen.
#[derive(Default)]
struct Constants(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Constants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Constants;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from fields to tokens")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Constants, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Constants(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// The constants of a template, in the order of [`Field::ALL`].
struct ConstantsOf<'a>(&'a SubjectTemplate);

impl Serialize for ConstantsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let constants = Field::ALL
            .into_iter()
            .filter_map(|field| Some((field, self.0.constant(field)?)));
        let mut map = serializer.serialize_map(Some(constants.clone().count()))?;
        for (field, value) in constants {
            map.serialize_entry(field.name(), value)?;
        }
        map.end()
    }
}

/// An error with its source, since an error of serde keeps the text alone.
struct Whole(TemplateError);

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        self.0
            .source()
            .map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: serde::de::DeserializeOwned>(json: &str, expect: &str) {
        let Err(error) = serde_json::from_str::<T>(json) else {
            panic!("{json} was taken")
        };
        assert!(error.to_string().contains(expect), "{error}");
    }

    #[test]
    fn a_template_is_written_and_read() {
        let json = concat!(
            r#"{"subject":"x.{entity}.{id}.{operation}","#,
            r#""constants":{"organization":"o","unit":"u","domain":"d"}}"#
        );
        let template: StoreTemplate = serde_json::from_str(json).expect("storable");
        assert_eq!(serde_json::to_string(&template).expect("JSON"), json);
        let text = StoreTemplate::default().template().text().to_owned();
        let canonical = format!(r#"{{"subject":"{text}","constants":{{}}}}"#);
        let template: StoreTemplate = serde_json::from_str(&canonical).expect("storable");
        assert_eq!(template, StoreTemplate::default());
        assert_eq!(serde_json::to_string(&template).expect("JSON"), canonical);
    }

    #[test]
    fn constants_are_optional_and_have_no_order() {
        let json = r#"{"constants":{"unit":"u","organization":"o"},"subject":"{id}"}"#;
        let template: SubjectTemplate = serde_json::from_str(json).expect("a template");
        assert_eq!(template.to_string(), "{id} (organization=o, unit=u)");
        let template: SubjectTemplate = serde_json::from_str(r#"{"subject":"a"}"#).expect("valid");
        assert_eq!(template.to_string(), "a");
    }

    #[test]
    fn refuses_unknown_and_repeated_keys() {
        refused::<SubjectTemplate>(
            r#"{"subject":"a","colour":"red"}"#,
            "unknown field `colour`",
        );
        refused::<SubjectTemplate>(
            r#"{"subject":"a","subject":"b"}"#,
            "duplicate field `subject`",
        );
        refused::<SubjectTemplate>(r#"{"constants":{}}"#, "missing field `subject`");
        refused::<SubjectTemplate>(r#"{"subject":"a","constants":null}"#, "a map from fields");
        refused::<SubjectTemplate>(
            r#"{"subject":"a","constants":{"unit":"u","unit":"u"}}"#,
            "has the field `unit` twice",
        );
        refused::<SubjectTemplate>(
            r#"{"subject":"a","constants":{"Unit":"u"}}"#,
            "`{id}` or `{operation}`, found `Unit`",
        );
    }

    #[test]
    fn checks_on_the_way_in() {
        refused::<SubjectTemplate>(
            r#"{"subject":"a.*"}"#,
            "`a.*` is not a subject template: `*` is not a token of a subject: only A-Z",
        );
        refused::<StoreTemplate>(
            r#"{"subject":"x.{entity}.{operation}","constants":{"domain":"d"}}"#,
            "can publish, not store: it lacks `{organization}`, `{unit}` and `{id}`",
        );
    }
}

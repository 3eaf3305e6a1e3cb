//! The JSON of the lines. Reading borrows from the line wherever nothing is escaped.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::ExportHeader;
use super::fault::ExportFault;
use crate::subject::StoreTemplate;
use crate::text::shorten;

/// The first line.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct First<'a> {
    pub(super) format: Cow<'a, str>,
    pub(super) store_id: Cow<'a, str>,
    pub(super) template: Cow<'a, StoreTemplate>,
    // Absent is not null: a reader must not take a filtered export for a whole one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) filter: Option<Cow<'a, str>>,
    pub(super) exported_at: Cow<'a, str>,
}

/// The format alone, read first, so that another version is not called malformed.
#[derive(serde::Deserialize)]
struct Probe {
    format: String,
}

impl First<'_> {
    pub(super) fn read(line: &[u8]) -> Result<ExportHeader, ExportFault> {
        let probe: Probe = serde_json::from_slice(line).map_err(|_| ExportFault::NoExport)?;
        if probe.format != super::FORMAT {
            return Err(ExportFault::Format {
                found: shorten(&probe.format),
            });
        }
        let first: First<'_> = serde_json::from_slice(line).map_err(|error| json_fault(&error))?;
        let exported_at = first.exported_at.parse();
        Ok(ExportHeader {
            store_id: first.store_id.into_owned(),
            template: first.template.into_owned(),
            filter: first.filter.map(Cow::into_owned),
            exported_at: exported_at.map_err(|source| ExportFault::Time { source })?,
        })
    }
}

/// Any line after the first.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    subject: Option<Str<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    headers: Option<Pairs<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    body: Option<Str<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    body_base64: Option<Str<'a>>,
    #[serde(default, deserialize_with = "present")]
    events: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    aggregates: Option<u64>,
    #[serde(borrow, default, deserialize_with = "present")]
    digest: Option<Str<'a>>,
}

/// A field that may be absent, but not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Any line after the first, as what it is.
pub(super) enum Line<'a> {
    Event {
        subject: Cow<'a, str>,
        headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
        body: Body<'a>,
    },
    Last {
        events: u64,
        aggregates: u64,
        digest: Cow<'a, str>,
    },
}

/// A payload, not decoded yet.
pub(super) enum Body<'a> {
    Text(Cow<'a, str>),
    Base64(Cow<'a, str>),
}

impl<'a> Line<'a> {
    pub(super) fn read(line: &'a [u8]) -> Result<Self, ExportFault> {
        let fields: Fields<'a> =
            serde_json::from_slice(line).map_err(|error| json_fault(&error))?;
        match fields {
            Fields {
                subject: Some(subject),
                headers: Some(headers),
                body,
                body_base64,
                events: None,
                aggregates: None,
                digest: None,
            } => {
                let body = match (body, body_base64) {
                    (Some(text), None) => Body::Text(text.0),
                    (None, Some(text)) => Body::Base64(text.0),
                    _ => return Err(ExportFault::Body),
                };
                Ok(Self::Event {
                    subject: subject.0,
                    headers: headers.0,
                    body,
                })
            }
            Fields {
                subject: None,
                headers: None,
                body: None,
                body_base64: None,
                events: Some(events),
                aggregates: Some(aggregates),
                digest: Some(digest),
            } => Ok(Self::Last {
                events,
                aggregates,
                digest: digest.0,
            }),
            _ => Err(ExportFault::Shape),
        }
    }
}

/// Says what is wrong with the JSON of a line, without the line that the parser counts.
fn json_fault(error: &serde_json::Error) -> ExportFault {
    let why = error.to_string();
    let why = why.split(" at line 1 column ").next().unwrap_or_default();
    ExportFault::Json {
        why: shorten(why),
        column: error.column(),
    }
}

/// A string of JSON, borrowed where nothing in it is escaped. (`Option<Cow<str>>` never borrows.)
struct Str<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'de> Visitor<'de> for Strings {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Strings)
    }
}

/// An object of strings, in its order and with the names that stand twice.
struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Maps;
        impl<'de> Visitor<'de> for Maps {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs<'de>, M::Error> {
                let mut pairs = Vec::with_capacity(16);
                while let Some((name, value)) = map.next_entry::<Str<'de>, Str<'de>>()? {
                    pairs.push((name.0, value.0));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Maps)
    }
}

//! Values as people write them: amounts, durations, subjects, and what has a short form.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use cim_core::jwt::{Destination, JetStreamLimits, Limit, Permission, Permissions, Responses};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A number of things or bytes, or `unlimited`, which is what an absent one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount(pub(super) Limit);

impl Default for Amount {
    fn default() -> Self {
        Self(Limit::UNLIMITED)
    }
}

impl Amount {
    /// That an absent one is nothing, where JetStream takes nothing for no limit.
    pub(super) fn zero() -> Self {
        Self(Limit::ZERO)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a number of bytes such as `10GiB`, or `unlimited`")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Amount, E> {
                match number {
                    -1.. => Ok(Amount(Limit::from(number))),
                    _ => Err(E::invalid_value(
                        serde::de::Unexpected::Signed(number),
                        &self,
                    )),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
                match text {
                    "unlimited" => Ok(Amount(Limit::UNLIMITED)),
                    text => bytes(text)
                        .map(|bytes| Amount(Limit::from(bytes)))
                        .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A number of bytes with its unit.
fn bytes(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: i64 = match unit.trim_start() {
        "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

/// A duration in nanoseconds; -1 for `forever`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nanos(pub(super) i64);

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Nanos;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `500ms`, `90s`, `2m` or `1h`, or `forever`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Nanos, E> {
                match text {
                    "forever" => Ok(Nanos(-1)),
                    text => nanos(text)
                        .map(Nanos)
                        .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Read)
    }
}

fn nanos(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: i64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 60 * 60 * 1_000_000_000,
        "d" => 24 * 60 * 60 * 1_000_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

/// Subjects that are allowed, as a list, or those and others that are not, as a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Subjects(pub(super) Permission);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectsTable {
    allow: Option<Vec<String>>,
    #[serde(default)]
    deny: Vec<String>,
}

impl From<Vec<String>> for Subjects {
    fn from(subjects: Vec<String>) -> Self {
        Self(Permission::only(subjects))
    }
}

impl From<SubjectsTable> for Subjects {
    fn from(SubjectsTable { allow, deny }: SubjectsTable) -> Self {
        Self(Permission {
            allow,
            deny,
            ..Permission::default()
        })
    }
}

impl<'de> Deserialize<'de> for Subjects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "a list of subjects, or a table with `allow` and `deny`";
        list_or_table::<D, Vec<String>, SubjectsTable, Self>(deserializer, expected)
    }
}

/// `responses`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResponsesTable {
    /// One by default, any number with -1.
    #[serde(default = "one")]
    max: i32,
    /// The server's two minutes by default.
    #[serde(default)]
    ttl: Nanos,
}

fn one() -> i32 {
    1
}

impl ResponsesTable {
    pub(super) fn responses(&self) -> Responses {
        Responses {
            max: self.max,
            ttl: self.ttl.0,
            other: BTreeMap::new(),
        }
    }
}

/// `default_permissions`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PermissionsTable {
    publish: Subjects,
    subscribe: Subjects,
    responses: Option<ResponsesTable>,
}

impl PermissionsTable {
    pub(super) fn permissions(&self) -> Permissions {
        Permissions {
            publish: self.publish.0.clone(),
            subscribe: self.subscribe.0.clone(),
            responses: self.responses.as_ref().map(ResponsesTable::responses),
            ..Permissions::default()
        }
    }
}

/// `true` for as much JetStream as the servers have, `false` for none, or how much.
#[derive(Clone, Debug)]
pub(super) struct JetStream(pub(super) JetStreamLimits);

impl Default for JetStream {
    fn default() -> Self {
        Self(JetStreamLimits::off())
    }
}

/// How much of JetStream.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JetStreamTable {
    #[serde(default)]
    memory: Amount,
    #[serde(default)]
    disk: Amount,
    #[serde(default)]
    streams: Amount,
    #[serde(default)]
    consumers: Amount,
    #[serde(default)]
    max_ack_pending: Amount,
    #[serde(default = "Amount::zero")]
    max_stream_memory: Amount,
    #[serde(default = "Amount::zero")]
    max_stream_disk: Amount,
    #[serde(default)]
    max_bytes_required: bool,
}

impl JetStreamTable {
    pub(super) fn limits(&self) -> JetStreamLimits {
        JetStreamLimits {
            memory: self.memory.0,
            disk: self.disk.0,
            streams: self.streams.0,
            consumers: self.consumers.0,
            max_ack_pending: self.max_ack_pending.0,
            memory_of_stream: self.max_stream_memory.0,
            disk_of_stream: self.max_stream_disk.0,
            needs_max_bytes: self.max_bytes_required,
        }
    }
}

impl<'de> Deserialize<'de> for JetStream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = JetStream;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false`, or a table such as `{ disk = \"10GiB\" }`")
            }

            fn visit_bool<E: Error>(self, is_on: bool) -> Result<JetStream, E> {
                Ok(JetStream(match is_on {
                    true => JetStreamLimits::unlimited(),
                    false => JetStreamLimits::off(),
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<JetStream, A::Error> {
                let table = JetStreamTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(JetStream(table.limits()))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Where messages to a subject go instead: one subject, or several with weights.
#[derive(Clone, Debug)]
pub(super) struct Destinations(pub(super) Vec<Destination>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationTable {
    subject: String,
    #[serde(default)]
    weight: u8,
    #[serde(default)]
    cluster: String,
}

impl From<DestinationTable> for Destination {
    fn from(table: DestinationTable) -> Self {
        Self {
            subject: table.subject,
            weight: table.weight,
            cluster: table.cluster,
            other: BTreeMap::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Destinations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Destinations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a subject, or a list such as `[{ subject = \"a\", weight = 50 }]`")
            }

            fn visit_str<E: Error>(self, subject: &str) -> Result<Destinations, E> {
                Ok(Destinations(vec![Destination {
                    subject: subject.to_owned(),
                    ..Destination::default()
                }]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Destinations, A::Error> {
                let tables = Vec::<DestinationTable>::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(Destinations(tables.into_iter().map(Into::into).collect()))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// Reads what has two forms, and tells the fault of the one that it has.
fn list_or_table<'de, D, List, Table, To>(
    deserializer: D,
    expected: &'static str,
) -> Result<To, D::Error>
where
    D: Deserializer<'de>,
    List: Deserialize<'de> + Into<To>,
    Table: Deserialize<'de> + Into<To>,
{
    struct Read<List, Table, To>(&'static str, PhantomData<(List, Table, To)>);
    impl<'de, List, Table, To> Visitor<'de> for Read<List, Table, To>
    where
        List: Deserialize<'de> + Into<To>,
        Table: Deserialize<'de> + Into<To>,
    {
        type Value = To;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<To, A::Error> {
            List::deserialize(SeqAccessDeserializer::new(seq)).map(Into::into)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<To, A::Error> {
            Table::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
        }
    }
    deserializer.deserialize_any(Read::<List, Table, To>(expected, PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_unit_and_durations_too() {
        assert_eq!(bytes("10GiB"), Some(10 << 30));
        assert_eq!(bytes("1 MB"), Some(1_000_000));
        for wrong in ["", "10", "GiB", "1.5GiB", "-1B", "10gib", "99999999999TiB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!(nanos("2m"), Some(120_000_000_000));
        assert_eq!(nanos("500ms"), Some(500_000_000));
        for wrong in ["", "2", "m", "1.5h", "-1s", "99999999999d"] {
            assert_eq!(nanos(wrong), None, "{wrong}");
        }
    }
}

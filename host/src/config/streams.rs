//! `[[stream]]`: the streams of `cim.toml` beside the store's own.
//!
//! What is wrong with a table is told by the parser, so that it has the line.

use std::fmt;
use std::str::FromStr;

use cim_core::id::Namespace;
use cim_core::subject::{SubjectFilter, SubjectTemplate};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::{MAX_REPLICAS, NAME, is_name};

/// A table `[[stream]]`, checked.
///
/// # Examples
///
/// ```
/// use cim_host::config::{Config, StreamKind};
///
/// let config = Config::parse("[[stream]]\npreset = \"KEYS_COMMANDS\"\nreplicas = 3")?;
/// assert_eq!(config.streams[0].name, "KEYS_COMMANDS");
/// assert_eq!(config.streams[0].kind, StreamKind::Commands);
/// # Ok::<(), cim_host::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "Table")]
#[doc(alias = "StreamingConfig")]
pub struct StreamTable {
    /// The stream's name.
    pub name: String,
    /// What it is for.
    pub kind: StreamKind,
    /// What it takes; none for what the kind takes of itself.
    pub subjects: Vec<SubjectFilter>,
    /// On how many servers it is kept; as many as the store's by default.
    pub replicas: Option<u32>,
    /// After how many days its messages go; [`DEFAULT_RETENTION_DAYS`] by default. A stream that
    /// histories are folded from has none.
    pub retention_days: Option<u32>,
    /// For how long message ids are remembered; two minutes by default.
    pub duplicate_window_seconds: Option<u32>,
    /// How many messages it holds at most; any number by default.
    pub max_messages: Option<u64>,
    /// How many bytes it holds at most; any number by default.
    pub max_bytes: Option<u64>,
}

/// How long messages stay that nobody folds into histories: the retention of the seeds.
pub const DEFAULT_RETENTION_DAYS: u32 = 90;

/// What a stream is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamKind {
    /// The events of a store: histories, kept for ever.
    Events,
    /// Events that are told and not folded.
    PublishedEvents,
    /// Commands: each for one worker.
    Commands,
    /// Messages that could not be handled.
    DeadLetters,
}

impl StreamKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Events,
        Self::PublishedEvents,
        Self::Commands,
        Self::DeadLetters,
    ];

    /// As `cim.toml` says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::PublishedEvents => "published-events",
            Self::Commands => "commands",
            Self::DeadLetters => "dead-letters",
        }
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The streams that are in use, by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StreamPreset {
    /// `KEYS_EVENTS`: `keys.events.<entity>.<operation>`, published, 90 days.
    #[doc(alias = "KEYS_EVENTS")]
    KeysEvents,
    /// `KEYS_COMMANDS`: `keys.commands.<entity>.<operation>`, a work queue, 90 days.
    #[doc(alias = "KEYS_COMMANDS")]
    KeysCommands,
    /// `CIM-EVENTS`: the events of a store, in the namespace's own subjects.
    #[doc(alias = "CIM-EVENTS")]
    CimEvents,
}

impl StreamPreset {
    /// All presets.
    pub const ALL: [Self; 3] = [Self::KeysEvents, Self::KeysCommands, Self::CimEvents];

    /// The name, which is also that of the stream.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeysEvents => "KEYS_EVENTS",
            Self::KeysCommands => "KEYS_COMMANDS",
            Self::CimEvents => "CIM-EVENTS",
        }
    }

    /// What it stands for.
    pub fn table(self) -> StreamTable {
        // The subjects are the same in every namespace, since the layouts do not show it.
        let filter = |template: fn(&Namespace) -> SubjectTemplate| {
            vec![template(&Namespace::default()).filter()]
        };
        let (kind, subjects) = match self {
            Self::KeysEvents => (
                StreamKind::PublishedEvents,
                filter(SubjectTemplate::keys_events),
            ),
            Self::KeysCommands => (StreamKind::Commands, filter(SubjectTemplate::keys_commands)),
            Self::CimEvents => (StreamKind::Events, Vec::new()),
        };
        StreamTable {
            name: self.as_str().to_owned(),
            kind,
            subjects,
            replicas: None,
            retention_days: None,
            duplicate_window_seconds: None,
            max_messages: None,
            max_bytes: None,
        }
    }
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Option<Name>,
    kind: Option<StreamKind>,
    preset: Option<StreamPreset>,
    #[serde(default)]
    subjects: Vec<Filter>,
    replicas: Option<Replicas>,
    retention_days: Option<Positive<u32>>,
    duplicate_window_seconds: Option<Positive<u32>>,
    max_messages: Option<Positive<u64>>,
    max_bytes: Option<Positive<u64>>,
}

impl TryFrom<Table> for StreamTable {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Self, &'static str> {
        let mut stream = match (table.preset, table.kind) {
            (Some(preset), None) => preset.table(),
            (None, Some(kind)) => Self {
                name: String::new(),
                kind,
                ..StreamPreset::CimEvents.table()
            },
            (Some(_), Some(_)) => {
                return Err("in `[[stream]]`, expected `kind` or `preset`, found both");
            }
            (None, None) => {
                return Err("in `[[stream]]`, expected `kind` or `preset`, found neither");
            }
        };
        match table.name {
            Some(Name(name)) => stream.name = name,
            None if stream.name.is_empty() => {
                return Err("in `[[stream]]`, expected `name` beside `kind`");
            }
            None => {}
        }
        if !table.subjects.is_empty() {
            stream.subjects = table.subjects.into_iter().map(|Filter(one)| one).collect();
        }
        match stream.kind {
            StreamKind::Events if table.retention_days.is_some() => {
                return Err(
                    "in `[[stream]]`, expected no `retention_days` beside the kind `events`: when \
                     a history has expired, its version 1 could be written again",
                );
            }
            StreamKind::PublishedEvents if stream.subjects.is_empty() => {
                return Err(
                    "in `[[stream]]`, expected `subjects` beside the kind `published-events`",
                );
            }
            StreamKind::Events
            | StreamKind::PublishedEvents
            | StreamKind::Commands
            | StreamKind::DeadLetters => {}
        }
        stream.replicas = table.replicas.map(|Replicas(count)| count);
        stream.retention_days = table.retention_days.map(|Positive(days)| days);
        stream.duplicate_window_seconds = table.duplicate_window_seconds.map(|seconds| seconds.0);
        stream.max_messages = table.max_messages.map(|Positive(count)| count);
        stream.max_bytes = table.max_bytes.map(|Positive(bytes)| bytes);
        Ok(stream)
    }
}

struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_name(&text) {
            return Ok(Self(text));
        }
        let why = format!("expected {NAME} in `[[stream]] name`, found `{text}`");
        Err(D::Error::custom(why))
    }
}

struct Filter(SubjectFilter);

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let filter = SubjectFilter::from_str(&text);
        filter
            .map(Self)
            .map_err(|error| D::Error::custom(format!("in `[[stream]] subjects`, {error}")))
    }
}

struct Replicas(u32);

impl<'de> Deserialize<'de> for Replicas {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            count @ 1..=MAX_REPLICAS => Ok(Self(count)),
            count => Err(D::Error::custom(format!(
                "expected 1 to {MAX_REPLICAS} in `[[stream]] replicas`, found `{count}`"
            ))),
        }
    }
}

struct Positive<T>(T);

impl<'de, T: Default + Deserialize<'de> + PartialEq> Deserialize<'de> for Positive<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = T::deserialize(deserializer)?;
        if number == T::default() {
            return Err(D::Error::custom("expected at least 1, found `0`"));
        }
        Ok(Self(number))
    }
}

impl<'de> Deserialize<'de> for StreamKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_of(deserializer, "kind", &Self::ALL, Self::as_str)
    }
}

impl<'de> Deserialize<'de> for StreamPreset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_of(deserializer, "preset", &Self::ALL, Self::as_str)
    }
}

fn one_of<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    key: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    all.iter()
        .find(|one| name(**one) == text)
        .copied()
        .ok_or_else(|| {
            let names: Vec<_> = all.iter().map(|one| format!("`{}`", name(*one))).collect();
            let names = names.join(", ");
            let why = format!("expected one of {names} in `[[stream]] {key}`, found `{text}`");
            D::Error::custom(why)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn presets_are_the_streams_of_the_seeds() {
        let subjects = |preset: StreamPreset| {
            let table = preset.table();
            let texts: Vec<_> = table.subjects.iter().map(ToString::to_string).collect();
            (table.name, table.kind, texts.join(" "))
        };
        let expect =
            |name: &str, kind, subjects: &str| (name.to_owned(), kind, subjects.to_owned());
        assert_eq!(
            StreamPreset::ALL.map(subjects),
            [
                expect(
                    "KEYS_EVENTS",
                    StreamKind::PublishedEvents,
                    "keys.events.*.*"
                ),
                expect("KEYS_COMMANDS", StreamKind::Commands, "keys.commands.*.*"),
                expect("CIM-EVENTS", StreamKind::Events, ""),
            ]
        );
    }

    #[test]
    fn every_key_is_taken() {
        let config = Config::parse(
            "[[stream]]\npreset = \"KEYS_EVENTS\"\nname = \"K\"\nsubjects = [\"k.>\"]\n\
             replicas = 3\nretention_days = 30\nduplicate_window_seconds = 1\nmax_messages = 2\n\
             max_bytes = 3\n[[stream]]\nname = \"D\"\nkind = \"dead-letters\"",
        )
        .expect("valid");
        let [keys, letters] = &config.streams[..] else {
            panic!("{:?}", config.streams);
        };
        let expect = StreamTable {
            name: "K".to_owned(),
            kind: StreamKind::PublishedEvents,
            subjects: vec!["k.>".parse().expect("a filter")],
            replicas: Some(3),
            retention_days: Some(30),
            duplicate_window_seconds: Some(1),
            max_messages: Some(2),
            max_bytes: Some(3),
        };
        assert_eq!(keys, &expect);
        assert_eq!(letters.kind, StreamKind::DeadLetters);
        assert_eq!(letters.retention_days, None);
    }

    #[test]
    fn faults_have_their_line_and_key() {
        #[track_caller]
        fn refused(table: &str, expect: &str) {
            let text = format!("namespace = \"o.u.d\"\n\n[[stream]]\n{table}");
            let error = Config::parse(&text).expect_err(table).to_string();
            assert_eq!(error, format!("`cim.toml`, {expect}"), "{table}");
        }
        refused(
            "kind = \"events\"",
            "line 3, column 1: in `[[stream]]`, expected `name` beside `kind`",
        );
        refused(
            "name = \"A\"",
            "line 3, column 1: in `[[stream]]`, expected `kind` or `preset`, found neither",
        );
        refused(
            "kind = \"events\"\npreset = \"KEYS_EVENTS\"",
            "line 3, column 1: in `[[stream]]`, expected `kind` or `preset`, found both",
        );
        refused(
            "name = \"A\"\nkind = \"event\"",
            "line 5, column 8: expected one of `events`, `published-events`, `commands`, \
             `dead-letters` in `[[stream]] kind`, found `event`",
        );
        refused(
            "preset = \"KEYS\"",
            "line 4, column 10: expected one of `KEYS_EVENTS`, `KEYS_COMMANDS`, `CIM-EVENTS` in \
             `[[stream]] preset`, found `KEYS`",
        );
        refused(
            "preset = \"KEYS_EVENTS\"\nname = \"a.b\"",
            "line 5, column 8: expected a name without white space, `.`, `*`, `>`, `/` and `\\` \
             in `[[stream]] name`, found `a.b`",
        );
        refused(
            "preset = \"KEYS_EVENTS\"\nsubjects = [\"a.>.b\"]",
            "line 5, column 12: in `[[stream]] subjects`, `a.>.b` is not a subject filter: `>` \
             must be its last token",
        );
        refused(
            "preset = \"KEYS_EVENTS\"\nreplicas = 6",
            "line 5, column 12: expected 1 to 5 in `[[stream]] replicas`, found `6`",
        );
        refused(
            "preset = \"KEYS_EVENTS\"\nretention_days = 0",
            "line 5, column 18: expected at least 1, found `0`",
        );
        refused(
            "preset = \"CIM-EVENTS\"\nretention_days = 9",
            "line 3, column 1: in `[[stream]]`, expected no `retention_days` beside the kind \
             `events`: when a history has expired, its version 1 could be written again",
        );
        refused(
            "name = \"A\"\nkind = \"published-events\"",
            "line 3, column 1: in `[[stream]]`, expected `subjects` beside the kind \
             `published-events`",
        );
    }
}

//! Streams as code: what streams there should be, and what it takes to have them.
//!
//! [`StreamPlan`] says how a stream should be, [`difference`] what differs from one that is there
//! and what a change would cost, [`plan`] looks at the server, [`apply`] changes it.

mod apply;
mod difference;
mod error;
mod event_stream;
mod look;
mod overlap;

use std::time::Duration;

use cim_core::id::Namespace;
use cim_core::subject::{StoreTemplate, SubjectFilter, SubjectTemplate, TemplateError};

pub use self::apply::{Loss, apply};
pub(crate) use self::difference::shown;
pub use self::difference::{Effect, FieldChange, difference};
pub use self::error::PlanError;
pub use self::event_stream::{NotAStore, StoreIdentity, event_stream, parse_store};
pub use self::look::{Action, Planned, PlannedStream, plan};
pub use self::overlap::{Overlap, overlaps};

use super::stream::{Discard, Retention, StreamConfig};
use crate::config::{Config, DEFAULT_RETENTION_DAYS, StreamKind, StreamTable};

/// For how long message ids are remembered: two minutes, NATS's own default.
pub const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How a stream should be.
#[derive(Clone, Debug, Eq, PartialEq)]
#[doc(alias("EventStreamConfig", "create_event_streams"))]
pub struct StreamPlan {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// What it takes.
    pub subjects: Vec<SubjectFilter>,
    /// On how many servers it is kept.
    pub replicas: u32,
    /// For how long message ids are remembered.
    pub duplicate_window: Duration,
    /// How many messages it holds at most; any number without it.
    pub max_messages: Option<u64>,
    /// How many bytes it holds at most; any number without it.
    pub max_bytes: Option<u64>,
}

/// What a stream is for, with what only this purpose has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The events of a store. It has no age limit: when a history has expired, its version 1 could
    /// be written again.
    Store {
        /// How subjects are built.
        template: StoreTemplate,
    },
    /// Events that are told and not folded.
    PublishedEvents {
        /// After how many days they go.
        retention_days: u32,
    },
    /// Commands: each for one worker.
    Commands {
        /// After how many days one that nobody took goes.
        retention_days: u32,
    },
    /// Messages that could not be handled.
    DeadLetters {
        /// After how many days they go.
        retention_days: u32,
    },
}

impl StreamPlan {
    /// The streams that `cim.toml` asks for: that of the store, `store` if its URL names it, and
    /// those of `[[stream]]`.
    ///
    /// # Errors
    ///
    /// [`PlanError`] when two of them have one name or take one subject, or one takes subjects that
    /// its template does not build.
    pub fn from_config(config: &Config, store: Option<&str>) -> Result<Vec<Self>, PlanError> {
        let own = StreamTable {
            name: store.unwrap_or(&config.event_store.stream_name).to_owned(),
            ..crate::config::StreamPreset::CimEvents.table()
        };
        let mut plans = Vec::with_capacity(1 + config.streams.len());
        for table in std::iter::once(&own).chain(&config.streams) {
            plans.push(Self::from_table(table, config)?);
        }
        overlap::check(&plans)?;
        Ok(plans)
    }

    /// The stream that a table of `cim.toml` asks for.
    ///
    /// # Errors
    ///
    /// [`PlanError::Template`] when the namespace disagrees with the template,
    /// [`PlanError::OutsideTemplate`] when a store takes subjects that are no events of it.
    pub fn from_table(table: &StreamTable, config: &Config) -> Result<Self, PlanError> {
        let namespace = config.namespace().map_err(PlanError::Config)?;
        let retention_days = table.retention_days.unwrap_or(DEFAULT_RETENTION_DAYS);
        let purpose = match table.kind {
            StreamKind::Events => Purpose::Store {
                template: config
                    .template()
                    .map_err(PlanError::Config)?
                    .unwrap_or_default(),
            },
            StreamKind::PublishedEvents => Purpose::PublishedEvents { retention_days },
            StreamKind::Commands => Purpose::Commands { retention_days },
            StreamKind::DeadLetters => Purpose::DeadLetters { retention_days },
        };
        let subjects = if table.subjects.is_empty() {
            purpose
                .subjects(&namespace, config.namespace.is_some())
                .map_err(|source| PlanError::Template {
                    stream: table.name.clone(),
                    source,
                })?
        } else {
            table.subjects.clone()
        };
        if let Purpose::Store { template } = &purpose {
            let all = template.template().filter();
            if let Some(outside) = subjects.iter().find(|subject| !all.covers(subject)) {
                return Err(PlanError::OutsideTemplate {
                    stream: table.name.clone(),
                    subject: outside.clone(),
                    template: template.to_string(),
                });
            }
        }
        let window = table.duplicate_window_seconds.map(u64::from);
        Ok(Self {
            name: table.name.clone(),
            purpose,
            subjects,
            replicas: table.replicas.unwrap_or(config.event_store.replicas),
            duplicate_window: window.map_or(DUPLICATE_WINDOW, Duration::from_secs),
            max_messages: table.max_messages,
            max_bytes: table.max_bytes,
        })
    }

    /// What the stream is for.
    pub fn kind(&self) -> StreamKind {
        match self.purpose {
            Purpose::Store { .. } => StreamKind::Events,
            Purpose::PublishedEvents { .. } => StreamKind::PublishedEvents,
            Purpose::Commands { .. } => StreamKind::Commands,
            Purpose::DeadLetters { .. } => StreamKind::DeadLetters,
        }
    }

    /// The stream as the server should have it. The stream of a store gets its id and the time of
    /// its birth when it is made; they are not in here.
    pub fn wanted(&self) -> StreamConfig {
        let mut config = event_stream::settings(&self.name, &self.subjects, self.replicas);
        match &self.purpose {
            Purpose::Store { template } => {
                let text = event_stream::template_text(template);
                let key = event_stream::TEMPLATE.to_owned();
                config.metadata.insert(key, text);
            }
            Purpose::PublishedEvents { retention_days } => expiring(&mut config, *retention_days),
            Purpose::Commands { retention_days } => {
                expiring(&mut config, *retention_days);
                config.retention = Retention::WorkQueue;
                // A full queue turns commands away, so that whoever sent one knows.
                config.discard = Discard::New;
            }
            Purpose::DeadLetters { retention_days } => {
                expiring(&mut config, *retention_days);
                config.allow_atomic = false;
            }
        }
        let limit = |limit: Option<u64>| limit.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
        config.max_msgs = limit(self.max_messages);
        config.max_bytes = limit(self.max_bytes);
        config.duplicate_window = nanos(self.duplicate_window);
        config
    }
}

impl Purpose {
    /// What a stream takes that is told no subjects.
    fn subjects(
        &self,
        namespace: &Namespace,
        is_given: bool,
    ) -> Result<Vec<SubjectFilter>, TemplateError> {
        match self {
            // A template with constants of its own needs no namespace beside it.
            Self::Store { template } => match template.template().namespace_filter(namespace) {
                Err(_) if !is_given => event_stream::subjects(template, &[]),
                filter => filter.map(|filter| vec![filter]),
            },
            Self::PublishedEvents { .. } | Self::Commands { .. } => {
                let template = SubjectTemplate::canonical_commands();
                template
                    .namespace_filter(namespace)
                    .map(|filter| vec![filter])
            }
            Self::DeadLetters { .. } => {
                let [_, _, domain] = namespace.tokens();
                let filter = format!("{domain}.dlq.>").parse();
                Ok(vec![filter.expect("a token of a namespace is a token")])
            }
        }
    }
}

/// A stream whose messages go by themselves; an operator may take them away too.
fn expiring(config: &mut StreamConfig, days: u32) {
    config.max_age = nanos(Duration::from_secs(u64::from(days) * SECONDS_OF_A_DAY));
    config.discard = Discard::Old;
    config.deny_delete = false;
    config.deny_purge = false;
}

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// As the server counts time: 292 years and more are no limit that anybody means.
fn nanos(time: Duration) -> u64 {
    let most = i64::MAX.unsigned_abs();
    u64::try_from(time.as_nanos()).map_or(most, |nanos| nanos.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans(text: &str) -> Vec<StreamPlan> {
        let config = Config::parse(text).expect("a configuration");
        StreamPlan::from_config(&config, None).expect("plans")
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let config = Config::parse(text).expect("a configuration");
        let error = StreamPlan::from_config(&config, None).expect_err(text);
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn the_store_s_own_stream_is_always_planned() {
        let [plan] = &plans("namespace = \"o.u.d\"\n[event_store]\nreplicas = 3")[..] else {
            panic!("one stream");
        };
        assert_eq!((&*plan.name, plan.replicas), ("CIM-EVENTS", 3));
        let config = plan.wanted();
        assert_eq!(config.subjects, ["o.u.d.*.*.*"]);
        assert_eq!(config.max_age, 0, "`retention_days` is no age limit");
        let named = StreamPlan::from_config(&Config::default(), Some("OTHER")).expect("a plan");
        assert_eq!(named[0].name, "OTHER");
        assert_eq!(named[0].wanted().subjects, ["local.main.events.*.*.*"]);
    }

    #[test]
    fn it_is_the_stream_that_a_new_store_makes() {
        let [plan] = &plans("namespace = \"o.u.d\"")[..] else {
            panic!("one stream");
        };
        let namespace = Namespace::new("o.u.d").expect("three tokens");
        let mut made = event_stream(
            "CIM-EVENTS",
            &StoreTemplate::default(),
            &[namespace],
            1,
            uuid::Uuid::nil(),
            crate::clock::now(),
        )
        .expect("no constants");
        made.metadata.retain(|key, _| key == event_stream::TEMPLATE);
        assert_eq!(plan.wanted(), made);
    }

    #[test]
    fn a_template_with_constants_needs_no_namespace() {
        let text = "[template]\nsubject = \"infrastructure.compute.{id}.{operation}\"\n\
                    constants = { organization = \"o\", unit = \"u\", domain = \"d\", \
                    entity = \"machine\" }";
        let subjects = &plans(text)[0].subjects;
        assert_eq!(subjects[0].as_str(), "infrastructure.compute.*.*");
    }

    #[test]
    fn each_kind_has_its_settings() {
        let text = "namespace = \"o.u.person\"\n\
                    [[stream]]\npreset = \"KEYS_EVENTS\"\nretention_days = 30\nreplicas = 3\n\
                    [[stream]]\npreset = \"KEYS_COMMANDS\"\n\
                    [[stream]]\nname = \"PERSON_COMMANDS\"\nkind = \"commands\"\n\
                    [[stream]]\nname = \"PERSON_DLQ\"\nkind = \"dead-letters\"\nmax_bytes = 9";
        let days = |days: u64| days * 24 * 3600 * 1_000_000_000;
        let found: Vec<_> = plans(text)
            .iter()
            .skip(1)
            .map(|plan| {
                let config = plan.wanted();
                (
                    config.subjects.join(" "),
                    config.retention,
                    config.max_age,
                    config.num_replicas,
                    config.max_bytes,
                    config.deny_purge,
                )
            })
            .collect();
        let row = |subject: &str, retention, age, replicas, bytes| {
            (subject.to_owned(), retention, age, replicas, bytes, false)
        };
        assert_eq!(
            found,
            [
                row("keys.events.*.*", Retention::Limits, days(30), 3, -1),
                row("keys.commands.*.*", Retention::WorkQueue, days(90), 1, -1),
                row("o.u.person.*.*", Retention::WorkQueue, days(90), 1, -1),
                row("person.dlq.>", Retention::Limits, days(90), 1, 9),
            ]
        );
    }

    #[test]
    fn plans_that_cannot_be_together_are_refused() {
        refused(
            "[[stream]]\npreset = \"CIM-EVENTS\"",
            "two streams are to have the name `CIM-EVENTS`",
        );
        refused(
            "[[stream]]\nname = \"A\"\nkind = \"published-events\"\nsubjects = [\"local.>\"]",
            "the streams `CIM-EVENTS` and `A` are to take the same subjects: \
             `local.main.events.*.*.*` and `local.>`",
        );
        refused(
            "[[stream]]\nname = \"A\"\nkind = \"commands\"\nsubjects = [\"a.*\", \"a.b\"]",
            "the stream `A` is to take the same subjects twice: `a.*` and `a.b`",
        );
        refused(
            "[[stream]]\nname = \"A\"\nkind = \"events\"\nsubjects = [\"a.>\"]",
            "the stream `A` is to take `a.>`, where the template \
             `{organization}.{unit}.{domain}.{entity}.{id}.{operation}` builds no events",
        );
    }
}

//! What can be read of projections, also by another process than their projector's.

use std::time::Duration;

use cim_core::projection::Name;
use cim_core::projection::machine::{ParkedEvent, State};
use cim_core::time::Timestamp;
use cim_core::version::Position;
use uuid::Uuid;

/// How often a projector that has nothing else to write gives a sign of life.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a projector that runs may be silent: three signs of life are missing then.
const MAX_SILENCE: Duration = Duration::from_secs(15);

/// How a projection stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: Name,
    /// The identity of the handler that made the documents.
    pub handler: String,
    /// The hash of the configuration that the handler had; empty without one.
    pub configuration: String,
    /// That handler's version, for people.
    pub handler_version: String,
    /// The store that the events are from.
    pub store_id: Uuid,
    /// The checkpoint: every event up to here has taken effect, is parked, or is passed over.
    pub position: Option<Position>,
    /// What its projector said last; [`activity`](Self::activity) tells whether it still runs.
    pub state: State,
    /// How many events took effect.
    pub events: u64,
    /// How many aggregates are parked.
    pub parked_aggregates: u64,
    /// How many events wait in the parked queues.
    pub parked_events: u64,
    /// Its collections, in the order of their names.
    pub collections: Vec<Name>,
    /// When its projector started.
    pub started_at: Timestamp,
    /// The last sign of life of its projector.
    pub updated_at: Timestamp,
    /// When the documents were last as new as the store.
    pub caught_up_at: Option<Timestamp>,
    /// When its projector ended; `None` while it runs, and when it was killed.
    pub stopped_at: Option<Timestamp>,
    /// The code and message of what it could not go on from.
    pub error: Option<(String, String)>,
}

/// Whether the projector of a projection is at work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Activity {
    /// It gave a sign of life lately.
    Running,
    /// It ended by itself, then.
    Stopped(Timestamp),
    /// It gave no sign of life since then: it was killed, or hangs.
    Silent(Timestamp),
}

/// How far documents are behind their store.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lag {
    /// The store's last position less the checkpoint: on SQLite the count of events that are not
    /// yet handled, on a store whose positions have gaps the most that it can be.
    pub events: u64,
    /// Whole seconds since the documents were last as new as the store; 0 where no event waits.
    pub seconds: u64,
}

impl ProjectionStatus {
    /// Whether its projector is at work.
    pub fn activity(&self, now: Timestamp) -> Activity {
        match self.stopped_at {
            Some(at) => Activity::Stopped(at),
            None if since(self.updated_at, now) > MAX_SILENCE => Activity::Silent(self.updated_at),
            None => Activity::Running,
        }
    }

    /// How far it is behind a store whose last position is `last`.
    pub fn lag(&self, last: Option<Position>, now: Timestamp) -> Lag {
        let events = distance(self.position, last);
        let current = self.caught_up_at.unwrap_or(self.started_at);
        Lag {
            events,
            seconds: match events {
                0 => 0,
                _ => since(current, now).as_secs(),
            },
        }
    }
}

/// How many positions lie between a checkpoint and the store's last.
pub(crate) fn distance(checkpoint: Option<Position>, last: Option<Position>) -> u64 {
    let number = |position: Option<Position>| position.map_or(0, Position::get);
    number(last).saturating_sub(number(checkpoint))
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::from_micros(now.micros().saturating_sub(then.micros()))
}

/// A document with its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// The key.
    pub key: String,
    /// The JSON text, as the handler wrote it.
    pub document: String,
}

/// Which documents of a collection to read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Select {
    /// All.
    #[default]
    All,
    /// The one under this key.
    Key(String),
    /// Those whose keys begin with this.
    Prefix(String),
}

/// An event that is set aside, with the time when it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParkedRow {
    /// The event and why.
    pub event: ParkedEvent,
    /// When.
    pub parked_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_positions_and_the_time_since_the_documents_were_new() {
        let status = status();
        let lag = |last| status.lag(Position::new(last).ok(), second(100));
        let of = |events, seconds| Lag { events, seconds };
        assert_eq!(lag(10), of(0, 0));
        assert_eq!(lag(15), of(5, 70));
        assert_eq!(lag(0), of(0, 0), "a store that is behind has no lag");
        let never = ProjectionStatus {
            position: None,
            caught_up_at: None,
            ..status
        };
        assert_eq!(
            never.lag(Position::new(3).ok(), second(100)),
            of(3, 99),
            "from its start"
        );
    }

    #[test]
    fn a_projector_is_silent_when_three_signs_of_life_are_missing() {
        let status = status();
        assert_eq!(status.activity(second(55)), Activity::Running);
        assert_eq!(status.activity(second(56)), Activity::Silent(second(40)));
        let stopped = ProjectionStatus {
            stopped_at: Some(second(41)),
            ..status
        };
        assert_eq!(stopped.activity(second(42)), Activity::Stopped(second(41)));
    }

    fn status() -> ProjectionStatus {
        ProjectionStatus {
            name: Name::new("activity").expect("a name"),
            handler: "1".to_owned(),
            configuration: String::new(),
            handler_version: "1".to_owned(),
            store_id: Uuid::nil(),
            position: Position::new(10).ok(),
            state: State::Live,
            events: 10,
            parked_aggregates: 0,
            parked_events: 0,
            collections: Vec::new(),
            started_at: second(1),
            updated_at: second(40),
            caught_up_at: Some(second(30)),
            stopped_at: None,
            error: None,
        }
    }

    fn second(number: u64) -> Timestamp {
        Timestamp::from_micros(number * 1_000_000).expect("a time")
    }
}

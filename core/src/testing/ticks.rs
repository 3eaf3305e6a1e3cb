//! Time and chance for tests: always the same.

use crate::command::Command;
use crate::event::NewEvent;
use crate::id::EventId;
use crate::payload::{self, DomainEvent};
use crate::text::Text;
use crate::time::Timestamp;

/// Times one second apart, and ids and entropy that count.
///
/// What a program asks of its clock and of chance, a test asks of this, and gets the same at every run.
///
/// # Examples
///
/// ```
/// use cim_core::testing::Ticks;
///
/// let mut ticks = Ticks::default();
/// assert_eq!(ticks.now().to_string(), "2026-01-01T00:00:00.000000Z");
/// assert_eq!(ticks.now().to_string(), "2026-01-01T00:00:01.000000Z");
/// assert_eq!(ticks.event_id().to_string(), "019b76da-abe8-7000-8000-000000000001");
/// assert_eq!(ticks.event_id().to_string(), "019b76da-abe8-7000-8000-000000000002");
/// assert_eq!(ticks.entropy(), [0, 0, 0, 3]);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ticks {
    now: Timestamp,
    next: Timestamp,
    count: u64,
}

impl Ticks {
    /// Ticks whose first time is this one.
    pub fn starting_at(first: Timestamp) -> Self {
        Self {
            now: first,
            next: first,
            count: 0,
        }
    }

    /// A second after the last time; at first, the first.
    ///
    /// # Panics
    ///
    /// After the year 9999.
    pub fn now(&mut self) -> Timestamp {
        self.now = self.next;
        self.next = Timestamp::from_micros(self.now.micros() + MICROS_A_TICK)
            .expect("tests end before the year 10000");
        self.now
    }

    /// The next id, of the millisecond of the last time: ids grow as they are asked for.
    pub fn event_id(&mut self) -> EventId {
        EventId::from_parts(self.now, self.entropy())
    }

    /// Bytes that are the next number, the most significant first. They are not random: fit for tests
    /// only.
    pub fn entropy<const N: usize>(&mut self) -> [u8; N] {
        self.count += 1;
        let mut entropy = [0; N];
        let number = self.count.to_be_bytes();
        for (byte, digit) in entropy.iter_mut().rev().zip(number.into_iter().rev()) {
            *byte = digit;
        }
        entropy
    }

    /// A command that begins a conversation, at the next time and with the next id, of the source `test`.
    pub fn command<C>(&mut self, payload: C) -> Command<C> {
        let now = self.now();
        Command::new(payload, self.event_id(), now, source())
    }

    /// An event that can be stored, at the next time and with the next id, of the source `test`.
    pub fn event<E: DomainEvent>(&mut self, event: &E) -> NewEvent {
        let now = self.now();
        payload::new_event(event, self.event_id(), now, source())
    }
}

impl Default for Ticks {
    /// Ticks from the beginning of 2026.
    fn default() -> Self {
        Self::starting_at(Timestamp::from_micros(YEAR_2026).expect("before the year 10000"))
    }
}

fn source() -> Text {
    Text::new("test").expect("clean text")
}

const MICROS_A_TICK: u64 = 1_000_000;

/// 2026-01-01T00:00:00Z, in microseconds since 1970.
const YEAR_2026: u64 = 1_767_225_600_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_with_time_and_count() {
        let mut ticks = Ticks::default();
        let mut ids = Vec::new();
        for _ in 0..300 {
            ids.push(ticks.event_id());
            ids.push(ticks.command(()).id);
        }
        assert!(ids.is_sorted());
        assert_eq!(ids.len(), 600);
        ids.dedup();
        assert_eq!(ids.len(), 600);
    }

    #[test]
    fn a_command_happens_at_the_time_of_its_id() {
        let mut ticks = Ticks::starting_at(Timestamp::from_seconds(100).expect("in range"));
        let (first, second) = (ticks.command("a"), ticks.command("b"));
        assert_eq!(
            (first.timestamp.seconds(), second.timestamp.seconds()),
            (100, 101)
        );
        assert_eq!(
            second.id,
            EventId::from_parts(second.timestamp, [0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
        );
        assert_eq!(second.source.as_str(), "test");
    }

    #[test]
    fn entropy_has_the_number_at_its_end() {
        let mut ticks = Ticks::default();
        for _ in 0..256 {
            let _: [u8; 0] = ticks.entropy();
        }
        assert_eq!(ticks.entropy(), [1, 1]);
        assert_eq!(ticks.entropy(), [2]);
        assert_eq!(ticks.entropy(), [0, 0, 0, 0, 0, 0, 0, 0, 1, 3]);
    }
}

//! What `append-worker` does, and the lines in which it tells another process about it.
//!
//! A line is written before an append is given to the store and one after its answer, each with
//! one system call, so that a process that is killed leaves whole lines.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use cim_core::append::{Append, AppendError, Appended};
use cim_core::cid::Cid;
use cim_core::event::NewEvent;
use cim_core::id::{AggregateKey, EventId, EventType};
use cim_core::text::Text;
use cim_core::time::Timestamp;

use crate::random::Random;

/// The aggregate with a number.
///
/// # Panics
///
/// Never: a number is a valid id.
pub fn key(number: u64) -> AggregateKey {
    format!("local.main.events.order.order-{number}")
        .parse()
        .expect("a valid key")
}

/// An event whose id and content are drawn from `random`, with a note of `size` bytes.
///
/// # Panics
///
/// Never: all parts are valid.
pub fn event(random: &mut Random, size: u64) -> NewEvent {
    let time = Timestamp::from_micros(1_795_248_000_000_000 + random.below(1 << 40));
    let time = time.expect("before the year 10000");
    let mut entropy = [0; 10];
    entropy[..8].copy_from_slice(&random.number().to_be_bytes());
    entropy[8..].copy_from_slice(&random.number().to_be_bytes()[..2]);
    let types = ["OrderPlaced", "OrderPaid", "OrderSent"];
    NewEvent::json(
        EventId::from_parts(time, entropy),
        &key(0).entity,
        EventType::new(types[random.below(3) as usize]).expect("a valid type"),
        time,
        Text::new("append-worker").expect("a valid text"),
        format!(r#"{{"note":"{}"}}"#, "x".repeat(size as usize)),
    )
    .expect("the type is short")
}

/// A line that the worker writes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Line {
    /// The store is open; what follows is work.
    Ready,
    /// An append with these event ids is given to the store. A later try of it is no new line.
    Try(Vec<EventId>),
    /// It was acknowledged: every event with its place, the last of each aggregate with its CID.
    Acknowledged {
        /// Whether the answer was `AlreadyCommitted`.
        already: bool,
        /// The events.
        events: Vec<Acknowledged>,
    },
    /// It was refused: none of these events is stored.
    Refused {
        /// The stable code of the reason.
        code: String,
        /// The events.
        events: Vec<EventId>,
    },
    /// The store could not tell; the worker may append the same again.
    Unknown(Vec<EventId>),
    /// The store could not be opened.
    Closed(String),
    /// Everything is done.
    Done,
}

/// An event that the store has acknowledged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acknowledged {
    /// Whose event it is.
    pub aggregate: AggregateKey,
    /// Its version.
    pub version: u64,
    /// Its id.
    pub id: EventId,
    /// Its CID, which a receipt names for the last event of an append only.
    pub cid: Option<Cid>,
}

impl Line {
    /// The answer of a store to `appends`.
    pub fn answer(appends: &[Append], answer: &Result<Vec<Appended>, AppendError>) -> Self {
        match answer {
            Ok(answers) => Self::Acknowledged {
                already: matches!(answers.first(), Some(Appended::AlreadyCommitted(_))),
                events: appends.iter().zip(answers).flat_map(acknowledged).collect(),
            },
            Err(AppendError::Unknown { .. }) => Self::Unknown(ids(appends)),
            Err(error) => Self::Refused {
                code: error.code().to_owned(),
                events: ids(appends),
            },
        }
    }

    /// Writes the line to standard output, at once and with one call.
    ///
    /// # Panics
    ///
    /// When nobody reads it.
    pub fn tell(&self) {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("{self}\n").as_bytes())
            .expect("somebody reads");
        out.flush().expect("somebody reads");
    }
}

fn acknowledged((append, answer): (&Append, &Appended)) -> Vec<Acknowledged> {
    let receipt = answer.receipt();
    let last = receipt.version.get();
    let count = append.events.len() as u64;
    let place = |(version, event): (u64, &NewEvent)| Acknowledged {
        aggregate: append.aggregate.clone(),
        version,
        id: event.id,
        cid: (version == last).then_some(receipt.head),
    };
    (last + 1 - count..=last)
        .zip(&append.events)
        .map(place)
        .collect()
}

/// The ids of all events of an append.
pub fn ids(appends: &[Append]) -> Vec<EventId> {
    appends
        .iter()
        .flat_map(|append| &append.events)
        .map(|event| event.id)
        .collect()
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, ids: &[EventId]| {
            ids.iter().try_for_each(|id| write!(f, " {id}"))
        };
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Try(ids) => f.write_str("try").and_then(|()| list(f, ids)),
            Self::Unknown(ids) => f.write_str("unknown").and_then(|()| list(f, ids)),
            Self::Refused { code, events } => {
                write!(f, "refused {code}").and_then(|()| list(f, events))
            }
            Self::Acknowledged { already, events } => {
                f.write_str(if *already { "already" } else { "committed" })?;
                events.iter().try_for_each(|event| {
                    write!(f, " {}/{}/{}/", event.aggregate, event.version, event.id)?;
                    event.cid.map_or(Ok(()), |cid| write!(f, "{cid}"))
                })
            }
            Self::Closed(why) => write!(f, "closed {}", why.replace('\n', " ")),
            Self::Done => f.write_str("done"),
        }
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = rest.split_whitespace();
        let id = |text: &str| text.parse().map_err(|_| format!("no event id: `{text}`"));
        let ids = |words: std::str::SplitWhitespace<'_>| {
            words.map(id).collect::<Result<Vec<EventId>, String>>()
        };
        Ok(match word {
            "ready" => Self::Ready,
            "done" => Self::Done,
            "closed" => Self::Closed(rest.to_owned()),
            "try" => Self::Try(ids(words)?),
            "unknown" => Self::Unknown(ids(words)?),
            "refused" => {
                let code = words.next().ok_or("no code")?.to_owned();
                Self::Refused {
                    code,
                    events: ids(words)?,
                }
            }
            "committed" | "already" => Self::Acknowledged {
                already: word == "already",
                events: words
                    .map(read_acknowledged)
                    .collect::<Option<_>>()
                    .ok_or(line)?,
            },
            _ => return Err(format!("no line of the worker: `{line}`")),
        })
    }
}

fn read_acknowledged(word: &str) -> Option<Acknowledged> {
    let mut parts = word.split('/');
    let mut part = || parts.next();
    Some(Acknowledged {
        aggregate: part()?.parse().ok()?,
        version: part()?.parse().ok()?,
        id: part()?.parse().ok()?,
        cid: match part()? {
            "" => None,
            text => Some(text.parse().ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let mut random = Random::new(1);
        let ids = vec![event(&mut random, 1).id, event(&mut random, 2).id];
        let cid = Cid::of_block(b"block");
        let event = |version, id, cid| Acknowledged {
            aggregate: key(7),
            version,
            id,
            cid,
        };
        let events = vec![event(1, ids[0], None), event(2, ids[1], Some(cid))];
        for line in [
            Line::Ready,
            Line::Try(ids.clone()),
            Line::Acknowledged {
                already: false,
                events: events.clone(),
            },
            Line::Acknowledged {
                already: true,
                events,
            },
            Line::Refused {
                code: "version-conflict".to_owned(),
                events: ids.clone(),
            },
            Line::Unknown(ids),
            Line::Closed("no disk".to_owned()),
            Line::Done,
        ] {
            assert_eq!(line.to_string().parse(), Ok(line));
        }
    }
}

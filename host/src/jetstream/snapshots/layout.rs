//! What a bucket of snapshots looks like: its stream, its subjects, what stands under them.
//!
//! It is a bucket as NATS describes them (ADR-8), so that its tools can look into it. Under the key of
//! an aggregate, `organization.unit.domain.entity.id`, stands its head: a snapshot of one part itself,
//! or the names of its parts, `<key>.<generation>.<n>`, which are never written twice.

use cim_core::id::{AggregateKey, parse_uuid};
use cim_core::version::Version;
use uuid::Uuid;

use crate::jetstream::{Discard, StoredMessage, StreamConfig};
use crate::snapshot::{MAX_SEALED_LEN, SnapshotEntry};

/// The bucket of a store.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// The stream that it is.
    pub(super) stream: String,
    store_id: Uuid,
}

impl Bucket {
    pub(super) fn new(store_id: Uuid) -> Self {
        Self {
            stream: format!("KV_CIM-SNAPSHOTS-{store_id}"),
            store_id,
        }
    }

    /// How its stream is set up. It has no age limit and drops nothing by itself but what is replaced.
    pub(super) fn config(&self, replicas: u32) -> StreamConfig {
        let mut config = StreamConfig::new(&self.stream);
        config.subjects = vec![self.all()];
        config.num_replicas = replicas;
        config.max_msgs_per_subject = 1;
        config.discard = Discard::New;
        config.deny_delete = true;
        config.allow_direct = true;
        // What makes a stream a bucket.
        let rollup = "allow_rollup_hdrs".to_owned();
        config.other.insert(rollup, true.into());
        let of = ("cim.snapshots_of".to_owned(), self.store_id.to_string());
        config.metadata.extend([of]);
        config
    }

    /// What is wrong with a stream that has its name, if anything is.
    pub(super) fn fault(&self, found: &StreamConfig) -> Option<String> {
        let all = self.all();
        if found.subjects != [all.as_str()] {
            return Some(format!(
                "expected the subject `{all}` alone, found `{}`",
                found.subjects.join("`, `")
            ));
        }
        if found.max_msgs_per_subject != 1 {
            return Some(format!(
                "expected a history of 1, found {}",
                found.max_msgs_per_subject
            ));
        }
        None
    }

    fn prefix(&self) -> String {
        format!("$KV.CIM-SNAPSHOTS-{}.", self.store_id)
    }

    fn all(&self) -> String {
        self.prefix() + ">"
    }

    /// The subjects of all heads. Those of parts are longer.
    pub(super) fn heads(&self) -> String {
        self.prefix() + "*.*.*.*.*"
    }

    /// The subject of an aggregate's head.
    pub(super) fn head(&self, aggregate: &AggregateKey) -> String {
        format!("{}{aggregate}", self.prefix())
    }

    /// Whose head has a subject.
    pub(super) fn aggregate(&self, subject: &str) -> Option<AggregateKey> {
        subject.strip_prefix(&self.prefix())?.parse().ok()
    }
}

/// What the head of an aggregate says of its snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) version: Version,
    /// How many bytes it has, all parts together.
    pub(super) bytes: usize,
    /// Where it lies, unless it is the body of the head itself.
    pub(super) parts: Option<Parts>,
}

/// The parts of a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Parts {
    /// What tells them from those of others; each save has its own.
    pub(super) generation: Uuid,
    pub(super) count: usize,
}

impl Head {
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            (VERSION.to_owned(), self.version.to_string()),
            (BYTES.to_owned(), self.bytes.to_string()),
        ];
        if let Some(parts) = self.parts {
            headers.extend([
                (GENERATION.to_owned(), parts.generation.to_string()),
                (PARTS.to_owned(), parts.count.to_string()),
            ]);
        }
        headers
    }

    /// Reads the head of an aggregate; `None` where it says that there is none any more.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn read(stored: &StoredMessage) -> Result<Option<Self>, String> {
        if stored.header(OPERATION).is_some() {
            return Ok(None);
        }
        let header = |name| {
            let value = stored.header(name);
            value.ok_or_else(|| format!("`{}` has no header `{name}`", stored.message.subject))
        };
        let wrong = |name| {
            let subject = &stored.message.subject;
            move || format!("the header `{name}` of `{subject}` has another form")
        };
        let number = |name, max| {
            let number = header(name)?.parse().ok();
            number
                .filter(|number: &usize| *number <= max)
                .ok_or_else(wrong(name))
        };
        let parts = match stored.header(GENERATION) {
            None => None,
            Some(generation) => Some(Parts {
                generation: parse_uuid(generation).map_err(|_| wrong(GENERATION)())?,
                count: number(PARTS, MAX_PARTS)?,
            }),
        };
        Ok(Some(Self {
            version: header(VERSION)?.parse().map_err(|_| wrong(VERSION)())?,
            bytes: number(BYTES, MAX_SEALED_LEN)?,
            parts,
        }))
    }

    pub(super) fn entry(&self, aggregate: AggregateKey) -> SnapshotEntry {
        SnapshotEntry {
            aggregate,
            version: self.version,
            bytes: self.bytes as u64,
        }
    }
}

impl Parts {
    /// The subject of a part, below that of the head.
    pub(super) fn subject(&self, head: &str, number: usize) -> String {
        format!("{head}.{}.{number}", self.generation.simple())
    }

    /// The subjects of all parts.
    pub(super) fn all(&self, head: &str) -> String {
        format!("{head}.{}.*", self.generation.simple())
    }
}

/// The headers of a marker: the snapshot was deleted (ADR-8).
pub(super) fn deleted() -> Vec<(String, String)> {
    vec![(OPERATION.to_owned(), "DEL".to_owned())]
}

/// The bytes of a part where the server takes messages of `max_payload`: all but some room for its
/// subject and its headers.
pub(super) fn part_len(max_payload: usize) -> usize {
    max_payload
        .min(LARGEST_MESSAGE)
        .saturating_sub(ROOM)
        .max(LEAST_PART_LEN)
}

/// A larger message than NATS takes by default is refused by other servers of a cluster.
const LARGEST_MESSAGE: usize = 1 << 20;

/// A subject has at most 800 bytes, the headers at most 300.
const ROOM: usize = 4096;

/// No server takes so little that this matters: it bounds the number of parts.
const LEAST_PART_LEN: usize = 4096;

const MAX_PARTS: usize = MAX_SEALED_LEN / LEAST_PART_LEN;

const VERSION: &str = "Snapshot-Version";
const BYTES: &str = "Snapshot-Bytes";
const GENERATION: &str = "Snapshot-Generation";
const PARTS: &str = "Snapshot-Parts";

/// What a bucket's marker has in the place of a value (ADR-8).
const OPERATION: &str = "KV-Operation";

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use cim_core::message::Message;
    use cim_core::time::Timestamp;

    use super::*;

    fn stored(headers: Vec<(String, String)>) -> StoredMessage {
        StoredMessage {
            sequence: 1,
            stored_at: Timestamp::default(),
            message: Message {
                subject: "$KV.b.o.u.d.e.i".to_owned(),
                headers,
                body: Bytes::new(),
            },
        }
    }

    fn head(parts: Option<Parts>) -> Head {
        Head {
            version: Version::FIRST,
            bytes: MAX_SEALED_LEN,
            parts,
        }
    }

    #[test]
    fn a_head_is_read_as_it_was_written() {
        let parts = Parts {
            generation: Uuid::from_u128(7),
            count: MAX_PARTS,
        };
        for head in [head(None), head(Some(parts))] {
            assert_eq!(Head::read(&stored(head.headers())), Ok(Some(head)));
        }
        assert_eq!(Head::read(&stored(deleted())), Ok(None));
    }

    #[test]
    fn a_head_that_nobody_wrote_is_refused() {
        let parts = Parts {
            generation: Uuid::from_u128(7),
            count: 2,
        };
        assert!(Head::read(&stored(Vec::new())).is_err());
        for (name, value) in [
            (VERSION, "0"),
            (VERSION, "x"),
            (BYTES, "67108865"),
            (BYTES, "-1"),
            (GENERATION, "7"),
            (PARTS, "99999999999"),
            (PARTS, ""),
        ] {
            let mut headers = head(Some(parts)).headers();
            let header = headers.iter_mut().find(|(found, _)| found == name);
            header.expect("it has all").1 = value.to_owned();
            let error = Head::read(&stored(headers)).expect_err("no head");
            assert!(error.contains(name), "{error}");
        }
        for name in [VERSION, BYTES, PARTS] {
            let mut headers = head(Some(parts)).headers();
            headers.retain(|(found, _)| found != name);
            assert!(Head::read(&stored(headers)).is_err(), "without {name}");
        }
    }

    #[test]
    fn a_bucket_knows_its_heads() {
        let bucket = Bucket::new(Uuid::nil());
        let aggregate: AggregateKey = "o.u.d.e.i".parse().expect("a key");
        let head = bucket.head(&aggregate);
        assert_eq!(
            head,
            "$KV.CIM-SNAPSHOTS-00000000-0000-0000-0000-000000000000.o.u.d.e.i"
        );
        assert_eq!(bucket.aggregate(&head), Some(aggregate));
        let parts = Parts {
            generation: Uuid::nil(),
            count: 1,
        };
        assert_eq!(bucket.aggregate(&parts.subject(&head, 0)), None);
        assert_eq!(bucket.aggregate("$KV.other.o.u.d.e.i"), None);
    }

    #[test]
    fn a_bucket_that_somebody_else_has_made_is_told() {
        let bucket = Bucket::new(Uuid::nil());
        assert_eq!(bucket.fault(&bucket.config(3)), None);
        let mut other = bucket.config(3);
        other.subjects.push("more.>".to_owned());
        assert!(bucket.fault(&other).is_some());
        let mut other = bucket.config(3);
        other.max_msgs_per_subject = 5;
        assert!(bucket.fault(&other).is_some());
    }

    #[test]
    fn parts_fit_into_messages() {
        assert_eq!(part_len(1 << 20), (1 << 20) - ROOM);
        assert_eq!(part_len(64 << 20), (1 << 20) - ROOM);
        assert_eq!(part_len(65536), 65536 - ROOM);
        assert_eq!(part_len(0), LEAST_PART_LEN);
    }
}

//! What the benchmarks share: medians of interleaved pairs, events, and raw SQLite to compare with.

#![allow(dead_code, reason = "each benchmark uses a part")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::Path;
use std::time::{Duration, Instant};

use cim_core::append::record;
use cim_core::cid::Cid;
use cim_core::event::{NewEvent, RecordedEvent};
use cim_core::id::{AggregateKey, EventId, EventType};
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::Head;
use rusqlite::{Connection, params};
use uuid::Uuid;

/// Pairs of a comparison; odd, so that the median is one that was measured.
pub(crate) const PAIRS: usize = 7;

/// Runs `ours` and `limit` in turn and prints the medians and the median of their ratios.
///
/// `ours` and `limit` get the number of the pair and give the time that `operations` took.
/// The ratio is that of speeds: over 1 means that ours is faster.
pub(crate) fn compare(
    name: &str,
    wanted: &str,
    operations: usize,
    mut ours: impl FnMut(usize) -> Duration,
    mut limit: impl FnMut(usize) -> Duration,
) -> f64 {
    let mut pairs: Vec<(f64, f64)> = Vec::new();
    for pair in 0..=PAIRS {
        let times = if pair % 2 == 0 {
            let first = ours(pair);
            (first, limit(pair))
        } else {
            let first = limit(pair);
            (ours(pair), first)
        };
        // The first pair warms up.
        if pair > 0 {
            pairs.push((times.0.as_secs_f64(), times.1.as_secs_f64()));
        }
    }
    let ratio = median(pairs.iter().map(|(ours, limit)| limit / ours));
    let rate = |time: f64| operations as f64 / time;
    println!(
        "{name:<52} ours {:>10.0}/s  limit {:>10.0}/s  speed ratio {ratio:>5.2}  time ratio {:>5.2}  wanted {wanted}",
        rate(median(pairs.iter().map(|pair| pair.0))),
        rate(median(pairs.iter().map(|pair| pair.1))),
        1.0 / ratio,
    );
    ratio
}

/// The median.
pub(crate) fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The time of one run.
pub(crate) fn time(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// The aggregate with a number.
pub(crate) fn key(number: usize) -> AggregateKey {
    format!("local.main.events.order.order-{number}")
        .parse()
        .expect("a valid key")
}

/// A source of events that all differ: about 250 bytes of JSON each.
#[derive(Debug, Default)]
pub(crate) struct Events(u64);

impl Events {
    /// The next event; `correlation` joins events to a conversation.
    pub(crate) fn next(&mut self, correlation: Option<Uuid>) -> NewEvent {
        self.0 += 1;
        let time = Timestamp::from_micros(1_700_000_000_000_000 + self.0 * 1000).expect("in range");
        let mut entropy = [0; 10];
        entropy[2..].copy_from_slice(&self.0.to_be_bytes());
        let id = EventId::from_parts(time, entropy);
        let types = [
            "OrderPlaced",
            "OrderPaid",
            "OrderPacked",
            "OrderSent",
            "OrderReturned",
        ];
        let event_type = types[self.0 as usize % types.len()];
        let body = format!(
            r#"{{"number":{},"customer":"customer-{}","note":"{}","items":[{{"article":"A-1","count":2}},{{"article":"B-7","count":1}}]}}"#,
            self.0,
            self.0 % 1000,
            "x".repeat(140),
        );
        let mut event = NewEvent::json(
            id,
            &"order".parse().expect("an entity"),
            EventType::new(event_type).expect("a type"),
            time,
            Text::new("bench").expect("a source"),
            body,
        )
        .expect("a short operation");
        if let Some(correlation) = correlation {
            event.correlation = correlation;
        }
        event
    }

    /// Several.
    pub(crate) fn take(&mut self, count: usize) -> Vec<NewEvent> {
        (0..count).map(|_| self.next(None)).collect()
    }

    /// Several with their place behind `head`.
    pub(crate) fn recorded(
        &mut self,
        key: &AggregateKey,
        head: Option<Head>,
        count: usize,
    ) -> Vec<RecordedEvent> {
        record(key, head, &self.take(count)).expect("a short history")
    }
}

/// Raw SQLite with the store's own tables and settings.
#[derive(Debug)]
pub(crate) struct Raw(pub(crate) Connection);

const INSERT: &str = "INSERT INTO events (aggregate, version, event_id, correlation_id, \
    causation_id, type, operation, schema_version, time, source, content_type, metadata, \
    traceparent, tracestate, previous_cid, cid, body) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

impl Raw {
    /// Makes a database with the store's schema.
    pub(crate) fn create(path: &Path) -> Self {
        let connection = Connection::open(path).expect("a new file");
        let mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .expect("a mode");
        assert_eq!(mode, "wal");
        connection
            .pragma_update(None, "synchronous", "FULL")
            .expect("a pragma");
        connection
            .execute_batch(include_str!("../../../host/src/sqlite/schema.sql"))
            .expect("tables");
        Self(connection)
    }

    /// Opens the file of a store.
    pub(crate) fn open(path: &Path) -> Self {
        Self(Connection::open(path).expect("a store"))
    }

    /// Adds an aggregate; gives its row number.
    pub(crate) fn aggregate(&self, key: &AggregateKey) -> i64 {
        self.0
            .prepare_cached("INSERT INTO aggregates (namespace, entity, key) VALUES (?1, ?2, ?3)")
            .expect("a statement")
            .insert([key.namespace.as_str(), key.entity.as_str(), key.id.as_str()])
            .expect("a new aggregate")
    }

    /// Writes rows in one transaction.
    pub(crate) fn insert<'a>(&mut self, rows: impl IntoIterator<Item = (i64, &'a RecordedEvent)>) {
        let transaction = self
            .0
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .expect("a transaction");
        {
            let mut statement = transaction.prepare_cached(INSERT).expect("a statement");
            for (aggregate, recorded) in rows {
                let event = &recorded.event;
                statement
                    .execute(params![
                        aggregate,
                        recorded.version.get() as i64,
                        event.id.as_bytes(),
                        event.correlation.as_bytes(),
                        event.causation.as_ref().map(Uuid::as_bytes),
                        event.event_type.as_str(),
                        event.operation.as_str(),
                        event.schema_version.get() as i64,
                        event.timestamp.micros() as i64,
                        event.source.as_str(),
                        event.content_type.as_str(),
                        None::<String>,
                        None::<String>,
                        None::<String>,
                        recorded.previous.map(Cid::to_bytes),
                        recorded.cid.to_bytes(),
                        &event.body[..],
                    ])
                    .expect("a new row");
            }
        }
        transaction.commit().expect("a commit");
    }

    /// Reads rows and decodes the same columns as the store does; gives their count.
    pub(crate) fn select(&self, condition: &str, params: impl rusqlite::Params) -> usize {
        let sql = format!(
            "SELECT position, namespace, entity, key, version, event_id, correlation_id, \
             causation_id, type, operation, schema_version, time, source, content_type, metadata, \
             traceparent, tracestate, previous_cid, cid, body \
             FROM events JOIN aggregates ON aggregates.id = events.aggregate {condition}"
        );
        let mut statement = self.0.prepare_cached(&sql).expect("a statement");
        let mut rows = statement.query(params).expect("rows");
        let mut count = 0;
        while let Some(row) = rows.next().expect("a row") {
            std::hint::black_box(RawRow::read(row).expect("valid columns"));
            count += 1;
        }
        count
    }
}

/// The columns of a row as owned values.
#[derive(Debug)]
pub(crate) struct RawRow {
    numbers: [i64; 4],
    ids: ([u8; 16], [u8; 16], Option<[u8; 16]>),
    texts: [String; 7],
    optional: [Option<String>; 3],
    previous: Option<[u8; 36]>,
    cid: [u8; 36],
    body: Vec<u8>,
}

impl RawRow {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            numbers: [row.get(0)?, row.get(4)?, row.get(10)?, row.get(11)?],
            ids: (row.get(5)?, row.get(6)?, row.get(7)?),
            texts: [
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(8)?,
                row.get(9)?,
                row.get(12)?,
                row.get(13)?,
            ],
            optional: [row.get(14)?, row.get(15)?, row.get(16)?],
            previous: row.get(17)?,
            cid: row.get(18)?,
            body: row.get(19)?,
        })
    }
}

//! Reading pages of events, on tokio's blocking threads.
//!
//! A page is one statement and starts behind the last row of the page before it, so no read
//! transaction stays open while a slow receiver thinks. While a page is received, the next one is
//! read.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use cim_core::version::Position;
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use rusqlite::{Connection, params_from_iter};
use tokio::task::JoinHandle;

use super::connection::{Connections, io};
use super::histories::find_aggregate;
use super::page::{PageOf, number};
use super::row::{COLUMNS, Rows};
use crate::store::verify::ReadVerifier;
use crate::store::{InvalidEvent, Query, ReadEvent, StoreError};

/// The most events of a page: most histories fit into one.
const PAGE: usize = 1024;

/// The most bytes of bodies in a page, beyond its last event.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// A page: events, then perhaps the fault that ends the stream.
struct Page {
    events: VecDeque<ReadEvent>,
    fault: Option<StoreError>,
    reader: Option<Box<Reader>>,
}

/// Where a read stands between two pages.
struct Reader {
    connections: Arc<Connections>,
    query: Query,
    rows: Rows,
    verifier: ReadVerifier,
    /// The version or position of the last row.
    last: Option<u64>,
    /// What was the last position when the read began; newer events are not part of it.
    end: Option<i64>,
    remaining: u64,
}

/// The events that `query` selects.
pub(super) fn read(
    connections: Arc<Connections>,
    query: Query,
) -> BoxStream<'static, Result<ReadEvent, StoreError>> {
    let reader = Reader {
        connections,
        rows: Rows::default(),
        verifier: ReadVerifier::new(&query),
        last: None,
        end: None,
        remaining: query.limit.unwrap_or(u64::MAX),
        query,
    };
    let next = Next::Reader(Box::new(reader));
    Receiver {
        events: VecDeque::new(),
        fault: None,
        next,
    }
    .boxed()
}

enum Next {
    Reader(Box<Reader>),
    Page(JoinHandle<Page>),
    End,
}

struct Receiver {
    events: VecDeque<ReadEvent>,
    fault: Option<StoreError>,
    next: Next,
}

impl Stream for Receiver {
    type Item = Result<ReadEvent, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(fault) = self.fault.take() {
                return Poll::Ready(Some(Err(fault)));
            }
            let page = match &mut self.next {
                Next::End => return Poll::Ready(None),
                Next::Reader(_) => None,
                Next::Page(handle) => Some(ready!(Pin::new(handle).poll(context))),
            };
            match (page, std::mem::replace(&mut self.next, Next::End)) {
                (None, Next::Reader(reader)) => self.next = read_page(reader),
                (None, Next::Page(_) | Next::End) => return Poll::Ready(None),
                (Some(Ok(page)), _) => {
                    self.events = page.events;
                    self.fault = page.fault;
                    if let Some(reader) = page.reader {
                        self.next = read_page(reader);
                    }
                }
                (Some(Err(error)), _) if error.is_panic() => {
                    std::panic::resume_unwind(error.into_panic())
                }
                (Some(Err(_)), _) => return Poll::Ready(Some(Err(StoreError::Closed))),
            }
        }
    }
}

fn read_page(reader: Box<Reader>) -> Next {
    Next::Page(tokio::task::spawn_blocking(|| reader.page()))
}

impl Reader {
    fn page(mut self: Box<Self>) -> Page {
        let connections = Arc::clone(&self.connections);
        let mut events = VecDeque::new();
        let answer = connections.with(|connection| self.fill(connection, &mut events));
        let (fault, more) = match answer {
            Ok(Ok(more)) => (None, more),
            Ok(Err(fault)) => (Some(fault), false),
            Err(error) => (Some(io("reading events", error)), false),
        };
        Page {
            events,
            fault,
            reader: more.then_some(self),
        }
    }

    /// Reads a page into `events`; says whether there may be more.
    fn fill(
        &mut self,
        connection: &Connection,
        events: &mut VecDeque<ReadEvent>,
    ) -> rusqlite::Result<Result<bool, StoreError>> {
        if self.end.is_none() {
            self.end = Some(last_row(connection)?.unwrap_or(0));
        }
        let aggregate = match &self.query.aggregate {
            None => None,
            Some(key) => match find_aggregate(connection, key)? {
                None => return Ok(Ok(false)),
                found => found,
            },
        };
        let limit = (PAGE as u64).min(self.remaining);
        if limit == 0 {
            return Ok(Ok(false));
        }
        let page = PageOf {
            columns: COLUMNS,
            query: &self.query,
            aggregate,
            end: self.end,
            last: self.last,
            limit,
        };
        let (sql, params) = page.statement();
        let mut statement = connection.prepare_cached(&sql)?;
        let mut found = statement.query(params_from_iter(params))?;
        let (mut count, mut bytes) = (0, 0);
        while let Some(row) = found.next()? {
            count += 1;
            let checked = match self.rows.event(connection, row)? {
                Ok((position, event)) => {
                    self.last = Some(match aggregate {
                        Some(_) => event.version.get(),
                        None => position.get(),
                    });
                    bytes += event.event.body.len();
                    self.verifier.check(position, event)
                }
                Err(invalid) => Err(StoreError::Invalid(invalid)),
            };
            match checked {
                Ok(event) => events.push_back(event),
                Err(fault) => return Ok(Err(fault)),
            }
            if bytes > MAX_PAGE_BYTES {
                break;
            }
        }
        self.remaining -= count;
        Ok(Ok(
            self.remaining > 0 && (count == limit || bytes > MAX_PAGE_BYTES)
        ))
    }
}

/// A row of the log for a subscription: an event, or what is wrong with it.
pub(super) type LogRow = (Position, Result<ReadEvent, InvalidEvent>);

/// Reads at most a page of the log behind a position, each event checked against its CID.
pub(super) fn log_page(
    connection: &Connection,
    rows: &mut Rows,
    verifier: &mut ReadVerifier,
    after: Option<Position>,
) -> rusqlite::Result<VecDeque<LogRow>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM events WHERE position > ?1 ORDER BY position LIMIT {PAGE}"
    ))?;
    // From the start there is no bound: a row with a number that is no position is delivered as
    // invalid, not passed over.
    let after = after.map_or(i64::MIN, |after| number(after.get()));
    let mut found = statement.query([after])?;
    let mut page = VecDeque::new();
    let mut bytes = 0;
    while let Some(row) = found.next()? {
        let (position, item) = match rows.event(connection, row)? {
            Ok((position, event)) => {
                bytes += event.event.body.len();
                match verifier.check(position, event) {
                    Ok(event) => (position, Ok(event)),
                    Err(StoreError::Invalid(invalid)) => (position, Err(invalid)),
                    Err(_) => unreachable!("a verifier only finds invalid events"),
                }
            }
            Err(invalid) => (invalid.position, Err(invalid)),
        };
        page.push_back((position, item));
        if bytes > MAX_PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

/// The last row number.
pub(super) fn last_row(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT max(position) FROM events")?
        .query_row([], |row| row.get(0))
}

//! A subscription: pages of the log until its end, then whatever is committed, here or by another
//! process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cim_core::subject::{StoreTemplate, SubjectFilter};
use cim_core::version::Position;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::watch;

use super::connection::{Connections, io};
use super::read::{LogRow, last_row, log_page};
use super::row::Rows;
use crate::store::verify::ReadVerifier;
use crate::store::{Delivery, StoreError};

/// How often the log is looked at for commits of other processes; the contract allows 100 ms.
const POLL: Duration = Duration::from_millis(50);

struct Subscription {
    connections: Arc<Connections>,
    template: StoreTemplate,
    filter: Option<SubjectFilter>,
    committed: watch::Receiver<()>,
    after: Option<Position>,
    /// What a page is read with; moves to the blocking thread and back.
    tools: Option<(Rows, ReadVerifier)>,
    page: VecDeque<LogRow>,
    /// The last position when the subscription began: what is behind it is new.
    end: Option<Option<Position>>,
    caught_up: bool,
    failed: bool,
}

/// The log behind `after`, then what follows.
pub(super) fn subscribe(
    connections: Arc<Connections>,
    template: StoreTemplate,
    committed: watch::Receiver<()>,
    after: Option<Position>,
    filter: Option<SubjectFilter>,
) -> BoxStream<'static, Result<Delivery, StoreError>> {
    let verifier = ReadVerifier::of_cids();
    let state = Subscription {
        connections,
        template,
        filter,
        committed,
        after,
        tools: Some((Rows::default(), verifier)),
        page: VecDeque::new(),
        end: None,
        caught_up: false,
        failed: false,
    };
    stream::unfold(state, |mut state| async move {
        if state.failed {
            return None;
        }
        let item = state.next().await;
        state.failed = item.is_err();
        Some((item, state))
    })
    .boxed()
}

impl Subscription {
    async fn next(&mut self) -> Result<Delivery, StoreError> {
        loop {
            if self.catches_up() {
                self.caught_up = true;
                return Ok(Delivery::CaughtUp);
            }
            if let Some((position, item)) = self.page.pop_front() {
                self.after = Some(position);
                match item {
                    Ok(event) if self.selects(&event.event) => return Ok(Delivery::Event(event)),
                    Ok(_) => continue,
                    Err(invalid) => return Ok(Delivery::Invalid(invalid)),
                }
            }
            // Seen before the log is read: a commit during the read wakes the next wait.
            self.committed.mark_unchanged();
            self.read_page().await?;
            if self.page.is_empty() && self.caught_up {
                self.wait().await?;
            }
        }
    }

    /// Whether all that was there at the beginning has been delivered, and this is not yet said.
    fn catches_up(&self) -> bool {
        let new = |end: Option<Position>| {
            let next = self.page.front().map(|(position, _)| *position);
            self.after >= end || next.is_some() && next > end
        };
        !self.caught_up && self.end.is_some_and(new)
    }

    fn selects(&self, event: &cim_core::event::RecordedEvent) -> bool {
        self.filter.as_ref().is_none_or(|filter| {
            self.template
                .event_subject(&event.aggregate, &event.event.operation)
                .is_ok_and(|subject| filter.matches(subject.as_str()))
        })
    }

    async fn read_page(&mut self) -> Result<(), StoreError> {
        let connections = Arc::clone(&self.connections);
        let (after, first) = (self.after, self.end.is_none());
        let (mut rows, mut verifier) = self.tools.take().ok_or(StoreError::Closed)?;
        let read = tokio::task::spawn_blocking(move || {
            let page = connections.with(|connection| {
                let end = first.then(|| last_row(connection)).transpose()?;
                let page = log_page(connection, &mut rows, &mut verifier, after)?;
                Ok((page, end))
            });
            (page, rows, verifier)
        });
        let (page, rows, verifier) = read.await.map_err(|_| StoreError::Closed)?;
        self.tools = Some((rows, verifier));
        let (page, end) = page.map_err(|error| io("reading new events", error))?;
        self.page = page;
        if let Some(end) = end {
            let number = end.and_then(|number| u64::try_from(number).ok());
            self.end = Some(number.and_then(|number| Position::new(number).ok()));
        } else if self.page.is_empty() {
            // Rows that were last at the beginning may have been taken away since.
            self.end = Some(self.after);
        }
        Ok(())
    }

    /// Waits for a commit of this process, or until it is time to look for those of others.
    async fn wait(&mut self) -> Result<(), StoreError> {
        match tokio::time::timeout(POLL, self.committed.changed()).await {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(_)) => Err(StoreError::Closed),
        }
    }
}

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
use super::read::{LogRow, log_page};
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
            while let Some((position, item)) = self.page.pop_front() {
                self.after = Some(position);
                match item {
                    Ok(event) if self.selects(&event.event) => return Ok(Delivery::Event(event)),
                    Ok(_) => {}
                    Err(invalid) => return Ok(Delivery::Invalid(invalid)),
                }
            }
            // Seen before the log is read: a commit during the read wakes the next wait.
            self.committed.mark_unchanged();
            self.read_page().await?;
            if self.page.is_empty() {
                if !self.caught_up {
                    self.caught_up = true;
                    return Ok(Delivery::CaughtUp);
                }
                self.wait().await?;
            }
        }
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
        let after = self.after;
        let (mut rows, mut verifier) = self.tools.take().ok_or(StoreError::Closed)?;
        let read = tokio::task::spawn_blocking(move || {
            let page = connections
                .with(|connection| log_page(connection, &mut rows, &mut verifier, after));
            (page, rows, verifier)
        });
        let (page, rows, verifier) = read.await.map_err(|_| StoreError::Closed)?;
        self.tools = Some((rows, verifier));
        self.page = page.map_err(|error| io("reading new events", error))?;
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

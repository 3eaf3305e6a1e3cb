//! Running a handler over a store's events.

use std::fmt;
use std::sync::Arc;

use cim_core::projection::Limits;
use cim_core::projection::machine::{Options, ParkedEvent, Projection, State, StoreEvent};
use cim_core::version::Position;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::status::distance;
use super::worker::{Heart, Steady, Worker};
use super::{Handler, ProjectorError, ahead};
use crate::clock;
use crate::sqlite::{Begin, ReadModel, Session};
use crate::store::{EventStore, ReadEvent, StoreError};
use cim_core::projection::check::Checks;

/// One projection's engine.
///
/// While one batch is applied, the next ones are read, decoded and verified on other threads. The
/// handler, which may be bound by the processor, and the commits have a blocking thread of their
/// own.
pub struct Projector {
    store: Arc<dyn EventStore>,
    handler: Box<dyn Handler>,
    read_model: ReadModel,
    options: ProjectorOptions,
    on_progress: Option<OnProgress>,
}

pub(super) type OnProgress = Box<dyn FnMut(&Progress) + Send>;

/// How a projector works.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProjectorOptions {
    /// Batches, retries, parking.
    pub machine: Options,
    /// What the handler may return from one call.
    pub limits: Limits,
    /// Where it starts.
    pub start: Start,
}

/// Where a projector starts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Start {
    /// From the checkpoint, if the handler, its configuration and the store are those of the
    /// documents.
    #[default]
    Resume,
    /// From the first event, with no documents and no parked events: what there was is taken away.
    Restart,
}

/// How long a projector runs.
pub enum Until {
    /// Until all is handled that was there when it started.
    CaughtUp,
    /// Until this is ready.
    Stopped(BoxFuture<'static, ()>),
}

/// How far a projector has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// How it stands.
    pub state: State,
    /// The checkpoint.
    pub position: Option<Position>,
    /// The store's last position, as it was a moment ago.
    pub last: Option<Position>,
    /// How many events took effect in this run.
    pub events: u64,
    /// How many aggregates are parked.
    pub parked_aggregates: usize,
    /// The events that have just parked an aggregate each, with their causes.
    pub newly_parked: Vec<ParkedEvent>,
}

impl Progress {
    /// The store's last position less the checkpoint, as [`Lag::events`](super::Lag::events).
    pub fn lag(&self) -> u64 {
        distance(self.position, self.last)
    }
}

impl Projector {
    /// Puts the parts together; nothing happens until [`run`](Self::run).
    pub fn new(
        store: Arc<dyn EventStore>,
        handler: Box<dyn Handler>,
        read_model: ReadModel,
        options: ProjectorOptions,
    ) -> Self {
        Self {
            store,
            handler,
            read_model,
            options,
            on_progress: None,
        }
    }

    /// Calls `on_progress` after each commit and change of state, on the projector's thread.
    #[must_use]
    pub fn with_progress(self, on_progress: impl FnMut(&Progress) + Send + 'static) -> Self {
        Self {
            on_progress: Some(Box::new(on_progress)),
            ..self
        }
    }

    /// Takes the projection over and runs. An older projector of it is fenced off.
    ///
    /// When the future is dropped, the projector ends after what it is at.
    ///
    /// # Errors
    ///
    /// Before anything is changed: [`ProjectorError::HandlerChanged`],
    /// [`ProjectorError::ConfigurationChanged`], [`ProjectorError::OtherStore`],
    /// [`ProjectorError::AheadOfStore`]. Later: [`ProjectorError::Fenced`],
    /// [`ProjectorError::Failed`]. Either way: [`ProjectorError::ReadModel`],
    /// [`ProjectorError::Store`].
    pub async fn run(self, until: Until) -> Result<Progress, ProjectorError> {
        let Self {
            store,
            handler,
            read_model,
            options,
            on_progress,
        } = self;
        let store_id = store.info().store_id;
        let mut last = store.last_position().await?;
        let mut handler = handler;
        let (session, resumed) = loop {
            let read_model = read_model.clone();
            let (begun, lent) = blocking(move || {
                let begin = Begin {
                    descriptor: handler.descriptor(),
                    handler: handler.identity(),
                    configuration: handler.configuration(),
                    store_id,
                    last,
                    start: options.start,
                    now: clock::now(),
                };
                Ok((Session::begin(&read_model, &begin), handler))
            })
            .await?;
            handler = lent;
            match begun {
                // The store may have grown meanwhile, and another projector with it.
                Err(ProjectorError::AheadOfStore { .. })
                    if last < store.last_position().await? =>
                {
                    last = store.last_position().await?;
                }
                begun => break begun?,
            }
        };
        let steady = Steady::start();
        let chunks = ahead::read(store.subscribe(resumed.checkpoint, None));
        let machine = Projection::new(
            handler.descriptor(),
            options.machine,
            resumed.checkpoint,
            resumed.parked,
            steady.now(),
        );
        let checks = Checks::new(handler.descriptor(), options.limits);
        // Dropped with this future, which stops the worker too.
        let (stop, stopped) = watch::channel(());
        let worker = Worker {
            machine,
            handler,
            session,
            checks,
            chunks,
            stopped,
            store,
            last,
            steady,
            on_progress,
            runtime: tokio::runtime::Handle::current(),
            ends_caught_up: matches!(until, Until::CaughtUp),
            events: 0,
            heart: Heart::start(),
            asked: None,
        };
        let mut work = std::pin::pin!(blocking(move || worker.run()));
        if let Until::Stopped(signal) = until {
            tokio::select! {
                ended = &mut work => return ended,
                () = signal => drop(stop),
            }
            return work.await;
        }
        let ended = work.await;
        drop(stop);
        ended
    }
}

/// Runs `work` on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProjectorError> + Send + 'static,
) -> Result<T, ProjectorError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime shuts down.
        Err(_) => Err(ProjectorError::Store(StoreError::Closed)),
    }
}

impl StoreEvent for ReadEvent {
    fn position(&self) -> Position {
        self.position
    }

    fn recorded(&self) -> &cim_core::event::RecordedEvent {
        &self.event
    }
}

impl fmt::Debug for Projector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projector")
            .field("name", &self.handler.descriptor().name)
            .field("read_model", &self.read_model)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CaughtUp => "CaughtUp",
            Self::Stopped(_) => "Stopped(..)",
        })
    }
}

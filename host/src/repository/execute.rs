//! Executing commands: load, decide, append; and anew when another writer was faster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cim_core::append::{self, Append, AppendError, MAX_APPEND_EVENTS, Receipt, Rejection};
use cim_core::command::Command;
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateId, AggregateKey};
use cim_core::version::{ExpectedVersion, Head, Position};
use futures_util::TryStreamExt as _;

use super::cache::Known;
use super::{ExecuteError, Loaded, Persistent, Repository, RepositoryError};
use crate::clock;
use crate::store::{Query, StoreError};

/// What became of a command.
pub struct Executed<A: Persistent> {
    /// Whom it was for.
    pub aggregate: AggregateKey,
    /// The events that are stored on it, with their places in the history.
    pub events: Vec<RecordedEvent>,
    /// The state with these events; after a repeated command, the present one.
    pub state: Arc<A::State>,
    /// The last event that the state has in it; `None` where there is none.
    pub head: Option<Head>,
    /// The position of the last event that is stored on it, for who waits until a projection is there.
    pub position: Option<Position>,
    /// Whether they are stored now, or were before.
    pub outcome: Outcome,
    /// How often another writer was faster, so that it was decided anew.
    pub retries: u32,
}

/// How a command was executed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// What was decided is stored, by this call or by one with the same command at the same time.
    Stored,
    /// The command was executed before. Nothing is stored now.
    Repeated,
    /// There was nothing to do.
    Nothing,
}

/// What was decided on a state, and is stored.
struct Stored<A: Persistent> {
    /// What can be read of it.
    payloads: Vec<A::Event>,
    recorded: Vec<RecordedEvent>,
    receipt: Receipt,
}

/// Whether a command may have been executed before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    /// It was made just now.
    New,
    Given,
}

impl<A: Persistent<Command: Clone>> Repository<A> {
    /// Asks something of an aggregate, now, in a conversation of its own.
    ///
    /// # Errors
    ///
    /// As [`execute_command`](Self::execute_command).
    pub async fn execute(
        &self,
        id: &AggregateId,
        command: A::Command,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        let source = self.options.source.clone();
        let command = Command::new(command, clock::event_id(), clock::now(), source);
        self.run(id, &command, Origin::New).await
    }

    /// Executes a command: loads the aggregate, decides, and stores what was decided.
    ///
    /// When another writer was faster, it is decided anew on what that one has stored, as often and with
    /// such waits as the options say. Commands of this repository on one aggregate wait for each other and
    /// so never conflict.
    ///
    /// A command that was executed before is answered with what was stored then, also when the domain
    /// would refuse it by now. So a command whose outcome is not known may be given again, with its id.
    /// Events that cannot be read again are not stored.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`]; only [`AppendError::Unknown`] leaves open whether anything is stored.
    pub async fn execute_command(
        &self,
        id: &AggregateId,
        command: Command<A::Command>,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        self.run(id, &command, Origin::Given).await
    }

    async fn run(
        &self,
        id: &AggregateId,
        command: &Command<A::Command>,
        origin: Origin,
    ) -> Result<Executed<A>, ExecuteError<A::Error>> {
        let _turn = self.queue.turn(id).await;
        let mut loaded = self.load(id).await?;
        let mut retries = 0;
        loop {
            let decided = match A::decide(&loaded.state, command.payload.clone()) {
                Ok(decided) if !decided.is_empty() => decided,
                answer => {
                    if origin == Origin::Given
                        && let Some(executed) = self.executed_before(&loaded, command).await?
                    {
                        return Ok(executed);
                    }
                    return match answer {
                        Ok(_) => Ok(nothing(loaded, retries)),
                        Err(refusal) => {
                            self.counters.refused.count();
                            Err(ExecuteError::Refused(refusal))
                        }
                    };
                }
            };
            match self.store_decided(&loaded, command, &decided).await? {
                Ok(stored) => return Ok(self.keep_decided(loaded, stored, retries)?),
                Err(AppendError::Conflict { .. }) => {
                    self.counters.conflicts.count();
                    retries = self.wait_for_retry(&loaded.aggregate, retries).await?;
                    loaded = self.load_from(id, loaded.known()).await?;
                }
                Err(error) => {
                    let is_reused = matches!(
                        error,
                        AppendError::Rejected {
                            why: Rejection::EventIdReused { .. }
                        }
                    );
                    if is_reused
                        && let Some(executed) = self.executed_before(&loaded, command).await?
                    {
                        return Ok(executed);
                    }
                    return Err(ExecuteError::Append(error));
                }
            }
        }
    }

    /// Stores what was decided on a state.
    async fn store_decided(
        &self,
        loaded: &Loaded<A>,
        command: &Command<A::Command>,
        decided: &[A::Event],
    ) -> Result<Result<Stored<A>, AppendError>, RepositoryError> {
        let key = &loaded.aggregate;
        let new = command.events(decided);
        let mut payloads = Vec::with_capacity(decided.len());
        for event in &new {
            payloads.extend(self.read_back(key, event)?);
        }
        let recorded = match append::record(key, loaded.head, &new) {
            Ok(recorded) => recorded,
            Err(why) => return Ok(Err(AppendError::Rejected { why })),
        };
        let expected = loaded
            .version()
            .map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact);
        let answer = self.append(Append::new(key.clone(), expected, new)).await;
        Ok(answer.map(|appended| Stored {
            payloads,
            recorded,
            receipt: *appended.receipt(),
        }))
    }

    /// Takes what was stored into the state, and keeps that.
    fn keep_decided(
        &self,
        loaded: Loaded<A>,
        stored: Stored<A>,
        retries: u32,
    ) -> Result<Executed<A>, RepositoryError> {
        self.counters.executed.count();
        let (key, receipt) = (loaded.aggregate, stored.receipt);
        // Nobody else should hold the state while it evolves, so that it need not be copied.
        self.cache().remove(&key.id);
        let head = Head {
            version: receipt.version,
            cid: receipt.head,
        };
        if stored.recorded.last().map(RecordedEvent::head) != Some(head) {
            return Err(RepositoryError::Store(replaced(&key)));
        }
        // As it will be folded when it is loaded: of what can be read, not of what was decided.
        let state = Arc::unwrap_or_clone(loaded.state);
        let state = Arc::new(stored.payloads.iter().fold(state, A::evolve));
        let mut known = Known {
            state: Arc::clone(&state),
            head,
            snapshot: loaded.snapshot,
        };
        // How long the load took was judged when it was loaded.
        self.take_if_due(&key, &mut known, Duration::ZERO);
        self.cache().put(&key.id, known);
        Ok(Executed {
            aggregate: key,
            events: stored.recorded,
            state,
            head: Some(head),
            position: Some(receipt.position),
            outcome: Outcome::Stored,
            retries,
        })
    }

    /// Waits until it is time to decide anew, unless that was done often enough; gives how often it was.
    async fn wait_for_retry(
        &self,
        aggregate: &AggregateKey,
        retries: u32,
    ) -> Result<u32, ExecuteError<A::Error>> {
        let (retry, attempts) = (&self.options.retry, retries + 1);
        if attempts >= retry.attempts_max {
            self.counters.contended.count();
            let aggregate = aggregate.clone();
            return Err(ExecuteError::Contended {
                aggregate,
                attempts,
            });
        }
        self.counters.retries.count();
        let entropy = u64::from_ne_bytes(clock::entropy());
        tokio::time::sleep(retry.backoff.delay(attempts, entropy)).await;
        Ok(attempts)
    }

    /// What was stored when the command was executed before, if it was.
    async fn executed_before(
        &self,
        loaded: &Loaded<A>,
        command: &Command<A::Command>,
    ) -> Result<Option<Executed<A>>, RepositoryError> {
        let key = &loaded.aggregate;
        let by_id = Query {
            event_id: Some(command.event_id(0)),
            ..Query::default()
        };
        let found = self.store.read(by_id).try_next().await?;
        let Some(first) = found.filter(|read| read.event.aggregate == *key) else {
            return Ok(None);
        };
        // Each of them is checked against its CID, and their links behind the first one.
        let mut stored = self.store.read(Query {
            from_version: Some(first.event.version),
            limit: Some(MAX_APPEND_EVENTS as u64),
            ..Query::history(key.clone()).verified()
        });
        let (mut events, mut position) = (Vec::new(), None);
        while let Some(read) = stored.try_next().await? {
            if read.event.event.id != command.event_id(events.len()) {
                break;
            }
            position = Some(read.position);
            events.push(read.event);
        }
        // It may be newer than what was loaded.
        let now = self.load_from(&key.id, loaded.known()).await?;
        self.counters.repeated.count();
        Ok(Some(Executed {
            aggregate: now.aggregate,
            events,
            state: now.state,
            head: now.head,
            position,
            outcome: Outcome::Repeated,
            retries: 0,
        }))
    }
}

/// The history that a command was decided on was exchanged for another one, which took the events.
fn replaced(key: &AggregateKey) -> StoreError {
    StoreError::Mismatch {
        why: format!("the history of `{key}` was replaced while a command was executed"),
    }
}

fn nothing<A: Persistent>(loaded: Loaded<A>, retries: u32) -> Executed<A> {
    Executed {
        aggregate: loaded.aggregate,
        events: Vec::new(),
        state: loaded.state,
        head: loaded.head,
        position: None,
        outcome: Outcome::Nothing,
        retries,
    }
}

impl<A: Persistent> fmt::Debug for Executed<A> {
    /// Everything but the state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executed")
            .field("aggregate", &self.aggregate)
            .field("events", &self.events)
            .field("head", &self.head)
            .field("position", &self.position)
            .field("outcome", &self.outcome)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

//! Executing commands: load, decide, append; and anew when another writer was faster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cim_core::append::{self, Append, AppendError, MAX_APPEND_EVENTS, Receipt, Rejection};
use cim_core::chain::verifier::ChainVerifier;
use cim_core::command::Command;
use cim_core::event::{NewEvent, RecordedEvent};
use cim_core::id::{AggregateId, AggregateKey};
use cim_core::version::{ExpectedVersion, Head, Position, Version};
use futures_util::TryStreamExt as _;

use super::cache::Known;
use super::fold::{broken, read_fault, shorter};
use super::{ExecuteError, Loaded, Persistent, Repository, RepositoryError};
use crate::clock;
use crate::store::Query;

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
    /// How often another writer was faster during this call, so that it was decided anew, or found to be
    /// executed.
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
    /// The command gets an id that nobody else knows. So who gives up waiting (drops the future), ends the
    /// program meanwhile or is answered [`AppendError::Unknown`] cannot ask again without asking for
    /// something new. Who must know gives the command an id, keeps it, and calls
    /// [`execute_command`](Self::execute_command).
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
    /// such waits as the options say. Commands of this repository and its clones on one aggregate take
    /// turns and so do not conflict with each other. A turn lasts until its command has ended: by the
    /// default options up to 12 seconds of waits behind conflicts, and for each append of unknown outcome
    /// until it is known, or up to about half a minute.
    ///
    /// A command that was executed before is answered with what was stored then, also when the domain
    /// would refuse it by now. So a command whose outcome is not known, or whose future was dropped, may
    /// be given again, the same one with its id. For that the store is asked for the id before anything is
    /// decided. An id that was used for another aggregate, or for a command of another conversation,
    /// source or metadata, is rejected. Whether what is asked is the same cannot be told from what is
    /// stored: another payload under the same id and envelope is answered with the events of the first.
    /// A command on which nothing was stored leaves no trace, and is decided anew.
    ///
    /// Events that cannot be read again are not stored.
    ///
    /// # Errors
    ///
    /// [`ExecuteError`]; only [`AppendError::Unknown`] leaves open whether anything is stored. After
    /// [`ExecuteError::Replaced`] it is; after all others this call has stored nothing.
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
            // Asked behind the load: what is stored later is a conflict. Not every store sees by itself
            // that the events of an old command come again, behind a head that it expects.
            if origin == Origin::Given
                && let Some(executed) = self.executed_before(&loaded, command, retries).await?
            {
                return Ok(executed);
            }
            let decided = match A::decide(&loaded.state, command.payload.clone()) {
                Ok(decided) if !decided.is_empty() => decided,
                Ok(_) => return Ok(nothing(loaded, retries)),
                Err(refusal) => {
                    self.counters.refused.count();
                    return Err(ExecuteError::Refused(refusal));
                }
            };
            match self.store_decided(&loaded, command, &decided).await? {
                Ok(stored) => {
                    return self
                        .keep_decided(loaded, stored, retries)
                        .map_err(|receipt| ExecuteError::Replaced {
                            aggregate: self.key(id),
                            receipt,
                        });
                }
                Err(AppendError::Conflict { .. }) => {
                    self.counters.conflicts.count();
                    retries = self.wait_for_retry(&loaded.aggregate, retries).await?;
                    loaded = self.load_from(id, loaded.known()).await?;
                }
                Err(error) => {
                    // The same command was executed elsewhere since it was looked for.
                    if is_reused(&error)
                        && let Some(executed) =
                            self.executed_before(&loaded, command, retries).await?
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

    /// Takes what was stored into the state, and keeps that; gives the receipt back where it is stored on
    /// another history.
    fn keep_decided(
        &self,
        loaded: Loaded<A>,
        stored: Stored<A>,
        retries: u32,
    ) -> Result<Executed<A>, Receipt> {
        let (key, receipt) = (loaded.aggregate, stored.receipt);
        // Nobody else should hold the state while it evolves, so that it need not be copied.
        self.cache().remove(&key.id);
        let head = Head {
            version: receipt.version,
            cid: receipt.head,
        };
        if stored.recorded.last().map(RecordedEvent::head) != Some(head) {
            return Err(receipt);
        }
        self.counters.executed.count();
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
        retries: u32,
    ) -> Result<Option<Executed<A>>, ExecuteError<A::Error>> {
        let key = &loaded.aggregate;
        let id = command.event_id(0);
        let by_id = Query {
            event_id: Some(id),
            ..Query::default()
        };
        let found = self.store.read(by_id).try_next().await;
        let Some(first) = found.map_err(|error| read_fault(key, error))? else {
            return Ok(None);
        };
        let first = first.event;
        if first.aggregate != *key || !is_of(&first.event, command) {
            let why = Rejection::EventIdReused { event: id };
            return Err(ExecuteError::Append(AppendError::Rejected { why }));
        }
        let (events, position) = self.events_of(key, &first, command).await?;
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
            retries,
        }))
    }

    /// The events that are stored on a command, from the first one on, and where the last one stands.
    async fn events_of(
        &self,
        key: &AggregateKey,
        first: &RecordedEvent,
        command: &Command<A::Command>,
    ) -> Result<(Vec<RecordedEvent>, Option<Position>), RepositoryError> {
        let mut stored = self.store.read(Query {
            from_version: Some(first.version),
            limit: Some(MAX_APPEND_EVENTS as u64),
            ..Query::history(key.clone())
        });
        // Each is checked against its CID, and its link; whether the first one links to what stands
        // before it, a load tells.
        let before = Version::new(first.version.get() - 1).ok();
        let before = before.zip(first.previous);
        let mut verifier = match before {
            Some((version, cid)) => ChainVerifier::from_head(key.clone(), Head { version, cid }),
            None => ChainVerifier::from_genesis(key.clone()),
        };
        let (mut events, mut position) = (Vec::new(), None);
        loop {
            let read = stored.try_next().await;
            let Some(read) = read.map_err(|error| read_fault(key, error))? else {
                break;
            };
            if !events.is_empty() && read.event.event.id != command.event_id(events.len()) {
                break;
            }
            verifier
                .push(&read.event)
                .map_err(|error| broken(&read, error))?;
            position = Some(read.position);
            events.push(read.event);
        }
        if events.is_empty() {
            return Err(shorter(key, first.head(), None));
        }
        Ok((events, position))
    }
}

/// Whether an event was decided on a command, as far as it tells: its body follows from the state too, and
/// who gives a command again may not know any more when it was given first.
fn is_of<C>(event: &NewEvent, command: &Command<C>) -> bool {
    event.causation == Some(*command.id.as_uuid())
        && event.correlation == command.correlation
        && event.source == command.source
        && event.metadata == command.metadata
}

fn is_reused(error: &AppendError) -> bool {
    matches!(
        error,
        AppendError::Rejected {
            why: Rejection::EventIdReused { .. }
        }
    )
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

//! `cim command`.

mod fields;
mod list;
mod payload;

use cim_core::append::AppendError;
use cim_core::command::Command;
use cim_core::domain::model::{DomainError, Model};
use cim_core::domain::registry::{self, ModelVisitor};
use cim_core::event::RecordedEvent;
use cim_core::id::{AggregateKey, EventId, parse_uuid};
use cim_core::text::Text;
use cim_core::time::Timestamp;
use cim_core::version::{Head, Position};
use clap::Args;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde_json::json;
use uuid::Uuid;

use super::append::time;
use super::failure::{Exit, Failure};
use super::output::{JsonList, Output, count, say};
use super::place::Place;
use super::{given, model, show};
use crate::clock;
use crate::open::Opened;
use crate::repository::{ExecuteError, Executed, Outcome, Repository, SnapshotPolicy};

#[derive(Args, Debug)]
#[command(
    override_usage = "cim command [OPTIONS] <ENTITY> <ID> <COMMAND>\n       cim command <ENTITY> --list",
    after_help = "\
Examples:
  cim command compute --list
  cim command compute 018f2b5c-0000-7000-8000-000000000001 RegisterResource \\
    --data '{\"hostname\":\"web-1\",\"resource_type\":\"physical_server\"}'
  cim command compute 018f2b5c-0000-7000-8000-000000000001 AssignAssetTag \\
    --data '{\"asset_tag\":\"A 7\"}'

The aggregate is loaded and the command decided on its state; what happens is stored. When another
writer was faster, it is decided anew. With --command-id it can be run again without harm: once
something is stored for that id, the answer is what was stored, whatever is asked with it then."
)]
pub(crate) struct GiveCommand {
    /// The entity: `compute`, `domain/compute` or the whole `organization.unit.domain.compute`
    entity: String,
    /// The aggregate's id
    #[arg(required_unless_present = "list")]
    id: Option<String>,
    /// The command's type, in PascalCase, or its operation
    #[arg(required_unless_present = "list")]
    command: Option<String>,
    /// List the commands that the entity has
    #[arg(long, conflicts_with_all = ["id", "command", "data", "command_id", "time", "correlation", "causation", "source", "meta"])]
    list: bool,
    /// What the command says, a JSON object: text, `@FILE`, or `-` for standard input
    #[arg(long, default_value = "{}")]
    data: String,
    /// The command's id, a UUID of version 7; a new one by default
    #[arg(long)]
    command_id: Option<EventId>,
    /// When it is given, and what it leads to happens; now by default
    #[arg(long, value_parser = time)]
    time: Option<Timestamp>,
    /// The conversation; the command's own id by default
    #[arg(long, value_parser = parse_uuid)]
    correlation: Option<Uuid>,
    /// The event or command that caused it
    #[arg(long, value_parser = parse_uuid)]
    causation: Option<Uuid>,
    /// The service that gives it
    #[arg(long, default_value = "cim")]
    source: Text,
    /// Metadata of what happens; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    meta: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl GiveCommand {
    pub(crate) async fn run(self, place: &Place, out: &mut Output) -> Result<(), Failure> {
        let entity = model::entity(&self.entity, place)?;
        let no_model = || model::no_model(&entity);
        let (Some(id), Some(name)) = (&self.id, &self.command) else {
            let commands = registry::visit(entity.as_str(), list::Commands);
            return list::print(&entity, &commands.ok_or_else(no_model)?, self.json, out);
        };
        let give = Give {
            given: &self,
            id,
            name,
            place,
            out,
        };
        registry::visit(entity.as_str(), give)
            .ok_or_else(no_model)?
            .await
    }
}

/// Gives a command to an aggregate, whichever model it has.
struct Give<'a> {
    given: &'a GiveCommand,
    id: &'a str,
    name: &'a str,
    place: &'a Place,
    out: &'a mut Output,
}

impl<'a> ModelVisitor for Give<'a> {
    type Output = LocalBoxFuture<'a, Result<(), Failure>>;

    fn visit<M: Model>(self) -> Self::Output {
        self.give::<M>().boxed_local()
    }
}

impl Give<'_> {
    async fn give<M: Model>(self) -> Result<(), Failure> {
        let (given, place) = (self.given, self.place);
        // Wrong input is told before anything is opened.
        let declared = list::named::<M::Command>(self.name)?;
        let payload = payload::read::<M::Command>(declared, &given::data(&given.data)?)?;
        let metadata = given::metadata(&given.meta)?;
        let opened = place.open_whole().await?;
        let template = &opened.store.info().template;
        let key = place.aggregate(&given.entity, self.id, template)?;
        let id = given.command_id.unwrap_or_else(clock::event_id);
        let timestamp = given.time.unwrap_or_else(clock::now);
        let source = given.source.clone();
        let command = Command {
            correlation: given.correlation.unwrap_or(*id.as_uuid()),
            causation: given.causation,
            metadata,
            ..Command::new(payload, id, timestamp, source)
        };
        let repository = self.repository::<M>(&opened, &key).await;
        let executed = repository.execute_command(&key.id, command).await;
        let answer = match executed {
            Ok(executed) => Ok(Answer::of(id, declared.name, executed)),
            Err(error) => {
                // Where the store does not answer, that was said already.
                let is_there = opened
                    .store
                    .head(&key)
                    .await
                    .is_ok_and(|head| head.is_some());
                Err(failure(error, &key, is_there, id))
            }
        };
        repository.settle().await;
        model::say_reports(&repository.snapshot_reports());
        let closed = opened.store.close().await;
        let answer = answer?;
        answer.print(given.json, self.out).map_err(|failure| {
            failure.help(format!(
                "the command `{id}` was executed, and only its answer could not be written; `cim read \
                 {}.{} {}` shows what is stored",
                key.namespace, key.entity, key.id
            ))
        })?;
        if let Some(head) = answer.head {
            given::warn_of_length(&key, head.version, &place.config);
        }
        Ok(closed?)
    }

    async fn repository<M: Model>(&self, opened: &Opened, key: &AggregateKey) -> Repository<M> {
        let policy = SnapshotPolicy::from(&self.place.config.event_store);
        let repository = Repository::new(opened.store.clone(), key.namespace.clone());
        model::with_snapshots(repository, opened, &key.id, policy).await
    }
}

/// What became of a command.
struct Answer {
    id: EventId,
    command: &'static str,
    key: AggregateKey,
    outcome: Outcome,
    events: Vec<RecordedEvent>,
    /// The last of its events; without any, of the history.
    head: Option<Head>,
    position: Option<Position>,
    retries: u32,
}

impl Answer {
    fn of<M: Model>(id: EventId, command: &'static str, executed: Executed<M>) -> Self {
        let last = executed.events.last().map(RecordedEvent::head);
        Self {
            id,
            command,
            key: executed.aggregate,
            outcome: executed.outcome,
            head: last.or(executed.head),
            events: executed.events,
            position: executed.position,
            retries: executed.retries,
        }
    }

    fn print(&self, json: bool, out: &mut Output) -> Result<(), Failure> {
        if json {
            self.document(out)?;
        } else {
            self.lines(out)?;
        }
        out.flush()?;
        if self.retries > 0 {
            let times = count(self.retries.into(), "time");
            say(&format!("Decided anew {times}: other writers were faster."));
        }
        match self.outcome {
            Outcome::Repeated => say(&format!(
                "The command was executed before, with the id {}; nothing is stored now.",
                self.id
            )),
            Outcome::Nothing => say("There was nothing to do: no event is stored."),
            Outcome::Stored => {}
        }
        Ok(())
    }

    fn document(&self, out: &mut Output) -> Result<(), Failure> {
        let head = json!({
            "schema": "cim.command/v1",
            "outcome": self.outcome(),
            "aggregate": self.key.to_string(),
            "command": self.command,
            "id": self.id.to_string(),
            "version": self.head.map(|head| head.version.get()),
            "head": self.head.map(|head| head.cid.to_string()),
            "position": self.position.map(|position| position.get()),
            "retries": self.retries,
        });
        let mut events = JsonList::begin(&head, "events", out)?;
        for event in &self.events {
            events.item(&show::brief_json(event))?;
        }
        events.end()
    }

    fn lines(&self, out: &mut Output) -> Result<(), Failure> {
        for event in &self.events {
            out.line(&show::brief(event))?;
        }
        let mut line = format!("{}  {}", self.outcome(), self.key);
        if let Some(head) = self.head {
            line += &format!(" v{}", head.version);
        }
        if let Some(position) = self.position {
            line += &format!("  position {position}");
        }
        if let Some(head) = self.head {
            line += &format!("  {}", head.cid);
        }
        out.line(&line)
    }

    fn outcome(&self) -> &'static str {
        match self.outcome {
            Outcome::Stored => "committed",
            Outcome::Repeated => "already-executed",
            Outcome::Nothing => "nothing-to-do",
        }
    }
}

/// Why a command was not executed.
fn failure<E: DomainError>(
    error: ExecuteError<E>,
    key: &AggregateKey,
    is_there: bool,
    id: EventId,
) -> Failure {
    let (entity, aggregate) = (format!("{}.{}", key.namespace, key.entity), &key.id);
    let again = format!("run the same command again with `--command-id {id}`: it is executed once");
    match error {
        ExecuteError::Refused(refusal) => {
            let failure = Failure::of(Exit::Failed, refusal.code(), &refusal);
            failure.help(if is_there {
                format!("nothing happened; `cim aggregate show {entity} {aggregate}` shows the state")
            } else {
                format!(
                    "nothing happened: `{key}` has no events; `cim command {} --list` lists what can \
                     be asked",
                    key.entity
                )
            })
        }
        ExecuteError::Contended { .. } => {
            Failure::of(Exit::Conflict, error.code(), &error).help(again)
        }
        ExecuteError::Repository(error) => error.into(),
        ExecuteError::Append(error @ AppendError::Unknown { .. }) => {
            Failure::from(error).help(again)
        }
        ExecuteError::Append(error) => error.into(),
        ExecuteError::Replaced { .. } => Failure::of(Exit::Broken, error.code(), &error).help(
            format!("`cim read {entity} {aggregate}` shows the history that is there now"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct IsLit;

    impl fmt::Display for IsLit {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the lamp is lit")
        }
    }

    impl Error for IsLit {}

    impl DomainError for IsLit {
        fn code(&self) -> &'static str {
            "lamp-lit"
        }
    }

    #[test]
    fn how_a_command_fails_decides_the_exit_code() {
        let key: AggregateKey = "acme.lab.lamps.lamp.hall".parse().expect("a key");
        let id = clock::event_id();
        let (attempts, aggregate) = (20, key.clone());
        let unknown = AppendError::Unknown {
            retry_token: cim_core::append::RetryToken::new(Vec::new()),
            cause: None,
        };
        for (error, exit, code, help) in [
            (
                ExecuteError::Refused(IsLit),
                Exit::Failed,
                "lamp-lit",
                "cim aggregate show acme.lab.lamps.lamp hall".to_owned(),
            ),
            (
                ExecuteError::Contended {
                    aggregate,
                    attempts,
                },
                Exit::Conflict,
                "version-conflict",
                format!("--command-id {id}"),
            ),
            (
                ExecuteError::Append(unknown),
                Exit::Unknown,
                "outcome-unknown",
                format!("--command-id {id}"),
            ),
        ] {
            let failure = failure(error, &key, true, id);
            assert_eq!((failure.exit, failure.code), (exit, code));
            let said = failure.help.unwrap_or_default();
            assert!(said.contains(&help), "{said}");
        }
    }
}

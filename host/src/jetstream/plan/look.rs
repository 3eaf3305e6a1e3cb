//! A look at the server: what is to be done there.

use super::difference::changed;
use super::event_stream::{self, CREATED_AT, STORE_ID, StoreIdentity};
use super::{Effect, FieldChange, Loss, Overlap, PlanError, Purpose, StreamPlan, difference};
use super::{overlaps, parse_store};
use crate::clock;
use crate::config::StreamKind;
use crate::jetstream::{JetStreamPort, StreamConfig, StreamInfo};

/// What is to be done on a server, in the order of the plans.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Stream by stream.
    pub streams: Vec<PlannedStream>,
}

/// What is to be done about one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStream {
    /// What it is for.
    pub kind: StreamKind,
    /// As it is; none where there is none.
    pub found: Option<StreamConfig>,
    /// As it is to be: with what the server has beside the plan, and with the id of its store.
    pub config: StreamConfig,
    /// What differs; nothing for a stream that is not there.
    pub changes: Vec<FieldChange>,
    /// Streams that are in its way.
    pub overlaps: Vec<Overlap>,
}

/// What is to be done about a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// It is to be made.
    Create,
    /// It is to be changed.
    Change,
    /// It is as it should be.
    Keep,
}

impl Action {
    /// As programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Keep => "keep",
        }
    }
}

impl Planned {
    /// Whether the server is as it should be.
    pub fn is_done(&self) -> bool {
        let mut actions = self.streams.iter().map(PlannedStream::action);
        actions.all(|action| action == Action::Keep)
    }

    /// Why it is not carried out, if it is not: the first reason.
    pub fn obstacle(&self, loss: Loss) -> Option<PlanError> {
        self.streams.iter().find_map(|stream| stream.obstacle(loss))
    }
}

impl PlannedStream {
    /// What is to be done.
    pub fn action(&self) -> Action {
        match &self.found {
            None => Action::Create,
            Some(_) if self.changes.is_empty() => Action::Keep,
            Some(_) => Action::Change,
        }
    }

    /// Why it cannot be done, or is not while nothing may be lost.
    pub fn obstacle(&self, loss: Loss) -> Option<PlanError> {
        let stream = self.config.name.clone();
        if !self.overlaps.is_empty() && self.action() != Action::Keep {
            let overlaps = self.overlaps.clone();
            return Some(PlanError::Overlaps { stream, overlaps });
        }
        let with = |is: fn(&Effect) -> bool| {
            let changes = self.changes.iter().filter(|change| is(&change.effect));
            changes.cloned().collect::<Vec<_>>()
        };
        let changes = with(|effect| matches!(effect, Effect::Impossible { .. }));
        if !changes.is_empty() {
            return Some(PlanError::CannotChange { stream, changes });
        }
        let changes = with(|effect| matches!(effect, Effect::MayLose { .. }));
        (loss == Loss::Refuse && !changes.is_empty())
            .then_some(PlanError::WouldLose { stream, changes })
    }
}

/// Looks at the server and says what is to be done there. Nothing is changed.
///
/// # Errors
///
/// [`PlanError::JetStream`].
pub async fn plan(port: &dyn JetStreamPort, plans: &[StreamPlan]) -> Result<Planned, PlanError> {
    let listed = port.streams().await;
    let found = listed.map_err(|source| PlanError::JetStream {
        stream: None,
        source,
    })?;
    Ok(planned(&found, plans))
}

/// What is to be done where these streams are.
fn planned(found: &[StreamInfo], plans: &[StreamPlan]) -> Planned {
    let mut streams: Vec<_> = plans.iter().map(|plan| one(found, plan)).collect();
    // A subject that one stream gives up may go to another: `apply` changes before it makes.
    let after: Vec<StreamInfo> = found
        .iter()
        .cloned()
        .map(|mut info| {
            let stream = streams
                .iter()
                .find(|one| one.config.name == info.config.name);
            if let Some(stream) = stream {
                info.config.subjects.clone_from(&stream.config.subjects);
            }
            info
        })
        .collect();
    for (stream, plan) in streams.iter_mut().zip(plans) {
        stream.overlaps = overlaps(&after, plan);
    }
    Planned { streams }
}

fn one(streams: &[StreamInfo], plan: &StreamPlan) -> PlannedStream {
    let info = streams.iter().find(|info| info.config.name == plan.name);
    let mut wanted = plan.wanted();
    if let Purpose::Store { template } = &plan.purpose
        && info.is_none_or(|info| parse_store(&info.config).is_err())
    {
        let identity = StoreIdentity {
            store_id: clock::store_id(),
            template: template.clone(),
            created_at: clock::now(),
        };
        event_stream::write(&mut wanted, &identity);
    }
    let found = info.map(|info| info.config.clone());
    let changes = found.as_ref().map(|found| difference(found, &wanted));
    let mut stream = PlannedStream {
        kind: plan.kind(),
        config: found
            .as_ref()
            .map_or_else(|| wanted.clone(), |found| changed(found, &wanted)),
        found,
        changes: changes.unwrap_or_default(),
        overlaps: Vec::new(),
    };
    if info.is_some_and(|info| info.state.last_seq > 0) {
        for change in &mut stream.changes {
            if [STORE_ID, CREATED_AT].contains(&change.field.trim_start_matches("metadata.")) {
                change.effect = Effect::Impossible {
                    why: "it has messages that are no events of a store",
                };
            }
        }
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::jetstream::StreamState;

    const CONFIG: &str = "namespace = \"o.u.d\"\n[[stream]]\npreset = \"KEYS_EVENTS\"";

    fn plans(text: &str) -> Vec<StreamPlan> {
        let config = Config::parse(text).expect("a configuration");
        StreamPlan::from_config(&config, None).expect("plans")
    }

    fn info(config: StreamConfig) -> StreamInfo {
        StreamInfo {
            config,
            state: StreamState::default(),
            created: "2026-11-21T10:00:00Z".to_owned(),
            cluster: None,
        }
    }

    fn applied(planned: &Planned) -> Vec<StreamInfo> {
        let configs = planned.streams.iter().map(|stream| stream.config.clone());
        configs.map(info).collect()
    }

    fn actions(planned: &Planned) -> Vec<Action> {
        planned.streams.iter().map(PlannedStream::action).collect()
    }

    #[test]
    fn what_was_made_is_kept() {
        let plans = plans(CONFIG);
        let first = planned(&[], &plans);
        assert_eq!(actions(&first), [Action::Create; 2]);
        let identity = parse_store(&first.streams[0].config).expect("a store");
        let again = planned(&applied(&first), &plans);
        assert_eq!(actions(&again), [Action::Keep; 2]);
        let config = &again.streams[0].config;
        assert_eq!(
            parse_store(config),
            Ok(identity),
            "the store stays the same"
        );
    }

    #[test]
    fn a_stream_with_messages_does_not_become_a_store() {
        let plans = plans("namespace = \"o.u.d\"");
        let mut foreign = info(StreamConfig::new("CIM-EVENTS"));
        foreign.config.subjects = vec!["o.u.d.*.*.*".to_owned()];
        let empty = planned(std::slice::from_ref(&foreign), &plans);
        assert!(empty.obstacle(Loss::Refuse).is_none(), "{empty:?}");
        parse_store(&empty.streams[0].config).expect("it becomes one while it is empty");
        foreign.state.last_seq = 1;
        let error = planned(&[foreign], &plans).obstacle(Loss::Allow);
        assert_eq!(
            error.map(|error| error.code()),
            Some("stream-cannot-change")
        );
    }

    #[test]
    fn another_template_is_refused() {
        let made = applied(&planned(&[], &plans("namespace = \"o.u.d\"")));
        let other = plans(
            "namespace = \"o.u.d\"\n[template]\nsubject = \
             \"{organization}.{unit}.{domain}.events.{entity}.{id}.{operation}\"",
        );
        let error = planned(&made, &other)
            .obstacle(Loss::Allow)
            .expect("refused");
        assert!(
            error.to_string().contains("metadata.cim.template"),
            "{error}"
        );
    }

    #[test]
    fn a_stream_in_the_way_is_named() {
        let mut other = StreamConfig::new("OTHER");
        other.subjects = vec!["o.>".to_owned(), "x".to_owned()];
        let planned = planned(&[info(other)], &plans("namespace = \"o.u.d\""));
        let error = planned.obstacle(Loss::Allow).expect("an overlap");
        assert_eq!(
            error.to_string(),
            "the stream `CIM-EVENTS` is to take `o.u.d.*.*.*`, and `OTHER` takes `o.>`"
        );
    }

    #[test]
    fn a_subject_moves_from_one_stream_to_another() {
        let stream = |name: &str, subjects: &str| {
            format!("[[stream]]\nname = \"{name}\"\nkind = \"commands\"\nsubjects = {subjects}\n")
        };
        let before = plans(&stream("A", "[\"a.*\", \"b.*\"]"));
        let after = plans(&(stream("B", "[\"b.*\"]") + &stream("A", "[\"a.*\"]")));
        let planned = planned(&applied(&planned(&[], &before)), &after);
        assert!(planned.obstacle(Loss::Allow).is_none(), "{planned:?}");
        let error = planned.obstacle(Loss::Refuse).map(|error| error.code());
        assert_eq!(error, Some("stream-would-lose"));
    }
}

//! Taking a plan into a store: what is there already is left alone, the rest is appended.

use std::collections::{HashMap, HashSet};

use cim_core::append::{Append, AppendError, Appended, MAX_APPEND_EVENTS};
use cim_core::chain;
use cim_core::id::{AggregateId, AggregateKey, EventId};
use cim_core::time::Timestamp;
use cim_core::version::{ExpectedVersion, Position, Version};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::error::{ImportError, broken};
use super::plan::{Plan, Planned};
use crate::store::retry::append_surely;
use crate::store::{EventStore, Query};

/// The most bytes of bodies in one step, so that a step of large events stays small in memory.
const MAX_STEP_BYTES: usize = 16 << 20;

/// How many histories are read at the same time.
const READERS: usize = 4;

/// What to do with a new row that is older than its aggregate's last event.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Late {
    /// Import nothing and say so.
    #[default]
    Refuse,
    /// Append it behind the newer ones.
    Append,
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Imported {
    /// Events in the file.
    pub events: u64,
    /// Those that were appended now.
    pub appended: u64,
    /// Those that were there already.
    pub present: u64,
    /// Aggregates in the file.
    pub aggregates: u64,
    /// Event types in the file.
    pub types: u64,
}

/// Appends the events of a plan that the store does not have, in steps.
///
/// `progress` hears how many events of how many are stored. An import that was interrupted may be
/// run again: it goes on where it stopped.
///
/// # Errors
///
/// [`ImportError::Late`], and [`ImportError::Append`] with [`AppendError::Broken`] when the last
/// event of an aggregate that gets new rows is altered, with nothing written;
/// [`ImportError::Store`]; [`ImportError::Append`] when a step could not be stored, with the steps
/// before it written.
pub async fn run(
    store: &dyn EventStore,
    mut plan: Plan,
    late: Late,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Imported, ImportError> {
    let mut imported = Imported {
        events: plan.events(),
        appended: 0,
        present: 0,
        aggregates: plan.aggregates(),
        types: plan.types(),
    };
    let mut heads = take_new(store, &mut plan).await?;
    imported.present = imported.events - plan.events.len() as u64;
    refuse_broken(&plan, &heads)?;
    if late == Late::Refuse {
        refuse_late(&plan, &heads)?;
    }
    progress(imported.present, imported.events);
    let mut events = std::mem::take(&mut plan.events).into_iter().peekable();
    while events.peek().is_some() {
        let mut step: Vec<Planned> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = events.next_if(|next| {
            step.len() < MAX_APPEND_EVENTS && bytes + next.event.body.len() <= MAX_STEP_BYTES
        }) {
            bytes += next.event.body.len();
            step.push(next);
        }
        let appends = appends(&plan, step, &heads);
        let parts: Vec<_> = appends
            .iter()
            .map(|append| (append.aggregate.id.clone(), append.events.len() as u64))
            .collect();
        let answers = append_surely(store, appends).await?;
        for ((id, count), answer) in parts.into_iter().zip(answers) {
            heads.entry(id).or_default().version = Some(answer.receipt().version);
            // Another import of the same may have been faster.
            match answer {
                Appended::Committed(_) => imported.appended += count,
                Appended::AlreadyCommitted(_) => imported.present += count,
            }
        }
        progress(imported.present + imported.appended, imported.events);
    }
    Ok(imported)
}

/// What the store has of an aggregate.
#[derive(Clone, Debug, Default)]
struct Known {
    version: Option<Version>,
    time: Option<Timestamp>,
    /// Where its last event stands and what is wrong with it.
    broken: Option<(Position, String)>,
}

/// Leaves in the plan only what the store does not have, and says where its aggregates stand.
async fn take_new(
    store: &dyn EventStore,
    plan: &mut Plan,
) -> Result<HashMap<AggregateId, Known>, ImportError> {
    let mut ids: Vec<&AggregateId> = plan.events.iter().map(|planned| &planned.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let keys: Vec<AggregateKey> = ids.into_iter().map(|id| plan.key(id)).collect();
    let mut known = HashMap::with_capacity(keys.len());
    let mut present = HashSet::new();
    let mut histories = stream::iter(keys)
        .map(|key| history(store, key))
        .buffered(READERS);
    while let Some((id, found, events)) = histories.try_next().await? {
        known.insert(id, found);
        present.extend(events);
    }
    drop(histories);
    plan.events
        .retain(|planned| !present.contains(&planned.event.id));
    Ok(known)
}

/// Reads the ids of a history's events, and checks the last one: nothing links to an altered event.
async fn history(
    store: &dyn EventStore,
    key: AggregateKey,
) -> Result<(AggregateId, Known, Vec<EventId>), ImportError> {
    let id = key.id.clone();
    let (mut known, mut ids) = (Known::default(), Vec::new());
    if store.head(&key).await?.is_some() {
        let mut last = None;
        let mut events = store.read(Query::history(key.clone()));
        while let Some(read) = events
            .try_next()
            .await
            .map_err(|error| broken(&key, error))?
        {
            ids.push(read.event.event.id);
            last = Some(read);
        }
        if let Some(read) = last {
            known.version = Some(read.event.version);
            known.time = Some(read.event.event.timestamp);
            known.broken = chain::check_cid(&read.event)
                .err()
                .map(|error| (read.position, error.to_string()));
        }
    }
    Ok((id, known, ids))
}

/// Refuses a plan as a whole when a store could take only a part of it.
fn refuse_broken(plan: &Plan, heads: &HashMap<AggregateId, Known>) -> Result<(), ImportError> {
    let known = |planned: &Planned| heads.get(&planned.id)?.broken.clone();
    let found = plan
        .events
        .iter()
        .find_map(|planned| Some((planned, known(planned)?)));
    match found {
        None => Ok(()),
        Some((planned, (position, why))) => Err(ImportError::Append(AppendError::Broken {
            aggregate: plan.key(&planned.id),
            position,
            why,
        })),
    }
}

fn refuse_late(plan: &Plan, heads: &HashMap<AggregateId, Known>) -> Result<(), ImportError> {
    let head_of = |planned: &Planned| heads.get(&planned.id).and_then(|known| known.time);
    let is_late =
        |planned: &&Planned| head_of(planned).is_some_and(|head| planned.event.timestamp < head);
    let Some(first) = plan
        .events
        .iter()
        .filter(is_late)
        .min_by_key(|planned| planned.line)
    else {
        return Ok(());
    };
    Err(ImportError::Late {
        line: first.line,
        aggregate: plan.key(&first.id),
        time: first.event.timestamp,
        head: head_of(first).unwrap_or_default(),
        count: plan.events.iter().filter(is_late).count() as u64,
    })
}

/// Groups a step by aggregate, each where its first event stands.
fn appends(plan: &Plan, step: Vec<Planned>, heads: &HashMap<AggregateId, Known>) -> Vec<Append> {
    let mut appends: Vec<Append> = Vec::new();
    let mut places: HashMap<AggregateId, usize> = HashMap::new();
    for Planned { id, event, .. } in step {
        match places.get(&id) {
            Some(place) => appends[*place].events.push(event),
            None => {
                let version = heads.get(&id).and_then(|known| known.version);
                let expected = version.map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact);
                appends.push(Append::new(plan.key(&id), expected, vec![event]));
                places.insert(id, appends.len() - 1);
            }
        }
    }
    appends
}

#[cfg(test)]
mod tests {
    use cim_core::subject::StoreTemplate;

    use super::super::csv::read_csv;
    use super::super::rows::Mapping;
    use super::*;
    use crate::memory::MemoryStore;

    fn plan(rows: &[String]) -> Plan {
        let mapping = Mapping {
            namespace: "o.u.d".parse().expect("a namespace"),
            entity: "e".parse().expect("an entity"),
            id_field: "id".to_owned(),
            type_field: "type".to_owned(),
            time_field: "at".to_owned(),
            id_encode: false,
        };
        let text = format!("id,type,at\n{}", rows.concat());
        let rows = read_csv(text.as_bytes(), &mapping).expect("rows");
        Plan::new(rows, &mapping, &StoreTemplate::default()).expect("a plan")
    }

    fn rows(numbers: std::ops::Range<u64>) -> Vec<String> {
        let row = |number: u64| {
            let (minute, second) = (number / 60, number % 60);
            format!(
                "a{},Made,2020-01-01T00:{minute:02}:{second:02}Z\n",
                number % 7
            )
        };
        numbers.map(row).collect()
    }

    async fn import(
        store: &MemoryStore,
        rows: &[String],
        late: Late,
    ) -> Result<Imported, ImportError> {
        run(store, plan(rows), late, &mut |_, _| {}).await
    }

    async fn heads(store: &MemoryStore) -> Vec<String> {
        let list = store.aggregates(Default::default());
        let list: Vec<_> = list.try_collect().await.expect("aggregates");
        list.iter()
            .map(|entry| format!("{} {:?}", entry.aggregate, entry.head))
            .collect()
    }

    #[tokio::test]
    async fn the_same_file_appends_nothing_and_a_grown_one_the_rest() {
        let store = MemoryStore::new(StoreTemplate::default());
        let all = rows(0..2500);
        let first = import(&store, &all[..1300], Late::Refuse)
            .await
            .expect("imported");
        assert_eq!(
            (first.appended, first.present, first.aggregates),
            (1300, 0, 7)
        );
        let again = import(&store, &all[..1300], Late::Refuse)
            .await
            .expect("imported");
        assert_eq!((again.appended, again.present), (0, 1300));
        let rest = import(&store, &all, Late::Refuse).await.expect("imported");
        assert_eq!((rest.appended, rest.present), (1200, 1300));

        let other = MemoryStore::new(StoreTemplate::default());
        let shuffled: Vec<_> = all.iter().rev().cloned().collect();
        import(&other, &shuffled, Late::Refuse)
            .await
            .expect("imported");
        assert_eq!(heads(&other).await, heads(&store).await);
    }

    #[tokio::test]
    async fn a_broken_head_refuses_the_rows_behind_it_before_the_first_write() {
        let store = MemoryStore::new(StoreTemplate::default());
        let all = rows(0..2500);
        import(&store, &all[..70], Late::Refuse)
            .await
            .expect("imported");
        // The last event of `a6`, which gets no row of the first step.
        let position = Position::new(70).expect("a position");
        store.tamper(position, |event| event.event.body = "{}".into());
        let mut grown = all[..70].to_vec();
        grown.extend(
            all[70..]
                .iter()
                .filter(|row| !row.starts_with("a6,"))
                .cloned(),
        );
        let others = grown.clone();
        grown.extend(
            all[2000..]
                .iter()
                .filter(|row| row.starts_with("a6,"))
                .cloned(),
        );
        let error = import(&store, &grown, Late::Refuse)
            .await
            .expect_err("a broken history");
        assert!(
            matches!(&error, ImportError::Append(AppendError::Broken { aggregate, position: at, .. })
                if aggregate.to_string() == "o.u.d.e.a6" && *at == position),
            "{error}"
        );
        let stored = store.last_position().await.expect("a store");
        assert_eq!(stored, Some(position), "nothing is written");
        // Who brings nothing for it is not stopped by it.
        let imported = import(&store, &others, Late::Refuse)
            .await
            .expect("imported");
        assert_eq!(imported.present, 70);
    }

    #[tokio::test]
    async fn a_late_row_is_refused_unless_it_is_wanted() {
        let store = MemoryStore::new(StoreTemplate::default());
        let mut all = rows(10..100);
        import(&store, &all, Late::Refuse).await.expect("imported");
        all.extend(rows(7..8));
        let error = import(&store, &all, Late::Refuse).await.expect_err("late");
        assert_eq!(
            error.to_string(),
            "line 92: the row is new, but older than the last event of `o.u.d.e.a0`: expected a \
             time from `2020-01-01T00:01:38.000000Z` on, found `2020-01-01T00:00:07.000000Z`"
        );
        let imported = import(&store, &all, Late::Append).await.expect("imported");
        assert_eq!((imported.appended, imported.present), (1, 90));
        assert_eq!(
            import(&store, &all, Late::Refuse)
                .await
                .expect("imported")
                .appended,
            0
        );
    }
}

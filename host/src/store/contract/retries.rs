//! What an append answers where some of its event ids are used.

use cim_core::append::{Append, Appended, Rejection, RetryToken};
use cim_core::event::{NewEvent, TraceContext};
use cim_core::subject::StoreTemplate;
use cim_core::text::Text;
use cim_core::version::{ExpectedVersion, SchemaVersion};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Fixture;
use super::given::{
    all, commit, commit_any, conflict, event, events, exact, history, key, last_position,
    last_version, numbers, rejection, repeat, reused, template, time,
};
use crate::store::{AggregateSelect, EventStore, Query};

/// Repeats an append at once and after others, and expects the first answer each time.
async fn check_repeats<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
    before: u64,
    expected: ExpectedVersion,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    if before > 0 {
        commit_any(store, &key("a"), 1..=before).await;
    }
    let append = Append::new(key("a"), expected, events(10..=12));
    let first = commit(store, append.clone()).await;
    assert_eq!(repeat(store, append.clone()).await, first);
    assert_eq!(repeat(store, append.clone()).await, first);
    commit_any(store, &key("b"), 20..=20).await;
    assert_eq!(repeat(store, append.clone()).await, first);
    commit_any(store, &key("a"), 21..=25).await;
    let last = last_position(store).await;
    assert_eq!(repeat(store, append).await, first);
    assert_eq!(last_position(store).await, last, "a repeat writes nothing");
    assert_eq!(last_version(store, &key("a")).await, before + 3 + 5);
}

/// `Exact`: the events behind the expected version are ours.
pub async fn exact_repeated_at_once_and_later<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    check_repeats(make, 4, exact(4)).await;
}

/// `NoStream`: the first events are ours.
pub async fn no_stream_repeated_at_once_and_later<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    check_repeats(make, 0, ExpectedVersion::NoStream).await;
}

/// `Any`: our events stand together, wherever.
pub async fn any_repeated_at_once_and_later<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    check_repeats(&make, 0, ExpectedVersion::Any).await;
    check_repeats(&make, 4, ExpectedVersion::Any).await;
}

/// What counts is whether the events stand where the expectation would have put them.
pub async fn a_repeat_may_name_another_expectation_if_it_fits_the_place<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let with = |id, expected, numbers| Append::new(key(id), expected, events(numbers));
    let begun = commit(store, with("a", ExpectedVersion::Any, 1..=2)).await;
    let grown = commit(store, with("a", exact(2), 3..=4)).await;
    assert_eq!(
        repeat(store, with("a", ExpectedVersion::NoStream, 1..=2)).await,
        begun
    );
    assert_eq!(
        repeat(store, with("a", ExpectedVersion::Any, 3..=4)).await,
        grown
    );
    for elsewhere in [
        exact(1),
        exact(3),
        exact(4),
        exact(9),
        ExpectedVersion::NoStream,
    ] {
        assert_eq!(
            reused(store, with("a", elsewhere, 3..=4)).await,
            event(3).id
        );
    }
    assert_eq!(reused(store, with("a", exact(2), 1..=2)).await, event(1).id);
}

/// A history does not keep where an append ended: a part of one, asked for in its place, is there.
pub async fn a_part_that_stands_where_it_is_expected_is_a_repeat<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=5).await;
    let there = history(store, &key("a")).await;
    for (expected, numbers, last) in [
        (ExpectedVersion::NoStream, 1..=2, 2),
        (ExpectedVersion::Any, 1..=2, 2),
        (ExpectedVersion::Any, 4..=5, 5),
        (exact(3), 4..=5, 5),
        (exact(1), 2..=4, 4),
    ] {
        let receipt = repeat(store, Append::new(key("a"), expected, events(numbers))).await;
        assert_eq!(receipt.version.get(), last);
        assert_eq!(
            receipt.head,
            there[usize::try_from(last).expect("short") - 1].cid
        );
    }
}

/// The end of an append does not stand where the whole was expected.
pub async fn a_part_that_stands_elsewhere_is_reused<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=5).await;
    let suffix = Append::new(key("a"), ExpectedVersion::NoStream, events(4..=5));
    assert_eq!(reused(store, suffix).await, event(4).id);
    let end = Append::new(key("a"), exact(5), events(5..=5));
    assert_eq!(reused(store, end).await, event(5).id);
}

/// An append that has used and new ids is refused, not completed.
pub async fn more_than_was_appended_is_reused<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 3..=4).await;
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Any, exact(2)] {
        for numbers in [3..=5, 2..=4, 2..=5] {
            let longer = Append::new(key("a"), expected, events(numbers));
            assert_eq!(reused(store, longer).await, event(3).id);
        }
    }
    assert_eq!(numbers(store, Query::history(key("a"))).await, [3, 4]);
}

/// The same events in another order are another append.
pub async fn another_order_is_reused<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=3).await;
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Any] {
        for order in [[2, 1, 3], [1, 3, 2], [3, 2, 1]] {
            reused(store, Append::new(key("a"), expected, order.map(event))).await;
        }
    }
}

/// With other events between them, or left out, they are not the append that was made.
pub async fn events_that_do_not_stand_together_are_reused<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=3).await;
    let apart = [event(1), event(3)];
    assert_eq!(
        reused(store, Append::new(key("a"), ExpectedVersion::Any, apart)).await,
        event(1).id
    );
}

/// An event is its id and everything that is hashed of it.
pub async fn other_content_is_reused<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=3).await;
    let changes: [fn(&mut NewEvent); 10] = [
        |event| event.body = "{\"n\": 2}".into(),
        |event| event.correlation = Uuid::from_u128(1),
        |event| event.causation = Some(Uuid::from_u128(1)),
        |event| event.event_type = super::given::event(0).event_type,
        |event| event.operation = super::given::event(0).operation,
        |event| event.schema_version = SchemaVersion::new(2).expect("a schema version"),
        |event| event.timestamp = time(3),
        |event| event.source = Text::json(),
        |event| event.content_type = Text::new("text/plain").expect("a valid text"),
        |event| {
            event
                .metadata
                .insert("New", Text::json())
                .expect("a new name")
        },
    ];
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Any] {
        for (at, change) in changes.iter().enumerate() {
            for changed in [0, 1, 2] {
                let mut events = events(1..=3);
                change(&mut events[changed]);
                if events == super::given::events(1..=3) {
                    continue;
                }
                let id = reused(store, Append::new(key("a"), expected, events)).await;
                assert_eq!(id, event(1).id, "change {at} of event {changed}");
            }
        }
    }
}

/// An id is used once in a store, not once in an aggregate.
pub async fn another_aggregate_is_reused<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=3).await;
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Any] {
        let elsewhere = Append::new(key("b"), expected, events(1..=3));
        assert_eq!(reused(store, elsewhere).await, event(1).id);
        let mixed = Append::new(key("b"), expected, [event(9), event(3)]);
        assert_eq!(reused(store, mixed).await, event(3).id);
    }
    assert_eq!(last_version(store, &key("b")).await, 0);
}

/// Trace context is carried, not hashed: a retry in a new trace is a retry.
pub async fn another_trace_context_is_still_the_same_event<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let traced = |trace: Option<&str>| {
        let mut events = events(1..=2);
        for event in &mut events {
            event.trace = trace.map(|trace| {
                let traceparent = Some(Text::new(trace).expect("a valid text"));
                Box::new(TraceContext {
                    traceparent,
                    tracestate: None,
                })
            });
        }
        events
    };
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Any] {
        let append = |trace| Append::new(key("a"), expected, traced(trace));
        if expected == ExpectedVersion::NoStream {
            commit(store, append(Some("00-first"))).await;
        }
        for trace in [Some("00-first"), Some("00-second"), None] {
            assert_eq!(repeat(store, append(trace)).await.version.get(), 2);
        }
    }
    let kept: Vec<_> = history(store, &key("a"))
        .await
        .into_iter()
        .map(|e| e.event)
        .collect();
    assert_eq!(kept, traced(Some("00-first")), "the first trace stays");
}

/// A conflict uses up nothing.
pub async fn a_refused_append_leaves_its_ids_free<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=2).await;
    let stale = Append::new(key("a"), exact(1), events(3..=4));
    for _ in 0..2 {
        assert_eq!(conflict(store, vec![stale.clone()]).await.actual, Some(2));
    }
    let receipt = commit(
        store,
        Append {
            expected: exact(2),
            ..stale.clone()
        },
    )
    .await;
    assert_eq!(receipt.version.get(), 4);
    assert_eq!(reused(store, stale).await, event(3).id);
}

/// An aggregate that was only refused is not there, and no later one is taken for it.
pub async fn a_refused_append_leaves_no_aggregate<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_any(store, &key("a"), 1..=2).await;
    let refused = |round| {
        let events = [event(1000 + round), event(1 + round % 2)];
        Append::new(
            key(&format!("refused-{round}")),
            ExpectedVersion::Any,
            events,
        )
    };
    for round in 0..10 {
        reused(store, refused(round)).await;
        commit_any(
            store,
            &key(&format!("new-{round}")),
            10 + round..=10 + round,
        )
        .await;
        // Committed together with others, where a store does that.
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let store = fixture.store();
            let append = if n % 2 == 0 {
                let new = 100 + round * 16 + n;
                Append::new(
                    key(&format!("new-{new}")),
                    ExpectedVersion::Any,
                    [event(new)],
                )
            } else {
                refused(round)
            };
            tasks.spawn(async move { store.append(append).await.is_ok() });
        }
        assert_eq!(
            tasks
                .join_all()
                .await
                .into_iter()
                .filter(|committed| *committed)
                .count(),
            8
        );
        assert_eq!(last_version(store, &refused(round).aggregate).await, 0);
    }
    let listed = all(store.aggregates(AggregateSelect::default())).await;
    assert_eq!(listed.len(), 1 + 10 + 80);
    assert_eq!(
        store.stats().await.expect("the store answers").aggregates,
        1 + 10 + 80
    );
    for entry in &listed[1..] {
        assert_eq!(
            history(store, &entry.aggregate).await.len(),
            1,
            "{}",
            entry.aggregate
        );
    }
    for round in 0..10 {
        let key = refused(round).aggregate;
        commit_any(store, &key, 500 + round..=500 + round).await;
        assert_eq!(numbers(store, Query::history(key)).await, [500 + round]);
    }
}

fn three_parts() -> Vec<Append> {
    vec![
        Append::new(key("a"), exact(1), events(10..=11)),
        Append::new(key("b"), ExpectedVersion::NoStream, events(12..=12)),
        Append::new(key("c"), ExpectedVersion::Any, events(13..=15)),
    ]
}

/// Appends three parts and says what was answered, as repeats will have it.
async fn commit_three_parts(store: &dyn EventStore) -> Vec<Appended> {
    commit_any(store, &key("a"), 1..=1).await;
    let answers = store
        .append_many(three_parts())
        .await
        .expect("nothing is stale");
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Appended::Committed(_)))
    );
    answers
        .iter()
        .map(|answer| Appended::AlreadyCommitted(*answer.receipt()))
        .collect()
}

/// All parts repeated, in any order, also when the histories have grown; or one part alone.
pub async fn append_many_repeated_whole<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let first = commit_three_parts(store).await;
    for round in 0..2 {
        let again = store.append_many(three_parts()).await.expect("it is there");
        assert_eq!(again, first);
        let (mut parts, mut answers) = (three_parts(), first.clone());
        parts.rotate_left(1);
        answers.rotate_left(1);
        assert_eq!(
            store.append_many(parts).await.expect("it is there"),
            answers
        );
        for (part, answer) in three_parts().into_iter().zip(&first) {
            assert_eq!(repeat(store, part).await, *answer.receipt());
        }
        for (n, id) in (20 + 3 * round..).zip(["c", "a", "b"]) {
            commit_any(store, &key(id), n..=n).await;
        }
    }
}

/// Old parts do not carry new ones in, whatever the new ones expect.
pub async fn append_many_of_old_and_new_parts_is_reused<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_three_parts(store).await;
    for new in [
        Append::new(key("d"), ExpectedVersion::NoStream, events(30..=30)),
        Append::new(key("d"), ExpectedVersion::Any, events(30..=30)),
        Append::new(key("d"), exact(7), events(30..=30)),
    ] {
        for kept in 1..=3 {
            let mut parts = three_parts();
            parts.truncate(kept);
            parts.insert(kept / 2, new.clone());
            let why = rejection(store, parts).await;
            assert!(matches!(why, Rejection::EventIdReused { .. }), "{why:?}");
        }
    }
    let mut parts = three_parts();
    parts[1].events = events(30..=30);
    let why = rejection(store, parts).await;
    assert_eq!(
        why,
        Rejection::EventIdReused {
            event: event(10).id
        }
    );
    assert_eq!(last_version(store, &key("d")).await, 0);
}

/// A part moved to another aggregate makes another append of the whole.
pub async fn append_many_with_a_part_on_another_aggregate_is_reused<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    commit_three_parts(store).await;
    let mut parts = three_parts();
    parts[1].aggregate = key("d");
    let why = rejection(store, parts).await;
    assert!(matches!(why, Rejection::EventIdReused { .. }), "{why:?}");
    let mut parts = three_parts();
    let moved = parts[0].events.pop().expect("two events");
    parts[1].events.push(moved);
    let why = rejection(store, parts).await;
    assert!(matches!(why, Rejection::EventIdReused { .. }), "{why:?}");
}

/// Appending a token is appending what it holds.
pub async fn a_retry_token_tells_how_it_ended<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let first = commit_three_parts(store).await;
    let there = RetryToken::new(three_parts());
    assert_eq!(store.append_again(there).await.expect("it is there"), first);
    let append = Append::new(key("d"), ExpectedVersion::NoStream, events(30..=31));
    let missing = RetryToken::new(vec![append.clone()]);
    let answers = store.append_again(missing).await.expect("it is new");
    assert!(
        matches!(answers[..], [Appended::Committed(_)]),
        "{answers:?}"
    );
    assert_eq!(repeat(store, append).await, *answers[0].receipt());
}

/// A repeat is known whoever made the append.
pub async fn a_repeat_through_another_handle<F: Fixture>(make: impl AsyncFn(StoreTemplate) -> F) {
    let fixture = make(template()).await;
    let (one, other) = (&*fixture.store(), &*fixture.open_again().await);
    let append = Append::new(key("a"), ExpectedVersion::Any, events(1..=3));
    let first = commit(one, append.clone()).await;
    assert_eq!(repeat(other, append.clone()).await, first);
    commit_any(other, &key("a"), 4..=4).await;
    assert_eq!(repeat(one, append).await, first);
    let elsewhere = Append::new(key("b"), ExpectedVersion::Any, events(4..=4));
    assert_eq!(reused(one, elsewhere).await, event(4).id);
}

//! All aggregates of a repository in one go: replays and subscriptions.

use cim_core::append::Append;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use super::*;
use crate::store::StoreError;

async fn save(tallies: &Repository<Tally>, name: &str, events: Vec<NewEvent>) {
    let append = Append::new(tallies.key(&id(name)), ExpectedVersion::Any, events);
    tallies.store().append(append).await.expect("stored");
}

fn counted(second: u64, word: &str) -> NewEvent {
    event(
        "TallyCounted",
        2,
        second,
        &format!(r#"{{"word":"{word}","weight":1}}"#),
    )
}

#[tokio::test]
async fn a_replay_shows_every_event_with_the_state_after_it() {
    let (store, tallies) = tallies();
    save(&tallies, "t", vec![counted(1, "a"), counted(5, "b")]).await;
    save(
        &tallies,
        "u",
        vec![event("TallyCounted", 1, 2, r#"{"word":"c"}"#)],
    )
    .await;
    save(
        &tallies,
        "t",
        vec![event("TallySeen", 1, 6, "{}"), counted(7, "a")],
    )
    .await;
    // Of another entity, of another namespace.
    let lamp = "local.main.events.lamp.t".parse().expect("a key");
    let far = "local.main.elsewhere.tally.t".parse().expect("a key");
    for key in [lamp, far] {
        let events = vec![event("LampLit", 1, 3, "{}")];
        store
            .append(Append::new(key, ExpectedVersion::Any, events))
            .await
            .expect("stored");
    }

    let (mut shown, mut told) = (Vec::new(), 0);
    let stats = tallies.replay_each(
        None,
        |replayed| {
            let Replayed {
                position,
                recorded,
                events,
                state,
            } = replayed;
            let id = recorded.aggregate.id.to_string();
            shown.push((
                position.get(),
                id,
                events.len(),
                state.words.values().sum::<u64>(),
            ));
        },
        |_| told += 1,
    );
    let stats = stats.await.expect("replayed");
    let expect = [
        (1, "t", 1, 1),
        (2, "t", 1, 2),
        (3, "u", 1, 1),
        (4, "t", 0, 2),
        (5, "t", 1, 3),
    ];
    assert_eq!(
        shown,
        expect.map(|(position, id, events, sum)| (position, id.to_owned(), events, sum))
    );
    assert_eq!((stats.events, stats.skipped, stats.aggregates), (5, 0, 2));
    assert_eq!((stats.left_out, stats.failures, told), (0, 0, 1));
    assert_eq!(stats.last_position, Position::new(5).ok());

    // From a time on: states are those of the whole history.
    let mut shown = Vec::new();
    let stats = tallies.replay_each(
        Some(at(6)),
        |replayed| shown.push(replayed.state.words.values().sum::<u64>()),
        |_| {},
    );
    let stats = stats.await.expect("replayed");
    assert_eq!((shown, stats.events, stats.skipped), (vec![2, 3], 2, 3));
}

#[tokio::test]
async fn a_replay_goes_on_behind_an_aggregate_that_fails() {
    let (store, tallies) = tallies();
    for name in ["altered", "newer", "sound"] {
        save(&tallies, name, vec![counted(1, "a"), counted(2, "a")]).await;
    }
    save(&tallies, "newer", vec![event("TallyCounted", 3, 3, "{}")]).await;
    for name in ["altered", "newer", "sound"] {
        save(&tallies, name, vec![counted(4, "a")]).await;
    }
    store.tamper(Position::new(2).expect("a position"), |event| {
        event.event.body = r#"{"word":"a","weight":9}"#.into();
    });
    let stats = tallies.replay_all(None, |_| {}).await.expect("replayed");
    assert_eq!(
        (stats.events, stats.aggregates, stats.left_out),
        (1 + 2 + 3, 3, 2 + 2)
    );
    let failed: Vec<_> = stats
        .failed
        .iter()
        .map(|failure| (failure.position.get(), failure.code))
        .collect();
    assert_eq!(
        (stats.failures, failed),
        (2, vec![(2, "wrong-cid"), (7, "schema-newer")])
    );
    let why = &stats.failed[1].why;
    assert!(why.contains("expected at most version 2, found 3"), "{why}");
}

#[tokio::test]
async fn progress_is_told_now_and_then() {
    let (_, tallies) = tallies();
    for name in 0..25 {
        let events = (0..1000).map(|_| counted(1, "a")).collect();
        save(&tallies, &format!("t{name}"), events).await;
    }
    let mut told = Vec::new();
    let stats = tallies.replay_all(None, |stats| told.push(stats.events));
    assert_eq!(stats.await.expect("replayed").events, 25_000);
    assert_eq!(told, [10_000, 20_000, 25_000]);
}

type Deliveries = BoxStream<'static, Result<Delivered<TallyEvent>, StoreError>>;

async fn next(deliveries: &mut Deliveries) -> Delivered<TallyEvent> {
    let next = tokio::time::timeout(Duration::from_secs(10), deliveries.next()).await;
    next.expect("soon")
        .expect("it goes on")
        .expect("it does not fail")
}

async fn next_words(deliveries: &mut Deliveries) -> Vec<(String, u64)> {
    let Delivered::Event { event, .. } = next(deliveries).await else {
        panic!("no event")
    };
    let word = |event| match event {
        TallyEvent::TallyCounted { word, weight } => (word, weight),
        TallyEvent::TallyClosed {} => ("closed".to_owned(), 0),
    };
    event.payload.into_iter().map(word).collect()
}

#[tokio::test]
async fn a_subscription_delivers_what_events_say_today() {
    let (store, tallies) = tallies();
    save(
        &tallies,
        "t",
        vec![event("TallyCounted", 1, 2, r#"{"word":"a"}"#)],
    )
    .await;
    save(
        &tallies,
        "u",
        vec![event("TallySeen", 1, 3, "{}"), counted(4, "b")],
    )
    .await;
    let lamp = "local.main.events.lamp.t".parse().expect("a key");
    let events = vec![event("LampLit", 1, 3, "{}")];
    store
        .append(Append::new(lamp, ExpectedVersion::Any, events))
        .await
        .expect("stored");

    let mut deliveries = tallies.subscribe(None);
    assert_eq!(next_words(&mut deliveries).await, [("a".to_owned(), 1)]);
    assert_eq!(next_words(&mut deliveries).await, []);
    assert_eq!(next_words(&mut deliveries).await, [("b".to_owned(), 1)]);
    assert!(matches!(next(&mut deliveries).await, Delivered::CaughtUp));

    let newer = event("TallyCounted", 3, 5, "{}");
    save(&tallies, "t", vec![newer.clone(), counted(6, "c")]).await;
    let unreadable = next(&mut deliveries).await;
    let Delivered::Unreadable {
        position,
        recorded,
        error,
    } = unreadable
    else {
        panic!("{unreadable:?}")
    };
    assert_eq!((position.get(), recorded.event.id), (5, newer.id));
    assert_eq!(error.code(), "schema-newer");
    assert_eq!(next_words(&mut deliveries).await, [("c".to_owned(), 1)]);

    let mut rest = tallies.subscribe(Position::new(5).ok());
    assert_eq!(next_words(&mut rest).await, [("c".to_owned(), 1)]);
}

#[tokio::test]
async fn an_altered_event_is_delivered_as_that() {
    let (store, tallies) = tallies();
    save(&tallies, "t", vec![counted(1, "a"), counted(2, "b")]).await;
    store.tamper(Position::FIRST, |event| event.event.timestamp = at(9));
    let mut deliveries = tallies.subscribe(None);
    let first = next(&mut deliveries).await;
    let Delivered::Invalid(invalid) = first else {
        panic!("{first:?}")
    };
    assert_eq!(
        (invalid.position, invalid.code),
        (Position::FIRST, "wrong-cid")
    );
    assert_eq!(next_words(&mut deliveries).await, [("b".to_owned(), 1)]);
}

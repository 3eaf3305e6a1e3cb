//! A user with few rights is told what it may not do, at once, and stands in nobody's way.

use std::time::{Duration, Instant};

use cim_core::append::{Append, Appended};
use cim_core::id::EventType;
use cim_core::version::ExpectedVersion;
use cim_host::store::{Delivery, StoreError};
use cim_tests::nats::{Deliveries, Place, STREAM, at_the_same_time, code_of, new_stream};
use cim_tests::work::key;

/// An append that takes longer has been tried until its deadline.
const AT_ONCE: Duration = Duration::from_secs(4);

/// What the other user may not publish to, in the tests of appends.
const DENIED: &str = "local.main.events.order.order-1.*";

/// Who may consume and not ask the leader is told so, or delivered everything: not left to wait.
#[tokio::test]
async fn a_subscriber_that_may_not_ask_the_leader() {
    let subject = format!("$JS.API.STREAM.MSG.GET.{STREAM}");
    let mut place = Place::denied(&new_stream(1), &subject).await;
    let (admin, other) = (place.open_as("admin").await, place.open_as("other").await);
    place.append(&admin, 1, 1).await;
    let mut deliveries = Deliveries::of(&other, None);
    deliveries.has_all(1).await;

    let asked = |place: &Place| place.server.log().matches("Publish Violation").count();
    let before = asked(&place);
    let later = tokio::spawn(async move { deliveries.next().await });
    // In this time the leader is asked, in vain; who does not ask it is delivered what comes then.
    let waits = Instant::now();
    while asked(&place) == before && waits.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    place.append(&admin, 1, 1).await;
    match later.await.expect("in time") {
        Ok(Delivery::Event(_)) | Err(StoreError::NotAllowed { .. }) => {}
        told => panic!("{told:?}"),
    }
}

/// A refusal names its subject alone, so it is that of all who wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_that_may_not_publish_to_one_subject() {
    let mut place = Place::denied(&new_stream(1), DENIED).await;
    let store = place.open_as("other").await;
    let appends: Vec<_> = (0..4)
        .map(|_| {
            let mut event = place.event();
            event.event_type = EventType::new("OrderPaid").expect("a type");
            event.operation = "paid".parse().expect("an operation");
            Append::new(key(1), ExpectedVersion::Any, [event])
        })
        .collect();
    for (answer, took) in at_the_same_time(&store, appends).await {
        assert_eq!(code_of(&answer), "stream-not-allowed");
        assert!(took < AT_ONCE, "{took:?}");
    }
}

/// The others of its batch are stored.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_shared_batch_may_not_publish() {
    let mut place = Place::denied(&new_stream(1), DENIED).await;
    let store = place.open_as("other").await;
    let appends: Vec<_> = (1..5)
        .map(|number| Append::new(key(number), ExpectedVersion::Any, place.events(2)))
        .collect();
    let mut answers = at_the_same_time(&store, appends).await.into_iter();
    let (first, took) = answers.next().expect("an answer");
    assert_eq!(code_of(&first), "stream-not-allowed");
    assert!(took < AT_ONCE, "{took:?}");
    for (answer, _) in answers {
        assert!(matches!(answer, Ok(Appended::Committed(_))), "{answer:?}");
    }
}

//! Who follows a store is told when its stream is no longer the one that was followed: because
//! another was made in its place, or because its server came back without the last events. Nothing
//! is skipped, and nobody waits for what will never come.

use cim_host::store::EventStore as _;
use cim_tests::nats::{Deliveries, Place, make_store, new_stream};

/// Another stream takes the place: one that has as many messages, one that has fewer, and none.
#[tokio::test]
async fn a_subscription_does_not_go_on_in_another_store() {
    for there in [Some(6), Some(0), None] {
        let mut place = Place::new(&new_stream(1)).await;
        let store = place.open("old").await;
        place.append(&store, 1, 3).await;
        let mut deliveries = Deliveries::of(&store, None);
        deliveries.has_all(3).await;
        place.server.keep_account();
        place.delete_stream();
        if let Some(count) = there {
            let folder = place.index("other");
            let other = make_store(&place.server.url(), &new_stream(1), &folder).await;
            place.append(&other, 1, count).await;
        }
        deliveries.has_another_stream().await;
    }
}

/// Nothing was delivered yet that could tell one stream from the other.
#[tokio::test]
async fn a_subscription_of_an_empty_store_does_not_go_on_in_another() {
    let mut place = Place::new(&new_stream(1)).await;
    place.server.keep_account();
    let store = place.open("old").await;
    let mut deliveries = Deliveries::of(&store, None);
    deliveries.has_all(0).await;
    deliveries.wait_for(&place, 1).await;
    place.delete_stream();
    let folder = place.index("other");
    let other = make_store(&place.server.url(), &new_stream(1), &folder).await;
    place.append(&other, 1, 3).await;
    deliveries.has_another_stream().await;
}

/// Events 4 and 5 are lost, whether or not the stream has grown again.
#[tokio::test]
async fn a_subscription_does_not_skip_what_took_the_place_of_lost_events() {
    for rivals in [0, 4] {
        let mut place = Place::new(&new_stream(1)).await;
        let store = place.open("old").await;
        place.append(&store, 1, 3).await;
        let copy = place.copy();
        place.append(&store, 1, 2).await;
        let mut deliveries = Deliveries::of(&store, None);
        deliveries.has_all(5).await;
        place.put_back(&copy);
        let rival = place.open("rival").await;
        place.append(&rival, 1, rivals).await;
        deliveries.has_another_stream().await;
    }
}

/// Events 4 and 5 are handled and lost; what takes their place must not be skipped.
#[tokio::test]
async fn a_subscription_from_a_checkpoint_skips_nothing() {
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("old").await;
    place.append(&store, 1, 3).await;
    let copy = place.copy();
    place.append(&store, 1, 2).await;
    let last = store.last_position().await.expect("an answer");
    let mut deliveries = Deliveries::of(&store, last);
    deliveries.has_all(0).await;
    deliveries.wait_for(&place, 6).await;
    place.put_back(&copy);
    let rival = place.open("rival").await;
    place.append(&rival, 1, 4).await;
    deliveries.has_another_stream().await;
}

/// A server that comes back with what it had ends no subscription.
#[tokio::test]
async fn a_subscription_goes_on_after_a_restart() {
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("old").await;
    place.append(&store, 1, 3).await;
    let mut deliveries = Deliveries::of(&store, None);
    deliveries.has_all(3).await;
    place.server.restart();
    place.append(&store, 1, 1).await;
    deliveries.has_event().await;
}

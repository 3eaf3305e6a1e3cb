//! Reading again what was read: a store may remember it, and each read is as if it were the first.

use cim_core::chain::Verified;
use cim_core::event::RecordedEvent;
use cim_core::subject::StoreTemplate;
use futures_util::StreamExt as _;

use super::Fixture;
use super::broken::check_invalid;
use super::given::{commit_any, key, read, template, version};
use crate::store::{Query, ReadEvent, StoreError};

/// What came since the last read is there, whatever part is asked for.
pub async fn a_history_read_again_has_what_came_since<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let query = Query::history(key("a")).verified();
    let mut last = 0;
    for count in [0, 3, 0, 1, 300, 0, 600, 1] {
        if count > 0 {
            commit_any(store, &key("a"), last + 1..=last + count).await;
            last += count;
        }
        let found = read(store, query.clone()).await;
        assert!(
            found
                .iter()
                .all(|read| read.verified == Some(Verified::Chain))
        );
        let other = fixture.open_again().await;
        assert_eq!(found, read(&*other, query.clone()).await);
        assert_eq!(found, read(store, query.clone()).await);
        let unverified = read(store, Query::history(key("a"))).await;
        let events = |read: &[ReadEvent]| -> Vec<RecordedEvent> {
            read.iter().map(|read| read.event.clone()).collect()
        };
        assert_eq!(events(&found), events(&unverified));
        for to in [1, last / 2, last, last + 1]
            .into_iter()
            .filter(|to| *to > 0)
        {
            let part = Query {
                to_version: Some(version(to)),
                ..query.clone()
            };
            let length = found.len().min(to as usize);
            assert_eq!(read(store, part).await, found[..length]);
            let first = Query {
                limit: Some(to),
                ..query.clone()
            };
            assert_eq!(read(store, first).await, found[..length]);
        }
    }
}

/// That a history was sound when it was read before does not count.
pub async fn a_history_read_again_ends_at_an_altered_head<F: Fixture>(
    make: impl AsyncFn(StoreTemplate) -> F,
) {
    let fixture = make(template()).await;
    let store = &*fixture.store();
    let query = Query::history(key("a")).verified();
    let position = commit_any(store, &key("a"), 1..=3).await.position;
    assert_eq!(read(store, query.clone()).await.len(), 3);
    fixture.break_head(&key("a")).await;
    for _ in 0..2 {
        let mut stream = store.read(query.clone()).skip(2);
        match stream.next().await {
            Some(Err(StoreError::Invalid(invalid))) => check_invalid(&invalid, position),
            other => panic!("expected the altered event, found {other:?}"),
        }
    }
}

//! The library's rules as sentences, events older than its code, and both aggregates on a store.

use cim_core::id::AggregateId;
use cim_core::testing::{assert_golden, given, given_stored};
use cim_host::{memory::MemoryStore, repository::Repository};
use cim_newcomer::{Refusal::*, *};

#[test]
fn a_book_is_lent_from_the_shelf_for_four_weeks_at_most() {
    for ask in [Lend { to: 7, days: 28 }, Return, Lose] {
        given::<Book>([]).when(ask).then_refused(NotAfter(None));
    }
    given::<Book>([])
        .when(Acquire)
        .then([BookAcquired {}])
        .when(Acquire)
        .then_refused(NotAfter(Some(BookAcquired {})))
        .when(Lend { to: 7, days: 29 })
        .then_refused(TooLong { days: 29, most: 28 })
        .when(Lend { to: 7, days: 28 })
        .then([BookLent { to: 7, days: 28 }])
        .when(Lose)
        .then([BookLost {}])
        .when(Return)
        .then([BookReturned {}]);
}

#[test]
fn a_member_is_suspended_and_reinstated() {
    for ask in [Suspend, Reinstate] {
        given::<Member>([]).when(ask).then_refused(NotAfter(None));
    }
    given::<Member>([])
        .when(Join)
        .then([MemberJoined {}])
        .when(Suspend)
        .then([MemberSuspended {}])
        .when(Reinstate)
        .then([MemberReinstated {}])
        .when(Join)
        .then_refused(NotAfter(Some(MemberReinstated {})));
}

#[test]
fn old_events_are_read_in_days_and_without_dust() {
    assert_golden::<Book>(include_str!("book.golden.json"));
    given_stored::<Book>([("BookLent", 1, r#"{"to":7,"weeks":2}"#)])
        .then_state(Some(BookLent { to: 7, days: 14 }));
}

#[tokio::test]
async fn books_and_members_share_a_store() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::sync::Arc::new(MemoryStore::default());
    let books = Repository::<Book>::new(store.clone(), "town.culture.library".parse()?);
    let members = Repository::<Member>::new(store, books.namespace().clone());
    let (emma, ann): (AggregateId, AggregateId) = ("emma".parse()?, "7".parse()?);
    members.execute(&ann, Join).await?;
    books.execute(&emma, Acquire).await?;
    let lend = |to| books.execute(&emma, Lend { to, days: 14 });
    let lent = lend(7).await?;
    assert!(lend(8).await.is_err());
    assert_eq!(books.load(&emma).await?.state, lent.state);
    assert_eq!(*members.load(&ann).await?.state, Some(MemberJoined {}));
    Ok(())
}

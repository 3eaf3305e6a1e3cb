//! What the machine does, rule by rule.

pub(super) mod host;

use self::host::*;
use super::*;
use crate::append::Stored;
use crate::cid::Cid;
use crate::event::{NewEvent, RecordedEvent};
use crate::id::{Entity, EventId};
use crate::projection::{Fault, Name};
use crate::text::Text;
use crate::version::Version;

#[test]
fn a_backlog_goes_in_full_batches_and_its_rest_when_all_is_delivered() {
    let mut host = Host::new(batches_of(4));
    host.deliver((1..=6).map(|at| event(at, at)));
    assert_eq!(host.calls, [[1, 2, 3, 4]]);
    assert_eq!(host.projection.state(), State::CatchingUp);
    host.caught_up();
    assert_eq!(host.calls[1..], [[5, 6]]);
    assert_eq!(host.projection.state(), State::Live);
    host.deliver([event(7, 1)]);
    assert_eq!(host.calls[2..], [[7]]);
    assert_eq!(host.checkpoints(), [4, 6, 7]);
}

#[test]
fn a_batch_ends_before_its_bytes_are_too_many_but_takes_any_one_event() {
    let mut host = Host::new(Options {
        batch_bytes: 1000,
        ..Options::default()
    });
    let sizes = [400, 500, 200, 5000, 10, 10];
    host.deliver((1..).zip(sizes).map(|(at, size)| large_event(at, size)));
    host.caught_up();
    assert_eq!(host.calls, [&[1, 2][..], &[3], &[4], &[5, 6]]);
}

#[test]
fn there_is_room_until_two_batches_wait() {
    let mut projection = Host::new(batches_of(4)).projection;
    for at in 1..=8 {
        assert!(projection.has_room(), "before event {at}");
        projection.handle_delivery(Delivery::Event(event(at, at)), start());
    }
    assert!(!projection.has_room());
}

/// Else a store whose events are all altered would be read into memory as a whole.
#[test]
fn invalid_events_need_room_too() {
    let mut projection = Host::new(batches_of(4)).projection;
    for at in 1..=8 {
        assert!(projection.has_room(), "before event {at}");
        projection.handle_delivery(Delivery::Invalid(invalid(at, Some(at))), start());
    }
    assert!(!projection.has_room());
    assert!(matches!(projection.poll_output(), Output::Commit(_)));
    assert!(projection.has_room(), "while the first are parked");
}

#[test]
fn events_of_other_types_are_passed_over_and_move_the_checkpoint() {
    let descriptor = Descriptor {
        event_types: vec!["KeyRevoked".parse().expect("a type")],
        ..descriptor()
    };
    let projection = Projection::new(&descriptor, Options::default(), None, [], start());
    let mut host = Host::of(projection);
    for first in (1..=20_000).step_by(1000) {
        host.deliver((first..first + 1000).map(|at| event(at, 1)));
    }
    assert!(host.calls.is_empty());
    assert_eq!(host.checkpoints(), [9000, 18_000], "now and then");
    host.caught_up();
    assert_eq!(host.checkpoints()[2..], [20_000]);
    let mut taken = event(20_001, 1);
    taken.event.event.event_type = "KeyRevoked".parse().expect("a type");
    host.deliver([taken, event(20_002, 1)]);
    assert_eq!(host.calls, [[20_001]]);
    assert_eq!(host.checkpoints().last(), Some(&20_002));
}

#[test]
fn a_retryable_fault_is_tried_again_after_waits_that_double() {
    let mut host = Host::new(batches_of(4));
    let mut left = 4;
    host.faults = Box::new(move |_| {
        left -= 1;
        (left >= 0).then(|| retryable("busy"))
    });
    host.deliver((1..=4).map(|at| event(at, at)));
    assert_eq!(host.calls, [[1, 2, 3, 4]; 5]);
    assert_eq!(host.waits_ms, [100, 200, 400, 800]);
    assert_eq!(host.checkpoints(), [4]);
}

#[test]
fn the_event_at_fault_is_found_by_halving_and_parked_with_its_cause() {
    let mut host = Host::new(batches_of(8));
    host.faults = poison([6], |_| None);
    host.deliver((1..=8).map(|at| event(at, at)));
    let calls: [&[u64]; 8] = [
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[1, 2, 3, 4],
        &[5, 6],
        &[5],
        &[6],
        &[6],
        &[7, 8],
    ];
    assert_eq!(host.calls, calls);
    assert_eq!(host.checkpoints(), [4, 5, 6, 8]);
    let parked = host.parked();
    assert_eq!(parked.len(), 1);
    let event = event(6, 6);
    let expected = ParkedEvent {
        position: event.position,
        aggregate: event.event.aggregate,
        version: Some(event.event.version),
        event: Some(event.event.event.id),
        cid: Some(event.event.cid),
        reason: ParkReason::Fault {
            code: "poison".to_owned(),
            message: "it faults".to_owned(),
        },
    };
    assert_eq!(parked[0], expected);
    host.caught_up();
    assert_eq!(host.projection.state(), State::Parked);
}

#[test]
fn later_events_of_a_parked_aggregate_are_diverted_with_the_checkpoint() {
    let mut host = Host::new(batches_of(6));
    host.faults = poison([2], |_| None);
    // Aggregate 1 faults at its second event.
    host.deliver([
        event(1, 1),
        event(2, 1),
        event(3, 2),
        event(4, 1),
        event(5, 2),
    ]);
    host.caught_up();
    host.deliver([event(6, 2), event(7, 1)]);
    host.deliver([event(8, 1)]);
    let applied: Vec<u64> = host.applied();
    assert_eq!(applied, [1, 3, 5, 6]);
    let queue: Vec<_> = host
        .parked()
        .iter()
        .map(|event| (event.position.get(), event.reason.cause().is_some()))
        .collect();
    assert_eq!(queue, [(2, true), (4, false), (7, false), (8, false)]);
    for commit in &host.commits {
        let inside = |event: &ParkedEvent| {
            event.position <= commit.checkpoint && Some(event.position) > commit.before
        };
        assert!(commit.parked.iter().all(inside), "{commit:?}");
    }
}

#[test]
fn a_projection_that_goes_on_diverts_what_was_parked_before() {
    let parked = event(3, 1).event.aggregate;
    let before = Some(Position::new(3).expect("a position"));
    let options = Options::default();
    let projection = Projection::new(&descriptor(), options, before, [parked], start());
    let mut host = Host::of(projection);
    host.deliver([event(3, 1), event(4, 1), event(5, 2)]);
    host.caught_up();
    assert_eq!(host.applied(), [5], "the event at 3 was handled before");
    assert_eq!(host.parked().len(), 1);
    assert_eq!(host.commits[0].before, before);
}

#[test]
fn a_fault_that_names_its_event_shortens_the_search() {
    let mut host = Host::new(batches_of(8));
    host.faults = poison([6], |batch| batch.iter().position(|at| *at == 6));
    host.deliver((1..=8).map(|at| event(at, at)));
    let calls: [&[u64]; 6] = [
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[1, 2, 3, 4, 5],
        &[6],
        &[6],
        &[7, 8],
    ];
    assert_eq!(host.calls, calls);
}

#[test]
fn a_fault_that_names_a_wrong_event_parks_none_but_the_right_one() {
    for named in 0..12 {
        let mut host = Host::new(batches_of(8));
        host.faults = poison([6], move |_| Some(named));
        host.deliver((1..=8).map(|at| event(at, at)));
        let parked: Vec<u64> = positions(host.parked().iter().map(|event| event.position));
        assert_eq!(parked, [6], "named {named}: {:?}", host.calls);
        assert_eq!(host.applied(), [1, 2, 3, 4, 5, 7, 8], "named {named}");
        assert!(host.calls.len() <= 12, "named {named}: {:?}", host.calls);
    }
}

#[test]
fn a_batch_that_is_too_much_as_a_whole_makes_batches_smaller_for_a_while() {
    let mut host = Host::new(batches_of(64));
    host.faults = Box::new(|batch| (batch.len() > 40).then(|| fault("too-many-changes")));
    host.deliver((1..=64 * 40).map(|at| event(at, at)));
    assert!(host.parked().is_empty());
    assert_eq!(host.applied().len(), 64 * 40);
    let faulted = host.calls.iter().filter(|call| call.len() > 40).count();
    let lengths: Vec<usize> = host.calls.iter().map(Vec::len).collect();
    assert!((2..=6).contains(&faulted), "{lengths:?}");
    assert!(lengths.len() < 110, "{lengths:?}");
}

#[test]
fn one_event_that_is_too_much_alone_is_parked() {
    let mut host = Host::new(batches_of(4));
    host.faults = Box::new(|batch| batch.contains(&3).then(|| fault("too-many-changes")));
    host.deliver((1..=4).map(|at| event(at, at)));
    let parked = host.parked();
    assert_eq!(parked.len(), 1);
    let cause = parked[0].reason.cause();
    assert_eq!(cause, Some(("too-many-changes", "it faults")));
}

#[test]
fn an_invalid_event_parks_its_aggregate() {
    let mut host = Host::new(batches_of(100));
    host.deliver([event(1, 1), event(2, 2)]);
    host.deliver_invalid(3, Some(1));
    assert_eq!(host.calls, [[1, 2]], "what stands before it comes first");
    host.deliver([event(4, 1), event(5, 2)]);
    host.caught_up();
    assert_eq!(host.applied(), [1, 2, 5]);
    let parked = host.parked();
    assert_eq!(parked.len(), 2);
    assert_eq!(parked[0].reason.cause(), Some(("wrong-cid", "it is wrong")));
    assert_eq!(parked[1].reason, ParkReason::Diverted);
}

#[test]
fn invalid_events_in_a_row_are_parked_by_one_commit() {
    let mut host = Host::new(batches_of(3));
    let delivery = |at, aggregate| Delivery::Invalid(invalid(at, aggregate));
    for (at, aggregate) in [(1, 1), (2, 2), (3, 1), (4, 3)] {
        let delivery = delivery(at, Some(aggregate));
        host.projection.handle_delivery(delivery, start());
    }
    let sound = Delivery::Event(event(5, 4));
    host.projection.handle_delivery(sound, start());
    host.projection
        .handle_delivery(delivery(6, Some(3)), start());
    host.projection.handle_delivery(delivery(7, None), start());
    host.drive();
    assert_eq!(host.checkpoints(), [3, 4, 5, 6]);
    assert_eq!(host.applied(), [5]);
    let parked = positions(host.parked().iter().map(|event| event.position));
    assert_eq!(parked, [1, 2, 3, 4, 6]);
    let failure = host.failure.map(|failure| failure.code());
    assert_eq!(
        failure,
        Some("aggregate-unknown"),
        "what stands before it is safe"
    );
}

#[test]
fn of_invalid_events_in_a_row_those_are_parked_that_may_be() {
    let mut host = Host::new(Options {
        parked_max: 2,
        ..batches_of(10)
    });
    for (at, aggregate) in [(1, 1), (2, 2), (3, 1), (4, 3), (5, 1)] {
        let delivery = Delivery::Invalid(invalid(at, Some(aggregate)));
        host.projection.handle_delivery(delivery, start());
    }
    host.drive();
    assert_eq!(host.checkpoints(), [3]);
    let failure = host.failure.map(|failure| failure.to_string());
    assert_eq!(
        failure.as_deref(),
        Some("2 aggregates are parked, and the event at position 4 is invalid: it is wrong")
    );
}

#[test]
fn an_invalid_event_that_does_not_tell_its_aggregate_ends_it() {
    let mut host = Host::new(batches_of(100));
    host.deliver([event(1, 1), event(2, 2)]);
    host.deliver_invalid(3, None);
    let failure = host.failure.take().expect("it ends");
    assert_eq!(failure.code(), "aggregate-unknown");
    assert_eq!(host.checkpoints(), [2], "what stands before it is safe");
    assert_eq!(host.projection.state(), State::Failed);
}

#[test]
fn an_invalid_event_at_a_position_that_cannot_be_ends_it() {
    let mut host = Host::new(batches_of(100));
    host.deliver([event(5, 1)]);
    host.deliver_invalid(1, Some(1));
    assert_eq!(
        host.failure.map(|failure| failure.code()),
        Some("aggregate-unknown")
    );
}

#[test]
fn one_parked_aggregate_too_many_ends_it() {
    let mut host = Host::new(Options {
        parked_max: 3,
        ..batches_of(2)
    });
    host.faults = poison(2..=20, |_| None);
    host.deliver([event(1, 1), event(2, 2), event(3, 3), event(4, 3)]);
    host.deliver([event(5, 5), event(6, 6)]);
    let failure = host.failure.take().expect("it ends");
    assert_eq!(failure.code(), "too-many-parked");
    assert_eq!(
        failure.to_string(),
        "3 aggregates are parked, and the event at position 6 faults: it faults"
    );
    assert_eq!(host.checkpoints().last(), Some(&5));
    assert_eq!(host.parked().len(), 4);
}

#[test]
fn a_handler_that_cannot_be_called_ends_it_and_parks_nothing() {
    let mut projection = Host::new(batches_of(2)).projection;
    for at in 1..=2 {
        projection.handle_delivery(Delivery::Event(event(at, at)), start());
    }
    let mut waits_ms = Vec::new();
    let mut now = start();
    let failure = loop {
        match projection.poll_output() {
            Output::Apply(batch) => {
                assert_eq!(batch.len(), 2, "the events are not searched");
                projection.handle_not_called(fault("no-instance"), now);
            }
            Output::Idle { wake_at } => {
                let wake_at = wake_at.expect("a wait");
                waits_ms.push((wake_at.micros() - now.micros()) / 1000);
                now = wake_at;
                projection.handle_wake(now);
            }
            Output::Failed(failure) => break failure,
            Output::Commit(commit) => panic!("nothing is done: {commit:?}"),
        }
    };
    assert_eq!(waits_ms, [100, 200, 400, 800, 1600]);
    assert_eq!(failure.code(), "handler-not-called");
    assert_eq!(
        failure.to_string(),
        "the handler cannot be called: it faults"
    );
    assert_eq!((projection.checkpoint(), projection.parked()), (None, 0));
}

#[test]
fn a_handler_that_can_be_called_again_goes_on() {
    let mut projection = Host::new(batches_of(1)).projection;
    projection.handle_delivery(Delivery::Event(event(1, 1)), start());
    assert!(matches!(projection.poll_output(), Output::Apply(_)));
    projection.handle_not_called(fault("no-instance"), start());
    projection.handle_wake(Timestamp::from_micros(100_000).expect("a time"));
    assert!(matches!(projection.poll_output(), Output::Apply(_)));
    projection.handle_applied(Vec::new(), start());
    assert!(matches!(projection.poll_output(), Output::Commit(commit) if commit.events == 1));
}

#[test]
fn a_commit_is_tried_again_and_then_ends_it() {
    let mut projection = Host::new(batches_of(2)).projection;
    for at in 1..=2 {
        projection.handle_delivery(Delivery::Event(event(at, at)), start());
    }
    assert!(matches!(projection.poll_output(), Output::Apply(batch) if batch.len() == 2));
    projection.handle_applied(Vec::new(), start());
    let Output::Commit(first) = projection.poll_output() else {
        panic!("no commit");
    };
    projection.handle_commit_failed(retryable("busy"), start());
    let Output::Idle {
        wake_at: Some(wake_at),
    } = projection.poll_output()
    else {
        panic!("no wait");
    };
    assert_eq!(wake_at, Timestamp::from_micros(100_000).expect("a time"));
    projection.handle_wake(wake_at);
    assert!(matches!(projection.poll_output(), Output::Commit(again) if again == first));
    projection.handle_commit_failed(fault("disk-full"), wake_at);
    let output = projection.poll_output();
    let Output::Failed(failure) = output else {
        panic!("it goes on: {output:?}");
    };
    assert_eq!(failure.code(), "commit-failed");
    assert_eq!(projection.checkpoint(), None);
}

#[test]
fn deliveries_are_taken_while_a_batch_is_applied() {
    let mut projection = Host::new(batches_of(1)).projection;
    projection.handle_delivery(Delivery::Event(event(1, 1)), start());
    assert!(matches!(projection.poll_output(), Output::Apply(_)));
    projection.handle_delivery(Delivery::Event(event(2, 1)), start());
    assert!(matches!(
        projection.poll_output(),
        Output::Idle { wake_at: None }
    ));
    projection.handle_applied(Vec::new(), start());
    assert!(matches!(projection.poll_output(), Output::Commit(_)));
    projection.handle_committed(start());
    assert!(!projection.is_drained());
    assert!(
        matches!(projection.poll_output(), Output::Apply(batch) if batch[0].position.get() == 2)
    );
}

#[test]
fn an_empty_store_is_live_at_once() {
    let mut host = Host::new(Options::default());
    host.caught_up();
    assert_eq!(host.projection.state(), State::Live);
    assert!(host.commits.is_empty());
}

#[test]
fn states_are_read_as_they_are_written() {
    for state in State::ALL {
        assert_eq!(state.to_string().parse(), Ok(state));
    }
    let error = "lively".parse::<State>().expect_err("no state");
    assert_eq!(error.to_string(), "`lively` is no state of a projection");
}

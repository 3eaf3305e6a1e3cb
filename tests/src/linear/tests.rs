use cim_core::version::{ExpectedVersion, Head, Position, Version};

use super::search::is_linearizable;
use super::*;
use crate::random::Random;

fn key(name: &str) -> AggregateKey {
    format!("o.u.d.order.{name}").parse().expect("a key")
}

fn id(number: u64) -> EventId {
    let time = cim_core::time::Timestamp::from_micros(1_795_248_000_000_000).expect("a time");
    let mut entropy = [0; 10];
    entropy[2..].copy_from_slice(&number.to_be_bytes());
    EventId::from_parts(time, entropy)
}

fn cid(number: u64) -> Cid {
    Cid::of_block(&number.to_be_bytes())
}

fn version(number: u64) -> Option<Version> {
    Version::new(number).ok()
}

fn exact(number: u64) -> ExpectedVersion {
    version(number).map_or(ExpectedVersion::NoStream, ExpectedVersion::Exact)
}

/// Event `n` of the aggregate `name` at a version; its position is its number.
fn event(n: u64, name: &str, version: u64) -> Event {
    Event {
        position: n,
        aggregate: key(name),
        version,
        id: id(n),
        cid: cid(n),
    }
}

fn receipt(event: &Event) -> Receipt {
    Receipt {
        version: version(event.version).expect("from 1"),
        head: event.cid,
        position: Position::new(event.position).expect("from 1"),
    }
}

fn part(name: &str, expected: ExpectedVersion, numbers: &[u64]) -> Part {
    Part {
        aggregate: key(name),
        expected,
        events: numbers.iter().map(|n| id(*n)).collect(),
    }
}

fn append(times: (u64, u64), part: Part, answer: Answer) -> Operation {
    let parts = vec![part];
    operation(times, Call::Append { parts, answer })
}

fn head(times: (u64, u64), name: &str, found: Option<&Event>) -> Operation {
    let found = found.map(|event| Head {
        version: receipt(event).version,
        cid: event.cid,
    });
    let aggregate = key(name);
    operation(times, Call::Head { aggregate, found })
}

fn operation((begun, ended): (u64, u64), call: Call) -> Operation {
    Operation {
        client: begun,
        begun,
        ended,
        call,
    }
}

fn conflict(name: &str, actual: u64, winners: &[u64]) -> Answer {
    Answer::Conflict {
        aggregate: key(name),
        actual: version(actual),
        winners: winners.iter().map(|n| cid(*n)).collect(),
    }
}

fn committed(event: &Event) -> Answer {
    Answer::Committed(vec![receipt(event)])
}

fn already(event: &Event) -> Answer {
    Answer::AlreadyCommitted(vec![receipt(event)])
}

#[track_caller]
fn accepts(operations: &[Operation], stored: &[Event]) -> Summary {
    assert!(is_linearizable(operations, stored));
    check(operations, stored).expect("a history that can come about")
}

#[track_caller]
fn rejects(kind: Kind, operations: &[Operation], stored: &[Event]) {
    let fault = check(operations, stored).expect_err("a history that cannot come about");
    assert_eq!(fault.kind, kind, "{fault}");
}

#[test]
fn accepts_what_overlaps_in_any_order() {
    let [one, two] = [event(1, "a", 1), event(2, "a", 2)];
    let any = ExpectedVersion::Any;
    let operations = [
        append((5, 30), part("a", any, &[1]), committed(&one)),
        append((1, 40), part("a", any, &[2]), committed(&two)),
        append(
            (2, 35),
            part("a", exact(0), &[3]),
            conflict("a", 2, &[1, 2]),
        ),
        head((1, 35), "a", None),
        head((33, 36), "a", Some(&two)),
        append((38, 50), part("a", any, &[1]), already(&one)),
    ];
    let summary = accepts(&operations, &[one, two]);
    assert_eq!((summary.stored, summary.looks, summary.unknown), (2, 6, 0));
}

#[test]
fn what_is_unknown_may_be_stored_or_not_and_late() {
    let [one, two] = [event(1, "a", 1), event(2, "a", 2)];
    let unknown = append((1, 10), part("a", exact(1), &[2]), Answer::Unknown);
    let first = append((20, 30), part("a", exact(0), &[1]), committed(&one));
    let told = append((40, 50), part("a", exact(1), &[2]), already(&two));
    let both = [one.clone(), two];
    accepts(&[unknown.clone(), first.clone()], &both[..1]);
    let summary = accepts(&[unknown.clone(), first.clone()], &both);
    assert_eq!(summary.unknown, 1);
    let summary = accepts(&[unknown.clone(), first.clone(), told], &both);
    assert_eq!(summary.unknown, 0);
    // Once it is told that others won, it cannot be stored any more.
    let lost = append((40, 50), part("a", exact(1), &[2]), conflict("a", 1, &[]));
    rejects(Kind::FalseRefusal, &[unknown, first, lost], &both[..1]);
}

#[test]
fn rejects_what_was_acknowledged_and_vanished() {
    let [one, two] = [event(1, "a", 1), event(2, "a", 2)];
    let operations = [
        append((1, 2), part("a", exact(0), &[1]), committed(&one)),
        append((3, 4), part("a", exact(1), &[2]), committed(&two)),
    ];
    rejects(Kind::Lost, &operations, std::slice::from_ref(&one));
    rejects(Kind::Lost, &operations[1..], &[]);
    // Another event at its version.
    let other = append((5, 6), part("a", exact(1), &[3]), Answer::Unknown);
    let instead = Event {
        id: id(3),
        ..two.clone()
    };
    let mut all = operations.to_vec();
    all.push(other);
    rejects(Kind::Lost, &all, &[one.clone(), instead]);
    // It stands elsewhere than the receipt says.
    let moved = Event { position: 9, ..two };
    rejects(Kind::Lost, &operations, &[one, moved]);
}

#[test]
fn rejects_two_events_at_one_version() {
    let [one, two] = [event(1, "a", 1), event(2, "a", 1)];
    let operations = [
        append((1, 9), part("a", exact(0), &[1]), committed(&one)),
        append((1, 9), part("a", exact(0), &[2]), committed(&two)),
    ];
    rejects(Kind::Lost, &operations, std::slice::from_ref(&one));
    rejects(Kind::Store, &operations, &[one.clone(), two.clone()]);
    let second = Event { version: 2, ..two };
    rejects(Kind::Unexpected, &operations, &[one, second]);
}

#[test]
fn rejects_one_append_that_is_stored_or_committed_twice() {
    let one = event(1, "a", 1);
    let again = Event {
        position: 2,
        version: 2,
        ..one.clone()
    };
    let any = ExpectedVersion::Any;
    let call = |times| append(times, part("a", any, &[1]), committed(&one));
    rejects(Kind::Store, &[call((1, 9))], &[one.clone(), again]);
    rejects(Kind::CommittedTwice, &[call((1, 9)), call((2, 9))], &[one]);
}

#[test]
fn rejects_a_conflict_that_saw_an_old_head() {
    let [one, two] = [event(1, "a", 1), event(2, "a", 2)];
    let stored = [one.clone(), two.clone()];
    let mut operations = vec![
        append((1, 2), part("a", exact(0), &[1]), committed(&one)),
        append((3, 10), part("a", exact(1), &[2]), committed(&two)),
    ];
    let stale = part("a", exact(0), &[3]);
    operations.push(append((9, 20), stale.clone(), conflict("a", 1, &[1])));
    accepts(&operations, &stored);
    operations[2] = append((11, 20), stale.clone(), conflict("a", 1, &[1]));
    rejects(Kind::Order, &operations, &stored);
    // The same of a look, and of one that follows a later one.
    operations[2] = head((11, 20), "a", Some(&one));
    rejects(Kind::Order, &operations, &stored);
    operations[2] = head((3, 4), "a", Some(&two));
    accepts(&operations, &stored);
    operations.push(head((5, 6), "a", Some(&one)));
    rejects(Kind::Order, &operations, &stored);
}

#[test]
fn rejects_a_conflict_that_is_none() {
    let [one, two] = [event(1, "a", 1), event(2, "a", 2)];
    let stored = [one.clone(), two.clone()];
    let operations = |expected, answer| {
        [
            append((1, 2), part("a", exact(0), &[1]), committed(&one)),
            append((3, 4), part("a", exact(1), &[2]), committed(&two)),
            append((5, 6), part("a", expected, &[3]), answer),
        ]
    };
    accepts(&operations(exact(1), conflict("a", 2, &[2])), &stored);
    for (expected, answer) in [
        (exact(2), conflict("a", 2, &[])),
        (exact(1), conflict("a", 2, &[])),
        (exact(1), conflict("a", 2, &[1])),
        (exact(1), conflict("a", 3, &[2])),
        (exact(1), conflict("b", 0, &[])),
        (ExpectedVersion::Any, conflict("a", 2, &[])),
        (exact(1), Answer::Reused(id(3))),
    ] {
        rejects(Kind::FalseRefusal, &operations(expected, answer), &stored);
    }
}

#[test]
fn rejects_what_is_stored_though_it_was_refused() {
    let one = event(1, "a", 1);
    for answer in [
        conflict("a", 0, &[]),
        Answer::Reused(id(1)),
        Answer::Refused("stream-full"),
    ] {
        let unknown = append((1, 2), part("a", exact(0), &[1]), Answer::Unknown);
        let refused = append((3, 4), part("a", exact(0), &[1]), answer);
        let stored = [one.clone()];
        rejects(
            Kind::RefusedAndStored,
            std::slice::from_ref(&refused),
            &stored,
        );
        rejects(Kind::RefusedAndStored, &[unknown, refused], &stored);
    }
    // Even for the time before it is stored.
    let unknown = append((1, 2), part("a", exact(0), &[1]), Answer::Unknown);
    let reused = append((3, 4), part("b", exact(0), &[1]), Answer::Reused(id(1)));
    let acknowledged = append((5, 6), part("a", exact(0), &[1]), committed(&one));
    rejects(Kind::Order, &[unknown, reused, acknowledged], &[one]);
}

#[test]
fn rejects_what_took_effect_before_it_began() {
    let [one, two] = [event(1, "a", 1), event(2, "b", 1)];
    let any = ExpectedVersion::Any;
    let first = |times| append(times, part("a", any, &[1]), committed(&one));
    let second = |times| append(times, part("b", any, &[2]), committed(&two));
    let stored = [one.clone(), two.clone()];
    accepts(&[first((5, 9)), second((1, 6))], &stored);
    // Each history alone is in order; the store's order says that the first came first.
    rejects(Kind::Order, &[first((5, 9)), second((1, 4))], &stored);
    let repeat = append((1, 4), part("a", any, &[1]), already(&one));
    rejects(Kind::Order, &[first((5, 9)), repeat], &stored[..1]);
}

#[test]
fn rejects_appends_in_part_and_events_of_nobody() {
    let stored = [event(1, "a", 1), event(2, "b", 1), event(3, "a", 2)];
    let parts = vec![
        part("a", ExpectedVersion::Any, &[1]),
        part("b", ExpectedVersion::Any, &[2]),
    ];
    let answer = Answer::Unknown;
    let both = operation((1, 2), Call::Append { parts, answer });
    let last = append((1, 2), part("a", exact(1), &[3]), committed(&stored[2]));
    accepts(&[both.clone(), last.clone()], &stored);
    rejects(Kind::Torn, &[both.clone(), last.clone()], &stored[..1]);
    rejects(Kind::Foreign, &[both], &stored);
    rejects(Kind::Foreign, &[last], &stored);
}

/// Some calls one after the other, each with a time around its moment.
fn draw(random: &mut Random) -> (Vec<Operation>, Vec<Event>) {
    let mut stored: Vec<Event> = Vec::new();
    let mut operations: Vec<Operation> = Vec::new();
    let mut next = 1;
    for at in 1..=random.between(3, 7) {
        let mut names = ["a", "b"];
        random.shuffle(&mut names);
        let last = |name: &str| stored.iter().rfind(|event| event.aggregate == key(name));
        let moment = 100 * at;
        let [before, after] = [(); 2].map(|()| {
            let most = 100 + 50 * random.below(5);
            random.below(most)
        });
        let times = (moment - before.min(moment), moment + after);
        if random.below(4) == 0 {
            operations.push(head(times, names[0], last(names[0])));
            continue;
        }
        let unknown = operations
            .iter()
            .find_map(|operation| match &operation.call {
                Call::Append {
                    parts,
                    answer: Answer::Unknown,
                } if !is_refused(&operations, parts) => Some(parts.clone()),
                _ => None,
            });
        let parts = unknown.filter(|_| random.below(2) == 0).unwrap_or_else(|| {
            let count = 1 + usize::from(random.below(3) == 0);
            let expected = |random: &mut Random, name| {
                let there = last(name).map_or(0, |event| event.version);
                match random.below(4) {
                    0 => ExpectedVersion::Any,
                    1 => exact(random.below(3)),
                    _ => exact(there),
                }
            };
            let parts = names[..count].iter().map(|name| {
                let count = random.between(1, 2);
                next += count;
                let numbers: Vec<_> = (next - count..next).collect();
                part(name, expected(random, name), &numbers)
            });
            parts.collect()
        });
        let answer = answer(random, &parts, &mut stored);
        operations.push(operation(times, Call::Append { parts, answer }));
    }
    (operations, stored)
}

fn is_refused(operations: &[Operation], appended: &[Part]) -> bool {
    operations.iter().any(|operation| match &operation.call {
        Call::Append { parts, answer } => parts == appended && !answer.may_be_stored(),
        Call::Head { .. } => false,
    })
}

/// What a store that does one thing at a time does and says.
fn answer(random: &mut Random, parts: &[Part], stored: &mut Vec<Event>) -> Answer {
    let is_silent = random.below(4) == 0;
    let place = |stored: &[Event], part: &Part| {
        let last = part.events.last().expect("a part has events");
        let event = stored.iter().find(|event| event.id == *last);
        event.map(receipt)
    };
    let receipts = |stored: &[Event]| -> Option<Vec<Receipt>> {
        parts.iter().map(|part| place(stored, part)).collect()
    };
    if let Some(receipts) = receipts(stored) {
        return match is_silent {
            true => Answer::Unknown,
            false => Answer::AlreadyCommitted(receipts),
        };
    }
    if is_silent && random.below(2) == 0 {
        return Answer::Unknown;
    }
    for part in parts {
        let history: Vec<_> = stored
            .iter()
            .filter(|event| event.aggregate == part.aggregate)
            .collect();
        let actual = history.len();
        let Some(expected) = part.expected_version().filter(|n| *n != actual as u64) else {
            continue;
        };
        let winners = history.iter().skip(usize::try_from(expected).expect("few"));
        return match is_silent {
            true => Answer::Unknown,
            false => Answer::Conflict {
                aggregate: part.aggregate.clone(),
                actual: version(actual as u64),
                winners: winners.map(|event| event.cid).collect(),
            },
        };
    }
    for part in parts {
        for id in &part.events {
            let history = stored
                .iter()
                .filter(|event| event.aggregate == part.aggregate);
            let version = history.count() as u64 + 1;
            let position = stored.len() as u64 + 1;
            stored.push(Event {
                position,
                aggregate: part.aggregate.clone(),
                version,
                id: *id,
                cid: cid(position),
            });
        }
    }
    match is_silent {
        true => Answer::Unknown,
        false => Answer::Committed(receipts(stored).expect("just stored")),
    }
}

/// Histories that came about are accepted; of those whose times or looks were changed, the same are
/// as by the search through all orders.
#[test]
fn agrees_with_the_search_through_all_orders() {
    let seed = Random::seed("CIM_LINEAR_SEED");
    let mut random = Random::new(seed);
    let mut rejected = 0;
    for round in 0..4000 {
        let told = |operations: &[Operation], stored: &[Event]| {
            let lines = operations.iter().map(ToString::to_string);
            let lines: Vec<_> = lines
                .chain(stored.iter().map(ToString::to_string))
                .collect();
            format!(
                "CIM_LINEAR_SEED={seed}, round {round}:\n{}",
                lines.join("\n")
            )
        };
        let (mut operations, stored) = draw(&mut random);
        let checked = check(&operations, &stored);
        assert!(
            checked.is_ok(),
            "{checked:?} {}",
            told(&operations, &stored)
        );
        for _ in 0..random.between(1, 3) {
            let at = random.below(operations.len() as u64) as usize;
            let other = random.below(stored.len() as u64 + 1) as usize;
            let changed = &mut operations[at];
            match &mut changed.call {
                Call::Head { aggregate, found } if random.below(2) == 0 => {
                    let of_it = stored
                        .get(other)
                        .filter(|event| event.aggregate == *aggregate);
                    *found = of_it.map(|event| Head {
                        version: receipt(event).version,
                        cid: event.cid,
                    });
                }
                _ => {
                    let length = changed.ended - changed.begun;
                    changed.begun = random.below(900);
                    changed.ended = changed.begun + length.min(random.below(300));
                }
            }
        }
        let checked = check(&operations, &stored);
        let searched = is_linearizable(&operations, &stored);
        assert_eq!(
            checked.is_ok(),
            searched,
            "{checked:?} {}",
            told(&operations, &stored)
        );
        rejected += usize::from(!searched);
    }
    println!("{rejected} of 4000 were rejected");
    assert!((500..3500).contains(&rejected), "{rejected} of 4000");
}

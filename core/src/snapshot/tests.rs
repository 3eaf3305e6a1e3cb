use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const KEY: [u8; 32] = [7; 32];

fn snapshot() -> Snapshot {
    Snapshot {
        store_id: Uuid::from_u128(0x0193_4f4a_5678_7abc_8def_0123_4567_89ab),
        aggregate: key("lamp.hall"),
        head: head(7),
        state_version: 2,
        taken_at: Timestamp::from_micros(1_795_248_000_000_000).expect("a time"),
        state: Bytes::from_static(br#"{"watts":40}"#),
    }
}

fn key(name: &str) -> AggregateKey {
    format!("acme.lab.lamps.{name}").parse().expect("a key")
}

fn head(version: u64) -> Head {
    Head {
        version: Version::new(version).expect("a version"),
        cid: Cid::of_block(&version.to_be_bytes()),
    }
}

/// Opens what was changed where it stands, with its seal as it was.
#[track_caller]
fn altered(change: impl FnOnce(&mut Snapshot)) -> Result<Snapshot, SnapshotError> {
    let (before, mut after) = (snapshot(), snapshot());
    change(&mut after);
    assert_ne!(before, after, "something was changed");
    let (before, after) = (before.seal(&KEY), after.seal(&[0; 32]));
    let seal = &before[before.len() - SEAL_LEN..];
    let body = &after[..after.len() - SEAL_LEN];
    Snapshot::open(&[body, seal].concat().into(), &KEY)
}

/// What `check` says of a snapshot with a good seal.
#[track_caller]
fn checked(change: impl FnOnce(&mut Snapshot)) -> &'static str {
    let (before, mut after) = (snapshot(), snapshot());
    change(&mut after);
    let after = Snapshot::open(&after.seal(&KEY), &KEY).expect("it was sealed with the key");
    let checked = after.check(before.store_id, &before.aggregate, before.state_version);
    checked.map_or_else(|error| error.code(), |()| "fits")
}

#[test]
fn an_altered_field_breaks_the_seal() {
    for change in [
        |it: &mut Snapshot| it.state = Bytes::from_static(br#"{"watts":41}"#),
        |it: &mut Snapshot| it.state = Bytes::from_static(b"{}"),
        |it: &mut Snapshot| it.head.cid = head(8).cid,
        |it: &mut Snapshot| it.head.version = head(8).version,
        |it: &mut Snapshot| it.state_version = 1,
        |it: &mut Snapshot| it.aggregate = key("lamp.cellar"),
        |it: &mut Snapshot| it.aggregate = key("bulb.hall"),
        |it: &mut Snapshot| it.store_id = Uuid::nil(),
        |it: &mut Snapshot| it.taken_at = Timestamp::MAX,
    ] {
        assert_eq!(altered(change), Err(SnapshotError::Forged));
    }
}

#[test]
fn a_whole_snapshot_from_elsewhere_does_not_fit() {
    for (change, code) in [
        ((|_| {}) as fn(&mut Snapshot), "fits"),
        (|it| it.store_id = Uuid::nil(), "snapshot-of-another-store"),
        (
            |it| it.aggregate = key("lamp.cellar"),
            "snapshot-of-another-aggregate",
        ),
        (
            |it| it.aggregate = key("bulb.hall"),
            "snapshot-of-another-aggregate",
        ),
        (|it| it.state_version = 1, "snapshot-state-version"),
        (|it| it.state_version = 3, "snapshot-state-version"),
    ] {
        assert_eq!(checked(change), code);
    }
}

#[test]
fn another_event_at_its_version_or_none_is_another_history() {
    let snapshot = snapshot();
    assert_eq!(snapshot.check_history(Some(&head(7).cid)), Ok(()));
    for event in [Some(&head(8).cid), None] {
        let error = snapshot.check_history(event).expect_err("another history");
        assert_eq!(error.code(), "snapshot-of-another-history");
    }
}

#[test]
fn another_key_opens_nothing() {
    let sealed = snapshot().seal(&KEY);
    assert_eq!(
        Snapshot::open(&sealed, &[8; 32]),
        Err(SnapshotError::Forged)
    );
    // Nor does the key without its context.
    let body = &sealed[..sealed.len() - SEAL_LEN];
    let plain = blake3::keyed_hash(&KEY, body);
    let sealed = [body, plain.as_bytes()].concat().into();
    assert_eq!(Snapshot::open(&sealed, &KEY), Err(SnapshotError::Forged));
}

#[test]
fn the_format_is_the_documented_one() {
    let sealed = snapshot().seal(&KEY);
    assert_eq!(&sealed[..8], b"CIMsnap\x01");
    assert_eq!(sealed[8..24], *snapshot().store_id.as_bytes());
    assert_eq!(sealed[24..32], 7u64.to_be_bytes());
    assert_eq!(sealed[32..68], head(7).cid.to_bytes());
    assert_eq!(sealed[68..76], 2u64.to_be_bytes());
    assert_eq!(sealed[76..84], 1_795_248_000_000_000u64.to_be_bytes());
    assert_eq!(sealed[84..86], 24u16.to_be_bytes());
    assert_eq!(&sealed[86..110], b"acme.lab.lamps.lamp.hall");
    assert_eq!(&sealed[110..122], br#"{"watts":40}"#);
    assert_eq!(sealed.len(), 122 + SEAL_LEN);
}

#[test]
fn what_is_sealed_and_no_snapshot_is_unreadable() {
    let sealed = snapshot().seal(&KEY);
    let body = &sealed[..sealed.len() - SEAL_LEN];
    for (at, bytes) in [
        (24, &[0; 8][..]),        // version 0
        (24, &[0xff; 8]),         // a version over 2^53 − 1
        (33, &[0x55]),            // a CID of another codec
        (76, &[0xff; 8]),         // a time after 9999
        (84, &[0xff; 2]),         // a name that is longer than all
        (84, &[0; 2]),            // an empty name
        (86, b".acme.lab.lamps"), // no key
        (86, &[0xff]),            // no UTF-8
    ] {
        let mut body = body.to_vec();
        body[at..at + bytes.len()].copy_from_slice(bytes);
        let seal = seal_of(&body, &KEY);
        let error = Snapshot::open(&[&body, &seal.as_bytes()[..]].concat().into(), &KEY);
        let error = error.expect_err("a field is none");
        assert_eq!(error.code(), "snapshot-unreadable", "at {at}");
    }
}

#[test]
fn what_is_no_snapshot_is_told_from_a_later_one() {
    let sealed = snapshot().seal(&KEY);
    for other in [&b""[..], b"CIMsna", b"CIMsnap", b"{}", &sealed[1..]] {
        let error = Snapshot::open(&Bytes::copy_from_slice(other), &KEY);
        assert_eq!(error.expect_err("none").code(), "snapshot-unreadable");
    }
    let mut later = sealed.to_vec();
    later[7] = 2;
    let error = Snapshot::open(&later.into(), &KEY).expect_err("a later one");
    assert_eq!(error, SnapshotError::Newer { found: 2 });
}

#[test]
fn codes_and_messages_are_unique() {
    let (uuid, cid) = (Uuid::nil(), head(1).cid);
    let another_history = |expected| SnapshotError::AnotherHistory {
        version: Version::FIRST,
        expected,
        found: cid,
    };
    let errors = [
        SnapshotError::Unreadable { why: "why" },
        SnapshotError::Newer { found: 2 },
        SnapshotError::Forged,
        SnapshotError::AnotherStore {
            expected: uuid,
            found: uuid,
        },
        SnapshotError::AnotherAggregate {
            expected: key("a.b"),
            found: key("a.c"),
        },
        SnapshotError::StateVersion {
            expected: 1,
            found: 2,
        },
        another_history(None),
    ];
    let codes: BTreeSet<_> = errors.iter().map(SnapshotError::code).collect();
    assert_eq!(codes.len(), errors.len());
    let messages: BTreeSet<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), errors.len());
    assert!(!messages.contains(&another_history(Some(cid)).to_string()));
}

prop_compose! {
    fn snapshots()(
        store_id: u128,
        aggregate in "([A-Za-z0-9_-]{1,20}\\.){4}[A-Za-z0-9_-]{1,128}",
        version in 1..=crate::version::MAX_INTEGER,
        block: Vec<u8>,
        state_version: u64,
        taken_at in 0..=Timestamp::MAX.micros(),
        state: Vec<u8>,
    ) -> Snapshot {
        Snapshot {
            store_id: Uuid::from_u128(store_id),
            aggregate: aggregate.parse().expect("five tokens"),
            head: Head {
                version: Version::new(version).expect("in range"),
                cid: Cid::of_block(&block),
            },
            state_version,
            taken_at: Timestamp::from_micros(taken_at).expect("in range"),
            state: state.into(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(snapshot in snapshots(), key: [u8; 32]) {
        let sealed = snapshot.seal(&key);
        let opened = Snapshot::open(&sealed, &key);
        prop_assert_eq!(opened.as_ref(), Ok(&snapshot));
        let (store_id, state_version) = (snapshot.store_id, snapshot.state_version);
        prop_assert_eq!(snapshot.check(store_id, &snapshot.aggregate, state_version), Ok(()));
    }

    #[test]
    fn an_altered_byte_is_found(snapshot in snapshots(), at: prop::sample::Index, bits in 1u8..) {
        let mut sealed = snapshot.seal(&KEY).to_vec();
        let at = at.index(sealed.len());
        sealed[at] ^= bits;
        prop_assert!(Snapshot::open(&sealed.into(), &KEY).is_err());
    }

    #[test]
    fn a_longer_or_shorter_one_is_found(
        snapshot in snapshots(), cut: prop::sample::Index, more in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let sealed = snapshot.seal(&KEY);
        let cut = sealed.slice(..cut.index(sealed.len()));
        prop_assert!(Snapshot::open(&cut, &KEY).is_err());
        let longer = [&sealed[..], &more].concat();
        prop_assert!(Snapshot::open(&longer.into(), &KEY).is_err());
    }

    #[test]
    fn bytes_from_outside_never_panic(bytes: Vec<u8>) {
        let framed = [&b"CIMsnap\x01"[..], &bytes].concat();
        prop_assert!(Snapshot::open(&bytes.into(), &KEY).is_err());
        prop_assert!(Snapshot::open(&framed.into(), &KEY).is_err());
    }
}

#[test]
fn a_sealed_snapshot_has_these_bytes() {
    let sealed = snapshot().seal(&KEY);
    let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, SEALED);
    assert_eq!(Snapshot::open(&sealed, &KEY), Ok(snapshot()));
}

/// The fields in the order of the format, each on a line, and the seal in the last one; made by PyPI's
/// `blake3`, not by the code under test.
const SEALED: &str = concat!(
    "43494d736e6170",
    "01",
    "01934f4a56787abc8def0123456789ab",
    "0000000000000007",
    "01711e20bd39386f2ecf0c7cb78118bfd6080d529081d8891168b96f84e1b236925ad9d3",
    "0000000000000002",
    "000660c4bf52e000",
    "0018",
    "61636d652e6c61622e6c616d70732e6c616d702e68616c6c",
    "7b227761747473223a34307d",
    "31de139e3e5f714663a940eb6686ff884a92f8e062db18d9065360f833bfe3db",
);

//! A stream that drops messages by itself takes no appends: what was acknowledged would be lost.

use cim_core::append::Append;
use cim_core::version::ExpectedVersion;
use cim_host::jetstream::{Discard, JetStreamPort as _, StreamConfig};
use cim_host::store::EventStore as _;
use cim_tests::nats::{Place, STREAM, code_of, connect, new_stream};
use cim_tests::work::key;

/// As of the buckets of NATS: `discard: new` refuses what exceeds the limits of the stream, and the
/// limit of each subject takes the oldest away all the same.
#[tokio::test]
async fn a_limit_for_each_subject_loses_no_acknowledged_event() {
    let config = StreamConfig {
        max_msgs_per_subject: 1,
        ..new_stream(1)
    };
    let mut place = Place::new(&config).await;
    let store = place.open("own").await;
    let mut acknowledged = 0;
    for _ in 0..8 {
        let append = Append::new(key(1), ExpectedVersion::Any, [place.event()]);
        acknowledged += u64::from(store.append(append).await.is_ok());
    }
    let info = connect(&place.server.url()).await.stream_info(STREAM).await;
    let info = info.expect("an answer").expect("a stream");
    assert_eq!(info.state.messages, acknowledged);
}

/// How a stream is set up may change while it is open.
#[tokio::test]
async fn a_stream_that_begins_to_drop_events() {
    let mut place = Place::new(&new_stream(1)).await;
    let store = place.open("own").await;
    place.append(&store, 1, 2).await;
    let port = connect(&place.server.url()).await;
    let info = port.stream_info(STREAM).await.expect("an answer");
    let sound = info.expect("a stream").config;
    let drops = StreamConfig {
        discard: Discard::Old,
        max_msgs: 1_000,
        ..sound.clone()
    };
    port.update_stream(&drops).await.expect("it is changed");
    store.stats().await.expect("it can be read");
    let append = Append::new(key(1), ExpectedVersion::Any, [place.event()]);
    let answer = store.append(append.clone()).await;
    assert_eq!(code_of(&answer), "stream-drops", "{answer:?}");
    port.update_stream(&sound).await.expect("it is changed");
    store.append(append).await.expect("it is safe again");
}

//! A server that takes calls and does not answer them.

use std::time::Duration;

use cim_core::policy::BreakerOptions;
use cim_host::jetstream::{
    Batch, JetStreamClient, JetStreamError, JetStreamPort as _, NatsOptions,
};
use cim_tests::nats::{NatsServer, ServerOptions};

#[tokio::test]
async fn who_does_not_answer_is_left_alone_for_a_while() {
    let server = NatsServer::start(ServerOptions::default());
    let mut options = NatsOptions::new(&server.url()).expect("a URL");
    options.answer_within = Duration::from_secs(1);
    let client = JetStreamClient::connect(&options).await.expect("a server");
    let answer = client.stream_info("NONE").await;
    assert!(answer.expect("an answer").is_none());

    server.suspend();
    let breaker = BreakerOptions::default();
    for _ in 0..breaker.failures_max {
        // One replica may hang: a batch that nobody gives says nothing of all others.
        let batch = client.get_batch("NONE", 1, ">", 1).await;
        assert_eq!(batch.expect("nothing"), Batch::default());
        assert_eq!(failure(&client).await.code(), "nats-no-answer");
    }
    let wait = open_for(failure(&client).await);
    assert!(wait <= breaker.open_time, "{wait:?}");

    // A probe that has no answer either opens it again.
    tokio::time::sleep(wait).await;
    assert_eq!(failure(&client).await.code(), "nats-no-answer");
    let wait = open_for(failure(&client).await);

    server.resume();
    tokio::time::sleep(wait).await;
    for _ in 0..10 {
        let answer = client.stream_info("NONE").await;
        assert!(answer.expect("an answer").is_none());
    }
}

async fn failure(client: &JetStreamClient) -> JetStreamError {
    let answer = client.stream_info("NONE").await;
    answer.expect_err("silence")
}

/// For how long the circuit stays open.
fn open_for(error: JetStreamError) -> Duration {
    match error {
        JetStreamError::CircuitOpen { wait, .. } => wait,
        error => panic!("expected an open circuit, found {error:?}"),
    }
}

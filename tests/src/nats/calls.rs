//! What tests ask of a store on NATS, and what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cim_core::append::{Append, AppendError, Appended, Receipt, Rejection};
use cim_host::jetstream::JetStreamStore;
use cim_host::store::{EventStore as _, Query, StoreError};
use futures_util::StreamExt as _;

use crate::work::key;

/// Appends what was not appended before, and gives the receipt.
///
/// # Panics
///
/// When the store refuses it, or has it already.
pub async fn committed(store: &JetStreamStore, append: Append) -> Receipt {
    match store.append(append).await {
        Ok(Appended::Committed(receipt)) => receipt,
        answer => panic!("nothing is in the way: {answer:?}"),
    }
}

/// Lets a store append all of these at the same time: all answers, in the order of the appends, and
/// what they took.
///
/// # Panics
///
/// When the store does.
pub async fn at_the_same_time(
    store: &Arc<JetStreamStore>,
    appends: impl IntoIterator<Item = Append>,
) -> Vec<(Result<Appended, AppendError>, Duration)> {
    let tasks: Vec<_> = appends
        .into_iter()
        .map(|append| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let started = Instant::now();
                (store.append(append).await, started.elapsed())
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("it does not panic"));
    }
    answers
}

/// The stable code of an answer to an append, that of the store where it is the store that refuses;
/// `appended` if it does not.
pub fn code_of(answer: &Result<Appended, AppendError>) -> &'static str {
    match answer {
        Ok(_) => "appended",
        Err(AppendError::Rejected {
            why: Rejection::Store { code, .. },
        }) => code,
        Err(error) => error.code(),
    }
}

/// How many events of the history of the aggregate with a number are read, verified, and the
/// position of the message that ends it, if that is no event.
///
/// # Panics
///
/// When it cannot be read.
pub async fn history(store: &JetStreamStore, number: u64) -> (u64, Option<u64>) {
    let mut read = store.read(Query::history(key(number)).verified());
    let mut events = 0;
    while let Some(read) = read.next().await {
        match read {
            Ok(_) => events += 1,
            Err(StoreError::Invalid(invalid)) => return (events, Some(invalid.position.get())),
            Err(error) => panic!("{error:?}"),
        }
    }
    (events, None)
}

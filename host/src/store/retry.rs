//! Appending until the outcome is known.

use std::time::Duration;

use cim_core::append::{Append, AppendError, Appended};

use super::EventStore;
use crate::clock;

/// How often an append of unknown outcome is tried again, and after how long.
const RETRIES: u32 = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// For how long at most: a store that is far away takes its time for each try.
const PATIENCE: Duration = Duration::from_secs(20);

/// Appends, and appends again what is not known to be stored.
///
/// # Errors
///
/// As [`EventStore::append_many`]; [`AppendError::Unknown`] when it is still not known after the
/// last try.
pub(crate) async fn append_surely(
    store: &dyn EventStore,
    appends: Vec<Append>,
) -> Result<Vec<Appended>, AppendError> {
    let begun = clock::moment();
    let mut answer = store.append_many(appends).await;
    for _ in 0..RETRIES {
        match answer {
            Err(AppendError::Unknown { retry_token, .. }) if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(RETRY_PAUSE).await;
                answer = store.append_again(retry_token).await;
            }
            definite => return definite,
        }
    }
    answer
}

//! The one place that asks for the time and for randomness.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cim_core::id::EventId;
use cim_core::time::Timestamp;
use uuid::Uuid;

/// The present time.
///
/// # Panics
///
/// When the system's clock stands before 1970 or after 9999.
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is after 1970");
    u64::try_from(since.as_micros())
        .ok()
        .and_then(|micros| Timestamp::from_micros(micros).ok())
        .expect("the clock is before the year 10000")
}

/// The present moment of the monotonic clock, to measure how long something takes.
pub fn moment() -> Instant {
    Instant::now()
}

/// Random bytes of the operating system.
///
/// # Panics
///
/// When the operating system has none, which leaves nothing sensible to do.
pub fn entropy<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A new event id of the present time.
pub fn event_id() -> EventId {
    EventId::from_parts(now(), entropy())
}

/// A new id for a store: a UUID of version 7.
pub fn store_id() -> Uuid {
    *event_id().as_uuid()
}

//! What a plugin may use.

use std::path::PathBuf;
use std::time::Duration;

use cim_core::projection::Limits;

/// How plugins are loaded and run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PluginOptions {
    /// What a plugin may use.
    pub limits: PluginLimits,
    /// How a call that takes too long is stopped.
    pub interruption: Interruption,
    /// The folder that compiled code is kept in, `cim/plugins` in the user's cache folder by
    /// default; `None`: compile each time.
    pub cache: Option<PathBuf>,
}

impl Default for PluginOptions {
    fn default() -> Self {
        Self {
            limits: PluginLimits::default(),
            interruption: Interruption::Epochs,
            cache: crate::cache::folder("plugins"),
        }
    }
}

/// What a plugin may use; beyond it a call is stopped and is a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PluginLimits {
    /// The time of a call whatever its events, 250 ms by default: several times what a call of a
    /// full batch takes on a slow machine.
    pub time: Duration,
    /// The further time for each event, 20 µs by default: some five times what folding one takes.
    pub time_per_event: Duration,
    /// What a call may compute whatever its events, for [`Interruption::Fuel`]: in units of
    /// wasmtime's fuel, about one for each instruction. 1000 million by default: ordinary code takes
    /// some 250 ms for it.
    pub fuel: u64,
    /// The further fuel for each event, 100 000 by default: some five times what folding one takes.
    pub fuel_per_event: u64,
    /// The memory of an instance in bytes, 64 MiB by default: far more than a batch with its
    /// documents.
    pub memory_bytes: usize,
    /// The stack of an instance in bytes, 512 KiB by default. It is a part of the calling thread's
    /// stack, so keep it well below that: threads of Rust have 2 MiB.
    pub stack_bytes: usize,
    /// What crosses back in one call, in bytes, 16 MiB by default.
    pub answer_bytes: usize,
    /// What may be in an answer, and what a call may read. The number of changes and the bytes that
    /// are read are looked at before anything is made of them; the projector checks the rest, and
    /// should have the same limits.
    pub answers: Limits,
    /// The size of a plugin's file in bytes, 32 MiB by default: room for plugins that bring an
    /// interpreter.
    pub file_bytes: u64,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_millis(250),
            time_per_event: Duration::from_micros(20),
            fuel: 1_000_000_000,
            fuel_per_event: 100_000,
            memory_bytes: 64 << 20,
            stack_bytes: 512 << 10,
            answer_bytes: 16 << 20,
            answers: Limits::default(),
            file_bytes: 32 << 20,
        }
    }
}

impl PluginLimits {
    /// The time of a call with so many events.
    pub(super) fn call_time(&self, events: usize) -> Duration {
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        self.time + self.time_per_event * events
    }

    /// The fuel of a call with so many events.
    pub(super) fn call_fuel(&self, events: usize) -> u64 {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.fuel
            .saturating_add(self.fuel_per_event.saturating_mul(events))
    }
}

/// How a call that takes too long is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interruption {
    /// By a deadline, which the compiled code looks at. Where it is stopped depends on how fast and
    /// how busy the machine is.
    Epochs,
    /// By counting what it computes: on every machine the same calls are stopped, so the same events
    /// are parked. Slower, and no limit of time.
    Fuel,
    /// Not at all: for plugins that are trusted as native code is. Faster.
    Nothing,
}

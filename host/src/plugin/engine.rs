//! The engine: what compiled code may do, and the clock that stops it.

use std::time::Duration;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::error::PluginError;
use super::options::{Interruption, PluginLimits};

/// How often deadlines are looked at. Calls may take this much longer than their limit.
const TICK: Duration = Duration::from_millis(5);

/// The most instances of an engine, that is of one loaded plugin, at a time. A handler has one at
/// most; [`Plugin::handler`](super::Plugin::handler) tells the number. Each reserves 4 GiB of
/// addresses, not of memory.
const MAX_INSTANCES: u32 = 8;

/// The most core instances and tables of one plugin; interpreters have several.
const MAX_PARTS: u32 = 8;

/// The most elements of a table.
pub(super) const MAX_TABLE: usize = 20_000;

/// Makes an engine with no ability beyond computing, whose results are the same on every machine.
pub(super) fn make(
    limits: &PluginLimits,
    interruption: Interruption,
) -> Result<Engine, PluginError> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(MAX_INSTANCES * MAX_PARTS)
        .total_memories(MAX_INSTANCES)
        .total_tables(MAX_INSTANCES * MAX_PARTS)
        .max_core_instances_per_component(MAX_PARTS)
        // One, so that its limit is that of the instance.
        .max_memories_per_component(1)
        .max_tables_per_component(MAX_PARTS)
        .table_elements(MAX_TABLE)
        .max_memory_size(limits.memory_bytes);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(interruption == Interruption::Epochs)
        .consume_fuel(interruption == Interruption::Fuel)
        .max_wasm_stack(limits.stack_bytes)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .wasm_backtrace_max_frames(None);
    let fault = |error: wasmtime::Error| PluginError::Engine {
        why: error.to_string(),
    };
    let engine = Engine::new(&config).map_err(fault)?;
    if interruption == Interruption::Epochs {
        start_clock(&engine).map_err(|error| PluginError::Engine {
            why: error.to_string(),
        })?;
    }
    Ok(engine)
}

/// The number of ticks after which a call is stopped that may take `time`: one more, since the
/// first may come at once.
pub(super) fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX - 1) + 1
}

/// Starts the thread that advances the engine's epoch until the engine is dropped.
fn start_clock(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let clock = std::thread::Builder::new().name("cim-plugin-clock".to_owned());
    clock
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_at_least_its_time() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(Duration::from_millis(5)), 2);
        assert_eq!(ticks(Duration::from_micros(5001)), 3);
    }
}

//! One instance of a plugin: its memory, and calls that are stopped at their limits.

use cim_core::projection::Fault;
use wasmtime::{Engine, ResourceLimiter, Store, Trap};

use super::bindings::{ProjectionPlugin, ProjectionPluginPre};
use super::engine::{MAX_TABLE, ticks};
use super::fault;
use super::options::{Interruption, PluginLimits};

/// What instances are made from, and what they may use.
pub(super) struct Sandbox {
    pub(super) limits: PluginLimits,
    pub(super) interruption: Interruption,
    pub(super) engine: Engine,
    pub(super) exports: ProjectionPluginPre<Memory>,
}

impl Sandbox {
    /// Gives a store what the next call may use.
    fn allow(&self, store: &mut Store<Memory>, events: usize) {
        match self.interruption {
            Interruption::Epochs => store.set_epoch_deadline(ticks(self.limits.call_time(events))),
            Interruption::Fuel => store
                .set_fuel(self.limits.call_fuel(events))
                .expect("the engine counts fuel"),
            Interruption::Nothing => {}
        }
    }
}

/// An instance. It is unusable after a call that trapped.
pub(super) struct Instance {
    store: Store<Memory>,
    exports: ProjectionPlugin,
}

/// Why there is no instance.
#[derive(Debug)]
pub(super) enum StartError {
    /// The plugin's own code or memory is at fault.
    Fault(Fault),
    /// The host has no room for it now.
    NoRoom(Fault),
}

impl StartError {
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::Fault(fault) | Self::NoRoom(fault) => fault,
        }
    }
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Instance {
    pub(super) fn new(sandbox: &Sandbox) -> Result<Self, StartError> {
        let limits = &sandbox.limits;
        let memory = Memory {
            limit: limits.memory_bytes,
            refused: false,
        };
        let mut store = Store::new(&sandbox.engine, memory);
        store.limiter(|memory| memory);
        store.set_hostcall_fuel(limits.answer_bytes);
        // Instantiating may run code of the plugin too.
        sandbox.allow(&mut store, 0);
        match sandbox.exports.instantiate(&mut store) {
            Ok(exports) => Ok(Self { store, exports }),
            // What compiled can be instantiated, unless its own code stops it or the host has no
            // room.
            Err(error) => match store.data().refused {
                false if !error.is::<Trap>() => Err(StartError::NoRoom(fault::no_instance(&error))),
                refused => Err(fault::of(&error, refused, limits, 0).into()),
            },
        }
    }

    /// Calls a function with so many events.
    pub(super) fn call<T>(
        &mut self,
        sandbox: &Sandbox,
        events: usize,
        function: impl FnOnce(&ProjectionPlugin, &mut Store<Memory>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let limits = &sandbox.limits;
        sandbox.allow(&mut self.store, events);
        function(&self.exports, &mut self.store)
            .map_err(|error| fault::of(&error, self.store.data().refused, limits, events))
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

/// Limits what an instance allocates, and remembers that it wanted more.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    refused: bool,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.limit {
            self.refused = true;
            // A plugin that may go on would end in some panic, which says less.
            return Err(wasmtime::format_err!("the limit of memory is reached"));
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE && maximum.is_none_or(|maximum| desired <= maximum))
    }
}

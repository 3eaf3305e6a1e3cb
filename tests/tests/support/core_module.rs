//! The core as a bare WebAssembly module, in wasmtime.

use cim_tests::core_module;
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

/// An instance of the module, which gets nothing to import.
pub(crate) struct CoreModule {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
    input: TypedFunc<u32, u32>,
    output: TypedFunc<(), u32>,
}

impl CoreModule {
    /// Loads what `cargo xtask plugins` has built.
    pub(crate) fn load() -> Self {
        let engine = Engine::default();
        let module = Module::from_file(&engine, core_module()).expect("it is a module");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
        let memory = instance.get_memory(&mut store, "memory").expect("a memory");
        let input = instance.get_typed_func(&mut store, "input");
        let output = instance.get_typed_func(&mut store, "output");
        Self {
            instance,
            memory,
            input: input.expect("`input` is exported"),
            output: output.expect("`output` is exported"),
            store,
        }
    }

    /// What a function answers to a text.
    pub(crate) fn call(&mut self, name: &str, given: &str) -> String {
        let length = u32::try_from(given.len()).expect("an input is small");
        let at = self
            .input
            .call(&mut self.store, length)
            .expect("`input` runs");
        self.memory
            .write(&mut self.store, at as usize, given.as_bytes())
            .expect("`input` has made room");
        let function = self
            .instance
            .get_typed_func::<(), u32>(&mut self.store, name);
        let length = function.expect(name).call(&mut self.store, ()).expect(name);
        let at = self
            .output
            .call(&mut self.store, ())
            .expect("`output` runs");
        let mut answer = vec![0; length as usize];
        self.memory
            .read(&self.store, at as usize, &mut answer)
            .expect("the answer is in its memory");
        let answer = String::from_utf8(answer).expect("an answer is text");
        assert!(!answer.starts_with("error: "), "{name}: {answer}");
        answer
    }
}

//! The verification of exports, in chunks of bytes.

use cim_core::export::{self, ExportError, to_json};
use wasm_bindgen::prelude::wasm_bindgen;

/// Verifies an export in chunks that may end anywhere.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct ExportVerifier {
    inner: export::ExportVerifier,
    fault: Option<ExportError>,
}

#[wasm_bindgen]
impl ExportVerifier {
    /// Expects the first line.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next chunk; `false` when the first fault is found and the rest does not matter.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        if self.fault.is_none() {
            self.fault = self.inner.push(chunk).err();
        }
        self.fault.is_none()
    }

    /// The JSON document that every tool prints of a verified export.
    pub fn finish(self) -> String {
        to_json(&match self.fault {
            Some(fault) => Err(fault),
            None => self.inner.finish(),
        })
    }
}

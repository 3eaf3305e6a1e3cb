//! A plugin that breaks the limit which its configuration names, and no other.
//!
//! `tests/tests/plugin_limits.rs` has a line for each mode.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "only a host calls it")
)]

use std::cell::OnceCell;
use std::hint::black_box;

use crate::bindings::cim::plugin::types::{Batch, Changes, Descriptor, Documents, Failure, KeySet};
use crate::bindings::exports::cim::plugin::{lifecycle, projection};

#[allow(unsafe_code, missing_docs, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wasm/wit",
        world: "projection-plugin",
    });

    #[cfg(target_arch = "wasm32")]
    export!(Hostile with_types_in self);

    #[cfg(target_arch = "wasm32")]
    use super::Hostile;
}

mod answers;
mod counts;
mod greed;

/// How `describe` behaves. No configuration reaches it, so tests change these bytes in the file.
static DESCRIBE: [u8; 18] = *b"describe as: sound";

thread_local! {
    static MODE: OnceCell<String> = const { OnceCell::new() };
}

struct Hostile;

impl lifecycle::Guest for Hostile {
    fn describe() -> Descriptor {
        let mut descriptor = Descriptor {
            name: "hostile".to_owned(),
            version: "1".to_owned(),
            event_types: Vec::new(),
            collections: vec!["counts".to_owned()],
        };
        match &black_box(&DESCRIBE)[13..] {
            b"endls" => greed::work_for_ever(),
            b"panic" => panic!("describe panics"),
            b"large" => descriptor.version = "1".repeat(30 << 20),
            b"names" => descriptor.name = "Hostile; DROP TABLE".to_owned(),
            b"escap" => descriptor.version = "\u{1b}[31m1".to_owned(),
            b"types" => descriptor.event_types = vec!["no type".to_owned()],
            b"twice" => descriptor.collections.push("counts".to_owned()),
            b"empty" => descriptor.collections.clear(),
            b"wider" => descriptor.collections = vec!["c".to_owned(); 1001],
            _ => {}
        }
        descriptor
    }

    fn init(config: Vec<u8>) -> Result<(), Failure> {
        let mode = String::from_utf8(config).map_err(|_| failure("config-invalid"))?;
        // `cim` takes JSON only, so a mode may be a JSON string too.
        let mode = mode.trim_matches('"').to_owned();
        match &*mode {
            "loop-in-init" => greed::work_for_ever(),
            "refuse-in-init" => return Err(failure("config-invalid")),
            _ => {}
        }
        MODE.with(|place| place.set(mode))
            .map_err(|_| failure("initialised-twice"))
    }
}

impl projection::Guest for Hostile {
    fn keys(events: Batch) -> Result<KeySet, Failure> {
        with_mode(|mode| match mode {
            "sound" | "trap-on-marker" => Ok(counts::keys(&events)),
            "loop-in-keys" => greed::work_for_ever(),
            "hoard" => Ok(answers::one_key_again(1500)),
            "not-utf8-in-keys" => Ok(answers::one_key(answers::not_utf8())),
            "undeclared-in-keys" => Ok(KeySet {
                collections: vec!["others".to_owned()],
                ..answers::one_key("k".to_owned())
            }),
            "lengths-in-keys" => Ok(KeySet {
                collection_of: vec![0, 0],
                ..answers::one_key("k".to_owned())
            }),
            _ => Ok(answers::no_keys()),
        })
    }

    fn apply(events: Batch, read: Documents) -> Result<Changes, Failure> {
        with_mode(|mode| match mode {
            "sound" => Ok(counts::changes(&events, &read)),
            "trap-on-marker" => {
                let marked = events.payloads.windows(4).any(|four| four == b"TRAP");
                assert!(!marked, "a marked event");
                Ok(counts::changes(&events, &read))
            }
            "nothing" => Ok(answers::nothing()),
            "loop" => greed::work_for_ever(),
            "memory" => greed::take_memory_for_ever(),
            "recursion" => Ok(greed::recurse()),
            "panic" => panic!("apply panics"),
            "large-error" => Err(Failure {
                message: "e".repeat(30 << 20),
                ..failure("long-story")
            }),
            "bad-failure" => Err(Failure {
                index: Some(u32::MAX),
                code: "\u{1b}[31mBAD CODE".to_owned(),
                message: "\u{1b}[31mred\r\n".repeat(1000),
                retryable: false,
            }),
            mode => answers::changes(mode).ok_or_else(|| failure("mode-unknown")),
        })
    }
}

fn with_mode<T>(call: impl FnOnce(&str) -> Result<T, Failure>) -> Result<T, Failure> {
    MODE.with(|place| call(place.get().ok_or_else(|| failure("not-initialised"))?))
}

fn failure(code: &str) -> Failure {
    Failure {
        index: None,
        code: code.to_owned(),
        message: format!("the hostile plugin says {code}"),
        retryable: false,
    }
}

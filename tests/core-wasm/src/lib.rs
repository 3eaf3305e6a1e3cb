//! `cim-core` as a bare WebAssembly module: what each function reaches is linked in, so the module
//! shows that none of it needs the host.
//!
//! The caller writes bytes at `input(length)`, calls a function, and reads at `output()` as many
//! bytes as the function returned: the answer, or a line that begins with `error: `.
#![allow(
    unsafe_code,
    reason = "a name is exported by `#[unsafe(no_mangle)]`; no memory is touched by hand"
)]

mod answers;
mod identity;
mod models;

use std::cell::RefCell;
use std::error::Error;

type Answer = Result<String, Box<dyn Error>>;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes room for the caller's bytes.
#[unsafe(no_mangle)]
pub extern "C" fn input(length: usize) -> *mut u8 {
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.resize(length, 0);
        input.as_mut_ptr()
    })
}

/// Where the last answer is.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    OUTPUT.with_borrow(|output| output.as_ptr())
}

/// Blocks and CIDs of messages, as a JSON list of `{"block_hex":…,"cid":…}`.
#[unsafe(no_mangle)]
pub extern "C" fn blocks() -> usize {
    answer(answers::blocks)
}

/// An export of messages.
#[unsafe(no_mangle)]
pub extern "C" fn make_export() -> usize {
    answer(answers::make_export)
}

/// The report on an export.
#[unsafe(no_mangle)]
pub extern "C" fn verify_export() -> usize {
    answer(answers::verify_export)
}

/// The aggregates of an export, each verified and folded, as a JSON object.
#[unsafe(no_mangle)]
pub extern "C" fn histories() -> usize {
    answer(answers::histories)
}

/// Tokens as in `tests/vectors/identity.json`, each asked for by a line of it, as a JSON list.
#[unsafe(no_mangle)]
pub extern "C" fn tokens() -> usize {
    answer(identity::tokens)
}

/// The creds of a token's user, as they are read and written back.
#[unsafe(no_mangle)]
pub extern "C" fn creds() -> usize {
    answer(identity::creds)
}

/// The state of an aggregate, and what commands lead to, as a JSON object.
#[unsafe(no_mangle)]
pub extern "C" fn models() -> usize {
    answer(models::models)
}

fn answer(of: impl Fn(&[u8]) -> Answer) -> usize {
    let text =
        INPUT.with_borrow(|input| of(input).unwrap_or_else(|error| format!("error: {error}")));
    OUTPUT.with_borrow_mut(|output| {
        *output = text;
        output.len()
    })
}

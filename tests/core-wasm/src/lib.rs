//! `cim-core` as a bare WebAssembly module: what each function reaches is linked in, so the module
//! shows that none of it needs the host.
//!
//! The caller writes bytes at `input(length)`, calls a function, and reads as many bytes at `output()`
//! as the function returned: a JSON document with the answer or the `error`.
#![allow(
    unsafe_code,
    reason = "a name is exported by `#[unsafe(no_mangle)]`; no memory is touched by hand"
)]

use std::cell::RefCell;

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

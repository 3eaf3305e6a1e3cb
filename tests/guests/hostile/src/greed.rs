//! Wanting more time, memory or stack than there is.

use std::hint::black_box;

use crate::answers;
use crate::bindings::cim::plugin::types::Changes;

pub(crate) fn work_for_ever() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns).wrapping_add(1);
    }
}

pub(crate) fn take_memory_for_ever() -> ! {
    let mut taken = Vec::new();
    loop {
        taken.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Calls itself until the stack is full: what is done after the call keeps it from being a loop.
pub(crate) fn recurse() -> Changes {
    #[inline(never)]
    fn deeper(depth: u64) -> u64 {
        if depth == u64::MAX {
            return depth;
        }
        deeper(black_box(depth + 1)).rotate_left(7) ^ depth
    }
    black_box(deeper(black_box(0)));
    answers::nothing()
}

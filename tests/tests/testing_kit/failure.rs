//! Assertions that must fail.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, Location};
use std::sync::Once;

thread_local! {
    /// Where the panic that is waited for on this thread was; `None` when none is waited for.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What an assertion says, which must fail, and point at the test.
#[track_caller]
pub(crate) fn failure(assertion: impl FnOnce()) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_expected = PANIC.with_borrow_mut(|place| {
                let file = info.location().map(|it| it.file().to_owned());
                place
                    .as_mut()
                    .map(|place| *place = file.unwrap_or_default())
            });
            if is_expected.is_none() {
                usual(info);
            }
        }));
    });
    PANIC.set(Some(String::new()));
    let ended = panic::catch_unwind(AssertUnwindSafe(assertion));
    let file = PANIC.take().expect("nobody else takes it");
    let told = ended.expect_err("the assertion fails");
    assert_eq!(file, Location::caller().file(), "it points at the test");
    *told.downcast::<String>().expect("a text")
}

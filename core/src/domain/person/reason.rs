//! Why something is done to a person.

use crate::domain::value::{check_line, checked_text};

/// The longest reason in bytes; ours: a few sentences, not a document.
pub const MAX_REASON_LEN: usize = 500;

checked_text! {
    /// Why something is done, for people: 1 to [`MAX_REASON_LEN`] bytes without control characters and
    /// without white space around it.
    Reason {
        what: "a reason",
        code: "reason-invalid",
        check: |text| check_line(text, MAX_REASON_LEN),
        schema: (
            description = "Why something is done, for people: at most 500 bytes.",
            extend("minLength" = 1, "maxLength" = MAX_REASON_LEN)
        ),
    }
}

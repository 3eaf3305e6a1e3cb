//! Short texts that people write: names of makers, numbers on cases, roles.

use super::value::{check_line, checked_text};

/// The longest label in bytes; ours, so that lists stay readable.
pub const MAX_LABEL_LEN: usize = 128;

checked_text! {
    /// A short text: 1 to [`MAX_LABEL_LEN`] bytes, without control characters or white space around it.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::domain::label::Label;
    ///
    /// assert_eq!(Label::new("Dell Inc.")?.as_str(), "Dell Inc.");
    /// assert_eq!(Label::new(" ").expect_err("white space").code(), "text-invalid");
    /// # Ok::<(), cim_core::domain::value::ValueError>(())
    /// ```
    Label {
        what: "a label",
        code: "text-invalid",
        check: |text| check_line(text, MAX_LABEL_LEN),
        schema: (
            description = "A short text of at most 128 bytes.",
            extend("minLength" = 1, "maxLength" = MAX_LABEL_LEN)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::value::ValueRule;

    #[test]
    fn a_label_is_short_clean_text() {
        for good in ["x", "Dell Inc.", "größe", "\"\\", &"x".repeat(128)] {
            let label = Label::new(good).expect(good);
            let json = serde_json::to_string(&label).expect("JSON");
            assert_eq!(serde_json::from_str::<Label>(&json).expect("ours"), label);
        }
        for (bad, rule) in [
            ("", ValueRule::Empty),
            (" ", ValueRule::OuterSpace),
            ("x ", ValueRule::OuterSpace),
            ("\u{a0}x", ValueRule::OuterSpace),
            ("x\ny", ValueRule::Control),
            ("x\u{85}", ValueRule::Control),
            (&"é".repeat(65), ValueRule::TooLong { limit: 128 }),
        ] {
            let error = Label::new(bad).expect_err(bad);
            assert_eq!((error.rule, error.code()), (rule, "text-invalid"));
            let json = serde_json::to_string(bad).expect("JSON");
            assert!(serde_json::from_str::<Label>(&json).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_says_what_was_expected() {
        let error = serde_json::from_str::<Label>(r#""x ""#).expect_err("no label");
        let expect = "`x ` is not a label: it begins or ends with white space";
        assert!(error.to_string().starts_with(expect), "{error}");
    }
}

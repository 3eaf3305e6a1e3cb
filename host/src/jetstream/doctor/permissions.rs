//! What a user may publish and subscribe to, as the server tells it, and what a store needs.

use cim_core::subject::{pattern_covers, patterns_overlap};
use serde::Deserialize;

/// What a user may do.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct Permissions {
    /// Where it may publish.
    #[serde(default)]
    pub publish: Allowed,
    /// What it may subscribe to.
    #[serde(default)]
    pub subscribe: Allowed,
}

/// Subjects that are allowed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct Allowed {
    /// The only ones; all where there are none.
    #[serde(default)]
    pub allow: Vec<String>,
    /// But not these.
    #[serde(default)]
    pub deny: Vec<String>,
}

impl Allowed {
    /// Whether all that a filter matches is allowed.
    pub fn covers(&self, filter: &str) -> bool {
        let allowed =
            self.allow.is_empty() || self.allow.iter().any(|own| pattern_covers(own, filter));
        allowed && !self.deny.iter().any(|own| patterns_overlap(own, filter))
    }
}

/// A subject that a store needs, and what for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Need {
    pub(super) subject: String,
    pub(super) what_for: &'static str,
}

/// Where a store that reads a stream has to publish, beside its events.
pub(super) fn reading(api: &str, stream: &str) -> Vec<Need> {
    let need = |name: &str, what_for| Need {
        subject: format!("{api}.{name}"),
        what_for,
    };
    vec![
        need(&format!("STREAM.INFO.{stream}"), "opening the store"),
        need(
            &format!("STREAM.MSG.GET.{stream}"),
            "reading heads, following",
        ),
        need(&format!("DIRECT.GET.{stream}"), "reading histories"),
        need(&format!("CONSUMER.CREATE.{stream}.>"), "reading in order"),
        need(&format!("CONSUMER.MSG.NEXT.{stream}.>"), "reading in order"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(allow: &[&str], deny: &[&str]) -> Allowed {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Allowed {
            allow: texts(allow),
            deny: texts(deny),
        }
    }

    #[test]
    fn what_is_covered_and_not_denied_is_allowed() {
        assert!(Allowed::default().covers("a.>"));
        let some = allowed(&["$JS.API.>", "o.u.d.*.*.*"], &["$JS.API.STREAM.DELETE.>"]);
        assert!(some.covers("$JS.API.STREAM.INFO.S"));
        assert!(some.covers("o.u.d.*.*.*"));
        assert!(!some.covers("$JS.API.STREAM.DELETE.S"));
        assert!(!some.covers("$JS.API.STREAM.*.S"), "a part is denied");
        assert!(!some.covers("o.u.*.*.*.*"), "a part is not allowed");
        assert!(!allowed(&[], &["o.>"]).covers("o.u.d.*.*.*"));
    }
}

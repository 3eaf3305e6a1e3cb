//! A state with its place in a history, as JavaScript keeps it: unsealed, for whoever trusts his own.

use cim_core::id::AggregateKey;
use cim_core::version::{Head, Version};
use serde_json::{Value, json};

use crate::chain::json_of_head;
use crate::fault::Fault;
use crate::message::json_of_key;
use crate::subject::aggregate_key;

/// The state of an aggregate at a version of its history. In JSON it is `{"aggregate","head",
/// "stateVersion","state"}`, with the state as a text of JSON, so that its numbers stay what they are.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) aggregate: AggregateKey,
    pub(crate) head: Head,
    pub(crate) state_version: u64,
    pub(crate) state: String,
}

impl Snapshot {
    pub(crate) fn to_json(&self) -> String {
        json!({
            "aggregate": json_of_key(&self.aggregate),
            "head": json_of_head(self.head),
            "stateVersion": self.state_version,
            "state": self.state,
        })
        .to_string()
    }

    /// Reads the JSON here and not by `serde`, so that a broken rule keeps its code.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let malformed = || Fault::argument("a snapshot is what `snapshot` has given");
        let value: Value = serde_json::from_str(text).map_err(|_| malformed())?;
        let text = |value: &'_ Value| value.as_str().map(str::to_owned).ok_or_else(malformed);
        let number = |value: &Value| value.as_u64().ok_or_else(malformed);
        let (aggregate, head) = (&value["aggregate"], &value["head"]);
        Ok(Self {
            aggregate: aggregate_key(
                &text(&aggregate["namespace"])?,
                &text(&aggregate["entity"])?,
                &text(&aggregate["id"])?,
            )?,
            head: Head {
                version: Version::new(number(&head["version"])?)?,
                cid: text(&head["cid"])?.parse()?,
            },
            state_version: number(&value["stateVersion"])?,
            state: text(&value["state"])?,
        })
    }
}

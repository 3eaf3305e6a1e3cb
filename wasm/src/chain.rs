//! Blocks, CIDs and the verification of one aggregate's chain.

use cim_core::chain::{ChainError, block, verifier};
use cim_core::cid::Cid;
use cim_core::headers::Carrier;
use cim_core::subject::StoreTemplate;
use cim_core::version::{Head, Version};
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault::Fault;
use crate::message::{carrier, recorded_event};
use crate::subject::{aggregate_key, store_template};

/// The CID of a block's bytes.
#[wasm_bindgen(js_name = cidOfBlock)]
pub fn cid_of_block(block: &[u8]) -> String {
    Cid::of_block(block).to_string()
}

/// The 36 bytes of a CID's text.
#[wasm_bindgen(js_name = cidToBytes)]
pub fn cid_to_bytes(cid: &str) -> Result<Vec<u8>, Fault> {
    Ok(cid.parse::<Cid>()?.to_bytes().to_vec())
}

/// The text of a CID's 36 bytes.
#[wasm_bindgen(js_name = cidFromBytes)]
pub fn cid_from_bytes(bytes: &[u8]) -> Result<String, Fault> {
    Ok(Cid::from_bytes(bytes)?.to_string())
}

/// Refuses bytes that are not the block of an event.
#[wasm_bindgen(js_name = checkBlock)]
pub fn check_block(block: &[u8]) -> Result<(), Fault> {
    block::decode(block)?;
    Ok(())
}

/// Verifies the events of one aggregate one by one.
#[wasm_bindgen]
#[derive(Debug)]
pub struct ChainVerifier {
    inner: verifier::ChainVerifier,
    template: StoreTemplate,
    carrier: Carrier,
}

#[wasm_bindgen]
impl ChainVerifier {
    /// Expects the whole history of an aggregate.
    #[wasm_bindgen(js_name = fromGenesis)]
    pub fn from_genesis(
        namespace: &str,
        entity: &str,
        id: &str,
        template: &str,
        carrier_name: &str,
    ) -> Result<Self, Fault> {
        Ok(Self {
            inner: verifier::ChainVerifier::from_genesis(aggregate_key(namespace, entity, id)?),
            template: store_template(template)?,
            carrier: carrier(carrier_name)?,
        })
    }

    /// Expects what follows a trusted head.
    #[wasm_bindgen(js_name = fromHead)]
    pub fn from_head(
        namespace: &str,
        entity: &str,
        id: &str,
        version: f64,
        cid: &str,
        template: &str,
        carrier_name: &str,
    ) -> Result<Self, Fault> {
        // A number prints as its digits, so the rules of a version's text judge it.
        let version: Version = version.to_string().parse()?;
        let head = Head {
            version,
            cid: cid.parse()?,
        };
        Ok(Self {
            inner: verifier::ChainVerifier::from_head(aggregate_key(namespace, entity, id)?, head),
            template: store_template(template)?,
            carrier: carrier(carrier_name)?,
        })
    }

    /// Verifies the next event and returns the new head, as JSON.
    pub fn push(&mut self, subject: &str, headers: &str, body: &[u8]) -> Result<String, Fault> {
        let event = recorded_event(&self.template, self.carrier, subject, headers, body)?;
        self.inner.push(&event)?;
        Ok(self.head())
    }

    /// The last event that was verified or trusted, as JSON, or `null`.
    #[wasm_bindgen(getter)]
    pub fn head(&self) -> String {
        self.inner
            .head()
            .map_or(Value::Null, json_of_head)
            .to_string()
    }
}

/// The last event of a history.
pub(crate) fn json_of_head(head: Head) -> Value {
    json!({ "version": head.version.get(), "cid": head.cid.to_string() })
}

impl From<ChainError> for Fault {
    fn from(error: ChainError) -> Self {
        let mut fields = json!({
            "aggregate": error.aggregate().to_string(),
            "event": error.event().to_string(),
            "version": error.version().get(),
        });
        let (expected, found) = match &error {
            ChainError::WrongCid {
                expected, found, ..
            } => (json!(expected.to_string()), json!(found.to_string())),
            ChainError::WrongAggregate { expected, place } => (
                json!(expected.to_string()),
                json!(place.aggregate.to_string()),
            ),
            ChainError::BrokenLink {
                expected, found, ..
            } => (
                json!(expected.map(|cid| cid.to_string())),
                json!(found.map(|cid| cid.to_string())),
            ),
            ChainError::Gap { expected, place } => {
                (json!(expected.get()), json!(place.version.get()))
            }
            ChainError::Duplicate { head, place } => {
                (json!(head.get() + 1), json!(place.version.get()))
            }
            // The enum may grow; a new fault has its place and its message.
            _ => (Value::Null, Value::Null),
        };
        fields["expected"] = expected;
        fields["found"] = found;
        Self::of(error.code(), &error).with_fields(fields)
    }
}

//! The file of an encrypted keystore, `cim.keystore/v1`, as JSON.

use std::collections::BTreeMap;
use std::fmt::Display;

use cim_core::id::parse_uuid;
use cim_core::nkey::PublicKey;
use cim_core::time::Timestamp;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::kdf::KdfParams;
use super::sealed::{FORMAT, Head, KDF, NONCE_LEN, Sealed};

/// What the file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) head: Head,
    pub(super) check: Sealed,
    pub(super) keys: BTreeMap<PublicKey, Kept>,
}

/// A sealed seed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Kept {
    pub(super) state: KeptState,
    /// When it was put.
    pub(super) since: Timestamp,
    pub(super) sealed: Sealed,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeptState {
    Pending,
    Kept,
}

impl Record {
    /// Reads the file, or says what is wrong with it.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let Format { format } = serde_json::from_slice(json).map_err(text)?;
        if format != FORMAT {
            return Err(format!("expected the format `{FORMAT}`, found `{format}`"));
        }
        let file: File = serde_json::from_slice(json).map_err(text)?;
        if file.kdf.name != KDF {
            let name = file.kdf.name;
            return Err(format!("expected the kdf `{KDF}`, found `{name}`"));
        }
        let mut keys = BTreeMap::new();
        for row in file.keys {
            let (key, kept) = row.kept()?;
            if keys.insert(key, kept).is_some() {
                return Err(format!("`{key}` stands twice"));
            }
        }
        Ok(Self {
            head: Head {
                store_id: parse_uuid(&file.store_id).map_err(text)?,
                params: KdfParams {
                    memory_kib: file.kdf.memory_kib,
                    passes: file.kdf.passes,
                    lanes: file.kdf.lanes,
                },
                salt: bytes("salt", &file.kdf.salt)?,
            },
            check: file.check.sealed()?,
            keys,
        })
    }

    /// Writes the file.
    pub(super) fn write(&self) -> Vec<u8> {
        let KdfParams {
            memory_kib,
            passes,
            lanes,
        } = self.head.params;
        let file = File {
            format: FORMAT.to_owned(),
            store_id: self.head.store_id.to_string(),
            kdf: Kdf {
                name: KDF.to_owned(),
                memory_kib,
                passes,
                lanes,
                salt: BASE64.encode(&self.head.salt),
            },
            check: Check::new(&self.check),
            keys: self.keys.iter().map(Row::new).collect(),
        };
        let mut json = serde_json::to_vec_pretty(&file).expect("texts and numbers are JSON");
        json.push(b'\n');
        json
    }
}

#[derive(Deserialize)]
struct Format {
    format: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    store_id: String,
    kdf: Kdf,
    check: Check,
    keys: Vec<Row>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Check {
    nonce: String,
    sealed: String,
}

impl Check {
    fn new(sealed: &Sealed) -> Self {
        Self {
            nonce: BASE64.encode(&sealed.nonce),
            sealed: BASE64.encode(&sealed.bytes),
        }
    }

    fn sealed(&self) -> Result<Sealed, String> {
        sealed(&self.nonce, &self.sealed)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: PublicKey,
    state: KeptState,
    since: String,
    nonce: String,
    sealed: String,
}

impl Row {
    fn new((key, kept): (&PublicKey, &Kept)) -> Self {
        let Check { nonce, sealed } = Check::new(&kept.sealed);
        Self {
            key: *key,
            state: kept.state,
            since: kept.since.to_string(),
            nonce,
            sealed,
        }
    }

    fn kept(&self) -> Result<(PublicKey, Kept), String> {
        let kept = Kept {
            state: self.state,
            since: self.since.parse().map_err(text)?,
            sealed: sealed(&self.nonce, &self.sealed)?,
        };
        Ok((self.key, kept))
    }
}

fn sealed(nonce: &str, sealed: &str) -> Result<Sealed, String> {
    let decoded = BASE64.decode(sealed.as_bytes());
    Ok(Sealed {
        nonce: bytes::<NONCE_LEN>("nonce", nonce)?,
        bytes: decoded.map_err(|error| format!("`sealed` is no base64: {error}"))?,
    })
}

fn bytes<const N: usize>(what: &str, base64: &str) -> Result<[u8; N], String> {
    let decoded = BASE64.decode(base64.as_bytes()).ok();
    let bytes = decoded.and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("expected a {what} of {N} bytes in base64"))
}

fn text(error: impl Display) -> String {
    error.to_string()
}

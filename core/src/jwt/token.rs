//! Tokens: three parts with full stops between them, of which the last one is a signature.

use serde_json::{Map, Value};

use super::body::{Body, Kind};
use super::claims::Claims;
use super::error::JwtError;
use super::fields::Fields;
use super::{base64, lenient, v1};
use crate::nkey::{NkeyError, PublicKey, Seed};

/// The version of the claims that are written.
pub(super) const VERSION: i64 = 2;

/// The longest token that servers take, in bytes (nats-io/jwt 2.8.1 and later).
pub const MAX_TOKEN_LEN: usize = 1 << 20;

/// The header of every token that is written, as Go's library orders it.
const HEADER: &[u8] = br#"{"typ":"JWT","alg":"ed25519-nkey"}"#;

/// A token that was read, and signed by who it says.
///
/// That is all: whether the signer had the right to, and whether a server would take it, is for
/// others to see.
#[derive(Clone, PartialEq)]
pub struct Token {
    kind: Kind,
    version: i64,
    issuer: PublicKey,
    payload: Map<String, Value>,
    len: usize,
}

impl Token {
    /// Reads a token and checks its signature, as nats-server does. White space around it is refused.
    ///
    /// # Errors
    ///
    /// [`JwtError`]; no variant holds the token, which may be a password.
    pub fn read(text: &str) -> Result<Self, JwtError> {
        if text.len() > MAX_TOKEN_LEN {
            return Err(JwtError::TooLong { found: text.len() });
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(JwtError::Parts { found: parts.len() });
        };
        check_header(header)?;
        let found = lenient::fields(object("payload", payload)?);
        let (kind, version) = kind(&found)?;
        let issuer = found.get("iss").and_then(Value::as_str).unwrap_or_default();
        let issuer: PublicKey = issuer.parse().map_err(JwtError::Issuer)?;
        let signed = match version {
            1 => payload,
            _ => &text[..header.len() + 1 + payload.len()],
        };
        let signature = decode("signature", signature)?;
        issuer
            .verify(signed.as_bytes(), &signature)
            .map_err(JwtError::Issuer)?;
        if !kind.issuers().contains(&issuer.kind()) {
            return Err(JwtError::Issuer(NkeyError::Kind {
                expected: kind.issuers()[0].name(),
                found: issuer.kind(),
            }));
        }
        let payload = match version {
            1 => v1::migrated(kind, found),
            _ => found,
        };
        Ok(Self {
            kind,
            version,
            issuer,
            payload,
            len: text.len(),
        })
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// 2, or 1 for one of an old tool.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Who has signed it.
    pub fn issuer(&self) -> PublicKey {
        self.issuer
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The payload: as it was signed, or, of version 1, as version 2 says the same.
    pub fn payload(&self) -> &Map<String, Value> {
        &self.payload
    }

    /// Its claims.
    ///
    /// # Errors
    ///
    /// [`JwtError::Kind`] when it is of another kind, [`JwtError::Json`] when a field is not what it
    /// should be.
    pub fn claims<B: Body>(&self) -> Result<Claims<B>, JwtError> {
        if self.kind != B::KIND {
            return Err(JwtError::Kind {
                expected: Some(B::KIND),
                found: self.kind.name().to_owned(),
            });
        }
        Claims::read(self.payload.clone()).map_err(|error| json("payload", &error))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("kind", &self.kind)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// A token with this payload.
pub(super) fn sign(payload: &[u8], issuer: &Seed) -> Result<String, NkeyError> {
    let mut token = String::new();
    base64::encode(HEADER, &mut token);
    token.push('.');
    base64::encode(payload, &mut token);
    let signature = issuer.sign(token.as_bytes())?;
    token.push('.');
    base64::encode(&signature, &mut token);
    Ok(token)
}

fn check_header(part: &str) -> Result<(), JwtError> {
    let mut header = Fields::new(lenient::fields(object("header", part)?));
    let mut text = |name| header.take(name).map_err(|error| json("header", &error));
    let (typ, alg): (String, String) = (text("typ")?, text("alg")?);
    let is_known = typ.eq_ignore_ascii_case("JWT")
        && ["ed25519", "ed25519-nkey"].contains(&lenient::lower(&alg).as_str());
    match is_known {
        true => Ok(()),
        false => Err(JwtError::Header { typ, alg }),
    }
}

/// The kind and the version. A token of version 1 names its kind outside of `nats`.
fn kind(payload: &Map<String, Value>) -> Result<(Kind, i64), JwtError> {
    let only = |fields: &Map<String, Value>, names: &[&str]| {
        let mut few = Map::new();
        few.extend(
            names
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone()))),
        );
        Fields::new(few)
    };
    let invalid = |error| json("payload", &error);
    let old: String = only(payload, &["type"]).take("type").map_err(invalid)?;
    let nothing = Map::new();
    let nats = match payload.get("nats") {
        None => &nothing,
        Some(Value::Object(nats)) => nats,
        Some(_) => {
            let why = "`nats`: expected an object".to_owned();
            return Err(JwtError::Json {
                part: "payload",
                why,
            });
        }
    };
    let mut nats = only(nats, &["type", "version"]);
    let name: String = nats.take("type").map_err(invalid)?;
    let version: i64 = nats.take("version").map_err(invalid)?;
    let (name, version) = match old.is_empty() {
        true => (name, version),
        false => (old, 1),
    };
    let Some(kind) = Kind::from_name(&name) else {
        return Err(JwtError::Kind {
            expected: None,
            found: name,
        });
    };
    match version {
        1 | VERSION => Ok((kind, version)),
        found => Err(JwtError::Version { found }),
    }
}

fn object(part: &'static str, text: &str) -> Result<Map<String, Value>, JwtError> {
    let json = decode(part, text)?;
    // Go reads what is no UTF-8 as U+FFFD.
    let json = String::from_utf8_lossy(&json);
    serde_json::from_str(&json).map_err(|error| self::json(part, &error))
}

fn json(part: &'static str, error: &serde_json::Error) -> JwtError {
    let why = error.to_string();
    JwtError::Json { part, why }
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, JwtError> {
    base64::decode(text).ok_or(JwtError::Base64 { part })
}

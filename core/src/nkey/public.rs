//! What of a key everybody may see.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::codec::{self, PUBLIC_KEY_LEN};
use super::error::NkeyError;
use super::kind::KeyKind;
use super::seed::SIGNATURE_LEN;
use crate::text::shorten;

/// A public key, `UABC…`: 56 characters that hold its kind, its 32 bytes and a checksum.
///
/// The text is canonical: one key has one text. That the bytes are a point of the curve is seen when
/// something is verified, as in nats-server.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey([u8; PUBLIC_KEY_LEN]);

impl PublicKey {
    pub(super) fn new(kind: KeyKind, key: &[u8; 32]) -> Self {
        Self(codec::public_key(kind, key))
    }

    /// What the key is for.
    pub fn kind(&self) -> KeyKind {
        self.parts().0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base32 digits are ASCII")
    }

    /// The 32 bytes: a point of Ed25519's curve, or of X25519's for [`KeyKind::Curve`].
    pub fn to_bytes(&self) -> [u8; 32] {
        self.parts().1
    }

    /// Takes a text as a key of one kind.
    ///
    /// # Errors
    ///
    /// [`NkeyError::PublicKey`] when it is no public key, [`NkeyError::Kind`] when it is of another
    /// kind.
    pub fn of_kind(text: &str, kind: KeyKind) -> Result<Self, NkeyError> {
        let key: Self = text.parse()?;
        match key.kind() {
            found if found == kind => Ok(key),
            found => Err(NkeyError::Kind {
                expected: kind.name(),
                found,
            }),
        }
    }

    /// Checks that this key has signed `message`.
    ///
    /// Strict (RFC 8032 with the checks of small orders): a signature has one form, and no key verifies
    /// everything.
    ///
    /// # Errors
    ///
    /// [`NkeyError::Kind`] for a curve key, [`NkeyError::Signature`] otherwise.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), NkeyError> {
        let kind = self.kind();
        if kind == KeyKind::Curve {
            return Err(NkeyError::Kind {
                expected: "one that signs",
                found: kind,
            });
        }
        let signature: &[u8; SIGNATURE_LEN] =
            signature.try_into().map_err(|_| NkeyError::Signature)?;
        VerifyingKey::from_bytes(&self.to_bytes())
            .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
            .map_err(|_| NkeyError::Signature)
    }

    fn parts(&self) -> (KeyKind, [u8; 32]) {
        codec::parse_public_key(&self.0).expect("the text was checked when the key was read")
    }
}

impl FromStr for PublicKey {
    type Err = NkeyError;

    fn from_str(text: &str) -> Result<Self, NkeyError> {
        let digits = text.as_bytes().try_into().ok();
        digits
            .filter(|digits| codec::parse_public_key(digits).is_some())
            .map(Self)
            .ok_or_else(|| NkeyError::PublicKey {
                text: without_seed(text),
            })
    }
}

/// A text that was given for a public key, to be shown: not if it is what must not be seen.
fn without_seed(text: &str) -> String {
    match text.trim_start().starts_with(['S', 's', 'P', 'p']) {
        true => "…".to_owned(),
        false => shorten(text),
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl AsRef<str> for PublicKey {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

//! The secret of a key pair.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use sha2::Sha512;
use zeroize::{Zeroize as _, Zeroizing};

use super::codec::{self, Secret};
use super::curve;
use super::error::NkeyError;
use super::kind::KeyKind;
use super::public::PublicKey;

/// The length of a signature in bytes.
pub const SIGNATURE_LEN: usize = 64;

/// The secret of a key pair, `SUABC…`: 32 bytes and their kind.
///
/// It is wiped from memory when it is dropped, is never printed, and has no copies but those that are
/// asked for.
pub struct Seed {
    kind: KeyKind,
    secret: Secret,
    // Of all kinds but curve keys.
    verifying: Option<VerifyingKey>,
    public: PublicKey,
}

impl Seed {
    /// Makes a key from 32 bytes of a cryptographically secure source of randomness. The same bytes
    /// give the same key.
    pub fn new(kind: KeyKind, mut entropy: [u8; 32]) -> Self {
        let mut secret = Box::new(Zeroizing::new([0; 32]));
        secret.copy_from_slice(&entropy);
        entropy.zeroize();
        Self::of(kind, secret)
    }

    fn of(kind: KeyKind, secret: Secret) -> Self {
        let verifying = match kind {
            KeyKind::Curve => None,
            _ => Some(VerifyingKey::from(&ExpandedSecretKey::from(&**secret))),
        };
        let public = match &verifying {
            Some(key) => key.to_bytes(),
            None => curve::public_key(&secret),
        };
        Self {
            kind,
            verifying,
            public: PublicKey::new(kind, &public),
            secret,
        }
    }

    /// Takes the text of a seed. White space around it is not part of it, and is refused.
    ///
    /// # Errors
    ///
    /// The variants of [`NkeyError`] that begin with `Seed`; none holds any of the text.
    pub fn parse(text: &str) -> Result<Self, NkeyError> {
        let (kind, secret) = codec::parse_seed(text)?;
        Ok(Self::of(kind, secret))
    }

    /// Another one of the same, for another owner.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self::of(self.kind, self.secret.clone())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> Zeroizing<String> {
        codec::seed(self.kind, &self.secret)
    }

    /// What the key is for.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// What everybody may see of it.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs a message (Ed25519). The same message gives the same signature.
    ///
    /// # Errors
    ///
    /// [`NkeyError::Kind`] for a curve key.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_LEN], NkeyError> {
        let key = self.verifying.as_ref().ok_or(NkeyError::Kind {
            expected: "one that signs",
            found: self.kind,
        })?;
        // What `SigningKey` does, which would be a copy of the secret. The key is the secret's own.
        let secret = ExpandedSecretKey::from(&**self.secret);
        Ok(raw_sign::<Sha512>(&secret, message, key).to_bytes())
    }

    /// Seals a message that only `reader` can open, and only as ours: `xkv1`, the nonce, and NaCl's
    /// box. The nonce is random, and never used again with these two keys.
    ///
    /// # Errors
    ///
    /// [`NkeyError::Kind`] unless both are curve keys.
    pub fn seal(
        &self,
        message: &[u8],
        reader: &PublicKey,
        nonce: [u8; curve::NONCE_LEN],
    ) -> Result<Vec<u8>, NkeyError> {
        curve::seal(self.curve_secret()?, message, reader, nonce)
    }

    /// Opens what `writer` has [sealed](Self::seal) for us.
    ///
    /// # Errors
    ///
    /// [`NkeyError::Kind`] unless both are curve keys, [`NkeyError::Sealed`] when it was not sealed by
    /// the one for the other, or was altered.
    pub fn open(&self, sealed: &[u8], writer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, NkeyError> {
        curve::open(self.curve_secret()?, sealed, writer)
    }

    fn curve_secret(&self) -> Result<&[u8; 32], NkeyError> {
        match self.kind {
            KeyKind::Curve => Ok(&self.secret),
            found => Err(NkeyError::Kind {
                expected: KeyKind::Curve.name(),
                found,
            }),
        }
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed({})", self.public)
    }
}

//! What is sealed with the key of a passphrase: XChaCha20-Poly1305, with a random nonce each time.
//!
//! What is sealed is bound to where it stands: the format, the store, all that the key was made from,
//! and the public key of the seed. It opens nowhere else.

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use cim_core::nkey::PublicKey;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::kdf::{KdfParams, MasterKey, SALT_LEN};
use crate::clock;

/// The format of the file.
pub(super) const FORMAT: &str = "cim.keystore/v1";

/// How the key is made from a passphrase.
pub(super) const KDF: &str = "argon2id";

/// The length of a nonce in bytes: long enough to be drawn at random.
pub(super) const NONCE_LEN: usize = 24;

/// What is known before the passphrase is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) store_id: Uuid,
    pub(super) params: KdfParams,
    pub(super) salt: [u8; SALT_LEN],
}

/// What a sealed text is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// Nothing but to be opened, so that a wrong passphrase is known as such.
    Check,
    /// The seed of this key.
    Seed(&'a PublicKey),
}

/// A sealed text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sealed {
    pub(super) nonce: [u8; NONCE_LEN],
    /// The text, and the tag behind it.
    pub(super) bytes: Vec<u8>,
}

impl Sealed {
    pub(super) fn seal(key: &MasterKey, head: &Head, purpose: Purpose<'_>, text: &[u8]) -> Self {
        let nonce = clock::entropy();
        // It is sealed where it stands, and the tag finds room, so that no copy of the text is left.
        let mut bytes = Vec::with_capacity(text.len() + TAG_LEN);
        bytes.extend_from_slice(text);
        let tag = cipher(key)
            .encrypt_in_place_detached(
                XNonce::from_slice(&nonce),
                &context(head, purpose),
                &mut bytes,
            )
            .expect("it is shorter than 256 GB");
        bytes.extend_from_slice(&tag);
        Self { nonce, bytes }
    }

    /// The text, `None` when it was sealed with another key or for another place, or was altered.
    pub(super) fn open(
        &self,
        key: &MasterKey,
        head: &Head,
        purpose: Purpose<'_>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let (text, tag) = self.bytes.split_last_chunk::<TAG_LEN>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = cipher(key).decrypt_in_place_detached(
            XNonce::from_slice(&self.nonce),
            &context(head, purpose),
            &mut text,
            Tag::from_slice(tag),
        );
        opened.is_ok().then_some(text)
    }
}

/// Wipes its copy of the key when it is dropped.
fn cipher(key: &MasterKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

/// Where a text stands, each part with its length before it so that no two places have one context.
fn context(head: &Head, purpose: Purpose<'_>) -> Vec<u8> {
    let KdfParams {
        memory_kib,
        passes,
        lanes,
    } = head.params;
    let (what, key) = match purpose {
        Purpose::Check => ("check", ""),
        Purpose::Seed(key) => ("seed", key.as_str()),
    };
    let parts: [&[u8]; 9] = [
        FORMAT.as_bytes(),
        what.as_bytes(),
        head.store_id.as_bytes(),
        KDF.as_bytes(),
        &memory_kib.to_le_bytes(),
        &passes.to_le_bytes(),
        &lanes.to_le_bytes(),
        &head.salt,
        key.as_bytes(),
    ];
    let mut context = Vec::new();
    for part in parts {
        let len = u32::try_from(part.len()).expect("all parts are short");
        context.extend_from_slice(&len.to_le_bytes());
        context.extend_from_slice(part);
    }
    context
}

const TAG_LEN: usize = 16;

//! Sealing for one reader: X25519, XSalsa20 and Poly1305, as NaCl's box (nats-io/nkeys `xkeys.go`).

use curve25519_dalek::MontgomeryPoint;
use nkeys::XKey;
use zeroize::Zeroizing;

use super::error::NkeyError;
use super::kind::KeyKind;
use super::public::PublicKey;

/// The length of a nonce in bytes: long enough to be drawn at random.
pub const NONCE_LEN: usize = 24;

pub(super) fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*secret).to_bytes()
}

pub(super) fn seal(
    secret: &[u8; 32],
    message: &[u8],
    reader: &PublicKey,
    nonce: [u8; NONCE_LEN],
) -> Result<Vec<u8>, NkeyError> {
    let ours = XKey::new_from_raw(*secret);
    ours.seal_with_nonce(message, &other(reader)?, nonce.into())
        .map_err(|_| NkeyError::Sealed)
}

pub(super) fn open(
    secret: &[u8; 32],
    sealed: &[u8],
    writer: &PublicKey,
) -> Result<Zeroizing<Vec<u8>>, NkeyError> {
    let ours = XKey::new_from_raw(*secret);
    let opened = ours.open(sealed, &other(writer)?);
    opened.map(Zeroizing::new).map_err(|_| NkeyError::Sealed)
}

fn other(key: &PublicKey) -> Result<XKey, NkeyError> {
    match key.kind() {
        KeyKind::Curve => XKey::from_public_key(key.as_str()).map_err(|_| NkeyError::Sealed),
        found => Err(NkeyError::Kind {
            expected: KeyKind::Curve.name(),
            found,
        }),
    }
}

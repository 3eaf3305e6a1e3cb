//! Keys as text: base32 over a prefix, 32 bytes and a checksum.
//!
//! Public keys are `prefix ‖ key ‖ crc`, seeds `seed prefix and kind (2 bytes) ‖ seed ‖ crc`; the
//! checksum is CRC-16/XMODEM, the low byte first (nats-io/nkeys `strkey.go`, `crc16.go`).

use zeroize::Zeroizing;

use super::base32;
use super::error::NkeyError;
use super::kind::KeyKind;

/// The length of a seed as text.
pub(super) const SEED_LEN: usize = 58;

/// The length of a public key as text.
pub(super) const PUBLIC_KEY_LEN: usize = 56;

/// What of a key is secret. It is not moved with what holds it, which would leave a copy behind.
pub(super) type Secret = Box<Zeroizing<[u8; 32]>>;

/// The upper five bits of a seed's first byte: the letter `S`.
const SEED_PREFIX: u8 = 18 << 3;

pub(super) fn public_key(kind: KeyKind, key: &[u8; 32]) -> [u8; PUBLIC_KEY_LEN] {
    let mut raw = [0; 35];
    raw[0] = kind.prefix();
    raw[1..33].copy_from_slice(key);
    let checksum = crc16(&raw[..33]);
    raw[33..].copy_from_slice(&checksum.to_le_bytes());
    let mut text = [0; PUBLIC_KEY_LEN];
    base32::encode(&raw, &mut text);
    text
}

/// The kind and the 32 bytes of a public key, if it is one.
pub(super) fn parse_public_key(text: &[u8; PUBLIC_KEY_LEN]) -> Option<(KeyKind, [u8; 32])> {
    let mut raw = [0; 35];
    base32::decode(text, &mut raw)?;
    let (content, checksum) = raw.split_at(33);
    let (prefix, key) = content.split_first()?;
    let kind = KeyKind::from_prefix(*prefix)?;
    let is_whole = checksum == crc16(content).to_le_bytes();
    Some((kind, key.try_into().ok()?)).filter(|_| is_whole)
}

pub(super) fn seed(kind: KeyKind, seed: &[u8; 32]) -> Zeroizing<String> {
    let mut raw = Zeroizing::new([0; 36]);
    raw[..2].copy_from_slice(&seed_prefix(kind));
    raw[2..34].copy_from_slice(seed);
    let checksum = crc16(&raw[..34]);
    raw[34..].copy_from_slice(&checksum.to_le_bytes());
    let mut text = Zeroizing::new([0; SEED_LEN]);
    base32::encode(&*raw, &mut *text);
    let mut owned = Zeroizing::new(String::with_capacity(SEED_LEN));
    owned.push_str(std::str::from_utf8(&*text).expect("base32 digits are ASCII"));
    owned
}

pub(super) fn parse_seed(text: &str) -> Result<(KeyKind, Secret), NkeyError> {
    if text.len() != SEED_LEN {
        return Err(NkeyError::SeedLength { found: text.len() });
    }
    let mut raw = Zeroizing::new([0; 36]);
    base32::decode(text.as_bytes(), &mut *raw).ok_or(NkeyError::SeedDigits)?;
    let (content, checksum) = raw.split_at(34);
    if checksum != crc16(content).to_le_bytes() {
        return Err(NkeyError::SeedChecksum);
    }
    let kind = KeyKind::ALL
        .into_iter()
        .find(|kind| content[..2] == seed_prefix(*kind))
        .ok_or(NkeyError::SeedKind)?;
    let mut seed = Box::new(Zeroizing::new([0; 32]));
    seed.copy_from_slice(&content[2..]);
    Ok((kind, seed))
}

/// The first two bytes of a seed: five bits for the letter `S`, eight for the kind, three of zero.
fn seed_prefix(kind: KeyKind) -> [u8; 2] {
    let kind = kind.prefix();
    [SEED_PREFIX | kind >> 5, kind << 3]
}

/// CRC-16/XMODEM: polynomial 0x1021, begun with 0, no bit reflected.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }
}

//! The content identifier of an event: CIDv1, codec DAG-CBOR, BLAKE3-256.
//!
//! Only this one kind of CID exists here, so the type holds the digest alone. Everything else
//! that a general CID may be is refused; [`cid::Cid`] is there for the world outside.

use std::fmt;
use std::str::FromStr;

use crate::text::shorten;

/// The bytes before the digest: CIDv1, DAG-CBOR, BLAKE3, 32 bytes.
const PREFIX: [u8; 4] = [0x01, 0x71, 0x1e, 0x20];

/// The length of the binary form.
pub const CID_LEN: usize = 36;

/// The length of the text: `b` and the base32 digits of 36 bytes.
const TEXT_LEN: usize = 59;

const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The CID of an event's block, text `bafyr4i…`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Cid([u8; 32]);

impl Cid {
    /// Stands in a block's place until the block is hashed; the block does not hold its own CID.
    pub(crate) const ZERO: Self = Self([0; 32]);

    /// The CID of `block`: the BLAKE3 digest of its bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// let cid = cim_core::cid::Cid::of_block(b"\xa0");
    /// assert!(cid.to_string().starts_with("bafyr4i"));
    /// assert_eq!(cid.to_string().parse(), Ok(cid));
    /// ```
    #[doc(alias = "calculate_event_cid")]
    pub fn of_block(block: &[u8]) -> Self {
        Self(*blake3::hash(block).as_bytes())
    }

    /// Takes the 36 bytes of the binary form.
    ///
    /// # Errors
    ///
    /// [`CidError`] for any other length, version, codec or hash.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        bytes
            .strip_prefix(&PREFIX)
            .and_then(|digest| digest.try_into().ok())
            .map(Self)
            .ok_or_else(|| CidError {
                text: shorten(&data_encoding::HEXLOWER.encode(bytes)),
            })
    }

    /// The 36 bytes of the binary form.
    pub fn to_bytes(self) -> [u8; CID_LEN] {
        let mut bytes = [0; CID_LEN];
        bytes[..4].copy_from_slice(&PREFIX);
        bytes[4..].copy_from_slice(&self.0);
        bytes
    }

    /// The BLAKE3 digest alone.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text in bytes, without an allocation.
    pub(crate) fn text(self) -> [u8; TEXT_LEN] {
        let mut text = [b'b'; TEXT_LEN];
        let (mut bits, mut count, mut at) = (0u32, 0, 1);
        for byte in self.to_bytes() {
            bits = bits << 8 | u32::from(byte);
            count += 8;
            while count >= 5 {
                count -= 5;
                text[at] = DIGITS[(bits >> count & 31) as usize];
                at += 1;
            }
        }
        text[at] = DIGITS[(bits << (5 - count) & 31) as usize];
        text
    }
}

impl FromStr for Cid {
    type Err = CidError;

    /// Takes the canonical text alone: multibase `b`, base32 in lower case, without padding.
    fn from_str(text: &str) -> Result<Self, CidError> {
        decode_text(text.as_bytes())
            .and_then(|bytes| Self::from_bytes(&bytes).ok())
            .ok_or_else(|| CidError {
                text: shorten(text),
            })
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.text()).expect("base32 digits are ASCII"))
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Cid> for cid::Cid {
    fn from(cid: Cid) -> Self {
        Self::try_from(cid.to_bytes().as_slice()).expect("a CID of ours is a valid CID")
    }
}

impl TryFrom<&cid::Cid> for Cid {
    type Error = CidError;
    fn try_from(cid: &cid::Cid) -> Result<Self, CidError> {
        Self::from_bytes(&cid.to_bytes())
    }
}

/// A text or bytes that are not the CID of an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CidError {
    /// The text, or the bytes in hex.
    pub text: String,
}

impl CidError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        "cid-invalid"
    }
}

impl fmt::Display for CidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not the CID of an event: expected CIDv1, DAG-CBOR, BLAKE3-256 in base32, \
             `bafyr4i…`",
            self.text
        )
    }
}

impl std::error::Error for CidError {}

fn decode_text(text: &[u8]) -> Option<[u8; CID_LEN]> {
    let [b'b', digits @ ..] = text else {
        return None;
    };
    if text.len() != TEXT_LEN {
        return None;
    }
    let mut bytes = [0; CID_LEN];
    let (mut bits, mut count, mut at) = (0u32, 0, 0);
    for digit in digits {
        let value = match digit {
            b'a'..=b'z' => digit - b'a',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes[at] = (bits >> count) as u8;
            at += 1;
        }
    }
    // 58 digits hold two bits more than 36 bytes; set, they would be a second spelling.
    (bits & 3 == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_text_is_that_of_the_cid_crate(digest: [u8; 32]) {
            let ours = Cid(digest);
            let general = cid::Cid::from(ours);
            prop_assert_eq!(ours.to_string(), general.to_string());
            prop_assert_eq!(general.to_string().parse(), Ok(ours));
            prop_assert_eq!(Cid::try_from(&general), Ok(ours));
        }

        #[test]
        fn no_text_has_a_second_spelling(text in "b[a-z2-7]{58}") {
            if let Ok(cid) = text.parse::<Cid>() {
                prop_assert_eq!(cid.to_string(), text);
            }
        }
    }

    #[test]
    fn refuses_other_spellings_and_kinds() {
        let text = Cid::of_block(b"x").to_string();
        let mut bytes = Cid::of_block(b"x").to_bytes();
        assert!(text.to_uppercase().parse::<Cid>().is_err());
        assert!(text[..58].parse::<Cid>().is_err());
        assert!(format!("{text}a").parse::<Cid>().is_err());
        bytes[1] = 0x55;
        assert!(Cid::from_bytes(&bytes).is_err());
        assert!(Cid::from_bytes(&bytes[..35]).is_err());
    }
}

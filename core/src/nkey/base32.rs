//! Base32 without padding (RFC 4648, section 6), the letters upper case.
//!
//! Keys have two lengths, so that nothing is allocated for them. Secrets go through here: no table is
//! looked up by them.

/// Writes bytes as digits. `text` has as many digits as they take.
pub(crate) fn encode(bytes: &[u8], text: &mut [u8]) {
    debug_assert_eq!(text.len(), (bytes.len() * 8).div_ceil(5));
    let mut bytes = bytes.iter();
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text {
        if bits < 5 {
            held = held << 8 | u32::from(bytes.next().copied().unwrap_or_default());
            bits += 8;
        }
        bits -= 5;
        let value = (held >> bits & 31) as u8;
        *digit = if value < 26 {
            b'A' + value
        } else {
            b'2' - 26 + value
        };
    }
}

/// Reads digits as bytes, as many as `bytes` takes. Bits that are left over must be zero.
pub(crate) fn decode(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    debug_assert_eq!(bytes.len(), text.len() * 5 / 8);
    let mut digits = text.iter();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        while bits < 8 {
            held = held << 5 | value(*digits.next()?)?;
            bits += 5;
        }
        bits -= 8;
        *byte = (held >> bits) as u8;
    }
    (held & ((1 << bits) - 1) == 0 && digits.next().is_none()).then_some(())
}

fn value(digit: u8) -> Option<u32> {
    match digit {
        b'A'..=b'Z' => Some(u32::from(digit - b'A')),
        b'2'..=b'7' => Some(u32::from(digit - b'2') + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE32_NOPAD;

    use super::*;

    #[test]
    fn is_base32() {
        for len in [0, 1, 2, 3, 4, 5, 32, 35, 36] {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 73 + 11) as u8).collect();
            let expected = BASE32_NOPAD.encode(&bytes);
            let mut text = vec![0; expected.len()];
            encode(&bytes, &mut text);
            assert_eq!(text, expected.as_bytes());
            let mut read = vec![0; bytes.len()];
            assert_eq!(decode(&text, &mut read), Some(()));
            assert_eq!(read, bytes);
        }
    }

    #[test]
    fn other_digits_and_bits_that_are_left_over_are_refused() {
        for text in ["A1", "A8", "aA", "AB", "A=", "A "] {
            assert_eq!(decode(text.as_bytes(), &mut [0]), None, "{text}");
            assert!(BASE32_NOPAD.decode(text.as_bytes()).is_err(), "{text}");
        }
    }
}

//! Base64 as tokens have it: for URLs, without padding (RFC 4648, section 5).

/// Adds bytes as digits to a text.
pub(super) fn encode(bytes: &[u8], text: &mut String) {
    text.reserve((bytes.len() * 4).div_ceil(3));
    for group in bytes.chunks(3) {
        let mut held = 0_u32;
        for at in 0..3 {
            held = held << 8 | u32::from(group.get(at).copied().unwrap_or_default());
        }
        for at in 0..=group.len() {
            let value = held >> (18 - 6 * at) & 63;
            text.push(char::from(DIGITS[value as usize]));
        }
    }
}

/// Reads digits as bytes, as Go does: ends of lines are passed over, and bits that are left over.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.bytes().filter(|digit| !b"\r\n".contains(digit)) {
        held = held << 6 | value(digit)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    // One digit alone is no byte.
    (bits < 6).then_some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    #[test]
    fn is_base64() {
        for len in 0..70 {
            let bytes: Vec<u8> = (0..len).map(|at| (at * 73 + 11) as u8).collect();
            let mut text = String::new();
            encode(&bytes, &mut text);
            assert_eq!(text, BASE64URL_NOPAD.encode(&bytes));
            assert_eq!(decode(&text), Some(bytes));
        }
    }

    #[test]
    fn is_read_as_go_reads_it() {
        assert_eq!(decode("YW\r\nJj\n"), Some(b"abc".to_vec()));
        assert_eq!(decode("YR"), Some(b"a".to_vec()));
        for text in ["Y", "YWJjZ", "YQ==", "YW+j", "YW/j", "YW j"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}

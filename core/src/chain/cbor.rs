//! As much of DAG-CBOR as blocks need: a check that bytes are canonical, and a reader for bytes
//! that passed it.
//!
//! The check knows the whole of DAG-CBOR, so that a fault of spelling and a fault of content have
//! different names. It allocates nothing but a stack of bounded depth.

use std::error::Error;
use std::fmt;

pub(super) const UNSIGNED: u8 = 0 << 5;
const NEGATIVE: u8 = 1 << 5;
pub(super) const BYTES: u8 = 2 << 5;
pub(crate) const TEXT: u8 = 3 << 5;
const LIST: u8 = 4 << 5;
pub(crate) const MAP: u8 = 5 << 5;
const TAG: u8 = 6 << 5;
const NULL: u8 = 0xf6;

/// The tag of a link, the only one that DAG-CBOR has.
const LINK: u64 = 42;

/// How deep lists and maps may nest. An event's block has two levels; the rest is for telling
/// faults apart.
const MAX_DEPTH: usize = 64;

/// Appends the shortest head of `major` with `number`.
#[inline]
pub(crate) fn put_head(out: &mut Vec<u8>, major: u8, number: u64) {
    match number {
        0..=23 => out.push(major | number as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, number as u8]),
        0x100..=0xffff => {
            let [high, low] = (number as u16).to_be_bytes();
            out.extend_from_slice(&[major | 25, high, low]);
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

/// Bytes that are not one canonical DAG-CBOR item.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CborError {
    /// They break a rule.
    Rule {
        /// Where the item that breaks it begins, in bytes.
        at: usize,
        /// The rule, in words.
        rule: &'static str,
    },
    /// They nest too deep to be checked.
    TooDeep {
        /// Where the item that is too deep begins, in bytes.
        at: usize,
    },
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { at, rule } => write!(f, "at byte {at}: {rule}"),
            Self::TooDeep { at } => {
                write!(
                    f,
                    "at byte {at}: more than {MAX_DEPTH} lists and maps in each other"
                )
            }
        }
    }
}

impl Error for CborError {}

/// A list or a map whose end was not reached yet.
struct Open<'a> {
    /// Items that are still to come; of a map, keys and values are counted.
    left: u64,
    /// Of a map: the last key.
    last_key: Option<&'a [u8]>,
    is_map: bool,
}

/// Checks that `bytes` are exactly one canonical DAG-CBOR item.
pub(super) fn check(bytes: &[u8]) -> Result<(), CborError> {
    let mut reader = Reader::new(bytes);
    let mut open: Vec<Open<'_>> = Vec::new();
    loop {
        let at = reader.at;
        let fault = |rule| CborError::Rule { at, rule };
        let (major, number) = reader.head().map_err(fault)?;
        // Keys are those of which an even count is left.
        let map = open
            .last_mut()
            .filter(|outer| outer.is_map && outer.left.is_multiple_of(2));
        if let Some(map) = map {
            if major != TEXT {
                return Err(fault("a key that is no text"));
            }
            let key = reader.take(number).ok_or_else(|| fault(CUT))?;
            utf8(key).ok_or_else(|| fault(NO_UTF8))?;
            if map
                .last_key
                .is_some_and(|last| (last.len(), last) >= (key.len(), key))
            {
                return Err(fault("a key that stands twice or not in order"));
            }
            map.last_key = Some(key);
            map.left -= 1;
            continue;
        }
        if let Some(outer) = open.last_mut() {
            outer.left -= 1;
        }
        match major {
            UNSIGNED | NEGATIVE => {}
            BYTES => {
                reader.take(number).ok_or_else(|| fault(CUT))?;
            }
            TEXT => {
                let text = reader.take(number).ok_or_else(|| fault(CUT))?;
                utf8(text).ok_or_else(|| fault(NO_UTF8))?;
            }
            LIST | MAP => {
                // Every item needs a byte, so that `left` cannot overflow.
                let left = if major == MAP {
                    number.saturating_mul(2)
                } else {
                    number
                };
                if left > reader.rest() {
                    return Err(fault(CUT));
                }
                if open.len() == MAX_DEPTH {
                    return Err(CborError::TooDeep { at });
                }
                open.push(Open {
                    left,
                    last_key: None,
                    is_map: major == MAP,
                });
            }
            TAG => {
                if number != LINK {
                    return Err(fault("a tag that is not 42"));
                }
                let inner = reader.head().map_err(fault)?;
                let (BYTES, length) = inner else {
                    return Err(fault("a link that is not bytes"));
                };
                let link = reader.take(length).ok_or_else(|| fault(CUT))?;
                if link.first() != Some(&0) {
                    return Err(fault("a link that does not begin with a zero"));
                }
            }
            // `head` lets only false, true, null and 64-bit floats pass.
            _ => {
                let is_float = bytes[at] == 0xfb;
                if is_float && !f64::from_bits(number).is_finite() {
                    return Err(fault("a float that is infinite or not a number"));
                }
            }
        }
        while open.last().is_some_and(|outer| outer.left == 0) {
            open.pop();
        }
        if open.is_empty() {
            break;
        }
    }
    match reader.rest() {
        0 => Ok(()),
        _ => Err(CborError::Rule {
            at: reader.at,
            rule: "more bytes behind the end",
        }),
    }
}

const CUT: &str = "the bytes end within an item";
const NO_UTF8: &str = "a text that is not UTF-8";

fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads items one by one. Of what it skips in the typed methods it expects that [`check`] passed.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn rest(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let length = usize::try_from(length).ok()?;
        let taken = self.bytes[self.at..].get(..length)?;
        self.at += length;
        Some(taken)
    }

    /// Reads a head: major type and number. Only the shortest spelling passes.
    fn head(&mut self) -> Result<(u8, u64), &'static str> {
        let [first] = *self.take(1).ok_or(CUT)? else {
            return Err(CUT);
        };
        let (major, info) = (first & 0xe0, first & 0x1f);
        if major == 0xe0 {
            return match info {
                20..=22 => Ok((major, 0)),
                27 => self.number(8).map(|number| (major, number)),
                25 | 26 => Err("a float that is not of 64 bits"),
                31 => Err("a break"),
                _ => Err("a simple value that is not false, true or null"),
            };
        }
        let (number, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 1 << 8),
            26 => (self.number(4)?, 1 << 16),
            27 => (self.number(8)?, 1 << 32),
            31 => return Err("an item of indefinite length"),
            _ => return Err("a reserved head"),
        };
        if number < least {
            return Err("a number that is not in its shortest form");
        }
        Ok((major, number))
    }

    fn number(&mut self, length: u64) -> Result<u64, &'static str> {
        let bytes = self.take(length).ok_or(CUT)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The number of the next head, if it is of `major`.
    fn of(&mut self, major: u8) -> Option<u64> {
        if self.bytes.get(self.at)? & 0xe0 != major {
            return None;
        }
        self.head().ok().map(|(_, number)| number)
    }

    pub(super) fn unsigned(&mut self) -> Option<u64> {
        self.of(UNSIGNED)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.of(BYTES)?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.of(TEXT)?;
        self.take(length).and_then(utf8)
    }

    /// The count of entries of a map that begins here.
    pub(super) fn map(&mut self) -> Option<u64> {
        self.of(MAP)
    }

    /// The bytes of a link, without the zero in front.
    pub(super) fn link(&mut self) -> Option<&'a [u8]> {
        self.of(TAG).filter(|tag| *tag == LINK)?;
        self.bytes()?.strip_prefix(&[0])
    }

    /// Reads a null, if there is one.
    pub(super) fn null(&mut self) -> bool {
        let found = self.bytes.get(self.at) == Some(&NULL);
        self.at += usize::from(found);
        found
    }
}

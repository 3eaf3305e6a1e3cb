//! Time as the events know it: microseconds since 1970, UTC.
//!
//! There is no clock here. [`Timestamp`] has one canonical text, RFC 3339 with six fractional
//! digits and `Z`; [`Timestamp::parse_lenient`] takes what people and other programs write.

use std::fmt;
use std::str::FromStr;

use crate::text::shorten;

/// A point in time from 1970 up to and including 9999, in whole microseconds, UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

/// A time that was taken from a foreign text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LenientTime {
    /// The time, finer fractions cut off.
    pub timestamp: Timestamp,
    /// Whether the text had an offset; without one it was read as UTC, which should be said.
    pub had_offset: bool,
}

impl Timestamp {
    /// `9999-12-31T23:59:59.999999Z`: RFC 3339 has years of four digits.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Takes microseconds since 1970.
    ///
    /// # Errors
    ///
    /// [`TimeError::After9999`].
    pub fn from_micros(micros: u64) -> Result<Self, TimeError> {
        if micros > Self::MAX.0 {
            return Err(TimeError::After9999 {
                text: micros.to_string(),
            });
        }
        Ok(Self(micros))
    }

    /// Takes whole seconds since 1970, as tokens of NATS have them; `None` for a second before 1970 or
    /// after 9999.
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        let micros = u64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
        Self::from_micros(micros).ok()
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0 / 1_000_000).expect("years have four digits")
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since 1970, rounded down; as a UUID of version 7 has them.
    pub fn millis(self) -> u64 {
        self.0 / 1000
    }

    /// Takes the forms of RFC 3339 and what is near them: `T`, `t` or a space between date and
    /// time, any number of fractional digits or none, `Z`, `z`, an offset (`+02:00`, `+0200`,
    /// `+02`), or none, which means UTC.
    ///
    /// # Errors
    ///
    /// [`TimeError::Syntax`] for another form or a date that no calendar has,
    /// [`TimeError::LeapSecond`] for second 60, [`TimeError::Before1970`] and
    /// [`TimeError::After9999`], judged in UTC; a year of five digits or more is that too.
    ///
    /// # Examples
    ///
    /// ```
    /// use cim_core::time::Timestamp;
    ///
    /// let time = Timestamp::parse_lenient("2011-10-11 13:45:40.276+02:00")?;
    /// assert_eq!(time.timestamp.to_string(), "2011-10-11T11:45:40.276000Z");
    /// # Ok::<(), cim_core::time::TimeError>(())
    /// ```
    pub fn parse_lenient(text: &str) -> Result<LenientTime, TimeError> {
        let syntax = || TimeError::Syntax {
            text: shorten(text),
        };
        let bytes = text.as_bytes();
        let year_len = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        // RFC 3339 has no such year, but what is meant is plain.
        if year_len > 4 && bytes.get(year_len) == Some(&b'-') {
            return Err(TimeError::After9999 {
                text: shorten(text),
            });
        }
        let civil = Civil::parse(bytes).ok_or_else(syntax)?;
        let mut at = 19;
        let mut micros = 0;
        if bytes.get(at) == Some(&b'.') {
            at += 1;
            let digits = bytes[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 {
                return Err(syntax());
            }
            for place in 0..6 {
                let digit = if place < digits {
                    bytes[at + place] - b'0'
                } else {
                    0
                };
                micros = micros * 10 + i64::from(digit);
            }
            at += digits;
        }
        let offset = parse_offset(&bytes[at..]).ok_or_else(syntax)?;
        let seconds = civil.seconds() - offset.unwrap_or(0);
        let Ok(micros) = u64::try_from(seconds * 1_000_000 + micros) else {
            return Err(TimeError::Before1970 {
                text: shorten(text),
            });
        };
        if civil.leap_second {
            return Err(TimeError::LeapSecond {
                text: shorten(text),
            });
        }
        match Self::from_micros(micros) {
            Ok(timestamp) => Ok(LenientTime {
                timestamp,
                had_offset: offset.is_some(),
            }),
            Err(_) => Err(TimeError::After9999 {
                text: shorten(text),
            }),
        }
    }

    /// The canonical text in bytes, without an allocation.
    pub(crate) fn text(self) -> [u8; 27] {
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let (days, micros) = (self.0 / MICROS_A_DAY, self.0 % MICROS_A_DAY);
        let (year, month, day) = civil_from_days(days);
        let seconds = micros / 1_000_000;
        write_digits(&mut text[0..4], year);
        write_digits(&mut text[5..7], month);
        write_digits(&mut text[8..10], day);
        write_digits(&mut text[11..13], seconds / 3600);
        write_digits(&mut text[14..16], seconds / 60 % 60);
        write_digits(&mut text[17..19], seconds % 60);
        write_digits(&mut text[20..26], micros % 1_000_000);
        text
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Takes the canonical text alone: `2026-11-21T08:00:00.000000Z`.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let bytes = text.as_bytes();
        let canonical =
            bytes.len() == 27 && bytes[10] == b'T' && bytes[19] == b'.' && bytes[26] == b'Z';
        match Self::parse_lenient(text) {
            Ok(time) if canonical => Ok(time.timestamp),
            Ok(_) => Err(TimeError::NotCanonical {
                text: shorten(text),
            }),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.text()).expect("digits and punctuation are ASCII"))
    }
}

/// A text that is not a time of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TimeError {
    /// It is no date and time of RFC 3339.
    Syntax {
        /// The text.
        text: String,
    },
    /// It is a time, but not in the one spelling that the wire format has.
    NotCanonical {
        /// The text.
        text: String,
    },
    /// It lies before 1970, in UTC.
    Before1970 {
        /// The text.
        text: String,
    },
    /// It lies after 9999, in UTC.
    After9999 {
        /// The text.
        text: String,
    },
    /// Its second is 60, which microseconds since 1970 cannot say.
    LeapSecond {
        /// The text.
        text: String,
    },
}

impl TimeError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "time-invalid",
            Self::NotCanonical { .. } => "time-not-canonical",
            Self::Before1970 { .. } => "time-before-1970",
            Self::After9999 { .. } => "time-after-9999",
            Self::LeapSecond { .. } => "time-leap-second",
        }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { text } => {
                write!(
                    f,
                    "`{text}` is not a time: expected one like `2026-11-21T08:00:00Z`"
                )
            }
            Self::NotCanonical { text } => write!(
                f,
                "`{text}` is not a canonical time: expected UTC with six fractional digits, like \
                 `2026-11-21T08:00:00.000000Z`"
            ),
            Self::Before1970 { text } => write!(f, "the time `{text}` is before 1970"),
            Self::After9999 { text } => write!(f, "the time `{text}` is after 9999"),
            Self::LeapSecond { text } => {
                write!(
                    f,
                    "the time `{text}` is a leap second, which cannot be stored"
                )
            }
        }
    }
}

impl std::error::Error for TimeError {}

/// A date and time of day as the calendar says it.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    second_of_day: i64,
    leap_second: bool,
}

impl Civil {
    /// Reads `YYYY-MM-DD?hh:mm:ss`, the first 19 bytes.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..19)?;
        let punctuation = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        if punctuation.iter().any(|&(at, byte)| bytes[at] != byte)
            || !matches!(bytes[10], b'T' | b't' | b' ')
        {
            return None;
        }
        let (year, month) = (digits(&bytes[0..4])?, digits(&bytes[5..7])?);
        let day = digits(&bytes[8..10])?;
        let (hour, minute) = (digits(&bytes[11..13])?, digits(&bytes[14..16])?);
        let second = digits(&bytes[17..19])?;
        let valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        let second_of_day = hour * 3600 + minute * 60 + second;
        valid.then_some(Self {
            year,
            month,
            day,
            second_of_day,
            leap_second: second == 60,
        })
    }

    /// Seconds since 1970, negative before.
    fn seconds(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day) * 86_400 + self.second_of_day
    }
}

/// Reads an offset in seconds; `Some(None)` for an absent one.
fn parse_offset(bytes: &[u8]) -> Option<Option<i64>> {
    let (sign, rest) = match bytes {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest {
        [_, _] => (digits(rest)?, 0),
        [_, _, b':', minutes @ ..] if minutes.len() == 2 => (digits(&rest[..2])?, digits(minutes)?),
        [_, _, _, _] => (digits(&rest[..2])?, digits(&rest[2..])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March, so
/// that the leap day is a year's last day.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`] from 1970 on.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

const MICROS_A_DAY: u64 = 86_400_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let time = Timestamp::parse_lenient(text).expect("a valid time");
        assert_eq!(time.timestamp.to_string(), expect);
    }

    #[test]
    fn takes_what_others_write() {
        check(
            "2011-10-11 13:45:40.276000+02:00",
            "2011-10-11T11:45:40.276000Z",
        );
        check("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z");
        check(
            "2024-02-29T00:00:00.1234567899",
            "2024-02-29T00:00:00.123456Z",
        );
        check("1970-01-01t01:00:00+0100", "1970-01-01T00:00:00.000000Z");
        check("9999-12-31 23:59:59.999999z", "9999-12-31T23:59:59.999999Z");
        check("1999-12-31T23:59:59-05", "2000-01-01T04:59:59.000000Z");
        assert!(
            !Timestamp::parse_lenient("2024-01-01 00:00:00")
                .expect("valid")
                .had_offset
        );
    }

    #[test]
    fn refuses_what_no_clock_shows() {
        for bad in [
            "",
            "2024-01-01",
            "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2016-12-31T23:59:60Z",
            "2024-01-01T00:00:00.Z",
            "2024-01-01T00:00:00+24:00",
            "2024-01-01T00:00:00Zx",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "２０24-01-01T00:00:00Z",
        ] {
            assert!(Timestamp::parse_lenient(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_wire_has_one_spelling() {
        for bad in [
            "2024-01-01T00:00:00Z",
            "2024-01-01T00:00:00.000Z",
            "2024-01-01 00:00:00.000000Z",
            "2024-01-01T00:00:00.000000z",
            "2024-01-01T00:00:00.000000+00:00",
            "2024-01-01T00:00:00.00000Zx",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_time_is_written_and_read(micros in 0..=Timestamp::MAX.0) {
            let time = Timestamp(micros);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}

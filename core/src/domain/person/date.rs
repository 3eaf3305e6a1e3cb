//! Days of the calendar.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::value::{ValueError, ValueRule};

/// A day of the Gregorian calendar, of the years 1 to 9999, without a time and a place: `1912-06-23`.
///
/// # Examples
///
/// ```
/// use cim_core::domain::person::Date;
///
/// let birth: Date = "1912-06-23".parse()?;
/// assert!(birth < "1954-06-07".parse()?);
/// assert_eq!(birth.to_string(), "1912-06-23");
/// assert_eq!("2023-02-29".parse::<Date>().expect_err("no leap year").code(), "date-invalid");
/// # Ok::<(), cim_core::domain::value::ValueError>(())
/// ```
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(description = "A day of the calendar: `1912-06-23`."),
    schemars(extend("format" = "date", "pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))
)]
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Date {
    // In this order, so that the derived order is the calendar's.
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day of a year, a month from 1 and a day of the month from 1.
    ///
    /// # Errors
    ///
    /// [`ValueError`] when the calendar has no such day, or the year is not 1 to 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, ValueError> {
        let date = Self { year, month, day };
        let is_day = (1..=9999).contains(&year) && (1..=days_of(year, month)).contains(&day);
        match is_day {
            true => Ok(date),
            false => Err(fault(&date.to_string(), DAY)),
        }
    }

    /// The year, 1 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u8 {
        self.day
    }
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (year, month, day) = fields(text).ok_or_else(|| fault(text, FORM))?;
        Self::new(year, month, day)
    }
}

impl TryFrom<String> for Date {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.to_string()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn fault(text: &str, expected: &'static str) -> ValueError {
    ValueError::new("a date", "date-invalid", text, ValueRule::Form { expected })
}

const FORM: &str = "a year, a month and a day as `YYYY-MM-DD`";

const DAY: &str = "a day that the calendar has, of the years 1 to 9999";

/// Year, month and day of a text of exactly that form.
fn fields(text: &str) -> Option<(u16, u8, u8)> {
    let is_form = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !is_form {
        return None;
    }
    let year = text[..4].parse().ok()?;
    Some((year, text[5..7].parse().ok()?, text[8..].parse().ok()?))
}

/// How many days a month has; none when there is no such month.
fn days_of(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        for good in [
            "0001-01-01",
            "1900-02-28",
            "2000-02-29",
            "2024-02-29",
            "9999-12-31",
        ] {
            let date: Date = good.parse().expect(good);
            assert_eq!(date.to_string(), good);
            let json = serde_json::to_string(&date).expect("a text");
            assert_eq!(serde_json::from_str::<Date>(&json).expect(good), date);
        }
        for bad in [
            "0000-01-01",
            "1900-02-29",
            "2023-02-29",
            "2023-04-31",
            "2023-13-01",
            "2023-00-10",
            "2023-01-00",
        ] {
            check(bad, DAY);
        }
        for bad in [
            "",
            "2023-1-01",
            "2023-01-01Z",
            "+023-01-01",
            "2023/01/01",
            "12023-01-1",
            "２０２３-01",
        ] {
            check(bad, FORM);
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &'static str) {
        let rule = ValueRule::Form { expected };
        let error = text.parse::<Date>().expect_err(text);
        assert_eq!((error.rule, error.code()), (rule, "date-invalid"));
        let json = serde_json::to_string(text).expect("a text");
        serde_json::from_str::<Date>(&json).expect_err(text);
    }
}

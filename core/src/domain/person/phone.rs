//! Numbers of phones.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::value::{ValueError, ValueRule, check_len, checked_text};

/// The longest number in bytes; ours: twice the 15 digits of E.164, so that there is room to group them.
pub const MAX_NUMBER_LEN: usize = 32;

/// The fewest digits of a number: those of emergency and service numbers.
pub const MIN_DIGITS: usize = 3;

/// The most digits of an extension: what vCards and switchboards have; ours.
const MAX_EXTENSION_LEN: usize = 11;

/// Digits and what groups them.
#[cfg(feature = "schema")]
const NUMBER: &str = r"^\+?[0-9 ()./-]+$";

checked_text! {
    /// What is dialled: digits, with spaces and `()./-` between them, and perhaps `+` in front.
    ///
    /// At least [`MIN_DIGITS`] digits, at most [`MAX_NUMBER_LEN`] bytes. How it was spelled is kept; two
    /// numbers with the same digits, and `+` in front of both or none, are
    /// [the same](DialNumber::is_same).
    DialNumber {
        what: "a phone number",
        code: "phone-invalid",
        check: check_number,
        schema: (
            description = "What is dialled: at least three digits.",
            extend("minLength" = MIN_DIGITS, "maxLength" = MAX_NUMBER_LEN, "pattern" = NUMBER)
        ),
    }
}

impl DialNumber {
    /// Its digits.
    pub fn digits(&self) -> impl Iterator<Item = char> {
        self.as_str().chars().filter(char::is_ascii_digit)
    }

    /// Whether both dial the same: they have the same digits, and both begin with `+` or neither does.
    pub fn is_same(&self, other: &Self) -> bool {
        self.is_international() == other.is_international() && self.digits().eq(other.digits())
    }

    /// Whether the country's calling code is a part of it: it begins with `+`.
    pub fn is_international(&self) -> bool {
        self.as_str().starts_with('+')
    }
}

/// The number of a phone.
///
/// # Examples
///
/// ```
/// use cim_core::domain::person::{DialNumber, PhoneNumber};
///
/// let phone = PhoneNumber::new(DialNumber::new("555-0100")?, Some("1"), Some("12"))?;
/// assert_eq!(phone.to_string(), "+1 555-0100 x12");
/// # Ok::<(), cim_core::domain::value::ValueError>(())
/// ```
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(!try_from, description = "The number of a phone.")
)]
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Fields")]
pub struct PhoneNumber {
    /// What is dialled.
    number: DialNumber,
    /// The country: its calling code or its two letters.
    #[cfg_attr(
        feature = "schema",
        schemars(extend("pattern" = "^([1-9][0-9]{0,2}|[A-Z]{2})$"))
    )]
    country_code: Option<String>,
    /// The extension behind the number.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[0-9]{1,11}$")))]
    extension: Option<String>,
}

impl PhoneNumber {
    /// Takes a number, the country that it is in and the extension behind it.
    ///
    /// The country is its calling code, `1` (E.164), or its two letters, `US` (ISO 3166).
    ///
    /// # Errors
    ///
    /// [`ValueError`], when the country or the extension has another form.
    pub fn new(
        number: DialNumber,
        country_code: Option<&str>,
        extension: Option<&str>,
    ) -> Result<Self, ValueError> {
        let fields = Fields {
            number,
            country_code: country_code.map(str::to_owned),
            extension: extension.map(str::to_owned),
        };
        Self::try_from(fields)
    }

    /// What is dialled.
    pub fn number(&self) -> &DialNumber {
        &self.number
    }

    /// Whether both are one phone: they have the same country and extension, and
    /// [dial the same](DialNumber::is_same).
    pub fn is_same(&self, other: &Self) -> bool {
        self.country_code == other.country_code
            && self.extension == other.extension
            && self.number.is_same(&other.number)
    }

    /// The country: its calling code or its two letters.
    pub fn country_code(&self) -> Option<&str> {
        self.country_code.as_deref()
    }

    /// The extension behind the number.
    pub fn extension(&self) -> Option<&str> {
        self.extension.as_deref()
    }
}

impl fmt::Display for PhoneNumber {
    /// The number as it is dialled from anywhere, as far as that is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calling_code = self.country_code().filter(|code| is_calling_code(code));
        if let Some(code) = calling_code.filter(|_| !self.number.is_international()) {
            write!(f, "+{code} ")?;
        }
        write!(f, "{}", self.number)?;
        match &self.extension {
            Some(extension) => write!(f, " x{extension}"),
            None => Ok(()),
        }
    }
}

/// A phone number as it is read, before it is checked.
#[derive(Deserialize)]
struct Fields {
    number: DialNumber,
    country_code: Option<String>,
    extension: Option<String>,
}

impl TryFrom<Fields> for PhoneNumber {
    type Error = ValueError;

    fn try_from(fields: Fields) -> Result<Self, ValueError> {
        let fault = |found: &str, expected| {
            let rule = ValueRule::Form { expected };
            ValueError::new("of a phone number", "phone-invalid", found, rule)
        };
        let is_country = |country: &&str| is_region(country) || is_calling_code(country);
        let country = fields.country_code.as_deref();
        if let Some(country) = country.filter(|country| !is_country(country)) {
            return Err(fault(country, COUNTRY));
        }
        let extension = fields.extension.as_deref();
        if let Some(extension) = extension.filter(|extension| !is_extension(extension)) {
            return Err(fault(extension, EXTENSION));
        }
        Ok(Self {
            number: fields.number,
            country_code: fields.country_code,
            extension: fields.extension,
        })
    }
}

fn check_number(text: &str) -> Result<(), ValueRule> {
    check_len(text, MAX_NUMBER_LEN)?;
    let is_of_number = |byte: u8| byte.is_ascii_digit() || b" ()./-".contains(&byte);
    let rest = text.strip_prefix('+').unwrap_or(text);
    if !rest.bytes().all(is_of_number) {
        return Err(ValueRule::Characters { allowed: ALLOWED });
    }
    if text.trim() != text {
        return Err(ValueRule::OuterSpace);
    }
    match rest.bytes().filter(u8::is_ascii_digit).count() < MIN_DIGITS {
        true => Err(ValueRule::Form { expected: DIGITS }),
        false => Ok(()),
    }
}

const ALLOWED: &str = "0-9, spaces, `()./-` and a `+` in front";

const DIGITS: &str = "at least 3 digits";

const COUNTRY: &str = "a country's calling code or its two capital letters";

const EXTENSION: &str = "an extension of 1 to 11 digits";

/// Of E.164: one to three digits, the first not zero.
fn is_calling_code(text: &str) -> bool {
    (1..=3).contains(&text.len())
        && !text.starts_with('0')
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_extension(text: &str) -> bool {
    (1..=MAX_EXTENSION_LEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Of ISO 3166-1: two letters.
fn is_region(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> DialNumber {
        DialNumber::new(text).expect(text)
    }

    fn form(expected: &'static str) -> ValueRule {
        ValueRule::Form { expected }
    }

    #[test]
    fn a_number_has_digits_and_what_groups_them() {
        for good in [
            "112",
            "555-0100",
            "(030) 123.45/6",
            "+1-555-123-4567",
            &"1".repeat(32),
        ] {
            assert_eq!(number(good).as_str(), good);
        }
        for (bad, rule) in [
            ("", ValueRule::Empty),
            ("11", form(DIGITS)),
            ("+---", form(DIGITS)),
            ("1+555", ValueRule::Characters { allowed: ALLOWED }),
            ("555-CALL", ValueRule::Characters { allowed: ALLOWED }),
            ("५५५", ValueRule::Characters { allowed: ALLOWED }),
            ("555\n0100", ValueRule::Characters { allowed: ALLOWED }),
            (" 555", ValueRule::OuterSpace),
        ] {
            let error = DialNumber::new(bad).expect_err(bad);
            assert_eq!((error.rule, error.code()), (rule, "phone-invalid"));
        }
        DialNumber::new(&"1".repeat(33)).expect_err("33 digits");
        assert!(number("555-0100").is_same(&number("(555) 01 00")));
        assert!(!number("555-0100").is_same(&number("555-0101")));
        assert!(number("+1 555-0100").is_same(&number("+15550100")));
        assert!(!number("+1 555-0100").is_same(&number("15550100")));
    }

    #[test]
    fn a_phone_has_a_country_and_an_extension_or_neither() {
        for (dialled, country, extension, shown) in [
            ("555-0100", None, None, "555-0100"),
            ("555-0100", Some("1"), None, "+1 555-0100"),
            ("+15550100", Some("US"), Some("7"), "+15550100 x7"),
            ("+15550100", Some("1"), None, "+15550100"),
            ("555-0100", Some("US"), None, "555-0100"),
        ] {
            let phone = PhoneNumber::new(number(dialled), country, extension).expect(dialled);
            assert_eq!(phone.to_string(), shown);
            let json = serde_json::to_string(&phone).expect("an object");
            assert_eq!(
                serde_json::from_str::<PhoneNumber>(&json).expect("ours"),
                phone
            );
        }
        for (country, extension) in [
            (Some("+1"), None),
            (Some("01"), None),
            (Some("1234"), None),
            (Some("us"), None),
            (Some("USA"), None),
            (Some(""), None),
            (None, Some("")),
            (None, Some("x1")),
            (None, Some("123456789012")),
        ] {
            let error = PhoneNumber::new(number("555-0100"), country, extension);
            assert_eq!(error.expect_err("bad").code(), "phone-invalid");
        }
    }

    #[test]
    fn phones_are_one_by_country_number_and_extension() {
        let phone = |country, dialled, extension| {
            PhoneNumber::new(number(dialled), country, extension).expect(dialled)
        };
        let desk = phone(Some("1"), "555-0100", Some("7"));
        assert!(desk.is_same(&phone(Some("1"), "(555) 0100", Some("7"))));
        for other in [
            phone(Some("44"), "555-0100", Some("7")),
            phone(None, "555-0100", Some("7")),
            phone(Some("1"), "555-0100", Some("8")),
            phone(Some("1"), "555-0100", None),
            phone(Some("1"), "555-0101", Some("7")),
            phone(Some("1"), "+555-0100", Some("7")),
        ] {
            assert!(!desk.is_same(&other), "{other}");
        }
    }

    #[test]
    fn a_phone_is_checked_when_it_is_read() {
        let phone: PhoneNumber = serde_json::from_str(r#"{"number":"112","sms_capable":true}"#)
            .expect("fields may be absent, and others are passed over");
        assert_eq!(phone.country_code(), None);
        assert_eq!(
            serde_json::to_string(&phone).expect("an object"),
            r#"{"number":"112","country_code":null,"extension":null}"#
        );
        serde_json::from_str::<PhoneNumber>(r#"{"number":"112","country_code":"0"}"#)
            .expect_err("no country");
    }
}

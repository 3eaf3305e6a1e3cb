//! Addresses of e-mail.

use crate::domain::hostname::Hostname;
use crate::domain::value::{ValueRule, check_control, check_len, checked_text};

/// The longest address in bytes: RFC 3696, erratum 1690.
pub const MAX_EMAIL_LEN: usize = 254;

/// The longest local part in bytes: RFC 5321 section 4.5.3.1.1.
pub const MAX_LOCAL_LEN: usize = 64;

/// One `@`, no white space, and a domain with a dot.
#[cfg(feature = "schema")]
const PATTERN: &str = r"^[^@\s]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}$";

checked_text! {
    /// An address of e-mail: `ada@example.org`.
    ///
    /// At most [`MAX_EMAIL_LEN`] bytes with one `@`; before it 1 to [`MAX_LOCAL_LEN`] bytes without white
    /// space and control characters, after it a [`Hostname`] with a dot. Whether mail arrives there is
    /// another question. How it was spelled is kept; see [`is_same`](EmailAddress::is_same).
    EmailAddress {
        what: "an e-mail address",
        code: "email-invalid",
        check: check_email,
        schema: (
            description = "An address of e-mail, whose domain has a dot.",
            extend("maxLength" = MAX_EMAIL_LEN, "pattern" = PATTERN)
        ),
    }
}

impl EmailAddress {
    /// Whether mail for one arrives at the other: they differ in the case of ASCII letters at most.
    ///
    /// By the standard the part before the `@` may differ by case; no provider of note lets it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }

    /// What is after the `@`.
    pub fn domain(&self) -> &str {
        self.as_str()
            .split_once('@')
            .map_or("", |(_, domain)| domain)
    }
}

fn check_email(text: &str) -> Result<(), ValueRule> {
    check_len(text, MAX_EMAIL_LEN)?;
    check_control(text)?;
    let form = |expected| Err(ValueRule::Form { expected });
    let Some((local, domain)) = text.split_once('@').filter(|(_, it)| !it.contains('@')) else {
        return form(AT_SIGN);
    };
    let is_local =
        (1..=MAX_LOCAL_LEN).contains(&local.len()) && !local.contains(char::is_whitespace);
    if !is_local {
        return form(LOCAL_PART);
    }
    match domain.contains('.') && Hostname::new(domain).is_ok() {
        true => Ok(()),
        false => form(DOMAIN),
    }
}

const AT_SIGN: &str = "exactly one `@`";

const LOCAL_PART: &str = "1 to 64 bytes without white space before the `@`";

const DOMAIN: &str = "the name of a domain with a dot after the `@`";

#[cfg(test)]
mod tests {
    use super::*;

    fn form(expected: &'static str) -> ValueRule {
        ValueRule::Form { expected }
    }

    #[test]
    fn an_address_has_a_local_part_and_a_domain_with_a_dot() {
        let local = "x".repeat(MAX_LOCAL_LEN);
        let longest = format!("{local}@{}.example", "y.".repeat(90) + "z");
        for good in [
            "a@b.c",
            "ada.lovelace+math@mail.example.org",
            "12345@163.com",
            "größe@example.org",
            "o'neil@xn--bcher-kva.example",
            &longest,
        ] {
            let email = EmailAddress::new(good).expect(good);
            assert_eq!((email.as_str(), email.domain().contains('.')), (good, true));
        }
        check("", ValueRule::Empty);
        for bad in ["ada", "ada@b@example.org", "@@"] {
            check(bad, form(AT_SIGN));
        }
        for bad in ["@example.org", "a b@example.org", "a\u{a0}@example.org"] {
            check(bad, form(LOCAL_PART));
        }
        check(&format!("x{local}@example.org"), form(LOCAL_PART));
        for bad in [
            "a@localhost",
            "a@",
            "a@.org",
            "a@b..org",
            "a@-b.org",
            "a@b.org ",
            "a@[10.0.0.1]",
            "a@10.0.0.1",
            "a@größe.org",
        ] {
            check(bad, form(DOMAIN));
        }
        check("a\n@example.org", ValueRule::Control);
        let limit = MAX_EMAIL_LEN;
        check(
            &format!("a@{}.org", "b.".repeat(130)),
            ValueRule::TooLong { limit },
        );
    }

    #[track_caller]
    fn check(text: &str, rule: ValueRule) {
        let error = EmailAddress::new(text).expect_err(text);
        assert_eq!((error.rule, error.code()), (rule, "email-invalid"));
    }

    #[test]
    fn two_spellings_are_one_mailbox() {
        let [a, b, c] = ["Ada@Example.org", "ada@example.ORG", "ada@example.com"]
            .map(|text| EmailAddress::new(text).expect(text));
        assert!(a.is_same(&b) && !a.is_same(&c));
        assert_ne!(a, b, "the spelling is kept");
    }

    #[test]
    fn an_address_is_checked_when_it_is_read() {
        let email: EmailAddress = serde_json::from_str(r#""ada@example.org""#).expect("good");
        let json = serde_json::to_string(&email).expect("a text");
        assert_eq!(json, r#""ada@example.org""#);
        let error = serde_json::from_str::<EmailAddress>(r#""ada""#).expect_err("bad");
        assert_eq!(
            error.to_string(),
            "`ada` is not an e-mail address: expected exactly one `@`"
        );
    }
}

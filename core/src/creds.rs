//! Creds: a user's token and its seed in one text, as clients of NATS take them.
//!
//! Each stands alone on a line, between two lines of dashes that name it. Other tools write other
//! words around them (`@nats-io/jwt` leaves some out); what is read is what stands between dashes, as
//! nats-io/jwt `creds_utils.go` reads it.
//!
//! # Examples
//!
//! ```
//! use cim_core::creds::Creds;
//! use cim_core::jwt::{Claims, UserClaims};
//! use cim_core::nkey::{KeyKind, Seed};
//! use cim_core::time::Timestamp;
//!
//! let account = Seed::new(KeyKind::Account, [1; 32]);
//! let user = Seed::new(KeyKind::User, [2; 32]);
//! let mut claims = Claims::new(user.public_key(), "ann", UserClaims::default());
//! let token = claims.sign(&account, Timestamp::default()).expect("accounts sign users");
//!
//! let creds = Creds::new(token, user).expect("the token is about this user");
//! let text = creds.expose();
//! assert!(text.starts_with("-----BEGIN NATS USER JWT-----\n"));
//! let read = Creds::read(&text).expect("ours");
//! assert_eq!(read.user(), creds.user());
//! ```

use std::error::Error;
use std::fmt;

use zeroize::Zeroizing;

use crate::jwt::{Claims, JwtError, Token, UserClaims};
use crate::nkey::{KeyKind, NkeyError, PublicKey, Seed};

/// A user's token and its seed. Neither is ever printed: the token of a bearer is a password.
pub struct Creds {
    token: Zeroizing<String>,
    seed: Seed,
}

impl Creds {
    /// Takes a token and the seed of the user that it is about.
    ///
    /// # Errors
    ///
    /// [`CredsError::Token`] when it is no user's token, [`CredsError::Seed`] when it is no user's seed,
    /// [`CredsError::AnotherUser`] when the one does not belong to the other.
    pub fn new(token: String, seed: Seed) -> Result<Self, CredsError> {
        let token = Zeroizing::new(token);
        let claims = Token::read(&token).and_then(|token| token.claims::<UserClaims>());
        let claims: Claims<UserClaims> = claims.map_err(CredsError::Token)?;
        if seed.kind() != KeyKind::User {
            return Err(CredsError::Seed(NkeyError::Kind {
                expected: KeyKind::User.name(),
                found: seed.kind(),
            }));
        }
        if claims.subject != seed.public_key().as_str() {
            return Err(CredsError::AnotherUser {
                token: claims.subject,
                seed: seed.public_key(),
            });
        }
        Ok(Self { token, seed })
    }

    /// Reads creds, whatever else stands around the token and the seed.
    ///
    /// # Errors
    ///
    /// [`CredsError::Missing`] when there is no token or no seed, and those of [`new`](Self::new).
    pub fn read(text: &str) -> Result<Self, CredsError> {
        let mut parts = parts(text);
        let missing = |what| CredsError::Missing { what };
        let token = parts.next().ok_or(missing("token"))?;
        let seed = parts.next().ok_or(missing("seed"))?;
        let seed = Seed::parse(seed).map_err(CredsError::Seed)?;
        Self::new(token.to_owned(), seed)
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The seed.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Whose they are.
    pub fn user(&self) -> PublicKey {
        self.seed.public_key()
    }

    /// The text of a creds file, for the one place that needs it.
    pub fn expose(&self) -> Zeroizing<String> {
        let seed = self.seed.expose();
        // So that it is not copied while it grows.
        let mut text = Zeroizing::new(String::with_capacity(self.token.len() + 1024));
        for part in [
            "-----BEGIN NATS USER JWT-----\n",
            &self.token,
            "\n------END NATS USER JWT------\n\n",
            "************************* IMPORTANT *************************\n",
            "NKEY Seed printed below can be used to sign and prove identity.\n",
            "NKEYs are sensitive and should be treated as secrets.\n\n",
            "-----BEGIN USER NKEY SEED-----\n",
            &seed,
            "\n------END USER NKEY SEED------\n\n",
            "*************************************************************\n",
        ] {
            text.push_str(part);
        }
        text
    }
}

impl fmt::Debug for Creds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Creds({})", self.user())
    }
}

/// The token of any kind that stands in a text: alone, or between lines of dashes as in the files that
/// other tools write.
pub fn token_in(text: &str) -> &str {
    parts(text).next().unwrap_or_else(|| text.trim())
}

/// What stands alone on a line between two lines of dashes, each time.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines().map(str::trim).peekable();
    std::iter::from_fn(move || {
        loop {
            if !is_fence(lines.next()?) {
                continue;
            }
            let Some(part) = lines.next_if(|line| is_part(line)) else {
                continue;
            };
            if lines.next_if(|line| is_fence(line)).is_some() {
                return Some(part);
            }
        }
    })
}

/// Three dashes or more, anything, and three dashes or more.
fn is_fence(line: &str) -> bool {
    line.len() >= 6 && line.starts_with("---") && line.ends_with("---")
}

/// The digits of tokens and seeds.
fn is_part(line: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.=".contains(&byte);
    !line.is_empty() && !is_fence(line) && line.bytes().all(is_digit)
}

/// What is wrong with creds. No variant holds the token or anything of the seed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CredsError {
    /// There is no token, or no seed behind it.
    Missing {
        /// `token` or `seed`.
        what: &'static str,
    },
    /// The token is none of a user.
    Token(JwtError),
    /// The seed is none of a user.
    Seed(NkeyError),
    /// The seed is of another user than the token.
    AnotherUser {
        /// Whom the token is about.
        token: String,
        /// Whose the seed is.
        seed: PublicKey,
    },
}

impl CredsError {
    /// The stable code of this fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "creds-incomplete",
            Self::Token(error) => error.code(),
            Self::Seed(error) => error.code(),
            Self::AnotherUser { .. } => "creds-another-user",
        }
    }
}

impl fmt::Display for CredsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid creds: ")?;
        match self {
            Self::Missing { what } => write!(
                f,
                "expected a token and a seed, each on one line between a line `-----BEGIN …-----` \
                 and a line `------END …------`, found no {what}"
            ),
            Self::Token(error) => fmt::Display::fmt(error, f),
            Self::Seed(error) => fmt::Display::fmt(error, f),
            Self::AnotherUser { token, seed } => {
                write!(
                    f,
                    "the token is about `{token}`, the seed is that of `{seed}`"
                )
            }
        }
    }
}

impl Error for CredsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Token(error) => Some(error),
            Self::Seed(error) => Some(error),
            Self::Missing { .. } | Self::AnotherUser { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn seed(kind: KeyKind, byte: u8) -> Seed {
        Seed::new(kind, [byte; 32])
    }

    fn token(user: &Seed) -> String {
        let mut claims = Claims::new(user.public_key(), "u", UserClaims::default());
        let signed = claims.sign(&seed(KeyKind::Account, 1), Timestamp::default());
        signed.expect("accounts sign users")
    }

    fn creds() -> Creds {
        let user = seed(KeyKind::User, 2);
        Creds::new(token(&user), user).expect("its own")
    }

    fn has_same(text: &str) -> bool {
        let read = Creds::read(text).expect("creds");
        read.token() == creds().token() && read.user() == creds().user()
    }

    #[test]
    fn are_written_as_go_writes_them() {
        let creds = creds();
        let [token, seed] = [creds.token(), &creds.seed().expose()];
        let expected = format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\
             NKEYs are sensitive and should be treated as secrets.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n\
             *************************************************************\n"
        );
        assert_eq!(*creds.expose(), expected);
    }

    #[test]
    fn are_read_whoever_wrote_them() {
        let creds = creds();
        let text = creds.expose();
        assert!(has_same(&text));
        assert!(has_same(&text.replace('\n', "\r\n")));
        let [token, seed] = [creds.token(), &creds.seed().expose()];
        // As @nats-io/jwt writes them, and as somebody indents them.
        assert!(has_same(&format!(
            "-----BEGIN NATS USER JWT-----\n    {token}\n    ------END NATS USER JWT------\n\n    \
             ************************* IMPORTANT *************************\n    NKEY Seed printed \
             below can be used sign and prove identity.\n    NKEYs are sensitive and should be \
             treated as secrets.\n\n    -----BEGIN USER NKEY SEED-----\n    {seed}\n    \
             ------END USER NKEY SEED------\n"
        )));
        assert!(has_same(&format!(
            "notes\n---\n---- A ----\n---- B ----\n{token}\n--- ---\n------\n{seed}\n------"
        )));
    }

    #[test]
    fn what_is_no_creds_is_refused_and_not_shown() {
        let creds = creds();
        let text = creds.expose();
        let secret = creds.seed().expose();
        let code = |text: &str| {
            let error = Creds::read(text).expect_err("no creds");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&secret[2..20]) && !shown.contains(creds.token()));
            error.code()
        };
        assert_eq!(code(""), "creds-incomplete");
        assert_eq!(
            code(text.split("-----BEGIN USER").next().expect("a part")),
            "creds-incomplete"
        );
        let with_seed = |seed: &Seed| text.replace(&*secret, &seed.expose());
        assert_eq!(
            code(&with_seed(&seed(KeyKind::User, 3))),
            "creds-another-user"
        );
        assert_eq!(
            code(&with_seed(&seed(KeyKind::Account, 2))),
            "key-kind-wrong"
        );
        assert_eq!(code(&text.replace(&*secret, &secret[1..])), "seed-invalid");
        assert_eq!(code(&text.replace(creds.token(), "a.b")), "jwt-parts");
        assert_eq!(format!("{creds:?}"), format!("Creds({})", creds.user()));
    }

    #[test]
    fn a_token_is_found_alone_and_in_a_file() {
        let creds = creds();
        for text in [
            creds.token(),
            &format!(" {}\n", creds.token()),
            &creds.expose(),
        ] {
            assert_eq!(token_in(text), creds.token());
        }
    }
}

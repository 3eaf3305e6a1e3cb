//! What a login says to a server: read anew for each connection, and forgotten behind it.

use async_nats::Auth;
use cim_core::creds::{Creds, CredsError};
use cim_core::jwt::{Claims, Token, UserClaims};
use cim_core::nkey::{KeyKind, NkeyError, Seed};
use cim_core::time::Timestamp;

use super::super::options::{Login, Source};
use super::error::ConnectError;
use crate::secret::Secret;

/// A login, read from its file if it has one.
#[derive(Debug)]
pub(super) enum Credentials {
    None,
    Password { user: String, password: Secret },
    Token(Secret),
    Creds(Creds),
    Nkey(Seed),
}

impl Credentials {
    /// Reads and checks a login.
    pub(super) fn read(login: &Login) -> Result<Self, ConnectError> {
        match login {
            Login::None => Ok(Self::None),
            Login::Password { user, password } => Ok(Self::Password {
                user: user.clone(),
                password: password.clone(),
            }),
            Login::Token(token) => Ok(Self::Token(token.clone())),
            Login::Creds(source) => {
                let text = text(source, login)?;
                let creds = Creds::read(text.expose());
                let creds = creds.map_err(|error| invalid(login, creds_fault(&error)))?;
                Ok(Self::Creds(creds))
            }
            Login::Nkey(source) => {
                let text = text(source, login)?;
                let seed = text.expose().lines().map(str::trim);
                let mut seed = seed.filter(|line| line.len() == SEED && line.starts_with('S'));
                let seed = seed
                    .next()
                    .ok_or_else(|| invalid(login, "expected a line with a seed"))?;
                let seed = user_seed(seed).map_err(|why| invalid(login, why))?;
                Ok(Self::Nkey(seed))
            }
        }
    }

    /// What is said to a server, with its nonce signed.
    pub(super) fn auth(&self, nonce: &[u8]) -> Auth {
        let mut auth = Auth::new();
        match self {
            Self::None => {}
            Self::Password { user, password } => {
                auth.username = Some(user.clone());
                auth.password = Some(password.expose().to_owned());
            }
            Self::Token(token) => auth.token = Some(token.expose().to_owned()),
            Self::Creds(creds) => {
                auth.signature = Some(signature(creds.seed(), nonce));
                auth.jwt = Some(creds.token().to_owned());
            }
            Self::Nkey(seed) => {
                auth.signature = Some(signature(seed, nonce));
                auth.nkey = Some(seed.public_key().to_string());
            }
        }
        auth
    }

    /// When it ends, if it has.
    pub(super) fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        let Self::Creds(creds) = self else {
            return None;
        };
        let claims: Claims<UserClaims> = Token::read(creds.token()).ok()?.claims().ok()?;
        let seconds = u64::try_from(claims.expires).ok()?;
        let end = Timestamp::from_micros(seconds.checked_mul(1_000_000)?).ok()?;
        (seconds != 0 && end <= now).then_some(end)
    }
}

fn text(source: &Source, login: &Login) -> Result<Secret, ConnectError> {
    match source {
        Source::Text(text) => Ok(text.clone()),
        Source::File(path) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(text.into()),
            Err(source) => Err(ConnectError::Unreadable {
                what: login.to_string(),
                source,
            }),
        },
    }
}

fn invalid(login: &Login, why: &'static str) -> ConnectError {
    ConnectError::Invalid {
        what: login.to_string(),
        why: why.to_owned(),
    }
}

fn creds_fault(error: &CredsError) -> &'static str {
    match error {
        CredsError::Token(_) => "the text at the place of the JWT is none",
        CredsError::Seed(error) => seed_fault(error),
        CredsError::AnotherUser { .. } => "the seed is of another user than the JWT",
        CredsError::Missing { .. } | _ => {
            "expected a JWT and a seed, each between a line `-----BEGIN …` and a line `------END …`"
        }
    }
}

fn seed_fault(error: &NkeyError) -> &'static str {
    match error {
        NkeyError::Kind { .. } => "expected the seed of a user, which begins with `SU`",
        _ => "the text at the place of the seed is none",
    }
}

fn user_seed(text: &str) -> Result<Seed, &'static str> {
    let seed = Seed::parse(text).map_err(|error| seed_fault(&error))?;
    match seed.kind() {
        KeyKind::User => Ok(seed),
        found => Err(seed_fault(&NkeyError::Kind {
            expected: KeyKind::User.name(),
            found,
        })),
    }
}

fn signature(seed: &Seed, nonce: &[u8]) -> Vec<u8> {
    let signed = seed.sign(nonce).expect("seeds of users sign");
    signed.to_vec()
}

/// The length of a seed in base32.
const SEED: usize = 58;

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(kind: KeyKind) -> Seed {
        Seed::new(kind, [7; 32])
    }

    fn jwt(user: &Seed, expires: i64) -> String {
        let mut claims = Claims::new(user.public_key(), "me", UserClaims::default());
        claims.expires = expires;
        let signed = claims.sign(&seed(KeyKind::Account), Timestamp::default());
        signed.expect("accounts sign users")
    }

    fn creds(jwt: &str, seed: &str) -> Login {
        Login::Creds(Source::Text(
            format!(
                "-----BEGIN NATS USER JWT-----\r\n{jwt}\r\n------END NATS USER JWT------\r\n\r\n\
                 ***** IMPORTANT *****\r\nkeep it\r\n\r\n-----BEGIN USER NKEY SEED-----\r\n{seed}\
                 \r\n------END USER NKEY SEED------"
            )
            .into(),
        ))
    }

    #[test]
    fn creds_sign_the_nonce() {
        let user = seed(KeyKind::User);
        let (jwt, seed) = (jwt(&user, 0), user.expose());
        let credentials = Credentials::read(&creds(&jwt, &seed)).expect("valid");
        let auth = credentials.auth(b"nonce");
        let signature = auth.signature.expect("it is signed");
        assert_eq!(user.public_key().verify(b"nonce", &signature), Ok(()));
        assert_eq!((auth.jwt, auth.nkey), (Some(jwt), None));
        assert!(!format!("{credentials:?}").contains(&seed[2..]));
    }

    #[test]
    fn an_nkey_stands_alone_or_between_dashes() {
        let user = seed(KeyKind::User);
        let seed = user.expose();
        for text in [
            format!("{}\n", *seed),
            format!(
                "-----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
                *seed
            ),
        ] {
            let login = Login::Nkey(Source::Text(text.into()));
            let credentials = Credentials::read(&login).expect("valid");
            let auth = credentials.auth(b"nonce");
            assert_eq!(auth.nkey, Some(user.public_key().to_string()));
            assert!(!format!("{credentials:?}").contains(&seed[2..]));
        }
    }

    #[test]
    fn faults_say_what_was_expected_and_show_nothing() {
        let user = seed(KeyKind::User);
        let (own, seed) = (jwt(&user, 0), user.expose());
        let account = self::seed(KeyKind::Account).expose();
        let other = jwt(&Seed::new(KeyKind::User, [8; 32]), 0);
        let forged = format!("{}A", &own[..own.len() - 1]);
        let nkey = |text: &str| Login::Nkey(Source::Text(text.into()));
        for (login, expect) in [
            (
                creds("x", "y"),
                "the creds: the text at the place of the seed is none",
            ),
            (
                creds("x.y.z", &seed),
                "the creds: the text at the place of the JWT is none",
            ),
            (
                creds(&forged, &seed),
                "the creds: the text at the place of the JWT is none",
            ),
            (
                creds(&other, &seed),
                "the creds: the seed is of another user than the JWT",
            ),
            (
                creds(&own, &account),
                "the creds: expected the seed of a user, which begins with `SU`",
            ),
            (
                Login::Creds(Source::Text(seed.as_str().into())),
                "the creds: expected a JWT and a seed, each between a line `-----BEGIN …` and a \
                 line `------END …`",
            ),
            (nkey("SU"), "the nkey: expected a line with a seed"),
            (
                nkey(&account),
                "the nkey: expected the seed of a user, which begins with `SU`",
            ),
            (
                nkey(&seed.replace('A', "B")),
                "the nkey: the text at the place of the seed is none",
            ),
        ] {
            let error = Credentials::read(&login).expect_err(expect);
            assert_eq!(error.to_string(), expect);
            assert!(!format!("{error:?}").contains(&seed[4..]));
        }
        let login = Login::Creds(Source::File("/nowhere/me.creds".into()));
        let error = Credentials::read(&login).expect_err("there is none");
        assert_eq!(
            error.to_string(),
            "the creds `/nowhere/me.creds` cannot be read"
        );
    }

    #[test]
    fn an_end_that_has_passed_is_told() {
        let user = seed(KeyKind::User);
        let expired = |end: i64| {
            let login = creds(&jwt(&user, end), &user.expose());
            let now = Timestamp::from_micros(2_000_000).expect("a time");
            let end = Credentials::read(&login).expect("valid").expired(now);
            end.map(Timestamp::micros)
        };
        assert_eq!(expired(1), Some(1_000_000));
        assert_eq!(expired(2), Some(2_000_000));
        for lasting in [3, 0, -1] {
            assert_eq!(expired(lasting), None);
        }
    }
}

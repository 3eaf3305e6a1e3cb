//! What a login says to a server: read anew for each connection, and forgotten behind it.

use async_nats::Auth;
use cim_core::time::Timestamp;
use data_encoding::BASE64URL_NOPAD;
use nkeys::{KeyPair, KeyPairType};
use serde::Deserialize;

use super::super::options::{Login, Source};
use super::error::ConnectError;
use crate::secret::Secret;

/// A login, read from its file if it has one.
#[derive(Debug)]
pub(super) enum Credentials {
    None,
    Password { user: String, password: Secret },
    Token(Secret),
    Keys { jwt: Option<Secret>, seed: Secret },
}

/// The claims of a user's JWT that concern us.
#[derive(Deserialize)]
struct Claims {
    /// The user's public key.
    sub: String,
    /// Seconds since 1970; 0 or none for ever.
    #[serde(default)]
    exp: u64,
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
                let invalid = |why| invalid(login, why);
                let mut parts = decorated(text.expose());
                let (Some(jwt), Some(seed)) = (parts.next(), parts.next()) else {
                    return Err(invalid(
                        "expected a JWT and a seed, each between a line `-----BEGIN …` and a \
                         line `------END …`",
                    ));
                };
                let pair = pair(seed).map_err(&invalid)?;
                let claims = claims(jwt)
                    .ok_or_else(|| invalid("the text at the place of the JWT is none"))?;
                if claims.sub != pair.public_key() {
                    return Err(invalid("the seed is of another user than the JWT"));
                }
                Ok(Self::Keys {
                    jwt: Some(jwt.into()),
                    seed: seed.into(),
                })
            }
            Login::Nkey(source) => {
                let text = text(source, login)?;
                let seed = text.expose().lines().map(str::trim);
                let mut seed = seed.filter(|line| line.len() == SEED && line.starts_with('S'));
                let seed = seed
                    .next()
                    .ok_or_else(|| invalid(login, "expected a line with a seed"))?;
                pair(seed).map_err(|why| invalid(login, why))?;
                Ok(Self::Keys {
                    jwt: None,
                    seed: seed.into(),
                })
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
            Self::Keys { jwt, seed } => {
                let pair = pair(seed.expose()).expect("the seed was checked when it was read");
                let signature = pair.sign(nonce).expect("a pair from a seed can sign");
                auth.signature = Some(signature);
                match jwt {
                    Some(jwt) => auth.jwt = Some(jwt.expose().to_owned()),
                    None => auth.nkey = Some(pair.public_key()),
                }
            }
        }
        auth
    }

    /// When it ends, if it has.
    pub(super) fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        let Self::Keys { jwt: Some(jwt), .. } = self else {
            return None;
        };
        let seconds = claims(jwt.expose())?.exp;
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

/// The lines that stand each between two lines of dashes.
fn decorated(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    std::iter::from_fn(move || {
        lines.find(|line| line.starts_with("---"))?;
        let part = lines.next()?;
        lines.find(|line| line.starts_with("---"))?;
        Some(part)
    })
}

/// The pair of a user's seed.
fn pair(seed: &str) -> Result<KeyPair, &'static str> {
    // The library takes seeds of unknown kinds for an operator's.
    let pair = KeyPair::from_seed(seed).map_err(|_| "the text at the place of the seed is none")?;
    if seed.starts_with("SU") && pair.key_pair_type() == KeyPairType::User {
        Ok(pair)
    } else {
        Err("expected the seed of a user, which begins with `SU`")
    }
}

/// Reads claims without checking who signed them: that is the server's matter.
fn claims(jwt: &str) -> Option<Claims> {
    let payload = jwt.split('.').nth(1)?;
    let payload = BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// The length of a seed in base32.
const SEED: usize = 58;

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair that is used nowhere else.
    fn user() -> KeyPair {
        KeyPair::new_from_raw(KeyPairType::User, [7; 32]).expect("32 bytes")
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.e30", BASE64URL_NOPAD.encode(claims.as_bytes()))
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
        let (pair, seed) = (user(), user().seed().expect("a seed"));
        let jwt = jwt(&format!(r#"{{"sub":"{}"}}"#, pair.public_key()));
        let credentials = Credentials::read(&creds(&jwt, &seed)).expect("valid");
        let auth = credentials.auth(b"nonce");
        let signature = auth.signature.expect("it is signed");
        assert!(pair.verify(b"nonce", &signature).is_ok());
        assert_eq!((auth.jwt, auth.nkey), (Some(jwt), None));
        assert!(!format!("{credentials:?}").contains(&seed));
    }

    #[test]
    fn an_nkey_stands_alone_or_between_dashes() {
        let seed = user().seed().expect("a seed");
        for text in [
            format!("{seed}\n"),
            format!("-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"),
        ] {
            let login = Login::Nkey(Source::Text(text.into()));
            let auth = Credentials::read(&login).expect("valid").auth(b"nonce");
            assert_eq!(auth.nkey, Some(user().public_key()));
        }
    }

    #[test]
    fn faults_say_what_was_expected_and_show_nothing() {
        let seed = user().seed().expect("a seed");
        let account = KeyPair::new_from_raw(KeyPairType::Account, [7; 32]).expect("32 bytes");
        let account = account.seed().expect("a seed");
        let other = jwt(r#"{"sub":"UOTHER"}"#);
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
                creds(&other, &seed),
                "the creds: the seed is of another user than the JWT",
            ),
            (
                creds(&other, &account),
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
        let seed = user().seed().expect("a seed");
        let expired = |exp: &str| {
            let claims = format!(r#"{{"sub":"{}"{exp}}}"#, user().public_key());
            let login = creds(&jwt(&claims), &seed);
            let now = Timestamp::from_micros(2_000_000).expect("a time");
            let end = Credentials::read(&login).expect("valid").expired(now);
            end.map(Timestamp::micros)
        };
        assert_eq!(expired(r#","exp":1"#), Some(1_000_000));
        assert_eq!(expired(r#","exp":2"#), Some(2_000_000));
        for lasting in [r#","exp":3"#, r#","exp":0"#, ""] {
            assert_eq!(expired(lasting), None);
        }
    }
}
